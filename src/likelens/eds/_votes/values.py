"""What a vote book tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ...values.arrays import Positions

if TYPE_CHECKING:
    from ...values.datasets.release import Release

NO_VOTE = -1
ALL_VOTES = "all"
"""An export by no rule: every vote as it was given."""


class Question(NamedTuple):
    """A pair that an expert is asked about."""

    query: str
    candidate: str


class Pooled(NamedTuple):
    """How a pair came into a pool.

    Attributes:
        rank: the best at which an encoder proposed it, from 1; 0 for none.
        random: whether it was drawn at random.
        possible: how many candidates its query may have; 0 where nobody says.
    """

    rank: int = 0
    random: bool = False
    possible: int = 0

    def joined(self, other: Pooled) -> Pooled:
        """The same pair in two pools."""
        return Pooled(
            min(filter(None, (self.rank, other.rank)), default=0),
            self.random or other.random,
            max(self.possible, other.possible),
        )


class Matrix(NamedTuple):
    """The votes that count.

    Attributes:
        pairs: (p,) query and candidate of each pair, in order of arrival.
        experts: (e,) names, in order of arrival.
        votes: (p, e) int8: 0, 1, or -1 where the expert has not voted.
    """

    pairs: tuple[Question, ...]
    experts: tuple[str, ...]
    votes: npt.NDArray[np.int8]


class Judged(NamedTuple):
    """The votes that count on pairs to be judged, without those that only check the experts.

    Attributes:
        pairs: (p,) query and candidate of each pair.
        experts: (e,) names.
        votes: (p, e) int8: 0, 1, or -1.
        ranks: (p,) int64, best rank at which an encoder of the pool proposed the pair; 0 for none.
        random: (p,) whether the pair was drawn at random; it may have a rank as well.
        all_pairs: how many pairs the queries of the pool have with all that may be their
            candidates, judged or not; None where the pool does not say.
    """

    pairs: tuple[Question, ...]
    experts: tuple[str, ...]
    votes: npt.NDArray[np.int8]
    ranks: Positions
    random: npt.NDArray[np.bool_]
    all_pairs: int | None

    @property
    def only_random(self) -> npt.NDArray[np.bool_]:
        """(p,) whether a pair is there by the draw alone."""
        alone: npt.NDArray[np.bool_] = self.random & (self.ranks == 0)
        return alone


@dataclass(frozen=True)
class Progress:
    """How far an expert is.

    Attributes:
        expert: name.
        asked: questions that this expert gets altogether, repeated ones among them.
        answered: how many of them have an answer.
        votes: pairs with a vote of this expert, also of those that were never asked.
    """

    expert: str
    asked: int
    answered: int
    votes: int

    @property
    def left(self) -> int:
        """Questions without an answer."""
        return self.asked - self.answered


@dataclass(frozen=True)
class Checked:
    """How an expert did where the answer can be compared.

    Attributes:
        expert: name.
        repeated, same: pairs answered twice, and how many of them alike.
        known, right: known pairs answered, and how many of them rightly.
    """

    expert: str
    repeated: int
    same: int
    known: int
    right: int

    @property
    def consistency(self) -> float:
        """Share of repeated pairs answered alike; NaN where nothing was repeated."""
        return self.same / self.repeated if self.repeated else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of known pairs answered rightly; NaN where none was asked."""
        return self.right / self.known if self.known else float("nan")


class Given(NamedTuple):
    """A vote as a file holds it.

    Attributes:
        expert, query, candidate: names and ids.
        vote: 0 or 1.
        again: whether it answers a question that came back.
        seconds: how long the expert took, or None.
        at: when, as ISO 8601 in UTC, or None.
    """

    expert: str
    query: str
    candidate: str
    vote: int
    again: bool = False
    seconds: float | None = None
    at: str | None = None


class Past(NamedTuple):
    """An answer in the history of a pair; ``withdrawn`` where the expert took it back."""

    expert: str
    vote: int
    again: bool
    withdrawn: bool
    at: str


@dataclass(frozen=True)
class Added:
    """What adding pairs to judge did.

    Attributes:
        pairs, there, known: new pairs, pairs that were there, known pairs.
        itself: pairs whose query and candidate have one id: right only where these are of two
            catalogues.
    """

    pairs: int
    there: int
    known: int
    itself: int = 0


@dataclass(frozen=True)
class Imported:
    """What importing a file did.

    Attributes:
        votes: new votes, those that changed an expert's mind among them.
        changed: votes that differ from what the expert had said before.
        there: votes (of a pool: pairs) that were there already, and are not counted again.
        experts: names of the experts in the file.
        pairs: new pairs, to judge or voted on.
        known: known pairs mixed in.
        itself: pairs to judge whose query and candidate have one id.
    """

    votes: int = 0
    changed: int = 0
    there: int = 0
    experts: tuple[str, ...] = ()
    pairs: int = 0
    known: int = 0
    itself: int = 0


@dataclass(frozen=True)
class Exported:
    """What exporting did.

    Attributes:
        rows: how many were written.
        left_out: pairs left out for want of a vote.
        random: rows among them of pairs that are there by a random draw alone.
        release: the catalogue in the words of the VSD release, if that was written.
    """

    rows: int
    left_out: int
    random: int
    release: Release | None = None
