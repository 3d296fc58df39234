"""Trousers and skirts: a waistband, and what hangs from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from likelens.values.arrays import Array

from .outlines import Fold, Piece, both, curve, fan, fold, joined, mirrored, moved
from .vocabulary import Garment

TOP, BAND = 0.60, 0.075
CROTCH = 1.14
TROUSERS = {"short": 1.42, "medium": 1.98, "long": 2.44}
SKIRTS = {"short": 1.20, "medium": 1.66, "long": 2.34}
"""Where the hem is."""


class Waist(NamedTuple):
    """Half widths of a waistband, at its upper and lower edge."""

    high: float
    low: float


def trousers(garment: Garment, *, back: bool = False) -> list[Piece]:
    """Two legs, a fly and pockets; shorts where the length is short."""
    size = ("slim", "regular", "loose").index(garment.tag("fit"))
    end = TROUSERS[garment.tag("length")]
    waist = Waist((0.225, 0.235, 0.25)[size], (0.245, 0.26, 0.285)[size])
    leg = _leg(garment, size, end, waist)
    pieces = both(leg)
    if not back:
        pieces.insert(0, _behind(waist))
    pieces += _turn_ups(garment, size, end)
    pieces += _seat_pockets() if back else _front(waist, size)
    return [*pieces, *_waistband(garment, waist, back=back)]


def _leg(garment: Garment, size: int, end: float, waist: Waist) -> Piece:
    """The right leg."""
    hip, top = (0.305, 0.335, 0.385)[size], TOP + BAND - 0.01
    middle, wide = _ankle(size, end)
    knee = 1.72
    outer = [(waist.low, top), (hip, 0.95)]
    inner = [(0.012, CROTCH)]
    if end > 1.9:
        x = (0.205, 0.225, 0.265)[size]
        half = (0.095, 0.125, 0.19)[size]
        outer.append((x + half, knee))
        inner.insert(0, (x - half, knee))
    outer.append((middle + wide, end))
    inner.insert(0, (middle - wide, end + 0.012))
    outline = joined(curve(*outer), curve(*inner), [(0.0, CROTCH - 0.05), (0.0, top)])
    crease = curve((0.15, top + 0.12), (0.19, 1.3), (middle, end))
    stitches = [np.array([(middle - wide + 0.01, end - 0.03), (middle + wide - 0.01, end - 0.035)])]
    if garment.tag("material") == "denim":
        stitches.append(np.asarray(curve(*outer)) - (0.022, 0.0))
    folds = [
        fold(
            (0.02, CROTCH - 0.02),
            (0.12, CROTCH - 0.05),
            (0.22, CROTCH - 0.14),
            width=0.045,
            height=0.018,
        ),
        fold(
            (0.02, CROTCH + 0.05),
            (0.12, CROTCH + 0.04),
            (0.24, CROTCH - 0.03),
            width=0.045,
            height=-0.015,
        ),
        *_leg_folds(garment, size, end),
    ]
    crisp = garment.tag("material") in ("cotton", "silk", "knit")
    return Piece(
        outline,
        puff=0.06,
        folds=folds,
        seams=[crease] if crisp and size else [],
        stitches=stitches,
        lifted=0.3,
        angle=0.03,
    )


def _ankle(size: int, end: float) -> tuple[float, float]:
    """Middle and half width of the hem of a leg."""
    if end < 1.5:
        return (0.185, 0.20, 0.235)[size], (0.125, 0.155, 0.215)[size]
    return (0.185, 0.215, 0.27)[size], (0.068, 0.11, 0.205)[size]


def _leg_folds(garment: Garment, size: int, end: float) -> list[Fold]:
    rng = np.random.default_rng([garment.seed, 5])
    folds = []
    middle, wide = _ankle(size, end)
    if end > 1.9:
        for k in range(3):
            y = 1.62 + 0.09 * k + rng.uniform(-0.02, 0.02)
            side = 1 if k % 2 else -1
            folds.append(
                fold(
                    (0.21 + side * 0.10, y),
                    (0.21, y + 0.03),
                    (0.21 - side * 0.05, y + 0.01),
                    width=0.035,
                    height=0.014,
                )
            )
    if end > 2.2 and size < 2:
        for k in range(3):
            y = end - 0.06 - 0.07 * k
            side = 1 if k % 2 else -1
            folds.append(
                fold(
                    (middle + side * wide, y),
                    (middle, y + 0.02),
                    (middle - side * wide * 0.6, y),
                    width=0.03,
                    height=0.014,
                )
            )
    if size == 2:
        folds += fan(
            ((0.10, 1.0), (0.34, 1.0)),
            ((middle - wide, end), (middle + wide, end)),
            3,
            height=0.022,
        )
    return folds


def _turn_ups(garment: Garment, size: int, end: float) -> list[Piece]:
    """Turned-up hems on every other pair that is not long."""
    if garment.seed % 2 or end > 2.2:
        return []
    middle, wide = _ankle(size, end)
    cuff = np.array(
        [
            (middle - wide - 0.004, end - 0.055),
            (middle + wide + 0.004, end - 0.06),
            (middle + wide + 0.008, end + 0.01),
            (middle - wide - 0.008, end + 0.018),
        ]
    )
    return both(Piece(cuff, puff=0.02, lifted=0.3, tone=0.97))


def _behind(waist: Waist) -> Piece:
    outline = mirrored(
        curve((0.0, TOP - 0.012), (waist.high, TOP)),
        curve((waist.high, TOP + 0.02), (0.0, TOP + 0.045)),
    )
    return Piece(outline, tone=0.6, patterned=False, lifted=0.0)


def _front(waist: Waist, size: int) -> list[Piece]:
    """Fly and slanted pockets."""
    top = TOP + BAND
    fly = Piece(
        joined(
            [(-0.012, top)],
            [(0.07, top)],
            curve((0.07, top), (0.066, top + 0.2), (0.0, top + 0.30)),
            [(-0.012, top + 0.3)],
        ),
        puff=0.012,
        lifted=0.25,
    )
    fly.stitches.append(curve((0.054, top), (0.05, top + 0.19), (0.0, top + 0.27)))
    outer = waist.low
    hip = (0.29, 0.315, 0.36)[size]
    opening = curve((outer - 0.085, top), (outer - 0.05, top + 0.10), (hip - 0.005, top + 0.19))
    pocket = Piece(
        joined(opening, [(outer + 0.005, top)]), puff=0.012, tone=0.92, lifted=0.0, edge=0.9
    )
    pocket.stitches.append(moved(opening, (-0.02, 0.005)))
    return [fly, *both(pocket)]


def _seat_pockets() -> list[Piece]:
    x, y = 0.075, 0.79
    outline = np.array(
        [
            (x, y),
            (x + 0.155, y - 0.01),
            (x + 0.15, y + 0.14),
            (x + 0.082, y + 0.19),
            (x + 0.005, y + 0.15),
        ]
    )
    pocket = Piece(outline, puff=0.012, lifted=0.35)
    pocket.stitches.append(
        moved((outline - outline.mean(axis=0)) * 0.84, tuple(outline.mean(axis=0)))
    )
    return both(pocket)


def _waistband(garment: Garment, waist: Waist, *, back: bool) -> list[Piece]:
    low = TOP + BAND
    dip = 0.0 if back else 0.03
    outline = mirrored(
        curve((0.0, TOP + dip), (waist.high * 0.7, TOP + dip * 0.7), (waist.high, TOP)),
        curve((waist.low, low - 0.005), (waist.low * 0.7, low + dip * 0.7), (0.0, low + dip)),
    )
    band = Piece(outline, puff=0.02, lifted=0.35, patterned=garment.tag("pattern") != "striped")
    band.stitches.append(
        curve(
            (-waist.low + 0.01, low - 0.022),
            (0.0, low + dip - 0.018),
            (waist.low - 0.01, low - 0.022),
        )
    )
    pieces = [band]
    for x in (0.13, waist.low - 0.04) if garment.tag("kind") == "trousers" else ():
        belt_loop = np.array(
            [
                (x, TOP + dip * 0.6 - 0.012),
                (x + 0.024, TOP + dip * 0.5 - 0.012),
                (x + 0.026, low + 0.022),
                (x + 0.002, low + 0.024),
            ]
        )
        pieces += both(Piece(belt_loop, puff=0.008, lifted=0.35))
    if not back:
        band.buttons.append((0.012, TOP + dip + BAND / 2, 0.02))
    return pieces


def skirt(garment: Garment, *, back: bool = False) -> list[Piece]:
    """A pencil skirt (slim), an A-line (regular) or a full, pleated one (loose)."""
    size = ("slim", "regular", "loose").index(garment.tag("fit"))
    end = SKIRTS[garment.tag("length")]
    waist, top = Waist(0.225, 0.24), TOP + BAND - 0.012
    hem = (0.27, 0.30 + 0.15 * (end - TOP), 0.40 + 0.24 * (end - TOP))[size]
    hip = ((0.30, top + 0.26), (0.30, top + 0.2), (0.34, top + 0.16))[size]
    side = curve((waist.low, top), hip, (hem, end))
    body = Piece(
        mirrored([(0.0, top + 0.02)], side, _skirt_hem(size, hem, end)),
        puff=0.075,
        folds=_skirt_folds(size, waist.low, hem, top, end),
        seams=_skirt_seams(size, waist.low, hem, end, back=back),
        lifted=0.3,
    )
    if size < 2:
        edge = curve((-hem + 0.015, end - 0.035), (0.0, end - 0.015), (hem - 0.015, end - 0.035))
        body.stitches.append(edge)
    if size == 1 and garment.seed % 2 and not back:
        body.buttons.extend((0.0, y, 0.02) for y in np.arange(top + 0.1, end - 0.05, 0.15))
        body.seams.append(np.array([(0.035, top), (0.035, end + 0.02)]))
    inside = [] if back else [_behind(waist)]
    return [*inside, body, *_waistband(garment, waist, back=back)]


def _skirt_folds(size: int, waist: float, hem: float, top: float, end: float) -> list[Fold]:
    if size == 0:
        return [
            fold((-0.27, 0.95), (0.0, 1.0), (0.2, 0.96), width=0.035, height=0.012),
            fold((0.27, 1.02), (0.05, 1.06), (-0.15, 1.03), width=0.035, height=-0.012),
        ]
    lines = ((-waist, top), (waist, top)), ((-hem, end), (hem, end))
    if size == 1:
        return fan(*lines, 4, height=0.03, reach=0.75)
    return fan(*lines, 9, height=0.036)


def _skirt_seams(size: int, waist: float, hem: float, end: float, *, back: bool) -> list[Array]:
    top = TOP + BAND
    if size == 2:
        shares = np.linspace(-0.78, 0.78, 8)
        seams = [np.array([(waist * t, top + 0.01), (hem * t, end - 0.01)]) for t in shares]
    elif size == 0 and not back:
        seams = [curve((0.12, top), (0.15, 0.9), (0.14, end))]
    else:
        seams = [np.array([(0.0, end - 0.24), (0.0, end)])] if size == 0 else []
    return [*seams, np.array([(0.0, top), (0.0, top + 0.25)])] if back else seams


def _skirt_hem(size: int, hem: float, end: float) -> Array:
    x = np.linspace(hem, 0.0, 40)
    wave = (0.0, 0.006, 0.018)[size] * (np.cos(x / hem * np.pi * 9) - 1)
    drop = (0.01, 0.03, 0.06)[size] * (1 - (x / hem) ** 2)
    return np.stack([x, end + drop + wave], axis=1)
