"""The influence of items on CorrEmbed's mean, and the interval that it gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

import reference.metrics as slow
from likelens.metrics import _influence as module
from likelens.metrics import corrembed
from likelens.values.scores import ITEMS, QUERIES


def shop(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Items drawn from one endless shop: a kind and a colour, seen through noise."""
    shape = np.random.default_rng(7)
    kinds, colours = shape.standard_normal((4, 24)), 0.7 * shape.standard_normal((9, 24))
    random = np.random.default_rng(seed)
    kind, colour = random.choice(4, count, p=[0.5, 0.3, 0.15, 0.05]), random.integers(0, 9, count)
    noise = random.gamma(2.0, 0.4, (count, 1)) * random.standard_normal((count, 24))
    images = np.maximum(kinds[kind] + colours[colour] + noise + 0.5, 0.0)
    return images, np.hstack([np.eye(4)[kind], np.eye(9)[colour]])


def by_derivative(monkeypatch, *arguments, **options):
    monkeypatch.setattr(module, "FEW", 0)
    found = corrembed(*arguments, **options).influence
    monkeypatch.undo()
    return found


@pytest.mark.parametrize("sparse", [False, True])
def test_derivative_of_the_weighted_functional(monkeypatch, sparse):
    """IF_i is the slope of theta as the weight of item i grows."""
    images, tags = shop(40, 0)
    found = by_derivative(monkeypatch, images, csr_array(tags) if sparse else tags)
    step, flat = 1e-5, np.ones(40) / 40
    for i in (0, 3, 17, 39):
        point = np.eye(40)[i]
        up = slow.theta(images, tags, (1 - step) * flat + step * point)
        down = slow.theta(images, tags, (1 + step) * flat - step * point)
        assert found[i] == pytest.approx((up - down) / (2 * step), abs=1e-5)
    assert found.mean() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("self_pairs", ["include", "exclude"])
@pytest.mark.parametrize("sparse", [False, True])
def test_leaving_each_item_out(self_pairs, sparse):
    images, tags = shop(50, 1)
    tags[4] = 0.0
    whole = corrembed(images, csr_array(tags) if sparse else tags, self_pairs=self_pairs)
    without = np.array(
        [
            corrembed(np.delete(images, k, 0), np.delete(tags, k, 0), self_pairs=self_pairs).mean
            for k in range(50)
        ]
    )
    expected = 49 * (whole.mean - without)
    np.testing.assert_allclose(whole.influence, expected - expected.mean(), atol=1e-9)
    assert np.isfinite(whole.influence).all()


@pytest.mark.parametrize("self_pairs", ["include", "exclude"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_two_ways_agree_on_many_items(monkeypatch, self_pairs, dtype):
    images, tags = shop(1_500, 2)
    images = np.tile(images, 25).astype(dtype)
    tags[::3] = 0.0
    left = corrembed(images, tags, self_pairs=self_pairs).influence
    slope = by_derivative(monkeypatch, images, csr_array(tags), self_pairs=self_pairs)
    assert np.corrcoef(left, slope)[0, 1] > 0.999
    assert slope.std() == pytest.approx(left.std(), rel=0.03)


def test_without_scores_there_is_no_interval():
    nothing = corrembed(np.ones((5, 2)), np.eye(5))
    assert np.isnan(nothing.influence).all()
    assert np.isnan(nothing.interval()).all()
    assert np.isnan(corrembed(np.eye(2), np.eye(2)).interval()).all()
    assert np.isnan(corrembed([[1.0]], [[1.0]]).interval()).all()


def test_what_the_interval_covers():
    images, tags = shop(60, 3)
    both, some = corrembed(images, tags), corrembed(images, tags, queries=range(60))
    assert both.covers == ITEMS
    assert some.covers == QUERIES
    assert some.influence is None
    assert both.mean == pytest.approx(some.mean)
    low, high = both.interval()
    assert low < both.mean < high


def test_influence_is_computed_once_and_on_demand(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "leave_out", lambda *given: calls.append(1) or np.zeros(60))
    scores = corrembed(*shop(60, 3))
    assert calls == []
    scores.interval()
    scores.interval(0.9)
    assert calls == [1]


@pytest.mark.parametrize(("count", "runs"), [(100, 300), (300, 120)])
def test_interval_covers_the_value_of_the_whole_shop(count, runs):
    """Catalogues drawn from a shop: the mean over the shop lies within nearly always."""
    images, tags = shop(40_000, 4)
    truth = corrembed(images.astype(np.float32), csr_array(tags), self_pairs="exclude").mean
    random, hits = np.random.default_rng(5), 0
    for _ in range(runs):
        drawn = random.choice(40_000, count, replace=False)
        low, high = corrembed(images[drawn], tags[drawn], self_pairs="exclude").interval(
            resamples=400
        )
        hits += low <= truth <= high
    assert 0.90 <= hits / runs <= 0.99


def test_interval_of_some_queries_covers_the_value_of_all_queries():
    images, tags = shop(2_000, 6)
    truth = corrembed(images, tags).mean
    random, hits, narrow = np.random.default_rng(8), 0, 0
    for _ in range(300):
        drawn = random.choice(2_000, 60, replace=True)
        scores = corrembed(images, tags, queries=drawn)
        low, high = scores.interval(resamples=400)
        hits += low <= truth <= high
        low, high = scores.interval(0.5, resamples=400)
        narrow += low <= truth <= high
    assert 0.92 <= hits / 300 <= 0.98
    assert 0.42 <= narrow / 300 <= 0.58
