"""Tags that are probably wrong, by the tags of the most similar images.

Each item is judged by the K most similar items that are no copy of it and of another product
(leave one out). With s_ic the share of those neighbours of item i that have tag c, smoothed
by the share of c among all items, and t_c the mean of s_ic over the items tagged c (the
threshold of a class in confident learning; Northcutt et al. 2021, doi:10.1613/jair.1.12125),
the tag y of item i is suspected when the most frequent tag of its neighbours is another one,
and some tag c other than y reaches s_ic >= min(t_c, 1/2). Of these the c with the largest
s_ic - t_c is suggested. Suspects are ordered by

    surprise = s_ic - s_iy + t_y,

how much more support the suggested tag has than the present one, and more so where the
present tag is one that neighbours usually recognise.

How much that is worth differs from column to column, so it is measured on the column
itself: ``RATE`` of its tags are exchanged at random, and the suspects of that column are
ordered in the same way. Suspects are reported from the surprise on from which at least
``PRECISION`` of the suspects above it are tags that had been exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..values.arrays import Array, Floats, Positions
from ..values.catalogue import Catalogue
from .copies import nearest

K = 20
"""Neighbours that vote."""

DEPTH = 60
"""Neighbours looked at, of which copies and images of the same product do not vote."""

SMOOTHING = 0.5
"""Votes that stand for the shares of tags among all items."""

MAJORITY = 0.5
"""Share of the neighbours that is enough for a suggestion, however high the threshold."""

RATE = 0.05
"""Share of tags that are exchanged to measure a column."""

PRECISION = 0.4
"""Share of exchanged tags among the suspects that a report must reach."""

PLANTED = 200
"""Tags that are exchanged at least, over several turns in a small catalogue."""

TURNS = 20
"""Turns at most."""

FEWEST = 20
"""Tagged items from which on a column is judged."""

CERTAIN = 2.33
"""Standard deviations by which neighbours must beat the most frequent tag (one-sided 1 %)."""


@dataclass(frozen=True)
class Votes:
    """What neighbours say of the tags of a column; all by item.

    Attributes:
        winner: the most frequent tag among the neighbours, -1 without any.
        own: smoothed share of the neighbours that have the item's tag.
        suggested: the tag that is suggested in its place, -1 where it is not suspected.
        support: share of the neighbours that have the suggested tag.
        surprise: see the start of this module; -inf where it is not suspected.
    """

    winner: Positions
    own: Floats
    suggested: Positions
    support: Floats
    surprise: Floats


@dataclass(frozen=True)
class Column:
    """What was found about the tags of a column.

    Attributes:
        name: of the column.
        items: how many items have a tag.
        tags: how many different tags there are.
        accuracy: share of the items whose tag is the most frequent one of their neighbours.
        majority: share of the items with the most frequent tag of all.
        recovered: share of the exchanged tags that a report like this one holds, NaN if unknown.
        precision: share of exchanged tags in it, NaN if unknown.
        threshold: surprise from which on a tag is reported (-inf if all suspects are), or NaN.
        reason: why the column is not judged, or "".
    """

    name: str
    items: int
    tags: int
    accuracy: float = float("nan")
    majority: float = float("nan")
    recovered: float = float("nan")
    precision: float = float("nan")
    threshold: float = float("nan")
    reason: str = ""


@dataclass(frozen=True)
class Suspect:
    """A tag that is probably wrong.

    Attributes:
        row: the item.
        column: name of the column.
        tag: its tag.
        suggested: the tag of its neighbours.
        support: share of the voting neighbours that have the suggested tag.
        agree: share that has the present tag.
        surprise: the score they are ordered by.
        neighbours: the most similar items that have the suggested tag.
    """

    row: int
    column: str
    tag: str
    suggested: str
    support: float
    agree: float
    surprise: float
    neighbours: tuple[int, ...]


def find_neighbours(
    vectors: Floats, usable: Array, groups: Positions, products: Positions
) -> Positions:
    """(n, DEPTH) the items that may vote on each item, most similar first; -1 for none.

    Args:
        vectors: (n, d) of the items.
        usable: (n,) bool, items that vote and are judged.
        groups: (n,) group of copies of each item.
        products: (n,) product of each item.
    """
    rows = np.flatnonzero(usable)
    places = np.full((len(vectors), DEPTH), -1, np.int64)
    if len(rows) < 2:
        return places
    _, found = nearest(vectors[rows], np.arange(len(rows)), DEPTH + 1)
    found = rows[found]
    own = rows[:, None]
    barred = (groups[found] == groups[own]) | (products[found] == products[own])
    order = np.argsort(barred, axis=1, kind="stable")[:, :DEPTH]
    kept = np.where(barred, -1, found)
    places[rows, : order.shape[1]] = np.take_along_axis(kept, order, axis=1)
    return places


def vote(tags: Positions, neighbours: Positions) -> Votes:
    """What neighbours say of the tags of a column.

    Args:
        tags: (n,) number of each item's tag, from 0; -1 where it has none.
        neighbours: (n, depth) rows of those who may vote, most similar first; -1 for none.
    """
    items = np.arange(len(tags))
    theirs = _first_votes(tags, neighbours)
    voting = theirs >= 0
    counts = voting.sum(axis=1)
    same = np.zeros(theirs.shape)
    for place in range(theirs.shape[1]):
        one = slice(place, place + 1)
        same += (theirs == theirs[:, one]) & voting[:, one]
    prior = np.bincount(tags[tags >= 0], minlength=int(tags.max(initial=0)) + 1) / max(
        1, int((tags >= 0).sum())
    )
    share = (same + SMOOTHING * prior[theirs]) / (counts + SMOOTHING)[:, None]
    share[~voting] = 0
    agreeing = ((theirs == tags[:, None]) & voting).sum(axis=1)
    own = (agreeing + SMOOTHING * prior[tags]) / (counts + SMOOTHING)
    known = tags >= 0
    sums = np.bincount(tags[known], own[known], minlength=len(prior))
    threshold = sums / np.maximum(1, np.bincount(tags[known], minlength=len(prior)))
    winner = np.where(counts > 0, theirs[items, share.argmax(axis=1)], -1)
    above = np.where(
        voting & (theirs != tags[:, None]) & (share >= np.minimum(threshold[theirs], MAJORITY)),
        share - threshold[theirs],
        -np.inf,
    )
    best = above.argmax(axis=1)
    suspected = known & (counts > 0) & (winner != tags) & np.isfinite(above[items, best])
    surprise = np.where(suspected, share[items, best] - own + threshold[tags], -np.inf)
    return Votes(
        winner=winner,
        own=np.where(counts > 0, agreeing / np.maximum(counts, 1), 0.0),
        suggested=np.where(suspected, theirs[items, best], -1),
        support=np.where(suspected, same[items, best] / np.maximum(counts, 1), 0.0),
        surprise=surprise,
    )


def _first_votes(tags: Positions, neighbours: Positions) -> Positions:
    """(n, K) tags of the first K neighbours that have one, -1 where there are fewer."""
    theirs = np.where(neighbours >= 0, tags[neighbours], -1)
    order = np.argsort(theirs < 0, axis=1, kind="stable")[:, :K]
    first: Positions = np.take_along_axis(theirs, order, axis=1)
    return first


def exchange(tags: Positions, rate: float, draw: np.random.Generator) -> tuple[Positions, Array]:
    """Tags of which some are exchanged for that of another item at random, and which ones are.

    Args:
        tags: (n,) number of each item's tag, -1 where it has none; at least two kinds.
        rate: share of the tags.
        draw: where randomness comes from.
    """
    tagged = np.flatnonzero(tags >= 0)
    chosen = draw.choice(tagged, max(1, round(rate * len(tagged))), replace=False)
    changed = tags.copy()
    while (same := chosen[changed[chosen] == tags[chosen]]).size:
        changed[same] = tags[draw.choice(tagged, same.size)]
    wrong = np.zeros(len(tags), bool)
    wrong[chosen] = True
    return changed, wrong


def judge(
    name: str, tags: Positions, names: list[str], neighbours: Positions, seed: int
) -> tuple[Column, list[Suspect]]:
    """The suspects of a column, and how well a column like it can be judged.

    Args:
        name: of the column.
        tags: (n,) number of each item's tag, from 0; -1 where it has none.
        names: of the tags.
        neighbours: (n, depth) rows of those who may vote, most similar first; -1 for none.
        seed: of the exchanged tags.
    """
    known = (tags >= 0) & (neighbours >= 0).any(axis=1)
    count, kinds = int(known.sum()), len(np.unique(tags[known]))
    column = Column(name, count, kinds)
    if count < FEWEST or kinds < 2:
        few = (
            f"only {count} comparable items have a value" if kinds > 1 else "it has one value only"
        )
        return replace(column, reason=few), []
    if kinds > count / 2:
        return replace(column, reason="most items have a value of their own"), []
    judged = np.where(known, tags, -1)
    votes = vote(judged, neighbours)
    accuracy, majority, better = _against_majority(judged, votes)
    column = replace(column, accuracy=accuracy, majority=majority)
    if not better:
        reason = "similar images do not predict it better than its most frequent value does"
        return replace(column, reason=reason), []
    threshold, recovered, precision = _calibrated(judged, neighbours, seed)
    if np.isnan(threshold):
        reason = "tags exchanged at random cannot be told from the others"
        return replace(column, reason=reason), []
    column = replace(column, threshold=threshold, recovered=recovered, precision=precision)
    rows = np.flatnonzero(np.isfinite(votes.surprise) & (votes.surprise >= threshold))
    order = rows[np.argsort(-votes.surprise[rows], kind="stable")]
    suspects = [
        Suspect(
            row=row,
            column=name,
            tag=names[tags[row]],
            suggested=names[votes.suggested[row]],
            support=float(votes.support[row]),
            agree=float(votes.own[row]),
            surprise=float(votes.surprise[row]),
            neighbours=tuple(_evidence(row, judged, votes, neighbours)),
        )
        for row in order.tolist()
    ]
    return column, suspects


def _against_majority(tags: Positions, votes: Votes) -> tuple[float, float, bool]:
    """Accuracy of the neighbours, that of the most frequent tag, and whether they beat it.

    By McNemar's test on the items on which only one of the two is right.
    """
    known = tags >= 0
    right = (votes.winner == tags)[known]
    frequent = (tags == np.bincount(tags[known]).argmax())[known]
    gained, lost = int((right & ~frequent).sum()), int((frequent & ~right).sum())
    spread = np.sqrt(max(1, gained + lost))
    better = (gained - lost) / spread > CERTAIN
    return float(right.mean()), float(frequent.mean()), bool(better)


def _calibrated(tags: Positions, neighbours: Positions, seed: int) -> tuple[float, float, float]:
    """The lowest surprise at which PRECISION holds, and the recall and precision there.

    The surprise is -inf where it holds for all suspects, and NaN where it never does.
    """
    each = max(1, round(RATE * int((tags >= 0).sum())))
    turns = min(TURNS, -(-PLANTED // each))
    surprises, wrong = [], []
    for turn in range(turns):
        changed, exchanged = exchange(tags, RATE, np.random.default_rng([seed, turn]))
        surprise = vote(changed, neighbours).surprise
        suspected = np.isfinite(surprise)
        surprises.append(surprise[suspected])
        wrong.append(exchanged[suspected])
    found, hits = np.concatenate(surprises), np.concatenate(wrong)
    order = np.argsort(-found, kind="stable")
    right = np.cumsum(hits[order])
    precision = right / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= PRECISION)
    if not enough.size or right[enough[-1]] < 3:
        return float("nan"), float("nan"), float("nan")
    last = enough[-1]
    lowest = -np.inf if last == len(order) - 1 else float(found[order[last]])
    return lowest, float(right[last] / (each * turns)), float(precision[last])


def _evidence(
    row: int, tags: Positions, votes: Votes, neighbours: Positions, most: int = 5
) -> Iterator[int]:
    """The most similar neighbours that have the suggested tag."""
    places = neighbours[row]
    voting = places[(places >= 0) & (tags[places] >= 0)][:K]
    yield from voting[tags[voting] == votes.suggested[row]][:most].tolist()


def tag_columns(catalogue: Catalogue) -> Iterator[tuple[str, Positions | None, list[str]]]:
    """Name, number of each item's tag (-1 for none) and names of the tags, column by column.

    The numbers are None where an item has several tags.
    """
    tags = catalogue.tags
    for name in tags.category_names:
        columns = tags.columns(name)
        matrix = tags.matrix[:, columns].tocsr()
        matrix.eliminate_zeros()
        names = [tags.names[column] for column in columns]
        per_item = np.diff(matrix.indptr)
        if (per_item > 1).any():
            yield name, None, names
            continue
        numbers = np.full(len(catalogue), -1, np.int64)
        numbers[per_item == 1] = matrix.indices
        yield name, numbers, names
    name = catalogue.layout.category or "class"
    if catalogue.labels is not None and name not in tags.category_names:
        names = sorted({label for label in catalogue.labels if label is not None})
        place = {label: number for number, label in enumerate(names)}
        yield name, np.array([-1 if one is None else place[one] for one in catalogue.labels]), names
