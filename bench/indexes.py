"""Every kind of index, in ratios of one run.

python -m bench.indexes                          exact and hnsw against bare faiss and NumPy
python -m bench.indexes --sizes 1000000x384 --kinds exact
python -m bench.indexes growth --counts 10000,100000,1000000 --dim 384
python -m bench.indexes filters --size 100000x384
python -m bench.indexes dims --count 20000
python -m bench.indexes open --size 1000000x384
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

from bench.timing import in_turns, median, print_table
from likelens import Index, build_index

K = 10
KINDS = ("exact", "kdtree", "lsh", "lsh(tables=16)", "hnsw", "ivf", "ivfpq", "binary")


def clustered(count: int, dim: int, seed: int = 0) -> np.ndarray:
    """Unit vectors in 1,000 clusters of 32 true dimensions, and a little noise in all others."""
    draw = np.random.default_rng(seed)
    fixed = np.random.default_rng(99)
    basis = fixed.standard_normal((32, dim), np.float32) / np.sqrt(dim)
    centres = fixed.standard_normal((1000, 32), np.float32)
    vectors = np.empty((count, dim), np.float32)
    for start in range(0, count, 50_000):
        rows = min(50_000, count - start)
        inner = centres[draw.integers(0, 1000, rows)]
        inner = inner + 0.7 * draw.standard_normal((rows, 32), np.float32)
        part = inner @ basis + 0.02 * draw.standard_normal((rows, dim), np.float32)
        vectors[start : start + rows] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def size(text: str) -> tuple[int, int]:
    count, dim = text.split("x")
    return int(count), int(dim)


def by_numpy(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    scores = vectors @ query
    best = np.argpartition(scores, -K)[-K:]
    return best[np.argsort(-scores[best])]


def in_blocks(vectors: np.ndarray, queries: np.ndarray) -> list[np.ndarray]:
    """The NumPy product for many queries, in blocks that fit into memory."""
    step = max(1, 50_000_000 // len(vectors))
    found = []
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ vectors.T
        best = np.argpartition(scores, -K, axis=1)[:, -K:]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        found.append(np.take_along_axis(best, order, 1))
    return found


def against_bare(sizes: list[tuple[int, int]], kinds: list[str], rounds: int) -> None:
    """likelens beside the bare ways; a ratio above 1 means that likelens is slower."""
    rows: list[list[str]] = []
    for count, dim in sizes:
        vectors, queries = clustered(count, dim), clustered(1000, dim, seed=1)
        if "exact" in kinds:
            rows += exact(vectors, queries, max(3, rounds // max(1, count * dim // 20_000_000)))
        if "hnsw" in kinds:
            rows += graphs(vectors, queries, rounds)
    print_table(["task", "way", "median", "likelens / this"], rows)


def exact(vectors: np.ndarray, queries: np.ndarray, rounds: int) -> list[list[str]]:
    count, dim = vectors.shape
    ours = build_index(vectors, "exact")
    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    one = in_turns(
        {
            "likelens exact": lambda: ours.search(queries[0], K),
            "bare faiss Flat": lambda: flat.search(queries[:1], K),
            "NumPy, argpartition": lambda: by_numpy(vectors, queries[0]),
        },
        rounds,
    )
    many = in_turns(
        {
            "likelens exact": lambda: ours.search(queries, K),
            "bare faiss Flat": lambda: flat.search(queries, K),
            "NumPy, argpartition": lambda: in_blocks(vectors, queries),
        },
        min(rounds, 5),
    )
    return ratios(f"{count:,} x {dim}, one query", one) + ratios(
        f"{count:,} x {dim}, 1,000 queries", many
    )


def graphs(vectors: np.ndarray, queries: np.ndarray, rounds: int) -> list[list[str]]:
    count, dim = vectors.shape
    ours = build_index(vectors, "hnsw")
    bare = faiss.IndexHNSWFlat(dim, 16, faiss.METRIC_INNER_PRODUCT)
    bare.hnsw.efConstruction, bare.hnsw.efSearch = 100, 64
    bare.add(vectors)
    recall = ours.recall(queries[:200], K).mean()
    title = f"{count:,} x {dim}, {{}}, recall@{K} {recall:.3f}"

    def one_by_one(search: Callable[..., object]) -> Callable[[], None]:
        def ask() -> None:
            for row in range(200):
                search(queries[row : row + 1], K)

        return ask

    single = in_turns(
        {
            "likelens hnsw": one_by_one(ours.search),
            "bare faiss HNSW": one_by_one(bare.search),
        },
        max(5, rounds // 4),
    )
    single = {way: [each / 200 for each in seconds] for way, seconds in single.items()}
    batch = in_turns(
        {
            "likelens hnsw": lambda: ours.search(queries, K),
            "bare faiss HNSW": lambda: bare.search(queries, K),
        },
        max(5, rounds // 4),
    )
    return ratios(title.format("one query"), single) + ratios(title.format("1,000 queries"), batch)


def ratios(title: str, seconds: dict[str, list[float]]) -> list[list[str]]:
    ours = median(next(iter(seconds.values())))
    return [
        [title, way, f"{median(each) * 1e3:.3f} ms", f"{ours / median(each):.2f}"]
        for way, each in seconds.items()
    ]


def timed(act: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    made = act()
    return time.perf_counter() - started, made


def row_of(vectors: np.ndarray, queries: np.ndarray, spec: str) -> list[str]:
    """Build time, memory, latencies, throughput and recall of one kind."""
    took, index = timed(lambda: build_index(vectors, spec))
    index.search(queries[0], K)
    single = [timed(lambda row=row: index.search(queries[row], K))[0] for row in range(100)]
    batch, _ = timed(lambda: index.search(queries, K))
    p50, p95 = np.percentile(single, [50, 95]) * 1e3
    info = index.info()
    recall = index.recall(queries[:100], K).mean()
    return [
        f"{len(vectors):,} x {vectors.shape[1]}", f"`{spec}`", f"{took:.1f} s",
        f"{info['structure_bytes'] / 2**20:,.0f} MiB", f"{p50:.2f} ms", f"{p95:.2f} ms",
        f"{len(queries) / batch:,.0f}", f"{recall:.3f}",
    ]  # fmt: skip


HEADER = ["vectors", "index", "built in", "memory beside", "p50", "p95", "queries/s", "recall@10"]


def growth(counts: list[int], dim: int, kinds: list[str]) -> None:
    rows = []
    for count in counts:
        vectors, queries = clustered(count, dim), clustered(500, dim, seed=1)
        rows += [row_of(vectors, queries, spec) for spec in kinds]
    print_table(HEADER, rows)


def dims(count: int) -> None:
    """Where the KD-tree stops paying: the same number of vectors, more and more dimensions."""
    rows = []
    for dim in (2, 4, 8, 12, 16, 24, 32, 64, 128, 384):
        draw = np.random.default_rng(0)
        vectors = draw.standard_normal((count, dim), np.float32)
        queries = draw.standard_normal((200, dim), np.float32)
        rows += [row_of(vectors, queries, spec) for spec in ("exact", "kdtree")]
    print_table(HEADER, rows)


def filters(count: int, dim: int, kinds: list[str]) -> None:
    """Where the exact path becomes the dearer one: each share by both paths."""
    vectors, queries = clustered(count, dim), clustered(100, dim, seed=1)
    draw = np.random.default_rng(2)
    rows = []
    for spec in kinds:
        index = build_index(vectors, spec)
        for share in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9):
            mask = draw.random(count) < share
            cells = [f"{by_path(index, path, queries[:40], mask):.2f} ms" for path in PATHS]
            index._path = lambda *_: "filtered"
            recall = index.recall(queries, K, mask).mean()
            del index._path
            rows.append([f"`{spec}`", f"{share:.1%}", *cells, f"{recall:.3f}", index.plan(K, mask)])
    header = ["index", "allowed", *PATHS, "recall of filtered", "the rule takes"]
    print_table(header, rows)


PATHS = ("exact", "filtered")


def by_path(index: Index, path: str, queries: np.ndarray, mask: np.ndarray) -> float:
    """Milliseconds of a search by one path, whatever the rule says."""
    index._path = lambda *_: path
    times = [timed(lambda query=query: index.search(query, K, mask))[0] for query in queries]
    del index._path
    return median(times) * 1e3


OPEN = """
import sys, time, numpy as np
import faiss
from likelens import load_index
query = np.random.default_rng(0).standard_normal(int(sys.argv[2]), np.float32)
started = time.perf_counter()
index = load_index(sys.argv[1], verify=sys.argv[3] == "all")
opened = time.perf_counter()
index.search(query, 10)
print(opened - started, time.perf_counter() - opened)
"""


def opening(count: int, dim: int, kinds: list[str]) -> None:
    """Opening a saved index and answering the first query, each in a process of its own."""
    vectors = clustered(count, dim)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for spec in kinds:
            path = Path(folder) / "index"
            saved, _ = timed(lambda spec=spec, path=path: build_index(vectors, spec).save(path))
            for verify in ("all", "not the vectors"):
                out = subprocess.run(
                    [sys.executable, "-c", OPEN, str(path), str(dim), verify],
                    check=True, capture_output=True, text=True,
                ).stdout  # fmt: skip
                opened, first = (float(part) for part in out.split())
                rows.append(
                    [f"`{spec}`", f"{path.stat().st_size / 2**20:,.0f} MiB", f"{saved:.1f} s",
                     verify, f"{opened:.2f} s", f"{first:.3f} s"]
                )  # fmt: skip
    header = ["index", "file", "built and saved in", "checked", "opened in", "first query"]
    print_table(header, rows)


def main() -> None:
    reader = argparse.ArgumentParser()
    reader.add_argument("what", nargs="?", default="bare",
                        choices=("bare", "growth", "filters", "dims", "open"))  # fmt: skip
    reader.add_argument("--sizes", default="18000x1280")
    reader.add_argument("--size", default="100000x384")
    reader.add_argument("--counts", default="10000,100000")
    reader.add_argument("--count", type=int, default=20_000)
    reader.add_argument("--dim", type=int, default=384)
    reader.add_argument("--kinds", default="")
    reader.add_argument("--rounds", type=int, default=100)
    asked = reader.parse_args()
    kinds = [kind for kind in asked.kinds.split(";") if kind]
    if asked.what == "bare":
        sizes = [size(one) for one in asked.sizes.split(",")]
        against_bare(sizes, kinds or ["exact", "hnsw"], asked.rounds)
    elif asked.what == "growth":
        growth([int(one) for one in asked.counts.split(",")], asked.dim, kinds or [*KINDS])
    elif asked.what == "filters":
        filters(*size(asked.size), kinds or ["hnsw", "ivf", "ivfpq", "lsh", "binary"])
    elif asked.what == "dims":
        dims(asked.count)
    else:
        opening(*size(asked.size), kinds or ["exact", "hnsw", "ivf", "ivfpq", "binary"])


if __name__ == "__main__":
    main()
