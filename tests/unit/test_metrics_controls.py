"""Tags that mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from likelens.metrics import corrembed, random_tags, shuffled_tags


def some_tags() -> csr_array:
    random = np.random.default_rng(0)
    return csr_array(random_array((60, 20), density=0.2, rng=random, format="csr"))


@pytest.mark.parametrize("dense", [False, True])
def test_random_tags_keep_shape_density_and_values(dense):
    tags = some_tags().toarray() if dense else some_tags()
    before = tags.copy()
    found = random_tags(tags, seed=1)
    kept, given = (t if dense else t.toarray() for t in (found, tags))
    assert found.shape == tags.shape
    assert type(found) is type(tags)
    assert kept.dtype == given.dtype
    np.testing.assert_allclose(np.sort(kept[kept != 0]), np.sort(given[given != 0]))
    assert (kept != given).any()
    assert abs(tags - before).max() == 0
    assert abs(random_tags(tags, seed=1) - found).max() == 0
    assert abs(random_tags(tags, seed=2) - found).max() > 0


def test_random_tags_are_spread_evenly():
    rows = np.zeros((400, 50))
    rows[:8] = 1.0
    found = random_tags(rows, seed=0)
    assert found.sum() == 400
    assert found.sum(axis=1).max() <= 8
    assert found.sum(axis=0).min() > 0


@pytest.mark.parametrize("dense", [False, True])
def test_shuffled_tags_are_the_same_rows(dense):
    tags = some_tags().toarray() if dense else some_tags()
    found = shuffled_tags(tags, seed=1)
    kept, given = (t if dense else t.toarray() for t in (found, tags))
    assert sorted(map(tuple, kept)) == sorted(map(tuple, given))
    assert (kept != given).any()
    assert abs(shuffled_tags(tags, seed=1) - found).max() == 0


def test_controls_score_nothing():
    random = np.random.default_rng(3)
    kind = random.integers(0, 6, 1_500)
    images = np.eye(6)[kind] + 0.3 * random.standard_normal((1_500, 6))
    tags = csr_array(np.eye(6)[kind])
    assert corrembed(images, tags).mean > 0.6
    for control in (random_tags, shuffled_tags):
        assert abs(corrembed(images, control(tags), self_pairs="exclude").mean) < 0.02
