"""Readers of DeepFashion and VSD, on small trees of their layout that these tests make."""

import json
from pathlib import Path

import pytest

from conftest import paint
from likelens import Catalogue
from likelens.values.datasets.base import DATASETS, find_dataset
from likelens.values.datasets.lists import folders
from likelens.values.errors import BadTable

IN_SHOP = {
    "img/WOMEN/Dresses/id_00000002/02_1_front.jpg": ("id_00000002", "train", "3", "1"),
    "img/WOMEN/Dresses/id_00000002/02_2_side.jpg": ("id_00000002", "train", "3", "2"),
    "img/WOMEN/Tees Tanks/id_00000007/01_1_front.jpg": ("id_00000007", "query", "1", "1"),
    "img/WOMEN/Tees Tanks/id_00000007/01_3_back.jpg": ("id_00000007", "gallery", "1", "3"),
    "img/MEN/Denim/id_00000080/01_4_full.jpg": ("id_00000080", "gallery", "2", "4"),
}
PAIRS = [
    ("img/TOPS/Blouse/id_1/comsumer_01.jpg", "img/TOPS/Blouse/id_1/shop_01.jpg", "id_1", "train"),
    ("img/TOPS/Blouse/id_1/comsumer_02.jpg", "img/TOPS/Blouse/id_1/shop_01.jpg", "id_1", "train"),
    ("img/DRESSES/A b/id_2/comsumer_01.jpg", "img/DRESSES/A b/id_2/shop_01.jpg", "id_2", "test"),
    ("img/DRESSES/A b/id_2/comsumer_01.jpg", "img/DRESSES/A b/id_2/shop_02.jpg", "id_2", "test"),
    ("img/TOPS/Blouse/id_3/comsumer_01.jpg", "img/TOPS/Blouse/id_3/shop_01.jpg", "id_3", "val"),
]
IN_SHOP_HEADER = "image_name item_id evaluation_status"
PAIR_HEADER = "image_pair_name_1 image_pair_name_2 item_id evaluation_status"
IN_SHOP_BOXES = "image_name clothes_type pose_type x_1 y_1 x_2 y_2"


def write_list(path, header, rows, count=None, end="\n"):
    """A list of DeepFashion, in columns as wide as theirs."""
    lines = [str(len(rows) if count is None else count), header]
    lines += ["   ".join(map(str, row)) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(lines) + end).encode())
    return path


def write_in_shop(root, *, end="\n"):
    """In-shop with a picture per row; each box is 10 x 8 pixels at (2, 3)."""
    for seed, name in enumerate(IN_SHOP):
        paint(root / "Img" / name, seed)
    rows = [(name, item, status) for name, (item, status, _, _) in IN_SHOP.items()]
    write_list(root / "Eval" / "list_eval_partition.txt", IN_SHOP_HEADER, rows, end=end)
    boxes = [(name, kind, pose, "002", "003", 12, 11) for name, (*_, kind, pose) in IN_SHOP.items()]
    write_list(root / "Anno" / "list_bbox_inshop.txt", IN_SHOP_BOXES, boxes, end=end)
    return root


@pytest.fixture
def in_shop(tmp_path):
    return write_in_shop(tmp_path / "in-shop")


@pytest.fixture
def consumer(tmp_path):
    root = tmp_path / "consumer-to-shop"
    names = list(dict.fromkeys(name for pair in PAIRS for name in pair[:2]))
    for seed, name in enumerate(names):
        paint(root / name, seed)
    write_list(root / "Eval" / "list_eval_partition.txt", PAIR_HEADER, PAIRS)
    header = "image_name clothes_type source_type x_1 y_1 x_2 y_2"
    rows = [(name, 1, 2 if "comsumer" in name else 1, 0, 0, 5, 6) for name in names]
    write_list(root / "Anno" / "list_bbox_consumer2shop.txt", header, rows)
    return root


