"""What tuning an index found, for readers: tables, advice, and a page with the curve."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .._tune import FAR, Growth, Law, Setting, Tuning
from ..values.files import write_aside
from .bubbles import LogAxis
from .charts import Axis
from .formats import SPACE, number, rounded
from .page import templates

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Heads and rows of a table."""

SURE = 1.05
"""A factor of uncertainty that need not be told."""

UNSURE = 1000.0
"""A factor from which on a figure says nothing."""

COLOURS = 10

UNITS = (
    ("ms", 1e-3, 1.0),
    ("s", 1.0, 120.0),
    ("min", 60.0, 7_200.0),
    ("h", 3_600.0, 172_800.0),
    ("days", 86_400.0, float("inf")),
)
"""Units of time: their seconds, and from when on the next one is used."""


def write_tuning(found: Tuning, encoder: str, path: Path) -> None:
    """Write what was found as a page that stands alone.

    Args:
        found: what ``tune`` returned.
        encoder: whose vectors they are.
        path: the file to write; one that is there is replaced.

    Raises:
        BadTable: the file cannot be written.
    """
    text = (
        templates()
        .get_template("tune.html.j2")
        .render(
            found=found,
            encoder=encoder,
            curve=draw_curve(found),
            advice=advice(found),
            settings=setting_rows(found),
            growth=growth_rows(found),
            growth_title=growth_title(found),
            version=version("likelens"),
        )
    )
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def setting_rows(found: Tuning) -> Rows:
    """Every setting of all vectors."""
    heads = ("index", f"recall@{found.k}", "p50", "p95", "p99", "queries/s", "build", "memory")
    rows: list[tuple[str, ...]] = [
        (
            one.spec,
            number(one.recall),
            duration(one.p50_seconds),
            duration(one.p95_seconds),
            duration(one.p99_seconds),
            number(one.queries_per_second, 0),
            duration(one.build_seconds),
            rounded(one.size_bytes, "B"),
        )
        for one in found.settings
    ]
    return heads, rows


def growth_title(found: Tuning) -> str:
    """What the table of growth shows, and from what."""
    sizes = sorted({one.items for one in found.measured})
    if len(sizes) < 2:
        return ""
    return (
        f"EXTRAPOLATED beyond {sizes[-1]:,} vectors, not measured: power laws through "
        f"{sizes[0]:,} to {sizes[-1]:,}"
    )


def growth_rows(found: Tuning) -> Rows:
    """How costs grow, of the settings that reach the target."""
    far = [items for items in FAR if items > found.items]
    heads = (
        "index", "cost", f"at {found.items:,}", "grows with", *(f"at {_short(one)}" for one in far)
    )  # fmt: skip
    rows = []
    for one in found.growth:
        if one.setting.recall < found.target_recall:
            continue
        for cost, law in one.laws.items():
            measured = getattr(one.setting, cost)
            name, written = COSTS[cost]
            rows.append(
                (
                    one.setting.spec,
                    name,
                    written(measured),
                    f"n^{number(law.exponent, 2)} ({number(law.low, 2)} to {number(law.high, 2)})",
                    *(_foretold(law, items, cost) for items in far),
                )
            )
    return heads, rows


def advice(found: Tuning) -> list[str]:
    """What to take, and what to beware of; a sentence each."""
    best = found.recommended
    if best is None:
        return ["Nothing is recommended: too little was measured."]
    exact = next((one for one in found.settings if one.line == "exact"), None)
    asked = f"recall@{found.k} {number(best.recall)}, p50 {duration(best.p50_seconds)}"
    if best.line == "exact":
        said = [f"Recommended: exact ({asked}). {_none_quicker(found)}"]
    else:
        times = "" if exact is None else (
            f", {number(exact.p50_seconds / best.p50_seconds, 1)} times as quick as exact"
        )  # fmt: skip
        said = [f"Recommended: {best.spec} ({asked}{times})."]
    grown = next((one for one in found.growth if one.setting == best), None)
    if grown is not None and best.line != "exact":
        said.append(_falling(grown))
    return said


