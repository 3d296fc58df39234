"""What a board's order may have wrong: newcomers to the pool, and chance above encoders."""

from __future__ import annotations

from collections.abc import Sequence

from ..metrics._negatives import HIGH
from ..values.errors import first_few
from .values import AREAS, DiscoveryBoard, DiscoveryEntry

UNJUDGED = 0.5
"""The share of first results without a judgement, above which an encoder is no part of the pool."""


def advice(board: DiscoveryBoard) -> tuple[str, ...]:
    """Sentences on encoders that the judgements treat unfairly, and on places below chance.

    Which encoders chose the pairs is told by the pool's file, if it names any of those compared;
    otherwise by how many of their first results nobody judged.
    """
    candidates = [entry for entry in board.entries if not entry.control]
    return (*_newcomers(board, candidates), *_below_chance(board, candidates))


def _newcomers(board: DiscoveryBoard, candidates: Sequence[DiscoveryEntry]) -> list[str]:
    k = max(board.ks)
    pool = board.pool if board.run["options"].get("pool") else None
    if pool is not None and any(one.name in pool.encoders for one in candidates):
        return [
            f"{one.name} has no part in the pool: {_too_low(board, one)}"
            for one in candidates
            if one.name not in pool.encoders
        ]
    strange = [one for one in candidates if one.unjudged[k] > UNJUDGED]
    if len(strange) < len(candidates) or len(candidates) == 1:
        return [f"{one.name}: {_too_low(board, one)}" for one in strange]
    if not strange:
        return []
    least = min(one.unjudged[k] for one in strange)
    text = f"at least {least:.0%} of every encoder's first {k} results are unjudged"
    return [f"{text}: HR, MRR and infAP score all of them too low, and some more than others"]


def _too_low(board: DiscoveryBoard, entry: DiscoveryEntry) -> str:
    k = max(board.ks)
    drawn = board.run["negatives"] == "sampled"
    too_high = "bpref" if drawn else "areas with annotated negatives and bpref"
    other = ", or look at --negatives sampled"
    return (
        f"{entry.unjudged[k]:.0%} of its first {k} results are unjudged: HR, MRR and infAP score "
        f"it too low, {too_high} too high; pool its first results too"
        f"{'' if drawn or len(board.catalogue) <= HIGH else other}"
    )


def _below_chance(board: DiscoveryBoard, candidates: Sequence[DiscoveryEntry]) -> list[str]:
    """A sentence for each control that scores more than an encoder by the ranking metric."""
    metric = board.rank_by
    said = []
    for control in board.entries:
        score = control.figures[metric].mean
        below = [one.name for one in candidates if one.figures[metric].mean < score]
        if not control.control or not below:
            continue
        text = f"by {board.names[metric]} {control.name}, which is chance, stands above "
        said.append(f"{text}{first_few(below)}: no place from there on says anything")
    judged = metric == "bpref" or (metric in AREAS and board.run["negatives"] == "annotated")
    if said and judged:
        said[-1] += (
            "; its negatives are what encoders of the pool put first, which is hard for them and "
            "easy for chance, so rank by another metric (--rank-by inferred_ap)"
        )
    return said
