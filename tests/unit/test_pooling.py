"""Pools of a catalogue, in Python and on the command line."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from conftest import paint
from likelens import Catalogue, eds, embed, garments, open_store, pool_catalogue
from likelens._discover.pairs import Asked
from likelens._discover.pooled import read_pool
from likelens.values.errors import BadSpec, BadTable
from likelens.values.tables import read_table

COLOUR, SHAPE = "opencv:colour", "opencv:hog"


@pytest.fixture(scope="module")
def wardrobe(tmp_path_factory):
    """A small built-in catalogue and a store with its vectors."""
    root = tmp_path_factory.mktemp("wardrobe")
    source = garments.create(root / "catalogue", items=40, seed=2)
    pool_catalogue(Catalogue.open(source), [COLOUR, SHAPE], root / "store", sample=1)
    return source, root / "store"


def slow_ranking(vectors, row, out):
    """All other items by cosine, best first, without those left out."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)[:, None]
    scores = (unit @ unit[row]).astype(np.float64)
    return [item for item in np.argsort(-scores, kind="stable") if item not in out]


@pytest.mark.parametrize("different", [False, True])
def test_the_pool_of_a_catalogue_is_what_encoders_rank_first(wardrobe, different):
    source, store = wardrobe
    catalogue = Catalogue.open(source)
    found = pool_catalogue(
        catalogue, [COLOUR, SHAPE], store, k=3, sample=7, seed=4, different_products=different
    )
    assert len(found.queries) == found.pool.queries == 7
    assert found.pool.encoders == (COLOUR, SHAPE)
    vectors = {spec: embed(catalogue, spec, store).vectors for spec in (COLOUR, SHAPE)}
    for query, item in enumerate(found.queries.ids):
        row = catalogue.position[item]
        kin = [
            other for other, one in enumerate(catalogue.products) if one == catalogue.products[row]
        ]
        for column, spec in enumerate((COLOUR, SHAPE)):
            first = slow_ranking(vectors[spec], row, kin if different else [row])[:3]
            mine = found.pool.pairs[:, 0] == query
            ranked = found.pool.ranks[mine, column]
            theirs = found.pool.pairs[mine, 1]
            assert theirs[ranked > 0][np.argsort(ranked[ranked > 0])].tolist() == first
    assert len(found.query_ids) == len(found.candidate_ids) == len(found.pool)
    assert found.pool.short == {COLOUR: 0, SHAPE: 0}


def test_equal_seeds_draw_equal_queries_and_others_not(wardrobe):
    source, store = wardrobe
    catalogue = Catalogue.open(source)
    drawn = [
        pool_catalogue(catalogue, [COLOUR], store, sample=9, seed=seed).queries.ids
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    whole = pool_catalogue(catalogue, [COLOUR], store, sample=10_000)
    assert whole.queries.ids == catalogue.ids
    assert np.isnan(whole.mean_overlap)


def test_queries_in_the_wild_never_find_their_own_file(tmp_path):
    folder = tmp_path / "shop" / "a"
    for number in range(6):
        paint(folder / f"{number}.png", number)
    paint(tmp_path / "wild" / "b" / "0.png", 90)
    paint(tmp_path / "wild" / "b" / "1.png", 91)
    (tmp_path / "wild" / "b" / "same.png").symlink_to(folder / "3.png")
    catalogue, wild = Catalogue.open(tmp_path / "shop"), Catalogue.open(tmp_path / "wild")
    found = pool_catalogue(catalogue, [COLOUR, SHAPE], tmp_path / "store", queries=wild, k=5)
    assert open_store(tmp_path / "store").catalogue().ids == catalogue.ids
    assert set(found.query_ids) <= set(wild.ids)
    assert set(found.candidate_ids) <= set(catalogue.ids)
    same = wild.position["b/same.png"]
    theirs = found.pool.pairs[found.pool.pairs[:, 0] == same, 1]
    assert catalogue.position["a/3.png"] not in theirs
    assert found.pool.brute_force == 6 * 3 - 1
    assert found.pool.short == {COLOUR: 0, SHAPE: 0}


def test_an_encoder_proposes_nothing_for_what_it_does_not_see(shop, tmp_path):
    catalogue = Catalogue.open(shop, tags=["kind"])
    vectors = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)
    vectors[[1, 2]] = 0
    np.savez(tmp_path / "v.npz", id=np.array(catalogue.ids[:7]), vector=vectors)
    named = f"vectors:{tmp_path / 'v.npz'}"
    found = pool_catalogue(catalogue, [named], k=2)
    assert len(found.queries) == 7
    assert found.pool.short == {named: 2}
    assert found.pool.without_candidate == 2
    assert "left out, for some encoder has no vector of them: 1 of 8 items" in found.notes
    assert f"{named} sees nothing in 2 of the queries" in found.notes
    assert "2 queries have no candidate at all" in found.notes
    assert pool_catalogue(catalogue, [named, COLOUR], k=2).pool.without_candidate == 0


