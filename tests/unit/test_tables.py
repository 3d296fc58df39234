"""Tables: the same content means the same in every kind of file, and nothing else gets through."""

import csv
import datetime
import decimal
import io
import json
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import paint
from likelens import Catalogue
from likelens.values.errors import BadTable, LikelensError
from likelens.values.layout import find_layout
from likelens.values.qrels import Judgements
from likelens.values.tables import read_records, read_table, texts
from likelens.values.text_files import read_toml

ROWS = [
    {"id": "007", "name": "red shoe", "product": 12, "size": 8.0, "day": "2021-03-01", "on": True,
     "stock": 3, "price": 9.5, "ean": "12345678901234567890", "usage": "NA"},
    {"id": "010", "name": "1,5; \"x\"", "product": None, "size": 9.5, "day": None, "on": False,
     "stock": None, "price": None, "ean": None, "usage": ""},
    {"id": "a b", "name": "null", "product": 12, "size": None, "day": "2021-03-02", "on": None,
     "stock": -1, "price": 1e-7, "ean": "9", "usage": "  null "},
    {"id": "é", "name": "  ", "product": 7, "size": 8.0, "day": "NA", "on": True,
     "stock": 0, "price": 20.0, "ean": "2", "usage": " é "},
]  # fmt: skip
KINDS = (
    "csv",
    "semicolon",
    "tsv",
    "bom.csv",
    "crlf.csv",
    "jsonl",
    "ndjson",
    "parquet",
    "dictionary",
)


def write(path, kind, rows):
    """The rows as a file of some kind, its text decomposed (NFD) to see that it is composed."""
    rows = [
        {
            name: unicodedata.normalize("NFD", c) if isinstance(c, str) else c
            for name, c in row.items()
        }
        for row in rows
    ]
    if kind in ("jsonl", "ndjson"):
        path = path / f"table.{kind}"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    elif kind in ("parquet", "dictionary"):
        path = path / "table.parquet"
        table = pa.Table.from_pylist(rows)
        for place, name in enumerate(table.column_names):
            if kind == "dictionary":
                cells = (
                    table[name].cast(pa.large_string())
                    if table[name].type == "string"
                    else table[name]
                )
                table = table.set_column(place, name, cells.dictionary_encode())
        pq.write_table(table, path)
    else:
        delimiter = {"semicolon": ";", "tsv": "\t"}.get(kind, ",")
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter,
                                lineterminator="\r\n" if kind == "crlf.csv" else "\n")  # fmt: skip
        writer.writeheader()
        # a whole column of floats is written 12.0, as pandas does beside missing values
        floats = [
            {n: f"{c:.1f}" if n == "product" and c else c for n, c in row.items()} for row in rows
        ]
        writer.writerows(floats)
        path = path / ("table.tsv" if kind == "tsv" else "table.csv")
        encoding = "utf-8-sig" if kind == "bom.csv" else "utf-8"
        path.write_bytes(text.getvalue().encode(encoding))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_table_is_the_same_catalogue_in_every_kind_of_file(tmp_path, kind):
    for row in ROWS:
        paint(tmp_path / "images" / f"{row['id']}.png", 1)
    path = write(tmp_path, kind, ROWS)
    found = Catalogue.open(path, product="product", category="name", tags=["usage", "size"])
    assert found.ids == ("007", "010", "a b", "é")
    assert found.products == ("12", None, "12", "7")
    assert found.labels == ("red shoe", '1,5; "x"', None, None)
    assert found.tags.names == ("é", "8", "9.5")
    kinds = dict(
        zip(found.attributes.column_names, map(str, found.attributes.schema.types), strict=True)
    )
    assert kinds == {
        "name": "string", "product": "string", "size": "string", "day": "string", "on": "bool",
        "stock": "int64", "price": "double", "ean": "string", "usage": "string",
    }  # fmt: skip
    cells = found.attributes.to_pydict()
    assert cells["usage"] == [None, None, None, "é"]
    assert cells["day"] == ["2021-03-01", None, "2021-03-02", None]
    assert cells["on"] == [True, False, None, True]
    assert cells["stock"] == [3, None, -1, 0]
    assert cells["price"] == [9.5, None, 1e-7, 20.0]
    assert cells["ean"] == ["12345678901234567890", None, "9", "2"]
    assert cells["product"] == ["12", None, "12", "7"], "IS NULL finds the items without a product"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_missing_in_side_tables_too(tmp_path, shop, kind):
    rows = [
        {"customer": "c1", "item": "0", "query": "0", "candidate": "1", "grade": "1"},
        {"customer": "null", "item": "1", "query": "1", "candidate": "NA", "grade": "NA"},
        {"customer": "c2", "item": " ", "query": "2", "candidate": "0", "grade": "0"},
    ]
    path = write(tmp_path, kind, rows)
    bought = Catalogue.open(shop, purchases=path).purchases
    assert list(zip(bought.customers, bought.items, strict=True)) == [("c1", "0")]
    with pytest.raises(BadTable, match=r"(row|line) 2 lacks a grade"):
        Judgements.read(path)
    assert read_records(path)[1] == {"item": "1", "query": "1"}


