"""What ``likelens check`` finds, on images and tags whose faults are known."""

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageFilter

import likelens
from likelens import Catalogue, garments
from likelens._check import wrong_tags
from likelens._check.copies import differences, find_part
from likelens.values.errors import BadTable


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The images and the table of 120 drawn garments."""
    source = garments.create(tmp_path_factory.mktemp("drawn"), items=120, seed=5)
    return Catalogue.open(source)


@pytest.fixture
def photos(drawn, tmp_path):
    """A folder with some drawn garments, and a table of them; returns what adds another image."""
    images = tmp_path / "images"
    images.mkdir()
    rows = []

    def add(item, image, product="", kind="x", ending="jpg", **options):
        rows.append((item, product or item, kind))
        if isinstance(image, bytes):
            (images / f"{item}.{ending}").write_bytes(image)
        elif image is not None:
            image.save(images / f"{item}.{ending}", **options)

    def catalogue(**options):
        with (tmp_path / "t.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("id", "product", "kind"), *rows])
        options = {"product": "product", "skip_missing": True, **options}
        return Catalogue.open(tmp_path / "t.csv", images=images, **options)

    for place in range(12):
        add(f"g{place}", photo(drawn, place), quality=95)
    add.catalogue = catalogue
    add.folder = tmp_path
    return add


def photo(drawn, place):
    return Image.open(drawn.paths[place]).convert("RGB")


def saved(image, form="JPEG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def groups_of(found):
    groups = {}
    for row in found.copies.to_pylist():
        groups.setdefault(row["group"], []).append((row["id"], row["relation"]))
    return [dict(rows) for rows in groups.values()]


class TestCopies:
    @pytest.mark.parametrize(
        ("change", "relation"),
        [
            (lambda image, data: data, "identical file"),
            (lambda image, data: saved(Image.open(io.BytesIO(data)), "PNG"), "identical pixels"),
            (lambda image, data: saved(image, "JPEG", quality=40), "near-copy"),
            (lambda image, data: saved(image, "WEBP", quality=60), "near-copy"),
            (lambda image, data: saved(image.resize((90, 120))), "near-copy"),
            (lambda image, data: saved(image.resize((700, 800))), "near-copy"),
            (lambda image, data: saved(image.filter(ImageFilter.SHARPEN)), "near-copy"),
            (lambda image, data: saved(crop(image, 0.85)), "crop"),
        ],
    )
    def test_a_copy_is_found_whatever_was_done_to_it(self, photos, drawn, change, relation):
        data = (photos.folder / "images" / "g3.jpg").read_bytes()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        photos("copy", change(image, data))
        groups = groups_of(likelens.check(photos.catalogue()))
        assert len(groups) == 1
        assert set(groups[0]) == {"g3", "copy"}
        assert set(groups[0].values()) == {"reference", relation}

    def test_other_images_are_no_copies(self, drawn):
        assert groups_of(likelens.check(drawn)) == []

    def test_the_same_photograph_in_another_colour_is_no_copy(self, photos, drawn):
        pixels = np.asarray(photo(drawn, 3)).astype(np.int16)
        pixels[..., 0] += 40
        photos("other", Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
        assert groups_of(likelens.check(photos.catalogue())) == []

    def test_copies_across_products_are_told_from_those_of_one(self, photos, drawn):
        photos("same", photo(drawn, 1), product="g1", quality=95)
        photos("other", photo(drawn, 2), kind="y", quality=95)
        rows = likelens.check(photos.catalogue(tags=["kind"])).copies.to_pylist()
        assert {row["id"]: row["across_products"] for row in rows} == {
            "g1": False, "same": False, "g2": True, "other": True,
        }  # fmt: skip
        assert {row["id"]: row["tags_differ"] for row in rows} == {
            "g1": "", "same": "", "g2": "kind", "other": "kind",
        }  # fmt: skip

    def test_two_rows_that_name_one_file_are_said_so(self, photos):
        table = photos.folder / "files.csv"
        table.write_text("id,file\na,g1.jpg\nb,g1.jpg\nc,g2.jpg\n")
        images = photos.folder / "images"
        found = likelens.check(Catalogue.open(table, images=images, image="file"))
        assert groups_of(found) == [{"a": "reference", "b": "same file"}]

    def test_chains_are_cut(self, monkeypatch):
        """a is a copy of b, b of c, c of d, but a is none of c."""
        from likelens._check.copies import Link, Looks, _stars
        from likelens._check.looks import Look

        thumbnails = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
        link = Link("crop", 1.0)
        looks = Looks([Look(pixels=str(row)) for row in range(4)], thumbnails)
        stars = _stars({(0, 1): link, (1, 2): link, (2, 3): link}, looks)
        assert [(centre, set(members)) for centre, members in stars] == [(1, {0, 2})]

    def test_groups_hold_many_copies_of_one_image(self, photos, drawn):
        for quality in range(30, 90, 5):
            photos(f"q{quality}", photo(drawn, 7), quality=quality)
        groups = groups_of(likelens.check(photos.catalogue()))
        assert [len(group) for group in groups] == [13]

    def test_a_part_is_placed_where_it_was_cut(self, drawn):
        whole = np.asarray(photo(drawn, 4))
        height, width = whole.shape[:2]
        part = whole[height // 10 :, : round(width * 0.85)]
        assert find_part(whole, part) is not None
        assert find_part(whole, np.asarray(photo(drawn, 5))) is None

    def test_differences_are_those_of_pixels(self):
        black = np.zeros((1, 32, 32, 3), np.uint8)
        spot = black.copy()
        spot[0, 8:16, 8:16] = 100
        largest, disagreement = differences(spot, spot)
        assert (largest[0], round(float(disagreement[0]), 6)) == (0, 0)
        largest, disagreement = differences(black, spot)
        assert largest[0] == pytest.approx(100, abs=1)
        assert disagreement[0] == 0  # of a single colour, no pattern is known


def crop(image, share):
    width, height = image.size
    return image.crop((10, 5, 10 + int(width * share), 5 + int(height * share)))


class TestUnusable:
    def test_every_reason_is_named(self, photos, drawn):
        whole = saved(photo(drawn, 3))
        photos("gone", None)
        photos("cut", whole[: len(whole) // 2])
        photos("text", b"no image")
        photos("empty", b"")
        photos("tiny", photo(drawn, 3).resize((31, 40)))
        photos("blank", Image.new("RGB", (50, 50), "white"))
        photos("banner", photo(drawn, 3).resize((400, 80)))
        photo(drawn, 9).resize((60, 60)).save(photos.folder / "images" / "extra.png")
        checked = likelens.check(photos.catalogue())
        assert (checked.counts["unusable"], checked.counts["unlisted"]) == (7, 1)
        found = {row["id"]: row for row in checked.unusable.to_pylist()}
        assert {item: row["problem"] for item, row in found.items()} == {
            "gone": "missing",
            "cut": "unreadable",
            "text": "unreadable",
            "empty": "unreadable",
            "tiny": "too small",
            "blank": "blank",
            "banner": "extreme shape",
            None: "unlisted",
        }
        assert found[None]["path"] == "extra.png"
        assert "0 bytes" in found["empty"]["detail"]
        assert "255, 255, 255" in found["blank"]["detail"]

    def test_blank_images_are_no_near_copies(self, photos):
        for grey in (250, 255):
            photos(f"b{grey}", Image.new("RGB", (50, 50), (grey,) * 3), ending="png")
        assert groups_of(likelens.check(photos.catalogue())) == []

    def test_a_catalogue_of_unreadable_images_is_checked(self, tmp_path):
        for name in "ab":
            (tmp_path / f"{name}.jpg").write_bytes(b"no image")
        found = likelens.check(Catalogue.open(tmp_path))
        assert found.counts["unusable"] == 2
        assert groups_of(found) == [{"a.jpg": "reference", "b.jpg": "identical file"}]


class TestWrongTags:
    """Items on a line in four heaps: neighbours know the heap, and nothing else."""

    def setup_method(self):
        draw = np.random.default_rng(0)
        self.heaps = np.repeat(np.arange(4), 60)
        centres = np.eye(4, 12)[self.heaps]
        vectors = (centres + 0.05 * draw.standard_normal((240, 12))).astype(np.float32)
        alone, usable = np.arange(240), np.ones(240, bool)
        self.neighbours = wrong_tags.find_neighbours(vectors, usable, alone, alone)
        self.draw = draw

    def test_exchanged_tags_come_back(self):
        changed, wrong = wrong_tags.exchange(self.heaps, 0.05, self.draw)
        column, suspects = wrong_tags.judge("heap", changed, list("abcd"), self.neighbours, 0)
        assert {one.row for one in suspects} == set(np.flatnonzero(wrong).tolist())
        assert all(one.suggested == "abcd"[self.heaps[one.row]] for one in suspects)
        assert all(set(self.heaps[[*one.neighbours]]) == {self.heaps[one.row]} for one in suspects)
        assert column.recovered > 0.95
        assert column.precision >= 0.4  # half of the suspects are the errors that were there before

    @pytest.mark.parametrize(
        ("tags", "reason"),
        [
            (np.random.default_rng(1).integers(0, 4, 240), "most frequent value"),
            (np.arange(240), "a value of their own"),
            (np.zeros(240, np.int64), "one value only"),
            (np.where(np.arange(240) < 10, np.arange(240) % 2, -1), "only 10 comparable items"),
        ],
    )
    def test_a_column_that_cannot_be_judged_says_why(self, tags, reason):
        names = [str(number) for number in range(240)]
        column, suspects = wrong_tags.judge("c", tags, names, self.neighbours, 0)
        assert reason in column.reason
        assert suspects == []

    def test_neither_copies_nor_the_same_product_vote(self):
        vectors = np.eye(3, 4, dtype=np.float32)[[0, 0, 0, 1, 2]] + 0.01
        groups, products = np.array([0, 0, 2, 3, 4]), np.array([0, 1, 0, 3, 4])
        usable = np.ones(5, bool)
        neighbours = wrong_tags.find_neighbours(vectors, usable, groups, products)
        assert set(neighbours[0].tolist()) == {3, 4, -1}

    def test_shares_are_those_of_the_neighbours(self):
        neighbours = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
        votes = wrong_tags.vote(np.array([0, 0, 0, 1]), neighbours)
        assert votes.winner.tolist() == [0, 0, 0, 0]
        assert votes.own.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0])
        assert votes.suggested.tolist() == [-1, -1, -1, 0]
        assert votes.support[3] == 1
        smooth = (3 + 0.5 * 0.75) / 3.5, (0.5 * 0.25) / 3.5  # shares of the tags 0 and 1
        assert votes.surprise[3] == pytest.approx(smooth[0] - smooth[1] + smooth[1])

    def test_several_values_are_not_judged(self, photos):
        table = photos.folder / "t.csv"
        catalogue = photos.catalogue()
        rows = "".join(f"{item},a|b\n" for item in catalogue.ids)
        table.write_text("id,kind\n" + rows)
        opened = Catalogue.open(table, images=photos.folder / "images", tags=["kind"], split="|")
        (column,) = likelens.check(opened).columns.to_pylist()
        assert "several values" in column["reason"]


class TestOutput:
    def test_folder_page_and_json_agree(self, photos, drawn, likelens):
        photos("=1+1", photo(drawn, 3), quality=95)
        photos("cut", b"\xff\xd8\xff")
        photos.catalogue()
        folder = photos.folder
        arguments = ("check", folder / "t.csv", "--images", folder / "images", "--tags", "kind")
        code, out, err = likelens(*arguments, "--out", folder / "c", "--json")
        assert code == 0, err
        shown = json.loads(out)
        assert shown["counts"]["copies"] == 2
        assert json.loads((folder / "c" / "check.json").read_text())["copies"] == shown["copies"]
        for name in ("copies", "unusable", "wrong_tags", "columns"):
            assert len(pq.read_table(folder / "c" / f"{name}.parquet")) == len(shown[name])
        text = (folder / "c" / "copies.csv").read_text()
        assert "'=1+1" in text
        code, out, _ = likelens(*arguments, "--out", folder / "c")
        assert code == 0
        assert "2 copies in 1 group" in out

    def test_nothing_of_the_data_changes(self, photos, drawn):
        photos("gone", None)
        catalogue = photos.catalogue()
        before = {path: path.read_bytes() for path in photos.folder.rglob("*") if path.is_file()}
        likelens.check(catalogue).write(photos.folder / "out")
        after = {path: path.read_bytes() for path in before}
        assert after == before

    def test_encoders_are_joined(self, photos):
        found = likelens.check(photos.catalogue(), ["opencv:colour", "opencv:hog"])
        assert list(found.run["encoders"]) == ["opencv:colour", "opencv:hog"]

    def test_a_path_is_no_catalogue(self):
        with pytest.raises(BadTable, match="is no catalogue"):
            likelens.check("t.csv")

    def test_images_without_a_row_do_not_fill_the_page(self, photos, drawn):
        photos("gone", None)
        for number in range(30):
            name = f"a{number:02}.png"
            photo(drawn, number).resize((60, 60)).save(photos.folder / "images" / name)
        page = likelens.check(photos.catalogue()).write(photos.folder / "out").read_text()
        assert page.count("no row names it") == 10
        assert "30 unlisted, 1 missing" in page
        assert "The first 11 are shown" in page

    def test_texts_are_escaped(self, photos, drawn):
        photos("<b>", photo(drawn, 3), kind="<script>", quality=95)
        found = likelens.check(photos.catalogue(tags=["kind"]))
        page = found.write(photos.folder / "out").read_text()
        assert "<script>" not in page
        assert "&lt;b&gt;" in page
        assert "<td>" in found._repr_html_()
        assert "2 copies in 1 group" in repr(found)
