"""Scores that counter hubs: CSLS, local scaling and mutual proximity.

Each turns cosine similarities s(x, y) of queries x and items y into scores that ask how
near y is *for x and for y*: an item that is near to everything (a hub) gets less, one that
is far from everything (an orphan) more. All three grow with s, and need of each query and
of each item only a number or two about its surroundings in the gallery.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Floats, check_numbers, check_vectors, unit_rows
from ..values.errors import BadShape

SAME = 1e-6
"""Cosines nearer than this to each other or to 1 differ by rounding."""

LARGEST = 1e3
"""Similarities beyond this are no cosines, whatever was rounded."""

CHUNK_ROWS = 16_384


def csls(similarities: npt.ArrayLike, of_queries: npt.ArrayLike, of_items: npt.ArrayLike) -> Floats:
    """Cross-domain similarity local scaling: 2 s(x, y) - r(x) - r(y).

    r is the mean cosine similarity to the K nearest neighbours (Conneau et al. 2018,
    arXiv 1710.04087, equation 3; they take K = 10). There x and y lie in two languages;
    here in one gallery.

    Args:
        similarities: (q, k) cosine similarities of each query and its items.
        of_queries: (q,) r of the queries, see ``nearest_similarity``.
        of_items: (q, k) r of the items, or (k,) if they are the same for all queries.

    Returns:
        (q, k) scores, higher is more alike.

    Raises:
        BadShape: shapes that do not fit, or values that are not finite.

    Example:
        >>> csls([[0.9, 0.8]], [0.7], [[0.9, 0.5]]).round(2)
        array([[0.2, 0.4]])
    """
    s, x, y = _fitting(similarities, of_queries, of_items, 1, "csls")
    return 2.0 * s - x[..., 0] - y[..., 0]


def local_scaling(
    similarities: npt.ArrayLike, of_queries: npt.ArrayLike, of_items: npt.ArrayLike
) -> Floats:
    """Local scaling: exp(-d(x, y)^2 / (m(x) m(y))), with d^2 = 2 - 2 s, as of unit vectors.

    The form is that of Zelnik-Manor and Perona 2004 (NIPS 17); the scale m is the mean
    distance to the K nearest neighbours, as in NICDM (Jégou et al. 2007; Schnitzer et al.
    2012, JMLR 13, section 2.2). Its order is that of NICDM's d / sqrt(m(x) m(y)).

    Args:
        similarities: (q, k) cosine similarities of each query and its items.
        of_queries: (q,) m of the queries, see ``nearest_distance``.
        of_items: (q, k) m of the items, or (k,) if they are the same for all queries.

    Returns:
        (q, k) scores from 0 to 1. Equal vectors get 1; where m(x) or m(y) is 0 (all its
        neighbours are copies), everything else gets 0.

    Raises:
        BadShape: shapes that do not fit, or values that are not finite.

    Example:
        >>> local_scaling([[0.875, 0.875]], [0.5], [[0.5, 1.0]]).round(3)
        array([[0.368, 0.607]])
    """
    s, x, y = _fitting(similarities, of_queries, of_items, 1, "local_scaling")
    squares, scales = _distance(s) ** 2, x[..., 0] * y[..., 0]
    ratio = np.full(s.shape, np.inf)
    np.divide(squares, scales, out=ratio, where=scales > 0)
    ratio[squares == 0] = 0.0
    scores: Floats = np.exp(-ratio)
    return scores


def mutual_proximity(
    similarities: npt.ArrayLike, of_queries: npt.ArrayLike, of_items: npt.ArrayLike
) -> Floats:
    """Mutual proximity: the chance that neither x nor y is nearer to a random item.

    Phi((s - mean(x)) / sd(x)) * Phi((s - mean(y)) / sd(y)), with mean and sd of the
    similarities to all items: the variant with independent normal distributions, of
    Schnitzer et al. 2012 (JMLR 13, section 3.2.1). Cosine distance is 1 - s, so that it
    is the same for distances and for similarities.

    Args:
        similarities: (q, k) cosine similarities of each query and its items.
        of_queries: (q, 2) mean and sd of the queries, see ``similarity_moments``.
        of_items: (q, k, 2), or (k, 2) if they are the same for all queries; of all
            items of a gallery, see ``gallery_moments``.

    Returns:
        (q, k) scores from 0 to 1. Without spread (sd 0) the chance is 0 below the mean,
        1/2 at it and 1 above.

    Raises:
        BadShape: shapes that do not fit, or values that are not finite.

    Example:
        >>> mutual_proximity([[0.5]], [[0.5, 0.1]], [[[0.3, 0.1]]]).round(3)
        array([[0.489]])
    """
    from scipy.special import ndtr

    s, x, y = _fitting(similarities, of_queries, of_items, 2, "mutual_proximity")
    chance: Floats = ndtr(_standing(s, x)) * ndtr(_standing(s, y))
    return chance


def nearest_similarity(nearest: npt.ArrayLike) -> Floats:
    """Of CSLS, r: the mean of each row of similarities to the K nearest; 0 without any.

    Args:
        nearest: (q, K) similarities to the nearest neighbours, itself left out.
    """
    found = _matrix(nearest, "nearest_similarity")
    return found.mean(axis=1) if found.shape[1] else np.zeros(len(found))


def nearest_distance(nearest: npt.ArrayLike) -> Floats:
    """Of local scaling, m: the mean distance sqrt(2 - 2 s) to the K nearest; 0 without any.

    Args:
        nearest: (q, K) similarities to the nearest neighbours, itself left out.
    """
    return nearest_similarity(_distance(_matrix(nearest, "nearest_distance")))


def similarity_moments(similarities: npt.ArrayLike) -> Floats:
    """(q, 2) mean and sd of each row of similarities, for mutual proximity; 0 of no items.

    Args:
        similarities: (q, n) to all items of the gallery, itself left out.
    """
    found = _matrix(similarities, "similarity_moments")
    if not found.shape[1]:
        return np.zeros((len(found), 2))
    return np.stack([found.mean(axis=1), found.std(axis=1)], axis=1)


def gallery_moments(vectors: Array) -> Floats:
    """Mean and sd of each item's cosine similarities to all others, for mutual proximity.

    Without a look at the pairs: with c the mean of the n unit vectors u and C their
    covariance, item i has sum over j of s_ij = n u_i'c and squared deviations n u_i'C u_i,
    from which its likeness to itself is taken. Time O(n d^2), memory O(d^2).

    Args:
        vectors: (n, d), of any length; a row of zeros has similarity 0 to all.

    Returns:
        (n, 2) float64; a single item has 0 and 0.

    Raises:
        BadShape: the vectors are no finite matrix.
    """
    rows = check_vectors(vectors, where="gallery_moments")
    count, width = rows.shape
    others = count - 1
    if others < 1:
        return np.zeros((count, 2))
    parts = [slice(start, start + CHUNK_ROWS) for start in range(0, count, CHUNK_ROWS)]
    centre = np.sum([unit_rows(rows[part], np.float64).sum(axis=0) for part in parts], axis=0)
    centre /= count
    scatter = np.zeros((width, width))
    for part in parts:
        apart = unit_rows(rows[part], np.float64) - centre
        scatter += apart.T @ apart
    moments = np.empty((count, 2))
    for part in parts:
        unit = unit_rows(rows[part], np.float64)
        own = np.einsum("ij,ij->i", unit, unit)
        mean = unit @ centre
        squares = np.einsum("ij,ij->i", unit @ scatter, unit)
        moved = (own - mean) / others  # by which the mean falls without the item itself
        squares -= (own - mean) ** 2 + others * moved**2
        moments[part, 0] = mean - moved
        moments[part, 1] = np.sqrt(np.maximum(squares, 0.0) / others)
    return moments


def _distance(similarities: Floats) -> Floats:
    """sqrt(2 - 2 s); 0 where only rounding keeps s from 1."""
    return np.sqrt(2.0 * np.where(similarities > 1.0 - SAME, 0.0, 1.0 - similarities))


def _standing(similarities: Floats, moments: Floats) -> Floats:
    """How many sd above the mean; 0 at it and infinite beside it where there is no sd."""
    apart, sd = similarities - moments[..., 0], moments[..., 1]
    none = np.broadcast_to(sd < SAME, apart.shape)
    steep = np.where(np.abs(apart) < SAME, 0.0, np.copysign(np.inf, apart))
    return np.where(none, steep, apart / np.where(sd < SAME, 1.0, sd))


def _matrix(values: npt.ArrayLike, where: str) -> Floats:
    """A float64 matrix, perhaps without columns.

    Raises:
        BadShape: no matrix, or not finite.
    """
    matrix = check_numbers(values, where=where)
    if matrix.ndim != 2 or np.abs(matrix).max(initial=0.0) > LARGEST:
        raise BadShape(
            f"similarities of shape {matrix.shape} must be a matrix of cosines",
            where=where,
            hint="give one row of cosine similarities per query",
        )
    return matrix


def _fitting(
    similarities: npt.ArrayLike,
    of_queries: npt.ArrayLike,
    of_items: npt.ArrayLike,
    width: int,
    where: str,
) -> tuple[Floats, Floats, Floats]:
    """Similarities (q, k), and what is known of queries (q, 1, width) and items (., k, width).

    Raises:
        BadShape: they do not fit, or are not finite.
    """
    s = _matrix(similarities, where)
    x, y = (check_numbers(given, where=where) for given in (of_queries, of_items))
    tail = () if width == 1 else (width,)
    if x.shape != (len(s), *tail) or y.shape not in ((*s.shape, *tail), (s.shape[1], *tail)):
        raise BadShape(
            f"similarities of shape {s.shape}, of_queries {x.shape} and of_items {y.shape}",
            where=where,
            hint=f"give shapes (q, k), {('q', *tail)} and {('q', 'k', *tail)}".replace("'", ""),
        )
    return s, x.reshape(len(s), 1, width), y.reshape(*y.shape[: y.ndim - len(tail)], width)