@pytest.fixture
def vsd(tmp_path):
    """The metadata of four pictures, two of which are seeds; returns its path."""
    entries = [
        {"id": "a", "path": "img/MEN/Denim/a/1.jpg", "phase": "query", "category": "Denim",
         "color": "blue", "bbox": [1, 2, 4, 3]},
        {"id": "a", "path": "img/MEN/Denim/a/2.jpg", "phase": "gallery", "category": "Denim",
         "color": None, "bbox": {"x1": 1, "y1": 2, "x2": 4, "y2": 6}},
        {"id": 7, "path": "img/WOMEN/Tees/b/1.jpg", "phase": "gallery", "category": "Tees",
         "bbox": [0, 0, 5, 6]},
        {"id": "c", "path": "img/WOMEN/Tees/c/1.jpg", "phase": "train"},
    ]  # fmt: skip
    for seed, entry in enumerate(entries):
        paint(tmp_path / "pictures" / entry["path"], seed)
    path = tmp_path / "vsd" / "metadata.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"images": entries}, indent=1))
    seeds = {"seeds": [entries[0]["path"], entries[2]["path"], "img/elsewhere.jpg"]}
    (path.parent / "seeds.json").write_text(json.dumps(seeds))
    manifest = {"images": [{"path": one["path"]} for one in entries[:2]]}
    (path.parent / "manifest.json").write_text(json.dumps(manifest))
    return path


