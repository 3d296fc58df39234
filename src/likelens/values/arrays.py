"""The types of arrays, and the checks made where data enters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import BadShape, first_few

if TYPE_CHECKING:
    from scipy.sparse import csr_array

EXACT = 2**53
"""Up to here float64 holds every whole number."""

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.floating[Any]]
Positions = npt.NDArray[np.int64]


def as_array(values: object, *, where: str) -> Array:
    """Any array-like as an array in native byte order; a good array is not copied.

    Raises:
        BadShape: rows of different lengths, masked values, or no array at all.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise BadShape(
            "the array has masked values",
            where=where,
            hint="remove them, or fill them with .filled(value)",
        )
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise BadShape(
            f"this is not an array: {error}",
            where=where,
            hint="give a NumPy array, or lists of numbers of equal length",
        ) from error
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_vectors(vectors: object, *, where: str) -> Floats:
    """The vectors as a (n, d) matrix of float16, 32 or 64; a float matrix is not copied.

    Raises:
        BadShape: not two-dimensional, no columns, not numbers, or a row is not finite.
    """
    matrix = as_array(vectors, where=where)
    if matrix.dtype.kind in "iub":
        matrix = matrix.astype(np.float32 if matrix.dtype.itemsize <= 2 else np.float64)
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
            hint="remove those rows, or embed their images again",
        )
    return matrix


def check_numbers(values: object, *, where: str) -> Floats:
    """Numbers of any shape as float64.

    Raises:
        BadShape: not numbers, not finite, or whole numbers that float64 cannot tell apart.
    """
    array = as_array(values, where=where)
    if array.size and array.dtype.kind not in "fiub":
        raise BadShape(
            f"values of type {array.dtype} are not numbers", where=where, hint="give numbers"
        )
    with np.errstate(over="ignore"):
        numbers: Floats = array.astype(np.float64)
    broken = int(np.count_nonzero(~np.isfinite(numbers)))
    if broken:
        raise BadShape(
            f"{broken:,} of {numbers.size:,} values are NaN or infinite",
            where=where,
            hint="leave them out",
        )
    if array.dtype.kind in "iu" and numbers.size and np.abs(numbers).max() > EXACT:
        raise BadShape(
            "whole numbers beyond 2^53 cannot be told apart as float64",
            where=where,
            hint="scale them down, or give their ranks",
        )
    return numbers


def check_integers(values: object, *, where: str, hint: str = "give whole numbers") -> Positions:
    """Whole numbers of any shape as int64; floats without a fraction count as whole.

    Raises:
        BadShape: not whole numbers, or beyond 2^53.
    """
    array = as_array(values, where=where)
    if array.size and array.dtype.kind not in "fiu":
        raise BadShape(f"values of type {array.dtype} are no whole numbers", where=where, hint=hint)
    if array.size:
        broken = (array > EXACT) | (array < -EXACT)
        if array.dtype.kind == "f":
            broken |= ~np.isfinite(array) | (array != np.floor(array))
        if broken.any():
            raise BadShape(
                f"{np.count_nonzero(broken):,} of {array.size:,} values are not whole numbers "
                f"within 2^53: {first_few(array[broken])}",
                where=where,
                hint=hint,
            )
    return array.astype(np.int64)


def rows_not_finite(matrix: Floats, chunk: int = 65_536) -> Positions:
    """Positions of the rows that hold NaN or infinity."""
    found = [
        start + np.flatnonzero(~np.isfinite(matrix[start : start + chunk]).all(axis=1))
        for start in range(0, len(matrix), chunk)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def unit_rows(matrix: Floats, dtype: npt.DTypeLike = np.float32, chunk: int = 1_024) -> Floats:
    """A copy with rows of length one; a row of zeros stays zero.

    Rows are divided by their largest entry in their own precision, and only then cast, so
    that large or tiny values neither overflow nor vanish in the narrower type. A chunk of
    rows at a time stays in the processor's cache.
    """
    units = np.empty(matrix.shape, dtype)
    wide = np.result_type(matrix.dtype, units.dtype)
    for start in range(0, len(matrix), chunk):
        rows, given = units[start : start + chunk], matrix[start : start + chunk]
        largest = np.abs(given).max(axis=1, keepdims=True, initial=0.0).astype(wide)
        scale = np.where(largest > 0, largest, largest.dtype.type(1.0))
        np.divide(given, scale, out=rows, dtype=wide, casting="same_kind")
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        rows /= np.where(lengths > 0, lengths, 1.0)
    return units


def narrow_rows(matrix: Floats) -> Floats:
    """The rows as contiguous float32; those too large or too small for it at length one.

    Their directions, and so all cosines, stay as they are. A row that is not finite stays so.
    """
    if matrix.dtype.itemsize <= 4 and matrix.dtype.kind == "f":
        return np.ascontiguousarray(matrix, np.float32)
    matrix = matrix.astype(np.float64, copy=False)
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    with np.errstate(over="ignore"):
        rows = np.array(matrix, np.float32, order="C")
    outside = np.flatnonzero((largest > 1e18) | ((largest < 1e-18) & (largest > 0)))
    outside = outside[np.isfinite(largest[outside])]
    rows[outside] = unit_rows(matrix[outside])
    return rows


def unit_sparse_rows(matrix: Any) -> csr_array[np.float64]:
    """A float64 CSR copy with rows of length one; a row of zeros stays zero.

    Stored zeros and duplicates are removed. Rows are divided by their largest entry first,
    so that large or tiny weights neither overflow nor vanish.
    """
    from scipy.sparse import csr_array

    rows = csr_array(matrix, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    items = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    largest = np.zeros(rows.shape[0])
    np.maximum.at(largest, items, np.abs(rows.data))
    rows.data /= largest[items]
    rows.data /= np.sqrt(np.bincount(items, rows.data**2, rows.shape[0]))[items]
    return rows
