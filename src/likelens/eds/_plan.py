"""What judging will cost, and how many random pairs show how rare positives are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..values.arrays import Array, Floats
from ..values.errors import BadSpec

STEP = 4_096
"""Sample sizes that are tried at a time."""

GRID = 256
"""Prevalences tried at a time for one sample size; the next ones lie about the worst of them."""

FINE = 1_000.0
"""Expected variance of a count from which on small sample sizes need not be tried."""

TRIED = 500_000
"""So many sample sizes at most are tried, which takes about a second."""


class Range(NamedTuple):
    """From the least to the most; ``likely`` is None where nothing is known to tell."""

    low: float
    likely: float | None
    high: float


@dataclass(frozen=True)
class Plan:
    """What judging a pool takes.

    Attributes:
        pairs: distinct pairs in the pool.
        votes: pairs times experts.
        hours: of all experts together.
        hours_each: of one expert, who sees every pair.
        cost: hours times the rate; None without a rate.
    """

    pairs: Range
    votes: Range
    hours: Range
    hours_each: Range
    cost: Range | None


@dataclass(frozen=True)
class SampleSize:
    """How many pairs to draw at random, to know a prevalence within ε with confidence 1 − q.

    Attributes:
        chebyshev: by Eq. 3, for any distribution.
        binomial: the least that is enough, by the binomial distribution itself; None where
            more than ``TRIED`` sizes would have to be tried.
        normal: by the normal approximation of the binomial distribution.
    """

    chebyshev: int
    binomial: int | None
    normal: int


def plan(
    *,
    encoders: int,
    k: int,
    queries: int,
    experts: int = 3,
    seconds: float = 5.0,
    rate: float | None = None,
    overlap: float | None = None,
) -> Plan:
    """What it takes to have a pool judged, before there is one.

    A query has from k pairs (all encoders agree) to m k (no two share a candidate). With
    the mean overlap o of two encoders (``Pool.overlap``, off its diagonal, as a share)
    the pool has at most k (m − (m − 1) o) pairs a query (Kwerel 1975), and at least
    (2 m k − 2 S / r) / (r + 1), S = m (m − 1) k o / 2, r = 1 + floor((m − 1) o) (Dawson &
    Sankoff 1967). Likely are k (1 − (1 − o)^m) / o: what each encoder proposes, every
    other one proposes with chance o. Two encoders leave no room: all three are equal.

    Args:
        encoders: m, how many are pooled.
        k: candidates of each.
        queries: how many.
        experts: each judges every pair.
        seconds: that one judgement takes.
        rate: what an expert's hour costs, in any currency.
        overlap: percent of candidates that two encoders share, 0 to 100.

    Raises:
        BadSpec: a number below what makes sense.

    Example:
        >>> plan(encoders=2, k=6, queries=100, experts=3, seconds=6, overlap=25).pairs
        Range(low=1050, likely=1050, high=1050)
        >>> plan(encoders=10, k=6, queries=2000, experts=3, seconds=6).hours
        Range(low=60.0, likely=None, high=600.0)
    """
    counts = {"encoders": encoders, "k": k, "queries": queries, "experts": experts}
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise _wrong(name, count, "a whole number from 1")
    for name, amount in {"seconds": seconds, "rate": rate}.items():
        if amount is not None and not 0 < amount < math.inf:
            raise _wrong(name, amount, "a number above 0")
    if overlap is not None and not 0 <= overlap <= 100:
        raise _wrong("overlap", overlap, "percent, from 0 to 100")
    pairs = _distinct(encoders, k, queries, None if overlap is None else overlap / 100)
    votes = _times(pairs, experts)
    hours, each = _times(votes, seconds, 3600), _times(pairs, seconds, 3600)
    return Plan(pairs, votes, hours, each, None if rate is None else _times(hours, rate))


def _distinct(encoders: int, k: int, queries: int, overlap: float | None) -> Range:
    """Pairs in the pool; whole numbers."""
    if overlap is None:
        return Range(queries * k, None, queries * k * encoders)
    m, proposed = encoders, encoders * k
    shared = m * (m - 1) / 2 * k * overlap
    r = 1 + math.floor((m - 1) * overlap)
    low = max(k, (2 * proposed - 2 * shared / r) / (r + 1))
    high = proposed - 2 * shared / m
    likely = proposed if overlap == 0 else k * (1 - (1 - overlap) ** m) / overlap
    low, likely, high = (round(queries * one) for one in (low, likely, high))
    return Range(low, likely, high)


def _times(numbers: Range, factor: float, by: float = 1) -> Range:
    likely = None if numbers.likely is None else numbers.likely * factor / by
    return Range(numbers.low * factor / by, likely, numbers.high * factor / by)


def _wrong(name: str, value: object, wanted: str) -> BadSpec:
    return BadSpec(f"{name} = {value!r} makes no plan", where="plan", hint=f"give {wanted}")


def sample_size(epsilon: float, q: float, p: float | None = None) -> SampleSize:
    """How many pairs to draw, so that the share of positives is within ε of the prevalence.

    By Chebyshev (arXiv 2308.14753, Eq. 3): P(|a/b − p| >= ε) <= q as soon as

        b >= p (1 − p) / (ε² q) <= 1 / (4 ε² q),

    and by the binomial distribution of a: the smallest b of which the same is true,
    whatever the prevalence, or for the given one. It is for a the number of positives among b
    pairs drawn independently. Chances of single counts make this condition waver with b: a
    little above the smallest b there can be some that miss it narrowly. With z the normal
    quantile of 1 − q/2, the normal approximation of a gives z² p (1 − p) / ε², at once.

    Args:
        epsilon: ε, half the width, above 0 and below 1.
        q: chance to be off by ε or more, above 0 and below 1.
        p: a prevalence to expect; None for the worst there can be.

    Raises:
        BadSpec: a number out of range.

    Example:
        >>> sample_size(0.05, 0.05)
        SampleSize(chebyshev=2000, binomial=391, normal=385)
        >>> sample_size(1e-9, 0.05).binomial is None
        True
    """
    for name, value in {"epsilon": epsilon, "q": q}.items():
        if not 0 < value < 1:
            raise BadSpec(
                f"{name} = {value!r} gives no sample size",
                where="sample_size",
                hint="give a number above 0 and below 1, such as 0.05",
            )
    if p is not None and not 0 <= p <= 1:
        raise BadSpec(
            f"p = {p!r} is no prevalence", where="sample_size", hint="give a number from 0 to 1"
        )
    half, chance = _exact(epsilon), _exact(q)
    variance = Fraction(1, 4) if p is None else _exact(p) * (1 - _exact(p))
    least = variance / half**2
    chebyshev = max(1, math.ceil(least / chance))
    normal = max(1, math.ceil(least * _quantile(q) ** 2))
    tried = _tried(normal, half, variance)
    binomial = None
    if tried <= TRIED:
        binomial = _binomial(float(half), q, p, range(max(1, normal - tried), chebyshev + 1))
    return SampleSize(chebyshev, binomial, normal)


def _exact(value: float) -> Fraction:
    """The decimal number that was written, so that 0.1 is a tenth."""
    return Fraction(repr(float(value)))


def _quantile(q: float) -> Fraction:
    """What a normal distribution exceeds, on either side, with a chance of q."""
    from scipy.special import ndtri

    return Fraction(float(ndtri(q / 2)))


def _tried(normal: int, half: Fraction, variance: Fraction) -> int:
    """How far below what the normal distribution needs the smallest size may lie.

    Anywhere where that is small; else it is right but for about 1/ε by the steps of counts, and
    a little for the variance.
    """
    if normal * variance < FINE:
        return normal
    return min(normal, math.ceil(4 / half + 100 / variance))


def _binomial(half: float, q: float, p: float | None, among: range) -> int:
    """The smallest b of some that keeps |a/b − p| below ``half`` but for a chance of q."""
    for first in among[::STEP]:
        sizes = np.arange(first, min(first + STEP, among.stop))
        for size in sizes[_off(sizes, half, p) <= q].tolist():
            if p is not None or _worst(size, half) <= q:
                return int(size)
    return among[-1]


def _off(sizes: Array, half: float, p: float | None) -> Floats:
    """The chance of each size to be off by ``half`` or more; without p, for one near a half."""
    if p is None:
        upper = np.rint(sizes * (0.5 + half)).astype(np.int64)
        return _tails(sizes, upper, upper - _width(sizes, half), upper / sizes - half)
    upper = np.ceil(_settled(sizes * (p + half))).astype(np.int64)
    lower = np.floor(_settled(sizes * (p - half))).astype(np.int64)
    return _tails(sizes, upper, lower, np.full(len(sizes), p))


def _worst(size: int, half: float) -> float:
    """The largest chance to be off by ``half`` or more, whatever the prevalence.

    Between prevalences at which a count lies just ``half`` away, the chance falls and then
    rises, so that the worst is one of these; those with a count above and those with one
    below mirror each other.
    """
    first, last = math.ceil(_settled(size * half)), size
    while first <= last:
        step = -(-(last - first + 1) // GRID)
        upper = np.arange(first, last + 1, step)
        chances = _at_edge(size, upper, half)
        if step == 1:
            return float(chances.max())
        best = int(upper[chances.argmax()])
        first, last = max(first, best - step), min(last, best + step)
    return 0.0


def _at_edge(size: int, upper: Array, half: float) -> Floats:
    """The chance at the prevalences of which some counts lie just ``half`` above."""
    sizes = np.full(len(upper), size)
    prevalences = np.clip(upper / size - half, 0.0, 1.0)
    return _tails(sizes, upper, upper - _width(sizes, half), prevalences)


def _width(sizes: Array, half: float) -> Array:
    """How many counts lie from the first that is off above to the last that is off below."""
    return np.ceil(_settled(2 * half * sizes)).astype(np.int64)


def _settled(values: Array | float) -> Array:
    """Whole numbers where rounding has left a little more or less."""
    whole = np.rint(values)
    return np.where(np.abs(values - whole) < 1e-9 * np.maximum(1, np.abs(whole)), whole, values)


def _tails(sizes: Array, upper: Array, lower: Array, p: Floats) -> Floats:
    """P(a >= upper) + P(a <= lower) for a binomial count a of each size."""
    from scipy.special import betainc

    first, last = np.clip(upper, 1, sizes), np.clip(lower, 0, sizes - 1)
    over = np.where(upper <= 0, 1.0, betainc(first, sizes - first + 1.0, p))
    under = np.where(lower >= sizes, 1.0, betainc(sizes - last, last + 1.0, 1.0 - p))
    chances: Floats = np.where(upper > sizes, 0.0, over) + np.where(lower < 0, 0.0, under)
    return chances
