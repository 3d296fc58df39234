"""Short names of encoders: read from a file, shown on boards, never part of what vectors are."""

import json

import numpy as np
import pytest

from likelens import Catalogue, compare, embed, garments, open_encoder
from likelens.cli import repeat_flag
from likelens.encoders.named import choose_file, resolve, shown
from likelens.encoders.opening import ENCODERS, open_encoders, short_names
from likelens.encoders.vectors import write_vectors
from likelens.store.base import open_store
from likelens.values.errors import BadSpec, BadTable

COLOUR, HOG = "opencv:colour?bins=2", "opencv:hog?size=32"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIKELENS_ENCODERS", raising=False)
    yield
    choose_file(None)


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[encoders]\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def names(tmp_path):
    return write(tmp_path / "encoders.toml", f'paint = "{COLOUR}"', f'edges = "{HOG}"')


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return garments.create(tmp_path_factory.mktemp("g"), items=24, size=48, seed=3)


def test_the_file_is_found_in_three_places(tmp_path, monkeypatch):
    assert short_names() == {}
    write(tmp_path / "encoders.toml", f'one = "{COLOUR}"')
    assert short_names() == {"one": COLOUR}
    monkeypatch.setenv("LIKELENS_ENCODERS", str(write(tmp_path / "a/b.toml", f'two = "{HOG}"')))
    assert short_names() == {"two": HOG}
    other = write(tmp_path / "c.toml", f'three = "{HOG}"')
    assert short_names(other) == {"three": HOG}
    assert str(open_encoder("three", encoders_file=other).spec) == HOG
    for missing in ("none.toml", str(tmp_path)):
        with pytest.raises(BadTable, match="no such file of encoders"):
            short_names(missing)


def test_a_name_stands_wherever_a_spec_does(names):
    cases = {
        "paint": COLOUR,
        "paint?bins=3": "opencv:colour?bins=3",
        "paint + 0.5*edges": f"{COLOUR} + 0.5*{HOG}",
        "2*paint + opencv:hog": f"2*{COLOUR} + opencv:hog",
        "control:shuffled?of=paint": f"control:shuffled?of={COLOUR}",
        "control:shuffled?of=paint&seed=3": f"control:shuffled?seed=3&of={COLOUR}",
        "opencv:colour": "opencv:colour",
        "onnx:m.onnx@paint": "onnx:m.onnx@paint",
    }
    for text, spec in cases.items():
        assert resolve(text, sources=ENCODERS.names()) == spec
    opened, missing = open_encoders(["paint", "edges"])
    assert ([str(one.spec) for one in opened], missing) == ([COLOUR, HOG], {})
    for wrong, hint in {
        "pant": "paint",
        "paint + 2*blue": "names are",
        "xyz": "source:identifier",
    }.items():
        with pytest.raises(BadSpec, match="is not the name of an encoder") as caught:
            open_encoder(wrong)
        assert hint in caught.value.hint


def test_layers_can_follow_a_name(tmp_path):
    write(tmp_path / "encoders.toml", 'net = "onnx:m.onnx@features?size=64"')
    spec = resolve("net@logits?preset=clip", sources=ENCODERS.names())
    assert spec == "onnx:m.onnx@logits?preset=clip&size=64"


@pytest.mark.parametrize(
    "name",
    ["net", "net@logits", "net?preset=clip", "net@logits?preset=clip", "net@logits + 0.5*opencv:hog",
     "control:shuffled?of=net@logits", "control:shuffled?seed=3&of=net", "onnx:n.onnx@features"],
)  # fmt: skip
def test_layers_and_options_are_shown_behind_a_name(tmp_path, name):
    write(tmp_path / "encoders.toml", 'net = "onnx:m.onnx@features?size=64"')
    sources = ENCODERS.names()
    assert shown(resolve(name, sources=sources), sources=sources) == name
    given = ["evaluate", "t.csv", "-e", "net", name, "--out", "r"]
    assert repeat_flag(given) == [*given[:4], "-e", *given[4:]]


