"""Where bars, ticks and points stand; the templates draw them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .formats import number
from .lines import Estimate, Line
from .networks import by_network

FEWEST = 3
"""Networks below which no correlation is given."""


@dataclass(frozen=True)
class Axis:
    """A straight axis with round ticks.

    Attributes:
        low: value at its start.
        high: value at its end.
        step: distance of two ticks.
    """

    low: float
    high: float
    step: float

    @classmethod
    def over(cls, values: Iterable[float], *, zero: bool = True, ticks: int = 5) -> Axis:
        """The axis that holds all finite values.

        Args:
            values: what it shall hold; NaN is passed over.
            zero: an axis of bars, that starts at zero or at the lowest value below it and
                ends at the highest; else both ends stand on ticks.
            ticks: about how many steps.
        """
        finite = [value for value in values if math.isfinite(value)] + [0.0] * zero
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if high - low < 1e-9:
            high = low + 1.0
        rough = (high - low) / ticks
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * part for part in (1, 2, 2.5, 5, 10) if power * part >= rough * 0.999)
        if not zero:
            low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        return cls(low, high, step)

    def at(self, value: float) -> float:
        """Place of a value, from 0 to 100; values outside stand at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Place and text of each tick."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        if not math.isclose(round(self.step, digits), self.step, rel_tol=1e-6):
            digits += 1  # steps of 2.5
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        values = [tick * self.step for tick in range(first, last + 1)]
        return tuple((self.at(value), number(value, digits)) for value in values)

    def bar(self, estimate: Estimate) -> dict[str, float]:
        """Start and length of a bar from zero, and of its whisker, from 0 to 100."""
        zero, end = self.at(max(self.low, 0.0)), self.at(estimate.mean)
        low = self.at(estimate.low) if estimate.bounded else end
        high = self.at(estimate.high) if estimate.bounded else end
        return {
            "start": min(zero, end),
            "length": round(abs(end - zero), 2),
            "mean": end,
            "low": low,
            "spread": round(high - low, 2),
        }


def score_axis(lines: Sequence[Line]) -> Axis:
    """The axis of the score that decides the place."""
    values = [end for line in lines for end in (line.main.mean, line.main.low, line.main.high)]
    return Axis.over(values)


@dataclass(frozen=True)
class Scatter:
    """Scores against published accuracy on ImageNet (Fig. 3 of the CorrEmbed paper).

    Attributes:
        lines: the encoders whose accuracy is known, best first.
        across: axis of the accuracy in percent.
        up: axis of the score.
        networks: how many networks these are: layers and other variants of one network
            have one accuracy, and count once, with the mean of their scores.
        pearson: correlation of the two over networks; NaN below three, or where either is
            constant.
        interval: its 95 % interval after Fisher, or None below four networks.
        trend: score at both ends of ``across`` on the straight line of least
            squares, or None where there is none.
    """

    lines: tuple[Line, ...]
    across: Axis
    up: Axis
    networks: int
    pearson: float
    interval: tuple[float, float] | None
    trend: tuple[float, float] | None


def scatter(lines: Sequence[Line]) -> Scatter | None:
    """Scores against accuracy, or None if fewer than three encoders have both."""
    known = tuple(
        line for line in lines if line.entry.card.accuracy is not None and line.main.known
    )
    if len(known) < 3:
        return None
    networks = by_network(known, lambda line: line.entry.card)
    accuracy = np.array([group[0].entry.card.accuracy for group in networks], np.float64)
    scores = np.array([np.mean([line.main.mean for line in group]) for group in networks])
    ends = [end for line in known for end in (line.main.mean, line.main.low, line.main.high)]
    across = Axis.over(accuracy, zero=False)
    pearson = _pearson(accuracy, scores) if len(networks) >= FEWEST else math.nan
    trend = None
    if math.isfinite(pearson):
        slope = pearson * scores.std() / accuracy.std()
        start = float(scores.mean() + slope * (across.low - accuracy.mean()))
        trend = start, float(start + slope * (across.high - across.low))
    return Scatter(
        lines=known,
        across=across,
        up=Axis.over(ends, zero=False),
        networks=len(networks),
        pearson=pearson,
        interval=_fisher(pearson, len(networks)),
        trend=trend,
    )


def _pearson(left: np.ndarray, right: np.ndarray) -> float:
    spread = left.std() * right.std()
    if spread < 1e-12:
        return float("nan")
    return float(np.mean((left - left.mean()) * (right - right.mean())) / spread)


def _fisher(pearson: float, count: int) -> tuple[float, float] | None:
    """95 % interval of a Pearson correlation (Fisher's z)."""
    if count < 4 or not abs(pearson) < 1 - 1e-12:
        return None
    centre, reach = math.atanh(pearson), 1.959964 / math.sqrt(count - 3)
    return math.tanh(centre - reach), math.tanh(centre + reach)
