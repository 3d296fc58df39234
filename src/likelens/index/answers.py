"""What a structure finds, and what a search returns."""

from __future__ import annotations

from typing import NamedTuple

from ..values.arrays import Floats, Positions


class Candidates(NamedTuple):
    """What a structure found, in its own numbers.

    Attributes:
        labels: (q, k or more), -1 for none.
        scores: (q, the same) cosines, if the structure knows them, best first; else the
            candidates are scored and ordered afterwards.
    """

    labels: Positions
    scores: Floats | None = None


class Answer(NamedTuple):
    """What a search found, and how.

    Attributes:
        scores: (q, k) float32, best first.
        positions: (q, k).
        path: ``exact``, ``index`` or ``filtered``.
        completed: queries for which the structure found fewer than k even on a second,
            wider try, and which were then answered exactly.
    """

    scores: Floats
    positions: Positions
    path: str
    completed: int = 0
