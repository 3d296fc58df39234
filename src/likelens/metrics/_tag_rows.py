"""Tag vectors, dense or sparse, scaled to unit length row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values.arrays import (
    Array,
    Floats,
    Positions,
    as_array,
    check_vectors,
    unit_sparse_rows,
)
from ..values.errors import BadShape, first_few
from ._images import parts
from ._moments import lengths, rounding_noise, spacing

if TYPE_CHECKING:
    from scipy.sparse import csr_array, sparray, spmatrix

    from ._moments import Part

    TagMatrix = npt.ArrayLike | sparray | spmatrix
    """Dense numbers, or SciPy sparse of any format: (n, m)."""


@dataclass(frozen=True)
class TagMoments:
    """The sums over the gallery's tags.

    Attributes:
        count: n, how many items.
        mean: (m,) float64, mean unit row.
        scatter: (m, m) float64, sum of (t - mean) (t - mean)'.
        precision: relative spacing of the numbers the tags came in.
    """

    count: int
    mean: Floats
    scatter: Floats
    precision: float

    @property
    def noise(self) -> float:
        """The spread of similarities that rounding of the input alone can make."""
        return rounding_noise(self.precision, self.mean)

    def __add__(self, other: TagMoments) -> TagMoments:
        """Both galleries as one."""
        count = self.count + other.count
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter
        scatter += self.count * other.count / count * np.outer(gap, gap)
        mean = self.mean + gap * (other.count / count)
        return TagMoments(count, mean, scatter, max(self.precision, other.precision))


class DenseTags:
    """Unit rows of a dense tag matrix.

    Args:
        tags: (n, m) numbers. Never changed.
    """

    def __init__(self, tags: npt.ArrayLike) -> None:
        self._matrix = check_vectors(tags, where="tags")
        self._lengths = lengths(self._matrix)
        self.shape: tuple[int, int] = self._matrix.shape
        self.precision = spacing(np.asarray(tags).dtype)

    def keep(self, columns: npt.NDArray[np.bool_]) -> DenseTags:
        """Only some columns, rows scaled anew."""
        return DenseTags(self._matrix[:, columns])

    def rows(self, part: Part) -> Floats:
        """Unit rows, (k, m) float64."""
        rows = self._matrix[part].astype(np.float64)
        scale = self._lengths[part]
        rows /= np.where(scale > 0, scale, 1.0)[:, None]
        return rows

    @staticmethod
    def cross(rows: Floats, other: Floats) -> Floats:
        """Sum over items of t x', (m, width) for other rows x (k, width)."""
        return rows.astype(other.dtype, copy=False).T @ other

    @staticmethod
    def gram(rows: Floats, weights: Floats) -> Floats:
        """Sum over items of w t t', (m, m)."""
        return (rows * weights[:, None]).T @ rows

    @staticmethod
    def times(rows: Floats, values: Array, groups: Positions | None = None) -> Floats:
        """Row by row t . v, (k,); by group of columns where groups are given, (k, groups)."""
        if groups is None:
            return np.asarray(np.einsum("ij,ij->i", rows, values))
        return np.asarray((rows * values) @ np.eye(int(groups.max()) + 1)[groups])

    def own(self, rows: Floats, mean: Floats, groups: Positions | None = None) -> Floats:
        """Row by row t . (t - mean), as ``times``."""
        return self.times(rows, rows - mean, groups)


class SparseTags:
    """Unit rows of a sparse tag matrix; only tags that are there cost anything.

    Args:
        tags: (n, m), any SciPy format. Never changed.
    """

    def __init__(self, tags: Any) -> None:
        self._matrix = unit_csr(tags)
        self.shape: tuple[int, int] = self._matrix.shape
        self.precision = spacing(tags.dtype)

    def keep(self, columns: npt.NDArray[np.bool_]) -> SparseTags:
        """Only some columns, rows scaled anew."""
        return SparseTags(self._matrix[:, np.flatnonzero(columns)])

    def rows(self, part: Part) -> csr_array[np.float64]:
        """Unit rows, (k, m) CSR float64."""
        return self._matrix[part]

    @staticmethod
    def cross(rows: csr_array[np.float64], other: Floats) -> Floats:
        """Sum over items of t x', (m, width) for other rows x (k, width)."""
        return np.asarray(rows.T @ other)

    @staticmethod
    def gram(rows: csr_array[np.float64], weights: Floats) -> Floats:
        """Sum over items of w t t', (m, m)."""
        weighted = rows.copy()
        weighted.data *= np.repeat(weights, np.diff(rows.indptr))
        return np.asarray((weighted.T @ rows).toarray())

    def times(
        self, rows: csr_array[np.float64], values: Array, groups: Positions | None = None
    ) -> Floats:
        """Row by row t . v, (k,); by group of columns where groups are given, (k, groups)."""
        items = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        return self._fold(rows, items, rows.data * values[items, rows.indices], groups)

    def own(
        self, rows: csr_array[np.float64], mean: Floats, groups: Positions | None = None
    ) -> Floats:
        """Row by row t . (t - mean), as ``times``."""
        items = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        return self._fold(rows, items, rows.data * (rows.data - mean[rows.indices]), groups)

    @staticmethod
    def _fold(
        rows: csr_array[np.float64], items: Positions, terms: Floats, groups: Positions | None
    ) -> Floats:
        count = rows.shape[0]
        if groups is None:
            return np.bincount(items, terms, count).astype(np.float64, copy=False)
        width = int(groups.max()) + 1
        cells = items * width + groups[rows.indices]
        sums = np.bincount(cells, terms, count * width).astype(np.float64, copy=False)
        return sums.reshape(count, width)


TagRows = DenseTags | SparseTags


def tag_rows(tags: TagMatrix) -> TagRows:
    """A tag matrix made ready.

    Raises:
        BadShape: not a matrix of finite numbers, or it has no columns.
    """
    return SparseTags(tags) if hasattr(tags, "tocsr") else DenseTags(as_array(tags, where="tags"))


def unit_csr(tags: Any) -> csr_array[np.float64]:
    """A float64 CSR copy with rows of length one, without stored zeros or duplicates."""
    from scipy.sparse import csr_array

    if tags.ndim != 2 or tags.shape[1] == 0:
        raise BadShape(
            f"tags must be a matrix (items, tags) with at least one tag, got shape {tags.shape}",
            where="tags",
            hint="give one row per item and one column per tag",
        )
    if tags.dtype.kind not in "buif":
        raise BadShape(
            f"tags of type {tags.dtype} are not numbers",
            where="tags",
            hint="give 0 and 1, or weights",
        )
    matrix = csr_array(tags, dtype=np.float64)
    items = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    broken = np.unique(items[~np.isfinite(matrix.data)])
    if broken.size:
        raise BadShape(
            f"{broken.size:,} rows of tags hold NaN or infinity: rows {first_few(broken)}",
            where="tags",
            hint="give finite weights",
        )
    return unit_sparse_rows(matrix)


def tag_moments(tags: TagRows) -> TagMoments:
    """The sums over all rows."""
    count, width = tags.shape
    total, scatter = np.zeros(width), np.zeros((width, width))
    for part in parts(count, width):
        rows: Any = tags.rows(part)
        ones = np.ones(rows.shape[0])
        total += rows.T @ ones
        scatter += tags.gram(rows, ones)
    mean = total / max(count, 1)
    scatter -= count * np.outer(mean, mean)
    return TagMoments(count, mean, scatter, tags.precision)
