"""See what looks alike; measure which model sees it best.

Public names are loaded on first use, so that importing this package is quick
and brings in none of its libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import eds, garments, metrics
    from ._against import Against, compare_reports
    from ._check import Check, check
    from ._compare import compare
    from ._discover import DiscoveryBoard, discover
    from ._embed import embed, open_store
    from ._fuse import fuse
    from ._leaderboard import Leaderboard
    from ._pooling import Pooling, pool_catalogue
    from ._protocol import choose_queries, find_copies, relevance_of
    from ._ranking import rank_with
    from ._relevance import RetrievalBoard
    from ._retrieval import measure, measure_rankings
    from ._search import Hit, Hits, Searcher, index_info, save_index, search
    from ._stress import stress
    from ._tune import Tuning, tune_index
    from .encoders.base import Encoder
    from .encoders.opening import open_encoder
    from .encoders.running import Running
    from .index.base import Index, build_index, load_index
    from .values.catalogue import Catalogue
    from .values.copurchases import PurchaseRelevance
    from .values.embeddings import Embeddings
    from .values.errors import LikelensError, LikelensWarning
    from .values.qrels import JudgedRelevance, Judgements
    from .values.relevance import LabelRelevance, TagRelevance
    from .values.scores import QueryScores
    from .values.spec import Spec
    from .values.tags import Tags

__version__ = "0.2.0"

_PLACES = {
    "Against": "_against",
    "Catalogue": "values.catalogue",
    "Check": "_check",
    "DiscoveryBoard": "_discover",
    "Embeddings": "values.embeddings",
    "Encoder": "encoders.base",
    "Hit": "_search",
    "Hits": "_search",
    "Index": "index.base",
    "JudgedRelevance": "values.qrels",
    "Judgements": "values.qrels",
    "LabelRelevance": "values.relevance",
    "Leaderboard": "_leaderboard",
    "LikelensError": "values.errors",
    "LikelensWarning": "values.errors",
    "Pooling": "_pooling",
    "PurchaseRelevance": "values.copurchases",
    "QueryScores": "values.scores",
    "RetrievalBoard": "_relevance",
    "Running": "encoders.running",
    "Searcher": "_search",
    "Spec": "values.spec",
    "TagRelevance": "values.relevance",
    "Tags": "values.tags",
    "Tuning": "_tune",
    "build_index": "index.base",
    "check": "_check",
    "choose_queries": "_protocol",
    "compare": "_compare",
    "compare_reports": "_against",
    "discover": "_discover",
    "embed": "_embed",
    "find_copies": "_protocol",
    "fuse": "_fuse",
    "index_info": "_search",
    "load_index": "index.base",
    "measure": "_retrieval",
    "measure_rankings": "_retrieval",
    "open_encoder": "encoders.opening",
    "open_store": "_embed",
    "pool_catalogue": "_pooling",
    "rank_with": "_ranking",
    "relevance_of": "_protocol",
    "save_index": "_search",
    "search": "_search",
    "stress": "_stress",
    "tune_index": "_tune",
}
_MODULES = ("eds", "garments", "metrics")

__all__ = [
    "Against",
    "Catalogue",
    "Check",
    "DiscoveryBoard",
    "Embeddings",
    "Encoder",
    "Hit",
    "Hits",
    "Index",
    "JudgedRelevance",
    "Judgements",
    "LabelRelevance",
    "Leaderboard",
    "LikelensError",
    "LikelensWarning",
    "Pooling",
    "PurchaseRelevance",
    "QueryScores",
    "RetrievalBoard",
    "Running",
    "Searcher",
    "Spec",
    "TagRelevance",
    "Tags",
    "Tuning",
    "build_index",
    "check",
    "choose_queries",
    "compare",
    "compare_reports",
    "discover",
    "eds",
    "embed",
    "find_copies",
    "fuse",
    "garments",
    "index_info",
    "load_index",
    "measure",
    "measure_rankings",
    "metrics",
    "open_encoder",
    "open_store",
    "pool_catalogue",
    "rank_with",
    "relevance_of",
    "save_index",
    "search",
    "stress",
    "tune_index",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
