"""Ranks and scores of judged candidates in a whole gallery, counted without sorting it."""

from __future__ import annotations

from .ranks import JudgedRanks, judged_ranks

__all__ = ["JudgedRanks", "judged_ranks"]
