"""Sums over centred unit rows: all that CorrEmbed needs of the gallery's images.

Written with y for a unit row, c for a centre near mean(y), z = y - c and q = z . c.
For a query i the similarities to all j are s_ij = y_i . y_j, and

    s_ij - mean_j(s_ij) = z_i . (z_j - mean(z)) + q_j - mean(q)

Both parts are of the size of the deviations themselves, so nothing large cancels,
whatever the mean: this is why float32 products are safe here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions

BLOCK = 256

Part = slice | Positions
"""Which rows: a slice, or positions."""


def lengths(rows: Floats) -> Floats:
    """Euclidean length of each row, (n,) float64; neither overflows nor vanishes."""
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    out: Floats = np.sqrt(squares)
    extreme = np.flatnonzero(~((squares > 1e-280) & (squares < 1e280)))
    if extreme.size:
        hard = rows[extreme].astype(np.float64)
        largest = np.abs(hard).max(axis=1, initial=0.0)
        hard /= np.where(largest > 0, largest, 1.0)[:, None]
        out[extreme] = largest * np.sqrt(np.einsum("ij,ij->i", hard, hard))
    return out


class Form:
    """x' M x for many rows x and one symmetric M, at little over half the work.

    The lower triangle stands for both: 2 M_kl x_k x_l for l < k.

    Args:
        matrix: (d, d) symmetric.
        dtype: in which products are taken.
    """

    def __init__(self, matrix: Floats, dtype: npt.DTypeLike) -> None:
        lower = 2.0 * np.tril(matrix)
        np.fill_diagonal(lower, np.diagonal(matrix))
        self._lower = lower.astype(dtype, copy=False)

    def of(self, rows: Floats) -> Floats:
        """(k,) float64 for rows (k, d)."""
        out = np.zeros(len(rows))
        for start in range(0, len(self._lower), BLOCK):
            stop = start + BLOCK
            product = rows[:, start:] @ self._lower[start:, start:stop]
            out += np.einsum("ij,ij->i", product, rows[:, start:stop], dtype=np.float64)
        return out


@dataclass(frozen=True)
class Selves:
    """What each image brings as a query, before any tags.

    Attributes:
        spread: (k,) sum over j of the squared deviations of s_ij from their mean.
        size: (k,) size of the terms that ``spread`` was made from: bounds its rounding.
        own: (k,) s_ii less the mean of s_ij.
        empty: (k,) bool, rows of zeros.
    """

    spread: Floats
    size: Floats
    own: Floats
    empty: npt.NDArray[np.bool_]

    def __getitem__(self, part: Part) -> Selves:
        return Selves(self.spread[part], self.size[part], self.own[part], self.empty[part])


@dataclass(frozen=True)
class ImageMoments:
    """The sums over the gallery's images.

    Attributes:
        count: n, how many images.
        mean: (d,) float64, mean unit row.
        centre: (d,) float64, what rows are centred about: the mean, or close to it.
        scatter: (d, d) float64, S = sum of (y - mean) (y - mean)'.
        along: (d,) float64, S centre; taken from the rows in float64, since S itself
            may hold sums of float32 products.
        along_centre: centre' S centre, taken so too.
        precision: relative spacing of the numbers the vectors came in.
    """

    count: int
    mean: Floats
    centre: Floats
    scatter: Floats
    along: Floats
    along_centre: float
    precision: float

    @property
    def noise(self) -> float:
        """The spread of similarities that rounding of the input alone can make."""
        return rounding_noise(self.precision, self.mean)

    def about(self, centre: Floats) -> ImageMoments:
        """The same sums for rows centred about another point."""
        step = centre - self.centre
        pushed = self.scatter @ step
        along_centre = self.along_centre + float(2 * (step @ self.along) + step @ pushed)
        return replace(self, centre=centre, along=self.along + pushed, along_centre=along_centre)

    def __add__(self, other: ImageMoments) -> ImageMoments:
        """Both galleries as one (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        factor = self.count * other.count / count
        here, there = self.about(mean), other.about(mean)
        reach = float(gap @ mean)
        return ImageMoments(
            count,
            mean,
            mean,
            self.scatter + other.scatter + factor * np.outer(gap, gap),
            here.along + there.along + factor * reach * gap,
            here.along_centre + there.along_centre + factor * reach**2,
            max(self.precision, other.precision),
        )

    def selves(
        self, rows: Floats, along: Floats, empty: npt.NDArray[np.bool_], form: Form
    ) -> Selves:
        """What query images bring before any tags.

        Args:
            rows: (k, d) the queries' unit rows less the centre.
            along: (k,) float64, their product with the centre.
            empty: (k,) rows of zeros.
            form: of ``scatter``.
        """
        within = form.of(rows)
        step = self.mean - self.centre
        products = rows @ np.column_stack([self.along, step]).astype(rows.dtype)
        across, drift = products.astype(np.float64).T
        size = np.abs(within) + 2.0 * np.abs(across) + self.along_centre
        mean = along + drift + float(self.centre @ self.mean)
        own = np.where(empty, 0.0, 1.0) - mean
        return Selves(within + 2.0 * across + self.along_centre, size, own, empty)


def rounding_noise(precision: float, mean: Floats) -> float:
    """Standard deviation below which similarities count as constant.

    At least the square root of float64 rounding. Above that, what rounding every
    entry of identical rows would produce: twice the spacing of the input's numbers,
    times sqrt(sum of mean**4), which is 1 when one entry holds all the length and
    1 / sqrt(d) when all entries share it.
    """
    return max(1.5e-8, 2.0 * precision * float(np.sqrt(np.sum(mean**4))))


def spacing(dtype: npt.DTypeLike) -> float:
    """Relative spacing of a type's numbers; 0 for whole numbers, which are exact."""
    kind = np.dtype(dtype)
    return float(np.finfo(kind).eps) if kind.kind == "f" else 0.0
