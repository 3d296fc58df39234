"""``likelens encoders show``, ``check`` and ``pack``."""

import json
import os

import numpy as np
import pytest

from likelens._inspect import check, describe, pack
from likelens.encoders.base import Encoder
from likelens.encoders.opening import ENCODERS
from likelens.encoders.running import Running
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadImage, BadSpec

TINY = "timm:test_vit?weights=none"


def test_show_lists_card_and_layers(likelens):
    code, out, _ = likelens("encoders", "show", TINY)
    assert code == 0
    for text in ("fingerprint", "preprocessing", "parameters", "blocks.5", "1 x 101 x 64", "timm"):
        assert text in out
    found = json.loads(likelens("encoders", "show", TINY, "--json")[1])
    names = [layer["name"] for layer in found["layers"]]
    assert "blocks.0.attn.qkv" in names
    assert found["card"]["dim"] == 64


def test_a_layer_that_is_shown_can_be_asked_for():
    from likelens import open_encoder

    for layer in describe(TINY)["layers"][:12]:
        name = f"timm:test_vit@{layer['name']}?pool=flatten&weights=none"
        expected = int(np.prod(layer["shape"][1:]))
        assert open_encoder(name).dim == expected


def test_show_of_vectors_and_of_encoders_without_layers():
    assert describe("opencv:colour")["layers"] == []
    assert describe("control:shuffled?of=opencv:colour")["card"]["name"].startswith("control")


@pytest.mark.parametrize("spec", [TINY, "opencv:colour", "opencv:sift?words=16"])
def test_good_encoders_pass(spec, likelens):
    code, out, _ = likelens("encoders", "check", spec)
    assert code == 0, out
    assert "FAIL" not in out
    assert out.count("\n") >= 8


class Restless(Encoder):
    """Adds noise, looks at its neighbours, and does not see colours."""

    def __init__(self, spec):
        self.spec = spec
        self.card = EncoderCard(str(spec), "restless", 4, parameters=1)
        self.noise = np.random.default_rng(0)

    def prepare(self, image):
        return np.array([image.mean(), image.std(), 1, 1], np.float32)

    def forward(self, prepared):
        rows = np.stack(prepared)
        return rows + self.noise.normal(0, rows.std(), rows.shape)


def test_a_bad_encoder_fails_line_by_line(monkeypatch, likelens):
    monkeypatch.setitem(ENCODERS._places, "restless", f"{__name__}:Restless")
    monkeypatch.setattr(ENCODERS, "load", lambda _name: Restless)
    failed = {line.law for line in check("restless:x", None, Running()) if line.passed is False}
    assert failed == {
        "a second run gives the same",
        "a picture's vector does not depend on its batch",
        "a photo on its side, with EXIF, counts as upright",
    }
    code, out, _ = likelens("encoders", "check", "restless:x", "--json")
    assert code == 1
    assert any(line["passed"] is False for line in json.loads(out))


def test_own_pictures_are_looked_at(shop):
    assert all(line.passed is not False for line in check(TINY, shop.parent / "images", Running()))


def test_wrong_uses_are_one_sentence(likelens, tmp_path):
    with pytest.raises(BadImage, match="no pictures"):
        check("opencv:colour", tmp_path, Running())
    with pytest.raises(BadSpec, match="looks at no pictures"):
        check("control:shuffled?of=opencv:colour", None, Running())
    for arguments, said in (
        (("show", "nonsense:x"), "no encoder source 'nonsense'"),
        (("show", "timm:test_vitt?weights=none"), "did you mean test_vit"),
        (("check", TINY, "--device", "cuda:9"), "no device 'cuda:9'"),
        (("pack", "opencv:colour", "x.safetensors"), "has no torch network"),
        (("pack", TINY, "x.pth"), "is no .safetensors file"),
    ):
        code, out, err = likelens("encoders", *arguments)
        assert code == 2, (arguments, out, err)
        assert said in err
        assert "Traceback" not in err


def test_pack_says_how_large_it_is(likelens, tmp_path):
    file = tmp_path / "t.safetensors"
    code, out, _ = likelens("encoders", "pack", "timm:test_vit?bits=1.58&weights=none", file)
    assert code == 0
    assert "bits a ternary weight" in out
    found = json.loads(likelens("encoders", "pack", TINY, file, "--json")[1])
    assert found["bits_per_ternary_weight"] is None
    assert found["bytes"] == file.stat().st_size


def test_a_packed_file_has_the_rights_that_the_user_gives(likelens, tmp_path):
    file = tmp_path / "t.safetensors"
    before = os.umask(0o027)
    try:
        assert likelens("encoders", "pack", TINY, file)[0] == 0
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_checkpoint_cannot_read_is_not_packed(monkeypatch, tmp_path):
    class Tower(Encoder):
        net = object()

        def __init__(self, spec):
            self.spec, self.card = spec, EncoderCard(str(spec), "tower", 4)

        def prepare(self, image):
            return image

        def forward(self, prepared):
            return np.zeros((len(prepared), 4))

    monkeypatch.setattr(ENCODERS, "load", lambda _name: Tower)
    for source in ("hf", "open_clip"):
        with pytest.raises(BadSpec, match=f"no architecture to read a file of {source} into"):
            pack(f"{source}:some/where", tmp_path / "t.safetensors")
    assert not list(tmp_path.iterdir())
