"""Judgements and the image metadata of the VSD release, written and read again."""

from __future__ import annotations

import json

import pytest

from conftest import paint
from likelens import Catalogue, Judgements
from likelens.eds import VoteBook
from likelens.values.datasets.release import describe
from likelens.values.errors import BadTable


@pytest.fixture
def shop(tmp_path):
    """A table of four pictures of three products, one picture in a folder of its own."""
    names = ["0.png", "1.png", "new/2.png", "3.png"]
    for seed, name in enumerate(names):
        paint(tmp_path / "pictures" / "shop" / name, seed)
    rows = [
        f"i{n},{name},{product},{kind},{box}"
        for n, (name, product, kind, box) in enumerate(
            zip(
                names, ["p", "p", "q", ""], ["hat", "hat", "", "boot"], ["1 2 9 8"] * 4, strict=True
            )
        )
    ]
    table = tmp_path / "shop.csv"
    table.write_text("id,image,product,kind,bbox\n" + "\n".join(rows) + "\n")
    return {
        "source": table, "images": tmp_path / "pictures" / "shop", "image": "image",
        "product": "product", "category": "kind", "bbox": True,
    }  # fmt: skip


@pytest.fixture
def wild(tmp_path):
    """A folder of class folders that asks."""
    for seed in (7, 8):
        paint(tmp_path / "pictures" / "street" / "hat" / f"{seed}.png", seed)
    return Catalogue.open(tmp_path / "pictures" / "street")


@pytest.fixture
def book(tmp_path):
    with VoteBook.open(tmp_path / "votes.db") as opened:
        yield opened


def there_and_back(book, folder, catalogue, queries, images):
    """Exports, reads both files, and returns the catalogue read and its judged pairs."""
    done = book.export_file(
        folder / "tags.json", metadata=folder / "images.json", catalogue=catalogue, queries=queries
    )
    assert done.release.root == images
    judged = Judgements.read(folder / "tags.json")
    pairs = dict(
        zip(zip(judged.queries, judged.candidates, strict=True), judged.grades, strict=True)
    )
    return Catalogue.open(folder / "images.json", images=images, skip_missing=True), pairs


def test_a_catalogue_that_asks_itself(book, shop, tmp_path):
    catalogue = Catalogue.open(**shop)
    votes = {("i0", "i1"): 1, ("i0", "i2"): 0, ("i3", "i0"): 1}
    book.add_pool(*zip(*votes, strict=True))
    for pair, vote in votes.items():
        book.put("Ann", *pair, vote)
    read, pairs = there_and_back(book, tmp_path, catalogue, None, shop["images"])
    path = dict(zip(catalogue.ids, ["0.png", "1.png", "new/2.png", "3.png"], strict=True))
    assert pairs == {(path[query], path[item]): vote for (query, item), vote in votes.items()}
    assert read.ids == tuple(path.values())
    assert [one.resolve() for one in read.paths] == [one.resolve() for one in catalogue.paths]
    assert read.products == ("p", "p", "q", "i3")
    assert read.labels == ("hat", "hat", None, "boot")
    assert read.attributes["phase"].to_pylist() == ["query", "gallery", "gallery", "query"]
    boxed = Catalogue.open(tmp_path / "images.json", images=shop["images"], bbox=True)
    assert boxed.boxes.tolist() == catalogue.boxes.tolist()
    entry = json.loads((tmp_path / "images.json").read_text())["images"][0]
    assert entry == {
        "id": "p", "path": "0.png", "phase": "query", "category": "hat",
        "bbox": {"x1": 1, "y1": 2, "x2": 10, "y2": 10},
    }  # fmt: skip


def test_queries_in_the_wild(book, shop, wild, tmp_path):
    catalogue = Catalogue.open(**shop | {"bbox": False})
    book.add_pool(["hat/7.png", "hat/8.png"], ["i0", "i2"])
    book.put("Ann", "hat/7.png", "i0", 1)
    book.put("Ann", "hat/8.png", "i2", 0)
    read, pairs = there_and_back(book, tmp_path, catalogue, wild, tmp_path / "pictures")
    street = ["street/hat/7.png", "street/hat/8.png"]
    assert pairs == {(street[0], "shop/0.png"): 1, (street[1], "shop/new/2.png"): 0}
    assert len(read) == 6
    asking = Catalogue.open(tmp_path / "images.json", images=tmp_path / "pictures", part=["query"])
    assert list(asking.ids) == street
    assert asking.products == ("hat/7.png", "hat/8.png")


def test_one_picture_in_both_catalogues(shop):
    catalogue = Catalogue.open(**shop)
    part = catalogue.take(["i2", "i3"])
    found = describe(catalogue, part)
    assert (len(found.images), found.both) == (4, 2)
    assert [one["phase"] for one in found.images] == ["gallery", "gallery", "query", "query"]
    assert describe(catalogue).both == 0
    other = Catalogue.open(**shop | {"product": "kind"}).take(["i2"])
    with pytest.raises(BadTable, match=r"1 picture stands in both catalogues .*: new/2.png"):
        describe(catalogue, other)


def test_what_cannot_be_told_by_picture(book, shop, tmp_path):
    table = shop["source"]
    table.write_text(table.read_text() + "i4,0.png,p,hat,1 2 3 4\n")
    with pytest.raises(BadTable, match=r"1 item shares a picture .*: 0.png \(i0 and i4\)"):
        describe(Catalogue.open(**shop))


def test_wrong_use(book, shop, wild, tmp_path):
    catalogue = Catalogue.open(**shop)
    book.add_pool(["i0", "x"], ["i1", "y"])
    for pair in (("i0", "i1"), ("x", "y")):
        book.put("Ann", *pair, 1)
    tags, images = tmp_path / "tags.json", tmp_path / "images.json"
    for more, message in (
        ({"metadata": images}, "go together"),
        ({"catalogue": catalogue}, "go together"),
        ({"queries": wild}, "go together"),
        ({"metadata": tags, "catalogue": catalogue}, "needs a file of its own"),
        ({"metadata": tmp_path / "i.csv", "catalogue": catalogue}, "as JSON"),
        ({"metadata": images, "catalogue": catalogue}, "2 of the judged items .*: x, y"),
    ):
        with pytest.raises(BadTable, match=message):
            book.export_file(tags, **more)
        assert not tags.exists()
        assert not images.exists()
