"""Peak memory of embedding 1,000 to 64,000 pictures: it should hardly grow with them.

python -m bench.memory

Pictures of the built-in catalogue under many ids; each count runs in a process of its own.
The vectors themselves go to the store and are not read back.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from bench.timing import peak_mib, print_table

COUNTS = (1_000, 4_000, 16_000, 64_000)


def pictures(folder: Path, count: int) -> None:
    """So many small JPEGs, all different."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        pixels = np.kron(draw.integers(0, 256, (7, 7, 3), np.uint8), np.ones((32, 32, 1), np.uint8))
        Image.fromarray(pixels).save(folder / f"{number:06}.jpg")


def embed(folder: str) -> None:
    from likelens import Catalogue, open_encoder, open_store
    from likelens._embed import fill

    before = peak_mib()
    catalogue = Catalogue.open(folder)
    store = Path(folder).with_suffix(".store")
    run = fill(catalogue, open_encoder("opencv:hog"), open_store(store))
    shutil.rmtree(store)
    print(f"RESULT {before} {peak_mib()} {run.images_per_second}")


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for count in COUNTS:
            folder = Path(root) / str(count)
            pictures(folder, count)
            done = subprocess.run(
                [sys.executable, "-m", "bench.memory", str(folder)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            before, after, rate = map(float, done.stdout.split("RESULT")[1].split())
            rows.append([f"{count:,}", f"{before:,.0f} MiB", f"{after:,.0f} MiB", f"{rate:,.0f}"])
    print_table(["pictures", "before", "peak while embedding", "images/s"], rows)


if __name__ == "__main__":
    if sys.argv[1:]:
        embed(sys.argv[1])
    else:
        main()
