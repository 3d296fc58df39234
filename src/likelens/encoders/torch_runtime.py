"""Torch networks run by onnxruntime or OpenVINO, which on a processor are quicker than torch.

Layers of a network are exported once: a graph that takes one prepared picture and gives
its vectors. It is held against torch on drawn pictures and kept, by the encoders'
fingerprints, in ``exported`` of likelens' cache folder.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ..values.arrays import Array, Floats
from ..values.errors import BadSpec, BadTable, LikelensError
from ..values.extras import need
from ..values.files import cache_folder, write_aside
from ..values.spec import fingerprint
from .base import Running, cores
from .torch_load import need_torch

RUNTIMES = ("auto", "torch", "onnx", "openvino")

USUAL = "onnx"
"""What ``auto`` means on a processor, for jobs that are large enough."""

PAYS_FROM = 200
"""Pictures of a job from which on an export pays: it takes some seconds, loading it less."""

ENOUGH = {"float32": 0.9999, "bfloat16": 0.99}
"""Least cosine of each vector with torch's, by the numbers that the engine computes with."""

_LENGTH = 0.02  # how much longer or shorter than torch's a vector may be, as a share
_CHECKED = 32  # pictures on which a new export is held against torch
_CHECKED_AGAIN = 4  # pictures on which a kept one is
_OPSET = 17
_VERSION = 1  # raised when an older export must not be used any more
_LARGEST = 1_900_000_000  # bytes of weights that an ONNX file can hold

Engine = Callable[[Array], list[Floats]]
"""The (1, dim) vectors of one prepared picture, by each layer; several threads may call it."""


@dataclass(frozen=True)
class Portable:
    """What is exported: some layers of a network, from a prepared picture to their vectors.

    Attributes:
        module: the torch module.
        vectors: the vectors of each layer, of a tensor of prepared pictures.
        by_torch: the same for arrays, as torch gives them without an export.
        prepare: what the network needs of one picture.
        dtype: the numbers it computes with.
        fingerprints: of the encoders that the layers belong to.
        where: the encoder, for messages.
        exporting: within it the network has float32 values, and no other thread runs it.
    """

    module: Any
    vectors: Callable[[Any], Sequence[Any]]
    by_torch: Callable[[Sequence[Array]], Sequence[Array]]
    prepare: Callable[[Array], Array]
    dtype: str
    fingerprints: tuple[str, ...]
    where: str
    exporting: Callable[[], AbstractContextManager[None]]

    def path(self, runtime: str) -> Path:
        """Where its export is kept."""
        name = fingerprint(encoders=self.fingerprints, opset=_OPSET, version=_VERSION)
        return cache_folder() / "exported" / f"{name}-{runtime}.onnx"


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
            mend=f"choose one of: {', '.join(RUNTIMES)}",
        )
    if runtime == "auto":
        return "auto" if (device, dtype, running.compile) == ("cpu", "float32", False) else "torch"
    if runtime != "torch":
        _check_fits(runtime, running, device, dtype, where)
    return runtime


def _check_fits(runtime: str, running: Running, device: str, dtype: str, where: str) -> None:
    kinds = ("float32", "bfloat16") if runtime == "openvino" else ("float32",)
    unfit = f"device {device}" if device != "cpu" else ""
    unfit = f"dtype={dtype}" if dtype not in kinds else unfit
    unfit = "--compile" if running.compile else unfit
    if unfit:
        raise BadSpec(
            f"the runtime {runtime} computes {' or '.join(kinds)} on the processor, "
            f"and has no {unfit}",
            where=where,
            mend="use --runtime torch",
        )
    if runtime == "openvino":
        need("openvino", extra="openvino", where=where)


def open_exported(portable: Portable, runtime: str) -> Engine:
    """The engine that runs an export, which is made unless a good one is kept.

    Raises:
        BadSpec: it cannot be exported, or its vectors are not torch's.
        BadTable: the cache folder cannot be written to.
        MissingExtra: what exports is not installed.
    """
    path = portable.path(runtime)
    kept = _open_kept(portable, runtime, path)
    if kept:
        return kept
    prepared = [portable.prepare(picture) for picture in _pictures(_CHECKED)]
    expected = portable.by_torch(prepared)
    try:
        write_aside(path, lambda aside: _export(portable, prepared[0], aside))
        engine = _load(portable, runtime, path)
        _check(engine, prepared, expected, portable, path)
        write_aside(_beside(path), lambda aside: _save(aside, _digest(path), expected))
    except BadTable as error:
        raise BadTable(
            f"{portable.where} cannot be exported: {error.what}",
            where=error.where,
            mend="free some space, set LIKELENS_CACHE to another folder, or use --runtime torch",
        ) from error
    return engine


def _open_kept(portable: Portable, runtime: str, path: Path) -> Engine | None:
    """The engine of a kept export, or None where it is missing, damaged or not like torch."""
    if not path.exists() or not _beside(path).exists():
        return None
    prepared = [portable.prepare(picture) for picture in _pictures(_CHECKED_AGAIN)]
    try:
        with np.load(_beside(path)) as kept:
            digest, *expected = (kept[name] for name in kept.files)
        if str(digest) != _digest(path):
            return None
        expected = [rows[:_CHECKED_AGAIN] for rows in expected]
        engine = ENGINES[runtime](path, portable.dtype)
        worst = _worst(engine, prepared, expected)
    except Exception:  # noqa: BLE001 - a damaged file makes libraries raise anything
        return None
    return engine if worst >= ENOUGH[portable.dtype] else None


