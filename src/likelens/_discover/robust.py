"""What the judgements say when one encoder had proposed nothing (Table 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .agree import Agreement, spearman

Scores = dict[str, dict[str, float]]
"""By metric, the score of each encoder."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Removal:
    """One encoder's proposals taken away.

    Attributes:
        generator: the encoder that proposes nothing now.
        pairs: judged pairs that the others propose.
        positives: of them.
        changes: by metric and encoder, the score on these pairs less that on all proposals.
        agreement: by metric, of the ranking with that on all proposals; controls apart.
    """

    generator: str
    pairs: int
    positives: int
    changes: Scores = field(repr=False)
    agreement: Mapping[str, Agreement] = field(repr=False)

    def largest_change(self, metric: str) -> float:
        """The largest change of any encoder's score, whatever its sign; NaN without any."""
        sizes = [abs(change) for change in self.changes[metric].values()]
        return max((one for one in sizes if math.isfinite(one)), default=math.nan)

    def own_change(self, metric: str) -> float:
        """The change of the generator's own score; NaN if it is not compared."""
        return self.changes[metric].get(self.generator, math.nan)


@dataclass(frozen=True)
class Robustness:
    """Leave-one-encoder-out.

    Attributes:
        pairs: judged pairs that some encoder of the pool proposes.
        positives: of them.
        outside: judged pairs that none proposes; they count in no score here.
        full: scores on the judged pairs that are proposed.
        removals: one for each encoder that proposes.
    """

    pairs: int
    positives: int
    outside: int
    full: Scores = field(repr=False)
    removals: tuple[Removal, ...]

    def spread(self, metric: str) -> float:
        """The largest change that taking away any generator makes to a score; NaN if none."""
        sizes = [removal.largest_change(metric) for removal in self.removals]
        return max((one for one in sizes if math.isfinite(one)), default=math.nan)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each removal and metric."""
        return [
            {
                "removed": removal.generator,
                "pairs": removal.pairs,
                "positives": removal.positives,
                "metric": metric,
                "spearman": removal.agreement[metric].rho,
                "p": removal.agreement[metric].p,
                "encoders": removal.agreement[metric].encoders,
                "largest_change": removal.largest_change(metric),
                "own_change": removal.own_change(metric),
            }
            for removal in self.removals
            for metric in removal.changes
        ]


def leave_one_out(
    proposed: Flags,
    generators: Sequence[str],
    labels: npt.ArrayLike,
    score: Callable[[Flags], Scores],
    candidates: Sequence[str],
) -> Robustness:
    """Score every encoder on what the others propose, for each that proposes.

    Args:
        proposed: (p, m) whether each generator proposed each judged pair.
        generators: (m,) their names.
        labels: (p,) of the judged pairs.
        score: the scores of all encoders on some of the judged pairs.
        candidates: the encoders whose ranking counts, controls apart.
    """
    positive = np.asarray(labels) > 0
    whole: Flags = proposed.sum(axis=1) > 0
    full = score(whole)
    removals = []
    for place, name in enumerate(generators):
        kept: Flags = np.delete(proposed, place, axis=1).sum(axis=1) > 0
        scores = score(kept)
        agreement = {
            metric: spearman(
                {one: full[metric][one] for one in candidates},
                {one: scores[metric][one] for one in candidates},
            )
            for metric in full
        }
        changes = {
            metric: {one: scores[metric][one] - full[metric][one] for one in full[metric]}
            for metric in full
        }
        removals.append(
            Removal(name, int(kept.sum()), int((kept & positive).sum()), changes, agreement)
        )
    return Robustness(
        int(whole.sum()), int((whole & positive).sum()), int((~whole).sum()), full, tuple(removals)
    )
