"""Numbers of any size and layout give the right value or a clear error, never a wrong one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens import LabelRelevance, TagRelevance, Tags, measure, metrics
from likelens.metrics._stressed import stress_scores
from likelens.values.arrays import unit_rows, unit_sparse_rows
from likelens.values.errors import BadShape
from likelens.values.scores import QueryScores
from reference import metrics as slow
from strategies import one_hot, relu_like

SCALES = {
    np.float16: (1e-2, 64.0),
    np.float32: (1e-25, 1e-3, 7.0, 1e25),
    np.float64: (1e-200, 1e-60, 1e-3, 7.0, 1e50, 1e200),
}
CASES = [(dtype, scale) for dtype, scales in SCALES.items() for scale in scales]
TOLERANCE = {np.float16: 4e-3, np.float32: 2e-6, np.float64: 1e-6}

KINDS = ["shirt", "shoe", "bag", "shirt", "shoe", "bag", "shirt", "shoe", "bag", "hat"] * 3


def scaled(dtype: type, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, and the same times a constant in that type."""
    vectors = relu_like(len(KINDS), 6, seed=3).astype(dtype)
    return vectors, (vectors.astype(np.float64) * scale).astype(dtype)


@pytest.mark.parametrize(("dtype", "scale"), CASES)
class TestAPositiveConstantChangesNoCosine:
    def test_unit_rows(self, dtype, scale):
        plain, more = scaled(dtype, scale)
        for target in (np.float32, np.float64):
            units = unit_rows(more, target)
            assert units.dtype == target
            np.testing.assert_allclose(units, unit_rows(plain, target), atol=TOLERANCE[dtype])

    @pytest.mark.parametrize("form", [metrics.corrembed, metrics.corrembed_naive])
    def test_corrembed(self, dtype, scale, form):
        plain, more = scaled(dtype, scale)
        tags = one_hot(len(plain))
        expected = [
            slow.corrembed(plain.astype(np.float64).tolist(), tags.tolist(), i, False)
            for i in range(len(plain))
        ]
        found = form(more, tags).per_query
        np.testing.assert_allclose(found, expected, atol=20 * TOLERANCE[dtype])

    def test_corrembed_in_pieces_and_of_stressed_queries(self, dtype, scale):
        plain, more = scaled(dtype, scale)
        tags = one_hot(len(plain))
        sums = metrics.CorrEmbedSums()
        sums.add(more, tags)
        expected = metrics.corrembed(plain, tags).per_query
        found = sums.scores(more, tags).per_query
        np.testing.assert_allclose(found, expected, atol=20 * TOLERANCE[dtype])
        rows = np.arange(len(plain))
        np.testing.assert_allclose(
            stress_scores(more, rows, more, tags).per_query,
            stress_scores(plain, rows, plain, tags).per_query,
            atol=20 * TOLERANCE[dtype],
        )

    def test_rankings_and_their_metrics(self, dtype, scale):
        plain, more = scaled(dtype, scale)
        if dtype is np.float16:
            scale = float(2 ** np.round(np.log2(scale)))  # exact, or rounding moves near ties
            more = (plain.astype(np.float64) * scale).astype(dtype)
        relevance = LabelRelevance(KINDS)
        expected, found = measure(plain, relevance), measure(more, relevance)
        np.testing.assert_array_equal(found.rankings.positions, expected.rankings.positions)
        for name, scores in expected.scores.items():
            assert found.scores[name].mean == pytest.approx(scores.mean), name

    def test_moments_of_a_gallery(self, dtype, scale):
        plain, more = scaled(dtype, scale)
        np.testing.assert_allclose(
            metrics.gallery_moments(more), metrics.gallery_moments(plain), atol=TOLERANCE[dtype]
        )


