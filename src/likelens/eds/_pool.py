"""Which pairs are worth an expert's judgement: the union of what several encoders find."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Positions
from ..values.errors import BadShape, first_few
from ..values.relevance import NONE, checked_own, coded
from ._pool_value import Pool, is_whole, ordered, some

BLOCK_ENTRIES = 2**21
"""Places of rankings that are merged at a time."""

Kin: TypeAlias = tuple[Positions, Positions]
"""The products of the items and of the queries as numbers, -1 for none."""


def pool(
    positions: Mapping[str, npt.ArrayLike],
    k: int,
    *,
    own: npt.ArrayLike | None = None,
    products: Sequence[Hashable | None] | Array | None = None,
    query_products: Sequence[Hashable | None] | Array | None = None,
    items: int | None = None,
) -> Pool:
    """The pairs worth judging: for each query the union of every encoder's first k.

    P(x) = union over encoders m of top_k(x; m), VSD/EDS (arXiv 2308.14753), Eq. 1. The
    first k are counted among what remains when the query itself and, with ``products``,
    other pictures of its product are left out; so give lists longer than k.

    Args:
        positions: for each encoder (q, depth) gallery positions, best first, from 0; -1
            is an empty place. No row names an item twice. A list that is too short is
            used as far as it goes, and counted in ``Pool.short``.
        k: how many of each list, at least 1.
        own: (q,) position of each query in the gallery, -1 where it is no item: never its
            own candidate. None where no query is an item.
        products: (n,) product of each item; None in it for none, which is like no other.
        query_products: (q,) product of each query; those at ``own`` if not given.
        items: n, size of the gallery, for ``Pool.cost``; by ``products`` if not given, or
            by the highest position that is named.

    Raises:
        BadShape: no encoder, lists of different queries, positions that are none or stand
            twice in a list, k below 1, or nothing in the pool.

    Example:
        >>> found = pool({"a": [[1, 2, 3]], "b": [[2, 4, 1]]}, 2)
        >>> found.pairs[:, 1], found.ranks.tolist()
        (array([1, 2, 4]), [[1, 0], [2, 1], [0, 2]])
        >>> found.overlap[0, 1], found.sources[1]
        (np.float64(50.0), ('a', 'b'))
    """
    if not is_whole(k) or k < 1:
        raise BadShape(
            f"k = {k!r} candidates of each encoder make no pool",
            where="pool",
            hint="give a whole number from 1; the paper's pools take a handful",
        )
    lists = _checked(positions)
    queries = len(next(iter(lists.values())))
    size = _size(lists, own, products, items)
    home = checked_own(own, queries, size, items_ask=False)
    kin = numbered_products(products, query_products, home, size)
    parts = []
    step = max(1, BLOCK_ENTRIES // max(1, sum(one.shape[1] for one in lists.values())))
    for start in range(0, queries, step):
        rows = slice(start, start + step)
        keys, ranks = _merged(lists, rows, home, kin, int(k), size)
        query, candidate = np.divmod(keys, size)
        pairs = np.column_stack([query + start, candidate])
        parts.append(ordered(pairs, ranks))
    none = np.zeros((0, 2), np.int64), np.zeros((0, len(lists)), np.int32)
    found = Pool(
        encoders=tuple(lists),
        k=int(k),
        queries=queries,
        pairs=np.concatenate([none[0], *(pairs for pairs, _ in parts)]),
        ranks=np.concatenate([none[1], *(ranks for _, ranks in parts)]),
        possible=askable(size, home, kin),
    )
    return some(found)


def _merged(
    lists: Mapping[str, Positions],
    rows: slice,
    own: Positions,
    kin: Kin | None,
    k: int,
    size: int,
) -> tuple[Positions, npt.NDArray[np.int32]]:
    """Pairs of some queries as query * size + candidate, ascending, and their ranks."""
    keys, places = [], []
    for positions in lists.values():
        part = positions[rows]
        keep = (part != NONE) & (part != own[rows, None])
        if kin is not None:
            items, asked = kin
            theirs = asked[rows, None]
            keep &= (items[part] != theirs) | (theirs == NONE)
        ranks = np.cumsum(keep, axis=1, dtype=np.int32)
        row, column = np.nonzero(keep & (ranks <= k))
        keys.append(row * size + part[row, column])
        places.append(ranks[row, column])
    pairs, pair = np.unique(np.concatenate(keys), return_inverse=True)
    found = np.zeros((len(pairs), len(lists)), np.int32)
    done = 0
    for place, (name, mine) in enumerate(zip(lists, places, strict=True)):
        found[pair[done : done + len(mine)], place] = mine
        done += len(mine)
        if np.count_nonzero(found[:, place]) < len(mine):
            _refuse_repeats(name, lists[name][rows], rows.start)
    return pairs, found


def _refuse_repeats(name: str, part: Positions, start: int) -> None:
    ordered = np.sort(part, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NONE)).any(axis=1)
    raise BadShape(
        f"{name} ranks an item twice for {int(twice.sum()):,} queries: "
        f"{first_few(np.flatnonzero(twice) + start)}",
        where="pool",
        hint="give rankings that name every item once",
    )


def _checked(positions: Mapping[str, npt.ArrayLike]) -> dict[str, Positions]:
    """The rankings as matrices of whole numbers with as many rows."""
    lists: dict[str, Positions] = {}
    for name, given in positions.items():
        matrix = np.asarray(given)
        if matrix.ndim != 2 or (matrix.size and matrix.dtype.kind not in "iu"):
            raise BadShape(
                f"positions of shape {matrix.shape} and type {matrix.dtype} are no rankings",
                where=f"pool, {name}",
                hint="give a matrix (queries, depth) of whole numbers, -1 for an empty place",
            )
        lists[name] = matrix.astype(np.int64, copy=False)
    if not lists:
        raise BadShape(
            "no encoder gives candidates", where="pool", hint="give the rankings of at least one"
        )
    counts = {name: len(matrix) for name, matrix in lists.items()}
    if len(set(counts.values())) > 1:
        told = [f"{count:,} by {name}" for name, count in counts.items()]
        raise BadShape(
            f"encoders were asked different numbers of queries: {first_few(told)}",
            where="pool",
            hint="rank for the same queries with each, in the same order",
        )
    return lists


def _size(
    lists: Mapping[str, Positions],
    own: npt.ArrayLike | None,
    products: Sequence[Hashable | None] | Array | None,
    items: int | None,
) -> int:
    """How many items the gallery has; refuses positions outside it."""
    everything = list(lists.values())
    lowest = min(int(matrix.min(initial=0)) for matrix in everything)
    highest = max(int(matrix.max(initial=NONE)) for matrix in everything)
    size = len(products) if products is not None and items is None else items
    if size is None:
        home = np.asarray([] if own is None else own)
        highest_own = int(home.max(initial=NONE)) if home.dtype.kind in "iu" else NONE
        size = max(highest, highest_own) + 1
    fits = products is None or len(products) == size > 0
    if lowest < NONE or highest >= size or not fits:
        raise BadShape(
            f"positions from {lowest:,} to {highest:,}, in a gallery of {size:,} items"
            + ("" if products is None else f" with {len(products):,} products"),
            where="pool",
            hint=f"give positions from 0 to {max(size - 1, 0):,}, -1 for an empty place, and "
            "one product per item",
        )
    return max(size, 1)


def numbered_products(
    products: Sequence[Hashable | None] | Array | None,
    query_products: Sequence[Hashable | None] | Array | None,
    own: Positions,
    size: int,
) -> Kin | None:
    """Products of items and of queries as numbers, -1 for none; None if they do not matter."""
    if products is None and query_products is None:
        return None
    if products is None or (query_products is None and (own == NONE).all()):
        raise BadShape(
            "products are known of the " + ("queries" if products is None else "items") + " only",
            where="pool",
            hint="give products and query_products, or own for queries that are items",
        )
    codes: dict[Hashable, int] = {}
    items = coded(_plain(products), codes)
    if query_products is None:
        return items, np.where(own == NONE, NONE, items[own])
    asked = coded(_plain(query_products), codes)
    if len(asked) != len(own) or len(items) != size:
        raise BadShape(
            f"{len(asked):,} products for {len(own):,} queries",
            where="pool, query_products",
            hint="give one per query, None for none",
        )
    return items, asked


def _plain(names: Sequence[Hashable | None] | Array) -> Iterable[Hashable | None]:
    return names.tolist() if isinstance(names, np.ndarray) else names


def askable(size: int, own: Positions, kin: Kin | None) -> Positions:
    """(q,) how many items may be each query's candidates: not itself, nor of its product."""
    if kin is None:
        return np.where(own == NONE, size, size - 1)
    items, asked = kin
    known = max(int(items.max(initial=NONE)), int(asked.max(initial=NONE))) + 1
    pictures = np.bincount(items[items != NONE], minlength=known)
    out = np.where(asked == NONE, 0, pictures[np.maximum(asked, 0)] if known else 0)
    apart = (own != NONE) & ((asked == NONE) | (items[np.maximum(own, 0)] != asked))
    possible: Positions = size - out - apart
    return possible
