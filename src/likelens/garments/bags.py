"""Handbags."""

from __future__ import annotations

from likelens.values.arrays import Array

from .outlines import (
    Piece,
    both,
    curve,
    ellipse,
    flipped,
    fold,
    joined,
    mirrored,
    moved,
    strip,
)
from .vocabulary import RGB, Garment

WIDE, DEEP = 0.50, 0.72
GOLD: RGB = (206, 170, 92)
HANDLES = {"short": 0.26, "medium": 0.50, "long": 0.86}
"""How far the handle rises above the bag."""


def bag(garment: Garment, *, back: bool = False) -> list[Piece]:
    """A handbag, with a flap or a pocket as the seed decides; the length is that of its handle.

    There is no back to it: from there it is turned to show its side.
    """
    handle = _handle(HANDLES[garment.tag("length")])
    far = moved(handle * (0.94, 0.9), (0.03, -0.015))
    grip = Piece(strip(handle, 0.052), patterned=False, second=True, puff=0.016, lifted=0.5)
    grip.stitches.append(handle)
    return [
        *([_gusset()] if back else []),
        Piece(strip(far, 0.04), tone=0.7, patterned=False, puff=0.012, lifted=0.0),
        _body(),
        *(_flap() if garment.seed % 2 == 0 else _pocket()),
        grip,
        *_rings(float(handle[-1][0])),
    ]


def _handle(high: float) -> Array:
    """The middle line of a handle, from left to right."""
    wide = 0.30 if high < 0.3 else 0.34
    right = [(0.6 * wide, -0.92 * high), (0.98 * wide, -0.55 * high), (wide, 0.05)]
    left = [(-x, y) for x, y in right[::-1]]
    return curve(*left, (0.0, -high), *right)


def _body() -> Piece:
    low = DEEP + 0.005
    side = curve((0.86 * WIDE, 0.0), (0.97 * WIDE, 0.55 * DEEP), (WIDE, DEEP - 0.06))
    corner = curve((WIDE, DEEP - 0.06), (WIDE - 0.02, DEEP), (WIDE - 0.09, low))
    rim = curve((0.0, 0.02), (0.45 * WIDE, 0.015), (0.86 * WIDE, 0.0))
    shape = mirrored(rim, side, corner, curve((WIDE - 0.09, low), (0.0, DEEP + 0.015)))
    inner = moved(moved(shape, (0.0, -DEEP / 2)) * 0.93, (0.0, DEEP / 2))
    sag = fold((-0.3, 0.2), (0.0, 0.26), (0.3, 0.2), width=0.12, height=0.02)
    return Piece(shape, puff=0.10, lifted=0.2, stitches=[inner], folds=[sag])


def _pocket() -> list[Piece]:
    """A pocket on the front, and a border along the rim."""
    outline = mirrored(
        [(0.0, 0.3)],
        curve((0.3, 0.3), (0.31, 0.5), (0.28, 0.62)),
        curve((0.28, 0.62), (0.0, 0.635)),
    )
    seam = curve((-0.28, 0.33), (0.0, 0.335), (0.28, 0.33))
    border = mirrored(
        curve((0.0, 0.008), (0.45 * WIDE, 0.004), (0.87 * WIDE, -0.012)),
        curve((0.88 * WIDE, 0.07), (0.45 * WIDE, 0.086), (0.0, 0.09)),
    )
    return [
        Piece(outline, puff=0.03, lifted=0.4, stitches=[seam]),
        Piece(border, puff=0.02, patterned=False, second=True, lifted=0.3),
    ]


def _rings(x: float) -> list[Piece]:
    """The rings that hold the handle."""
    ring = Piece(ellipse(x, 0.03, 0.042, 0.05), GOLD, texture="gloss", puff=0.015, lifted=0.4)
    hole = Piece(ellipse(x, 0.03, 0.02, 0.026), tone=0.5, patterned=False, lifted=0.0, puff=0.01)
    return [*both(ring), *both(hole)]


def _gusset() -> Piece:
    """The side of a bag that is turned."""
    outline = joined(
        [(0.8 * WIDE, 0.02), (1.02 * WIDE, -0.035)],
        curve((1.02 * WIDE, -0.035), (1.2 * WIDE, 0.5 * DEEP), (1.2 * WIDE, DEEP - 0.1)),
        [(0.95 * WIDE, DEEP)],
    )
    crease = fold((0.5, 0.05), (0.54, 0.4), (0.525, 0.68), width=0.05, height=-0.03)
    return Piece(outline, tone=0.68, patterned=False, puff=0.05, lifted=0.0, folds=[crease])


def _flap() -> list[Piece]:
    """A flap with its clasp."""
    lid = mirrored(
        curve((0.0, 0.005), (0.45 * WIDE, 0.0), (0.88 * WIDE, -0.015)),
        curve((0.88 * WIDE, -0.015), (0.93 * WIDE, 0.16), (0.9 * WIDE, 0.27)),
        curve((0.9 * WIDE, 0.27), (0.55 * WIDE, 0.40), (0.0, 0.435)),
    )
    half = curve((0.0, 0.395), (0.5 * WIDE, 0.365), (0.85 * WIDE, 0.24))
    clasp = mirrored([(0.0, 0.385), (0.055, 0.385)], [(0.055, 0.475), (0.0, 0.475)])
    hole = ellipse(0.0, 0.43, 0.018, 0.022)
    return [
        Piece(lid, puff=0.05, lifted=0.7, stitches=[joined(flipped(half)[::-1], half[1:])]),
        Piece(clasp, GOLD, texture="gloss", puff=0.02, lifted=0.5),
        Piece(hole, (120, 92, 44), texture="plain", lifted=0.0, puff=0.01),
    ]
