"""What a metric is: its name, the laws it obeys, and the checks of what it is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Floats, Positions, as_array, check_vectors
from ..values.errors import BadShape, first_few
from ..values.registry import Registry

METRICS = Registry("metric")
METRICS.add("corrembed", "likelens.metrics._corrembed:corrembed")
METRICS.add("ndcg", "likelens.metrics._ndcg:ndcg")
METRICS.add("precision", "likelens.metrics._retrieval:precision")
METRICS.add("recall", "likelens.metrics._retrieval:recall")
METRICS.add("hit_rate", "likelens.metrics._retrieval:hit_rate")
METRICS.add("cmc", "likelens.metrics._retrieval:cmc")
METRICS.add("reciprocal_rank", "likelens.metrics._retrieval:reciprocal_rank")
METRICS.add("average_precision", "likelens.metrics._retrieval:average_precision")
METRICS.add("r_precision", "likelens.metrics._retrieval:r_precision")
METRICS.add("map_at_r", "likelens.metrics._retrieval:map_at_r")


@dataclass(frozen=True)
class Laws:
    """What a metric promises; the conformance test holds it to this.

    Every module of a registered metric has a ``LAWS``. The metric's arguments without
    a default are named ``gains``, ``k``, ``ideal``, ``relevant``, ``images`` or
    ``tags``, so that the test knows what to give it.

    Attributes:
        low: least possible value of a query.
        high: largest possible value of a query.
        better_item_up_never_lowers: exchanging two neighbours in the list of returned
            items, so that the better one stands first, lowers no query's value.
    """

    low: float
    high: float
    better_item_up_never_lowers: bool = False


def check_gains(gains: npt.ArrayLike, *, where: str, high: float = np.inf) -> Floats:
    """Gains of returned items as a float64 matrix (n_queries, depth).

    Raises:
        BadShape: not a matrix of numbers from 0 to ``high``; the message names the rows.
    """
    matrix = check_vectors(gains, where=where).astype(np.float64)
    broken = np.flatnonzero(((matrix < 0) | (matrix > high)).any(axis=1))
    if broken.size:
        bounds = "at least 0" if high == np.inf else f"from 0 to {high:g}"
        raise BadShape(
            f"{broken.size:,} of {len(matrix):,} rows hold values that are not {bounds}: "
            f"rows {first_few(broken)}",
            where=where,
            hint=f"give values {bounds}",
        )
    return matrix


def check_depth(k: int, depth: int, *, where: str) -> None:
    """Rank k must lie within lists of that depth.

    Raises:
        BadShape: k is no whole number, below 1, or beyond the depth.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= depth:
        raise BadShape(
            f"k = {k!r} for lists of {depth:,} items",
            where=where,
            hint=f"give a whole number from 1 to {depth:,}, or longer lists",
        )


def check_queries(queries: npt.ArrayLike | None, count: int) -> Positions | None:
    """Query positions from positions or a mask; None, all items, stays None.

    Raises:
        BadShape: a mask of another length, or positions that are not from 0 to count - 1.
    """
    if queries is None:
        return None
    chosen: Array = as_array(queries, where="queries")
    hint = f"give positions from 0 to {count - 1:,}, or one True or False per item"
    if chosen.dtype == np.bool_:
        if chosen.shape != (count,):
            raise BadShape(
                f"a query mask of shape {chosen.shape} for {count:,} items",
                where="queries",
                hint=hint,
            )
        return np.flatnonzero(chosen)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise BadShape(
            f"queries of shape {chosen.shape} and type {chosen.dtype} are no positions",
            where="queries",
            hint=hint,
        )
    outside = chosen[(chosen < 0) | (chosen >= count)]
    if outside.size:
        raise BadShape(
            f"{outside.size:,} query positions lie outside 0 to {count - 1:,}: "
            f"{first_few(outside)}",
            where="queries",
            hint=hint,
        )
    return chosen.astype(np.int64)
