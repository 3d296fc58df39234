"""Boxes: the part of a picture that counts, and how a store tells it from the whole."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conftest import paint
from likelens import Catalogue, embed
from likelens._embed import fill
from likelens._protocol import same_files
from likelens._search import Searcher
from likelens.encoders.opening import open_encoder
from likelens.images import open_image
from likelens.report.thumbnails import thumbnails
from likelens.store.base import open_store
from likelens.values.boxes import COLUMNS, Boxed, box_text, parse_box
from likelens.values.errors import BadImage, BadTable, LikelensError

SPEC = "opencv:colour"
HALVES = ("0,0,12,20", "12,0,12,20")
sides = st.integers(-3, 30)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return paint(tmp_path_factory.mktemp("boxes") / "1.png", 1)


@pytest.fixture
def halves(tmp_path):
    """A table of three items of one file: its left half, its right half, and all of it."""
    pixels = np.zeros((20, 24, 3), np.uint8)
    pixels[:, :12], pixels[:, 12:] = (250, 10, 10), (10, 10, 250)
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "red-blue.png")
    return write(tmp_path / "halves.csv", ["left", "right", "all"], [*HALVES, "0,0,24,20"])


def write(path, ids, boxes):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "file", "bbox"])
        rows.writerows([item, "red-blue.png", box] for item, box in zip(ids, boxes, strict=True))
    return path


def opened(table, **options):
    return Catalogue.open(table, image="file", **{"bbox": True, **options})


@given(st.tuples(sides, sides, sides, sides))
def test_a_box_is_the_part_that_a_slow_copy_finds(picture, box):
    x, y, width, height = box
    whole = open_image(picture)
    inside = [
        [whole[row, column] for column in range(24) if x <= column < x + width]
        for row in range(20)
        if y <= row < y + height
    ]
    if not inside or not inside[0]:
        with pytest.raises(BadImage, match=f"the box {box_text(box)} has no part of the image"):
            open_image(Boxed(picture, box))
        return
    np.testing.assert_array_equal(open_image(Boxed(picture, box)), np.array(inside))


def test_a_box_counts_pixels_of_the_upright_picture(tmp_path):
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    lying = Image.fromarray(np.rot90(pixels).copy())
    exif = lying.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it upright
    lying.save(tmp_path / "turned.png", exif=exif)
    whole = open_image(tmp_path / "turned.png")
    assert whole.shape == (4, 6, 3)
    found = open_image(Boxed(tmp_path / "turned.png", (1, 2, 3, 2)))
    np.testing.assert_array_equal(found, pixels[2:4, 1:4])


whole_numbers = st.integers(-999_999_999, 999_999_999)


@given(st.tuples(whole_numbers, whole_numbers, whole_numbers, whole_numbers))
def test_a_box_as_text_reads_back(box):
    assert parse_box(box_text(box)) == box == parse_box(str(list(box)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "1,2,3,x4",
        "a1,2,3,4",
        "1e5,2,3,4",
        "1,2,9999999999",
        "1,2,3,9999999999",
    ],
)
def test_texts_that_are_no_box(text):
    assert parse_box(text) is None


class TestTables:
    def test_kinds_of_columns(self, halves):
        boxes = [[0, 0, 12, 20], [12, 0, 12, 20], [0, 0, 24, 20]]
        assert opened(halves).boxes.tolist() == boxes
        assert opened(halves, bbox=False).boxes is None
        ids, files = ["left", "right", "all"], ["red-blue.png"] * 3
        folder = halves.parent
        pq.write_table(pa.table({"id": ids, "file": files, "bbox": boxes}), folder / "l.parquet")
        assert opened(folder / "l.parquet").boxes.tolist() == boxes
        sides = {name: [box[n] for box in boxes] for n, name in enumerate(COLUMNS)}
        pq.write_table(pa.table({"id": ids, "file": files, **sides}), folder / "s.parquet")
        assert opened(folder / "s.parquet").boxes.tolist() == boxes

    def test_no_column(self, shop):
        with pytest.raises(BadTable, match="no boxes: no column bbox, nor x, y, width, height"):
            Catalogue.open(shop, bbox=True)

    def test_a_folder_has_no_boxes(self, shop):
        with pytest.raises(BadTable, match="so --bbox says nothing"):
            Catalogue.open(shop.parent / "images", bbox=True)
        (shop.parent / "catalogue.toml").write_text('images = "images"\nbbox = true\n')
        with pytest.raises(BadTable, match="so --bbox says nothing"):
            Catalogue.open(shop.parent)

    def test_wrong_empty_and_flat_boxes(self, halves):
        write(halves, ["a", "b", "c"], ["1,2,3,4", "1,2,3", "x"])
        with pytest.raises(BadTable, match=r"2 boxes are not four numbers: row 2 \(1,2,3\), row 3"):
            opened(halves)
        write(halves, ["a", "b", "c"], ["1,2,3,4", "", "1,2,-3,4"])
        message = r"1 item has no box: b; 1 box has no area: c \(1,2,-3,4\)"
        with pytest.raises(BadTable, match=message):
            opened(halves)
        assert opened(halves, skip_missing=True).ids == ("a",)
        write(halves, ["b"], [""])
        with pytest.raises(BadTable, match="1 item has no box"):
            opened(halves, skip_missing=True)


class TestStores:
    def test_two_boxes_of_a_file_and_the_whole_are_three_pictures(self, halves):
        made = embed(opened(halves), SPEC)
        encoder = open_encoder(SPEC)
        whole = open_image(halves.parent / "images" / "red-blue.png")
        expected = encoder.encode([np.ascontiguousarray(whole[:, :12]), whole[:, 12:], whole])
        np.testing.assert_allclose(made.vectors, expected, atol=1e-6)

    def test_one_box_twice_is_looked_at_once(self, halves):
        write(halves, ["a", "b"], [HALVES[0]] * 2)
        run = fill(opened(halves), open_encoder(SPEC), open_store(None))
        assert (run.embedded, run.copied) == (1, 1)

    def test_a_store_never_takes_a_box_for_the_whole_or_another_box(self, halves, tmp_path):
        store = tmp_path / "store"
        whole = embed(opened(halves, bbox=False), SPEC, store)
        boxed = embed(opened(halves), SPEC, store)
        assert not np.allclose(whole.vectors[0], boxed.vectors[0])
        write(halves, ["left", "right", "all"], [HALVES[1], HALVES[0], "0,0,24,20"])
        turned = embed(opened(halves), SPEC, store)
        np.testing.assert_array_equal(turned.vectors, boxed.vectors[[1, 0, 2]])
        again = embed(opened(halves, bbox=False), SPEC, store)
        np.testing.assert_array_equal(again.vectors, whole.vectors)

    def test_nothing_is_done_twice(self, halves, tmp_path):
        store = open_store(tmp_path / "store")
        fill(opened(halves), open_encoder(SPEC), store)
        run = fill(opened(halves), open_encoder(SPEC), store)
        assert (run.embedded, run.copied, run.kept) == (0, 0, 3)

    def test_a_box_outside_its_picture_is_set_aside(self, halves):
        write(halves, ["left", "outside"], [HALVES[0], "24,0,5,5"])
        made = embed(opened(halves), SPEC)
        assert made.ids == ("left",)
        failure = made.failures.to_pylist()[0]
        assert failure["id"] == "outside"
        assert failure["reason"].startswith("the box 24,0,5,5 has no part of the image, which ha")

    def test_an_encoder_that_learns_learns_from_boxes(self, halves):
        seen = []
        encoder = open_encoder("opencv:sift?words=16")
        fit = encoder.fit

        def watched(images):
            seen.extend(images)
            fit(seen)

        encoder.fit = watched
        with pytest.raises(LikelensError):  # two colours have no key points to learn from
            fill(opened(halves), encoder, open_store(None))
        assert [one.box for one in seen] == [(0, 0, 24, 20), (0, 0, 12, 20), (12, 0, 12, 20)]


class TestSearch:
    @pytest.fixture
    def searcher(self, halves, tmp_path):
        embed(opened(halves), SPEC, tmp_path / "store")
        return Searcher(tmp_path / "store", SPEC)

    def test_hits_show_their_box(self, searcher, halves):
        hits = searcher.search("left", k=3)
        assert hits.ids == ("all", "right")[: len(hits)]
        assert hits.shown[0] == Boxed(hits.paths[0], (0, 0, 24, 20))
        assert "_box" not in hits.attributes.column_names
        assert len(set(thumbnails(searcher.search("left", k=3).shown).values())) == len(hits)

    def test_the_whole_file_is_none_of_its_boxes(self, searcher, halves):
        path = halves.parent / "images" / "red-blue.png"
        assert searcher.reader.item(path) is None
        hits = searcher.search(path, k=1)
        assert hits.ids == ("all",)

    def test_a_box_can_be_asked_with(self, searcher, halves):
        path = halves.parent / "images" / "red-blue.png"
        assert searcher.search(Boxed(path, (0, 0, 10, 10)), k=1).ids == ("left",)


def test_own_pictures_by_file_and_box(halves):
    ours, whole = opened(halves), opened(halves, bbox=False)
    assert same_files(ours.take(["right", "left"]), ours).tolist() == [1, 0]
    assert same_files(whole.take(["left"]), ours).tolist() == [2], "by the file, of its last box"


def test_the_page_of_a_comparison_shows_the_boxes(halves, tmp_path, likelens):
    lines = [f"{n},red-blue.png,{HALVES[n % 2]!r},{'rb'[n % 2]}".replace("'", '"')
             for n in range(6)]  # fmt: skip
    halves.write_text("\n".join(["id,file,bbox,colour", *lines]))
    code, out, _ = likelens(
        "evaluate", halves, "--image", "file", "--tags", "colour", "--bbox", "-e", SPEC,
        "--out", tmp_path / "report", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)
    page = (tmp_path / "report" / "report.html").read_text()
    assert "--bbox" in page, "the command that makes it again"
    path = halves.parent / "images" / "red-blue.png"
    whole, left = thumbnails([path, Boxed(path, (0, 0, 12, 20))]).values()
    assert left in page
    assert whole not in page
