"""Line-ups of encoders: every row can be read, named once, and is in the documentation."""

from pathlib import Path

import pytest

from likelens import presets
from likelens.encoders.opening import ENCODERS
from likelens.encoders.torch_load import need_library
from likelens.encoders.torchvision import find_weights
from likelens.presets import Row, find, preset
from likelens.reproduce.published import CATEGORIES, imagenet_accuracy
from likelens.values.errors import BadSpec
from likelens.values.spec import Spec

DOCS = Path(__file__).parent.parent.parent / "docs"
EVERY = [(name, row) for name in presets.names() for row in preset(name)]
NAMED = [f"{name}: {row.name}" for name, row in EVERY]


@pytest.mark.parametrize("row", [row for _, row in EVERY], ids=NAMED)
def test_a_row_reads_back_and_says_where_its_weights_are(row):
    spec = Spec.parse(row.spec)
    assert str(spec) == row.spec
    assert spec.layer is None
    assert spec.source in ENCODERS.names()
    assert row.name
    assert row.weights
    assert (spec.source == "checkpoint") == bool(row.file)
    assert not row.file or row.file == spec.identifier


@pytest.mark.parametrize("row", [row for _, row in EVERY], ids=NAMED)
def test_a_row_names_weights_that_its_library_knows(row):
    spec = Spec.parse(row.spec)
    name, _, tag = spec.identifier.partition(".")
    if spec.source == "torchvision":
        assert tag
        find_weights(need_library("torchvision.models", spec), name, tag, spec)
    elif spec.source == "timm":
        assert spec.identifier in need_library("timm", spec).list_pretrained()
    elif spec.source == "open_clip":
        known = need_library("open_clip", spec).list_pretrained()
        assert tuple(spec.identifier.split("/")) in known


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_names_no_encoder_twice(name):
    found = [row.spec for row in preset(name)]
    assert len(found) == len(set(found))


def test_the_papers_line_up_has_its_rows():
    rows = preset("corrembed")
    assert len(rows) == 20  # the 19 of Table 2 and Fashion-CLIP
    assert [row.name for row in rows if row.spec.startswith("control:")] == ["shuffled", "random"]
    assert rows[-1].name == "Fashion-CLIP"
    first = Spec.parse(rows[0].spec)
    shuffled = next(row for row in rows if row.name == "shuffled")
    assert Spec.parse(shuffled.spec).options["of"] == str(first)


def test_the_small_line_up_is_small():
    for row in preset("small"):
        spec = Spec.parse(row.spec)
        if spec.source == "torchvision":
            name, _, tag = spec.identifier.partition(".")
            models = need_library("torchvision.models", spec)
            assert find_weights(models, name, tag, spec).meta["_file_size"] < 25


def test_an_unknown_preset_is_told_the_nearest():
    with pytest.raises(BadSpec, match="no preset 'corembed'") as caught:
        preset("corembed")
    assert "corrembed" in caught.value.hint
    with pytest.raises(BadSpec) as caught:
        preset("zzz")
    assert all(name in caught.value.hint for name in presets.names())


def test_a_row_is_found_by_its_encoder_at_any_layer():
    assert find("torchvision:alexnet.IMAGENET1K_V1@output").name == "AlexNet"
    assert find("torchvision:alexnet.IMAGENET1K_V1").name == "AlexNet"
    assert find("opencv:sift?words=64") is None


def test_a_row_that_needs_a_file_is_left_out_until_it_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argus = preset("vsd-generators")[0]
    assert not argus.ready
    (tmp_path / argus.file).write_bytes(b"here")
    assert argus.ready
    assert Row("opencv:colour", "colour", "none").ready


def test_accuracy_is_what_torchvision_states():
    assert imagenet_accuracy("torchvision:alexnet.IMAGENET1K_V1") == pytest.approx(56.522)
    assert imagenet_accuracy("opencv:colour") is None
    assert imagenet_accuracy("torchvision:alexnet") is None  # which weights is not said
    with pytest.raises(BadSpec, match="no weights"):
        imagenet_accuracy("torchvision:alexnet.V9")


def test_published_weights_are_those_of_the_released_recipe():
    for one in CATEGORIES:
        assert one.weight == pytest.approx(1 - one.entropy / one.upper, abs=2e-6)
        assert one.tags > 1


def test_every_row_is_documented():
    page = (DOCS / "presets.md").read_text()
    for name, row in EVERY:
        assert f"## {name}" in page
        assert f"| {row.name} | `{row.spec}` |" in page
