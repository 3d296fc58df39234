"""A store: what is served, what measuring leaves alone, moves, damage, two catalogues."""

import datetime
import json
import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from conftest import paint
from likelens import (
    Catalogue,
    Searcher,
    compare,
    discover,
    embed,
    fuse,
    open_store,
    pool_catalogue,
    search,
    stress,
)
from likelens._embed import fill
from likelens.store.tables import lance
from likelens.values.errors import (
    BadImage,
    BadSpec,
    BadTable,
    FingerprintMismatch,
    StoreBroken,
)
from unit.test_embed import Centred, MeanColour

COLOUR = "opencv:colour"
HOG = "opencv:hog"


def noise(path, seed):
    """An image with keypoints."""
    blocks = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(blocks.repeat(6, axis=0).repeat(6, axis=1)).save(path)
    return path


@pytest.fixture
def shop(shop):
    for number in range(8):
        noise(shop.parent / "images" / f"{number}.png", number)
    return shop


@pytest.fixture
def catalogue(shop):
    return Catalogue.open(shop, tags=["kind"])


@pytest.fixture
def store(catalogue, tmp_path, likelens):
    """A store that serves eight items by two encoders, and a saved index."""
    for encoder in (COLOUR, "opencv:sift?words=4"):
        embed(catalogue, encoder, tmp_path / "store")
    code, _, _ = likelens("index", "build", "--store", tmp_path / "store", "-e", COLOUR)
    assert code == 0
    return tmp_path / "store"


@pytest.fixture
def part(shop):
    """A table of five of the items and a new one, without most attributes."""
    noise(shop.parent / "images" / "x.png", 55)
    table = shop.parent / "part.csv"
    rows = [f"{item},{'ab'[place % 2]}" for place, item in enumerate("01234x")]
    table.write_text("id,kind\n" + "\n".join(rows) + "\n")
    return table


def served(store):
    """All that a shop's searches depend on."""
    opened = open_store(store)
    found = {path.name: path.read_bytes() for path in store.glob("indexes/*/*")}
    for encoder in (COLOUR, "opencv:sift?words=4"):
        made = opened.embeddings(encoder, opened.catalogue().ids)
        found[encoder] = (made.ids, made.vectors.tobytes(), made.failures.to_pylist())
    found["matching"] = opened.matching("colour = 'red' and price < 4")
    return opened.items().to_pylist(), found


def judged(store):
    """A file of judgements."""
    file = store.parent / "judged.csv"
    file.write_text("query,candidate,grade\n0,1,1\n0,2,0\nx,1,1\nx,2,0\n")
    return file


PYTHON = {
    "compare": lambda c, s: compare(c, [COLOUR, HOG], s),
    "compare overwrite": lambda c, s: compare(c, [COLOUR], s, overwrite=True),
    "compare part": lambda c, s: compare(c.take(c.ids[:4]), [COLOUR, "opencv:sift?words=4"], s),
    "fuse": lambda c, s: fuse(c, [COLOUR, HOG], s),
    "stress": lambda c, s: stress(c, [HOG], s, max_queries=2, kinds=["blur"], levels=[1]),
    "pool": lambda c, s: pool_catalogue(c, [COLOUR, HOG], s, k=2),
    "discover": lambda c, s: discover(c, [COLOUR, HOG], judged(s), s),
    "source": lambda c, s: compare(c, [COLOUR, f"control:shuffled?of={HOG}"], s),
}


@pytest.mark.parametrize("name", PYTHON)
def test_measuring_in_python_changes_nothing_that_is_served(store, part, name):
    before = served(store)
    PYTHON[name](Catalogue.open(part, images=part.parent / "images", tags=["kind"]), store)
    assert served(store) == before


def scores(board):
    """The mean score of each encoder."""
    return {one.card.name: one.main.mean for one in board.entries}