def test_ids_stay_as_csv_has_them_and_are_whole_beside_missing_ones(tmp_path, shop):
    for name in ("1.0", "2.5"):
        paint(shop.parent / "images" / f"{name}.png", 1)
    shop.write_text("id,size\n1.0,8.0\n2.5,9.5\n")
    found = Catalogue.open(shop, tags=["size"])
    assert found.ids == ("1.0", "2.5")
    assert found.tags.names == ("8", "9.5"), "as of a column of floats in Parquet"
    (tmp_path / "p.csv").write_text("customer,item\na,1.0\nb,\n")
    assert Catalogue.open(shop, purchases=tmp_path / "p.csv").purchases.items.tolist() == ["1"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["7", "08"], ["7", "08"]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["nan", "1.5"], [None, 1.5]),
        (["1", "NA"], [1, None]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["0x1F", "2"], ["0x1F", "2"]),
        (["+5", "2"], ["+5", "2"]),
        (["007.5", "2"], ["007.5", "2"]),
        (["TRUE", "false"], [True, False]),
        (["true", "perhaps"], ["true", "perhaps"]),
        (["12:30", "2021-03-01 12:00"], ["12:30", "2021-03-01 12:00"]),
        (["nan", "red"], ["nan", "red"]),
    ],
)
def test_csv_is_numbers_only_where_all_of_it_is_written_as_numbers(tmp_path, cells, expected):
    (tmp_path / "x.csv").write_text("".join(f"{cell},-\n" for cell in ("a", *cells)))
    found = read_table(tmp_path / "x.csv")["a"].to_pylist()
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None], pa.uint8()), [1, None]),
        (pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)]),
        (pa.array([1.5, float("nan")], pa.float32()), [1.5, None]),
        (pa.array([decimal.Decimal("1.50")]), [1.5]),
        (pa.array([decimal.Decimal(7)]), [7]),
        (pa.array([datetime.date(2021, 3, 1)]), ["2021-03-01"]),
        (pa.array([datetime.datetime(2021, 3, 1)], pa.timestamp("ns")), ["2021-03-01"]),
        (pa.array([datetime.datetime(2021, 3, 1, 12, 5)]), ["2021-03-01 12:05:00"]),
        (pa.array([datetime.time(12, 5)]), ["12:05:00"]),
        (pa.array([datetime.timedelta(days=1)]), ["1 day, 0:00:00"]),
        (pa.array(["a", "NA"]).dictionary_encode(), ["a", None]),
        (pa.array(["a", "null"], pa.large_string()), ["a", None]),
        (pa.array(["a", ""], pa.string_view()), ["a", None]),
        (pa.array([b"a", b"NA"]), ["a", None]),
        (pa.array([b"ab"], pa.binary(2)), ["ab"]),
        (pa.array([{"w": 1}, None]), ['{"w": 1}', None]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), ['[["k", 1]]']),
        (pa.array([["a", "b"], None]), [["a", "b"], None]),
        (pa.array([["a"]], pa.large_list(pa.large_string())), [["a"]]),
        (pa.array([["a"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))), [["a"]]),
        (pa.array([["a"], None], pa.list_(pa.string_view())), [["a"], None]),
        (pa.array([[1, 2]]), [[1, 2]]),
        (pa.array([[[1]]]), ["[[1]]"]),
        (pa.nulls(1), [None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_every_type_of_parquet_becomes_one_of_ours(tmp_path, array, expected):
    pq.write_table(pa.table({"a": array}), tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet")["a"].to_pylist() == expected


def test_ids_of_bytes_are_text_or_refused(tmp_path, shop):
    path = shop.parent / "bytes.parquet"
    pq.write_table(pa.table({"id": [b"1", b"2"]}), path)
    assert Catalogue.open(path).ids == ("1", "2")
    pq.write_table(pa.table({"id": [b"1", b"\xff"]}), path)
    with pytest.raises(BadTable, match=r"'id' for ids .* holds bytes that are not UTF-8"):
        Catalogue.open(path)


def test_a_table_of_20_000_columns_and_long_cells_is_read(tmp_path, shop):
    names = [f"c{place}" for place in range(20_000)]
    long = "x" * 3_000_000
    path = shop.parent / "wide.csv"
    path.write_text(f"id,{','.join(names)}\n0,{long},{','.join('1' * 19_999)}\n")
    found = Catalogue.open(path, tags=names[:2000])
    assert found.attributes.num_columns == 20_000
    assert found.attributes["c0"].to_pylist() == [long]
    with pytest.raises(BadTable, match="no column 'c20000'") as error:
        Catalogue.open(path, tags=["c20000"])
    assert len(str(error.value)) < 1000, "the hint does not list 20,000 columns"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b'{"id": 1, "a": ' + b"[" * 1000 + b"]" * 1000 + b"}\n", "nested too deeply"),
        ("x.jsonl", b'{"id": "\\ud800"}\n', r"a cell of 'id' is not whole text: '\\ud800'"),
        ("x.jsonl", b'{"id": ' + b"9" * 5000 + b"}", "line 1 is not JSON: Exceeds the limit"),
        ("x.jsonl", b"".join(b'{"k%d": 1}\n' % n for n in range(11_000)), "hardly any cell"),
        ("x.toml", b"a=" + b"[" * 100_000, "not TOML: it is nested too deeply"),
        ("x.toml", b"a=[[[", "not TOML"),
        ("x.toml", b"a=" + b"9" * 5000, "not TOML: Exceeds the limit"),
        ("x.toml", b"a='\xff'", "line 1 is not UTF-8"),
        ("x.parquet", b"PAR1" * 9, "cannot be read"),
        ("x.csv", b"\xff\xfei\x00d\x00", "line 1 is not UTF-8"),
        ("x.csv", b'id,"a\n1,2\n', "the quotation mark on line 1 is not closed"),
        ("x.csv", b'id,a\n1,2\n3,"x\n4,5\n6,7\n', "the quotation mark on line 3 is not closed"),
        ("x.csv", b"," * 20_000 + b"\n", "two columns have one name: ''"),
        ("x.toml", b"a." * 20_000 + b"b = 1", "not TOML: it is nested too deeply"),
    ],
)  # fmt: skip
def test_foreign_errors_are_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadTable, match=message) as error:
        Catalogue.open(tmp_path / name, images=tmp_path)
    assert len(str(error.value)) < 1000


