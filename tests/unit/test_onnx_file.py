import hashlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from likelens.encoders.onnx_file import read_onnx_file


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
