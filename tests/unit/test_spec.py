import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelens.values.errors import BadSpec
from likelens.values.registry import Registry
from likelens.values.spec import Spec, fingerprint

WORDS = st.text("abcdefghijk0123456789_.-", min_size=1, max_size=8)


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
