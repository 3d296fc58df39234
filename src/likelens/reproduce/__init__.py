"""Published results, measured again on any catalogue, beside the published figures."""

from ._corrembed import Network, Reproduction, corrembed
from ._engine import INDEXES as ENGINE_INDEXES
from ._engine import EngineRun, engine, find_parents
from ._engine_text import sections
from ._engine_write import charts, write_engine
from ._markdown import markdown
from ._write import draw, write

__all__ = [
    "ENGINE_INDEXES",
    "EngineRun",
    "Network",
    "Reproduction",
    "charts",
    "corrembed",
    "draw",
    "engine",
    "find_parents",
    "markdown",
    "sections",
    "write",
    "write_engine",
]
