"""What comes into an index, checked: vectors, queries, positions, k."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ..values.arrays import Array, Floats, Positions, as_array, check_vectors, unit_rows
from ..values.errors import BadShape, first_few
from .scan import COSINE

PLAIN = (1e-20, 1e20)
"""Squared lengths for which float32 neither overflows nor loses an entry that matters."""

LONGEST = 1e37
"""Squared length up to which the squared distance of two vectors does not overflow."""

SHORTEST = 1e-20
"""Squared length of the longest vector from which on float32 tells Euclidean distances apart."""

CHUNK = 65_536


def ready(vectors: Array, metric: str, where: str) -> Floats:
    """Vectors as the index compares them: (n, d) float32, contiguous; unit rows for cosine.

    The usual case, finite float32 of ordinary lengths, takes one look at the squared
    lengths: they are not between two numbers if anything in the rows is amiss.

    Raises:
        BadShape: no matrix of finite numbers, or too large for float32.
    """
    rows = as_array(vectors, where=where)
    if metric == COSINE and rows.dtype == np.float32 and rows.ndim == 2 and rows.size:
        if len(rows) == 1:
            square = float(np.vdot(rows, rows))
            if PLAIN[0] < square < PLAIN[1]:
                return rows / np.float32(sqrt(square))
        squares = np.einsum("ij,ij->i", rows, rows)
        if squares.min() > PLAIN[0] and squares.max() < PLAIN[1]:
            return np.ascontiguousarray(rows / np.sqrt(squares)[:, None])
    rows = check_vectors(rows, where=where)
    if metric == COSINE:
        return np.ascontiguousarray(unit_rows(rows))
    with np.errstate(over="ignore"):
        rows = np.array(rows, np.float32, order="C")
        squares = np.einsum("ij,ij->i", rows, rows)
    broken = np.flatnonzero(~(squares <= LONGEST))
    if broken.size:
        raise BadShape(
            f"{broken.size:,} vectors are too long to be compared: rows {first_few(broken)}",
            where=where,
            hint="give vectors shorter than 1e18, or use the cosine",
        )
    return rows


def ready_matrix(vectors: Array, metric: str, where: str) -> Floats:
    """The same for a whole gallery, a part at a time, so that memory holds it only once."""
    matrix = as_array(vectors, where=where)
    if matrix.ndim != 2 or len(matrix) <= CHUNK:
        rows = ready(matrix, metric, where)
    else:
        if matrix.dtype.kind == "f":
            check_vectors(matrix, where=where)  # names the rows of the whole
        rows = np.empty(matrix.shape, np.float32)
        for start in range(0, len(matrix), CHUNK):
            rows[start : start + CHUNK] = ready(matrix[start : start + CHUNK], metric, where)
    if metric != COSINE and matrix.any() and np.abs(rows).max() ** 2 < SHORTEST:
        longest = int(np.abs(matrix).max(axis=1).argmax())
        raise BadShape(
            f"all vectors are too short for their distances to be told apart, even row {longest:,}",
            where=where,
            hint="scale them to lengths around 1, or use the cosine",
        )
    return rows


def check_dim(vectors: Array, dim: int, what: str, where: str) -> Array:
    """The same vectors as a matrix of the index's width; a single one becomes a row.

    Raises:
        BadShape: they have another width.
    """
    matrix = as_array(vectors, where=where)
    if matrix.ndim == 1:
        matrix = matrix[None]
    if matrix.ndim == 2 and matrix.shape[1] != dim:
        raise BadShape(
            f"{what} have {matrix.shape[1]} dimensions, the index has {dim}",
            where=where,
            hint=f"encode the {what} with the encoder that made the index",
        )
    return matrix


def check_k(k: int, where: str) -> int:
    """How many are asked for.

    Raises:
        BadShape: not a whole number of at least 1.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise BadShape(f"k = {k!r} is not at least 1", where=where, hint="give a whole k >= 1")
    return int(k)


def allowed_rows(allowed: Array, count: int) -> Positions:
    """Ascending positions from a mask or from positions.

    Raises:
        BadShape: the mask has another length, or a position lies outside.
    """
    chosen = as_array(allowed, where="Index.search")
    if chosen.dtype == bool:
        if chosen.shape != (count,):
            raise BadShape(
                f"the mask of allowed vectors has shape {chosen.shape}, not ({count},)",
                where="Index.search",
                hint="give one True or False a vector",
            )
        return np.flatnonzero(chosen)
    return np.unique(positions_in(chosen, count, "allowed positions", "Index.search"))


def positions_in(positions: Array, count: int, what: str, where: str) -> Positions:
    """Positions in an index, in the order given.

    Raises:
        BadShape: they are not whole numbers, or one lies outside.
    """
    chosen = as_array(positions, where=where).reshape(-1)
    if chosen.size == 0:
        return np.zeros(0, np.int64)
    if chosen.dtype.kind not in "iu" or chosen.min() < 0 or chosen.max() >= count:
        raise BadShape(
            f"{what} must be whole numbers from 0 to {count - 1}",
            where=where,
            hint="give positions in the index" + (", or a bool mask" if "allowed" in what else ""),
        )
    return chosen.astype(np.int64)
