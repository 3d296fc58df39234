"""Encoders ranked by a search for what is relevant: bought together, of one class or product."""

from __future__ import annotations

from .run import KINDS, Kind, compare_by_relevance
from .values import RetrievalBoard, RetrievalEntry

__all__ = ["KINDS", "Kind", "RetrievalBoard", "RetrievalEntry", "compare_by_relevance"]
