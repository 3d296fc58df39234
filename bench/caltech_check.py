"""Do weights, class order and preprocessing fit together? Accuracy of the seven models.

python -m bench.caltech_check [model ...]

Classifies the Caltech-101 pictures of the 47 classes that are ImageNet classes too
(weights/caltech_check_classes.csv) through likelens' own encoders, `onnx:FILE@output` and
`checkpoint:FILE@output?arch=...`, and averages top-1 and top-5 over classes. Fails if fewer than
two models of either kind are within half a point of the accuracy in weights/models.csv.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np

from bench.timing import data_root, print_table
from likelens import open_encoder

TOLERANCE = 0.5  # points
BACKGROUND = {"onnx": 1, "timm": 0, "torchvision": 0}  # outputs before ImageNet's first class
ARCHITECTURES = {
    "mobilenetv2_100.imagenet.safetensors": "timm:mobilenetv2_100?pad_type=same",
    "squeezenet1_0.imagenet.safetensors": "torchvision:squeezenet1_0",
}


def labelled_files(root: Path) -> tuple[list[Path], list[str], dict[str, set[int]]]:
    """Files, the class of each, and the outputs that are right for each class."""
    with (root / "weights" / "caltech_check_classes.csv").open(encoding="utf-8") as lines:
        right = {
            row["class"]: {int(index) for index in row["imagenet_index"].split()}
            for row in csv.DictReader(lines)
        }
    files, labels = [], []
    for name in right:
        found = sorted((root / "data" / "caltech101" / name).glob("*.jpg"))
        files += found
        labels += [name] * len(found)
    return files, labels, right


def documented(root: Path) -> dict[str, tuple[str, float, float]]:
    """Format, top-1 and top-5 of each file, in percent."""
    with (root / "weights" / "models.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    found = {}
    for row in rows:
        check = dict(part.split("=") for part in row["caltech_check"].split(";"))
        found[row["file"]] = (row["format"], float(check["top1"]), float(check["top5"]))
    return found


def spec_of(path: Path, kind: str) -> str:
    if kind == "onnx":
        return f"onnx:{path}@output"
    return f"checkpoint:{path}@output?arch={ARCHITECTURES[path.name]}"


def accuracy(
    logits: np.ndarray, labels: list[str], right: dict[str, set[int]]
) -> tuple[float, float]:
    """Top-1 and top-5 in percent, averaged over classes."""
    best = np.argsort(-logits, axis=1)[:, :5]
    hits = np.array(
        [[index in right[label] for index in row] for row, label in zip(best, labels, strict=True)]
    )
    names = np.array(labels)
    shares = [
        (hits[names == name, 0].mean(), hits[names == name].any(axis=1).mean()) for name in right
    ]
    top1, top5 = np.mean(shares, axis=0) * 100
    return float(top1), float(top5)


def main() -> int:
    root = data_root()
    files, labels, right = labelled_files(root)
    print(f"{len(files):,} pictures of {len(right)} classes, class means in percent\n")
    rows, close = [], {"onnx": 0, "torch": 0}
    for file, (kind, *expected) in documented(root).items():
        if sys.argv[1:] and not any(asked in file for asked in sys.argv[1:]):
            continue
        encoder = open_encoder(spec_of(root / "weights" / file, kind))
        started = time.perf_counter()
        logits = encoder.encode(files)[:, BACKGROUND[kind] :]
        found = accuracy(logits, labels, right)
        speed = len(files) / (time.perf_counter() - started)
        within = all(abs(a - b) <= TOLERANCE for a, b in zip(found, expected, strict=True))
        close["onnx" if kind == "onnx" else "torch"] += within
        rows.append(
            [f"`{file}`"]
            + [f"{a:.1f} / {b:.1f}" for a, b in (found, tuple(expected))]
            + ["yes" if within else "no", f"{speed:.0f}"]
        )
    print_table(["model", "measured top-1 / top-5", "documented", "within 0.5", "images/s"], rows)
    return 0 if sys.argv[1:] or min(close.values()) >= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
