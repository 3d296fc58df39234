"""The leaderboard as a reader sees it: a line per encoder, with its intervals taken once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .._leaderboard import Entry, Leaderboard
from ..values.scores import QueryScores
from .formats import labels, number, place


@dataclass(frozen=True)
class Estimate:
    """A mean and the interval around it.

    Attributes:
        mean: NaN if no query has a score.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: QueryScores) -> Estimate:
        """The mean of some scores and its interval."""
        return cls(scores.mean, *scores.interval())

    @property
    def known(self) -> bool:
        """Whether there is a score at all."""
        return math.isfinite(self.mean)

    @property
    def bounded(self) -> bool:
        """Whether the interval has two ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def interval(self, between: str = " to ") -> str:
        """The interval in figures, or a dash."""
        return f"{number(self.low)}{between}{number(self.high)}" if self.bounded else number(None)


@dataclass(frozen=True)
class Line:
    """One encoder.

    Attributes:
        entry: what was measured.
        label: its name, short.
        place: its place, with ``=`` where others share it.
        control: whether it stands for chance and is no candidate.
        best: whether it is the encoder that sees the pictures best.
        unweighted: CorrEmbed with every tag category counting the same.
        weighted: CorrEmbed weighted by purchases, or None.
    """

    entry: Entry
    label: str
    place: str
    control: bool
    best: bool
    unweighted: Estimate
    weighted: Estimate | None

    @property
    def name(self) -> str:
        """The encoder's spec."""
        return self.entry.card.name

    @property
    def troubles(self) -> tuple[str, ...]:
        """What went wrong, in a few words each; none if nothing did."""
        counts = (
            (self.entry.failed, "failed"),
            (self.entry.zeros, "zero"),
            (self.entry.main.missing, "unscored"),
        )
        return tuple(f"{count:,} {what}" for count, what in counts if count)

    @property
    def main(self) -> Estimate:
        """The score that decides the place."""
        return self.unweighted if self.weighted is None else self.weighted


def read_lines(board: Leaderboard) -> tuple[Line, ...]:
    """A line per encoder, best first."""
    short = labels([entry.card.name for entry in board.entries])
    shared = Counter(entry.rank for entry in board.entries)
    names = [entry.card.name for entry in board.entries if _is_candidate(entry)]
    return tuple(
        Line(
            entry=entry,
            label=short[entry.card.name],
            place=place(entry.rank, shared[entry.rank], entry.main.mean),
            control=_is_control(entry),
            best=entry.card.name in names[:1],
            unweighted=Estimate.of(entry.unweighted),
            weighted=None if entry.weighted is None else Estimate.of(entry.weighted),
        )
        for entry in board.entries
    )


def best_line(lines: Sequence[Line]) -> Line | None:
    """The encoder that sees the pictures best, or None if only controls have a score."""
    return next((line for line in lines if line.best), None)


def worst_line(lines: Sequence[Line]) -> Line | None:
    """The encoder that sees the pictures least, no control; None if there is but one."""
    scored = [line for line in lines if _is_candidate(line.entry)]
    return scored[-1] if len(scored) > 1 else None


def _is_control(entry: Entry) -> bool:
    return entry.card.name.startswith("control:")


def _is_candidate(entry: Entry) -> bool:
    return not _is_control(entry) and math.isfinite(entry.main.mean)
