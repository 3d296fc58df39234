"""What goes into a vote book from files."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...values.errors import BadTable, first_few, plural
from ...values.judgement_files import POSSIBLE, RANDOM, Rows, read_rows
from .checks import check_pairs, checked_share, is_time, named
from .values import Given, Pooled, Question

TRUTHS = {"0": False, "1": True, "false": False, "true": True}
REPEATS = 0.05
"""Share of the questions that come back, if nothing else is said."""


@dataclass(frozen=True)
class Known:
    """Ids that there are, of queries and of candidates; None where any will do.

    ``closed`` where both are of one catalogue, in which no item is its own candidate.
    """

    queries: Collection[str] | None = None
    candidates: Collection[str] | None = None
    closed: bool = False


@dataclass(frozen=True)
class Content:
    """What a file adds: votes, or pairs to judge.

    Attributes:
        votes: None where there are pairs to judge.
        pooled: those, and how each came into its pool.
        answers: right answers of known pairs that are mixed in.
        repeats: share of the pairs that each expert is asked twice.
    """

    votes: list[Given] | None = None
    pooled: dict[Question, Pooled] = field(default_factory=dict)
    answers: dict[Question, int] = field(default_factory=dict)
    repeats: float = REPEATS


def read_content(
    path: str | os.PathLike[str],
    *,
    expert: str | None = None,
    known: str | os.PathLike[str] | None = None,
    repeats: float | None = None,
    queries: Collection[str] | None = None,
    candidates: Collection[str] | None = None,
    closed: bool = False,
) -> Content:
    """Votes, if the file has a column ``vote`` or ``grade``; else pairs to judge.

    Args:
        path: a table (CSV, TSV, Parquet), JSON lines, JSON of the VSD release, or TREC
            qrels; see ``read_rows``. Of pairs to judge, columns named after encoders (or
            ``rank``) hold ranks, ``random`` is 1 for pairs drawn at random, and
            ``possible`` says how many candidates a query may have.
        expert: who voted, where no column ``expert`` says so.
        known: of pairs to judge: a file of known pairs to mix in, ``grade`` being right.
        repeats: of pairs to judge: share that each expert is asked twice.
        queries: ids that there are; others are refused.
        candidates: the same.
        closed: whether queries and candidates are of one catalogue: a pair of an item with
            itself is then none to judge. Equal ids of two catalogues may be two pictures.

    Raises:
        BadTable: a broken line, another label than 0 or 1, one vote twice with different
            values, a pair to judge twice, two numbers of candidates of one query, an unknown
            id, votes of nobody, an expert without votes, or nothing in it. The message
            counts them and names the first few.
    """
    place, there = Path(path), Known(queries, candidates, closed)
    content = _read(place, None if expert is None else named(expert), there)
    if content.votes is None:
        answers = {} if known is None else _answers(Path(known), there)
        share = REPEATS if repeats is None else checked_share(repeats)
        return replace(content, answers=answers, repeats=share)
    if known is not None or repeats is not None:
        raise BadTable(
            "known and repeated pairs are mixed into pairs to judge, and these are votes",
            where=str(path),
            hint="leave them out, or give the file of a pool",
        )
    return content


def _read(path: Path, expert: str | None, known: Known) -> Content:
    rows = read_rows(path)
    if not len(rows):
        raise BadTable(
            "there are no pairs in this file",
            where=str(path),
            hint="give a table with the columns query and candidate, and of votes also vote",
        )
    asked = _questions(rows, known)
    label = next((name for name in ("vote", "grade") if name in rows.columns), None)
    if label is None:
        _refuse_expert(rows, expert)
        if known.closed:
            _refuse_itself(asked, rows)
        return Content(pooled=_pooled(rows, asked))
    votes = _labels(rows, label)
    given = [
        Given(name, pair.query, pair.candidate, *more)
        for name, pair, *more in zip(
            _experts(rows, expert),
            asked,
            votes,
            _truths(rows, "again"),
            _seconds(rows),
            rows.columns.get("at", [None] * len(rows)),
            strict=True,
        )
    ]
    _refuse_torn([(one.expert, one.query, one.candidate, one.again) for one in given], votes, rows)
    return Content(given)


def _answers(path: Path, known: Known) -> dict[Question, int]:
    """Known pairs with their right answers."""
    rows = read_rows(path)
    label = "vote" if "vote" in rows.columns else "grade"
    asked, answers = _questions(rows, known), _labels(rows, label)
    _refuse_torn([(pair.query, pair.candidate) for pair in asked], answers, rows)
    return dict(zip(asked, answers, strict=True))


def _questions(rows: Rows, known: Known) -> list[Question]:
    """Every row's pair."""
    asked = list(
        map(Question, rows.filled("query", "queries"), rows.filled("candidate", "candidates"))
    )
    for ids, place, role in (
        (known.queries, 0, "queries"),
        (known.candidates, 1, "candidates"),
    ):
        strange = [] if ids is None else [pair[place] for pair in asked if pair[place] not in ids]
        if strange:
            raise BadTable(
                f"{len(strange):,} of {len(rows):,} rows have {role} that are not in the "
                f"catalogue: {first_few(dict.fromkeys(strange))}",
                where=str(rows.path),
                hint="give the catalogue that they are of, or leave them out",
            )
    return asked


def _strangers(rows: Rows, cells: Sequence[str], known: Collection[str]) -> list[str]:
    """Where cells stand that are none of the known ones, and what they hold."""
    return [
        f"{place} has {cell!r}"
        for cell, place in zip(cells, rows.places, strict=True)
        if cell not in known
    ]


