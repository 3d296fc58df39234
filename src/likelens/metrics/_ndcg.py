"""nDCG@k: how early the items of high gain come."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats
from ..values.errors import BadShape, BadSpec, first_few
from ..values.scores import QueryScores
from .base import Laws, check_depth, check_gains

LAWS = Laws(low=0.0, high=1.0, better_item_up_never_lowers=True)

LARGEST_EXPONENT = 1_000.0
"""Grades beyond this would overflow 2**g."""


def ndcg(
    gains: npt.ArrayLike,
    k: int,
    ideal: npt.ArrayLike,
    gain: Literal["linear", "exponential"] = "linear",
) -> QueryScores:
    """Normalised discounted cumulative gain of each query at rank k: nDCG@k.

    nDCG@k = DCG@k / IDCG@k, with DCG@k = sum over i = 1..k of g_i / log2(i + 1), and
    IDCG@k the same of the largest gains judged. Linear gains, as trec_eval prints;
    Järvelin and Kekäläinen 2002 (doi:10.1145/582415.582418) discount from rank b on,
    and their tables differ.

    Args:
        gains: (n_queries, depth), gains of the returned items, best first, at least 0;
            pad with 0 where fewer were returned. Ties among scores must have been broken
            already.
        k: ranks counted, from 1 to depth.
        ideal: (n_queries, at least k), the largest gains judged for the query, found
            or not, downwards; pad with 0.
        gain: ``"exponential"`` counts 2^g - 1 for a grade g (Burges et al. 2005,
            doi:10.1145/1102351.1102363), so that high grades weigh more. Grades of 0
            and 1 give the same either way.

    Returns:
        Values in [0, 1]; NaN, counted and left out of the mean, where nothing is
        relevant. No queries give no values.

    Raises:
        BadShape: negative or non-finite gains, gains and ideal of different numbers of
            queries, k beyond either, ideal not sorted downwards, or returned gains that
            beat the ideal ones (the message names the rows), or exponential gains of
            grades above 1,000.
        BadSpec: there is no such kind of gain.

    Example:
        >>> ndcg([[0.0, 1.0]], 2, [[1.0, 0.0]]).per_query.round(3)
        array([0.631])
        >>> ndcg([[1.0, 3.0]], 2, [[3.0, 1.0]], gain="exponential").per_query.round(3)
        array([0.71])
    """
    if gain not in ("linear", "exponential"):
        raise BadSpec(
            f"{gain!r} is no kind of gain", where="ndcg", hint="give 'linear' or 'exponential'"
        )
    found, best = check_gains(gains, where="gains"), check_gains(ideal, where="ideal")
    if len(found) != len(best):
        raise BadShape(
            f"gains of {len(found):,} queries and ideal gains of {len(best):,}",
            where="ndcg",
            hint="give one row of each per query",
        )
    check_depth(k, found.shape[1], where="gains")
    check_depth(k, best.shape[1], where="ideal")
    unsorted = np.flatnonzero((np.diff(best, axis=1) > 0).any(axis=1))
    if unsorted.size:
        raise BadShape(
            f"{unsorted.size:,} rows of ideal gains are not sorted downwards: "
            f"rows {first_few(unsorted)}",
            where="ideal",
            hint="give the largest gains first",
        )
    found, best = found[:, :k], best[:, :k]
    if gain == "exponential":
        found, best = _exponential(found, "gains"), _exponential(best, "ideal")
    scale = np.where(best[:, :1] > 0, best[:, :1], 1.0)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    reached, possible = (found / scale) @ discount, (best / scale) @ discount
    beaten = np.flatnonzero(reached > possible * (1 + 1e-9))
    if beaten.size:
        raise BadShape(
            f"in {beaten.size:,} rows the returned items gain more than the ideal: "
            f"rows {first_few(beaten)}",
            where="ideal",
            hint="give the largest gains judged for each query, found or not",
        )
    value = np.full(len(found), np.nan)
    np.divide(reached, possible, where=possible > 0, out=value)
    return QueryScores(np.minimum(value, 1.0), bounds=(0.0, 1.0))


def _exponential(grades: Floats, where: str) -> Floats:
    """2^g - 1, exact for small g."""
    if grades.max(initial=0.0) > LARGEST_EXPONENT:
        raise BadShape(
            f"grades up to {grades.max():g} are too large for gains of 2^g - 1",
            where=where,
            hint="scale the grades down, or take linear gains",
        )
    gains: Floats = np.expm1(grades * np.log(2.0))
    return gains