def test_the_table_is_written_and_read_again(wardrobe, tmp_path):
    source, store = wardrobe
    found = pool_catalogue(Catalogue.open(source), [COLOUR, SHAPE], store, k=2, sample=5)
    for name in ("pool.csv", "pool.parquet"):
        table = read_table(
            found.write(tmp_path / "new" / name), text_columns=("query", "candidate")
        )
        assert table.column_names == ["query", "candidate", COLOUR, SHAPE, "random", "possible"]
        assert set(table["random"].to_pylist()) == {0}
        assert set(table["possible"].to_pylist()) == {39}
        assert table["query"].to_pylist() == found.query_ids
        assert table["candidate"].to_pylist() == found.candidate_ids
        ranks = np.array(
            [[int(rank or 0) for rank in table[spec].to_pylist()] for spec in (COLOUR, SHAPE)]
        )
        assert ranks.T.tolist() == found.pool.ranks.tolist()
    with pytest.raises(BadTable, match=r"cannot be written as \.txt"):
        found.write(tmp_path / "pool.txt")


@pytest.mark.parametrize("different", [False, True])
def test_random_pairs_stand_below_the_pool(wardrobe, tmp_path, different):
    source, store = wardrobe
    catalogue = Catalogue.open(source)
    more = {"k": 4, "sample": 10, "different_products": different}
    plain = pool_catalogue(catalogue, [COLOUR, SHAPE], store, **more)
    found, again, other = (
        pool_catalogue(catalogue, [COLOUR, SHAPE], store, **more, random=60, seed=seed)
        for seed in (0, 0, 1)
    )
    assert found.pool.pairs.tolist() == plain.pool.pairs.tolist()
    assert found.drawn.tolist() == again.drawn.tolist() != other.drawn.tolist()
    assert len(plain.drawn) == 0
    table = read_table(found.write(tmp_path / "pool.csv"), text_columns=("query", "candidate"))
    rows = table.to_pylist()
    pairs = [(row["query"], row["candidate"]) for row in rows]
    assert len(set(pairs)) == len(pairs) == len(found.pool) + 60 - int(found.in_pool.sum())
    assert 0 < found.in_pool.sum() < 60
    assert pairs[: len(found.pool)] == list(zip(found.query_ids, found.candidate_ids, strict=True))
    drawn = {
        (found.queries.ids[query], found.catalogue.ids[item])
        for query, item in found.drawn.tolist()
    }
    assert {pair for pair, row in zip(pairs, rows, strict=True) if row["random"]} == drawn
    for row in rows[len(found.pool) :]:
        assert (row[COLOUR] or 0, row[SHAPE] or 0, row["random"]) == (0, 0, 1)
    for query, item in drawn:
        one, two = catalogue.position[query], catalogue.position[item]
        assert one != two
        assert not different or catalogue.products[one] != catalogue.products[two]
    possible = {row["query"]: row["possible"] for row in rows}
    assert sum(possible.values()) == found.pool.brute_force


@pytest.mark.parametrize("name", ["pool.csv", "pool.parquet"])
def test_leaving_encoders_out_of_the_pool_takes_no_notice_of_the_draw(wardrobe, tmp_path, name):
    source, store = wardrobe
    catalogue = Catalogue.open(source)
    found = pool_catalogue(catalogue, [COLOUR, SHAPE], store, k=3, sample=40, random=200)
    read, notes = read_pool(found.write(tmp_path / name), Asked(catalogue, None, np.arange(40)))
    assert (read.encoders, notes) == ((COLOUR, SHAPE), ())
    assert read.pairs.tolist() == found.pool.pairs.tolist()
    assert read.ranks.tolist() == found.pool.ranks.tolist()


