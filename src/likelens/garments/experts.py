"""Experts who never lived: whether they call two garments alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from likelens.values.arrays import Floats

from .likeness import ALIKE
from .vocabulary import at_least

BIAS, NOISE = 0.03, 0.08
"""Spread of the experts' leanings, and of what one expert sees in the same pair on two days."""


@dataclass(frozen=True)
class Expert:
    """Somebody who judges pairs.

    Attributes:
        bias: what is added to every likeness; a lenient expert has one above 0.
        noise: standard deviation of the errors, anew for every pair.
        seed: of the errors.
    """

    bias: float
    noise: float
    seed: tuple[int, ...]

    def votes(self, likeness: Floats) -> npt.NDArray[np.int8]:
        """1 where the expert calls a pair alike, else 0.

        vote = [likeness + bias + noise > ALIKE]. The errors are drawn in the order of the
        entries: the same expert, asked about the same array again, answers the same.

        Args:
            likeness: of the pairs, any shape.
        """
        errors = np.random.default_rng(self.seed).standard_normal(likeness.shape)
        seen = likeness + self.bias + self.noise * errors
        return (seen > ALIKE).astype(np.int8)


def experts(count: int = 3, seed: int = 0) -> list[Expert]:
    """Experts who mostly agree, each with a leaning and a care of their own.

    Leanings are normal with a standard deviation of ``BIAS``; errors have one of 0.75 to
    1.25 times ``NOISE``. On what encoders propose (one pair in six or so alike), three such
    experts have a Fleiss' kappa of about 0.6.

    Args:
        count: how many, >= 1.
        seed: >= 0; another seed, other experts.

    Raises:
        BadTable: ``count`` or ``seed`` is too small.

    Example:
        >>> [round(expert.noise, 3) for expert in experts(2)]
        [0.091, 0.071]
    """
    at_least(count, 1, "count")
    at_least(seed, 0, "seed")
    made = []
    for number in range(count):
        rng = np.random.default_rng([seed, 30, number])
        bias = BIAS * float(rng.standard_normal())
        noise = NOISE * float(rng.uniform(0.75, 1.25))
        made.append(Expert(bias, noise, (seed, 31, number)))
    return made
