"""The measures that the tags of a top ask for."""

from __future__ import annotations

from dataclasses import dataclass

from likelens.values.arrays import Array

from .outlines import curve
from .vocabulary import Garment

WAIST = 0.64
LENGTHS = {
    "dress": {"short": 1.36, "medium": 1.84, "long": 2.42},
    "shirt": {"short": 0.76, "medium": 1.05, "long": 1.42},
    "jumper": {"short": 0.74, "medium": 1.04, "long": 1.40},
    "jacket": {"short": 0.76, "medium": 1.12, "long": 1.78},
}
"""Where the hem is."""


@dataclass(frozen=True)
class Cut:
    """The measures of a top, half widths from the middle; see ``outlines`` for the unit.

    Attributes:
        shoulder: half width of the shoulders.
        chest, waist, hip: half widths there.
        armpit: y of the armpit.
        hem: half width at the hem.
        end: y of the hem.
        neck: half width of the neck's opening.
        drop: y of the lowest point of the neck's opening, in front.
        arm: how far the arm hangs from upright, in radians.
        upper, wrist: half widths of the sleeve.
    """

    shoulder: float
    chest: float
    waist: float
    hip: float
    armpit: float
    hem: float
    end: float
    neck: float
    drop: float
    arm: float
    upper: float
    wrist: float

    @classmethod
    def of(cls, garment: Garment) -> Cut:
        """The cut that the tags ask for."""
        kind, neckline = garment.tag("kind"), garment.tag("neckline")
        size = ("slim", "regular", "loose").index(garment.tag("fit"))
        room = {"jacket": 0.035, "jumper": 0.015}.get(kind, 0.0)
        chest = (0.28, 0.33, 0.43)[size] + room
        hip = (0.285, 0.335, 0.46)[size] + room
        waist = (0.215, 0.30, 0.445)[size] + room
        end = LENGTHS[kind][garment.tag("length")]
        hem = hip + 0.05 * max(0.0, end - 1.0)
        if kind == "dress":
            chest, waist = (0.275, 0.30, 0.35)[size], (0.21, 0.235, 0.37)[size]
            hip = (0.29, 0.36, 0.47)[size]
            hem = (0.25, 0.46, 0.70)[size] * (0.72 + 0.2 * (end - WAIST))
        drop = {"round": 0.15, "v-neck": 0.40, "collar": 0.13, "high": 0.05}[neckline]
        if kind == "jacket" and neckline == "collar":
            drop = 0.56 if end > 1.0 else 0.42
        return cls(
            shoulder=(0.325, 0.355, 0.42)[size] + room / 2,
            chest=chest,
            waist=waist,
            hip=hip,
            armpit=(0.35, 0.39, 0.47)[size],
            hem=hem,
            end=end,
            neck={"round": 0.155, "v-neck": 0.14, "collar": 0.125, "high": 0.12}[neckline],
            drop=drop,
            arm=(0.25, 0.30, 0.36)[size],
            upper=(0.105, 0.13, 0.19)[size] + room / 2,
            wrist=(0.068, 0.085, 0.125)[size] + room / 2,
        )

    def side(self, end: float) -> Array:
        """From the armpit down to the end of the side seam, on the right."""
        points = [(self.chest, self.armpit), (self.waist, WAIST)]
        if self.end > 1.2:
            points.append((self.hip, 0.98))
        return curve(*points, (self.hem, end))

    def neckline(self, *, back: bool) -> Array:
        """From the middle of the neck's opening to the shoulder, on the right."""
        drop = min(self.drop, 0.045) if back else self.drop
        if drop < 0.2 or back:
            return curve((0.0, drop), (self.neck * 0.66, drop * 0.74), (self.neck, 0.0))
        return curve((0.0, drop), (self.neck * 0.6, drop * 0.48), (self.neck, 0.0))
