"""How far two rankings of the same encoders agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..values.arrays import Floats, Positions

EXACT = 8
"""Up to so many encoders the p-value comes from all orders they can stand in."""


@dataclass(frozen=True)
class Agreement:
    """Spearman's correlation of two rankings.

    Attributes:
        encoders: how many have a score in both.
        rho: the correlation, NaN below three encoders or where all scores of one are equal.
        p: two-sided p-value of no agreement; exact up to ``EXACT`` encoders, by Student's t
            beyond. Four encoders in the same order still have p = 0.083.
    """

    encoders: int
    rho: float
    p: float


def spearman(first: Mapping[str, float], other: Mapping[str, float]) -> Agreement:
    """The agreement of two scores of the same encoders; those without a score are left out.

    Example:
        >>> spearman({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 0.1, "b": 0.2, "c": 0.4}).rho
        1.0
    """
    names = [name for name in first if math.isfinite(first[name]) and math.isfinite(other[name])]
    left = _centred([first[name] for name in names])
    right = _centred([other[name] for name in names])
    spread = float(np.sqrt((left @ left) * (right @ right)))
    if len(names) < 3 or spread == 0:
        return Agreement(len(names), math.nan, math.nan)
    rho = round(float(left @ right) / spread, 12)
    return Agreement(len(names), rho, _p_value(left, right, rho * spread, len(names)))


def _centred(scores: list[float]) -> Floats:
    """Ranks, those of equal scores shared, less their mean."""
    values = np.array(scores, np.float64)
    order = np.sort(values)
    low, high = np.searchsorted(order, values), np.searchsorted(order, values, "right")
    ranks: Floats = (low + high + 1) / 2
    return ranks - (len(values) + 1) / 2


@cache
def _orders(count: int) -> Positions:
    """All orders that so many can stand in."""
    return np.array(list(itertools.permutations(range(count))), np.int64)


def _p_value(left: Floats, right: Floats, reached: float, count: int) -> float:
    if count <= EXACT:
        chance = np.abs(right[_orders(count)] @ left)
        return float((chance >= abs(reached) - 1e-9).mean())
    from scipy.special import stdtr

    rho = reached / float(np.sqrt((left @ left) * (right @ right)))
    if abs(rho) >= 1:
        return 0.0
    t = abs(rho) * math.sqrt((count - 2) / (1 - rho * rho))
    return float(2 * stdtr(count - 2, -t))
