"""The types of arrays, and the checks made where data enters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BadShape, first_few

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.floating[Any]]
Positions = npt.NDArray[np.int64]


def check_vectors(vectors: object, *, where: str) -> Floats:
    """The same vectors as a real (n, d) matrix of float16, 32 or 64; never a copy of a good one.

    Raises:
        BadShape: not two-dimensional, no columns, not numbers, or a row is not finite.
    """
    matrix = np.asarray(vectors)
    if matrix.dtype.kind in "iub":
        matrix = matrix.astype(np.float32)
    if matrix.dtype.kind != "f" or matrix.dtype.itemsize > 8:
        raise BadShape(
            f"vectors of type {matrix.dtype} are not numbers that can be compared",
            where=where,
            hint="give float16, float32 or float64",
        )
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise BadShape(
            f"vectors must be a matrix (items, dimensions), got shape {matrix.shape}",
            where=where,
            hint="give one row per item, even for a single one: vector[None, :]",
        )
    broken = rows_not_finite(matrix)
    if broken.size:
        raise BadShape(
            f"{broken.size:,} of {len(matrix):,} vectors hold NaN or infinity: "
            f"rows {first_few(broken)}",
            where=where,
            hint="remove those rows, or embed their pictures again",
        )
    return matrix


def rows_not_finite(matrix: Floats, chunk: int = 65_536) -> Positions:
    """Positions of the rows that hold NaN or infinity."""
    found = [
        start + np.flatnonzero(~np.isfinite(matrix[start : start + chunk]).all(axis=1))
        for start in range(0, len(matrix), chunk)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def unit_rows(matrix: Floats, dtype: npt.DTypeLike = np.float32, chunk: int = 1_024) -> Floats:
    """A copy with rows of length one; a row of zeros stays zero.

    Lengths are taken after scaling by the largest entry, so half-precision
    vectors with large or tiny values neither overflow nor vanish. A chunk of rows at
    a time stays in the processor's cache.
    """
    units = np.empty(matrix.shape, dtype)
    for start in range(0, len(matrix), chunk):
        rows = units[start : start + chunk]
        rows[...] = matrix[start : start + chunk]
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
        rows /= np.where(largest > 0, largest, 1.0)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        rows /= np.where(lengths > 0, lengths, 1.0)
    return units
