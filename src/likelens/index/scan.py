"""Exact search: a query is compared with every vector. The truth the indexes are held to.

Scores are cosine similarities of unit rows, or, by the metric ``l2``, minus the Euclidean
distance. float32 adds up in an order of its own, so scores that are nearly equal are taken
again, row by row, before they are ordered: equal rows then tie, and ties go by position.
"""

from __future__ import annotations

import numpy as np

from ..values.arrays import Array, Floats, Positions
from .threads import for_queries

COSINE, L2 = "cosine", "l2"

FEW_QUERIES = 4
"""Up to so many queries are answered by one matrix-vector product each, the quicker way."""

FEW_ROWS = 0.2
"""Share of the vectors up to which those allowed are copied out; else all are scored."""

BLOCK_ROWS = 65_536
"""So many vectors, at most, are scored for several queries at a time."""

FIRST_ROWS = 1024
"""So many are scored at first, and all of these looked through."""

CELLS = 8_000_000
"""So many scores are held at a time."""

CLOSE = 4e-6
"""Scores nearer than this may be equal but for the order in which float32 adds up."""

SPARE = 8
"""Candidates fetched beyond k, so that ties at the end can be seen."""


SMALL = 2_000_000
"""Up to so many numbers are copied out to be scored again."""


def scan(
    vectors: Floats, queries: Floats, k: int, rows: Positions | None = None, metric: str = COSINE
) -> tuple[Floats, Positions]:
    """The k best of some rows for each query, best first, ties by position.

    Args:
        vectors: (n, d) float32; unit rows, if the metric is cosine.
        queries: (q, d) float32, the same.
        k: from 1 to the number of rows.
        rows: ascending positions of the rows to compare with, or None for all.
        metric: ``cosine`` or ``l2``.

    Returns:
        Scores (q, k) float32 and positions (q, k).
    """
    if len(queries) > FEW_QUERIES:
        return _many(vectors, queries, k, rows, metric)
    answers = [_one(vectors, query, k, rows, metric) for query in queries]
    return np.stack([score for score, _ in answers]), np.stack([row for _, row in answers])


