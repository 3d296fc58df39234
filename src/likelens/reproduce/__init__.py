"""Published results, measured again on any catalogue, beside the published figures."""

from ._corrembed import Network, Reproduction, corrembed
from ._discovery import DiscoveryRun, discovery
from ._discovery_text import table_sections, write_tables
from ._engine import INDEXES as ENGINE_INDEXES
from ._engine import EngineRun, engine, find_parents
from ._engine_text import sections
from ._engine_write import charts, write_engine
from ._markdown import markdown
from ._write import draw, write

__all__ = [
    "ENGINE_INDEXES",
    "DiscoveryRun",
    "EngineRun",
    "Network",
    "Reproduction",
    "charts",
    "corrembed",
    "discovery",
    "draw",
    "engine",
    "find_parents",
    "markdown",
    "sections",
    "table_sections",
    "write",
    "write_engine",
    "write_tables",
]
