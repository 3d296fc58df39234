"""Pooling against a slow and plain version: unions, ranks, overlaps, what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens import eds
from likelens.values.errors import BadShape


def slow_lists(positions, k, own, products, query_products):
    """For each query and encoder its first k candidates that may be judged."""
    for row in range(len(next(iter(positions.values())))):
        found = {}
        for name, matrix in positions.items():
            kept = []
            for item in matrix[row]:
                if item == -1 or item == own[row]:
                    continue
                theirs = query_products[row]
                if theirs is not None and products[item] == theirs:
                    continue
                kept.append(int(item))
            found[name] = kept[:k]
        yield found


def possible_items(row, own, products, query_products):
    """The items that may be candidates of a query."""
    theirs = query_products[row]
    return [
        item
        for item, product in enumerate(products)
        if item != own[row] and (theirs is None or product != theirs)
    ]


def slow_pool(positions, k, own, products, query_products):
    """Pairs, ranks, overlap and Jaccard, a pair at a time."""
    names, pairs, ranks = list(positions), [], []
    shared, ratios = [], []
    for row, lists in enumerate(slow_lists(positions, k, own, products, query_products)):
        lines = [
            (*(mine.index(item) + 1 if item in mine else 0 for mine in lists.values()), item)
            for item in {item for mine in lists.values() for item in mine}
        ]
        lines.sort(key=lambda line: (min(rank for rank in line[:-1] if rank), line[-1]))
        pairs += [(row, line[-1]) for line in lines]
        ranks += [line[:-1] for line in lines]
        sets = [set(lists[name]) for name in names]
        if lines:
            most = min(k, len(possible_items(row, own, products, query_products)))
            shared.append([[100 * len(a & b) / most for a in sets] for b in sets])
        ratios.append(
            [[100 * len(a & b) / len(a | b) if a | b else np.nan for a in sets] for b in sets]
        )
    overlap = np.mean(shared, axis=0) if shared else None
    with np.errstate(invalid="ignore"):
        table = np.array(ratios)
        known = ~np.isnan(table)
        counts = known.sum(axis=0)
        jaccard = np.where(
            counts, np.where(known, table, 0).sum(axis=0) / np.maximum(counts, 1), np.nan
        )
    return pairs, ranks, overlap, jaccard


@st.composite
def galleries(draw):
    """Rankings of a small gallery by a few encoders, with gaps, owners and products."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    items, queries = draw(st.integers(2, 9)), draw(st.integers(1, 6))
    depth = draw(st.integers(1, items))
    positions = {}
    for number in range(draw(st.integers(1, 4))):
        lists = np.array([random.permutation(items)[:depth] for _ in range(queries)])
        lists[random.random(lists.shape) < draw(st.sampled_from([0, 0, 0.3]))] = -1
        positions[f"e{number}"] = lists
    own = random.integers(-1, items, queries)
    products = [draw(st.sampled_from([None, "a", "b", "c"])) for _ in range(items)]
    query_products = [None if o < 0 else products[o] for o in own]
    return positions, draw(st.integers(1, 5)), own, products, query_products, items


@given(galleries())
def test_equal_to_the_slow_pool(case):
    positions, k, own, products, query_products, items = case
    pairs, ranks, overlap, jaccard = slow_pool(positions, k, own, products, query_products)
    given_ = {"own": own, "products": products, "query_products": query_products}
    if not pairs:
        with pytest.raises(BadShape, match="the pool is empty"):
            eds.pool(positions, k, **given_)
        return
    found = eds.pool(positions, k, **given_)
    assert found.pairs.tolist() == [list(pair) for pair in pairs]
    assert found.ranks.tolist() == [list(line) for line in ranks]
    assert found.sources == tuple(
        tuple(name for name, rank in zip(positions, line, strict=True) if rank) for line in ranks
    )
    np.testing.assert_allclose(found.overlap, overlap, atol=1e-9)
    np.testing.assert_allclose(found.jaccard, jaccard, atol=1e-9)
    assert (
        found.per_query.tolist()
        == np.bincount([row for row, _ in pairs], minlength=len(own)).tolist()
    )
    lists = list(slow_lists(positions, k, own, products, query_products))
    assert found.short == {name: sum(len(one[name]) < k for one in lists) for name in positions}
    assert found.without_candidate == sum(not any(one.values()) for one in lists)
    askable = sum(
        item != own[row] and (query_products[row] is None or products[item] != query_products[row])
        for row in range(len(own))
        for item in range(items)
    )
    assert found.brute_force == found.cost.brute_force == askable
    assert found.cost.share == len(pairs) / askable


