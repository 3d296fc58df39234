"""Shoes, low and high."""

from __future__ import annotations

import numpy as np

from .outlines import (
    Piece,
    curve,
    ellipse,
    fold,
    joined,
    redrawn,
    strip,
)
from .vocabulary import RGB, Garment

GOLD: RGB = (206, 170, 92)
RUBBER: RGB = (240, 238, 232)
WOOD: RGB = (74, 50, 38)
BACK = -0.46
TOE = curve((0.42, -0.11), (0.56, -0.06), (0.60, 0.05), (0.585, 0.12))
SHAFTS = {"short": 0.0, "medium": 0.30, "long": 0.86}
"""How far a shoe rises above the ankle."""


def shoe(garment: Garment, *, back: bool = False) -> list[Piece]:
    """A laced shoe, an ankle boot or a high boot from the side; a pair of them for the back."""
    one = _one_shoe(garment)
    if not back:
        return one
    far = [redrawn(piece, (-0.94, 0.94), (0.16, -0.10), 0.9) for piece in one]
    return [*far, *(redrawn(piece, (-1.0, 1.0), (-0.12, 0.06)) for piece in one)]


def _one_shoe(garment: Garment) -> list[Piece]:
    """The toe to the right."""
    rise = SHAFTS[garment.tag("length")]
    if not rise:
        return [*_sole(), *_upper(rise), *_caps(), *_laces()]
    trim = _elastic(rise) if rise < 0.5 else _zip(rise)
    return [*_heel(), *_upper(rise), *_caps(), *trim, _pull_loop(rise)]


def _upper(rise: float) -> list[Piece]:
    """The dark inside, and the leather around the foot and up the leg."""
    top, front, wider = -0.30 - rise, 0.02 if rise else 0.0, 0.05 if rise > 0.5 else 0.0
    tip = (BACK - 0.6 * wider, top if rise else top - 0.05)
    brow = -0.34 if rise else -0.29
    opening = curve((front + wider, top), ((BACK + front) / 2, top + 0.03), tip)
    instep = curve((front + wider, top), (front + 0.03, brow), (0.22, -0.17), (0.42, -0.11))
    heel = curve((-0.475, 0.12), (-0.49, 0.0), (BACK + 0.015, -0.2), tip)
    folds = [
        fold((0.02, -0.12), (0.14, -0.06), (0.2, 0.06), width=0.04, height=0.013),
        fold((0.12, -0.13), (0.24, -0.04), (0.27, 0.04), width=0.035, height=-0.012),
    ]
    for k, height in enumerate((0.012, -0.012, 0.012) if rise else ()):
        start, end = (front + 0.03, -0.33 - 0.06 * k), (-0.3, -0.28 - 0.02 * k)
        folds.append(fold(start, (-0.12, -0.27 - 0.05 * k), end, width=0.04, height=height))
    middle = (BACK + front) / 2 - 0.005 + 0.2 * wider
    wide = (front - BACK) / 2 + 0.75 * wider
    inside = ellipse(middle, top if rise else top - 0.02, wide, 0.045)
    outline = joined(instep, TOE, [(-0.475, 0.12)], heel, opening[::-1])
    return [
        Piece(inside, tone=0.45, patterned=False, lifted=0.0),
        Piece(outline, puff=0.085, folds=folds, lifted=0.2),
    ]


def _caps() -> list[Piece]:
    """Toe cap and heel counter."""
    toe = joined(curve((0.36, -0.125), (0.345, 0.0), (0.36, 0.12)), [(0.585, 0.12)], TOE[::-1])
    counter = joined(
        curve((-0.47, 0.12), (-0.49, 0.0), (-0.455, -0.17)),
        curve((-0.455, -0.17), (-0.31, -0.1), (-0.25, 0.12)),
    )
    seam = curve((0.345, -0.11), (0.328, 0.0), (0.345, 0.11))
    return [
        Piece(toe, second=True, patterned=False, puff=0.05, lifted=0.15, stitches=[seam]),
        Piece(counter, second=True, patterned=False, puff=0.04, lifted=0.15),
    ]


