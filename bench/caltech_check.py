"""Do weights, class order and preprocessing fit together? Accuracy of the five ONNX models.

python -m bench.caltech_check

Classifies the Caltech-101 pictures of the 47 classes that are ImageNet classes too
(weights/caltech_check_classes.csv) through likelens' own encoder, `onnx:FILE@output`, and
averages top-1 and top-5 over classes. Fails if fewer than two models are within half a
point of the accuracy in weights/models.csv.
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
BACKGROUND = 1  # outputs before ImageNet's first class


def labelled_files(root: Path) -> tuple[list[Path], list[str], dict[str, set[int]]]:
    """Files, the class of each, and the outputs that are right for each class."""
    with (root / "weights" / "caltech_check_classes.csv").open(encoding="utf-8") as lines:
        right = {
            row["class"]: {int(index) + BACKGROUND for index in row["imagenet_index"].split()}
            for row in csv.DictReader(lines)
        }
    files, labels = [], []
    for name in right:
        found = sorted((root / "data" / "caltech101" / name).glob("*.jpg"))
        files += found
        labels += [name] * len(found)
    return files, labels, right


def documented(root: Path) -> dict[str, tuple[float, float]]:
    """Top-1 and top-5 of each ONNX file, in percent."""
    with (root / "weights" / "models.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["format"] == "onnx"]
    checks = {
        row["file"]: dict(part.split("=") for part in row["caltech_check"].split(";"))
        for row in rows
    }
    return {file: (float(check["top1"]), float(check["top5"])) for file, check in checks.items()}


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
    rows, close = [], 0
    for file, expected in documented(root).items():
        encoder = open_encoder(f"onnx:{root / 'weights' / file}@output")
        started = time.perf_counter()
        found = accuracy(encoder.encode(files), labels, right)
        speed = len(files) / (time.perf_counter() - started)
        within = all(abs(a - b) <= TOLERANCE for a, b in zip(found, expected, strict=True))
        close += within
        rows.append(
            [f"`{file}`"]
            + [f"{a:.1f} / {b:.1f}" for a, b in (found, expected)]
            + ["yes" if within else "no", f"{speed:.0f}"]
        )
    print_table(["model", "measured top-1 / top-5", "documented", "within 0.5", "images/s"], rows)
    return 0 if close >= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
