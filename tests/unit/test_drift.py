"""How far rounded vectors are from exact ones, against loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from likelens.encoders.drift import TOP, drift_of, row_cosines

MATRICES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 14), st.integers(1, 4)),
    elements=st.integers(-3, 3).map(float),  # ties, duplicates and rows of zeros
)


def slowly(made, exact):
    def cosine(a, b):
        length = np.linalg.norm(a) * np.linalg.norm(b)
        return float(a @ b / length) if length else 0.0

    def most_alike(vectors, row, count):
        others = [other for other in range(len(vectors)) if other != row]
        return sorted(others, key=lambda o: (-round(cosine(vectors[row], vectors[o]), 5), o))[
            :count
        ]

    cosines = [cosine(a, b) for a, b in zip(made, exact, strict=True)]
    top = min(TOP, len(made) - 1)
    shares = [
        len(set(most_alike(made, row, top)) & set(most_alike(exact, row, top))) / top
        for row in range(len(made))
        if top
    ]
    return min(cosines), np.mean(cosines), np.mean(shares or [1.0]), top


@settings(max_examples=60, deadline=None)
@given(MATRICES, st.integers(0, 9))
def test_drift_equals_loops(exact, seed):
    noise = np.random.default_rng(seed).normal(0, 0.3, exact.shape).astype(np.float32)
    found = drift_of(exact + noise, exact + noise[::-1])
    lowest, mean, shared, top = slowly(exact + noise, exact + noise[::-1])
    assert found.lowest == pytest.approx(lowest, abs=1e-5)
    assert found.mean == pytest.approx(mean, abs=1e-5)
    assert found.shared == pytest.approx(shared, abs=0.11)  # neighbours as near as rounding
    assert (found.top, found.pictures) == (top, len(exact))


@given(MATRICES)
def test_the_same_vectors_share_all_neighbours(vectors):
    assert drift_of(vectors, vectors * 2).shared == 1


def test_one_picture_has_no_neighbours():
    assert str(drift_of(np.ones((1, 3)), np.ones((1, 3)))) == "lowest cosine 1.0000, mean 1.0000"


def test_below_the_limit_of_a_check_it_says_so():
    exact, beside = np.eye(2), np.eye(2) + 0.02
    far = np.array([[1.0, 0.3], [0.0, 1.0]])
    assert str(drift_of(beside, exact)).endswith("are the same")
    assert str(drift_of(far, exact)).endswith(
        "; below 0.99, where a check fails: scores and results may differ"
    )


def test_a_row_of_zeros_has_cosine_0():
    np.testing.assert_allclose(row_cosines(np.array([[0.0, 0], [1, 1]]), np.ones((2, 2))), [0, 1])
