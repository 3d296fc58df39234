"""What a question and a vote cost in a vote book, beside the bare commit of one row.

python -m bench.votes [pairs] [experts]
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.timing import in_turns, median, print_table
from likelens.eds import VoteBook

CANDIDATES = 25
TURNS = 200


def main() -> None:
    pairs = int(sys.argv[1]) if sys.argv[1:] else 100_000
    names = [f"expert {number}" for number in range(int(sys.argv[2]) if sys.argv[2:] else 5)]
    with tempfile.TemporaryDirectory() as folder:
        once = []
        with VoteBook.open(Path(folder) / "votes.db") as book:
            queries = [f"q{number // CANDIDATES}" for number in range(pairs)]
            candidates = [f"c{number}" for number in range(pairs)]
            once.append(["add the pairs", _seconds(lambda: book.add_pool(queries, candidates))])
            once.extend(
                [f"deal them to {name}", _seconds(lambda name=name: book.next_pair(name))]
                for name in names
            )
            _half(book, Path(folder) / "half.csv", queries, candidates, names, once)
            once.append(["matrix of all votes", _seconds(book.matrix)])
            _each(book, Path(folder) / "bare.db", names[0])
        print(f"## {pairs:,} pairs, {len(names)} experts\n")
        print_table(["once", "seconds"], once)


def _half(
    book: VoteBook,
    path: Path,
    queries: list[str],
    candidates: list[str],
    names: list[str],
    once: list[list[str]],
) -> None:
    """Imports votes on every second pair, so that an expert is half way through."""
    rows = zip(queries[::2], candidates[::2], strict=True)
    lines = [f"{name},{query},{candidate},1" for query, candidate in rows for name in names]
    path.write_text("\n".join(["expert,query,candidate,vote", *lines]))
    once.append([f"import {len(lines):,} votes", _seconds(lambda: book.import_file(path))])


def _each(book: VoteBook, bare: Path, name: str) -> None:
    """What is done for every question."""
    connection = sqlite3.connect(bare, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE votes (vote INTEGER)")

    def vote() -> None:
        pair = book.next_pair(name)
        if pair is not None:
            book.put(name, *pair, 1)

    ways = {
        "bare commit of one row": lambda: connection.execute("INSERT INTO votes VALUES (1)"),
        "next pair": lambda: book.next_pair(name),
        "next pair and vote": vote,
        "progress of one expert": lambda: book.progress(name),
    }
    seconds = in_turns(ways, TURNS)
    connection.close()
    base = median(seconds["bare commit of one row"])
    rows = [
        [way, f"{median(times) * 1000:.2f}", f"{median(times) / base:.1f}"]
        for way, times in seconds.items()
    ]
    print_table(["each", "ms", "bare commits"], rows)


def _seconds(work: Callable[[], object]) -> str:
    started = time.perf_counter()
    work()
    return f"{time.perf_counter() - started:.2f}"


if __name__ == "__main__":
    main()