COMMANDS = {
    "evaluate": ["evaluate", "{part}", "--tags", "kind", "-e", COLOUR, HOG, "--out", "{out}"],
    "pool": ["annotate", "pool", "{part}", "-e", COLOUR, HOG, "-k", "2", "--out", "{out}/p.csv"],
    "fuse": ["encoders", "fuse", "{part}", "--tags", "kind", "-e", COLOUR, HOG],
    "corrembed": ["reproduce", "corrembed", "{part}", "--tags", "kind", "-e", COLOUR, "--out", "{out}"],
    "engine": ["reproduce", "engine", "{part}", "--category", "kind", "-e", COLOUR, "-k", "1",
               "--per-class", "1", "--out", "{out}"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_measuring_commands_change_nothing_that_is_served(store, part, name, likelens, tmp_path):
    before = served(store)
    said = [word.format(part=part, out=tmp_path / "out") for word in COMMANDS[name]]
    code, _, err = likelens(*said, "--images", tmp_path / "images", "--store", store, "--json")
    assert (code, served(store)) == (0, before), err


def test_a_complete_store_that_cannot_be_written_is_measured(store, catalogue, monkeypatch):
    expected = scores(compare(catalogue, [COLOUR], store))
    real = Path.open

    def refused(self, mode="r", *given, **more):
        if store in self.parents and mode != "rb" and mode != "r":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, mode, *given, **more)

    monkeypatch.setattr(Path, "open", refused)
    found = scores(compare(catalogue, [COLOUR, "opencv:sift?words=4"], store))
    assert found[COLOUR] == expected[COLOUR]
    with pytest.raises(StoreBroken, match="Permission denied"):
        compare(catalogue, [COLOUR, HOG], store)


def test_a_store_without_items_serves_what_is_measured(catalogue, tmp_path, likelens, shop):
    compare(catalogue, [COLOUR], tmp_path / "new")
    assert open_store(tmp_path / "new").catalogue().ids == catalogue.ids
    compare(catalogue.take(catalogue.ids[:4]), [COLOUR], tmp_path / "new")
    assert open_store(tmp_path / "new").count() == 8
    asked = ["evaluate", shop, "--tags", "kind", "-e", COLOUR, "--out", tmp_path / "report"]
    assert likelens(*asked)[0] == 0
    code, out, _ = likelens("search", "1", "--store", tmp_path / "report" / "store", "--json")
    assert code == 0
    assert json.loads(out)["hits"]
    paint(tmp_path / "images" / "new.png", 9)
    shop.write_text(shop.read_text() + "new,red,hat,1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, _, err = likelens(*asked)
    assert code == 0
    assert "1 of these items is not in" in err
    assert open_store(tmp_path / "report" / "store").count() == 8


def test_single_items_in_python(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    embed(catalogue, COLOUR, store)
    embed(catalogue, "opencv:sift?words=4", store)
    version = store.version()
    photo = noise(tmp_path / "photo.jpg", 77)
    assert store.upsert({"id": "new", "image": photo, "colour": "red", "stock": 3}) == ["new"]
    assert store.version() != version
    assert store.matching("stock = 3") == ["new"]
    assert (store.count(), store.count("colour = 'red'")) == (9, 3)
    for encoder in (COLOUR, "opencv:sift?words=4"):
        assert "new" in store.embeddings(encoder, ["new"]).ids
    assert search(store, str(photo), COLOUR, k=1, include_self=True).ids == ("new",)
    store.upsert([{"id": "new", "price": 9.5}, {"id": "1", "colour": "red"}])
    row = store.items().to_pylist()[-1]
    assert (row["colour"], row["stock"], row["price"], row["kind"]) == ("red", 3, 9.5, None)
    assert store.items().to_pylist()[1]["kind"] == "shirt", "other values stay"
    assert store.remove(["new", "0"]) == ["new", "0"]
    assert store.count() == 7
    assert "0" not in search(store, "1", COLOUR, k=20).ids
    assert store.upsert(catalogue.take(["0"])) == ["0"]
    assert store.info()["encoders"][0]["items"] == 8
    assert store.remove_unused() == {COLOUR: 1, "opencv:sift?words=4": 1}
    fsspec.filesystem("memory").pipe("/photo.jpg", photo.read_bytes())
    assert store.upsert({"id": "address", "image": "memory://photo.jpg"}) == ["address"]
    assert store.verify() == []
    assert store.embeddings(COLOUR, store.catalogue().ids).ids == store.catalogue().ids


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"image": "x"}, BadTable, "item 1 has no id"),
        ({"id": "new"}, BadTable, "'new' is new, and has no image"),
        ({"id": "new", "image": "gone.jpg"}, BadImage, "no such file"),
        ({"id": "1", "price": "cheap"}, BadTable, "does not fit: the store holds double"),
        ({"id": "1", "_path": "x"}, BadTable, "the store's own"),
        ([{"id": "1"}, {"id": "1"}], BadTable, "given twice"),
        ("1", BadTable, "an item is a mapping"),
        ({"id": "1", 5: "x"}, BadTable, "name of a column is a text"),
        ({"id": "1", "price": 2**1025}, BadTable, "does not fit"),
        ({"id": "new", "image": b"bytes"}, BadTable, "of type bytes"),
        ({"id": "1", "\udcff": "x"}, BadTable, "column .* is not valid Unicode"),
        ({"id": "\ud800", "image": "x"}, BadTable, "not valid Unicode"),
    ],
)
def test_wrong_items_change_nothing(store, row, error, message):
    before = served(store)
    with pytest.raises(error, match=message):
        open_store(store).upsert(row)
    with pytest.raises(BadTable, match="no such items: y"):
        open_store(store).remove(["1", "y"])
    assert served(store) == before


