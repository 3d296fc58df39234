"""Ranks of judged candidates against whole sorted lists, with ties, copies and products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.discovery as slow
import strategies
from likelens._judged import judged_ranks
from likelens.metrics import discovery, discovery_of_pairs
from likelens.values.arrays import unit_rows
from likelens.values.errors import BadShape, BadSpec


@st.composite
def searches(draw):
    """Vectors with copies and zeros, queries (or the items themselves), pairs, products."""
    gallery = draw(strategies.vectors())
    count, width = gallery.shape
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    queries = draw(st.none() | strategies.vectors(width=width))
    asked = count if queries is None else len(queries)
    own = None if queries is None else random.integers(-1, count, asked)
    itself = np.arange(count) if own is None else own
    pairs = [(q, c) for q in range(asked) for c in range(count) if itself[q] != c]
    pairs = [pair for pair in pairs if random.random() < 0.4]
    products = [None if one == 3 else int(one) for one in random.integers(0, 4, count)]
    theirs = [None if one == 3 else int(one) for one in random.integers(0, 5, asked)]
    return gallery, queries, own, np.array(pairs, np.int64).reshape(-1, 2), products, theirs


def cosines(gallery, queries):
    """In float64, rounded to seven places, where products of float32 agree with the truth."""
    unit = [
        rows / np.where((size := np.linalg.norm(rows, axis=1, keepdims=True)) > 0, size, 1)
        for rows in (gallery, queries)
    ]
    return np.round(unit[1] @ unit[0].T, 6)


@settings(max_examples=200, deadline=None)
@given(searches(), st.integers(0, 14))
def test_equals_sorting_whole_lists(drawn, depth):
    gallery, queries, own, pairs, products, theirs = drawn
    asking = gallery if queries is None else queries
    itself = np.arange(len(gallery)) if own is None else own
    found = judged_ranks(
        gallery, queries, *pairs.T, own=own, products=products, query_products=theirs, depth=depth
    )
    scores = cosines(gallery, asking)
    np.testing.assert_allclose(found.scores, scores[tuple(pairs.T)], atol=1e-6)
    for query, (row, own_item) in enumerate(zip(scores, itself, strict=True)):
        if has_near_ties(asking[query], gallery, row):
            continue
        order = [c for c in sorted(range(len(row)), key=lambda c: (-row[c], c)) if c != own_item]
        places = np.full(len(row), len(row) + 1)
        places[order] = np.arange(len(order)) + 1
        shown = slow.shown(places.tolist(), products, theirs[query], own_item)
        mine = np.flatnonzero(pairs[:, 0] == query)
        for pair in mine:
            item = pairs[pair, 1]
            assert found.ranks[pair] == places[item]
            assert found.product_ranks[pair] == shown.get(item, 0)
        if depth:
            expected = np.full(depth, -1)
            if len(mine):
                expected[: len(order)] = order[:depth]
            np.testing.assert_array_equal(found.top[query], expected)
    assert depth or found.top is None


def has_near_ties(query, gallery, row):
    """Whether different vectors score the same, so that rounding decides who stands first."""
    unit = gallery / np.maximum(np.linalg.norm(gallery, axis=1, keepdims=True), 1e-30)
    if not query.any():
        return False  # exactly 0 for all
    kinds = [{tuple(np.round(one, 5)) for one in unit[row == value]} for value in np.unique(row)]
    return any(len(kind) > 1 for kind in kinds)


def shop(seed=0, items=900, queries=40, width=24, each=15):
    random = np.random.default_rng(seed)
    gallery = random.standard_normal((items, width)).astype(np.float32)
    gallery[random.integers(0, items, 60)] = gallery[random.integers(0, items, 60)]
    own = random.choice(items, queries, replace=False)
    asked = gallery[own] + 0.4 * random.standard_normal((queries, width)).astype(np.float32)
    pairs = np.array(
        [(q, c) for q in range(queries) for c in random.choice(items, each) if c != own[q]]
    )
    return gallery, asked, own, np.unique(pairs, axis=0)


def test_agrees_with_whole_rankings_to_the_last_metric():
    """judged_ranks and discovery_of_pairs give what discovery gives from whole matrices."""
    gallery, asked, own, pairs = shop()
    products, theirs = (np.arange(900) // 3).tolist(), (own // 3).tolist()
    every = np.array([(q, c) for q in range(40) for c in range(900) if c != own[q]])
    whole = judged_ranks(gallery, asked, *every.T, own=own)
    ranks, scores = np.full((40, 900), 900), np.full((40, 900), -np.inf)
    ranks[tuple(every.T)], scores[tuple(every.T)] = whole.ranks, whole.scores
    labels = np.random.default_rng(1).integers(0, 2, len(pairs))
    judged = np.column_stack([pairs, labels])
    found = judged_ranks(
        gallery, asked, *pairs.T, own=own, products=products, query_products=theirs
    )
    for definition, at in (("paper", found.ranks), ("release", found.product_ranks)):
        options = {"definition": definition, "k": (5, 50)}
        few = discovery_of_pairs(at, found.scores, judged, **options)
        kin = {"products": products, "query_products": theirs}
        all_of_it = discovery(ranks, scores, judged, **kin, **options)
        assert few.hit_rate == all_of_it.hit_rate
        assert few.mrr == all_of_it.mrr
        assert few.roc_auc_micro == all_of_it.roc_auc_micro


def test_pairs_in_any_order_and_in_many_blocks(monkeypatch):
    gallery, asked, own, pairs = shop(1)
    options = {"own": own, "products": (np.arange(900) % 50).tolist(), "depth": 20}
    found = judged_ranks(gallery, asked, *pairs.T, **options)
    shuffled = np.random.default_rng(0).permutation(len(pairs))
    monkeypatch.setattr("likelens._ranking.BLOCK_SCORES", 2_000)
    again = judged_ranks(gallery, asked, *pairs[shuffled].T, **options)
    np.testing.assert_array_equal(again.ranks, found.ranks[shuffled])
    np.testing.assert_array_equal(again.product_ranks, found.product_ranks[shuffled])
    np.testing.assert_allclose(again.scores, found.scores[shuffled], atol=1e-6)
    np.testing.assert_array_equal(again.top, found.top)


@pytest.mark.parametrize("items", [300, 1_001, 1_003, 1_007, 1_013])
def test_copies_share_a_score_and_stand_in_the_order_of_the_catalogue(items):
    """Wherever they stand: a product of matrices alone may differ in the last bit there."""
    random = np.random.default_rng(items)
    gallery = random.standard_normal((items, 77)).astype(np.float32)
    copies = np.array([items - 1, 10, 150, 50, items - 2])
    gallery[copies] = gallery[10]
    for count in (1, 5, 33):
        asked = gallery[10] + random.standard_normal((count, 77)).astype(np.float32)
        found = judged_ranks(gallery, asked, np.repeat(np.arange(count), 5), np.tile(copies, count))
        ranks, scores = found.ranks.reshape(count, 5), found.scores.reshape(count, 5)
        assert (ranks - ranks.min(axis=1, keepdims=True) == [4, 0, 2, 1, 3]).all()
        assert (scores == scores[:, :1]).all()


def test_all_scores_equal():
    found = judged_ranks(
        np.zeros((5, 2)), None, [0, 0, 3], [4, 1, 0], products=["a", "b", "b", "c", "c"], depth=3
    )
    assert found.ranks.tolist() == [4, 1, 1]
    assert found.product_ranks.tolist() == [0, 1, 1]
    assert found.top.tolist() == [[1, 2, 3], [-1] * 3, [-1] * 3, [0, 1, 2], [-1] * 3]


def test_one_item_and_no_pairs():
    found = judged_ranks([[1.0, 0.0]], [[0.0, 2.0]], [0], [0], depth=3)
    assert (found.ranks.tolist(), found.top.tolist()) == ([1], [[0, -1, -1]])
    none = judged_ranks([[1.0]], [[2.0]], np.zeros(0, int), np.zeros(0, int), depth=1)
    assert (len(none.ranks), none.top.tolist(), none.product_ranks) == (0, [[-1]], None)


def test_a_query_that_is_an_item_has_its_product():
    gallery = [[1, 0], [1, 0.1], [1, 0.2], [0, 1]]
    found = judged_ranks(
        gallery, [[1, 0]], [0, 0, 0], [1, 2, 3], own=[0], products=["x", "x", "y", None]
    )
    assert (found.ranks.tolist(), found.product_ranks.tolist()) == ([1, 2, 3], [0, 1, 2])


def test_arguments_are_not_changed():
    gallery, asked, own, pairs = shop(2)
    kept = [array.copy() for array in (gallery, asked, own, pairs)]
    judged_ranks(gallery, asked, *pairs.T, own=own, depth=5)
    for before, after in zip(kept, (gallery, asked, own, pairs), strict=True):
        np.testing.assert_array_equal(before, after)


GOOD = np.eye(3)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((GOOD, None, [0], [3]), {}, BadShape, r"1 of 1 pairs are outside 3 queries and 3 items"),
        ((GOOD, None, [-1, 0], [1, 1]), {}, BadShape, r"1 of 2 pairs are outside .*\(-1, 1\)"),
        ((GOOD, None, [0, 1], [0, 1]), {}, BadShape, "2 of 2 pairs are of a query with itself"),
        ((GOOD, GOOD, [0], [0]), {"own": [0, -1, -1]}, BadShape, "of a query with itself"),
        ((GOOD, None, [0.5], [1]), {}, BadShape, "rows of shape"),
        ((GOOD, None, [0, 1], [1]), {}, BadShape, "rows of shape"),
        ((GOOD, np.ones((1, 2)), [0], [1]), {}, BadShape, "queries have 2 dimensions"),
        ((GOOD * np.nan, None, [0], [1]), {}, BadShape, "hold NaN"),
        ((GOOD, None, [0], [1]), {"own": [9, 9, 9]}, BadShape, "own of shape"),
        ((GOOD, None, [0], [1]), {"products": ["a"]}, BadShape, "products of 3 items"),
        ((GOOD, None, [0], [1]), {"depth": -1}, BadSpec, "depth = -1"),
    ],
)
def test_wrong_use(arguments, options, kind, message):
    with pytest.raises(kind, match=message):
        judged_ranks(*arguments, **options)


def test_vectors_that_agree_in_part_are_no_copies():
    gallery = np.tile(np.arange(1.0, 65.0), (4, 1))
    gallery[1, 1] += 1.0
    gallery[2, 3] -= 1.0
    found = judged_ranks(gallery, gallery[[0]], [0] * 4, np.arange(4))
    assert found.ranks.tolist()[::3] == [1, 2]
    assert found.scores[0] == found.scores[3] > max(found.scores[1:3])


def test_unit_rows_do_not_depend_on_the_chunk():
    rows = np.random.default_rng(0).standard_normal((2_500, 7)) * 1e3
    rows[::9] = 0.0
    np.testing.assert_array_equal(unit_rows(rows), unit_rows(rows, chunk=9_999))
