"""Image vectors made ready once, then scored against any number of tag matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions, check_vectors
from ._moments import Form, ImageMoments, Part, Selves, lengths, spacing

CHUNK_ENTRIES = 2**22
KEEP_BYTES = 2**28
FEW = 1_024
MANY = 8_192
CACHED_ROWS = 256
NARROW = 512
CANCELLED = 16.0


def parts(count: int, width: int, queries: Positions | None = None) -> Iterator[Part]:
    """The rows from 0 to count, or the queries, in chunks of at most 4 million entries.

    And of at most 8,192 rows: sums of longer float32 products lose digits.
    """
    rows = min(max(FEW, CHUNK_ENTRIES // max(width, 1)), MANY)
    total = count if queries is None else len(queries)
    for start in range(0, total, rows):
        stop = min(start + rows, total)
        yield slice(start, stop) if queries is None else queries[start:stop]


class CorrEmbedImages:
    """Image vectors with everything that CorrEmbed needs of them alone.

    Making it costs about as much as one score; each score against another tag
    matrix is then several times cheaper. The vectors are kept by reference and never
    changed; do not change them while this is in use.

    Products are taken in float64, except that of 1,024 float16 or float32 vectors or
    more, of over 512 dimensions, the centred rows are multiplied in float32. Where
    that would lose digits (the terms of some query's spread cancel to below a
    sixteenth, as when a histogram shares no bin with most others), all is done again
    in float64. Beyond the vectors themselves it holds at most 256 MB and a few (d, d)
    matrices, whatever the number of images.

    Args:
        vectors: (n, d) float16, float32 or float64, one row per image. A row of
            zeros has similarity 0 with everything: it takes part in the gallery,
            and has no score as a query.
        double: take all products in float64 from the start.

    Raises:
        BadShape: not a matrix of finite numbers; the message names the rows.

    Example:
        >>> import numpy as np
        >>> images = CorrEmbedImages(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
        >>> len(images), images.moments.mean.round(2)
        (3, array([0.6 , 0.53]))
    """

    def __init__(self, vectors: npt.ArrayLike, *, double: bool = False) -> None:
        self.vectors = check_vectors(vectors, where="images")
        count, width = self.vectors.shape
        self._lengths = joined([lengths(self.vectors[part]) for part in parts(count, width)])
        self._along = np.zeros(count)
        single = self.vectors.dtype.itemsize <= 4 and count >= FEW and width > NARROW
        if single and not double:
            self._make_ready(np.float32)
            if not self._loses_digits():
                return
            del self.selves
        self._make_ready(np.float64)

    def __len__(self) -> int:
        return len(self.vectors)

    def rows(self, part: Part) -> tuple[Floats, Floats]:
        """Unit rows less the centre, and their product with the centre (float64)."""
        if self._kept is not None:
            return self._kept[part], self._along[part]
        along = self._along[part]
        out = self._room(len(along))
        for rows, place in self._centred(part, self.moments.centre):
            out[place] = rows
        return out, along

    @cached_property
    def selves(self) -> Selves:
        """``Selves`` of every image as a query."""
        form, empty = Form(self.moments.scatter, self._work), self._lengths == 0
        found = [
            self.moments.selves(*self.rows(part), empty[part], form)
            for part in parts(*self.vectors.shape)
        ]
        return Selves(
            joined([one.spread for one in found]),
            joined([one.size for one in found]),
            joined([one.own for one in found]),
            empty,
        )

    def _make_ready(self, work: type[np.floating[Any]]) -> None:
        """Take all sums, products in the type ``work``."""
        self._work = work
        count, width = self.vectors.shape
        fits = count * width * np.dtype(work).itemsize <= KEEP_BYTES
        self._kept = self._room(count) if fits else None
        self.moments = self._sum()

    def _loses_digits(self) -> bool:
        """Whether the terms of any query's spread, its own pair left out, cancel."""
        count = len(self)
        spread = self.selves.spread - count / (count - 1) * self.selves.own**2
        cancelled = self.selves.size > CANCELLED * spread
        return bool((cancelled & ~self.selves.empty).any())

    def _room(self, count: int) -> Floats:
        return np.empty((count, self.vectors.shape[1]), self._work)

    def _centred(self, part: Part, centre: Floats) -> Iterator[tuple[Floats, slice]]:
        """Unit rows less a centre, float64, few enough at a time to stay in cache."""
        vectors, scale = self.vectors[part], self._lengths[part]
        scale = np.where(scale > 0, scale, 1.0)[:, None]
        for start in range(0, len(scale), CACHED_ROWS):
            place = slice(start, min(start + CACHED_ROWS, len(scale)))
            rows = np.divide(vectors[place], scale[place], dtype=np.float64)
            rows -= centre
            yield rows, place

    def _sum(self) -> ImageMoments:
        """One pass about a rough centre, which any point near the mean serves as."""
        count, width = self.vectors.shape
        centre = self._rough_centre()
        total, scatter = np.zeros(width), np.zeros((width, width))
        along, along_centre = np.zeros(width), 0.0
        for part in parts(count, width):
            reach = self._along[part]
            work = self._room(len(reach)) if self._kept is None else self._kept[part]
            for rows, place in self._centred(part, centre):
                reach[place] = near = np.einsum("ij,j->i", rows, centre)
                total += rows.sum(axis=0)
                along += np.einsum("i,ij->j", near, rows)
                along_centre += float((near**2).sum())
                work[place] = rows
            scatter += work.T @ work
        step = total / max(count, 1)
        reach_mean = float(step @ centre)
        scatter -= count * np.outer(step, step)
        along -= count * reach_mean * step
        along_centre -= count * reach_mean**2
        precision = spacing(self.vectors.dtype)
        return ImageMoments(count, centre + step, centre, scatter, along, along_centre, precision)

    def _rough_centre(self) -> Floats:
        """About the mean unit row: any point near it serves."""
        some = slice(0, None, max(1, len(self) // FEW))
        total = np.zeros(self.vectors.shape[1])
        for rows, _ in self._centred(some, total):
            total = total + rows.sum(axis=0)
        return total / max(len(self._lengths[some]), 1)


def joined(pieces: Sequence[Floats]) -> Floats:
    """The pieces as one float64 array, empty if there are none."""
    return np.concatenate(pieces).astype(np.float64, copy=False) if pieces else np.zeros(0)
