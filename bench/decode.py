"""From files to ready tensors, and whether the model is kept busy.

python -m bench.decode

First, on one thread, images per second from file to the network's input, against Pillow and
NumPy written plainly: fashion pictures (224 x 224) and a large photo made here. Then, on all
cores, the model alone on ready tensors against `encode` on the files of the same pictures.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from bench.timing import data_root, in_turns, median, print_table
from likelens import open_encoder
from likelens.encoders.base import cores
from likelens.encoders.preprocessing import Preprocessing
from likelens.images import open_image, read_bytes

ROUNDS = 5
MODEL = "mobilenet_v2_1.0_224_quant.onnx"
HOW = Preprocessing.parse("resize=shorter:256;crop=center:224;mean=0.5;std=0.5")


def with_pillow(data: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    size = int(256 * width / short), int(256 * height / short)
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32)
    return np.ascontiguousarray(((pixels / 255 - 0.5) / 0.5).transpose(2, 0, 1))


def with_likelens(data: bytes) -> np.ndarray:
    return HOW.apply(open_image(data))


def large_photo() -> bytes:
    """A JPEG of 1800 x 1200 pixels with as much detail as a photo."""
    draw = np.random.default_rng(0)
    small = Image.fromarray(draw.integers(0, 256, (150, 225, 3), np.uint8))
    file = io.BytesIO()
    small.resize((1800, 1200), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def over(pictures: list[bytes], way: Callable[[bytes], object]) -> Callable[[], None]:
    def run() -> None:
        for data in pictures:
            way(data)

    return run


def decoding(files: list[Path]) -> None:
    rows = []
    for name, pictures in (
        ("fashion, 224 x 224", [read_bytes(file) for file in files]),
        ("photo, 1800 x 1200", [large_photo()] * 20),
    ):
        ways = {
            "likelens": over(pictures, with_likelens),
            "open_image": over(pictures, open_image),
            "Pillow": over(pictures, with_pillow),
        }
        speed = {way: len(pictures) / median(s) for way, s in in_turns(ways, ROUNDS).items()}
        gap = max(np.abs(with_likelens(data) - with_pillow(data)).max() for data in pictures[:50])
        rows.append(
            [name]
            + [f"{speed[way]:,.0f}" for way in ("likelens", "Pillow", "open_image")]
            + [f"{speed['likelens'] / speed['Pillow']:.2f}", f"{gap:.0e}"]
        )
    print("File to tensor, one thread, images/s:\n")
    header = ["pictures", "likelens", "Pillow", "of it decoding alone", "ratio", "difference"]
    print_table(header, rows)


def keeping_busy(files: list[Path], model: Path) -> None:
    encoder = open_encoder(f"onnx:{model}@features")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    tensors = [with_likelens(read_bytes(file))[None] for file in files]

    def model_alone() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda tensor: session.run(["features"], {"input": tensor}), tensors))

    ways = {"model": model_alone, "encode": lambda: encoder.encode(files)}
    seconds = in_turns(ways, ROUNDS)
    speed = {way: len(files) / median(s) for way, s in seconds.items()}
    ratios = [a / b for a, b in zip(seconds["model"], seconds["encode"], strict=True)]
    print(f"{MODEL}, {cores()} threads, images/s:\n")
    rows = [[f"{speed['model']:,.0f}", f"{speed['encode']:,.0f}", f"{median(ratios):.0%}"]]
    print_table(["model alone on ready tensors", "files to vectors", "ratio"], rows)


def main() -> None:
    root = data_root()
    files = sorted((root / "data" / "fashion-products" / "images").glob("*.jpg"))[:400]
    decoding(files)
    keeping_busy(files, root / "weights" / MODEL)


if __name__ == "__main__":
    main()
