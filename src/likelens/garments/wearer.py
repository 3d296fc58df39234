"""Somebody who wears or carries a garment, drawn from simple pieces."""

from __future__ import annotations

import numpy as np

from likelens.values.arrays import Array

from .bags import HANDLES
from .bottoms import TOP
from .cuts import Cut
from .outlines import (
    Piece,
    Point,
    both,
    curve,
    ellipse,
    fold,
    joined,
    mirrored,
    moved,
    redrawn,
    strip,
)
from .shoes import SHAFTS, shoe
from .vocabulary import RGB, Garment

SKINS: tuple[RGB, ...] = (
    (250, 220, 198),
    (238, 194, 162),
    (216, 164, 126),
    (176, 120, 84),
    (128, 84, 58),
    (88, 58, 42),
)
HAIRS: tuple[RGB, ...] = (
    (40, 32, 30),
    (88, 56, 36),
    (148, 100, 56),
    (218, 182, 112),
    (120, 116, 114),
)
CLOTHES: tuple[RGB, ...] = (
    (58, 70, 96),
    (60, 60, 64),
    (178, 168, 150),
    (228, 226, 220),
    (112, 92, 84),
)
EYES: RGB = (44, 36, 34)


class Wearer:
    """Skin, hair and other clothes, as a generator chooses them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.skin = SKINS[int(rng.integers(len(SKINS)))]
        self.hair = HAIRS[int(rng.integers(len(HAIRS)))]
        self.long_hair = bool(rng.random() < 0.5)
        above, below = rng.permutation(len(CLOTHES))[:2]
        self.above, self.below = CLOTHES[int(above)], CLOTHES[int(below)]

    def behind(self, garment: Garment) -> list[Piece]:
        """What lies under the garment, from the rearmost to the foremost."""
        kind = garment.tag("kind")
        if kind == "shoe":
            far = shoe(garment)
            return [
                redrawn(piece, (1.0, 1.0), (0.30, -0.16), 0.8)
                for piece in [*far, *self._ankle(garment)]
            ]
        if kind == "bag":
            return self._hip()
        if kind == "hat":
            return self._bust(0.40, 2.1)
        if kind == "scarf":
            return self._bust(-0.36, 1.0)
        if kind in ("trousers", "skirt"):
            return [
                *self._legs(bare=kind == "skirt"),
                *self._figure(0.30, 0.10),
                self._torso(),
                *self._head(-0.36, 1.0),
            ]
        cut = Cut.of(garment)
        lower = self._legs(bare=kind == "dress")
        return [*lower, *self._figure(cut.arm, cut.shoulder - 0.355), *self._head(-0.36, 1.0)]

    def before(self, garment: Garment) -> list[Piece]:
        """What lies over the garment: the leg in a shoe, the hand on a bag."""
        if garment.tag("kind") == "shoe":
            return self._ankle(garment)
        if garment.tag("kind") == "bag":
            return self._hand(-HANDLES[garment.tag("length")])
        return []

    def _skin(self, outline: Array, puff: float = 0.05) -> Piece:
        return Piece(outline, colour=self.skin, texture="plain", puff=puff, edge=0.5, lifted=0.2)

    def _hair(self, outline: Array, lifted: float) -> Piece:
        return Piece(outline, colour=self.hair, texture="plain", puff=0.04, edge=0.5, lifted=lifted)

    def _head(self, y: float, size: float) -> list[Piece]:
        """Head, hair and neck; y of the middle of the head."""
        fall = 0.31 if self.long_hair else 0.012
        back = curve((-0.165, fall), (-0.17, -0.08), (0.0, -0.23), (0.17, -0.08), (0.165, fall))
        fringe = joined(
            curve((-0.15, -0.01), (-0.14, -0.15), (0.0, -0.22), (0.14, -0.15), (0.15, -0.01)),
            curve((0.12, -0.09), (0.0, -0.12), (-0.09, -0.10), (-0.13, -0.03)),
        )
        neck = strip(curve((0.0, 0.1), (0.0, 0.42)), 0.135, 0.17)
        face = self._skin(ellipse(0.0, 0.0, 0.135, 0.18, 40), puff=0.06)
        face.seams.append(curve((-0.045, 0.095), (0.0, 0.108), (0.045, 0.095)))
        face.seams.append(curve((0.0, 0.01), (0.012, 0.05), (-0.004, 0.055)))
        eyes = [
            Piece(ellipse(x, 0.0, 0.014, 0.018), colour=EYES, texture="plain", lifted=0.0, edge=0.0)
            for x in (-0.055, 0.055)
        ]
        pieces = [self._hair(back, 0.0), self._skin(neck), face, *eyes, self._hair(fringe, 0.3)]
        return [redrawn(piece, (size, size), (0.0, y)) for piece in pieces]

    def _figure(self, arm: float, wider: float) -> list[Piece]:
        """Arms and shoulders."""
        down, out = np.array([np.sin(arm), np.cos(arm)]), np.array([np.cos(arm), -np.sin(arm)])
        start = np.array([0.275 + wider, 0.15])
        elbow, wrist = start + 0.5 * down + 0.012 * out, start + 1.0 * down
        limb = strip(curve(tuple(start), tuple(elbow), tuple(wrist)), 0.15, 0.09)
        palm = wrist + 0.085 * down
        hand = moved(ellipse(0.0, 0.0, 0.058, 0.105), tuple(palm), -arm)
        thumb = moved(
            ellipse(0.0, 0.0, 0.022, 0.06), tuple(palm - 0.05 * out - 0.01 * down), -arm + 0.3
        )
        chest = mirrored(
            curve((0.0, 0.0), (0.1, 0.0), (0.30, 0.09)),
            curve((0.30, 0.09), (0.26, 0.4), (0.22, 0.64)),
            [(0.0, 0.64)],
        )
        return [
            self._skin(chest),
            *both(self._skin(limb, puff=0.04)),
            *both(self._skin(thumb, puff=0.02)),
            *both(self._skin(hand, puff=0.03)),
        ]

    def _torso(self) -> Piece:
        """A plain top to go with trousers or a skirt."""
        outline = mirrored(
            curve((0.0, 0.10), (0.09, 0.07), (0.14, 0.0)),
            curve((0.34, 0.08), (0.40, 0.26), (0.44, 0.40)),
            [(0.29, 0.43)],
            curve((0.285, 0.43), (0.24, 0.6), (0.25, 0.78)),
            [(0.0, 0.8)],
        )
        folds = [fold((0.2, 0.62), (0.0, 0.68), (-0.15, 0.6), width=0.05, height=0.015)]
        return Piece(outline, colour=self.above, texture="plain", puff=0.07, folds=folds)

    def _legs(self, *, bare: bool) -> list[Piece]:
        colour = self.skin if bare else self.below
        wide = (0.20, 0.10) if bare else (0.26, 0.16)
        leg = strip(curve((0.15, TOP + 0.25), (0.17, 1.7), (0.185, 2.42)), *wide)
        foot = joined(
            curve((0.12, 2.36), (0.185, 2.33), (0.25, 2.36)),
            curve((0.25, 2.36), (0.29, 2.52), (0.2, 2.56), (0.12, 2.5), (0.12, 2.36)),
        )
        hips = mirrored(
            [(0.0, TOP + 0.1)], curve((0.23, TOP + 0.1), (0.27, 0.95), (0.28, 1.1)), [(0.0, 1.15)]
        )
        limb = Piece(leg, colour=colour, texture="plain", puff=0.06, edge=0.6)
        seat = Piece(hips, colour=colour, texture="plain", puff=0.06, edge=0.0, lifted=0.0)
        boot = Piece(foot, colour=(66, 60, 58), texture="leather", puff=0.03)
        return [*both(limb), seat, *both(boot)]

    def _bust(self, y: float, size: float) -> list[Piece]:
        """Head and shoulders, in a coat."""
        low, wide = y + 0.34 * size, 0.22 + 0.22 * size
        coat = mirrored(
            curve((0.0, low), (0.10 * size, low - 0.01), (wide, low + 0.10 * size)),
            curve((wide, low + 0.10 * size), (wide * 1.15, low + 0.5), (wide * 1.2, low + 2.2)),
            [(0.0, low + 2.2)],
        )
        body = Piece(coat, colour=self.above, texture="plain", puff=0.1)
        body.seams.append(np.array([(0.0, low), (0.0, low + 2.2)]))
        for x in (-0.78, 0.78):
            body.seams.append(
                curve((x * wide, low + 0.4), (x * wide * 1.04, low + 1.0), (x * wide, low + 2.2))
            )
        head = self._head(y, size)
        return [*head[:2], body, *head[2:]]

    def _hip(self) -> list[Piece]:
        """The side of a coat, beside which a bag is carried."""
        outline = joined(
            [(-1.8, -1.9)],
            curve((-0.62, -1.9), (-0.62, -0.8), (-0.48, 0.3), (-0.36, 1.8)),
            [(-1.8, 1.8)],
        )
        folds = [
            fold((x, -0.9), (x + 0.08, 0.3), (x + 0.14, 1.6), width=0.12, height=0.05)
            for x in (-0.75, -0.95, -1.2)
        ]
        return [Piece(outline, colour=self.below, texture="plain", puff=0.15, folds=folds)]

    def _hand(self, y: float) -> list[Piece]:
        """A forearm that comes down to the handle at height y, and the fist around it."""
        arm = strip(curve((-0.02, y - 0.05), (-0.10, y - 0.5), (-0.34, y - 1.3)), 0.13, 0.24)
        cuff = strip(curve((-0.055, y - 0.3), (-0.12, y - 0.6), (-0.34, y - 1.3)), 0.25, 0.36)
        fist = ellipse(0.0, y - 0.01, 0.105, 0.095)
        fingers = [ellipse(x, y + 0.035, 0.026, 0.062) for x in (0.075, 0.028, -0.02, -0.066)]
        sleeve = Piece(cuff, colour=self.below, texture="plain", puff=0.07, lifted=0.3)
        return [
            self._skin(arm, puff=0.05),
            sleeve,
            self._skin(fist, puff=0.05),
            *(self._skin(finger, puff=0.02) for finger in fingers),
        ]

    def _ankle(self, garment: Garment) -> list[Piece]:
        """The leg that stands in a shoe."""
        rise = SHAFTS[garment.tag("length")]
        top = -0.30 - rise
        lean: Point = (-0.25, top - 1.3)
        wide = 0.30 if rise > 0.5 else 0.24
        calf = strip(curve((-0.225, top + 0.015), (-0.225, top - 0.4), lean), wide, wide + 0.12)
        hem = top - (0.10 if rise < 0.1 else 0.16)
        cloth = joined(
            [(-0.43, hem + 0.01)],
            curve((-0.43, hem + 0.01), (-0.23, hem + 0.04), (-0.03, hem)),
            [(0.0, top - 1.5), (-0.48, top - 1.5)],
        )
        leg = self._skin(calf, puff=0.06)
        return [
            leg,
            Piece(
                cloth,
                colour=self.below,
                texture="denim",
                puff=0.08,
                stitches=[curve((-0.42, hem - 0.04), (-0.23, hem - 0.01), (-0.04, hem - 0.05))],
            ),
        ]
