"""Hypothesis generators: vectors, tags and gains with ties, duplicates and zeros; examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def vectors(draw: Draw, count: int | None = None, width: int | None = None) -> np.ndarray:
    """A few rows of small numbers, float64; rows repeat and some are zero."""
    count = draw(st.integers(1, 12)) if count is None else count
    width = draw(st.integers(1, 6)) if width is None else width
    kinds = draw(st.integers(1, max(count, 1)))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    rows = random.integers(-3, 4, (kinds, width)) + draw(st.sampled_from([0.0, 0.5, 3.0]))
    rows = rows + draw(st.sampled_from([0.0, 0.1])) * random.standard_normal((kinds, width))
    rows[random.random(kinds) < draw(st.sampled_from([0.0, 0.3]))] = 0.0
    return rows[random.integers(0, kinds, count)]


@st.composite
def tags(draw: Draw, count: int | None = None, width: int | None = None) -> np.ndarray:
    """Zeros and ones, or weights, float64; some items have no tag, some all the same."""
    count = draw(st.integers(1, 12)) if count is None else count
    width = draw(st.integers(1, 6)) if width is None else width
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    matrix = (random.random((count, width)) < draw(st.sampled_from([0.2, 0.5, 1.0]))).astype(float)
    return matrix * draw(st.sampled_from([np.ones(width), random.uniform(0.1, 2.0, width)]))


@st.composite
def items(draw: Draw, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and tags of the same items."""
    count = draw(st.integers(least, 14))
    return draw(vectors(count)), draw(tags(count))


@st.composite
def gains(draw: Draw) -> tuple[np.ndarray, np.ndarray, int]:
    """Gains of returned items, the ideal gains that bound them, and k."""
    queries, depth = draw(st.integers(0, 5)), draw(st.integers(1, 8))
    k = draw(st.integers(1, depth))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    judged = random.integers(0, 4, (queries, depth + 3)).astype(float)
    judged[random.random(queries) < 0.3] = 0.0
    returned = random.permuted(judged, axis=1)[:, :depth]
    return returned, -np.sort(-judged, axis=1), k


def relu_like(count: int, width: int, seed: int = 0, depth: int = 8) -> np.ndarray:
    """Positive features with a large mean, as after a ReLU."""
    random = np.random.default_rng(seed)
    deep = random.standard_normal((count, depth)) @ random.standard_normal((depth, width))
    return np.maximum(0.3 * deep + random.standard_normal((count, width)) + 1.0, 0.0)


def one_hot(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.hstack([np.eye(size)[random.integers(0, size, count)] for size in (3, 5, 12)])
