"""Metrics of ranked lists against their definitions, ir-measures, and their edges."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Rprec, Success, nDCG

import reference.retrieval as slow
import strategies
from likelens.metrics import (
    average_precision,
    by_class,
    cmc,
    hit_rate,
    map_at_r,
    ndcg,
    precision,
    r_precision,
    recall,
    reciprocal_rank,
)
from likelens.values.errors import BadShape, BadSpec
from likelens.values.scores import QueryScores


def rows(function, gains, *columns):
    return [function(row, *rest) for row, *rest in zip(gains > 0, *columns, strict=True)]


@settings(max_examples=150, deadline=None)
@given(strategies.gains(), st.booleans())
def test_equals_the_definitions(drawn, graded):
    gains, ideal, k = drawn
    if not graded:
        gains = gains > 0
    count = (ideal > 0).sum(axis=1)
    known = np.where(count > 0, 1.0, np.nan)

    def check(scores, expected):
        np.testing.assert_allclose(scores.per_query, expected, atol=1e-12)

    check(precision(gains, k), rows(lambda h: slow.precision_at(h, k), gains))
    check(precision(gains, k, count), known * rows(lambda h: slow.precision_at(h, k), gains))
    check(recall(gains, k, count), rows(lambda h, n: slow.recall_at(h, k, n), gains, count))
    check(hit_rate(gains, k), rows(lambda h: slow.hit_at(h, k), gains))
    check(hit_rate(gains, k, count), known * rows(lambda h: slow.hit_at(h, k), gains))
    check(cmc(gains, k), hit_rate(gains, k).per_query)
    check(reciprocal_rank(gains), rows(slow.reciprocal_rank, gains))
    check(reciprocal_rank(gains, k), rows(lambda h: slow.reciprocal_rank(h, k), gains))
    check(average_precision(gains, count), rows(slow.average_precision, gains, count))
    check(
        average_precision(gains, count, k),
        rows(lambda h, n: slow.average_precision(h, n, k), gains, count),
    )
    check(
        average_precision(gains, count, k, denominator="reachable"),
        rows(lambda h, n: slow.average_precision(h, n, k, True), gains, count),
    )
    whole = np.pad(gains, ((0, 0), (0, ideal.shape[1] - gains.shape[1])))
    check(map_at_r(whole, count), rows(slow.map_at_r, whole, count))
    check(
        r_precision(whole, count),
        rows(lambda h, n: slow.recall_at(h, n, n), whole, count),
    )


@settings(max_examples=100, deadline=None)
@given(strategies.gains())
def test_exponential_gains(drawn):
    gains, ideal, k = drawn
    expected = [slow.exponential_ndcg(g, k, b) for g, b in zip(gains, ideal, strict=True)]
    found = ndcg(gains, k, ideal, gain="exponential").per_query
    np.testing.assert_allclose(found, expected, atol=1e-12)
    flat = ndcg(gains > 0, k, ideal > 0).per_query
    np.testing.assert_allclose(ndcg(gains > 0, k, ideal > 0, "exponential").per_query, flat)


QUERIES, ITEMS, CUTS = 60, 40, (1, 3, 10, 40)


def a_run(seed):
    """Grades, scores with many ties, and how many items each query's list returned.

    Every seventh query has nothing relevant, every fifth returns nothing, and most lists
    are shorter than the gallery.
    """
    random = np.random.default_rng(seed)
    grades = random.integers(0, 4, (QUERIES, ITEMS)) * (random.random((QUERIES, ITEMS)) < 0.4)
    grades[::7] = 0
    scores = random.integers(0, 6, (QUERIES, ITEMS)) / 8
    returned = random.integers(1, ITEMS + 1, QUERIES)
    returned[::5] = 0
    returned[1] = ITEMS
    return grades, scores, returned


@pytest.mark.parametrize("seed", range(4))
def test_equals_ir_measures(seed):
    """On runs with ties, missing queries, nothing relevant, and short lists.

    trec_eval breaks ties by the id, the largest first; so ids fall with the position, and
    ties go by position in both.
    """
    grades, scores, returned = a_run(seed)
    names = [f"d{ITEMS - item:03}" for item in range(ITEMS)]
    order = np.argsort(-scores, axis=1, kind="stable")
    qrels = [
        ir_measures.Qrel(f"q{q}", names[i], int(grades[q, i]))
        for q in range(QUERIES)
        for i in range(ITEMS)
    ]
    run = [
        ir_measures.ScoredDoc(f"q{q}", names[i], float(scores[q, i]))
        for q in range(QUERIES)
        for i in order[q, : returned[q]]
    ]
    gains = np.take_along_axis(grades, order, axis=1)
    gains = gains * (np.arange(ITEMS) < returned[:, None])
    relevant, ideal = (grades > 0).sum(axis=1), -np.sort(-grades, axis=1)
    ours = {
        AP: average_precision(gains, relevant),
        RR: reciprocal_rank(gains, relevant=relevant),
        Rprec: r_precision(gains, relevant),
        nDCG: ndcg(gains, ITEMS, ideal),
    }
    for k in CUTS:
        ours |= {
            P @ k: precision(gains, k, relevant),
            R @ k: recall(gains, k, relevant),
            AP @ k: average_precision(gains, relevant, k),
            nDCG @ k: ndcg(gains, k, ideal),
            Success @ k: hit_rate(gains, k, relevant),
        }
    plain = [
        ir_measures.ScoredDoc(f"q{q}", names[i], -float(rank))
        for q in range(QUERIES)
        for rank, i in enumerate(order[q, : returned[q]])
    ]  # RR@k comes from another library, which breaks ties its own way
    cut = {RR @ k: reciprocal_rank(gains, k, relevant) for k in CUTS}
    for measure, scored in (ours | cut).items():
        given_run = plain if measure in cut else run
        theirs = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, given_run)}
        assert len(theirs) == QUERIES
        expected = np.array([theirs[f"q{q}"] for q in range(QUERIES)])
        assert not expected[relevant == 0].any()
        expected[relevant == 0] = np.nan
        np.testing.assert_allclose(scored.per_query, expected, atol=1e-9, err_msg=str(measure))
        assert scored.missing == (relevant == 0).sum()
        assert scored.mean == pytest.approx(np.nanmean(expected), abs=1e-9)


def test_the_case_of_the_metric_learning_reality_check():
    """Ten relevant items: retrieval that R-precision cannot tell apart, and MAP@R can."""
    late, early = np.zeros((2, 10))
    late[9], early[0] = 1, 1
    found = map_at_r([late, early, np.ones(10)], [10, 10, 10])
    np.testing.assert_allclose(found.per_query, [0.01, 0.1, 1.0])
    np.testing.assert_allclose(r_precision([late, early], [10, 10]).per_query, [0.1, 0.1])


def test_three_denominators_of_average_precision():
    gains, relevant = [[1, 1, 1, 0, 0]], [10]
    assert average_precision(gains, relevant, 3).mean == pytest.approx(0.3)
    assert average_precision(gains, relevant, 3, denominator="reachable").mean == 1.0
    assert average_precision(np.pad(gains, ((0, 0), (0, 5))), relevant).mean == pytest.approx(0.3)


def test_edges():
    for metric in (precision, hit_rate, cmc, reciprocal_rank):
        assert metric([[0, 0]], 2).per_query.tolist() == [0.0]
        assert np.isnan(metric([[0, 0]], 2, [0]).per_query).tolist() == [True]
        assert metric(np.zeros((0, 2)), 1).per_query.shape == (0,)
    for metric in (average_precision, r_precision, map_at_r):
        assert metric(np.zeros((0, 2)), []).per_query.shape == (0,)
        assert metric([[1, 1, 0]], [2]).mean == 1.0
        assert metric([[0, 0, 0]], [2.0]).mean == 0.0
        assert np.isnan(metric([[0, 0, 0]], np.zeros(1, np.uint8)).mean)
    assert recall([[0.25, 0.0]], 1, [1]).mean == 1.0
    assert precision(np.array([[True, False]]), 2).mean == 0.5


def test_wrong_use():
    for k in (0, 3, 1.0, True):
        with pytest.raises(BadShape, match=r"k = .* for lists of 2 items"):
            precision([[1, 0]], k)
    with pytest.raises(BadShape, match="not at least 0: rows 1"):
        hit_rate([[1.0], [-1.0]], 1)
    with pytest.raises(BadShape, match="NaN or infinity: rows 0"):
        average_precision([[np.nan]], [1])
    with pytest.raises(BadShape, match="more relevant items were returned than there are: rows 1"):
        recall([[1, 0], [1, 1]], 2, [1, 1])
    with pytest.raises(BadShape, match="more relevant items than the 2 ranks of the lists: rows 0"):
        map_at_r([[1, 0]], [3])
    for relevant in ([1, 2], [-1], [0.5], [np.inf], ["two"], 3):
        with pytest.raises(BadShape, match="relevant"):
            recall([[1, 0]], 1, relevant)
    with pytest.raises(BadSpec, match="'all' is no denominator"):
        average_precision([[1]], [1], denominator="all")
    with pytest.raises(BadSpec, match="'log' is no kind of gain"):
        ndcg([[1.0]], 1, [[1.0]], gain="log")
    with pytest.raises(BadShape, match="too large"):
        ndcg([[5_000.0]], 1, [[5_000.0]], gain="exponential")


def test_macro_and_micro():
    scores = QueryScores([1.0, 0.0, 0.5, np.nan, 0.3, np.nan, 0.9])
    found = by_class(scores, ["b", "b", "a", "a", None, "c", "b"])
    assert list(found.classes) == ["a", "b", "c"]
    assert found.classes["a"].mean == 0.5
    assert found.classes["a"].missing == 1
    assert found.macro == pytest.approx((0.5 + 1.9 / 3) / 2)
    assert found.micro == pytest.approx(2.4 / 4)
    low, high = found.classes["b"].interval()
    assert low < found.classes["b"].mean < high


def test_macro_without_classes():
    none = by_class(QueryScores([0.5]), [None])
    assert none.classes == {}
    assert np.isnan(none.macro)
    assert np.isnan(none.micro)
    with pytest.raises(BadShape, match="2 labels for 1 queries"):
        by_class(QueryScores([0.5]), ["a", "b"])
