import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import paint
from likelens import Catalogue, open_store
from likelens.values.errors import BadSpec, BadTable


def test_a_folder_of_class_folders(tmp_path):
    for name in ("cat/1.png", "cat/deep/1.jpg", "dog/1.png", ".hidden/1.png", "dog/notes.txt"):
        (paint if name[-3:] != "txt" else lambda path, _: path.write_text("x"))(tmp_path / name, 1)
    catalogue = Catalogue.open(tmp_path)
    assert catalogue.ids == ("cat/1.png", "cat/deep/1.jpg", "dog/1.png")
    assert catalogue.labels == ("cat", "cat", "dog")
    assert catalogue.tags.names == ("cat", "dog")
    assert all(path.is_file() for path in catalogue.paths)


def test_a_folder_with_a_line_break_in_its_name(tmp_path):
    paint(tmp_path / "red\nhats" / "1.png", 1)
    opened = Catalogue.open(tmp_path)
    assert opened.ids == ("red\nhats/1.png",)
    assert opened.attributes.to_pylist() == [{"class": "red\nhats", "file": "1.png"}]


def test_names_that_are_no_text_are_one_sentence(tmp_path):
    paint(tmp_path / "hats" / "1.png", 1)
    (tmp_path / "hats" / "1.png").rename(tmp_path / "hats" / os.fsdecode(b"1\xff.png"))
    with pytest.raises(BadTable, match=r"1 name of a picture is not UTF-8: 'hats/1\\udcff.png'"):
        Catalogue.open(tmp_path)


def test_links_to_folders_are_followed_but_not_round_for_ever(tmp_path):
    paint(tmp_path / "far" / "1.png", 1)
    paint(tmp_path / "here" / "hats" / "2.png", 2)
    (tmp_path / "here" / "bags").symlink_to(tmp_path / "far")
    (tmp_path / "here" / "hats" / "round").symlink_to(tmp_path / "here")
    (tmp_path / "far" / "back").symlink_to(tmp_path / "here" / "hats")
    found = Catalogue.open(tmp_path / "here").ids
    assert found == ("bags/1.png", "bags/back/2.png", "hats/2.png")


def test_purchases_that_are_not_there_are_said_at_once(shop):
    with pytest.raises(BadTable, match="no such table"):
        Catalogue.open(shop, purchases="gone.csv")


def test_a_flat_folder_has_no_tags(tmp_path):
    paint(tmp_path / "1.png", 1)
    catalogue = Catalogue.open(tmp_path)
    assert catalogue.ids == ("1.png",)
    assert catalogue.tags.names == ()


def test_a_table_with_tags(shop):
    catalogue = Catalogue.open(shop, tags=["colour", "kind"], split="|")
    assert catalogue.ids == tuple("01234567")
    assert catalogue.paths[3].name == "3.png"
    assert catalogue.tags.names == ("blue", "green", "red", "shirt", "shoe")
    assert catalogue.tags.matrix.toarray()[:3].tolist() == [
        [0, 0, 1, 1, 0],
        [1, 0, 1, 1, 0],
        [0, 0, 0, 1, 0],
    ]
    assert catalogue.attributes["colour"].to_pylist()[:3] == [["red"], ["blue", "red"], []]
    assert catalogue.attributes["price"].to_pylist()[1] == 1.5


def test_missing_values_are_configurable(shop):
    catalogue = Catalogue.open(shop, tags=["colour"], split="|", missing=["green"])
    assert catalogue.tags.names == ("NA", "blue", "red")


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "tsv", "semicolon.csv"])
def test_every_kind_of_table_says_the_same(shop, kind):
    table = pa.table(
        {
            "sku": ["a", "b"],
            "file": ["0.png", "1.png"],
            "colour": [["red", "blue"], None]
            if kind in ("parquet", "jsonl")
            else ["red|blue", "NA"],
            "year": [2011, None],
        }
    )
    path = shop.parent / f"other.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        mark = "\t" if kind == "tsv" else ";"
        rows = [table.column_names, *(row.values() for row in table.to_pylist())]
        cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
        path.write_text("\ufeff" + "".join(mark.join(row) + "\n" for row in cells))
    catalogue = Catalogue.open(
        path,
        id="sku",
        image="file",
        tags=["colour", "year"],
        split="|",
        images=shop.parent / "images",
    )
    assert catalogue.ids == ("a", "b")
    assert catalogue.tags.names == ("blue", "red", "2011")
    assert catalogue.tags.matrix.toarray().tolist() == [[1, 1, 1], [0, 0, 0]]


