"""What goes round the neck of a top: bands, roll necks, collars, lapels."""

from __future__ import annotations

import numpy as np

from .cuts import Cut
from .outlines import (
    Piece,
    both,
    curve,
    ellipse,
    flipped,
    fold,
    joined,
    mirrored,
    strip,
)
from .vocabulary import RGB, Garment

METAL: RGB = (196, 192, 184)


def neck_pieces(garment: Garment, cut: Cut, *, back: bool) -> list[Piece]:
    """What goes round the neck, from the rearmost to the foremost."""
    kind, neckline = garment.tag("kind"), garment.tag("neckline")
    if neckline == "high":
        return _high_neck(kind, cut, back=back)
    if neckline == "collar":
        if back:
            return [_collar_behind(cut)]
        return _lapels(cut) if kind == "jacket" else _collar(cut)
    half = cut.neckline(back=back)
    deep = {"jumper": 0.055, "jacket": 0.045}.get(kind, 0.038)
    drop = float(half[0][1])
    outer = half * (1 + 0.85 * deep / cut.neck, (drop + 1.2 * deep - 0.02) / drop) + (0.0, 0.02)
    band = Piece(
        joined(flipped(half)[::-1], half, outer[::-1], flipped(outer)),
        texture="rib" if kind == "jumper" else "",
        patterned=False,
        second=kind != "jumper",
        puff=0.018,
        lifted=0.25,
    )
    return [band]


def _high_neck(kind: str, cut: Cut, *, back: bool) -> list[Piece]:
    rise = -0.15
    low = 0.06 if back else 0.10
    side = curve((0.108, rise), (0.112, -0.07), (0.15, 0.02))
    outline = mirrored(
        curve((0.0, rise + (-0.022 if back else 0.022)), (0.108, rise)),
        side,
        curve((0.15, 0.02), (0.08, low - 0.015), (0.0, low)),
    )
    texture = "rib" if kind == "jumper" else ""
    folds = [fold((-0.13, -0.03), (0.0, 0.005), (0.13, -0.03), width=0.05, height=0.025)]
    neck = Piece(outline, texture=texture, patterned=False, puff=0.04, folds=folds, lifted=0.3)
    pieces = (
        []
        if back
        else [Piece(ellipse(0.0, rise, 0.107, 0.024), tone=0.5, patterned=False, lifted=0.0)]
    )
    pieces.append(neck)
    if kind == "jacket" and not back:
        zip_line = np.array([(0.0, rise + 0.02), (0.0, cut.end - 0.13)])
        teeth = Piece(strip(zip_line, 0.034), colour=METAL, texture="gloss", puff=0.012, edge=0.6)
        teeth.seams.append(zip_line)
        pull = Piece(ellipse(0.0, 0.13, 0.016, 0.05), colour=METAL, texture="gloss", puff=0.01)
        pieces += [teeth, pull]
    return pieces


def _collar(cut: Cut) -> list[Piece]:
    """A shirt's collar: a stand behind the neck and two flaps."""
    neck = cut.neck
    stand = mirrored(
        curve((0.0, -0.055), (neck * 0.8, -0.05), (neck + 0.012, 0.0)),
        curve((neck, 0.03), (0.0, 0.06)),
    )
    flap = joined(
        curve((neck - 0.03, -0.062), (neck - 0.035, 0.01), (0.012, cut.drop - 0.01)),
        [(0.075, cut.drop + 0.115)],
        curve((0.075 + 0.09, 0.15), (neck + 0.062, 0.04)),
        curve((neck + 0.062, 0.04), (neck + 0.03, -0.035), (neck - 0.03, -0.062)),
    )
    leaf = Piece(flap, puff=0.02, lifted=0.6, angle=-0.6)
    leaf.stitches.append(curve((0.03, cut.drop + 0.005), (0.078, cut.drop + 0.088), (0.15, 0.14)))
    return [Piece(stand, tone=0.72, patterned=False, lifted=0.0, puff=0.02), *both(leaf)]


def _collar_behind(cut: Cut) -> Piece:
    neck = cut.neck
    outline = mirrored(
        curve((0.0, -0.075), (neck * 0.75, -0.065), (neck + 0.03, 0.0)),
        curve((neck + 0.05, 0.06), (neck * 0.6, 0.075), (0.0, 0.08)),
    )
    return Piece(outline, puff=0.025, lifted=0.6)


def _lapels(cut: Cut) -> list[Piece]:
    """The collar and lapels of a jacket."""
    neck, low = cut.neck, cut.drop
    lapel = joined(
        curve((neck - 0.01, 0.02), (neck * 0.55, low * 0.45), (0.012, low)),
        curve((0.012, low), (0.15, low * 0.62), (0.245, low * 0.36 + 0.03)),
        [(0.175, 0.15), (neck + 0.03, 0.06)],
    )
    wing = joined(
        curve((neck - 0.03, -0.075), (neck - 0.02, 0.02), (neck - 0.035, 0.09)),
        [(0.165, 0.165), (0.225, 0.11)],
        curve((neck + 0.075, 0.045), (neck + 0.03, -0.03), (neck - 0.03, -0.075)),
    )
    stand = mirrored(curve((0.0, -0.065), (neck - 0.03, -0.07)), curve((neck, 0.03), (0.0, 0.05)))
    pieces = [Piece(stand, tone=0.75, patterned=False, lifted=0.0, puff=0.02)]
    for piece in (
        Piece(lapel, angle=-0.35, puff=0.022, lifted=0.7),
        Piece(wing, angle=-0.8, puff=0.022, lifted=0.6),
    ):
        pieces += both(piece)
    return pieces
