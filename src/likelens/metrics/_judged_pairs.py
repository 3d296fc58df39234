"""Judged pairs as arrays, and products as numbers: the checks of what is given."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Positions, as_array
from ..values.errors import BadShape, first_few
from ..values.relevance import NONE, coded

MOST = 2**31 - 1
"""The largest number of a query or candidate where their count is not given."""

MISS = 0
"""The rank of a candidate that the deduplicated list does not show."""


def check_judgements(
    judgements: npt.ArrayLike,
    *,
    queries: int | None = None,
    items: int | None = None,
    own: Positions | None = None,
    labels: Sequence[int] = (0, 1),
) -> tuple[Positions, Positions]:
    """Judgements as whole numbers, and which rows they are; a repeated one is kept once.

    Args:
        judgements: (p, 3) query, candidate and label of each.
        queries: how many queries there are; None for any number.
        items: how many items there are; None for any number.
        own: (queries,) position of each query among the items, -1 for none.
        labels: the labels that may be given.

    Returns:
        The distinct judgements (p2, 3), in the order of their first row, and (p2,) that row.

    Raises:
        BadShape: none at all, or of another shape; labels, queries or candidates that are
            not there; one pair with two labels; a query
            with itself. The message counts them and names the first.
    """
    table = as_array(judgements, where="judgements")
    if table.dtype.kind == "u":
        table = table.astype(np.float64)  # signed, and too large stays too large
    if table.ndim != 2 or table.shape[1] != 3 or table.dtype.kind not in "iufb":
        if table.size == 0:
            raise _refused("there are no judgements", "give at least one judged pair")
        raise _refused(
            f"judgements of shape {table.shape} and type {table.dtype}",
            "give a matrix (pairs, 3) of numbers: query, candidate, label",
        )
    if not len(table):
        raise _refused("there are no judgements", "give at least one judged pair")
    known = " or ".join(map(str, labels))
    _refuse(
        ~np.isin(table[:, 2], labels),
        table,
        f"labels that are not {known}",
        f"give {known}; leave out what was not judged",
    )
    pairs = np.where(np.isfinite(table[:, :2]), table[:, :2], -1)
    for column, (name, count) in enumerate((("queries", queries), ("candidates", items))):
        values = pairs[:, column]
        outside = (values < 0) | (values != np.floor(values))
        outside |= values > MOST if count is None else values >= count
        there = f"from 0 to {MOST:,}" if count is None else f"from 0 to {count - 1:,}"
        hint = "leave out the judgements of what is not there"
        _refuse(outside, table, f"{name} that are not {there}", hint)
    judged = table.astype(np.int64)
    if own is not None:
        itself = own[judged[:, 0]] == judged[:, 1]
        _refuse(itself, table, "the query itself as candidate", "leave them out")
    order = np.lexsort((judged[:, 1], judged[:, 0]))
    same = np.zeros(len(order), np.bool_)
    same[1:] = (judged[order[1:], :2] == judged[order[:-1], :2]).all(axis=1)
    torn = np.zeros(len(order), np.bool_)
    torn[order[1:]] = same[1:] & (judged[order[1:], 2] != judged[order[:-1], 2])
    _refuse(torn, table, "another label than the same pair before", "keep one judgement of a pair")
    first = np.sort(order[~same])
    return judged[first], first


def product_codes(
    products: Sequence[Hashable | None],
    query_products: Sequence[Hashable | None] | None,
    own: Positions,
    items: int,
) -> tuple[Positions, Positions]:
    """Products as numbers from 0: of each item, and of each query (-1 for none of the items').

    Args:
        products: (items,) of each item; None for one that is a product of its own.
        query_products: (q,) of each query, None for none; those at ``own`` if not given.
        own: (q,) position of each query among the items, -1 for none.
        items: how many items there are.

    Raises:
        BadShape: not one product per item and per query.
    """
    theirs = len(own) if query_products is None else len(query_products)
    if len(products) != items or theirs != len(own):
        raise BadShape(
            f"{len(products):,} products of {items:,} items, and {theirs:,} of {len(own):,} "
            "queries",
            where="products",
            hint="give the product of every item and of every query, None for none",
        )
    codes: dict[Hashable, int] = {}
    of_items = coded(products, codes)
    known = len(codes)
    if query_products is not None:
        of_queries = coded(query_products, codes)
    else:
        of_queries = np.where(own == NONE, NONE, of_items[own]) if items else own
    alone = of_items == NONE
    of_items[alone] = known + np.arange(np.count_nonzero(alone))
    return of_items, np.where(of_queries < known, of_queries, NONE)


def _refuse(broken: npt.NDArray[np.bool_], table: Array, what: str, hint: str) -> None:
    places = np.flatnonzero(broken)
    if places.size:
        shown = first_few(f"{table[place].tolist()} in row {place}" for place in places)
        raise _refused(f"{places.size:,} of {len(table):,} judgements have {what}: {shown}", hint)


def _refused(what: str, hint: str) -> BadShape:
    return BadShape(what, where="judgements", hint=hint)
