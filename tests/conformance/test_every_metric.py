"""What every registered metric promises; a new one is held to it by being registered."""

from __future__ import annotations

import inspect
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
from likelens.metrics.base import METRICS, Laws
from likelens.values.errors import BadSpec, LikelensError
from likelens.values.scores import QueryScores

NAMES = METRICS.names()


def laws(name: str) -> Laws:
    return import_module(METRICS.load(name).__module__).LAWS


def required(name: str) -> list[str]:
    parameters = inspect.signature(METRICS.load(name)).parameters.values()
    return [p.name for p in parameters if p.default is inspect.Parameter.empty]


def arguments(name: str, data: st.DataObject) -> dict[str, object]:
    """Generated arguments for whatever the metric asks."""
    gains, ideal, k = data.draw(strategies.gains())
    images, tags = data.draw(strategies.items())
    relevant = (ideal > 0).sum(axis=1)
    if "k" not in required(name):  # of whole lists, so empty places are written out
        gains = np.pad(gains, ((0, 0), (0, ideal.shape[1] - gains.shape[1])))
    known = {
        "gains": gains, "k": k, "ideal": ideal, "relevant": relevant,
        "images": images, "tags": tags,
    }  # fmt: skip
    return {key: known[key] for key in required(name)}


def test_every_metric_has_laws_and_a_public_name():
    public = import_module("likelens.metrics")
    for name in NAMES:
        assert isinstance(laws(name), Laws)
        assert getattr(public, name) is METRICS.load(name)
        assert "Example:" in (METRICS.load(name).__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_values_keep_their_bounds_and_inputs_their_values(name, data):
    given_arguments = arguments(name, data)
    copies = {key: np.array(value) for key, value in given_arguments.items()}
    scores = METRICS.load(name)(**given_arguments)
    assert isinstance(scores, QueryScores)
    first = next(iter(copies.values()))
    assert scores.per_query.shape == (len(first),)
    assert scores.per_query.dtype == np.float64
    values = scores.per_query[~np.isnan(scores.per_query)]
    assert ((values >= laws(name).low) & (values <= laws(name).high)).all()
    for key, value in given_arguments.items():
        np.testing.assert_array_equal(value, copies[key])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_order_of_queries_does_not_matter(name, data):
    given_arguments = arguments(name, data)
    metric = METRICS.load(name)
    scores = metric(**given_arguments).per_query
    order = np.random.default_rng(0).permutation(len(scores))
    turned = {
        key: value[order] if isinstance(value, np.ndarray) else value
        for key, value in given_arguments.items()
    }
    np.testing.assert_allclose(metric(**turned).per_query, scores[order], atol=1e-9)


@pytest.mark.parametrize("name", [n for n in NAMES if laws(n).better_item_up_never_lowers])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_better_item_moved_up_never_lowers(name, data):
    given_arguments = arguments(name, data)
    gains = given_arguments["gains"]
    if gains.shape[1] < 2 or not len(gains):
        return
    place = data.draw(st.integers(0, gains.shape[1] - 2))
    better = gains.copy()
    better[:, place : place + 2] = -np.sort(-better[:, place : place + 2], axis=1)
    metric = METRICS.load(name)
    before = metric(**given_arguments).per_query
    after = metric(**{**given_arguments, "gains": better}).per_query
    np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
    assert (np.nan_to_num(after) >= np.nan_to_num(before) - 1e-12).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_number_is_refused_by_name(name):
    broken = {
        "gains": np.array([[np.nan, 1.0]]), "k": 1, "ideal": np.array([[1.0, 0.0]]),
        "relevant": np.array([1]), "images": np.array([[np.inf, 1.0]]), "tags": np.ones((1, 1)),
    }  # fmt: skip
    with pytest.raises(LikelensError, match="NaN or infinity"):
        METRICS.load(name)(**{key: broken[key] for key in required(name)})


def test_an_unknown_metric_names_the_known():
    with pytest.raises(BadSpec, match="corrembed"):
        METRICS.load("corremebd")
