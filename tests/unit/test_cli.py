"""The command line as a user meets it: what works, and what wrong uses are told."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conftest import paint
from likelens.cli import repeat_flag

COLOUR = "opencv:colour"


@pytest.fixture
def stored(shop, tmp_path, likelens):
    """A store with two encoders of the small shop."""
    code, _, err = likelens(
        "embed", shop, "--tags", "colour,kind", "--split", "|", "--store", tmp_path / "store",
        "-e", COLOUR, "control:random?dim=8",
    )  # fmt: skip
    assert code == 0, err
    return tmp_path / "store"


def test_version_and_help(likelens):
    assert likelens("--version")[1].startswith("likelens 0.")
    code, out, _ = likelens("--help")
    assert code == 0
    assert all(name in out for name in ("demo", "embed", "evaluate", "search", "doctor"))


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "likelens", "encoders", "--json"], capture_output=True, check=True
    )
    assert {"onnx", "opencv", "control", "vectors"} <= set(json.loads(done.stdout))


def test_one_flag_takes_several_encoders():
    given = ["evaluate", "-e", "onnx:a", "opencv:b", "folder", "-e", "x:y", "--out", "o:p"]
    expected = ["evaluate", "-e", "onnx:a", "-e", "opencv:b", "folder", "-e", "x:y", "--out", "o:p"]
    assert repeat_flag(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("evaluate --encoder=a1:b cc:d x", "evaluate --encoder=a1:b -e cc:d x"),
        ("evaluate -e=aa:b cc:d -k=5", "evaluate -e aa:b -e cc:d -k 5"),
        ("evaluate x -e fast bb:c", "evaluate x -e fast -e bb:c"),
        ("evaluate -e aa:b -- cc:d", "evaluate -e aa:b -- cc:d"),
        ("-q search -e aa:b cc:d", "-q search -e aa:b cc:d"),
    ],
)
def test_every_way_to_write_an_option(given, expected):
    assert repeat_flag(given.split()) == expected.split()


def test_one_flag_takes_several_named_encoders_but_no_option():
    given = ["reproduce", "engine", "-e", "a b=onnx:a", "c=opencv:b", "dd:e", "--second=ab:cd"]
    expected = [*given[:4], "-e", "c=opencv:b", "-e", "dd:e", "--second=ab:cd"]
    assert repeat_flag(given) == expected


def test_doctor(likelens):
    code, out, _ = likelens("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert {"numpy", "onnxruntime", "pylance"} <= {part["name"] for part in found["libraries"]}
    assert "numpy" in likelens("doctor")[1]


def test_doctor_says_what_is_missing_and_how_to_get_it(likelens, monkeypatch):
    monkeypatch.setitem(
        __import__("likelens.cli.doctor").cli.doctor.NEEDED, "no-such-lib", "flying"
    )
    code, out, _ = likelens("doctor")
    assert code == 1
    assert "MISSING" in out
    assert "flying: pip install no-such-lib" in " ".join(out.split())


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (RuntimeError("operator torchvision::nms does not exist"), "encoders work without them"),
        (ImportError("no such\n file"), "(no such file): install both"),
        (None, ""),
    ],
)
def test_doctor_says_when_torchvision_does_not_fit_torch(likelens, monkeypatch, raised, said):
    from likelens.cli import doctor

    def load(name):
        if raised is not None:
            raise raised

    monkeypatch.setattr(doctor, "import_module", load)
    code, out, _ = likelens("doctor")
    assert code == 0
    notes = [line for line in out.splitlines() if line.startswith("  note: torchvision")]
    assert [said in note for note in notes] == [True] * bool(said)


def test_embed_goes_on_without_encoders_that_cannot_be_had(shop, tmp_path, likelens, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    gone = tmp_path / "gone.safetensors"
    gone.write_bytes(b"")
    absent = f"checkpoint:{gone}?arch=torchvision:alexnet"
    code, out, err = likelens("embed", shop, "--store", tmp_path / "s", "-e", COLOUR, absent)
    assert code == 0, err
    assert f"left out: {absent}" in err
    assert "8 embedded" in out
    code, _, err = likelens("embed", shop, "--store", tmp_path / "t", "-e", absent)
    assert code != 0
    assert "gone.safetensors" in err


def test_embed_says_what_it_did_and_a_second_run_keeps_it(shop, stored, likelens):
    code, out, _ = likelens(
        "embed", shop, "--tags", "colour,kind", "--split", "|", "--store", stored, "-e", COLOUR,
        "--json",
    )  # fmt: skip
    assert code == 0
    assert [(run["embedded"], run["kept"]) for run in json.loads(out)] == [(0, 8)]


def test_embed_sets_broken_pictures_aside(shop, tmp_path, likelens):
    (tmp_path / "images" / "3.png").write_bytes(b"")
    code, out, err = likelens("embed", shop, "--store", tmp_path / "s", "-e", COLOUR)
    assert code == 0
    assert "1 skipped" in out
    assert "skipped: 3: " in err


def test_what_all_encoders_set_aside_is_said_once(shop, tmp_path, likelens):
    (tmp_path / "images" / "3.png").write_bytes(b"no picture")
    asked = ("embed", shop, "-e", COLOUR, "-e", "opencv:hog?size=32", "--store", tmp_path / "s")
    code, out, err = likelens(*asked)
    assert code == 0
    assert out.count("1 skipped") == 2
    assert err.count("skipped:") == err.count("skipped: 3: ") == 1


def test_embed_fails_if_nothing_could_be_read(shop, tmp_path, likelens):
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"no picture")
    assert likelens("embed", shop, "--store", tmp_path / "s", "-e", COLOUR)[0] == 1


@pytest.mark.parametrize("ending", ["parquet", "npz", "npy"])
def test_vectors_go_out_and_come_back(shop, stored, tmp_path, likelens, ending):
    file = tmp_path / f"vectors.{ending}"
    code, _, err = likelens("embed", shop, "--store", stored, "-e", COLOUR, "--export", file)
    assert code == 0, err
    code, out, err = likelens(
        "evaluate", shop, "--tags", "colour,kind", "--split", "|", "--out", tmp_path / "report",
        "-e", COLOUR, f"vectors:{file}", "--json",
    )  # fmt: skip
    assert code == 0, err
    scores = [row["corrembed"] for row in json.loads(out)["leaderboard"]]
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)
    code, out, err = likelens("search", "1", "--store", stored, "-e", f"vectors:{file}", "--json")
    assert code == 0, err
    same = likelens("search", "1", "--store", stored, "-e", COLOUR, "--json")[1]
    ids = [[hit["id"] for hit in json.loads(text)["hits"]] for text in (out, same)]
    assert ids[0] == ids[1]


def test_evaluate_writes_a_report(shop, tmp_path, likelens):
    code, out, err = likelens(
        "evaluate", shop, "--tags", "colour,kind", "--split", "|", "--out", tmp_path / "report",
        "-e", COLOUR, "-e", "control:random?dim=8", "-e", f"control:shuffled?of={COLOUR}",
    )  # fmt: skip
    assert code == 0, err
    assert "CorrEmbed" in out
    assert str(tmp_path / "report" / "report.html") in out.replace("\n", "")
    for name in ("report.html", "leaderboard.csv", "leaderboard.parquet", "leaderboard.json"):
        assert (tmp_path / "report" / name).stat().st_size > 100
    assert "no purchases" in err


def test_evaluate_with_purchases_has_a_weighted_score(shop, tmp_path, likelens):
    lines = ["customer,item", *(f"c{n % 3},{n % 8}" for n in range(30)), "c1,gone"]
    (tmp_path / "bought.csv").write_text("\n".join(lines))
    code, out, err = likelens(
        "evaluate", shop, "--tags", "colour,kind", "--split", "|", "--out", tmp_path / "report",
        "-e", COLOUR, "--purchases", tmp_path / "bought.csv", "--json",
    )  # fmt: skip
    assert code == 0, err
    board = json.loads(out)
    assert set(board["weights"]) == {"colour", "kind"}
    assert "corrembed_weighted" in board["leaderboard"][0]
    assert any("1 purchases of items not in the catalogue" in note for note in board["notes"])


def search_ids(likelens, *arguments):
    code, out, err = likelens("search", *arguments, "--json")
    assert code == 0, err
    return [hit["id"] for hit in json.loads(out)["hits"]]


def test_a_query_of_the_catalogue_does_not_find_itself(tmp_path, stored, likelens):
    picture = tmp_path / "images" / "3.png"
    store = ("--store", stored, "-e", COLOUR)
    assert "3" not in search_ids(likelens, picture, *store, "-k", 20)
    assert search_ids(likelens, picture, *store, "--include-self")[0] == "3"
    copy = tmp_path / "copy.png"
    copy.write_bytes(picture.read_bytes())
    assert "3" not in search_ids(likelens, copy, *store), "the same file, wherever it is"
    Image.open(picture).save(tmp_path / "other.bmp")
    assert search_ids(likelens, tmp_path / "other.bmp", *store)[0] == "3", "another file"
    assert search_ids(likelens, "3", *store) == search_ids(likelens, picture, *store)


def test_filters_leave_k_items_if_k_exist(stored, likelens):
    store = ("--store", stored, "-e", COLOUR)
    assert set(search_ids(likelens, "0", *store, "--where", "kind = 'shoe'")) == set("4567")
    assert search_ids(likelens, "0", *store, "--where", "price > 6 and kind = 'shoe'", "-k", 1) in (
        ["6"],
        ["7"],
    )
    assert set(search_ids(likelens, "0", *store, "--where", "array_has(colour, 'blue')")) == {
        "1",
        "5",
    }
    assert search_ids(likelens, "0", *store, "--where", "price > 100") == []


def test_regions_means_and_minus(stored, tmp_path, likelens):
    store = ("--store", stored, "-e", COLOUR)
    halves = np.concatenate(
        [np.asarray(Image.open(tmp_path / "images" / f"{n}.png").resize((40, 40))) for n in (2, 5)],
        1,
    )
    Image.fromarray(halves).save(tmp_path / "both.png")
    both = tmp_path / "both.png"
    assert search_ids(likelens, both, *store, "--region", "0,0,40,40", "-k", 1) == ["2"]
    assert search_ids(likelens, both, *store, "--region", "50%,0%,50%,100%", "-k", 1) == ["5"]
    assert set(search_ids(likelens, both, *store, "-k", 2)) == {"2", "5"}
    assert search_ids(likelens, both, *store, "--minus", "2", "-k", 1) == ["5"]
    two = search_ids(likelens, "2", "5", *store, "--include-self", "-k", 2)
    assert set(two) == {"2", "5"}


def test_a_search_page(stored, tmp_path, likelens):
    page = tmp_path / "page.html"
    code, out, _ = likelens("search", "1", "--store", stored, "-e", COLOUR, "--html", page)
    assert code == 0
    assert "page:" in out
    assert page.read_text(encoding="utf-8").count("data:image/") == 8


def test_a_newcomer_may_swap_models_only_with_overwrite(shop, stored, likelens, monkeypatch):
    from likelens.encoders import classical

    assert likelens("embed", shop, "--store", stored, "-e", COLOUR)[0] == 0
    monkeypatch.setattr(classical, "CV_VERSION", "999")
    code, _, err = likelens("embed", shop, "--store", stored, "-e", COLOUR)
    assert code == 1
    assert "cannot mix" in err
    assert "--overwrite" in err
    assert likelens("embed", shop, "--store", stored, "-e", COLOUR, "--overwrite")[0] == 0


WRONG = {
    "no such command": (["serch"], 2, "serch"),
    "no source": (["embed", "--store", "{s}"], 2, "Missing argument"),
    "a source that is not there": (["embed", "gone", "-e", COLOUR, "--store", "new"], 2, "no such folder or table"),
    "no encoder": (["evaluate", "{shop}"], 2, "no encoder is named"),
    "an encoder without a source": (["evaluate", "{shop}", "-e", "resnet50", "--tags", "kind"], 2, "not the name of an encoder"),
    "an unknown source": (["evaluate", "{shop}", "-e", "keras:resnet50", "--tags", "kind"], 2, "choose one of: onnx, opencv"),
    "a misspelt source": (["evaluate", "{shop}", "-e", "torchvison:resnet50", "--tags", "kind"], 2, "did you mean torchvision"),
    "a fusion of one": (["encoders", "fuse", "{shop}", "-e", COLOUR, "--tags", "kind"], 2, "only opencv:colour is named"),
    "a fusion of none": (["encoders", "fuse", "{shop}", "--tags", "kind"], 2, "none is named"),
    "a fusion on no device": (["encoders", "fuse", "{shop}", "-e", COLOUR, "timm:test_resnet?weights=none", "--device", "gpu", "--tags", "kind"], 2, "no device 'gpu'"),
    "an unknown classic": (["evaluate", "{shop}", "-e", "opencv:surf", "--tags", "kind"], 2, "surf"),
    "an unknown control": (["evaluate", "{shop}", "-e", "control:chaos", "--tags", "kind"], 2, "chaos"),
    "an unknown option": (["evaluate", "{shop}", "-e", "opencv:colour?bits=3", "--tags", "kind"], 2, "no option 'bits'"),
    "an option out of range": (["evaluate", "{shop}", "-e", "opencv:sift?words=0", "--tags", "kind"], 2, "words=0"),
    "a model that is not there": (["evaluate", "{shop}", "-e", "onnx:gone.onnx", "--tags", "kind"], 2, "gone.onnx"),
    "a model that is none": (["evaluate", "{shop}", "-e", "onnx:{shop}", "--tags", "kind"], 2, "ONNX"),
    "shuffled of nothing": (["evaluate", "{shop}", "-e", "control:shuffled", "--tags", "kind"], 2, "of="),
    "a tag column that is not there": (["evaluate", "{shop}", "-e", COLOUR, "--tags", "kind,size"], 2, "no column 'size'"),
    "an id column that is not there": (["evaluate", "{shop}", "-e", COLOUR, "--id", "sku"], 2, "the columns are: id, colour"),
    "no tags": (["evaluate", "{shop}", "-e", COLOUR], 2, "no tags to measure with"),
    "pictures that are elsewhere": (["embed", "{shop}", "-e", COLOUR, "--images", "{s}", "--store", "new"], 2, "none of the 8 rows"),
    "no folder of pictures": (["embed", "{shop}", "-e", COLOUR, "--images", "gone", "--store", "new"], 2, "no such folder"),
    "no table of purchases": (["evaluate", "{shop}", "-e", COLOUR, "--tags", "kind", "--purchases", "gone.csv"], 2, "no such table"),
    "a picture for a table": (["evaluate", "{picture}", "-e", COLOUR], 2, "not a kind of table"),
    "a store that is none": (["embed", "{shop}", "-e", COLOUR, "--store", "{images}"], 1, "no likelens store"),
    "vectors embedded": (["embed", "{shop}", "-e", "vectors:x.npz", "--store", "new"], 2, "x.npz"),
    "an export of two encoders": (["embed", "{shop}", "-e", COLOUR, "-e", "opencv:hog", "--store", "new", "--export", "x.npz"], 2, "one encoder, not of 2"),
    "an export to text": (["embed", "{shop}", "-e", COLOUR, "--store", "new", "--export", "x.txt"], 2, ".parquet, .npz or .npy"),
    "a report into a file": (["evaluate", "{shop}", "-e", COLOUR, "--tags", "kind", "--out", "{shop}"], 2, "shop.csv"),
    "too small a demo": (["demo", "--items", "5"], 2, "greater than or equal to 20"),
    "a demo into another's folder": (["demo", "--out", "{root}", "--items", "20"], 2, "catalogue"),
    "a search in no store": (["search", "{picture}", "--store", "gone"], 1, "no store here"),
    "a search in an odd folder": (["search", "{picture}", "--store", "{images}"], 1, "no likelens store"),
    "a search without a picture": (["search", "gone.jpg", "--store", "{s}", "-e", COLOUR], 2, "no such picture"),
    "a search with text": (["search", "{shop}", "--store", "{s}", "-e", COLOUR], 1, "shop.csv"),
    "several encoders to choose from": (["search", "{picture}", "--store", "{s}"], 2, "choose one with -e: opencv:colour, control:random"),
    "an encoder that was not used": (["search", "{picture}", "--store", "{s}", "-e", "opencv:hog"], 2, "no vectors by opencv:hog"),
    "a learner that was not used": (["search", "{picture}", "--store", "{s}", "-e", "opencv:orb"], 2, "no vectors by opencv:orb"),
    "no results wanted": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "-k", "0"], 2, "k = 0"),
    "a filter on no column": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--where", "size = 3"], 2, "the columns are: id"),
    "half a filter": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--where", "kind ="], 2, "cannot be understood"),
    "a filter of another type": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--where", "price > 'cheap'"], 2, "price (number)"),
    "a list as a text": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--where", "colour = 'red'"], 2, "array_has(colour"),
    "double quotes": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--where", '"kind" = 3'], 2, "back quotes"),
    "no region": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--region", "left"], 2, "region cannot be understood"),
    "a region outside": (["search", "{picture}", "--store", "{s}", "-e", COLOUR, "--region", "900,0,5,5"], 2, "outside the picture"),
    "a region of two": (["search", "1", "2", "--store", "{s}", "-e", COLOUR, "--region", "0,0,5,5"], 2, "a region of 2 pictures"),
    "minus itself": (["search", "1", "--minus", "1", "--store", "{s}", "-e", COLOUR], 2, "sees no difference"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses_get_one_clear_answer(name, shop, stored, tmp_path, likelens, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {
        "shop": shop,
        "s": stored,
        "root": tmp_path,
        "images": tmp_path / "images",
        "picture": tmp_path / "images" / "1.png",
    }
    arguments, code, message = WRONG[name]
    got, out, err = likelens(*(argument.format(**places) for argument in arguments))
    text = " ".join(err.replace("│", " ").split())
    assert got == code, text
    assert message in text
    assert "Traceback" not in err
    assert out == ""
    if "Usage:" not in err:
        assert [line.split(":")[0].strip() for line in err.strip().splitlines()[-3:]] == [
            "likelens",
            "where",
            "hint",
        ]


def test_errors_can_be_read_by_machines(shop, likelens):
    code, out, err = likelens("evaluate", shop, "-e", COLOUR, "--json")
    assert code == 2
    assert out == ""
    assert set(json.loads(err)["error"]) == {"what", "where", "hint", "mend"}


def test_two_items_cannot_be_correlated(tmp_path, likelens):
    for name in ("a/1.png", "b/2.png"):
        paint(tmp_path / name, len(name))
    code, _, err = likelens("evaluate", tmp_path, "-e", COLOUR, "--out", tmp_path / "r")
    assert code == 2
    assert "a correlation needs three" in err


def test_fewer_descriptors_than_words(shop, tmp_path, likelens):
    code, _, err = likelens("embed", shop, "--store", tmp_path / "s", "-e", "opencv:sift?words=512")
    assert code in (1, 2)
    assert "words" in err


def test_vectors_alone_can_be_evaluated(shop, stored, tmp_path, likelens):
    file = tmp_path / "v.parquet"
    assert likelens("embed", shop, "--store", stored, "-e", COLOUR, "--export", file)[0] == 0
    for spec in (f"vectors:{file}", f"control:shuffled?of=vectors:{file}"):
        code, out, err = likelens(
            "evaluate", shop, "-e", spec, "--tags", "kind", "--out", tmp_path / "r", "--json"
        )
        assert code == 0, err
        assert spec in out
