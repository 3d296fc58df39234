"""Plans, sample sizes and prevalence, against brute force and scipy."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from likelens import eds
from likelens.eds import _plan
from likelens.eds._plan import _worst
from likelens.values.errors import BadShape, BadSpec


def off_exactly(size, half, p):
    """P(|a/b - p| >= half) in whole fractions."""
    return sum(
        comb(size, a) * p**a * (1 - p) ** (size - a)
        for a in range(size + 1)
        if abs(Fraction(a, size) - p) >= half
    )


def worst_exactly(size, half):
    """The largest of these: over a fine grid, and where a count lies just ``half`` away."""
    grid = {Fraction(step, 97) for step in range(98)}
    edges = {Fraction(a, size) + sign * half for a in range(size + 1) for sign in (-1, 1)}
    return max(off_exactly(size, half, p) for p in grid | edges if 0 <= p <= 1)


@pytest.mark.parametrize(("epsilon", "q"), [("0.3", "0.1"), ("0.25", "0.2"), ("0.4", "0.05")])
def test_the_smallest_sample_by_the_binomial_for_the_worst_prevalence(epsilon, q):
    half, chance = Fraction(epsilon), Fraction(q)
    smallest = next(size for size in range(1, 99) if worst_exactly(size, half) <= chance)
    assert eds.sample_size(float(half), float(chance)).binomial == smallest


@pytest.mark.parametrize("p", ["0.01", "0.1", "0.5", "0.93"])
@pytest.mark.parametrize(("epsilon", "q"), [("0.2", "0.1"), ("0.125", "0.05")])
def test_the_smallest_sample_by_the_binomial_for_one_prevalence(epsilon, q, p):
    half, chance, share = Fraction(epsilon), Fraction(q), Fraction(p)
    smallest = next(size for size in range(1, 999) if off_exactly(size, half, share) <= chance)
    assert eds.sample_size(float(half), float(chance), float(share)).binomial == smallest


@pytest.mark.parametrize("size", [1, 2, 7, 50, 391, 700])
@pytest.mark.parametrize("half", [0.03, 0.1, 0.25])
def test_the_worst_prevalence_is_found(size, half):
    edges = np.concatenate([np.arange(size + 1) / size - half, np.arange(size + 1) / size + half])
    grid = np.unique(np.clip(np.concatenate([edges, np.linspace(0, 1, 4001)]), 0, 1))
    upper = np.ceil(np.round(size * (grid + half), 7))
    lower = np.floor(np.round(size * (grid - half), 7))
    chances = binom.sf(upper - 1, size, grid) + binom.cdf(lower, size, grid)
    assert _worst(size, half) == pytest.approx(chances.max(), abs=1e-9)


@pytest.mark.parametrize("epsilon", [0.1, 0.05, 0.01])
@pytest.mark.parametrize("p", [None, 0.02, 0.5])
def test_no_sample_is_larger_than_chebyshev_asks_for_and_none_misses(epsilon, p):
    found = eds.sample_size(epsilon, 0.05, p)
    assert found.binomial <= found.chebyshev
    if p is not None:
        counts = np.arange(found.binomial + 1)
        off = np.abs(counts / found.binomial - p) >= epsilon - 1e-12
        assert binom.pmf(counts[off], found.binomial, p).sum() <= 0.05


def test_a_large_sample_needs_no_smaller_one_to_be_tried():
    found = eds.sample_size(0.01, 0.05)
    assert found == eds.SampleSize(50_000, 9_651, 9_604)
    assert all(_worst(size, 0.01) > 0.05 for size in range(9_400, 9_651, 10))


@given(st.integers(1, 60), st.integers(1, 60), st.none() | st.integers(0, 20))
def test_chebyshev_is_the_printed_equation(epsilon, q, p):
    half, chance = Fraction(epsilon, 100), Fraction(q, 100)
    variance = Fraction(1, 4) if p is None else Fraction(p, 20) * (1 - Fraction(p, 20))
    expected = max(1, ceil(variance / (half**2 * chance)))
    share = None if p is None else p / 20
    assert eds.sample_size(epsilon / 100, q / 100, share).chebyshev == expected


def test_very_large_samples_take_little():
    assert eds.sample_size(3e-5, 0.05).binomial == 1_067_083_335
    assert eds.sample_size(1e-5, 0.05).binomial == 9_603_650_010  # more than 32 bits hold
    assert 8_000 < eds.sample_size(0.05, 1e-20).binomial < 9_000


def test_beyond_a_bound_no_sizes_are_tried(monkeypatch):
    monkeypatch.setattr(_plan, "_off", None)
    assert eds.sample_size(1e-9, 0.05) == eds.SampleSize(5 * 10**18, None, ANY)
    for epsilon, q, p in [(1e-300, 0.05, None), (1e-6, 0.05, 1e-6), (1e-7, 1e-9, 0.3)]:
        found = eds.sample_size(epsilon, q, p)
        assert found.binomial is None
        assert 0 < found.normal < found.chebyshev


@pytest.mark.parametrize(("epsilon", "q", "p"), [(0.01, 0.05, None), (0.02, 0.1, 0.3)])
def test_the_normal_approximation_is_that_of_scipy(epsilon, q, p):
    share = 0.5 if p is None else p
    found = eds.sample_size(epsilon, q, p)
    assert found.normal == ceil(norm.isf(q / 2) ** 2 * share * (1 - share) / epsilon**2)
    assert found.normal == pytest.approx(found.binomial, rel=0.03)


@pytest.mark.parametrize(
    "wrong", [(0, 0.05), (1, 0.05), (0.1, 0), (0.1, 1), (float("nan"), 0.1), (0.1, 0.1, 1.1)]
)
def test_sample_sizes_that_cannot_be(wrong):
    with pytest.raises(BadSpec, match=r"sample size|prevalence"):
        eds.sample_size(*wrong)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_plan_by_the_overlap_holds_the_pool(encoders, k, queries, seed):
    random = np.random.default_rng(seed)
    lists = {
        f"e{number}": np.array([random.permutation(6)[:k] for _ in range(queries)])
        for number in range(encoders)
    }
    pool = eds.pool(lists, k)
    blind = eds.plan(encoders=encoders, k=k, queries=queries)
    assert blind.pairs.low <= len(pool) <= blind.pairs.high
    others = pool.overlap[~np.eye(encoders, dtype=bool)]
    overlap = float(others.mean()) if encoders > 1 else 0.0
    seeing = eds.plan(encoders=encoders, k=k, queries=queries, overlap=min(overlap, 100.0))
    assert seeing.pairs.low - 1 <= len(pool) <= seeing.pairs.high + 1
    assert seeing.pairs.low <= seeing.pairs.likely <= seeing.pairs.high
    if encoders <= 2:
        assert abs(seeing.pairs.likely - len(pool)) <= 1


def test_a_plan_in_hours_and_money():
    found = eds.plan(encoders=2, k=5, queries=60, experts=4, seconds=9, rate=20, overlap=0)
    assert found.pairs == eds.Range(600, 600, 600)
    assert found.votes.high == 2_400
    assert (found.hours.high, found.hours_each.high) == (6.0, 1.5)
    assert found.cost.high == 120.0
    assert eds.plan(encoders=3, k=2, queries=10).cost is None


@pytest.mark.parametrize(
    "change",
    [
        {"encoders": 0}, {"k": 0}, {"queries": -1}, {"experts": 0}, {"k": 1.5}, {"encoders": True},
        {"seconds": 0}, {"rate": -1.0}, {"overlap": 101}, {"overlap": float("nan")},
        {"seconds": float("inf")},
    ],
)  # fmt: skip
def test_plans_that_make_no_sense(change):
    name = next(iter(change))
    with pytest.raises(BadSpec, match=f"{name} = "):
        eds.plan(**{"encoders": 2, "k": 2, "queries": 2, **change})


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_exact_interval_is_that_of_scipy(positives, more, level):
    sampled = positives + more - (more > 30)
    found = eds.prevalence(positives, sampled, level=level)
    exact = binomtest(positives, sampled).proportion_ci(level, method="exact")
    np.testing.assert_allclose(found.interval, (exact.low, exact.high), atol=1e-12)
    assert found.interval[0] <= found.estimate <= found.interval[1]
    assert found.chebyshev[0] <= found.estimate <= found.chebyshev[1]
    share, q = positives / sampled, 1 - level
    for end in found.chebyshev:
        if 0 < end < 1:
            assert (share - end) ** 2 == pytest.approx(end * (1 - end) / (sampled * q))


@given(
    st.integers(1, 40), st.floats(0, 1).map(lambda p: round(p, 12)), st.sampled_from([0.9, 0.95])
)
def test_chebyshev_covers_the_truth_as_often_as_it_says(sampled, p, level):
    held = [eds.prevalence(a, sampled, level=level).chebyshev for a in range(sampled + 1)]
    inside = [low - 1e-9 <= p <= high + 1e-9 for low, high in held]
    assert binom.pmf(np.arange(sampled + 1), sampled, p)[inside].sum() >= level - 1e-9


def test_the_estimate_is_no_less_than_what_is_known():
    assert eds.prevalence(0, 100, 0.02).estimate == 0.02
    assert eds.prevalence(5, 100, 0.02).estimate == 0.05
    assert eds.prevalence(5, 100).enrichment(0.5) == pytest.approx(10)
    assert eds.prevalence(0, 100).enrichment(0.5) == float("inf")
    assert np.isnan(eds.prevalence(0, 100).enrichment(0.0))


@pytest.mark.parametrize(
    "wrong",
    [(5, 4), (-1, 4), (0, 0), (1.0, 4), (True, 4), (1, 4, 1.5), (1, 4, float("nan"))],
)
def test_counts_that_cannot_be(wrong):
    with pytest.raises(BadSpec, match="cannot be"):
        eds.prevalence(*wrong)


def test_how_rich_a_pool_is_at_each_depth():
    found = eds.pool(
        {"a": np.array([[0, 1, 2], [2, 1, 0]]), "b": np.array([[0, 3, 1], [2, 0, 3]])}, 2
    )
    labels = np.array([1 if pair[1] == 0 else -1 if pair[1] == 3 else 0 for pair in found.pairs])
    rich = eds.pool_prevalence(labels, found.best, found.brute_force)
    assert rich.k.tolist() == [1, 2]
    for k in (1, 2):
        part = found.at(k)
        marks = [labels[found.pairs.tolist().index(pair)] for pair in part.pairs.tolist()]
        assert rich.judged[k - 1] == sum(mark >= 0 for mark in marks)
        assert rich.positives[k - 1] == sum(mark == 1 for mark in marks)
        assert rich.p_k[k - 1] == rich.positives[k - 1] / rich.judged[k - 1]
    assert rich.lower_bound == 2 / 8
    nothing = eds.pool_prevalence(np.full(len(found), -1), found.best)
    assert np.isnan(nothing.lower_bound)
    assert np.isnan(nothing.p_k).all()
    for wrong, said in ((labels[:-1], "labels of shape"), (labels + 3, "labels are none: ")):
        with pytest.raises(BadShape, match=said):
            eds.pool_prevalence(wrong, found.best)
    with pytest.raises(BadShape, match="2 positives among 1 pairs in all"):
        eds.pool_prevalence(labels, found.best, 1)
    assert len(eds.pool_prevalence([1, 0], [0, 0], 10).k) == 0