def test_more_random_pairs_than_there_are(wardrobe):
    source, store = wardrobe
    found = pool_catalogue(Catalogue.open(source), [COLOUR], store, k=1, sample=2, random=100)
    assert len(found.drawn) == 2 * 39
    assert "there are only 78 pairs to draw from, and all of them are" in found.notes
    assert found.to_dict()["random"] == {"pairs": 78, "in_pool": 2}


def test_random_pairs_are_of_queries_with_a_candidate(shop, tmp_path):
    catalogue = Catalogue.open(shop, tags=["kind"])
    vectors = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    vectors[[1, 2]] = 0
    np.savez(tmp_path / "v.npz", id=np.array(catalogue.ids), vector=vectors)
    found = pool_catalogue(catalogue, [f"vectors:{tmp_path / 'v.npz'}"], k=2, random=1_000)
    assert set(found.drawn[:, 0].tolist()) == set(found.pool.pairs[:, 0].tolist())
    assert len(found.drawn) == 6 * 7
    assert (found.drawn[:, 0] != found.drawn[:, 1]).all()


def test_what_makes_no_pool_is_said(wardrobe, shop):
    source, store = wardrobe
    catalogue = Catalogue.open(source)
    for wrong in ({"k": 0}, {"sample": 0}, {"random": -1}):
        with pytest.raises(BadSpec, match="makes no pool"):
            pool_catalogue(catalogue, [COLOUR], store, **wrong)
    with pytest.raises(BadTable, match="encoders are a list"):
        pool_catalogue(catalogue, [], store)
    plain = Catalogue.open(shop, tags=["kind"])
    with pytest.raises(BadTable, match="the catalogue does not say which pictures show one"):
        pool_catalogue(plain, [COLOUR], different_products=True)
    with pytest.raises(BadTable, match="the catalogue of queries does not say"):
        pool_catalogue(catalogue, [COLOUR], store, queries=plain, different_products=True)


def test_a_path_is_no_catalogue(wardrobe):
    source, _ = wardrobe
    for given in ((source, None), (Catalogue.open(source), source)):
        with pytest.raises(BadTable, match="is no catalogue"):
            pool_catalogue(given[0], [COLOUR], queries=given[1])


def test_pool_on_the_command_line(likelens, wardrobe, tmp_path):
    source, store = wardrobe
    out = tmp_path / "pool.csv"
    code, text, _ = likelens(
        "annotate", "pool", source, "-e", COLOUR, SHAPE, "-k", 2, "--sample", 6,
        "--different-products", "--store", store, "--out", out,
    )  # fmt: skip
    assert code == 0
    assert "pairs of 6 queries" in text
    assert "two encoders share" in text
    with out.open() as lines:
        rows = list(csv.DictReader(lines))
    assert {"query", "candidate", COLOUR, SHAPE, "random", "possible"} == set(rows[0])
    code, text, _ = likelens(
        "annotate", "pool", source, "-e", COLOUR, SHAPE, "-k", 2, "--sample", 6,
        "--different-products", "--store", store, "--out", out, "--json",
    )  # fmt: skip
    known = json.loads(text)
    assert code == 0
    assert known["pairs"] == len(rows) == known["cost"]["pairs"]
    assert known["queries"] == 6
    assert known["overlap"][0][0] == 100
    assert known["table"] == str(out)


@pytest.fixture
def apart(tmp_path):
    """Two tables in one folder, and the pictures of both in another; returns all three."""
    images = tmp_path / "pictures"
    for number in range(6):
        paint(images / f"{number}.png", number)
    gallery, wild = tmp_path / "tables" / "gallery.csv", tmp_path / "tables" / "wild.csv"
    gallery.parent.mkdir()
    gallery.write_text("id\n0\n1\n2\n3\n")
    wild.write_text("id\n4\n5\n")
    return gallery, wild, images


def test_queries_may_have_their_pictures_where_the_gallery_has_them(likelens, apart, tmp_path):
    gallery, wild, images = apart
    code, text, said = likelens(
        "annotate", "pool", gallery, "--images", images, "--queries", wild, "-e", COLOUR, "-k", 2,
        "--out", tmp_path / "pool.csv",
    )  # fmt: skip
    assert code == 0, said
    assert "4 pairs of 2 queries" in text


