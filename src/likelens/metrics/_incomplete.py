"""Metrics that allow for pairs nobody judged: bpref and inferred average precision."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Positions
from ..values.scores import QueryScores
from ._judged_pairs import MISS, check_judgements
from ._whole_rankings import check_ranks

SMOOTHING = 1e-5
"""Added to both counts of what was judged above a rank, as trec_eval does."""


def bpref(
    ranks: npt.ArrayLike, judgements: npt.ArrayLike, *, queries: int | None = None
) -> QueryScores:
    """How seldom a judged negative stands above a judged positive: bpref of each query.

    bpref = 1/R Σ_r (1 - min(n_r, R) / min(R, N)) over the positives r that were found, with R
    positives and N negatives judged and n_r negatives above r (Buckley & Voorhees 2004,
    doi:10.1145/1008992.1009000, in the form of trec_eval). What nobody judged does not
    count, wherever it stands. Only the first R negatives do, so pairs that are negative
    beyond doubt change nothing.

    Args:
        ranks: (p,) rank from 1 of each pair's candidate; 0 where it was not found at all.
        judgements: (p, 3) query, candidate, and 1 for a positive, 0 for a negative, -1 for
            not judged.
        queries: how many queries there are; None for one more than the largest named.

    Returns:
        Values in [0, 1], one per query; NaN for a query without a positive. Without a
        negative the share of positives that were found.

    Raises:
        BadShape: ranks or judgements that are not so, counted and named.

    Example:
        >>> bpref([1, 2, 3], [[0, 4, 1], [0, 5, 0], [0, 6, 1]]).per_query
        array([0.5])
    """
    judged, ranks, count = _checked(ranks, judgements, queries)
    rows, labels = judged[:, 0], judged[:, 2]
    positives = np.bincount(rows[labels == 1], minlength=count)
    negatives = np.bincount(rows[labels == 0], minlength=count)
    found = (ranks != MISS) & (labels == 1)
    above = _above(rows, labels == 0)[found]
    most = np.maximum(np.minimum(positives, negatives), 1)[rows[found]]
    worth = 1.0 - np.minimum(above, positives[rows[found]]) / most
    return _per_positive(np.bincount(rows[found], worth, count), positives)


def inferred_ap(
    ranks: npt.ArrayLike, judgements: npt.ArrayLike, *, queries: int | None = None
) -> QueryScores:
    """Average precision estimated from judgements of a random part of the pool: infAP.

    Mean over the positives, found or not, of the expected precision at their rank k:
    1/k + (k-1)/k · d/(k-1) · (r + ε) / (r + n + 2ε), of the k - 1 items above: d in the pool,
    r of them judged positive and n negative, ε = 0.00001 (Yilmaz & Aslam 2006,
    doi:10.1145/1183614.1183633, as trec_eval). An item outside the pool counts as negative; one
    of the pool that nobody judged counts as positive as the judged ones above k are. With
    every pair of the pool judged it is average precision, but for ε.

    Args:
        ranks: (p,) rank from 1 of each pair's candidate; 0 where it was not found at all.
        judgements: (p, 3) query, candidate, and 1 for a positive, 0 for a negative, -1 for
            one of the pool that nobody judged. Those judged must be a random part.
        queries: how many queries there are; None for one more than the largest named.

    Returns:
        Values in [0, 1], one per query; NaN for a query without a positive.

    Raises:
        BadShape: as ``bpref``.

    Example:
        >>> pairs = [[0, 4, 1], [0, 5, -1], [0, 6, 0], [0, 7, 1]]
        >>> inferred_ap([1, 2, 3, 4], pairs).per_query.round(3)
        array([0.812])
    """
    judged, ranks, count = _checked(ranks, judgements, queries)
    rows, labels = judged[:, 0], judged[:, 2]
    found = (ranks != MISS) & (labels == 1)
    seen = ranks != MISS
    pooled, positive, negative = (
        _above(rows, seen & chosen)[found] for chosen in (labels >= -1, labels == 1, labels == 0)
    )
    share = (positive + SMOOTHING) / (positive + negative + 2 * SMOOTHING)
    expected = (1.0 + pooled * share) / ranks[found]
    positives = np.bincount(rows[labels == 1], minlength=count)
    return _per_positive(np.bincount(rows[found], expected, count), positives)


def _checked(
    ranks: npt.ArrayLike, judgements: npt.ArrayLike, queries: int | None
) -> tuple[Positions, Positions, int]:
    """Distinct judgements by query and rank, what was not found last; their ranks; queries."""
    judged, first = check_judgements(judgements, queries=queries, labels=(0, 1, -1))
    given = check_ranks(ranks, (len(np.asarray(judgements)),), MISS)[first]
    order = np.lexsort((given, given == MISS, judged[:, 0]))
    count = int(judged[:, 0].max()) + 1 if queries is None else queries
    return judged[order], given[order], count


def _above(rows: Positions, chosen: npt.NDArray[np.bool_]) -> Positions:
    """How many chosen pairs of its query stand before each; pairs are sorted by query."""
    before: Positions = np.cumsum(chosen) - chosen
    return before - before[np.searchsorted(rows, rows)]


def _per_positive(sums: Array, positives: Positions) -> QueryScores:
    values = np.where(positives > 0, sums / np.maximum(positives, 1), np.nan)
    return QueryScores(values, bounds=(0.0, 1.0))