def test_numeric_ids_are_text(shop):
    pq.write_table(pa.table({"id": [0, 1]}), shop.parent / "n.parquet")
    assert Catalogue.open(shop.parent / "n.parquet").ids == ("0", "1")


def test_catalogue_toml(shop):
    toml = shop.parent / "catalogue.toml"
    toml.write_text('table = "shop.csv"\nimages = "images"\ntags = ["colour"]\nsplit = "|"\n')
    catalogue = Catalogue.open(toml)
    assert catalogue.tags.names == ("blue", "green", "red")
    assert Catalogue.open(shop.parent).ids == catalogue.ids, "a folder that holds one"
    assert Catalogue.open(toml, tags=["kind"]).tags.names == ("shirt", "shoe"), "options go before"


def test_sizes_can_be_dropped(shop):
    catalogue = Catalogue.open(shop, tags=["colour", "kind"], drop=["kind"])
    assert catalogue.tags.category_names == ("colour",)
    with pytest.raises(BadTable, match="no tag category 'size'"):
        Catalogue.open(shop, tags=["colour"], drop=["size"])


def test_products_and_classes(shop):
    catalogue = Catalogue.open(shop, product="kind", category="colour")
    assert catalogue.products[-1] == "shoe"
    assert catalogue.labels[:3] == ("red", "blue|red", None)


def test_purchases(shop):
    (shop.parent / "bought.csv").write_text(
        "customer,item,date\nc1,0,2020\nc2,1,2021\nc2,NA,2021\n"
    )
    purchases = Catalogue.open(shop, purchases=shop.parent / "bought.csv").purchases
    assert list(zip(purchases.customers, purchases.items, strict=True)) == [
        ("c1", "0"),
        ("c2", "1"),
    ]
    assert purchases.baskets is None
    assert Catalogue.open(shop).purchases is None
    (shop.parent / "bought.csv").write_text("customer,item,basket,b\nc1,0,x,1\nc2,1,,2\n")
    for options, baskets in (({}, ["x", ""]), ({"basket": "b"}, ["1", "2"])):
        bought = Catalogue.open(shop, purchases=shop.parent / "bought.csv", **options).purchases
        assert bought.baskets.tolist() == baskets
    (shop.parent / "wrong.csv").write_text("who,item\nc1,0\n")
    with pytest.raises(BadTable, match="no column 'customer' for purchases"):
        _ = Catalogue.open(shop, purchases=shop.parent / "wrong.csv").purchases


def test_repeated_ids_are_counted_and_named(shop):
    shop.write_text("id\n1\n1\n2\n2\n3\n")
    with pytest.raises(BadTable, match="2 ids stand on several rows: 1, 2"):
        Catalogue.open(shop)


def test_missing_pictures_are_counted_and_named_or_skipped(shop):
    shop.write_text("id\n1\n71\n72\n73\n74\n\n2\n")
    with pytest.raises(BadTable, match="4 items have no picture: 71, 72, 73 and 1 more"):
        Catalogue.open(shop)
    catalogue = Catalogue.open(shop, skip_missing=True)
    assert catalogue.ids == ("1", "2")
    assert any("left out 4 rows" in note for note in catalogue.notes)


def test_rows_without_an_id_are_named(shop):
    shop.write_text("id,colour\n1,red\nNA,blue\n2,red\n")
    with pytest.raises(BadTable, match="1 row has no id: row 2"):
        Catalogue.open(shop)
    assert Catalogue.open(shop, skip_missing=True).ids == ("1", "2")


def test_a_table_and_a_folder_that_do_not_match(shop, tmp_path):
    paint(tmp_path / "others" / "x.png", 1)
    with pytest.raises(BadTable, match="none of the 8 rows has a picture"):
        Catalogue.open(shop, images=tmp_path / "others", skip_missing=True)