class TestInShop:
    def test_all_of_it(self, in_shop):
        catalogue = Catalogue.open(in_shop)
        assert catalogue.ids == tuple(IN_SHOP)
        assert catalogue.products == tuple(item for item, *_ in IN_SHOP.values())
        assert catalogue.labels == ("Dresses", "Dresses", "Tees Tanks", "Tees Tanks", "Denim")
        assert catalogue.tags.category_names == ("gender", "category", "clothes_type")
        assert catalogue.attributes["gender"].to_pylist()[-1] == "MEN"
        assert catalogue.attributes["clothes_type"].to_pylist()[1:3] == ["full body", "upper body"]
        assert catalogue.attributes["pose"].to_pylist()[3:] == ["back", "zoom out"]
        assert all(path.is_file() for path in catalogue.paths)
        assert catalogue.boxes is None

    def test_a_part(self, in_shop):
        query = Catalogue.open(in_shop, part=["query"])
        assert query.ids == ("img/WOMEN/Tees Tanks/id_00000007/01_1_front.jpg",)
        both = Catalogue.open(in_shop, part=["gallery", "query"])
        assert both.attributes["part"].to_pylist() == ["query", "gallery", "gallery"]

    def test_the_list_itself_is_a_source_and_may_stand_in_a_toml(self, in_shop, tmp_path):
        table = in_shop / "Eval" / "list_eval_partition.txt"
        assert Catalogue.open(table).ids == tuple(IN_SHOP)
        toml = tmp_path / "queries.toml"
        toml.write_text(f'table = "{table.as_posix()}"\npart = ["query"]\nbbox = true\n')
        catalogue = Catalogue.open(toml)
        assert len(catalogue) == 1
        assert catalogue.boxes.tolist() == [[2, 3, 10, 8]]
        toml.write_text(f'table = "{table.as_posix()}"\nbbox = "yes"\n')
        with pytest.raises(BadTable, match="bbox must be true or false"):
            Catalogue.open(toml)

    def test_boxes(self, in_shop):
        catalogue = Catalogue.open(in_shop, bbox=True)
        assert catalogue.boxes.tolist() == [[2, 3, 10, 8]] * 5
        assert catalogue.take([catalogue.ids[3]]).boxes.tolist() == [[2, 3, 10, 8]]
        (in_shop / "Anno" / "bbox").mkdir()
        old = in_shop / "Anno" / "list_bbox_inshop.txt"
        old.rename(in_shop / "Anno" / "bbox" / old.name)
        assert Catalogue.open(in_shop, bbox=True).boxes.shape == (5, 4), "as some copies have it"

    def test_windows_line_ends_and_slashes(self, tmp_path):
        root = write_in_shop(tmp_path / "windows", end="\r\n")
        assert Catalogue.open(root, bbox=True).ids == tuple(IN_SHOP)
        path = root / "Eval" / "list_eval_partition.txt"
        path.write_text(path.read_text().replace("/", "\\"))
        assert Catalogue.open(root, bbox=True).ids == tuple(IN_SHOP)

    def test_without_a_list_of_boxes(self, in_shop):
        (in_shop / "Anno" / "list_bbox_inshop.txt").unlink()
        catalogue = Catalogue.open(in_shop)
        assert catalogue.attributes["clothes_type"].to_pylist() == [None] * 5
        with pytest.raises(BadTable, match=r"there is no list of boxes.*list_bbox_inshop.txt"):
            Catalogue.open(in_shop, bbox=True)

    def test_pictures_without_a_box_or_of_no_area_are_counted_and_named(self, in_shop):
        first, second, *rest = IN_SHOP
        rows = [(name, 1, 1, 2, 3, 12, 11) for name in rest] + [(second, 1, 1, 5, 5, 5, 9)]
        write_list(in_shop / "Anno" / "list_bbox_inshop.txt", IN_SHOP_BOXES, rows)
        with pytest.raises(BadTable, match=r"1 item has no box: .*; 1 box has no area") as told:
            Catalogue.open(in_shop, bbox=True)
        assert first in told.value.what
        assert f"{second} (5,5,0,4)" in told.value.what
        catalogue = Catalogue.open(in_shop, bbox=True, skip_missing=True)
        assert catalogue.ids == tuple(rest)
        assert catalogue.notes == ("left out 2 rows without an id, a picture or a box",)

    def test_missing_pictures_are_counted_or_skipped(self, in_shop):
        (in_shop / "Img" / next(iter(IN_SHOP))).unlink()
        with pytest.raises(BadTable, match="1 item has no picture: img/WOMEN/Dresses"):
            Catalogue.open(in_shop)
        assert len(Catalogue.open(in_shop, skip_missing=True)) == 4
        assert len(Catalogue.open(in_shop, part=["gallery"])) == 2, "it is in another part"

    def test_large_pictures_by_images(self, in_shop):
        high = in_shop / "Img" / "img_highres"
        (in_shop / "Img" / "img").rename(high)
        catalogue = Catalogue.open(in_shop, images=high)
        assert catalogue.ids == tuple(IN_SHOP), "named as in the lists"
        assert all(path.is_file() for path in catalogue.paths)
        with pytest.raises(BadTable, match=r"boxes .* are of the small pictures, not of img"):
            Catalogue.open(in_shop, images=high, bbox=True)

    def test_no_such_folder(self, in_shop, tmp_path):
        with pytest.raises(BadTable, match="there is no such folder"):
            Catalogue.open(in_shop, images=tmp_path / "nowhere")

    def test_own_choice_of_tags(self, in_shop):
        catalogue = Catalogue.open(in_shop, tags=["pose", "category"], drop=["category"])
        assert catalogue.tags.category_names == ("pose",)
        with pytest.raises(BadTable, match="no column 'colour' for tags"):
            Catalogue.open(in_shop, tags=["colour"])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (f"6\n{IN_SHOP_HEADER}\nimg/a/b/c/1.jpg id query\n", "says 6 rows, and there are 1"),
            (f"0\n{IN_SHOP_HEADER}\n", "no rows"),
            ("1\nimage_name item_id status\nimg/1.jpg i query\n", "header of no data set"),
            (f"{IN_SHOP_HEADER}\nimg/1.jpg i query\n", "header of no data set"),
            ("", "header of no data set"),
            (f"1\n{IN_SHOP_HEADER}\nimg/1.jpg i tset\n", r"1 row has a status .* tset \(img/1.j"),
            (f"1\n{IN_SHOP_HEADER}\nimg/1.jpg query\n", "1 line is not .*: lines 3"),
            (f"2\n{IN_SHOP_HEADER}\nimg/1.jpg i query\n\nimg/2 i train\n", ": lines 5"),
            (
                f"2\n{IN_SHOP_HEADER}\nimg/1.jpg i query\nimg/1.jpg j train\n",
                "1 id stands on several rows",
            ),
            (f"1\n{IN_SHOP_HEADER}\nimg/../../../1.jpg i query\n", "outside the folder"),
            (f"1\n{IN_SHOP_HEADER}\n/etc/1.jpg i query\n", "outside the folder"),
        ],
    )
    def test_wrong_partitions(self, in_shop, text, message):
        paint(in_shop.parent / "1.jpg", 1)
        (in_shop / "Eval" / "list_eval_partition.txt").write_text(text)
        with pytest.raises(BadTable, match=message):
            Catalogue.open(in_shop)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1\nimage_name x_1 y_1 x_2 y_2\nimg/1.jpg 1 2 3 4\n", "does not start with a count"),
            (f"2\n{IN_SHOP_BOXES}\nimg/1.jpg 1 1 1 2 3 4\n", "says 2 rows, and there are 1"),
            (f"1\n{IN_SHOP_BOXES}\nimg/1.jpg 1 1 1 2 3 x\n", "1 box is not four whole numbers"),
            (f"3\n{IN_SHOP_BOXES}\na.jpg 1 1 1 2 3 4\na.jpg 1 1 1 2 3 4\na.jpg 1 1 1 2 3 5\n",
             "1 line gives a picture another box than a line before: a.jpg"),
            ("", "but with nothing"),
        ],
    )  # fmt: skip
    def test_wrong_boxes(self, in_shop, text, message):
        (in_shop / "Anno" / "list_bbox_inshop.txt").write_text(text)
        with pytest.raises(BadTable, match=message):
            Catalogue.open(in_shop, bbox=True)

    @pytest.mark.parametrize("name", ["id", "image", "product", "category", "split"])
    def test_it_names_its_own_columns(self, in_shop, name):
        with pytest.raises(BadTable, match=f"names its own columns, so --{name} says nothing"):
            Catalogue.open(in_shop, **{name: "x"})
        toml = in_shop / "catalogue.toml"
        toml.write_text(f'table = "Eval/list_eval_partition.txt"\n{name} = "x"\n')
        with pytest.raises(BadTable, match=f"names its own columns, so --{name} says nothing"):
            Catalogue.open(in_shop)

    def test_unknown_parts(self, in_shop):
        with pytest.raises(BadTable, match="has no part test") as told:
            Catalogue.open(in_shop, part=["test"])
        assert "the parts are: train, query, gallery" in told.value.hint
        with pytest.raises(BadTable, match="not one text"):
            Catalogue.open(in_shop, part="query")


