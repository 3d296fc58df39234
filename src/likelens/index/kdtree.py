"""The KD-tree (Bentley 1975), by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats
from .answers import Candidates
from .container import Saved
from .index import Index
from .options import Options
from .scan import CLOSE, SPARE

SAMPLE = 20_000
"""Vectors that the principal components are taken from, at most."""


@dataclass
class Tree:
    """A tree, and the vectors that came after it was made.

    Attributes:
        tree: scikit-learn's KDTree.
        axes: (d, p) float32: the principal axes, or None.
        later: how many vectors came later; each search compares them one by one.
    """

    tree: Any
    axes: Floats | None
    later: int = 0


class KdTreeIndex(Index):
    """Boxes in space, the near ones searched: ``kdtree(leaf=40, pca=0, rerank=100)``.

    Among vectors of length one the order by Euclidean distance is that by cosine. The
    answers are exact, unless pca is given: then the tree holds that many principal
    components, and the nearest r are re-ranked. A tree cannot grow: later vectors are
    compared one by one, and when they are a quarter, it is made anew.

    Options: leaf, vectors in a box that is not cut further; pca; rerank. Memory:
    8 n (d + 1) bytes beside the vectors; p in place of d with pca.
    """

    EXAMPLES = ("kdtree", "kdtree(leaf=20, pca=8)")
    TUNABLE = ("rerank",)
    GROWTH = 1.25

    def _configure(self, options: Options) -> None:
        self.leaf = options.whole("leaf", 40)
        self.pca = options.whole("pca", 0, low=0)
        self.rerank = options.whole("rerank", 100)

    def _build(self, vectors: Floats) -> Any:
        return self._tree(vectors, self._axes(vectors))

    def _axes(self, vectors: Floats) -> Floats | None:
        """The first principal axes (d, p), about the origin; None for all of space."""
        if not 0 < self.pca < vectors.shape[1]:
            return None
        chosen = np.random.default_rng(0).permutation(len(vectors))[:SAMPLE]
        sample = vectors[np.sort(chosen)].astype(np.float64)
        axes = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, : self.pca]
        return np.ascontiguousarray(axes, np.float32)

    def _tree(self, vectors: Floats, axes: Floats | None) -> Tree:
        from sklearn.neighbors import KDTree

        return Tree(KDTree(_points(vectors, axes), leaf_size=self.leaf), axes)

    def _extend(self, core: Any, vectors: Floats) -> None:
        core.later += len(vectors)

    def _search(
        self, core: Any, queries: Floats, k: int, keep: Array | None, effort: float
    ) -> Candidates:
        size = core.tree.data.shape[0]
        need = k + SPARE if core.axes is None else max(self.rerank, k + SPARE)
        fetch = min(round(need * effort), size)
        points = _points(queries, core.axes)
        points[:, -1] = 0.0  # so that a query of zeros is as far from every vector
        far, labels = core.tree.query(points, fetch)
        labels = labels.astype(np.int64)
        if keep is not None:
            labels[~keep[labels]] = -1
        later = np.arange(size, size + core.later)
        if keep is not None:
            later = later[keep[later]]
        found = np.hstack([labels, np.broadcast_to(later, (len(labels), len(later)))])
        if core.axes is None and fetch < size:
            found[_cut_off(far, labels >= 0, k)] = -1  # the later ones too: else they would do
        return Candidates(np.ascontiguousarray(found))

    def _work(self, core: Any, share: float) -> float:
        """A rough guess: trees of few dimensions do better, those of many worse."""
        return float(core.tree.data.shape[0] / 10 / share + core.later)

    def _bytes(self, core: Any) -> int:
        return sum(array.nbytes for array in core.tree.get_arrays())

    def _pack(self, core: Any) -> dict[str, Array]:  # noqa: ARG002
        """Nothing: the tree is made anew, which is quicker than to distrust one that was kept."""
        return {}

    def _unpack(self, saved: Saved) -> Any:  # noqa: ARG002
        return None


def _points(vectors: Floats, axes: Floats | None) -> Floats:
    """Points for the tree (n, d + 1) float64; the last number sets vectors of zeros apart.

    They stand at right angles to all others, as their similarity of 0 demands.
    """
    zero = ~vectors.any(axis=1, keepdims=True)
    return np.hstack([vectors if axes is None else vectors @ axes, zero], dtype=np.float64)


def _cut_off(far: Floats, kept: Array, k: int) -> Array:
    """For which queries vectors as near as the k-th that counts may lie beyond those fetched.

    Args:
        far: (q, c) distances, ascending.
        kept: (q, c) which of them count.
        k: how many are needed.

    Returns:
        (q,) bool; True where fewer than k count.
    """
    last = (kept.cumsum(axis=1) >= k).argmax(axis=1)
    enough = kept.sum(axis=1) >= k
    kth = far[np.arange(len(far)), last]
    cut: Array = ~enough | (far[:, -1] ** 2 <= kth**2 + 4 * CLOSE)
    return cut
