"""Figures of the simulation in words, and which metric does best."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...report.formats import number, percent
from ...report.lines import Estimate
from .score import METRICS
from .study import Trust, Twice


def figure(estimate: Estimate, digits: int = 2) -> str:
    """A mean and its interval."""
    if not estimate.bounded:
        return number(estimate.mean, digits)
    low, high = number(estimate.low, digits), number(estimate.high, digits)
    return f"{number(estimate.mean, digits)} ({low} to {high})"


def share(estimate: Estimate) -> str:
    """A mean share and its interval in percent."""
    if not estimate.bounded:
        return percent(estimate.mean)
    low, high = number(100 * estimate.low, 1), number(100 * estimate.high, 1)
    return f"{percent(estimate.mean)} ({low} to {high})"


def sign(estimate: Estimate) -> int:
    """1 or -1 where the interval lies above or below 0, else 0."""
    return (estimate.low > 0) - (estimate.high < 0)


def standing(estimate: Estimate) -> str:
    """How far an encoder stands from its true place."""
    side = sign(estimate)
    if not side:
        return f"where it belongs, as far as chance lets one tell ({figure(estimate)})"
    size = abs(estimate.mean)
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    far = figure(Estimate(size, *ends))
    return f"{far} places too {'low' if side > 0 else 'high'}"


def change(estimate: Estimate) -> str:
    """What staying out does to an encoder's place."""
    side = sign(estimate)
    if not side:
        return f"nothing that can be told from chance ({figure(estimate)} places)"
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    far = figure(Estimate(abs(estimate.mean), *ends))
    return f"{'a loss' if side > 0 else 'a gain'} of {far} places"


def best_by(found: Trust, hours: float) -> str:
    """The metric of judged pools that knows the true order best for a budget."""

    def known(metric: str) -> float:
        mean = found.at_hours(hours, metric).mean
        return mean if math.isfinite(mean) else -math.inf

    return max(METRICS, key=known)


def rivals(found: Trust, hours: float, best: str) -> list[str]:
    """The metrics that nobody can tell from the best of a budget."""
    return [
        metric
        for metric in METRICS
        if metric != best and not sign(found.ahead(hours, best, metric))
    ]


def doubt(metrics: Sequence[str]) -> str:
    """The end of a sentence on a metric: those that nobody can tell from it, if any."""
    if not metrics:
        return ""
    others = "the others" if len(metrics) == len(METRICS) - 1 else " or ".join(metrics)
    return f", but nobody can tell it from {others}"


def matters_alike(found: Trust, metric: str) -> list[str]:
    """The metrics for which, as far as one can tell, it matters as much who took part."""
    return [
        other for other in METRICS if other != metric and not sign(found.matters(metric, other))
    ]


def fairest(found: Trust) -> str:
    """The metric that ranks an encoder most alike, whether it took part or not."""

    def moved(metric: str) -> float:
        mean = abs(found.twice(metric, Twice.lost).mean)
        return mean if math.isfinite(mean) else math.inf

    return min(METRICS, key=moved)
