"""The leaderboard: what a comparison of encoders found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import metrics
from .values.arrays import Floats, Positions
from .values.catalogue import Catalogue
from .values.embeddings import EncoderCard
from .values.files import plain
from .values.scores import QueryScores

if TYPE_CHECKING:
    import pyarrow as pa

    from ._against import Against

CONTROLS = ("random embeddings", "shuffled embeddings", "random tags", "shuffled tags")


@dataclass(frozen=True)
class CategoryScore:
    """What an encoder sees of one tag category.

    Attributes:
        alone: CorrEmbed with the tags of this category only.
        share: this category's part of the CorrEmbed of all tags; the shares add up to it.
    """

    alone: QueryScores
    share: float


@dataclass(frozen=True)
class Entry:
    """One encoder's line of the leaderboard.

    Attributes:
        card: the encoder.
        rank: place from 1; encoders share it when the data cannot tell them apart.
        unweighted: CorrEmbed with every tag category counting the same.
        weighted: CorrEmbed with categories weighted by purchases, or None without any.
        controls: mean CorrEmbed when chance is put in one part's place, by name of the
            control; ``weighted_controls`` likewise.
        weighted_controls: empty without purchases.
        categories: what the encoder sees of each tag category.
        ndcg: nDCG@10 of tag similarity, linear gains, per query, every tag category counting
            the same.
        hubness: how often items appear in others' top 10.
        neighbours: (q, 10) positions of each query's most alike items, without itself.
        neighbour_scores: (q, 10) their cosine similarities.
        map_vectors: (s, d) unit vectors of the items of ``Leaderboard.map_items``.
        zeros: items whose vector is all zeros.
        failed: items whose picture could not be embedded.
        images_per_second: speed of the run that made the vectors, NaN if unknown.
        weighted_ndcg: nDCG@10 with categories weighted by purchases, or None without any.
    """

    card: EncoderCard
    rank: int
    unweighted: QueryScores = field(repr=False)
    weighted: QueryScores | None = field(repr=False)
    controls: Mapping[str, float] = field(repr=False)
    weighted_controls: Mapping[str, float] = field(repr=False)
    categories: Mapping[str, CategoryScore] = field(repr=False)
    ndcg: QueryScores = field(repr=False)
    hubness: metrics.Hubness = field(repr=False)
    neighbours: Positions = field(repr=False)
    neighbour_scores: Floats = field(repr=False)
    map_vectors: Floats = field(repr=False)
    zeros: int
    failed: int
    images_per_second: float
    weighted_ndcg: QueryScores | None = field(default=None, repr=False)

    @property
    def main(self) -> QueryScores:
        """The score that decides the place: weighted if there are purchases."""
        return self.unweighted if self.weighted is None else self.weighted


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """Encoders, best first, and all that is needed to show and repeat the comparison.

    Attributes:
        entries: a line per encoder, best first.
        catalogue: the items that every encoder has a vector of.
        weights: weight of each tag category from purchases, or None.
        pairs: paired test of every two encoders on the score that decides the place.
        queries: (q,) positions of the items used as queries for nDCG and neighbours.
        map_items: (s,) positions of the items on the map.
        notes: what the reader should know.
        missing: why an encoder could not take part, by its spec.
        run: what was run: specs, versions, seeds, machine.
    """

    entries: tuple[Entry, ...]
    catalogue: Catalogue
    weights: Mapping[str, float] | None
    pairs: metrics.PairTests = field(repr=False)
    queries: Positions = field(repr=False)
    map_items: Positions = field(repr=False)
    notes: tuple[str, ...]
    run: Mapping[str, Any] = field(repr=False)
    missing: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        places = ", ".join(f"{e.rank} {e.card.name} {e.main.mean:.3f}" for e in self.entries)
        return f"Leaderboard({places}; {len(self.catalogue):,} items)"

    def _repr_html_(self) -> str:
        from .report.notebook import Examples, board_html

        title = f"Leaderboard of {len(self.entries)} encoders, {len(self.catalogue):,} items"
        best = self.entries[0]
        examples = Examples(self.catalogue, best.card.name, self.queries, best.neighbours)
        return board_html(title, self._rows(), self.notes, examples)

    @property
    def table(self) -> pa.Table:
        """A row per encoder, best first, as an Arrow table (``.to_pandas()`` if you like)."""
        import pyarrow as pa

        rows = self._rows()
        return pa.table({name: [row.get(name) for row in rows] for name in rows[0]})

    def _rows(self) -> list[dict[str, Any]]:
        rows = [_table_row(entry) for entry in self.entries]
        if self.missing:
            rows = [{**row, "missing": None} for row in rows]
        return rows + [{"encoder": name, "missing": why} for name, why in self.missing.items()]

    def to_dict(self) -> dict[str, Any]:
        """Everything but vectors, as plain values that JSON can write (NaN as None)."""
        everything = {
            "leaderboard": self._rows(),
            "weights": None if self.weights is None else dict(self.weights),
            "pairs": pair_rows(self.pairs),
            "items": len(self.catalogue),
            "notes": list(self.notes),
            "run": dict(self.run),
        }
        result: dict[str, Any] = plain(everything)
        return result

    @property
    def per_query(self) -> pa.Table:
        """A row per item: its id, its tags, and its CorrEmbed by each encoder."""
        from ._against import per_query_table

        scores = {f"corrembed: {one.card.name}": one.unweighted.per_query for one in self.entries}
        scores |= {
            f"corrembed_weighted: {one.card.name}": one.weighted.per_query
            for one in self.entries
            if one.weighted is not None
        }
        return per_query_table(self.catalogue, scores)

    def against(self, report: str | os.PathLike[str]) -> Against:
        """What changed since an earlier report: its folder. See ``compare_reports``.

        Raises:
            BadTable: there is no report of this kind, or it is damaged.
        """
        from ._against import compare_reports

        return compare_reports(report, self)

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write leaderboard.csv, .parquet and .json, and report.html; returns the report's path."""
        from .report.page import write_report

        return write_report(self, Path(folder))


