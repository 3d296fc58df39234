"""Robustness curves for readers: charts, sentences, and Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .._stress import Curve, Stress
from ..values.scores import QueryScores
from . import formats
from .charts import Axis
from .markdown import plain_cell, table_row
from .page import templates

STYLES = (0, 1, 2, 3, 4, 6)
"""Colours of the kinds, in the order of their curves (``--k0`` to ``--k9``)."""

APART = 13.0
"""Distance of two names at the ends of lines, in units of the chart."""


@dataclass(frozen=True)
class Stroke:
    """One line of a chart, in units of its viewBox.

    Attributes:
        curve: what it shows.
        style: its colour.
        points: (x, y) of each level that has a score.
        label: y of its name, beside its end.
    """

    curve: Curve
    style: int
    points: tuple[tuple[float, float], ...]
    label: float

    @property
    def name(self) -> str:
        """Its kind, as readers write it."""
        return named(self.curve.kind)

    @property
    def path(self) -> str:
        """Its points as SVG wants them."""
        return " ".join(f"{x},{y}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    """One encoder.

    Attributes:
        name: its spec.
        label: its name, short.
        clean: its score at level 0.
        strokes: a line per kind.
        sentence: what they say.
    """

    name: str
    label: str
    clean: float
    strokes: tuple[Stroke, ...]
    sentence: str


@dataclass(frozen=True)
class Charts:
    """Charts on the same axes; the plot area spans x 40 to 270 and y 12 to 212.

    Attributes:
        charts: one per encoder.
        axis: of the score.
        levels: x and text of each level.
    """

    charts: tuple[Chart, ...]
    axis: Axis
    levels: tuple[tuple[float, str], ...]

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Height and text of each tick of the score."""
        return tuple((_down(place), text) for place, text in self.axis.ticks)

    @property
    def zero(self) -> float:
        """Height of a score of 0."""
        return _down(self.axis.at(0.0))


def stress_charts(stress: Stress) -> Charts | None:
    """A chart per encoder, or None if no encoder has curves."""
    if not stress.curves:
        return None
    short = formats.labels(stress.encoders)
    axis = Axis.over([0.0, *(mean for curve in stress.curves for mean in curve.means)], zero=False)
    levels = stress.curves[0].levels
    return Charts(
        charts=tuple(
            Chart(
                name=name,
                label=short[name],
                clean=stress.of(name)[0].means[0],
                strokes=_strokes(stress.of(name), axis),
                sentence=sentence(stress.of(name), short[name]),
            )
            for name in stress.encoders
        ),
        axis=axis,
        levels=tuple((_across(level, levels), str(level)) for level in levels),
    )


def _across(level: int, levels: Sequence[int]) -> float:
    return round(40 + 230 * level / levels[-1], 1)


def _down(place: float) -> float:
    return round(212 - 2 * place, 1)


def _strokes(curves: Sequence[Curve], axis: Axis) -> tuple[Stroke, ...]:
    points = [
        tuple(
            (_across(level, curve.levels), _down(axis.at(mean)))
            for level, mean in zip(curve.levels, curve.means, strict=True)
            if math.isfinite(mean)
        )
        for curve in curves
    ]
    labels = _spread([each[-1][1] if each else 212.0 for each in points])
    return tuple(
        Stroke(curve, STYLES[place % len(STYLES)], points[place], labels[place])
        for place, curve in enumerate(curves)
    )


def _spread(ends: Sequence[float]) -> list[float]:
    """Places for names beside their lines' ends, so far apart that all can be read."""
    order = sorted(range(len(ends)), key=lambda place: ends[place])
    places = [ends[place] for place in order]
    for _ in range(200):
        for upper in range(len(places) - 1):
            short = APART - (places[upper + 1] - places[upper])
            if short > 0:
                places[upper] -= short / 2
                places[upper + 1] += short / 2
    lowest = places[-1] if places else 0.0
    shift = min(0.0, 216.0 - lowest)
    spread = dict(zip(order, places, strict=True))
    return [round(spread[place] + shift, 1) for place in range(len(ends))]


def sentence(curves: Sequence[Curve], label: str) -> str:
    """Which kind costs an encoder most, and where half of its score is lost."""
    if label.startswith("control:"):
        return "A control: it has no score to lose."
    if not math.isfinite(curves[0].shares[0]):
        return "Its score on the clean images is not shown to be above 0, so there is none to lose."
    worst = min(curves, key=lambda curve: min(curve.means))
    low = min(worst.means)
    level = worst.levels[worst.means.index(low)]
    if low >= worst.means[0]:
        return "Nothing here costs it any of its score."
    place = worst.levels.index(level)
    lost = QueryScores(worst.scores[place].per_query - worst.scores[0].per_query)
    if not lost.interval()[1] < 0:
        return (
            f"No loss of score is shown: the largest, by {named(worst.kind)} at level {level}, is "
            f"from {formats.number(worst.means[0])} to {formats.number(low)}, within chance."
        )
    kind = named(worst.kind)
    most = (
        f"{kind[0].upper()}{kind[1:]} hurts most: {formats.number(worst.means[0])} falls to "
        f"{formats.number(low)} at level {level}."
    )
    halves = [
        f"{named(curve.kind)} at level {curve.half}" for curve in curves if curve.half is not None
    ]
    if not halves:
        return f"{most} Nothing costs it half of its score."
    return f"{most} Half of the score is lost to {formats.listed(halves)}."


def stress_lines(stress: Stress) -> list[str]:
    """A line per encoder: its name and its sentence."""
    short = formats.labels(stress.encoders)
    return [f"{short[name]}: {sentence(stress.of(name), short[name])}" for name in stress.encoders]


def named(kind: str) -> str:
    """A kind as readers write it.

    Example:
        >>> named("jpeg"), named("blur")
        ('JPEG', 'blur')
    """
    return kind.upper() if kind == "jpeg" else kind


def svg_stress(stress: Stress) -> str:
    """The charts as an SVG file that follows light and dark; needs at least one curve."""
    charts = stress_charts(stress)
    return templates().get_template("stress.svg.j2").render(curves=charts)


def markdown_stress(stress: Stress) -> str:
    """The curves in Markdown: for each encoder its sentence and a table."""
    short = formats.labels(stress.encoders)
    parts = []
    for name in stress.encoders:
        curves = stress.of(name)
        heads = ["worse by", *(f"level {level}" for level in curves[0].levels)]
        lines = [heads, [":---", *("---:" for _ in curves[0].levels)]]
        lines += [[named(curve.kind), *cells(curve)] for curve in curves]
        table = "\n".join(table_row(line) for line in lines)
        parts += [f"### {plain_cell(short[name])}", sentence(curves, short[name]), table]
    return "\n\n".join(parts) + "\n"


def cells(curve: Curve) -> list[str]:
    """The score at each level, and in brackets what it leaves of the clean one."""
    pairs = zip(curve.means, curve.shares, curve.levels, strict=True)
    return [
        formats.number(mean)
        if level == 0 or not math.isfinite(share)
        else f"{formats.number(mean)} ({formats.percent(share, 0)})"
        for mean, share, level in pairs
    ]
