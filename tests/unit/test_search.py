import shutil

import numpy as np
import pytest

from conftest import paint
from likelens import Catalogue, Searcher, embed, open_store, search
from likelens._search import crop
from likelens.values.errors import BadQuery, BadTable, StoreBroken


@pytest.fixture
def store(shop, tmp_path):
    catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
    embed(catalogue, "opencv:colour", tmp_path / "store")
    return tmp_path / "store"


def test_many_searches_with_one_searcher(store, tmp_path):
    searcher = Searcher(store, "opencv:colour")
    for number in range(8):
        hits = searcher.search(tmp_path / "images" / f"{number}.png", k=3, include_self=True)
        assert hits.ids[0] == str(number)
        assert hits.scores[0] == pytest.approx(1.0, abs=1e-6)
        assert (np.diff(hits.scores) <= 0).all()
        assert hits.candidates == 8


def test_pictures_of_any_kind_can_be_asked_with(store, tmp_path):
    from likelens.images import open_image

    path = tmp_path / "images" / "3.png"
    for query in (path, str(path), path.read_bytes(), open_image(path)):
        assert search(store, query, k=1, include_self=True).ids == ("3",)


def test_a_copy_of_the_query_under_another_id_stays(shop, tmp_path):
    shutil.copy(tmp_path / "images" / "3.png", tmp_path / "images" / "5.png")
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store")
    hits = search(tmp_path / "store", tmp_path / "images" / "3.png")
    assert hits.ids[0] == "5"
    assert "3" not in hits.ids


def test_a_changed_picture_is_not_found_by_its_old_vector(shop, store, tmp_path):
    catalogue = Catalogue.open(shop)
    embed(catalogue, "opencv:hog?size=64", store)
    paint(tmp_path / "images" / "3.png", 99)
    embed(catalogue, "opencv:hog?size=64", store)
    assert "3" not in search(store, "1", "opencv:colour", k=20).ids, "stale until embedded again"
    embed(catalogue, "opencv:colour", store)
    assert "3" in search(store, "1", "opencv:colour", k=20).ids


def test_a_filter_asked_after_the_store_changed(shop, store):
    searcher = Searcher(store, "opencv:colour")
    lines = shop.read_text().splitlines()
    shop.write_text("\n".join([lines[0], *reversed(lines[3:])]) + "\n")
    embed(Catalogue.open(shop), "opencv:colour", store)
    assert set(searcher.search("2", where="kind = 'shoe'", k=20).ids) == set("4567")


def test_a_learner_opened_once_serves_two_stores(shop, tmp_path):
    from likelens import open_encoder

    encoder = open_encoder("opencv:hog?size=64")
    learner = open_encoder("opencv:orb?words=2&sample=8")
    for number in range(8):
        noise = np.random.default_rng(number).integers(0, 256, (90, 90, 3), np.uint8)
        from PIL import Image

        Image.fromarray(noise).save(tmp_path / "images" / f"{number}.png")
    for name in ("one", "two"):
        embed(Catalogue.open(shop), learner, tmp_path / name)
        assert len(search(tmp_path / name, "1", "opencv:orb?words=2&sample=8", k=20)) == 7
    assert encoder.dim > 0


def test_columns_of_any_name_can_be_kept(shop, tmp_path):
    text = shop.read_text().replace("price", "price.usd", 1).replace("kind", "_rowid", 1)
    shop.write_text(text)
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store")
    hits = search(tmp_path / "store", "1", where="`price usd` > 6", k=20)
    assert set(hits.ids) == {"6", "7"}
    assert "rowid" in hits.attributes.column_names


def test_regions():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(crop(image, "1,2,3,1"), image[2:3, 1:4])
    np.testing.assert_array_equal(crop(image, "50%,0%,50%,50%"), image[:2, 3:])
    np.testing.assert_array_equal(crop(image, " 4, 0, 100, 100% "), image[:, 4:])
    for wrong in ("1,2,3", "a,b,c,d", "-1,0,2,2", "6,0,1,1", "0,0,0,4", "0.2,0.2,0.5,0.5"):
        with pytest.raises(BadQuery, match="region"):
            crop(image, wrong)


def test_what_cannot_be_searched(store, tmp_path):
    with pytest.raises(StoreBroken, match="no store here"):
        Searcher(tmp_path / "none")
    with pytest.raises(BadTable, match="no vectors by opencv:hog"):
        Searcher(store, "opencv:hog")
    for nothing in ([], 7):
        with pytest.raises(BadQuery, match="no picture was given"):
            search(store, nothing)
    with pytest.raises(BadQuery, match="without ;"):
        search(store, "1", where="kind = 'shoe'; price > 3")
    open_store(tmp_path / "empty")
    with pytest.raises(BadTable, match="vectors by 0 encoders"):
        Searcher(tmp_path / "empty")
