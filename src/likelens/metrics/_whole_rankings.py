"""Whole rankings of a gallery as a matrix of ranks: checks, and what is taken from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..values.arrays import EXACT, Array, Positions, as_array
from ..values.errors import BadShape, first_few
from ._judged_pairs import MISS
from ._negatives import HIGH, LOW

BLOCK_RANKS = 2**22
"""Ranks handled at a time: 32 MB."""


def check_rankings(ranks: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Array, Array]:
    """Ranks and scores of every item for every query.

    Raises:
        BadShape: no matrices of one shape, or ranks that are no whole numbers from 1.
    """
    values = as_array(scores, where="scores")
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadShape(
            f"scores of shape {values.shape} and type {values.dtype}",
            where="scores",
            hint="give a matrix (queries, items) of numbers",
        )
    return check_ranks(ranks, values.shape, 1), values


def check_ranks(ranks: npt.ArrayLike, shape: tuple[int, ...], least: int) -> Positions:
    """Ranks as whole numbers.

    Raises:
        BadShape: not of that shape, or not whole numbers from ``least`` up; counted and named.
    """
    values = as_array(ranks, where="ranks")
    if values.shape != shape or values.dtype.kind not in "fiu":
        raise BadShape(
            f"ranks of shape {values.shape} and type {values.dtype} beside scores or pairs of "
            f"shape {shape}",
            where="ranks",
            hint="give one rank for each",
        )
    broken = ~((values >= least) & (values <= EXACT))
    if values.dtype.kind == "f":
        broken |= values != np.floor(values)
        broken |= ~np.isfinite(values)
    if broken.any():
        none = " (0 for a candidate that is not shown)" if least == MISS else ""
        raise BadShape(
            f"{broken.sum():,} of {values.size:,} ranks are not whole numbers from 1 up{none}: "
            f"{first_few(values[broken])}",
            where="ranks",
            hint="count ranks from 1: the best item has rank 1, not 0",
        )
    return values.astype(np.int64)


def without_own(ranks: Positions, own: Positions) -> Array:
    """Ranks (q, n) with each query itself taken out of its list and put last."""
    rows = np.flatnonzero(own >= 0)
    if not len(rows):
        return ranks
    ranks = ranks.astype(np.int64)
    theirs = ranks[rows, own[rows]]
    ranks[rows] -= ranks[rows] > theirs[:, None]
    ranks[rows, own[rows]] = ranks[rows].max(axis=1) + 1
    return ranks


def middle_lists(
    rankings: Mapping[str, npt.ArrayLike], shape: tuple[int, int]
) -> dict[str, Positions]:
    """Positions at the ranks that negatives are drawn from, in place, but in no order.

    Args:
        rankings: by name, ranks of that shape, from 1; or positions (q, depth), best first.
        shape: (q, n), queries and items. What has this shape and nothing below 1 is ranks: a
            list of all positions holds 0.

    Raises:
        BadShape: positions that are no items.
    """
    lists = {}
    for name, given in rankings.items():
        found = as_array(given, where=f"baselines, {name}")
        if found.shape == shape and found.size and found.min() >= 1:
            depth = min(HIGH, shape[1])
            ends = sorted({min(LOW, depth) - 1, depth - 1})
            found = np.argpartition(found, ends, axis=1)[:, :depth]
        elif found.size and found.max() >= shape[1]:
            raise BadShape(
                f"position {found.max()} in a gallery of {shape[1]:,} items",
                where=f"baselines, {name}",
                hint=f"give ranks {shape}, or positions from 0 to {shape[1] - 1:,}",
            )
        lists[name] = found
    return lists


def product_ranks(
    ranks: Array,
    of_items: Positions,
    of_queries: Positions,
    rows: Positions,
    items: Positions,
) -> Positions:
    """Ranks of pairs in lists without the query's product that show each other one once.

    Args:
        ranks: (q, n) ranks from 1 of every item for every query.
        of_items: (n,) product of each item, as numbers from 0.
        of_queries: (q,) product of each query, -1 for none of the items'.
        rows: (p,) query of each pair.
        items: (p,) candidate of each pair.

    Returns:
        (p,) ranks from 1; 0 where the candidate is not its product's best-ranked picture, or
        is of the query's own product.
    """
    by_product = np.argsort(of_items, kind="stable")
    codes = of_items[by_product]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    found = np.zeros(len(rows), np.int64)
    order = np.argsort(rows, kind="stable")
    asked = rows[order]
    step = max(1, BLOCK_RANKS // max(ranks.shape[1], 1))
    for begin in range(0, len(ranks), step):
        block = np.arange(begin, min(begin + step, len(ranks)))
        pairs = order[slice(*np.searchsorted(asked, [block[0], block[-1] + 1]))]
        if not len(pairs):
            continue
        keys = ranks[block].astype(np.int64) * ranks.shape[1] + np.arange(ranks.shape[1])
        best = np.minimum.reduceat(keys[:, by_product], starts, axis=1)
        own = of_queries[block]
        span = int(keys.max()) + 2
        best[np.flatnonzero(own >= 0), own[own >= 0]] = span - 1
        inside = rows[pairs] - begin
        theirs = keys[inside, items[pairs]]
        shown = theirs == best[inside, of_items[items[pairs]]]
        ordered = np.sort(best, axis=1) + span * np.arange(len(block))[:, None]
        before = np.searchsorted(ordered.ravel(), theirs + span * inside) - inside * best.shape[1]
        found[pairs] = np.where(shown, before + 1, MISS)
    return found
