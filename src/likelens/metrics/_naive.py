"""CorrEmbed as printed: the reference that the linear form is held to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, check_vectors, unit_rows
from ..values.scores import QueryScores
from ._moments import rounding_noise, spacing
from ._sums import BOUNDS, SelfPairs, check_same_items, check_self_pairs
from .base import check_queries

if TYPE_CHECKING:
    from ._tag_rows import TagMatrix


def corrembed_naive(
    images: npt.ArrayLike,
    tags: TagMatrix,
    *,
    queries: npt.ArrayLike | None = None,
    self_pairs: SelfPairs = "include",
) -> QueryScores:
    """CorrEmbed of each query by the printed equations, O(n^2): the reference in tests.

    For query i the cosine similarity of image i with all images, of its tags with all
    tags, and the Pearson correlation of the two, one matrix-vector product each in
    float64 (Borgersen et al. 2023, arXiv 2308.16126). For arguments, edges and errors
    see ``corrembed``, which gives the same numbers.

    Example:
        >>> import numpy as np
        >>> images = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> corrembed_naive(images, np.array([[1], [0], [1]])).per_query.round(3)
        array([-0.327,    nan, -0.115])
    """
    exclude = check_self_pairs(self_pairs)
    vectors = check_vectors(images, where="images")
    dense = tags.toarray() if hasattr(tags, "toarray") else tags
    tagged = check_vectors(dense, where="tags")
    check_same_items(len(vectors), len(tagged))
    chosen = check_queries(queries, len(vectors))
    image_noise, image_rows = _ready(vectors, np.asarray(images).dtype)
    tag_noise, tag_rows = _ready(tagged, np.asarray(dense).dtype)
    scores = []
    for i in range(len(vectors)) if chosen is None else chosen:
        seen, worn = image_rows @ image_rows[i], tag_rows @ tag_rows[i]
        if exclude:
            seen, worn = np.delete(seen, i), np.delete(worn, i)
        empty = not image_rows[i].any() or not tag_rows[i].any()
        scores.append(np.nan if empty else _pearson(seen, worn, image_noise, tag_noise))
    return QueryScores(np.array(scores, np.float64), bounds=BOUNDS)


def _ready(matrix: Floats, dtype: npt.DTypeLike) -> tuple[float, Floats]:
    rows = unit_rows(matrix, np.float64)
    mean = rows.sum(axis=0) / max(len(rows), 1)
    return rounding_noise(spacing(dtype), mean), rows


def _pearson(x: Floats, y: Floats, x_noise: float, y_noise: float) -> float:
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    if np.sqrt((x * x).mean()) <= x_noise or np.sqrt((y * y).mean()) <= y_noise:
        return float("nan")
    return float(np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))
