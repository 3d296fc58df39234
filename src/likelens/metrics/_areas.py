"""Areas under curves: ROC-AUC and PR-AUC of scores, over all pairs at once or query by query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Floats, Positions, as_array, check_numbers
from ..values.errors import BadShape, first_few
from ..values.scores import QueryScores


@dataclass(frozen=True)
class Areas:
    """The area under a curve, micro and macro.

    Attributes:
        area: over all pairs at once, whatever their query: the micro area.
        micro: one value per query whose mean is the micro area: area + q dA/dw, for q queries
            that have a pair and A the area with the pairs of each query weighted by w (the
            infinitesimal jackknife; of ROC-AUC, Obuchowski's 1997 values for clustered data,
            doi:10.2307/2533958). So intervals and paired tests of these values are those of
            the micro area over the sampling of queries. They are no areas themselves and may
            lie outside [0, 1]. NaN for a query without pairs.
        macro: the area of each query; NaN where it has no positive or no negative.
    """

    area: float
    micro: QueryScores
    macro: QueryScores


def roc_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """The chance that a positive scores more than a negative: the area under the ROC curve.

    (positive and negative with the positive higher + half of those equal) / all such twos;
    the Mann-Whitney statistic, and scikit-learn's ``roc_auc_score``.

    Args:
        labels: (p,) 1 for a positive, 0 for a negative.
        scores: (p,) finite, higher is more alike.

    Returns:
        From 0 to 1; NaN without a positive or without a negative.

    Raises:
        BadShape: not one label of 0 or 1 and one finite score each.

    Example:
        >>> roc_auc([1, 0, 1, 0], [0.9, 0.9, 0.8, 0.1])
        0.625
    """
    return _single(labels, scores, _roc)


def pr_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Average precision of scores: the area under the steps of the precision-recall curve.

    Σ (R_n - R_(n-1)) P_n over the distinct scores n, downwards, with precision and recall of
    all pairs that score at least n; no line is drawn between the points. scikit-learn's
    ``average_precision_score``, which the VSD code calls PR-AUC.

    Args:
        labels: (p,) 1 for a positive, 0 for a negative.
        scores: (p,) finite, higher is more alike.

    Returns:
        Above 0, up to 1; at random about the share of positives. NaN without a positive;
        1 without a negative.

    Raises:
        BadShape: as ``roc_auc``.

    Example:
        >>> round(pr_auc([1, 0, 1, 0], [0.9, 0.9, 0.8, 0.1]), 4)
        0.5833
    """
    return _single(labels, scores, _pr)


def roc_areas(labels: Array, scores: Array, queries: Positions, count: int) -> Areas:
    """ROC-AUC over all pairs and of each query.

    Args:
        labels: (p,) 0 or 1.
        scores: (p,) finite.
        queries: (p,) query of each pair, from 0 to count - 1.
        count: how many queries there are.
    """
    return _areas(labels, scores, queries, count, _roc)


def pr_areas(labels: Array, scores: Array, queries: Positions, count: int) -> Areas:
    """PR-AUC over all pairs and of each query; arguments as for ``roc_areas``."""
    return _areas(labels, scores, queries, count, _pr)


def check_scores(scores: npt.ArrayLike, count: int, *, where: str) -> Floats:
    """Scores of pairs as float64.

    Raises:
        BadShape: not one finite number per pair; the message counts and names them.
    """
    values = as_array(scores, where=where)
    if values.shape != (count,) or values.dtype.kind not in "fiub":
        raise BadShape(
            f"scores of shape {values.shape} and type {values.dtype} for {count:,} pairs",
            where=where,
            hint="give one number per pair",
        )
    if values.dtype.kind in "iu":
        return check_numbers(values, where=where)
    with np.errstate(over="ignore"):
        values = values.astype(np.float64)
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        raise BadShape(
            f"{broken.size:,} of {count:,} scores are NaN or infinite: pairs {first_few(broken)}",
            where=where,
            hint="score every judged pair, or leave its judgement out",
        )
    return values


def check_labels(labels: npt.ArrayLike, *, where: str) -> npt.NDArray[np.bool_]:
    """Labels as booleans.

    Raises:
        BadShape: no single dimension, or labels other than 0 and 1, counted and named.
    """
    values = as_array(labels, where=where)
    if values.ndim != 1 or values.dtype.kind not in "fiub":
        raise BadShape(
            f"labels of shape {values.shape} and type {values.dtype}",
            where=where,
            hint="give one 0 or 1 per pair",
        )
    broken = np.flatnonzero((values != 0) & (values != 1))
    if broken.size:
        raise BadShape(
            f"{broken.size:,} of {len(values):,} labels are neither 0 nor 1: "
            f"{first_few(f'{values[pair]} of pair {pair}' for pair in broken)}",
            where=where,
            hint="give 1 for a positive and 0 for a negative; leave out what was not judged",
        )
    positive: npt.NDArray[np.bool_] = values != 0
    return positive


