"""The built-in catalogue: the same from the same seed, and every tag to be seen."""

from __future__ import annotations

import csv
import itertools
import math
import shutil
import tomllib
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from likelens import garments
from likelens.garments import TAGS, Garment, writing
from likelens.garments.picture import canvas_side, plain_ground, shrunk
from likelens.garments.tastes import purchases
from likelens.garments.vocabulary import COLOURS, SHAPED_BY
from likelens.values.errors import BadTable

SHAPE = ("sleeve", "neckline", "length", "fit")
STUDIO = {"clutter": 0.0, "rotation": 0.0, "light": 0.0, "occlusion": 0.0}


def plain_garment(kind: str, **tags: tuple[str, ...]) -> Garment:
    """A garment with the middle value of every category that makes sense for it."""
    shape = {c: (TAGS[c][1] if c in SHAPED_BY[kind] else "NA",) for c in SHAPE}
    plain = {"kind": (kind,), "colour": ("blue", "white"), "pattern": ("plain",)}
    return Garment("p0", {**plain, **shape, "material": ("cotton",), **tags}, seed=6)


def changed(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the pixels that look different."""
    return float((np.abs(one.astype(int) - other).max(axis=2) > 12).mean())


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of 23 pictures, three of each product, and its wild twin."""
    folder = tmp_path_factory.mktemp("shop") / "new" / "folder"
    settings = garments.create(folder, items=23, views=3, seed=4, size=48, wild=True)
    assert settings == folder / "catalogue.toml"
    return folder


# Products


def test_products_do_not_depend_on_how_many_are_made():
    assert garments.products(137, seed=2)[:25] == garments.products(25, seed=2)


def test_another_seed_makes_another_shop():
    one, other = garments.products(40, seed=0), garments.products(40, seed=1)
    assert sum(a.tags == b.tags for a, b in zip(one, other, strict=True)) < 10
    assert len({garment.seed for garment in one + other}) == 80


def test_every_value_occurs_and_ten_products_hold_each_kind():
    made = garments.products(400)
    for start in range(0, 400, 10):
        kinds = {garment.tag("kind") for garment in made[start : start + 10]}
        assert kinds == set(TAGS["kind"])
    for category, values in TAGS.items():
        found = {value for garment in made for value in garment.tags[category]}
        assert found - {"NA"} == set(values)


def test_a_category_that_makes_no_sense_is_na():
    for garment in garments.products(60):
        for category in SHAPE:
            fits = category in SHAPED_BY[garment.tag("kind")]
            assert (garment.tag(category) == "NA") is not fits


def test_a_pattern_has_a_second_colour_that_can_be_told_apart():
    for garment in garments.products(200):
        patterned = garment.tag("pattern") != "plain"
        assert len(garment.tags["colour"]) == (2 if patterned else 1)
        if patterned:
            ground, second = (np.array(colour, float) for colour in garment.colours)
            assert np.linalg.norm(ground - second) > 60


def test_prices_are_positive_and_leather_costs_more_than_cotton():
    prices = defaultdict(list)
    for garment in garments.products(800):
        prices[garment.tag("material")].append(garment.price)
        assert garment.season in ("summer", "winter", "all-year")
    assert min(map(min, prices.values())) > 1
    assert np.median(prices["leather"]) > np.median(prices["cotton"])


# Pictures


@pytest.mark.parametrize("size", [32, 75, 224])
def test_a_picture_is_rgb_of_the_size_asked_for(size):
    for garment in garments.products(3):
        for picture in (garments.draw(garment, 0, size), garments.draw_wild(garment, size)):
            assert picture.shape == (size, size, 3)
            assert picture.dtype == np.uint8


def test_the_same_garment_gives_the_same_pixels():
    for garment in garments.products(5, seed=3):
        twin = replace(garment, product="another name")
        for view in (0, 1, 5):
            assert np.array_equal(garments.draw(garment, view, 48), garments.draw(twin, view, 48))
        assert np.array_equal(garments.draw_wild(garment, 48), garments.draw_wild(twin, 48))


@pytest.mark.parametrize("kind", TAGS["kind"])
def test_every_tag_of_a_kind_can_be_seen(kind):
    for category in ("colour", "pattern", "material", *SHAPED_BY[kind]):
        pictures = {}
        for value in TAGS[category]:
            trim = ("white" if value != "white" else "navy",) if category == "colour" else ()
            garment = plain_garment(kind, **{category: (value, *trim)})
            pictures[value] = garments.draw(garment, 0, 96)
        for one, other in itertools.combinations(TAGS[category], 2):
            seen = changed(pictures[one], pictures[other])
            assert seen > 0.02, f"{kind}: {category} {one} looks like {other} ({seen:.3f})"


def test_kinds_look_different():
    pictures = [garments.draw(plain_garment(kind), 0, 64) for kind in TAGS["kind"]]
    for one, other in itertools.combinations(pictures, 2):
        assert changed(one, other) > 0.1


@pytest.mark.parametrize("colour", TAGS["colour"])
def test_the_main_colour_is_seen_in_the_middle(colour):
    trim = "white" if colour != "white" else "navy"
    for kind in ("shirt", "skirt"):
        picture = garments.draw(plain_garment(kind, colour=(colour, trim)), 0, 64)
        shown = np.median(picture[24:40, 24:40].reshape(-1, 3), axis=0)
        distances = {name: np.linalg.norm(shown - rgb) for name, rgb in COLOURS.items()}
        assert min(distances, key=distances.__getitem__) == colour


def test_a_pattern_follows_its_second_colour():
    one, other = (
        garments.draw(plain_garment("dress", colour=("white", second), pattern=("dotted",)), 0, 64)
        for second in ("red", "navy")
    )
    assert changed(one, other) > 0.03


def test_views_differ_but_show_the_same_garment():
    for garment in garments.products(5, seed=6):
        pictures = [garments.draw(garment, view, 64) for view in range(6)]
        for one, other in itertools.combinations(pictures, 2):
            assert not np.array_equal(one, other)
    red = plain_garment("jumper", colour=("red",))
    for view in range(12):
        picture = garments.draw(red, view, 64).astype(int)
        reddish = picture[..., 0] - picture[..., 1:].max(axis=2) > 40
        assert 0.08 < reddish.mean() < 0.95, f"view {view}"


def test_the_seed_changes_what_no_tag_says():
    bag = plain_garment("bag")
    assert changed(garments.draw(bag, 0, 64), garments.draw(replace(bag, seed=7), 0, 64)) > 0.01


# In the wild


def test_with_every_knob_at_zero_the_picture_is_clean():
    for garment in garments.products(4):
        wild = garments.draw_wild(garment, 64, **STUDIO)
        assert np.array_equal(wild, garments.draw(garment, 0, 64))


@pytest.mark.parametrize("knob", STUDIO)
def test_a_knob_turned_up_disturbs_more(knob):
    shares = []
    for strength in (0.0, 0.2, 1.0):
        disturbed = [
            changed(
                garments.draw(garment, 0, 64),
                garments.draw_wild(garment, 64, **{**STUDIO, knob: strength}),
            )
            for garment in garments.products(6, seed=1)
        ]
        shares.append(np.mean(disturbed))
    assert shares[0] == 0
    assert 0 < shares[1] < shares[2]
    assert shares[2] > 0.1


def test_light_leaves_everything_in_its_place():
    """Only brightness changes: edges of the garment stay where they were."""
    for garment in garments.products(10, seed=1):
        clean = cv2.cvtColor(garments.draw(garment, 0, 96), cv2.COLOR_RGB2GRAY)
        lit = garments.draw_wild(garment, 96, **{**STUDIO, "light": 0.6})
        lit = cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY)
        assert np.corrcoef(clean.ravel(), lit.ravel())[0, 1] > 0.6