def _table_row(entry: Entry) -> dict[str, Any]:
    low, high = entry.unweighted.interval()
    row: dict[str, Any] = {
        "rank": entry.rank,
        "encoder": entry.card.name,
        "fingerprint": entry.card.fingerprint,
        "corrembed": entry.unweighted.mean,
        "corrembed_low": low,
        "corrembed_high": high,
    }
    if entry.weighted is not None:
        low, high = entry.weighted.interval()
        row |= {
            "corrembed_weighted": entry.weighted.mean,
            "corrembed_weighted_low": low,
            "corrembed_weighted_high": high,
        }
    row["ndcg_at_10"] = entry.ndcg.mean
    if entry.weighted_ndcg is not None:
        row["ndcg_at_10_weighted"] = entry.weighted_ndcg.mean
    row |= {
        "hubness_skew": entry.hubness.skewness,
        "orphans": entry.hubness.orphans,
        "dim": entry.card.dim,
        "parameters": entry.card.parameters,
        "size_bytes": entry.card.size_bytes,
        "imagenet_acc1": entry.card.accuracy,
        "images_per_second": entry.images_per_second,
        "queries_without_score": entry.main.missing,
        "zero_vectors": entry.zeros,
        "failed": entry.failed,
    }
    for name, value in entry.controls.items():
        row[f"control: {name}"] = value
    for name, value in entry.weighted_controls.items():
        row[f"control, weighted: {name}"] = value
    for name, score in entry.categories.items():
        row[f"sees: {name}"] = score.alone.mean
        row[f"share: {name}"] = score.share
    return row


def pair_rows(pairs: metrics.PairTests) -> list[dict[str, Any]]:
    """Every two encoders once: the difference of their scores, and whether it is significant."""
    return [
        {
            "encoder": first,
            "other": other,
            "difference": pairs.difference[row, column],
            "p": pairs.p[row, column],
            "p_holm": pairs.p_holm[row, column],
        }
        for row, first in enumerate(pairs.names)
        for column, other in enumerate(pairs.names)
        if row < column
    ]
