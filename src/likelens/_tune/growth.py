"""How a cost grows with the number of vectors: a power law, fitted and extrapolated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
"""Student's t that 2.5 % exceed, by degrees of freedom."""


@dataclass(frozen=True)
class Law:
    """cost = scale · n^exponent, by least squares of the logarithms.

    Attributes:
        exponent: 1 where twice the vectors cost twice as much.
        low: lower end of its 95 % interval, by Student's t.
        high: upper end.
        centre: mean logarithms of n and of the cost.
        spread: sum of the squared distances of log n from its mean.
        error: standard deviation of the logarithm of a cost around the line.
        points: how many sizes it was fitted to.
    """

    exponent: float
    low: float
    high: float
    centre: tuple[float, float]
    spread: float
    error: float
    points: int

    def at(self, items: float) -> tuple[float, float, float]:
        """The cost at another size, and the 95 % interval of what would be measured there."""
        away = math.log(items) - self.centre[0]
        middle = self.centre[1] + self.exponent * away
        reach = T95[self.points - 2] * self.error
        reach *= math.sqrt(1 + 1 / self.points + away**2 / self.spread)
        return math.exp(middle), _exp(middle - reach), _exp(middle + reach)


def fit_law(sizes: Sequence[int], costs: Sequence[float]) -> Law | None:
    """The power law of some costs; None below three sizes, or where a cost is not above 0.

    Args:
        sizes: numbers of vectors, each once.
        costs: what was measured at each.
    """
    if len(sizes) < 3 or min(costs) <= 0:
        return None
    across, up = np.log(np.array(sizes, float)), np.log(np.array(costs, float))
    centre = float(across.mean()), float(up.mean())
    spread = float(((across - centre[0]) ** 2).sum())
    exponent = float((across - centre[0]) @ (up - centre[1])) / spread
    left = up - centre[1] - exponent * (across - centre[0])
    free = len(sizes) - 2
    error = math.sqrt(float(left @ left) / free)
    reach = T95[free] * error / math.sqrt(spread)
    return Law(exponent, exponent - reach, exponent + reach, centre, spread, error, len(sizes))


def _exp(power: float) -> float:
    return math.exp(min(power, 700.0))