class TestConsumerToShop:
    def test_every_picture_once(self, consumer):
        catalogue = Catalogue.open(consumer)
        assert catalogue.ids[:3] == (PAIRS[0][0], PAIRS[0][1], PAIRS[1][0])
        assert len(catalogue) == 8
        assert catalogue.products[:4] == ("id_1", "id_1", "id_1", "id_2")
        assert catalogue.labels[3] == "A b", "names may hold blanks"
        assert catalogue.tags.category_names == ("group", "category", "clothes_type")

    def test_parts_by_status_and_side(self, consumer):
        def ids(*part):
            return Catalogue.open(consumer, part=list(part)).ids

        assert ids("test-consumer") == (PAIRS[2][0],)
        assert ids("test-shop") == (PAIRS[2][1], PAIRS[3][1])
        assert ids("val-shop", "test-shop") == (PAIRS[2][1], PAIRS[3][1], PAIRS[4][1])
        assert len(ids("consumer")) == 4
        assert len(ids("test")) == 3

    def test_boxes(self, consumer):
        assert Catalogue.open(consumer, bbox=True).boxes.tolist() == [[0, 0, 5, 6]] * 8

    def test_the_first_line_may_count_pictures(self, consumer):
        path = consumer / "Eval" / "list_eval_partition.txt"
        write_list(path, PAIR_HEADER, PAIRS, count=8)
        assert len(Catalogue.open(consumer)) == 8
        write_list(path, PAIR_HEADER, PAIRS, count=7)
        with pytest.raises(BadTable, match="says 7 rows, and there are 5"):
            Catalogue.open(consumer)

    def test_a_picture_of_two_items(self, consumer):
        pairs = [*PAIRS, (PAIRS[0][0], PAIRS[4][1], "id_3", "val")]
        write_list(consumer / "Eval" / "list_eval_partition.txt", PAIR_HEADER, pairs)
        with pytest.raises(BadTable, match=r"1 picture belongs to two items: .*comsumer_01.jpg"):
            Catalogue.open(consumer)

    def test_an_unknown_status(self, consumer):
        pairs = [(*pair[:3], "query") for pair in PAIRS]
        write_list(consumer / "Eval" / "list_eval_partition.txt", PAIR_HEADER, pairs)
        with pytest.raises(BadTable, match="5 rows have a status that is none of train, val, test"):
            Catalogue.open(consumer)