def test_occlusion_hides_about_a_quarter():
    shares = []
    for garment in garments.products(20, seed=1):
        clean = garments.draw(garment, 0, 64)
        ground = shrunk(np.array(plain_ground(canvas_side(64))), 64)
        inside = np.abs(clean.astype(int) - ground).max(axis=2) > 40
        hidden = garments.draw_wild(garment, 64, **{**STUDIO, "occlusion": 1.0})
        differs = np.abs(clean.astype(int) - hidden).max(axis=2) > 12
        shares.append(differs[inside].mean())
    assert 0.15 < np.mean(shares) < 0.35


def test_knobs_accept_numpy_numbers_and_go_beyond_one():
    garment = garments.products(1)[0]
    strong = garments.draw_wild(
        garment, 48, clutter=np.float64(2), rotation=np.float32(3), light=5, occlusion=4
    )
    assert strong.std() > 5


# The catalogue on disk


def test_the_table_has_exactly_the_rows_asked_for(shop):
    rows = read(shop / "garments.csv")
    assert len(rows) == 23
    assert tuple(rows[0]) == writing.COLUMNS
    assert len({row["id"] for row in rows}) == 23
    views = Counter(row["product"] for row in rows)
    assert sorted(views.values()) == [2, *[3] * 7]


def test_views_of_a_product_share_everything_but_the_picture(shop):
    by_product = defaultdict(set)
    for row in read(shop / "garments.csv"):
        rest = {k: v for k, v in row.items() if k not in ("id", "image", "view")}
        by_product[row["product"]].add(tuple(rest.items()))
    assert {len(rows) for rows in by_product.values()} == {1}


