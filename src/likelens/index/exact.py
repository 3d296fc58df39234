"""The exact index: compares a query with every vector. The truth the others are held to."""

from __future__ import annotations

import numpy as np

from ..values.arrays import Array, Floats, Positions
from ..values.errors import BadSpec
from .base import Index, Options

FEW_QUERIES = 4
"""Up to so many queries are answered by one matrix-vector product each, the quicker way."""

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
        gallery = self.vectors if rows is None else self.vectors[rows]
        if len(queries) <= FEW_QUERIES:
            answers = [self._one(gallery, query, k) for query in queries]
            scores = np.stack([score for score, _ in answers])
            places = np.stack([place for _, place in answers])
        else:
            scores, places = self._many(gallery, queries, k)
        return scores, places if rows is None else rows[places]

    def _one(self, gallery: Floats, query: Floats, k: int) -> tuple[Floats, Positions]:
        scores = gallery @ query
        if k < len(scores):
            bound = np.partition(scores, len(scores) - k)[len(scores) - k] - CLOSE
            candidates = np.flatnonzero(scores >= bound)
        else:
            candidates = np.arange(len(scores))
        return _ranked(gallery, query, candidates, k)

    def _many(self, gallery: Floats, queries: Floats, k: int) -> tuple[Floats, Positions]:
        import faiss

        fetch = min(k + SPARE, len(gallery))
        scores, places = faiss.knn(queries, gallery, fetch, metric=faiss.METRIC_INNER_PRODUCT)
        # Only where neighbouring scores are so close that rounding decides is it worth a look.
        close = (np.diff(scores[:, : k + 1], axis=1) > -CLOSE).any(axis=1)
        for row in np.flatnonzero(close):
            unseen = fetch < len(gallery) and scores[row, -1] >= scores[row, k - 1] - CLOSE
            if unseen:  # more ties than were fetched
                scores[row, :k], places[row, :k] = self._one(gallery, queries[row], k)
            else:
                found = np.sort(places[row])
                scores[row, :k], places[row, :k] = _ranked(gallery, queries[row], found, k)
        return scores[:, :k].copy(), places[:, :k].copy()


def _ranked(gallery: Floats, query: Floats, candidates: Positions, k: int) -> tuple[Floats, Array]:
    """The best k of some candidates (ascending positions), scored so that equal rows tie."""
    exact = np.einsum("ij,j->i", gallery[candidates].astype(np.float64), query.astype(np.float64))
    scores = np.clip(exact, -1.0, 1.0).astype(np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    return scores[order], candidates[order]
