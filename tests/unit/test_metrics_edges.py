"""Where CorrEmbed has no score, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from likelens.metrics import corrembed, corrembed_naive
from likelens.values.errors import BadShape, BadSpec
from strategies import one_hot, relu_like


@pytest.mark.parametrize("form", [corrembed, corrembed_naive])
class TestEdges:
    def test_one_item_and_none(self, form):
        one = form([[1.0, 2.0]], [[1.0]])
        assert np.isnan(one.per_query).tolist() == [True]
        none = form(np.zeros((0, 3)), np.zeros((0, 2)))
        assert none.per_query.shape == (0,)
        assert np.isnan(none.mean)

    def test_two_items_have_only_themselves_to_tell_apart(self, form):
        images, tags = [[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [0.0, 1.0]]
        np.testing.assert_allclose(form(images, tags).per_query, [1.0, 1.0])
        assert form(images, tags, self_pairs="exclude").missing == 2

    def test_rows_of_zeros_are_in_the_gallery_but_have_no_score(self, form):
        images, tags = relu_like(6, 4), one_hot(6)
        images[2], tags[4] = 0.0, 0.0
        found = form(images, tags)
        assert np.flatnonzero(np.isnan(found.per_query)).tolist() == [2, 4]
        assert found.missing == 2
        assert found.mean == pytest.approx(found.per_query[[0, 1, 3, 5]].mean())
        without = form(np.delete(images, 2, 0), np.delete(tags, 2, 0))
        assert abs(found.per_query[0] - without.per_query[0]) > 1e-3

    def test_an_item_whose_tags_nobody_shares(self, form):
        images, tags = relu_like(5, 4), np.eye(5)[[0, 1, 1, 2, 2]]
        assert np.isnan(form(images, tags, self_pairs="exclude").per_query).tolist() == [
            True, False, False, False, False,
        ]  # fmt: skip
        assert form(images, tags).missing == 0

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("count", [7, 1_300])
    @pytest.mark.parametrize("width", [30, 600])
    def test_rounding_of_equal_images_is_no_score(self, form, dtype, count, width):
        row = relu_like(1, width, seed=5)
        images = (row * np.linspace(1.0, 3.0, count)[:, None]).astype(dtype)
        queries = range(0, count, 97)
        assert np.isnan(form(images, one_hot(count), queries=queries).per_query).all()

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("count", [7, 1_300])
    @pytest.mark.parametrize("width", [30, 600])
    def test_a_query_to_which_all_others_are_equally_like(self, form, dtype, count, width):
        """All others are one row at several lengths: rounding differs, direction does not."""
        lengths = np.linspace(1.0, 3.0, count)[:, None]
        same, other = relu_like(2, width, seed=6)
        alike = (same * lengths).astype(dtype)
        alike[3] = other
        found = form(alike, one_hot(count), self_pairs="exclude", queries=[2, 3])
        assert np.isnan(found.per_query).tolist() == [False, True]
        found = form(relu_like(count, 5), alike, self_pairs="exclude", queries=[2, 3])
        assert np.isnan(found.per_query).tolist() == [False, True]

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_rounding_of_equal_tags_is_no_score(self, form, dtype):
        tags = np.outer(np.linspace(0.1, 0.7, 9), [0.3, 0.1, 0.7]).astype(dtype)
        assert form(relu_like(9, 5), tags).missing == 9

    def test_many_equal_tags_are_no_score(self, form):
        tags = np.tile(np.random.default_rng(0).random(300), (3_000, 1))
        assert form(relu_like(3_000, 5), tags, queries=range(0, 3_000, 300)).missing == 10

    def test_queries_are_positions_or_a_mask(self, form):
        images, tags = relu_like(8, 4), one_hot(8)
        whole = form(images, tags).per_query
        mask = np.zeros(8, bool)
        mask[[1, 6]] = True
        for queries in ([1, 6], np.array([1, 6], np.uint8), mask):
            np.testing.assert_allclose(
                form(images, tags, queries=queries).per_query, whole[[1, 6]], atol=1e-12
            )
        np.testing.assert_allclose(
            form(images, tags, queries=[3, 3]).per_query, whole[[3, 3]], atol=1e-12
        )
        assert form(images, tags, queries=[]).per_query.shape == (0,)
        assert form(images, tags, queries=np.zeros(8, bool)).per_query.shape == (0,)

    def test_wrong_use_says_what_is_wrong(self, form):
        images, tags = relu_like(4, 3), one_hot(4)
        broken = images.copy()
        broken[[1, 3], 0] = np.nan, np.inf
        with pytest.raises(BadShape, match=r"2 of 4 vectors hold NaN or infinity: rows 1, 3"):
            form(broken, tags)
        with pytest.raises(BadShape, match=r"4 images and 3 rows of tags"):
            form(images, tags[:3])
        with pytest.raises(BadShape, match=r"must be a matrix"):
            form(images[0], tags)
        with pytest.raises(BadShape, match=r"not numbers"):
            form(images.astype(complex), tags)
        with pytest.raises(BadSpec, match=r"neither include nor exclude"):
            form(images, tags, self_pairs="without")
        with pytest.raises(BadShape, match=r"1 query positions lie outside 0 to 3: 4"):
            form(images, tags, queries=[0, 4])
        with pytest.raises(BadShape, match=r"lie outside 0 to 3: -1"):
            form(images, tags, queries=[-1])
        with pytest.raises(BadShape, match=r"mask of shape \(3,\) for 4 items"):
            form(images, tags, queries=[True, False, True])
        with pytest.raises(BadShape, match=r"are no positions"):
            form(images, tags, queries=[0.5])


def test_broken_sparse_tags_name_their_rows():
    tags = csr_array(one_hot(4))
    tags.data[3] = np.nan
    with pytest.raises(BadShape, match=r"1 rows of tags hold NaN or infinity: rows 1"):
        corrembed(relu_like(4, 3), tags)
    with pytest.raises(BadShape, match=r"at least one tag"):
        corrembed(relu_like(4, 3), csr_array((4, 0)))
    with pytest.raises(BadShape, match=r"not numbers"):
        corrembed(relu_like(4, 3), csr_array(one_hot(4).astype(complex)))