def test_pictures_without_a_row_are_noted(shop):
    paint(shop.parent / "images" / "extra.png", 1)
    assert Catalogue.open(shop).notes[0].startswith("1 image in ")


def test_an_id_that_fits_two_pictures(shop):
    paint(shop.parent / "images" / "1.jpg", 1)
    with pytest.raises(BadTable, match=r"1 id fits several images: 1 \(1.jpg, 1.png\)"):
        Catalogue.open(shop)


@pytest.mark.parametrize("name", ["../outside.png", "/etc/outside.png", "a/../../outside.png"])
def test_pictures_cannot_leave_their_folder(shop, name):
    paint(shop.parent / "outside.png", 1)
    shop.write_text(f"id,file\n1,{name}\n")
    with pytest.raises(BadTable, match="outside the folder of pictures"):
        Catalogue.open(shop, image="file", images=shop.parent / "images")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": "sku"}, "no column 'sku' for ids"),
        ({"image": "file"}, "no column 'file' for images"),
        ({"tags": ["size"]}, "the columns are: id, colour, kind, price"),
        ({"product": "p"}, "no column 'p' for products"),
        ({"category": "c"}, "no column 'c' for classes"),
        ({"images": "nowhere"}, "no such folder"),
        ({"tags": "colour"}, "is a list of texts"),
    ],
)
def test_wrong_options(shop, options, message):
    with pytest.raises(BadTable, match=message):
        Catalogue.open(shop, **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "no such folder or table"),
        ("x.xlsx", b"", "not a kind of table"),
        ("x.csv", b"id,a\n1,2,3\n", "cannot be read"),
        ("x.csv", b"id,a\n\xff\xfe,2\n", "cannot be read"),
        ("x.csv", b"", "cannot be read"),
        ("x.csv", b"id,a\n", "no rows"),
        ("x.csv", b"id,id\n1,2\n", "two columns have one name"),
        ("x.parquet", b"PAR1", "cannot be read"),
        ("x.jsonl", b'{"id": 1}\n{"id": \n', "the row on line 2 is not JSON: Expecting value"),
        ("x.jsonl", b'{"id": 1}\n\n{"id": "\xff"}\n', "line 3 is not UTF-8"),
        ("x.jsonl", b'{"id": 1}\n[2]\n', "the row on line 2 is not an object"),
        ("x.jsonl", b'{"id": 1}\n{"id": null}\n{"id": "b"}\n', "'id' is of another kind on line 3"),
        ("x.jsonl", b'{\n"id": 1\n}\n{\n"id"\n}', "the row on line 4 is not JSON: Expecting ':'"),
        ("x.jsonl", b'{"id": 1} {"id": 2}\n{"id":', "the row on line 2 is not JSON"),
        ("x.jsonl", b'{"id":' + b"[" * 200_000, "line 1 is not JSON: it is nested too deeply"),
        ("x.json", b'[{"id": 1}]', "this is one list, not JSON lines"),
        ("x.jsonl", b"null\n", "row on line 1 is not an object"),
        ("x.jsonl", b'{"id": "1", "a": "caf\xe9"}\n', "line 1 is not UTF-8"),
        (
            "x.csv",
            b"id,a\n" + b"1,caf\xc3\xa9\n" * 200_000 + b"2,caf\xe9\n",
            "line 200,002 is not UTF-8",
        ),
        ("x.csv", b"id,a\n1,2\n" + b"3,4\n" * 9 + b"5\n", "line 12 has 1 cell, the header 2"),
        ("x.jsonl", b"", "cannot be read: Empty"),
        ("x.toml", b"table = ", "not TOML"),
        ("x.toml", b'tabel = "x.csv"', "unknown key tabel"),
        ("x.toml", b'tags = "colour"', "tags must be a list"),
        ("x.toml", b"table = 3", "table must be a text"),
    ],
)
def test_wrong_files(shop, name, content, message):
    path = shop.parent / "wrong" / name
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadTable, match=message):
        Catalogue.open(path, images=shop.parent / "images")


