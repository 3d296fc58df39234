"""Many pictures run through no more of a file than their output needs; its vectors stay."""

import threading

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from likelens import open_encoder
from likelens.encoders import onnx_network
from likelens.values.errors import BadSpec
from likelens.values.spec import Spec

DRAW = np.random.default_rng(3)
KERNEL = (DRAW.standard_normal((6, 3, 5, 5)) / 8).astype(np.float32)
HEADS = DRAW.standard_normal((2, 6, 300)).astype(np.float32)
QUIET = "preset=half"
PHOTOS = list(DRAW.integers(0, 256, (5, 40, 50, 3), np.uint8))
MANY = [PHOTOS[0]] * 100


def network(path, outside=False):
    """Features, and two heads that hold most of the weights."""
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["before"], strides=[3, 3]),
        helper.make_node("GlobalAveragePool", ["before"], ["column"]),
        helper.make_node("Flatten", ["column"], ["features"]),
        helper.make_node("MatMul", ["features", "head0"], ["logits"]),
        helper.make_node("MatMul", ["features", "head1"], ["more"]),
    ]
    weights = [numpy_helper.from_array(KERNEL, "kernel")]
    weights += [numpy_helper.from_array(head, f"head{i}") for i, head in enumerate(HEADS)]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 24, 24])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in ("features", "logits", "more")
    ]
    graph = helper.make_graph(nodes, "two heads", [pixels], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if outside:
        for tensor in model.graph.initializer:
            onnx.external_data_helper.set_external_data(tensor, "outer.bin")
    onnx.save(model, path)
    return path


def opened(path, *names):
    first = open_encoder(f"onnx:{path}@{names[0]}?{QUIET}")
    return [first, *(first.at(Spec.parse(f"onnx:{path}@{name}?{QUIET}")) for name in names[1:])]


@pytest.fixture
def loaded(monkeypatch):
    """What onnxruntime was given: paths of whole files, or nodes of what was left."""
    given, load = [], onnx_network._session

    def noting(content):
        if isinstance(content, bytes):
            given.append([node.output[0] for node in onnx.load_from_string(content).graph.node])
        else:
            given.append("whole")
        return load(content)

    monkeypatch.setattr(onnx_network, "_session", noting)
    return given


def test_many_pictures_run_through_what_their_output_needs(tmp_path, loaded):
    features, logits = opened(network(tmp_path / "m.onnx"), "features", "logits")
    few = features.encode(PHOTOS), logits.encode(PHOTOS)
    assert loaded == ["whole"]
    features.encode(MANY)
    assert loaded[1:] == [["before", "column", "features"]]
    features.encode(MANY)
    assert len(loaded) == 2
    np.testing.assert_array_equal(features.encode(PHOTOS), few[0])
    logits.encode(MANY)
    assert loaded[2:] == [["before", "column", "features", "logits"]]
    np.testing.assert_array_equal(logits.encode(PHOTOS), few[1])
    np.testing.assert_array_equal(features.encode(PHOTOS), few[0])


def test_an_output_that_was_left_out_can_still_be_had(tmp_path, loaded):
    features, logits = opened(network(tmp_path / "m.onnx"), "features", "logits")
    expected = logits.encode(PHOTOS)
    features.encode(MANY)
    np.testing.assert_array_equal(logits.encode(PHOTOS), expected)
    assert loaded[-1] == "whole"
    both = features.forward_layers([features.prepare(PHOTOS[0])], [features, logits])
    np.testing.assert_array_equal(both[1], expected[:1])


def test_what_is_needed_whole_is_looked_at_once(tmp_path, loaded, monkeypatch):
    looks, cut = [], onnx_network.cut_down
    monkeypatch.setattr(onnx_network, "cut_down", lambda *given: looks.append(1) or cut(*given))
    encoder = opened(network(tmp_path / "m.onnx", outside=True), "features")[0]
    expected = encoder.encode(PHOTOS[:1])
    for _ in range(3):
        np.testing.assert_array_equal(encoder.encode(MANY), expected.repeat(100, 0))
    assert (loaded, looks) == (["whole"], [1])  # weights in other files stay together


def test_a_file_that_changes_is_not_taken_for_what_it_was(tmp_path, loaded):
    path = network(tmp_path / "m.onnx")
    features, logits = opened(path, "features", "logits")
    expected = features.encode(PHOTOS[:1])
    features.encode(MANY)
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    with pytest.raises(BadSpec, match="changed since it was opened, or is gone"):
        logits.encode(PHOTOS)
    path.unlink()
    with pytest.raises(BadSpec, match="changed since it was opened, or is gone"):
        logits.encode(PHOTOS)
    path.write_bytes(content)
    again = opened(path, "features")[0]
    path.unlink()
    np.testing.assert_array_equal(again.encode(MANY), expected.repeat(100, 0))
    assert loaded[-1] == "whole"


def test_a_path_holds_wherever_one_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network(tmp_path / "m.onnx")
    features, logits = opened("m.onnx", "features", "logits")
    expected = logits.encode(PHOTOS)
    features.encode(MANY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    np.testing.assert_array_equal(logits.encode(PHOTOS), expected)


def test_what_does_not_load_in_part_runs_whole(tmp_path, monkeypatch):
    encoder = opened(network(tmp_path / "m.onnx"), "features")[0]
    expected = encoder.encode(PHOTOS[:1])
    monkeypatch.setattr(onnx_network, "cut_down", lambda *_: b"no model")
    np.testing.assert_array_equal(encoder.encode(MANY), expected.repeat(100, 0))


def test_onnxruntimes_own_format_runs_whole(tmp_path, loaded):
    path, own = network(tmp_path / "m.onnx"), tmp_path / "m.ort"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(own)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    encoder = opened(own, "features")[0]
    expected = opened(path, "features")[0].encode(PHOTOS[:1])
    np.testing.assert_allclose(encoder.encode(MANY), expected.repeat(100, 0), rtol=1e-5)
    assert loaded == ["whole", "whole"]


def test_others_run_on_while_the_network_is_changed(tmp_path):
    encoders = opened(network(tmp_path / "m.onnx"), "features", "logits", "more")
    expected = [encoder.encode(PHOTOS) for encoder in encoders]
    wrong = []

    def encode(encoder, vectors):
        for _ in range(30):
            if not np.array_equal(encoder.encode(PHOTOS), vectors):
                wrong.append(encoder)

    threads = [
        threading.Thread(target=encode, args=pair) for pair in zip(encoders, expected, strict=True)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for encoder in encoders:
            encoder.expect(1000, [encoder])
    assert not wrong
