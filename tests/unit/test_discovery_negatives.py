"""Sampled negatives: where they come from, how often, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens.metrics import discovery, discovery_of_pairs, sampled_negatives
from likelens.values.errors import BadShape, BadSpec


@st.composite
def drawings(draw):
    """Lists of some baselines with empty places, judgements, the queries' own positions."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    queries, items, low = (
        draw(st.integers(1, 5)),
        draw(st.integers(20, 40)),
        draw(st.integers(1, 5)),
    )
    lists = {
        name: np.array([random.permutation(items) for _ in range(queries)])
        for name in "abc"[: draw(st.integers(1, 3))]
    }
    for found in lists.values():
        found[random.random(found.shape) < 0.1] = -1
    pairs = np.array([(q, c) for q in range(queries) for c in range(items)])
    pairs = pairs[random.random(len(pairs)) < 0.1]
    pairs = np.column_stack([pairs, random.integers(0, 2, len(pairs))]) if len(pairs) else None
    own = random.integers(-1, items, queries)
    return lists, pairs, low, low + draw(st.integers(8, 14)), own


@settings(max_examples=150, deadline=None)
@given(drawings(), st.integers(1, 2))
def test_negatives_are_what_they_should_be(drawn, per_positive):
    lists, pairs, low, high, own = drawn
    if pairs is None:
        return
    positive = {(q, c) for q, c, label in pairs.tolist() if label}
    wanted = {q: per_positive * sum(one == q for one, _ in positive) for q, _ in positive}
    free = {
        q: {int(c) for found in lists.values() for c in found[q, low - 1 : high]}
        - {c for one, c in positive if one == q}
        - {-1, own[q]}
        for q in wanted
    }
    options = {"low": low, "high": high, "per_positive": per_positive, "own": own}
    if any(len(free[q]) < wanted[q] for q in wanted):
        with pytest.raises(BadShape, match="have fewer candidates in those ranks"):
            sampled_negatives(lists, pairs, **options)
        return
    found = sampled_negatives(lists, pairs, **options, seed=3)
    assert found.dtype == np.int64
    assert not found[:, 2].any()
    keys = [(int(q), int(c)) for q, c, _ in found]
    assert keys == sorted(set(keys))
    assert all(c in free[q] for q, c in keys)
    assert {q: sum(one == q for one, _ in keys) for q in wanted} == wanted
    np.testing.assert_array_equal(found, sampled_negatives(lists, pairs, **options, seed=3))


def test_candidates_are_drawn_evenly():
    lists = {"a": np.arange(30)[None], "b": np.arange(5, 35)[None]}
    pairs = [[0, 12, 1], [0, 13, 1], [0, 14, 0]]
    times = np.zeros(35)
    for seed in range(2_000):
        drawn = sampled_negatives(lists, pairs, low=11, high=20, seed=seed)
        times[drawn[:, 1]] += 1
    free = [*range(10, 12), *range(14, 25)]
    assert set(np.flatnonzero(times)) == set(free)
    expected = 2_000 * 2 / len(free)
    assert (np.abs(times[free] - expected) < 5 * np.sqrt(expected)).all()


def rankings(seed, queries=6, items=700):
    scores = np.random.default_rng(seed).standard_normal((queries, items))
    return (-scores).argsort(axis=1).argsort(axis=1) + 1, scores


def judged(queries=6, items=700):
    random = np.random.default_rng(9)
    candidates = [random.choice(items, 5, replace=False) for _ in range(queries)]
    return np.array([(q, c, i < 3) for q, row in enumerate(candidates) for i, c in enumerate(row)])


def test_discovery_with_sampled_negatives():
    """The mean and spread over the draws, each scored as if it had been annotated."""
    ranks, scores = rankings(0)
    other, pairs = rankings(1)[0], judged()
    found = discovery(
        ranks, scores, pairs, negatives="sampled", baselines={"other": other}, repeats=4, seed=7
    )
    positive, areas = pairs[pairs[:, 2] == 1], []
    order = np.argsort(other, axis=1)
    for turn in range(4):
        drawn = sampled_negatives({"other": order}, pairs, seed=7 + turn)
        assert len(drawn) == len(positive)
        assert (other[drawn[:, 0], drawn[:, 1]] >= 100).all()
        assert (other[drawn[:, 0], drawn[:, 1]] <= 500).all()
        together = np.concatenate([positive, drawn])
        rows, items, _ = together.T
        areas.append(discovery_of_pairs(ranks[rows, items], scores[rows, items], together))
    for name in ("roc_auc_micro", "roc_auc_macro", "pr_auc_micro", "pr_auc_macro"):
        values = [getattr(one, name) for one in areas]
        assert getattr(found, name) == pytest.approx(np.mean(values), abs=1e-12)
        assert found.spread[name] == pytest.approx(np.std(values), abs=1e-12)
        assert found.per_query[name].mean == pytest.approx(np.mean(values), abs=1e-12)
    annotated = discovery(ranks, scores, pairs)
    assert found.hit_rate == annotated.hit_rate
    assert (found.negatives, annotated.negatives) == (len(positive), 12)


