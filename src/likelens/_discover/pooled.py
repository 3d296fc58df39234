"""Which encoder proposed which judged pair: from a pool's file, or from lists of results."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import eds
from ..values.arrays import Positions
from ..values.errors import BadTable, first_few
from ..values.judgement_files import POSSIBLE, RANDOM
from ..values.relevance import NONE
from ..values.tables import column, read_table, texts
from .pairs import Asked, Pairs

SIDES = ("query", "candidate")
NO_RANKS = (*SIDES, RANDOM, POSSIBLE)

DEEPEST = 2**31 - 1
"""The lowest rank that a pool can hold."""


def read_pool(path: str | os.PathLike[str], asked: Asked) -> tuple[eds.Pool, tuple[str, ...]]:
    """The pool that ``annotate pool --out`` wrote, of the queries asked; and what to know of it.

    Args:
        path: a table with the columns query and candidate, and one for each encoder: the rank
            from 1 at which it proposed the pair, empty or 0 where it did not.
        asked: the gallery and its queries.

    Raises:
        BadTable: no such table, no column of an encoder, a rank that is none, or a pool of
            other pictures.
    """
    place = Path(path)
    table = read_table(place, text_columns=SIDES)
    names = [name for name in table.column_names if name not in NO_RANKS]
    if "grade" in names:
        raise BadTable(
            "this is a table of judgements and no pool: it has a column of grades",
            where=str(place),
            hint="give it as --judgements, and what `likelens annotate pool --out` wrote as --pool",
        )
    rows, items = (
        np.array([one.position.get(name or "", NONE) for name in cells], np.int64)
        for one, cells in (
            (asked.table, texts(column(table, "query", place, "queries"))),
            (asked.gallery, texts(column(table, "candidate", place, "candidates"))),
        )
    )
    ranks = {name: _ranks(table[name].to_pylist(), name, place) for name in names}
    deepest = max((int(found.max(initial=0)) for found in ranks.values()), default=0)
    there = (rows != NONE) & (items != NONE)
    if not deepest or not there.any():
        raise BadTable(
            "no encoder proposes a pair of these queries and items in this pool",
            where=str(place),
            hint="give the table that `likelens annotate pool --out` wrote for this catalogue: "
            "query, candidate, and for each encoder a column of ranks",
        )
    positions = {}
    for name, found in ranks.items():
        proposed = there & (found > 0)
        depths, depth = np.unique(found[proposed], return_inverse=True)
        lists = np.full((len(asked.table), len(depths)), NONE, np.int64)
        lists[rows[proposed], depth] = items[proposed]
        if (lists != NONE).sum() < proposed.sum():
            raise BadTable(
                f"{name} gives one rank to two candidates of a query",
                where=str(place),
                hint="give every pair of a query and an encoder a rank of its own",
            )
        positions[name] = lists
    elsewhere = int((~there).sum())
    note = f"{elsewhere:,} pairs of the pool are of pictures that nobody judged here"
    pool = eds.pool(positions, deepest, items=len(asked.gallery))
    return pool, (note,) if elsewhere else ()


def _ranks(cells: list[object], name: str, place: Path) -> Positions:
    values = np.array([_rank(cell) for cell in cells], np.float64)
    wrong = np.flatnonzero((values < 0) | (values > DEEPEST) | (values != np.floor(values)))
    if wrong.size:
        raise BadTable(
            f"{wrong.size:,} ranks of {name} are no whole numbers from 1: "
            f"{first_few(repr(cells[row]) for row in wrong)}",
            where=str(place),
            hint="give ranks from 1, and nothing where the encoder did not propose the pair",
        )
    return values.astype(np.int64)


def _rank(cell: object) -> float:
    if cell is None or cell == "":
        return 0.0
    try:
        rank = float(str(cell))
    except ValueError:
        return -1.0
    return 0.0 if np.isnan(rank) else rank


def proposals(pool: eds.Pool, pairs: Pairs) -> npt.NDArray[np.bool_]:
    """(p, m): whether each encoder of the pool proposed each judged pair."""
    span = int(max(pool.pairs[:, 1].max(initial=0), pairs.items.max(initial=0))) + 1
    known = pool.pairs[:, 0] * span + pool.pairs[:, 1]
    order = np.argsort(known)
    wanted = pairs.rows * span + pairs.items
    place = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    proposed: npt.NDArray[np.bool_] = pool.ranks[place] > 0
    proposed[known[place] != wanted] = False
    return proposed
