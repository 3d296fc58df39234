"""Dresses, shirts, jumpers and jackets: a body, sleeves, something round the neck."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from likelens.values.arrays import Array

from .cuts import WAIST, Cut
from .necks import neck_pieces
from .outlines import (
    Fold,
    Piece,
    Point,
    both,
    curve,
    fan,
    flipped,
    fold,
    joined,
    mirrored,
    moved,
)
from .vocabulary import RGB, Garment

LABEL: RGB = (244, 241, 232)


def top(garment: Garment, *, back: bool = False) -> list[Piece]:
    """The pieces of a dress, shirt, jumper or jacket, from the back to the front."""
    cut = Cut.of(garment)
    kind = garment.tag("kind")
    pieces = _sleeves(garment, cut)
    if not back:
        pieces += _inside(cut, kind)
    pieces.append(_body(garment, cut, back=back))
    if kind == "jumper":
        pieces.append(_band(cut, 0.10))
    pieces += neck_pieces(garment, cut, back=back)
    if kind == "jacket":
        pieces += [] if back else _pockets(cut)
    return pieces


def _sleeves(garment: Garment, cut: Cut) -> list[Piece]:
    if garment.tag("sleeve") == "sleeveless":
        return []
    long = garment.tag("sleeve") == "long"
    reach = 1.0 if long else 0.34
    sine, cosine = np.sin(cut.arm), np.cos(cut.arm)
    down, out = np.array([sine, cosine]), np.array([cosine, -sine])
    start = np.array([cut.shoulder - 0.075, 0.13])
    wide = cut.wrist if long else cut.upper * 1.02

    def at(along: float, across: float) -> Point:
        x, y = start + along * down + across * out
        return float(x), float(y)

    tip, pit = (cut.shoulder, 0.085), (cut.chest, cut.armpit)
    mid = (cut.upper + wide) / 2
    outer = curve(tip, at(0.14, cut.upper * 0.97), at(reach * 0.65, mid), at(reach, wide))
    inner = curve(at(reach, -wide), at(reach * 0.65, -mid), pit)
    folds = _sleeve_folds(at, cut, reach)
    end = [at(reach - 0.045, wide), at(reach - 0.045, -wide)]
    sleeve = Piece(
        joined(outer, inner, [(cut.shoulder - 0.16, 0.24)]),
        angle=cut.arm,
        puff=0.045,
        folds=folds,
        stitches=[np.array(end)],
        lifted=0.0,
    )
    kind = garment.tag("kind")
    if kind == "jacket" and long:
        sleeve.buttons.extend((*at(reach - 0.05 * k, wide * 0.62), 0.015) for k in (1.0, 1.9, 2.8))
    pieces = both(sleeve)
    if kind == "jumper" or (long and kind == "shirt" and garment.tag("neckline") == "collar"):
        deep = 0.10 if kind == "jumper" else 0.085
        narrow = wide * 0.92
        ends = [(deep, wide), (0.0, narrow), (0.0, -narrow), (deep, -wide)]
        cuff = Piece(
            np.array([at(reach - up, across) for up, across in ends]),
            angle=cut.arm,
            texture="rib" if kind == "jumper" else "",
            patterned=kind != "jumper",
            puff=0.03,
        )
        if kind == "shirt":
            cuff.buttons.append((*at(reach - deep / 2, wide * 0.45), 0.016))
        pieces += both(cuff)
    return pieces


def _sleeve_folds(at: Callable[[float, float], Point], cut: Cut, reach: float) -> list[Fold]:
    wide = cut.upper
    folds = [
        fold(
            at(0.10, -wide * 0.9),
            at(0.2, -wide * 0.2),
            at(0.26, wide * 0.5),
            width=0.05,
            height=0.02,
        ),
        fold(at(0.05, -wide * 0.6), at(0.13, 0.0), width=0.04, height=-0.02),
    ]
    if reach > 0.5:
        for k, y in enumerate((0.44, 0.52, 0.60)):
            side = 1 if k % 2 else -1
            folds.append(
                fold(
                    at(y - 0.02, side * wide * 0.8),
                    at(y + 0.02, 0.0),
                    at(y - 0.01, -side * wide * 0.35),
                    width=0.045,
                    height=0.022,
                )
            )
        folds.append(fold(at(0.66, wide * 0.2), at(0.9, wide * 0.1), width=0.05, height=0.02))
        folds.append(fold(at(0.82, -wide * 0.5), at(0.86, wide * 0.3), width=0.035, height=-0.02))
    return folds


def _inside(cut: Cut, kind: str) -> list[Piece]:
    """What shows of the back through the neck, with its label; the vent of a jacket."""
    front = cut.neckline(back=False)
    behind = curve((cut.neck, 0.0), (cut.neck * 0.6, 0.03), (0.0, 0.04))
    pieces = [
        Piece(
            mirrored(behind[::-1], moved(front[::-1], (0.0, 0.02))),
            tone=0.62,
            patterned=False,
            lifted=0.0,
        )
    ]
    if cut.drop > 0.1:
        label = np.array([(-0.038, 0.05), (0.038, 0.05), (0.038, 0.09), (-0.038, 0.09)])
        pieces.append(Piece(label, colour=LABEL, texture="plain", lifted=0.0, edge=0.4, puff=0.01))
    if kind == "jacket":
        tail = mirrored([(0.0, cut.end - 0.3), (0.14, cut.end - 0.3)], [(0.14, cut.end - 0.015)])
        pieces.append(Piece(tail, tone=0.55, patterned=False, lifted=0.0))
    return pieces


def _body(garment: Garment, cut: Cut, *, back: bool) -> Piece:
    kind = garment.tag("kind")
    if garment.tag("sleeve") == "sleeveless":
        inset = cut.shoulder - 0.075
        arm = curve(
            (inset, 0.055),
            (inset - 0.025, 0.2),
            (cut.chest - 0.035, cut.armpit - 0.06),
            (cut.chest, cut.armpit),
        )
    else:
        arm = curve((cut.shoulder, 0.085), (cut.shoulder - 0.02, 0.22), (cut.chest, cut.armpit))
    hem = _hem(garment, cut, back=back)
    edge = joined(flipped(hem), hem[::-1]) * (0.96, 1.0) - (0.0, 0.038)
    stitches = [] if kind == "jumper" else [edge]
    seams = []
    if kind == "dress" and cut.waist < 0.3:
        seams.append(curve((-cut.waist, WAIST), (0.0, WAIST + 0.015), (cut.waist, WAIST)))
    if back:
        seams += _back_seams(kind, cut)
    buttons: list[tuple[float, float, float]] = []
    if not back:
        lines, buttons = _front_closure(garment, cut)
        seams += lines
    return Piece(
        mirrored(cut.neckline(back=back), arm, cut.side(float(hem[0][1])), hem),
        puff=0.075 if cut.end < 1.5 else 0.09,
        softness=0.02,
        folds=_body_folds(garment, cut),
        seams=seams,
        stitches=stitches,
        buttons=buttons,
        lifted=0.45,
    )


def _hem(garment: Garment, cut: Cut, *, back: bool) -> Array:
    """From the right end of the hem to its middle."""
    kind, end, hem = garment.tag("kind"), cut.end, cut.hem
    if kind == "dress" and hem > 0.34:
        x = np.linspace(hem, 0.0, 40)
        wave = 0.016 * np.cos(x / hem * np.pi * (7 if hem > 0.5 else 5))
        return np.stack([x, end + 0.05 * (1 - (x / hem) ** 2) + wave - 0.016], axis=1)
    if kind == "shirt" and garment.tag("neckline") == "collar" and end > 0.9:
        return curve((hem, end - 0.09), (hem * 0.7, end - 0.01), (0.0, end + 0.03))
    if kind == "jacket" and not back:
        return curve((hem, end), (0.10, end + 0.015), (0.035, end - 0.01), (0.0, end - 0.13))
    return curve((hem, end), (hem * 0.5, end + 0.018), (0.0, end + 0.022))


def _body_folds(garment: Garment, cut: Cut) -> list[Fold]:
    rng = np.random.default_rng([garment.seed, 5])
    folds: list[Fold] = []
    for side in (-1, 1):
        shift = rng.uniform(-0.03, 0.03, 6)
        pit, hang = side * cut.chest, cut.armpit
        folds += [
            fold(
                (pit * 0.98, hang + 0.0),
                (pit * 0.8, hang - 0.08),
                (pit * 0.66, hang - 0.15 + shift[0]),
                width=0.035,
                height=0.014,
            ),
            fold(
                (pit * 0.97, hang + 0.06),
                (pit * 0.74, hang + 0.03),
                (pit * 0.5, hang + 0.06 + shift[1]),
                width=0.035,
                height=-0.012,
            ),
        ]
        bend = side * cut.waist
        folds += [
            fold(
                (bend, WAIST - 0.06),
                (bend * 0.8, WAIST - 0.01 + shift[2]),
                (bend * (0.5 + shift[3]), WAIST + 0.01),
                width=0.032,
                height=0.013,
            ),
            fold(
                (bend, WAIST + 0.02),
                (bend * 0.7, WAIST + 0.06 + shift[4]),
                (bend * (0.4 + shift[5]), WAIST + 0.05),
                width=0.032,
                height=-0.013,
            ),
        ]
    return [*folds, *_drapes(garment, cut)]


def _drapes(garment: Garment, cut: Cut) -> list[Fold]:
    """How the cloth falls towards the hem."""
    hem = ((-cut.hem, cut.end), (cut.hem, cut.end))
    if garment.tag("kind") == "dress":
        count = {"slim": 3, "regular": 7, "loose": 9}[garment.tag("fit")]
        y = WAIST + 0.02 if cut.waist < 0.3 else cut.armpit
        height = 0.014 if count == 3 else 0.03
        return fan(((-cut.waist, y), (cut.waist, y)), hem, count, height=height)
    if garment.tag("fit") == "loose":
        wide = cut.chest * 0.8
        return fan(((-wide, cut.armpit), (wide, cut.armpit)), hem, 4, height=0.028)
    if cut.end < 1.0:
        return []
    x, y = cut.hem, cut.end
    return [
        fold((-0.55 * x, y - 0.3), (-0.6 * x, y + 0.02), width=0.07, height=0.02),
        fold((0.4 * x, y - 0.35), (0.52 * x, y + 0.02), width=0.07, height=0.02),
    ]


def _back_seams(kind: str, cut: Cut) -> list[Array]:
    wide = cut.shoulder - 0.03
    if kind == "shirt":
        return [
            curve((-wide, 0.2), (0.0, 0.215), (wide, 0.2)),
            np.array([(0.0, 0.21), (0.0, cut.end)]),
        ]
    if kind == "jumper":
        return []
    end = min(cut.end, 0.95) if kind == "dress" else cut.end
    return [np.array([(0.0, 0.05), (0.0, end)])]


def _front_closure(
    garment: Garment, cut: Cut
) -> tuple[list[Array], list[tuple[float, float, float]]]:
    """The seams and buttons down the front."""
    kind, neckline = garment.tag("kind"), garment.tag("neckline")
    if kind == "jacket":
        if neckline == "high":
            return [], []
        first = cut.drop + (0.03 if neckline == "collar" else 0.1)
        last = min(cut.end - 0.28, max(first + 0.2, 0.98))
        count = max(2, round((last - first) / 0.17)) if neckline != "collar" else 2
        line = np.array([(0.03, cut.drop + 0.01), (0.03, cut.end - 0.06)])
        return [line], [(0.0, y, 0.03) for y in np.linspace(first, last, count)]
    if neckline != "collar":
        return [], []
    last = {"shirt": cut.end - 0.1, "dress": min(cut.end - 0.12, 1.3), "jumper": 0.36}[kind]
    lines = [
        np.array([(x, cut.drop), (x, last + (0.06 if kind == "jumper" else 0.12))])
        for x in (-0.034, 0.034)
    ]
    count = max(2, round((last - 0.2) / 0.135))
    return lines, [(0.0, y, 0.0175) for y in np.linspace(0.22, last, count)]


def _band(cut: Cut, deep: float) -> Piece:
    """The ribbed hem of a jumper."""
    low, high, wide = cut.end + 0.02, cut.end - deep, cut.hem
    outline = mirrored(
        [(0.0, high + 0.015), (wide * 0.99, high)],
        curve((wide * 0.96, low - 0.02), (0.0, low + 0.02)),
    )
    return Piece(outline, texture="rib", patterned=False, puff=0.03, lifted=0.15)


def _pockets(cut: Cut) -> list[Piece]:
    y = min(cut.end - 0.24, 0.86)
    inner, outer = 0.095, min(cut.waist, cut.hip) - 0.055
    flap = joined(
        [(inner, y), (outer, y - 0.012)],
        [(outer + 0.005, y + 0.075)],
        curve((outer - 0.03, y + 0.092), (inner + 0.03, y + 0.1), (inner - 0.003, y + 0.085)),
    )
    return both(Piece(flap, puff=0.018, lifted=0.5))
