"""nDCG against its definition and two outside libraries."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import ndcg_score

import reference.metrics as slow
import strategies
from likelens.metrics import ndcg
from likelens.values.errors import BadShape


@settings(max_examples=100, deadline=None)
@given(strategies.gains())
def test_equals_the_loops(drawn):
    gains, ideal, k = drawn
    expected = [slow.ndcg(row, k, best) for row, best in zip(gains, ideal, strict=True)]
    np.testing.assert_allclose(ndcg(gains, k, ideal).per_query, expected, atol=1e-12)


def test_equals_ir_measures():
    """trec_eval's nDCG: relevant items that were not returned count in the ideal."""
    random = np.random.default_rng(0)
    judged = random.integers(0, 4, (20, 30))
    returned = np.argsort(-random.random((20, 30)), axis=1)[:, :15]
    qrels = [
        ir_measures.Qrel(str(q), str(d), int(judged[q, d])) for q in range(20) for d in range(30)
    ]
    run = [
        ir_measures.ScoredDoc(str(q), str(d), 100.0 - rank)
        for q in range(20)
        for rank, d in enumerate(returned[q])
    ]
    gains, ideal = np.take_along_axis(judged, returned, axis=1), -np.sort(-judged, axis=1)
    for k in (1, 5, 10, 15):
        theirs = ir_measures.iter_calc([ir_measures.nDCG @ k], qrels, run)
        expected = [value for _, value in sorted((int(m.query_id), m.value) for m in theirs)]
        np.testing.assert_allclose(ndcg(gains, k, ideal).per_query, expected, atol=1e-9)


def test_equals_scikit_learn_on_whole_lists_without_ties():
    random = np.random.default_rng(1)
    judged, scores = random.integers(0, 3, (30, 12)), random.random((30, 12))
    judged[:, 0] = 1
    gains = np.take_along_axis(judged, np.argsort(-scores, axis=1), axis=1)
    found = ndcg(gains, 12, -np.sort(-judged, axis=1))
    expected = [ndcg_score(j[None], s[None], k=12) for j, s in zip(judged, scores, strict=True)]
    np.testing.assert_allclose(found.per_query, expected)


def test_all_relevant_items_count_in_the_ideal():
    """One of four relevant items returned, first: not 1, but 1 / IDCG."""
    found = ndcg([[1.0, 0.0, 0.0, 0.0]], 4, [[1.0, 1.0, 1.0, 1.0]]).per_query[0]
    assert found == pytest.approx(1 / (1 + 1 / np.log2(3) + 0.5 + 1 / np.log2(5)))


def test_edges():
    scores = ndcg([[0.0, 0.0], [0.0, 0.0], [2.0, 1.0]], 2, [[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]])
    np.testing.assert_array_equal(scores.per_query, [np.nan, 0.0, 1.0])
    assert scores.missing == 1
    assert scores.mean == 0.5
    assert ndcg(np.zeros((0, 3)), 2, np.zeros((0, 5))).per_query.shape == (0,)
    assert ndcg(np.array([[1, 0]], np.int8), 1, [[1]]).mean == 1.0


def test_wrong_use():
    for k in (0, 3, 1.0, True):
        with pytest.raises(BadShape, match=r"k = .* for lists of 2 items"):
            ndcg([[1.0, 0.0]], k, [[1.0, 0.0]])
    with pytest.raises(BadShape, match="k = 2 for lists of 1 items"):
        ndcg([[1.0, 0.0]], 2, [[1.0]])
    with pytest.raises(BadShape, match="gains of 1 queries and ideal gains of 2"):
        ndcg([[1.0]], 1, [[1.0], [1.0]])
    with pytest.raises(BadShape, match=r"1 of 2 rows hold values that are not at least 0: rows 1"):
        ndcg([[1.0], [-1.0]], 1, [[1.0], [1.0]])
    with pytest.raises(BadShape, match="not sorted downwards: rows 0"):
        ndcg([[1.0, 0.0]], 2, [[0.0, 1.0]])
    with pytest.raises(BadShape, match="gain more than the ideal: rows 1"):
        ndcg([[1.0], [2.0]], 1, [[1.0], [1.0]])
    with pytest.raises(BadShape, match="NaN or infinity: rows 0"):
        ndcg([[np.nan]], 1, [[1.0]])
