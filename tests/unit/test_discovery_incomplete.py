"""bpref and inferred AP against trec_eval (by ir-measures), their equations, and their edges."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import Bpref, infAP

import reference.discovery as slow
from likelens.metrics import average_precision, bpref, inferred_ap
from likelens.values.errors import BadShape


def a_run(random, queries, items):
    """Ranks (0 for not returned) and grades (-1 in the pool, -2 not in it) of all pairs."""
    grades = random.choice([-2, -1, 0, 1], (queries, items), p=random.dirichlet([1, 1, 1, 1]))
    ranks = np.array([random.permutation(items) + 1 for _ in range(queries)])
    ranks[ranks > random.integers(0, items + 1, queries)[:, None]] = 0
    return ranks, grades


def pooled(ranks, grades):
    queries, items = np.nonzero(grades >= -1)
    return ranks[queries, items], np.column_stack([queries, items, grades[queries, items]])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_equals_the_equations(queries, items, seed):
    random = np.random.default_rng(seed)
    ranks, grades = a_run(random, queries, items)
    at, pairs = pooled(ranks, grades)
    if not len(pairs):
        return
    shuffled = random.permutation(len(pairs))
    for function, equation in ((bpref, slow.bpref), (inferred_ap, slow.inferred_ap)):
        expected = [
            equation([(int(r), int(g)) for r, g in zip(*row, strict=True) if g >= -1])
            for row in zip(ranks, grades, strict=True)
        ]
        found = function(at[shuffled], pairs[shuffled], queries=queries).per_query
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_equals_ir_measures(seed):
    queries, items = 40, 60
    ranks, grades = a_run(np.random.default_rng(seed), queries, items)
    at, pairs = pooled(ranks, grades)
    qrels = [ir_measures.Qrel(f"q{q}", f"d{c}", int(grade)) for q, c, grade in pairs]
    run = [
        ir_measures.ScoredDoc(f"q{q}", f"d{c}", -float(ranks[q, c]))
        for q, c in zip(*np.nonzero(ranks), strict=True)
    ]
    has = (grades == 1).any(axis=1)
    for measure, function in ((Bpref, bpref), (infAP, inferred_ap)):
        theirs = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
        expected = np.array([theirs.get(f"q{q}", 0.0) for q in range(queries)])
        expected[~has] = np.nan
        found = function(at, pairs, queries=queries).per_query
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_inferred_ap_of_a_whole_pool_is_average_precision():
    """With every pooled pair judged, and what is outside the pool negative."""
    random = np.random.default_rng(3)
    ranks = np.array([random.permutation(30) + 1 for _ in range(20)])
    grades = random.choice([-2, 0, 1], ranks.shape)
    hits = np.take_along_axis(grades == 1, np.argsort(ranks, axis=1), axis=1)
    found = inferred_ap(*pooled(ranks, grades)).per_query
    whole = average_precision(hits, (grades == 1).sum(axis=1)).per_query
    np.testing.assert_allclose(found, whole, atol=1e-4)


def test_what_nobody_judged_does_not_move_bpref():
    few = bpref([1, 2, 3], [[0, 0, 1], [0, 1, 0], [0, 2, 1]])
    many = bpref([1, 52, 90], [[0, 0, 1], [0, 1, 0], [0, 2, 1]])
    assert few.mean == many.mean == 0.5


def test_edges():
    assert bpref([0], [[0, 0, 1]]).mean == 0.0
    assert bpref([7], [[0, 0, 1]]).mean == 1.0
    assert np.isnan(bpref([1], [[0, 0, 0]]).mean)
    assert np.isnan(inferred_ap([1], [[0, 0, -1]]).mean)
    assert inferred_ap([1], [[0, 0, 1]]).mean == 1.0
    found = bpref([1], [[2, 0, 1]], queries=5).per_query
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.0, np.nan, np.nan])
    doubled = bpref([1, 1, 2], [[0, 0, 0], [0, 0, 0], [0, 1, 1]])
    assert doubled.mean == bpref([1, 2], [[0, 0, 0], [0, 1, 1]]).mean


@pytest.mark.parametrize(
    ("ranks", "pairs", "message"),
    [
        ([1], [[0, 0, 2]], "labels that are not 0 or 1 or -1"),
        ([1, 2], [[0, 0, 1]], r"ranks of shape \(2,\)"),
        ([-1], [[0, 0, 1]], r"ranks are not whole numbers from 1 up \(0 for"),
        ([1, 2], [[0, 0, 1], [0, 0, -1]], "another label"),
        ([], [], "no judgements"),
    ],
)
def test_wrong_use(ranks, pairs, message):
    for function in (bpref, inferred_ap):
        with pytest.raises(BadShape, match=message):
            function(ranks, pairs)
