"""The register of kinds, ``build_index`` and ``load_index``."""

from __future__ import annotations

import os
from pathlib import Path

from ..values.arrays import Array
from ..values.errors import FingerprintMismatch, IndexBroken
from ..values.registry import Registry
from . import container
from .answers import Answer
from .checks import ready_matrix
from .index import Index
from .options import Options
from .rows import Rows

__all__ = ["INDEXES", "Answer", "Index", "build_index", "load_index"]

INDEXES = Registry("index")
INDEXES.add("exact", "likelens.index.exact:ExactIndex")
INDEXES.add("kdtree", "likelens.index.kdtree:KdTreeIndex")
INDEXES.add("lsh", "likelens.index.lsh:LshIndex")
INDEXES.add("hnsw", "likelens.index.hnsw:HnswIndex")
INDEXES.add("ivf", "likelens.index.ivf:IvfIndex")
INDEXES.add("ivfpq", "likelens.index.ivfpq:IvfPqIndex")
INDEXES.add("binary", "likelens.index.binary:BinaryIndex")


def build_index(vectors: Array, spec: str = "exact") -> Index:
    """An index of some vectors.

    Args:
        vectors: (n, d) float16, 32 or 64, of any length; never changed.
        spec: the kind, with options: ``exact``, ``hnsw(m=16, ef=64)``; see docs/indexes.md.

    Raises:
        BadSpec: there is no such kind, or it has no such option.
        BadShape: the vectors are no finite matrix.
    """
    options = Options.parse(spec, INDEXES.names())
    index: Index = INDEXES.load(options.kind)(options)
    index._fill(Rows(ready_matrix(vectors, index.metric, "build_index")))
    return index


def load_index(
    path: str | os.PathLike[str], *, fingerprint: str | None = None, verify: bool = True
) -> Index:
    """An index that was saved, mapped into memory.

    Args:
        path: the file.
        fingerprint: of the encoder that will make the queries; None to take any.
        verify: whether the vectors are compared with their checksums, which reads them
            once; all else always is.

    Raises:
        IndexBroken: there is no such file, or it is damaged: build the index again.
        FingerprintMismatch: it holds vectors of another encoder.
    """
    place = Path(path)
    saved = container.read(place, verify=verify)
    broken = IndexBroken(
        "the saved index is damaged: its parts do not fit",
        where=str(place),
        hint="build the index again, and save it there",
    )
    try:
        header = saved.header
        if fingerprint is not None and header["fingerprint"] != fingerprint:
            raise FingerprintMismatch(
                f"the saved index holds vectors of the encoder {header['fingerprint'] or 'unnamed'}"
                f", not of {fingerprint}",
                where=str(place),
                hint="build the index again from the vectors of this encoder",
            )
        options = Options.parse(header["spec"], INDEXES.names())
        index: Index = INDEXES.load(options.kind)(options)
        rows = Rows.unpack(saved.arrays, header["labels"])
        core = index._unpack(saved) if rows.labels else None
        index._fill(rows, core, header["made_of"], f"Index.search in {place}")
        index.seal = saved.seal
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, FingerprintMismatch):
            raise
        raise broken from error
    return index
