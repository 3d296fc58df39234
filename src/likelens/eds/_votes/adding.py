"""Many pairs or votes at once: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ...values.errors import BadTable, first_few
from .database import Database
from .schema import counted, pairs, rounds, turns, votes
from .values import Added, Given, Imported, Pooled, Question
from .voting import hold_expert, live, now


def add_pairs(
    database: Database,
    pooled: Mapping[Question, Pooled],
    answers: Mapping[Question, int],
    repeats: float,
) -> Added:
    """Add a round of pairs to judge.

    Args:
        database: of the book.
        pooled: how each pair came into the pool.
        answers: of known pairs, mixed in; those that are not among ``pooled`` are asked only to
            check the experts.
        repeats: share of the pairs that come back later.

    Raises:
        BadTable: known pairs for which the book holds the other answer.
    """
    with database.writing(many=True) as connection:
        there = {
            Question(row.query, row.candidate): row for row in connection.execute(sa.select(pairs))
        }
        _refuse_other_answers(database, there, answers)
        wanted = list(dict.fromkeys([*pooled, *answers]))
        number = None
        if any(pair not in there or there[pair].round is None for pair in wanted):
            added = sa.insert(rounds).values(repeats=repeats, added=now()).returning(rounds.c.id)
            number = connection.scalar(added)
        fresh = [
            {
                "query": pair.query,
                "candidate": pair.candidate,
                "round": number,
                **pooled.get(pair, Pooled())._asdict(),
                "answer": answers.get(pair),
                "is_check": pair not in pooled,
            }
            for pair in wanted
            if pair not in there
        ]
        if fresh:
            connection.execute(sa.insert(pairs), fresh)
        before = [(there[pair], pair) for pair in wanted if pair in there]
        _update(connection, before, pooled, answers, number)
    return Added(len(fresh), len(wanted) - len(fresh), len(answers))


def add_votes(database: Database, given: Sequence[Given]) -> Imported:
    """Add votes, in their order; pairs and experts that are new come with them.

    A vote that the book holds already is not counted again; another one of the same expert on
    the same pair is a changed mind.
    """
    names = tuple(dict.fromkeys(one.expert for one in given))
    with database.writing(many=True) as connection:
        numbers = {name: hold_expert(database, connection, name) for name in names}
        before = connection.scalar(sa.select(sa.func.count()).select_from(pairs)) or 0
        asked = dict.fromkeys(Question(one.query, one.candidate) for one in given)
        database.insert(connection, pairs, [pair._asdict() for pair in asked])
        places = {
            Question(row.query, row.candidate): row.id
            for row in connection.execute(sa.select(pairs.c.id, pairs.c.query, pairs.c.candidate))
        }
        said = _said(connection, numbers.values())
        fresh, changed = _fresh(given, numbers, places, said)
        if fresh:
            connection.execute(sa.insert(votes), fresh)
        last = {(row["expert"], row["pair"]): row["vote"] for row in fresh}
        rows = [{"expert": e, "pair": p, "vote": vote} for (e, p), vote in last.items()]
        database.upsert(connection, counted, rows, ("expert", "pair"))
        _answer_turns(connection, fresh)
    return Imported(
        votes=len(fresh),
        changed=changed,
        there=len(given) - len(fresh),
        experts=names,
        pairs=len(places) - before,
    )


def _refuse_other_answers(
    database: Database, there: Mapping[Question, Any], answers: Mapping[Question, int]
) -> None:
    torn = [
        f"{pair.query} with {pair.candidate}"
        for pair, answer in answers.items()
        if pair in there and there[pair].answer not in (None, answer)
    ]
    if torn:
        raise BadTable(
            f"{len(torn):,} known pairs have the other answer in the vote book: {first_few(torn)}",
            where=database.place,
            hint="leave them out, or give the answer that is there",
        )


def _update(
    connection: sa.Connection,
    there: Sequence[tuple[Any, Question]],
    pooled: Mapping[Question, Pooled],
    answers: Mapping[Question, int],
    number: int | None,
) -> None:
    """What a further round says of pairs that were there before."""
    rows = []
    for row, pair in there:
        both = Pooled(row.rank, row.random, row.possible).joined(pooled.get(pair, Pooled()))
        rows.append(
            {
                "pair": row.id,
                "new_round": number if row.round is None else row.round,
                "new_rank": both.rank,
                "new_random": both.random,
                "new_possible": both.possible,
                "new_answer": answers.get(pair, row.answer),
                "new_check": bool(row.is_check) and pair not in pooled,
            }
        )
    if rows:
        statement = (
            sa.update(pairs)
            .where(pairs.c.id == sa.bindparam("pair"))
            .values(
                round=sa.bindparam("new_round"),
                rank=sa.bindparam("new_rank"),
                random=sa.bindparam("new_random"),
                possible=sa.bindparam("new_possible"),
                answer=sa.bindparam("new_answer"),
                is_check=sa.bindparam("new_check"),
            )
        )
        connection.execute(statement, rows)


def _said(connection: sa.Connection, numbers: Iterable[int]) -> dict[tuple[int, int, bool], int]:
    """The newest vote of these experts on each pair, first answers and repeated ones apart."""
    found = connection.execute(live().where(votes.c.expert.in_(list(numbers))).order_by(votes.c.id))
    return {(row.expert, row.pair, row.again): row.vote for row in found}


def _fresh(
    given: Sequence[Given],
    numbers: Mapping[str, int],
    places: Mapping[Question, int],
    said: Mapping[tuple[int, int, bool], int],
) -> tuple[list[dict[str, Any]], int]:
    """Rows of the votes that are new, and how many of them change a mind."""
    rows: list[dict[str, Any]] = []
    seen: set[tuple[int, int, bool]] = set()
    changed = 0
    at = now()
    for one in given:
        expert, pair = numbers[one.expert], places[Question(one.query, one.candidate)]
        key = (expert, pair, one.again)
        if key in seen or said.get(key) == one.vote:
            continue
        seen.add(key)
        changed += key in said
        row = {"expert": expert, "pair": pair, "vote": one.vote, "again": one.again}
        rows.append(row | {"seconds": one.seconds, "at": one.at or at})
    return rows, changed


def _answer_turns(connection: sa.Connection, fresh: Sequence[Mapping[str, Any]]) -> None:
    """Whoever has been asked already need not answer what a file answers."""
    asked = set(connection.scalars(sa.select(turns.c.expert).distinct()))
    rows = [
        {"of_expert": row["expert"], "of_pair": row["pair"], "of_again": row["again"]}
        for row in fresh
        if row["expert"] in asked
    ]
    if rows:
        statement = (
            sa.update(turns)
            .where(
                turns.c.expert == sa.bindparam("of_expert"),
                turns.c.pair == sa.bindparam("of_pair"),
                turns.c.again == sa.bindparam("of_again"),
            )
            .values(done=True)
        )
        connection.execute(statement, rows)