def test_the_table_tells_the_tags(shop):
    made = {garment.product: garment for garment in garments.products(8, seed=4)}
    for row in read(shop / "garments.csv"):
        garment = made[row["product"]]
        for category in TAGS:
            assert tuple(row[category].split("|")) == garment.tags[category]
        assert float(row["price"]) == garment.price
        assert row["season"] == garment.season


def test_the_pictures_are_those_of_the_table(shop):
    made = {garment.product: garment for garment in garments.products(8, seed=4)}
    rows = read(shop / "garments.csv")
    assert {row["image"] for row in rows} == {path.name for path in (shop / "images").iterdir()}
    for row in rows[::5]:
        stored = cv2.imread(str(shop / "images" / row["image"]))[..., ::-1].astype(float)
        drawn = garments.draw(made[row["product"]], int(row["view"]), 48)
        assert np.abs(stored - drawn).mean() < 5


def test_the_settings_name_files_and_columns_that_exist(shop):
    settings = tomllib.loads((shop / "catalogue.toml").read_text(encoding="utf-8"))
    rows = read(shop / settings["table"])
    columns = [settings[key] for key in ("id", "image", "product", "category")]
    assert {*columns, *settings["tags"]} <= set(rows[0])
    assert settings["tags"] == list(TAGS)
    assert all((shop / settings["images"] / row["image"]).is_file() for row in rows)
    assert (settings["split"], settings["missing"]) == ("|", ["NA", ""])
    assert read(shop / settings["purchases"])


def test_the_wild_catalogue_has_the_same_products(shop):
    wild = read(shop / "wild" / "garments.csv")
    assert [row["product"] for row in wild] == [f"p{k:06d}" for k in range(8)]
    settings = tomllib.loads((shop / "wild" / "catalogue.toml").read_text(encoding="utf-8"))
    assert "purchases" not in settings
    garment = garments.products(8, seed=4)[3]
    stored = cv2.imread(str(shop / "wild" / "images" / wild[3]["image"]))[..., ::-1].astype(float)
    assert np.abs(stored - garments.draw_wild(garment, 48)).mean() < 5


def test_the_same_arguments_write_the_same_bytes_on_any_number_of_threads(
    shop, tmp_path, monkeypatch
):
    monkeypatch.setattr(writing.os, "cpu_count", lambda: 5)
    garments.create(tmp_path, items=23, views=3, seed=4, size=48, wild=True)
    assert contents(tmp_path) == contents(shop)


def test_a_larger_catalogue_begins_with_the_smaller(shop, tmp_path):
    garments.create(tmp_path, items=30, views=3, seed=4, size=48)
    small, large = read(shop / "garments.csv"), read(tmp_path / "garments.csv")
    assert large[:23] == small
    pictures = contents(tmp_path / "images")
    for name, data in contents(shop / "images").items():
        assert pictures[name] == data