@pytest.mark.parametrize("scale", [1e-300, 1e-60, 1.0, 1e50, 1e300])
class TestGainsTagsAndScoresOfAnySize:
    def test_ndcg_of_scaled_gains(self, scale):
        gains, ideal = np.array([[0.0, 1.0, 3.0]]), np.array([[3.0, 1.0, 1.0]])
        expected = slow.ndcg([0.0, 1.0, 3.0], 3, [3.0, 1.0, 1.0])
        found = metrics.ndcg(gains * scale, 3, ideal * scale)
        assert found.mean == pytest.approx(expected)

    def test_any_gain_above_0_is_relevant(self, scale):
        gains = np.array([[0.0, 1.0, 0.0, 1.0]]) * scale
        assert metrics.average_precision(gains, [2]).mean == 0.5
        assert metrics.precision(gains, 4).mean == 0.5
        assert metrics.hit_rate(gains, 1).mean == 0.0
        assert metrics.reciprocal_rank(gains).mean == 0.5

    def test_tag_weights_that_are_all_scaled(self, scale):
        tags = Tags.from_columns({"kind": KINDS, "colour": ["red", "blue"] * 15})
        weighted = tags.weighted({"kind": 3.0 * scale, "colour": scale})
        plain = tags.weighted({"kind": 3.0, "colour": 1.0})
        np.testing.assert_allclose(
            unit_sparse_rows(weighted.matrix).toarray(), unit_sparse_rows(plain.matrix).toarray()
        )
        rows, places = np.arange(3), np.tile(np.arange(8), (3, 1))
        expected = TagRelevance(plain).gains(rows, places)
        np.testing.assert_allclose(TagRelevance(weighted).gains(rows, places), expected)

    def test_a_mean_its_interval_and_a_test(self, scale):
        values = np.linspace(0.1, 0.9, 40)
        other = QueryScores(values[::-1] * 0.5 * scale)
        found, plain = QueryScores(values * scale), QueryScores(values)
        assert found.mean / scale == pytest.approx(plain.mean)
        np.testing.assert_allclose(np.array(found.interval()) / scale, plain.interval())
        tests = metrics.compare_pairs({"a": found, "b": other})
        expected = metrics.compare_pairs({"a": plain, "b": QueryScores(values[::-1] * 0.5)})
        np.testing.assert_allclose(tests.p, expected.p)

    def test_areas_see_only_the_order_of_scores(self, scale):
        labels, scores = [1, 0, 1, 0], np.array([0.9, 0.9, 0.8, 0.1]) * scale
        assert metrics.roc_auc(labels, scores) == 0.625
        assert metrics.pr_auc(labels, scores) == pytest.approx(0.58333, abs=1e-4)

    def test_a_threshold_lies_above_what_it_must_shut_out(self, scale):
        best = np.linspace(0.0, 0.98, 99) * scale
        found = metrics.calibrate(best, false_alarm=0.1)
        assert (best >= found.value).mean() <= 0.1


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1][::-1],
        lambda a: a.tolist(),
    ],
    ids=["columns first", "big-endian", "strided", "reversed", "lists"],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_])
def test_the_layout_of_an_array_changes_nothing(change, dtype):
    plain = (relu_like(len(KINDS), 6, seed=3) * 20).astype(dtype)
    plain.flags.writeable = False
    other, tags = change(plain), one_hot(len(KINDS))
    np.testing.assert_allclose(
        metrics.corrembed(other, change(tags)).per_query,
        metrics.corrembed(plain, tags).per_query,
        atol=1e-6,
    )
    found = measure(other, LabelRelevance(KINDS), ks=[3])
    expected = measure(plain, LabelRelevance(KINDS), ks=[3])
    assert found.scores["mAP"].mean == pytest.approx(expected.scores["mAP"].mean)
    gains = np.abs(plain.astype(np.float64))
    ideal = -np.sort(-gains, axis=1)
    expected = metrics.ndcg(gains, 6, ideal).mean
    assert metrics.ndcg(change(gains), 6, change(ideal)).mean == pytest.approx(expected)


def test_whole_numbers_are_told_apart_beyond_what_float32_holds():
    large = 2**24
    assert metrics.ndcg([[large, large + 1]], 2, [[large + 1, large]]).mean < 1.0
    assert metrics.roc_auc([1, 0], [large + 1, large]) == 1.0


