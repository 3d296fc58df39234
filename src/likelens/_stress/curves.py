"""Robustness curves: the score of an encoder at every level of every way to spoil a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._degrade import UNITS, value_of
from ..values.files import plain
from ..values.scores import QueryScores

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Curve:
    """One encoder and one way to make pictures worse.

    Attributes:
        encoder: its name, as on the leaderboard.
        kind: the way.
        levels: the levels measured, upwards from 0.
        scores: of each level; a query has a score at every level or at none.
        blind: of each level, how many queries the encoder sees nothing in any more:
            its vector is zero, or as like to one item as to another. They count as 0.
    """

    encoder: str
    kind: str
    levels: tuple[int, ...]
    scores: tuple[QueryScores, ...] = field(repr=False)
    blind: tuple[int, ...] = field(repr=False)

    @property
    def means(self) -> tuple[float, ...]:
        """The score at each level."""
        return tuple(scores.mean for scores in self.scores)

    @property
    def shares(self) -> tuple[float, ...]:
        """What each level leaves of the score at level 0.

        NaN where that score cannot be told from 0: of nothing there are no shares.
        """
        if not self.intervals[0][0] > 0:
            return (float("nan"),) * len(self.levels)
        return tuple(mean / self.means[0] for mean in self.means)

    @cached_property
    def intervals(self) -> tuple[tuple[float, float], ...]:
        """The 95 % interval of each score."""
        return tuple(scores.interval() for scores in self.scores)

    @property
    def half(self) -> int | None:
        """The first level that leaves half of the score or less, or None."""
        pairs = zip(self.levels, self.shares, strict=True)
        return next((level for level, share in pairs if share <= 0.5), None)

    def rows(self) -> list[dict[str, Any]]:
        """A row per level."""
        return [
            {
                "encoder": self.encoder,
                "kind": self.kind,
                "level": level,
                "value": value_of(self.kind, level),
                "unit": UNITS[self.kind],
                "corrembed": self.means[place],
                "corrembed_low": self.intervals[place][0],
                "corrembed_high": self.intervals[place][1],
                "share_of_clean": self.shares[place],
                "queries": len(self.scores[place].per_query) - self.scores[place].missing,
                "blind": self.blind[place],
            }
            for place, level in enumerate(self.levels)
        ]


@dataclass(frozen=True, repr=False)
class Stress:
    """Robustness curves of some encoders on one catalogue.

    Attributes:
        curves: encoder by encoder, kind by kind.
        queries: ids of the items whose pictures were made worse.
        asked: how many queries were asked for, at most.
        items: how many items the gallery has.
        weighted: whether tag categories are weighted.
        seed: of the draw of queries and of what was done to them.
        notes: what the reader should know.
    """

    curves: tuple[Curve, ...]
    queries: tuple[str, ...] = field(repr=False)
    asked: int
    items: int
    weighted: bool
    seed: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Stress({len(self.encoders)} encoders; {len(self.queries):,} queries, "
            f"{self.items:,} items)"
        )

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders, in the order given."""
        return tuple(dict.fromkeys(curve.encoder for curve in self.curves))

    def of(self, encoder: str) -> tuple[Curve, ...]:
        """The curves of one encoder."""
        return tuple(curve for curve in self.curves if curve.encoder == encoder)

    @property
    def table(self) -> pa.Table:
        """A row per encoder, kind and level, as an Arrow table."""
        import pyarrow as pa

        kinds = (
            *(("encoder", pa.string()), ("kind", pa.string()), ("level", pa.int64())),
            *(("value", pa.float64()), ("unit", pa.string()), ("corrembed", pa.float64())),
            *(("corrembed_low", pa.float64()), ("corrembed_high", pa.float64())),
            *(("share_of_clean", pa.float64()), ("queries", pa.int64()), ("blind", pa.int64())),
        )
        rows = [row for curve in self.curves for row in curve.rows()]
        return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds})

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can write (NaN as None)."""
        everything: dict[str, Any] = plain(
            {
                "curves": [row for curve in self.curves for row in curve.rows()],
                "queries": self.queries,
                "items": self.items,
                "weighted": self.weighted,
                "seed": self.seed,
                "notes": self.notes,
            }
        )
        return everything
