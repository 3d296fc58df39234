"""Networks in 8 bits: what is refused, what is kept, and that rounding is the same each time."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from likelens import Catalogue, embed, open_encoder
from likelens._inspect import check
from likelens.encoders.running import Running
from likelens.values.errors import BadSpec, LikelensWarning, MissingExtra
from likelens.values.spec import Spec

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
if find_spec("timm") is None:
    pytest.skip("no timm", allow_module_level=True)

from likelens.encoders import torch_encoder, torch_int8, torch_runtime  # noqa: E402 - need torch
from likelens.encoders.torch_export import INPUT  # noqa: E402
from likelens.encoders.torch_layers import OUTPUT  # noqa: E402
from likelens.encoders.torch_net import Net  # noqa: E402

RESNET = "timm:test_resnet?weights=none"
VIT = "timm:test_vit?weights=none"
CPU = Running(device="cpu")
PICTURES = [np.ascontiguousarray(one) for one in torch_runtime._pictures(8)]

pytestmark = pytest.mark.filterwarnings("ignore:.*against float32, on drawn images")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKELENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "exported"


def in_int8(spec, running=CPU):
    return open_encoder(f"{spec}&dtype=int8", running)


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize(
    ("spec", "operators"),
    [
        (RESNET, {"QuantizeLinear", "DequantizeLinear"}),
        (VIT, {"DynamicQuantizeLinear", "MatMulInteger"}),
    ],
)
def test_vectors_are_near_those_of_float32_but_not_the_same(spec, operators, cache):
    encoder = in_int8(spec)
    exact = open_encoder(spec, Running(device="cpu", runtime="torch"))
    made, expected = encoder.encode(PICTURES), exact.encode(PICTURES)
    assert made.dtype == np.float32
    assert 0.99 < cosines(made, expected).min() < 1
    assert np.abs(made - expected).max() > 1e-4
    assert encoder.fingerprint != exact.fingerprint
    assert (encoder.parallel, encoder.batch_size) == (True, 1)
    assert encoder.card.details["dtype"] == "int8"
    assert encoder.card.details["onnxruntime"]
    [file] = cache.glob("*.onnx")
    assert operators <= {node.op_type for node in onnx.load(file).graph.node}
    assert {one.dtype for one in encoder.net.module.parameters()} == {torch.float32}


@pytest.mark.parametrize("spec", [RESNET, VIT])
def test_rounding_is_the_same_each_time(spec, monkeypatch, tmp_path):
    made = in_int8(spec).encode(PICTURES)
    monkeypatch.setenv("LIKELENS_CACHE", str(tmp_path / "another"))
    np.testing.assert_array_equal(in_int8(spec).encode(PICTURES), made)


def test_an_export_is_kept_with_its_drift(monkeypatch):
    made = in_int8(RESNET).encode(PICTURES)
    monkeypatch.setattr(torch_runtime, "export", None)  # not called
    again = in_int8(RESNET)
    np.testing.assert_array_equal(again.encode(PICTURES), made)
    with pytest.warns(LikelensWarning, match="lowest cosine 0.9"):
        in_int8(RESNET).expect(2, [])


def test_a_kept_export_that_answers_otherwise_here_is_made_again(monkeypatch):
    in_int8(RESNET)
    made, quantise = [], torch_int8.quantise
    monkeypatch.setattr(torch_runtime, "quantise", lambda *all: made.append(1) or quantise(*all))
    real = torch_runtime.ENGINES["onnx"]

    def turned(path, dtype):
        run = real(path, dtype)
        return run if made else lambda picture: [-rows for rows in run(picture)]

    monkeypatch.setitem(torch_runtime.ENGINES, "onnx", turned)
    with pytest.raises(BadSpec, match="does not give torch's vectors"):
        in_int8(RESNET)  # held against torch before it is rounded
    monkeypatch.setitem(torch_runtime.ENGINES, "onnx", real)
    in_int8(RESNET)
    assert made == [1]


def test_the_drift_of_several_layers_is_that_of_the_worst(monkeypatch):
    first = in_int8(VIT)
    layers = [first, first.at(first.spec.with_layer("output"))]
    made = []
    real = torch_runtime.drift_of
    monkeypatch.setattr(
        torch_runtime, "drift_of", lambda *both: made.append(real(*both)) or made[-1]
    )
    told = [first._exported("onnx", order).drift for order in (layers, layers[::-1])]
    assert len({one.lowest for one in made}) == 2
    assert told == [str(min(made, key=lambda one: one.lowest))] * 2


def test_the_drift_is_noted_once_where_there_is_something_to_embed(shop):
    encoder = in_int8(RESNET)
    encoder.encode(PICTURES[:1])  # a query

    def several():
        embed(Catalogue.open(shop), encoder)
        encoder.encode(PICTURES)

    with pytest.warns(LikelensWarning) as told:
        several()
    assert len(told) == 1
    for text in ("dtype=int8", "against float32", "lowest cosine 0.", "mean ", "of the top 10 "):
        assert text in str(told[0].message)


def test_check_says_how_far_it_is_from_float32(likelens):
    lines = {line.law: line for line in check(f"{RESNET}&dtype=int8", None, CPU)}
    assert lines["equal to the library's own way"].passed is None
    assert lines["a picture's vector does not depend on its batch"].passed
    drift = lines["close to the same encoder in float32"]
    assert drift.passed
    assert "lowest cosine 0.99" in drift.found
    assert "of the top 10" in drift.found
    code, out, err = likelens("encoders", "check", f"{RESNET}&dtype=int8", "--json")
    assert code == 0, err
    assert len(json.loads(out)) == len(lines)


def test_the_order_of_layers_does_not_matter():
    first = in_int8(VIT)
    output = first.at(first.spec.with_layer("output"))
    alone = open_encoder("timm:test_vit@output?dtype=int8&weights=none", CPU)
    assert first.trunk != output.trunk
    assert output.fingerprint == alone.fingerprint
    np.testing.assert_array_equal(output.encode(PICTURES), alone.encode(PICTURES))


def test_no_pictures():
    encoder = in_int8(RESNET)
    assert encoder.encode([]).shape == (0, encoder.dim)


@pytest.mark.parametrize(
    ("running", "message"),
    [
        (Running(runtime="torch"), "torch computes float32, float16 or bfloat16, and has no dtype"),
        (Running(runtime="openvino"), "openvino computes float32 or bfloat16 on the processor"),
        (Running(compile=True), "float32 or int8 on the processor, and has no --compile"),
        (Running(device="cuda:0"), "float32 or int8 on the processor, and has no device cuda:0"),
    ],
)
def test_where_there_are_no_8_bits(running, message, monkeypatch):
    monkeypatch.setattr(torch_encoder, "find_device", lambda name, where: name)
    if running.device == "auto":
        running = Running("cpu", running.compile, running.runtime)
    with pytest.raises(BadSpec, match=message) as raised:
        in_int8(RESNET, running)
    assert "another dtype than int8" in raised.value.hint


def test_without_onnx_the_extra_is_named(monkeypatch):
    from likelens.values import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(MissingExtra, match=r'onnx is not installed\n.*\n.*"\.\[torch\]"'):
        in_int8(RESNET)


def test_a_network_without_weights_to_round_is_refused(cache, monkeypatch):
    monkeypatch.setattr(torch_int8, "_by_ranges", None)  # not called
    net = Net(
        module=torch.nn.Sequential(torch.nn.AvgPool2d(2), torch.nn.Flatten()).eval(),
        transform=lambda picture: np.asarray(picture.resize((8, 8)), np.float32).transpose(2, 0, 1),
        stated=None,
        named={"penultimate": OUTPUT},
    )
    encoder = torch_encoder.TorchEncoder(Spec.parse("timm:mean?dtype=int8"), net)
    with pytest.raises(BadSpec, match="no weights that could be rounded") as raised:
        encoder.run_on(CPU)
    assert raised.value.hint == "leave dtype=int8 out"
    assert not list(cache.glob("*.onnx"))


def test_what_the_library_raises_is_one_sentence(monkeypatch, cache):
    def broken(*args, **named):
        raise RuntimeError("no such operator\nand a long dump")

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", broken)
    with pytest.raises(BadSpec, match="cannot be rounded to 8 bits: RuntimeError: no such operat"):
        in_int8(RESNET)
    assert not list(cache.glob("*.onnx"))


def test_weights_are_counted_by_what_uses_them(tmp_path):
    encoder = open_encoder(RESNET, Running(device="cpu", runtime="onnx"))
    [file] = (tmp_path / "cache" / "exported").glob("*.onnx")
    graph = onnx.load(file).graph
    assert [one.name for one in graph.input] == [INPUT]
    module = encoder.net.module
    counted = sum(
        one.weight.numel() for one in module.modules() if isinstance(one, torch.nn.Conv2d)
    )
    assert torch_int8._weights(graph) == (counted, 0)


def test_real_networks_stay_as_near_as_the_docs_say(real_data):
    path = real_data / "weights" / "squeezenet1_0.imagenet.safetensors"
    spec = f"checkpoint:{path}?arch=torchvision:squeezenet1_0"
    photos = sorted((real_data / "data" / "fashion-products" / "images").glob("*.jpg"))[:12]
    rough = open_encoder(spec.replace("?", "?dtype=int8&"), CPU).encode(photos)
    assert cosines(rough, open_encoder(spec, CPU).encode(photos)).min() > 0.97
