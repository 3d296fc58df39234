"""The best match of queries that have no true match, to calibrate a threshold by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..index.base import Index
from ..metrics import Threshold, calibrate
from ..values.arrays import Array, Floats, Positions
from ..values.errors import BadQuery

SAMPLE = 2_048
"""Items whose principal axes stand for all, so that the time is bounded in any dimension."""

DEPTH = 32
"""Neighbours looked at for one of another group, before all of a group is left out."""


def calibrate_by_groups(
    index: Index,
    groups: Positions,
    known: Array,
    *,
    false_alarm: float,
    queries: int,
    seed: int,
    allowed: Array | None,
    by: str,
) -> Threshold:
    """A threshold from labelled items: each asks a gallery without the items of its group.

    Items without a group stay in the gallery, for searches find them, too. Those of them
    that are true matches raise the threshold.

    Args:
        index: the gallery.
        groups: (n,) class or product of each item; without one, a group of its own.
        known: (n,) bool, whether an item has one; those without ask nothing.
        false_alarm: the rate, see ``metrics.calibrate``.
        queries: how many items at most, drawn with the seed, are queries.
        seed: of that draw and of the interval's.
        allowed: (n,) bool, what may be found; None for everything.
        by: which groups these are, in words.

    Raises:
        BadQuery: fewer than two groups.
        BadSpec: too few queries to show the rate.
    """
    gallery = np.ones(len(known), bool) if allowed is None else allowed
    labelled = np.flatnonzero(known)
    if len(np.unique(groups[known & gallery])) < 2:
        raise BadQuery(
            "no query is without a match: all items that may be found are of one kind",
            where=by,
            hint="name a column with several values, or calibrate without labels",
        )
    draw = np.random.default_rng(seed)
    asked = np.sort(draw.choice(labelled, min(queries, len(labelled)), replace=False))
    best = _best_of_others(index, asked, groups, gallery)
    found = calibrate(best, false_alarm=false_alarm, groups=groups[asked], seed=seed)
    return replace(found, kept=_kept(index, asked, found.value, allowed), by=by)


def _best_of_others(index: Index, asked: Positions, groups: Positions, gallery: Array) -> Floats:
    """(q,) the highest cosine of some items to gallery items of other groups."""
    scores, places = index.search(index.vectors[asked], DEPTH, gallery)
    other = groups[places] != groups[asked][:, None]
    best: Floats = np.where(other, scores, -np.inf).max(axis=1)
    unseen = np.isneginf(best)
    for group in np.unique(groups[asked[unseen]]):
        rows = np.flatnonzero(unseen & (groups[asked] == group))
        left = gallery & (groups != group)
        if left.any():
            best[rows] = index.search(index.vectors[asked[rows]], 1, left)[0][:, 0]
    return best


def calibrate_by_shuffling(
    index: Index, *, false_alarm: float, queries: int, seed: int, allowed: Array | None
) -> Threshold:
    """A threshold without labels: queries whose parts come from different items.

    The vectors are turned to their principal axes, and on each axis a query takes the
    value of an item drawn for that axis alone. Such queries are centred, spread and
    correlated as the items are, and belong to none of them. They stand for pictures from
    elsewhere; a missing class of this very gallery comes nearer, see docs/search.md.

    Args:
        index: the gallery.
        false_alarm: the rate, see ``metrics.calibrate``.
        queries: how many, at most as many as items.
        seed: of the draws.
        allowed: (n,) bool, what may be found; None for everything.

    Raises:
        BadQuery: nothing may be found.
        BadSpec: too few items to show the rate.
    """
    count = len(index) if allowed is None else int(allowed.sum())
    if not count:
        raise BadQuery(
            "no item may be found, so nothing can be compared",
            where="--threshold auto",
            hint="use a wider filter",
        )
    draw = np.random.default_rng(seed)
    number = min(queries, len(index))
    best = index.search(shuffled(index.vectors, number, draw), 1, allowed)[0][:, 0]
    found = calibrate(best, false_alarm=false_alarm, seed=seed)
    asked = np.sort(draw.choice(len(index), number, replace=False))
    return replace(found, kept=_kept(index, asked, found.value, allowed), by="shuffled vectors")


def shuffled(vectors: Floats, count: int, draw: np.random.Generator) -> Floats:
    """(count, d) float32 vectors made of parts of different rows, see the function above."""
    rows = np.sort(draw.choice(len(vectors), min(len(vectors), SAMPLE), replace=False))
    centre = vectors[rows].mean(axis=0)
    along, lengths, axes = np.linalg.svd(vectors[rows] - centre, full_matrices=False)
    drawn = draw.integers(0, len(rows), (count, len(lengths)))
    made: Floats = centre + (np.take_along_axis(along, drawn, axis=0) * lengths) @ axes
    return made


def _kept(index: Index, asked: Positions, threshold: float, allowed: Array | None) -> float:
    """Share of items whose best match, other than itself, reaches a threshold."""
    scores, places = index.search(index.vectors[asked], 2, allowed)
    best = np.where(places == asked[:, None], -np.inf, scores).max(axis=1, initial=-np.inf)
    return float((best >= threshold).mean())
