from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from likelens import Catalogue
from likelens.values.paths import Paths, as_on_disk

NAMES = st.lists(st.text("abc/", min_size=1).filter(lambda name: not name.startswith("/")))


@given(NAMES, st.sampled_from(["", "root", "/far/away"]))
def test_they_are_the_paths_below_the_root(names, root):
    expected = [Path(root) / name for name in names]
    paths = Paths(names, root)
    assert list(paths) == expected
    assert len(paths) == len(expected)
    assert list(paths[1:3]) == expected[1:3]
    assert list(paths.take(reversed(range(len(names))))) == expected[::-1]
    assert [Path(paths.text(place)) for place in range(len(names))] == expected
    assert list(paths.absolute()) == [path.absolute() for path in expected]
    assert [paths[-place] for place in range(1, len(names) + 1)] == expected[::-1]


def test_whole_names_need_no_root():
    assert list(Paths(["/a/b.jpg"])) == [Path("/a/b.jpg")]


def test_beyond_the_end_there_is_nothing():
    with pytest.raises(IndexError):
        Paths(["a"])[1]


def test_it_says_how_many_there_are():
    assert repr(Paths(["a", "b"], "root")) == "Paths(2 below 'root')"


def test_a_path_that_looks_the_same_is_found(tmp_path):
    folder = tmp_path / "cafe\u0301"
    folder.mkdir()
    (folder / "th\u00e9.jpg").touch()
    asked = str(tmp_path / "caf\u00e9" / "the\u0301.jpg")
    assert as_on_disk(asked) == str(folder / "th\u00e9.jpg")
    assert as_on_disk("\u00e9\0") == "\u00e9\0"
    for missing in (asked + "x", "\u00e9/" * 400, "\u00e9" * 5000):
        assert as_on_disk(missing) == missing


def test_a_catalogue_whose_folders_look_the_same_is_found(tmp_path):
    folder = tmp_path / "cafe\u0301"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "1.png")
    (folder / "t.csv").write_text("id\n1\n", encoding="utf-8")
    asked = str(tmp_path / "caf\u00e9")
    assert Catalogue.open(f"{asked}/t.csv", images=asked).ids == ("1",)
