"""All-against-all evaluation against the bare matrix product with top-k by faiss.

python -m bench.retrieval [--quick]

8,677 vectors of 1,280 dimensions in 101 classes as uneven as Caltech-101's; every way in
turns in one run. Then every metric alone on lists of 10,000 queries x 1,000 ranks.
"""

from __future__ import annotations

import argparse
from functools import partial

import faiss
import numpy as np

from bench.timing import in_turns, median, print_table
from likelens import LabelRelevance, TagRelevance, Tags, measure, metrics

ITEMS, DIM, K = 8_677, 1_280, 10
LARGE_CLASSES = (800, 798, 435, 435, 239)
CLASSES = 101


def labels(items: int) -> np.ndarray:
    """Few large classes and many small ones, in catalogue order."""
    large = [round(size * items / ITEMS) for size in LARGE_CLASSES]
    rest = np.arange(items - sum(large)) % (CLASSES - len(large)) + len(large)
    return np.concatenate([np.repeat(np.arange(len(large)), large), np.sort(rest)])


def clustered(classes: np.ndarray) -> np.ndarray:
    """Positive unit vectors, alike within a class, some classes more than others."""
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((CLASSES, DIM), np.float32)
    strength = draw.uniform(0.1, 0.9, (CLASSES, 1)).astype(np.float32)
    vectors = (strength * centres)[classes] + draw.standard_normal((len(classes), DIM), np.float32)
    vectors = np.maximum(vectors + 0.5, 0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_numpy(vectors: np.ndarray) -> None:
    for start in range(0, len(vectors), 512):
        scores = vectors[start : start + 512] @ vectors.T
        best = np.argpartition(scores, -K - 1, axis=1)[:, -K - 1 :]
        np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)


def whole_evaluation(items: int, rounds: int) -> None:
    classes = labels(items)
    vectors = clustered(classes)
    relevance = LabelRelevance(classes.tolist())
    cells = {name: (classes % size).astype(str) for name, size in (("a", 5), ("b", 30), ("c", 75))}
    tags = TagRelevance(Tags.from_columns({name: list(cell) for name, cell in cells.items()}))
    flat = faiss.IndexFlatIP(DIM)
    flat.add(vectors)
    seconds = in_turns(
        {
            "bare faiss Flat, top 10": lambda: flat.search(vectors, K + 1),
            "NumPy product in blocks, top 10": lambda: by_numpy(vectors),
            "likelens, all metrics at 1, 5, 10 and of the whole ranking": lambda: measure(
                vectors, relevance
            ),
            "the same, and at 100": lambda: measure(vectors, relevance, ks=(1, 5, 10, 100)),
            "without the whole ranking": lambda: measure(vectors, relevance, whole=False),
            "graded by tags, all metrics": lambda: measure(vectors, tags),
        },
        rounds,
    )
    base = median(seconds["bare faiss Flat, top 10"])
    rows = [
        [name, f"{median(times):.2f} s", f"{median(times) / base:.2f}"]
        for name, times in seconds.items()
    ]
    print_table([f"{items:,} x {DIM:,}, all against all", "median", "of bare faiss"], rows)


def metrics_alone(queries: int, ranks: int, rounds: int) -> None:
    draw = np.random.default_rng(1)
    gains = draw.integers(0, 4, (queries, ranks)) * (draw.random((queries, ranks)) < 0.1)
    ideal = -np.sort(-gains, axis=1)
    count = (gains > 0).sum(axis=1)
    k = ranks
    ways = {
        "precision": partial(metrics.precision, gains, k),
        "recall": partial(metrics.recall, gains, k, count),
        "hit_rate": partial(metrics.hit_rate, gains, k),
        "reciprocal_rank": partial(metrics.reciprocal_rank, gains),
        "average_precision": partial(metrics.average_precision, gains, count),
        "r_precision": partial(metrics.r_precision, gains, count),
        "map_at_r": partial(metrics.map_at_r, gains, count),
        "ndcg": partial(metrics.ndcg, gains, k, ideal),
        "ndcg, exponential": partial(metrics.ndcg, gains, k, ideal, "exponential"),
    }
    seconds = in_turns(ways, rounds)
    rows = [[name, f"{median(times) * 1e3:.0f} ms"] for name, times in seconds.items()]
    print_table([f"{queries:,} queries x {ranks:,} ranks", "median"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter")
    quick = parser.parse_args().quick
    whole_evaluation(2_000 if quick else ITEMS, 3 if quick else 5)
    metrics_alone(1_000 if quick else 10_000, 1_000, 3 if quick else 5)


if __name__ == "__main__":
    main()
