"""CSLS, local scaling and mutual proximity against their equations written out slowly."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens import metrics
from likelens._search.rerank import METHODS, NEIGHBOURS, Reranker, cosines_to, nearest_others
from likelens.index.base import build_index
from likelens.values.errors import BadShape
from strategies import relu_like, vectors


def cosine(a, b):
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def distance(s):
    return math.sqrt(2 - 2 * s) if s < 1 - 1e-6 else 0.0


def slow_csls(x, y, to_x, to_y, k):
    def mean(near):
        return sum(sorted(near, reverse=True)[:k]) / min(k, len(near)) if near else 0.0

    return 2 * cosine(x, y) - mean(to_x) - mean(to_y)


def slow_local_scaling(x, y, to_x, to_y, k):
    def scale(near):
        closest = sorted(near, reverse=True)[:k]
        return sum(map(distance, closest)) / len(closest) if closest else 0.0

    d, scales = distance(cosine(x, y)), scale(to_x) * scale(to_y)
    if d == 0:
        return 1.0
    return math.exp(-d * d / scales) if scales > 0 else 0.0


def slow_mutual_proximity(x, y, to_x, to_y, k):
    def chance(s, others):
        mean = sum(others) / len(others) if others else 0.0
        sd = math.sqrt(sum((o - mean) ** 2 for o in others) / len(others)) if others else 0.0
        if sd < 1e-6:
            return 0.5 if abs(s - mean) < 1e-6 else float(s > mean)
        return NormalDist().cdf((s - mean) / sd)

    s = cosine(x, y)
    return chance(s, to_x) * chance(s, to_y)


SLOW = {
    "csls": slow_csls,
    "local-scaling": slow_local_scaling,
    "mutual-proximity": slow_mutual_proximity,
}


def slow_scores(name, gallery, x, own):
    """Scores of all items for a query that is the items ``own``."""
    to_x = [cosine(x, z) for j, z in enumerate(gallery) if j not in own]
    scores = []
    for i, y in enumerate(gallery):
        to_y = [cosine(y, z) for j, z in enumerate(gallery) if j != i]
        scores.append(SLOW[name](x, y, to_x, to_y, NEIGHBOURS))
    return scores


def test_every_method_is_tested():
    assert SLOW.keys() == METHODS.keys()


@settings(max_examples=60, deadline=None)
@given(vectors(), st.sampled_from(list(SLOW)), st.data())
def test_an_item_asked_with_is_scored_as_written(name_rows, name, data):
    gallery = name_rows.astype(np.float32)
    index = build_index(gallery)
    row = data.draw(st.integers(0, len(gallery) - 1))
    if not gallery[row].any():
        return
    cosines = cosines_to(index.vectors, gallery[row])
    found = Reranker(name, index).scores(cosines, np.array([row]))
    unit = index.vectors.astype(float).tolist()
    expected = slow_scores(name, unit, unit[row], {row})
    # Where all are copies, rounding decides what is known of them; that is tested elsewhere.
    known = Reranker(name, index).of_items
    steady = {"csls": True, "local-scaling": (known > 0.01).all(), "mutual-proximity": False}
    if name == "mutual-proximity":
        steady[name] = (known[:, 1] > 1e-3).all()
    if steady[name]:
        np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("name", list(SLOW))
def test_a_picture_from_elsewhere_is_scored_as_written(name):
    gallery = relu_like(40, 6).astype(np.float32)
    gallery[7] = gallery[3]
    index = build_index(gallery)
    query = relu_like(1, 6, seed=9)[0].astype(np.float32)
    found = Reranker(name, index).scores(cosines_to(index.vectors, query), np.zeros(0, int))
    expected = slow_scores(name, gallery.astype(float).tolist(), query.astype(float).tolist(), ())
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found[7] == found[3], "copies tie"


@pytest.mark.parametrize("name", list(SLOW))
def test_neighbours_of_all_items_are_those_of_each(name):
    gallery = relu_like(60, 5, seed=2).astype(np.float32)
    gallery[11] = gallery[10]
    index = build_index(gallery)
    reranker = Reranker(name, index)
    lists = reranker.neighbours(7)
    assert lists.shape == (60, 7)
    for row in range(60):
        cosines = cosines_to(index.vectors, gallery[row])
        scores = reranker.scores(cosines, np.array([row])).astype(float)
        scores[row] = -np.inf
        assert row not in lists[row]
        np.testing.assert_allclose(np.sort(scores[lists[row]]), np.sort(scores)[-7:], atol=1e-4)
        assert scores[lists[row][0]] == pytest.approx(scores.max(), abs=1e-4)


def test_known_values():
    assert metrics.csls([[0.9]], [0.7], [[0.5]]) == pytest.approx(0.6)
    # d = 0.5 for s = 0.875: exp(-0.25 / (0.5 * 0.25))
    assert metrics.local_scaling([[0.875]], [0.5], [[0.25]]) == pytest.approx(math.exp(-2))
    one = metrics.mutual_proximity([[0.7]], [[0.5, 0.1]], [[[0.6, 0.2]]])
    assert one == pytest.approx(NormalDist().cdf(2.0) * NormalDist().cdf(0.5))


def test_what_is_the_same_for_all_queries_may_be_given_once():
    s = np.array([[0.9, 0.1], [0.3, 0.2]])
    for name, known in (("csls", [0.4, 0.6]), ("local_scaling", [0.4, 0.6])):
        score = getattr(metrics, name)
        np.testing.assert_array_equal(
            score(s, [0.5, 0.1], known), score(s, [0.5, 0.1], [known] * 2)
        )
    known = [[0.4, 0.1], [0.6, 0.2]]
    both = [[0.5, 0.1], [0.1, 0.3]]
    np.testing.assert_array_equal(
        metrics.mutual_proximity(s, both, known), metrics.mutual_proximity(s, both, [known] * 2)
    )


def test_copies_and_no_spread():
    same = metrics.local_scaling([[1.0, 1.0 - 1e-7, 0.9]], [0.0], [[0.0, 0.3, 0.3]])
    assert same.tolist() == [[1.0, 1.0, 0.0]]
    flat = metrics.mutual_proximity([[0.4, 0.5, 0.6]], [[0.5, 0.0]], [[[0.5, 0.0]] * 3])
    assert flat.tolist() == [[0.0, 0.25, 1.0]]
    assert metrics.nearest_similarity(np.zeros((2, 0))).tolist() == [0.0, 0.0]
    assert metrics.nearest_distance([[1.0, 1.0 - 1e-7]]).tolist() == [0.0]
    assert metrics.similarity_moments(np.zeros((1, 0))).tolist() == [[0.0, 0.0]]


@settings(max_examples=60, deadline=None)
@given(vectors())
def test_moments_of_a_gallery_are_those_of_its_pairs(rows):
    found = metrics.gallery_moments(rows)
    for i, one in enumerate(rows):
        others = [cosine(one, other) for j, other in enumerate(rows) if j != i]
        mean, sd = (np.mean(others), np.std(others)) if others else (0.0, 0.0)
        assert found[i, 0] == pytest.approx(mean, abs=1e-9)
        assert found[i, 1] == pytest.approx(sd, abs=1e-6)


def test_moments_come_in_parts(monkeypatch):
    rows = relu_like(50, 4)
    whole = metrics.gallery_moments(rows)
    monkeypatch.setattr("likelens.metrics._rerank.CHUNK_ROWS", 7)
    np.testing.assert_allclose(metrics.gallery_moments(rows), whole, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(vectors(), st.integers(1, 15))
def test_nearest_others_leave_out_the_item_and_keep_its_copies(rows, k):
    index = build_index(rows.astype(np.float32))
    scores, places = nearest_others(index, k)
    assert scores.shape == places.shape == (len(rows), min(k, len(rows) - 1))
    for row, found in enumerate(places):
        assert row not in found
        assert len(set(found.tolist())) == len(found)
        expected = sorted((cosine(rows[row], y) for j, y in enumerate(rows) if j != row))[::-1]
        np.testing.assert_allclose(scores[row], expected[: len(found)], atol=1e-5)


@pytest.mark.parametrize("name", list(SLOW))
def test_few_items(name):
    for count in (1, 2, 3):
        index = build_index(relu_like(count, 4).astype(np.float32))
        reranker = Reranker(name, index)
        scores = reranker.scores(cosines_to(index.vectors, index.vectors[0]), np.array([0]))
        assert scores.shape == (count,)
        assert np.isfinite(scores).all()
        assert reranker.neighbours(5).shape == (count, count - 1)


def test_wrong_use():
    with pytest.raises(BadShape, match=r"of_queries \(2,\)"):
        metrics.csls([[0.1]], [0.1, 0.2], [[0.1]])
    with pytest.raises(BadShape, match=r"of_items \(1, 2\)"):
        metrics.local_scaling([[0.1]], [0.1], [[0.1, 0.2]])
    with pytest.raises(BadShape, match=r"give shapes \(q, k\), \(q, 2\) and \(q, k, 2\)"):
        metrics.mutual_proximity([[0.1]], [0.1], [[0.1]])
    with pytest.raises(BadShape, match="NaN or infinite"):
        metrics.csls([[float("nan")]], [0.1], [[0.1]])
    with pytest.raises(BadShape, match="NaN or infinite"):
        metrics.csls([[0.1]], [float("inf")], [[0.1]])
    with pytest.raises(BadShape, match="matrix of cosines"):
        metrics.nearest_similarity([0.1])
    with pytest.raises(BadShape, match="hold NaN"):
        metrics.gallery_moments(np.array([[np.nan, 1.0]]))
