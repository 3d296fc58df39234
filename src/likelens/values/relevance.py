"""Which items are relevant to which query, and how much: the ground truth of a retrieval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, Floats, Positions, as_array, unit_sparse_rows
from .errors import BadShape

if TYPE_CHECKING:
    from .tags import Tags

NONE = -1
"""A position that is none: an empty place in a list, or a query that is no item."""

ROUNDING = 1e-9
"""A gain this little below ``least`` still counts: a cosine of 1 comes out as 0.9999999999."""


class Relevance(ABC):
    """What each item of a gallery is worth to each query.

    A query is a row of the query table: the catalogue itself, or a separate one. Where it
    is an item of the gallery, it is never its own result: its gain for itself is 0, and
    it does not count among its relevant items.

    Attributes:
        n_items: n, items of the gallery.
        own: (n_queries,) position of each query in the gallery; -1 where it is no item.
        least: the smallest gain that counts as relevant where a metric only tells
            relevant from not; 0 for any gain above 0.
        graded: whether gains can be other than 0 and 1.
    """

    graded = True

    def __init__(self, n_items: int, own: Positions, least: float = 0.0) -> None:
        self.n_items, self.own, self.least = n_items, own, least

    @property
    def n_queries(self) -> int:
        """Rows of the query table."""
        return len(self.own)

    @abstractmethod
    def gains(self, queries: Positions, positions: Array) -> Floats:
        """Gain of the items at some positions for each query, as metrics take them.

        Args:
            queries: (q,) rows of the query table.
            positions: (q, depth) gallery positions; -1 for none, which gains 0.

        Returns:
            (q, depth) float64, at least 0; 0 for the query itself.
        """

    @abstractmethod
    def relevant(self, queries: Positions) -> Positions:
        """(q,) how many items are relevant to each query, itself not counted."""

    @abstractmethod
    def ideal(self, queries: Positions, k: int) -> Floats:
        """(q, k) the largest gains of each query, downwards, padded with 0."""

    @abstractmethod
    def members(self, queries: Positions) -> list[Positions]:
        """For each query the positions of its relevant items, ascending, without itself."""

    def excluded(self, queries: Positions) -> tuple[Positions, Positions]:  # noqa: ARG002
        """Items that take no place in a query's list, apart from itself, such as its copies.

        Returns:
            (p,) which of the queries, and (p,) which item, of each such pair.
        """
        return np.zeros(0, np.int64), np.zeros(0, np.int64)

    def is_relevant(self, gains: Floats) -> npt.NDArray[np.bool_]:
        """Which gains count as relevant where a metric only tells relevant from not."""
        counts: npt.NDArray[np.bool_] = (gains > 0) & (gains >= self.least - ROUNDING)
        return counts

    def is_judged(self, queries: Positions, positions: Array) -> npt.NDArray[np.bool_]:  # noqa: ARG002
        """(q, depth): whether anything is known of these pairs; of empty places nothing is."""
        judged: npt.NDArray[np.bool_] = positions >= 0
        return judged


class LabelRelevance(Relevance):
    """Items of the query's class are relevant; or the other pictures of its product.

    Counted, never compared pair by pair: memory O(n).

    Args:
        labels: (n,) class, or product, of each item of the gallery; None for none.
        queries: (q,) the same of the queries of a separate table; None where the items
            themselves are the queries.
        own: (q,) position of each query in the gallery, -1 where it is no item. None for
            each item's own, or, for a separate table, -1.

    Raises:
        BadShape: ``own`` does not fit.

    Example:
        >>> relevance = LabelRelevance(["cat", "dog", "cat", None])
        >>> relevance.relevant(np.arange(4))
        array([1, 0, 1, 0])
        >>> relevance.gains(np.array([0]), np.array([[2, 1, -1]]))
        array([[1., 0., 0.]])
    """

    graded = False

    def __init__(
        self,
        labels: Sequence[Hashable | None],
        *,
        queries: Sequence[Hashable | None] | None = None,
        own: npt.ArrayLike | None = None,
    ) -> None:
        codes: dict[Hashable, int] = {}
        self._items = coded(labels, codes)
        self._asked = self._items if queries is None else coded(queries, codes)
        super().__init__(
            len(self._items),
            checked_own(own, len(self._asked), len(self._items), items_ask=queries is None),
        )
        self._order = np.argsort(self._items, kind="stable")
        self._starts = np.searchsorted(self._items[self._order], np.arange(len(codes) + 1))

    def gains(self, queries: Positions, positions: Array) -> Floats:
        """1 for items of the query's class."""
        asked, own = self._asked[queries][:, None], self.own[queries][:, None]
        known = (asked != NONE) & (positions >= 0) & (positions != own)
        found: npt.NDArray[np.bool_] = known & (self._labels_at(positions) == asked)
        return found.astype(np.float64)

    def relevant(self, queries: Positions) -> Positions:
        """Size of the query's class, less itself; 0 without a class."""
        asked, own = self._asked[queries], self.own[queries]
        sizes = np.diff(self._starts, append=len(self._items))[asked]
        itself = (own != NONE) & (self._labels_at(own) == asked)
        return np.where(asked != NONE, sizes - itself, 0).astype(np.int64)

    def ideal(self, queries: Positions, k: int) -> Floats:
        """As many ones as there are relevant items."""
        return (np.arange(k) < self.relevant(queries)[:, None]).astype(np.float64)

    def members(self, queries: Positions) -> list[Positions]:
        """The other items of the query's class."""
        found = []
        for code, own in zip(self._asked[queries], self.own[queries], strict=True):
            same = self._order[self._starts[code] : self._starts[code + 1]]
            found.append(same[same != own] if code != NONE else same[:0])
        return found

    def _labels_at(self, positions: Array) -> Positions:
        return self._items[positions] if len(self._items) else np.full(positions.shape, NONE)


