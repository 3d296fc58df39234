"""Pairs drawn evenly at random, which tell how rare positives are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Positions
from ..values.errors import BadShape
from ..values.relevance import NONE, checked_own
from ._pool import Kin, askable, numbered_products
from ._pool_value import is_whole


def random_pairs(
    queries: int,
    items: int,
    count: int,
    *,
    own: npt.ArrayLike | None = None,
    products: Sequence[Hashable | None] | Array | None = None,
    query_products: Sequence[Hashable | None] | Array | None = None,
    seed: int = 0,
) -> Positions:
    """Pairs of a query and an item that may be its candidate, each as likely as any other.

    They are the b pairs of VSD/EDS (arXiv 2308.14753), Eq. 2. What may be a candidate is as
    for ``pool``, whose ``brute_force`` counts the same pairs.

    Args:
        queries: q, how many queries there are.
        items: n, size of the gallery.
        count: how many pairs, at least 1; all that there are, if those are fewer.
        own: as for ``pool``.
        products: as for ``pool``.
        query_products: as for ``pool``.
        seed: of the draw.

    Returns:
        (b, 2) int64, query and candidate, no pair twice; by query, then by candidate.

    Raises:
        BadShape: no whole number of pairs, or arguments that do not fit.

    Example:
        >>> random_pairs(2, 3, 10, own=[0, 1]).tolist()
        [[0, 1], [0, 2], [1, 0], [1, 2]]
    """
    if not is_whole(count) or count < 1:
        raise BadShape(
            f"{count!r} random pairs cannot be drawn", where="random_pairs", hint="draw 1 or more"
        )
    if products is not None and len(products) != items:
        raise BadShape(
            f"{len(products):,} products for {items:,} items",
            where="random_pairs, products",
            hint="give one per item, None for none",
        )
    home = checked_own(own, queries, items, items_ask=False)
    kin = numbered_products(products, query_products, home, items)
    ends = np.cumsum(askable(items, home, kin))
    total = int(ends[-1]) if queries else 0
    draw = np.random.default_rng([seed, 1])  # other numbers than those that drew the queries
    numbers = np.sort(draw.choice(total, min(count, total), replace=False))
    rows = np.searchsorted(ends, numbers, side="right")
    starts = np.concatenate([[0], ends])
    found = np.column_stack([rows, numbers - starts[rows]]).astype(np.int64)
    for row in np.unique(rows).tolist():
        mine = rows == row
        found[mine, 1] = _candidates(row, items, home, kin)[found[mine, 1]]
    return found


def _candidates(row: int, items: int, own: Positions, kin: Kin | None) -> Positions:
    """The items that may be a query's candidates, ascending."""
    free = np.ones(items, np.bool_)
    if own[row] != NONE:
        free[own[row]] = False
    if kin is not None and kin[1][row] != NONE:
        free[kin[0] == kin[1][row]] = False
    return np.flatnonzero(free)
