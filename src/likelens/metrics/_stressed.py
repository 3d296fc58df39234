"""CorrEmbed of queries whose pictures were made worse, against the gallery as it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..values.arrays import (
    Floats,
    Positions,
    check_integers,
    check_vectors,
    unit_rows,
    unit_sparse_rows,
)
from ..values.errors import BadShape
from ..values.scores import QueryScores
from ._sums import BOUNDS
from ._tag_rows import unit_csr

SIMILARITIES = 4_000_000
"""Similarities of queries to the gallery at a time: 32 MB."""

CONSTANT = 1e-6
"""Standard deviation of similarities below which they are alike but for rounding."""


def stress_scores(
    clean_vectors: Floats, query_rows: Positions, degraded_vectors: Floats, tags: Any
) -> QueryScores:
    """CorrEmbed of queries whose pictures were made worse, against a clean gallery.

    For the query of row i, Pearson's correlation over all items j but i of the cosine
    similarity of its worse picture and the picture of j with the cosine similarity of
    the tags of i and j.

    Args:
        clean_vectors: (n, d), the gallery.
        query_rows: (q,) which item each query is; an item may be asked about repeatedly.
        degraded_vectors: (q, d), of the worse pictures.
        tags: (n, m) 0 and 1, or weights; dense or SciPy sparse.

    Returns:
        Values in [-1, 1]; NaN where the query's vector or tag row is zero, or its
        similarities to the gallery are constant (standard deviation below 1e-6).

    Raises:
        BadShape: shapes that do not belong together.

    Example:
        >>> gallery = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
        >>> worse = np.array([[0.9, 0.1]])
        >>> stress_scores(gallery, np.array([0]), worse, np.array([[1, 0], [1, 0], [0, 1], [0, 1]]))
        QueryScores(mean=0.6820, queries=1, missing=0)
    """
    clean = check_vectors(clean_vectors, where="clean vectors")
    worse = check_vectors(degraded_vectors, where="degraded vectors")
    rows = check_integers(query_rows, where="query rows")
    if not hasattr(tags, "tocsr"):
        tags = check_vectors(tags, where="tags")
    if rows.shape != (len(worse),) or clean.shape[1] != worse.shape[1]:
        raise BadShape(
            f"vectors {worse.shape} of {rows.size} queries do not fit a gallery {clean.shape}",
            where="stress_scores",
            hint="give one vector and one row per query, of the gallery's dimension",
        )
    if tags.shape[0] != len(clean) or (
        rows.size and not 0 <= rows.min() <= rows.max() < len(clean)
    ):
        raise BadShape(
            f"{tags.shape[0]:,} rows of tags, or queries outside the {len(clean):,} items",
            where="stress_scores",
            hint="give a row of tags per item, and rows from 0 to the last item",
        )
    return QueryScores(Gallery(clean, tags).scores(rows, worse), bounds=BOUNDS)


class Gallery:
    """Unit vectors and tags of the items as they are, ready to be asked.

    The vectors are centred: that adds to all similarities of a query the same, which a
    correlation does not see, and leaves float32 more digits for what differs.
    """

    def __init__(self, vectors: Floats, tags: Any) -> None:
        self.vectors = unit_rows(vectors)
        self.vectors -= self.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.tags = unit_csr(tags) if hasattr(tags, "tocsr") else unit_sparse_rows(tags)
        self.turned = self.tags.T.tocsr()

    def scores(self, rows: Positions, vectors: Floats) -> Floats:
        """(q,) the scores of queries, see ``stress_scores``."""
        asked = unit_rows(vectors)
        out = np.full(len(rows), np.nan)
        chunk = max(1, SIMILARITIES // max(len(self.vectors), 1))
        for start in range(0, len(rows), chunk):
            part = slice(start, start + chunk)
            seen = (asked[part] @ self.vectors.T).astype(np.float64)
            worn = (self.tags[rows[part]] @ self.turned).toarray()
            out[part] = _pearson(seen, worn, rows[part])
        return out


def _pearson(seen: Floats, worn: Floats, own: Positions) -> Floats:
    """(q,) correlation of rows, each without its own column."""
    others = seen.shape[1] - 1
    if others < 2:
        return np.full(len(seen), np.nan)
    for matrix in (seen, worn):
        line = np.arange(len(matrix))
        matrix[line, own] = 0.0
        matrix -= matrix.sum(axis=1, keepdims=True) / others
        matrix[line, own] = 0.0
    both, x, y = (
        np.einsum("ij,ij->i", left, right)
        for left, right in ((seen, worn), (seen, seen), (worn, worn))
    )
    alike = np.sqrt(np.minimum(x, y) / others) < CONSTANT
    scores: Floats = np.clip(both / np.sqrt(np.where(alike, np.nan, x * y)), -1.0, 1.0)
    return scores
