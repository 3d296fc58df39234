"""Judged pairs as positions in a catalogue: known to it, told once, 0 or 1."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..values.arrays import Positions
from ..values.catalogue import Catalogue
from ..values.errors import BadTable, first_few
from ..values.qrels import Judgements
from ..values.relevance import NONE, coded


@dataclass(frozen=True, eq=False)
class Pairs:
    """Queries, candidates and what people said of them.

    Attributes:
        rows: (p,) row of each pair's query in the table of queries.
        items: (p,) position of each pair's candidate in the gallery.
        labels: (p,) 1 for alike, 0 for not.
    """

    rows: Positions = field(repr=False)
    items: Positions = field(repr=False)
    labels: Positions = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def triples(self) -> Positions:
        """(p, 3) query, candidate and label, as metrics take them."""
        return np.column_stack([self.rows, self.items, self.labels])

    @property
    def positives(self) -> int:
        """How many were called alike."""
        return int(self.labels.sum())

    def keep(self, those: npt.NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.rows[those], self.items[those], self.labels[those])


@dataclass(frozen=True, eq=False)
class Asked:
    """Who asks whom.

    Attributes:
        gallery: the items that can be found.
        queries: another table of queries; None where items of the gallery ask.
        own: (q,) position of each query in the gallery; -1 where it is no item.
    """

    gallery: Catalogue
    queries: Catalogue | None
    own: Positions = field(repr=False)

    @property
    def table(self) -> Catalogue:
        """The table of queries."""
        return self.gallery if self.queries is None else self.queries

    def same_product(self, rows: Positions, items: Positions) -> npt.NDArray[np.bool_]:
        """(p,) whether query and candidate show one product; False where one has none."""
        theirs, ours = self.gallery.products, self.table.products
        if theirs is None or ours is None:
            return np.zeros(len(rows), bool)
        codes: dict[Hashable, int] = {}
        asked, found = coded(ours, codes), coded(theirs, codes)
        same: npt.NDArray[np.bool_] = (asked[rows] == found[items]) & (asked[rows] != NONE)
        return same


def find_pairs(
    judgements: Judgements, asked: Asked, *, skip_unknown: bool
) -> tuple[Pairs, tuple[str, ...]]:
    """The judgements as pairs, and notes on those that are left out.

    Equal judgements of a pair count once; no query is its own candidate.

    Args:
        judgements: grades of ids, which must be 0 or 1.
        asked: the gallery and its queries.
        skip_unknown: go on without judgements of ids that are not there.

    Raises:
        BadTable: another grade, an id that is not there, or nothing left.
    """
    labels = _labels(judgements)
    rows = _places(judgements.queries, asked.table)
    items = _places(judgements.candidates, asked.gallery)
    unknown = (rows == NONE) | (items == NONE)
    notes: list[str] = []
    if unknown.any():
        text = _unknown(judgements, rows, items)
        if not skip_unknown:
            raise BadTable(
                text,
                where=judgements.path,
                hint="give the catalogue that was judged, or go on without them: --skip-unknown",
            )
        notes.append(f"{text}; they are left out")
    itself = ~unknown & (items == asked.own[rows])
    if itself.any():
        notes.append(
            f"{int(itself.sum()):,} judgements of a picture with itself are left out: "
            "no query finds itself"
        )
    places = np.flatnonzero(~unknown & ~itself)
    _, first = np.unique(rows[places] * len(asked.gallery) + items[places], return_index=True)
    if len(first) < len(places):
        notes.append(f"{len(places) - len(first):,} judgements stand twice and count once")
    places = places[first]
    if not len(places):
        raise BadTable(
            f"none of the {len(judgements):,} judgements is left: {'; '.join(notes)}",
            where=judgements.path,
            hint=f"give ids of the catalogue, such as {first_few(asked.gallery.ids)}",
        )
    return Pairs(rows[places], items[places], labels[places]), tuple(notes)


def _labels(judgements: Judgements) -> Positions:
    grades = judgements.grades
    wrong = np.flatnonzero((grades != 0) & (grades != 1))
    if wrong.size:
        raise BadTable(
            f"{wrong.size:,} of {len(grades):,} judgements are neither 0 nor 1: "
            f"{first_few(dict.fromkeys(f'{grade:g}' for grade in grades[wrong]))}",
            where=judgements.path,
            hint="give 1 for alike and 0 for not; say yourself from which grade on a pair is alike",
        )
    return grades.astype(np.int64)


def _places(names: Sequence[str], catalogue: Catalogue) -> Positions:
    return np.array([catalogue.position.get(name, NONE) for name in names], np.int64)


def _unknown(judgements: Judgements, rows: Positions, items: Positions) -> str:
    """How many judgements, queries and candidates are not there, in a sentence."""
    sides = (("queries", judgements.queries, rows), ("candidates", judgements.candidates, items))
    parts = []
    for side, names, places in sides:
        lost = dict.fromkeys(names[place] for place in np.flatnonzero(places == NONE))
        if lost:
            parts.append(f"{len(lost):,} {side} such as {first_few(lost)}")
    count = int(((rows == NONE) | (items == NONE)).sum())
    return (
        f"{count:,} of {len(judgements):,} judgements are of pictures that are not in the "
        f"catalogue: {' and '.join(parts)}"
    )
