"""One search by an index that may miss some of the nearest, in the rows of a store's vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._indexes import Placed
from ..values.arrays import Array, Floats, Positions


class Near:
    """Answers one query, and notes how.

    Items that were asked with are left out of what comes first rather than filtered,
    which would be slower.

    Args:
        placed: the index.
        own: rows of the items that were asked with, which may not be found.
        filtered: whether other items may not be found either.
    """

    def __init__(self, placed: Placed, own: Positions, *, filtered: bool) -> None:
        self.placed, self.own, self.filtered = placed, own, filtered
        self.path: str | None = None

    def __len__(self) -> int:
        return len(self.placed.positions)

    def search(self, query: Floats, k: int, allowed: Array | None) -> tuple[Floats, Positions]:
        """As ``Index.search``, for a single query; ``allowed`` leaves out ``own`` at first."""
        first = self.path is None
        if not first or self.filtered:
            found = self.placed.explain(query, k, allowed)
        else:
            found = self.placed.explain(query, k + len(self.own))
        self.path = found.path if first else self.path
        kept = ~np.isin(found.positions[0], self.own)
        return found.scores[:, kept][:, :k], found.positions[:, kept][:, :k]

    def told(self, query: Floats, k: int, allowed: Array | None) -> dict[str, Any]:
        """How the search went, as ``Hits`` names it; the recall where others were filtered out."""
        recall = None
        if self.path == "filtered":
            recall = float(self.placed.recall(query, k, allowed)[0])
        return {"index": self.placed.index.spec, "path": self.path or "exact", "recall": recall}
