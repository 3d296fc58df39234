"""Inverted lists (Sivic & Zisserman 2003): only the lists nearest to a query are read."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats
from .answers import Candidates
from .container import Saved
from .index import Index
from .options import Options
from .scan import SPARE

PER_LIST = 39
"""Vectors that faiss wants for each list, to place it well."""

TRAIN_PER_LIST = 64
"""Vectors that it is given for each, at most: more take long and place it no better."""


class ListIndex(Index):
    """What indexes of inverted lists share: vectors lie, coded, in the list of the nearest centre.

    A kind writes ``_codes``.
    """

    TUNABLE = ("probes", "rerank")
    COST = 1.0
    """Of comparing a code, as a share of comparing a vector."""

    def _configure(self, options: Options) -> None:
        self.lists = options.whole("lists", 0)
        self.probes = options.whole("probes", 0)
        self.rerank = options.whole("rerank", 100)

    def _codes(self, vectors: Floats) -> str:
        """How faiss's index factory calls the codes of these vectors."""
        raise NotImplementedError

    def _build(self, vectors: Floats) -> Any:
        import faiss

        count, dim = vectors.shape
        lists = max(1, min(self.lists or round(4 * sqrt(count)), count // PER_LIST))
        kind = f"IVF{lists},{self._codes(vectors)}"
        core = faiss.index_factory(_width(dim, kind), kind, faiss.METRIC_INNER_PRODUCT)
        core.cp.spherical, core.cp.max_points_per_centroid = True, TRAIN_PER_LIST
        wide = _widened(vectors, core.d)
        core.train(wide)
        core.add(wide)
        return core

    def _extend(self, core: Any, vectors: Floats) -> None:
        core.add(_widened(vectors, core.d))

    def _search(
        self, core: Any, queries: Floats, k: int, keep: Array | None, effort: float
    ) -> Candidates:
        import faiss

        wanted = {"nprobe": min(core.nlist, round(self._probes(core) * effort))}
        if keep is not None:
            wanted["sel"] = faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))
        fetch = min(max(self.rerank, k + SPARE), core.ntotal)
        parameters = faiss.SearchParametersIVF(**wanted)
        return Candidates(core.search(_widened(queries, core.d), fetch, params=parameters)[1])

    def _probes(self, core: Any) -> int:
        """As asked for, or the square root of the number of lists."""
        return int(min(core.nlist, self.probes or round(sqrt(core.nlist))))

    def _work(self, core: Any, share: float) -> float:
        read = core.ntotal * min(1.0, self._probes(core) / core.nlist / share)
        return float(core.nlist + self.COST * read + self.rerank)

    def _pack(self, core: Any) -> dict[str, Array]:
        import faiss

        return {"lists": faiss.serialize_index(core)}

    def _unpack(self, saved: Saved) -> Any:
        import faiss

        return faiss.deserialize_index(saved.arrays["lists"])


class IvfIndex(ListIndex):
    """Lists of 8-bit codes, the best r of them re-ranked: ``ivf(lists=…, probes=…, rerank=100)``.

    Options: lists, by default 4 √n and never more than n / 39; probes, lists that a query
    reads, by default their square root; rerank, candidates compared exactly. Memory:
    n (d + 8) bytes beside the vectors.
    """

    EXAMPLES = ("ivf", "ivf(lists=20, probes=5, rerank=50)")
    COST = 0.5

    def _codes(self, vectors: Floats) -> str:  # noqa: ARG002 - the same for all
        return "SQ8"


def _width(dim: int, kind: str) -> int:
    """The width that faiss needs: a multiple of the parts, if the codes have parts."""
    parts = int(kind.partition("PQ")[2].partition("x")[0] or 1)
    return -(-dim // parts) * parts


def _widened(vectors: Floats, width: int) -> Floats:
    """The same with zeros behind, up to a width: no product changes."""
    if vectors.shape[1] == width:
        return vectors
    return np.pad(vectors, ((0, 0), (0, width - vectors.shape[1])))