def test_single_items_follow_the_rule_for_tables(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    embed(catalogue, COLOUR, store)
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    photo = noise(tmp_path / "photo.jpg", 77)
    assert store.upsert({"id": f" {decomposed} ", "image": photo, composed: "x"}) == [composed]
    store.upsert({"id": decomposed, decomposed: decomposed, "kind": " NA", "stock": 2})
    store.upsert({"id": composed, "stock": 2.5, "day": datetime.date(2021, 3, 1)})
    row = store.items().to_pylist()[-1]
    assert (store.count(), row["kind"], row["stock"], row["day"]) == (9, None, 2.5, "2021-03-01")
    assert store.matching(f"{composed} = '{composed}'") == [composed]
    store.upsert([{"id": composed, "price": "nan"}, {"id": "2", "a.b": 1}])
    store.upsert([{"id": "2", "stock": 1}, {"id": "3", "a.b": "2"}])
    assert (store.matching("`a b` = 1"), store.matching("`a b` = 2")) == (["2"], ["3"])
    assert composed in store.matching("price is null")
    assert store.count([]) == 9
    assert store.remove([decomposed, 1]) == [composed, "1"]


def test_attributes_are_updated_without_the_encoder(store, monkeypatch):
    def opened(spec):
        raise AssertionError(spec)

    monkeypatch.setattr("likelens._embed.open_encoder", opened)
    assert open_store(store).upsert({"id": "1", "price": 7}) == ["1"]
    assert open_store(store).matching("price = 7") == ["1"]


def test_single_items_on_the_command_line(store, tmp_path, likelens):
    photo = noise(tmp_path / "photo.jpg", 77)
    asked = ("--store", store, "--json")
    code, out, err = likelens(
        "store", "upsert", *asked, "--id", "new", "--image", photo, "--set", "colour=red",
        "--set", "price=3", "--set", "stock=4", "--set", "code=007",
    )  # fmt: skip
    assert (code, json.loads(out)) == (0, {"upserted": ["new"], "items": 9}), err
    assert open_store(store).matching("stock > 3 and code = '007'") == ["new"]
    saved = ("--index", "hnsw", "-e", COLOUR, "--store", store, "--json")
    _, out, _ = likelens("search", photo, "--include-self", *saved)
    assert json.loads(out)["hits"][0]["id"] == "new"
    code, out, _ = likelens("store", "info", *asked)
    found = json.loads(out)
    assert (found["items"], found["encoders"][0]["items"], found["images_missing"]) == (9, 9, 0)
    code, out, _ = likelens("store", "remove", *asked, "--id", "new", "--id", "0", "--unused")
    assert json.loads(out)["removed"] == ["new", "0"]
    assert set(json.loads(out)["unused_vectors"].values()) == {2}
    _, out, _ = likelens("search", photo, "-k", 20, *saved)
    assert {hit["id"] for hit in json.loads(out)["hits"]} == set("1234567")
    assert likelens("store", "verify", *asked)[0] == 0
    for wrong in (
        ["upsert"],
        ["upsert", "--id", "1", "--set", "price"],
        ["remove"],
        ["upsert", "--id", "1", "--set", "new=\udcff"],
    ):
        assert likelens("store", *wrong, "--store", store)[0] == 2


def test_a_sync_keeps_listed_items_whose_images_are_not_there(store, part, likelens, tmp_path):
    given = ["embed", part, "--images", tmp_path / "images", "-e", COLOUR, "--store", store]
    photo = tmp_path / "images" / "0.png"
    content = photo.read_bytes()
    photo.unlink()
    code, _, err = likelens(*given, "--sync", "--skip-missing")
    assert code == 0
    assert "3 items removed: 5, 6, 7" in err
    assert open_store(store).items()["id"].to_pylist() == ["0", "1", "2", "3", "4", "x"]
    photo.write_bytes(content)
    assert "0" in search(store, "1", COLOUR, k=20).ids
    assert "0 embedded" in likelens(*given, "--sync")[1]


def test_folders_of_encoders_that_changed_places_are_found(store):
    one, other = sorted((store / "encoders").iterdir())
    one.rename(store / "x")
    other.rename(one)
    (store / "x").rename(other)
    with pytest.raises(StoreBroken, match="is that of another encoder"):
        search(store, "1", COLOUR)
    assert {Path(found["file"]).name for found in open_store(store).verify()} == {"card.json"}


def test_a_sync_says_what_it_removes(store, part, likelens, tmp_path):
    given = ["embed", part, "--images", tmp_path / "images", "-e", COLOUR, "--store", store]
    code, out, err = likelens(*given)
    assert (code, open_store(store).count()) == (0, 9)
    assert "0 removed" in out
    assert "removed:" not in err
    code, _, err = likelens(*given, "--sync")
    assert (code, open_store(store).count()) == (0, 6)
    assert "3 items removed: 5, 6, 7; 2 columns removed: colour, price" in err
    assert likelens(*given, "--forget")[0] == 0, "the name before"


def test_two_catalogues_share_a_store(store, part, tmp_path, likelens):
    before, seen = served(store), MeanColour()
    women = Catalogue.open(part, images=tmp_path / "images")
    embed(Catalogue.open(tmp_path / "shop.csv"), seen, store)
    assert seen.seen == 8
    again = MeanColour()
    embed(women, again, f"{store}#women")
    assert again.seen == 1, "vectors are shared"
    embed(women, COLOUR, f"{store}#women")
    assert served(store) == before
    hits = search(f"{store}#women", "x", COLOUR, k=20, where="kind = 'a'")
    assert set(hits.ids) == {"0", "2", "4"}
    code, out, err = likelens(
        "search", "x", "--store", f"{store}#women", "-e", COLOUR, "-k", 20, "--json"
    )
    assert {hit["id"] for hit in json.loads(out)["hits"]} == set("01234"), err
    code, _, _ = likelens("index", "build", "--store", f"{store}#women", "-e", COLOUR)
    assert code == 0
    assert len(list((store / "catalogues" / "women" / "indexes").glob("*/*.index"))) == 1
    assert open_store(store).info()["catalogues"] == ["", "women"]
    with pytest.raises(StoreBroken, match=r"no catalogue 'men'.*\n.*\n.*there are: women"):
        search(f"{store}#men", "x", COLOUR)
    with pytest.raises(BadSpec, match="cannot be the name"):
        open_store(f"{store}#x y")
    open_store(f"{store}#women").remove("x")
    assert open_store(store).remove_unused()[COLOUR] == 1, "only what no catalogue uses"


def test_a_folder_of_that_very_name_goes_first(catalogue, tmp_path):
    (tmp_path / "a#b").mkdir()
    embed(catalogue, MeanColour(), tmp_path / "a#b")
    assert (tmp_path / "a#b" / "store.json").is_file()
    assert not (tmp_path / "a").exists()


def test_a_shop_that_moves_with_its_store(store, shop, tmp_path, likelens, monkeypatch):
    kept = open_store(store)
    expected = search(kept, str(shop.parent / "images" / "3.png"), COLOUR, k=3)
    new = tmp_path / "elsewhere" / "shop"
    new.mkdir(parents=True)
    for name in ("images", "store"):
        shutil.move(tmp_path / name, new / name)
    found = search(new / "store", str(new / "images" / "3.png"), COLOUR, k=3)
    assert found.ids == expected.ids
    assert "3" not in found.ids, "the image of an item is still known as that"
    assert all(path.is_file() and new in path.parents for path in found.paths)
    monkeypatch.chdir(new)
    code, _, err = likelens(
        "search", "3", "--region", "0,0,9,9", "--store", "store", "-e", COLOUR, "--html", "h.html"
    )
    assert code == 0, err
    assert "data:image" in Path("h.html").read_text()
    open_store("store").upsert({"id": "3", "colour": "red"})
    assert open_store("store").info()["images_missing"] == 0


def test_a_store_that_moves_alone(store, tmp_path, likelens):
    new = tmp_path / "far" / "away" / "store"
    new.parent.mkdir(parents=True)
    shutil.move(store, new)
    (new.parent / "images").mkdir()
    paint(new.parent / "images" / "3.png", 5, (30, 9))  # of another shop
    assert open_store(new).info()["images_missing"] == 0, "the images are where they were"
    shutil.move(tmp_path / "images", tmp_path / "photos")
    code, out, err = likelens("store", "info", "--store", new)
    assert code == 0
    assert "8 images are not where they were" in err
    assert "--images FOLDER" in err
    assert len(search(new, "3", COLOUR, k=3)) == 3
    code, out, _ = likelens("store", "upsert", "--store", new, "--images", tmp_path / "photos")
    assert "8 images found" in out
    assert open_store(new).info()["images_missing"] == 0


def as_format_1(store):
    """The same store as version 0.1 kept it: vectors by item, no checksums, absolute paths."""
    items = lance.dataset(store / "items.lance").to_table().drop_columns(["_relative"])
    lance.write_dataset(items, store / "items.lance", mode="overwrite")
    for place in store.glob("encoders/*/vectors.lance"):
        table = lance.dataset(place).to_table()
        by_digest = dict(zip(items["_digest"].to_pylist(), items["id"].to_pylist(), strict=True))
        ids = [by_digest[digest] for digest in table["digest"].to_pylist()]
        shutil.rmtree(place)
        lance.write_dataset(table.add_column(0, "id", pa.array(ids)), place)
    for sums in store.rglob("sums"):
        sums.unlink()
    (store / "store.json").write_text('{"format": 1}')


def test_a_store_of_version_1_is_read_and_brought_up_to_date(catalogue, tmp_path):
    store = tmp_path / "store"
    made = embed(catalogue, MeanColour(), store)
    as_format_1(store)
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    opened = open_store(store)
    np.testing.assert_array_equal(opened.embeddings("test:mean", made.ids).vectors, made.vectors)
    assert compare(catalogue, [MeanColour()], store).table.num_rows == 1
    assert Searcher(store, MeanColour()).lacking == 0
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
    noise(tmp_path / "photo.png", 99)
    for _ in range(2):
        encoder = MeanColour()
        opened.upsert({"id": "new", "image": tmp_path / "photo.png"}, encoders=[encoder])
    assert encoder.seen == 0
    place = next(store.glob("encoders/*/vectors.lance"))
    assert lance.dataset(place).schema.names == ["digest", "vector"]
    assert json.loads((store / "store.json").read_text()) == {"format": 2}
    again = open_store(store).embeddings("test:mean", (*made.ids, "new"))
    np.testing.assert_array_equal(again.vectors[:8], made.vectors)
    assert len(again) == 9


def damages(data, sibling, chance):
    """Contents that a file may have after something went wrong."""
    for _ in range(3):
        flipped = bytearray(data)
        flipped[chance.integers(len(data))] ^= 1 << chance.integers(8)
        yield bytes(flipped)
    third = len(data) // 3
    yield from (data[: len(data) // 2], b"", sibling)
    yield data[:third] + bytes(min(512, len(data) - third)) + data[third + 512 :]
    yield None


def test_damage_is_found_before_a_wrong_answer(catalogue, tmp_path):
    store = tmp_path / "store"
    fill(catalogue.take(catalogue.ids[:6]), Centred(), open_store(store))
    catalogue.paths[7].write_bytes(b"no image")
    fill(catalogue, MeanColour(), open_store(store))

    def answers(place):
        opened = open_store(place)
        found = [opened.items().to_pylist(), opened.matching("kind = 'shoe'")]
        for name in ("test:mean", "test:centred?seed=1"):
            made = opened.embeddings(name, catalogue.ids)
            state = {key: one.tolist() for key, one in (opened.state(name) or {}).items()}
            found += [made.ids, made.vectors.tolist(), made.failures.to_pylist(), state]
            found.append(made.encoder.to_json())
        return found

    expected, chance, named = answers(store), np.random.default_rng(0), 0
    files = sorted(path for path in store.rglob("*") if path.is_file())
    for number, path in enumerate(files):
        data = path.read_bytes()
        if not data:
            continue
        for content in damages(data, files[number - 1].read_bytes(), chance):
            path.unlink() if content is None else path.write_bytes(content)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    assert answers(store) == expected, path
                except StoreBroken:
                    named += 1
            if content != data and path.name not in ("store.json", "latest_version_hint.json"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    listed = {Path(one["file"]) for one in open_store(store).verify()}
                assert path in listed or path.name == "sums", path
            path.write_bytes(data)
    assert named > 5 * len(files) / 2
    assert answers(store) == expected


def test_verify_names_damage_and_the_repair(store, shop, likelens):
    card = next(store.glob("encoders/opencv-colour*/card.json"))
    card.write_text(card.read_text().replace("opencv", "openvc", 1))
    index = next(store.glob("indexes/*/*.index"))
    index.write_bytes(index.read_bytes()[:5000])
    code, out, _ = likelens("store", "verify", "--store", store, "--json")
    found = {Path(one["file"]).name: one["repair"] for one in json.loads(out)["damaged"]}
    assert code == 1
    assert "--overwrite -e" in found["card.json"]
    assert "build the index again" in found[index.name]
    for repair in (["embed", shop, "--overwrite"], ["index", "build", "--overwrite"]):
        assert likelens(*repair, "-e", COLOUR, "--store", store)[0] == 0
    code, out, _ = likelens("store", "verify", "--store", store)
    assert (code, out) == (0, "no damage was found\n")


def test_overwriting_some_items_keeps_the_vectors_of_others(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    embed(catalogue, MeanColour(), store)
    encoder = MeanColour()
    embed(catalogue.take(["1", "2"]), encoder, store, overwrite=True)
    assert encoder.seen == 2
    made = store.embeddings("test:mean", catalogue.ids)
    np.testing.assert_array_equal(made.vectors, MeanColour().encode(catalogue.paths))
    with pytest.raises(FingerprintMismatch):
        compare(catalogue.take(["1", "2", "3"]), [MeanColour(2)], store, overwrite=True)
    compare(catalogue, [MeanColour(2)], store, overwrite=True)
    assert store.cards()[0].fingerprint == "version2"


def test_what_killed_runs_leave_is_removed_by_the_next_writer(store, catalogue):
    half = store / "encoders" / "opencv-half-00000000"
    (half / "vectors.lance" / "data").mkdir(parents=True)
    kept = next(store.glob("encoders/opencv-colour*"))
    dead = f".card.json.{2**22 + 1}-0123456789abcdef01234567.part"
    parts = [folder / dead for folder in (store, kept, store / "items.lance")]
    for path in parts:
        path.touch()
    stray = kept / "vectors.lance" / "data" / "uncommitted.lance"
    stray.write_bytes(b"half")
    fill(catalogue, MeanColour(), open_store(store))
    assert not half.exists()
    assert not any(path.exists() for path in parts)


def test_a_full_disk_is_no_wrong_use(store, part, monkeypatch, likelens, tmp_path):
    def full(*_given, **_more):
        raise OSError("LanceError(IO): No space left on device (os error 28)")

    before = served(store)
    with monkeypatch.context() as patched:
        patched.setattr(lance, "write_dataset", full)
        code, _, err = likelens(
            "embed", part, "--images", tmp_path / "images", "-e", COLOUR, "--store", store
        )
    assert code == 1
    assert "the disk is full" in err
    assert "free some space" in err
    assert served(store) == before


class TestCache:
    def evaluate(self, likelens, table, out, *more):
        code, text, err = likelens(
            "evaluate", table, "--images", table.parent / "images", "--tags", "kind", "--out", out,
            "--json", "-e", COLOUR, "-e", "opencv:sift?words=4", *more,
        )  # fmt: skip
        assert code == 0, err
        board = json.loads(text)
        rows = board["leaderboard"]
        return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]

    def test_another_report_embeds_nothing(self, likelens, shop, tmp_path, monkeypatch):
        from likelens.encoders.classical import ColourEncoder as Encoder

        seen, real = [], Encoder.prepare
        monkeypatch.setattr(Encoder, "prepare", lambda *given: seen.append(1) or real(*given))
        first = self.evaluate(likelens, shop, tmp_path / "one")
        assert len(seen) == 8
        assert self.evaluate(likelens, shop, tmp_path / "two") == first
        assert len(seen) == 8
        made = open_store(tmp_path / "two" / "store")
        assert made.embeddings(COLOUR, made.catalogue().ids).ids == made.catalogue().ids
        self.evaluate(likelens, shop, tmp_path / "three", "--overwrite")
        assert len(seen) == 16

    def test_what_was_learnt_elsewhere_is_not_taken(self, likelens, shop, part, tmp_path, cache):
        alone = self.evaluate(likelens, part, tmp_path / "alone")
        shutil.rmtree(cache / "vectors")
        self.evaluate(likelens, shop, tmp_path / "shop")
        assert self.evaluate(likelens, part, tmp_path / "after") == alone

    def test_two_encoders_of_one_name_do_not_clash(self, catalogue, tmp_path):
        from likelens.store.cache import with_cache

        for version in (1, 2, 1):
            encoder, store = MeanColour(version), with_cache(None)
            made = embed(catalogue, encoder, store)
            assert made.fingerprint == f"version{version}"
        assert encoder.seen == 0

    def test_a_cache_that_fails_is_left_alone(self, catalogue, cache):
        from likelens.store.cache import with_cache

        embed(catalogue, MeanColour(), with_cache(None))
        for path in (cache / "vectors").glob("encoders/*/vectors.lance/data/*"):
            path.write_bytes(b"damaged")
        encoder = MeanColour()
        with pytest.warns(UserWarning, match="cache of vectors is not used: a part of the store"):
            made = embed(catalogue, encoder, with_cache(None))
        assert (len(made), encoder.seen) == (8, 8)


def test_boxes_come_to_all_items_or_to_none(catalogue, tmp_path):
    boxed = replace(catalogue, boxes=np.tile([1, 2, 20, 30], (8, 1)))
    store = open_store(tmp_path / "store")
    embed(catalogue, MeanColour(), store)
    with pytest.raises(BadTable, match="images of this catalogue have boxes, those of the store"):
        embed(boxed.take(boxed.ids[:3]), MeanColour(), store)
    embed(boxed, MeanColour(), store)
    assert store.catalogue().boxes.tolist() == boxed.boxes.tolist()
    with pytest.raises(BadTable, match="images of this store have boxes"):
        embed(catalogue.take(catalogue.ids[:3]), MeanColour(), store)
    embed(catalogue, MeanColour(), store)
    assert store.catalogue().boxes is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_shop_behind_a_link(catalogue, tmp_path):
    (tmp_path / "shops").mkdir()
    (tmp_path / "shops" / "link").symlink_to(tmp_path)
    embed(Catalogue.open(tmp_path / "shops" / "link" / "shop.csv"), COLOUR, tmp_path / "store")
    (tmp_path / "new").mkdir()
    for name in ("images", "store"):
        shutil.move(tmp_path / name, tmp_path / "new" / name)
    assert open_store(tmp_path / "new" / "store").info()["images_missing"] == 0
