"""Quality against time, a dot for each encoder, as large as its model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .charts import Axis
from .page import templates

SMALLEST, LARGEST = 5.0, 20.0
"""Radius of a dot without a model, and of the largest model's."""


@dataclass(frozen=True)
class Bubble:
    """An encoder.

    Attributes:
        label: its name.
        seconds: time of a query, above 0.
        quality: its score.
        size_bytes: of its model; None where there is none.
    """

    label: str
    seconds: float
    quality: float
    size_bytes: float | None


@dataclass(frozen=True)
class LogAxis:
    """An axis on which equal steps are equal factors, with ticks at 1, 2 and 5.

    Attributes:
        low: value at its start.
        high: value at its end.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> LogAxis:
        """The axis from tick to tick that holds all values, which are above 0."""
        held = list(values)
        low = max(tick for tick in _ticks_around(min(held)) if tick <= min(held))
        high = min(tick for tick in _ticks_around(max(held)) if tick > max(held))
        return cls(low, high)

    def at(self, value: float) -> float:
        """Place of a value, from 0 to 100."""
        return round(100 * math.log(value / self.low) / math.log(self.high / self.low), 2)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Place and text of each tick; only powers of ten, where there are many."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        values = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        inside = [one for one in values if self.low * 0.999 <= one <= self.high * 1.001]
        return tuple((self.at(one), f"{one:g}") for one in inside)


def _ticks_around(value: float) -> list[float]:
    power = math.floor(math.log10(value))
    return [step * 10.0**near for near in (power - 1, power, power + 1) for step in (1, 2, 5)]


def bubbles_svg(
    title: str, subtitle: str, name: str, points: Sequence[Bubble], chance: float | None = None
) -> str | None:
    """The chart as an SVG file that stands alone; None below two encoders.

    Args:
        title: of the chart.
        subtitle: a line under it.
        name: of the score.
        points: the encoders, best first.
        chance: the score of random vectors, drawn as a line.
    """
    drawn = [one for one in points if one.seconds > 0 and math.isfinite(one.quality)]
    if len(drawn) < 2:
        return None
    most = max((one.size_bytes or 0.0 for one in drawn), default=0.0) or 1.0
    radii = [_radius((one.size_bytes or 0.0) / most) for one in drawn]
    return (
        templates()
        .get_template("engine-chart.svg.j2")
        .render(
            title=title,
            subtitle=subtitle,
            name=name,
            points=list(zip(drawn, radii, strict=True)),
            order=sorted(range(len(drawn)), key=lambda place: -radii[place]),
            across=LogAxis.over(1000 * one.seconds for one in drawn),
            up=Axis.over([0.0, chance or 0.0, *(one.quality for one in drawn)], zero=False),
            chance=chance,
        )
    )


def _radius(share: float) -> float:
    """Radius of a dot whose area grows with the share of the largest model's size."""
    return round(math.sqrt(SMALLEST**2 + (LARGEST**2 - SMALLEST**2) * share), 1)
