from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from likelens import open_encoder
from likelens.encoders.running import Running
from likelens.values.errors import BadSpec, BadTable, LikelensWarning, MissingExtra
from likelens.values.spec import Spec

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
if find_spec("timm") is None:
    pytest.skip("no timm", allow_module_level=True)

from likelens.encoders import torch_encoder, torch_net, torch_runtime  # noqa: E402 - they need torch
from likelens.encoders.torch_layers import OUTPUT  # noqa: E402

RESNET = "timm:test_resnet?weights=none"
VIT = "timm:test_vit?weights=none"
ONNX = Running(device="cpu", runtime="onnx")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKELENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "exported"


@pytest.fixture
def exports(monkeypatch):
    """The paths that were exported to."""
    made, export = [], torch_runtime.export

    def noted(portable, prepared, path):
        made.append(path)
        export(portable, prepared, path)

    monkeypatch.setattr(torch_runtime, "export", noted)
    return made


def pictures(count=6):
    return [np.ascontiguousarray(one) for one in torch_runtime._pictures(count)]


def by_torch(spec):
    return open_encoder(spec, Running(device="cpu", runtime="torch"))


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize(
    "spec",
    [
        RESNET,
        "timm:test_resnet@output?weights=none",
        "timm:test_resnet@layer2?pool=max&weights=none",
        "timm:test_resnet@layer1?pool=gem&weights=none",
        VIT,
        "timm:test_vit@blocks.1?pool=cls&weights=none",
        "timm:test_vit@blocks.2?pool=avg&weights=none",
        "timm:test_vit@blocks.0?pool=flatten&weights=none",
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_onnx_gives_the_vectors_of_torch(spec):
    ours = open_encoder(spec, ONNX)
    torchs = by_torch(spec)
    assert (ours.parallel, ours.batch_size) == (True, 1)
    assert (ours.card.name, ours.fingerprint) == (torchs.card.name, torchs.fingerprint)
    made, expected = ours.encode(pictures()), torchs.encode(pictures())
    assert cosines(made, expected).min() >= 0.9999
    assert np.allclose(made, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_attention_fused_by_torch_is_exported_too():
    def transform(picture):
        return np.asarray(picture.resize((8, 8)), np.float32).transpose(2, 0, 1) / 255

    block = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    net = torch_net.Net(
        module=torch.nn.Sequential(torch.nn.Flatten(2), block).eval(),
        transform=transform,
        stated=None,
        named={"penultimate": OUTPUT},
        run=lambda batch: block(batch.flatten(2).unflatten(2, (8, 8)).flatten(1, 2)),
    )
    encoder = torch_encoder.TorchEncoder(Spec.parse("timm:attention"), net)
    expected = encoder.encode(pictures())
    encoder.run_on(ONNX)
    assert cosines(encoder.encode(pictures()), expected).min() >= 0.9999


@pytest.mark.skipif(
    find_spec("openvino") is None,
    reason='openvino is not installed: pip install -e ".[openvino]"',
)
@pytest.mark.filterwarnings(  # openvino starts a process as it is imported, of which lance warns
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_openvino_gives_the_vectors_of_torch(dtype):
    spec = f"timm:test_resnet?dtype={dtype}&weights=none"
    ours = open_encoder(spec, Running(device="cpu", runtime="openvino"))
    least = torch_runtime.ENOUGH[dtype]
    assert cosines(ours.encode(pictures()), by_torch(spec).encode(pictures())).min() >= least
    kinds = {one.dtype for one in ours.net.module.parameters()}
    assert kinds == {getattr(torch, dtype)}  # also after the export


def test_a_layers_own_preprocessing_is_exported_too(monkeypatch):
    monkeypatch.setattr(torch_encoder, "agree", lambda net: False)  # pictures come as floats
    spec = "timm:test_resnet?seed=3&weights=none"
    made = open_encoder(spec, ONNX).encode(pictures())
    assert cosines(made, by_torch(spec).encode(pictures())).min() >= 0.9999


def test_several_layers_come_out_of_one_export(exports):
    last, first = open_encoder(VIT), open_encoder("timm:test_vit@blocks.0?pool=avg&weights=none")
    first = last.at(first.spec)
    last.expect(torch_runtime.PAYS_FROM, [last, first])
    prepared = [last.prepare(picture) for picture in pictures(3)]
    both = last.forward_layers(prepared, [last, first])
    assert len(exports) == 1
    for made, spec in zip(both, (last.spec, first.spec), strict=True):
        assert cosines(made, by_torch(str(spec)).forward(prepared)).min() >= 0.9999


def test_an_export_is_kept(exports):
    made = open_encoder(RESNET, ONNX).encode(pictures())
    again = open_encoder(RESNET, ONNX).encode(pictures())
    assert len(exports) == 1
    assert np.array_equal(made, again)
    open_encoder("timm:test_resnet?seed=7&weights=none", ONNX)  # other weights
    assert len(exports) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "no vectors", "bad vectors"])
def test_a_damaged_export_is_made_again(exports, cache, damage):
    made = open_encoder(RESNET, ONNX).encode(pictures())
    [file], [beside] = cache.glob("*.onnx"), cache.glob("*.npz")
    whole = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "noise":
        whole[len(whole) // 2 : len(whole) // 2 + 4096] = bytes(range(256)) * 16
        file.write_bytes(whole)
    elif damage == "no vectors":
        beside.unlink()
    else:
        beside.write_bytes(b"PK")
    assert np.array_equal(open_encoder(RESNET, ONNX).encode(pictures()), made)
    assert len(exports) == 2


def wrong_vectors(path, dtype):
    return lambda picture: [np.random.default_rng(0).standard_normal((1, 256), np.float32)]


def test_an_export_with_other_vectors_is_refused(monkeypatch, cache):
    monkeypatch.setitem(torch_runtime.ENGINES, "onnx", wrong_vectors)
    with pytest.raises(BadSpec, match="does not give torch's vectors: of 32 pictures") as raised:
        open_encoder(RESNET, ONNX)
    assert raised.value.hint == "use --runtime torch"
    assert not list(cache.iterdir())


def test_auto_exports_for_large_jobs_alone(exports):
    encoder = open_encoder(RESNET, Running(device="cpu"))
    few = encoder.encode(pictures())
    assert not exports
    assert not encoder.parallel
    encoder.expect(torch_runtime.PAYS_FROM, [encoder])
    assert len(exports) == 1
    assert encoder.parallel
    assert cosines(encoder.encode(pictures()), few).min() >= 0.9999


def test_auto_goes_on_by_torch_and_says_why(monkeypatch):
    monkeypatch.setitem(torch_runtime.ENGINES, "onnx", wrong_vectors)
    encoder = open_encoder(RESNET, Running(device="cpu"))
    with pytest.warns(LikelensWarning, match="runs by torch, which is slower .* not give torch's"):
        encoder.expect(1000, [encoder])
    encoder.expect(1000, [encoder])  # asked once
    assert not encoder.parallel
    assert np.array_equal(encoder.encode(pictures()), by_torch(RESNET).encode(pictures()))


def test_a_network_that_cannot_be_exported_is_refused(monkeypatch):
    def broken(*args, **named):
        raise RuntimeError("no such operator\nand a long dump")

    monkeypatch.setattr(torch.onnx, "export", broken)
    with pytest.raises(BadSpec, match="torch cannot export it: RuntimeError: no such operator"):
        open_encoder(RESNET, ONNX)


def test_threads_get_their_own_vectors():
    encoder = open_encoder(RESNET, ONNX)
    prepared = [encoder.prepare(picture) for picture in pictures(8)] * 8
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda picture: encoder.forward([picture])[0], prepared))
    assert np.array_equal(np.stack(rows), encoder.forward(prepared))


def test_no_pictures():
    encoder = open_encoder(RESNET, ONNX)
    assert encoder.encode([]).shape == (0, encoder.dim)


@pytest.mark.parametrize(
    ("spec", "running", "message"),
    [
        (RESNET, Running(runtime="tensorrt"), "there is no runtime 'tensorrt'"),
        (RESNET, Running(device="cpu", runtime="onnx", compile=True), "has no --compile"),
        (
            f"{RESNET}&dtype=bfloat16",
            ONNX,
            "float32 or int8 on the processor, and has no dtype=bfloat16",
        ),
        (f"{RESNET}&dtype=float16", Running(device="cpu", runtime="openvino"), "no dtype=float16"),
    ],
)
def test_what_a_runtime_has_not(spec, running, message):
    with pytest.raises(BadSpec, match=message):
        open_encoder(spec, running)


@pytest.mark.parametrize(("runtime", "library"), [("onnx", "onnx"), ("openvino", "openvino")])
def test_a_missing_library(monkeypatch, runtime, library):
    from likelens.values import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == library else name)
    with pytest.raises(MissingExtra, match=f"{library} is not installed"):
        open_encoder(RESNET, Running(device="cpu", runtime=runtime))


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIKELENS_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadTable, match="cannot be exported: this cannot be written") as raised:
        open_encoder(RESNET, ONNX)
    assert "LIKELENS_CACHE" in raised.value.hint


def test_the_cache_folder(monkeypatch, tmp_path):
    from likelens.values.files import cache_folder

    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("LIKELENS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "likelens"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Path.home() in cache_folder().parents


def test_compiled_networks_give_the_same_vectors():
    compiled = open_encoder(VIT, Running(device="cpu", compile=True))
    made = compiled.encode(pictures())
    assert cosines(made, by_torch(VIT).encode(pictures())).min() >= 0.9999
