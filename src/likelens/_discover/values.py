"""What a comparison of encoders by judgements found."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._leaderboard import pair_rows
from ..metrics import PairTests
from ..values.arrays import Positions
from ..values.catalogue import Catalogue
from ..values.embeddings import EncoderCard
from ..values.files import plain
from ..values.scores import QueryScores

if TYPE_CHECKING:
    import pyarrow as pa

    from .._against import Against
    from ..eds import Pool
    from .identity import Identity
    from .robust import Robustness

AREAS = {
    "roc_auc_micro": "ROC-AUC micro",
    "roc_auc_macro": "ROC-AUC macro",
    "pr_auc_micro": "PR-AUC micro",
    "pr_auc_macro": "PR-AUC macro",
}
"""Areas under curves by their names in tables, and as papers write them."""

INCOMPLETE = {"bpref": "bpref", "inferred_ap": "infAP"}
"""Metrics made for incomplete judgements."""


def cut_names(ks: Sequence[int]) -> dict[str, str]:
    """The metrics of the first k.

    Example:
        >>> cut_names([5])
        {'hr_at_5': 'HR@5', 'mrr_at_5': 'MRR@5'}
    """
    return {
        f"{metric.lower()}_at_{k}": f"{metric}@{k}" for k in sorted(ks) for metric in ("HR", "MRR")
    }


def metric_names(ks: Sequence[int]) -> dict[str, str]:
    """All metrics of a board by their names in tables, and as papers write them."""
    return cut_names(ks) | AREAS | INCOMPLETE


def is_control(name: str) -> bool:
    """Whether an encoder of that name stands for chance and is no candidate."""
    return name.startswith("control:")


@dataclass(frozen=True)
class Figure:
    """A score and how sure it is.

    Attributes:
        mean: NaN where nothing could be scored.
        low: lower end of the 95 % interval over queries.
        high: upper end.
        spread: standard deviation over the draws of negatives; NaN where none are drawn.
    """

    mean: float
    low: float
    high: float
    spread: float = math.nan


@dataclass(frozen=True)
class Statistics:
    """The data set in figures (Table 1 of arXiv 2308.14753).

    Attributes:
        queries: with at least one judgement.
        gallery: items that can be found.
        pairs: judged pairs.
        positives: of them.
        with_positive: queries that have one.
        with_both: queries that have a positive and a negative.
        possible: pairs of a query and an item that may be its candidate: not itself, nor, with
            different products, a picture of its own product.
    """

    queries: int
    gallery: int
    pairs: int
    positives: int
    with_positive: int
    with_both: int
    possible: int

    @property
    def prevalence(self) -> float:
        """Positives of all judged pairs (p_k, where the pairs are a pool of depth k)."""
        return self.positives / self.pairs

    @property
    def lower_bound(self) -> float:
        """Positives of all possible pairs: p_LB, as if no other were positive."""
        return self.positives / self.possible

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {**vars(self), "prevalence": self.prevalence, "lower_bound": self.lower_bound}


@dataclass(frozen=True)
class DiscoveryEntry:
    """One encoder's line.

    Attributes:
        card: the encoder.
        rank: place from 1 by ``DiscoveryBoard.rank_by``; encoders share it when the data
            cannot tell them apart.
        figures: score by metric, the keys of ``metric_names``.
        per_query: one value per query, for the metrics that have one.
        unjudged: by k, the share of the first k results that nobody judged.
        identity: score of finding other pictures of the same product, the keys of
            ``cut_names``; empty without products.
        top: (q, depth) positions of each query's best items.
        zeros: items whose vector is all zeros.
        failed: pictures that could not be embedded.
    """

    card: EncoderCard
    rank: int
    figures: Mapping[str, Figure] = field(repr=False)
    per_query: Mapping[str, QueryScores] = field(repr=False)
    unjudged: Mapping[int, float] = field(repr=False)
    identity: Mapping[str, Figure] = field(repr=False)
    top: Positions = field(repr=False)
    zeros: int
    failed: int

    @property
    def name(self) -> str:
        """The encoder's spec."""
        return self.card.name

    @property
    def control(self) -> bool:
        """Whether it stands for chance and is no candidate."""
        return is_control(self.name)


