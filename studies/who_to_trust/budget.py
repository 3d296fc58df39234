"""What a budget buys: the true order of encoders, as more and more is judged or tagged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from likelens import eds, metrics
from likelens.garments import TAGS
from likelens.values.arrays import Array, Floats, Positions

from .draw import ENCODERS, Shop, tag_rows
from .score import DEEPEST, Judged, Settings, discovery, judge, random_pairs, score, spearman

HOURS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Budgets of work."""

DEPTHS = (1, 2, 3, 6, 9, DEEPEST)
"""Depths of pools."""

SPENT = 8.0
"""The budget, in hours, that is spent on many queries or on deep pools."""

RANDOM = "ROC-AUC micro, random pairs"
TAGGED = {
    "CorrEmbed, all tags": tuple(TAGS),
    "CorrEmbed, kind and colour": ("kind", "colour"),
}
"""Which categories are typed in before CorrEmbed is measured."""


def by_hours(
    shop: Shop, settings: Settings, labels: Array, pool: eds.Pool, truth: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """Agreement with the true order by metric, for hours of work; CorrEmbed beside them.

    Experts judge the pools of as many queries, in random order, as the hours allow; or as
    many pairs drawn at random. Or the hours go into tags.
    """
    rng = np.random.default_rng([shop.seed, 51])
    order, drawn = rng.permutation(len(shop)), rng.permutation(len(shop))
    most = min(settings.pairs(HOURS[-1]), len(shop) * (len(shop) - 1))
    spread = judge(labels, random_pairs(len(shop), most, rng), ())
    whole = _judge_pool(labels, pool)
    known: dict[tuple[str, int], float] = {}
    for hours in HOURS:
        part = _first_queries(whole, order, settings.pairs(hours))
        row = _bought(shop, part, truth)
        random = spread.triples[: settings.pairs(hours)]
        row["order"][RANDOM] = spearman(_areas(shop, random), truth)
        for name, categories in TAGGED.items():
            tagged = np.sort(drawn[: settings.tagged(hours, categories)])
            key = name, len(tagged)
            if key not in known:
                found = _corrembed(shop, tagged, categories, settings.tag_errors)
                known[key] = spearman(found, truth)
            row["order"][name] = known[key]
        yield {"hours": hours, "tagged": min(len(shop), settings.tagged(hours, tuple(TAGS))), **row}


def by_depth(
    shop: Shop, settings: Settings, labels: Array, pool: eds.Pool, truth: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """The same number of pairs spent on many queries, or on few and deeper."""
    order = np.random.default_rng([shop.seed, 52]).permutation(len(shop))
    for k in DEPTHS:
        whole = _judge_pool(labels, pool.at(k))
        part = _first_queries(whole, order, settings.pairs(SPENT))
        yield {"k": k, **_bought(shop, part, truth)}


def _bought(shop: Shop, part: Judged, truth: Sequence[float]) -> dict[str, Any]:
    """How much was judged, and how well each metric then knows the true order."""
    found: Mapping[str, Floats] = score(shop, part)
    return {
        "pairs": len(part.triples),
        "queries": len(np.unique(part.triples[:, 0])),
        "order": {metric: spearman(values, truth) for metric, values in found.items()},
    }


def _judge_pool(labels: Array, pool: eds.Pool) -> Judged:
    return judge(labels, pool.pairs, [ENCODERS.index(name) for name in pool.encoders])


def _first_queries(whole: Judged, order: Positions, limit: int) -> Judged:
    """The pairs of the first queries of that order, of as many as stay within the limit."""
    counts = np.bincount(whole.triples[:, 0], minlength=len(order))[order]
    taken = np.zeros(len(order), bool)
    taken[order[: max(1, int(np.searchsorted(np.cumsum(counts), limit, "right")))]] = True
    return Judged(whole.triples[taken[whole.triples[:, 0]]], whole.baselines)


def _areas(shop: Shop, triples: Positions) -> list[float]:
    pairs = zip(shop.ranks, shop.scores, strict=True)
    return [discovery(ranks, scores, triples).roc_auc_micro for ranks, scores in pairs]


def _corrembed(
    shop: Shop, tagged: Positions, categories: Sequence[str], errors: float
) -> list[float]:
    """CorrEmbed of each encoder on the items that have tags; self pairs do not count."""
    tags = tag_rows(shop.garments, categories, errors, shop.seed)[tagged]
    return [
        metrics.corrembed(vectors[tagged], tags, self_pairs="exclude").mean
        for vectors in shop.vectors
    ]
