"""Ranks of judged candidates against the bare matrix product, and memory.

python -m bench.discovery [--quick]

2,000 queries x 52,712 items of 768 dimensions and 54,170 judged pairs, as the VSD paper has;
two thirds of the candidates are near the top, as pooling finds them, the rest anywhere. The bare
product is of unit rows, in the same blocks of queries; its results are thrown away. Sixteen
encoders are judged one after the other by the same call, so their time is sixteen times one.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from bench.timing import in_turns, median, peak_mib, print_table
from likelens import metrics
from likelens._judged import judged_ranks
from likelens._ranking import blocks

QUERIES, ITEMS, DIM, PAIRS, ENCODERS = 2_000, 52_712, 768, 54_170, 16
NEAR = 300
COPIES = 0.02


def data(share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors of a gallery with some copies, of queries, and judged pairs with labels."""
    draw = np.random.default_rng(0)
    items, queries = int(ITEMS * share), int(QUERIES * share)
    gallery = draw.standard_normal((items, DIM), np.float32)
    copies = draw.random(items) < COPIES
    gallery[copies] = gallery[draw.integers(0, items, copies.sum())]
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    asked = gallery[draw.choice(items, queries, replace=False)]
    asked = asked + 0.02 * draw.standard_normal(asked.shape, np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    each = -(-int(PAIRS * share) // queries)
    pairs = []
    for query, vector in enumerate(asked):
        near = np.argpartition(-(gallery @ vector), NEAR)[:NEAR]
        taken = np.concatenate([draw.choice(near, each), draw.integers(0, items, each // 3)])
        taken = np.unique(taken)[:each]
        pairs.append(np.column_stack([np.full(len(taken), query), taken]))
    judged = np.concatenate(pairs)
    return gallery, asked, np.column_stack([judged, draw.integers(0, 2, len(judged))])


def product(gallery: np.ndarray, queries: np.ndarray) -> None:
    for block in blocks(len(queries), len(gallery)):
        queries[block] @ gallery.T


def scored(found, judged: np.ndarray) -> metrics.Discovery:
    return metrics.discovery_of_pairs(found.ranks, found.scores, judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    quick = parser.parse_args().quick
    gallery, queries, judged = data(0.1 if quick else 1.0)
    products = (np.arange(len(gallery)) // 2).tolist()
    before = peak_mib()
    ranks = partial(judged_ranks, gallery, queries, judged[:, 0], judged[:, 1])
    found = ranks()
    after = peak_mib()
    seconds = in_turns(
        {
            "bare product": partial(product, gallery, queries),
            "ranks and scores of judged pairs": ranks,
            "the same, with product ranks": partial(ranks, products=products),
            "the same as the first, with lists of 500": partial(ranks, depth=500),
            "all metrics of the pairs": partial(scored, found, judged),
        },
        3,
    )
    base = median(seconds["bare product"])
    rows = [
        [name, f"{median(times):.2f} s", f"{median(times) / base:.2f}"]
        for name, times in seconds.items()
    ]
    size = f"{len(queries):,} queries x {len(gallery):,} x {DIM}, {len(judged):,} pairs"
    print_table([size, "median", "of the product"], rows)
    one = sum(median(seconds[name]) for name in list(seconds)[1::3])
    print(f"{ENCODERS} encoders: about {ENCODERS * one:,.0f} s.")
    print(f"Peak memory: {before:,.0f} MiB with the data, {after:,.0f} MiB after the ranks.")


if __name__ == "__main__":
    main()
