"""What users hold: a vote book."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...values.datasets.release import describe
from ...values.errors import BadTable
from .._rules import check_rule, resolve
from . import adding, reading, voting
from .checks import check_pairs, checked_share, is_time, named
from .database import Database
from .files import REPEATS, Content, read_content
from .values import (
    ALL_VOTES,
    NO_VOTE,
    Added,
    Checked,
    Exported,
    Imported,
    Judged,
    Matrix,
    Past,
    Pooled,
    Progress,
    Question,
)
from .writing import Row, by_path, check_writable, write_rows

if TYPE_CHECKING:
    from ...values.catalogue import Catalogue


class VoteBook:
    """Which pairs experts are asked about, and what they say, in a database.

    A vote is on the disk when ``put`` returns. Per expert and pair one vote counts, the newest;
    what was said before stays in the history. Any number of threads and processes may hold the
    same book.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, VoteBook.open(f"{folder}/votes.db") as book:
        ...     _ = book.add_pool(["shirt", "shirt"], ["blouse", "boot"], repeats=0)
        ...     while pair := book.next_pair("Ann"):
        ...         book.put("Ann", *pair, int(pair.candidate == "blouse"))
        ...     book.matrix().votes.ravel(), book.undo("Ann").query
        (array([1, 0], dtype=int8), 'shirt')
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str],
        *,
        create: bool = True,
        waiting: Callable[[], None] | None = None,
    ) -> VoteBook:
        """The vote book at a place.

        Args:
            place: the path of a SQLite file, or ``postgresql://user:password@host/name``.
            create: make it where none is; else that is an error.
            waiting: called, from a thread of its own, when another program that writes to the
                book keeps this one waiting for some seconds.

        Raises:
            BadTable: no vote book, one of a newer version, or a place that cannot be.
            MissingExtra: the library for the database is not installed.
            StoreBroken: damaged, or the server does not answer.
        """
        return cls(Database(place, create=create, waiting=waiting))

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self._database.place

    def close(self) -> None:
        """Lets the connections go."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add_pool(
        self,
        query_ids: Sequence[str],
        candidate_ids: Sequence[str],
        *,
        ranks: Sequence[int] | None = None,
        random: Sequence[bool] | None = None,
        possible: Sequence[int] | None = None,
        known: Iterable[tuple[str, str, int]] = (),
        repeats: float = REPEATS,
    ) -> Added:
        """Add a round of pairs, which every expert is asked about.

        Args:
            query_ids: (p,) of each pair.
            candidate_ids: (p,) of each pair.
            ranks: (p,) best rank at which an encoder proposed each pair, from 1; 0 for none.
            random: (p,) whether each pair was drawn at random (it may have a rank as well).
            possible: (p,) how many candidates the pair's query may have, the same for all pairs
                of a query; 0 if unknown.
            known: query, candidate and right answer of pairs that are mixed in. Those that are
                not of the pool only check the experts, and are not exported as judgements.
            repeats: share of the pairs that each expert is asked twice; which, differs.

        Returns:
            How many pairs are new. A pair that is there already is not asked again.

        Raises:
            BadTable: no pairs, one that stands twice, two numbers of candidates of one query,
                lists of different lengths, a share that is none, or a known pair with no
                answer, or with two.
        """
        count = len(query_ids)
        counts = [0] * count if possible is None else [int(number) for number in possible]
        columns = {
            "candidates": candidate_ids,
            "ranks": [0] * count if ranks is None else [int(rank) for rank in ranks],
            "marks of random pairs": [False] * count if random is None else list(map(bool, random)),
            "counts of possible candidates": counts,
        }
        odd = [f"{len(cells):,} {name}" for name, cells in columns.items() if len(cells) != count]
        if odd:
            raise BadTable(
                f"{count:,} queries and {', '.join(odd)}",
                where=self.place,
                hint="give one of each per pair",
            )
        pairs = list(map(Question, query_ids, candidate_ids))
        _, *how = columns.values()
        pooled = dict(zip(pairs, map(Pooled, *how), strict=True))
        check_pairs(pairs, counts, self.place)
        answers: dict[Question, int] = {}
        for query, candidate, answer in known:
            pair = Question(query, candidate)
            if answer not in (0, 1) or answers.setdefault(pair, int(answer)) != answer:
                raise BadTable(
                    f"the known pair {query} with {candidate} has no one answer of 0 or 1",
                    where=self.place,
                    hint="give the right answer of each known pair, once",
                )
        done = self.add(Content(None, pooled, answers, checked_share(repeats)))
        return Added(done.pairs, done.there, done.known, done.itself)

    def add(self, content: Content) -> Imported:
        """Add what ``read_content`` has read from a file. All of it, or nothing.

        Raises:
            BadTable: no pairs, or known pairs for which the book holds the other answer.
        """
        if content.votes is not None:
            return adding.add_votes(self._database, content.votes)
        if not content.pooled and not content.answers:
            raise BadTable("there are no pairs to judge", where=self.place, hint="pool some first")
        added = adding.add_pairs(self._database, content.pooled, content.answers, content.repeats)
        itself = sum(pair.query == pair.candidate for pair in content.pooled)
        return Imported(pairs=added.pairs, there=added.there, known=added.known, itself=itself)

    def next_pair(self, expert: str) -> Question | None:
        """The question that an expert should answer next; None when all are answered.

        The order is this expert's own, query by query. Nothing shows that a question comes
        back, or that its answer is known. Asking again without an answer gives the same.
        """
        return voting.next_pair(self._database, named(expert))

    def put(
        self, expert: str, query: str, candidate: str, vote: int, seconds: float | None = None
    ) -> None:
        """Keep a vote: 1 for alike, 0 for not. It is on the disk when this returns.

        It need not be the question that comes next: a vote on an earlier pair is a changed mind,
        and counts from now on. The same vote given once more is counted once.

        Args:
            expert: name; a new one is noted.
            query: id.
            candidate: id.
            vote: 0 or 1.
            seconds: how long the expert took, at least 0.

        Raises:
            BadTable: another vote, no name, no time, or a pair that is not in the book.
        """
        if vote not in (0, 1):
            raise BadTable(
                f"the vote {vote!r} is neither 0 nor 1",
                where=f"{query} with {candidate}",
                hint="give 1 for alike, 0 for not alike",
            )
        if seconds is not None and not is_time(seconds):
            raise BadTable(
                f"{seconds!r} seconds are no time that an answer takes",
                where=f"{query} with {candidate}",
                hint="give seconds from 0, or nothing",
            )
        took = None if seconds is None else float(seconds)
        voting.put(self._database, named(expert), Question(query, candidate), int(vote), took)

    def undo(self, expert: str) -> Question | None:
        """Take an expert's newest vote back, and return its pair; None if there is none.

        What the expert had said of the pair before counts again. If that is nothing, the
        question is open again.
        """
        return voting.undo(self._database, named(expert))

    def progress(self, expert: str | None = None) -> tuple[Progress, ...]:
        """How far one expert is, or all are. One who is not in the book yet has no line."""
        return reading.progress(self._database, None if expert is None else named(expert))

    def matrix(self) -> Matrix:
        """Pairs, experts, and the votes that count."""
        return reading.matrix(self._database)

    def judged(self) -> Judged:
        """The same with ranks, without pairs that only check the experts."""
        return reading.judged(self._database)

    def checks(self) -> tuple[Checked, ...]:
        """How each expert did on repeated and on known pairs."""
        return reading.checks(self._database)

    def history(self, query: str, candidate: str) -> tuple[Past, ...]:
        """Every answer on a pair, in order, also those that count no more."""
        return reading.history(self._database, Question(query, candidate))

    def sizes(self) -> dict[str, int]:
        """How many pairs, rounds, votes that count and answers ever given there are."""
        return reading.sizes(self._database)

    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        expert: str | None = None,
        known: str | os.PathLike[str] | None = None,
        repeats: float | None = None,
        queries: Collection[str] | None = None,
        candidates: Collection[str] | None = None,
        closed: bool = False,
    ) -> Imported:
        """Add what a file holds: votes, or pairs to judge. All of it, or nothing.

        Arguments and errors are those of ``read_content``, which tells what may stand in it.
        """
        return self.add(
            read_content(
                path,
                expert=expert,
                known=known,
                repeats=repeats,
                queries=queries,
                candidates=candidates,
                closed=closed,
            )
        )

    def export_file(
        self,
        path: str | os.PathLike[str],
        *,
        rule: str = "majority",
        random: bool = True,
        metadata: str | os.PathLike[str] | None = None,
        catalogue: Catalogue | None = None,
        queries: Catalogue | None = None,
    ) -> Exported:
        """Write judgements, or the votes themselves.

        Args:
            path: ``.csv``, ``.tsv``, ``.parquet``, ``.jsonl``, ``.json`` (as the VSD release)
                or ``.qrels`` (TREC).
            rule: ``majority`` (ties negative), ``unanimous``, ``any``, ``dawid-skene``; or
                ``all`` for each vote with its expert, which ``import_file`` reads back.
            random: whether pairs count that are there by a random draw alone.
            metadata: file for the image metadata of the VSD release; ids are then written as
                the paths that stand there.
            catalogue: with ``metadata``: what the ids are of.
            queries: the catalogue of the queries, if another.

        Raises:
            BadTable: no votes, no such rule, a file that cannot hold them, or with
                ``metadata`` ids that are not in the catalogue.
        """
        place = Path(path)
        check_rule(rule, ALL_VOTES)
        check_writable(place, rule, ALL_VOTES)
        _check_metadata(metadata, catalogue, queries, place)
        judged = self.judged()
        alone = {
            pair
            for pair, by_chance in zip(judged.pairs, judged.only_random, strict=True)
            if by_chance
        }
        rows, unvoted = self._every_vote() if rule == ALL_VOTES else _judgements(judged, rule)
        drawn = [(row["query"], row["candidate"]) in alone for row in rows]
        if not random:
            rows = [row for row, is_drawn in zip(rows, drawn, strict=True) if not is_drawn]
            unvoted, drawn = [pair for pair in unvoted if pair not in alone], []
        if not rows:
            raise BadTable(
                "there are no votes to export",
                where=self.place,
                hint="collect or import votes first",
            )
        release = None
        if metadata is not None and catalogue is not None:
            asked = {row["query"] for row in rows}
            release = describe(catalogue, queries, asked=asked)
            rows = by_path(rows, release, place)
            release.write(Path(metadata))
        write_rows(place, rows)
        return Exported(len(rows), len(unvoted), sum(drawn), release)

    def _every_vote(self) -> tuple[list[Row], list[Question]]:
        votes = reading.all_votes(self._database)
        return [{**one._asdict(), "again": int(one.again)} for one in votes], []


def _judgements(judged: Judged, rule: str) -> tuple[list[Row], list[Question]]:
    """A row per pair with a label, and the pairs without one."""
    labels = resolve(judged.votes, rule)
    yes, said = (judged.votes == 1).sum(axis=1), (judged.votes != NO_VOTE).sum(axis=1)
    columns = zip(judged.pairs, labels, yes, said, judged.random, strict=True)
    rows: list[Row] = [
        {
            "query": pair.query,
            "candidate": pair.candidate,
            "grade": int(label),
            "positive": int(positive),
            "votes": int(votes),
            "random": int(drawn),
        }
        for pair, label, positive, votes, drawn in columns
        if label != NO_VOTE
    ]
    return rows, [pair for pair, voted in zip(judged.pairs, said, strict=True) if not voted]


def _check_metadata(
    metadata: str | os.PathLike[str] | None,
    catalogue: Catalogue | None,
    queries: Catalogue | None,
    path: Path,
) -> None:
    """Refuses metadata of nothing, a catalogue for nothing, and a file that is no place for it."""
    if (metadata is None) != (catalogue is None) or (metadata is None and queries is not None):
        raise BadTable(
            "image metadata and the catalogue that it describes go together",
            where="--metadata and --catalogue",
            hint="give both or neither",
        )
    if metadata is not None and (
        Path(metadata).suffix.lower() != ".json" or Path(metadata) == path
    ):
        raise BadTable(
            "the image metadata needs a file of its own, as JSON",
            where=str(metadata),
            hint="give another name, which ends in .json",
        )
