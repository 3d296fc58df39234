"""Ranking all against all, and every metric of it, against slow and plain versions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.retrieval as slow
from likelens import (
    Catalogue,
    JudgedRelevance,
    Judgements,
    LabelRelevance,
    TagRelevance,
    Tags,
    build_index,
    choose_queries,
    embed,
    measure,
    measure_rankings,
    metrics,
    rank_with,
)
from likelens import _ranking as ranking
from likelens.values.errors import BadShape, BadTable


def lattice(random, count, width=16):
    """Rows of plus and minus one over sixteen dimensions, whose cosines are exact in float32.

    Few kinds of row, so that many scores tie between equal and between different rows;
    some rows are zero, and rows differ in length by powers of two.
    """
    kinds = random.choice([-1.0, 1.0], (max(1, count // 2), width))
    kinds[random.random(len(kinds)) < 0.2] = 0.0
    rows = kinds[random.integers(0, len(kinds), count)]
    return rows * 2.0 ** random.integers(-2, 3, (count, 1))


def expected_of(vectors, relevance, query, query_vector, k):
    """Every metric of one query, the slow way."""
    order, scores = slow.ranking(vectors, query_vector, relevance.own[query])
    one, positions = np.array([query]), np.array([order], np.int64).reshape(1, -1)
    gains = relevance.gains(one, positions)[0]
    hits = relevance.is_relevant(gains).tolist()
    count = int(relevance.relevant(one)[0])
    hits += [False] * max(0, k + count - len(hits))
    padded = np.pad(gains, (0, k))
    ideal = -np.sort(-gains)
    ideal = np.pad(ideal, (0, k))
    if not count:
        return order, scores, None
    return order, scores, {
        f"P@{k}": slow.precision_at(hits, k),
        f"R@{k}": slow.recall_at(hits, k, count),
        f"HR@{k}": slow.hit_at(hits, k),
        f"MRR@{k}": slow.reciprocal_rank(hits, k),
        f"mAP@{k}": slow.average_precision(hits, count, k),
        f"nDCG@{k}": metrics.ndcg(padded[None], k, ideal[None]).mean,
        "mAP": slow.average_precision(hits, count),
        "MRR": slow.reciprocal_rank(hits),
        "R-precision": slow.precision_at(hits, count),
        "MAP@R": slow.map_at_r(hits, count),
    }  # fmt: skip


def check(found, vectors, relevance, asked, k):
    assert found.rankings.depth >= k
    ties = []
    for place, query in enumerate(found.queries):
        order, scores, expected = expected_of(vectors, relevance, query, asked[query], k)
        listed = found.rankings.positions[place, :k].tolist()
        assert listed == (order + [-1] * k)[:k]
        close = found.rankings.scores[place, : min(k, len(order))]
        np.testing.assert_allclose(close, scores[:k], atol=2e-6)
        assert np.isnan(found.rankings.scores[place, len(order) : k]).all()
        ties.append(len(scores) > k and scores[k - 1] == scores[k])
        for name, scored in found.scores.items():
            value = scored.per_query[place]
            if expected is None:
                assert np.isnan(value)
            elif name in expected:
                assert value == pytest.approx(expected[name], abs=1e-12), name
    assert found.ties[k] == pytest.approx(np.mean(ties))


def some_relevance(random, count, queries=None):
    kind = random.integers(3)
    if kind == 0:
        names = np.array(["a", "b", "c", None], object)
        labels = random.choice(names, count).tolist()
        asked = None if queries is None else random.choice(names, queries).tolist()
        return LabelRelevance(labels, queries=asked)
    if kind == 1:
        cells = {"kind": random.choice(["x", "y"], count), "hue": random.choice(["r", "g"], count)}
        asked = None
        if queries is not None:
            asked = Tags.from_columns({"kind": random.choice(["x", "y", "z"], queries)})
        return TagRelevance(Tags.from_columns(cells), queries=asked)
    ids = [str(j) for j in range(count)]
    rows = count if queries is None else queries
    pairs = {(str(random.integers(rows)), str(random.integers(count))) for _ in range(20)}
    grades = random.integers(0, 4, len(pairs))
    asked = None if queries is None else [str(j) for j in range(queries)]
    return JudgedRelevance(
        Judgements(*zip(*sorted(pairs), strict=True), grades), ids, queries=asked
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, also of few queries."""
    monkeypatch.setattr(ranking, "MOST_ROWS", 5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 16), st.booleans())
