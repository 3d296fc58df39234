"""Encoders ranked by what people judged alike.

``pairs`` finds the judged pairs in a catalogue, ``vectors`` reads one encoder's vectors after
another, ``measure`` scores one encoder, ``contest`` all of them, ``advice`` says whom to doubt, and
``run`` is the way through.
"""

from .run import discover
from .values import DiscoveryBoard, DiscoveryEntry, Figure, Statistics

__all__ = ["DiscoveryBoard", "DiscoveryEntry", "Figure", "Statistics", "discover"]
