"""One value per query: what every metric returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .arrays import Floats, as_array
from .errors import BadShape, BadSpec

QUERIES = "the sampling of queries; the gallery is taken as given"
ITEMS = "the sampling of items, as queries and as gallery"
GROUPS = 4_096
CHUNK_DRAWS = 2**20

LARGE = 1e150
"""Scores beyond this are scaled before they are added up."""


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
        bounds: the least and the largest value that the mean can have; intervals end
            there. None for no bounds.

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
        *,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        self.bounds = bounds
        self.per_query: Floats = _checked_scores(per_query)
        """(k,) float64."""
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
        if not scored.size:
            return float("nan")
        scale = np.abs(scored).max() if np.abs(scored).max() > LARGE else 1.0
        return float((scored / scale).mean() * scale)

    @property
    def missing(self) -> int:
        """How many queries have no score."""
        return int(np.isnan(self.per_query).sum())

    @property
    def covers(self) -> str:
        """What chance the interval covers, in words."""
        return QUERIES if self._influence is None else ITEMS

    def interval(
        self, level: float = 0.95, *, seed: int = 0, resamples: int = 2_000
    ) -> tuple[float, float]:
        """An interval for the mean, by the bootstrap-t; ``covers`` says what chance it covers.

        The scored queries (or, where there is an influence, all items by theirs) are
        drawn anew with replacement; the mean of each draw less the true one, in units
        of its own standard error, gives the quantiles (Efron 1979; Hall 1988). Where
        over 1 % of the draws have no spread, as among few scores of few values,
        Student's t takes their place. Beyond 4,096 values, sums of equal groups are
        drawn instead, which leaves the standard error within about 1 %.

        Measured: a 95 % interval covered the true mean in 94 to 97 % of runs of 5 to
        1,000 correlations or nDCG values. Scores of 0 and 1 with a mean of .9 need
        100 queries: 50 gave 86 %, 20 gave 88 %, 10 gave 64 %.

        Args:
            level: confidence, between 0 and 1.
            seed: of the draws; equal seeds give equal intervals.
            resamples: number of draws, at least 100.

        Returns:
            Its two ends, within the bounds; NaN for fewer than two scores. Equal scores give
            an interval of no width.

        Raises:
            BadSpec: level or resamples out of range.

        Example:
            >>> scores = QueryScores(np.linspace(0.0, 1.0, 101))
            >>> low, high = scores.interval()
            >>> round(low, 2), round(high, 2)
            (0.44, 0.56)
        """
        if not 0.0 < level < 1.0 or resamples < 100:
            raise BadSpec(
                f"no interval of level {level} from {resamples} resamples",
                where="QueryScores.interval",
                hint="give a level between 0 and 1, such as 0.95, and at least 100 resamples",
            )
        if len(self.per_query) - self.missing < 2:
            return float("nan"), float("nan")
        influence = self.influence
        if influence is None:
            influence = self.per_query[~np.isnan(self.per_query)] - self.mean
        if np.isnan(influence).any():
            return float("nan"), float("nan")
        count = min(len(influence), GROUPS)
        scale = float(np.abs(influence).max()) or 1.0
        groups = np.zeros(count)
        np.add.at(groups, np.arange(len(influence)) % count, influence / scale)
        error = float(groups.std(ddof=1) * np.sqrt(count)) / len(influence)
        low, high = _t_quantiles(groups, (1 - level) / 2, seed, resamples)
        ends = self.mean - high * error * scale, self.mean - low * error * scale
        least, most = self.bounds or (-np.inf, np.inf)
        return max(ends[0], least), min(ends[1], most)

    def _checked(self, influence: Floats | None) -> Floats | None:
        if influence is None:
            return None
        values = np.asarray(influence, np.float64)
        if values.shape != self.per_query.shape:
            raise BadShape(
                f"influence of shape {values.shape} for {len(self.per_query):,} queries",
                where="QueryScores",
                hint="give one influence per query",
            )
        return values


def _checked_scores(per_query: npt.ArrayLike) -> Floats:
    """One value per query as float64; infinite ones, and what is no number, are refused."""
    given = as_array(per_query, where="QueryScores")
    if given.ndim != 1 or (given.size and given.dtype.kind not in "fiub"):
        raise BadShape(
            f"scores must be one value per query, got shape {given.shape} of {given.dtype}",
            where="QueryScores",
            hint="give a one-dimensional array",
        )
    with np.errstate(over="ignore"):
        values: Floats = given.astype(np.float64, copy=False)
    if np.isinf(values).any():
        raise BadShape(
            f"{int(np.isinf(values).sum()):,} of {len(values):,} scores are infinite",
            where="QueryScores",
            hint="give finite scores, and NaN for a query without one",
        )
    return values


def _t_quantiles(values: Floats, tail: float, seed: int, resamples: int) -> tuple[float, float]:
    """Quantiles tail and 1 - tail of (mean of a draw - mean) / its standard error."""
    count = len(values)
    random = np.random.default_rng(seed)
    values = values - values.mean()
    found = []
    rows = max(1, CHUNK_DRAWS // count)
    for start in range(0, resamples, rows):
        drawn = random.integers(0, count, (min(rows, resamples - start), count), np.int32)
        draw = values[drawn]
        total, squares = draw.sum(axis=1), np.einsum("ij,ij->i", draw, draw)
        variance = (squares - total**2 / count) / (count - 1)
        spread = np.sqrt(np.where(variance > 1e-12 * squares, variance, np.nan))
        found.append(total / np.sqrt(count) / spread)
    ratios = np.concatenate(found)
    if np.isnan(ratios).mean() > 0.01:
        from scipy.special import stdtrit

        high = float(stdtrit(count - 1, 1.0 - tail))
        return -high, high
    low, high = np.nanquantile(ratios, [tail, 1.0 - tail])
    return float(low), float(high)
