"""Published results, measured again on any catalogue, beside the published figures."""

from ._corrembed import Network, Reproduction, corrembed
from ._markdown import markdown
from ._write import draw, write

__all__ = ["Network", "Reproduction", "corrembed", "draw", "markdown", "write"]
