"""Which of the items ranked by a query become results: groups, near-duplicates, diversity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..index.base import Index
from ..values.arrays import Array, Floats, Positions
from ..values.errors import BadQuery
from .near import Near

if TYPE_CHECKING:
    import pyarrow as pa

RERANKS = ("csls", "local-scaling", "mutual-proximity")

CLOSE = 1e-6
"""By how much a cosine may fall short of a threshold for reasons of rounding."""

POOL = 5
"""Diversity chooses among so many times the results wanted, and at least ``LEAST_POOL``."""

LEAST_POOL = 100

MOST_FETCHED = 16_384
"""Items asked of an index at a time."""


@dataclass(frozen=True)
class Order:
    """How results are chosen among the items that are alike.

    Attributes:
        k: how many results.
        rerank: one of ``RERANKS``, or None.
        group_by: attribute of which each value may have one result only, or None.
        collapse: cosine from which on an item is a near-duplicate of a result, or None.
        diversity: weight from 0 to 1 of being unlike earlier results, or None.
        threshold: cosine that a result must reach, or None.
    """

    k: int = 12
    rerank: str | None = None
    group_by: str | None = None
    collapse: float | None = None
    diversity: float | None = None
    threshold: float | None = None

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            BadQuery: a value out of range, or two that do not go together.
        """
        if isinstance(self.k, bool) or not isinstance(self.k, int | np.integer) or self.k < 1:
            raise BadQuery(
                f"k = {self.k} is not at least 1",
                where="search",
                hint="give -k 1 or more, a whole number",
            )
        if self.rerank is not None and self.rerank not in RERANKS:
            raise BadQuery(
                f"there is no re-ranking {self.rerank!r}",
                where="--rerank",
                hint=f"choose one of: {', '.join(RERANKS)}",
            )
        if self.collapse is not None and not 0.0 < self.collapse <= 1.0:
            raise BadQuery(
                f"{self.collapse:g} is no similarity of near-duplicates",
                where="--collapse",
                hint="give a cosine above 0, up to 1, such as 0.98",
            )
        if self.diversity is not None and not 0.0 <= self.diversity <= 1.0:
            raise BadQuery(
                f"a diversity of {self.diversity:g} is not from 0 to 1",
                where="--diversity",
                hint="give 0 for none, 1 for nothing else, such as 0.3",
            )
        if self.threshold is not None and np.isnan(self.threshold):
            raise BadQuery(
                "the threshold is not a number", where="--threshold", hint="give one, such as 0.8"
            )
        if self.rerank is not None and self.diversity is not None:
            raise BadQuery(
                "diversity weighs cosine similarities, which a re-ranking replaces",
                where="--diversity --rerank",
                hint="give one of the two",
            )


class Ranking(Protocol):
    """Items best first, some at a time.

    Attributes:
        best: the highest cosine of all items that may be found; None until the first
            items are drawn, or if there are none.
    """

    best: float | None

    def next(self, count: int) -> tuple[Positions, Floats, Floats]:
        """Rows, cosines and scores of the next items; fewer than asked for only at the end."""

    def leave_out(self, rows: Array) -> None:
        """Draw no more of these rows (n,) bool."""


class ByIndex:
    """Items as an index ranks them, down to a threshold.

    Args:
        index: the index; or one search by an approximate one.
        query: (d,) vector.
        allowed: (n,) bool, what may be found; None for everything. Not changed.
        threshold: least cosine, or None.
    """

    def __init__(
        self, index: Index | Near, query: Floats, allowed: Array | None, threshold: float | None
    ) -> None:
        self.best: float | None = None
        self._index, self._query, self._threshold = index, query, threshold
        self._left = allowed
        self._drawn = False

    def next(self, count: int) -> tuple[Positions, Floats, Floats]:
        found, places = self._index.search(self._query, min(count, MOST_FETCHED), self._left)
        cosines, rows = found[0], places[0]
        if not self._drawn and len(rows):
            self.best = float(cosines[0])
        self._drawn = True
        self.leave_out(rows)
        if self._threshold is not None:
            alike = cosines >= self._threshold - CLOSE
            cosines, rows = cosines[alike], rows[alike]
        return rows, cosines, cosines

    def leave_out(self, rows: Array) -> None:
        left = np.ones(len(self._index), bool) if self._left is None else self._left.copy()
        left[rows] = False
        self._left = left


class ByScore:
    """Items by a score of each, ties by cosine and then by position, down to a threshold.

    Args:
        cosines: (n,) to the query.
        scores: (n,) that order them.
        allowed: (n,) bool, what may be found; None for everything.
        threshold: least cosine, or None.
    """

    def __init__(
        self, cosines: Floats, scores: Floats, allowed: Array | None, threshold: float | None
    ) -> None:
        rows = np.arange(len(cosines)) if allowed is None else np.flatnonzero(allowed)
        self.best = float(cosines[rows].max()) if len(rows) else None
        if threshold is not None:
            rows = rows[cosines[rows] >= threshold - CLOSE]
        self._cosines, self._scores = cosines, scores
        self._rows = rows[np.lexsort((rows, -cosines[rows], -scores[rows]))]

    def next(self, count: int) -> tuple[Positions, Floats, Floats]:
        rows, self._rows = self._rows[:count], self._rows[count:]
        return rows, self._cosines[rows], self._scores[rows]

    def leave_out(self, rows: Array) -> None:
        self._rows = self._rows[~rows[self._rows]]


