"""What a comparison of encoders by retrieval found."""

from __future__ import annotations

import os
from collections.abc import Mapping
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


@dataclass(frozen=True)
class RetrievalEntry:
    """One encoder's line.

    Attributes:
        card: the encoder, or a control.
        rank: place from 1; encoders share it when the data cannot tell them apart.
        scores: by metric (``nDCG@10``, ``HR@10``, ``MRR@10``, ``mAP@10``, ``P@10``,
            ``R@10``), one value per query.
        top: (q, k) positions of what each query finds, best first; -1 for an empty place.
        tied: share of the queries whose list ends between equal scores.
        zeros: items whose vector is all zeros.
        failed: images that could not be embedded.
    """

    card: EncoderCard
    rank: int
    scores: Mapping[str, QueryScores] = field(repr=False)
    top: Positions = field(repr=False)
    tied: float
    zeros: int = 0
    failed: int = 0

    @property
    def name(self) -> str:
        """The encoder's spec, or the control's name."""
        return self.card.name

    @property
    def control(self) -> bool:
        """Whether it stands for chance or popularity, and is no candidate."""
        return self.name.startswith("control:")


@dataclass(frozen=True, repr=False)
class RetrievalBoard:
    """Encoders by how well a search with them finds what is relevant, best first.

    Attributes:
        entries: a line per encoder and control, best first.
        catalogue: the items that every encoder has a vector of.
        relevance: what counts as relevant: ``purchases``, ``classes``, ``products``, ``tags``.
        k: how many results count.
        rank_by: the metric that decides the place.
        queries: (q,) positions of the items that asked.
        unscored: items with nothing relevant, which did not ask.
        relevant: median number of relevant items of a query.
        tests: paired test of every two encoders on the metric that decides the place.
        notes: what the reader should know.
        missing: why an encoder could not take part, by its spec.
        run: what was run.
    """

    entries: tuple[RetrievalEntry, ...]
    catalogue: Catalogue
    relevance: str
    k: int
    rank_by: str
    queries: Positions = field(repr=False)
    unscored: int
    relevant: float
    tests: PairTests = field(repr=False)
    notes: tuple[str, ...]
    missing: Mapping[str, str]
    run: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        places = ", ".join(
            f"{one.rank} {one.name} {one.scores[self.rank_by].mean:.3f}" for one in self.entries
        )
        return f"RetrievalBoard({places}; {len(self.queries):,} queries by {self.relevance})"

    def _repr_html_(self) -> str:
        from ..report.notebook import Examples, board_html

        title = f"Leaderboard of {len(self.entries)} encoders by {self.relevance}"
        best = self.entries[0]
        examples = Examples(self.catalogue, best.name, self.queries, best.top)
        return board_html(title, self._rows(), self.notes, examples)

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
        """Everything but the rankings, as plain values that JSON can write (NaN as None)."""
        everything = {
            "leaderboard": self._rows(),
            "relevance": self.relevance,
            "rank_by": self.rank_by,
            "k": self.k,
            "items": len(self.catalogue),
            "queries": len(self.queries),
            "without_relevant": self.unscored,
            "median_relevant": self.relevant,
            "tests": pair_rows(self.tests),
            "notes": list(self.notes),
            "run": dict(self.run),
        }
        result: dict[str, Any] = plain(everything)
        return result

    @property
    def per_query(self) -> pa.Table:
        """A row per item: its id, its tags, and its scores by each encoder; NaN without any."""
        from .._against import per_query_table

        scores = {}
        for one in self.entries:
            for metric, values in one.scores.items():
                column = np.full(len(self.catalogue), np.nan)
                column[self.queries] = values.per_query
                scores[f"{column_name(metric)}: {one.name}"] = column
        return per_query_table(self.catalogue, scores)

    def against(self, report: str | os.PathLike[str]) -> Against:
        """What changed since an earlier report: its folder. See ``compare_reports``.

        Raises:
            BadTable: there is no report of this kind, or it is damaged.
        """
        from .._against import compare_reports

        return compare_reports(report, self)

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write retrieval.csv, .parquet, .json and .html; returns the path of the page."""
        from ..report.retrieval import write_retrieval

        return write_retrieval(self, Path(folder))


def column_name(metric: str) -> str:
    """A metric as columns are called.

    Example:
        >>> column_name("nDCG@10")
        'ndcg_at_10'
    """
    return metric.lower().replace("@", "_at_")


def _row(entry: RetrievalEntry) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": entry.rank,
        "encoder": entry.name,
        "fingerprint": entry.card.fingerprint,
    }
    for metric, scores in entry.scores.items():
        name = column_name(metric)
        low, high = scores.interval()
        row |= {name: scores.mean, f"{name}_low": low, f"{name}_high": high}
    return row | {
        "tied": entry.tied,
        "dim": entry.card.dim,
        "zero_vectors": entry.zeros,
        "failed": entry.failed,
    }
