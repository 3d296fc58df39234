"""Prints the figures of docs/hubs.md: how many orphans each re-ranking leaves, and what it costs.

python -m bench.hubs [folder for the store] [items]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bench.fashion_products import MODELS, TAGS
from bench.timing import data_root, print_table
from likelens import Catalogue, Searcher, embed, metrics
from likelens._search.choose import RERANKS
from likelens._search.rerank import Reranker, nearest_others
from likelens.values.scores import QueryScores
from likelens.values.tags import Tags

DEPTH = 10
CHUNK = 1_000
ENCODERS = (
    f"onnx:{{}}/weights/{MODELS[3]}.onnx",
    f"onnx:{{}}/weights/{MODELS[0]}.onnx",
    "opencv:sift",
)


def main() -> None:
    place = Path(sys.argv[1] if sys.argv[1:] else "report") / "hubs-store"
    root = data_root()
    catalogue = Catalogue.open(root / "data" / "fashion-products" / "styles.csv", tags=TAGS)
    if sys.argv[2:]:
        rows = np.random.default_rng(0).choice(len(catalogue), int(sys.argv[2]), replace=False)
        catalogue = catalogue.take([catalogue.ids[row] for row in np.sort(rows)])
    for spec in ENCODERS:
        name = spec.format(root)
        embed(catalogue, name, place)
        searcher = Searcher(place, name)
        print(f"## {name.replace(f'{root}/', '')}\n")
        _table(searcher, catalogue.tags)


def _table(searcher: Searcher, tags: Tags) -> None:
    plain, rows = None, []
    for rerank in (None, *RERANKS):
        lists = (
            nearest_others(searcher.index, DEPTH)[1]
            if rerank is None
            else Reranker(rerank, searcher.index).neighbours(DEPTH)
        )
        hubs = metrics.hubness(lists, len(searcher.index))
        scores = _ndcg(tags, lists)
        plain = plain or scores
        apart = QueryScores(scores.per_query - plain.per_query)
        low, high = apart.interval()
        rows.append(
            [
                rerank or "cosine",
                f"{hubs.orphans:.1%}",
                f"{hubs.skewness:.2f}",
                f"{hubs.counts.max():,}",
                f"{scores.mean:.4f}",
                "" if rerank is None else f"{apart.mean:+.4f} ({low:+.4f} to {high:+.4f})",
            ]
        )
    names = ["orphans", "skewness", "largest hub", "nDCG@10", "less cosine's"]
    print_table(["ranked by", *names], rows)


def _ndcg(tags: Tags, lists: np.ndarray) -> QueryScores:
    """nDCG@10 of the cosine of tag vectors, every item asked and itself left out."""
    matrix = tags.matrix.astype(np.float32).toarray()
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    gains, ideal = np.empty(lists.shape), np.empty(lists.shape)
    for start in range(0, len(unit), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(unit)))
        likeness = unit[rows] @ unit.T
        likeness[np.arange(len(rows)), rows] = 0.0
        gains[rows] = np.take_along_axis(likeness, lists[rows], axis=1)
        ideal[rows] = -np.sort(-likeness, axis=1)[:, :DEPTH]
    return metrics.ndcg(gains, DEPTH, ideal)


if __name__ == "__main__":
    main()
