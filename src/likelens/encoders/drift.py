"""How far shorter numbers lead: cosines to the exact vectors, and neighbours that stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..values.arrays import Array, Floats, unit_rows

NEAR = 0.99
"""Least cosine to the exact vector from which on rounding is taken to change little."""

TOP = 10
"""Neighbours of each picture that are compared, where there are as many."""


@dataclass(frozen=True)
class Drift:
    """What rounding did to some pictures' vectors.

    Attributes:
        lowest: the least cosine of a picture's two vectors.
        mean: the mean of these cosines.
        shared: of each picture's ``top`` most alike, the share that both ways find, on average.
        top: how many that are.
        pictures: how many were looked at.
    """

    lowest: float
    mean: float
    shared: float
    top: int
    pictures: int

    def __str__(self) -> str:
        said = f"lowest cosine {self.lowest:.4f}, mean {self.mean:.4f}"
        if self.top:
            said += f"; of the top {self.top} {self.shared:.0%} are the same"
        if self.lowest < NEAR:
            said += f"; below {NEAR}, where a check fails: scores and results may differ"
        return said


def drift_of(made: Floats, exact: Floats) -> Drift:
    """How far vectors are from the exact ones of the same pictures.

    Args:
        made: (n, d), n of at least 1.
        exact: (n, d).

    Example:
        >>> print(drift_of(np.eye(3), np.eye(3) * 2))
        lowest cosine 1.0000, mean 1.0000; of the top 2 100% are the same
    """
    cosines = row_cosines(made, exact)
    top = min(TOP, len(made) - 1)
    lists = [_most_alike(vectors, top) for vectors in (made, exact)]
    shares = [
        len(set(ours) & set(theirs)) / top for ours, theirs in zip(*lists, strict=True) if top
    ]
    shared = float(np.mean(shares)) if shares else 1.0
    return Drift(float(cosines.min()), float(cosines.mean()), shared, top, len(made))


def row_cosines(first: Floats, second: Floats) -> Array:
    """(n,) the cosine of each row with the same row of another matrix."""
    return np.asarray(np.einsum("ij,ij->i", unit_rows(first), unit_rows(second)))


def _most_alike(vectors: Floats, count: int) -> Array:
    """(n, count) the rows most like each row, itself left out; ties by position."""
    unit = unit_rows(vectors)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    return np.argsort(-similar, axis=1, kind="stable")[:, :count]
