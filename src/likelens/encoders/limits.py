"""Limits of time and memory for code that a model file decides: onnxruntime has none itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..values.errors import BadShape

BATCH_SECONDS = 120.0
"""How long a network may work on one batch."""

_FEWEST_BYTES = 1 << 30
_memory_lock = threading.Lock()


class _Watch:
    """One thread for all batches that are running: a timer for each would cost more than 5 %."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[object, tuple[float, Callable[[], object]]] = {}
        self._thread: threading.Thread | None = None

    def begin(self, key: object, stop: Callable[[], object]) -> None:
        """Call ``stop`` in BATCH_SECONDS, unless ``end`` comes before."""
        with self._lock:
            self._running[key] = (time.monotonic() + BATCH_SECONDS, stop)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def end(self, key: object) -> None:
        with self._lock:
            self._running.pop(key, None)

    def _look(self) -> None:
        while True:
            time.sleep(min(1.0, BATCH_SECONDS / 4))
            now = time.monotonic()
            with self._lock:
                if not self._running:
                    self._thread = None
                    return
                late = [key for key, (due, _) in self._running.items() if due <= now]
                stops = [self._running.pop(key)[1] for key in late]
            for stop in stops:
                stop()


_watch = _Watch()


@contextmanager
def limited_time(stop: Callable[[], object], where: str) -> Iterator[None]:
    """Calls ``stop`` from another thread if the body is not done in BATCH_SECONDS.

    Raises:
        BadShape: it was called.
    """
    late = threading.Event()

    def too_late() -> None:
        late.set()
        stop()

    _watch.begin(late, too_late)
    try:
        yield
    except Exception as error:
        if not late.is_set():
            raise
        raise BadShape(
            f"the network was stopped: one batch took more than {BATCH_SECONDS:g} seconds",
            where=where,
            hint="check the file for a loop that does not end, or use a smaller network",
        ) from error
    finally:
        _watch.end(late)


@contextmanager
def limited_memory(extra_bytes: int = 0) -> Iterator[None]:
    """Within it, the process cannot ask for more memory than the machine has available.

    Without that, Linux promises any amount, and ends some process when it is used. Elsewhere
    than on Linux this does nothing.

    Args:
        extra_bytes: of files that are mapped into memory, which need no memory of their own.
    """
    available, used = memory_left(), _mapped_bytes()
    if available is None or used is None:
        yield
        return
    import resource

    with _memory_lock:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + extra_bytes + max(available, _FEWEST_BYTES)
        for limit in (soft, hard):
            wanted = wanted if limit == resource.RLIM_INFINITY else min(wanted, limit)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def memory_left() -> int | None:
    """Memory that the system can give, or None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):  # a container may have less
        top, now, stat = (
            Path("/sys/fs/cgroup", name).read_text("ascii")
            for name in ("memory.max", "memory.current", "memory.stat")
        )
        cached = next(line.split()[1] for line in stat.splitlines() if "inactive_file" in line)
        found.append(int(top) - int(now) + int(cached))
    return min(found, default=None)


def _mapped_bytes() -> int | None:
    """Addresses that this process has in use, or None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