def _beside(path: Path) -> Path:
    """The file's digest and torch's vectors of the drawn pictures: there if they were alike."""
    return path.with_suffix(".npz")


def _save(path: Path, digest: str, vectors: Sequence[Array]) -> None:
    with path.open("wb") as file:
        np.savez(file, np.array(digest), *vectors)  # arr_0, arr_1 and so on


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _load(portable: Portable, runtime: str, path: Path) -> Engine:
    try:
        return ENGINES[runtime](path, portable.dtype)
    except Exception as error:
        path.unlink(missing_ok=True)
        raise _refused(f"{runtime} cannot load its export: {_reason(error)}", portable) from error


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
        raise _refused(
            f"its export does not give torch's vectors: of {len(prepared)} pictures the worst "
            f"has cosine {worst:.5f}, not {least}",
            portable,
        )


def _worst(engine: Engine, prepared: Sequence[Array], expected: Sequence[Array]) -> float:
    """Least cosine of the engine's vectors with torch's; 0 where a length differs."""
    rows = [engine(picture) for picture in prepared]
    made = [np.concatenate(each) for each in zip(*rows, strict=True)]
    return min(_cosine(ours, torchs) for ours, torchs in zip(made, expected, strict=True))


def _cosine(ours: Array, torchs: Array) -> float:
    if ours.shape != torchs.shape:
        return 0.0
    one, other = ours.astype(np.float64), torchs.astype(np.float64)
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


# --- exporting -------------------------------------------------------------------


def _export(portable: Portable, prepared: Array, path: Path) -> None:
    """Write the ONNX file, by torch's tracer, or its newer exporter where that fails."""
    torch = need_torch(portable.where)
    need("onnx", extra="torch", where=portable.where)
    size = sum(one.numel() * 4 for one in portable.module.parameters())
    if size > _LARGEST:
        raise _refused(f"its {size / 1e9:.1f} GB of weights exceed an ONNX file", portable)
    graph, example = _graph(torch, portable), torch.from_numpy(prepared[None].copy())
    names = [f"vectors_{number}" for number in range(len(portable.fingerprints))]
    told = {"opset_version": _OPSET, "input_names": ["picture"], "output_names": names}
    try:
        with portable.exporting(), _quietly(torch), torch.no_grad():
            torch.onnx.export(graph, (example,), str(path), dynamo=False, **told)
    except OSError:
        raise
    except Exception as error:
        if find_spec("onnxscript") is None:
            raise _refused(f"torch cannot export it: {_reason(error)}", portable) from error
        _export_anew(torch, graph, example, path, portable, told)


def _export_anew(
    torch: Any, graph: Any, example: Any, path: Path, portable: Portable, told: dict[str, Any]
) -> None:
    told = {**told, "opset_version": 18}  # its least
    try:
        with portable.exporting(), _quietly(torch), torch.no_grad():
            torch.onnx.export(
                graph, (example,), str(path), dynamo=True, external_data=False, **told
            )
    except OSError:
        raise
    except Exception as error:
        raise _refused(f"torch cannot export it: {_reason(error)}", portable) from error


def _graph(torch: Any, portable: Portable) -> Any:
    """A module that takes a batch of one picture and gives the vectors of each layer."""

    class Graph(torch.nn.Module):  # type: ignore[misc]  # torch is imported when needed
        def __init__(self) -> None:
            super().__init__()
            self.network = portable.module

        def forward(self, pictures: Any) -> tuple[Any, ...]:
            return tuple(portable.vectors(pictures))

    return Graph().eval()


@contextmanager
def _quietly(torch: Any) -> Iterator[None]:
    """Without the exporters' warnings and prints, nor operators that only eager torch has."""
    fused = torch.backends.mha.get_fastpath_enabled()
    disabled = logging.root.manager.disable
    torch.backends.mha.set_fastpath_enabled(False)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(disabled)
        torch.backends.mha.set_fastpath_enabled(fused)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _refused(what: str, portable: Portable) -> BadSpec:
    return BadSpec(what, where=portable.where, mend="use --runtime torch")


def compiled(answer: Callable[[Any], Any], where: str) -> Callable[[Any], Any]:
    """The same by torch.compile, which takes its time at the first batches.

    Raises:
        BadSpec: when called, if torch cannot compile it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own parts
        quick = need_torch(where).compile(answer)

    def run(batch: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return quick(batch)
        except LikelensError:
            raise
        except Exception as error:
            raise BadSpec(
                f"torch cannot compile it: {_reason(error)}",
                where=where,
                mend="leave --compile out",
            ) from error

    return run


# --- running ---------------------------------------------------------------------


def _onnx_engine(path: Path, dtype: str) -> Engine:  # noqa: ARG001 - float32 alone
    """A session of one thread: several, each with a picture of its own, are quickest."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(picture: Array) -> list[Floats]:
        answers: list[Floats] = session.run(None, {"picture": picture[None]})
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
