"""The exact index: compares a query with every vector. The truth the others are held to."""

from __future__ import annotations

import sys

from .index import Index
from .options import Options
from .scan import COSINE, L2


class ExactIndex(Index):
    """Every vector is compared: ``exact``, ``exact(metric=l2)``.

    With ``l2`` vectors keep their lengths, and a score is minus the Euclidean distance.
    Memory: 4 n d bytes; time: O(n d) a query.
    """

    EXAMPLES = ("exact", "exact(metric=l2)")
    NEEDS = sys.maxsize

    def _configure(self, options: Options) -> None:
        self.metric = options.word("metric", (COSINE, L2))