def test_baselines_may_be_ranks_or_positions():
    ranks, scores = rankings(0)
    other, pairs = rankings(1)[0], judged()
    lists = np.argsort(other, axis=1)
    ways = [{"other": other}, {"other": lists}, {"other": lists[:, :500]}]
    areas = [
        discovery(ranks, scores, pairs, negatives="sampled", baselines=way).roc_auc_micro
        for way in ways
    ]
    assert areas[0] == areas[1] == areas[2]
    alone = discovery(ranks, scores, pairs, negatives="sampled")
    same = discovery(ranks, scores, pairs, negatives="sampled", baselines={"own": ranks})
    assert alone.roc_auc_micro == same.roc_auc_micro


def test_the_query_itself_is_no_negative():
    ranks, scores = rankings(0, queries=1, items=500)
    own = [int(np.flatnonzero(ranks[0] == 300)[0])]
    order = {"it": np.argsort(ranks, axis=1)}
    free = np.setdiff1d(order["it"][0, 99:], own)
    candidates = np.setdiff1d(np.arange(500), own)[:200]
    pairs = [[0, c, 1] for c in candidates]
    drawn = sampled_negatives(order, pairs, own=own, per_positive=1, low=1, high=500)
    assert own[0] not in drawn[:, 1]
    assert len(free) == 400
    found = discovery(ranks, scores, pairs[:50], negatives="sampled", own=own)
    assert found.negatives == 50


def test_without_positives_there_are_no_negatives():
    ranks, scores = rankings(0)
    pairs = judged() * [1, 1, 0]
    assert sampled_negatives({"a": np.argsort(ranks, axis=1)}, pairs).shape == (0, 3)
    found = discovery(ranks, scores, pairs, negatives="sampled")
    assert np.isnan(found.roc_auc_micro)
    assert (found.positives, found.negatives) == (0, 0)


def test_too_small_a_gallery():
    ranks, scores = rankings(0, items=499)
    with pytest.raises(BadShape, match="lists of 499 items have no rank 500") as refused:
        discovery(ranks, scores, judged(items=499), negatives="sampled")
    assert "annotated" in refused.value.hint
    lists = {"a": np.tile(np.arange(12), (2, 1))}
    pairs = [[0, 1, 1], [0, 2, 1], [0, 3, 1], [1, 1, 1]]
    with pytest.raises(BadShape, match=r"1 of 2 queries have fewer .*query 0 has 2 of 3"):
        sampled_negatives(lists, pairs, low=11, high=12)


@pytest.mark.parametrize(
    ("rankings", "options", "kind", "message"),
    [
        ({}, {}, BadSpec, "of 0 baselines"),
        ({"a": np.zeros((1, 600), int)}, {"low": 0}, BadSpec, "from ranks 0 to 500"),
        ({"a": np.zeros((1, 600), int)}, {"low": 9, "high": 5}, BadSpec, "from ranks 9 to 5"),
        ({"a": np.zeros((1, 600), int)}, {"per_positive": 0}, BadSpec, "no 0 negatives"),
        ({"a": np.zeros(600, int)}, {}, BadShape, r"lists of shape \(600,\)"),
        ({"a": np.zeros((1, 600))}, {}, BadShape, "type float64"),
        ({"a": np.zeros((1, 99), int)}, {}, BadShape, "have no rank 500"),
        (
            {"a": np.zeros((1, 600), int), "b": np.zeros((2, 600), int)},
            {},
            BadShape,
            r"different numbers of queries: \[1, 2\]",
        ),
        ({"a": np.full((1, 600), -2)}, {}, BadShape, "600 of 600 positions are below -1"),
        ({"a": np.zeros((1, 600), int)}, {"own": [1, 2]}, BadShape, r"own of shape \(2,\)"),
    ],
)
def test_wrong_use(rankings, options, kind, message):
    with pytest.raises(kind, match=message):
        sampled_negatives(rankings, [[0, 1, 1]], **options)


def test_baselines_without_names_are_refused():
    ranks, scores = rankings(0)
    with pytest.raises(BadSpec, match="the baselines are ndarray and have no names"):
        discovery(ranks, scores, judged(), negatives="sampled", baselines=ranks)


def test_wrong_baselines():
    ranks, scores = rankings(0)
    lists = np.full((6, 500), 700)
    with pytest.raises(BadShape, match="position 700 in a gallery of 700 items"):
        discovery(ranks, scores, judged(), negatives="sampled", baselines={"a": lists})


def test_wrong_draws():
    with pytest.raises(BadSpec, match="not one draw of negatives"):
        discovery_of_pairs([1], [0.5], [[0, 0, 1]], sampled=[])
    pairs = [[0, 0, 1]]
    for drawn, scores, message in (
        ([[0, 1, 1]], [0.5], "labels that are not 0"),
        ([[1, 1, 0]], [0.5], "queries that are not from 0 to 0"),
        ([[0, 1, 0]], [0.5, 0.6], "scores of shape"),
        ([[0, 1, 0]], [np.nan], "NaN or infinite"),
    ):
        with pytest.raises(BadShape, match=message):
            discovery_of_pairs([1], [0.5], pairs, sampled=[(drawn, scores)])
