"""From which similarity on something is alike: a threshold at a stated false-alarm rate."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions, check_numbers
from ..values.errors import BadShape, BadSpec
from ..values.relevance import NONE, coded

ABOVE = 2e-6
"""By how much a threshold lies above the similarity that it must shut out."""


@dataclass(frozen=True)
class Threshold:
    """A similarity from which on a best match counts as alike.

    Attributes:
        value: the threshold; alike is what reaches it.
        low: lower end of its interval.
        high: upper end of its interval.
        false_alarm: the rate asked for.
        level: confidence of the interval.
        queries: how many queries without a true match it rests on.
        groups: how many groups (classes, products) they come from.
        kept: share of ordinary queries whose best match reaches it; NaN if unknown.
        by: which queries these were, in words.
    """

    value: float
    low: float
    high: float
    false_alarm: float
    level: float
    queries: int
    groups: int
    kept: float = float("nan")
    by: str = ""


def calibrate(
    best: npt.ArrayLike,
    *,
    false_alarm: float = 0.01,
    groups: Iterable[Hashable | None] | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 1_000,
) -> Threshold:
    """The similarity that a query without a true match passes with at most a given chance.

    A false alarm is a *query*, not a pair: of all items of the gallery, the best match of
    a query that has no true match there reaches the threshold. With b_(1) <= ... <= b_(n)
    the best similarities of n such queries, the threshold lies just above b_(m) with
    m = ceil((n + 1) (1 - false_alarm)): a further query of their kind reaches it with a
    chance of at most ``false_alarm`` (split conformal; Vovk et al. 2005; Papadopoulos et
    al. 2002).

    Its interval is that of the quantile, by drawing whole groups with replacement, for
    queries of one class or product are not independent. It says how far another sample of
    queries would move the threshold.

    Args:
        best: (n,) similarity of each query's best match, where none is a true match.
        false_alarm: the rate, above 0 and below 1.
        groups: (n,) class or product of each query; each its own if not given, or None.
        level: confidence of the interval, between 0 and 1.
        seed: of the draws.
        resamples: number of draws, at least 100.

    Raises:
        BadShape: not one finite number per query, or other groups than queries.
        BadSpec: rate, level or resamples out of range, or too few queries to show the
            rate: at least 1 / false_alarm - 1.

    Example:
        >>> found = calibrate(np.linspace(0.0, 0.98, 99), false_alarm=0.1)
        >>> round(found.value, 3), found.queries
        (0.89, 99)
    """
    values = _checked(best)
    _check_rates(false_alarm, level, resamples)
    rank = int(np.ceil((len(values) + 1) * (1.0 - false_alarm) - 1e-9))
    if rank > len(values):
        needed = int(np.ceil(1.0 / false_alarm - 1.0 - 1e-9))
        raise BadSpec(
            f"{len(values):,} queries cannot show a false-alarm rate of {false_alarm:g}",
            where="calibrate",
            hint=f"give at least {needed:,} queries without a true match, or a higher rate",
        )
    codes = _codes(groups, len(values))
    order = np.argsort(values, kind="stable")
    ranked, codes = values[order], codes[order]
    count = int(codes.max()) + 1
    draw = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for turn in range(resamples):
        times = np.bincount(draw.integers(0, count, count), minlength=count)
        below = np.cumsum(times[codes])
        wanted = min((below[-1] + 1) * (1.0 - false_alarm) - 1e-9, below[-1])
        place = np.searchsorted(below, wanted)
        drawn[turn] = ranked[place]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    value = float(ranked[rank - 1])
    above = ABOVE * max(1.0, abs(value))
    return Threshold(
        value=value + above,
        low=min(float(low), value) + above,
        high=max(float(high), value) + above,
        false_alarm=false_alarm,
        level=level,
        queries=len(values),
        groups=count,
    )


def _checked(best: npt.ArrayLike) -> Floats:
    values = check_numbers(best, where="calibrate")
    if values.ndim != 1:
        raise BadShape(
            f"best similarities of shape {values.shape} must be one per query",
            where="calibrate",
            hint="leave out queries that have no match at all",
        )
    return values


def _check_rates(false_alarm: float, level: float, resamples: int) -> None:
    if not 0.0 < false_alarm < 1.0 or not 0.0 < level < 1.0 or resamples < 100:
        raise BadSpec(
            f"no threshold at a false-alarm rate of {false_alarm:g}, with an interval of level "
            f"{level:g} from {resamples} resamples",
            where="calibrate",
            hint="give rates between 0 and 1, such as 0.01, and at least 100 resamples",
        )


def _codes(groups: Iterable[Hashable | None] | None, count: int) -> Positions:
    if groups is None:
        return np.arange(count)
    named = list(groups)
    if len(named) != count:
        raise BadShape(
            f"{len(named):,} groups for {count:,} queries",
            where="calibrate",
            hint="give one group per query",
        )
    codes = coded(named, {})
    alone = codes == NONE
    codes[alone] = codes.max(initial=NONE) + 1 + np.arange(np.count_nonzero(alone))
    return codes
