"""Lines with their intervals, and rows of dots, as SVG files that stand alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .bubbles import LogAxis
from .charts import Axis
from .lines import Estimate
from .page import templates

LIGHT = (
    "#0072b2", "#c25a00", "#00835f", "#a3397f", "#8a6d00",
    "#4aa3dc", "#7a1f2b", "#6fa51f", "#5b4fb3", "#e08aa8",
)  # fmt: skip
DARK = (
    "#4ba3e3", "#f08c3a", "#2fc49b", "#df7fbf", "#d6b53c",
    "#a5d8f7", "#d9596a", "#a8d65c", "#a79df0", "#f7c3d3",
)  # fmt: skip
"""Colours in the order of the curves, those of the report's maps; then the first again."""

APART = 15.0
"""Distance of two names at the ends of lines, in pixels."""


@dataclass(frozen=True)
class Curve:
    """A line.

    Attributes:
        label: its name, which stands at its end.
        points: (x, estimate) from left to right; those without a mean are left out.
    """

    label: str
    points: tuple[tuple[float, Estimate], ...]

    @property
    def known(self) -> tuple[tuple[float, Estimate], ...]:
        """The points that have a mean."""
        return tuple(point for point in self.points if point[1].known)

    @property
    def bounded(self) -> tuple[tuple[float, Estimate], ...]:
        """The points that have an interval."""
        return tuple(point for point in self.points if point[1].bounded)


@dataclass(frozen=True)
class Spread:
    """A row of dots on one scale.

    Attributes:
        label: of the row.
        dots: an estimate for each series; one without a mean is left out.
    """

    label: str
    dots: tuple[Estimate, ...]


@dataclass(frozen=True)
class Words:
    """What stands around a chart.

    Attributes:
        title: of the chart.
        subtitle: a line under it.
        across: what the horizontal axis shows.
        up: what the vertical axis shows; nothing for rows of dots.
    """

    title: str
    subtitle: str
    across: str
    up: str = ""


def curves_svg(words: Words, curves: Sequence[Curve], *, log: bool = True) -> str:
    """Lines over one axis, each with the band of its intervals.

    Args:
        words: what stands around it.
        curves: at least one, with a point that has a mean.
        log: whether equal steps to the right are equal factors; x is then above 0.
    """
    drawn = [(place % len(LIGHT), curve) for place, curve in enumerate(curves) if curve.known]
    points = [point for _, curve in drawn for point in curve.known]
    across = (
        LogAxis.over(x for x, _ in points) if log else Axis.over((x for x, _ in points), zero=False)
    )
    up = Axis.over(_ends(estimate for _, estimate in points), zero=False)
    ends = [384 - 3 * up.at(curve.known[-1][1].mean) for _, curve in drawn]
    return (
        templates()
        .get_template("curves.svg.j2")
        .render(
            words=words,
            across=across,
            up=up,
            light=LIGHT,
            dark=DARK,
            curves=[
                (colour, curve, name)
                for (colour, curve), name in zip(drawn, _apart(ends), strict=True)
            ],
        )
    )


def spreads_svg(words: Words, series: Sequence[str], rows: Sequence[Spread]) -> str:
    """Rows of dots with whiskers, and a line at zero.

    Args:
        words: what stands around it.
        series: the name of each dot of a row.
        rows: from top to bottom, at least one.
    """
    across = Axis.over([0.0, *_ends(dot for row in rows for dot in row.dots)], zero=False, ticks=6)
    return (
        templates()
        .get_template("spreads.svg.j2")
        .render(words=words, across=across, series=series, rows=rows, light=LIGHT, dark=DARK)
    )


def _ends(estimates: Iterable[Estimate]) -> list[float]:
    """All values that an axis must hold."""
    values = [value for each in estimates for value in (each.mean, each.low, each.high)]
    return [value for value in values if math.isfinite(value)]


def _apart(ends: Sequence[float], low: float = 392.0) -> list[float]:
    """Places for names beside the ends of their lines, so far apart that all can be read."""
    order = sorted(range(len(ends)), key=lambda place: ends[place])
    places = [ends[place] for place in order]
    for lower in range(1, len(places)):
        places[lower] = max(places[lower], places[lower - 1] + APART)
    for upper in reversed(range(len(places))):
        places[upper] = min(places[upper], low)
        low = places[upper] - APART
    found = dict(zip(order, places, strict=True))
    return [round(found[place], 1) for place in range(len(ends))]
