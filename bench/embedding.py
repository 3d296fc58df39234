"""Embedding 2,000 fashion pictures with one MobileNetV2, against what one would do otherwise.

python -m bench.embedding [way ...]

Each way runs in a process of its own, on the same files in the same order, in turns. The
ratio is the median over the rounds, each of which compares two runs of the same minute: a
machine of two cores drifts more between minutes than the ways differ. Ways
whose library is not installed are left out, and said so. `torch DataLoader` runs
the same network from timm, plainly and with the allocator settings that make
torch quick on this kind of machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bench.timing import data_root, median, peak_mib, print_table

IMAGES = int(os.environ.get("BENCH_IMAGES", "2000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
MODEL = "mobilenet_v2_1.0_224_quant.onnx"
QUICK_TORCH = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
}


@cache
def files() -> tuple[Path, ...]:
    """The first pictures by name, no two of one content: likelens would embed those once."""
    folder = data_root() / "data" / "fashion-products" / "images"
    unique: dict[bytes, Path] = {}
    for path in sorted(folder.glob("*.jpg")):
        unique.setdefault(path.read_bytes(), path)
        if len(unique) == IMAGES:
            break
    return tuple(unique.values())


def model() -> Path:
    return data_root() / "weights" / MODEL


def likelens_embed() -> Callable[[], object]:
    from likelens import Catalogue, open_encoder, open_store
    from likelens._embed import fill

    folder = Path(tempfile.mkdtemp())
    open_store(folder / "warm").items()  # its library is imported on first use
    table = folder / "items.csv"
    table.write_text("id\n" + "".join(f"{path.stem}\n" for path in files()))
    catalogue = Catalogue.open(table, images=files()[0].parent)
    encoder = open_encoder(f"onnx:{model()}@features")

    def run() -> None:
        shutil.rmtree(folder / "store", ignore_errors=True)
        fill(catalogue, encoder, open_store(folder / "store"))

    return run


def ready(threads: int, batch: int, workers: int) -> Callable[[], object]:
    """onnxruntime alone, on tensors that are there already."""
    from concurrent.futures import ThreadPoolExecutor

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model(), options, providers=["CPUExecutionProvider"])
    tensors = np.random.default_rng(0).standard_normal((64, 3, 224, 224), np.float32)

    def one(start: int) -> object:
        place = start % 64
        return session.run(["features"], {"input": tensors[place : place + batch]})

    def run() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, range(0, IMAGES, batch)))

    return run


def plain_loop() -> Callable[[], object]:
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(model(), providers=["CPUExecutionProvider"])

    def load(path: Path) -> np.ndarray:
        image = Image.open(path).convert("RGB")
        width, height = image.size
        scale = 256 / min(width, height)
        image = image.resize(
            (round(width * scale), round(height * scale)), Image.Resampling.BILINEAR
        )
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
        return (pixels / 127.5 - 1).transpose(2, 0, 1)

    def run() -> None:
        paths = files()
        for start in range(0, len(paths), 32):
            batch = np.stack([load(path) for path in paths[start : start + 32]])
            session.run(["features"], {"input": batch})

    return run


def fastembed_loop() -> Callable[[], object]:
    from fastembed import ImageEmbedding
    from fastembed.common.model_description import DenseModelDescription, ModelSource
    from fastembed.image.onnx_embedding import OnnxImageEmbedding, supported_onnx_models

    folder = Path(tempfile.mkdtemp())
    shutil.copy(model(), folder / "model.onnx")
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "CLIPImageProcessor", "do_resize": true, "do_center_crop": true,'
        ' "do_normalize": true, "do_rescale": true, "rescale_factor": 0.00392156862745098,'
        ' "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2,'
        ' "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}'
    )
    supported_onnx_models.append(
        DenseModelDescription(
            model="local/mobilenet", dim=1280, description="", license="", size_in_GB=0.01,
            sources=ModelSource(hf="local/mobilenet"), model_file="model.onnx",
        )
    )  # fmt: skip
    assert OnnxImageEmbedding is not None
    embedder = ImageEmbedding("local/mobilenet", specific_model_path=str(folder))
    return lambda: list(embedder.embed([str(path) for path in files()], batch_size=32))


def imagededup_loop() -> Callable[[], object]:
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel

    net, transform = torch_parts()
    folder = Path(tempfile.mkdtemp())
    for path in files():
        (folder / path.name).symlink_to(path.resolve())
    config = CustomModel(name="mobilenetv2_100", model=net, transform=transform)
    cnn = CNN(verbose=False, model_config=config)
    return lambda: cnn.encode_images(str(folder), num_enc_workers=0)


def torch_model() -> object:
    import timm

    weights = data_root() / "weights" / "mobilenetv2_100.imagenet.safetensors"
    return timm.create_model(
        "mobilenetv2_100", pad_type="same", checkpoint_path=str(weights), num_classes=1000
    ).eval()


def torch_parts() -> tuple[object, object]:
    import timm

    transform = timm.data.create_transform(
        (3, 224, 224), mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear", crop_pct=0.875
    )
    return torch_model(), transform


def torch_loader() -> Callable[[], object]:
    import torch
    from PIL import Image

    net, transform = torch_parts()

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files())

        def __getitem__(self, row: int) -> object:
            return transform(Image.open(files()[row]).convert("RGB"))

    def run() -> None:
        loader = torch.utils.data.DataLoader(Pictures(), batch_size=32, num_workers=2)
        with torch.inference_mode():
            for batch in loader:
                net.forward_head(net.forward_features(batch), pre_logits=True)

    return run


# fmt: off
WAYS: dict[str, tuple[Callable[[], Callable[[], object]], str, dict[str, str]]] = {
    "likelens embed": (likelens_embed, "likelens", {}),
    "onnxruntime alone, its defaults, batch of 32": (
        lambda: ready(0, 32, 1), "onnxruntime", {},
    ),
    "onnxruntime alone, its defaults, batch of 8": (lambda: ready(0, 8, 1), "onnxruntime", {}),
    "onnxruntime alone, its defaults, batch of 1": (lambda: ready(0, 1, 1), "onnxruntime", {}),
    "onnxruntime alone, a worker and a thread a core": (
        lambda: ready(1, 1, 2), "onnxruntime", {},
    ),
    "plain loop (Pillow, batch of 32)": (plain_loop, "onnxruntime", {}),
    "fastembed, same file": (fastembed_loop, "fastembed", {}),
    "imagededup CNN, same network": (imagededup_loop, "imagededup", {}),
    "torch DataLoader, same network in timm": (torch_loader, "timm", {}),
    "torch DataLoader, allocator settings": (torch_loader, "timm", QUICK_TORCH),
}
# fmt: on


def measure(name: str) -> None:
    """In a process of its own, with all libraries imported: images/s of one run, and peak MiB."""
    files()
    run = WAYS[name][0]()
    started = time.perf_counter()
    run()
    print(f"RESULT {IMAGES / (time.perf_counter() - started)} {peak_mib()}")


def main() -> None:
    names = [name for name in WAYS if not sys.argv[1:] or any(a in name for a in sys.argv[1:])]
    here = [name for name in names if find_spec(WAYS[name][1])]
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in here}
    for _ in range(ROUNDS):
        for name in here:
            done = subprocess.run(
                [sys.executable, "-m", "bench.embedding", "--one", name],
                env={**os.environ, **WAYS[name][2]},
                capture_output=True,
                text=True,
                check=False,
            )
            lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
            if not lines:
                sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
            rate, peak = map(float, lines[-1].split()[1:])
            figures[name].append((rate, peak))
    ours = [rate for rate, _ in figures["likelens embed"]]
    rows = []
    for name, found in figures.items():
        rates = [rate for rate, _ in found]
        ratio = median([mine / rate for mine, rate in zip(ours, rates, strict=True)])
        peak = max(peak for _, peak in found)
        rows.append([name, f"{max(rates):,.0f}", f"{ratio:.2f}", f"{peak:,.0f} MiB"])
    print_table(["way", f"images/s, best of {ROUNDS}", "likelens / this", "peak memory"], rows)
    for name in names:
        if name not in here:
            print(f"left out, {WAYS[name][1]} is not installed: {name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2])
    else:
        main()
