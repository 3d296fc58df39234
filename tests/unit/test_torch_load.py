"""Getting torch, its neighbours and weights, where one of them cannot be had."""

import errno
import importlib.util
import socket
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from likelens import open_encoder
from likelens.encoders import torch_load
from likelens.encoders.torch_load import (
    getting_weights,
    need_library,
    need_torch,
    need_vision,
    refuse_download,
)
from likelens.values.errors import BadSpec, MissingExtra, NoWeights
from likelens.values.spec import Spec

SPEC = Spec.parse("timm:resnet18.a1_in1k")
need_library("torchvision", SPEC)


@pytest.fixture
def unplugged(monkeypatch, tmp_path):
    """No name is known, no connection is made, and no file has been kept."""

    def refuse(*_args, **_keys):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


HOMES = {
    "torchvision:squeezenet1_1": "TORCH_HOME",
    "timm:test_resnet.r160_in1k": "HF_HOME",
    "open_clip:ViT-B-32/laion2b_s34b_b79k": "HF_HOME",
    "hf:someone/something-unknown": "HF_HOME",
}


@pytest.mark.parametrize("spec", HOMES)
def test_without_a_network_one_sentence_says_so(unplugged, spec):
    with pytest.raises(NoWeights) as caught:
        open_encoder(spec)
    error = caught.value
    assert error.what.startswith("its weights cannot be had: ")
    assert "\n" not in error.what
    assert error.where == spec
    for part in ("connect to the network once", HOMES[spec], "checkpoint:FILE", "?weights=none"):
        assert part in error.hint


def test_offline_torchvision_fetches_nothing_and_uses_what_is_there(unplugged, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "download_url_to_file", None)
    with pytest.raises(NoWeights, match="HF_HUB_OFFLINE forbids to fetch them: squeezenet1_1-"):
        open_encoder("torchvision:squeezenet1_1")
    kept = Path(torch.hub.get_dir()) / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    kept.parent.mkdir(parents=True)
    kept.touch()
    refuse_download(f"https://somewhere/models/{kept.name}", SPEC)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    refuse_download("https://somewhere/models/other.pth", SPEC)


def test_the_hub_is_not_asked_where_its_name_is_unknown(unplugged):
    before = constants.HF_HUB_OFFLINE
    with getting_weights(SPEC, "HF_HOME"):
        assert constants.HF_HUB_OFFLINE
    assert before == constants.HF_HUB_OFFLINE


def test_a_proxy_may_know_the_name(unplugged, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    with getting_weights(SPEC, "HF_HOME"):
        assert not constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("home", ["TORCH_HOME", "HF_HOME"])
def test_no_space_is_said_with_its_mend(monkeypatch, home):
    monkeypatch.setattr(torch_load, "_is_known", lambda _host: True)
    full = OSError(errno.ENOSPC, "No space left on device", "resnet18.pth")
    with pytest.raises(NoWeights) as caught, getting_weights(SPEC, home):
        raise RuntimeError("the download failed") from full
    assert caught.value.hint == f"free some space, or set {home} to a folder on another disk"


def test_no_space_while_weights_are_fetched(monkeypatch, tmp_path):
    def full(*_args, **_keys):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("torch.hub.download_url_to_file", full)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        NoWeights, match=r"No space left on device\n.*\n.*free some space.*TORCH_HOME"
    ):
        open_encoder("torchvision:squeezenet1_1")


def test_other_reasons_are_named_by_their_first_sentence():
    with (
        pytest.raises(NoWeights, match="had: URLError: <urlopen error refused>"),
        getting_weights(SPEC, "TORCH_HOME"),
    ):
        raise urllib.error.URLError("refused")
    with (
        pytest.raises(NoWeights, match=r"had: ValueError: one two\n"),
        getting_weights(SPEC, "TORCH_HOME"),
    ):
        raise ValueError("\n  one\n  two")
    with (
        pytest.raises(NoWeights, match="had: KeyError: no more is said"),
        getting_weights(SPEC, "TORCH_HOME"),
    ):
        raise KeyError
    with pytest.raises(BadSpec, match="as it was"), getting_weights(SPEC, "TORCH_HOME"):
        raise BadSpec("as it was", where="here", hint="there")


@pytest.mark.parametrize("spec", [*HOMES, "checkpoint:FILE?arch=timm:test_resnet"])
def test_without_torch_the_extra_is_named(monkeypatch, tmp_path, spec):
    (tmp_path / "m.pth").touch()
    spec = spec.replace("FILE", str(tmp_path / "m.pth"))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "likelens.values.extras.find_spec", lambda name: None if name == "torch" else real(name)
    )
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(
        MissingExtra, match=r'torch is not installed\n.*\n.*pip install -e "\.\[torch\]"'
    ):
        open_encoder(spec)


@pytest.mark.parametrize(
    ("spec", "library"), [("timm:test_resnet", "timm"), ("open_clip:ViT-B-32/openai", "open_clip")]
)
def test_without_a_library_the_extra_is_named(monkeypatch, spec, library):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "likelens.values.extras.find_spec", lambda name: None if name == library else real(name)
    )
    with pytest.raises(MissingExtra, match=rf'{library} is not installed\n.*\n.*"\.\[torch\]"'):
        open_encoder(spec)


def test_torch_is_the_one_that_is_loaded():
    assert need_torch("here") is torch


# --- torchvision beside a torch for the processor alone ---------------------------


def test_torchvision_works_beside_any_torch_in_a_fresh_interpreter():
    code = (
        "import torch\n"
        "from likelens.encoders.torch_load import need_vision\n"
        "vision = need_vision(torch, 'here')\n"
        "assert vision is need_vision(torch, 'here')\n"
        "assert vision.models.squeezenet1_1().eval()(torch.rand(1, 3, 64, 64)).shape == (1, 1000)\n"
        "print('fine')\n"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert made.stdout == "fine\n", made.stderr


def test_operators_are_declared_only_where_they_are_lost(monkeypatch):
    asked, declared = [], []

    def need(module, **_keys):
        asked.append(module)
        if len(asked) == 1:
            raise RuntimeError("operator torchvision::nms does not exist")
        return "the module"

    monkeypatch.setattr(torch_load, "need", need)
    monkeypatch.setattr("torch.library.define", lambda name, text: declared.append(f"{name}{text}"))
    assert need_vision(torch, "here") == "the module"
    assert declared == list(torch_load._OPERATORS)
    assert need_vision(torch, "here") == "the module"
    assert len(declared) == 2

    def broken(_module, **_keys):
        raise RuntimeError("something else")

    monkeypatch.setattr(torch_load, "need", broken)
    with pytest.raises(RuntimeError, match="something else"):
        need_vision(torch, "here")
