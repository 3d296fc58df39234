"""Relevance by purchases: what was bought together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, Floats, Positions, check_integers
from .errors import BadShape
from .relevance import NONE, Relevance, coded


class PurchaseRelevance(Relevance):
    """Items of one basket are relevant to each other.

    An item is never relevant to itself, nor to its kin: other images of its product and
    copies of its image, which take no place in its list either. An item that nobody bought
    together with another has nothing relevant, and so no score.

    Args:
        baskets: (p,) the basket, order or customer of each purchase; None where unknown.
        items: (p,) position of the item that was bought, from 0 to n_items - 1.
        n_items: items of the gallery, which are the queries as well.
        kin: for each kind of kinship (n_items,) what items have in common, such as their
            product; None where an item has no kin.

    Raises:
        BadShape: baskets, items or kin that do not fit together.

    Example:
        >>> bought = PurchaseRelevance(["x", "x", "y", "y"], [0, 1, 1, 2], 4)
        >>> [one.tolist() for one in bought.members(np.arange(4))]
        [[1], [0, 2], [1], []]
    """

    graded = False

    def __init__(
        self,
        baskets: Sequence[Hashable | None],
        items: npt.ArrayLike,
        n_items: int,
        *,
        kin: Sequence[Sequence[Hashable | None]] = (),
    ) -> None:
        from scipy.sparse import csr_array

        rows = check_integers(items, where="items")
        columns = coded(baskets, {})
        if rows.shape != columns.shape or ((rows < 0) | (rows >= n_items)).any():
            raise BadShape(
                f"{len(columns):,} baskets for {rows.size:,} purchases of {n_items:,} items",
                where="PurchaseRelevance",
                hint="give a basket and a position in the gallery for each purchase",
            )
        if any(len(one) != n_items for one in kin):
            raise BadShape(
                f"kin of {[len(one) for one in kin]} items, and there are {n_items:,}",
                where="PurchaseRelevance",
                hint="give one entry per item, None for no kin",
            )
        super().__init__(n_items, np.arange(n_items))
        known = columns != NONE
        rows, columns = rows[known], columns[known]
        shape = (n_items, int(columns.max(initial=-1)) + 1)
        self._bought: Any = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
        self._bought.data[:] = 1.0
        self._kin = [coded(one, {}) for one in kin]
        self._last: tuple[Positions, npt.NDArray[np.bool_]] | None = None

    @property
    def baskets(self) -> int:
        """How many baskets hold at least two different items."""
        return int((self._bought.sum(axis=0) > 1).sum())

    @property
    def popularity(self) -> Positions:
        """(n,) in how many baskets each item is."""
        counts: Positions = np.asarray(self._bought.sum(axis=1)).ravel().astype(np.int64)
        return counts

    def excluded(self, queries: Positions) -> tuple[Positions, Positions]:
        """The kin of each query."""
        rows, items = np.nonzero(self._related(queries))
        return rows, items

    def gains(self, queries: Positions, positions: Array) -> Floats:
        """1 for items of a basket with the query."""
        if not self.n_items:
            return np.zeros(positions.shape)
        together = self._together(queries)
        found = np.take_along_axis(together, np.maximum(positions, 0), axis=1)
        return (found & (positions >= 0)).astype(np.float64)

    def relevant(self, queries: Positions) -> Positions:
        """With how many items the query was bought together."""
        counts: Positions = self._together(queries).sum(axis=1, dtype=np.int64)
        return counts

    def ideal(self, queries: Positions, k: int) -> Floats:
        """As many ones as there are relevant items."""
        return (np.arange(k) < self.relevant(queries)[:, None]).astype(np.float64)

    def members(self, queries: Positions) -> list[Positions]:
        """The items that were bought together with each query."""
        return [np.flatnonzero(row) for row in self._together(queries)]

    def _together(self, queries: Positions) -> npt.NDArray[np.bool_]:
        """(q, n) which items were bought with each query; those last asked for are kept."""
        last = self._last
        if last is not None and np.array_equal(last[0], queries):
            return last[1]
        together: npt.NDArray[np.bool_] = (self._bought[queries] @ self._bought.T).toarray() > 0
        together[np.arange(len(queries)), queries] = False
        together &= ~self._related(queries)
        self._last = (np.array(queries), together)
        return together

    def _related(self, queries: Positions) -> npt.NDArray[np.bool_]:
        """(q, n) which items are kin of each query, itself included."""
        related = np.zeros((len(queries), self.n_items), np.bool_)
        for codes in self._kin:
            asked = codes[queries][:, None]
            related |= (asked != NONE) & (codes == asked)
        return related