@dataclass(frozen=True)
class _Steps:
    """Pairs sorted by group and falling score; those of one score of a group are a step.

    Attributes:
        of: (p,) step of each pair, in the order in which the pairs were given.
        group: (s,) group of each step.
        positives, negatives: (s,) how many of its pairs are so.
        positives_above, negatives_above: (s,) how many pairs of its group score more.
        all_positives, all_negatives: (groups,) how many pairs of each group are so.
    """

    of: Positions
    group: Positions
    positives: Positions
    negatives: Positions
    positives_above: Positions
    negatives_above: Positions
    all_positives: Positions
    all_negatives: Positions


_Curve = Callable[[_Steps], tuple[Floats, Floats, Floats]]
"""Of steps the area of each group, and dA/dw of each step's positives and negatives."""


def _steps(labels: Array, scores: Floats, groups: Positions, count: int) -> _Steps:
    order = np.lexsort((-scores, groups))
    group, ranked = groups[order], scores[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (group[1:] != group[:-1]) | (ranked[1:] != ranked[:-1])
    of = np.empty(len(order), np.int64)
    of[order] = np.cumsum(first) - 1
    group = group[first]
    positives = np.bincount(of[labels], minlength=len(group))
    negatives = np.bincount(of, minlength=len(group)) - positives
    return _Steps(
        of,
        group,
        positives,
        negatives,
        _above(positives, group),
        _above(negatives, group),
        _sum(positives, group, count),
        _sum(negatives, group, count),
    )


def _above(numbers: Positions, group: Positions) -> Positions:
    """Sum of the numbers before each within its group; groups stand together."""
    before = np.cumsum(numbers) - numbers
    return before - before[np.searchsorted(group, group)]


def _sum(numbers: Positions, group: Positions, count: int) -> Positions:
    return np.bincount(group, numbers, count).astype(np.int64)


def _roc(steps: _Steps) -> tuple[Floats, Floats, Floats]:
    group, count = steps.group, len(steps.all_positives)
    below = steps.all_negatives[group] - steps.negatives_above - steps.negatives / 2
    above = steps.positives_above + steps.positives / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = steps.all_positives * steps.all_negatives
        area = np.bincount(group, steps.positives * below, count) / pairs
        beaten, beating = below / steps.all_negatives[group], above / steps.all_positives[group]
        area_here = area[group]
        return (
            area,
            (beaten - area_here) / steps.all_positives[group],
            (beating - area_here) / steps.all_negatives[group],
        )


def _pr(steps: _Steps) -> tuple[Floats, Floats, Floats]:
    group, count = steps.group, len(steps.all_positives)
    found = steps.positives_above + steps.positives
    seen = found + steps.negatives_above + steps.negatives
    precision = found / seen
    with np.errstate(divide="ignore", invalid="ignore"):
        share = steps.positives / steps.all_positives[group]
        area: Floats = np.bincount(group, share * precision, count).astype(np.float64)
        area[steps.all_positives == 0] = np.nan
        gain = _from_here(share / seen, group)
        loss = _from_here(share * precision / seen, group)
        at_positive = (precision - area[group]) / steps.all_positives[group] + gain - loss
    return area, at_positive, -loss


def _from_here(numbers: Floats, group: Positions) -> Floats:
    """Sum of the numbers from each to the last of its group."""
    total: Floats = np.append(np.cumsum(numbers[::-1])[::-1], 0.0)
    return total[:-1] - total[np.searchsorted(group, group, "right")]


def _single(labels: npt.ArrayLike, scores: npt.ArrayLike, curve: _Curve) -> float:
    where = curve.__name__.strip("_") + "_auc"
    known = check_labels(labels, where=where)
    values = check_scores(scores, len(known), where=where)
    return float(curve(_steps(known, values, np.zeros(len(known), np.int64), 1))[0][0])


def _areas(labels: Array, scores: Array, queries: Positions, count: int, curve: _Curve) -> Areas:
    labels, scores = labels.astype(np.bool_), scores.astype(np.float64)
    each = _steps(labels, scores, queries, count)
    macro = curve(each)[0]
    macro[(each.all_positives == 0) | (each.all_negatives == 0)] = np.nan
    pooled = _steps(labels, scores, np.zeros(len(queries), np.int64), 1)
    area, at_positive, at_negative = curve(pooled)
    asked = np.bincount(queries, minlength=count) > 0
    change = np.where(labels, at_positive[pooled.of], at_negative[pooled.of])
    if not labels.any() or labels.all():
        area[0] = np.nan
    moved = area[0] + asked.sum() * np.bincount(queries, change, count)
    micro = QueryScores(np.where(asked, moved, np.nan), bounds=(0.0, 1.0))
    return Areas(float(area[0]), micro, QueryScores(macro, bounds=(0.0, 1.0)))
