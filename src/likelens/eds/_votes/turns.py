"""The order in which an expert sees the pairs of a round.

Query by query: all candidates of a query together, queries and candidates shuffled per expert.
Some questions come back later, between two queries, and nothing in them tells that they do.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from ...values.arrays import Positions
from .database import Database
from .schema import counted, dealt, pairs, rounds, turns

GAP = 30
"""A question comes back after so many others at least, or after half of them where they are few."""


def deal(database: Database, connection: sa.Connection, expert: int, name: str) -> None:
    """Give an expert the turns of all rounds that this expert has none of yet.

    Questions that the expert has answered before (in an imported file) are not asked.
    """
    for number, repeats in undealt(connection, expert):
        ids, queries = _to_ask(connection, expert, number)
        draw = np.random.default_rng(_seed(database.seed, number, name))
        order, again = shuffled(queries, repeats, draw)
        start = _last_place(connection, expert) + 1
        rows = [
            {"expert": expert, "pair": pair, "again": later, "place": place}
            for place, (pair, later) in enumerate(
                zip(ids[order].tolist(), again.tolist(), strict=True), start
            )
        ]
        database.insert(connection, turns, rows)
        connection.execute(sa.insert(dealt), {"expert": expert, "round": number})


def undealt(connection: sa.Connection, expert: int) -> list[Any]:
    """Id and share of repeats of the rounds that an expert has no turns of."""
    mine = sa.and_(dealt.c.round == rounds.c.id, dealt.c.expert == expert)
    return list(
        connection.execute(
            sa.select(rounds.c.id, rounds.c.repeats)
            .outerjoin(dealt, mine)
            .where(dealt.c.round.is_(None))
            .order_by(rounds.c.id)
        )
    )


def shuffled(
    queries: Positions, repeats: float, draw: np.random.Generator
) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """The order of some questions, query by query, and which of them come back.

    Args:
        queries: (p,) number of each pair's query.
        repeats: share of pairs that are asked twice.
        draw: generator.

    Returns:
        (t,) row of the pair asked at each turn, and (t,) whether it is asked again there. Each
        row is there once with False; ``round(repeats * p)`` of them, or as many as have enough
        questions after them, come once more with True.
    """
    count = len(queries)
    names, query = np.unique(queries, return_inverse=True)
    query = draw.permutation(len(names))[query]
    first = np.lexsort((draw.random(count), query))
    starts = np.flatnonzero(np.diff(query[first], prepend=-1))
    gap = max(min(GAP, count // 2), 1)
    turn = draw.permutation(max(count - gap, 0))[: round(repeats * count)]
    back = draw.integers(turn + gap + 1, count, endpoint=True)
    ends = np.append(starts, count)
    slot = ends[np.searchsorted(ends, back)]  # never between the candidates of a query
    rows = np.concatenate([first, first[turn]])
    at = np.concatenate([np.arange(count, dtype=np.float64), slot - 0.5])
    order = np.lexsort((draw.random(len(rows)), query[rows], at))
    return rows[order], (np.arange(len(rows)) >= count)[order]


def _to_ask(connection: sa.Connection, expert: int, number: int) -> tuple[Positions, Positions]:
    """Ids of a round's pairs without a vote of this expert, and the number of each one's query."""
    mine = sa.and_(counted.c.pair == pairs.c.id, counted.c.expert == expert)
    found = connection.execute(
        sa.select(pairs.c.id, pairs.c.query)
        .outerjoin(counted, mine)
        .where(pairs.c.round == number, counted.c.pair.is_(None))
        .order_by(pairs.c.id)
    ).all()
    numbers: dict[str, int] = {}
    queries = [numbers.setdefault(row.query, len(numbers)) for row in found]
    return np.array([row.id for row in found], np.int64), np.array(queries, np.int64)


def _last_place(connection: sa.Connection, expert: int) -> int:
    last = connection.scalar(sa.select(sa.func.max(turns.c.place)).where(turns.c.expert == expert))
    return -1 if last is None else int(last)


def _seed(book: int, number: int, name: str) -> int:
    """A number from the book's seed, the round and the expert's name: the same on any machine."""
    key = f"{book}\n{number}\n{name}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
