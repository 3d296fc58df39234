"""One value per query: mean, what is missing, and the interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from likelens import metrics
from likelens.values import scores as module
from likelens.values.errors import BadShape, BadSpec
from likelens.values.scores import ITEMS, QUERIES, QueryScores


def test_missing_queries_are_counted_and_left_out():
    scores = QueryScores([0.2, np.nan, 0.4])
    assert scores.mean == pytest.approx(0.3)
    assert scores.missing == 1
    assert repr(scores) == "QueryScores(mean=0.3000, queries=3, missing=1)"
    assert np.isnan(QueryScores([np.nan]).mean)
    assert np.isnan(QueryScores([]).mean)


def test_an_interval_ends_at_the_bounds_of_the_metric():
    """Two of three scores of 1 have an interval that reaches beyond 1."""
    values = [1.0, 1.0, 0.2]
    assert QueryScores(values).interval()[1] > 1.0
    low, high = QueryScores(values, bounds=(0.0, 1.0)).interval()
    assert (low, high) == (max(QueryScores(values).interval()[0], 0.0), 1.0)
    for metric in (metrics.precision([[1], [1], [0]], 1), metrics.average_precision([[1]], [1])):
        assert metric.bounds == (0.0, 1.0)
    images, tags = np.eye(4)[[0, 0, 1, 2]], np.eye(3)[[0, 0, 1, 2]]
    assert metrics.corrembed(images, tags).interval()[0] >= -1.0
    assert metrics.corrembed(images, tags).bounds == (-1.0, 1.0)


def test_influence_is_given_or_computed_once():
    calls = []
    late = QueryScores([0.1, 0.2], lambda: calls.append(1) or np.array([-0.1, 0.1]))
    assert late.covers == ITEMS
    assert calls == []
    np.testing.assert_array_equal(late.influence, [-0.1, 0.1])
    assert late.influence is late.influence
    assert calls == [1]
    assert QueryScores([0.1]).covers == QUERIES
    with pytest.raises(BadShape, match=r"influence of shape \(1,\) for 2 queries"):
        QueryScores([0.1, 0.2], np.zeros(1))
    with pytest.raises(BadShape, match=r"influence of shape \(3,\) for 2 queries"):
        QueryScores([0.1, 0.2], lambda: np.zeros(3)).interval()
    with pytest.raises(BadShape, match=r"one value per query, got shape \(1, 2\)"):
        QueryScores([[0.1, 0.2]])


def test_interval_edges():
    for few in ([], [np.nan], [0.3], [0.3, np.nan]):
        assert np.isnan(QueryScores(few).interval()).all()
    assert QueryScores([0.3, 0.3, 0.3]).interval() == pytest.approx((0.3, 0.3))
    low, high = QueryScores([0.1, 0.5]).interval()
    assert np.isfinite([low, high]).all()
    assert low < 0.3 < high
    assert np.isnan(QueryScores([0.1, 0.5], np.array([0.0, np.nan])).interval()).all()
    for level, resamples in ((0.0, 2_000), (1.0, 2_000), (95, 2_000), (0.95, 99)):
        with pytest.raises(BadSpec, match="no interval of level"):
            QueryScores([0.1, 0.5]).interval(level, resamples=resamples)


def test_interval_is_deterministic_and_seeded():
    scores = QueryScores(np.random.default_rng(0).random(50))
    assert scores.interval() == scores.interval(seed=0)
    assert scores.interval() != scores.interval(seed=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 60), st.integers(0, 2**31), st.floats(-3, 3), st.floats(0.1, 10))
def test_interval_moves_and_stretches_with_the_scores(count, seed, shift, scale):
    values = np.random.default_rng(seed).random(count)
    low, high = QueryScores(values).interval(resamples=200)
    moved = QueryScores(values * scale + shift).interval(resamples=200)
    np.testing.assert_allclose(moved, (low * scale + shift, high * scale + shift), atol=1e-9)
    inner = QueryScores(values).interval(0.8, resamples=200)
    assert low <= inner[0] <= inner[1] <= high


def test_many_even_scores_give_students_interval():
    values = np.random.default_rng(1).standard_normal(4_000)
    expected = stats.t.interval(0.95, 3_999, values.mean(), values.std(ddof=1) / np.sqrt(4_000))
    found = QueryScores(values).interval(resamples=20_000)
    np.testing.assert_allclose(found, expected, atol=0.002)


def test_influence_sets_the_width_and_the_mean_the_place():
    values = np.random.default_rng(2).standard_normal(500)
    spread = values - values.mean()
    plain = QueryScores(values).interval()
    twice = QueryScores(values, 2 * spread).interval()
    assert np.diff(twice) == pytest.approx(2 * np.diff(plain))
    low, high = twice
    assert low < values.mean() < high


def test_few_values_fall_back_on_student():
    """Nine hits of ten: many draws are all hits, whose ratio is undefined."""
    values = np.array([1.0] * 9 + [0.0])
    expected = stats.t.interval(0.95, 9, 0.9, values.std(ddof=1) / np.sqrt(10))
    np.testing.assert_allclose(QueryScores(values).interval(), expected)


def test_chunks_and_groups(monkeypatch):
    values = np.random.default_rng(3).random(3_000)
    whole = QueryScores(values).interval()
    monkeypatch.setattr(module, "CHUNK_DRAWS", 10_000)
    np.testing.assert_allclose(QueryScores(values).interval(), whole, rtol=1e-3)
    monkeypatch.setattr(module, "GROUPS", 700)
    grouped = QueryScores(values).interval()
    assert np.diff(grouped) == pytest.approx(np.diff(whole), rel=0.1)
    np.testing.assert_allclose(np.mean(grouped), np.mean(whole), atol=1e-3)


@pytest.mark.parametrize("count", [20, 100])
def test_interval_covers_the_mean_of_skewed_scores(count):
    random, hits = np.random.default_rng(4), 0
    for _ in range(600):
        low, high = QueryScores(random.beta(4, 1, count)).interval(resamples=400)
        hits += low <= 0.8 <= high
    assert 0.92 <= hits / 600 <= 0.98
