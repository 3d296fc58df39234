"""Queries beside what encoders find for them: Fig. 5 to 7 of the CorrEmbed paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .._leaderboard import Entry, Leaderboard
from ..values.arrays import Floats
from ..values.tags import Tags
from .lines import Line


@dataclass(frozen=True)
class Tag:
    """A tag under a picture.

    Attributes:
        name: the tag.
        category: its category.
        shared: whether the query bears it too.
    """

    name: str
    category: str
    shared: bool


@dataclass(frozen=True)
class Shown:
    """A picture of the catalogue.

    Attributes:
        position: its row in the catalogue.
        score: cosine similarity to the query, or None for the query itself.
        tags: its tags, those shared with the query first.
        shared: how many of the query's tags it bears.
        asked: how many tags the query bears.
    """

    position: int
    score: float | None
    tags: tuple[Tag, ...]
    shared: int
    asked: int


@dataclass(frozen=True)
class Found:
    """What one encoder finds.

    Attributes:
        line: the encoder.
        quality: its score for this query.
        shown: the pictures, most alike first.
    """

    line: Line
    quality: float
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Case:
    """A query and what encoders find for it.

    Attributes:
        query: the picture asked about.
        found: a row of pictures per encoder.
    """

    query: Shown
    found: tuple[Found, ...]

    def positions(self) -> Iterator[int]:
        """Rows of all its pictures."""
        yield self.query.position
        for found in self.found:
            yield from (shown.position for shown in found.shown)


@dataclass(frozen=True)
class Grid:
    """Cases, and by which score they were chosen.

    Attributes:
        metric: name of the score per query.
        cases: most telling first.
    """

    metric: str
    cases: tuple[Case, ...]


def disagreements(
    board: Leaderboard, strong: Line, weak: Line, *, count: int = 8, depth: int = 6
) -> Grid:
    """The queries on which two encoders differ most, no two with the same tags if possible."""
    metric, one = quality(board, strong.entry)
    other_metric, other = quality(board, weak.entry)
    if metric != other_metric:
        metric, one, other = (
            "CorrEmbed", _corrembed(board, strong.entry), _corrembed(board, weak.entry)
        )  # fmt: skip
    gap = np.abs(one - other)
    order = np.argsort(-np.nan_to_num(gap, nan=-1.0), kind="stable")
    chosen = _varied(board, order, count)
    return Grid(
        metric,
        tuple(_case(board, ((strong, one), (weak, other)), query, depth) for query in chosen),
    )


def failures(board: Leaderboard, line: Line, *, count: int = 3, depth: int = 5) -> Grid:
    """The queries that an encoder gets most wrong, no two with the same tags if possible."""
    metric, values = quality(board, line.entry)
    order = np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable")
    chosen = _varied(board, order[: int(np.isfinite(values).sum())], count)
    return Grid(metric, tuple(_case(board, ((line, values),), query, depth) for query in chosen))


def quality(board: Leaderboard, entry: Entry) -> tuple[str, Floats]:
    """Name and value per query of nDCG, or of CorrEmbed if no query has an nDCG."""
    values = entry.ndcg.per_query
    if np.isfinite(values).any():
        return f"nDCG@{entry.neighbours.shape[1]}", values
    return "CorrEmbed", _corrembed(board, entry)


def _corrembed(board: Leaderboard, entry: Entry) -> Floats:
    values: Floats = entry.unweighted.per_query[board.queries]
    return values


def _varied(board: Leaderboard, order: Sequence[int] | np.ndarray, count: int) -> list[int]:
    """The first queries in that order, those that repeat the tags of one before them last."""
    tags = board.catalogue.tags
    seen: set[tuple[int, ...]] = set()
    fresh: list[int] = []
    repeats: list[int] = []
    for query in order:
        key = tuple(_columns(tags, int(board.queries[query])))
        (repeats if key in seen else fresh).append(int(query))
        seen.add(key)
        if len(fresh) == count:
            break
    return (fresh + repeats)[:count]


def _case(board: Leaderboard, sides: Sequence[tuple[Line, Floats]], query: int, depth: int) -> Case:
    tags, asked = board.catalogue.tags, int(board.queries[query])
    found = []
    for line, values in sides:
        neighbours = line.entry.neighbours[query, :depth]
        scores = line.entry.neighbour_scores[query, :depth]
        shown = tuple(
            _shown(tags, asked, int(position), float(score))
            for position, score in zip(neighbours, scores, strict=True)
        )
        found.append(Found(line, float(values[query]), shown))
    return Case(_shown(tags, asked, asked, None), tuple(found))


def _shown(tags: Tags, query: int, position: int, score: float | None) -> Shown:
    wanted = set(_columns(tags, query))
    columns = sorted(_columns(tags, position), key=lambda column: column not in wanted)
    borne = tuple(Tag(tags.names[c], tags.categories[c], c in wanted) for c in columns)
    return Shown(position, score, borne, sum(tag.shared for tag in borne), len(wanted))


def _columns(tags: Tags, row: int) -> list[int]:
    """Columns of the tags that an item bears, in order."""
    start, end = tags.matrix.indptr[row : row + 2]
    columns = tags.matrix.indices[start:end][tags.matrix.data[start:end] != 0]
    return sorted(columns.tolist())
