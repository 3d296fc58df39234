"""Networks whose linear layers are ternary: 1.58 bits a weight.

BitNet b1.58 (Ma et al. 2024, arXiv 2402.17764): each weight is -1, 0 or 1 times the mean
absolute weight of its layer (absmean), activations have 8 bits by the largest absolute value
of each token (absmax). Gradients pass the rounding as if it were not there (straight-through,
Bengio et al. 2013), so that such a network can be trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

DIGITS = 5
"""Ternary digits in a byte: 3 to the power of 5 is 243, so a weight takes 1.6 bits."""

PACKED, SHAPE, SCALE = ".ternary", ".ternary_shape", ".ternary_scale"
"""Endings of the names under which a packed weight, its shape and its scale are kept."""


def absmean(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The digits (-1, 0, 1) and the scale of a weight; their product stands for it.

    scale = mean |w|, digit = round(w / scale) cut to -1..1 (arXiv 2402.17764, Eq. 1 to 3).
    """
    scale = weight.abs().mean().clamp(min=1e-5)
    return (weight / scale).round().clamp(-1, 1), scale


def absmax(values: torch.Tensor) -> torch.Tensor:
    """Activations as 8-bit whole numbers of each token's own scale, back as floats."""
    scale = 127.0 / values.abs().amax(-1, keepdim=True).clamp(min=1e-5)
    return (values * scale).round().clamp(-128, 127) / scale


class TernaryLinear(nn.Linear):  # type: ignore[misc]
    """A linear layer that computes with ternary weights and 8-bit activations.

    It keeps its weights in full, for training; ``pack`` keeps only what it computes with.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The layer's answer; gradients go to the full weights, straight through."""
        digits, scale = absmean(self.weight)
        weight = self.weight + (digits * scale - self.weight).detach()
        rounded = values + (absmax(values) - values).detach()
        return nn.functional.linear(rounded, weight, self.bias)


def make_ternary(module: nn.Module) -> list[str]:
    """Makes the linear layers of a transformer's blocks ternary; returns their names.

    What embeds patches and what classifies stays as it is, as is usual.
    """
    names = [
        name for name, one in module.named_modules() if type(one) is nn.Linear and _in_blocks(name)
    ]
    for name in names:
        plain = module.get_submodule(name)
        parent, _, last = name.rpartition(".")
        layer = TernaryLinear(plain.in_features, plain.out_features, plain.bias is not None)
        layer.load_state_dict(plain.state_dict())
        module.get_submodule(parent).register_module(last, layer)
    return names


def _in_blocks(name: str) -> bool:
    return any(part.isdecimal() for part in name.split(".")[:-1])


def pack(state: Mapping[str, torch.Tensor], names: list[str]) -> dict[str, torch.Tensor]:
    """A state dict with the weights of some layers packed, five digits to a byte.

    Args:
        state: of the network.
        names: layers whose weights are ternary, as ``make_ternary`` returns them.
    """
    packed = dict(state)
    for name in names:
        weight = packed.pop(f"{name}.weight")
        digits, scale = absmean(weight.float())
        packed[name + PACKED] = _to_bytes(digits)
        packed[name + SHAPE] = torch.tensor(weight.shape, dtype=torch.int64)
        packed[name + SCALE] = scale.reshape(1)
    return packed


def unpack(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state dict that ``pack`` was given, its weights as the layers compute with them.

    Computing with these gives the same again: their digits are what was packed, and their
    scale is set so that absmean finds it.
    """
    plain = {name: one for name, one in state.items() if not name.endswith((PACKED, SHAPE, SCALE))}
    for name, one in state.items():
        if not name.endswith(PACKED):
            continue
        layer = name.removesuffix(PACKED)
        digits = _to_digits(one, tuple(state[layer + SHAPE].tolist()))
        plain[f"{layer}.weight"] = _with_mean(digits, state[layer + SCALE])
    return plain


def _with_mean(digits: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Weights with these digits whose mean absolute value is the scale.

    Zeros alone would lower the mean, so the other digits are made longer by what it lost.
    """
    share = digits.abs().mean().clamp(min=1e-9)
    return digits * scale / share


def _to_bytes(digits: torch.Tensor) -> torch.Tensor:
    flat = digits.reshape(-1).to(torch.int64) + 1
    flat = nn.functional.pad(flat, (0, -len(flat) % DIGITS)).reshape(-1, DIGITS)
    return (flat * 3 ** torch.arange(DIGITS)).sum(1).to(torch.uint8)


def _to_digits(packed: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    places = packed.to(torch.int64)[:, None] // 3 ** torch.arange(DIGITS) % 3
    count = int(torch.tensor(shape).prod())
    return (places.reshape(-1)[:count] - 1).reshape(shape).to(torch.float32)
