"""Prints the figures of docs/search.md: thresholds and what they let pass, and weights of --minus.

python -m bench.search_docs [folder for the store] [items]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bench.fashion_products import MODELS
from bench.timing import data_root, print_table
from likelens import Catalogue, Searcher, embed

QUERIES = 600
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)
RATES = (0.05, 0.01)


def main() -> None:
    place = Path(sys.argv[1] if sys.argv[1:] else "report") / "search-store"
    root = data_root()
    catalogue = Catalogue.open(root / "data" / "fashion-products" / "styles.csv")
    if sys.argv[2:]:
        rows = np.random.default_rng(0).choice(len(catalogue), int(sys.argv[2]), replace=False)
        catalogue = catalogue.take([catalogue.ids[row] for row in np.sort(rows)])
    name = f"onnx:{root / 'weights' / MODELS[3]}.onnx"
    embed(catalogue, name, place)
    searcher = Searcher(place, name)
    elsewhere = sorted((root / "data" / "caltech101").glob("*/*.jpg"))[::8]
    _thresholds(searcher, searcher.encoder.encode(elsewhere))
    for column in ("gender", "baseColour", "usage"):
        _minus(searcher, column)


def _thresholds(searcher: Searcher, elsewhere: np.ndarray) -> None:
    """False alarms of each calibration, on missing types and on pictures from elsewhere."""
    found, rows = {}, []
    for labels in ("articleType", "subCategory", None):
        for rate in RATES:
            found[labels, rate] = searcher.calibrate(labels, false_alarm=rate, queries=9_583)
    foreign = searcher.index.search(elsewhere, 1)[0][:, 0]
    missing = {name: _without_own(searcher, name) for name in ("articleType", "subCategory")}
    for (labels, rate), one in found.items():
        shares = [(best >= one.value).mean() for best in (*missing.values(), foreign)]
        interval = f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
        cells = [f"{share:.2%}" for share in shares]
        rows.append([labels or "shuffled", f"{rate:g}", interval, *cells, f"{one.kept:.0%}"])
    names = ["a missing type", "a missing sub-category", "Caltech-101", "find another above it"]
    print_table(["calibrated by", "rate", "threshold", *names], rows)


def _without_own(searcher: Searcher, column: str) -> np.ndarray:
    """The best match of every item among those of other values."""
    groups, vectors = searcher.groups(column)[0], searcher.index.vectors
    best = np.empty(len(groups))
    for group in np.unique(groups):
        own = groups == group
        best[own] = searcher.index.search(vectors[own], 1, ~own)[0][:, 0]
    return best


def _minus(searcher: Searcher, column: str) -> None:
    """Of ten results: how many are as asked, for a query less an item of its type that differs."""
    kinds, values = searcher.groups("articleType")[0], searcher.groups(column)[0]
    vectors, draw = searcher.index.vectors, np.random.default_rng(0)
    triples: list[tuple[int, int]] = []
    while len(triples) < QUERIES:
        query = int(draw.integers(len(kinds)))
        alike = kinds == kinds[query]
        others = np.flatnonzero(alike & (values != values[query]))
        if len(others) and (alike & (values == values[query])).sum() > 30:
            triples.append((query, int(draw.choice(others))))
    rows = []
    for weight in WEIGHTS:
        shares = np.zeros(3)
        for query, against in triples:
            vector = vectors[query] - weight * vectors[against]
            left = np.ones(len(vectors), bool)
            left[[query, against]] = False
            top = searcher.index.search(vector, 10, left)[1][0]
            kind, value = kinds[top] == kinds[query], values[top] == values[query]
            shares += [(kind & value).mean(), kind.mean(), (values[top] == values[against]).mean()]
        rows.append([f"{weight:g}", *(f"{share:.1%}" for share in shares / len(triples))])
    print(f"## minus another {column}\n")
    print_table(["weight", f"type and {column}", "type", f"the unwanted {column}"], rows)


if __name__ == "__main__":
    main()