@settings(max_examples=60, deadline=None)
@given(power=st.integers(54, 63), sign=st.sampled_from([np.uint64, np.float64]))
def test_what_int64_cannot_hold_is_refused_and_does_not_wrap(power, sign):
    huge = np.array([2**power], np.uint64).astype(sign)
    pair = [[0, 0, 1]]
    calls = [
        lambda: metrics.hubness(huge.reshape(1, 1), 5),
        lambda: metrics.recall([[1.0]], 1, huge),
        lambda: metrics.bpref(huge, pair),
        lambda: metrics.inferred_ap(huge, pair),
        lambda: metrics.discovery_of_pairs(huge, [0.5], pair),
        lambda: metrics.discovery_of_pairs([1], [0.5], [[0, huge[0], 1]]),
        lambda: metrics.precision([[1.0]], 1, huge),
        lambda: metrics.corrembed(np.eye(3), np.eye(3), queries=huge),
        lambda: LabelRelevance(["a"], queries=["a"], own=huge),
        lambda: stress_scores(np.eye(3), huge, np.eye(3)[:1], np.eye(3)),
    ]
    for call in calls:
        with pytest.raises(BadShape):
            call()


def test_the_largest_number_of_64_bits_is_not_the_mark_of_an_empty_place():
    with pytest.raises(BadShape, match="outside"):
        metrics.hubness(np.array([[2**64 - 1]], np.uint64), 5)


@pytest.mark.parametrize(
    "values", [[[1.0], [1.0, 2.0]], [["a"]], [[None]], np.ones((2, 2), complex)]
)
def test_what_is_no_matrix_of_numbers_is_refused_in_our_words(values):
    calls = [
        lambda: metrics.corrembed(values, np.eye(2)),
        lambda: metrics.corrembed(np.eye(2), values),
        lambda: metrics.precision(values, 1),
        lambda: metrics.ndcg(values, 1, values),
        lambda: metrics.csls(values, [0.0], [[0.0]]),
        lambda: metrics.calibrate(values),
        lambda: metrics.hubness(values, 3),
        lambda: metrics.gallery_moments(values),
        lambda: metrics.roc_auc([1, 0], values),
        lambda: QueryScores(values),
    ]
    for call in calls:
        with pytest.raises(BadShape):
            call()


def test_masked_values_are_refused_and_not_taken_for_numbers():
    masked = np.ma.masked_array(np.eye(3), mask=np.eye(3) > 0)
    with pytest.raises(BadShape, match="masked"):
        metrics.corrembed(masked, np.eye(3))
    whole = np.ma.masked_array(np.eye(3))
    assert metrics.corrembed(whole, np.eye(3)).mean == pytest.approx(1.0)


def test_empty_arrays_give_no_values():
    none = np.zeros((0, 4))
    assert metrics.corrembed(none, none).per_query.shape == (0,)
    assert metrics.precision(none, 2).per_query.shape == (0,)
    assert metrics.ndcg(none, 2, none).per_query.shape == (0,)
    assert metrics.average_precision(none, []).per_query.shape == (0,)
    assert metrics.csls(none, [], none).shape == (0, 4)
    assert metrics.gallery_moments(none).shape == (0, 2)
    assert np.isnan(metrics.hubness(np.zeros((0, 3), np.int64), 0).skewness)
    assert np.isnan(metrics.roc_auc([], []))
    assert measure(none, LabelRelevance([])).scores["mAP"].per_query.shape == (0,)


def test_similarities_that_are_no_cosines_and_infinite_scores_are_refused():
    with pytest.raises(BadShape, match="cosines"):
        metrics.csls([[1e308]], [0.0], [[0.0]])
    with pytest.raises(BadShape, match="infinite"):
        QueryScores([0.5, np.inf])


def test_groups_of_a_threshold_may_be_unknown():
    best = np.linspace(0.0, 0.98, 99)
    found = metrics.calibrate(best, false_alarm=0.1, groups=[None, "a", "a"] * 33)
    assert found.groups == 34
