"""How rare positives are among all pairs, and how much richer the pool is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions
from ..values.errors import BadShape, BadSpec, first_few


@dataclass(frozen=True)
class Prevalence:
    """The share of positives among all pairs, from a few drawn at random.

    Attributes:
        positives: a, among the pairs drawn.
        sampled: b, the pairs drawn.
        lower_bound: p_LB, the positives known already by all pairs.
        level: confidence of the intervals.
        estimate: max(p_LB, a / b).
        interval: exact (Clopper-Pearson), by the drawn pairs alone.
        chebyshev: the same by Eq. 3, which is wider.
    """

    positives: int
    sampled: int
    lower_bound: float
    level: float
    estimate: float
    interval: tuple[float, float]
    chebyshev: tuple[float, float]

    def enrichment(self, p_k: float) -> float:
        """How many times richer in positives a pool is than chance: p_k by the estimate.

        Infinite if none is to be expected by chance, NaN if the pool has none either.
        """
        if self.estimate == 0:
            return math.inf if p_k > 0 else math.nan
        return p_k / self.estimate


def prevalence(
    positives: int, sampled: int, lower_bound: float = 0.0, *, level: float = 0.95
) -> Prevalence:
    """The prevalence of positives by VSD/EDS (arXiv 2308.14753), Eq. 2: max(p_LB, a / b).

    The exact interval holds the prevalences p that do not make a positives or fewer, nor
    a or more, unlikelier than (1 − level) / 2 (Clopper & Pearson 1934). That of Chebyshev
    holds those with (a/b − p)² <= p (1 − p) / (b q), q = 1 − level: Eq. 3 read the other way,
    with no estimate put in the place of p.

    Args:
        positives: a, how many of the drawn pairs experts found alike.
        sampled: b, how many pairs were drawn at random from all.
        lower_bound: p_LB, the positives that pooling found by all pairs there are.
        level: confidence, between 0 and 1.

    Raises:
        BadSpec: counts or shares that cannot be.

    Example:
        >>> found = prevalence(3, 1000, 0.001)
        >>> found.estimate, [round(end, 4) for end in found.interval]
        (0.003, [0.0006, 0.0087])
        >>> round(found.enrichment(0.3))
        100
    """
    counts = (positives, sampled)
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in counts)
    if not whole or not 0 <= positives <= sampled or sampled < 1:
        raise BadSpec(
            f"{positives} positives among {sampled} drawn pairs cannot be",
            where="prevalence",
            hint="draw at least one pair, and count as positives some of those drawn",
        )
    if not 0 <= lower_bound <= 1 or not 0 < level < 1:
        raise BadSpec(
            f"a lower bound of {lower_bound} at level {level} cannot be",
            where="prevalence",
            hint="give a share from 0 to 1, and a level between 0 and 1",
        )
    a, b = int(positives), int(sampled)
    return Prevalence(
        positives=a,
        sampled=b,
        lower_bound=float(lower_bound),
        level=level,
        estimate=max(float(lower_bound), a / b),
        interval=_clopper_pearson(a, b, 1 - level),
        chebyshev=_chebyshev(a, b, 1 - level),
    )


def _clopper_pearson(a: int, b: int, q: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = float(betaincinv(a, b - a + 1, q / 2)) if a else 0.0
    high = float(betaincinv(a + 1, b - a, 1 - q / 2)) if a < b else 1.0
    return low, high


def _chebyshev(a: int, b: int, q: float) -> tuple[float, float]:
    """The roots of (1 + c) p² − (2 s + c) p + s² = 0, with s = a/b and c = 1 / (b q)."""
    share, c = a / b, 1 / (b * q)
    middle = (share + c / 2) / (1 + c)
    apart = math.sqrt(c * share * (1 - share) + c * c / 4) / (1 + c)
    return max(0.0, middle - apart), min(1.0, middle + apart)


@dataclass(frozen=True)
class PoolPrevalence:
    """How rich a pool is, at each rank at which a pair was found.

    Attributes:
        k: (d,) int64, those ranks, ascending.
        judged: (d,) int64, pairs found at rank k or better that have a judgement.
        positives: (d,) int64, those judged positive.
        p_k: (d,) the second by the first; NaN where nothing is judged.
        lower_bound: p_LB, all positives of the pool by all pairs there are; NaN where
            nobody says how many those are.
    """

    k: Positions
    judged: Positions
    positives: Positions
    p_k: Floats
    lower_bound: float


def pool_prevalence(
    labels: npt.ArrayLike, ranks: npt.ArrayLike, all_pairs: int | None = None
) -> PoolPrevalence:
    """The share of positives in a pool at each depth, and what it says of all pairs.

    Args:
        labels: (p,) 1 for positive, 0 for negative, -1 for not judged.
        ranks: (p,) best rank that an encoder gave each pair, from 1 (``Pool.best``); 0 for
            a pair that none proposed, which is left out.
        all_pairs: how many pairs there are to propose (``Pool.brute_force``), if known.

    Raises:
        BadShape: other labels, not one per pair, or more positives than pairs.

    Example:
        >>> found = pool_prevalence([1, 0, -1, 1, 1], [1, 2, 2, 2, 0], 100)
        >>> found.k, found.p_k.round(3), found.lower_bound
        (array([1, 2]), array([1.   , 0.667]), 0.02)
    """
    marks, best = np.asarray(labels), np.asarray(ranks, np.int64)
    known = np.isin(marks, (-1, 0, 1))
    if marks.ndim != 1 or marks.shape != best.shape or not known.all():
        wrong = first_few(dict.fromkeys(marks[~known].tolist()))
        raise BadShape(
            f"labels of shape {marks.shape} for a pool of {best.size:,} pairs"
            if known.all()
            else f"{np.count_nonzero(~known):,} of {marks.size:,} labels are none: {wrong}",
            where="pool_prevalence",
            hint="give one 0 or 1 per pair of the pool, -1 where nobody judged",
        )
    k, place = np.unique(best[best > 0], return_inverse=True)
    pooled = marks[best > 0]
    judged = np.cumsum(np.bincount(place[pooled >= 0], minlength=len(k)))
    positives = np.cumsum(np.bincount(place[pooled == 1], minlength=len(k)))
    found = int((pooled == 1).sum())
    if all_pairs is not None and all_pairs < max(found, 1):
        raise BadShape(
            f"{found:,} positives among {all_pairs:,} pairs in all cannot be",
            where="pool_prevalence",
            hint="count every query with every item that may be its candidate",
        )
    p_k = np.where(judged, positives / np.maximum(judged, 1), np.nan)
    bound = math.nan if all_pairs is None else found / all_pairs
    return PoolPrevalence(k, judged.astype(np.int64), positives.astype(np.int64), p_k, bound)
