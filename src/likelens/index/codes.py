"""Indexes of bit codes: on which side of some planes a vector lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats, Positions
from .answers import Candidates
from .container import Saved
from .index import Index
from .options import Options
from .scan import SPARE
from .threads import for_queries

CHUNK = 65_536


@dataclass
class Codes:
    """The codes of some vectors.

    Attributes:
        planes: (bits, d) float32, a normal vector each.
        offsets: (bits,) float32: a bit is set where ``planes @ vector > offset``.
        codes: (n, bits / 8, rounded up) uint8.
        tables: hash tables of the codes, or None.
    """

    planes: Floats
    offsets: Floats
    codes: Array
    tables: Any = None

    def of(self, vectors: Floats) -> Array:
        """Codes of vectors (m, d)."""
        parts = [
            np.packbits(vectors[start : start + CHUNK] @ self.planes.T > self.offsets, axis=1)
            for start in range(0, max(1, len(vectors)), CHUNK)
        ]
        return np.concatenate(parts)


class CodeIndex(Index):
    """What indexes of bit codes share: the nearest codes by Hamming distance are re-ranked.

    A kind writes ``_planes``.
    """

    TUNABLE = ("rerank",)

    def _configure(self, options: Options) -> None:
        self.rerank = options.whole("rerank", 200)

    def _planes(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Planes and offsets for these vectors."""
        raise NotImplementedError

    def _build(self, vectors: Floats) -> Any:
        core = Codes(*self._planes(vectors), np.zeros((0, 0), np.uint8))
        core.codes = core.of(vectors)
        return core

    def _extend(self, core: Any, vectors: Floats) -> None:
        core.codes = np.concatenate([core.codes, core.of(vectors)])

    def _search(
        self,
        core: Any,
        queries: Floats,
        k: int,
        keep: Array | None,
        effort: float,  # noqa: ARG002 - all codes that are kept are compared
    ) -> Candidates:
        import faiss

        labels = None if keep is None else np.flatnonzero(keep)
        codes = core.codes if labels is None else core.codes[labels]
        fetch = min(max(self.rerank, k + SPARE), len(codes))
        with for_queries(len(queries)):
            found = faiss.knn_hamming(core.of(queries), codes, fetch)[1]
        places: Positions = found.astype(np.int64)
        return Candidates(places if labels is None else labels[places])

    def _work(self, core: Any, share: float) -> float:
        """A code of b bits is compared as fast as b / 64 numbers; only allowed ones are."""
        return share * len(core.codes) * len(core.planes) / (64 * self.dim) + self.rerank

    def _pack(self, core: Any) -> dict[str, Array]:
        return {"planes": core.planes, "offsets": core.offsets, "codes": core.codes}

    def _unpack(self, saved: Saved) -> Any:
        return Codes(*(saved.arrays[name] for name in ("planes", "offsets", "codes")))