def test_queries_without_pictures_need_a_toml_file(likelens, apart, tmp_path):
    gallery, wild, images = apart
    wild.write_text("id\n4\n5\n6\n")
    asked = ("annotate", "pool", gallery, "--images", images, "-e", COLOUR, "-k", 2)
    out = ("--out", tmp_path / "pool.csv")
    code, _, said = likelens(*asked, "--queries", wild, *out)
    assert code == 2
    assert "none of the 3 rows has a picture" in said
    assert "with the --images of SOURCE: 1 item has no picture: 6" in said
    assert "TOML file (table, images, id, ...)" in said
    wild.write_text("id\n4\n")
    other = wild.with_suffix(".toml")
    other.write_text(f'table = "wild.csv"\nimages = "{images}"\n')
    assert likelens(*asked, "--queries", other, *out)[0] == 0
    other.write_text(f'table = "wild.csv"\nimages = "{wild.parent}"\n')
    code, _, said = likelens(*asked, "--queries", other, *out)
    assert code == 2
    assert "--images of SOURCE" not in said, "what it says itself stands"


def test_a_pool_of_one_encoder_on_the_command_line(likelens, wardrobe, tmp_path):
    source, store = wardrobe
    code, text, _ = likelens(
        "annotate", "pool", source, "-e", COLOUR, "--sample", 3, "--store", store,
        "--out", tmp_path / "pool.parquet",
    )  # fmt: skip
    assert code == 0
    assert "two encoders" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("-e", COLOUR, "-k", 0), 2, "k"),
        (("-e", COLOUR, "--sample", 0), 2, "sample"),
        ((), 2, "no encoder is named"),
        (("-e", COLOUR, "--out", "pool.xlsx"), 2, "cannot be written as .xlsx"),
        (("-e", COLOUR, "--queries", "nowhere"), 2, "nowhere"),
        (("-e", "opencv:nothing"), 2, "opencv:nothing"),
    ],
)
def test_wrong_use_of_pool(likelens, wardrobe, tmp_path, arguments, code, text):
    source, store = wardrobe
    out = () if "--out" in arguments else ("--out", tmp_path / "pool.csv")
    found, _, said = likelens("annotate", "pool", source, "--store", store, *out, *arguments)
    assert found == code
    assert text in said
    assert "Traceback" not in said


def test_plan_on_the_command_line(likelens):
    code, text, _ = likelens("annotate", "plan", "--encoders", 10, "--overlap", 12, "--rate", 20)
    assert code == 0
    assert "72,150" in text
    assert "50,000 by Chebyshev, 9,651 by the binomial" in text
    code, text, _ = likelens("annotate", "plan", "--encoders", 3, "--epsilon", "1e-9")
    assert code == 0
    assert "5,000,000,000,000,000,000 by Chebyshev, about 960,364," in text
    assert "by the normal approximation" in text
    code, text, _ = likelens(
        "annotate", "plan", "--encoders", 2, "--queries", 10, "-k", 3, "--epsilon", 0.05, "--json"
    )
    known = json.loads(text)
    assert code == 0
    assert known["pairs"] == {"low": 30, "likely": None, "high": 60}
    assert known["cost"] is None
    assert known["sample_size"] == vars(eds.sample_size(0.05, 0.05))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--encoders", 0), ("--encoders", 2, "-k", 0), ("--encoders", 2, "--seconds", 0),
        ("--encoders", 2, "--overlap", 120), ("--encoders", 2, "--confidence", 1),
        ("--encoders", 2, "--epsilon", 0), ("--encoders", 2, "--prevalence", 2), (),
    ],
)  # fmt: skip
def test_wrong_use_of_plan(likelens, arguments):
    code, _, said = likelens("annotate", "plan", *arguments)
    assert code == 2
    assert said
    assert "Traceback" not in said
    assert "--confidence" not in arguments or "a confidence of 1 cannot be had" in said


def test_a_pool_of_real_pictures(real_data, tmp_path):
    root = real_data / "data" / "fashion-products"
    pictures = sorted((root / "images").iterdir())[:60] if (root / "images").is_dir() else []
    if not pictures:
        pytest.skip(f"no fashion-products in {real_data}")
    for picture in pictures:
        (tmp_path / "some" / "all").mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, tmp_path / "some" / "all" / picture.name)
    found = pool_catalogue(
        Catalogue.open(tmp_path / "some"), [COLOUR, SHAPE, "opencv:sift?words=16"], k=4, sample=20
    )
    assert 4 * 20 <= len(found.pool) <= 12 * 20
    assert 0 <= found.mean_overlap < 100
