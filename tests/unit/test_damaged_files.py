"""Damaged, lying and hostile files of encoders: one clear error, bounded work, no traceback."""

import io
import json
import struct
import warnings
import zipfile

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from likelens import open_encoder
from likelens.encoders import limits
from likelens.encoders.vectors import read_vectors, write_vectors
from likelens.values.errors import BadTable, EncoderFailed, LikelensError, NoWeights

IDS = tuple("abcdefgh")
VECTORS = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)


def network(path, nodes, *, shape=("N", 3, 8, 8), **constants):
    """An ONNX file that ends in ``o``, after the mean colour ``f``."""
    first = [
        helper.make_node("GlobalAveragePool", ["x"], ["column"]),
        helper.make_node("Flatten", ["column"], ["f"]),
    ]
    graph = helper.make_graph(
        [*first, *nodes], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    return f"onnx:{path}?preset=unit&size=8"


def endless(path):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Abs", ["v"], ["next"])],
        "body",
        [info("i", TensorProto.INT64, []), info("on", TensorProto.BOOL, []),
         info("v", TensorProto.FLOAT, None)],
        [info("still", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, None)],
    )  # fmt: skip
    return network(path, [helper.make_node("Loop", ["", "yes", "f"], ["o"], body=body)], yes=True)


def test_a_loop_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "BATCH_SECONDS", 0.2)
    with pytest.raises(LikelensError, match=r"stopped: one batch took more than 0\.2 seconds"):
        open_encoder(endless(tmp_path / "m.onnx"))


def test_the_limit_does_not_disturb_what_is_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "BATCH_SECONDS", 60)
    spec = network(tmp_path / "m.onnx", [helper.make_node("Abs", ["f"], ["o"])])
    assert open_encoder(spec).encode([np.zeros((9, 9, 3), np.uint8)] * 3).shape == (3, 3)


@pytest.mark.skipif(limits.memory_left() is None, reason="the system does not say what is left")
@pytest.mark.parametrize("shape", [[10**13], [3 * 10**12, 3]])
def test_an_output_beyond_the_memory_is_refused(tmp_path, shape):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x"], ["one"], keepdims=0),
         helper.make_node("Expand", ["one", "wide"], ["o"])], "g",
        [info("x", TensorProto.FLOAT, ["N", 3, 8, 8])], [info("o", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(shape), "wide")],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        tmp_path / "m.onnx",
    )
    with pytest.raises(EncoderFailed, match="cannot run on an image"):
        open_encoder(f"onnx:{tmp_path / 'm.onnx'}?preset=unit")


def test_a_batch_beyond_the_memory_is_refused(tmp_path):
    network(
        tmp_path / "m.onnx", [helper.make_node("Abs", ["f"], ["o"])], shape=[10**6, 3, 512, 512]
    )
    with pytest.raises(EncoderFailed, match="takes a batch of"):
        open_encoder(f"onnx:{tmp_path / 'm.onnx'}?preset=unit")


# --- vectors --------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".npz", ".npy", ".parquet"])
def test_damaged_vectors_are_refused_in_a_sentence(tmp_path, ending):
    write_vectors(tmp_path / f"v{ending}", IDS, VECTORS)
    data = (tmp_path / f"v{ending}").read_bytes()
    draw, damaged = np.random.default_rng(1), tmp_path / f"v{ending}"
    for _ in range(120):
        bytes_ = bytearray(data[: draw.integers(1, len(data) + 1)])
        for place in draw.integers(0, len(bytes_), 4):
            bytes_[place] = draw.integers(256)
        damaged.write_bytes(bytes_)
        try:
            read_vectors(damaged)
        except LikelensError as error:
            assert "\n" not in error.what  # noqa: PT017 - or it is read


