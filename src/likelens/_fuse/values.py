"""What the weights of a fusion of encoders are, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..values.files import plain
from ..values.scores import QueryScores

SelfPairs = Literal["include", "exclude"]

FUSION = "fusion"
"""Name of the fusion among the scores."""

EQUAL = "equal weights"
"""Name of the fusion in which every part weighs the same."""


@dataclass(frozen=True)
class Difference:
    """What the fusion scores more than its best part, item by item.

    Attributes:
        part: the part with the highest score on the held-out items.
        mean: score of the fusion less that of the part, over the queries that both score.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided p-value of the paired test (``metrics.compare_pairs``).
        covers: what chance the interval covers, in words.
    """

    part: str
    mean: float
    low: float
    high: float
    p: float
    covers: str

    @property
    def shown(self) -> bool:
        """Whether these items show that the fusion scores more, at the usual 5 percent."""
        return self.mean > 0 and self.p < 0.05


@dataclass(frozen=True, repr=False)
class Fusion:
    """What the weights of a fusion are, and what they are worth.

    Attributes:
        spec: the fusion as ``open_encoder`` reads it: weights of two or three digits,
            that of the first part that counts being 1. Where one part alone is best, its spec.
        weights: share of each part in the cosine, summing to 1; 0 for a part left out.
        train: CorrEmbed on the training items of the fusion, of equal weights and of
            each part. The weights were chosen to make the first of these high.
        held_out: the same on items that took no part in the choice.
        difference: of the fusion and its best part, on the held-out items.
        curve: of two parts, (share of the second, score on the training items); else empty.
        train_items: how many items the weights were found on.
        held_out_items: how many the scores come from.
        category_weights: of tag categories, or None where all weigh alike.
        self_pairs: whether an item's likeness to itself counts.
        seed: of the split.
        notes: what the reader should know.
    """

    spec: str
    weights: dict[str, float]
    train: dict[str, QueryScores] = field(repr=False)
    held_out: dict[str, QueryScores] = field(repr=False)
    difference: Difference
    curve: tuple[tuple[float, float], ...] = field(repr=False)
    train_items: int
    held_out_items: int
    category_weights: Mapping[str, float] | None
    self_pairs: SelfPairs
    seed: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Fusion({self.spec!r}, held out: {self.held_out[FUSION].mean:.4f})"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can write (NaN as None)."""
        everything: dict[str, Any] = plain(
            {
                "spec": self.spec,
                "weights": self.weights,
                "train": {name: scores.mean for name, scores in self.train.items()},
                "held_out": {name: _in_numbers(one) for name, one in self.held_out.items()},
                "difference": vars(self.difference),
                "curve": self.curve,
                "train_items": self.train_items,
                "held_out_items": self.held_out_items,
                "category_weights": self.category_weights,
                "self_pairs": self.self_pairs,
                "seed": self.seed,
                "notes": self.notes,
            }
        )
        return everything


def _in_numbers(scores: QueryScores) -> dict[str, Any]:
    low, high = scores.interval()
    return {"mean": scores.mean, "low": low, "high": high, "missing": scores.missing}
