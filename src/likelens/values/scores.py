"""One value per query: what every metric returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .errors import BadShape

QUERIES = "the sampling of queries; the gallery is taken as given"
ITEMS = "the sampling of items, as queries and as gallery"
GROUPS = 8_192
CHUNK_DRAWS = 2**22


class QueryScores:
    """One value per query, and what can be said of their mean.

    Args:
        per_query: (k,) values; NaN marks a query that has no score (an item without
            tags, nothing relevant). Such queries are counted in ``missing`` and left
            out of the mean.
        influence: (k,) how far each item moves the mean, as a query and as a part of
            the gallery, averaging to 0; or a function that gives these values, called
            on first need; or None where the gallery is taken as given. An item
            without a score has an influence too: it is part of the gallery.

    Raises:
        BadShape: not one-dimensional, or not one influence per query.

    Example:
        >>> scores = QueryScores(np.array([0.5, np.nan, 0.7]))
        >>> scores
        QueryScores(mean=0.6000, queries=3, missing=1)
        >>> scores.covers
        'the sampling of queries; the gallery is taken as given'
    """

    def __init__(
        self,
        per_query: npt.ArrayLike,
        influence: Floats | Callable[[], Floats] | None = None,
    ) -> None:
        self.per_query: Floats = np.asarray(per_query, np.float64)
        """(k,) float64."""
        if self.per_query.ndim != 1:
            raise BadShape(
                f"scores must be one value per query, got shape {self.per_query.shape}",
                where="QueryScores",
                mend="give a one-dimensional array",
            )
        self._influence = influence if callable(influence) else self._checked(influence)

    def __repr__(self) -> str:
        return (
            f"QueryScores(mean={self.mean:.4f}, queries={len(self.per_query):,}, "
            f"missing={self.missing:,})"
        )

    @property
    def influence(self) -> Floats | None:
        """(k,) float64, see the class; computed on first use."""
        if callable(self._influence):
            self._influence = self._checked(self._influence())
        return self._influence

    @property
    def mean(self) -> float:
        """Mean over the queries that have a score; NaN if none has."""
        scored = self.per_query[~np.isnan(self.per_query)]
        return float(scored.mean()) if scored.size else float("nan")

    @property
    def missing(self) -> int:
        """How many queries have no score."""
        return int(np.isnan(self.per_query).sum())

    @property
    def covers(self) -> str:
        """What chance the interval covers, in words."""
        return QUERIES if self._influence is None else ITEMS

    def _checked(self, influence: Floats | None) -> Floats | None:
        if influence is None:
            return None
        values = np.asarray(influence, np.float64)
        if values.shape != self.per_query.shape:
            raise BadShape(
                f"influence of shape {values.shape} for {len(self.per_query):,} queries",
                where="QueryScores",
                mend="give one influence per query",
            )
        return values