class TagRelevance(Relevance):
    """Graded: the cosine similarity of tag vectors, from 0 to 1.

    Similarities are taken for the queries asked for, a row of n at a time; nothing holds
    all pairs, so ask in blocks.

    Args:
        tags: of the gallery; ``tags.weighted(weights)`` weighs their categories.
        queries: tags of a separate query table, weighted alike; matched by category and
            name. A tag that no item bears makes its query less alike to all.
        own: as for ``LabelRelevance``.
        least: similarity from which an item counts as relevant for precision, recall and
            the like; nDCG takes the similarity itself.

    Raises:
        BadShape: ``own`` does not fit, or ``least`` lies outside 0 to 1.

    Example:
        >>> from likelens import Tags
        >>> tags = Tags.from_columns({"kind": ["shirt", "shirt"], "colour": ["red", "blue"]})
        >>> TagRelevance(tags).gains(np.array([0]), np.array([[1, 0]])).round(2)
        array([[0.5, 0. ]])
    """

    def __init__(
        self,
        tags: Tags,
        *,
        queries: Tags | None = None,
        own: npt.ArrayLike | None = None,
        least: float = 0.5,
    ) -> None:
        if not 0.0 <= least <= 1.0:
            raise BadShape(
                f"no similarity is {least}: they lie between 0 and 1",
                where="least",
                hint="give the similarity of tags from which an item is relevant, such as 0.5",
            )
        count = len(tags if queries is None else queries)
        own = checked_own(own, count, len(tags), items_ask=queries is None)
        super().__init__(len(tags), own, least)
        unit = unit_sparse_rows(tags.matrix)
        self._asked: Any = unit if queries is None else _in_columns_of(tags, queries)
        self._items: Any = unit.T.tocsr()
        self._last: tuple[Positions, Floats] | None = None

    def gains(self, queries: Positions, positions: Array) -> Floats:
        """Similarities of tags."""
        if not self.n_items:
            return np.zeros(positions.shape)
        alike = np.take_along_axis(self._alike(queries), np.maximum(positions, 0), axis=1)
        return np.where(positions >= 0, alike, 0.0)

    def relevant(self, queries: Positions) -> Positions:
        """How many items are at least ``least`` alike."""
        counts: Positions = self.is_relevant(self._alike(queries)).sum(axis=1, dtype=np.int64)
        return counts

    def ideal(self, queries: Positions, k: int) -> Floats:
        """The largest similarities."""
        alike = self._alike(queries)
        best, depth = np.zeros((len(queries), k)), min(k, self.n_items)
        if depth:
            place = self.n_items - depth
            largest = np.partition(alike, place, axis=1)[:, place:]
            best[:, :depth] = np.sort(largest, axis=1)[:, ::-1]
        return best

    def members(self, queries: Positions) -> list[Positions]:
        """The items that are at least ``least`` alike."""
        return [np.flatnonzero(row) for row in self.is_relevant(self._alike(queries))]

    def _alike(self, queries: Positions) -> Floats:
        """(q, n) similarities, 0 for the query itself; those last asked for are kept."""
        last = self._last
        if last is not None and np.array_equal(last[0], queries):
            return last[1]
        alike: Floats = (self._asked[queries] @ self._items).toarray()
        rows = np.flatnonzero(self.own[queries] != NONE)
        alike[rows, self.own[queries][rows]] = 0.0
        np.clip(alike, 0.0, 1.0, out=alike)
        self._last = (np.array(queries), alike)
        return alike


def checked_own(
    given: npt.ArrayLike | None, queries: int, items: int, *, items_ask: bool
) -> Positions:
    """Where each query stands in the gallery.

    Args:
        given: what the caller says, or None.
        queries: how many queries there are.
        items: how many items there are.
        items_ask: whether the items themselves are the queries.

    Raises:
        BadShape: not one position per query, or positions outside the gallery.
    """
    if given is None:
        return np.arange(items) if items_ask else np.full(queries, NONE)
    own = as_array(given, where="own")
    fits = own.shape == (queries,) and (own.dtype.kind in "iu" or not queries)
    if not fits or ((own < NONE) | (own >= items)).any():
        raise BadShape(
            f"own of shape {own.shape} and type {own.dtype} for {queries:,} queries "
            f"and {items:,} items",
            where="own",
            hint=f"give one position from 0 to {items - 1:,} per query, -1 for none",
        )
    return own.astype(np.int64)


def coded(labels: Iterable[Hashable | None], codes: dict[Hashable, int]) -> Positions:
    """Labels as numbers, those known and then new ones that count on; None and NaN as -1."""
    return np.array(
        [
            NONE if label is None or label != label else codes.setdefault(label, len(codes))
            for label in labels
        ],
        np.int64,
    )


def _in_columns_of(tags: Tags, queries: Tags) -> Any:
    """Unit rows of the queries' tags, in the columns of the gallery's."""
    from scipy.sparse import csr_array

    place = {pair: j for j, pair in enumerate(zip(tags.categories, tags.names, strict=True))}
    asked = list(zip(queries.categories, queries.names, strict=True))
    known = [(column, place[pair]) for column, pair in enumerate(asked) if pair in place]
    rows, columns = np.array(known, np.int64).reshape(-1, 2).T
    moves = csr_array((np.ones(len(known)), (rows, columns)), shape=(len(asked), len(place)))
    return unit_sparse_rows(queries.matrix) @ moves
