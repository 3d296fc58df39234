"""Inverted lists of product codes (Jégou, Douze & Schmid 2011)."""

from __future__ import annotations

from ..values.arrays import Floats
from .ivf import PER_LIST, ListIndex
from .options import Options


class IvfPqIndex(ListIndex):
    """Lists of short codes, the best r re-ranked: ``ivfpq(lists=…, probes=…, parts=…)``.

    A vector is cut into parts, and each part is replaced by the nearest of 256 centres
    (fewer, if there are fewer than 10,000 vectors): one byte a part. Options: those of
    ``ivf``, with rerank=200 by default, and parts, by default d / 8, from 8 to 96. Memory:
    n (parts + 8) bytes beside the vectors.
    """

    EXAMPLES = ("ivfpq", "ivfpq(lists=16, probes=8, parts=4, rerank=300)")
    COST = 0.1

    def _configure(self, options: Options) -> None:
        super()._configure(options)
        self.rerank = options.whole("rerank", 200)
        self.parts = options.whole("parts", 0, high=4096)

    def _codes(self, vectors: Floats) -> str:
        count, dim = vectors.shape
        parts = min(dim, self.parts or max(8, min(dim // 8, 96)))
        bits = max(b for b in range(1, 9) if b == 1 or PER_LIST * 2**b <= count)
        return f"PQ{parts}x{bits}np"  # np: without the slow training for polysemous codes
