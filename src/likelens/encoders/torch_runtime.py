"""Torch networks run by onnxruntime or OpenVINO, which on a processor are quicker than torch.

Layers of a network are exported once: a graph that takes one prepared picture and gives
its vectors. It is held against torch on drawn pictures and kept, by the encoders'
fingerprints, in ``exported`` of likelens' cache folder.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from ..values.arrays import Array, Floats
from ..values.errors import BadSpec, BadTable, in_short
from ..values.extras import need
from ..values.files import locked, make_folder, write_aside
from .base import cores
from .drift import drift_of
from .running import Running
from .torch_export import INPUT, Portable, export, refused
from .torch_int8 import CALIBRATION, INT8, quantise

RUNTIMES = ("auto", "torch", "onnx", "openvino")

COMPUTES = {
    "torch": ("float32", "float16", "bfloat16"),
    "onnx": ("float32", INT8),
    "openvino": ("float32", "bfloat16"),
}
"""The numbers that each runtime computes with; all but torch on the processor alone."""

USUAL = "onnx"
"""What ``auto`` means on a processor, for jobs that are large enough."""

PAYS_FROM = 200
"""Pictures of a job from which on an export pays: it takes some seconds, loading it less."""

ENOUGH = {"float32": 0.9999, "bfloat16": 0.99, INT8: 0.9999}
"""Least cosine of each vector with torch's, by the numbers that the engine computes with.

Of 8 bits, that of the export before it is rounded; and of a kept one with its own first answers.
"""

_LENGTH = 0.02  # how much longer or shorter than torch's a vector may be, as a share
_CHECKED = 32  # pictures on which a new export is held against torch
_CHECKED_AGAIN = 4  # pictures on which a kept one is

Engine = Callable[[Array], list[Floats]]
"""The (1, dim) vectors of one prepared picture, by each layer; several threads may call it."""


@dataclass(frozen=True)
class Exported:
    """An export that is ready to run.

    Attributes:
        engine: what runs it.
        drift: how far rounding to 8 bits led on the drawn pictures, in words, of several
            layers that with the lowest cosine; else empty.
    """

    engine: Engine
    drift: str = ""


class _Maker(Protocol):
    def __call__(self, path: Path, dtype: str) -> Engine: ...


def choose_runtime(running: Running, device: str, dtype: str, where: str) -> str:
    """What runs a network: ``torch``, ``onnx``, ``openvino``, or ``auto`` if the job decides.

    Args:
        running: what was asked for.
        device: where torch would run it.
        dtype: the numbers it computes with.
        where: the encoder, for messages.

    Raises:
        BadSpec: no such runtime, or it has no such device or numbers.
        MissingExtra: OpenVINO is not installed.
    """
    runtime = running.runtime
    if runtime not in RUNTIMES:
        raise BadSpec(
            f"there is no runtime {runtime!r}",
            where=where,
            hint=f"choose one of: {', '.join(RUNTIMES)}",
        )
    if runtime == "auto" and dtype != INT8:
        return "auto" if (device, dtype, running.compile) == ("cpu", "float32", False) else "torch"
    runtime = USUAL if runtime == "auto" else runtime
    _check_fits(runtime, running, device, dtype, where)
    return runtime


def _check_fits(runtime: str, running: Running, device: str, dtype: str, where: str) -> None:
    by_torch = runtime == "torch"
    unfit = f"device {device}" if device != "cpu" and not by_torch else ""
    unfit = f"dtype={dtype}" if dtype not in COMPUTES[runtime] else unfit
    unfit = "--compile" if running.compile and not by_torch else unfit
    if unfit:
        *others, last = COMPUTES[runtime]
        raise BadSpec(
            f"the runtime {runtime} computes {', '.join(others)} or {last}"
            f"{'' if by_torch else ' on the processor'}, and has no {unfit}",
            where=where,
            hint="use --runtime onnx, --device cpu and no --compile, or another dtype than int8"
            if dtype == INT8
            else "use --runtime torch",
        )
    if runtime == "openvino":
        need("openvino", extra="openvino", where=where)


def open_exported(portable: Portable, runtime: str) -> Exported:
    """What runs an export, which is made unless a good one is kept.

    Raises:
        BadSpec: it cannot be exported, or its vectors are not torch's.
        BadTable: the cache folder cannot be written to.
        MissingExtra: what exports is not installed.
    """
    path = portable.path(runtime)
    kept = _open_kept(portable, runtime, path)
    if kept:
        return kept
    try:
        make_folder(path.parent)
        with locked(path.with_name(f".{path.name}.lock"), wait=True):  # one process exports it
            return _open_kept(portable, runtime, path) or _export(portable, runtime, path)
    except BadTable as error:
        raise type(error)(
            f"{portable.where} cannot be exported: {error.what}",
            where=error.where,
            hint=f"{error.hint}; or set LIKELENS_CACHE to another folder, or use --runtime torch",
        ) from error


def _export(portable: Portable, runtime: str, path: Path) -> Exported:
    prepared = [portable.prepare(picture) for picture in _pictures(_CHECKED)]
    expected, drift = portable.by_torch(prepared), ""
    write_aside(path, lambda aside: export(portable, prepared[0], aside))
    engine = _load(portable, runtime, path)
    _check(engine, prepared, expected, portable, path)
    if portable.dtype == INT8:
        exact, engine = expected, _rounded(portable, runtime, path)
        expected = _answers(engine, prepared)
        drifts = map(drift_of, expected, exact)
        drift = str(min(drifts, key=lambda one: one.lowest))
    write_aside(_beside(path), lambda aside: _save(aside, _digest(path), drift, expected))
    return Exported(engine, drift)


def _rounded(portable: Portable, runtime: str, path: Path) -> Engine:
    """The engine of an export that is written again in whole numbers."""
    prepared = [portable.prepare(picture) for picture in _pictures(CALIBRATION)]
    try:
        write_aside(path, lambda aside: quantise(path, aside, prepared, portable))
    except BadSpec:
        path.unlink(missing_ok=True)
        raise
    return _load(portable, runtime, path)


def _open_kept(portable: Portable, runtime: str, path: Path) -> Exported | None:
    """What runs a kept export, or None where it is missing, damaged or answers otherwise."""
    if not path.exists() or not _beside(path).exists():
        return None
    prepared = [portable.prepare(picture) for picture in _pictures(_CHECKED_AGAIN)]
    try:
        with np.load(_beside(path)) as kept:
            digest, drift, *expected = (kept[name] for name in kept.files)
        if str(digest) != _digest(path):
            return None
        expected = [rows[:_CHECKED_AGAIN] for rows in expected]
        engine = ENGINES[runtime](path, portable.dtype)
        worst = _worst(engine, prepared, expected)
    except Exception:  # noqa: BLE001 - a damaged file makes libraries raise anything
        return None
    return Exported(engine, str(drift)) if worst >= ENOUGH[portable.dtype] else None


def _beside(path: Path) -> Path:
    """The file's digest, its drift, and what it answered to the drawn pictures when it was good."""
    return path.with_suffix(".npz")