def _labels(rows: Rows, name: str) -> list[int]:
    """Every row's label."""
    cells = rows.filled(name, "votes")
    labels = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
    other = _strangers(rows, cells, labels)
    if other:
        raise BadTable(
            f"{len(other):,} of {len(rows):,} labels are neither 0 nor 1: {first_few(other)}",
            where=str(rows.path),
            hint="give 1 for alike and 0 for not alike",
        )
    return [labels[cell] for cell in cells]


def _experts(rows: Rows, expert: str | None) -> list[str]:
    """Every row's expert."""
    if expert is None and "expert" not in rows.columns:
        raise BadTable(
            "the file does not say whose votes these are",
            where=str(rows.path),
            hint="name the expert (--expert NAME), or give a table with a column expert",
        )
    if expert is not None and "expert" in rows.columns:
        raise BadTable(
            f"the file says itself whose votes these are, and {expert!r} is named as well",
            where=str(rows.path),
            hint="leave the name out, or the column",
        )
    return rows.filled("expert", "experts") if expert is None else [expert] * len(rows)


def _refuse_expert(rows: Rows, expert: str | None) -> None:
    """Pairs to judge are nobody's: whoever names an expert means votes."""
    if expert is not None or "expert" in rows.columns:
        raise BadTable(
            "an expert is named, and there is no column vote or grade",
            where=str(rows.path),
            hint=f"the columns are: {', '.join(rows.columns)}; call that of the votes vote, or "
            "leave the expert out of pairs to judge",
        )


def _truths(rows: Rows, name: str) -> list[bool]:
    """A column of yes and no; all no where it is not there."""
    cells = [(cell or "0").lower() for cell in rows.columns.get(name, ["0"] * len(rows))]
    other = _strangers(rows, cells, TRUTHS)
    if other:
        raise BadTable(
            f"{plural(len(other), f'cell of {name} is', f'cells of {name} are')} "
            f"neither 0 nor 1: {first_few(other)}",
            where=str(rows.path),
            hint=f"give 0 or 1, or leave the column {name} out",
        )
    return [TRUTHS[cell] for cell in cells]


def _seconds(rows: Rows) -> list[float | None]:
    """How long each answer took, where the file tells."""
    cells = rows.columns.get("seconds", [None] * len(rows))
    try:
        found = [None if cell is None else float(cell) for cell in cells]
    except ValueError as error:
        raise BadTable(
            f"the column seconds does not hold numbers: {error}",
            where=str(rows.path),
            hint="give numbers, or leave the column out",
        ) from error
    odd = [
        place
        for one, place in zip(found, rows.places, strict=True)
        if one is not None and not is_time(one)
    ]
    if odd:
        raise BadTable(
            f"{len(odd):,} cells of seconds are no time that an answer takes: {first_few(odd)}",
            where=str(rows.path),
            hint="give seconds from 0, or nothing",
        )
    return found


def _refuse_torn(keys: Sequence[tuple[Any, ...]], votes: Sequence[int], rows: Rows) -> None:
    """One vote must not stand twice with different values."""
    first: dict[tuple[Any, ...], int] = {}
    torn = []
    for row, (key, vote) in enumerate(zip(keys, votes, strict=True)):
        before = first.setdefault(key, row)
        if votes[before] != vote:
            named = " with ".join(str(part) for part in key[-2:] if not isinstance(part, bool))
            if len(key) > len(("query", "candidate")):
                named = f"{key[0]} on {key[1]} with {key[2]}"
            torn.append(f"{named} ({rows.places[before]} and {rows.places[row]})")
    if torn:
        raise BadTable(
            f"{plural(len(torn), 'vote stands', 'votes stand')} "
            f"twice with different values: {first_few(torn)}",
            where=str(rows.path),
            hint="keep one of each; nothing of the file was taken",
        )


def _pooled(rows: Rows, asked: Sequence[Question]) -> dict[Question, Pooled]:
    """How each pair came into the pool: its best rank over all columns of ranks, and the draw."""
    ranked = [cells for name, cells in rows.columns.items() if name == "rank" or ":" in name]
    possible = [
        _count(cell, "number of possible candidates", rows, row)
        for row, cell in enumerate(rows.columns.get(POSSIBLE, [None] * len(rows)))
    ]
    best = []
    for row in range(len(rows)):
        ranks = [_count(cells[row], "rank", rows, row) for cells in ranked]
        best.append(min(filter(None, ranks), default=0))
    check_pairs(asked, possible, str(rows.path))
    return dict(zip(asked, map(Pooled, best, _truths(rows, RANDOM), possible), strict=True))


def _refuse_itself(asked: Sequence[Question], rows: Rows) -> None:
    """In one catalogue no item is its own candidate."""
    itself = [pair.query for pair in asked if pair.query == pair.candidate]
    if itself:
        raise BadTable(
            f"{len(itself):,} of {len(asked):,} pairs to judge are of an item with itself: "
            f"{first_few(itself)}",
            where=str(rows.path),
            hint="leave them out; if the queries are of another catalogue, name it: --queries",
        )


def _count(cell: str | None, what: str, rows: Rows, row: int) -> int:
    """A whole number from 1; 0 where nothing stands."""
    if cell is None:
        return 0
    if not cell.isdecimal():
        raise BadTable(
            f"{rows.places[row]} has the {what} {cell!r}",
            where=str(rows.path),
            hint="give whole numbers from 1, and nothing for a rank that an encoder did not give",
        )
    return int(cell)