def test_paths_are_relative_to_the_file(tmp_path, source):
    catalogue = Catalogue.open(source)
    vectors = np.random.default_rng(0).standard_normal((len(catalogue), 4)).astype(np.float32)
    (tmp_path / "far" / "models").mkdir(parents=True)
    write_vectors(tmp_path / "far" / "models" / "v.npz", catalogue.ids, vectors)
    file = write(
        tmp_path / "far" / "e.toml", 'ours = "vectors:models/v.npz"', 'net = "onnx:../m.onnx"',
        f'whole = "vectors:{tmp_path}/x.npz"', 'home = "onnx:~/m.onnx"', 'both = "onnx:a + onnx:b"',
    )  # fmt: skip
    names = short_names(file)
    far = tmp_path / "far"
    assert names == {
        "ours": f"vectors:{far}/models/v.npz", "net": f"onnx:{far}/../m.onnx",
        "whole": f"vectors:{tmp_path}/x.npz", "home": "onnx:~/m.onnx",
        "both": f"onnx:{far}/a + onnx:{far}/b",
    }  # fmt: skip
    encoder = open_encoder("ours", encoders_file=file)
    np.testing.assert_array_equal(embed(catalogue, encoder).vectors, vectors)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"no table \[encoders\]"),
        ("encoders = 3", r"no table \[encoders\]"),
        ("[encoders]\n[other]", "other does not belong here"),
        ('[encoders]\nonnx = "opencv:colour"', "'onnx' is a source"),
        ('[encoders]\n"a b" = "opencv:colour"', "'a b' cannot be a name"),
        ('[encoders]\n"a:b" = "opencv:colour"', "'a:b' cannot be a name"),
        ('[encoders]\n"" = "opencv:colour"', "'' cannot be a name"),
        ("[encoders]\na = 3", "a is 3, not a spec"),
        ('[encoders]\na = "resnet50"', "a: 'resnet50' is not the name"),
        ('[encoders]\na = "nothing:x"', "a: there is no encoder source 'nothing'"),
        ("[encoders\n", "not TOML"),
        ("a=" + "[" * 9999, "not TOML"),
        ('[encoders]\na = "opencv:hog"\na = "opencv:colour"', "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_when_a_name_is_asked_for(tmp_path, text, reason):
    (tmp_path / "encoders.toml").write_text(text)
    with pytest.raises(BadTable, match=reason) as caught:
        open_encoder("a")
    assert caught.value.where == "encoders.toml"
    assert open_encoder("opencv:colour").dim


def test_boards_show_the_name_and_a_new_name_embeds_nothing(source, names, tmp_path):
    catalogue, store = Catalogue.open(source), tmp_path / "store"
    made = ["paint + 0.5*edges", "control:shuffled?of=edges"]
    board = compare(catalogue, ["paint", HOG, *made], store)
    shown = {entry.card.name for entry in board.entries}
    assert shown == {"paint", "edges", *made}
    assert set(board.pairs.names) == shown
    details = {entry.card.name: entry.card.details for entry in board.entries}
    assert details["paint"]["short_name_of"] == COLOUR
    assert {COLOUR, HOG} <= {card.name for card in open_store(store).cards()}
    write(names, f'other = "{COLOUR}"')
    seen = []
    again = compare(catalogue, ["other", HOG], store, progress=lambda label, *_: seen.append(label))
    assert {entry.card.name for entry in again.entries} == {"other", HOG}
    assert "measuring" in seen
    assert not [label for label in seen if label.startswith("embedding")]
    names.unlink()
    assert {entry.card.name for entry in compare(catalogue, [COLOUR, HOG], store).entries} == {
        COLOUR, HOG
    }  # fmt: skip


def test_the_command_line(source, names, likelens, tmp_path):
    code, out, err = likelens("encoders", "list", "--json")
    assert (code, json.loads(out)["paint"]) == (0, COLOUR), err
    code, out, err = likelens(
        "evaluate", source, "-e", "paint", "edges", "--out", tmp_path / "o", "--json"
    )
    assert code == 0, err
    assert {row["encoder"] for row in json.loads(out)["leaderboard"]} == {"paint", "edges"}
    assert "paint" in (tmp_path / "o" / "report.html").read_text()
    other = write(tmp_path / "x" / "y.toml", f'mine = "{COLOUR}"')
    code, out, err = likelens(
        "embed", source, "--store", tmp_path / "s", "-e", "mine", "--encoders-file", other
    )
    assert code == 0, err
    code, _, err = likelens("embed", source, "--store", tmp_path / "s", "-e", "mine")
    assert (code, "is not the name of an encoder" in err) == (2, True), err
    image = next((source.parent / "images").iterdir())
    code, _, err = likelens(
        "search", image, "--store", tmp_path / "s", "-e", "mine", f"--encoders-file={other}"
    )
    assert code == 0, err
