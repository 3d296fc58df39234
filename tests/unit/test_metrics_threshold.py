"""The threshold at a false-alarm rate: its definition, its promise, its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens.metrics import calibrate
from likelens.metrics._threshold import ABOVE
from likelens.values.errors import BadShape, BadSpec


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75, 1.0]), min_size=9, max_size=60),
    st.sampled_from([0.1, 0.2, 0.5, 0.9]),
)
def test_it_lies_just_above_the_order_statistic(best, rate):
    found = calibrate(best, false_alarm=rate, resamples=100)
    rank = math.ceil(round((len(best) + 1) * (1 - rate), 9))
    assert found.value == pytest.approx(sorted(best)[rank - 1] + ABOVE, abs=1e-12)
    assert sum(value >= found.value for value in best) <= rate * (len(best) + 1)
    assert found.low <= found.value <= found.high
    assert found.queries == found.groups == len(best)
    assert math.isnan(found.kept)


def test_the_promise_is_kept_on_new_queries():
    """Over many calibrations, new queries pass with a chance of at most the rate, and near it."""
    draw = np.random.default_rng(0)
    passed = [
        (draw.beta(8, 3, 500) >= calibrate(draw.beta(8, 3, 60), false_alarm=0.1).value).mean()
        for _ in range(300)
    ]
    assert 0.08 < np.mean(passed) < 0.105


def test_the_interval_holds_the_quantile():
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        found = calibrate(draw.random(800), false_alarm=0.05, resamples=300)
        held += found.low <= 0.95 <= found.high
    assert held >= 88


def test_queries_of_one_group_move_together():
    draw = np.random.default_rng(2)
    groups = np.repeat([f"class {n}" for n in range(20)], 50)
    best = np.repeat(draw.normal(0.6, 0.1, 20), 50) + draw.normal(0, 0.01, 1000)
    alone = calibrate(best, false_alarm=0.05)
    grouped = calibrate(best, false_alarm=0.05, groups=groups)
    assert grouped.value == alone.value
    assert grouped.groups == 20
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_ties_and_seeds():
    found = calibrate(np.ones(99), false_alarm=0.01)
    assert found.value == found.low == found.high > 1.0, "nothing can pass"
    values = np.random.default_rng(0).random(300)
    first, second = calibrate(values, seed=3), calibrate(values, seed=3)
    assert (first.value, first.low, first.high) == (second.value, second.low, second.high)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.1] * 98,), BadSpec, "98 queries cannot show a false-alarm rate of 0.01.*\n.*\n.*99"),
        (([],), BadSpec, "0 queries cannot show"),
        (([[0.1]],), BadShape, "one per query"),
        (([0.1, float("nan")],), BadShape, "NaN or infinite"),
        (([0.1, -np.inf],), BadShape, "NaN or infinite"),
    ],
)
def test_wrong_queries(arguments, error, message):
    with pytest.raises(error, match=message):
        calibrate(*arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"false_alarm": 0.0},
        {"false_alarm": 1.0},
        {"false_alarm": float("nan")},
        {"level": 1.0},
        {"resamples": 10},
    ],
)
def test_wrong_rates(options):
    with pytest.raises(BadSpec, match="no threshold at a false-alarm rate"):
        calibrate(np.zeros(200), **options)


def test_wrong_groups():
    with pytest.raises(BadShape, match=r"3 groups for 200 queries"):
        calibrate(np.zeros(200), groups=[1, 2, 3])
