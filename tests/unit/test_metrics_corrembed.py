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
from likelens.values.tags import Tags
from strategies import one_hot, relu_like

SELF_PAIRS = ("include", "exclude")


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
