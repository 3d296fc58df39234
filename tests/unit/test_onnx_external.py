"""External data of ONNX files: all of it is in the fingerprint, none lies outside the folder."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from likelens import open_encoder
from likelens.encoders.onnx_file import outside, read_onnx_file
from likelens.values.errors import BadSpec

FLOAT, OPTIONS = TensorProto.FLOAT, "preset=unit"
PLACES = ("initializer", "constant", "sparse", "branch", "branch constant", "body", "function")


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def outer(name, location):
    """Three weights in another file."""
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def constant(name, location):
    return helper.make_node("Constant", [], [name], value=outer("value", location))


def model(path, place, location="w.bin"):
    """The mean colour times three weights, which are external data at some place of the file."""
    flag = numpy_helper.from_array(np.array(True), "yes")
    shape, initializers, functions = ["N", 3], [flag], []
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["column"]),
        helper.make_node("Flatten", ["column"], ["colour"]),
    ]
    product = helper.make_node("Mul", ["colour", "w"], ["scaled"])
    if place == "initializer":
        initializers.append(outer("w", location))
    elif place == "constant":
        nodes.append(constant("w", location))
    elif place == "sparse":
        where = numpy_helper.from_array(np.arange(3), "at")
        sparse = helper.make_sparse_tensor(outer("", location), where, [3])
        nodes.append(helper.make_node("Constant", [], ["w"], sparse_value=sparse))
    elif place.startswith("branch"):
        inner = place == "branch constant"
        branches = {
            name: helper.make_graph(
                [
                    constant(name, location)
                    if inner
                    else helper.make_node("Identity", ["i"], [name])
                ],
                name,
                [],
                [info(name, [3])],
                [] if inner else [outer("i", location)],
            )
            for name in ("then_branch", "else_branch")
        }
        nodes.append(helper.make_node("If", ["yes"], ["w"], **branches))
    elif place == "body":
        steps = [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Mul", ["value", "i"], ["next"]),
        ]
        carried = [info("step", [], TensorProto.INT64), info("on", [], TensorProto.BOOL)]
        body = helper.make_graph(
            steps, "body", [*carried, info("value", shape)],
            [info("still", [], TensorProto.BOOL), info("next", shape)], [outer("i", location)],
        )  # fmt: skip
        initializers.append(numpy_helper.from_array(np.array(1), "once"))
        product = helper.make_node("Loop", ["once", "yes", "colour"], ["scaled"], body=body)
    elif place == "function":
        inner = [constant("w", location), helper.make_node("Mul", ["x", "w"], ["y"])]
        functions = [
            helper.make_function("own", "Scale", ["x"], ["y"], inner, [helper.make_opsetid("", 13)])
        ]
        product = helper.make_node("Scale", ["colour"], ["scaled"], domain="own")
    graph = helper.make_graph(
        [*nodes, product], "g", [info("pixels", ["N", 3, 8, 8])], [info("scaled", shape)],
        initializers,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    made = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


@pytest.mark.parametrize("place", PLACES)
def test_external_data_counts_wherever_it_is(tmp_path, place):
    path, weights = model(tmp_path / "m.onnx", place), tmp_path / "w.bin"
    weights.write_bytes(np.float32([1, 2, 3]).tobytes())
    before = read_onnx_file(path)
    assert before.parameters == (6 if place.startswith("branch") else 3)
    assert before.size_bytes == path.stat().st_size + 12
    weights.write_bytes(np.float32([3, 2, 1]).tobytes())
    assert read_onnx_file(path).content != before.content


@pytest.mark.parametrize("place", [place for place in PLACES if place != "sparse"])
def test_swapped_weights_are_another_encoder(tmp_path, place):
    path, weights = model(tmp_path / "m.onnx", place), tmp_path / "w.bin"
    picture = np.full((8, 8, 3), 255, np.uint8)
    marks = []
    for values in ([1, 2, 3], [3, 2, 1]):
        weights.write_bytes(np.float32(values).tobytes())
        encoder = open_encoder(f"onnx:{path}?{OPTIONS}")
        np.testing.assert_allclose(encoder.encode([picture]), [values], rtol=1e-6)
        marks.append(encoder.fingerprint)
    assert marks[0] != marks[1]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "location", ["../secret.bin", "{root}/secret.bin", "a/../../secret.bin", "C:\\secret.bin"]
)
def test_a_path_out_of_the_folder_is_refused_wherever_it_is(tmp_path, place, location):
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    (tmp_path / "models" / "a").mkdir(parents=True)
    path = model(tmp_path / "models" / "m.onnx", place, location.format(root=tmp_path))
    with pytest.raises(BadSpec, match=r"outside its folder: .*secret\.bin"):
        open_encoder(f"onnx:{path}?{OPTIONS}")


def test_a_failure_to_load_prints_nothing(tmp_path, capsys):
    np.arange(3, dtype=np.float32).tofile(tmp_path / "w.bin")
    model(tmp_path / "net.onnx", "initializer", "w.bin/..")  # onnxruntime would try it twice
    with pytest.raises(BadSpec, match="onnxruntime cannot load this file"):
        open_encoder(f"onnx:{tmp_path / 'net.onnx'}?{OPTIONS}")
    assert capsys.readouterr() == ("", "")


def test_the_links_of_the_hubs_cache_are_followed(tmp_path):
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / "1f" / "onnx"
    blobs.mkdir()
    folder.mkdir(parents=True)
    (blobs / "a1").write_bytes(np.float32([1, 2, 3]).tobytes())
    model(blobs / "b2", "constant", "m.onnx_data")
    (folder / "m.onnx").symlink_to("../../../blobs/b2")
    (folder / "m.onnx_data").symlink_to("../../../blobs/a1")
    encoder = open_encoder(f"onnx:{folder / 'm.onnx'}?{OPTIONS}")
    assert encoder.encode([np.full((8, 8, 3), 255, np.uint8)]).tolist() == [[1, 2, 3]]
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    (folder / "m.onnx_data").unlink()
    (folder / "m.onnx_data").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(BadSpec, match="outside its folder"):
        open_encoder(f"onnx:{folder / 'm.onnx'}?{OPTIONS}")


def test_graphs_within_graphs_end_somewhere(tmp_path):
    data = b""
    for _ in range(300):  # an attribute, a node and a graph, within each other
        for tag in (6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2):
            data = bytes([tag]) + onnx_length(len(data)) + data
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes([7 << 3 | 2]) + onnx_length(len(data)) + data)
    with pytest.raises(ValueError, match="within each other"):
        outside(path)
    with pytest.raises(BadSpec, match="cannot load"):
        open_encoder(f"onnx:{path}?{OPTIONS}")


def onnx_length(size):
    groups = []
    while size > 0x7F:
        groups.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*groups, size])


def test_damaged_files_are_refused_in_a_sentence(tmp_path):
    data = model(tmp_path / "m.onnx", "branch").read_bytes()
    (tmp_path / "w.bin").write_bytes(np.float32([1, 2, 3]).tobytes())
    draw, path = np.random.default_rng(0), tmp_path / "damaged.onnx"
    refused = 0
    for _ in range(150):
        damaged = bytearray(data[: draw.integers(1, len(data) + 1)])
        for place in draw.integers(0, len(damaged), 3):
            damaged[place] = draw.integers(256)
        path.write_bytes(damaged)
        try:
            open_encoder(f"onnx:{path}?{OPTIONS}")
        except BadSpec:
            refused += 1
    assert refused > 100


def test_onnx_itself_finds_the_same_files(tmp_path):
    for place in PLACES[:2]:
        path = model(tmp_path / "m.onnx", place)
        loaded = onnx.load(path, load_external_data=False)
        names = [
            entry.value
            for tensor in onnx.external_data_helper._get_all_tensors(loaded)
            for entry in tensor.external_data
        ]
        assert names == ["w.bin"]