def test_a_folder_that_cannot_be_looked_into_is_never_taken_for_empty(shop, monkeypatch):
    import os

    real = os.scandir

    def refuse(path):
        if str(path).endswith("images"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(BadTable, match="cannot be looked into: Permission denied"):
        Catalogue.open(shop)


def test_what_a_toml_drops_need_not_be_among_tags_given_since(shop):
    toml = shop.parent / "catalogue.toml"
    toml.write_text('table = "shop.csv"\ntags = ["colour", "kind"]\ndrop = ["kind"]\n')
    assert Catalogue.open(toml).tags.category_names == ("colour",)
    assert Catalogue.open(toml, tags=["colour"]).tags.category_names == ("colour",)


@pytest.mark.parametrize("name", ["id", "image", "product", "category", "split"])
def test_a_folder_has_no_columns(tmp_path, name):
    paint(tmp_path / "cat" / "1.png", 1)
    with pytest.raises(BadTable, match=f"no columns, so --{name}"):
        Catalogue.open(tmp_path, **{name: "x"})


def test_an_empty_folder(tmp_path):
    with pytest.raises(BadTable, match="no image in this folder"):
        Catalogue.open(tmp_path)


def test_take_keeps_everything_together(shop):
    catalogue = Catalogue.open(shop, tags=["colour", "kind"], split="|", product="kind")
    part = catalogue.take(["5", "1"])
    assert [path.name for path in part.paths] == ["5.png", "1.png"]
    assert part.attributes["price"].to_pylist() == [5.5, 1.5]
    assert part.products == ("shoe", "shirt")
    assert part.tags.ids == ("5", "1")
    with pytest.raises(BadTable, match="1 item is not in the catalogue: 9"):
        catalogue.take(["9"])


def test_the_fashion_table(real_data):
    folder = real_data / "data" / "fashion-products"
    catalogue = Catalogue.open(folder / "styles.csv", tags=["articleType", "baseColour", "usage"])
    assert len(catalogue) == 9583
    assert [len(catalogue.tags.columns(name)) for name in catalogue.tags.category_names] == [
        75,
        43,
        6,
    ]
    per_item = catalogue.tags.matrix.sum(axis=1)
    assert (per_item < 3).sum() == 11, "3 colours and 8 usages are NA"


def test_skipped_rows_and_unlisted_images_are_named(shop):
    table = shop.read_text() + "9,red,shirt,1\n,red,shirt,1\n"
    shop.write_text(table)
    paint(shop.parent / "images" / "extra.png", 1)
    opened = Catalogue.open(shop, skip_missing=True)
    assert opened.skipped == (("9", "the row has no image"), ("row 10", "the row has no id"))
    assert opened.unlisted == ("extra.png",)


def test_columns_of_unique_tags_are_noted(tmp_path):
    for number in range(30):
        paint(tmp_path / "images" / f"{number}.png", number)
    rows = [
        f"{number},{number}.5,{number % 3},{'nan' if number % 2 else 'red'}" for number in range(30)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["id,price,size,colour", *rows]))
    found = Catalogue.open(tmp_path / "t.csv", tags=["price", "size", "colour"], product="colour")
    assert "\n".join(found.notes) == (
        "nearly every value is unique in 1 tag column: price (30 of 30 values); items share none "
        "of them, so leave out such columns (--drop), or group their values\n"
        "some texts look like missing values, but count as values: 'nan' in 15 cells of colour; "
        "if they mean that there is none: --missing NA,,null,nan"
    )
    quiet = Catalogue.open(
        tmp_path / "t.csv", tags=["price", "size", "colour"], drop=["price"], missing=["", "nan"]
    )
    assert quiet.notes == ()
    assert quiet.tags.names == ("0", "1", "2", "red")


@pytest.mark.parametrize("given", [5, b"images", None])
def test_a_source_and_a_store_are_paths(given):
    with pytest.raises(BadTable, match="a source is a path, not"):
        Catalogue.open(given)
    if given is not None:  # a store in memory
        with pytest.raises(BadSpec, match="a store is a path, not"):
            open_store(given)
