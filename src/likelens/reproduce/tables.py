"""The paper's tables as rows of plain values, and its correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .._leaderboard import Entry, Leaderboard
from ..report.networks import by_network
from ..values.embeddings import EncoderCard
from ._corrembed import ONLY, OUTPUT, PENULTIMATE, Network, Reproduction

LAYERS = (OUTPUT, PENULTIMATE)

FEWEST = 3
"""Below so many networks a correlation is not given; its interval needs one more."""


def tag_table(board: Leaderboard) -> list[dict[str, Any]]:
    """Table 1: each tag category, its tags, how many items bear one, and its weight."""
    tags = board.catalogue.tags
    rows = []
    for name in tags.category_names:
        columns = tags.columns(name)
        borne = tags.matrix[:, columns]
        counts = np.asarray((borne > 0).sum(axis=0)).ravel()
        top = int(counts.argmax())
        rows.append(
            {
                "category": name,
                "tags": int((counts > 0).sum()),
                "items": int((np.asarray(borne.sum(axis=1)).ravel() > 0).sum()),
                "most_frequent": tags.names[columns[top]],
                "its_items": int(counts[top]),
                "weight": None if board.weights is None else board.weights.get(name),
            }
        )
    return rows


def score_table(found: Reproduction) -> list[dict[str, Any]]:
    """Table 2: accuracy, scores and the scores of chance of each network's output."""
    rows = [_score_row(network) for network in found.networks]
    return _beside(rows, found.networks, ("weighted", "unweighted"))


def _score_row(network: Network) -> dict[str, Any]:
    entry = network.top
    low, high = entry.main.interval()
    return {
        "network": network.label,
        "encoder": entry.card.name,
        "layer": next(layer for layer, one in network.entries.items() if one is entry),
        "imagenet_acc1": entry.card.accuracy,
        "weighted": None if entry.weighted is None else entry.weighted.mean,
        "unweighted": entry.unweighted.mean,
        "low": low,
        "high": high,
        "random_tags": _control(entry, "random tags"),
        "shuffled_tags": _control(entry, "shuffled tags"),
        "random_embeddings": _control(entry, "random embeddings"),
        "shuffled_embeddings": _control(entry, "shuffled embeddings"),
    }


def _beside(
    rows: list[dict[str, Any]], networks: Sequence[Network], figures: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows with a column for each figure that was published of any of their networks."""
    known = [network.row.published if network.row else {} for network in networks]
    for figure in figures:
        if any(figure in published for published in known):
            for row, published in zip(rows, known, strict=True):
                row[f"published_{figure}"] = published.get(figure)
    return rows


def _control(entry: Entry, name: str) -> float:
    """The score of chance, weighted if the score is."""
    return (entry.weighted_controls or entry.controls).get(name, math.nan)


def size_table(found: Reproduction) -> list[dict[str, Any]]:
    """Table 3: parameters, score of the layer before the output, time of a batch, shape."""
    rows: list[dict[str, Any]] = []
    measured: list[Network] = []
    for network in found.networks:
        entry = network.entry(PENULTIMATE)
        if entry is None or network.control:
            continue
        measured.append(network)
        low, high = entry.main.interval()
        rows.append(
            {
                "network": network.label,
                "encoder": entry.card.name,
                "layer": ONLY if ONLY in network.entries else PENULTIMATE,
                "parameters": entry.card.parameters,
                "score": entry.main.mean,
                "low": low,
                "high": high,
                "batch_seconds": network.seconds,
                "shape": entry.card.dim,
            }
        )
    return _beside(rows, measured, ("penultimate", "batch_seconds"))


@dataclass(frozen=True)
class Point:
    """A network in Figure 2 or 3.

    Attributes:
        label: its name.
        accuracy: published ImageNet top-1 accuracy in percent.
        score: its CorrEmbed at the figure's layer.
        card: of the encoder at this layer.
        low: lower end of the score's 95 % interval.
        high: upper end.
    """

    label: str
    accuracy: float
    score: float
    low: float
    high: float
    card: EncoderCard | None = None


def points(found: Reproduction, layer: str) -> list[Point]:
    """The networks whose accuracy is published and whose layer was measured, best first."""
    made = []
    for network in found.networks:
        entry = network.entries.get(layer)
        if entry is None or entry.card.accuracy is None or math.isnan(entry.main.mean):
            continue
        made.append(
            Point(
                network.label,
                entry.card.accuracy,
                entry.main.mean,
                *entry.main.interval(),
                card=entry.card,
            )
        )
    return sorted(made, key=lambda point: -point.score)


@dataclass(frozen=True)
class Correlation:
    """How score and accuracy go together at a layer.

    Attributes:
        layer: ``output`` or ``penultimate``.
        networks: how many have both; variants of one network count once.
        r: Pearson's correlation; NaN where there is none.
        low: lower end of its 95 % interval (Fisher's z), NaN below four networks.
        high: upper end.
    """

    layer: str
    networks: int
    r: float
    low: float
    high: float


def correlations(found: Reproduction) -> list[Correlation]:
    """Pearson's r of score and accuracy at both layers."""
    return [correlation(layer, points(found, layer)) for layer in LAYERS]


def correlation(layer: str, known: Sequence[Point]) -> Correlation:
    """Pearson's r of some points."""
    groups = by_network(known, lambda point: point.card or EncoderCard(point.label, "", 0))
    accuracy = np.array([group[0].accuracy for group in groups])
    score = np.array([np.mean([point.score for point in group]) for group in groups])
    count = len(groups)
    if count < FEWEST or not accuracy.std() or not score.std():
        return Correlation(layer, count, math.nan, math.nan, math.nan)
    from scipy.stats import pearsonr

    result = pearsonr(accuracy, score)
    low = high = math.nan
    if count > FEWEST:
        interval = result.confidence_interval(0.95)
        low, high = float(interval.low), float(interval.high)
    return Correlation(layer, count, float(result.statistic), low, high)


def everything(found: Reproduction) -> dict[str, list[dict[str, Any]]]:
    """All tables by the name of their file."""
    return {
        "table-1": tag_table(found.board),
        "table-2": score_table(found),
        "table-3": size_table(found),
        "correlation": [asdict(one) for one in correlations(found)],
        "missing": [
            {"network": row.name, "encoder": row.spec, "why": why} for row, why in found.missing
        ],
    }