def header(shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return out.getvalue()


@pytest.mark.parametrize("shape", [(10**15, 512), (2**62, 2**62), (10**9, 1), (-1, 5), (8, 5)])
def test_shapes_that_lie_are_refused(tmp_path, shape):
    (tmp_path / "v.npy").write_bytes(header(shape) + bytes(40))
    (tmp_path / "v.ids.csv").write_text("id\n" + "\n".join(IDS))
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        ids = io.BytesIO()
        np.save(ids, np.array(IDS))
        archive.writestr("ids.npy", ids.getvalue())
        archive.writestr("vectors.npy", header(shape) + bytes(40))
    for name in ("v.npy", "w.npz"):
        with pytest.raises(LikelensError):
            read_vectors(tmp_path / name)


def test_archives_beyond_the_memory_are_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "v.npz", ids=np.array(IDS), vectors=np.zeros((8, 10_000)))
    monkeypatch.setattr("likelens.encoders.vector_files.memory_left", lambda: 100_000)
    with pytest.raises(BadTable, match="need 640,"):
        read_vectors(tmp_path / "v.npz")


def test_members_that_are_no_arrays_and_ids_that_are_no_text(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
        archive.writestr("ids", b"abc")
        archive.writestr("vectors", b"abc")
    with pytest.raises(BadTable, match="not an array"):
        read_vectors(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", ids=np.array([b"\xff\xfe"] * 8), vectors=VECTORS)
    with pytest.raises(BadTable, match="not UTF-8"):
        read_vectors(tmp_path / "v.npz")


# --- checkpoints ----------------------------------------------------------------------

ARCH = "arch=torchvision:squeezenet1_1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8),
        lambda: torch.eye(3, dtype=torch.complex64),
        lambda: torch.zeros(1).expand(10**6, 10**6),
        lambda: torch.zeros(3, device="meta"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_not_dense_are_refused(tmp_path, make):
    torch.save({"features.0.weight": make()}, tmp_path / "m.pth")
    with pytest.raises(NoWeights) as caught:
        open_encoder(f"checkpoint:{tmp_path / 'm.pth'}?{ARCH}")
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_checkpoints_are_refused_in_a_sentence(tmp_path, ending):
    path, values = tmp_path / f"m{ending}", {"a.weight": torch.eye(4), "a.bias": torch.zeros(4)}
    if ending == ".pth":
        torch.save(values, path)
    else:
        save_file(values, path)
    data, draw = path.read_bytes(), np.random.default_rng(2)
    for _ in range(60):
        damaged = bytearray(data[: draw.integers(1, len(data) + 1)])
        for place in draw.integers(0, len(damaged), 4):
            damaged[place] = draw.integers(256)
        path.write_bytes(damaged)
        with warnings.catch_warnings(), pytest.raises(NoWeights):
            open_encoder(f"checkpoint:{path}?{ARCH}")


@pytest.mark.parametrize("size", [2**40, 2**63 - 1])
def test_a_safetensors_header_that_lies_is_refused(tmp_path, size):
    described = {"a": {"dtype": "F32", "shape": [size], "data_offsets": [0, size * 4]}}
    text = json.dumps(described).encode()
    for length in (len(text), size):
        (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", length) + text)
        with pytest.raises(NoWeights, match="cannot be read"):
            open_encoder(f"checkpoint:{tmp_path / 'm.safetensors'}?{ARCH}")


def test_the_configuration_of_a_local_network_is_in_its_fingerprint(tmp_path):
    """Heads are neither in the weights nor in what torch prints of a network."""
    import timm

    network = timm.create_model("test_vit", num_classes=0)
    marks = []
    for heads in (1, 2):
        config = {
            "architecture": "test_vit", "num_classes": 0, "model_args": {"num_heads": heads},
            "pretrained_cfg": dict(network.pretrained_cfg),
        }  # fmt: skip
        (tmp_path / "config.json").write_text(json.dumps(config, default=str))
        save_file(network.state_dict(), tmp_path / "model.safetensors")
        marks.append(open_encoder(f"timm:local-dir:{tmp_path}").fingerprint)
    assert marks[0] != marks[1]


@pytest.mark.parametrize(
    ("source", "needed"), [("timm", " config.json"), ("open_clip", "open_clip_config.json")]
)
def test_a_local_folder_without_a_network_says_what_it_needs(tmp_path, source, needed):
    with pytest.raises(NoWeights) as caught:
        open_encoder(f"{source}:local-dir:{tmp_path}")
    assert needed in caught.value.hint
    assert "connect" not in caught.value.hint