@given(galleries())
def test_own_and_same_product_never_are_candidates(case):
    positions, k, own, products, query_products, _ = case
    try:
        found = eds.pool(positions, k, own=own, products=products, query_products=query_products)
    except BadShape:
        return
    for query, candidate in found.pairs:
        assert candidate != own[query]
        assert query_products[query] is None or products[candidate] != query_products[query]


@given(galleries(), st.integers(1, 5))
def test_smaller_pools_equal_pooling_again(case, depth):
    positions, k, own, _, _, items = case
    try:
        found = eds.pool(positions, k, own=own, items=items)
    except BadShape:
        return

    def same(part, again):
        assert part.encoders == again.encoders
        assert (part.k, part.queries) == (again.k, again.queries)
        np.testing.assert_array_equal(part.pairs, again.pairs)
        np.testing.assert_array_equal(part.ranks, again.ranks)
        np.testing.assert_allclose(part.overlap, again.overlap)
        assert (part.short, part.cost) == (again.short, again.cost)

    smaller = min(depth, k)
    same(found.at(smaller), eds.pool(positions, smaller, own=own, items=items))
    for name in positions if len(positions) > 1 else ():
        others = {other: lists for other, lists in positions.items() if other != name}
        try:
            again = eds.pool(others, k, own=own, items=items)
        except BadShape:
            with pytest.raises(BadShape, match="empty"):
                found.without(name)
            continue
        same(found.without(name), again)


def test_products_of_queries_that_are_items_need_no_second_list():
    lists = {"a": np.array([[1, 2, 3]])}
    found = eds.pool(lists, 2, own=[0], products=np.array(["x", "x", "y", "z"]))
    assert found.pairs[:, 1].tolist() == [2, 3]
    assert found.ranks.ravel().tolist() == [1, 2]


def test_one_encoder_overlaps_with_itself_and_two_with_equal_lists_too():
    lists = np.array([[3, 1], [0, 2]])
    assert eds.pool({"a": lists}, 2).overlap.tolist() == [[100.0]]
    both = eds.pool({"a": lists, "b": lists[:, ::-1]}, 2)
    assert (both.overlap == 100).all()
    assert (both.jaccard == 100).all()
    assert len(both) == 4


def test_a_gallery_smaller_than_k_can_be_shared_as_a_whole():
    found = eds.pool({"a": [[0, 1, 2]], "b": [[2, 1, 0]]}, 100, own=[0])
    assert found.overlap.tolist() == [[100, 100], [100, 100]]
    assert found.short == {"a": 1, "b": 1}


def test_blocks_of_queries_make_no_difference(monkeypatch):
    random = np.random.default_rng(3)
    lists = {n: np.array([random.permutation(30)[:9] for _ in range(50)]) for n in "abc"}
    whole = eds.pool(lists, 4)
    monkeypatch.setattr("likelens.eds._pool.BLOCK_ENTRIES", 100)
    parts = eds.pool(lists, 4)
    np.testing.assert_array_equal(whole.pairs, parts.pairs)
    np.testing.assert_array_equal(whole.ranks, parts.ranks)


def test_a_query_without_candidates_is_counted_and_short_lists_too():
    found = eds.pool({"a": np.array([[1, 2], [-1, -1], [0, -1]])}, 2)
    assert found.without_candidate == 1
    assert found.short == {"a": 2}
    assert found.overlap[0, 0] == 75.0  # of the two queries that have candidates


def test_what_is_given_is_not_changed():
    lists = np.array([[0, 1, 2]])
    eds.pool({"a": lists}, 2, own=[1])
    assert lists.tolist() == [[0, 1, 2]]


def test_a_product_that_is_nan_is_none():
    missing = float("nan")
    found = eds.pool(
        {"a": [[1, 2]]}, 2, own=[0], products=np.array([missing, missing, "x"], dtype=object)
    )
    assert found.pairs[:, 1].tolist() == [1, 2]


