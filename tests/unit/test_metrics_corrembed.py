"""CorrEmbed against the printed equations, its laws and its edges."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, csr_matrix

import reference.metrics as slow
import strategies
from likelens.metrics import (
    CorrEmbedImages,
    CorrEmbedSums,
    corrembed,
    corrembed_by_category,
    corrembed_naive,
)
from likelens.metrics import _images as images_module
from likelens.values.errors import BadShape, BadSpec
from likelens.values.tags import Tags

SELF_PAIRS = ("include", "exclude")


def relu_like(count: int, width: int, seed: int = 0, depth: int = 8) -> np.ndarray:
    """Positive features with a large mean, as after a ReLU."""
    random = np.random.default_rng(seed)
    deep = random.standard_normal((count, depth)) @ random.standard_normal((depth, width))
    return np.maximum(0.3 * deep + random.standard_normal((count, width)) + 1.0, 0.0)


def one_hot(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.hstack([np.eye(size)[random.integers(0, size, count)] for size in (3, 5, 12)])


@pytest.mark.parametrize("self_pairs", SELF_PAIRS)
def test_naive_equals_the_loops(self_pairs):
    images, tags = relu_like(9, 4), one_hot(9)
    expected = [slow.corrembed(images, tags, i, self_pairs == "exclude") for i in range(9)]
    found = corrembed_naive(images, tags, self_pairs=self_pairs).per_query
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=150, deadline=None)
@given(strategies.items(), st.sampled_from(SELF_PAIRS), st.booleans())
def test_linear_equals_naive(items, self_pairs, sparse):
    images, tags = items
    linear = corrembed(images, csr_array(tags) if sparse else tags, self_pairs=self_pairs)
    naive = corrembed_naive(images, tags, self_pairs=self_pairs)
    np.testing.assert_array_equal(np.isnan(linear.per_query), np.isnan(naive.per_query))
    np.testing.assert_allclose(linear.per_query, naive.per_query, rtol=0, atol=1e-9)


@pytest.mark.parametrize("self_pairs", SELF_PAIRS)
@pytest.mark.parametrize("width", [96, 640])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-6), (np.float16, 1e-6)]
)
def test_precision_on_positive_features(dtype, tolerance, width, self_pairs):
    images, tags = relu_like(1_500, width).astype(dtype), one_hot(1_500)
    some = range(0, 1_500, 7)
    linear = corrembed(images, tags, queries=some, self_pairs=self_pairs).per_query
    naive = corrembed_naive(images, tags, queries=some, self_pairs=self_pairs).per_query
    np.testing.assert_allclose(linear, naive, rtol=0, atol=tolerance)


def test_precision_where_all_images_are_nearly_alike():
    """Cosines of .9999 and one entry that holds nearly all the length."""
    random = np.random.default_rng(3)
    images = (0.01 * random.standard_normal((1_500, 640))).astype(np.float32)
    images[:, 5] += 8.0
    tags, some = one_hot(1_500), range(0, 1_500, 7)
    linear, naive = (form(images, tags, queries=some) for form in (corrembed, corrembed_naive))
    assert naive.missing == 0
    np.testing.assert_allclose(linear.per_query, naive.per_query, rtol=0, atol=1e-6)


@pytest.mark.parametrize("width", [128, 640])
def test_precision_where_most_images_share_nothing(width):
    """Colour histograms: most cosines are 0, and some images are alike to few others."""
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, 201) ** 1.5
    colour = random.choice(200, 3_000, p=share / share.sum())
    bins = np.zeros((200, width))
    for row in bins:
        row[random.choice(width, 3, replace=False)] = random.uniform(0.2, 1.2, 3)
    images = np.abs(bins[colour] * (1 + 0.1 * random.standard_normal((3_000, width))))
    rare = np.flatnonzero(np.bincount(colour)[colour] <= 3)[:60]
    assert len(rare) == 60
    tags = one_hot(3_000)
    for dtype in (np.float16, np.float32):
        for self_pairs in SELF_PAIRS:
            given = (images.astype(dtype), tags)
            linear = corrembed(*given, queries=rare, self_pairs=self_pairs).per_query
            naive = corrembed_naive(*given, queries=rare, self_pairs=self_pairs).per_query
            np.testing.assert_allclose(linear, naive, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("dtype", "width"), [(np.float32, 520), (np.float64, 24)])
@pytest.mark.parametrize("kept", [0, 2**28])
def test_precision_where_every_second_item_lies_elsewhere(monkeypatch, dtype, width, kept):
    """The sample that gives the rough centre sees one half of the catalogue only."""
    monkeypatch.setattr(images_module, "KEEP_BYTES", kept)
    images, tags = relu_like(9_000, width), one_hot(9_000)
    images[1::2, : width // 3] += 6.0
    tags[1::2, 0] += 1.0
    some = range(0, 9_000, 300)
    for self_pairs in SELF_PAIRS:
        linear = corrembed(images.astype(dtype), tags, queries=some, self_pairs=self_pairs)
        naive = corrembed_naive(images.astype(dtype), tags, queries=some, self_pairs=self_pairs)
        tolerance = 1e-9 if dtype == np.float64 else 1e-6
        np.testing.assert_allclose(linear.per_query, naive.per_query, rtol=0, atol=tolerance)


def test_products_are_float32_where_that_is_safe_and_pays():
    wide = relu_like(1_100, 600).astype(np.float32)
    bins = np.r_[np.arange(1_000) % 4, np.arange(100, 200)]
    apart = np.eye(600, dtype=np.float32)[bins] + 0.001 * wide
    assert CorrEmbedImages(wide).rows(slice(0, 1))[0].dtype == np.float32
    for other in (wide[:900], wide[:, :500], wide.astype(np.float64), apart):
        assert CorrEmbedImages(other).rows(slice(0, 1))[0].dtype == np.float64
    assert CorrEmbedImages(wide, double=True).rows(slice(0, 1))[0].dtype == np.float64


def test_small_float32_catalogues_are_summed_in_float64():
    images, tags = relu_like(12, 5).astype(np.float32), one_hot(12)
    linear, naive = corrembed(images, tags), corrembed_naive(images, tags)
    np.testing.assert_allclose(linear.per_query, naive.per_query, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kept", [0, 2**28])
def test_chunks_and_memory_do_not_change_scores(monkeypatch, kept):
    images, tags = relu_like(2_500, 640).astype(np.float32), csr_array(one_hot(2_500))
    whole = corrembed(images, tags)
    monkeypatch.setattr(images_module, "KEEP_BYTES", kept)
    monkeypatch.setattr(images_module, "CHUNK_ENTRIES", 1)
    parts = corrembed(images, tags)
    np.testing.assert_allclose(parts.per_query, whole.per_query, atol=1e-6)
    np.testing.assert_allclose(parts.influence, whole.influence, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(strategies.items(least=3), st.integers(0, 2**31))
def test_rotating_all_images_changes_nothing(items, seed):
    images, tags = items
    width = images.shape[1]
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))
    before, after = corrembed(images, tags), corrembed(images @ turn, tags)
    np.testing.assert_allclose(before.per_query, after.per_query, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(strategies.items(least=2), st.integers(0, 2**31))
def test_lengths_of_rows_and_order_of_items_do_not_matter(items, seed):
    images, tags = items
    random = np.random.default_rng(seed)
    scale, order = 2.0 ** random.integers(-9, 9, (len(images), 1)), random.permutation(len(images))
    before = corrembed(images, tags).per_query
    np.testing.assert_allclose(before, corrembed(images * scale, tags * scale).per_query, atol=1e-9)
    np.testing.assert_allclose(
        before[order], corrembed(images[order], tags[order]).per_query, atol=1e-9
    )


def test_no_length_is_too_large_or_too_small():
    images, tags = relu_like(30, 6), one_hot(30)
    expected = corrembed(images, tags).per_query
    for scale in (1e-300, 1e-160, 1e160, 1e300):
        scaled = images.copy()
        scaled[::2] *= scale
        np.testing.assert_allclose(corrembed(scaled, tags * scale).per_query, expected, atol=1e-9)
        np.testing.assert_allclose(
            corrembed(scaled, csr_array(tags * scale)).per_query, expected, atol=1e-9
        )


@pytest.mark.parametrize("kind", [csr_matrix, csr_array, coo_array])
def test_any_sparse_format_and_whole_numbers(kind):
    images, tags = relu_like(40, 6), one_hot(40).astype(np.int64)
    expected = corrembed(images, tags.astype(float)).per_query
    np.testing.assert_allclose(corrembed(images, kind(tags)).per_query, expected, atol=1e-12)
    np.testing.assert_allclose(corrembed(images, tags.astype(bool)).per_query, expected, atol=1e-12)


def test_sparse_duplicates_are_summed_and_stored_zeros_are_none():
    values, columns = [1.0, 1.0, 2.0, 2.0, 3.0, 1.0, 0.0], [0, 0, 1, 1, 0, 1, 0]
    twice = csr_array((values, columns, [0, 3, 4, 6, 7]), shape=(4, 2))
    images = relu_like(4, 4)
    assert corrembed(images, twice).missing == 1
    np.testing.assert_allclose(
        corrembed(images, twice).per_query, corrembed(images, twice.toarray()).per_query
    )


def test_inputs_are_never_changed():
    for dtype in (np.float16, np.float32, np.float64):
        images, tags = relu_like(1_100, 6).astype(dtype), one_hot(1_100)
        sparse = csr_array(tags)
        copies = images.copy(), tags.copy(), sparse.data.copy()
        for array in (images, tags, sparse.data, sparse.indices, sparse.indptr):
            array.flags.writeable = False
        corrembed(images, tags).interval()
        corrembed_by_category(images, sparse, ["a"] * 20)
        CorrEmbedSums().add(images, sparse)
        corrembed_naive(images, tags, queries=[0])
        for array, copy in zip((images, tags, sparse.data), copies, strict=True):
            np.testing.assert_array_equal(array, copy)


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


@pytest.mark.parametrize("self_pairs", SELF_PAIRS)
@pytest.mark.parametrize("sparse", [False, True])
class TestByCategory:
    CATEGORIES = ("a",) * 3 + ("b",) * 5 + ("c",) * 12

    def test_alone_is_the_score_of_its_columns(self, self_pairs, sparse):
        images, tags = relu_like(60, 8), one_hot(60)
        tags[7, :3] = 0.0
        given = csr_array(tags) if sparse else tags
        found = corrembed_by_category(images, given, self.CATEGORIES, self_pairs=self_pairs)
        for name, columns in (("a", slice(0, 3)), ("b", slice(3, 8)), ("c", slice(8, 20))):
            expected = corrembed(images, tags[:, columns], self_pairs=self_pairs).per_query
            np.testing.assert_allclose(found.alone[name].per_query, expected, atol=1e-12)
        assert list(found.alone) == ["a", "b", "c"]
        assert found.alone["a"].missing == 1

    def test_shares_add_up_to_the_whole(self, self_pairs, sparse):
        images, tags = relu_like(60, 8), one_hot(60) * np.linspace(0.2, 2.0, 20)
        tags[7] = 0.0
        given = csr_array(tags) if sparse else tags
        found = corrembed_by_category(images, given, self.CATEGORIES, self_pairs=self_pairs)
        whole = corrembed(images, tags, self_pairs=self_pairs)
        np.testing.assert_allclose(found.whole.per_query, whole.per_query, atol=1e-12)
        assert sum(found.share.values()) == pytest.approx(whole.mean, abs=1e-12)

    def test_a_share_is_the_part_of_the_covariance(self, self_pairs, sparse):
        images, tags = relu_like(20, 6), one_hot(20)
        given = csr_array(tags) if sparse else tags
        found = corrembed_by_category(images, given, self.CATEGORIES, self_pairs=self_pairs)
        y = images / np.linalg.norm(images, axis=1, keepdims=True)
        t = tags / np.linalg.norm(tags, axis=1, keepdims=True)
        parts = []
        for i in range(20):
            others = np.delete(np.arange(20), i) if self_pairs == "exclude" else np.arange(20)
            seen, worn, part = (y @ y[i])[others], (t @ t[i])[others], (t[:, :3] @ t[i, :3])[others]
            seen, worn, part = seen - seen.mean(), worn - worn.mean(), part - part.mean()
            parts.append(seen @ part / np.sqrt((seen @ seen) * (worn @ worn)))
        assert found.share["a"] == pytest.approx(np.mean(parts), abs=1e-12)

    def test_some_queries(self, self_pairs, sparse):
        images, tags = relu_like(30, 8), one_hot(30)
        given = csr_array(tags) if sparse else tags
        found = corrembed_by_category(
            images, given, self.CATEGORIES, queries=[2, 9], self_pairs=self_pairs
        )
        assert sum(found.share.values()) == pytest.approx(found.whole.mean, abs=1e-12)
        assert {len(scores.per_query) for scores in found.alone.values()} == {2}


def test_by_category_wants_one_category_a_column():
    with pytest.raises(BadShape, match=r"2 categories for 20 tag columns"):
        corrembed_by_category(relu_like(5, 3), one_hot(5), ["a", "b"])


def test_by_category_without_any_score():
    found = corrembed_by_category(np.ones((5, 3)), one_hot(5), TestByCategory.CATEGORIES)
    assert np.isnan(list(found.share.values())).all()


def test_ready_images_serve_many_tags():
    images = relu_like(1_200, 600).astype(np.float32)
    ready = CorrEmbedImages(images)
    for seed in range(3):
        tags = one_hot(1_200, seed)
        np.testing.assert_array_equal(
            corrembed(ready, tags).per_query, corrembed(images, tags).per_query
        )
    some = corrembed(ready, tags, queries=[5]).per_query
    np.testing.assert_allclose(
        some, corrembed_naive(images, tags, queries=[5]).per_query, atol=1e-6
    )


class TestSums:
    @settings(max_examples=60, deadline=None)
    @given(strategies.items(least=2), st.integers(1, 5), st.sampled_from(SELF_PAIRS))
    def test_pieces_in_any_order_equal_the_whole(self, items, pieces, self_pairs):
        images, tags = items
        whole = corrembed(images, tags, self_pairs=self_pairs)
        totals = []
        for part in np.array_split(np.arange(len(images))[::-1], pieces):
            sums = CorrEmbedSums()
            sums.add(images[part], csr_array(tags[part]))
            totals.append(sums)
        total = sum(totals[1:], totals[0])
        found = total.scores(images, tags, self_pairs=self_pairs)
        assert total.count == len(images)
        np.testing.assert_allclose(found.per_query, whole.per_query, atol=1e-9)

    def test_pieces_with_very_different_means(self):
        """A catalogue sorted by kind: every piece lies elsewhere."""
        random = np.random.default_rng(0)
        centres = 6 * random.standard_normal((4, 64))
        kind = np.repeat(np.arange(4), 1_100)
        images = (centres[kind] + random.standard_normal((4_400, 64))).astype(np.float32)
        tags = np.hstack([np.eye(4)[kind], one_hot(4_400)])
        sums = CorrEmbedSums()
        for start in range(0, 4_400, 1_100):
            sums.add(images[start : start + 1_100], tags[start : start + 1_100])
        some = slice(0, 4_400, 100)
        naive = corrembed_naive(images, tags, queries=range(0, 4_400, 100))
        found = sums.scores(images[some], tags[some])
        np.testing.assert_allclose(found.per_query, naive.per_query, atol=1e-6)

    def test_adding_leaves_both_as_they_were(self):
        images, tags = relu_like(9, 4), one_hot(9)
        first, second = CorrEmbedSums(), CorrEmbedSums()
        first.add(images[:5], tags[:5])
        second.add(images[5:], tags[5:])
        before = first.scores(images, tags).per_query
        assert (first + second).count == 9
        assert (first + CorrEmbedSums()).count == (CorrEmbedSums() + first).count == 5
        np.testing.assert_array_equal(first.scores(images, tags).per_query, before)

    def test_queries_from_outside_the_gallery(self):
        images, tags = relu_like(40, 6), one_hot(40)
        sums = CorrEmbedSums()
        sums.add(images[:30], tags[:30])
        y = images / np.linalg.norm(images, axis=1, keepdims=True)
        expected = [np.corrcoef(y[:30] @ y[i], tags[:30] @ tags[i])[0, 1] for i in range(30, 40)]
        np.testing.assert_allclose(sums.scores(images[30:], tags[30:]).per_query, expected)

    def test_wrong_use(self):
        images, tags = relu_like(5, 4), one_hot(5)
        sums = CorrEmbedSums()
        with pytest.raises(BadShape, match="no items to score against"):
            sums.scores(images, tags)
        sums.add(images, tags)
        with pytest.raises(BadShape, match="20 tags and 3 dimensions after 20 and 4"):
            sums.add(images[:, :3], tags)
        with pytest.raises(BadShape, match="19 tags and 4 dimensions after 20 and 4"):
            sums.scores(images, tags[:, 1:])
        with pytest.raises(BadShape, match="5 images and 4 rows of tags"):
            sums.add(images, tags[:4])
        sums.add(images[:0], tags[:0])
        assert sums.count == 5


def test_real_tags(real_data):
    table = real_data / "data" / "fashion-products" / "styles.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["gender", "masterCategory", "subCategory", "articleType", "baseColour", "usage"]
    columns = {name: [None if row[name] == "NA" else row[name] for row in rows] for name in names}
    tags = Tags.from_columns(columns)
    random = np.random.default_rng(0)
    mix = random.standard_normal((tags.matrix.shape[1], 640))
    noise = random.standard_normal((len(rows), 640))
    images = np.maximum(tags.matrix @ mix + 2 * noise + 1.0, 0.0).astype(np.float32)
    some = range(0, len(rows), 150)
    found = corrembed_by_category(images, tags.matrix, tags.categories)
    naive = corrembed_naive(images, tags.matrix, queries=some)
    np.testing.assert_allclose(found.whole.per_query[::150], naive.per_query, rtol=0, atol=1e-6)
    wide = corrembed(images.astype(np.float64), tags.matrix, queries=some)
    np.testing.assert_allclose(wide.per_query, naive.per_query, rtol=0, atol=1e-9)
    assert sum(found.share.values()) == pytest.approx(found.whole.mean, abs=1e-6)
    assert found.alone["baseColour"].missing == 3
    assert found.whole.mean > 0.2