@dataclass(frozen=True, repr=False)
class DiscoveryBoard:
    """Encoders by what people judged alike, best first.

    Attributes:
        entries: a line per encoder, best first.
        catalogue: the items that every encoder has a vector of.
        queries: the pictures that ask: those with a judgement.
        wild: whether they come from another catalogue.
        statistics: of the judgements that count.
        ks: cut-offs.
        rank_by: the metric that decides the place.
        tests: paired test of every two encoders on that metric.
        pool: which encoder proposed which pair, or None.
        robustness: scores when one encoder's proposals are taken away, or None.
        identity: the ranking by identity beside that by discovery, or None.
        notes: what the reader should know.
        missing: why an encoder could not take part, by its spec.
        run: what was run.
    """

    entries: tuple[DiscoveryEntry, ...]
    catalogue: Catalogue
    queries: Catalogue
    wild: bool
    statistics: Statistics
    ks: tuple[int, ...]
    rank_by: str
    tests: PairTests = field(repr=False)
    pool: Pool | None
    robustness: Robustness | None
    identity: Identity | None
    notes: tuple[str, ...]
    missing: Mapping[str, str]
    run: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        places = ", ".join(
            f"{one.rank} {one.name} {one.figures[self.rank_by].mean:.3f}" for one in self.entries
        )
        return f"DiscoveryBoard({places}; {self.statistics.pairs:,} judged pairs)"

    def _repr_html_(self) -> str:
        from ..report.notebook import Examples, board_html

        pairs = f"{self.statistics.pairs:,} judged pairs"
        title = f"Leaderboard of {len(self.entries)} encoders, {pairs}"
        asked = np.arange(len(self.queries))
        examples = Examples(self.queries, "", asked, np.zeros((len(asked), 0), np.int64))
        return board_html(title, self._rows(), self.notes, examples)

    @property
    def names(self) -> dict[str, str]:
        """The metrics by their names in tables, and as papers write them."""
        return metric_names(self.ks)

    @property
    def table(self) -> pa.Table:
        """A row per encoder, best first, as an Arrow table."""
        import pyarrow as pa

        rows = self._rows()
        return pa.table({name: [row.get(name) for row in rows] for name in rows[0]})

    def _rows(self) -> list[dict[str, Any]]:
        rows = [_row(one) for one in self.entries]
        if self.missing:
            rows = [{**row, "missing": None} for row in rows]
        return rows + [{"encoder": name, "missing": why} for name, why in self.missing.items()]

    def to_dict(self) -> dict[str, Any]:
        """Everything but vectors, as plain values that JSON can write (NaN as None)."""
        pool = self.pool
        everything = {
            "leaderboard": self._rows(),
            "rank_by": self.rank_by,
            "statistics": self.statistics.row(),
            "tests": pair_rows(self.tests),
            "overlap": None if pool is None else _overlap(pool),
            "leave_one_out": [] if self.robustness is None else self.robustness.rows(),
            "identity": None if self.identity is None else self.identity.row(),
            "notes": list(self.notes),
            "run": dict(self.run),
        }
        result: dict[str, Any] = plain(everything)
        return result

    @property
    def per_query(self) -> pa.Table:
        """A row per query: its id, and its values by each encoder, of metrics that have any."""
        from .._against import per_query_table

        scores = {
            f"{metric}: {one.name}": values.per_query
            for one in self.entries
            for metric, values in one.per_query.items()
        }
        return per_query_table(self.catalogue, scores, self.queries.ids)

    def against(self, report: str | os.PathLike[str]) -> Against:
        """What changed since an earlier report: its folder. See ``compare_reports``.

        Raises:
            BadTable: there is no report of this kind, or it is damaged.
        """
        from .._against import compare_reports

        return compare_reports(report, self)

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write discovery.csv, .parquet, .json and .html; returns the path of the page."""
        from ..report.discovery import write_discovery

        return write_discovery(self, Path(folder))


def _row(entry: DiscoveryEntry) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": entry.rank,
        "encoder": entry.name,
        "fingerprint": entry.card.fingerprint,
    }
    for metric, figure in entry.figures.items():
        row |= {metric: figure.mean, f"{metric}_low": figure.low, f"{metric}_high": figure.high}
        if math.isfinite(figure.spread):
            row[f"{metric}_spread"] = figure.spread
    row |= {f"unjudged_at_{k}": share for k, share in entry.unjudged.items()}
    row |= {f"identity_{metric}": figure.mean for metric, figure in entry.identity.items()}
    return row | {"dim": entry.card.dim, "zero_vectors": entry.zeros, "failed": entry.failed}


def _overlap(pool: Pool) -> dict[str, Any]:
    return {
        "encoders": pool.encoders,
        "k": pool.k,
        "percent": pool.overlap.tolist(),
        "jaccard": pool.jaccard.tolist(),
    }