def test_all_against_all(seed, count, k, chosen):
    random = np.random.default_rng(seed)
    vectors = lattice(random, count)
    relevance = some_relevance(random, count)
    queries = random.permutation(count)[: max(1, count // 2)] if chosen else None
    found = measure(vectors, relevance, queries=queries, ks=[k])
    assert len(found.queries) == (count if queries is None else len(queries))
    check(found, vectors, relevance, vectors, k)
    short = measure(vectors, relevance, queries=queries, ks=[k], whole=False)
    np.testing.assert_array_equal(short.rankings.positions, found.rankings.positions)
    np.testing.assert_array_equal(short.rankings.tied, found.rankings.tied)
    assert not set(short.scores) & {"mAP", "MRR", "R-precision", "MAP@R"}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 7), st.integers(1, 9))
def test_a_separate_query_table(seed, count, queries, k):
    random = np.random.default_rng(seed)
    vectors, asked = lattice(random, count), lattice(random, queries)
    relevance = some_relevance(random, count, queries)
    check(measure(vectors, relevance, query_vectors=asked, ks=[k]), vectors, relevance, asked, k)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 6))
def test_rankings_of_an_index_score_the_same(seed, count, k):
    random = np.random.default_rng(seed)
    vectors = lattice(random, count)
    relevance = some_relevance(random, count)
    rankings = rank_with(build_index(vectors), vectors, relevance.own, k)
    found, whole = (
        measure_rankings(rankings, relevance, ks=[k]),
        measure(vectors, relevance, ks=[k]),
    )
    np.testing.assert_array_equal(rankings.positions, whole.rankings.positions)
    np.testing.assert_array_equal(rankings.tied, whole.rankings.tied)
    np.testing.assert_allclose(rankings.scores, whole.rankings.scores, atol=1e-6)
    for name, scored in found.scores.items():
        np.testing.assert_array_equal(scored.per_query, whole.scores[name].per_query)
    assert found.ties == whole.ties


