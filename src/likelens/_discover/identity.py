"""Finding the same product beside finding what looks alike (Table 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..values.arrays import Positions
from ..values.relevance import LabelRelevance
from .agree import Agreement
from .pairs import Asked, Pairs


@dataclass(frozen=True)
class Identity:
    """How the ranking by identity agrees with that by discovery.

    Attributes:
        queries: with another picture of their product in the gallery.
        pairs: of a query and such a picture.
        agreement: by metric, of the two rankings; controls apart.
    """

    queries: int
    pairs: int
    agreement: Mapping[str, Agreement] = field(repr=False)

    def row(self) -> dict[str, Any]:
        """As plain values."""
        agreed = {metric: vars(one) for metric, one in self.agreement.items()}
        return {"queries": self.queries, "pairs": self.pairs, "spearman": agreed}


def identity_pairs(asked: Asked, rows: Positions) -> Pairs | None:
    """Some queries with every other picture of their product; None where there is none.

    Args:
        asked: the gallery and its queries.
        rows: (q,) rows of the table of queries.
    """
    theirs, ours = asked.gallery.products, asked.table.products
    if theirs is None or ours is None:
        return None
    relevance = LabelRelevance(theirs, queries=ours, own=asked.own)
    members = relevance.members(rows)
    counts = [len(one) for one in members]
    if not sum(counts):
        return None
    items = np.concatenate(members)
    return Pairs(np.repeat(rows, counts), items, np.ones(len(items), np.int64))
