"""Ranks a gallery for many queries at once, exactly, in blocks; no query finds itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from .index.base import Index
from .index.scan import COSINE
from .values.arrays import Floats, Positions, check_vectors, unit_rows
from .values.errors import BadShape
from .values.relevance import NONE

BLOCK_SCORES = 2**23
"""Scores held at a time: 32 MB."""

MOST_ROWS = 1_024
"""Queries in a block."""

SOME_COLUMNS = 8
"""Columns in which vectors are compared first, to find copies."""


@dataclass(frozen=True)
class Rankings:
    """The best items of each query, best first, itself left out.

    Attributes:
        positions: (q, depth) gallery positions; -1 where the gallery has no more items.
        scores: (q, depth) float32 cosine similarities, or minus distances where an index
            ranks by ``l2``; NaN where there is no item.
        tied: (q, depth) whether the item at a rank and the next one score the same, so
            that only the order of the catalogue tells them apart.
    """

    positions: Positions = field(repr=False)
    scores: Floats = field(repr=False)
    tied: npt.NDArray[np.bool_] = field(repr=False)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def depth(self) -> int:
        """How long the lists are."""
        return int(self.positions.shape[1])


@dataclass(frozen=True)
class Block:
    """Some queries of a whole ranking.

    Attributes:
        rows: which of the queries asked.
        rankings: their best items.
        ranks: for each its relevant items' ranks from 1, ascending; None if not asked for.
    """

    rows: slice
    rankings: Rankings
    ranks: list[Positions] | None


class Gallery:
    """Vectors to be ranked by cosine similarity. Equal vectors always score the same.

    Args:
        vectors: (n, d) float16, 32 or 64, of any length; a row of zeros scores 0.

    Raises:
        BadShape: no finite matrix.
    """

    def __init__(self, vectors: npt.ArrayLike) -> None:
        self._vectors = unit_rows(check_vectors(vectors, where="vectors"))
        self._vectors += 0.0  # no negative zeros: equal vectors have equal bytes
        self._copies, self._firsts = _copies(self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def scores(self, queries: Floats) -> Floats:
        """(q, n) float32 cosine similarities of unit rows with every item."""
        scores = queries @ self._vectors.T
        scores[:, self._copies] = scores[:, self._firsts]
        return scores


def rank_blocks(
    gallery: Gallery,
    queries: npt.ArrayLike,
    own: Positions,
    depth: int,
    relevant: Callable[[slice], list[Positions]] | None = None,
    excluded: Callable[[slice], tuple[Positions, Positions]] | None = None,
) -> Iterator[Block]:
    """The best items of each query, a block of queries at a time.

    Scores are products of float32 unit vectors. Equal scores are ordered as in the
    catalogue; equal vectors score equally, whatever the block.

    Args:
        gallery: the items.
        queries: (q, d) vectors of any length.
        own: (q,) each query's position in the gallery, -1 for none.
        depth: how many items of each list are kept.
        relevant: for a slice of the queries the positions of each one's relevant items,
            itself not among them; if given, their ranks in the whole list are found too.
        excluded: for a slice of the queries which of them, counted from its start, and which
            item, of each pair that takes no place in a list.

    Raises:
        BadShape: queries of another dimension, or no finite matrix.
    """
    asked = unit_rows(check_vectors(queries, where="queries"))
    if asked.shape[1] != gallery.dim:
        raise BadShape(
            f"queries have {asked.shape[1]} dimensions, the gallery has {gallery.dim}",
            where="queries",
            hint="encode the queries with the encoder of the gallery",
        )
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        for rows in blocks(len(asked), len(gallery)):
            scores = gallery.scores(asked[rows])
            itself = np.flatnonzero(own[rows] != NONE)
            scores[itself, own[rows][itself]] = -np.inf
            if excluded is not None:
                scores[excluded(rows)] = -np.inf
            members = None if relevant is None else relevant(rows)
            step = -(-len(scores) // workers)
            parts = [slice(begin, begin + step) for begin in range(0, len(scores), step)]
            done = list(pool.map(partial(_rank, scores, members, depth), parts))
            yield Block(
                rows,
                joined([found for found, _ in done], depth),
                None if members is None else [one for _, ranks in done for one in ranks],
            )


def rank_with(index: Index, queries: npt.ArrayLike, own: Positions, depth: int) -> Rankings:
    """The best items of each query by an index of any kind, exact or not.

    Args:
        index: of the gallery.
        queries: (q, d) vectors of any length.
        own: (q,) each query's position in the index, -1 for none.
        depth: how many items of each list are kept.

    Raises:
        BadShape: as ``Index.search``.
    """
    scores, positions = index.search(np.asarray(queries), depth + 2)
    scores, itself = scores.copy(), positions == own[:, None]
    scores[itself] = -np.inf
    order = np.argsort(itself, axis=1, kind="stable")
    return _shaped(
        np.take_along_axis(scores, order, axis=1),
        np.take_along_axis(positions, order, axis=1),
        depth,
        index.metric,
    )


def _copies(vectors: Floats) -> tuple[Positions, Positions]:
    """Rows that equal an earlier one, and the first that they equal.

    Only rows that agree in some of their columns are compared in full.
    """
    some = np.ascontiguousarray(vectors[:, :: -(-vectors.shape[1] // SOME_COLUMNS)])
    keys = some.view(np.dtype((np.void, some.itemsize * some.shape[1]))).ravel()
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    suspects = np.flatnonzero(sizes[group] > 1)
    marks = (hashlib.blake2b(vectors[row], digest_size=16).digest() for row in suspects)
    places: dict[bytes, int] = {}
    pairs = zip(suspects.tolist(), marks, strict=True)
    firsts = np.array([places.setdefault(mark, row) for row, mark in pairs], np.int64)
    again = firsts != suspects
    return suspects[again], firsts[again]


def blocks(queries: int, items: int) -> Iterator[slice]:
    """The queries in blocks, so that a score of each with every item fits in memory."""
    size = max(1, min(MOST_ROWS, BLOCK_SCORES // max(items, 1)))
    for start in range(0, queries, size):
        yield slice(start, min(start + size, queries))


def joined(parts: Sequence[Rankings], depth: int) -> Rankings:
    """Rankings of several blocks of queries as one."""
    if not parts:
        return _shaped(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.int64), depth)
    return Rankings(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.tied for part in parts]),
    )


def _rank(
    scores: Floats, members: list[Positions] | None, depth: int, part: slice
) -> tuple[Rankings, list[Positions]]:
    """The best items of some rows of scores, and the ranks of their relevant items."""
    scores = scores[part]
    keep = min(depth + 1, scores.shape[1])
    if not keep:
        return _shaped(scores, np.zeros(scores.shape, np.int64), depth), members or []
    if members is None:
        bound = np.partition(scores, -keep, axis=1)[:, -keep]
        return _shaped(*_best(scores, bound, keep), depth), []
    ordered = np.sort(scores, axis=1)
    ranks = [_ranks(*row) for row in zip(scores, ordered, members[part], strict=True)]
    return _shaped(*_best(scores, ordered[:, -keep], keep), depth), ranks


def _best(scores: Floats, bound: Floats, keep: int) -> tuple[Floats, Positions]:
    """The best scores of each row, best first, and where they stand; ties by position.

    Args:
        scores: (q, n) scores.
        bound: (q,) the keep-th best score of each row.
        keep: how many.
    """
    rows, columns = np.nonzero(scores >= bound[:, None])
    values = scores[rows, columns]
    order = np.lexsort((-values, rows))
    starts = np.searchsorted(rows, np.arange(len(scores)))
    chosen = order[starts[:, None] + np.arange(keep)]
    return values[chosen], columns[chosen]


def _shaped(scores: Floats, positions: Positions, depth: int, metric: str = COSINE) -> Rankings:
    """Rankings of that depth from lists with one item more, or with fewer, or with itself."""
    short = max(0, depth + 1 - scores.shape[1])
    scores = np.pad(scores, ((0, 0), (0, short)), constant_values=-np.inf)
    positions = np.pad(positions, ((0, 0), (0, short)), constant_values=NONE)
    none = np.isneginf(scores)
    tied = (scores[:, :-1] == scores[:, 1:]) & ~none[:, :-1]
    if metric == COSINE:
        scores = np.clip(scores, -1.0, 1.0)  # rounding may leave a little more
    return Rankings(
        np.where(none, NONE, positions)[:, :depth],
        np.where(none, np.nan, scores).astype(np.float32)[:, :depth],
        tied[:, :depth],
    )


def _ranks(scores: Floats, ordered: Floats, members: Positions) -> Positions:
    """Ranks of some items from 1, ascending, without sorting who stands where.

    An item's rank is one more than the number of items that score more, or the same from
    an earlier position.

    Args:
        scores: (n,) of one query.
        ordered: (n,) the same, ascending.
        members: positions of the items, ascending.
    """
    theirs = np.sort(scores[members])[::-1]
    upto = np.searchsorted(ordered, theirs, "right")
    ranks = len(ordered) - upto + 1
    tied = ordered[np.maximum(upto - 2, 0)] == theirs
    tied &= upto > 1
    for value in np.unique(theirs[tied]):
        equal = np.flatnonzero(scores == value)
        of_them = theirs == value
        ranks[of_them] += np.searchsorted(equal, members[scores[members] == value])
    return ranks
