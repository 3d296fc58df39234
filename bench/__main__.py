"""Runs every benchmark: python -m bench."""

import subprocess
import sys

BENCHMARKS = (
    "imports",
    "corrembed",
    "search",
    "retrieval",
    "decode",
    "embedding",
    "memory",
    "caltech_check",
)

for name in BENCHMARKS:
    print(f"## {name}\n", flush=True)
    subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