def _none_quicker(found: Tuning) -> str:
    if len(found.lines) == 1:
        return "Nothing else was measured."
    return (
        f"No index that reaches a recall of {found.target_recall:g} is more than a tenth "
        f"quicker on these {found.items:,} vectors."
    )


def _falling(grown: Growth) -> str:
    first, last = grown.recalls[0], grown.recalls[-1]
    return (
        f"At this setting recall goes from {number(first[1])} of {first[0]:,} vectors to "
        f"{number(last[1])} of {last[0]:,}: with many more, tune again."
    )


def duration(seconds: float) -> str:
    """A time with two or three figures and its unit.

    Example:
        >>> [duration(s).replace(SPACE, " ") for s in (0.00018, 0.0312, 2.5, 400, 1e5, 1e6)]
        ['0.18 ms', '31 ms', '2.5 s', '6.7 min', '28 h', '12 days']
    """
    unit, size = next((unit, size) for unit, size, most in UNITS if seconds < most)
    value = seconds / size
    return f"{number(value, 2 if value < 1 else 1 if value < 9.95 else 0)}{SPACE}{unit}"


def _foretold(law: Law, items: int, cost: str) -> str:
    """An extrapolated cost, with the factor by which it may be wrong."""
    value, _, high = law.at(items)
    factor = high / value
    if factor >= UNSURE:
        return "cannot be told"
    text = f"~{COSTS[cost][1](value)}"
    return text if factor < SURE else f"{text} \u00d7/\u00f7 {number(factor, 1)}"


def _short(items: int) -> str:
    return f"{items // 1_000_000} million"


COSTS = {
    "p50_seconds": ("p50", duration),
    "size_bytes": ("memory", lambda size: rounded(size, "B")),
    "build_seconds": ("build", duration),
}


@dataclass(frozen=True)
class Stroke:
    """One line of the curve; the plot area spans x 52 to 640 and y 16 to 316.

    Attributes:
        name: what was built.
        style: its colour.
        points: (x, y, setting) in the order of effort.
    """

    name: str
    style: int
    points: tuple[tuple[float, float, Setting], ...]

    @property
    def path(self) -> str:
        """Its points as SVG wants them."""
        return " ".join(f"{x},{y}" for x, y, _ in self.points)


@dataclass(frozen=True)
class Curve:
    """Recall against time, a line per index.

    Attributes:
        strokes: the lines.
        across: x and text of each tick of the time, in milliseconds.
        up: y and text of each tick of the recall.
        target: height of the recall aimed at.
        best: (x, y) of the recommended setting, or None.
    """

    strokes: tuple[Stroke, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    target: float
    best: tuple[float, float] | None


def draw_curve(found: Tuning) -> Curve | None:
    """The curve, or None if nothing was measured."""
    if not found.settings:
        return None
    time = LogAxis.over(1000 * one.p50_seconds for one in found.settings)
    recall = Axis.over(
        [found.target_recall, 1.0, *(one.recall for one in found.settings)], zero=False
    )

    def place(one: Setting) -> tuple[float, float]:
        return _x(time.at(1000 * one.p50_seconds)), _y(recall.at(one.recall))

    strokes = tuple(
        Stroke(
            line,
            style % COLOURS,
            tuple((*place(one), one) for one in found.settings if one.line == line),
        )
        for style, line in enumerate(found.lines)
    )
    best = found.recommended
    return Curve(
        strokes=strokes,
        across=tuple((_x(at), text) for at, text in time.ticks),
        up=tuple((_y(at), text) for at, text in recall.ticks),
        target=_y(recall.at(found.target_recall)),
        best=None if best is None else place(best),
    )


def _x(place: float) -> float:
    return round(52 + 5.88 * place, 1)


def _y(place: float) -> float:
    return round(316 - 3 * place, 1)
