"""The rank of a judged candidate is one more than the number of items above it."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from .._ranking import Gallery, blocks
from ..metrics._judged_pairs import MISS, product_codes
from ..values.arrays import Floats, Positions, check_vectors, unit_rows
from ..values.errors import BadShape, BadSpec, first_few
from ..values.relevance import NONE, checked_own

FEW = 4
"""Scores are taken out before they are sorted if they are fewer than one in so many."""


@dataclass(frozen=True)
class JudgedRanks:
    """Where an encoder ranks judged candidates.

    Attributes:
        ranks: (p,) rank from 1 of each pair's candidate among all items but the query itself;
            equal scores are ordered as in the catalogue, and equal vectors score equally.
        scores: (p,) float32 cosine similarity of each pair. Equal candidates of two equal
            queries may differ in the last bit.
        product_ranks: (p,) its rank in the list without the query's own product that shows
            every other product once, by its best-ranked picture; 0 where the candidate is
            not shown. None if no products were given.
        top: (q, depth) positions of each query's best items, best first, itself left out; -1
            where the gallery has no more, and for a query without a pair. None if no depth
            was given.
    """

    ranks: Positions = field(repr=False)
    scores: Floats = field(repr=False)
    product_ranks: Positions | None = field(repr=False)
    top: Positions | None = field(repr=False)


def judged_ranks(
    gallery: npt.ArrayLike,
    queries: npt.ArrayLike | None,
    rows: npt.ArrayLike,
    items: npt.ArrayLike,
    *,
    own: npt.ArrayLike | None = None,
    products: Sequence[Hashable | None] | None = None,
    query_products: Sequence[Hashable | None] | None = None,
    depth: int = 0,
) -> JudgedRanks:
    """Ranks and scores of judged candidates in a whole gallery, by cosine similarity.

    Every query that has a pair is compared with every item, a block at a time. Nobody asks
    which item stands at which rank: scores are sorted by value alone, and ranks are counted
    from them. Memory: a copy of the gallery and about 100 MB.

    Args:
        gallery: (n, d) vectors of the items, of any length; a row of zeros scores 0.
        queries: (q, d) vectors of the queries; None where the items themselves ask.
        rows: (p,) query of each pair, in any order.
        items: (p,) candidate of each pair.
        own: (q,) position of each query in the gallery, -1 for none; None for each item's
            own where the items ask, and else for none.
        products: (n,) product of each item, None for one that is a product of its own.
        query_products: (q,) product of each query, None for none; those at ``own`` if not
            given.
        depth: how many of each query's best items are wanted.

    Raises:
        BadShape: vectors of two dimensions or not finite, pairs of what is not there or of a
            query with itself, or products that do not fit.
        BadSpec: depth below 0.

    Example:
        >>> found = judged_ranks([[1, 0], [0, 1], [1, 1]], [[3, 1]], [0, 0], [1, 0])
        >>> found.ranks, found.scores.round(3)
        (array([3, 1]), array([0.316, 0.949], dtype=float32))
    """
    if depth < 0:
        raise BadSpec(f"depth = {depth}", where="judged_ranks", hint="give 0 or more")
    vectors = check_vectors(gallery, where="gallery")
    asking = vectors if queries is None else check_vectors(queries, where="queries")
    if asking.shape[1] != vectors.shape[1]:
        raise BadShape(
            f"queries have {asking.shape[1]} dimensions, the gallery has {vectors.shape[1]}",
            where="queries",
            hint="encode the queries with the encoder of the gallery",
        )
    itself = checked_own(own, len(asking), len(vectors), items_ask=queries is None)
    asked, wanted = _checked_pairs(rows, items, itself, len(vectors))
    coded = None
    if products is not None:
        coded = product_codes(products, query_products, itself, len(vectors))
    order = np.argsort(asked, kind="stable")
    every, starts = np.unique(asked[order], return_index=True)
    bounds = np.append(starts, len(order))
    kin = None if coded is None else _Kin(coded[0], coded[1][every])
    count = _Count(itself[every], wanted[order], bounds, kin, depth)
    _run(count, Gallery(vectors), asking, every)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    top = np.full((len(asking), depth), NONE, np.int64)
    top[every] = count.top
    return JudgedRanks(
        count.ranks[back],
        np.clip(count.scores, -1.0, 1.0)[back],
        None if kin is None else count.product_ranks[back],
        top if depth else None,
    )


def _run(count: _Count, gallery: Gallery, vectors: Floats, every: Positions) -> None:
    """Scores the queries at these rows of the vectors, and counts, a block at a time."""
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        for block in blocks(len(every), len(gallery)):
            scores = gallery.scores(unit_rows(vectors[every[block]]))
            parts = [range(start, len(scores), workers) for start in range(workers)]
            list(pool.map(partial(count.rows, scores, block.start), parts))


class _Kin:
    """Products of a gallery.

    Args:
        codes: (n,) product of each item, as numbers from 0.
        own: (asked,) product of each query, -1 for none.
    """

    def __init__(self, codes: Positions, own: Positions) -> None:
        self.codes, self.own = codes, own
        self._count = int(codes.max(initial=NONE)) + 1

    def best(self, values: Floats, where: Positions | slice, query: int) -> Floats:
        """The best of the values of each product, -infinity for the query's own, and for none.

        Args:
            values: scores of some items.
            where: positions of these items.
            query: which query asks.
        """
        best = np.full(self._count, -np.inf, np.float32)
        np.maximum.at(best, self.codes[where], values)
        if self.own[query] != NONE:
            best[self.own[query]] = -np.inf
        return best


class _Count:
    """Pairs sorted by query, and what is counted of them.

    Args:
        own: (asked,) position of each query asked, -1 for none.
        items: (p,) candidates.
        bounds: (asked + 1,) where the pairs of each query begin and end.
        kin: products, or None.
        depth: how many best items are kept.
    """

    def __init__(
        self, own: Positions, items: Positions, bounds: Positions, kin: _Kin | None, depth: int
    ) -> None:
        self._own, self._items, self._bounds, self._kin = own, items, bounds, kin
        self._depth = depth
        self.ranks = np.zeros(len(items), np.int64)
        self.scores = np.zeros(len(items), np.float32)
        self.product_ranks = np.full(len(items), MISS, np.int64)
        self.top = np.full((len(own), depth), NONE, np.int64)

    def rows(self, scores: Floats, first: int, rows: range) -> None:
        """Counts for some rows of a block of scores, whose first query is that one."""
        for row in rows:
            self._row(scores[row], first + row)

    def _row(self, scores: Floats, query: int) -> None:
        pairs = slice(self._bounds[query], self._bounds[query + 1])
        items = self._items[pairs]
        if self._own[query] != NONE:
            scores[self._own[query]] = -np.inf
        theirs = scores[items]
        self.scores[pairs] = theirs
        reach = _reach(scores, theirs.min())
        above, tied = _above(scores[reach], theirs)
        ranks, shown, places = above + 1, np.ones(len(items), np.bool_), above + 1
        if self._kin is not None:
            best = self._kin.best(scores[reach], reach, query)
            places = _above(best, theirs)[0] + 1
            shown = theirs == best[self._kin.codes[items]]
        for value in np.unique(theirs[tied]):
            equal, same = np.flatnonzero(scores == value), theirs == value
            ranks[same] += np.searchsorted(equal, items[same])
            if self._kin is not None:
                codes = self._kin.codes[equal]
                firsts = np.unique(codes, return_index=True)[1]
                equal = np.sort(equal[firsts[best[codes[firsts]] == value]])
                places[same] += np.searchsorted(equal, items[same])
                shown[same] &= np.isin(items[same], equal)
        self.ranks[pairs] = ranks
        self.product_ranks[pairs] = np.where(shown, places, MISS)
        self._keep_best(scores, query)

    def _keep_best(self, scores: Floats, query: int) -> None:
        depth = min(self._depth, len(scores))
        if not depth:
            return
        best = np.flatnonzero(scores >= np.partition(scores, -depth)[-depth])
        best = best[np.argsort(-scores[best], kind="stable")[:depth]]
        self.top[query, :depth] = np.where(np.isneginf(scores[best]), NONE, best)


def _reach(scores: Floats, least: float) -> Positions | slice:
    """Which scores are at least that, or all of them where those are not few."""
    reach = scores >= least
    return np.flatnonzero(reach) if np.count_nonzero(reach) * FEW < len(scores) else slice(None)


def _above(scores: Floats, theirs: Floats) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """How many scores are above each of some of them, and whether another equals it."""
    ordered = np.sort(scores)
    upto = np.searchsorted(ordered, theirs, "right")
    return len(ordered) - upto, upto - np.searchsorted(ordered, theirs) > 1


def _checked_pairs(
    rows: npt.ArrayLike, items: npt.ArrayLike, own: Positions, count: int
) -> tuple[Positions, Positions]:
    asked, wanted = np.asarray(rows), np.asarray(items)
    fits = asked.ndim == 1 and asked.shape == wanted.shape
    if not fits or (asked.size and (asked.dtype.kind not in "iu" or wanted.dtype.kind not in "iu")):
        raise BadShape(
            f"rows of shape {asked.shape} and type {asked.dtype}, items of shape {wanted.shape} "
            f"and type {wanted.dtype}",
            where="judged_ranks",
            hint="give one query and one candidate per pair, as whole numbers",
        )
    asked, wanted = asked.astype(np.int64), wanted.astype(np.int64)
    outside = (asked < 0) | (asked >= len(own)) | (wanted < 0) | (wanted >= count)
    _refuse(outside, asked, wanted, f"outside {len(own):,} queries and {count:,} items")
    _refuse(own[asked] == wanted, asked, wanted, "of a query with itself")
    return asked, wanted


def _refuse(broken: npt.NDArray[np.bool_], asked: Positions, wanted: Positions, what: str) -> None:
    places = np.flatnonzero(broken)
    if places.size:
        shown = first_few(f"({asked[place]}, {wanted[place]})" for place in places)
        raise BadShape(
            f"{places.size:,} of {len(asked):,} pairs are {what}: {shown}",
            where="judged_ranks",
            hint="leave those pairs out",
        )
