"""The assumptions of the simulation, and how encoders are scored by what was judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from likelens import eds, metrics
from likelens.garments import TAGS
from likelens.values.arrays import Array, Floats, Positions
from likelens.values.errors import BadSpec

from .draw import ENCODERS, Shop

HIT = 9
"""k of HR@k and MRR@k."""

DEEPEST = 15
"""Depth of the deepest pool."""

METRICS = (
    f"HR@{HIT}", f"MRR@{HIT}", "ROC-AUC micro", "ROC-AUC macro", "PR-AUC micro",
    "ROC-AUC micro, sampled", "ROC-AUC macro, sampled", "bpref", "infAP",
)  # fmt: skip
"""What encoders are ranked by; sampled: the negatives are drawn from the baselines' rankings."""

Scores = dict[str, Floats]
"""A score of each encoder by metric."""


@dataclass(frozen=True)
class Settings:
    """What the simulation takes as given.

    Attributes:
        items: images in a shop.
        experts: who judge every pair of a pool.
        pooling: how many encoders pool.
        k: how deep.
        pair_seconds: time of one vote.
        tag_seconds: time in which all tags of an item are typed in.
        tag_errors: how often a tag is wrong.
        sample: pairs drawn at random to estimate the prevalence.
    """

    items: int = 500
    experts: int = 3
    pooling: int = 6
    k: int = 6
    pair_seconds: float = 5.0
    tag_seconds: float = 30.0
    tag_errors: float = 0.1
    sample: int = 2_000

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            BadSpec: a number is out of its range.
        """
        most = len(ENCODERS) - 1
        for name, low, high in (
            ("items", 40, 2_000), ("experts", 1, 99), ("pooling", 2, most), ("k", 1, DEEPEST),
            ("pair_seconds", 0.1, 3_600), ("tag_seconds", 0.1, 3_600), ("tag_errors", 0, 0.9),
            ("sample", 1, 10**9),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadSpec(
                    f"{name} is {value}",
                    where=f"who-to-trust, {name}",
                    hint=f"give {low} to {high:,}",
                )

    def pairs(self, hours: float) -> int:
        """How many pairs all experts judge in so many hours of work, all together; 1 at least."""
        return max(1, int(hours * 3600 / (self.pair_seconds * self.experts)))

    def tagged(self, hours: float, categories: Sequence[str]) -> int:
        """How many items get tags of these categories in so many hours; 1 at least."""
        return max(1, int(hours * 3600 / (self.tag_seconds * len(categories) / len(TAGS))))


@dataclass(frozen=True)
class Judged:
    """Pairs and what the experts say of them.

    Attributes:
        triples: (p, 3) query, candidate, 1 similar or 0 not.
        baselines: places of the encoders whose rankings the sampled negatives come from.
    """

    triples: Positions
    baselines: tuple[int, ...]


def full_labels(shop: Shop) -> npt.NDArray[np.int8]:
    """(n, n) what the majority of the experts says of every pair; 0 on the diagonal."""
    count = len(shop)
    labels = np.array(eds.majority(shop.votes.reshape(count * count, -1)), np.int8)
    labels = labels.reshape(count, count)
    np.fill_diagonal(labels, 0)
    return labels


def judge(labels: Array, pairs: Positions, baselines: Sequence[int]) -> Judged:
    """The pairs with the experts' labels."""
    given = labels[pairs[:, 0], pairs[:, 1]].astype(np.int64)
    return Judged(np.column_stack([pairs, given]), tuple(baselines))


def score(shop: Shop, given: Judged) -> Scores:
    """Every metric of every encoder by what was judged; NaN where it has none."""
    triples, count = given.triples, len(shop)
    drawn = metrics.sampled_negatives(
        {ENCODERS[one]: shop.positions[one] for one in given.baselines},
        triples,
        low=count // 6,
        high=5 * count // 6,
        own=np.arange(count),
        seed=shop.seed,
    )
    rows: list[list[float]] = []
    for ranks, scores in zip(shop.ranks, shop.scores, strict=True):
        at = ranks[triples[:, 0], triples[:, 1]]
        near, far = (discovery(ranks, scores, triples, negatives) for negatives in (None, drawn))
        rows.append(
            [
                near.hit_rate[HIT], near.mrr[HIT], near.roc_auc_micro, near.roc_auc_macro,
                near.pr_auc_micro, far.roc_auc_micro, far.roc_auc_macro,
                metrics.bpref(at, triples).mean, metrics.inferred_ap(at, triples).mean,
            ]
        )  # fmt: skip
    return dict(zip(METRICS, np.array(rows).T, strict=True))


def discovery(
    ranks: Array, scores: Array, triples: Positions, drawn: Positions | None = None
) -> metrics.Discovery:
    """The discovery scores of one encoder.

    Args:
        ranks: (n, n) of all pairs.
        scores: (n, n) likewise.
        triples: what was judged.
        drawn: negatives that take the place of the judged ones in the areas.
    """
    taken = None if drawn is None else [(drawn, scores[drawn[:, 0], drawn[:, 1]])]
    queries, items = triples[:, 0], triples[:, 1]
    return metrics.discovery_of_pairs(
        ranks[queries, items], scores[queries, items], triples, k=(HIT,), sampled=taken
    )


def hit_rates(shop: Shop, labels: Array) -> list[float]:
    """HR@k of each encoder by labels of all pairs: the share of positives in the top k."""
    positive = labels.astype(bool)
    return [float((ranks[positive] <= HIT).mean()) for ranks in shop.ranks]


def places(scores: Sequence[float] | Floats) -> Positions:
    """The place of each encoder, from 1: one more than how many score higher."""
    values = np.asarray(scores, np.float64)
    return np.asarray(1 + (values[None, :] > values[:, None]).sum(axis=1))


def spearman(one: Sequence[float] | Floats, other: Sequence[float] | Floats) -> float:
    """Rank correlation of two orders of the encoders; NaN if a score lacks or all are equal."""
    from scipy.stats import rankdata

    left, right = (rankdata(np.asarray(values, np.float64)) for values in (one, other))
    if not (np.isfinite(one).all() and np.isfinite(other).all()) or not left.std() * right.std():
        return math.nan
    return float(np.corrcoef(left, right)[0, 1])


def random_pairs(items: int, count: int, rng: np.random.Generator) -> Positions:
    """(count, 2) directed pairs of two different items, each at most once."""
    flat = rng.choice(items * (items - 1), count, replace=False)
    queries, others = np.divmod(flat, items - 1)
    return np.column_stack([queries, others + (others >= queries)])
