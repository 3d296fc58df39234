"""Limits of time and memory for code that a model file decides: onnxruntime has none itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..values.errors import BadShape

BATCH_SECONDS = 120.0
"""How long a network may work on one batch."""

_FEWEST_BYTES = 1 << 30
_memory_lock = threading.Lock()


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

    timer = threading.Timer(BATCH_SECONDS, too_late)
    timer.daemon = True
    timer.start()
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
        timer.cancel()


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