GOOD = {"a": np.array([[0, 1], [1, 2]]), "b": np.array([[2, 1], [0, 1]])}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"positions": {}}, "no encoder gives candidates"),
        ({"k": 0}, "k = 0"),
        ({"k": True}, "k = True"),
        ({"k": 2.0}, r"k = 2\.0"),
        ({"positions": {"a": [0, 1]}}, "are no rankings"),
        ({"positions": {"a": [[0.5, 1.0]]}}, "are no rankings"),
        ({"positions": {**GOOD, "c": [[0, 1]]}}, "2 by a, 2 by b, 1 by c|different numbers"),
        ({"positions": {"a": [[0, -2]]}}, "positions from -2"),
        ({"positions": {"a": [[0, 9]]}, "items": 5}, "gallery of 5 items"),
        ({"positions": {"a": [[1, 1], [2, 1]]}}, "ranks an item twice for 1 queries: 0"),
        ({"positions": {"a": [[-1], [-1]]}}, "the pool is empty: not one of the 2"),
        ({"positions": {"a": np.zeros((0, 3), int)}}, "the pool is empty: not one of the 0"),
        ({"own": [0]}, "own|queries"),
        ({"own": [0, 9], "items": 3}, "own|gallery"),
        ({"products": ["x", "y", "z"]}, "known of the items only"),
        ({"query_products": ["x", "y"]}, "known of the queries only"),
        ({"products": ["x", "y"], "query_products": ["x", "y"]}, "with 2 products|2 items"),
        ({"products": ["x", "y", "z"], "query_products": ["x"]}, "1 products for 2 queries"),
        ({"products": [], "query_products": ["x", "y"]}, "with 0 products"),
    ],
)
def test_what_makes_no_pool_is_said(change, text):
    with pytest.raises(BadShape, match=text):
        eds.pool(**{"positions": GOOD, "k": 2, **change})


def test_what_a_pool_cannot_give_is_said():
    found = eds.pool(GOOD, 2)
    with pytest.raises(BadShape, match="no encoder of the pool is called c"):
        found.without("c")
    with pytest.raises(BadShape, match="the only encoder"):
        found.without("a").without("b")
    for k in (0, 3, 1.0):
        with pytest.raises(BadShape, match="first 2"):
            found.at(k)


def test_names_are_sorted_and_all_there():
    assert eds.__all__ == sorted(eds.__all__, key=lambda n: (not n.isupper(), n.lower() == n, n))
    assert all(getattr(eds, name) is not None for name in eds.__all__)
    assert set(eds.__all__) <= set(dir(eds))
    with pytest.raises(AttributeError, match="no attribute 'poll'"):
        _ = eds.poll


class TestRandomPairs:
    @given(
        st.integers(1, 5),
        st.integers(1, 7),
        st.integers(1, 60),
        st.booleans(),
        st.booleans(),
        st.integers(0, 99),
    )
    @settings(max_examples=80, deadline=None)
    def test_they_are_of_those_that_there_are(self, queries, items, count, is_item, kin, seed):
        draw = np.random.default_rng(seed)
        own = draw.integers(-1, items, queries) if is_item else None
        names = [None, "a", "b"]
        products = [names[one] for one in draw.integers(0, 3, items)] if kin else None
        theirs = [names[one] for one in draw.integers(0, 3, queries)] if kin else None
        there = [
            [query, item]
            for query in range(queries)
            for item in range(items)
            if not (is_item and own[query] == item)
            and not (kin and theirs[query] is not None and theirs[query] == products[item])
        ]
        found = eds.random_pairs(
            queries, items, count, own=own, products=products, query_products=theirs, seed=seed
        ).tolist()
        assert len(found) == min(count, len(there))
        assert found == sorted(found)
        assert all(pair in there for pair in found)
        assert len({tuple(pair) for pair in found}) == len(found)
        if count >= len(there):
            assert found == there

    def test_each_is_as_likely_as_any_other(self):
        counts = np.zeros((3, 4))
        for seed in range(2_000):
            pairs = eds.random_pairs(
                3, 4, 2, own=[0, 1, -1], products=["a", "b", "b", "c"],
                query_products=["a", "b", None], seed=seed,
            )  # fmt: skip
            counts[tuple(pairs.T)] += 1
        assert (counts == 0).tolist() == [
            [True, False, False, False],
            [False, True, True, False],
            [False] * 4,
        ]
        expected = 2_000 * 2 / 9
        assert np.abs(counts[counts > 0] - expected).max() < 5 * expected**0.5

    def test_wrong_draws(self):
        for count in (0, -1, 1.5, True):
            with pytest.raises(BadShape, match="random pairs cannot be drawn"):
                eds.random_pairs(2, 3, count)
        with pytest.raises(BadShape, match="1 products for 3 items"):
            eds.random_pairs(2, 3, 1, products=["a"], query_products=["a", "b"])
        with pytest.raises(BadShape, match="own of shape"):
            eds.random_pairs(2, 3, 1, own=[0, 3])
        assert eds.random_pairs(0, 3, 5).shape == (0, 2)
        assert eds.random_pairs(2, 1, 5, own=[0, 0]).shape == (0, 2)
