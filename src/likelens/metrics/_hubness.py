"""Hubness: items that every search finds, and items that none does."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..values.arrays import Positions, as_array
from ..values.errors import BadShape, first_few

NONE = -1
LARGEST = 10


@dataclass(frozen=True)
class Hubness:
    """How unevenly a gallery's items are found.

    Attributes:
        counts: (n,) int64, k-occurrence N_k: in how many lists each item stands.
        skewness: of ``counts``, see ``hubness``.
        orphans: share of the items that stand in no list, from 0 to 1; NaN without items.
        largest: up to ten positions, the items found most often, most first; ties by
            position. Items found never are not among them.
    """

    counts: Positions = field(repr=False)
    skewness: float
    orphans: float
    largest: Positions


def hubness(positions: npt.ArrayLike, n: int) -> Hubness:
    """How unevenly searches find the n items of a gallery.

    Skewness of the k-occurrence N_k, E[(N_k - mean)^3] / sd^3 over all items, with the
    moments of the population (Radovanović, Nanopoulos and Ivanović 2010, JMLR 11,
    section 3): 0 is even; hubs make it large.

    Args:
        positions: (n_queries, k) gallery positions of each query's neighbours, from 0
            to n - 1; -1 where a list has none left. A query that is an item itself
            should not stand in its own list. An item counts as often as it is listed.
        n: items in the gallery.

    Returns:
        Counts, skewness, share of orphans and the largest hubs. Items found equally
        often have skewness 0. Without queries every item is an orphan; without items
        skewness and orphans are NaN.

    Raises:
        BadShape: no matrix of whole numbers, n below 0, or positions outside the gallery.

    Example:
        >>> found = hubness([[1, 2], [2, 0], [1, -1]], 4)
        >>> found.counts, found.orphans, found.largest
        (array([1, 2, 2, 0]), 0.25, array([1, 2, 0]))
    """
    lists = as_array(positions, where="hubness")
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0
    if lists.ndim != 2 or (lists.size and lists.dtype.kind not in "iu") or not whole:
        raise BadShape(
            f"positions of shape {lists.shape} and type {lists.dtype} in a gallery of {n} items",
            where="hubness",
            hint="give a matrix (queries, k) of whole numbers, -1 for none",
        )
    outside = lists[(lists < NONE) | (lists >= n)]
    if outside.size:
        raise BadShape(
            f"{outside.size:,} positions lie outside a gallery of {n:,} items: "
            f"{first_few(outside)}",
            where="hubness",
            hint=f"give positions from 0 to {n - 1:,}, or -1 for none",
        )
    listed = lists.astype(np.int64).ravel()
    counts = np.bincount(listed[listed != NONE], minlength=n).astype(np.int64)
    order = np.argsort(-counts, kind="stable")[:LARGEST]
    orphans = float((counts == 0).mean()) if n else float("nan")
    return Hubness(counts, _skewness(counts), orphans, order[counts[order] > 0])


def _skewness(counts: Positions) -> float:
    if not len(counts):
        return float("nan")
    apart = counts - counts.mean()
    spread = float(np.sqrt((apart**2).mean()))
    return float((apart**3).mean()) / spread**3 if spread > 0 else 0.0
