"""Which axis of an output counts channels."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from likelens import open_encoder
from likelens.encoders.channel_axis import channel_axis, named_widths
from likelens.values.errors import BadSpec
from likelens.values.spec import Spec

SPEC = Spec.parse("onnx:m.onnx")
N = "N"


@pytest.mark.parametrize(
    ("shape", "size", "axis"),
    [
        ((1, 192, 7, 7), (224, 224), "first"),
        ((1, 7, 7, 192), (224, 224), "last"),
        ((1, 7, 7, 6), (224, 224), "last"),
        ((1, 1280, 7, 10), (224, 320), "first"),
        ((1, 7, 10, 768), (224, 320), "last"),
        ((1, 512, 5, 9), (20, 30), "first"),
        ((1, 49, 192), (224, 224), "last"),
        ((1, 197, 768), (224, 224), "last"),
        ((1, 197, 1024), (224, 224), "last"),
        ((1, 261, 384), (224, 224), "last"),
        ((1, 71, 384), (224, 320), "last"),
        ((1, 7, 7, 7), (224, 224), None),
        ((1, 8, 7, 8), (256, 256), None),
        ((1, 32, 256), (224, 224), None),
        ((1, 192, 49), (224, 224), None),
    ],
)
def test_shapes_tell_it_or_it_is_refused(shape, size, axis):
    declared = [N, *shape[1:]]
    if axis is None:
        with pytest.raises(BadSpec, match="which axis of the output") as caught:
            channel_axis(shape, declared, size, (), SPEC)
        assert "?axis=first" in caught.value.hint
        assert f"?axis=last ({shape[-1]})" in caught.value.hint
    else:
        assert channel_axis(shape, declared, size, (), SPEC) == axis


def test_declared_lengths_and_named_widths_tell_it():
    sides = (224, 224)
    assert channel_axis((1, 7, 7, 7), [N, "h", "w", 7], sides, (), SPEC) == "last"
    assert channel_axis((1, 7, 7, 7), [N, 7, "h", "w"], sides, (), SPEC) == "first"
    assert channel_axis((1, 192, 49), [N, 192, "t"], sides, (), SPEC) == "first"
    assert channel_axis((1, 32, 256), [N, 32, 256], sides, {256}, SPEC) == "last"
    assert channel_axis((1, 192, 49), [N, 192, 49], sides, {96, 192}, SPEC) == "first"


@pytest.mark.parametrize(
    ("config", "widths"),
    [
        ({"hidden_size": 768}, {768}),
        ({"embed_dim": 96, "depths": [2, 2, 6, 2]}, {96, 192, 384, 768}),
        ({"hidden_sizes": [32, 64, "a"]}, {32, 64}),
        ({"vision_config": {"hidden_size": 1024}, "projection_dim": 512}, {1024, 512}),
        ({"hidden_size": True, "embed_dim": "96", "vision_config": []}, set()),
        (None, set()),
    ],
)
def test_widths_of_a_configuration(config, widths):
    assert named_widths(config) == widths


def save(path, shape):
    """A network that gives one known array for every image."""
    values = np.random.default_rng(1).standard_normal((1, *shape)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "ones"], ["flat"]),
        helper.make_node("Add", ["values", "flat"], ["map"]),
    ]
    weights = [
        numpy_helper.from_array(values, "values"),
        numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        numpy_helper.from_array(np.array([-1] + [1] * len(shape)), "ones"),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 56, 56])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", *shape])], weights,
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    return values[0]


@pytest.mark.parametrize("pool", ["avg", "max"])
@pytest.mark.parametrize(
    ("shape", "places"), [((7, 7, 19), (0, 1)), ((19, 7, 7), (1, 2)), ((49, 19), (0,))]
)
def test_vectors_have_as_many_numbers_as_channels(tmp_path, shape, places, pool):
    values = save(tmp_path / "m.onnx", shape)
    encoder = open_encoder(f"onnx:{tmp_path / 'm.onnx'}?preset=unit&pool={pool}")
    expected = values.mean(places) if pool == "avg" else values.max(places)
    np.testing.assert_allclose(encoder.encode([np.zeros((9, 9, 3), np.uint8)])[0], expected, 1e-5)


def test_the_axis_can_be_stated_and_is_in_the_fingerprint(tmp_path):
    values = save(tmp_path / "m.onnx", (7, 7, 7))
    name = f"onnx:{tmp_path / 'm.onnx'}?preset=unit&pool=avg"
    with pytest.raises(BadSpec, match="which axis"):
        open_encoder(name)
    first, last = (open_encoder(f"{name}&axis={axis}") for axis in ("first", "last"))
    image = np.zeros((9, 9, 3), np.uint8)
    np.testing.assert_allclose(first.encode([image])[0], values.mean((1, 2)), 1e-5, 1e-6)
    np.testing.assert_allclose(last.encode([image])[0], values.mean((0, 1)), 1e-5, 1e-6)
    assert first.fingerprint != last.fingerprint
    (tmp_path / "m.toml").write_text('axis = "last"\npool = "avg"\npreset = "unit"\n')
    assert open_encoder(f"onnx:{tmp_path / 'm.onnx'}").fingerprint == last.fingerprint


def test_cls_needs_tokens(tmp_path):
    values = save(tmp_path / "m.onnx", (50, 19))
    name = f"onnx:{tmp_path / 'm.onnx'}?preset=unit&pool=cls"
    np.testing.assert_allclose(
        open_encoder(name).encode([np.zeros((9, 9, 3), np.uint8)])[0], values[0], 1e-5
    )
    save(tmp_path / "m.onnx", (7, 7, 19))
    with pytest.raises(BadSpec, match="49 vectors of 19"):
        open_encoder(name)


def test_config_json_beside_the_model_counts(tmp_path):
    save(tmp_path / "m.onnx", (32, 64))
    name = f"onnx:{tmp_path / 'm.onnx'}?preset=unit&pool=avg"
    with pytest.raises(BadSpec, match="which axis"):
        open_encoder(name)
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 64}))
    assert open_encoder(name).dim == 64
