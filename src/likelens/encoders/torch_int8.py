"""Exports in whole numbers of 8 bits, by onnxruntime's quantisation.

A network whose weights are mostly convolutions has the range of every value measured once, on
drawn pictures that are always the same, and is rounded by those (static, Jacob et al. 2018,
arXiv 1712.05877): weights to signed numbers by output channel, values between layers to unsigned
ones, which onnxruntime computes faster on x86 than signed. In a network of matrix products,
a transformer, values are rounded by the range of the picture at hand (dynamic), for they lie
further apart; attention and normalisation stay in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..values.arrays import Array
from ..values.errors import BadSpec, in_short
from ..values.extras import need
from .torch_export import INPUT, Portable, quietly, refused
from .torch_load import need_torch

INT8 = "int8"

VERSION = 1
"""Raised when the same network is rounded otherwise than before."""

CALIBRATION = 64
"""Drawn pictures on which ranges are measured."""

_PRODUCTS = ("MatMul", "Gemm")
_STATIC = ("Conv", "Gemm", "Clip", "Relu", "Add")
"""With a convolution's Clip or Relu its range is that after it; sums stay whole numbers."""


def quantise(whole: Path, path: Path, prepared: Sequence[Array], portable: Portable) -> None:
    """Write an export of float32 once more, rounded.

    Args:
        whole: the export.
        path: the file to write.
        prepared: CALIBRATION pictures as the network takes them.
        portable: what is exported.

    Raises:
        BadSpec: nothing in it can be rounded, or onnxruntime cannot.
    """
    onnx = need("onnx", extra="torch", where=portable.where)
    quantization = need("onnxruntime.quantization", extra="torch", where=portable.where)
    shapes = need("onnxruntime.quantization.shape_inference", extra="torch", where=portable.where)
    with TemporaryDirectory() as folder, quietly(need_torch(portable.where)):
        ready = Path(folder) / "ready.onnx"
        try:
            shapes.quant_pre_process(whole, ready, skip_symbolic_shape=True)
            convolved, multiplied = _weights(onnx.load(ready).graph)
            if not convolved + multiplied:
                raise refused("it has no weights that could be rounded to 8 bits", portable)
            if multiplied > convolved:
                quantization.quantize_dynamic(
                    ready,
                    path,
                    op_types_to_quantize=list(_PRODUCTS),
                    per_channel=True,
                    weight_type=quantization.QuantType.QInt8,
                )
            else:
                _by_ranges(quantization, ready, path, prepared)
        except (OSError, BadSpec):
            raise
        except Exception as error:  # its steps raise anything
            raise refused(f"it cannot be rounded to 8 bits: {in_short(error)}", portable) from error


def _by_ranges(quantization: Any, ready: Path, path: Path, prepared: Sequence[Array]) -> None:
    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # imported when needed
        def __init__(self) -> None:
            self.waiting = iter(prepared)

        def get_next(self) -> dict[str, Array] | None:
            picture = next(self.waiting, None)
            return None if picture is None else {INPUT: picture[None]}

    quantization.quantize_static(
        ready,
        path,
        Reader(),
        op_types_to_quantize=list(_STATIC),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


def _weights(graph: Any) -> tuple[int, int]:
    """How many constant weights convolutions have, and how many matrix products."""
    sizes = {one.name: _count(one.dims) for one in graph.initializer}
    convolved = multiplied = 0
    for node in graph.node:
        found = sum(sizes.get(name, 0) for name in node.input[1:2])
        convolved += found if node.op_type == "Conv" else 0
        multiplied += found if node.op_type in _PRODUCTS else 0
    return convolved, multiplied


def _count(dims: Sequence[int]) -> int:
    count = 1
    for one in dims:
        count *= one
    return count
