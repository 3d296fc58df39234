import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from likelens.encoders.onnx_file import cut_down, read_onnx_file


def written(path, *tensors):
    node = helper.make_node("Identity", ["x"], ["y"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([node] * 3, "graph", value[:1], value[1:], list(tensors))
    onnx.save(helper.make_model(graph, producer_name="x" * 300), path)
    return path


@pytest.mark.parametrize("raw", [True, False])
def test_weights_are_counted_and_shapes_are_not(tmp_path, raw):
    def tensor(values, name, kind):
        array = np.asarray(values)
        if raw:
            return numpy_helper.from_array(array, name)
        return helper.make_tensor(name, kind, array.shape, array.ravel())

    path = written(
        tmp_path / "m.onnx",
        tensor(np.zeros((300, 200), np.float32), "kernel", TensorProto.FLOAT),
        tensor(np.zeros((7,), np.int8), "quantised", TensorProto.INT8),
        tensor(np.zeros((70, 2), np.uint8), "bytes", TensorProto.UINT8),
        tensor(np.zeros((5,), np.float64), "double", TensorProto.DOUBLE),
        tensor(np.float32(3), "scale", TensorProto.FLOAT),
        tensor(np.zeros((1,), np.float32), "one", TensorProto.FLOAT),
        tensor(np.zeros((9,), np.int64), "shape", TensorProto.INT64),
        tensor(np.zeros((9,), np.int32), "axes", TensorProto.INT32),
    )
    file = read_onnx_file(path)
    assert file.parameters == 300 * 200 + 7 + 70 * 2 + 5
    assert file.size_bytes == path.stat().st_size
    assert file.content == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def test_the_count_equals_that_of_the_onnx_package(real_data):
    for path in (real_data / "weights").glob("*.onnx"):
        sizes = [
            np.prod(tensor.dims, dtype=int)
            for tensor in onnx.load(path).graph.initializer
            if tensor.dims and tensor.data_type not in (6, 7, 9)
        ]
        assert read_onnx_file(path).parameters == sum(size for size in sizes if size > 1)


def test_a_file_of_another_layout_has_no_count(tmp_path):
    path = tmp_path / "m.ort"
    path.write_bytes(b"\x18\0\0\0ORTM" + bytes(64))
    assert read_onnx_file(path).parameters is None


# --- leaving out what is not needed -------------------------------------------------


def slot(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])


def model(nodes, outputs, weights=(), inputs=("x",), ir_version=8):
    tensors = [numpy_helper.from_array(np.float32([n, -n]), f"w{n}") for n in weights]
    graph = helper.make_graph(
        nodes, "graph", [*map(slot, inputs)], [*map(slot, outputs)], tensors, doc_string="x" * 300
    )
    opset = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opset, ir_version=ir_version).SerializeToString()


