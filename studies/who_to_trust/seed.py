"""One shop: pools with an encoder and without it, and the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from likelens import eds, metrics
from likelens.values.arrays import Array, Floats, Positions

from .budget import DEPTHS, by_depth, by_hours
from .draw import ENCODERS, Shop, draw_shop, rankings
from .score import (
    DEEPEST,
    METRICS,
    Scores,
    Settings,
    full_labels,
    hit_rates,
    judge,
    places,
    random_pairs,
    score,
)

SIZES = (1, 2, 3, 4, 6, 8, 10)
"""Numbers of encoders that pool, of the first chart."""

DRAWS = 3
"""How many choices of encoders are averaged for each of ``SIZES``."""


def measure_shop(seed: int, settings: Settings) -> dict[str, Any]:
    """All figures of the shop of a seed, as plain values that JSON can hold.

    Args:
        seed: of the catalogue, the experts, and which encoders pool.
        settings: what is taken as given.
    """
    shop = draw_shop(settings.items, seed, settings.experts)
    order = np.random.default_rng([seed, 50]).permutation(len(ENCODERS))
    inside = tuple(sorted(order[: settings.pooling].tolist()))
    labels = full_labels(shop)
    deep = pooled(shop, inside, DEEPEST)
    pool = deep.at(settings.k)
    truth = [_mean_ap(shop, scores) for scores in shop.scores]
    return {
        "seed": seed,
        "settings": asdict(settings),
        "inside": inside,
        "facts": _facts(shop, settings, labels, pool.pairs),
        "truth": truth,
        "chance": _mean_ap(shop, shop.chance),
        "full_hits": hit_rates(shop, labels),
        "found": list(_found(shop)),
        "twice": _twice(shop, settings, labels, inside),
        "hours": list(by_hours(shop, settings, labels, pool, truth)),
        "depths": list(by_depth(shop, settings, labels, deep, truth)),
    }


def pooled(shop: Shop, inside: Sequence[int], k: int) -> eds.Pool:
    """The pool of some encoders, every item asking."""
    positions = {ENCODERS[one]: shop.positions[one][:, :k] for one in inside}
    return eds.pool(positions, k, own=np.arange(len(shop)), items=len(shop))


def _mean_ap(shop: Shop, scores: Floats) -> float:
    """Mean average precision by the truth, over all pairs."""
    gains = np.take_along_axis(shop.alike, rankings(scores), axis=1).astype(np.float64)
    return metrics.average_precision(gains, shop.alike.sum(axis=1)).mean


def _facts(shop: Shop, settings: Settings, labels: Array, pairs: Positions) -> dict[str, Any]:
    """What was drawn, in figures, and the prevalence as EDS estimates it."""
    count = len(shop) * (len(shop) - 1)
    drawn = random_pairs(
        len(shop), min(settings.sample, count), np.random.default_rng([shop.seed, 53])
    )
    found = int(labels[pairs[:, 0], pairs[:, 1]].sum())
    guess = eds.prevalence(
        int(labels[drawn[:, 0], drawn[:, 1]].sum()), len(drawn), lower_bound=found / count
    )
    low, high = guess.interval
    real = float(labels.sum()) / count
    positive = labels[pairs[:, 0], pairs[:, 1]] == 1
    votes = shop.votes[pairs[:, 0], pairs[:, 1]]
    return {
        "prevalence": float(shop.alike.sum()) / count,
        "labelled": real,
        "estimate": guess.estimate,
        "covered": bool(low <= real <= high),
        "kappa": float(eds.agreement(votes).fleiss) if settings.experts > 1 else math.nan,
        "pairs": len(pairs),
        "judged": len(pairs) / count,
        "rich": found / len(pairs),
        "right": float(shop.alike[pairs[:, 0], pairs[:, 1]][positive].mean()),
    }


def _found(shop: Shop) -> Iterator[dict[str, Any]]:
    """Share of the true positives that pools hold, and share of all pairs, by size and depth."""
    rng = np.random.default_rng([shop.seed, 54])
    total, count = int(shop.alike.sum()), len(shop) * (len(shop) - 1)
    for size in SIZES:
        sums = {k: np.zeros(2) for k in DEPTHS}
        for _ in range(DRAWS):
            whole = pooled(shop, rng.permutation(len(ENCODERS))[:size].tolist(), DEEPEST)
            for k in DEPTHS:
                pairs = whole.at(k).pairs
                hits = int(shop.alike[pairs[:, 0], pairs[:, 1]].sum())
                sums[k] += (hits / total, len(pairs) / count)
        for k, (recall, share) in sums.items():
            yield {"size": size, "k": k, "recall": recall / DRAWS, "share": share / DRAWS}


def _twice(
    shop: Shop, settings: Settings, labels: Array, inside: tuple[int, ...]
) -> dict[str, dict[str, list[Any]]]:
    """Each encoder judged twice: by a pool that it took part in, and by one that it did not.

    The second pool is the first without it. By metric: its score and its place among all.
    """
    made: dict[str, dict[str, list[Any]]] = {
        metric: {"in": [], "out": [], "in_place": [], "out_place": []} for metric in METRICS
    }
    known: dict[tuple[int, ...], Scores] = {}
    for place, name in enumerate(ENCODERS):
        taking = tuple(sorted({*inside, place}))
        others = tuple(one for one in taking if one != place)
        pool = pooled(shop, taking, settings.k)
        for side, some in (("in", taking), ("out", others)):
            if some not in known:
                used = pool if some == taking else pool.without(name)
                known[some] = score(shop, judge(labels, used.pairs, some))
            for metric, values in known[some].items():
                made[metric][side].append(float(values[place]))
                made[metric][f"{side}_place"].append(int(places(values)[place]))
    return made
