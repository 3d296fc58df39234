"""Paired tests and the ranks that follow from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import reference.metrics as slow
from likelens.metrics import _significance as module
from likelens.metrics import compare_pairs, corrembed, shared_ranks
from likelens.values.errors import BadShape, BadSpec
from likelens.values.scores import ITEMS, QUERIES, QueryScores


def random_scores(seed: int, count: int = 200, **means: float) -> dict[str, QueryScores]:
    """Encoders that share most of their luck with each query."""
    random = np.random.default_rng(seed)
    shared = random.standard_normal(count)
    return {
        name: QueryScores(mean + shared + 0.3 * random.standard_normal(count))
        for name, mean in means.items()
    }


def test_p_of_two_encoders_is_that_of_the_paired_t_test():
    scores = random_scores(0, a=0.1, b=0.0)
    tests = compare_pairs(scores, resamples=200_000)
    expected = stats.ttest_rel(scores["a"].per_query, scores["b"].per_query)
    assert 0.001 < expected.pvalue < 0.2
    assert tests.p[0, 1] == pytest.approx(expected.pvalue, rel=0.1)
    difference = scores["a"].per_query - scores["b"].per_query
    assert tests.difference[0, 1] == pytest.approx(difference.mean())
    assert tests.covers == QUERIES


def test_few_queries_give_the_exact_permutation_test():
    values = np.array([0.3, 0.1, -0.05, 0.2, 0.4])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1)
    exact = np.mean(np.abs(values @ signs) >= values.sum() - 1e-12)
    tests = compare_pairs({"a": QueryScores(values), "b": QueryScores(np.zeros(5))})
    assert tests.p[0, 1] == pytest.approx(exact, abs=0.01)


def test_p_is_uniform_where_nothing_differs():
    found = [
        compare_pairs(random_scores(seed, 40, a=0.0, b=0.0), seed=seed, resamples=400).p[0, 1]
        for seed in range(300)
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_p_is_uniform_where_the_gallery_is_drawn_too():
    """Two encoders equally good on the shop; each catalogue is a draw of items."""
    shape = np.random.default_rng(7).standard_normal((6, 16))
    found = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        kind = random.integers(0, 6, 80)
        clean, tags = shape[kind], np.eye(6)[kind]
        scores = {
            name: corrembed(
                clean + 2 * random.standard_normal((80, 16)), tags, self_pairs="exclude"
            )
            for name in "ab"
        }
        tests = compare_pairs(scores, seed=seed, resamples=400)
        assert tests.covers == ITEMS
        found.append(tests.p[0, 1])
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) < 0.1) < 0.18


@settings(max_examples=20, deadline=None)
@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 1_000))
def test_symmetric_and_free_of_the_order_of_encoders(order, seed):
    scores = random_scores(seed, 30, a=0.0, b=0.1, c=0.2, d=0.0)
    scores["c"].per_query[3] = np.nan
    first = compare_pairs(scores, resamples=300)
    second = compare_pairs({name: scores[name] for name in order}, resamples=300)
    place = [first.names.index(name) for name in order]
    for field in ("difference", "p", "p_holm", "left_out"):
        matrix = getattr(first, field)
        np.testing.assert_array_equal(matrix[np.ix_(place, place)], getattr(second, field))
    np.testing.assert_array_equal(first.p, first.p.T)
    np.testing.assert_array_equal(first.difference, -first.difference.T)
    assert (np.diag(first.p) == 1.0).all()
    assert shared_ranks(first) == shared_ranks(second)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0001, 1.0), min_size=1, max_size=12))
def test_holm_equals_its_definition(p):
    np.testing.assert_allclose(module._holm(np.array(p)), slow.holm(p))


def test_queries_without_a_score_are_left_out_and_counted():
    scores = random_scores(1, a=0.1, b=0.0)
    scores["a"].per_query[:5] = np.nan
    scores["b"].per_query[3:9] = np.nan
    tests = compare_pairs(scores)
    common = scores["a"].per_query[9:] - scores["b"].per_query[9:]
    assert tests.difference[0, 1] == pytest.approx(common.mean())
    assert tests.left_out.tolist() == [[5, 9], [9, 6]]


def test_items_lost_by_one_encoder_only_keep_their_part_of_the_gallery():
    random = np.random.default_rng(0)
    kind = random.integers(0, 5, 90)
    images = np.eye(5)[kind] + 0.5 * random.standard_normal((90, 5))
    worse = images + random.standard_normal((90, 5))
    worse[:6] = 0.0
    tags = np.eye(5)[kind]
    scores = {"good": corrembed(images, tags), "worse": corrembed(worse, tags)}
    tests = compare_pairs(scores)
    assert tests.left_out[0, 1] == 6
    common = scores["good"].per_query[6:] - scores["worse"].per_query[6:]
    assert tests.difference[0, 1] == pytest.approx(common.mean())
    assert tests.p[0, 1] < 0.001
    values, mean, _ = module._difference(scores["good"], scores["worse"])
    assert values.mean() == pytest.approx(mean)
    without = []
    for item in range(90):
        left = [np.delete(vectors, item, 0) for vectors in (images, worse)]
        good, bad = (corrembed(vectors, np.delete(tags, item, 0)).per_query for vectors in left)
        without.append(np.nanmean(good - bad))
    expected = 89 * (mean - np.array(without))
    slope, level = np.polyfit(expected - expected.mean(), values, 1)
    assert (slope, level) == pytest.approx((1.0, mean), abs=0.02)


def test_shared_ranks():
    scores = random_scores(2, best=0.5, good=0.49, fair=0.2, poor=-1.0)
    ranks = shared_ranks(compare_pairs(scores))
    assert ranks == {"best": 1, "good": 1, "fair": 3, "poor": 4}
    assert list(ranks) == ["best", "good", "fair", "poor"]
    scores["none"] = QueryScores(np.full(200, np.nan))
    assert list(shared_ranks(compare_pairs(scores)).items())[-1] == ("none", 5)


def test_places_never_fall_down_a_board():
    """A noisy encoder of middling mean is beaten by fewer than a steady one above it."""
    draw = np.random.default_rng(0)
    steady = draw.normal(0.5, 0.01, 60)
    scores = {
        "top": QueryScores(steady + 0.02),
        "steady": QueryScores(steady),
        "noisy": QueryScores(np.tile([0.88, 0.08], 30)),
        "none": QueryScores(np.full(60, np.nan)),
    }
    tests = compare_pairs(scores)
    ranks = shared_ranks(tests)
    assert tests.means[1] > tests.means[2]
    assert (ranks["noisy"], ranks["steady"]) == (1, 2)
    assert list(ranks) == ["top", "noisy", "steady", "none"]
    assert list(ranks.values()) == sorted(ranks.values())


def test_p_is_never_zero():
    scores = {"a": QueryScores(np.linspace(5, 6, 50)), "b": QueryScores(np.linspace(0, 1, 50))}
    assert compare_pairs(scores, resamples=99).p[0, 1] == 0.01


def test_edges():
    same = QueryScores([0.1, 0.4, 0.2])
    tests = compare_pairs({"a": same, "b": same})
    assert tests.p.tolist() == tests.p_holm.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert shared_ranks(tests) == {"a": 1, "b": 1}
    alone = compare_pairs({"a": same})
    assert alone.p.tolist() == [[1.0]]
    assert shared_ranks(alone) == {"a": 1}
    one = compare_pairs({"a": QueryScores([0.5]), "b": QueryScores([0.1])})
    assert one.p[0, 1] == 1.0
    assert one.difference[0, 1] == pytest.approx(0.4)
    apart = compare_pairs({"a": QueryScores([0.5, np.nan]), "b": QueryScores([np.nan, 0.1])})
    assert np.isnan(apart.difference[0, 1])
    assert apart.p[0, 1] == 1.0
    assert not apart.better().any()


def test_wrong_use():
    with pytest.raises(BadShape, match=r"cannot be paired: \[1, 2\]"):
        compare_pairs({"a": QueryScores([0.5]), "b": QueryScores([0.5, 0.5])})
    with pytest.raises(BadSpec, match="no tests of 0 encoders"):
        compare_pairs({})
    with pytest.raises(BadSpec, match="0 resamples"):
        compare_pairs({"a": QueryScores([0.5])}, resamples=0)


def test_chunks_and_groups_change_little(monkeypatch):
    scores = random_scores(3, 3_000, a=0.015, b=0.0)
    whole = compare_pairs(scores).p[0, 1]
    assert 0.01 < whole < 0.3
    monkeypatch.setattr(module, "CHUNK_SIGNS", 10_000)
    assert compare_pairs(scores).p[0, 1] == pytest.approx(whole, rel=0.15)
    monkeypatch.setattr(module, "GROUPS", 500)
    assert compare_pairs(scores).p[0, 1] == pytest.approx(whole, rel=0.3)


def test_enough_signs_for_holm_by_default():
    """With 40 encoders the least p must still pass Holm's correction."""
    scores = {f"{i}": QueryScores(np.full(30, float(i))) for i in range(40)}
    tests = compare_pairs(scores)
    assert tests.p_holm[0, 39] < 0.05
    assert list(shared_ranks(tests).values()) == list(range(1, 41))
