"""Judgements of people: which candidate is how relevant to which query, from a file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .arrays import Array, Floats, Positions
from .errors import BadTable, first_few
from .relevance import NONE, Relevance, checked_own
from .tables import SUFFIXES, column, read_table, texts

COLUMNS = ("query", "candidate", "grade")


@dataclass(frozen=True, eq=False)
class Judgements:
    """Grades that people gave to pairs of a query and a candidate.

    Attributes:
        queries: (p,) id of each pair's query.
        candidates: (p,) id of each pair's candidate.
        grades: (p,) float64; above 0 is relevant, 0 or below is judged not relevant.
        path: the file they come from, for messages.

    A pair that stands twice must have one grade.
    """

    queries: tuple[str, ...] = field(repr=False)
    candidates: tuple[str, ...] = field(repr=False)
    grades: Floats = field(repr=False)
    path: str = "judgements"

    def __post_init__(self) -> None:
        object.__setattr__(self, "grades", np.asarray(self.grades, np.float64))
        if not len(self.queries) == len(self.candidates) == len(self.grades):
            raise BadTable(
                f"{len(self.queries):,} queries, {len(self.candidates):,} candidates and "
                f"{len(self.grades):,} grades",
                where=self.path,
                mend="give one of each per judgement",
            )
        broken = np.flatnonzero(~np.isfinite(self.grades))
        if broken.size:
            raise BadTable(
                f"{broken.size:,} grades are no finite numbers: judgements {first_few(broken)}",
                where=self.path,
                mend="give a number, 0 for not relevant, or leave the judgement out",
            )
        self._refuse_contradictions()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Judgements:
        """The judgements in a file.

        Args:
            path: a table (CSV, TSV, Parquet, JSON lines, by its suffix) with the columns
                ``query``, ``candidate`` and ``grade``; any other suffix is read as TREC
                qrels, lines of ``query iteration candidate grade`` between blanks.

        Raises:
            BadTable: no such file, a line or column that is not so, a grade that is no
                number, two grades of one pair, or nothing in it.
        """
        place = Path(path)
        found = _read_columns(place) if place.suffix.lower() in SUFFIXES else _read_trec(place)
        if not len(found):
            raise BadTable(
                "there are no judgements in this file",
                where=str(place),
                mend=f"give TREC qrels, or a table with the columns {', '.join(COLUMNS)}",
            )
        return found

    def __len__(self) -> int:
        return len(self.grades)

    def _refuse_contradictions(self) -> None:
        known: dict[tuple[str, str], float] = {}
        pairs = zip(self.queries, self.candidates, strict=True)
        torn = [
            pair
            for pair, grade in zip(pairs, self.grades.tolist(), strict=True)
            if known.setdefault(pair, grade) != grade
        ]
        if torn:
            raise BadTable(
                f"{len(torn):,} pairs have two grades: "
                f"{first_few(f'{query} with {candidate}' for query, candidate in torn)}",
                where=self.path,
                mend="keep one judgement of a pair",
            )


class JudgedRelevance(Relevance):
    """The grades of judgements; what nobody judged gains 0.

    Args:
        judgements: grades of pairs; below 0 counts as 0.
        ids: (n,) ids of the gallery.
        queries: (q,) ids of a separate query table; None where the items themselves are
            the queries.
        own: as for ``LabelRelevance``.
        least: grade from which an item counts as relevant for precision, recall and the
            like; 0 for any grade above 0.

    Attributes:
        left_out: judgements whose query or candidate is not there. A relevant item that
            is not in the gallery does not count: no search could find it.

    Raises:
        BadTable: no judgement is of these queries and items.
        BadShape: ``own`` does not fit.

    Example:
        >>> judged = Judgements(("a", "a", "b"), ("b", "c", "a"), np.array([2.0, 0.0, 1.0]))
        >>> JudgedRelevance(judged, ["a", "b", "c"]).ideal(np.arange(3), 2)
        array([[2., 0.],
               [1., 0.],
               [0., 0.]])
    """

    def __init__(
        self,
        judgements: Judgements,
        ids: Sequence[str],
        *,
        queries: Sequence[str] | None = None,
        own: npt.ArrayLike | None = None,
        least: float = 0.0,
    ) -> None:
        asked = ids if queries is None else queries
        items_ask = queries is None
        own = checked_own(own, len(asked), len(ids), items_ask=items_ask)
        super().__init__(len(ids), own, least)
        rows, items = _places(judgements.queries, asked), _places(judgements.candidates, ids)
        there = (rows != NONE) & (items != NONE)
        self.left_out = int((~there).sum())
        if not there.any():
            raise BadTable(
                f"none of the {len(judgements):,} judgements is of these queries and items: "
                f"queries such as {first_few(dict.fromkeys(judgements.queries))}, "
                f"candidates such as {first_few(dict.fromkeys(judgements.candidates))}",
                where=judgements.path,
                mend=f"give ids of the catalogue, such as {first_few(ids)}",
            )
        there &= items != self.own[rows]
        pairs = rows[there] * self.n_items + items[there]
        self._pairs, first = np.unique(pairs, return_index=True)
        self._grades: Floats = np.maximum(judgements.grades[there][first], 0.0)
        self._rows, self._items = np.divmod(self._pairs, self.n_items)

    def gains(self, queries: Positions, positions: Array) -> Floats:
        """The grades, 0 where none was given."""
        judged, place = self._find(queries, positions)
        gains = np.zeros(positions.shape)
        gains[judged] = self._grades[place[judged]]
        return gains

    def relevant(self, queries: Positions) -> Positions:
        """How many candidates have a grade that counts as relevant."""
        good = self._rows[self.is_relevant(self._grades)]
        return np.bincount(good, minlength=self.n_queries)[queries].astype(np.int64)

    def ideal(self, queries: Positions, k: int) -> Floats:
        """The largest grades."""
        grades = self._grades[np.lexsort((-self._grades, self._rows))]
        best = np.zeros((len(queries), k))
        for row, judged in enumerate(_slices(self._rows, queries)):
            largest = grades[judged][:k]
            best[row, : len(largest)] = largest
        return best

    def members(self, queries: Positions) -> list[Positions]:
        """The candidates with a grade that counts as relevant."""
        good = self.is_relevant(self._grades)
        items = self._items[good]
        return [items[judged] for judged in _slices(self._rows[good], queries)]

    def is_judged(self, queries: Positions, positions: Array) -> npt.NDArray[np.bool_]:
        """(q, depth): whether somebody judged these pairs; of empty places nobody did."""
        return self._find(queries, positions)[0]

    def _find(
        self, queries: Positions, positions: Array
    ) -> tuple[npt.NDArray[np.bool_], Positions]:
        """Whether each pair was judged, and where its grade stands if so."""
        pairs = np.asarray(queries)[:, None] * self.n_items + positions
        place = np.searchsorted(self._pairs, pairs)
        known = np.append(self._pairs, NONE)
        return (known[place] == pairs) & (positions >= 0), place


def _places(names: Sequence[str], ids: Sequence[str]) -> Positions:
    """Where each name stands among the ids; -1 for nowhere."""
    place = {item: row for row, item in enumerate(ids)}
    return np.array([place.get(name, NONE) for name in names], np.int64)


def _slices(rows: Positions, queries: Positions) -> list[slice]:
    """Where each query stands in sorted rows."""
    starts, ends = np.searchsorted(rows, queries), np.searchsorted(rows, queries, "right")
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def _read_trec(path: Path) -> Judgements:
    if not path.is_file():
        raise BadTable("there is no such file", where=str(path), mend="check the path")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadTable(
            f"the judgements cannot be read: {error}",
            where=str(path),
            mend="save them as UTF-8 text, or give the table the suffix of its kind: "
            f"{', '.join(SUFFIXES)}",
        ) from error
    cells = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    for number, parts in cells:
        if len(parts) != len(("query", "iteration", "candidate", "grade")):
            raise BadTable(
                f"line {number} has {len(parts)} parts, and a line of TREC qrels has four: "
                "query, iteration, candidate, grade",
                where=str(path),
                mend="mend that line; ids with blanks need a CSV table "
                f"with the columns {', '.join(COLUMNS)}",
            )
    return Judgements(
        tuple(parts[0] for _, parts in cells),
        tuple(parts[2] for _, parts in cells),
        np.array([_grade(parts[3], f"line {number}", path) for number, parts in cells]),
        str(path),
    )


def _read_columns(path: Path) -> Judgements:
    table = read_table(path, text_columns=COLUMNS)
    query, candidate, grade = (
        texts(column(table, name, path, "judgements"), ("",)) for name in COLUMNS
    )
    rows = list(zip(query, candidate, grade, strict=True))
    for number, row in enumerate(rows, 1):
        if None in row:
            raise BadTable(
                f"row {number} lacks a {COLUMNS[row.index(None)]}",
                where=str(path),
                mend="give every judgement a query, a candidate and a grade",
            )
    return Judgements(
        tuple(str(row[0]) for row in rows),
        tuple(str(row[1]) for row in rows),
        np.array(
            [_grade(str(row[2]), f"row {number}", path) for number, row in enumerate(rows, 1)]
        ),
        str(path),
    )


def _grade(text: str, place: str, path: Path) -> float:
    try:
        grade = float(text)
    except ValueError:
        grade = math.nan
    if not math.isfinite(grade):
        raise BadTable(
            f"{place} has the grade {text!r}, which is no number",
            where=str(path),
            mend="give a number, 0 for not relevant",
        )
    return grade
