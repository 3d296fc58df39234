"""Maps of a catalogue as an encoder lays it out: t-SNE, coloured by a tag category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._leaderboard import Leaderboard
from ..values.arrays import Floats, Positions
from ..values.tags import Tags
from .lines import Line

FEWEST = 10
"""Below so many different vectors a map shows nothing."""

NAMED = 10
"""Values of the category with a colour of their own."""

SIDE = 400.0
MARGIN = 10.0
OTHER, NONE = "Other", "without"


@dataclass(frozen=True)
class Group:
    """Items of one colour.

    Attributes:
        name: the tag, or ``Other``, or ``without`` any.
        style: number of its colour and shape from 0; -1 for Other and -2 for without.
        count: how many of the map's items.
    """

    name: str
    style: int
    count: int


@dataclass(frozen=True)
class Map:
    """One encoder's map.

    Attributes:
        line: the encoder.
        paths: SVG path of each group's points, in the order of the legend.
    """

    line: Line
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Maps:
    """The maps of a report, and their legend.

    Attributes:
        category: the tag category that colours them.
        groups: the legend: most frequent first, then Other and without.
        maps: best encoder first.
        height: of each map, for a width of ``SIDE``.
        missing: why an encoder has no map, a sentence each.
    """

    category: str
    groups: tuple[Group, ...]
    maps: tuple[Map, ...]
    height: float
    missing: tuple[str, ...]


def draw_maps(board: Leaderboard, lines: Sequence[Line]) -> Maps:
    """Maps of some encoders, coloured alike."""
    category = choose_category(board.catalogue.tags, board.map_items, board.weights)
    names = _first_tags(board.catalogue.tags, category, board.map_items)
    groups, group_of = _group(names)
    laid = [(line, lay_out(line.entry.map_vectors)) for line in lines]
    drawn = [(line, points) for line, points in laid if points is not None]
    height = max((float(np.nanmax(points[:, 1])) for _, points in drawn), default=0.0) + MARGIN
    maps = []
    for line, points in drawn:
        points[:, 1] += (height - MARGIN - np.nanmax(points[:, 1])) / 2
        paths = tuple(_path(points[group_of == number]) for number in range(len(groups)))
        maps.append(Map(line, paths))
    missing = tuple(
        f"{line.label} has no map: fewer than {FEWEST} of its vectors differ."
        for line, points in laid
        if points is None
    )
    return Maps(category, groups, tuple(maps), round(height), missing)


def choose_category(tags: Tags, items: Positions, weights: Mapping[str, float] | None) -> str:
    """The category that colours the map.

    The one with the highest weight of those with at least two values among the items;
    without weights the first with 2 to 40 values, else the first.
    """
    matrix = tags.matrix[items]
    used = np.asarray(matrix.sum(axis=0)).ravel() > 0
    values = {name: int(used[tags.columns(name)].sum()) for name in tags.category_names}
    several = [name for name, count in values.items() if count > 1]
    if weights and several:
        return max(several, key=lambda name: weights.get(name, 0.0))
    return next((name for name in several if values[name] <= 40), tags.category_names[0])


def lay_out(vectors: Floats) -> Floats | None:
    """Places in the plane by t-SNE, turned so that they spread most across.

    Args:
        vectors: (s, d) unit vectors, so that Euclidean distance orders pairs as the cosine.

    Returns:
        (s, 2): x from ``MARGIN`` to ``SIDE`` - ``MARGIN``, y from ``MARGIN`` on; NaN where
        the vector is not finite. None if too few vectors differ.
    """
    good = np.isfinite(vectors).all(axis=1)
    kept = np.ascontiguousarray(vectors[good], np.float64)
    if len(np.unique(kept.round(6), axis=0)) < FEWEST:
        return None
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # so few points lose more by sharing cores than they gain
        if min(kept.shape) > 50:
            kept = PCA(50, svd_solver="full").fit_transform(kept)
        perplexity = min(30.0, (len(kept) - 1) / 3)
        tsne = TSNE(init="pca", perplexity=perplexity, max_iter=750, random_state=0)
        places = tsne.fit_transform(kept.astype(np.float32))
        places = PCA(2, svd_solver="full").fit_transform(places)
    places -= places.min(axis=0)
    points = np.full((len(vectors), 2), np.nan)
    points[good] = MARGIN + places * ((SIDE - 2 * MARGIN) / max(float(places.max()), 1e-9))
    return points


def _first_tags(tags: Tags, category: str, items: Positions) -> list[str | None]:
    """Each item's tag of that category, its most frequent one if it has several."""
    columns = tags.columns(category)
    columns = columns[np.argsort(-tags.matrix[:, columns].sum(axis=0), kind="stable")]
    borne = tags.matrix[:, columns][items].toarray() > 0
    names = [tags.names[column] for column in columns]
    return [names[row.argmax()] if row.any() else None for row in borne]


def _group(names: Sequence[str | None]) -> tuple[tuple[Group, ...], Positions]:
    """The legend, and the number of the group of each item."""
    counts = Counter(name for name in names if name is not None)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    limit = NAMED if len(ranked) > NAMED + 1 else len(ranked)
    groups = [Group(name, style, count) for style, (name, count) in enumerate(ranked[:limit])]
    number_of = {group.name: group.style for group in groups}
    other = sum(count for _, count in ranked[limit:])
    bare = len(names) - counts.total()
    if other:
        groups.append(Group(OTHER, -1, other))
    if bare:
        groups.append(Group(NONE, -2, bare))
    place_of_other, place_of_none = limit, limit + bool(other)
    numbers = [
        place_of_none if name is None else number_of.get(name, place_of_other) for name in names
    ]
    return tuple(groups), np.array(numbers, np.int64)


def _path(points: Floats) -> str:
    """Points as an SVG path of lines without length, which round or square ends make visible."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points if np.isfinite(x))
