"""Learnt bit codes: signs of principal components, or of their rotation (ITQ)."""

from __future__ import annotations

import numpy as np

from ..values.arrays import Floats
from .codes import CodeIndex
from .options import Options

SAMPLE = 20_000
"""Vectors that the planes are learnt from, at most."""


class BinaryIndex(CodeIndex):
    """Short codes that fit the vectors: ``binary(bits=64, rotation=itq, rerank=200)``.

    The bits are the signs of the centred vectors' first principal components; with
    ``rotation=itq`` these are first turned so that rounding them to signs loses the
    least (Gong & Lazebnik 2011), with ``rotation=none`` they are taken as they are. The
    nearest codes by Hamming distance are re-ranked.

    Options: bits, at most d of which are used; rotation; rerank, candidates compared
    exactly. Memory: n bits / 8 bytes beside the vectors.
    """

    EXAMPLES = ("binary", "binary(bits=16, rotation=none, rerank=1000)")

    def _configure(self, options: Options) -> None:
        self.bits = options.whole("bits", 64, low=8, high=4096, step=8)
        self.rotation = options.word("rotation", ("itq", "none"))
        super()._configure(options)

    def _planes(self, vectors: Floats) -> tuple[Floats, Floats]:
        draw = np.random.default_rng(0)
        chosen = np.sort(draw.permutation(len(vectors))[:SAMPLE])
        sample = vectors[chosen].astype(np.float64)
        mean = sample.mean(axis=0)
        sample -= mean
        components = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, : self.bits]
        if self.rotation == "itq":
            components = components @ _rotation(sample @ components, draw)
        planes = components.T.astype(np.float32)
        return np.ascontiguousarray(planes), (planes @ mean).astype(np.float32)


def _rotation(projected: Floats, draw: np.random.Generator, rounds: int = 50) -> Floats:
    """The rotation after which signs are nearest to the values (ITQ): (bits, bits)."""
    import faiss

    bits = projected.shape[1]
    rotation = np.linalg.qr(draw.standard_normal((bits, bits)))[0]
    for _ in range(rounds):
        faiss.InterruptCallback.check()  # ends at Ctrl-C, or when the time of a tuning is spent
        signs = np.where(projected @ rotation > 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(projected.T @ signs)
        rotation = left @ right
    return rotation