def test_writing_again_leaves_equal_files_alone_and_mends_broken_ones(shop, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(shop, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    broken = folder / "images" / "p000001-0.jpg"
    broken.write_bytes(b"cut off")
    (folder / "catalogue.toml").unlink()
    garments.create(folder, items=23, views=3, seed=4, size=48, wild=True)
    assert contents(folder) == contents(shop)
    for path, when in before.items():
        if path not in (broken, folder / "catalogue.toml"):
            assert path.stat().st_mtime_ns == when


def test_a_smaller_catalogue_takes_the_place_of_a_larger(shop, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(shop, folder)
    note = folder / "images" / "note.txt"
    note.write_text("mine", encoding="utf-8")
    garments.create(folder, items=5, seed=4, size=48)
    names = {row["image"] for row in read(folder / "garments.csv")}
    assert {path.name for path in (folder / "images").iterdir()} == names | {"note.txt"}
    assert not (folder / "wild").exists()


@pytest.mark.parametrize(("items", "views", "products"), [(1, 1, 1), (1, 4, 1), (7, 2, 4)])
def test_odd_numbers_of_items(tmp_path, items, views, products):
    garments.create(tmp_path, items=items, views=views, size=32)
    rows = read(tmp_path / "garments.csv")
    assert len(rows) == items
    assert len({row["product"] for row in rows}) == products


# Purchases


def test_purchases_are_of_items_that_exist(shop):
    first_views = {row["id"] for row in read(shop / "garments.csv") if row["view"] == "0"}
    lines = read(shop / "purchases.csv")
    assert list(lines[0]) == ["customer", "item", "order", "date"]
    assert {line["item"] for line in lines} <= first_views
    assert all("2023-01-02" <= line["date"] < "2025-01-01" for line in lines)
    orders = defaultdict(set)
    for line in lines:
        orders[line["order"]].add((line["customer"], line["date"]))
    assert {len(who) for who in orders.values()} == {1}


def test_some_customers_order_often_and_most_do_not():
    orders = defaultdict(set)
    for line in purchases(garments.products(150), seed=0):
        orders[line.customer].add(line.order)
    counts = np.array([len(numbers) for numbers in orders.values()])
    assert (counts > 10).sum() >= 10
    assert 0.35 < (counts <= 5).mean() < 0.7
    assert counts.min() == 1


def entropies(bought: dict[str, list[str]]) -> float:
    """Mean entropy, in bits, of what customers of more than ten purchases bought."""
    values = []
    for tags in bought.values():
        known = [tag for tag in tags if tag != "NA"]
        if len(known) > 10:
            shares = np.array(list(Counter(known).values())) / len(known)
            values.append(-float((shares * np.log2(shares)).sum()))
    return float(np.mean(values))


def test_customers_buy_to_their_taste():
    made = garments.products(200)
    lines = purchases(made, seed=0)
    order = np.random.default_rng(0).permutation(len(lines))
    ratios = {}
    for category in TAGS:
        tags = [made[line.product].tag(category) for line in lines]
        chosen, shuffled = defaultdict(list), defaultdict(list)
        for line, tag, other in zip(lines, tags, order, strict=True):
            chosen[line.customer].append(tag)
            shuffled[line.customer].append(tags[other])
        ratios[category] = entropies(chosen) / entropies(shuffled)
    assert ratios["colour"] < 0.75
    assert ratios["colour"] < ratios["material"] - 0.1
    assert ratios["fit"] < ratios["length"] - 0.05
    assert all(ratio < 1.0 for ratio in ratios.values())


def test_purchases_depend_on_the_seed():
    made = garments.products(30)
    assert purchases(made, seed=0) == purchases(made, seed=0)
    assert purchases(made, seed=0) != purchases(made, seed=1)


# Bad arguments


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"items": 0}, "items"),
        ({"items": 2.5}, "items"),
        ({"views": 0}, "views"),
        ({"size": 31}, "size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_number_too_small_is_refused_before_anything_is_written(tmp_path, wrong, named):
    with pytest.raises(BadTable, match=f"{named} is ") as caught:
        garments.create(tmp_path / "shop", **wrong)
    assert named in caught.value.where
    assert caught.value.hint
    assert not (tmp_path / "shop").exists()


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "garments.csv").write_text("my,own,table\n1,2,3\n", encoding="utf-8")
    before = contents(tmp_path)
    with pytest.raises(BadTable, match="something else"):
        garments.create(tmp_path, items=1, size=32)
    with pytest.raises(BadTable, match="there is a file"):
        garments.create(tmp_path / "garments.csv", items=1, size=32)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("wrong", [{"view": -1}, {"size": 8}, {"size": 64.0}])
def test_a_picture_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadTable, match=" is "):
        garments.draw(garments.products(1)[0], **wrong)


@pytest.mark.parametrize("strength", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("knob", STUDIO)
def test_a_strength_below_zero_is_refused(knob, strength):
    with pytest.raises(BadTable, match=f"{knob} is "):
        garments.draw_wild(garments.products(1)[0], 32, **{knob: strength})


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"kind": ("sock",)}, "kind of the garment"),
        ({"colour": ()}, "colour of the garment"),
        ({"sleeve": ("NA",)}, "sleeve of the garment"),
        ({"material": ("tin",)}, "material of the garment"),
        ({"pattern": ("dotted",), "colour": ("red",)}, "a dotted garment"),
    ],
)
def test_a_garment_that_cannot_be_drawn_is_refused(tags, message):
    garment = plain_garment("shirt")
    garment = replace(garment, tags=garment.tags | tags)
    with pytest.raises(BadTable, match=message):
        garments.draw(garment, 0, 32)
    with pytest.raises(BadTable, match=message):
        garments.draw_wild(garment, 32)


def test_products_refuses_what_create_refuses():
    with pytest.raises(BadTable, match="count is 0"):
        garments.products(0)
    with pytest.raises(BadTable, match="seed is -3"):
        garments.products(5, seed=-3)
