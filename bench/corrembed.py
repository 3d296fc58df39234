"""CorrEmbed: the linear form against the printed equations, and how it grows.

python bench/corrembed.py [--quick]

Prints Markdown tables: time of one score of 9,583 x 1280 vectors (ReLU-like, fixed
seed) with 180 tags, each way in the same run, the least of several; largest
difference to the printed equations; time and peak memory beyond the input for growing
catalogues of 512 dimensions with 700 sparse tags, ten to an item. Ways too slow to run
whole are timed on some queries and scaled up, and marked so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from time import perf_counter

import numpy as np
from scipy.sparse import csr_array

from likelens import metrics

ITEMS, WIDTH, CATEGORIES = 9_583, 1_280, (5, 6, 30, 75, 44, 10, 10)
CATEGORY_OF_COLUMN = [
    f"category {place}" for place, size in enumerate(CATEGORIES) for _ in range(size)
]
GROWTH_WIDTH, GROWTH_TAGS, TAGS_AN_ITEM = 512, 700, 10


def relu_like(count: int, width: int, seed: int) -> np.ndarray:
    """Positive features with a large mean and some 64 true dimensions, float32."""
    random = np.random.default_rng(seed)
    mix = random.standard_normal((64, width), np.float32) / 8
    out = np.empty((count, width), np.float32)
    for start in range(0, count, 8_192):
        rows = out[start : start + 8_192]
        random.standard_normal(out=rows, dtype=np.float32)
        rows *= 0.7
        rows += random.standard_normal((len(rows), 64), np.float32) @ mix + 0.3
        np.maximum(rows, 0, out=rows)
    return out


def one_hot(count: int, seed: int) -> np.ndarray:
    """One tag of each category an item, frequent tags first."""
    random = np.random.default_rng(seed)
    blocks = []
    for size in CATEGORIES:
        share = 1 / np.arange(1, size + 1)
        blocks.append(
            np.eye(size, dtype=np.float32)[random.choice(size, count, p=share / share.sum())]
        )
    return np.hstack(blocks)


def sparse_tags(count: int, seed: int) -> csr_array:
    """Ten of 700 tags an item."""
    random = np.random.default_rng(seed)
    tags = random.integers(0, GROWTH_TAGS // TAGS_AN_ITEM, (count, TAGS_AN_ITEM), np.int32)
    tags += np.arange(TAGS_AN_ITEM, dtype=np.int32) * (GROWTH_TAGS // TAGS_AN_ITEM)
    starts = np.arange(0, tags.size + 1, TAGS_AN_ITEM)
    ones = np.ones(tags.size, np.float32)
    return csr_array((ones, tags.ravel(), starts), shape=(count, GROWTH_TAGS))


def released_way(images: np.ndarray, tags: np.ndarray, queries: np.ndarray) -> None:
    """The released code's way: scikit-learn's cosine similarity of one query with all."""
    from scipy.stats import pearsonr
    from sklearn.metrics.pairwise import cosine_similarity

    for query in queries:
        seen = cosine_similarity(images[query : query + 1], images)[0]
        worn = cosine_similarity(tags[query : query + 1], tags)[0]
        pearsonr(seen, worn)


def seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """Least time of some calls: what the machine does when nothing else runs on it."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


def per_query(way: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """Time of one query, without what a way does once for all queries."""
    way(queries[:1])
    return (seconds(lambda: way(queries)) - seconds(lambda: way(queries[:1]))) / (len(queries) - 1)


def compare_ways(quick: bool) -> None:
    """One score, each way."""
    narrow, tags = relu_like(ITEMS, WIDTH, 0), one_hot(ITEMS, 1)
    wide, sparse = narrow.astype(np.float64), csr_array(tags)
    some = np.arange(0, ITEMS, 200 if quick else 50)
    few = some[:: 12 if quick else 6]
    repeats = 3 if quick else 7
    metrics.corrembed(wide[:100], sparse[:100])
    released = ITEMS * per_query(lambda queries: released_way(wide, tags, queries), few)
    if quick:
        printed = ITEMS * per_query(
            lambda queries: metrics.corrembed_naive(wide, tags, queries=queries), some
        )
    else:
        printed = seconds(lambda: metrics.corrembed_naive(wide, tags))
    ready = metrics.CorrEmbedImages(narrow)
    metrics.corrembed(ready, sparse)
    linear = {
        "float64": lambda: metrics.corrembed(wide, tags),
        "float64, sparse tags": lambda: metrics.corrembed(wide, sparse),
        "float32": lambda: metrics.corrembed(narrow, tags),
        "float32, sparse tags": lambda: metrics.corrembed(narrow, sparse),
        "float32, sparse tags, images made ready before": lambda: metrics.corrembed(ready, sparse),
        "float32, 7 categories and the whole": lambda: metrics.corrembed_by_category(
            narrow, sparse, CATEGORY_OF_COLUMN
        ),
        "float32, score and its interval": lambda: metrics.corrembed(narrow, sparse).interval(),
    }
    scaled = f" (from {len(some)} queries)" if quick else ""
    rows = {
        f"scikit-learn per query (from {len(few)} queries)": released,
        f"printed equations, a matrix-vector product per query{scaled}": printed,
    }
    rows |= {f"linear, {name}": seconds(call, repeats) for name, call in linear.items()}
    print(f"\n{ITEMS:,} x {WIDTH:,}, {tags.shape[1]} tags\n")
    print("| way | seconds | times faster than the printed equations | than scikit-learn |")
    print("|---|---:|---:|---:|")
    for way, time in rows.items():
        print(f"| {way} | {time:.3f} | {printed / time:.1f} | {released / time:.1f} |")
    print("\n| input | largest difference to the printed equations |\n|---|---:|")
    for vectors in (wide, narrow, narrow.astype(np.float16)):
        found = metrics.corrembed(vectors, tags, queries=some).per_query
        naive = metrics.corrembed_naive(vectors, tags, queries=some).per_query
        print(f"| {vectors.dtype} | {np.nanmax(np.abs(found - naive)):.1e} |")


def grow_one(count: int) -> None:
    """Time and memory of one catalogue, alone in its process."""
    images, tags = relu_like(count, GROWTH_WIDTH, 2), sparse_tags(count, 3)
    metrics.corrembed(images[:2_000], tags[:2_000])
    tracemalloc.start()
    time = seconds(lambda: metrics.corrembed(images, tags))
    peak = tracemalloc.get_traced_memory()[1]
    print(f"| {count:,} | {time:.2f} | {peak / 2**20:,.0f} |", flush=True)


def grow(quick: bool) -> None:
    """Growing catalogues."""
    print(f"\nFloat32, {GROWTH_WIDTH} dimensions, {GROWTH_TAGS} sparse tags\n")
    print("| images | seconds | MB beyond the input |\n|---:|---:|---:|", flush=True)
    for count in (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000):
        subprocess.run([sys.executable, __file__, "--grow-one", str(count)], check=True)


def main() -> None:
    """Run what the arguments ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter")
    parser.add_argument("--grow-one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grow_one:
        grow_one(options.grow_one)
        return
    compare_ways(options.quick)
    grow(options.quick)


if __name__ == "__main__":
    main()
