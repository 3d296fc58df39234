"""Writing layers of a torch network as an ONNX file: from a prepared picture to their vectors."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..values.arrays import Array
from ..values.errors import BadSpec, in_short
from ..values.extras import need
from ..values.files import cache_folder
from ..values.spec import fingerprint
from .torch_load import need_torch

INPUT = "picture"
"""Name of a graph's one input: (1, ...) what the network needs of one picture."""

_OPSET = 17
_VERSION = 2  # raised when an older export must not be used any more
_LARGEST = 1_900_000_000  # bytes of weights that an ONNX file can hold


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


def export(portable: Portable, prepared: Array, path: Path) -> None:
    """Write the ONNX file, by torch's tracer, or its newer exporter where that fails."""
    torch = need_torch(portable.where)
    need("onnx", extra="torch", where=portable.where)
    size = sum(one.numel() * 4 for one in portable.module.parameters())
    if size > _LARGEST:
        raise refused(f"its {size / 1e9:.1f} GB of weights exceed an ONNX file", portable)
    graph, example = _graph(torch, portable), torch.from_numpy(prepared[None].copy())
    names = [f"vectors_{number}" for number in range(len(portable.fingerprints))]
    told = {"opset_version": _OPSET, "input_names": [INPUT], "output_names": names}
    try:
        with portable.exporting(), quietly(torch), torch.no_grad():
            torch.onnx.export(graph, (example,), str(path), dynamo=False, **told)
    except OSError:
        raise
    except Exception as error:
        if find_spec("onnxscript") is None:
            raise refused(f"torch cannot export it: {in_short(error)}", portable) from error
        _export_anew(torch, graph, example, path, portable, told)


def _export_anew(
    torch: Any, graph: Any, example: Any, path: Path, portable: Portable, told: dict[str, Any]
) -> None:
    told = {**told, "opset_version": 18}  # its least
    try:
        with portable.exporting(), quietly(torch), torch.no_grad():
            torch.onnx.export(
                graph, (example,), str(path), dynamo=True, external_data=False, **told
            )
    except OSError:
        raise
    except Exception as error:
        raise refused(f"torch cannot export it: {in_short(error)}", portable) from error


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
def quietly(torch: Any) -> Iterator[None]:
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


def refused(what: str, portable: Portable) -> BadSpec:
    """That a network cannot be run otherwise than by torch."""
    hint = "leave dtype=int8 out" if portable.dtype == "int8" else "use --runtime torch"
    return BadSpec(what, where=portable.where, hint=hint)
