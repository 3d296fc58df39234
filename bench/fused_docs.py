"""Prints the figures of docs/fused.md: what colour adds to a network on 4,000 real products.

python -m bench.fused_docs [folder for the store]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bench.fashion_products import MODELS, TAGS
from bench.timing import data_root, print_table
from likelens import Catalogue, embed, metrics
from likelens._fuse import Fusion, fuse
from likelens.encoders.fused import join

ITEMS = 4_000
COLOUR = "opencv:colour"
ASKED = ["articleType", "baseColour"]


def main() -> None:
    store = Path(sys.argv[1] if sys.argv[1:] else "report") / "fused-store"
    root = data_root()
    network = f"onnx:{root / 'weights' / MODELS[3]}.onnx"
    catalogue = _catalogue(root, TAGS)
    for tags in (TAGS, ASKED):
        print(f"## {', '.join(tags)}\n")
        found = fuse(_catalogue(root, tags), [network, COLOUR], store)
        print(found.spec.replace(f"{root}/", ""), "\n")
        print(
            f"{found.train_items:,} items to find weights on, {found.held_out_items:,} held out\n"
        )
        _scores(found, root)
        _curve(found)
    _categories(found, catalogue, store, root)


def _catalogue(root: Path, tags: list[str]) -> Catalogue:
    everything = Catalogue.open(root / "data" / "fashion-products" / "styles.csv", tags=tags)
    rows = np.random.default_rng(0).choice(len(everything), ITEMS, replace=False)
    return everything.take([everything.ids[row] for row in np.sort(rows)])


def _scores(found: Fusion, root: Path) -> None:
    rows = []
    for name, scores in found.held_out.items():
        low, high = scores.interval()
        trained = found.train[name].mean
        cells = [f"{trained:.4f}", f"{scores.mean:.4f}", f"{low:.4f} to {high:.4f}"]
        rows.append([name.replace(f"{root}/", ""), *cells])
    print_table(["", "training", "held out", "95 % interval"], rows)
    gain = found.difference
    print(f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}), p = {gain.p:.4f}\n")


def _curve(found: Fusion) -> None:
    tried = dict(found.curve)
    shares = [step / 10 for step in range(11)]
    print_table(["", *(f"{s:g}" for s in shares)], [["", *(f"{tried[s]:.3f}" for s in shares)]])


def _categories(found: Fusion, catalogue: Catalogue, store: Path, root: Path) -> None:
    parts = [embed(catalogue, name, store).vectors for name in found.weights]
    ways = {
        **{
            name.replace(f"{root}/", ""): part
            for name, part in zip(found.weights, parts, strict=True)
        },
        "fusion": join(parts, list(found.weights.values())),
    }
    seen = {
        name: metrics.corrembed_by_category(
            vectors, catalogue.tags.matrix, catalogue.tags.categories, self_pairs="exclude"
        ).alone
        for name, vectors in ways.items()
    }
    rows = [[name, *(f"{alone[tag].mean:.3f}" for tag in TAGS)] for name, alone in seen.items()]
    print_table(["", *TAGS], rows)


if __name__ == "__main__":
    main()
