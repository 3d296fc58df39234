"""Ternary layers: the equations, packing, gradients, and the way through a file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from likelens import open_encoder
from likelens.encoders.checkpoint import write_checkpoint
from likelens.encoders.ternary import (
    PACKED,
    TernaryLinear,
    absmax,
    absmean,
    make_ternary,
    pack,
    unpack,
)
from likelens.values.arrays import unit_rows
from likelens.values.errors import BadSpec

PICTURES = [np.random.default_rng(n).integers(0, 256, (90 + n, 70, 3), np.uint8) for n in range(4)]


def test_weights_are_rounded_as_printed():
    weight = torch.tensor([[0.9, -0.2], [0.05, -1.5]])
    scale = sum(abs(w) for w in weight.ravel().tolist()) / 4
    digits, found = absmean(weight)
    assert found.item() == pytest.approx(scale)
    expected = [max(-1, min(1, round(w / scale))) for w in weight.ravel().tolist()]
    assert digits.ravel().tolist() == expected


def test_activations_keep_eight_bits_of_each_token():
    values = torch.tensor([[0.5, -2.0, 0.01], [0.0, 0.0, 0.0]])
    rounded = absmax(values)
    assert rounded[0].tolist() == pytest.approx(
        [round(v * 127 / 2) * 2 / 127 for v in (0.5, -2, 0.01)]
    )
    assert rounded[1].tolist() == [0, 0, 0]
    assert len({round(v.item() * 127 / 2) for v in rounded[0]}) <= 255


def test_a_layer_computes_with_what_it_would_keep():
    torch.manual_seed(0)
    layer = TernaryLinear(7, 5)
    values = torch.randn(3, 7)
    digits, scale = absmean(layer.weight.detach())
    by_hand = absmax(values) @ (digits * scale).T + layer.bias
    torch.testing.assert_close(layer(values), by_hand)


def test_gradients_pass_straight_through():
    layer = TernaryLinear(4, 3)
    values = torch.randn(2, 4, requires_grad=True)
    layer(values).sum().backward()
    assert layer.weight.grad.abs().sum() > 0
    torch.testing.assert_close(layer.weight.grad, absmax(values.detach()).sum(0).repeat(3, 1))
    assert values.grad.abs().sum() > 0


@given(rows=st.integers(1, 9), columns=st.integers(1, 13), seed=st.integers(0, 99))
def test_packing_keeps_what_a_layer_computes(rows, columns, seed):
    torch.manual_seed(seed)
    weight = torch.randn(rows, columns)
    state = {"layer.weight": weight, "layer.bias": torch.zeros(rows)}
    packed = pack(state, ["layer"])
    again = unpack(packed)
    assert packed["layer" + PACKED].dtype == torch.uint8
    before, after = absmean(weight), absmean(again["layer.weight"])
    assert torch.equal(before[0], after[0])
    torch.testing.assert_close(before[1], after[1])


def test_only_linear_layers_of_blocks_become_ternary():
    encoder = open_encoder("timm:test_vit?bits=1.58&weights=none")
    module = encoder.net.module
    ternary = [name for name, one in module.named_modules() if isinstance(one, TernaryLinear)]
    assert len(ternary) == 6 * 4
    assert type(module.head) is torch.nn.Linear
    assert make_ternary(module) == []
    plain = open_encoder("timm:test_vit?weights=none")
    assert plain.fingerprint != encoder.fingerprint


def test_a_packed_file_gives_the_same_vectors_at_two_bits_a_weight(tmp_path):
    encoder = open_encoder("timm:test_vit?bits=1.58&seed=3&weights=none")
    file = tmp_path / "packed.safetensors"
    bits = write_checkpoint(encoder.net.module, file)
    assert bits < 2.1
    again = open_encoder(f"checkpoint:{file}?arch=timm:test_vit?bits=1.58")
    ours, theirs = encoder.encode(PICTURES), again.encode(PICTURES)
    assert (unit_rows(ours) * unit_rows(theirs)).sum(1).min() > 0.9999
    full = tmp_path / "full.safetensors"
    assert write_checkpoint(open_encoder("timm:test_vit?weights=none").net.module, full) is None
    assert file.stat().st_size < full.stat().st_size / 2


def test_a_network_without_blocks_is_refused():
    with pytest.raises(BadSpec, match="no linear layers in blocks"):
        open_encoder("timm:test_resnet?bits=1.58&weights=none")
    with pytest.raises(BadSpec, match=r"bits=2 is not one of 1.58"):
        open_encoder("timm:test_vit?bits=2&weights=none")
