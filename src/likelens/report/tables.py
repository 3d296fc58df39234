"""What stands in the cells of a report's tables."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._leaderboard import CONTROLS, Leaderboard
from ..values.layout import Layout
from .lines import Line

OPTIONS = ("recipe", "self_pairs", "sample", "seed", "store")
"""Entries of ``Leaderboard.run`` that are options of ``likelens evaluate`` too."""


@dataclass(frozen=True)
class ControlRow:
    """Table 2 of the CorrEmbed paper for one encoder.

    Attributes:
        line: the encoder.
        weighted: its score and that of each control, or None without purchases.
        unweighted: likewise.
    """

    line: Line
    weighted: tuple[float, ...] | None
    unweighted: tuple[float, ...]


def control_rows(lines: Sequence[Line]) -> tuple[ControlRow, ...]:
    """Scores beside the scores of chance, in the order of ``CONTROLS``."""
    return tuple(
        ControlRow(
            line,
            None
            if line.weighted is None
            else _with_controls(line.weighted.mean, line.entry.weighted_controls),
            _with_controls(line.unweighted.mean, line.entry.controls),
        )
        for line in lines
    )


def _with_controls(score: float, controls: Mapping[str, float]) -> tuple[float, ...]:
    return (score, *(controls.get(name, math.nan) for name in CONTROLS))


@dataclass(frozen=True)
class Category:
    """A column of the heat map.

    Attributes:
        name: the tag category.
        tags: how many tags it has.
        weight: its weight from purchases, or None.
    """

    name: str
    tags: int
    weight: float | None


@dataclass(frozen=True)
class Cell:
    """What one encoder sees of one category.

    Attributes:
        score: CorrEmbed with this category only.
        share: its part of the unweighted CorrEmbed of all tags.
        strength: the score against the largest of the heat map, -1 to 1; 0 if there is none.
        best: whether no other encoder sees more of it.
    """

    score: float
    share: float
    strength: float
    best: bool


@dataclass(frozen=True)
class Heat:
    """What each encoder sees.

    Attributes:
        categories: the columns.
        rows: the encoders and their cells, best encoder first.
    """

    categories: tuple[Category, ...]
    rows: tuple[tuple[Line, tuple[Cell, ...]], ...]


def heat_map(board: Leaderboard, lines: Sequence[Line]) -> Heat:
    """Encoder by tag category."""
    tags = board.catalogue.tags
    categories = tuple(
        Category(name, len(tags.columns(name)), board.weights.get(name) if board.weights else None)
        for name in tags.category_names
    )
    scores = {
        (line.name, category.name): line.entry.categories[category.name].alone.mean
        for line in lines
        for category in categories
    }
    finite = [score for score in scores.values() if math.isfinite(score)]
    largest = max((abs(score) for score in finite), default=0.0) or 1.0
    top = {
        category.name: max(
            (scores[line.name, category.name] for line in lines), key=_nan_lowest, default=math.nan
        )
        for category in categories
    }

    def cell(line: Line, category: Category) -> Cell:
        score = scores[line.name, category.name]
        return Cell(
            score=score,
            share=line.entry.categories[category.name].share,
            strength=score / largest if math.isfinite(score) else 0.0,
            best=len(lines) > 1 and score == top[category.name],
        )

    rows = tuple((line, tuple(cell(line, category) for category in categories)) for line in lines)
    return Heat(categories, rows)


def _nan_lowest(score: float) -> float:
    return score if math.isfinite(score) else -math.inf


def command(board: Leaderboard, folder: Path) -> tuple[str, ...]:
    """The command that makes this comparison again there, in parts that belong together."""
    layout = board.catalogue.layout
    parts = [("likelens", "evaluate", str(layout.source)), *given_options(layout)]
    parts += [("-e", entry.card.name) for entry in board.entries]
    parts += [
        (f"--{name.replace('_', '-')}", str(board.run[name]))
        for name in OPTIONS
        if board.run.get(name) is not None
    ]
    return tuple(shlex.join(part) for part in (*parts, ("--out", str(folder))))


def given_options(layout: Layout) -> list[tuple[str, ...]]:
    """The options with which the catalogue was opened."""
    return [
        (f"--{name.replace('_', '-')}",)
        if value is True
        else (
            f"--{name.replace('_', '-')}",
            ",".join(value) if isinstance(value, tuple) else str(value),
        )
        for name, value in layout.given.items()
    ]


def run_facts(run: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What was run, encoders apart, as names and texts."""
    return tuple((name, plain(value)) for name, value in run.items() if name != "encoders")


def worded(name: str) -> str:
    """A key of such a mapping as a reader wants it.

    Example:
        >>> worded("self_pairs")
        'Self pairs'
    """
    return name[:1].upper() + name[1:].replace("_", " ")


def plain(value: object) -> str:
    """A value of ``Leaderboard.run`` in a line: ``numpy 2.0, pillow 11.0``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int):
        return value.as_posix() if isinstance(value, Path) else str(value)
    return f"{value:,}" if abs(value) >= 10_000 else str(value)
