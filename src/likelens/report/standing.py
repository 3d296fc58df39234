"""What may be said of the first place: by tests, and no more than they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..metrics import PairTests
from ..values.errors import plural
from .formats import chance, listed

SHOWN = 3
"""So many encoders are named in a sentence."""


@dataclass(frozen=True)
class Standing:
    """An encoder or control of a leaderboard.

    Attributes:
        name: its name in the tests.
        label: its name, short.
        rank: its place.
        control: whether it is no candidate.
        known: whether it has a score.
    """

    name: str
    label: str
    rank: int
    control: bool
    known: bool


def title(lines: Sequence[Standing], tests: PairTests, find: str, controls: str = "chance") -> str:
    """The finding in a line.

    Args:
        lines: encoders and controls, best first.
        tests: of every two.
        find: what a good encoder does, such as ``find what was bought together``.
        controls: what the controls stand for.
    """
    encoders = [line for line in lines if not line.control]
    best = next((line for line in encoders if line.known), None)
    if best is None:
        return "No encoder could be scored"
    if not above_controls(best, lines, tests):
        if any(above_controls(line, lines, tests) for line in encoders):
            return f"{best.label} scores highest, but is not shown to be better than {controls}"
        return f"No encoder is shown to {find} better than {controls}"
    others = undecided(lines, tests)
    level = [line for line in others if line.rank == best.rank]
    verb, _, rest = find.partition(" ")
    if len(level) == 1:
        return f"{best.label} and {level[0].label} share the first place"
    if level:
        return f"{best.label} and {len(level)} others share the first place"
    if sum(line.known for line in encoders) == 1:
        return f"How {best.label} {verb}s {rest}"
    if others:
        return f"{best.label} scores highest"
    return f"{best.label} {verb}s {rest} best"


def undecided(lines: Sequence[Standing], tests: PairTests) -> list[Standing]:
    """The encoders from which no test tells the best one, itself left out."""
    encoders = [line for line in lines if not line.control and line.known]
    return [line for line in encoders[1:] if not tests.beats(encoders[0].name, line.name)]


def above_controls(line: Standing, lines: Sequence[Standing], tests: PairTests) -> bool:
    """Whether an encoder scores significantly more than every control that has a score."""
    return line.known and all(
        tests.beats(line.name, other.name) for other in lines if other.control and other.known
    )


def not_told_apart(lines: Sequence[Standing], tests: PairTests) -> str:
    """A sentence on the encoders from which no test tells the best one; nothing without any."""
    others = undecided(lines, tests)
    if not others:
        return ""
    best = next(line for line in lines if not line.control and line.known)
    p_values = [tests.chance(best.name, line.name) for line in others]
    shown = [
        f"{line.label} (p {_equals(p)})"
        for line, p in zip(others[:SHOWN], p_values[:SHOWN], strict=True)
    ]
    if len(others) > SHOWN:
        smallest = _equals(min(p_values[SHOWN:]))
        shown.append(f"{len(others) - SHOWN} more (smallest p {smallest})")
    return f"Paired tests with Holm's correction do not tell it from {listed(shown)}."


def missing(names: Sequence[str]) -> str:
    """A sentence on the encoders that could not be measured; nothing without any."""
    if not names:
        return ""
    return f"{plural(len(names), 'encoder')} could not be measured: {listed(list(names)[:SHOWN])}."


def unscored(labels: Sequence[str]) -> str:
    """A sentence on the encoders that were measured and have no score; nothing without any."""
    if not labels:
        return ""
    have = "has" if len(labels) == 1 else "have"
    return f"{plural(len(labels), 'encoder')} {have} no score: {listed(list(labels)[:SHOWN])}."


def _equals(p: float) -> str:
    text = chance(p)
    return text if text.startswith("<") else f"= {text}"
