"""See what looks alike; measure which model sees it best.

Public names are loaded on first use, so that importing this package is quick
and brings in none of its libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import garments, metrics
    from ._compare import compare
    from ._embed import embed
    from ._fuse import fuse
    from ._leaderboard import Leaderboard
    from ._search import Searcher, search
    from ._stress import stress
    from .encoders.base import Encoder, Running, open_encoder
    from .index.base import Index, build_index
    from .store.base import open_store
    from .values.catalogue import Catalogue
    from .values.embeddings import Embeddings
    from .values.errors import LikelensError, LikelensWarning
    from .values.scores import QueryScores
    from .values.spec import Spec
    from .values.tags import Tags

__version__ = "0.1.0"

_PLACES = {
    "Catalogue": "values.catalogue",
    "Embeddings": "values.embeddings",
    "Encoder": "encoders.base",
    "Index": "index.base",
    "Leaderboard": "_leaderboard",
    "LikelensError": "values.errors",
    "LikelensWarning": "values.errors",
    "QueryScores": "values.scores",
    "Running": "encoders.base",
    "Searcher": "_search",
    "Spec": "values.spec",
    "Tags": "values.tags",
    "build_index": "index.base",
    "compare": "_compare",
    "embed": "_embed",
    "fuse": "_fuse",
    "open_encoder": "encoders.base",
    "open_store": "store.base",
    "search": "_search",
    "stress": "_stress",
}
_MODULES = ("garments", "metrics")

__all__ = [
    "Catalogue",
    "Embeddings",
    "Encoder",
    "Index",
    "Leaderboard",
    "LikelensError",
    "LikelensWarning",
    "QueryScores",
    "Running",
    "Searcher",
    "Spec",
    "Tags",
    "build_index",
    "compare",
    "embed",
    "fuse",
    "garments",
    "metrics",
    "open_encoder",
    "open_store",
    "search",
    "stress",
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
