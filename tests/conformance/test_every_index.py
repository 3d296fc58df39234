"""Laws that every index keeps; a new one is tested by being registered."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from likelens import build_index
from likelens.index.base import INDEXES
from likelens.values.errors import BadShape, BadSpec

KINDS = INDEXES.names()
EXACT = ["exact"]
SMALL = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(1, 4)),
    elements=st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0, 3.0]),
)


def cosines(vectors, query):
    """Cosine similarity from its definition; 0 where a vector is zero."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    return np.divide(vectors @ query, lengths, out=np.zeros(len(vectors)), where=lengths > 0)


@pytest.mark.parametrize("kind", EXACT)
@settings(max_examples=150, deadline=None)
@given(vectors=SMALL, data=st.data())
def test_exact_is_the_truth(kind, vectors, data):
    n, d = vectors.shape
    queries = data.draw(
        hnp.arrays(
            np.float32,
            (data.draw(st.integers(1, 9)), d),
            elements=st.sampled_from([-1.0, 0.0, 2.0]),
        )
    )
    k = data.draw(st.integers(1, n + 2))
    mask = data.draw(st.none() | hnp.arrays(bool, n))
    allowed = list(range(n)) if mask is None else np.flatnonzero(mask).tolist()
    scores, positions = build_index(vectors, kind).search(queries, k, mask)
    assert scores.shape == positions.shape == (len(queries), min(k, len(allowed)))
    for query, row, values in zip(queries.astype(float), positions, scores, strict=True):
        similar = cosines(vectors.astype(float), query)
        np.testing.assert_allclose(values, similar[row], atol=1e-6)
        assert (np.diff(values) <= 0).all()
        assert len(set(row)) == len(row)
        assert set(row) <= set(allowed)
        left = sorted(set(allowed) - set(row))
        assert all(similar[other] <= values[-1] + 1e-6 for other in left)
        for other in left:  # of identical vectors, the first ones are returned
            assert not any(
                other < found and (vectors[other] == vectors[found]).all() for found in row
            )
        for one, two in itertools.pairwise(row):
            assert one < two or (vectors[one] != vectors[two]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_one_query_and_many_agree(kind):
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((300, 16)).astype(np.float32)
    vectors[100:140] = vectors[7]  # duplicates, more than any list is long
    queries = vectors[:20]
    index = build_index(vectors, kind)
    many = index.search(queries, 10)
    for row, query in enumerate(queries):
        one = index.search(query, 10)
        np.testing.assert_array_equal(one[1][0], many[1][row])
        np.testing.assert_allclose(one[0][0], many[0][row], atol=1e-6)
    assert many[1][7].tolist() == [7, *range(100, 109)]


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_any_type_and_length_are_scored_alike_and_never_changed(kind):
    draw = np.random.default_rng(1)
    vectors = draw.standard_normal((50, 8))
    for dtype in (np.float16, np.float32, np.float64):
        given_vectors = (vectors * 100).astype(dtype)
        before = given_vectors.copy()
        scores, positions = build_index(given_vectors, kind).search(given_vectors[:6] * 2, 3)
        assert positions[:, 0].tolist() == list(range(6))
        np.testing.assert_allclose(scores[:, 0], 1.0, atol=1e-6)
        assert (scores <= 1.0 + 1e-6).all()
        np.testing.assert_array_equal(given_vectors, before)


SIZES = (1e50, 1e-60, 1e-315)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_of_any_size_are_found_as_those_of_length_one(kind):
    draw = np.random.default_rng(3)
    vectors = draw.standard_normal((1200, 8))
    queries = vectors[:5] + 0.01
    expected = build_index(vectors, kind).search(queries, 3)
    mixed = 10.0 ** draw.integers(-250, 250, (1200, 1))
    for size in (*SIZES, mixed):
        index = build_index(vectors * size, kind)
        for asked in (queries, queries * np.ravel(size)[0]):
            scores, positions = index.search(asked, 3)
            np.testing.assert_array_equal(positions[:, 0], np.arange(5))
            np.testing.assert_allclose(scores[:, 0], expected[0][:, 0], atol=1e-5)
            assert (positions >= 0).all()
    index = build_index(vectors, kind)
    index.update([0, 1], vectors[[1, 0]] * 1e200)
    added = index.add(vectors[:1] * 1e-200)
    assert index.search(vectors[0] * 1e99, 2)[1][0].tolist() == [1, *added]
    assert build_index(vectors.astype(">f4"), kind).search(queries.astype(">f8"), 1)[1][
        :, 0
    ].tolist() == list(range(5))
    tiny = np.float16(6e-8), np.float32(1e-44), np.float32(1e37)
    for size in tiny:
        coarse = vectors.astype(size.dtype) * size
        found = build_index(coarse, kind).search(queries, 3)
        assert (found[1] >= 0).all()
        assert np.isfinite(found[0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_matrix_of_numbers_is_refused_for_queries_too(kind):
    vectors = np.random.default_rng(4).standard_normal((20, 3))
    index = build_index(vectors, kind)
    for wrong in (
        np.ma.masked_array(vectors, vectors > 1),
        vectors.astype(complex),
        vectors.astype(object),
        [[1, 2, 3], [1]],
        np.where(vectors == vectors[3, 1], np.inf, vectors),
        np.where(vectors == vectors[3, 1], np.nan, vectors),
    ):
        for use in (lambda given: build_index(given, kind), index.search, index.add):
            with pytest.raises(BadShape):
                use(wrong)


def test_euclidean_distances_that_float32_cannot_hold_are_refused():
    vectors = np.random.default_rng(5).standard_normal((20, 3))
    with pytest.raises(BadShape, match="too long to be compared: rows 0, 1, 2"):
        build_index(vectors * 1e19, "exact(metric=l2)")
    with pytest.raises(BadShape, match="too short for their distances"):
        build_index(vectors * 1e-60, "exact(metric=l2)")
    scores, _ = build_index(vectors * 5e17, "exact(metric=l2)").search(vectors * -5e17, 20)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_always_leaves_k_if_k_exist(kind):
    draw = np.random.default_rng(2)
    vectors = draw.standard_normal((500, 8)).astype(np.float32)
    index = build_index(vectors, kind)
    for allowed in ([3, 499, 77], np.arange(500) % 100 == 0, np.array([5, 5, 4])):
        rows = np.flatnonzero(allowed) if np.asarray(allowed).dtype == bool else np.unique(allowed)
        _, positions = index.search(vectors[:10], 50, allowed)
        assert positions.shape == (10, len(rows))
        assert all(sorted(row) == rows.tolist() for row in positions)
    assert index.search(vectors[:2], 5, [])[1].shape == (2, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_vectors_are_alike_to_nothing(kind):
    vectors = np.array([[0, 0], [1, 0], [-1, 0]], np.float32)
    scores, positions = build_index(vectors, kind).search(np.array([[2.0, 0], [0, 0]]), 3)
    assert positions.tolist() == [[1, 0, 2], [0, 1, 2]]
    assert scores.tolist() == [[1, 0, -1], [0, 0, 0]]


@pytest.mark.parametrize("kind", KINDS)
def test_no_items_and_no_queries(kind):
    empty = build_index(np.zeros((0, 4), np.float32), kind)
    assert empty.search(np.ones((2, 4)), 3)[1].shape == (2, 0)
    one = build_index(np.ones((1, 4), np.float32), kind)
    assert one.search(np.ones((2, 4)), 3)[1].tolist() == [[0], [0]]
    assert one.search(np.zeros((0, 4)), 3)[1].shape == (0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_questions(kind):
    index = build_index(np.eye(3), kind)
    with pytest.raises(BadShape, match="2 dimensions, the index has 3"):
        index.search(np.ones((1, 2)))
    with pytest.raises(BadShape, match="k = 0"):
        index.search(np.eye(3), 0)
    with pytest.raises(BadShape, match="rows 1"):
        index.search(np.array([[1, 1, 1], [1, np.nan, 1]]))
    with pytest.raises(BadShape, match=r"shape \(2,\), not \(3,\)"):
        index.search(np.eye(3), 1, np.array([True, False]))
    with pytest.raises(BadShape, match="from 0 to 2"):
        index.search(np.eye(3), 1, [3])
    with pytest.raises(BadShape, match="from 0 to 2"):
        index.search(np.eye(3), 1, [0.5])
    with pytest.raises(BadShape, match="rows 0"):
        build_index(np.array([[np.inf, 1]]), kind)
    with pytest.raises(BadShape, match="must be a matrix"):
        build_index(np.ones(3), kind)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nearest", "no index 'nearest'"),
        ("exact(m=3)", "exact has no option 'm'"),
        ("exact(", "not the name of an index"),
        ("exact(3)", "'3' is not an option"),
    ],
)
def test_wrong_specs(spec, message):
    with pytest.raises(BadSpec, match=message):
        build_index(np.eye(3), spec)
