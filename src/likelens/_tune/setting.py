"""What one index costs and finds at one setting."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from .._search.rerank import nearest_others, without_own
from ..index.base import Index
from ..index.scan import CLOSE
from ..values.arrays import Floats

WARM = 3
"""Queries asked before the clock counts."""

MOST_SECONDS = 3.0
"""So long, about, queries of one setting are asked one by one, and then all at once."""

LEAST_QUERIES = 20
"""So many are asked one by one, however long it takes."""


@dataclass(frozen=True)
class Setting:
    """One index at one setting, measured.

    Attributes:
        line: what was built, such as ``hnsw(m=16)``.
        spec: the same with the options of the search.
        effort: value of the option of the search that is varied; 0 where there is none.
        items: vectors in it.
        recall: mean share of the k nearest others that it found.
        p50_seconds: median time of a query alone.
        p95_seconds: 95 of 100 take no longer.
        p99_seconds: 99 of 100 take no longer.
        queries_per_second: of queries asked all at once.
        build_seconds: to build it, once for all settings of a line.
        size_bytes: memory of the vectors and of its structure.
        queries: how many were asked one by one.
    """

    line: str
    spec: str
    effort: int
    items: int
    recall: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    queries_per_second: float
    build_seconds: float
    size_bytes: int
    queries: int


def true_scores(exact: Index, k: int, queries: int) -> Floats:
    """(q,) the score that a k-th nearest other must reach, of the first so many vectors."""
    scores, _ = nearest_others(exact, k, np.arange(queries))
    return scores[:, -1]


def measure(
    index: Index, line: str, effort: int, k: int, truth: Floats, build_seconds: float
) -> Setting:
    """Asks an index for the k nearest others of its first vectors.

    An item is left out of its own answer. One found counts as right if it reaches the score
    of the k-th in the exact answer, so that it does not matter which of several equal ones
    are returned.

    Args:
        index: the index.
        line: what was built.
        effort: the option that was set.
        k: how many others, fewer than there are vectors.
        truth: (q,) what ``true_scores`` returned.
        build_seconds: how long it took to build.
    """
    asked = index.vectors[: len(truth)].copy()
    for query in asked[:WARM]:
        index.search(query, k + 1)
    seconds, scores, places = [], [], []
    for query in asked:
        started = time.perf_counter()
        found = index.search(query, k + 1)
        seconds.append(time.perf_counter() - started)
        scores.append(found[0])
        places.append(found[1])
        if sum(seconds) > MOST_SECONDS and len(seconds) >= LEAST_QUERIES:
            break
    count = len(seconds)
    others, _ = without_own(np.vstack(scores), np.vstack(places), np.arange(count))
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    size = index.info()
    return Setting(
        line=line,
        spec=index.spec,
        effort=effort,
        items=len(index),
        recall=float((others >= truth[:count, None] - CLOSE).mean()),
        p50_seconds=float(p50),
        p95_seconds=float(p95),
        p99_seconds=float(p99),
        queries_per_second=_rate(index, asked[: max(1, int(MOST_SECONDS / 2 / p50))], k),
        build_seconds=build_seconds,
        size_bytes=int(str(size["vector_bytes"])) + int(str(size["structure_bytes"])),
        queries=count,
    )


def _rate(index: Index, asked: Floats, k: int) -> float:
    """Queries per second, asked all at once; the better of two times."""
    best = float("inf")
    for _ in range(2):
        started = time.perf_counter()
        index.search(asked, k + 1)
        best = min(best, time.perf_counter() - started)
    return len(asked) / best
