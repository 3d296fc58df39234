"""A class-per-folder data set from addresses of pictures, or from a search engine's answers."""

from ._collect import Collected, collect
from .engine import Engine
from .manners import Manners

__all__ = ["Collected", "Engine", "Manners", "collect"]
