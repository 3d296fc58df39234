"""How good an encoder is, in numbers: pure functions on arrays.

Public names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._areas import pr_auc, roc_auc
    from ._classes import ClassScores, by_class
    from ._controls import random_tags, shuffled_tags
    from ._corrembed import CategoryScores, corrembed, corrembed_by_category
    from ._discovery import Discovery, discovery, discovery_of_pairs
    from ._hubness import Hubness, hubness
    from ._images import CorrEmbedImages
    from ._incomplete import bpref, inferred_ap
    from ._naive import corrembed_naive
    from ._ndcg import ndcg
    from ._negatives import sampled_negatives
    from ._rerank import (
        csls,
        gallery_moments,
        local_scaling,
        mutual_proximity,
        nearest_distance,
        nearest_similarity,
        similarity_moments,
    )
    from ._retrieval import (
        average_precision,
        cmc,
        hit_rate,
        map_at_r,
        precision,
        r_precision,
        recall,
        reciprocal_rank,
    )
    from ._significance import PairTests, compare_pairs, shared_ranks
    from ._sums import CorrEmbedSums
    from ._threshold import Threshold, calibrate
    from ._weights import category_weights
    from .base import METRICS, Laws

_PLACES = {
    "METRICS": "base",
    "CategoryScores": "_corrembed",
    "ClassScores": "_classes",
    "CorrEmbedImages": "_images",
    "CorrEmbedSums": "_sums",
    "Discovery": "_discovery",
    "Hubness": "_hubness",
    "Laws": "base",
    "PairTests": "_significance",
    "Threshold": "_threshold",
    "average_precision": "_retrieval",
    "bpref": "_incomplete",
    "by_class": "_classes",
    "calibrate": "_threshold",
    "category_weights": "_weights",
    "cmc": "_retrieval",
    "compare_pairs": "_significance",
    "corrembed": "_corrembed",
    "corrembed_by_category": "_corrembed",
    "corrembed_naive": "_naive",
    "csls": "_rerank",
    "discovery": "_discovery",
    "discovery_of_pairs": "_discovery",
    "gallery_moments": "_rerank",
    "hit_rate": "_retrieval",
    "hubness": "_hubness",
    "inferred_ap": "_incomplete",
    "local_scaling": "_rerank",
    "map_at_r": "_retrieval",
    "mutual_proximity": "_rerank",
    "ndcg": "_ndcg",
    "nearest_distance": "_rerank",
    "nearest_similarity": "_rerank",
    "pr_auc": "_areas",
    "precision": "_retrieval",
    "r_precision": "_retrieval",
    "random_tags": "_controls",
    "recall": "_retrieval",
    "reciprocal_rank": "_retrieval",
    "roc_auc": "_areas",
    "sampled_negatives": "_negatives",
    "shared_ranks": "_significance",
    "shuffled_tags": "_controls",
    "similarity_moments": "_rerank",
}

__all__ = [
    "METRICS",
    "CategoryScores",
    "ClassScores",
    "CorrEmbedImages",
    "CorrEmbedSums",
    "Discovery",
    "Hubness",
    "Laws",
    "PairTests",
    "Threshold",
    "average_precision",
    "bpref",
    "by_class",
    "calibrate",
    "category_weights",
    "cmc",
    "compare_pairs",
    "corrembed",
    "corrembed_by_category",
    "corrembed_naive",
    "csls",
    "discovery",
    "discovery_of_pairs",
    "gallery_moments",
    "hit_rate",
    "hubness",
    "inferred_ap",
    "local_scaling",
    "map_at_r",
    "mutual_proximity",
    "ndcg",
    "nearest_distance",
    "nearest_similarity",
    "pr_auc",
    "precision",
    "r_precision",
    "random_tags",
    "recall",
    "reciprocal_rank",
    "roc_auc",
    "sampled_negatives",
    "shared_ranks",
    "shuffled_tags",
    "similarity_moments",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
