"""Groups, near-duplicates, diversity and thresholds, against a plain walk down the ranking."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from likelens._search import choose as module
from likelens._search.choose import (
    CLOSE,
    ByIndex,
    ByScore,
    Chosen,
    Order,
    choose,
    diversify,
    group_codes,
)
from likelens._search.rerank import cosines_to
from likelens.index.base import build_index
from likelens.values.errors import BadQuery
from strategies import vectors


def slow_walk(unit, order, cosines, k, groups, collapse):
    """Results and what is folded into each, one item after another."""
    chosen, folded = [], []
    for row in order:
        if groups is not None and any(groups[row] == groups[one] for one in chosen):
            continue
        likeness = [float(unit[one] @ unit[row]) for one in chosen]
        if collapse is not None and likeness and max(likeness) >= collapse - CLOSE:
            folded[likeness.index(max(likeness))] += 1
            continue
        if len(chosen) == k:
            break
        chosen.append(row)
        folded.append(0)
    return chosen, folded


def all_apart(unit, cosines):
    """Whether no two different vectors score so alike that rounding decides their order."""
    near = np.abs(cosines[:, None] - cosines) < CLOSE
    return bool((near <= (unit[:, None] == unit).all(2)).all())


@st.composite
def galleries(draw):
    rows = draw(vectors()).astype(np.float32)
    query = draw(vectors(1, rows.shape[1]))[0].astype(np.float32)
    random = np.random.default_rng(draw(st.integers(0, 999)))
    groups = random.integers(0, draw(st.integers(1, 5)), len(rows))
    allowed = random.random(len(rows)) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    return rows, query, groups if draw(st.booleans()) else None, allowed if draw(st.booleans()) else None  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    galleries(),
    st.integers(1, 14),
    st.sampled_from([None, 0.5, 0.98, 1.0]),
    st.sampled_from([None, -0.5, 0.3]),
)
def test_the_walk_is_the_plain_one(gallery, k, collapse, threshold):
    rows, query, groups, allowed = gallery
    if not query.any():
        return
    index = build_index(rows)
    unit, cosines = index.vectors, cosines_to(index.vectors, query)
    assume(all_apart(unit, cosines))
    free = np.arange(len(rows)) if allowed is None else np.flatnonzero(allowed)
    order = sorted(free, key=lambda row: (-cosines[row], row))
    alike = [row for row in order if threshold is None or cosines[row] >= threshold - CLOSE]
    expected, folded = slow_walk(unit, alike, cosines, k, groups, collapse)
    for ranking in (
        ByIndex(index, query, allowed, threshold),
        ByScore(cosines, cosines, allowed, threshold),
    ):
        found = choose(ranking, k, unit, groups=groups, collapse=collapse)
        assert found.rows.tolist() == expected
        assert ranking.best == (pytest.approx(cosines[order[0]], abs=1e-6) if order else None)
        np.testing.assert_allclose(found.cosines, cosines[expected], atol=1e-6)
        if len(expected) < k:  # what came after the last result was looked at, too
            assert found.folded.tolist() == folded
        else:
            assert (found.folded <= np.array(folded)).all()


def test_k_results_though_one_group_swallows_most(monkeypatch):
    monkeypatch.setattr(module, "MOST_FETCHED", 8)
    random = np.random.default_rng(0)
    rows = random.standard_normal((300, 5)).astype(np.float32)
    near = rows[0] + 0.01 * random.standard_normal((250, 5)).astype(np.float32)
    gallery = np.concatenate([near, rows])
    groups = np.concatenate([np.zeros(250, int), 1 + np.arange(300) % 40])
    index = build_index(gallery)
    found = choose(ByIndex(index, rows[0], None, None), 41, index.vectors, groups=groups)
    assert sorted(groups[found.rows]) == list(range(41))
    assert len(choose(ByIndex(index, rows[0], None, None), 60, index.vectors, groups=groups).rows) == 41  # fmt: skip
    far = choose(ByIndex(index, rows[0], None, None), 20, index.vectors, collapse=0.98)
    assert len(far.rows) == 20
    assert far.folded[0] >= 249


def test_folded_stops_at_the_last_result():
    rows = np.array([[1, 0], [1, 0.001], [0.8, 0.6], [0.79, 0.61], [0, 1]], np.float32)
    index = build_index(rows)

    def folded(k):
        ranking = ByIndex(index, rows[0], None, None)
        return choose(ranking, k, index.vectors, collapse=0.99).folded.tolist()

    assert folded(1) == [0]
    assert folded(2) == [1, 0]
    assert folded(3) == [1, 1, 0]


def slow_mmr(pool, cosines, k, diversity):
    left, chosen = list(range(len(pool))), []
    while left and len(chosen) < k:
        worth = [
            (1 - diversity) * float(cosines[place])
            - diversity * max((float(pool[place] @ pool[one]) for one in chosen), default=0.0)
            for place in left
        ]
        best = max(range(len(left)), key=lambda one: (round(worth[one], 5), -left[one]))
        chosen.append(left.pop(best))
    return chosen


@settings(max_examples=80, deadline=None)
@given(vectors(width=4), st.integers(1, 12), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_diversity_is_maximal_marginal_relevance(rows, k, diversity):
    index = build_index(rows.astype(np.float32))
    query = np.ones(4, np.float32)
    pool = choose(ByIndex(index, query, None, None), 12, index.vectors)
    found = diversify(pool, k, index.vectors, diversity)
    unit = index.vectors[pool.rows]
    places = slow_mmr(unit, pool.cosines, k, diversity)
    worths = []
    for order in (places, [pool.rows.tolist().index(row) for row in found.rows]):
        worths.append(
            [
                (1 - diversity) * pool.cosines[place]
                - diversity * max((unit[place] @ unit[one] for one in order[:at]), default=0.0)
                for at, place in enumerate(order)
            ]
        )
    # Rounding may exchange equals, so the worths are compared, not the items.
    np.testing.assert_allclose(worths[1], worths[0], atol=1e-4)
    assert len(set(found.rows.tolist())) == len(found.rows) == min(k, len(rows))
    if diversity == 0.0:
        assert found.rows.tolist() == pool.rows[:k].tolist()


def test_diversity_of_nothing():
    none = np.zeros(0)
    empty = Chosen(none.astype(int), none, none, none.astype(int))
    assert diversify(empty, 3, np.zeros((0, 2), np.float32), 0.5).rows.size == 0


def test_scores_order_and_ties_go_by_cosine_then_position():
    cosines = np.array([0.5, 0.9, 0.9, 0.1], np.float32)
    ranking = ByScore(cosines, np.array([1.0, 0.0, 0.0, 1.0]), None, 0.2)
    assert ranking.best == pytest.approx(0.9)
    assert ranking.next(2)[0].tolist() == [0, 1]
    ranking.leave_out(np.array([False, False, True, False]))
    assert ranking.next(2)[0].tolist() == []
    assert ByScore(cosines, cosines, np.zeros(4, bool), None).best is None


def test_groups_of_columns():
    def codes(values, **kind):
        return group_codes(pa.chunked_array([pa.array(values, **kind)]), "x").tolist()

    assert codes(["a", "b", "a"]) == [0, 1, 0]
    found = codes([1, None, 1, None])
    assert found[0] == found[2]
    assert len(set(found)) == 3, "an item without a value is alone"
    assert len(set(codes([None, None], type=pa.string()))) == 2
    assert codes([], type=pa.string()) == []
    two = pa.chunked_array([pa.array(["a", "b"]), pa.array(["b", "a"])])
    assert group_codes(two, "x").tolist() == [0, 1, 1, 0]
    with pytest.raises(BadQuery, match="holds several values"):
        codes([["a"], ["b"]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 0}, "k = 0 is not at least 1"),
        ({"k": 2.5}, "k = 2.5 is not"),
        ({"k": True}, "k = True is not"),
        ({"rerank": "magic"}, "no re-ranking 'magic'.*\n.*\n.*csls, local-scaling"),
        ({"collapse": 0.0}, "0 is no similarity of near-duplicates"),
        ({"collapse": 98.0}, "98 is no similarity"),
        ({"collapse": float("nan")}, "nan is no similarity"),
        ({"diversity": -0.1}, "not from 0 to 1"),
        ({"diversity": float("nan")}, "not from 0 to 1"),
        ({"threshold": float("nan")}, "not a number"),
        ({"diversity": 0.2, "rerank": "csls"}, "one of the two"),
    ],
)
def test_wrong_orders(wrong, message):
    with pytest.raises(BadQuery, match=message):
        Order(**wrong).check()
