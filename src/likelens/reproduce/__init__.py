"""Published results, measured again on any catalogue, beside the published figures."""

from ._corrembed import Network, Reproduction, corrembed
from ._discovery import DiscoveryRun, discovery
from ._discovery_text import table_sections, write_tables
from ._engine import INDEXES as ENGINE_INDEXES
from ._engine import EngineRun, engine, find_parents
from ._engine_text import sections
from ._engine_write import charts, write_engine
from ._markdown import markdown
from ._trust import Settings as TrustSettings
from ._trust import Trust, trust, trust_folder, write_trust
from ._trust import in_short as trust_in_short
from ._write import draw, write

__all__ = [
    "ENGINE_INDEXES",
    "DiscoveryRun",
    "EngineRun",
    "Network",
    "Reproduction",
    "Trust",
    "TrustSettings",
    "charts",
    "corrembed",
    "discovery",
    "draw",
    "engine",
    "find_parents",
    "markdown",
    "sections",
    "table_sections",
    "trust",
    "trust_folder",
    "trust_in_short",
    "write",
    "write_engine",
    "write_tables",
    "write_trust",
]
