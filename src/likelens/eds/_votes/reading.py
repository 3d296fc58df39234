"""What a book holds, read in one state of the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from .database import Database
from .schema import counted, dealt, experts, pairs, rounds, turns, votes, withdrawn
from .values import NO_VOTE, Checked, Given, Judged, Matrix, Past, Progress, Question
from .voting import live


def matrix(database: Database) -> Matrix:
    """The votes that count, a row per pair and a column per expert."""
    asked, names, given = _table(database)
    return Matrix(tuple(Question(row.query, row.candidate) for row in asked), names, given)


def judged(database: Database) -> Judged:
    """The same with ranks, without pairs that only check the experts."""
    asked, names, given = _table(database)
    wanted = np.array([not row.is_check for row in asked], np.bool_)
    kept = [row for row in asked if not row.is_check]
    return Judged(
        tuple(Question(row.query, row.candidate) for row in kept),
        names,
        given[wanted],
        ranks=np.array([row.rank for row in kept], np.int64),
        random=np.array([row.random for row in kept], np.bool_),
        all_pairs=_all_pairs(kept),
    )


def _all_pairs(asked: Sequence[sa.Row[Any]]) -> int | None:
    """How many pairs there are of the pool's queries; None where a pool does not say."""
    possible: dict[str, int] = {}
    for row in asked:
        if row.rank or row.random:
            possible[row.query] = max(possible.get(row.query, 0), row.possible)
    return sum(possible.values()) if possible and all(possible.values()) else None


def _table(
    database: Database,
) -> tuple[Sequence[sa.Row[Any]], tuple[str, ...], npt.NDArray[np.int8]]:
    """Rows of pairs, names of experts, and the votes that count: (p, e)."""
    with database.reading() as connection:
        names = _expert_names(connection)
        asked = connection.execute(sa.select(pairs).order_by(pairs.c.id)).all()
        said = connection.execute(sa.select(counted)).all()
    rows = {row.id: place for place, row in enumerate(asked)}
    columns = {number: place for place, number in enumerate(names)}
    given = np.full((len(rows), len(columns)), NO_VOTE, np.int8)
    for row in said:
        given[rows[row.pair], columns[row.expert]] = row.vote
    return asked, tuple(names.values()), given


def progress(database: Database, expert: str | None = None) -> tuple[Progress, ...]:
    """How far each expert is, or one of them, in order of arrival."""
    with database.reading() as connection:
        names = {
            number: name
            for number, name in _expert_names(connection).items()
            if expert in (None, name)
        }
        dealt_to = _counts(connection, turns.c.expert, names)
        answered = _counts(connection, turns.c.expert, names, turns.c.done == sa.true())
        said = _counts(connection, counted.c.expert, names)
        waiting = {number: _waiting(connection, number) for number in names}
    return tuple(
        Progress(
            name,
            asked=dealt_to.get(number, 0) + waiting[number],
            answered=answered.get(number, 0),
            votes=said.get(number, 0),
        )
        for number, name in names.items()
    )


def checks(database: Database) -> tuple[Checked, ...]:
    """How each expert did on repeated and on known pairs, in order of arrival."""
    with database.reading() as connection:
        names = _expert_names(connection)
        of_pair = counted.c.pair == pairs.c.id
        is_known, is_right = pairs.c.answer.is_not(None), pairs.c.answer == counted.c.vote
        known = _counts(connection, counted.c.expert, names, of_pair, is_known)
        right = _counts(connection, counted.c.expert, names, of_pair, is_right)
        twice = _answered_twice(connection)
    return tuple(
        Checked(
            name,
            repeated=sum(expert == number for expert, _ in twice),
            same=sum(expert == number and same for (expert, _), same in twice.items()),
            known=known.get(number, 0),
            right=right.get(number, 0),
        )
        for number, name in names.items()
    )


