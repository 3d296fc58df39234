"""How many threads faiss uses for a search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def for_queries(count: int) -> Iterator[None]:
    """Keeps faiss to one thread where there is one query.

    It shares out queries, so that one query gains nothing by threads; but faiss wakes them, and
    waits for them: some milliseconds on a machine that does other work. The number is
    each calling thread's own.
    """
    if count != 1:
        yield
        return
    import faiss

    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(usual)
