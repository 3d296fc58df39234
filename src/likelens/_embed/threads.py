"""Work shared among threads, with its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ..encoders.base import cores

A = TypeVar("A")
B = TypeVar("B")


def in_order(work: Callable[[A], B], tasks: Iterable[A], workers: int = 0) -> Iterator[B]:
    """Results in the order of the tasks, with only a few tasks ahead: memory stays bounded.

    Args:
        work: what is done to each task, in one of the threads.
        tasks: taken as they are needed.
        workers: how many threads; as many as there are cores if not given.
    """
    workers = workers or cores()
    waiting: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 3 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