def _sole() -> list[Piece]:
    """The rubber sole of a low shoe."""
    outline = joined(
        curve((-0.50, 0.09), (-0.1, 0.115), (0.3, 0.09), (0.60, 0.075)),
        curve((0.625, 0.1), (0.61, 0.185), (0.5, 0.205)),
        curve((0.5, 0.205), (0.0, 0.205), (-0.46, 0.205)),
        curve((-0.495, 0.18), (-0.50, 0.09)),
    )
    line = curve((-0.495, 0.165), (0.0, 0.17), (0.615, 0.155))
    return [Piece(outline, RUBBER, texture="plain", puff=0.03, lifted=0.0, seams=[line])]


def _heel() -> list[Piece]:
    """The heel and sole of a boot."""
    sole = joined(
        curve((-0.49, 0.10), (-0.1, 0.12), (0.3, 0.10), (0.60, 0.085)),
        curve((0.61, 0.12), (0.5, 0.165), (0.2, 0.165)),
        curve((0.2, 0.165), (0.0, 0.14), (-0.2, 0.15), (-0.49, 0.15)),
    )
    block = np.array([(-0.49, 0.13), (-0.22, 0.13), (-0.24, 0.275), (-0.475, 0.275)])
    return [
        Piece(block, WOOD, texture="wood", puff=0.03, lifted=0.0),
        Piece(sole, WOOD, texture="wood", puff=0.02, lifted=0.0),
    ]


def _laces() -> list[Piece]:
    """Tongue, eyelets and laces of a low shoe."""
    tongue = joined(
        curve((0.0, -0.31), (0.045, -0.375), (0.095, -0.35)),
        curve((0.095, -0.35), (0.2, -0.21), (0.3, -0.145)),
        [(0.12, -0.15)],
    )
    flank = joined(
        curve((-0.03, -0.305), (0.06, -0.235), (0.2, -0.135), (0.31, -0.10)),
        curve((0.31, -0.10), (0.2, -0.02), (0.05, 0.02)),
        curve((0.05, 0.02), (-0.05, -0.12), (-0.03, -0.305)),
    )
    seam = curve((0.0, -0.26), (0.1, -0.18), (0.28, -0.085))
    facing = Piece(flank, puff=0.03, lifted=0.4, stitches=[seam])
    for t in np.linspace(0, 1, 4):
        ends = [(0.035 + 0.2 * t, -0.205 + 0.115 * t), (0.115 + 0.18 * t, -0.30 + 0.135 * t)]
        facing.laces.append(np.array(ends))
    facing.laces.append(curve((0.1, -0.31), (0.16, -0.36), (0.2, -0.31), (0.1, -0.30)))
    facing.laces.append(curve((0.1, -0.31), (0.04, -0.25), (-0.02, -0.2)))
    return [Piece(tongue, puff=0.03, lifted=0.0, patterned=False), facing]


def _elastic(rise: float) -> list[Piece]:
    """The elastic at the side of an ankle boot."""
    top = -0.30 - rise
    gusset = joined(
        curve((-0.31, top + 0.02), (-0.27, -0.3), (-0.21, -0.2)),
        curve((-0.21, -0.2), (-0.15, -0.3), (-0.11, top + 0.025)),
    )
    return [Piece(gusset, tone=0.7, texture="rib", patterned=False, puff=0.02, lifted=0.0)]


def _zip(rise: float) -> list[Piece]:
    """The trim and the zip of a high boot."""
    top = -0.30 - rise
    rim = strip(curve((0.07, top + 0.02), (-0.22, top + 0.05), (BACK - 0.03, top + 0.02)), 0.05)
    line = np.array([(-0.28, top + 0.1), (-0.25, -0.05)])
    return [
        Piece(rim, puff=0.02, patterned=False, second=True, lifted=0.3),
        Piece(strip(line, 0.024), GOLD, texture="gloss", puff=0.008, seams=[line], edge=0.6),
    ]


def _pull_loop(rise: float) -> Piece:
    """The loop at the back, to pull a boot on by."""
    top = -0.30 - rise
    path = curve((BACK + 0.02, top + 0.05), (BACK - 0.02, top - 0.06), (BACK + 0.06, top))
    return Piece(strip(path, 0.03), second=True, patterned=False, puff=0.01)
