"""Which encoders truly differ: paired tests of every two, and ranks that share a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions
from ..values.errors import BadShape, BadSpec
from ..values.scores import ITEMS, QUERIES, QueryScores

GROUPS = 8_192
CHUNK_SIGNS = 2**23


@dataclass(frozen=True)
class PairTests:
    """Paired tests of every two encoders.

    Matrices are (e, e), rows and columns in the order of ``names``; row against column.

    Attributes:
        names: the encoders.
        means: (e,) mean score of each, over the queries that it scores.
        difference: mean of row less mean of column, over the queries that both score;
            NaN where there are none.
        p: two-sided p-value of that difference; 1 on the diagonal.
        p_holm: ``p`` after Holm's correction for the number of pairs.
        left_out: how many queries lack a score in either.
        covers: what chance the tests cover, in words.
    """

    names: tuple[str, ...]
    means: Floats
    difference: Floats
    p: Floats
    p_holm: Floats
    left_out: Positions
    covers: str

    def better(self, level: float = 0.05) -> npt.NDArray[np.bool_]:
        """(e, e): whether row scores significantly more than column."""
        return (self.difference > 0) & (self.p_holm < level)

    def beats(self, first: str, second: str) -> bool:
        """Whether the first scores significantly more than the second."""
        return bool(self.better()[self._at(first, second)])

    def chance(self, first: str, second: str) -> float:
        """Holm-corrected p-value of the difference of two encoders."""
        return float(self.p_holm[self._at(first, second)])

    def _at(self, first: str, second: str) -> tuple[int, int]:
        return self.names.index(first), self.names.index(second)


def compare_pairs(
    scores: Mapping[str, QueryScores], *, seed: int = 0, resamples: int | None = None
) -> PairTests:
    """Test every two encoders on the same queries.

    Sign-flip permutation test of the mean of x_i = score of one less score of the
    other, query by query: under the hypothesis of no difference each x_i is as likely
    to be of either sign, so p = (1 + times that a random choice of signs gives at least
    the observed mean) / (1 + choices), both tails. Where both scores have an influence
    (all items are queries), x_i is the difference plus the difference of influences, so
    that the test covers the sampling of the gallery too. p-values of all pairs are
    then corrected by Holm's step-down method (Holm 1979).

    All pairs see the same signs, so the order of the encoders does not matter. Beyond
    8,192 queries, signs are given to sums of equal groups of queries.

    Args:
        scores: scores of each encoder on the same queries, in the same order.
        seed: of the signs.
        resamples: choices of sign; None takes 10,000, or 40 per pair if that is more,
            so that Holm's correction can still reach 0.05.

    Returns:
        Differences and p-values. Queries without a score in either encoder are left
        out and counted. With fewer than two common queries p is 1.

    Raises:
        BadShape: encoders have scores of different numbers of queries.
        BadSpec: no encoders, or resamples below 1.

    Example:
        >>> a = QueryScores(np.linspace(0.2, 0.8, 50))
        >>> b = QueryScores(np.linspace(0.1, 0.75, 50))
        >>> tests = compare_pairs({"a": a, "b": b})
        >>> round(float(tests.difference[0, 1]), 3), bool(tests.p[0, 1] < 0.001)
        (0.075, True)
    """
    names = tuple(scores)
    lengths = {len(value.per_query) for value in scores.values()}
    if len(lengths) > 1:
        raise BadShape(
            f"scores of different numbers of queries cannot be paired: {sorted(lengths)}",
            where="compare_pairs",
            hint="score every encoder on the same queries, in the same order",
        )
    pairs = list(combinations(range(len(names)), 2))
    choices = max(10_000, 40 * len(pairs)) if resamples is None else resamples
    if not names or choices < 1:
        raise BadSpec(
            f"no tests of {len(names)} encoders with {choices} resamples",
            where="compare_pairs",
            hint="give at least one encoder and one resample",
        )
    both = [_difference(scores[names[a]], scores[names[b]]) for a, b in pairs]
    tested = _sign_flips([values for values, _, _ in both], seed, choices)
    holm = _holm(tested)
    size = len(names)
    difference, p, p_holm = np.zeros((size, size)), np.ones((size, size)), np.ones((size, size))
    left_out = np.diag([value.missing for value in scores.values()]).astype(np.int64)
    for (a, b), (_, mean, missing), one, corrected in zip(pairs, both, tested, holm, strict=True):
        difference[a, b], difference[b, a] = mean, -mean
        p[a, b] = p[b, a] = one
        p_holm[a, b] = p_holm[b, a] = corrected
        left_out[a, b] = left_out[b, a] = missing
    means = np.array([value.mean for value in scores.values()])
    covers = ITEMS if all(value.covers == ITEMS for value in scores.values()) else QUERIES
    return PairTests(names, means, difference, p, p_holm, left_out, covers)


def shared_ranks(tests: PairTests, *, level: float = 0.05) -> dict[str, int]:
    """Ranks that share a place where the difference is not significant.

    An encoder's rank is 1 plus the number of encoders that score significantly more
    (Holm-corrected p below ``level``). Encoders of one rank need not be equal, nor
    those of different ranks differ: three encoders can be 1, 1, 2 where only the first
    beats the third.

    Returns:
        Rank of each encoder, by rank, then highest mean first (then by name); an encoder
        without a score has the last rank.

    Example:
        >>> steps = np.linspace(0.0, 0.3, 40)
        >>> scores = {"a": QueryScores(0.5 + steps), "b": QueryScores(0.2 + steps**2),
        ...           "c": QueryScores(0.5 + steps[::-1])}
        >>> shared_ranks(compare_pairs(scores))
        {'a': 1, 'c': 1, 'b': 3}
    """
    ranks = 1 + tests.better(level).sum(axis=0)
    ranks[np.isnan(tests.means)] = len(ranks)
    means = np.where(np.isnan(tests.means), -np.inf, tests.means)
    order = sorted(
        range(len(means)), key=lambda place: (ranks[place], -means[place], tests.names[place])
    )
    return {tests.names[place]: int(ranks[place]) for place in order}


def _difference(first: QueryScores, second: QueryScores) -> tuple[Floats, float, int]:
    """x_i of a pair, averaging to the difference of means; that difference; queries left out."""
    apart = first.per_query - second.per_query
    common = ~np.isnan(apart)
    missing = int((~common).sum())
    if common.sum() < 2:
        mean = float(apart[common].mean()) if common.any() else float("nan")
        return np.zeros(0), mean, missing
    mean = float(apart[common].mean())
    if first.covers != ITEMS or second.covers != ITEMS:
        return apart[common], mean, missing
    values = np.where(common, apart - mean, 0.0) / common.mean()
    values += mean + _gallery_part(first) - _gallery_part(second)
    return (values, mean, missing) if np.isfinite(values).all() else (np.zeros(0), mean, missing)


def _gallery_part(scores: QueryScores) -> Floats:
    """The influence of each item through the gallery only."""
    scored = ~np.isnan(scores.per_query)
    apart: Floats = np.where(scored, scores.per_query - scores.mean, 0.0) / scored.mean()
    return -apart if scores.influence is None else scores.influence - apart


def _sign_flips(samples: Sequence[Floats], seed: int, choices: int) -> Floats:
    """p-value of the mean of each sample under random signs; 1 for an empty sample."""
    count = min(max((len(values) for values in samples), default=0), GROUPS)
    if not count:
        return np.ones(len(samples))
    grouped = np.column_stack([np.bincount(np.arange(len(x)) % count, x, count) for x in samples])
    size = np.abs(grouped).max(axis=0)
    scaled = (grouped / np.where(size > 0, size, 1.0)).astype(np.float32)
    observed = np.abs(scaled.sum(axis=0, dtype=np.float64))
    reached = np.zeros(len(samples), np.int64)
    random = np.random.default_rng(seed)
    rows = max(1, CHUNK_SIGNS // count)
    for start in range(0, choices, rows):
        drawn = min(rows, choices - start)
        bits = np.unpackbits(np.frombuffer(random.bytes(-(-drawn * count // 8)), np.uint8))
        signs = bits[: drawn * count].reshape(drawn, count).astype(np.float32)
        signs *= 2
        signs -= 1
        reached += (np.abs(signs @ scaled) >= observed * (1 - 1e-5) - 1e-5).sum(axis=0)
    return np.asarray((1 + reached) / (1 + choices))


def _holm(p: Floats) -> Floats:
    """Holm's step-down correction."""
    order = np.argsort(p, kind="stable")
    scaled: Floats = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected
