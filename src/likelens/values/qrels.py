"""Judgements of people: which candidate is how relevant to which query, from a file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .arrays import Array, Floats, Positions
from .columns import nfc
from .errors import BadTable, first_few, plural
from .judgement_files import Rows, read_rows
from .relevance import NONE, Relevance, checked_own

COLUMNS = ("query", "candidate", "grade")


@dataclass(frozen=True, eq=False, repr=False)
class Judgements:
    """Grades that people gave to pairs of a query and a candidate.

    Attributes:
        queries: (p,) id of each pair's query.
        candidates: (p,) id of each pair's candidate.
        grades: (p,) float64; above 0 is relevant, 0 or below is judged not relevant.
        path: the file they come from, for messages.

    A pair that stands twice must have one grade.
    """

    queries: tuple[str, ...]
    candidates: tuple[str, ...]
    grades: Floats
    path: str = "judgements"

    def __post_init__(self) -> None:
        object.__setattr__(self, "grades", np.asarray(self.grades, np.float64))
        for name in ("queries", "candidates"):  # ids that look the same are the same
            object.__setattr__(self, name, tuple(map(nfc, getattr(self, name))))
        if not len(self.queries) == len(self.candidates) == len(self.grades):
            raise BadTable(
                f"{len(self.queries):,} queries, {len(self.candidates):,} candidates and "
                f"{len(self.grades):,} grades",
                where=self.path,
                hint="give one of each per judgement",
            )
        broken = np.flatnonzero(~np.isfinite(self.grades))
        if broken.size:
            raise BadTable(
                f"{broken.size:,} grades are no finite numbers: judgements {first_few(broken)}",
                where=self.path,
                hint="give a number, 0 for not relevant, or leave the judgement out",
            )
        self._refuse_contradictions()

    def __repr__(self) -> str:
        asked = len(set(self.queries))
        return f"Judgements(pairs={len(self)}, queries={asked}, path={self.path!r})"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Judgements:
        """The judgements in a file.

        Args:
            path: a table (CSV, TSV, Parquet) or JSON lines, by its suffix, with the columns
                ``query``, ``candidate`` and ``grade`` (or ``vote``, where there is no grade);
                JSON of the VSD release; any other suffix is read as TREC qrels. See
                ``read_rows``.

        Raises:
            BadTable: no such file, a line or column that is not so, a grade that is no
                number, two grades of one pair, or nothing in it.
        """
        place = Path(path)
        rows = read_rows(place)
        if not len(rows):
            raise BadTable(
                "there are no judgements in this file",
                where=str(place),
                hint=f"give TREC qrels, or a table with the columns {', '.join(COLUMNS)}",
            )
        query, candidate = (rows.filled(name, "judgements") for name in COLUMNS[:2])
        return cls(tuple(query), tuple(candidate), _grades(rows), str(place))

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
                f"{plural(len(torn), 'pair has', 'pairs have')} two grades: "
                f"{first_few(f'{query} with {candidate}' for query, candidate in torn)}",
                where=self.path,
                hint="keep one judgement of a pair",
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
                hint=f"give ids of the catalogue, such as {first_few(ids)}",
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


def _grades(rows: Rows) -> Floats:
    """The grades of a file's rows."""
    only_votes = "vote" in rows.columns and "grade" not in rows.columns
    cells = rows.filled("vote" if only_votes else "grade", "judgements")
    return np.array(
        [_grade(cell, place, rows.path) for cell, place in zip(cells, rows.places, strict=True)]
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
            hint="give a number, 0 for not relevant",
        )
    return grade
