"""Exact search against bare faiss and a NumPy product: 18,000 x 1280, one query and 1,000.

python -m bench.search
"""

from __future__ import annotations

import faiss
import numpy as np

from bench.timing import in_turns, median, print_table
from likelens import build_index

ITEMS, DIM, K = 18_000, 1280, 10


def main() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((ITEMS, DIM), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = draw.standard_normal((1000, DIM), np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    index = build_index(vectors, "exact")
    flat = faiss.IndexFlatIP(DIM)
    flat.add(vectors)

    def by_numpy(query: np.ndarray) -> np.ndarray:
        scores = vectors @ query
        best = np.argpartition(scores, -K)[-K:]
        return best[np.argsort(-scores[best])]

    one = in_turns(
        {
            "likelens": lambda: index.search(queries[0], K),
            "bare faiss Flat": lambda: flat.search(queries[:1], K),
            "NumPy product, argpartition": lambda: by_numpy(queries[0]),
        },
        200,
    )
    many = in_turns(
        {
            "likelens": lambda: index.search(queries, K),
            "bare faiss Flat": lambda: flat.search(queries, K),
        },
        9,
    )
    rows = []
    for title, seconds in (("one query, p50", one), ("1,000 queries", many)):
        ours = median(seconds["likelens"])
        for name, times in seconds.items():
            shown = f"{median(times) * 1e3:.2f} ms"
            rows.append([title, name, shown, f"{ours / median(times):.2f}"])
    print_table(["task", "way", "median", "likelens / this"], rows)


if __name__ == "__main__":
    main()
