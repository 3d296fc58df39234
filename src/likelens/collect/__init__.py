"""A class-per-folder data set from addresses of pictures, or from a search engine's answers."""

from ..values.web.manners import Manners
from ._collect import Collected, collect
from .engine import Engine

__all__ = ["Collected", "Engine", "Manners", "collect"]
