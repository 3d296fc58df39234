"""Scores that counter hubs, for one query of a gallery or for all its items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..index.base import Index
from ..values.arrays import Array, Floats, Positions

NEIGHBOURS = 10
"""K of CSLS and local scaling, as Conneau et al. take it."""

CHUNK_VALUES = 2**24
"""Similarities held at a time when all items are compared with all."""

SPARE = 64
"""Items beyond k that are looked at so that ties go by cosine and position."""


@dataclass(frozen=True)
class Method:
    """A way to re-rank.

    Attributes:
        scores: of similarities, and of what is known of queries and of items.
        of_gallery: what is known of each item of an index.
        of_row: the same of a query, from its similarities (q, n) to all items but itself.
    """

    scores: Callable[[Floats, Floats, Floats], Floats]
    of_gallery: Callable[[Index], Floats]
    of_row: Callable[[Floats], Floats]


def _nearest(similarities: Floats) -> Floats:
    """(q, K) the largest similarities of each row."""
    count = min(NEIGHBOURS, similarities.shape[1])
    return -np.partition(-similarities, max(count - 1, 0), axis=1)[:, :count]


METHODS = {
    "csls": Method(
        metrics.csls,
        lambda index: metrics.nearest_similarity(nearest_others(index, NEIGHBOURS)[0]),
        lambda row: metrics.nearest_similarity(_nearest(row)),
    ),
    "local-scaling": Method(
        metrics.local_scaling,
        lambda index: metrics.nearest_distance(nearest_others(index, NEIGHBOURS)[0]),
        lambda row: metrics.nearest_distance(_nearest(row)),
    ),
    "mutual-proximity": Method(
        metrics.mutual_proximity,
        lambda index: metrics.gallery_moments(index.vectors),
        metrics.similarity_moments,
    ),
}


class Reranker:
    """Re-ranks what is found in an index; knows each of its items' surroundings.

    Args:
        name: one of ``METHODS``.
        index: the gallery.
    """

    def __init__(self, name: str, index: Index) -> None:
        self.method, self.index = METHODS[name], index
        self.of_items = self.method.of_gallery(index)

    def scores(self, similarities: Floats, own: Positions) -> Floats:
        """(n,) float32 scores of all items for a query.

        Args:
            similarities: (n,) cosines of the query and all items.
            own: positions of the items that the query is; they are not its neighbours.
        """
        row = similarities[None].astype(np.float64)
        known = self.method.of_row(np.delete(row, own, axis=1))
        scores = self.method.scores(row, known, self.of_items)[0]
        ordered: Floats = scores.astype(np.float32)
        return ordered

    def neighbours(self, k: int) -> Positions:
        """(n, k') the best-scored others of every item, k' = min(k, n - 1); ties as in a search."""
        vectors, count = self.index.vectors, len(self.index)
        depth = max(min(k, count - 1), 0)
        found = np.empty((count, depth), np.int64)
        step = max(1, CHUNK_VALUES // max(count, 1))
        for start in range(0, count, step):
            own = np.arange(start, min(start + step, count))
            cosines = np.round(vectors[own] @ vectors.T, 6)  # equal rows tie, however summed
            scores = self.method.scores(cosines, self.of_items[own], self.of_items)
            scores = scores.astype(np.float32)
            scores[np.arange(len(own)), own] = -np.inf
            found[own] = _best(scores, cosines, depth)
        return found


def _best(scores: Floats, cosines: Floats, k: int) -> Positions:
    """(q, k) the columns of the highest scores, ties by cosine and then by position."""
    pool = min(k + SPARE, scores.shape[1])
    columns = np.sort(np.argpartition(-scores, pool - 1, axis=1)[:, :pool], axis=1)
    first = np.take_along_axis(-scores, columns, axis=1)
    second = np.take_along_axis(-cosines, columns, axis=1)
    order = np.lexsort((columns, second, first), axis=1)[:, :k]
    return np.take_along_axis(columns, order, axis=1)


def nearest_others(index: Index, k: int, rows: Positions | None = None) -> tuple[Floats, Positions]:
    """Cosines and positions (q, k') of some items' nearest others, k' = min(k, n - 1).

    An item is left out of its own list by position, so that its copies stay.

    Args:
        index: the gallery.
        k: how many.
        rows: (q,) positions of the items; all if not given.
    """
    asked = np.arange(len(index)) if rows is None else rows
    depth = max(min(k, len(index) - 1), 0)
    if depth == 0:
        return np.zeros((len(asked), 0), np.float32), np.zeros((len(asked), 0), np.int64)
    return without_own(*index.search(index.vectors[asked], depth + 1), asked)


def without_own(scores: Floats, places: Positions, asked: Positions) -> tuple[Floats, Positions]:
    """Answers (q, c) less one each: the position that was asked with, else the last."""
    own = places == asked[:, None]
    own[~own.any(axis=1), -1] = True  # not found among ties
    shape = (len(asked), places.shape[1] - 1)
    return scores[~own].reshape(shape), places[~own].reshape(shape)


def cosines_to(vectors: Array, query: Floats) -> Floats:
    """(n,) cosines of unit rows and one vector, as an exact index scores them: equal rows tie."""
    unit = query.astype(np.float64) / np.linalg.norm(query.astype(np.float64))
    unit = unit.astype(np.float32).astype(np.float64)
    cosines = np.empty(len(vectors), np.float32)
    step = max(1, CHUNK_VALUES // max(vectors.shape[1], 1))
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step].astype(np.float64)
        cosines[start : start + step] = np.einsum("ij,j->i", part, unit)
    return np.clip(cosines, -1.0, 1.0)
