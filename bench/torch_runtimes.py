"""Networks of torch on the processor, by torch and by what they are exported to.

python -m bench.torch_runtimes [engines] [drift] [end]

`engines`: images/s on pictures that are ready, in turns; weights are random, for speed does
not depend on them. `drift`: what bfloat16 and int8 do to the vectors of real pictures. `end`:
files to vectors, `likelens embed` against a DataLoader with the model's own transform, plainly and
with the allocator settings that make torch quick on this kind of machine.
BENCH_IMAGES, BENCH_ROUNDS and BENCH_NETWORKS adjust it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.embedding import QUICK_TORCH
from bench.timing import data_root, median, print_table

NETWORKS = os.environ.get(
    "BENCH_NETWORKS", "mobilenetv2_100 resnet50 vit_small_patch16_224"
).split()
IMAGES = int(os.environ.get("BENCH_IMAGES", "400"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = 4.0  # of each turn on ready pictures

ENGINES = {
    "torch, eager": ("torch", "float32"),
    "onnx": ("onnx", "float32"),
    "onnx, int8": ("onnx", "int8"),
    "openvino, float32": ("openvino", "float32"),
    "openvino, bfloat16": ("openvino", "bfloat16"),
}


@cache
def files() -> tuple[Path, ...]:
    """The first pictures by name, no two of one content: likelens would embed those once."""
    unique: dict[bytes, Path] = {}
    for path in sorted((data_root() / "data" / "fashion-products" / "images").glob("*.jpg")):
        unique.setdefault(path.read_bytes(), path)
        if len(unique) == IMAGES:
            break
    return tuple(unique.values())


def trained() -> dict[str, str]:
    """Networks that have learnt: of a random one, all vectors are nearly the same."""
    files = {
        "mobilenetv2_100": "timm:mobilenetv2_100?pad_type=same",
        "squeezenet1_0": "torchvision:squeezenet1_0",
    }
    folder = data_root() / "weights"
    return {
        f"checkpoint:{folder / name}.imagenet.safetensors?arch={arch}": f"{name}, ImageNet"
        for name, arch in files.items()
    }


def opened(name: str, runtime: str, dtype: str = "float32") -> Any:
    from likelens import open_encoder
    from likelens.encoders.running import Running

    if ":" in name:
        place, arch = name.split("?", 1)
        option = "" if dtype == "float32" else f"dtype={dtype}&"
        return open_encoder(f"{place}?{option}{arch}", Running(device="cpu", runtime=runtime))
    option = "" if dtype == "float32" else f"dtype={dtype}&"
    return open_encoder(f"timm:{name}?{option}weights=none", Running(device="cpu", runtime=runtime))


# --- ready pictures ----------------------------------------------------------------


def rate(encoder: Any, prepared: list[Any], workers: int) -> float:
    """Images/s, for some seconds, by as many threads as the encoder gains by."""
    done, started = 0, time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        while time.perf_counter() - started < SECONDS:
            step = encoder.batch_size
            cuts = [prepared[at : at + step] for at in range(0, len(prepared), step)]
            list(pool.map(encoder.forward, cuts))
            done += len(prepared)
    return done / (time.perf_counter() - started)


def engines() -> None:
    from likelens.encoders.base import cores

    draw = np.random.default_rng(0)
    prepared = list(draw.integers(0, 256, (32, 224, 224, 3), np.uint8))
    rows = []
    for name in NETWORKS:
        here = {way: what for way, what in ENGINES.items() if what[0] != "openvino" or has_vino()}
        encoders = {way: opened(name, *what) for way, what in here.items()}
        rates: dict[str, list[float]] = {way: [] for way in encoders}
        for turn in range(ROUNDS + 1):
            for way, encoder in encoders.items():
                found = rate(encoder, prepared, cores() if encoder.parallel else 1)
                if turn:
                    rates[way].append(found)
        eager = rates["torch, eager"]
        for way, found in rates.items():
            ratio = median([one / other for one, other in zip(found, eager, strict=True)])
            rows.append([name, way, f"{median(found):,.1f}", f"{ratio:.2f}"])
    print_table(["network", "by", f"images/s, median of {ROUNDS}", "ratio to eager"], rows)


def has_vino() -> bool:
    return find_spec("openvino") is not None


# --- drift -------------------------------------------------------------------------


def drift() -> None:
    from likelens.encoders.drift import drift_of
    from likelens.images import open_image

    rows = []
    names = {**trained(), **{name: f"{name}, random" for name in NETWORKS}}
    ways = {
        "torch, bfloat16": ("torch", "bfloat16"),
        "openvino, bfloat16": ("openvino", "bfloat16"),
        "onnx, int8": ("onnx", "int8"),
    }
    for name, shown in names.items():
        exact = opened(name, "onnx")
        prepared = [exact.prepare(open_image(path)) for path in files()]
        expected = exact.forward(prepared)
        for way, (runtime, dtype) in ways.items():
            if runtime == "openvino" and not has_vino():
                continue
            found = drift_of(opened(name, runtime, dtype).forward(prepared), expected)
            rows.append(
                [shown, way, f"{found.lowest:.5f}", f"{found.mean:.5f}", f"{found.shared:.3f}"]
            )
    print_table(
        ["network", "by", "least cosine", "mean cosine", f"overlap of top 10 among {IMAGES}"], rows
    )


# --- end to end --------------------------------------------------------------------


def likelens_embed(name: str, dtype: str = "float32") -> Callable[[], object]:
    from likelens import Catalogue, open_store
    from likelens._embed import fill

    folder = Path(tempfile.mkdtemp())
    open_store(folder / "warm").items()  # its library is imported on first use
    table = folder / "items.csv"
    table.write_text("id\n" + "".join(f"{path.stem}\n" for path in files()))
    catalogue = Catalogue.open(table, images=files()[0].parent)
    encoder = opened(name, "auto", dtype)
    encoder.expect(IMAGES, [encoder])  # exported before: kept for all later runs

    def run() -> None:
        shutil.rmtree(folder / "store", ignore_errors=True)
        fill(catalogue, encoder, open_store(folder / "store"))

    return run


def torch_loader(name: str, workers: int) -> Callable[[], object]:
    from likelens.encoders.torch_load import need_torch, need_vision

    torch = need_torch("bench")
    need_vision(torch, "bench")
    import timm
    from PIL import Image

    net = timm.create_model(name).eval()
    config = timm.data.resolve_data_config({}, model=net)
    transform = timm.data.create_transform(**config, is_training=False)

    class Pictures(torch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(files())

        def __getitem__(self, row: int) -> object:
            return transform(Image.open(files()[row]).convert("RGB"))

    def run() -> None:
        loader = torch.utils.data.DataLoader(Pictures(), batch_size=32, num_workers=workers)
        with torch.inference_mode():
            for batch in loader:
                net.forward_head(net.forward_features(batch), pre_logits=True)

    return run


WAYS: dict[str, Callable[[str], Callable[[], object]]] = {
    "likelens embed": likelens_embed,
    "likelens embed, int8": lambda name: likelens_embed(name, "int8"),
    "DataLoader, 0 workers": lambda name: torch_loader(name, 0),
    "DataLoader, 2 workers": lambda name: torch_loader(name, 2),
}
QUICK = ", allocator set"
for workers in (0, 2):
    WAYS[f"DataLoader, {workers} workers{QUICK}"] = WAYS[f"DataLoader, {workers} workers"]


def measure(network: str, way: str) -> None:
    """In a process of its own, with all libraries imported: images/s of one run."""
    files()
    run = WAYS[way](network)
    started = time.perf_counter()
    run()
    print(f"RESULT {IMAGES / (time.perf_counter() - started)}")


def in_a_process(network: str, way: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "bench.torch_runtimes", "--one", network, way],
        env=os.environ | (QUICK_TORCH if way.endswith(QUICK) else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not lines:
        sys.exit(f"{network}, {way} failed:\n{done.stderr[-2000:]}")
    return float(lines[-1].split()[1])


def end() -> None:
    rows = []
    for network in NETWORKS:
        rates: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way in WAYS:
                rates[way].append(in_a_process(network, way))
        ours = rates["likelens embed"]
        for way, found in rates.items():
            ratio = median([one / other for one, other in zip(ours, found, strict=True)])
            rows.append([network, way, f"{median(found):,.1f}", f"{ratio:.2f}"])
    print_table(["network", "way", f"images/s, median of {ROUNDS}", "likelens / this"], rows)


PARTS = {"engines": engines, "drift": drift, "end": end}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(*sys.argv[2:])
    else:
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
