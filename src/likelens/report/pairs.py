"""Which differences between encoders are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from .._leaderboard import Leaderboard
from .lines import Line


@dataclass(frozen=True)
class Pair:
    """Two encoders, the one that stands higher first.

    Attributes:
        first: the one.
        second: the other.
        difference: score of the first less that of the second, over the queries both score.
        p: p-value of the paired test.
        adjusted: the same after Holm's correction for the number of pairs.
        significant: whether the difference is significant after the correction.
    """

    first: Line
    second: Line
    difference: float
    p: float
    adjusted: float
    significant: bool


def read_pairs(board: Leaderboard, lines: Sequence[Line]) -> tuple[Pair, ...]:
    """Every two encoders, in the order of the leaderboard."""
    tests = board.pairs
    row = {name: place for place, name in enumerate(tests.names)}
    better = tests.better()
    found = []
    for first, second in combinations(lines, 2):
        at = row[first.name], row[second.name]
        found.append(
            Pair(
                first=first,
                second=second,
                difference=float(tests.difference[at]),
                p=float(tests.p[at]),
                adjusted=float(tests.p_holm[at]),
                significant=bool(better[at] or better[at[::-1]]),
            )
        )
    return tuple(found)


def cross(pairs: Sequence[Pair]) -> dict[tuple[int, int], Pair]:
    """Pairs by the places of the two on the leaderboard, from 0."""
    names = dict.fromkeys(line.name for pair in pairs for line in (pair.first, pair.second))
    place = {name: number for number, name in enumerate(names)}
    return {(place[pair.first.name], place[pair.second.name]): pair for pair in pairs}


def pair_of(pairs: Sequence[Pair], first: Line, second: Line) -> Pair | None:
    """The test of two encoders, the first of which stands higher."""
    return next(
        (
            pair
            for pair in pairs
            if pair.first.name == first.name and pair.second.name == second.name
        ),
        None,
    )
