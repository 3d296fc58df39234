"""Hats, caps and scarves."""

from __future__ import annotations

import numpy as np

from likelens.values.arrays import Array

from .outlines import (
    Fold,
    Piece,
    curve,
    ellipse,
    fan,
    fold,
    joined,
    moved,
    strip,
)
from .vocabulary import Garment

TAILS = {"short": 0.42, "medium": 0.72, "long": 1.10}
"""How far the ends of a scarf hang down."""


def hat(garment: Garment, *, back: bool = False) -> list[Piece]:
    """A brimmed hat, a bobble hat or a cap, as the garment's seed decides."""
    return (_brimmed, _bobble, _cap)[garment.seed % 3](back=back)


def _brimmed(*, back: bool) -> list[Piece]:
    brim = joined(
        curve((-0.62, 0.10), (-0.45, 0.20), (0.0, 0.27), (0.45, 0.20), (0.62, 0.10)),
        curve((0.62, 0.10), (0.42, 0.03), (0.0, 0.0), (-0.42, 0.03), (-0.62, 0.10)),
    )
    crown = joined(
        curve((-0.335, 0.10), (-0.31, -0.18), (-0.24, -0.37)),
        curve((-0.24, -0.37), (-0.12, -0.44), (0.0, -0.385), (0.12, -0.44), (0.24, -0.37)),
        curve((0.24, -0.37), (0.31, -0.18), (0.335, 0.10)),
        curve((0.335, 0.10), (0.0, 0.185), (-0.335, 0.10)),
    )
    ribbon = joined(
        curve((-0.338, 0.10), (0.0, 0.188), (0.338, 0.10)),
        curve((0.322, -0.02), (0.0, 0.065), (-0.322, -0.02)),
    )
    dent = [
        fold((0.0, -0.42), (0.01, -0.28), (0.0, -0.14), width=0.10, height=-0.05),
        fold((-0.2, -0.36), (-0.16, -0.26), (-0.17, -0.15), width=0.06, height=-0.03),
        fold((0.2, -0.36), (0.16, -0.26), (0.17, -0.15), width=0.06, height=-0.03),
    ]
    x = 0.2 if back else -0.24
    bow = joined(
        [(x - 0.09, 0.0)],
        [(x, 0.05)],
        [(x + 0.09, 0.02)],
        [(x + 0.085, 0.13)],
        [(x, 0.085)],
        [(x - 0.085, 0.11)],
    )
    rim = curve((-0.57, 0.12), (-0.42, 0.19), (0.0, 0.245), (0.42, 0.19), (0.57, 0.12))
    return [
        Piece(brim, puff=0.045, lifted=0.0, stitches=[rim], angle=0.0),
        Piece(crown, puff=0.10, lifted=0.6, folds=dent, softness=0.03),
        Piece(
            ribbon, puff=0.02, patterned=False, tone=0.62, lifted=0.25, texture="silk", second=True
        ),
        Piece(bow, puff=0.02, patterned=False, tone=0.62, lifted=0.4, texture="silk", second=True),
    ]


def _bobble(*, back: bool) -> list[Piece]:
    dome = joined(
        curve(
            (-0.40, 0.14),
            (-0.41, -0.12),
            (-0.30, -0.36),
            (0.0, -0.47),
            (0.30, -0.36),
            (0.41, -0.12),
            (0.40, 0.14),
        )
    )
    cuff = joined(
        curve((-0.42, 0.06), (0.0, 0.10), (0.42, 0.06)),
        curve((0.435, 0.26), (0.0, 0.315), (-0.435, 0.26)),
    )
    turn = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    radius = 0.155 + 0.012 * np.sign(np.sin(turn * 20)) + 0.008 * np.cos(turn * 7)
    fluff = np.stack([radius * np.cos(turn), -0.53 + radius * np.sin(turn)], axis=1)
    tufts = []
    for k in range(26):
        way, near = 2.4 * k, 0.028 * np.sqrt(k)
        ends = [(r * np.cos(way), -0.53 + r * np.sin(way)) for r in (near, near + 0.05)]
        tufts.append(fold(*ends, width=0.035, height=0.03))
    pieces = [
        Piece(
            dome,
            puff=0.14,
            lifted=0.0,
            folds=fan(((-0.06, -0.46), (0.06, -0.46)), ((-0.4, 0.1), (0.4, 0.1)), 7, height=0.018),
        ),
        Piece(cuff, puff=0.06, texture="rib", patterned=False, lifted=0.4),
        Piece(
            fluff,
            puff=0.06,
            patterned=False,
            second=True,
            lifted=0.3,
            folds=tufts,
            softness=0.008,
            texture="plain",
            edge=0.7,
        ),
    ]
    if not back:
        badge = np.array([(0.16, 0.13), (0.29, 0.12), (0.295, 0.22), (0.165, 0.23)])
        pieces.append(
            Piece(badge, colour=(150, 108, 70), texture="leather", puff=0.015, lifted=0.3)
        )
    return pieces


