"""Metrics of ranked lists whose items are relevant or not: P, R, HR, RR, AP and their kin.

All take ``gains`` (n_queries, depth): what each returned item is worth, best-ranked first,
at least 0. An item is relevant where its gain is above 0. A list that returned fewer items
is padded with 0: an empty place is a miss, as for trec_eval.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Floats, Positions, as_array, check_integers
from ..values.errors import BadShape, BadSpec, first_few
from ..values.scores import QueryScores
from .base import Laws, check_depth, check_gains

LAWS = Laws(low=0.0, high=1.0, better_item_up_never_lowers=True)

Denominator = Literal["relevant", "reachable"]


def precision(gains: npt.ArrayLike, k: int, relevant: npt.ArrayLike | None = None) -> QueryScores:
    """Share of relevant items among the first k of each query: P@k.

    P@k = (relevant items at ranks 1 to k) / k. A list shorter than k still divides by k.

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0, padded with 0.
        k: ranks counted, from 1 to depth.
        relevant: (n_queries,) how many relevant items there are to be found; a query
            with none then has no score. Without it such a query scores 0.

    Returns:
        Values in [0, 1]. Few relevant items bound it: with R of them, P@k <= R / k.

    Raises:
        BadShape: negative or non-finite gains, k beyond the depth, or ``relevant`` does
            not fit the gains (the message names the rows).

    Example:
        >>> precision([[1, 0, 1], [0, 0, 0]], 3).per_query.round(3)
        array([0.667, 0.   ])
    """
    found = _top(gains, k)
    return _scores(found.sum(axis=1) / k, found, relevant)


def recall(gains: npt.ArrayLike, k: int, relevant: npt.ArrayLike) -> QueryScores:
    """Share of its relevant items that each query finds among the first k: R@k.

    R@k = (relevant items at ranks 1 to k) / R, with R relevant items in the gallery,
    found or not. With R > k it cannot reach 1: 10 of 800 pictures of a class are a recall
    of at most 0.0125. Whether *any* was found is ``hit_rate``.

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0, padded with 0.
        k: ranks counted, from 1 to depth.
        relevant: (n_queries,) R, how many relevant items there are to be found.

    Returns:
        Values in [0, 1]; NaN, counted and left out of the mean, where R is 0.

    Raises:
        BadShape: as ``precision``.

    Example:
        >>> recall([[1, 0, 1], [0, 0, 0]], 3, [4, 0]).per_query
        array([0.5, nan])
    """
    found = _top(gains, k)
    return _scores(found.sum(axis=1) / _at_least_one(relevant, found), found, relevant)


def hit_rate(gains: npt.ArrayLike, k: int, relevant: npt.ArrayLike | None = None) -> QueryScores:
    """Whether each query finds a relevant item among its first k: HR@k, also success@k.

    1 if any of the ranks 1 to k is relevant, else 0. What the VSD paper's code calls HR@k
    is another number (``discovery``).

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0, padded with 0.
        k: ranks counted, from 1 to depth.
        relevant: as for ``precision``.

    Returns:
        0 or 1.

    Raises:
        BadShape: as ``precision``.

    Example:
        >>> hit_rate([[0, 1, 1], [0, 0, 1]], 2).per_query
        array([1., 0.])
    """
    found = _top(gains, k)
    return _scores(np.asarray(found.any(axis=1), np.float64), found, relevant)


def cmc(gains: npt.ArrayLike, k: int, relevant: npt.ArrayLike | None = None) -> QueryScores:
    """Cumulative match characteristic of each query at rank k: CMC@k.

    Whether the first right match stands at rank k or before: the name that person and
    product re-identification give to ``hit_rate``, over a gallery with any number of
    right matches.

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0, padded with 0.
        k: ranks counted, from 1 to depth.
        relevant: as for ``precision``.

    Returns:
        0 or 1.

    Raises:
        BadShape: as ``precision``.

    Example:
        >>> cmc([[0, 1], [0, 0]], 2).mean
        0.5
    """
    return hit_rate(gains, k, relevant)


def reciprocal_rank(
    gains: npt.ArrayLike, k: int | None = None, relevant: npt.ArrayLike | None = None
) -> QueryScores:
    """One over the rank of each query's first relevant item: RR@k, whose mean is MRR@k.

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0, padded with 0.
        k: ranks counted, from 1 to depth; None for the whole lists.
        relevant: as for ``precision``.

    Returns:
        Values in [0, 1]; 0 where the first k hold no relevant item.

    Raises:
        BadShape: as ``precision``.

    Example:
        >>> reciprocal_rank([[0, 1, 0, 1], [0, 0, 0, 0]]).per_query
        array([0.5, 0. ])
    """
    found = _top(gains, k)
    first = 1.0 / (found.argmax(axis=1) + 1.0)
    return _scores(np.where(found.any(axis=1), first, 0.0), found, relevant)


def average_precision(
    gains: npt.ArrayLike,
    relevant: npt.ArrayLike,
    k: int | None = None,
    *,
    denominator: Denominator = "relevant",
) -> QueryScores:
    """Average precision of each query: AP and AP@k, whose means are mAP and mAP@k.

    AP@k = (sum over the relevant ranks i <= k of P@i) / R, with R relevant items in the
    gallery, found or not: the definition of trec_eval (map, map_cut). Items that the
    lists do not reach add nothing, so AP of lists that were cut is too low; give whole
    lists for AP.

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0, padded with 0.
        relevant: (n_queries,) R, how many relevant items there are to be found.
        k: ranks counted, from 1 to depth; None for the whole lists.
        denominator: ``"relevant"`` divides by R, so that AP@k is at most k / R where
            R > k. ``"reachable"`` divides by min(R, k), so that k relevant items in the
            first k ranks score 1, as some libraries for metric learning do.

    Returns:
        Values in [0, 1]; NaN, counted and left out of the mean, where R is 0.

    Raises:
        BadShape: as ``precision``.
        BadSpec: there is no such denominator.

    Example:
        >>> average_precision([[1, 0, 1, 0]], [2]).per_query.round(3)
        array([0.833])
        >>> average_precision([[1, 1, 0, 0]], [8], 2).mean
        0.25
    """
    if denominator not in ("relevant", "reachable"):
        raise BadSpec(
            f"{denominator!r} is no denominator of average precision",
            where="average_precision",
            hint="give 'relevant' or 'reachable'",
        )
    found = _top(gains, k)
    count = _at_least_one(relevant, found)
    if denominator == "reachable":
        count = np.minimum(count, found.shape[1])
    return _scores(_precision_sum(found) / count, found, relevant)


def r_precision(gains: npt.ArrayLike, relevant: npt.ArrayLike) -> QueryScores:
    """Precision of each query at rank R, R being its number of relevant items.

    P@R, which equals R@R: the largest value is 1 for every query, whatever its R.

    Args:
        gains: (n_queries, depth) gains, best-ranked first, at least 0; at least as deep
            as the largest R, padded with 0 where no more items were returned.
        relevant: (n_queries,) R, how many relevant items there are to be found.

    Returns:
        Values in [0, 1]; NaN, counted and left out of the mean, where R is 0.

    Raises:
        BadShape: as ``precision``, or the lists are less deep than some R.

    Example:
        >>> r_precision([[1, 0, 1, 1]], [3]).per_query.round(3)
        array([0.667])
    """
    found = _first_relevant(gains, relevant)
    return _scores(found.sum(axis=1) / _at_least_one(relevant, found), found, relevant)


def map_at_r(gains: npt.ArrayLike, relevant: npt.ArrayLike) -> QueryScores:
    """Average precision of each query within its first R ranks: MAP@R.

    MAP@R = (sum over the relevant ranks i <= R of P@i) / R, with R relevant items in the
    gallery (Musgrave, Belongie and Lim 2020, A Metric Learning Reality Check,
    arXiv 2003.08505).

    Args:
        gains: as for ``r_precision``.
        relevant: (n_queries,) R, how many relevant items there are to be found.

    Returns:
        Values in [0, 1]; 1 where the first R are the R relevant ones; NaN, counted and
        left out of the mean, where R is 0.

    Raises:
        BadShape: as ``r_precision``.

    Example:
        >>> map_at_r([[1, 0, 1, 1]], [3]).per_query.round(3)
        array([0.556])
    """
    found = _first_relevant(gains, relevant)
    return _scores(_precision_sum(found) / _at_least_one(relevant, found), found, relevant)


def _top(gains: npt.ArrayLike, k: int | None) -> npt.NDArray[np.bool_]:
    """(n_queries, k): whether the item at each of the first k ranks is relevant."""
    matrix: Array = as_array(gains, where="gains")
    if matrix.dtype != np.bool_ or matrix.ndim != 2 or not matrix.shape[1]:
        matrix = check_gains(gains, where="gains")
    if k is None:
        k = matrix.shape[1]
    check_depth(k, matrix.shape[1], where="gains")
    found: npt.NDArray[np.bool_] = matrix[:, :k] > 0
    return found


def _first_relevant(gains: npt.ArrayLike, relevant: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """(n_queries, depth): whether a rank holds a relevant item and is at most R."""
    found = _top(gains, None)
    counts = _counts(relevant, len(found))
    deep = np.flatnonzero(counts > found.shape[1])
    if deep.size:
        raise BadShape(
            f"{deep.size:,} queries have more relevant items than the {found.shape[1]:,} ranks "
            f"of the lists: rows {first_few(deep)}",
            where="gains",
            hint="give longer lists, or pad with 0 if no more items were returned",
        )
    within: npt.NDArray[np.bool_] = np.arange(found.shape[1]) < counts[:, None]
    return found & within


def _precision_sum(found: npt.NDArray[np.bool_]) -> Floats:
    """(n_queries,) sum of P@i over the relevant ranks i."""
    sums: Floats = (np.cumsum(found, axis=1) * found) @ (1.0 / np.arange(1, found.shape[1] + 1))
    return sums


def _at_least_one(relevant: npt.ArrayLike, found: npt.NDArray[np.bool_]) -> Positions:
    """R as a divisor; queries without any are given no score later."""
    return np.maximum(_counts(relevant, len(found)), 1)


def _counts(relevant: npt.ArrayLike, queries: int) -> Positions:
    hint = "give one whole number from 0 per query"
    counts = check_integers(relevant, where="relevant", hint=hint)
    if counts.shape != (queries,) or (counts < 0).any():
        raise BadShape(
            f"relevant of shape {counts.shape} for {queries:,} queries, or below 0",
            where="relevant",
            hint=hint,
        )
    return counts


def _scores(
    values: Floats, found: npt.NDArray[np.bool_], relevant: npt.ArrayLike | None
) -> QueryScores:
    """The values, NaN where nothing is relevant; refuses lists that hold more than there is."""
    if relevant is None:
        return QueryScores(values, bounds=(0.0, 1.0))
    counts = _counts(relevant, len(found))
    beaten = np.flatnonzero(found.sum(axis=1) > counts)
    if beaten.size:
        raise BadShape(
            f"in {beaten.size:,} rows more relevant items were returned than there are: "
            f"rows {first_few(beaten)}",
            where="relevant",
            hint="count the relevant items of the gallery, found or not; list an item once",
        )
    values = np.where(counts > 0, np.minimum(values, 1.0), np.nan)
    return QueryScores(values, bounds=(0.0, 1.0))
