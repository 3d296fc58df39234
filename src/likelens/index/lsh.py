"""Locality-sensitive hashing by random hyperplanes (Charikar 2002)."""

from __future__ import annotations

from math import comb, log2
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats, Positions
from .answers import Candidates
from .codes import CodeIndex
from .container import Saved
from .options import Options
from .scan import SPARE

PER_BUCKET = 8
"""Vectors that a bucket of a table should hold."""


class LshIndex(CodeIndex):
    """Bits say on which side of random planes a vector lies: ``lsh(bits=256, tables=1)``.

    The share of bits in which two vectors differ is their angle, as a share of 180
    degrees, in the mean. With one table all codes are compared with the query's, and the
    nearest r re-ranked. With several, the bits are dealt out to tables; only vectors
    whose part of the code is the query's, but for some flipped bits, in at least one
    table are compared by their whole codes.

    Options: bits; tables; flips, bits of a table's key that may differ; rerank, candidates
    compared exactly; seed. Memory: n bits / 8 bytes beside the vectors, and about
    16 n bytes a table if there are several.
    """

    EXAMPLES = ("lsh", "lsh(bits=128, tables=8, flips=2, rerank=400)")

    def _configure(self, options: Options) -> None:
        self.bits = options.whole("bits", 256, low=8, high=8192, step=8)
        self.tables = options.whole("tables", 1, high=max(1, self.bits // 4))
        self.flips = options.whole("flips", 1, low=0, high=3)
        self.seed = options.whole("seed", 0, low=0)
        super()._configure(options)

    def _planes(self, vectors: Floats) -> tuple[Floats, Floats]:
        draw = np.random.default_rng(self.seed)
        planes = draw.standard_normal((self.bits, vectors.shape[1]), np.float32)
        return planes, np.zeros(self.bits, np.float32)

    def _build(self, vectors: Floats) -> Any:
        import faiss

        core = super()._build(vectors)
        if self.tables > 1:
            key = max(4, round(log2(max(1, len(vectors)) / PER_BUCKET)))
            core.tables = faiss.IndexBinaryMultiHash(
                self.bits, self.tables, min(key, self.bits // self.tables)
            )
            core.tables.nflip = min(self.flips, core.tables.b)
            core.tables.add(core.codes)
        return core

    def _extend(self, core: Any, vectors: Floats) -> None:
        before = len(core.codes)
        super()._extend(core, vectors)
        if core.tables is not None:
            core.tables.add(core.codes[before:])

    def _search(
        self, core: Any, queries: Floats, k: int, keep: Array | None, effort: float
    ) -> Candidates:
        if core.tables is None:
            return super()._search(core, queries, k, keep, effort)
        fetch = min(round(max(self.rerank, k + SPARE) * effort), len(core.codes))
        labels: Positions = core.tables.search(core.of(queries), fetch)[1]
        if keep is not None:  # the tables know no filter
            labels[~keep[labels]] = -1
        return Candidates(labels)

    def _work(self, core: Any, share: float) -> float:
        if core.tables is None:
            return super()._work(core, share)
        key = core.tables.b
        buckets = self.tables * sum(comb(key, flips) for flips in range(core.tables.nflip + 1))
        met = buckets * len(core.codes) / 2**key
        return float(buckets + met * self.bits / (64 * self.dim) + self.rerank / share)

    def _pack(self, core: Any) -> dict[str, Array]:
        import faiss

        packed = super()._pack(core)
        if core.tables is not None:
            packed["tables"] = faiss.serialize_index_binary(core.tables)
        return packed

    def _unpack(self, saved: Saved) -> Any:
        import faiss

        core = super()._unpack(saved)
        if "tables" in saved.arrays:
            core.tables = faiss.deserialize_index_binary(saved.arrays["tables"])
        return core