def test_distances_of_an_index_are_ranked_as_they_are():
    index = build_index(np.array([[0.0], [3.0], [10.0]], np.float32), "exact(metric=l2)")
    found = rank_with(index, [[0.0]], np.array([0]), 3)
    np.testing.assert_array_equal(found.positions, [[1, 2, -1]])
    np.testing.assert_array_equal(found.scores, [[-3.0, -10.0, np.nan]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equal_vectors_tie_whatever_the_block_and_the_length(dtype):
    """Products of equal rows can differ in the last bit by where a row stands in a block."""
    random = np.random.default_rng(1)
    kinds = random.standard_normal((7, 61))
    vectors = (kinds[random.integers(0, 7, 203)] * 4.0 ** random.integers(0, 3, (203, 1))).astype(
        dtype
    )
    found = measure(vectors, LabelRelevance(["a"] * 203), ks=[202]).rankings
    for place, row in enumerate(found.positions):
        kinds_of = (vectors[row, :1] / np.abs(vectors[row]).max(axis=1, keepdims=True)).ravel()
        starts = np.flatnonzero(np.diff(kinds_of, prepend=np.nan) != 0)
        assert len(starts) <= 7, place
        for run in np.split(row, starts[1:]):
            assert (np.diff(run) > 0).all()


def test_a_copy_of_the_query_is_a_result_and_the_query_is_not():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    found = measure(vectors, LabelRelevance(["a", "b", "c", "a"]), ks=[1, 3])
    assert found.rankings.positions.tolist() == [[2, 3, 1], [0, 2, 3], [0, 3, 1], [0, 2, 1]]
    np.testing.assert_array_equal(found.scores["MRR"].per_query, [0.5, np.nan, np.nan, 1.0])
    assert found.ties == {1: 1.0, 3: 0.0}


def test_a_constant_encoder_ranks_as_the_catalogue():
    """All tie: what is found is the beginning of the catalogue, and the report says so."""
    found = measure(np.ones((6, 3)), LabelRelevance(list("ababab")), ks=[2])
    assert found.rankings.positions.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]
    assert found.ties[2] == 1.0


def test_judged_share_is_counted():
    judged = Judgements(("0", "0"), ("1", "2"), np.array([1.0, 0.0]))
    relevance = JudgedRelevance(judged, ["0", "1", "2", "3"])
    found = measure(np.eye(4), relevance, queries=[0], ks=[1, 2, 3, 9])
    assert found.judged == {1: 1.0, 2: 1.0, 3: pytest.approx(2 / 3), 9: pytest.approx(2 / 3)}
    assert measure(np.eye(4), LabelRelevance("abab"), ks=[3]).judged == {3: 1.0}


def test_every_metric_is_of_the_same_queries():
    """A query whose best tags are below the level has no nDCG either."""
    tags = Tags.from_columns({"a": ["x", "x", "y"], "b": ["p", "p", "q"], "c": ["m", "n", "m"]})
    found = measure(np.eye(3), TagRelevance(tags, least=0.5), ks=[2])
    assert {scored.missing for scored in found.scores.values()} == {1}
    assert {"nDCG@2", "nDCG-exp@2"} <= set(found.scores)
    assert "nDCG-exp@2" not in measure(np.eye(2), LabelRelevance("aa"), ks=[2]).scores


def test_none_and_one():
    for count in (0, 1):
        found = measure(np.ones((count, 3)), LabelRelevance(["a"] * count), ks=[1, 2])
        assert found.rankings.positions.tolist() == [[-1, -1]] * count
        assert all(np.isnan(scored.mean) for scored in found.scores.values())
        assert len(found.scores) == 16
    asked = measure(
        np.ones((0, 3)), LabelRelevance([], queries=["a"]), query_vectors=np.ones((1, 3)), ks=[1]
    )
    assert asked.rankings.positions.tolist() == [[-1]]
    assert measure(np.eye(3), LabelRelevance("aab"), queries=[]).scores["P@1"].per_query.shape == (
        0,
    )


def test_tables_by_class_and_parent():
    labels = ["cat", "cat", "dog", "dog", "dog", "car", None]
    vectors = np.array(
        [[9, 0, 1], [8, 1, 0], [2, 9, 0], [1, 8, 1], [1, 8, 2], [0, 1, 9], [1, 1, 1]]
    )
    found = measure(vectors, LabelRelevance(labels), ks=[1, 2])
    lines = found.by_class(labels)
    assert [line.name for line in lines] == ["car", "cat", "dog"]
    assert [(line.classes, line.queries) for line in lines] == [(0, 0), (1, 2), (1, 3)]
    assert np.isnan(lines[0].micro["P@2"])
    per_query = found.scores["P@2"].per_query
    assert lines[1].micro["P@2"] == lines[1].macro["P@2"] == pytest.approx(per_query[:2].mean())
    parents = {"cat": "Animals", "car": "Vehicles", "dog": "Animals", "bus": "Buses"}
    animals, vehicles = found.by_parent(labels, parents)
    assert (animals.name, animals.classes, animals.queries) == ("Animals", 2, 5)
    assert animals.micro["P@2"] == pytest.approx(per_query[:5].mean())
    assert animals.macro["P@2"] == pytest.approx((per_query[:2].mean() + per_query[2:5].mean()) / 2)
    assert (vehicles.name, vehicles.queries) == ("Vehicles", 0)
    everything = found.overall(labels)
    assert everything.micro["mAP"] == pytest.approx(found.scores["mAP"].mean)
    assert everything.classes == 2
    with pytest.raises(BadTable, match="2 classes have no parent: car, dog"):
        found.by_parent(labels, {"cat": "Animals"})
    with pytest.raises(BadShape, match="3 labels, and row 6 was a query"):
        found.by_class(labels[:3])


class TestChooseQueries:
    def test_some_of_each_class(self):
        labels = (["a"] * 10 + ["b"] * 3 + [None] * 5 + ["c"] * 6) * 2
        chosen = choose_queries(labels, 4, seed=3)
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        names = [labels[row] for row in chosen]
        assert {name: names.count(name) for name in names} == {"a": 4, "b": 4, "c": 4}
        assert chosen.tolist() == choose_queries(labels, 4, seed=3).tolist()
        assert chosen.tolist() != choose_queries(labels, 4, seed=4).tolist()

    def test_a_class_smaller_than_asked_for_gives_all(self):
        assert choose_queries(["a", "b", "b", None], 2).tolist() == [0, 1, 2]
        assert choose_queries(["a", "b", "b", None]).tolist() == [0, 1, 2]
        assert choose_queries([], 2).tolist() == []

    def test_a_draw_does_not_depend_on_other_classes(self):
        alone = choose_queries(["a"] * 20, 3)
        among = choose_queries(["a"] * 20 + ["b"] * 9, 3)
        assert alone.tolist() == among[:3].tolist()

    def test_every_item_is_drawn_as_often(self):
        counts = np.zeros(6)
        for seed in range(600):
            counts[choose_queries(["a"] * 6, 2, seed=seed)] += 1
        assert (np.abs(counts - 200) < 60).all()

    def test_none_of_each_class(self):
        with pytest.raises(BadShape, match="0 queries of each class are none"):
            choose_queries(["a"], 0)


def test_wrong_use():
    relevance = LabelRelevance("aab")
    with pytest.raises(BadShape, match="2 queries and 2 items have vectors; relevance is of 3"):
        measure(np.eye(2), relevance)
    with pytest.raises(BadShape, match="1 queries and 3 items have vectors"):
        measure(np.eye(3), relevance, query_vectors=np.ones((1, 3)))
    asked = LabelRelevance("aab", queries="a")
    with pytest.raises(BadShape, match="queries have 2 dimensions, the gallery has 3"):
        measure(np.eye(3), asked, query_vectors=np.ones((1, 2)))
    with pytest.raises(BadShape, match="NaN or infinity: rows 1"):
        measure([[1.0], [np.nan], [1.0]], relevance)
    for ks in ([], [0], [1.5], [True], ["5"], 10, None, "5"):
        with pytest.raises(BadShape, match="no list of cut-offs"):
            measure(np.eye(3), relevance, ks=ks)
    with pytest.raises(BadShape, match="outside 0 to 2: 7"):
        measure(np.eye(3), relevance, queries=[7])
    rankings = rank_with(build_index(np.eye(3)), np.eye(3), relevance.own, 2)
    with pytest.raises(BadShape, match="3 rankings of 2 items for 3 queries and k = 5"):
        measure_rankings(rankings, relevance, ks=[5])
    with pytest.raises(BadShape, match="3 rankings of 2 items for 1 queries"):
        measure_rankings(rankings, relevance, queries=[0], ks=[1])


def test_inputs_are_not_changed():
    vectors = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
    copy = vectors.copy()
    measure(vectors, LabelRelevance("aaabbbccc"))
    np.testing.assert_array_equal(vectors, copy)


def test_caltech_at_small_size(real_data):
    """Colour sees some of what there is: far from chance, and far from right."""
    root = real_data / "data" / "caltech101"
    whole = Catalogue.open(root)
    kept = [item for item in whole.ids if item.split("/")[0] in ("sunflower", "panda", "ketch")]
    catalogue = whole.take(kept)
    found = embed(catalogue, "opencv:colour")
    labels = catalogue.take(found.ids).labels
    scored = measure(found.vectors, LabelRelevance(labels), ks=[10]).scores
    assert 0.4 < scored["P@10"].mean < 0.99
    assert scored["HR@10"].mean > 0.95
    assert scored["R@10"].mean < 10 / 37
