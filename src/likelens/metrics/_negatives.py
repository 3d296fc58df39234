"""Negatives that nobody judged: drawn from the middle of the baselines' rankings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..values.arrays import EXACT, Array, Positions, as_array
from ..values.errors import BadShape, BadSpec, first_few
from ..values.relevance import NONE
from ._judged_pairs import check_judgements

LOW, HIGH = 100, 500
"""Ranks that negatives are drawn from, as in the VSD paper."""


def sampled_negatives(
    rankings: Mapping[str, npt.ArrayLike],
    judgements: npt.ArrayLike,
    *,
    low: int = LOW,
    high: int = HIGH,
    per_positive: int = 1,
    own: npt.ArrayLike | None = None,
    seed: int = 0,
) -> Positions:
    """For every positive pair a candidate of its query that is most likely negative.

    Drawn for each query without replacement, evenly from the distinct items that any
    baseline ranks from ``low`` to ``high``: alike enough not to be trivial, too far down to
    be often a match. Never a candidate judged positive, never the query itself. Nobody
    judged them: a few are positive, and the more a baseline resembles an encoder, the harder
    these negatives are for that encoder. The ranks are a union: an item that one baseline
    ranks first is drawn if another ranks it there, and in a gallery hardly larger than the
    union these are random items.

    Args:
        rankings: by baseline the (q, >= high) gallery positions of each query's items, best
            first; -1 for an empty place.
        judgements: (p, 3) query, candidate, and 1 for a positive or 0 for a negative.
        low: first rank drawn from, at least 1.
        high: last rank drawn from.
        per_positive: how many for each positive pair of the query.
        own: (q,) gallery position of each query, -1 for none.
        seed: of the draw.

    Returns:
        (p2, 3) judgements with label 0, sorted by query and candidate; none for a query
        without a positive.

    Raises:
        BadSpec: no baseline, or such ranks and numbers cannot be.
        BadShape: lists shorter than ``high`` (too short a gallery), a query with too few
            candidates in them, lists or ``own`` for other queries, or judgements that are
            not so.

    Example:
        >>> lists = {"baseline": np.tile(np.arange(600), (2, 1))}
        >>> drawn = sampled_negatives(lists, [[0, 3, 1], [0, 4, 1], [1, 5, 0]])
        >>> drawn.shape, drawn[0, 0], bool((drawn[:, 1] >= 99).all())
        ((2, 3), np.int64(0), True)
    """
    if not rankings or not 1 <= low <= high or per_positive < 1:
        raise BadSpec(
            f"no {per_positive} negatives per positive from ranks {low} to {high} of "
            f"{len(rankings)} baselines",
            where="sampled_negatives",
            hint="give at least one baseline, ranks from 1, and at least one per positive",
        )
    lists = {name: _checked(name, found, high) for name, found in rankings.items()}
    counts = {len(found) for found in lists.values()}
    if len(counts) > 1:
        raise BadShape(
            f"the baselines rank different numbers of queries: {sorted(counts)}",
            where="rankings",
            hint="give lists of the same queries, in the same order",
        )
    queries = counts.pop()
    judged, _ = check_judgements(judgements, queries=queries)
    positive = judged[judged[:, 2] == 1]
    asked, wanted = np.unique(positive[:, 0], return_counts=True)
    if not len(asked):
        return np.zeros((0, 3), np.int64)
    middle = [found[asked, low - 1 : high] for found in lists.values()]
    items = np.sort(np.concatenate(middle, axis=1).astype(np.int64), axis=1)
    free = (items != NONE) & (np.diff(items, axis=1, prepend=NONE) != 0)
    free &= ~_among(items, asked, positive)
    free &= items != _own(own, queries)[asked, None]
    _check_enough(free.sum(axis=1), wanted * per_positive, asked)
    keys = np.where(free, np.random.default_rng(seed).random(items.shape), np.inf)
    order = np.argsort(keys, axis=1)[:, : wanted.max() * per_positive]
    rows, places = np.nonzero(np.arange(order.shape[1]) < wanted[:, None] * per_positive)
    drawn = items[rows, order[rows, places]]
    pairs = np.column_stack([asked[rows], drawn, np.zeros(len(rows), np.int64)])
    return pairs[np.lexsort((drawn, rows))]


def _checked(name: str, given: npt.ArrayLike, high: int) -> Array:
    found = as_array(given, where=f"rankings, {name}")
    if found.ndim != 2 or (found.size and found.dtype.kind not in "iu"):
        raise BadShape(
            f"lists of shape {found.shape} and type {found.dtype}",
            where=f"rankings, {name}",
            hint="give a matrix (queries, depth) of gallery positions, best first",
        )
    wrong = np.count_nonzero((found < NONE) | (found > EXACT))
    if wrong:
        raise BadShape(
            f"{wrong:,} of {found.size:,} positions are below {NONE} or beyond 2^53",
            where=f"rankings, {name}",
            hint=f"count positions from 0, and give {NONE} for an empty place",
        )
    if found.shape[1] < high:
        raise BadShape(
            f"lists of {found.shape[1]:,} items have no rank {high:,}, up to which negatives "
            "are drawn",
            where=f"rankings, {name}",
            hint="give longer lists; in so small a gallery use annotated negatives",
        )
    return found


def _own(own: npt.ArrayLike | None, queries: int) -> Positions:
    places = np.full(queries, NONE) if own is None else as_array(own, where="own")
    fits = places.shape == (queries,) and places.dtype.kind in "iu"
    if not fits or (places < NONE).any() or (places > EXACT).any():
        raise BadShape(
            f"own of shape {places.shape} and type {places.dtype} for {queries:,} queries",
            where="own",
            hint="give each query's position in the gallery, -1 for none",
        )
    return places.astype(np.int64)


def _among(items: Positions, asked: Positions, positive: Positions) -> npt.NDArray[np.bool_]:
    """Which items of each query asked were judged positive."""
    span = int(max(items.max(), positive[:, 1].max())) + 2
    known = np.sort(np.searchsorted(asked, positive[:, 0]) * span + positive[:, 1])
    keys = np.arange(len(asked))[:, None] * span + np.maximum(items, NONE + 1)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    among: npt.NDArray[np.bool_] = known[place] == keys
    return among


def _check_enough(free: Positions, wanted: Positions, asked: Positions) -> None:
    short = np.flatnonzero(free < wanted)
    if short.size:
        raise BadShape(
            f"{short.size:,} of {len(asked):,} queries have fewer candidates in those ranks than "
            "negatives are wanted: "
            f"{first_few(f'query {asked[row]} has {free[row]} of {wanted[row]}' for row in short)}",
            where="sampled_negatives",
            hint="give a wider span of ranks, more baselines, or fewer negatives per positive",
        )
