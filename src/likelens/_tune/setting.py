"""What one index costs and finds at one setting."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
"""A setting counts if so many are asked one by one; exact search counts with fewer."""

LONGEST = 1e6
"""Seconds that faiss is given at most; it computes with fewer digits."""

RATE_SHARE = 0.25
"""Of the time that is left, so much at most goes into asking all at once."""


class OutOfTime(Exception):
    """The deadline came before something could be measured."""


@dataclass
class Deadline:
    """When measuring must end.

    Attributes:
        budget_seconds: how long it may take.
        started: when it began.
    """

    budget_seconds: float
    started: float

    @classmethod
    def after(cls, budget_seconds: float) -> Deadline:
        """From now on."""
        return cls(budget_seconds, time.perf_counter())

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.started

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 when it has passed."""
        return self.budget_seconds - self.spent

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Ends what faiss builds at the deadline; other libraries cannot be interrupted.

        Raises:
            OutOfTime: the deadline came.
        """
        import faiss

        faiss.TimeoutCallback.reset(min(max(self.left, 0.01), LONGEST))
        try:
            yield
        except RuntimeError as error:
            if "interrupted" not in str(error):
                raise
            raise OutOfTime from error
        finally:
            faiss.PythonInterruptCallback.reset()  # which Ctrl-C needs


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
        queries_per_second: of queries asked all at once; one by one, where no time was left.
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


def true_scores(exact: Index, k: int, queries: int, deadline: Deadline | None = None) -> Floats:
    """The score that a k-th nearest other must reach, of the first vectors: (q,).

    Args:
        exact: the exact index.
        k: how many others.
        queries: how many vectors are asked with; fewer once half of the time is spent.
        deadline: when measuring must end; None for never.
    """
    deadline = deadline or Deadline.after(math.inf)
    found: list[Floats] = []
    start = 0
    while start < queries and (start == 0 or deadline.spent < deadline.budget_seconds / 2):
        end = min(max(2 * start, 1), queries)
        found.append(nearest_others(exact, k, np.arange(start, end))[0][:, -1])
        start = end
    return np.concatenate(found)


def measure(
    index: Index,
    line: str,
    effort: int,
    k: int,
    truth: Floats,
    build_seconds: float,
    deadline: Deadline | None = None,
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
        deadline: when measuring must end; None for never.

    Raises:
        OutOfTime: too few queries could be asked before.
    """
    asked = index.vectors[: len(truth)].copy()
    deadline = deadline or Deadline.after(math.inf)
    for query in asked[:WARM]:
        if deadline.left > 0:
            index.search(query, k + 1)
    seconds, scores, places = [], [], []
    for query in asked:
        started = time.perf_counter()
        found = index.search(query, k + 1)
        seconds.append(time.perf_counter() - started)
        scores.append(found[0])
        places.append(found[1])
        if deadline.left <= 0 or (sum(seconds) > MOST_SECONDS and len(seconds) >= LEAST_QUERIES):
            break
    count = len(seconds)
    if count < min(LEAST_QUERIES, len(truth)) and line != "exact":
        raise OutOfTime
    others, _ = without_own(np.vstack(scores), np.vstack(places), np.arange(count))
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    size = index.info()
    spare = min(MOST_SECONDS / 2, RATE_SHARE * max(deadline.left, 0.0))
    return Setting(
        line=line,
        spec=index.spec,
        effort=effort,
        items=len(index),
        recall=float((others >= truth[:count, None] - CLOSE).mean()),
        p50_seconds=float(p50),
        p95_seconds=float(p95),
        p99_seconds=float(p99),
        queries_per_second=_rate(index, asked[: int(spare / p50)], k, spare) or 1 / float(p50),
        build_seconds=build_seconds,
        size_bytes=int(str(size["vector_bytes"])) + int(str(size["structure_bytes"])),
        queries=count,
    )


def _rate(index: Index, asked: Floats, k: int, spare: float) -> float:
    """Queries per second, asked all at once; the better of two times. 0 without queries."""
    best = math.inf
    for _ in range(2 if len(asked) else 0):
        started = time.perf_counter()
        index.search(asked, k + 1)
        best = min(best, time.perf_counter() - started)
        if best > spare:
            break
    return len(asked) / best
