"""Curves, and the pieces of cloth they enclose.

Everything is measured from the middle of the shoulders, x to the right and y
down; a length of 1 is about 60 cm, from the shoulder to the hip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from likelens.values.arrays import Array

from .vocabulary import RGB

Point = tuple[float, float]
Points = Sequence[Point] | Array


class Fold(NamedTuple):
    """A ridge (height > 0) or a furrow (height < 0) in the cloth.

    Attributes:
        outline: (n, 2), the ground it covers, before it is softened.
        height: in units of length.
    """

    outline: Array
    height: float


@dataclass(frozen=True)
class Piece:
    """A piece of a garment, drawn over those before it.

    Attributes:
        outline: (n, 2) points around it.
        colour: its own colour, or None for the product's cloth.
        tone: brightness, 1 as it is, 0.5 for the inside of a garment.
        second: in the product's second colour, if it has one.
        texture: of its own (``rib``, ``plain``, ``gloss``, ``wood``), or "" for
            the product's material.
        patterned: whether the product's pattern runs over it.
        angle: how far the cloth is turned, in radians, clockwise.
        puff: how far in from the edge the piece curves away.
        softness: how far folds are softened.
        lifted: how strong a shadow it casts on the pieces below, 0 to 1.
        edge: strength of its outline, 0 to 1.
        folds: see Fold.
        seams: open lines, each (n, 2), drawn thin and dark.
        stitches: open lines, drawn dashed.
        laces: open lines, drawn thick and light.
        buttons: (x, y, radius) each.
    """

    outline: Array
    colour: RGB | None = None
    tone: float = 1.0
    second: bool = False
    texture: str = ""
    patterned: bool = True
    angle: float = 0.0
    puff: float = 0.05
    softness: float = 0.018
    lifted: float = 0.35
    edge: float = 1.0
    folds: list[Fold] = field(default_factory=list)
    seams: list[Array] = field(default_factory=list)
    stitches: list[Array] = field(default_factory=list)
    laces: list[Array] = field(default_factory=list)
    buttons: list[tuple[float, float, float]] = field(default_factory=list)


_T = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None]
_BASIS = 0.5 * np.hstack(
    [
        -_T + 2 * _T**2 - _T**3,
        2 - 5 * _T**2 + 3 * _T**3,
        _T + 4 * _T**2 - 3 * _T**3,
        -(_T**2) + _T**3,
    ]
)


def curve(*points: Point) -> Array:
    """A smooth open curve through the points (Catmull-Rom), (n, 2)."""
    through = np.array(points, float)
    if len(through) < 3:
        return through
    padded = np.vstack([2 * through[0] - through[1], through, 2 * through[-1] - through[-2]])
    spans = np.stack([padded[i : i + 4] for i in range(len(through) - 1)])
    return np.vstack([(_BASIS @ spans).reshape(-1, 2), through[-1:]])


def joined(*runs: Points) -> Array:
    """Several curves one after the other, with corners where they meet."""
    return np.vstack([np.asarray(run, float) for run in runs])


def flipped(points: Points) -> Array:
    """Mirrored left to right about the middle."""
    there: Array = np.asarray(points, float) * (-1.0, 1.0)
    return there


def mirrored(*runs: Points) -> Array:
    """A closed outline, from the runs of its right half from top to bottom."""
    half = joined(*runs)
    return np.vstack([half, flipped(half)[::-1]])


def moved(points: Points, by: Point, turn: float = 0.0) -> Array:
    """Turned clockwise about the origin (radians), then moved."""
    c, s = np.cos(turn), np.sin(turn)
    there: Array = np.asarray(points, float) @ np.array([[c, s], [-s, c]]) + by
    return there


def strip(path: Points, start: float, end: float | None = None) -> Array:
    """The outline of a band along a path; widths at its start and end."""
    line = np.asarray(path, float)
    across = _across(line)
    half = np.linspace(start, start if end is None else end, len(line))[:, None] / 2
    return np.vstack([line + across * half, (line - across * half)[::-1]])


def _across(line: Array) -> Array:
    """Unit steps square to a line, at each of its points."""
    steps = np.gradient(line, axis=0)
    across = np.stack([-steps[:, 1], steps[:, 0]], axis=1)
    unit: Array = across / np.maximum(np.hypot(*across.T), 1e-9)[:, None]
    return unit


def ellipse(x: float, y: float, rx: float, ry: float, steps: int = 28) -> Array:
    """The outline of an ellipse, (steps, 2)."""
    turn = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=1)


def fold(*points: Point, width: float, height: float) -> Fold:
    """A fold along a curve, narrow at both ends."""
    line = curve(*points) if len(points) > 2 else np.linspace(points[0], points[1], 9)
    across = _across(line)
    half = np.sin(np.linspace(0.05, np.pi - 0.05, len(line)))[:, None] * width / 2
    return Fold(np.vstack([line + across * half, (line - across * half)[::-1]]), height)


def fan(
    top: tuple[Point, Point],
    bottom: tuple[Point, Point],
    count: int,
    *,
    height: float,
    reach: float = 1.0,
) -> list[Fold]:
    """Folds that spread from one line to another, as cloth falls from a waist.

    Args:
        top: both ends of the line that gathers the cloth.
        bottom: both ends of the hem.
        count: how many folds.
        height: of each, in units of length.
        reach: the share of the way up from the hem that they cover.
    """
    (ax, ay), (bx, by) = top
    (cx, cy), (dx, dy) = bottom
    folds = []
    for k in range(count):
        t = (k + 0.5) / count
        high = np.array([ax + (bx - ax) * t, ay + (by - ay) * t])
        low = np.array([cx + (dx - cx) * t, cy + (dy - cy) * t])
        high = low + (high - low) * reach
        wide = np.hypot(dx - cx, dy - cy) / count * 0.5
        folds.append(Fold(strip(np.linspace(high, low, 4), wide * 0.15, wide), height))
    return folds


def redrawn(piece: Piece, scale: Point, by: Point, tone: float = 1.0) -> Piece:
    """The same piece stretched along x and y (-1 mirrors), then moved; brightness times tone."""

    def put(points: Points) -> Array:
        return np.asarray(points, float) * scale + by

    return replace(
        piece,
        outline=put(piece.outline),
        tone=piece.tone * tone,
        angle=piece.angle * (1.0 if scale[0] > 0 else -1.0),
        folds=[Fold(put(outline), height) for outline, height in piece.folds],
        seams=[put(line) for line in piece.seams],
        stitches=[put(line) for line in piece.stitches],
        laces=[put(line) for line in piece.laces],
        buttons=[(x * scale[0] + by[0], y * scale[1] + by[1], r) for x, y, r in piece.buttons],
    )


def mirror(piece: Piece) -> Piece:
    """The same piece on the other side of the middle."""
    return redrawn(piece, (-1.0, 1.0), (0.0, 0.0))


def both(piece: Piece) -> list[Piece]:
    """A piece and its mirror image."""
    return [piece, mirror(piece)]
