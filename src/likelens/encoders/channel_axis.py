"""Which axis of a network's output counts channels, decided by evidence.

Convolutions give maps (n, channels, height, width); some transformers, such as Swin, give (n,
height, width, channels). Tokens are (n, tokens, channels), rarely the other way round. Pooled
along the wrong axis, a vector is of another length and has little meaning.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from ..values.errors import BadSpec
from ..values.spec import Spec
from .resizing import Size

AXES = ("first", "last")
"""Values of the option ``axis``: channels come right after the batch, or at the end."""

_BESIDE = (0, 1, 2, 5)
"""Tokens beside those of patches: class, distillation and registers."""


def channel_axis(
    shape: Sequence[int], declared: Sequence[Any], size: Size, widths: Collection[int], spec: Spec
) -> str:
    """``first`` or ``last``: where the channels of an output are.

    The first of these that decides, counts: the file declares the length of one axis alone;
    ``config.json`` names one of the lengths as a width; the other axes of a map are as the sides
    of the input; there are as many tokens as patches, and perhaps a class token or registers.

    Args:
        shape: of an output for one image, of three or four axes.
        declared: the same as the file has it: lengths, or names where any length goes.
        size: height and width of the input.
        widths: numbers of channels that ``config.json`` names.
        spec: the encoder, for messages.

    Raises:
        BadSpec: nothing decides.
    """
    found = _by_declaration(declared) or _by_width(shape, widths)
    if found is None and len(shape) == 3:
        patches = any(_is_grid_of(shape[1] - beside, size) for beside in _BESIDE)
        found = "last" if patches else None
    elif found is None:
        found = _by_grid(shape, size, 0) or _by_grid(shape, size, 2)
    if found is None:
        sides = " x ".join(map(str, shape[1:]))
        raise BadSpec(
            f"nothing tells which axis of the output, {sides} for each image, counts channels",
            where=str(spec),
            hint=f"state it: ?axis=first ({shape[1]} channels) or ?axis=last ({shape[-1]})",
        )
    return found


def _by_declaration(declared: Sequence[Any]) -> str | None:
    """By the only axis beside the batch that is declared as a number, if it is an outer one."""
    fixed = [place for place, side in enumerate(declared) if place and isinstance(side, int)]
    if len(fixed) != 1 or fixed[0] not in (1, len(declared) - 1):
        return None
    return "first" if fixed[0] == 1 else "last"


def _by_grid(shape: Sequence[int], size: Size, slack: int) -> str | None:
    """By which two of the other axes are like the sides of the input, give or take ``slack``."""
    first = _is_grid(shape[2], shape[3], size, slack)
    last = _is_grid(shape[1], shape[2], size, slack)
    return None if first == last else "first" if first else "last"


def _is_grid(height: int, width: int, size: Size, slack: int) -> bool:
    """Whether sides are as those of the input, made smaller by one factor and rounded."""
    by_height, by_width = height / size[0] * size[1] - width, width / size[1] * size[0] - height
    return min(abs(by_height), abs(by_width)) < 1 + slack


def _is_grid_of(count: int, size: Size) -> bool:
    """Whether so many patches can be rows and columns of a grid like the input."""
    if count < 1:
        return False
    rows = math.sqrt(count * size[0] / size[1])
    return any(
        row > 0 and count % row == 0 and _is_grid(row, count // row, size, 0)
        for row in (math.floor(rows), math.ceil(rows))
    )


def _by_width(shape: Sequence[int], widths: Collection[int]) -> str | None:
    first, last = shape[1] in widths, shape[-1] in widths
    return None if first == last else "first" if first else "last"


def named_widths(config: object) -> set[int]:
    """Numbers of channels that a ``config.json`` of transformers names, at any stage."""
    if not isinstance(config, dict):
        return set()
    widths: set[int] = set()
    for name in ("hidden_size", "embed_dim", "projection_dim", "d_model", "num_features"):
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            widths.add(value)
            stages = config.get("depths")
            if name == "embed_dim" and isinstance(stages, list):
                widths |= {value << stage for stage in range(min(len(stages), 16))}
    for name in ("hidden_sizes", "embed_dims"):
        values = config.get(name)
        if isinstance(values, list):
            widths |= {one for one in values if isinstance(one, int)}
    return widths | named_widths(config.get("vision_config"))