def rescore(
    vectors: Floats, queries: Floats, positions: Positions, metric: str = COSINE
) -> tuple[Floats, Positions]:
    """Scores some rows for each query, one by one, and orders them.

    Args:
        vectors: (n, d) float32, contiguous.
        queries: (q, d) float32, contiguous.
        positions: (q, c), in any order; -1 stands for none.
        metric: ``cosine`` or ``l2``.

    Returns:
        Scores (q, c), best first, -inf for none, and positions (q, c), -1 for none.
    """
    positions = np.sort(positions, axis=1)
    if positions.size * vectors.shape[1] <= SMALL:
        scores = _pairs(vectors[positions], queries[:, None], metric)
    else:
        scores = _pairs_by_faiss(vectors, queries, positions, metric)
    if metric == COSINE:
        np.minimum(scores, 1.0, out=scores)  # rounding may leave a little more
        np.maximum(scores, -1.0, out=scores)
    else:
        scores = -np.sqrt(scores)
    scores[positions < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")
    line = np.arange(len(queries))[:, None]
    return scores[line, order], positions[line, order]


def _pairs(rows: Floats, queries: Floats, metric: str) -> Floats:
    """Products, or squared distances, of rows (q, c, d) and queries (q, 1, d)."""
    if metric == L2:
        rows = rows - queries
    other = rows if metric == L2 else np.broadcast_to(queries, rows.shape)
    scores: Floats = np.einsum("qcd,qcd->qc", rows, other)
    return scores


def _pairs_by_faiss(vectors: Floats, queries: Floats, positions: Positions, metric: str) -> Floats:
    """The same without copying rows, in threads if there are several queries."""
    import faiss

    scores = np.empty(positions.shape, np.float32)
    by_position = faiss.fvec_inner_products_by_idx if metric == COSINE else faiss.fvec_L2sqr_by_idx
    with for_queries(len(queries)):
        by_position(
            faiss.swig_ptr(scores), faiss.swig_ptr(queries), faiss.swig_ptr(vectors),
            faiss.swig_ptr(positions), vectors.shape[1], *positions.shape,
        )  # fmt: skip
    return scores


def _one(
    vectors: Floats, query: Floats, k: int, rows: Positions | None, metric: str
) -> tuple[Floats, Positions]:
    """The answer to one query among some rows; copies no more than few of them."""
    if rows is not None and len(rows) < len(vectors) * FEW_ROWS:
        scores, places = _one(vectors[rows], query, k, None, metric)
        return scores, rows[places]
    scores = vectors @ query if metric == COSINE else _minus_squares(vectors, query)
    if rows is not None:
        left = np.full(len(vectors), -np.inf, np.float32)
        left[rows] = scores[rows]
        scores = left
    worst = np.partition(scores, len(scores) - k)[len(scores) - k]
    bound = worst - CLOSE * (1.0 if metric == COSINE else abs(worst))
    return _ranked(vectors, query, np.flatnonzero(scores >= bound), k, metric)


def _minus_squares(vectors: Floats, query: Floats) -> Floats:
    """Minus the squared distance of each row, from the differences themselves."""
    import faiss

    squares = np.empty(len(vectors), np.float32)
    faiss.fvec_L2sqr_ny(
        faiss.swig_ptr(squares), faiss.swig_ptr(query), faiss.swig_ptr(vectors),
        vectors.shape[1], len(vectors),
    )  # fmt: skip
    return -squares


def _ranked(
    vectors: Floats, query: Floats, candidates: Positions, k: int, metric: str
) -> tuple[Floats, Array]:
    """The best k of some candidates (ascending positions), scored so that equal rows tie."""
    rows, wanted = vectors[candidates].astype(np.float64), query.astype(np.float64)
    if metric == COSINE:
        exact = np.clip(np.einsum("ij,j->i", rows, wanted), -1.0, 1.0)
    else:
        rows -= wanted
        exact = -np.sqrt(np.einsum("ij,ij->i", rows, rows))
    scores = exact.astype(np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    return scores[order], candidates[order]


def _many(
    vectors: Floats, queries: Floats, k: int, rows: Positions | None, metric: str
) -> tuple[Floats, Positions]:
    """Many queries by matrix products; near ties are looked at again."""
    count = len(vectors) if rows is None else len(rows)
    fetch = min(k + SPARE, count)
    scores, places = _nearest(vectors, queries, fetch, rows, metric)
    slack = _slack(vectors, queries, metric)
    close = (np.diff(scores[:, : k + 1], axis=1) > -slack).any(axis=1)
    unseen = close & (fetch < count) & (scores[:, -1] >= scores[:, k - 1] - slack[:, 0])
    again = np.flatnonzero(close if metric == COSINE else np.ones(len(queries), bool))
    if again.size:
        scores[again], places[again] = rescore(vectors, queries[again], places[again], metric)
    scores, places = scores[:, :k].copy(), places[:, :k].copy()
    for row in np.flatnonzero(unseen):  # more ties than were fetched
        scores[row], places[row] = _one(vectors, queries[row], k, rows, metric)
    if metric == COSINE:
        np.clip(scores, -1.0, 1.0, out=scores)  # rounding may leave a little more
    return scores, places


def _slack(vectors: Floats, queries: Floats, metric: str) -> Floats:
    """How far rounding may move a score of ``_nearest``: (q, 1)."""
    if metric == COSINE:
        return np.full((len(queries), 1), CLOSE, np.float32)
    longest = max(
        np.einsum("ij,ij->i", block, block).max()
        for block in np.array_split(vectors, -(-len(vectors) // BLOCK_ROWS))
    )
    lengths = np.sqrt(np.einsum("ij,ij->i", queries, queries))
    slack: Floats = (CLOSE * (lengths + np.sqrt(longest)) ** 2)[:, None]
    return slack


def _nearest(
    vectors: Floats, queries: Floats, fetch: int, rows: Positions | None, metric: str
) -> tuple[Floats, Positions]:
    """The best by matrix products, roughly scored: cosines, or minus squared distances."""
    count = len(vectors) if rows is None else len(rows)
    first = count if 4 * fetch >= count else max(FIRST_ROWS, 2 * fetch)
    step = max(1, CELLS // min(count, max(first, BLOCK_ROWS // 16)))
    parts = [
        _nearest_to_few(vectors, queries[start : start + step], fetch, rows, metric, first)
        for start in range(0, len(queries), step)
    ]
    scores = np.concatenate([one for one, _ in parts])
    places = np.concatenate([one for _, one in parts])
    order = np.argsort(-scores, axis=1, kind="stable")
    places = np.take_along_axis(places, order, 1)
    return np.take_along_axis(scores, order, 1), places if rows is None else rows[places]


def _nearest_to_few(
    vectors: Floats,
    queries: Floats,
    fetch: int,
    rows: Positions | None,
    metric: str,
    first: int,
) -> tuple[Floats, Positions]:
    """The same, not ordered; block after block of vectors.

    What does not beat the worst of a query's best so far is passed over, which is nearly
    all after a few blocks. Blocks grow with what was seen, so that few beat it in each.
    """
    count = len(vectors) if rows is None else len(rows)
    best = _Best(len(queries), fetch)
    start, stop = 0, min(first, count)
    while start < count:
        part = vectors[start:stop] if rows is None else vectors[rows[start:stop]]
        best.meet(_rough(part, queries, metric), start)
        step = min(stop, BLOCK_ROWS, max(FIRST_ROWS, CELLS // len(queries)))
        start, stop = stop, min(stop + step, count)
    return best.scores, best.places


def _rough(part: Floats, queries: Floats, metric: str) -> Floats:
    scores: Floats = queries @ part.T
    if metric == L2:
        scores *= 2.0
        scores -= np.einsum("ij,ij->i", part, part)
        scores -= np.einsum("ij,ij->i", queries, queries)[:, None]
    return scores


class _Best:
    """The best scores met so far, and their places: (q, fetch), in no order."""

    def __init__(self, queries: int, fetch: int) -> None:
        self.scores = np.full((queries, fetch), -np.inf, np.float32)
        self.places = np.zeros((queries, fetch), np.int64)
        self.worst: Floats | None = None

    def meet(self, scores: Floats, start: int) -> None:
        """Takes the scores (q, b) of the vectors at ``start`` and after."""
        fetch = self.scores.shape[1]
        if self.worst is None:
            last = max(0, scores.shape[1] - fetch)
            good = scores >= np.partition(scores, last, axis=1)[:, last : last + 1]
        else:
            good = scores > self.worst
        hits = np.flatnonzero(good)
        line, column = np.divmod(hits, scores.shape[1])
        counts = np.bincount(line, minlength=len(scores))
        seat = fetch + np.arange(len(hits)) - np.repeat(np.cumsum(counts) - counts, counts)
        width = fetch + int(counts.max())
        wide = np.full((len(scores), width), -np.inf, np.float32)
        where = np.zeros((len(scores), width), np.int64)
        wide[:, :fetch], where[:, :fetch] = self.scores, self.places
        wide[line, seat], where[line, seat] = scores.reshape(-1)[hits], start + column
        kept = np.argpartition(wide, width - fetch, axis=1)[:, width - fetch :]
        self.scores = np.take_along_axis(wide, kept, 1)
        self.places = np.take_along_axis(where, kept, 1)
        self.worst = self.scores.min(axis=1, keepdims=True)
