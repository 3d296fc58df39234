"""Discovery: how well an encoder finds the pairs that experts judged alike (the VSD metrics)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions
from ..values.errors import BadSpec, nearest
from ..values.relevance import checked_own
from ..values.scores import QueryScores
from ._areas import check_scores, pr_areas, roc_areas
from ._judged_pairs import MISS, check_judgements, product_codes
from ._negatives import sampled_negatives
from ._whole_rankings import (
    check_rankings,
    check_ranks,
    middle_lists,
    product_ranks,
    without_own,
)

Definition = Literal["paper", "release"]
Negatives = Literal["annotated", "sampled"]
Sampled = Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]
"""Draws of negatives: of each the judgements (p2, 3) and their scores (p2,)."""

AREAS = ("roc_auc_micro", "roc_auc_macro", "pr_auc_micro", "pr_auc_macro")


class LeftOut(NamedTuple):
    """Judged queries that some metrics cannot use.

    Attributes:
        no_positive: without a positive: in no HR@k, MRR@k or macro area.
        no_negative: without a negative: in no macro area.
    """

    no_positive: int
    no_negative: int


@dataclass(frozen=True)
class Discovery:
    """How well an encoder finds what experts judged alike.

    Attributes:
        hit_rate: HR@k by k; NaN without a positive.
        mrr: MRR@k by k; NaN without a positive.
        roc_auc_micro: ROC-AUC over all pairs at once; NaN without a positive or a negative,
            like all areas. With sampled negatives areas are means over the repeats.
        roc_auc_macro: mean over the queries that have both of each one's ROC-AUC.
        pr_auc_micro: PR-AUC over all pairs at once.
        pr_auc_macro: mean over the queries that have both of each one's PR-AUC.
        positives: distinct judged pairs with label 1.
        negatives: those with label 0, or, where negatives were sampled, as many as a draw has.
        queries: how many queries have a pair.
        left_out: how many of them lack a positive, or a negative.
        spread: of each area the standard deviation over the repeats of sampled negatives;
            empty for annotated ones.
        per_query: by metric (``hit_rate@5``, ``mrr@5``, ``roc_auc_micro`` and so on) one value
            per query, NaN for a query that it cannot use; their mean is the metric. Values
            of metrics that are no mean over queries (HR@k and MRR@k as in the paper, micro
            areas) say how far each query moves the metric and may lie outside [0, 1], see
            ``Areas``. All can be given to ``compare_pairs``.
    """

    hit_rate: dict[int, float]
    mrr: dict[int, float]
    roc_auc_micro: float
    roc_auc_macro: float
    pr_auc_micro: float
    pr_auc_macro: float
    positives: int
    negatives: int
    queries: int
    left_out: LeftOut
    spread: dict[str, float]
    per_query: dict[str, QueryScores] = field(repr=False)

    def interval(self, metric: str, level: float = 0.95, *, seed: int = 0) -> tuple[float, float]:
        """An interval for a metric, by drawing queries anew; see ``QueryScores.interval``.

        Args:
            metric: one of ``per_query``.
            level: confidence, between 0 and 1.
            seed: of the draws.

        Raises:
            BadSpec: there is no such metric, or no such level.
        """
        if metric not in self.per_query:
            guess = nearest(metric, self.per_query)
            raise BadSpec(
                f"there is no metric {metric!r} here",
                where="Discovery.interval",
                hint=guess or f"give one of {', '.join(self.per_query)}",
            )
        return self.per_query[metric].interval(level, seed=seed)


def discovery(
    ranks: npt.ArrayLike,
    scores: npt.ArrayLike,
    judgements: npt.ArrayLike,
    *,
    k: int | Sequence[int] = (5, 9),
    negatives: Negatives = "annotated",
    definition: Definition = "paper",
    products: Sequence[Hashable | None] | None = None,
    query_products: Sequence[Hashable | None] | None = None,
    own: npt.ArrayLike | None = None,
    baselines: Mapping[str, npt.ArrayLike] | None = None,
    seed: int = 0,
    repeats: int = 10,
) -> Discovery:
    """The VSD metrics of an encoder from whole rankings and judged pairs.

    See ``discovery_of_pairs`` for the definitions. In a large gallery nobody needs whole
    rankings: ``discovery_of_pairs`` takes ranks and scores of the judged pairs alone.

    Args:
        ranks: (q, n) rank from 1 of every item for every query, whole numbers. Where a query
            is an item itself, say so by ``own``, or rank it last.
        scores: (q, n) score of every item for every query, higher is more alike. Only those
            of judged and sampled pairs are used, and must be finite.
        judgements: (p, 3) query, candidate, and 1 for a positive or 0 for a negative. A pair
            that stands twice counts once. What nobody judged is neither.
        k: cut-offs of HR@k and MRR@k.
        negatives: of the areas: ``"annotated"``, the pairs with label 0; or ``"sampled"``,
            in their place as many as there are positives, drawn from what any of the
            baselines ranks at 100 to 500 (``sampled_negatives``).
        definition: of HR@k and MRR@k.
        products: (n,) product of each item. With ``"release"`` the lists are then without
            the query's product and show of every other product the best picture only.
        query_products: (q,) product of each query, None for none; those at ``own`` if not given.
        own: (q,) position of each query among the items, -1 for none: taken out of its list.
        baselines: with sampled negatives the rankings to draw from, by name: ranks (q, n), or
            (q, >= 500) positions, best first. None for ``ranks`` themselves, which makes the
            negatives as hard for every encoder, and so compares none.
        seed: of the first draw of negatives; each repeat adds one.
        repeats: how many draws of negatives.

    Raises:
        BadShape: ranks below 1 or none, arrays that do not fit, judgements of what is not
            there, labels other than 0 and 1, a pair with two labels, scores that are not
            finite, or too few candidates to sample.
        BadSpec: k, definition, negatives or repeats that cannot be.

    Example:
        >>> found = discovery([[1, 2, 3]], [[0.9, 0.5, 0.1]], [[0, 0, 1], [0, 2, 0]], k=1)
        >>> found.hit_rate, found.mrr, found.roc_auc_micro
        ({1: 1.0}, {1: 1.0}, 1.0)
    """
    if negatives not in ("annotated", "sampled") or repeats < 1:
        raise BadSpec(
            f"no {negatives!r} negatives in {repeats} repeats",
            where="discovery",
            hint="give 'annotated' or 'sampled', and at least one repeat",
        )
    places, values = check_rankings(ranks, scores)
    queries, items = places.shape
    itself = checked_own(own, queries, items, items_ask=False)
    judged, _ = check_judgements(judgements, queries=queries, items=items, own=itself)
    places = without_own(places, itself)
    asked, candidates = judged[:, 0], judged[:, 1]
    if definition == "release" and products is not None:
        coded = product_codes(products, query_products, itself, items)
        pair_ranks = product_ranks(places, *coded, asked, candidates)
    else:
        pair_ranks = places[asked, candidates]
    sampled = None
    if negatives == "sampled":
        _check_baselines(baselines)
        lists = middle_lists({"ranks": places} if baselines is None else baselines, places.shape)
        draws = (
            sampled_negatives(lists, judged, own=itself, seed=seed + turn)
            for turn in range(repeats)
        )
        sampled = [(drawn, values[drawn[:, 0], drawn[:, 1]]) for drawn in draws]
    return discovery_of_pairs(
        pair_ranks,
        values[asked, candidates],
        judged,
        k=k,
        definition=definition,
        sampled=sampled,
        queries=queries,
    )


def discovery_of_pairs(
    pair_ranks: npt.ArrayLike,
    pair_scores: npt.ArrayLike,
    judgements: npt.ArrayLike,
    *,
    k: int | Sequence[int] = (5, 9),
    definition: Definition = "paper",
    sampled: Sampled | None = None,
    queries: int | None = None,
) -> Discovery:
    """The VSD metrics of an encoder from the ranks and scores of the judged pairs alone.

    Sums are over the positive pairs, P in number; r is a pair's rank, Q the number of queries
    that have a positive.

    - ``"paper"``: HR@k = Σ [r <= k] / P, MRR@k = Σ [r <= k] / r / P. This is our reading of
      arXiv 2308.14753, whose text could not be had.
    - ``"release"``, as the paper's released code counts: HR@k = Σ [r <= k] / (k Q),
      MRR@k = Σ [r <= k] / r / (Q Σ_(i <= k) 1/i). A query with fewer than k positives
      cannot reach 1.

    Neither is success@k, which is ``hit_rate``. Areas are ``roc_auc`` and ``pr_auc``: micro over
    all pairs at once; macro the mean over the queries that have a positive and a negative
    (Eq. 5 of the paper prints a division by |D|, which would not be a mean).

    Args:
        pair_ranks: (p,) rank from 1 of each pair's candidate. With ``"release"`` in the list
            that shows each product once, 0 where that list does not show it.
        pair_scores: (p,) score of each pair, finite, higher is more alike.
        judgements: (p, 3) query, candidate, and 1 for a positive or 0 for a negative. Of a
            pair that stands twice the first row counts.
        k: cut-offs of HR@k and MRR@k.
        definition: of HR@k and MRR@k.
        sampled: negatives to be used in place of the annotated ones: one or more draws, of each
            judgements (p2, 3) with label 0 and their scores (p2,).
        queries: how many queries there are, for ``per_query``; None for one more than the
            largest in the judgements.

    Raises:
        BadShape: as ``discovery``.
        BadSpec: as ``discovery``.

    Example:
        >>> pairs = [[0, 7, 1], [0, 8, 1], [0, 9, 0], [1, 7, 1]]
        >>> found = discovery_of_pairs([1, 4, 2, 3], [0.9, 0.6, 0.8, 0.7], pairs, k=3)
        >>> round(found.hit_rate[3], 3), round(found.mrr[3], 3), round(found.roc_auc_micro, 3)
        (0.667, 0.444, 0.333)
    """
    cuts = _cuts(k)
    if sampled is not None and not len(sampled):
        raise BadSpec(
            "not one draw of negatives",
            where="sampled",
            hint="give one or more, or None for the annotated negatives",
        )
    if definition not in ("paper", "release"):
        raise BadSpec(
            f"{definition!r} is no definition of HR@k and MRR@k",
            where="discovery",
            hint="give 'paper' or 'release'",
        )
    judged, first = check_judgements(judgements, queries=queries)
    pairs = len(np.asarray(judgements))
    ranks = check_ranks(pair_ranks, (pairs,), MISS if definition == "release" else 1)[first]
    scores = check_scores(pair_scores, pairs, where="pair_scores")[first]
    count = int(judged[:, 0].max()) + 1 if queries is None else queries
    positive = judged[:, 2] == 1
    asking, found = judged[positive, 0], ranks[positive]
    hit_rates = {cut: _hits(asking, found, count, cut, definition) for cut in cuts}
    mrrs = {cut: _hits(asking, found, count, cut, definition, reciprocal=True) for cut in cuts}
    draws = [(judged, scores)]
    if sampled is not None:
        draws = [
            _with_negatives(judged[positive], scores[positive], *draw, count) for draw in sampled
        ]
    areas = [_four(*draw, count) for draw in draws]
    asked = np.bincount(judged[:, 0], minlength=count) > 0
    good = np.bincount(asking, minlength=count)
    bad = np.bincount(draws[0][0][draws[0][0][:, 2] == 0, 0], minlength=count)
    spread = {name: float(np.std([draw[name][0] for draw in areas])) for name in AREAS}
    return Discovery(
        hit_rate={cut: scored.mean for cut, scored in hit_rates.items()},
        mrr={cut: scored.mean for cut, scored in mrrs.items()},
        **{name: float(np.mean([draw[name][0] for draw in areas])) for name in AREAS},
        positives=int(good.sum()),
        negatives=int(bad.sum()),
        queries=int(asked.sum()),
        left_out=LeftOut(int((asked & (good == 0)).sum()), int((asked & (bad == 0)).sum())),
        spread={} if sampled is None else spread,
        per_query={
            **{f"hit_rate@{cut}": scored for cut, scored in hit_rates.items()},
            **{f"mrr@{cut}": scored for cut, scored in mrrs.items()},
            **{name: _average([draw[name][1] for draw in areas]) for name in AREAS},
        },
    )


def _check_baselines(baselines: object) -> None:
    if baselines is not None and not isinstance(baselines, Mapping):
        raise BadSpec(
            f"the baselines are {type(baselines).__name__} and have no names",
            where="baselines",
            hint='give them by name, such as {"baseline": ranks}',
        )


def _cuts(k: int | Sequence[int]) -> tuple[int, ...]:
    cuts = tuple(k) if isinstance(k, Iterable) else (k,)
    if not cuts or any(
        isinstance(cut, bool) or not isinstance(cut, (int, np.integer)) or cut < 1 for cut in cuts
    ):
        raise BadSpec(
            f"k = {k!r} are no cut-offs",
            where="discovery",
            hint="give whole numbers from 1, such as (5, 9)",
        )
    return tuple(int(cut) for cut in cuts)


def _hits(
    queries: Positions,
    ranks: Positions,
    count: int,
    cut: int,
    definition: Definition,
    *,
    reciprocal: bool = False,
) -> QueryScores:
    """HR@k, or MRR@k, from the queries and ranks of the positive pairs."""
    inside = (ranks <= cut) & (ranks != MISS)
    worth = inside / np.maximum(ranks, 1) if reciprocal else inside
    sums = np.bincount(queries, worth, count)
    positives = np.bincount(queries, minlength=count)
    asking = positives > 0
    if not asking.any():
        return QueryScores(np.full(count, np.nan))
    if definition == "release":
        values = sums / ((1 / np.arange(1, cut + 1)).sum() if reciprocal else cut)
    else:
        mean = sums.sum() / positives.sum()
        values = mean + (sums - mean * positives) * (asking.sum() / positives.sum())
    return QueryScores(np.where(asking, values, np.nan), bounds=(0.0, 1.0))


def _with_negatives(
    positive: Positions,
    scores: Floats,
    drawn: npt.ArrayLike,
    drawn_scores: npt.ArrayLike,
    count: int,
) -> tuple[Positions, Floats]:
    """The positive pairs and a draw of negatives as judgements, and the scores of both."""
    pairs = np.asarray(drawn)
    values = check_scores(drawn_scores, len(pairs), where="sampled")
    if len(pairs):
        judged, first = check_judgements(pairs, queries=count, labels=(0,))
        positive = np.concatenate([positive, judged])
        scores = np.concatenate([scores, values[first]])
    return positive, scores


def _four(judged: Positions, scores: Floats, count: int) -> dict[str, tuple[float, QueryScores]]:
    """The areas by name, each with its value per query."""
    labels, queries = judged[:, 2] == 1, judged[:, 0]
    roc, pr = (areas(labels, scores, queries, count) for areas in (roc_areas, pr_areas))
    return {
        "roc_auc_micro": (roc.area, roc.micro),
        "roc_auc_macro": (roc.macro.mean, roc.macro),
        "pr_auc_micro": (pr.area, pr.micro),
        "pr_auc_macro": (pr.macro.mean, pr.macro),
    }


def _average(draws: list[QueryScores]) -> QueryScores:
    return QueryScores(np.mean([draw.per_query for draw in draws], axis=0), bounds=(0.0, 1.0))