def test_a_folder_named_as_a_table_is_said_to_be_one(tmp_path, shop):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(BadTable, match="this is a folder, not a table"):
        read_table(tmp_path / "x.csv")


def test_toml_with_a_byte_order_mark(tmp_path):
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbftable = "x.csv"\r\n')
    assert read_toml(tmp_path / "c.toml") == {"table": "x.csv"}


def examples(tmp_path):
    """A whole file of each kind, to be damaged."""
    rows = [{"id": str(n), "a": n / 2, "b": [str(n)], "c": {"d": n}, "e": None} for n in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "whole.parquet")
    return {
        "parquet": (tmp_path / "whole.parquet").read_bytes(),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "csv": b'id,a,b\n1,2.5,"x, y"\n2,,z\n3,1e9,true\n',
        "tsv": b"id\ta\n1\t2\n",
        "json": b'[{"key": ["a", "b"], "value": 1}]',
        "toml": b'table = "x.csv"\ntags = ["a", "b"]\nbbox = true\n',
        "txt": b"2\nimage_name item_id evaluation_status\nimg/a.jpg id_1 query\n",
    }


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damaged_files_give_a_sentence_or_a_table(tmp_path, data):
    whole = examples(tmp_path)
    kind = data.draw(st.sampled_from(sorted(whole)))
    content = bytearray(whole[kind])
    if data.draw(st.booleans()):
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        del content[data.draw(st.integers(0, len(content))) :]
    else:
        content = data.draw(st.binary(max_size=64))
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(bytes(content))
    for read in (read_table, read_records, find_layout, Judgements.read, Catalogue.open):
        try:
            found = read(path)
        except LikelensError:
            continue
        if isinstance(found, pa.Table):
            for cells in found.columns:
                texts(cells)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("x" * 5000, {}, "no such folder or table"),
        ("a\0b", {}, "no such folder or table"),
        ("s3://bucket/x.csv", {}, "only the images of a table may have addresses"),
        (None, {"images": "x" * 5000}, "no such folder"),
        (None, {"purchases": "x" * 5000}, "no such table"),
        (None, {"id": 1}, "1 is not the name of a column"),
        (None, {"tags": [1]}, "write '1', with quotes"),
        (None, {"missing": "NA"}, r"write missing=\['NA'\]"),
    ],
)
def test_odd_arguments_are_one_sentence(shop, source, options, message):
    with pytest.raises(BadTable, match=message) as error:
        Catalogue.open(shop if source is None else source, **options)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ({"id": 1, "path": "x" * 5000}, "none of the 1 rows has a picture"),
        ({"id": 1, "path": "a\0"}, "none of the 1 rows has a picture"),
        ({"id": "\ud800", "path": "a.png"}, "half a character"),
        ({"id": 1, "path": "a.png", "bbox": [[[[1]]]]}, "have a bbox that is not"),
    ],
)
def test_odd_entries_of_the_vsd_release_are_one_sentence(tmp_path, picture, message):
    paint(tmp_path / "a.png", 1)
    (tmp_path / "v.json").write_text(json.dumps({"images": [picture]}))
    with pytest.raises(BadTable, match=message) as error:
        Catalogue.open(tmp_path / "v.json")
    assert len(str(error.value)) < 1000