def history(database: Database, pair: Question) -> tuple[Past, ...]:
    """Every answer on a pair, in order, also those that count no more."""
    with database.reading() as connection:
        found = connection.execute(
            sa.select(experts.c.name, votes, withdrawn.c.vote.label("back"))
            .select_from(votes.join(experts).join(pairs).outerjoin(withdrawn))
            .where(pairs.c.query == pair.query, pairs.c.candidate == pair.candidate)
            .order_by(votes.c.id)
        )
        return tuple(
            Past(row.name, row.vote, row.again, row.back is not None, row.at) for row in found
        )


def all_votes(database: Database) -> list[Given]:
    """The newest vote of each expert on each pair, first answers and repeated ones apart.

    In the order in which they were given, so that the last of an expert on a pair counts.
    """
    held = live().subquery()
    newest = (
        sa.select(sa.func.max(held.c.id).label("id"))
        .group_by(held.c.expert, held.c.pair, held.c.again)
        .subquery()
    )
    with database.reading() as connection:
        found = connection.execute(
            sa.select(experts.c.name, pairs.c.query, pairs.c.candidate, votes)
            .select_from(votes.join(newest, newest.c.id == votes.c.id).join(experts).join(pairs))
            .order_by(votes.c.id)
        )
        return [
            Given(row.name, row.query, row.candidate, row.vote, row.again, row.seconds, row.at)
            for row in found
        ]


def sizes(database: Database) -> dict[str, int]:
    """How many pairs, rounds, votes that count and answers ever given there are."""
    wanted = {
        "pairs": sa.select(sa.func.count()).select_from(pairs),
        "to_judge": sa.select(sa.func.count()).where(pairs.c.round.is_not(None)),
        "known": sa.select(sa.func.count()).where(pairs.c.answer.is_not(None)),
        "random": sa.select(sa.func.count()).where(pairs.c.random == sa.true()),
        "rounds": sa.select(sa.func.count()).select_from(rounds),
        "votes": sa.select(sa.func.count()).select_from(counted),
        "answers": sa.select(sa.func.count()).select_from(votes),
    }
    with database.reading() as connection:
        return {name: connection.scalar(count) or 0 for name, count in wanted.items()}


def _expert_names(connection: sa.Connection) -> dict[int, str]:
    """Names of all experts by id, in order of arrival."""
    found = connection.execute(sa.select(experts).order_by(experts.c.id))
    return {row.id: row.name for row in found}


def _counts(
    connection: sa.Connection,
    by: sa.Column[int],
    experts: Collection[int],
    *where: sa.ColumnElement[bool],
) -> dict[int, int]:
    """How many rows there are of each of these experts."""
    counts = sa.select(by, sa.func.count()).where(by.in_(list(experts)), *where).group_by(by)
    return {row[0]: row[1] for row in connection.execute(counts)}


def _waiting(connection: sa.Connection, expert: int) -> int:
    """Pairs of rounds whose turns this expert has not been dealt yet."""
    mine = sa.select(dealt.c.round).where(dealt.c.expert == expert)
    said = sa.select(counted.c.pair).where(counted.c.expert == expert)
    return (
        connection.scalar(
            sa.select(sa.func.count()).where(
                pairs.c.round.is_not(None), pairs.c.round.not_in(mine), pairs.c.id.not_in(said)
            )
        )
        or 0
    )


def _answered_twice(connection: sa.Connection) -> dict[tuple[int, int], bool]:
    """Whether the first answer and the repeated one are alike, by expert and pair."""
    first, again = live().subquery(), live().subquery()
    same_pair = sa.and_(first.c.expert == again.c.expert, first.c.pair == again.c.pair)
    before = sa.and_(first.c.again == sa.false(), first.c.id < again.c.id)
    found = connection.execute(
        sa.select(again.c.expert, again.c.pair, first.c.vote, again.c.vote)
        .join_from(again, first, sa.and_(same_pair, before))
        .where(again.c.again == sa.true())
        .order_by(again.c.id, first.c.id)
    )
    return {(expert, pair): bool(one == other) for expert, pair, one, other in found}
