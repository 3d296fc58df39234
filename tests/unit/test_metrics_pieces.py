"""CorrEmbed by tag category, of images made ready, and from pieces of a catalogue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import strategies
from likelens.metrics import (
    CorrEmbedImages,
    CorrEmbedSums,
    corrembed,
    corrembed_by_category,
    corrembed_naive,
)
from likelens.values.errors import BadShape
from strategies import one_hot, relu_like

SELF_PAIRS = ("include", "exclude")


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
