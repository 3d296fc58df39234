"""The shares of the parts of a fusion that make a score highest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..values.arrays import Floats

EARNS = 1e-4
"""A part that adds less than this to the score is left out."""

STEPS = 50
"""Shares of a part that are tried, from 0 to 1, before the best is looked at closely."""

FINE = 1e-3
"""How closely the best share of a part is found."""

ROUNDS = 20
"""At most so many times is every part's share improved."""

Score = Callable[[Floats], float]
"""The score of a fusion with those shares, which sum to 1."""

_GOLDEN = (5**0.5 - 1) / 2


def best_shares(score: Score, k: int) -> tuple[Floats, tuple[tuple[float, float], ...]]:
    """The shares with the highest value, summing to 1; and of two parts, all that was tried."""
    corners = list(np.eye(k))
    if k == 2:
        tried = _tried(score, corners[0], 1)
        best = _mixed(corners[0], 1, _highest(tried))
        return _pruned(score, best), tuple(sorted(tried.items()))
    starts = [np.full(k, 1 / k), *corners]
    ends = [_ascended(score, start) for start in starts]
    return _pruned(score, max(ends, key=score)), ()


def _ascended(score: Score, shares: Floats) -> Floats:
    """Shares improved one after another until that gains nothing."""
    for _ in range(ROUNDS):
        before = score(shares)
        for place in range(len(shares)):
            if shares[place] < 1:
                tried = _tried(score, shares, place)
                better = _mixed(shares, place, _highest(tried))
                shares = max(shares, better, key=score)
        if score(shares) - before < EARNS / 100:
            break
    return shares


def _tried(score: Score, shares: Floats, place: int) -> dict[float, float]:
    """Values by the share of one part, the others keeping their ratios.

    At even steps from 0 to 1, and by golden section around the best of these.
    """
    tried: dict[float, float] = {}

    def value(share: float) -> float:
        share = round(share, 6)
        if share not in tried:
            tried[share] = score(_mixed(shares, place, share))
        return tried[share]

    best = max((step / STEPS for step in range(STEPS + 1)), key=value)
    low, high = max(0.0, best - 1 / STEPS), min(1.0, best + 1 / STEPS)
    while high - low > FINE:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if value(left) >= value(right):
            high = right
        else:
            low = left
    return tried


def _highest(tried: Mapping[float, float]) -> float:
    """The share of the highest value, the least of equals."""
    return min(tried, key=lambda share: (-tried[share], share))


def _mixed(shares: Floats, place: int, share: float) -> Floats:
    """The same shares with one changed, the others keeping their ratios."""
    others = np.array(shares, np.float64)
    others[place] = 0.0
    others *= (1 - share) / others.sum()
    others[place] = share
    return others


def _pruned(score: Score, shares: Floats) -> Floats:
    """Without the parts that earn too little, the least first."""
    for place in np.argsort(shares, kind="stable"):
        if not 0 < shares[place] < 1:
            continue
        without = _mixed(shares, int(place), 0.0)
        if score(without) > score(shares) - EARNS:
            shares = without
    return shares
