"""How good an encoder is, in numbers: pure functions on arrays.

Public names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._controls import random_tags, shuffled_tags
    from ._corrembed import CategoryScores, corrembed, corrembed_by_category
    from ._hubness import Hubness, hubness
    from ._images import CorrEmbedImages
    from ._naive import corrembed_naive
    from ._ndcg import ndcg
    from ._significance import PairTests, compare_pairs, shared_ranks
    from ._sums import CorrEmbedSums
    from ._weights import category_weights
    from .base import METRICS, Laws

_PLACES = {
    "METRICS": "base",
    "CategoryScores": "_corrembed",
    "CorrEmbedImages": "_images",
    "CorrEmbedSums": "_sums",
    "Hubness": "_hubness",
    "Laws": "base",
    "PairTests": "_significance",
    "category_weights": "_weights",
    "compare_pairs": "_significance",
    "corrembed": "_corrembed",
    "corrembed_by_category": "_corrembed",
    "corrembed_naive": "_naive",
    "hubness": "_hubness",
    "ndcg": "_ndcg",
    "random_tags": "_controls",
    "shared_ranks": "_significance",
    "shuffled_tags": "_controls",
}

__all__ = [
    "METRICS",
    "CategoryScores",
    "CorrEmbedImages",
    "CorrEmbedSums",
    "Hubness",
    "Laws",
    "PairTests",
    "category_weights",
    "compare_pairs",
    "corrembed",
    "corrembed_by_category",
    "corrembed_naive",
    "hubness",
    "ndcg",
    "random_tags",
    "shared_ranks",
    "shuffled_tags",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
