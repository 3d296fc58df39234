"""What ``--dtype`` does to the names of encoders."""

import pytest

from likelens import open_encoder
from likelens.cli.options import with_dtype
from likelens.values.errors import BadSpec
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
    assert raised.value.mend == "leave --dtype out, or ?dtype=bfloat16"


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