def _cap(*, back: bool) -> list[Piece]:
    """Seen from the side, the peak to the right; from behind with its strap."""
    dome = joined(
        curve(
            (-0.45, 0.15),
            (-0.46, -0.08),
            (-0.33, -0.30),
            (-0.03, -0.38),
            (0.24, -0.29),
            (0.36, -0.06),
            (0.38, 0.13),
        ),
        curve((0.38, 0.13), (0.0, 0.20), (-0.45, 0.15)),
    )
    if back:
        dome = joined(
            curve(
                (-0.42, 0.15),
                (-0.43, -0.1),
                (-0.30, -0.30),
                (0.0, -0.38),
                (0.30, -0.30),
                (0.43, -0.1),
                (0.42, 0.15),
            ),
            curve((0.42, 0.15), (0.0, 0.21), (-0.42, 0.15)),
        )
    middle = (0.0, -0.38) if back else (-0.03, -0.38)
    ways = ((-0.24, 0.18), (0.24, 0.18)) if back else ((-0.27, 0.17), (0.12, 0.17))
    seams = [curve(middle, (x * 0.9 + middle[0] * 0.3, -0.15), (x, y)) for x, y in ways]
    crown = Piece(
        dome,
        puff=0.13,
        lifted=0.3,
        seams=seams,
        stitches=[moved(line, (0.022, 0.0)) for line in seams],
    )
    for x, y in ((-0.16, -0.17), (0.10, -0.17), (0.27, -0.08)) if not back else ():
        crown.buttons.append((x, y, 0.014))
    button = Piece(ellipse(*middle, 0.045, 0.024), puff=0.02, patterned=False, second=True)
    if back:
        gap = joined(
            curve((-0.13, 0.195), (-0.12, 0.04), (0.0, -0.02), (0.12, 0.04), (0.13, 0.195))
        )
        strap = np.array([(-0.15, 0.125), (0.15, 0.125), (0.15, 0.195), (-0.15, 0.195)])
        band = Piece(strap, puff=0.015, lifted=0.3, patterned=False, second=True)
        band.stitches.append(np.array([(-0.15, 0.16), (0.15, 0.16)]))
        return [crown, button, Piece(gap, tone=0.4, patterned=False, lifted=0.0), band]
    peak = joined(
        curve((0.16, 0.175), (0.30, 0.10), (0.375, 0.05)),
        curve((0.375, 0.05), (0.58, 0.08), (0.76, 0.19)),
        curve((0.76, 0.19), (0.77, 0.215), (0.74, 0.225)),
        curve((0.74, 0.225), (0.5, 0.175), (0.30, 0.205), (0.16, 0.175)),
    )
    rows = [
        curve((0.27, 0.16 - d), (0.45, 0.125 - 0.5 * d), (0.70 - d, 0.195 - 0.4 * d))
        for d in (0.0, 0.04)
    ]
    return [
        Piece(peak, puff=0.04, lifted=0.2, patterned=False, second=True, stitches=rows),
        crown,
        button,
    ]


def scarf(garment: Garment, *, back: bool = False) -> list[Piece]:
    """A scarf wound once round the neck, its fringed ends hanging down."""
    drop = TAILS[garment.tag("length")]
    side = -1.0 if back else 1.0
    far = _tail(
        curve((-0.08 * side, 0.10), (-0.17 * side, 0.35), (-0.20 * side, 0.12 + drop * 0.86)),
        0.07 * side,
    )
    near = _tail(
        curve((0.10 * side, 0.12), (0.14 * side, 0.38), (0.13 * side, 0.14 + drop)), -0.05 * side
    )
    behind = Piece(ellipse(0.0, -0.04, 0.33, 0.12), tone=0.6, puff=0.05, lifted=0.0)
    ring = joined(
        curve((-0.33, -0.08), (-0.24, -0.02), (0.0, 0.035), (0.24, -0.02), (0.33, -0.08)),
        curve(
            (0.33, -0.08),
            (0.36, 0.06),
            (0.24, 0.20),
            (0.0, 0.255),
            (-0.24, 0.20),
            (-0.36, 0.06),
            (-0.33, -0.08),
        ),
    )
    swirl = [
        fold((-0.34, 0.0), (-0.15, 0.10), (0.10, 0.12), (0.33, 0.03), width=0.06, height=0.035),
        fold((-0.30, 0.11), (0.0, 0.20), (0.28, 0.13), width=0.05, height=0.03),
        fold((-0.33, -0.04), (0.0, 0.06), (0.32, -0.04), width=0.035, height=-0.025),
    ]
    back_roll = joined(
        curve((-0.33, -0.07), (-0.22, -0.17), (0.0, -0.205), (0.22, -0.17), (0.33, -0.07)),
        curve((0.33, -0.07), (0.2, -0.085), (0.0, -0.10), (-0.2, -0.085), (-0.33, -0.07)),
    )
    return [
        behind,
        Piece(back_roll, puff=0.05, tone=0.9, lifted=0.0),
        *far,
        *near,
        Piece(ring, puff=0.07, folds=swirl, lifted=0.8),
    ]


def _tail(path: Array, lean: float) -> list[Piece]:
    """One hanging end, with its fringe."""
    end = path[-1]
    threads = []
    for t in np.linspace(-0.95, 0.95, 13).tolist():
        x, y = float(end[0]) + 0.155 * t, float(end[1])
        line = curve((x, y - 0.02), (x + lean * 0.2 * t, y + 0.05), (x + lean * 0.1, y + 0.12))
        threads.append(strip(line, 0.017, 0.007))
    fringe = [
        Piece(
            outline, patterned=False, puff=0.005, lifted=0.0, edge=0.5, texture="plain", second=True
        )
        for outline in threads
    ]
    width = 0.22 + 0.09 * np.linspace(0, 1, len(path))[:, None] ** 0.5
    left, right = path - (0.5, 0.0) * width, path + (0.5, 0.0) * width
    body = Piece(np.vstack([left, right[::-1]]), puff=0.04, lifted=0.5, angle=-0.05 * np.sign(lean))
    for t in (-0.25, 0.05, 0.3):
        line = path + (t, 0.0) * width
        body.folds.append(Fold(strip(line[1:], 0.02, 0.045), 0.03 if t != 0.05 else -0.025))
    return [*fringe, body]
