import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelens.values.errors import BadSpec
from likelens.values.registry import Registry
from likelens.values.spec import Spec, fingerprint

WORDS = st.text("abcdefghijk0123456789_.-", min_size=1, max_size=8)
SPECS = st.builds(
    Spec, WORDS, WORDS, st.none() | WORDS, st.dictionaries(WORDS, WORDS, max_size=2).map(
        lambda options: dict(sorted(options.items()))
    )
)  # fmt: skip
WEIGHTS = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


@given(WORDS, WORDS, st.none() | WORDS, st.dictionaries(WORDS, WORDS, max_size=3))
def test_a_spec_reads_back(source, identifier, layer, options):
    spec = Spec(source, identifier, layer, dict(sorted(options.items())))
    assert Spec.parse(str(spec)) == spec
    assert hash(Spec.parse(str(spec))) == hash(spec)


def test_the_order_of_options_does_not_matter():
    assert Spec.parse("opencv:sift?words=64&seed=1") == Spec.parse("opencv:sift?seed=1&words=64")


def test_a_spec_may_stand_within_a_spec():
    spec = Spec.parse("control:shuffled?seed=3&of=opencv:sift?words=64&seed=1")
    assert spec.options == {"seed": "3", "of": "opencv:sift?words=64&seed=1"}
    assert Spec.parse(str(spec)) == spec


def test_a_folder_may_have_an_at_sign():
    spec = Spec.parse("onnx:models@home/a.onnx")
    assert (spec.identifier, spec.layer) == ("models@home/a.onnx", None)
    spec = Spec.parse("onnx:models@home/a.onnx@features")
    assert (spec.identifier, spec.layer) == ("models@home/a.onnx", "features")


@pytest.mark.parametrize(
    "text",
    ["", "onnx", "onnx:", ":file", "onnx:a.onnx@", "a:b?size", "a:b?size=1&size=2", "a:b?=1"],
)
def test_what_is_no_spec_is_refused(text):
    with pytest.raises(BadSpec, match=r"source:identifier"):
        Spec.parse(text)


@given(st.lists(st.tuples(WEIGHTS, SPECS), min_size=2, max_size=4))
def test_a_fused_spec_reads_back(parts):
    spec = Spec.fuse(parts)
    assert spec.source == "fused"
    assert Spec.parse(str(spec)) == spec
    assert str(Spec.parse(str(spec))) == str(spec) == spec.identifier
    assert spec.parts == tuple(parts)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a:b?x=1 + 0.5*c:d@layer?y=2", "a:b?x=1 + 0.5*c:d@layer?y=2"),
        ("  a:b?y=2&x=1  +   .50 * c:d ", "a:b?x=1&y=2 + 0.5*c:d"),
        ("1*a:b + 2.0*c:d + 1e-3*e:f", "a:b + 2*c:d + 0.001*e:f"),
        ("a:b?of=c:d?x=1&y=2 + 3*e:f", "a:b?of=c:d?x=1&y=2 + 3*e:f"),
        ("2*a:x*y + b:c?d=e*f", "2*a:x*y + b:c?d=e*f"),
    ],
)
def test_a_fused_spec_is_written_in_one_way(text, canonical):
    assert str(Spec.parse(text)) == canonical
    assert Spec.parse(text) == Spec.parse(canonical)


def test_parts_keep_their_layers_and_options():
    parts = Spec.parse("a:b?x=1 + 0.5*c:d@layer?y=2").parts
    assert parts == ((1.0, Spec("a", "b", None, {"x": "1"})),
                     (0.5, Spec("c", "d", "layer", {"y": "2"})))  # fmt: skip
    assert Spec("a", "b").parts == ((1.0, Spec("a", "b")),)


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "x", "", "1e999", "0x2"])
def test_weights_are_numbers_above_0(weight):
    with pytest.raises(BadSpec, match="the weight of a part must be a number above 0"):
        Spec.parse(f"a:b + {weight}*c:d")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:b + ", "a part of a fused encoder is empty"),
        ("+ a:b", "a part of a fused encoder is empty"),
        ("a:b + + c:d", "a part of a fused encoder is empty"),
        ("a:b + 2*", "a part of a fused encoder is empty"),
        ("2*a:b", "one encoder alone is not fused"),
        ("a:b + c", "'c' is not the name of an encoder"),
        ("a:b + 2*(c:d + e:f)", "brackets join no encoders"),
        ("(a:b + c:d) + e:f", "brackets join no encoders"),
        ("fused:a:b + c:d", "a fused encoder is written as its parts"),
        ("fused:a", "a fused encoder is written as its parts"),
    ],
)
def test_what_is_no_fusion_is_refused(text, message):
    with pytest.raises(BadSpec, match=message):
        Spec.parse(text)


