"""Hubness against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import reference.metrics as slow
from likelens.metrics import hubness
from likelens.values.errors import BadShape


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.int64, st.tuples(st.integers(0, 9), st.integers(0, 5)), elements=st.integers(-1, 6)
    ),
    st.integers(7, 12),
)
def test_equals_the_loops(positions, n):
    found = hubness(positions, n)
    skewness, counts = slow.skewness(positions.tolist(), n)
    assert found.counts.tolist() == counts
    assert found.skewness == pytest.approx(skewness)
    assert found.orphans == pytest.approx(counts.count(0) / n)
    assert (
        found.largest.tolist()
        == [item for _, item in sorted((-c, item) for item, c in enumerate(counts) if c)][:10]
    )


def test_equals_scipy_and_sees_a_hub():
    random = np.random.default_rng(0)
    positions = random.integers(1, 500, (400, 10))
    even = hubness(positions, 500)
    positions[:, 0] = 0
    hub = hubness(positions, 500)
    assert even.skewness == pytest.approx(stats.skew(even.counts))
    assert hub.skewness == pytest.approx(stats.skew(hub.counts))
    assert hub.skewness > 10 > 1 > abs(even.skewness)
    assert hub.largest[0] == 0
    assert hub.counts[0] == 400


def test_edges():
    alone = hubness(np.zeros((0, 10), int), 3)
    assert alone.orphans == 1.0
    assert alone.skewness == 0.0
    assert alone.largest.tolist() == []
    nobody = hubness(np.full((2, 3), -1), 0)
    assert np.isnan([nobody.orphans, nobody.skewness]).all()
    assert nobody.counts.shape == (0,)
    assert hubness([[0, 1], [1, 0]], 2).skewness == 0.0
    assert hubness(np.array([[1]], np.uint8), 2).counts.tolist() == [0, 1]


def test_wrong_use():
    with pytest.raises(BadShape, match=r"2 positions lie outside a gallery of 3 items: 3, -2"):
        hubness([[0, 3], [-2, 1]], 3)
    with pytest.raises(BadShape, match=r"positions of shape \(2,\)"):
        hubness([0, 1], 3)
    with pytest.raises(BadShape, match="type float64"):
        hubness([[0.0]], 3)
    with pytest.raises(BadShape, match="a gallery of -1 items"):
        hubness([[0]], -1)
