"""One expert, one question: what comes next, the answer, and taking it back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ...values.errors import BadTable
from .database import Database
from .schema import counted, dealt, experts, pairs, turns, votes, withdrawn
from .turns import deal, undealt
from .values import Question


def now() -> str:
    """The time, as it stands beside a vote."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def live() -> sa.Select[Any]:
    """The votes that nobody took back."""
    back = withdrawn.c.vote == votes.c.id
    return sa.select(votes).outerjoin(withdrawn, back).where(withdrawn.c.vote.is_(None))


def find_expert(connection: sa.Connection, name: str) -> int | None:
    """The id of an expert, or None."""
    return connection.scalar(sa.select(experts.c.id).where(experts.c.name == name))


def hold_expert(database: Database, connection: sa.Connection, name: str) -> int:
    """The id of an expert, who is made if new; other writers of this expert wait."""
    held = sa.select(experts.c.id).where(experts.c.name == name).with_for_update()
    found = connection.scalar(held)
    if found is None:
        database.insert(connection, experts, [{"name": name}])
        found = connection.scalars(held).one()
    return int(found)


def next_pair(database: Database, name: str) -> Question | None:
    """The next question of an expert, or None at the end."""
    with database.reading() as connection:
        expert = find_expert(connection, name)
        if expert is not None and not undealt(connection, expert):
            return _question(connection, _open_turn(connection, expert))
    with database.writing() as connection:
        expert = hold_expert(database, connection, name)
        deal(database, connection, expert, name)
        return _question(connection, _open_turn(connection, expert))


def put(
    database: Database, name: str, asked: Question, vote: int, seconds: float | None = None
) -> None:
    """Keep an answer. The same answer given once more is the same vote."""
    with database.writing() as connection:
        expert = hold_expert(database, connection, name)
        pair = _pair(database, connection, asked)
        turn = _open_turn(connection, expert)
        is_next = turn is not None and turn.pair == pair
        if not is_next and _counted(connection, expert, pair) == vote:
            return
        again = turn is not None and is_next and bool(turn.again)
        row = {"expert": expert, "pair": pair, "vote": vote}
        more = {"again": again, "seconds": seconds, "at": now()}
        connection.execute(sa.insert(votes), row | more)
        database.upsert(connection, counted, [row], ("expert", "pair"))
        _set_done(connection, expert, pair, again=again, done=True)


def undo(database: Database, name: str) -> Question | None:
    """Take an expert's newest answer back; what was said before it counts again.

    Returns:
        The pair, whose question is open again unless an older answer stands; None where there
        was nothing to take back.
    """
    with database.writing() as connection:
        if find_expert(connection, name) is None:
            return None
        expert = hold_expert(database, connection, name)
        mine = live().where(votes.c.expert == expert).order_by(votes.c.id.desc())
        last = connection.execute(mine.limit(1)).one_or_none()
        if last is None:
            return None
        connection.execute(sa.insert(withdrawn), {"vote": last.id, "at": now()})
        before = connection.execute(mine.where(votes.c.pair == last.pair)).all()
        if before:
            row = {"expert": expert, "pair": last.pair, "vote": before[0].vote}
            database.upsert(connection, counted, [row], ("expert", "pair"))
        else:
            of_pair = sa.and_(counted.c.expert == expert, counted.c.pair == last.pair)
            connection.execute(sa.delete(counted).where(of_pair))
        if not any(one.again == last.again for one in before):
            _reopen(connection, expert, last.pair, again=last.again)
        query, candidate = connection.execute(
            sa.select(pairs.c.query, pairs.c.candidate).where(pairs.c.id == last.pair)
        ).one()
        return Question(query, candidate)


def _open_turn(connection: sa.Connection, expert: int) -> Any | None:
    """The first turn of an expert that has no answer."""
    return connection.execute(
        sa.select(turns.c.pair, turns.c.again)
        .where(turns.c.expert == expert, turns.c.done == sa.false())
        .order_by(turns.c.place)
        .limit(1)
    ).one_or_none()


def _question(connection: sa.Connection, turn: Any | None) -> Question | None:
    if turn is None:
        return None
    wanted = sa.select(pairs.c.query, pairs.c.candidate).where(pairs.c.id == turn.pair)
    return Question(*connection.execute(wanted).one())


def _pair(database: Database, connection: sa.Connection, asked: Question) -> int:
    found = connection.scalar(
        sa.select(pairs.c.id).where(
            pairs.c.query == asked.query, pairs.c.candidate == asked.candidate
        )
    )
    if found is None:
        raise BadTable(
            f"the pair {asked.query} with {asked.candidate} is not in the vote book",
            where=database.place,
            hint="add it first, as a pair to judge",
        )
    return int(found)


def _counted(connection: sa.Connection, expert: int, pair: int) -> int | None:
    return connection.scalar(
        sa.select(counted.c.vote).where(counted.c.expert == expert, counted.c.pair == pair)
    )


def _set_done(connection: sa.Connection, expert: int, pair: int, *, again: bool, done: bool) -> int:
    """Marks a question as answered or open; how many there were: 1, or 0 if it was never dealt."""
    return connection.execute(
        sa.update(turns)
        .where(turns.c.expert == expert, turns.c.pair == pair, turns.c.again == again)
        .values(done=done)
    ).rowcount


def _reopen(connection: sa.Connection, expert: int, pair: int, *, again: bool) -> None:
    """Opens a question again; one that was answered before its round was dealt comes next."""
    if _set_done(connection, expert, pair, again=again, done=False) or again:
        return
    missed = (
        sa.select(pairs.c.id)
        .join(dealt, dealt.c.round == pairs.c.round)
        .where(pairs.c.id == pair, dealt.c.expert == expert)
    )
    if connection.scalar(missed) is not None:
        of_expert = turns.c.expert == expert
        first = connection.scalar(sa.select(sa.func.min(turns.c.place)).where(of_expert)) or 0
        row = {"expert": expert, "pair": pair, "again": False, "place": first - 1}
        connection.execute(sa.insert(turns), row)
