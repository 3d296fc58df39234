"""Figures 2 to 4 of the paper as SVG files that stand alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..report.charts import Axis
from ..report.formats import number
from ..report.lines import best_line, read_lines
from ..report.maps import draw_maps
from ..report.page import templates
from ..values.errors import plural
from ._corrembed import Reproduction
from .tables import Correlation, Point, correlation, points

LIGHT = (
    "#0072b2", "#c25a00", "#00835f", "#a3397f", "#8a6d00",
    "#4aa3dc", "#7a1f2b", "#6fa51f", "#5b4fb3", "#e08aa8",
)  # fmt: skip
DARK = (
    "#4ba3e3", "#f08c3a", "#2fc49b", "#df7fbf", "#d6b53c",
    "#a5d8f7", "#d9596a", "#a8d65c", "#a79df0", "#f7c3d3",
)  # fmt: skip
"""Colours of the groups of a map, in the order of its legend: those of the report."""


def scatter_svg(found: Reproduction, layer: str) -> str | None:
    """Score against ImageNet accuracy at a layer; None below two networks that have both."""
    known = points(found, layer)
    if len(known) < 2:
        return None
    link = correlation(layer, known)
    across = Axis.over([point.accuracy for point in known], zero=False)
    ends = [end for point in known for end in (point.score, point.low, point.high)]
    return (
        templates()
        .get_template("corrembed-scatter.svg.j2")
        .render(
            title=f"CorrEmbed of the {layer} layer against accuracy on ImageNet",
            subtitle=f"{len(found.board.catalogue):,} items; {in_words(link)}",
            points=known,
            across=across,
            up=Axis.over(ends, zero=False),
            trend=_trend(known, across) if math.isfinite(link.r) else None,
        )
    )


def in_words(link: Correlation) -> str:
    """Pearson's r with its interval."""
    if math.isnan(link.r):
        return f"no correlation of {plural(link.networks, 'network')} (too few, or no variation)"
    text = f"Pearson r = {number(link.r, 2)}"
    if math.isnan(link.low):
        return f"{text}, of only {link.networks} networks"
    between = f"{number(link.low, 2)} to {number(link.high, 2)}"
    return f"{text} (95\u00a0% interval {between}, {link.networks} networks)"


def _trend(known: Sequence[Point], across: Axis) -> tuple[float, float]:
    """Score at both ends of the axis on the line of least squares."""
    slope, start = np.polyfit(
        [point.accuracy for point in known], [point.score for point in known], 1
    )
    return float(start + slope * across.low), float(start + slope * across.high)


def map_svg(found: Reproduction) -> str | None:
    """The map of the catalogue by the best encoder; None where there is none to draw."""
    best = best_line(read_lines(found.board))
    if best is None:
        return None
    maps = draw_maps(found.board, [best])
    if not maps.maps:
        return None
    return (
        templates()
        .get_template("corrembed-map.svg.j2")
        .render(
            maps=maps, map=maps.maps[0], shown=len(found.board.map_items), light=LIGHT, dark=DARK
        )
    )
