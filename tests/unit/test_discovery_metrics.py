"""HR@k, MRR@k and areas against their definitions, scikit-learn, and their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

import reference.discovery as slow
from likelens.metrics import (
    compare_pairs,
    discovery,
    discovery_of_pairs,
    pr_auc,
    roc_auc,
)
from likelens.metrics._areas import pr_areas, roc_areas
from likelens.values.errors import BadShape, BadSpec

KS = (1, 2, 5, 9)
NAMES = ("roc_auc_micro", "roc_auc_macro", "pr_auc_micro", "pr_auc_macro")


@st.composite
def judged(draw):
    """Ranks, scores with ties, judgements of some pairs in any order, products."""
    queries, items = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.sampled_from([1, 3, 1000]))
    scores = random.integers(0, kinds, (queries, items)) / 8
    ranks = (-scores).argsort(axis=1, kind="stable").argsort(axis=1) + 1
    every = np.stack(np.meshgrid(range(queries), range(items), indexing="ij"), -1).reshape(-1, 2)
    count = draw(st.integers(1, len(every)))
    pairs = random.permutation(every)[:count]
    labels = random.random(count) < draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    products = [None if one == 4 else int(one) for one in random.integers(0, 5, items)]
    theirs = [None if one >= 4 else int(one) for one in random.integers(0, 6, queries)]
    return ranks, scores, np.column_stack([pairs, labels]), products, theirs


def same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=150, deadline=None)
@given(judged())
def test_equals_the_definitions(drawn):
    ranks, scores, pairs, products, theirs = drawn
    plain = [(q, ranks[q, c], label) for q, c, label in pairs]
    lists = [slow.shown(row, products, own) for row, own in zip(ranks, theirs, strict=True)]
    deduped = [(q, lists[q].get(c), label) for q, c, label in pairs]
    cases = (
        ({"definition": "paper"}, plain),
        ({"definition": "paper", "products": products, "query_products": theirs}, plain),
        ({"definition": "release"}, plain),
        ({"definition": "release", "products": products, "query_products": theirs}, deduped),
    )
    for options, expected in cases:
        found = discovery(ranks, scores, pairs, k=KS, **options)
        for k in KS:
            same(found.hit_rate[k], slow.hits(expected, k, options["definition"], False))
            same(found.mrr[k], slow.hits(expected, k, options["definition"], True))
            same(found.per_query[f"hit_rate@{k}"].mean, found.hit_rate[k])
            same(found.per_query[f"mrr@{k}"].mean, found.mrr[k])
        check_areas(found, [(q, scores[q, c], label) for q, c, label in pairs])
        check_counts(found, pairs, len(ranks))


def check_areas(found, pairs):
    alone = [(score, label) for _, score, label in pairs]
    same(found.roc_auc_micro, slow.roc_auc(alone))
    same(found.pr_auc_micro, slow.pr_auc(alone))
    same(found.roc_auc_macro, slow.macro(slow.roc_auc, pairs))
    same(found.pr_auc_macro, slow.macro(slow.pr_auc, pairs))
    for name in NAMES:
        same(found.per_query[name].mean, getattr(found, name))


def check_counts(found, pairs, queries):
    good, bad = pairs[pairs[:, 2] == 1], pairs[pairs[:, 2] == 0]
    asked = set(pairs[:, 0])
    assert (found.positives, found.negatives, found.queries) == (len(good), len(bad), len(asked))
    assert found.left_out == (len(asked - set(good[:, 0])), len(asked - set(bad[:, 0])))
    assert found.spread == {}
    assert all(len(one.per_query) == queries for one in found.per_query.values())


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 60), st.sampled_from([1, 4, 10**6]), st.integers(0, 2**32 - 1))
def test_areas_equal_scikit_learn(count, kinds, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    labels[:2] = 0, 1
    for dtype in (np.float32, np.float64):
        scores = (random.integers(-kinds, kinds, count) / 7).astype(dtype)
        same(roc_auc(labels, scores), roc_auc_score(labels, scores))
        same(pr_auc(labels, scores), average_precision_score(labels, scores))


def test_areas_of_one_kind_only():
    assert math.isnan(roc_auc([1, 1], [0.1, 0.2]))
    assert math.isnan(roc_auc([0, 0], [0.1, 0.2]))
    assert math.isnan(pr_auc([0], [0.1]))
    assert pr_auc([1], [0.1]) == 1.0
    assert math.isnan(roc_auc([], []))
    assert math.isnan(pr_auc([], []))


@pytest.mark.parametrize(
    ("areas", "theirs"), [(roc_areas, roc_auc_score), (pr_areas, average_precision_score)]
)
def test_values_per_query_of_a_micro_area_say_how_each_query_moves_it(areas, theirs):
    random = np.random.default_rng(5)
    queries, labels = random.integers(0, 9, 80), random.integers(0, 2, 80)
    scores = random.integers(0, 12, 80) / 12
    found = areas(labels, scores, queries, 10)
    assert np.isnan(found.micro.per_query[9])
    for query in range(9):
        more, less = np.ones(80), np.ones(80)
        more[queries == query] += 1e-5
        less[queries == query] -= 1e-5
        change = theirs(labels, scores, sample_weight=more)
        change -= theirs(labels, scores, sample_weight=less)
        assert found.micro.per_query[query] == pytest.approx(found.area + 9 * change / 2e-5, 1e-5)


def shop(seed=0, queries=120, items=60, each=20, lift=0.3):
    """A synthetic evaluation: ranks, scores, judgements, some queries with far more positives."""
    random = np.random.default_rng(seed)
    rate = random.beta(1.0, 3.0, queries)
    scores = random.standard_normal((queries, items))
    pairs = np.array(
        [
            (q, c, random.random() < rate[q])
            for q in range(queries)
            for c in random.choice(items, random.integers(5, each), replace=False)
        ]
    )
    scores[pairs[:, 0], pairs[:, 1]] += lift * pairs[:, 2] + 0.5 * rate[pairs[:, 0]]
    return (-scores).argsort(axis=1).argsort(axis=1) + 1, scores, pairs


def test_intervals_are_those_of_drawing_queries_anew():
    """Against the bootstrap itself, written as a loop that copies the pairs of drawn queries."""
    ranks, scores, pairs = shop()
    found = discovery(ranks, scores, pairs, k=5)
    random, drawn = np.random.default_rng(1), {name: [] for name in found.per_query}
    rows = [np.flatnonzero(pairs[:, 0] == query) for query in range(len(ranks))]
    for _ in range(400):
        chosen = random.integers(0, len(rows), len(rows))
        taken = np.concatenate([rows[query] for query in chosen])
        copies = np.repeat(np.arange(len(chosen)), [len(rows[query]) for query in chosen])
        asked, candidates, labels = pairs[taken].T
        again = discovery_of_pairs(
            ranks[asked, candidates],
            scores[asked, candidates],
            np.column_stack([copies, candidates, labels]),
            k=5,
        )
        for name, values in drawn.items():
            values.append(again.per_query[name].mean)
    for name, values in drawn.items():
        low, high = found.interval(name)
        error = np.std(values)
        assert (high - low) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.2), name
        assert [low, high] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.6 * error), (
            name
        )


def test_intervals_are_seeded_and_named():
    found = discovery(*shop(), k=(5,))
    assert found.interval("mrr@5") == found.interval("mrr@5")
    wide, narrow = found.interval("pr_auc_micro", 0.99), found.interval("pr_auc_micro", 0.8)
    assert wide[0] < narrow[0] < found.pr_auc_micro < narrow[1] < wide[1]
    with pytest.raises(BadSpec, match="no metric 'roc_auc'") as refused:
        found.interval("roc_auc")
    assert "roc_auc_micro" in refused.value.hint


def test_metrics_can_be_paired():
    ranks, scores, pairs = shop(lift=1.5)
    noise = scores + np.random.default_rng(3).standard_normal(scores.shape)
    worse = (-noise).argsort(axis=1).argsort(axis=1) + 1
    good, bad = discovery(ranks, scores, pairs), discovery(worse, noise, pairs)
    for name in good.per_query:
        tests = compare_pairs({"good": good.per_query[name], "bad": bad.per_query[name]})
        gap = good.per_query[name].mean - bad.per_query[name].mean
        assert tests.difference[0, 1] == pytest.approx(gap)
        assert tests.p[0, 1] < 0.05, name


def test_a_worked_example():
    """One query, k = 3: positives at ranks 1 and 4, another query with one at rank 2."""
    pairs = [[0, 0, 1], [0, 3, 1], [1, 1, 1]]
    ranks = [[1, 2, 3, 4], [1, 2, 3, 4]]
    scores = -np.array(ranks, float)
    paper = discovery(ranks, scores, pairs, k=3)
    assert paper.hit_rate[3] == pytest.approx(2 / 3)
    assert paper.mrr[3] == pytest.approx((1 + 1 / 2) / 3)
    release = discovery(ranks, scores, pairs, k=3, definition="release")
    assert release.hit_rate[3] == pytest.approx(2 / (3 * 2))
    assert release.mrr[3] == pytest.approx((1 + 1 / 2) / (2 * (1 + 1 / 2 + 1 / 3)))


def test_own_item_is_taken_out():
    ranks = np.array([[1, 2, 3], [3, 1, 2]])
    scores = -ranks.astype(float)
    scores[1, 1] = np.inf
    found = discovery(ranks, scores, [[0, 1, 1], [1, 0, 1]], k=(1, 2), own=[0, 1])
    assert found.hit_rate == {1: 0.5, 2: 1.0}
    with pytest.raises(BadShape, match=r"1 of 1 judgements have the query itself as candidate"):
        discovery(ranks, scores, [[0, 0, 1]], own=[0, 1])


def test_a_query_that_is_an_item_has_its_product():
    nan = float("nan")
    for products in (["x", "x", "y", "y"], ["x", "x", nan, nan]):
        found = discovery(
            [[1, 2, 3, 4]],
            [[0.9, 0.8, 0.7, 0.6]],
            [[0, 1, 1], [0, 2, 1], [0, 3, 1]],
            k=2,
            definition="release",
            products=products,
            own=[0],
        )
        # the second item is of the query's product; the last two are one product, or two
        assert found.hit_rate[2] == (1 / 2 if products[2] == "y" else 2 / 2)


def test_identical_duplicates_count_once():
    ranks, scores, pairs = shop(queries=5)
    doubled = np.concatenate([pairs, pairs[::2]])
    found, again = (discovery(ranks, scores, given) for given in (pairs, doubled))
    assert (found.hit_rate, found.roc_auc_micro) == (again.hit_rate, again.roc_auc_micro)
    assert again.positives == (pairs[:, 2] == 1).sum()


def test_one_pair_and_no_positives_or_negatives():
    one = discovery([[1]], [[0.5]], [[0, 0, 1]])
    assert one.hit_rate == {5: 1.0, 9: 1.0}
    assert math.isnan(one.roc_auc_micro)
    assert math.isnan(one.pr_auc_micro)
    assert all(math.isnan(end) for end in one.interval("hit_rate@5"))
    none = discovery([[1, 2]], [[0.5, 0.4]], [[0, 0, 0], [0, 1, 0]])
    assert math.isnan(none.hit_rate[5])
    assert math.isnan(none.pr_auc_macro)
    assert none.left_out == (1, 0)


def test_arguments_are_not_changed():
    ranks, scores, pairs = shop(queries=4)
    kept = [array.copy() for array in (ranks, scores, pairs)]
    discovery(ranks, scores, pairs[pairs[:, 1] != 59], own=[59, -1, -1, -1])
    discovery_of_pairs(ranks[tuple(pairs.T[:2])], scores[tuple(pairs.T[:2])], pairs)
    for before, after in zip(kept, (ranks, scores, pairs), strict=True):
        np.testing.assert_array_equal(before, after)


RANKS, SCORES = [[1, 2, 3]], [[0.3, 0.2, 0.1]]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 0, 2], [0, 1, 1]], r"1 of 2 judgements have labels that are not 0 or 1.*row 0"),
        ([[0, 0, 0.5]], r"1 of 1 judgements have labels"),
        ([[0, 0, -1]] * 5, r"5 of 5 judgements have labels .* and 2 more"),
        ([[0, 0, math.nan]], "labels that are not 0 or 1"),
        ([[1, 0, 1]], r"1 of 1 judgements have queries that are not from 0 to 0"),
        ([[0, 3, 1], [0, 1, 1]], r"1 of 2 judgements have candidates that are not from 0 to 2"),
        ([[0, -1, 1]], "candidates that are not from 0 to 2"),
        ([[0, 1.5, 1]], "candidates that are not"),
        ([[0, 0, 1], [0, 1, 0], [0, 0, 0]], r"1 of 3 judgements have another label than the same"),
        ([], "there are no judgements"),
        (np.zeros((0, 3)), "there are no judgements"),
        ([[0, 1]], r"judgements of shape \(1, 2\)"),
        ([["a", "b", "1"]], "judgements of shape"),
    ],
)
def test_wrong_judgements(pairs, message):
    with pytest.raises(BadShape, match=message):
        discovery(RANKS, SCORES, pairs)


@pytest.mark.parametrize(
    ("ranks", "scores", "message"),
    [
        ([[0, 1, 2]], SCORES, r"1 of 3 ranks are not whole numbers from 1 up: 0"),
        ([[1.5, 1, 2]], SCORES, "1 of 3 ranks are not whole"),
        ([[math.nan, 1, 2]], SCORES, "1 of 3 ranks are not whole"),
        ([[1, 2]], SCORES, r"ranks of shape \(1, 2\)"),
        (RANKS, [0.3, 0.2, 0.1], r"scores of shape \(3,\)"),
        (RANKS, [[0.3, math.nan, 0.1]], r"1 of 2 scores are NaN or infinite: pairs 1"),
    ],
)
def test_wrong_rankings(ranks, scores, message):
    with pytest.raises(BadShape, match=message):
        discovery(ranks, scores, [[0, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k = 0"),
        ({"k": ()}, "no cut-offs"),
        ({"k": (5, True)}, "no cut-offs"),
        ({"k": 5.0}, "no cut-offs"),
        ({"definition": "printed"}, "'printed' is no definition"),
        ({"negatives": "all"}, "no 'all' negatives"),
        ({"negatives": "sampled", "repeats": 0}, "in 0 repeats"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(BadSpec, match=message):
        discovery(RANKS, SCORES, [[0, 0, 1]], **options)


def test_wrong_arrays_beside_pairs():
    with pytest.raises(BadShape, match="ranks of shape"):
        discovery_of_pairs([1], [0.5, 0.4], [[0, 0, 1], [0, 1, 0]])
    with pytest.raises(BadShape, match="scores of shape"):
        discovery_of_pairs([1, 2], [0.5], [[0, 0, 1], [0, 1, 0]])
    with pytest.raises(BadShape, match="ranks are not whole numbers from 1 up: 0"):
        discovery_of_pairs([0], [0.5], [[0, 0, 1]])
    assert discovery_of_pairs([0], [0.5], [[0, 0, 1]], definition="release").hit_rate[5] == 0.0
    with pytest.raises(BadShape, match="products of 3 items"):
        discovery(
            RANKS, SCORES, [[0, 0, 1]], definition="release", products=[1], query_products=[1]
        )
    with pytest.raises(BadShape, match="labels are neither 0 nor 1: 2 of pair 1"):
        roc_auc([1, 2], [0.1, 0.2])
    with pytest.raises(BadShape, match="labels of shape"):
        pr_auc([[1]], [0.1])
