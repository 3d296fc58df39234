"""Times several ways of doing one thing in turns, so that a noisy machine is unfair to all."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, in rounds A B C A B C ..., after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def median(seconds: list[float]) -> float:
    return statistics.median(seconds)


def data_root() -> Path:
    """The folder with data/ and weights/; ends the benchmark where there is none."""
    default = Path(__file__).parent.parent.parent / "shared"
    root = Path(os.environ.get("LIKELENS_DATA", default))
    if not (root / "data").is_dir():
        sys.exit(f"no real data in {root}: set LIKELENS_DATA (docs/data.md)")
    return root


def peak_mib() -> float:
    """Largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()