class TestVsd:
    def test_all_of_it(self, vsd):
        catalogue = Catalogue.open(vsd, images=vsd.parent.parent / "pictures")
        assert catalogue.ids[0] == "img/MEN/Denim/a/1.jpg"
        assert catalogue.products == ("a", "a", "7", "c")
        assert catalogue.labels == ("Denim", "Denim", "Tees", None)
        assert catalogue.tags.names == ("Denim", "Tees", "blue")
        assert catalogue.attributes["phase"].to_pylist()[-1] == "train"

    def test_a_plain_list_of_images(self, vsd):
        whole = Catalogue.open(vsd, images=vsd.parent.parent / "pictures", part=["gallery"])
        vsd.write_text(json.dumps(json.loads(vsd.read_text())["images"], indent=1))
        plain = Catalogue.open(vsd, images=vsd.parent.parent / "pictures", part=["gallery"])
        assert (plain.ids, plain.products, plain.labels) == (
            whole.ids, whole.products, whole.labels,
        )  # fmt: skip

    def test_phases_and_lists_of_pictures(self, vsd, tmp_path, monkeypatch):
        def found(*part):
            return Catalogue.open(vsd, images=vsd.parent.parent / "pictures", part=list(part))

        assert len(found("gallery")) == 2
        seeds = found("seeds.json")
        assert [item[-8:] for item in seeds.ids] == ["/a/1.jpg", "/b/1.jpg"]
        assert seeds.notes == ("1 of the 3 pictures of seeds.json are not listed",)
        assert found("gallery", "manifest.json").ids == ("img/MEN/Denim/a/2.jpg",)
        assert len(found("seeds.json", "manifest.json")) == 1
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine.json").write_text(json.dumps({"seeds": ["img/WOMEN/Tees/c/1.jpg"]}))
        assert len(found("mine.json")) == 1, "as it is named, or beside the metadata"
        with pytest.raises(BadTable, match=r"no picture is in --part gallery,mine.json"):
            found("gallery", "mine.json")
        with pytest.raises(BadTable, match="there is no such file"):
            found("nowhere.json")

    def test_boxes_of_both_kinds(self, vsd):
        options = {"images": vsd.parent.parent / "pictures", "bbox": True}
        with pytest.raises(BadTable, match=r"1 item has no box: img/WOMEN/Tees/c/1.jpg"):
            Catalogue.open(vsd, **options)
        catalogue = Catalogue.open(vsd, skip_missing=True, **options)
        assert catalogue.boxes.tolist() == [[1, 2, 3, 4], [1, 2, 3, 4], [0, 0, 6, 5]]

    @pytest.mark.parametrize(
        ("entries", "message"),
        [
            ([{"id": "a"}], "1 of 1 images have no path or no id: number 1"),
            ([{"path": "a.jpg"}, {"id": "a", "path": ""}], "2 of 2 images .*: a.jpg, number 2"),
            ([{"id": 1, "path": "a.jpg"}, 5], "1 of 2 images .*: number 2"),
            ([{"id": 1, "path": "a.jpg", "bbox": [1, 2]}], r"not \[x, y, h, w\] or two corners: a"),
            ([{"id": 1, "path": "a.jpg", "bbox": {"x1": 1}}], "1 of 1 images have a bbox"),
            ([{"id": 1, "path": "../a.jpg"}], "outside the folder of pictures"),
        ],
    )
    def test_wrong_metadata(self, vsd, entries, message):
        vsd.write_text(json.dumps({"images": entries}))
        with pytest.raises(BadTable, match=message):
            Catalogue.open(vsd)

    def test_without_boxes(self, vsd):
        paint(vsd.parent / "a.jpg", 1)
        vsd.write_text(json.dumps({"images": [{"id": 1, "path": "a.jpg"}]}))
        assert Catalogue.open(vsd).products == ("1",)
        with pytest.raises(BadTable, match=r"no image of .*metadata.json has a bbox"):
            Catalogue.open(vsd, bbox=True)

    def test_metadata_cut_short(self, vsd):
        vsd.write_text(vsd.read_text()[:-20])
        with pytest.raises(BadTable, match="the JSON file cannot be read"):
            Catalogue.open(vsd)

    @pytest.mark.parametrize("text", ["[]", '{"seeds": []}', '{"images": [{"id": 1}]}', "{", "3"])
    def test_wrong_lists_of_pictures(self, vsd, text):
        (vsd.parent / "seeds.json").write_text(text)
        with pytest.raises(BadTable, match=r"lists no pictures|cannot be read"):
            Catalogue.open(vsd, images=vsd.parent.parent / "pictures", part=["seeds.json"])


