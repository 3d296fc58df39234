"""The exact index: compares a query with every vector. The truth the others are held to."""

from __future__ import annotations

import numpy as np

from ..values.arrays import Array, Floats, Positions
from ..values.errors import BadSpec
from .base import Index, Options

FEW_QUERIES = 4
"""Up to so many queries are answered by one matrix-vector product each, the quicker way."""

FEW_ROWS = 0.2
"""Share of the vectors up to which those allowed are copied out; else all are scored."""

CLOSE = 4e-6
"""Scores nearer than this may be equal but for the order in which float32 adds up."""

SPARE = 8
"""Candidates fetched beyond k, so that ties at the end can be seen."""


class ExactIndex(Index):
    """Cosine similarity with every vector. Memory: 4 n d bytes; time: O(n d) a query."""

    def _build(self, options: Options) -> None:
        if options:
            raise BadSpec(
                f"exact has no option {next(iter(options))!r}",
                where="build_index",
                mend="write exact",
            )

    def _search(self, queries: Floats, k: int, rows: Positions | None) -> tuple[Floats, Positions]:
        if len(queries) > FEW_QUERIES:
            gallery = self.vectors if rows is None else self.vectors[rows]
            scores, places = self._many(gallery, queries, k)
            return scores, places if rows is None else rows[places]
        answers = [self._one(query, k, rows) for query in queries]
        return np.stack([score for score, _ in answers]), np.stack([row for _, row in answers])

    def _one(self, query: Floats, k: int, rows: Positions | None) -> tuple[Floats, Positions]:
        """The answer to one query among some rows; copies no more than few of them."""
        if rows is None:
            return best(self.vectors, query, self.vectors @ query, k)
        if len(rows) < len(self) * FEW_ROWS:
            scores, places = best(self.vectors[rows], query, self.vectors[rows] @ query, k)
            return scores, rows[places]
        scores = np.full(len(self), -np.inf, np.float32)
        scores[rows] = (self.vectors @ query)[rows]
        return best(self.vectors, query, scores, k)

    def _many(self, gallery: Floats, queries: Floats, k: int) -> tuple[Floats, Positions]:
        import faiss

        fetch = min(k + SPARE, len(gallery))
        scores, places = faiss.knn(queries, gallery, fetch, metric=faiss.METRIC_INNER_PRODUCT)
        # Only where neighbouring scores are so close that rounding decides is it worth a look.
        close = (np.diff(scores[:, : k + 1], axis=1) > -CLOSE).any(axis=1)
        for row in np.flatnonzero(close):
            query = queries[row]
            unseen = fetch < len(gallery) and scores[row, -1] >= scores[row, k - 1] - CLOSE
            if unseen:  # more ties than were fetched
                scores[row, :k], places[row, :k] = best(gallery, query, gallery @ query, k)
            else:
                found = np.sort(places[row])
                scores[row, :k], places[row, :k] = ranked(gallery, query, found, k)
        return scores[:, :k].copy(), places[:, :k].copy()


def best(gallery: Floats, query: Floats, scores: Floats, k: int) -> tuple[Floats, Positions]:
    """The best k rows by their float32 scores, scored again so that equal rows tie.

    Rows with a score of -inf are not returned; there are at least k others.
    """
    bound = np.partition(scores, len(scores) - k)[len(scores) - k] - CLOSE
    return ranked(gallery, query, np.flatnonzero(scores >= bound), k)


def ranked(gallery: Floats, query: Floats, candidates: Positions, k: int) -> tuple[Floats, Array]:
    """The best k of some candidates (ascending positions), scored so that equal rows tie."""
    exact = np.einsum("ij,j->i", gallery[candidates].astype(np.float64), query.astype(np.float64))
    scores = np.clip(exact, -1.0, 1.0).astype(np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    return scores[order], candidates[order]