@dataclass
class Chosen:
    """Results, best first.

    Attributes:
        rows: (k,) positions.
        cosines: (k,) to the query.
        scores: (k,) by which they were ranked.
        folded: (k,) near-duplicates met that stand behind each.
    """

    rows: Positions
    cosines: Floats
    scores: Floats
    folded: Positions

    def take(self, places: Array) -> Chosen:
        """Some of them, in that order."""
        return Chosen(
            self.rows[places], self.cosines[places], self.scores[places], self.folded[places]
        )


def choose(
    ranking: Ranking,
    k: int,
    vectors: Floats,
    *,
    groups: Positions | None = None,
    collapse: float | None = None,
) -> Chosen:
    """The first k items of a ranking that share no group and are no near-duplicates.

    Going down the ranking, an item is passed over if its group has a result already, or
    if its cosine to a result reaches ``collapse``; then it is folded into the result most
    alike to it. Goes on until k are found or none is left.

    Args:
        ranking: items, best first.
        k: how many, at least 1.
        vectors: (n, d) unit rows.
        groups: (n,) from 0, or None.
        collapse: cosine, or None.
    """
    codes = np.arange(len(vectors)) if groups is None else groups
    taken = np.zeros(int(codes.max(initial=-1)) + 1, bool)
    chosen: list[tuple[int, float, float]] = []
    folded: list[int] = []
    fetch = k
    while len(chosen) < k:
        rows, cosines, scores = ranking.next(fetch)
        if not len(rows):
            break
        for row, cosine, score in zip(rows.tolist(), cosines, scores, strict=True):
            if len(chosen) == k or taken[codes[row]]:
                continue
            copied = None if collapse is None else _copied(vectors, row, chosen, collapse)
            if copied is not None:
                folded[copied] += 1
                continue
            chosen.append((row, cosine, score))
            folded.append(0)
            taken[codes[row]] = True
        if groups is not None:
            ranking.leave_out(taken[codes])
        fetch = min(4 * fetch, MOST_FETCHED)
    return Chosen(
        np.array([row for row, _, _ in chosen], np.int64),
        np.array([cosine for _, cosine, _ in chosen], np.float32),
        np.array([score for _, _, score in chosen], np.float32),
        np.array(folded, np.int64),
    )


def _copied(
    vectors: Floats, row: int, chosen: list[tuple[int, float, float]], collapse: float
) -> int | None:
    """The place of the result that an item is a near-duplicate of, or None."""
    if not chosen:
        return None
    likeness = vectors[[one for one, _, _ in chosen]] @ vectors[row]
    nearest = int(likeness.argmax())
    return nearest if likeness[nearest] >= collapse - CLOSE else None


def diversify(chosen: Chosen, k: int, vectors: Floats, diversity: float) -> Chosen:
    """So many of them by maximal marginal relevance (Carbonell and Goldstein 1998).

    The next result is the item with the largest (1 - D) s(item) - D max of its cosines to
    the results before it, with s its cosine to the query; ties go to the better ranked.

    Args:
        chosen: the pool, best first.
        k: how many.
        vectors: (n, d) unit rows.
        diversity: D from 0, the order as it is, to 1.
    """
    pool = vectors[chosen.rows]
    relevance = (1.0 - diversity) * chosen.cosines.astype(np.float64)
    nearest = np.zeros(len(pool))
    left = np.ones(len(pool), bool)
    places: list[int] = []
    while len(places) < min(k, len(pool)):
        worth = np.where(left, relevance - diversity * nearest, -np.inf)
        place = int(worth.argmax())
        likeness = (pool @ pool[place]).astype(np.float64)
        nearest = np.maximum(nearest, likeness) if places else likeness
        left[place] = False
        places.append(place)
    return chosen.take(np.array(places, np.int64))


def group_codes(column: pa.ChunkedArray, name: str) -> Positions:
    """(n,) the group of each item, from 0; an item without a value is a group of its own.

    Raises:
        BadQuery: the column's cells hold several values.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_struct(kind):
        raise BadQuery(
            f"a cell of {name} holds several values, so items cannot be grouped by it",
            where=name,
            hint="name a column with one value a cell",
        )
    coded = column.combine_chunks().dictionary_encode().indices
    codes: Positions = coded.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    without = codes < 0
    codes[without] = codes.max(initial=-1) + 1 + np.arange(without.sum())
    return codes
