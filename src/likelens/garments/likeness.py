"""How alike two garments truly are, known from how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from likelens.values.arrays import Floats

from .tastes import CARE
from .vocabulary import COLOURS, NONE, SHAPED_BY, TAGS, Garment

ALIKE = 0.54
"""Two garments are truly alike above this likeness: about 1.5 % of the pairs of a catalogue."""

KINDRED = 0.6
"""Likeness of two kinds that have the same shape to speak of, such as a shirt and a jumper."""

GROUND = 0.7
"""Share of the ground in the colour of a patterned garment; the pattern has the rest."""

NEAR = 30.0
"""Distance in CIE Lab over which the likeness of two colours falls to exp(-1)."""

ORDERED = ("sleeve", "length", "fit")
"""Categories whose values are steps: neighbours are half alike."""


def likeness(garments: Sequence[Garment], others: Sequence[Garment] | None = None) -> Floats:
    """How alike every two garments are, from 0 to 1.

    The kind comes first: the agreement of all other categories is multiplied by 1 for
    garments of one kind, by 0.6 for kinds that have the same categories of shape, and by
    0 for others. The agreement is the mean over the categories that either of the two has,
    each weighted by what customers care for it (``CARE``):

    - colour: with A_ab = exp(-(distance of colours a and b in CIE Lab / 30)^2) and p the
      shares of a garment's colours (0.7 ground, 0.3 pattern), p'Aq / sqrt(p'Ap q'Aq);
    - sleeve, length and fit: 1 the same, 0.5 a step apart, 0 two steps apart;
    - pattern, neckline and material: 1 the same, else 0.

    Args:
        garments: n of them.
        others: m of them; None for the same again.

    Returns:
        (n, m) float64; symmetric, and 1 for garments with the same tags.

    Example:
        >>> from likelens import garments
        >>> likeness(garments.products(2)).round(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    theirs = garments if others is None else others
    agreement = np.zeros((len(garments), len(theirs)))
    weight = np.zeros((len(garments), len(theirs)))
    for category, care in CARE.items():
        if category == "kind":
            continue
        left, right = values(garments, category), values(theirs, category)
        agreement += care * (left @ right.T)
        weight += care * np.logical_or.outer(left.any(axis=1), right.any(axis=1))
    return np.clip(_kind(garments) @ _kinds() @ _kind(theirs).T * agreement / weight, 0.0, 1.0)


def values(garments: Sequence[Garment], category: str) -> Floats:
    """Vectors whose dot product is the agreement of two garments in a category.

    Args:
        garments: n of them.
        category: one of ``TAGS``, not ``kind``.

    Returns:
        (n, d) float64 of length 1; zeros where the category makes no sense.
    """
    if category == "colour":
        seen = np.array([_shares(garment) for garment in garments]) @ _root(category)
        return np.asarray(seen / np.linalg.norm(seen, axis=1, keepdims=True))
    known = {value: row for row, value in enumerate(TAGS[category])}
    chosen = np.zeros((len(garments), len(known)))
    for row, garment in enumerate(garments):
        if garment.tag(category) != NONE:
            chosen[row, known[garment.tag(category)]] = 1.0
    return np.asarray(chosen @ _root(category))


def _shares(garment: Garment) -> Floats:
    """How much of each colour a garment has, (colours,)."""
    names = list(COLOURS)
    shares = np.zeros(len(names))
    ground, pattern = garment.tags["colour"][0], garment.tags["colour"][-1]
    shares[names.index(ground)] += GROUND
    shares[names.index(pattern)] += 1 - GROUND
    return shares


@lru_cache(maxsize=len(TAGS))
def _root(category: str) -> Floats:
    """R with R R' = how alike the values of a category are."""
    root: Floats = np.linalg.cholesky(_table(category))
    root.flags.writeable = False
    return root


def _table(category: str) -> Floats:
    """How alike the values of a category are, (values, values)."""
    count = len(TAGS[category])
    if category == "colour":
        apart = _lab()[:, None] - _lab()[None, :]
        return np.asarray(np.exp(-(apart**2).sum(axis=2) / NEAR**2))
    if category in ORDERED:
        steps = np.abs(np.arange(count)[:, None] - np.arange(count)[None, :])
        return np.asarray(np.clip(1 - steps / 2, 0.0, 1.0))
    return np.eye(count)


def _lab() -> Floats:
    """The colours in CIE Lab, (colours, 3)."""
    rgb = np.array([list(COLOURS.values())], np.float32) / 255
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0], np.float64)


def _kind(garments: Sequence[Garment]) -> Floats:
    """1 in the column of each garment's kind."""
    names = TAGS["kind"]
    return np.eye(len(names))[[names.index(garment.tag("kind")) for garment in garments]]


def _kinds() -> Floats:
    """How alike two kinds are, (kinds, kinds)."""
    names = TAGS["kind"]
    shapes = [SHAPED_BY[name] for name in names]
    alike = [[KINDRED if a == b and len(a) > 1 else 0.0 for b in shapes] for a in shapes]
    return np.maximum(np.eye(len(names)), alike)