def answers(content, outputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(outputs, {"x": np.float32([3, 5])})


@given(st.data())
def test_what_is_left_gives_the_same_and_no_node_of_it_is_idle(data):
    """Random networks: each node takes two of the values there are and makes one."""
    values, nodes = ["x", "w1", "w2"], []
    for number in range(data.draw(st.integers(1, 12))):
        taken = data.draw(st.lists(st.sampled_from(values), min_size=2, max_size=2))
        kind = data.draw(st.sampled_from(["Add", "Sub", "Max"]))
        nodes.append(helper.make_node(kind, taken, [f"n{number}"]))
        values.append(f"n{number}")
    made = values[3:]
    outputs = data.draw(st.lists(st.sampled_from(made), min_size=1, unique=True))
    wanted = data.draw(st.lists(st.sampled_from(outputs), min_size=1, unique=True))
    whole = model(nodes, outputs, (1, 2))
    less = cut_down(whole, wanted)
    makers = {node.output[0]: node for node in nodes}
    needed, ahead = set(), [*wanted]
    while ahead:
        name = ahead.pop()
        if name not in needed:
            needed.add(name)
            ahead += makers[name].input if name in makers else ()
    idle = [node for node in nodes if node.output[0] not in needed]
    between = {name for node in idle for name in node.input} & needed.intersection(made)
    some_weights_go = bool({"w1", "w2"} - needed)
    if not idle or not some_weights_go or not between <= {*outputs}:
        assert less is None
        return
    graph = onnx.load_from_string(less).graph
    assert {node.output[0] for node in graph.node} == needed.intersection(made)
    assert {tensor.name for tensor in graph.initializer} == needed & {"w1", "w2"}
    assert {output.name for output in graph.output} == needed & {*outputs}
    assert graph.doc_string == "x" * 300
    np.testing.assert_array_equal(answers(less, wanted), answers(whole, wanted))


def test_nothing_to_leave_out():
    nodes = [helper.make_node("Add", ["x", "w1"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    assert cut_down(model(nodes, ["a", "b"], [1]), ["b"]) is None


def test_little_is_not_left_out():
    head = [helper.make_node("Add", ["a", "w1"], ["b"])]
    nodes = [helper.make_node("Add", ["x", "w2"], ["a"])]
    assert cut_down(model(nodes + head, ["a", "b"], (1, 2)), ["a"]) is not None
    for number in range(3, 22):  # so that the head is less than a tenth of the weights
        nodes.append(helper.make_node("Add", [nodes[-1].output[0], f"w{number}"], [f"c{number}"]))
    nodes.append(helper.make_node("Neg", ["c21"], ["d"]))
    head = [helper.make_node("Add", ["d", "w1"], ["b"])]
    assert cut_down(model(nodes + head, ["d", "b"], range(1, 22)), ["d"]) is None


def test_a_value_between_that_is_no_output_keeps_all():
    """As onnxruntime could join nodes across it, with other rounding, once nobody else takes it."""
    nodes = [
        helper.make_node("Add", ["x", "w1"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Add", ["a", "w2"], ["c"]),
    ]
    assert cut_down(model(nodes, ["b", "c"], (1, 2)), ["b"]) is None
    less = cut_down(model(nodes, ["b", "c", "a"], (1, 2)), ["b"])
    assert [one.name for one in onnx.load_from_string(less).graph.output] == ["b", "a"]


def test_the_order_of_nodes_does_not_matter():
    nodes = [
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Add", ["b", "w2"], ["c"]),
        helper.make_node("Add", ["x", "w1"], ["a"]),
    ]
    whole = model(nodes, ["b", "c"], (1, 2))
    less = cut_down(whole, ["b"])
    assert [node.output[0] for node in onnx.load_from_string(less).graph.node] == ["b", "a"]
    np.testing.assert_array_equal(answers(less, ["b"]), answers(whole, ["b"]))


def test_values_that_only_an_inner_graph_takes_are_kept():
    inner = [
        helper.make_graph([helper.make_node("Add", ["a", name], ["r"])], "g", [], [slot("r")])
        for name in ("w1", "w2")
    ]
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    nodes = [
        helper.make_node("Neg", ["x"], ["a"]),
        helper.make_node("Constant", [], ["choice"], value=yes),
        helper.make_node("If", ["choice"], ["b"], then_branch=inner[0], else_branch=inner[1]),
        helper.make_node("Add", ["b", "w3"], ["d"]),
    ]
    whole = model(nodes, ["b", "d"], (1, 2, 3))
    less = cut_down(whole, ["b"])
    assert len(onnx.load_from_string(less).graph.node) == 3
    np.testing.assert_array_equal(answers(less, ["b"]), answers(whole, ["b"]))


def test_weights_that_are_inputs_too_go_with_what_took_them():
    nodes = [
        helper.make_node("Add", ["x", "w1"], ["a"]),
        helper.make_node("Add", ["a", "w2"], ["b"]),
    ]
    whole = model(nodes, ["a", "b"], (1, 2), inputs=("x", "w1", "w2"), ir_version=3)
    less = cut_down(whole, ["a"])
    assert [one.name for one in onnx.load_from_string(less).graph.input] == ["x", "w1"]
    np.testing.assert_array_equal(answers(less, ["a"]), [[4, 4]])


def test_a_node_may_leave_out_what_it_takes_and_makes():
    nodes = [
        helper.make_node("Clip", ["x", "", "top"], ["a"]),
        helper.make_node("Dropout", ["a"], ["b", ""]),
        helper.make_node("Dropout", ["w1"], ["c", ""]),
    ]
    nodes.insert(0, helper.make_node("Constant", [], ["top"], value_float=4.0))
    less = cut_down(model(nodes, ["b", "c"], [1]), ["b"])
    assert len(onnx.load_from_string(less).graph.node) == 3
    np.testing.assert_array_equal(answers(less, ["b"]), [[3, 4]])


def test_real_networks_give_the_same_features_without_their_heads(real_data):
    draw = np.random.default_rng(0)
    paths = [*(real_data / "weights").glob("*.onnx")]
    assert len(paths) == 5
    for path in paths:
        whole = path.read_bytes()
        less = cut_down(whole, ["features"])
        nodes = [len(onnx.load_from_string(one).graph.node) for one in (whole, less)]
        assert nodes[0] > nodes[1]
        assert len(less) < len(whole)
        sessions = [onnxruntime.InferenceSession(one) for one in (path, less)]
        slots = sessions[0].get_inputs()
        shape = [side if isinstance(side, int) else 1 for side in slots[0].shape]
        values = {slots[0].name: draw.standard_normal(shape, np.float32)}
        first, second = (session.run(["features"], values)[0] for session in sessions)
        np.testing.assert_array_equal(first, second)
