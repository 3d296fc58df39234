"""Hierarchical navigable small worlds (Malkov & Yashunin 2016), by faiss."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats
from .answers import Candidates
from .container import Saved
from .index import Index
from .options import Options
from .scan import SPARE

VISITS = 25
"""Vectors compared per step of the search (``ef``), measured; see docs/indexes.md."""


class HnswIndex(Index):
    """A graph of near vectors is walked: ``hnsw(m=16, ef=64, build=100)``.

    Options: m, links of a vector; ef, candidates kept while searching; build, the same
    while building. Memory: 8 m n bytes for the graph, and 4 n d bytes for a copy of the
    vectors, which a loaded index does without until it is written to.
    """

    EXAMPLES = ("hnsw", "hnsw(m=8, ef=32, build=60)")
    TUNABLE = ("ef",)

    def _configure(self, options: Options) -> None:
        self.m = options.whole("m", 16, low=2, high=512)
        self.ef = options.whole("ef", 64, high=100_000)
        self.build = options.whole("build", 100, high=100_000)

    def _build(self, vectors: Floats) -> Any:
        import faiss

        graph = faiss.IndexHNSWFlat(vectors.shape[1], self.m, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self.build
        graph.add(vectors)
        return graph

    def _extend(self, core: Any, vectors: Floats) -> None:
        import faiss

        shared = faiss.downcast_index(core.storage)
        if not shared.codes.is_owned:  # they lie in a file, where none can be added
            _own_storage(core, shared)
        core.add(vectors)

    def _search(
        self, core: Any, queries: Floats, k: int, keep: Array | None, effort: float
    ) -> Candidates:
        import faiss

        fetch = min(k + SPARE, core.ntotal)
        ef = min(int(max(self.ef, fetch) * effort), core.ntotal)
        parameters = _parameters(ef)
        if keep is not None:
            chosen = faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))
            parameters = faiss.SearchParametersHNSW(efSearch=ef, sel=chosen)
        scores, labels = core.search(queries, fetch, params=parameters)
        return Candidates(labels, scores)

    def _work(self, core: Any, share: float) -> float:  # noqa: ARG002
        return VISITS * self.ef / share

    def _pack(self, core: Any) -> dict[str, Array]:
        """The graph; its vectors too only where they are not those of the positions."""
        import faiss

        flags = faiss.IO_FLAG_SKIP_STORAGE if self._rows.plain else 0
        return {"graph": faiss.serialize_index(core, flags)}

    def _bytes(self, core: Any) -> int:
        import faiss

        codes = faiss.downcast_index(core.storage).codes
        graph = len(faiss.serialize_index(core, faiss.IO_FLAG_SKIP_STORAGE))
        return graph + (codes.size() if codes.is_owned else 0)

    def _unpack(self, saved: Saved) -> Any:
        import faiss

        core = faiss.deserialize_index(saved.arrays["graph"])
        if core.storage is None:
            flat = _flat_in_place(saved)
            core.storage = flat
            core.own_fields = False
            core.referenced_objects = [flat]  # keeps it, and with it the file, alive
        return core


def _flat_in_place(saved: Saved) -> Any:
    """A flat faiss index of the saved vectors that reads them where they lie.

    faiss reads an index without copying from a stretch of memory, if its header stands
    right before the vectors. There is room: they begin a page of the file, and the
    mapping is private, so that what is written there never reaches the file.
    """
    import faiss

    rows, place = saved.arrays["rows"], saved.places["rows"]
    head = faiss.serialize_index(faiss.IndexFlatIP(rows.shape[1]))  # of no vectors
    # kind and dimension (4 bytes each), number of vectors (8), ..., number of floats (8)
    head[8:16] = np.frombuffer(np.int64(len(rows)).tobytes(), np.uint8)
    head[-8:] = np.frombuffer(np.int64(rows.size).tobytes(), np.uint8)
    start = place - len(head)
    saved.bytes[start:place] = head
    stretch = np.asarray(saved.bytes)[start : place + rows.nbytes]
    flat = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(stretch), stretch.nbytes))
    flat.referenced_objects = [stretch]
    return flat


def _own_storage(core: Any, shared: Any) -> None:
    """Gives a graph a copy of its vectors that can grow."""
    import faiss

    codes = faiss.rev_swig_ptr(shared.codes.data(), shared.codes.size())
    flat = faiss.IndexFlatIP(core.d)
    flat.add(codes.view(np.float32).reshape(-1, core.d))
    core.storage = flat
    core.referenced_objects = [flat]


@lru_cache(64)
def _parameters(ef: int) -> Any:
    """Making them takes a tenth of a search."""
    import faiss

    return faiss.SearchParametersHNSW(efSearch=ef)