def test_a_fusion_is_no_part_and_has_no_layer_or_options_of_its_own():
    spec = Spec.parse("a:b + 2*c:d")
    with pytest.raises(BadSpec, match="cannot be a part of another"):
        Spec.fuse([(1.0, spec), (1.0, Spec("e", "f"))])
    with pytest.raises(BadSpec, match="layers belong to the parts"):
        spec.with_layer("features")
    assert spec.with_layer(None) == spec
    assert spec.option("seed", int, 7) == 7
    spec.check_options(())
    with pytest.raises(BadSpec, match="options belong to the parts"):
        Spec("fused", "a:b + c:d", None, {"x": "1"}).check_options(())


def test_options_are_checked():
    spec = Spec.parse("a:b?words=12&rate=x&mode=fast")
    assert spec.option("words", int, 5, low=2) == 12
    assert spec.option("other", int, 5) == 5
    with pytest.raises(BadSpec, match="words=12 is not a whole number of at least 20"):
        spec.option("words", int, 5, low=20)
    with pytest.raises(BadSpec, match="rate=x is not a number from 0 to 1"):
        spec.option("rate", float, 0.5, low=0, high=1)
    with pytest.raises(BadSpec, match="one of slow, steady"):
        spec.option("mode", str, "slow", choices=("slow", "steady"))
    with pytest.raises(BadSpec, match="its options are: words, rate"):
        spec.check_options(("words", "rate"))


def test_fingerprints_tell_parts_apart():
    assert fingerprint(a=1, b="x") == fingerprint(b="x", a=1)
    assert fingerprint(a=1) != fingerprint(a=2)
    assert fingerprint(a=1) != fingerprint(b=1)


def test_a_name_is_registered_once():
    registry = Registry("thing")
    registry.add("spec", "likelens.values.spec:Spec")
    assert registry.load("spec") is Spec
    with pytest.raises(BadSpec, match="registered twice"):
        registry.add("spec", "likelens.values.spec:Spec")
    with pytest.raises(BadSpec, match="choose one of: spec"):
        registry.load("other")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("resnet50", "torchvision:resnet50 or timm:resnet50"),
        ("dinov2", "timm:vit_small_patch14_dinov2.lvd142m"),
        ("model.onnx", "onnx:model.onnx"),
        ("./models/model.onnx@features?size=224", "onnx:./models/model.onnx@features?size=224"),
        ("moco.pth", "checkpoint:moco.pth?arch=timm:NAME"),
        ("ours.parquet", "vectors:ours.parquet"),
        ("SIFT", "opencv:sift"),
        ("color", "opencv:colour"),
        ("CLIP", "open_clip:ViT-B-32/laion2b_s34b_b79k"),
        ("facebook/dinov2-base", "hf:facebook/dinov2-base"),
        ("vit_base_patch16_224.augreg_in21k", "timm:vit_base_patch16_224.augreg_in21k"),
        ("resnet50.a1_in1k", "write timm:resnet50.a1_in1k"),
        ("resnet50.IMAGENET1K_V2", "write torchvision:resnet50.IMAGENET1K_V2"),
        ("dinov2_vits14", "timm:vit_small_patch14_dinov2.lvd142m"),
        ("dinov3-small", "timm:vit_small_patch16_dinov3.lvd1689m"),
        ("ViT-B-32", "open_clip:ViT-B-32/"),
        ("clip-vit-base-patch32", "hf:openai/clip-vit-base-patch32"),
        ("fashion-clip", "hf:openai/clip-vit-base-patch32"),
        ("siglip-base", "hf:google/siglip-base-patch16-224"),
        ("opencv", "opencv:NAME"),
        ("photo.jpg", "`likelens encoders` lists"),
        ("surprise", "`likelens encoders` lists"),
    ],
)
def test_what_was_meant_is_suggested(text, meant):
    with pytest.raises(BadSpec, match="is not the name of an encoder") as caught:
        Spec.parse(text)
    assert meant in caught.value.hint
    for spec in re.findall(r"\w+:\S+", caught.value.hint):
        Spec.parse(spec.rstrip(";"))
