"""What ``--dtype`` does to the names of encoders."""

import pytest

from likelens import open_encoder
from likelens.cli.options import with_dtype
from likelens.encoders.opening import open_encoders
from likelens.encoders.running import Running
from likelens.values.errors import BadSpec, LikelensWarning
from likelens.values.spec import Spec

NET = "timm:test_vit?weights=none"


def test_networks_take_it_and_others_stay():
    specs = [NET, "opencv:colour", "onnx:m.onnx@features"]
    assert with_dtype(specs, None) == specs
    assert with_dtype(specs, "float32") == specs
    assert with_dtype(specs, "int8") == ["timm:test_vit?dtype=int8&weights=none", *specs[1:]]
    named = "timm:test_vit?dtype=bfloat16&weights=none"
    assert with_dtype([named, NET], "bfloat16") == [named, named]


def test_parts_of_fusions_and_of_controls_take_it():
    fused, control = with_dtype(
        [f"{NET} + 0.5*opencv:colour", f"control:shuffled?of={NET}"], "bfloat16"
    )
    parts = Spec.parse(fused).parts
    assert [weight for weight, _ in parts] == [1, 0.5]
    assert [part.options.get("dtype") for _, part in parts] == ["bfloat16", None]
    assert Spec.parse(control).options["of"] == "timm:test_vit?dtype=bfloat16&weights=none"


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("form", ["{}", "{} + 0.5*opencv:colour", "control:shuffled?of={}"])
def test_two_that_differ_are_refused(dtype, form):
    spec = form.format("timm:test_vit?dtype=bfloat16&weights=none")
    with pytest.raises(
        BadSpec, match=f"name says dtype=bfloat16, the command --dtype {dtype}"
    ) as raised:
        with_dtype([spec], dtype)
    assert raised.value.hint == "leave --dtype out, or ?dtype=bfloat16"


def test_the_command_says_it_in_a_sentence(likelens, shop, tmp_path):
    spec = "timm:test_vit?dtype=float16&weights=none"
    code, _, err = likelens(
        "embed", shop, "--store", tmp_path / "s", "-e", spec, "--dtype", "bfloat16"
    )
    assert code == 2
    assert "the encoder's name says dtype=float16, the command --dtype bfloat16" in err


def test_the_dtype_of_a_part_is_in_a_fusions_fingerprint():
    marks = {
        dtype: open_encoder(f"timm:test_vit?dtype={dtype}&weights=none + opencv:colour").fingerprint
        for dtype in ("float32", "bfloat16", "float16")
    }
    plain = open_encoder(f"{NET} + opencv:colour").fingerprint
    assert marks["float32"] == plain
    assert len(set(marks.values())) == 3


@pytest.mark.parametrize("spec", ["opencv:colour", "onnx:m.onnx@features", "vectors:v.npz"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8"])
def test_encoders_of_one_kind_of_number_refuse_another(spec, dtype):
    assert with_dtype([spec], "float32") == [spec]
    with pytest.raises(BadSpec, match="cannot compute with other numbers") as raised:
        with_dtype([spec, "control:random"], dtype)
    assert raised.value.where == f"--dtype {dtype}"


def test_beside_networks_the_others_are_named(capsys):
    with_dtype([NET, "opencv:colour", f"{NET} + opencv:hog", "control:random"], "int8")
    assert capsys.readouterr().err == (
        "note: --dtype int8 is for networks of torch, not for opencv:colour\n"
    )


ODD = {
    "a device that it cannot have": ["--device", "cuda:7"],
    "a device that it cannot use": ["--device", "cuda"],
    "a runtime that it cannot use": ["--runtime", "openvino"],
    "what torch alone does": ["--compile"],
}


@pytest.mark.parametrize("name", ODD)
def test_what_encoders_of_one_way_cannot_do_is_refused(name, likelens, shop, tmp_path):
    encoders = ("-e", "opencv:colour", "-e", "opencv:hog?size=32")
    for command in (
        ("embed", shop, "--store", tmp_path / "s", "-e", "opencv:colour"),
        ("evaluate", shop, "--out", tmp_path / "r", *encoders, "--tags", "kind"),
        ("encoders", "fuse", shop, *encoders, "--tags", "kind"),
    ):
        code, out, err = likelens(*command, *ODD[name])
        assert code == 2, err
        assert "on the processor in one way only" in err
        assert f"where: {' '.join(ODD[name])}" in err
        assert out == ""
    assert not (tmp_path / "s").exists()


def test_a_device_that_is_none_is_named_as_such(likelens, shop, tmp_path):
    embed = ("embed", shop, "--store", tmp_path / "s", "-e", "opencv:colour")
    code, out, err = likelens(*embed, "--device", "banana")
    assert (code, out) == (2, "")
    assert "there is no device 'banana'" in err
    assert "choose one of: auto, cpu, cuda" in err


def test_a_source_that_is_none_is_named_as_such(likelens, shop, tmp_path):
    code, _, err = likelens(
        "embed", shop, "--store", tmp_path / "s", "-e", "tim:a", "--device", "cuda"
    )
    assert code == 2
    assert "did you mean timm" in err


def test_what_holds_for_them_is_taken(likelens, shop, tmp_path):
    embed = ("embed", shop, "--store", tmp_path / "s", "-e", "opencv:colour")
    assert likelens(*embed, "--device", "cpu", "--dtype", "float32")[0] == 0
    code, _, err = likelens("encoders", "show", "opencv:colour", "--device", "mps")
    assert code == 2
    assert "where: --device mps" in err


def test_beside_networks_the_others_run_as_always():
    running = Running(runtime="onnx")
    specs = [NET, "opencv:colour", "control:shuffled?of=opencv:colour", f"{NET} + opencv:hog"]
    with pytest.warns(LikelensWarning, match="^--runtime onnx is for .* not for opencv:colour$"):
        opened, lost = open_encoders(specs, running)
    assert (len(opened), lost) == (4, {})
    assert opened[2].running == Running(), "what is shuffled can be opened later"
    assert Running(device="cuda:1", compile=True).asked == "--device cuda:1 --compile"