def _save(path: Path, digest: str, drift: str, vectors: Sequence[Array]) -> None:
    with path.open("wb") as file:
        np.savez(file, np.array(digest), np.array(drift), *vectors)  # arr_0, arr_1 and so on


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _load(portable: Portable, runtime: str, path: Path) -> Engine:
    try:
        return ENGINES[runtime](path, portable.dtype)
    except Exception as error:
        path.unlink(missing_ok=True)
        raise refused(f"{runtime} cannot load its export: {in_short(error)}", portable) from error


def _check(
    engine: Engine,
    prepared: Sequence[Array],
    expected: Sequence[Array],
    portable: Portable,
    path: Path,
) -> None:
    """Refuse an export whose vectors are not torch's."""
    worst, least = _worst(engine, prepared, expected), ENOUGH[portable.dtype]
    if not worst >= least:
        path.unlink(missing_ok=True)
        raise refused(
            f"its export does not give torch's vectors: of {len(prepared)} pictures the worst "
            f"has cosine {worst:.5f}, not {least}",
            portable,
        )


def _answers(engine: Engine, prepared: Sequence[Array]) -> list[Floats]:
    """The (n, dim) vectors of n prepared pictures, by each layer."""
    rows = [engine(picture) for picture in prepared]
    return [np.concatenate(each) for each in zip(*rows, strict=True)]


def _worst(engine: Engine, prepared: Sequence[Array], expected: Sequence[Array]) -> float:
    """Least cosine of the engine's vectors with those expected; 0 where a length differs."""
    made = _answers(engine, prepared)
    return min(_cosine(ours, others) for ours, others in zip(made, expected, strict=True))


def _cosine(ours: Array, others: Array) -> float:
    if ours.shape != others.shape:
        return 0.0
    one, other = ours.astype(np.float64), others.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    if not np.allclose(*lengths, rtol=_LENGTH, atol=1e-6):
        return 0.0
    product = lengths[0] * lengths[1]
    both_zero = product < 1e-12
    return float(np.where(both_zero, 1.0, (one * other).sum(1) / np.maximum(product, 1e-12)).min())


def _pictures(count: int) -> Iterator[Array]:
    """Seeded pictures of odd sizes: black, white, noise, and coarse patches drawn smooth."""
    draw = np.random.default_rng(20_260_101)
    for number in range(count):
        height, width = (int(side) for side in draw.integers(40, 320, 2))
        patches = draw.integers(1, 40, 2) if number > 2 else np.array([height, width])
        coarse = draw.integers(0, 256, (*patches, 3), np.uint8)
        if number < 2:
            coarse[:] = 255 * number
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        yield np.asarray(smooth)


# --- running ---------------------------------------------------------------------


def _onnx_engine(path: Path, dtype: str) -> Engine:  # noqa: ARG001 - the file says
    """A session of one thread: several, each with a picture of its own, are quickest."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(picture: Array) -> list[Floats]:
        answers: list[Floats] = session.run(None, {INPUT: picture[None]})
        return answers

    return run


def _openvino_engine(path: Path, dtype: str) -> Engine:
    """A stream for each core, and a request for each thread; left alone it picks bfloat16."""
    import openvino

    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": cores(),
        "INFERENCE_NUM_THREADS": cores(),
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bfloat16" else "f32",
    }
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    mine = threading.local()

    def run(picture: Array) -> list[Floats]:
        if not hasattr(mine, "request"):
            mine.request = compiled.create_infer_request()
        answers = mine.request.infer({0: np.ascontiguousarray(picture[None])}, share_inputs=True)
        return [answers[place].copy() for place in range(len(compiled.outputs))]

    return run


ENGINES: dict[str, _Maker] = {"onnx": _onnx_engine, "openvino": _openvino_engine}