def test_plain_tables_stay_what_they_are(shop):
    path = shop.parent / "rows.json"
    path.write_text('{"id": "0", "images": ["0.png"]}\n{"id": "1", "images": []}\n')
    assert find_dataset(path) is None
    assert Catalogue.open(path).ids == ("0", "1")
    rows = [{"id": name, "images": [{"file": f"{name}.png"}]} for name in "01"]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert find_dataset(path) is None
    assert Catalogue.open(path).ids == ("0", "1")
    with pytest.raises(BadTable, match="no published data set and has no part query"):
        Catalogue.open(shop, part=["query"])
    (shop.parent / "notes.txt").write_text("3\nnotes\n")
    with pytest.raises(BadTable, match="not a kind of table"):
        Catalogue.open(shop.parent / "notes.txt")


def test_every_reader_says_what_it_reads():
    titles = [DATASETS.load(name)().title for name in DATASETS.names()]
    assert len(set(titles)) == len(titles) == 3


def test_folders_of_a_name():
    assert folders("img/MEN/Denim/id/1.jpg", 2) == ("MEN", "Denim")
    assert folders("img/MEN/id/1.jpg", 2) == ("MEN", None)
    assert folders("1.jpg", 2) == (None, None)


def test_commands_read_parts_and_boxes(in_shop, tmp_path, likelens):
    code, out, _ = likelens(
        "embed", in_shop, "--part", "query,gallery", "--bbox", "-e", "opencv:colour",
        "--store", tmp_path / "store", "--json",
    )  # fmt: skip
    assert code == 0
    item = "img/WOMEN/Tees Tanks/id_00000007/01_1_front.jpg"
    code, out, _ = likelens("search", item, "--store", tmp_path / "store", "-k", 2, "--json")
    assert code == 0
    hits = json.loads(out)["hits"]
    assert [hit["box"] for hit in hits] == [[2, 3, 10, 8]] * 2
    code, _, err = likelens(
        "search", item, "--store", tmp_path / "store", "--where", "colour = 'red'"
    )
    assert code == 2
    assert "category (text)" in err
    assert "_box" not in err
    code, _, err = likelens("embed", in_shop, "--part", "tset", "-e", "opencv:colour",
                            "--store", tmp_path / "store")  # fmt: skip
    assert code == 2
    assert "has no part tset" in err
    assert Path(hits[0]["path"]).is_file()
