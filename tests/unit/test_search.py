import json
import shutil

import numpy as np
import pytest

from conftest import paint
from likelens import Catalogue, Searcher, compare, embed, open_store, search
from likelens._search import crop, find_hubs
from likelens._search.threshold import calibrate_by_groups
from likelens.index.base import build_index
from likelens.values.errors import (
    BadQuery,
    BadShape,
    BadSpec,
    BadTable,
    LikelensWarning,
    StoreBroken,
)


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


def test_measuring_other_encoders_does_not_change_the_one_that_searches_use(shop, store):
    catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
    compare(catalogue, ["opencv:hog", "control:random"], store)
    assert len(open_store(store).cards()) > 1
    assert str(Searcher(store).encoder.spec) == "opencv:colour"
    open_store(store).upsert({"id": "0", "kind": "hat"})  # embeds with what it serves, only
    assert [card.name for card in open_store(store).served_by()] == ["opencv:colour"]
    embed(catalogue, "opencv:hog", store)
    with pytest.raises(BadTable, match="vectors by 2 encoders"):
        Searcher(store)


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


def test_an_item_whose_picture_is_gone_can_still_be_asked_with(store, tmp_path):
    before = search(store, "3", k=3).ids
    (tmp_path / "images" / "3.png").unlink()
    assert search(store, "3", k=3).ids == before


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
    embed(Catalogue.open(shop), "opencv:colour", store, sync=True)
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


def test_an_encoder_that_is_not_there_is_told_the_names_of_the_store(store):
    with pytest.raises(BadSpec, match="no such file") as caught:
        Searcher(store, "onnx:colour.onnx")
    assert caught.value.hint.endswith("; the store has: opencv:colour")


def test_a_store_of_one_item_has_no_other(shop, tmp_path, likelens):
    lines = shop.read_text().splitlines()
    shop.write_text("\n".join(lines[:2]) + "\n")
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "one")
    code, _, err = likelens("search", "0", "--store", tmp_path / "one")
    assert code == 0, err
    assert "there is no other item to find" in err
    search = ("search", "0", "--store", tmp_path / "one", "--html", tmp_path)
    code, _, err = likelens(*search)
    assert code in (1, 2)
    assert "give another name" in err


def test_columns_that_the_table_has_no_room_for_are_named(store, shop, tmp_path, likelens):
    lines = shop.read_text().splitlines()
    more = ["year,usage,size,fit", *(f"{n},a,b,c" for n in range(8))]
    shop.write_text("\n".join(map(",".join, zip(lines, more, strict=True))) + "\n")
    search = ("search", "1", "--store", store)
    assert "not shown" not in likelens(*search)[2]
    embed(Catalogue.open(shop), "opencv:colour", store)
    assert "not shown here, but by --html and --json: fit" in likelens(*search)[2]


def test_a_region_beyond_the_edge_is_cut_with_one_note(store):
    searcher = Searcher(store)
    with pytest.warns(LikelensWarning, match="cut to 4 x 20 pixels") as told:
        searcher.search("1", region="20,0,100,100")
    assert len({str(one.message) for one in told}) == 1


def test_regions():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(crop(image, "1,2,3,1"), image[2:3, 1:4])
    np.testing.assert_array_equal(crop(image, "50%,0%,50%,50%"), image[:2, 3:])
    with pytest.warns(LikelensWarning, match="is cut to 2 x 4 pixels"):
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
    with pytest.raises(BadQuery, match="character 14: ';' is not allowed"):
        search(store, "1", where="kind = 'shoe'; price > 3")
    with open_store(tmp_path / "empty").writing():
        pass
    with pytest.raises(BadTable, match="vectors by 0 encoders"):
        Searcher(tmp_path / "empty")


# --- groups, near-duplicates, diversity, re-ranking, thresholds -------------------


@pytest.fixture
def boutique(tmp_path):
    """60 items of 20 products in 6 classes, with vectors made by hand; returns what to search."""
    draw = np.random.default_rng(0)
    lines, kinds = ["id,product,kind,tags"], draw.standard_normal((6, 24)) + 1.0
    vectors = np.empty((60, 24), np.float32)
    for number in range(60):
        paint(tmp_path / "images" / f"{number}.png", number, (6, 6))
        product = number // 3
        lines.append(f"{number},{'NA' if product == 19 else f'p{product}'},k{product % 6},a|b")
        noise = np.random.default_rng(product).standard_normal(24) * 0.5
        vectors[number] = kinds[product % 6] + noise + 0.02 * draw.standard_normal(24)
    vectors[7] = vectors[4]
    (tmp_path / "shop.csv").write_text("\n".join(lines))
    catalogue = Catalogue.open(tmp_path / "shop.csv", images=tmp_path / "images", tags=["tags"], split="|")  # fmt: skip
    embed(catalogue, "control:random?dim=4", tmp_path / "store")
    ids = [str(number) for number in range(60)]
    np.savez(tmp_path / "made.npz", id=ids, vector=vectors)
    return tmp_path / "store", f"vectors:{tmp_path / 'made.npz'}"


def products(hits):
    return hits.attributes["product"].to_pylist()


def test_one_result_a_product(boutique):
    searcher = Searcher(*boutique)
    hits = searcher.search("0", k=12, group_by="product")
    assert len(hits) == 12
    assert "p0" not in products(hits), "the query's own product is not found"
    named = [name for name in products(hits) if name is not None]
    assert len(set(named)) == len(named)
    assert all(
        more == (2 if name else 0) for name, more in zip(products(hits), hits.folded, strict=True)
    )
    assert (np.diff(hits.scores) <= 0).all()
    every = searcher.search("0", k=99, group_by="product")
    assert len(every) == 18 + 3, "18 other products, and three items without one"
    own = searcher.search("0", k=99, group_by="product", include_self=True)
    assert own.ids[0] == "0"
    assert own.folded[0] == 2
    few = searcher.search("0", k=4, group_by="kind", where="kind in ('k1', 'k2', 'k0')")
    assert sorted(few.attributes["kind"].to_pylist()) == ["k1", "k2"]
    # Of kind k1 are p1, p7, p13 and one without a name: twelve items, one of them shown.
    assert sorted(few.folded) == [8, 11]


def test_near_duplicates_are_shown_once(boutique):
    searcher = Searcher(*boutique)
    plain = searcher.search("0", k=20)
    hits = searcher.search("0", k=30, collapse=0.98)
    assert len(hits) == 20, "pictures of one product are near-duplicates here"
    assert hits.order.collapse == 0.98
    vectors = searcher.index.vectors[[int(item) for item in hits.ids]]
    assert np.tril(vectors @ vectors.T, -1).max() < 0.98
    assert plain.folded == ()
    assert sum(hits.folded) == 59 - 20
    copies = searcher.search("3", k=57, collapse=1.0)
    assert ("4" in copies.ids) != ("7" in copies.ids)
    assert sum(copies.folded) == 1


def test_diverse_results_are_unlike_each_other(boutique):
    searcher = Searcher(*boutique)

    def likeness(hits):
        vectors = searcher.index.vectors[[int(item) for item in hits.ids]]
        return np.tril(vectors @ vectors.T, -1).sum()

    plain = searcher.search("0", k=8)
    assert searcher.search("0", k=8, diversity=0.0).ids == plain.ids
    diverse = searcher.search("0", k=8, diversity=0.6)
    assert diverse.ids[0] == plain.ids[0]
    assert likeness(diverse) < 0.8 * likeness(plain)
    assert len(searcher.search("0", k=8, diversity=1.0, group_by="product")) == 8


@pytest.mark.parametrize("rerank", ["csls", "local-scaling", "mutual-proximity"])
def test_re_ranking_keeps_the_cosines_and_k(boutique, rerank):
    searcher = Searcher(*boutique)
    hits = searcher.search("0", k=10, rerank=rerank, where="kind <> 'k5'", group_by="product")
    assert len(hits) == 10
    assert (np.diff(hits.reranked) <= 0).all()
    vectors = searcher.index.vectors
    expected = [vectors[int(item)] @ vectors[0] for item in hits.ids]
    np.testing.assert_allclose(hits.scores, expected, atol=1e-5)
    picture = searcher.search("0", k=10, rerank=rerank)
    again = searcher.search("0", k=10, rerank=rerank, threshold=float(picture.scores.max()))
    assert len(again) == 1


def test_hubs_and_orphans_of_a_store(boutique):
    searcher = Searcher(*boutique)
    found = searcher.hubs(3)
    counts = dict.fromkeys(searcher.embeddings.ids, 0)
    for item in counts:
        for other in searcher.search(item, k=3).ids:
            counts[other] += 1
    assert found.orphans == tuple(item for item, count in counts.items() if not count)
    assert found.largest[0][1] == max(counts.values()) == counts[found.largest[0][0]]
    assert found.orphan_share == len(found.orphans) / 60
    assert found.items == 60
    assert searcher.hubs(3, "csls").orphan_share <= found.orphan_share
    with pytest.raises(BadQuery, match="no re-ranking 'none'"):
        searcher.hubs(3, "none")
    with pytest.raises(BadShape, match="k = 0"):
        searcher.hubs(0)


def test_hubs_of_few_items():
    for count in (1, 2):
        index = build_index(np.eye(count, 3, dtype=np.float32))
        found = find_hubs(index, [str(n) for n in range(count)])
        assert len(found.orphans) == (1 if count == 1 else 0)
        assert find_hubs(index, [str(n) for n in range(count)], 5, "csls").items == count


def test_nothing_alike(boutique):
    searcher = Searcher(*boutique)
    hits = searcher.search("0", k=5, threshold=0.999)
    assert len(hits) <= 2
    none = searcher.search("0", k=5, threshold=1.0)
    assert none.ids == ()
    assert none.nothing_alike
    assert none.best == pytest.approx(searcher.search("0", k=1).scores[0])
    assert none.attributes.num_rows == 0
    filtered = searcher.search("0", where="kind = 'k9'", threshold=0.5)
    assert not filtered.nothing_alike, "there was nothing to be alike"
    assert filtered.best is None
    copy = searcher.search("4", k=1, threshold=1.0)
    assert copy.ids == ("7",), "a copy reaches 1"


def test_a_threshold_by_labels_is_the_best_match_without_the_own_label(boutique):
    searcher = Searcher(*boutique)
    vectors = searcher.index.vectors
    found = searcher.calibrate("kind", false_alarm=0.1)
    kinds = np.arange(60) // 3 % 6
    cosines = vectors @ vectors.T
    best = np.where(kinds[:, None] == kinds, -1.0, cosines).max(axis=1)
    assert found.value == pytest.approx(np.sort(best)[int(np.ceil(61 * 0.9)) - 1], abs=1e-5)
    assert (best >= found.value).mean() <= 0.1
    assert (found.queries, found.groups, found.by) == (60, 6, "kind")
    np.fill_diagonal(cosines, -1)
    assert found.kept == (cosines.max(axis=1) >= found.value).mean()
    product = searcher.calibrate("product", false_alarm=0.1)
    assert product.queries == 57, "items without a product ask nothing"
    assert product.value > found.value
    allowed = kinds == 2
    only = searcher.calibrate("kind", false_alarm=0.1, where="kind = 'k2' or kind = 'k3'")
    assert only.value <= found.value
    assert allowed.any()


def test_a_threshold_by_labels_holds_where_most_items_have_none():
    random = np.random.default_rng(0)
    index = build_index(random.standard_normal((6_000, 12)).astype(np.float32))
    groups = np.arange(6_000)
    groups[:400] //= 2
    found = calibrate_by_groups(
        index, groups, np.arange(6_000) < 400,
        false_alarm=0.05, queries=2_000, seed=0, allowed=None, by="product",
    )  # fmt: skip
    assert (found.queries, found.groups) == (400, 200)
    best = index.search(random.standard_normal((4_000, 12)), 1)[0][:, 0]
    assert 0.025 < (best >= found.value).mean() < 0.075


def test_large_groups_are_looked_through_to_the_end(boutique, monkeypatch):
    searcher = Searcher(*boutique)
    expected = searcher.calibrate("kind", false_alarm=0.1)
    monkeypatch.setattr("likelens._search.threshold.DEPTH", 2)
    assert searcher.calibrate("kind", false_alarm=0.1).value == pytest.approx(expected.value)


def test_a_threshold_without_labels_shuts_out_pictures_from_elsewhere(boutique):
    searcher = Searcher(*boutique)
    found = searcher.calibrate(false_alarm=0.05)
    assert found.by == "shuffled vectors"
    assert found.queries == 60
    elsewhere = np.random.default_rng(3).standard_normal((400, 24))
    best = searcher.index.search(elsewhere, 1)[0][:, 0]
    assert (best >= found.value).mean() < 0.05
    assert found.value < searcher.calibrate("product", false_alarm=0.05).value
    hits = searcher.search("0", threshold=found, k=3)
    assert hits.calibrated is found
    assert hits.order.threshold == found.value


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"group_by": "prodct"}, "no column 'prodct'.*\n.*\n.*product"),
        ({"group_by": "id"}, "no column 'id'.*\n.*\n.*mean kind"),
        ({"group_by": "tags"}, "holds several values"),
        ({"collapse": 1.5}, "no similarity of near-duplicates"),
        ({"minus": ["1"], "minus_weight": -1.0}, "not above 0"),
        ({"minus_weight": 0.3}, "needs something that does"),
        ({"minus": ["0"]}, "sees no difference between what is searched for and what counts"),
        ({"threshold": 1.5}, "1.5 is no cosine similarity"),
        ({"threshold": -1.5}, "-1.5 is no cosine similarity"),
        ({"rerank": "snn"}, "no re-ranking"),
    ],
)
def test_wrong_searches(boutique, asked, message):
    with pytest.raises(BadQuery, match=message):
        search(*boutique[:1], "0", boutique[1], **asked)


def test_wrong_calibrations(boutique):
    searcher = Searcher(*boutique)
    with pytest.raises(BadSpec, match=r"60 queries cannot show a false-alarm rate of 0.01"):
        searcher.calibrate()
    with pytest.raises(BadQuery, match="all items that may be found are of one kind"):
        searcher.calibrate("kind", where="kind = 'k1'")
    with pytest.raises(BadQuery, match="no item may be found"):
        searcher.calibrate(where="kind = 'k9'")
    with pytest.raises(BadQuery, match="no column 'colour'"):
        searcher.calibrate("colour")
    with pytest.raises(BadQuery, match="0 queries cannot calibrate"):
        searcher.calibrate(queries=0)
    found = searcher.calibrate("kind", false_alarm=0.1)
    for asked in ({"query": ["0", "1"]}, {"query": "0", "minus": ["1"]}):
        with pytest.raises(BadQuery, match="holds for the likeness of one picture"):
            searcher.search(**asked, threshold=found)


def test_less_of_what_counts_against(boutique):
    searcher = Searcher(*boutique)
    vectors = searcher.index.vectors
    for weight in (0.25, 0.5):
        hits = searcher.search("0", minus=["9"], minus_weight=weight, k=99)
        asked = vectors[0] - weight * vectors[9]
        assert set(hits.ids) == set(searcher.embeddings.ids) - {"0", "9"}
        expected = vectors[[int(item) for item in hits.ids]] @ asked / np.linalg.norm(asked)
        np.testing.assert_allclose(hits.scores, expected, atol=1e-5)
    assert searcher.search("0", minus=["9"], k=99).ids == searcher.search("0", minus=["9"], minus_weight=0.25, k=99).ids  # fmt: skip
    two = searcher.search(["0", "30"], k=3)
    middle = vectors[0] + vectors[30]
    assert two.scores[0] == pytest.approx(
        np.delete(vectors, [0, 30], 0).dot(middle / np.linalg.norm(middle)).max(), abs=1e-5
    )


# --- the command line -------------------------------------------------------------


def test_the_command_line_shows_all_of_it(boutique, tmp_path, likelens):
    store, spec = boutique
    page = tmp_path / "page.html"
    asked = ("search", "0", "--store", store, "-e", spec)
    code, out, err = likelens(
        *asked, "-k", 5, "--group-by", "product", "--rerank", "csls", "--threshold", "auto",
        "--labels", "kind", "--false-alarm", 0.9, "--html", page, "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["rerank"] == "csls"
    assert found["calibrated"]["false_alarm"] == 0.9
    assert found["calibrated"]["value"] == found["threshold"]
    assert found["nothing_alike"] is False
    assert [hit["more"] for hit in found["hits"]] == [2] * len(found["hits"])
    html = page.read_text(encoding="utf-8")
    for text in ("and 2 more<", "Ordered by csls", "One for each value of product",
                 "with a chance of 0.9 (kind)"):  # fmt: skip
        assert text in html
    code, out, err = likelens(*asked, "--group-by", "product", "--collapse", 0.98, "-k", 4)
    assert code == 0, err
    assert "more" in out
    assert "+2" in out


def test_nothing_alike_is_said(boutique, tmp_path, likelens):
    store, spec = boutique
    page = tmp_path / "page.html"
    asked = ("search", "0", "--store", store, "-e", spec, "--html", page)
    code, out, err = likelens(*asked, "--threshold", 1.0, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["hits"] == []
    assert found["nothing_alike"] is True
    assert 0.9 < found["best"] < 1
    html = page.read_text(encoding="utf-8")
    assert "Nothing similar here" in html
    assert f"the best of all has {found['best']:.3f}" in html
    code, _, err = likelens(*asked, "--threshold", 1.0)
    assert code == 0
    assert f"note: nothing alike: the best score is {found['best']:.4f}" in err
    code, _, err = likelens(*asked, "--threshold", "auto", "--false-alarm", 0.1)
    assert code == 0
    assert "at a false-alarm rate of 0.1, by 60 queries (shuffled vectors)" in err


WRONG = {
    "no number": (["--threshold", "high"], "'high' is no threshold"),
    "not a number": (["--threshold", "nan"], "threshold is not a number"),
    "a rate without auto": (["--threshold", "0.8", "--false-alarm", "0.1"], "give --threshold auto"),
    "labels without auto": (["--labels", "kind"], "give --threshold auto"),
    "a rate of none": (["--threshold", "auto", "--false-alarm", "0"], "rates between 0 and 1"),
    "a rate too low": (["--threshold", "auto", "--false-alarm", "0.001"], "cannot show a false-alarm rate"),
    "labels of no column": (["--threshold", "auto", "--labels", "kin"], "did you mean kind"),
    "labels in lists": (["--threshold", "auto", "--labels", "tags"], "several values"),
    "groups of no column": (["--group-by", "size"], "no column 'size'"),
    "a percentage": (["--collapse", "98"], "no similarity of near-duplicates"),
    "too diverse": (["--diversity", "2"], "not from 0 to 1"),
    "diverse and re-ranked": (["--diversity", "0.5", "--rerank", "csls"], "give one of the two"),
    "an unknown re-ranking": (["--rerank", "cls"], "csls, local-scaling, mutual-proximity"),
    "a text's weight without text": (["--text-weight", "0.3"], "needs pictures and texts"),
    "a text for a file of vectors": (["--text", "red"], "cannot read text"),
    "minus nothing": (["--minus", "1", "--minus-weight", "0"], "is not above 0"),
    "auto for two": (["1", "--threshold", "auto", "--false-alarm", "0.1"], "one picture"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses_of_search(boutique, likelens, name):
    options, message = WRONG[name]
    code, out, err = likelens("search", "0", *options, "--store", boutique[0], "-e", boutique[1])
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert [line.split(":")[0].strip() for line in err.strip().splitlines()[-3:]] == ["likelens", "where", "hint"]  # fmt: skip


def test_nothing_asked(boutique, likelens):
    code, _, err = likelens("search", "--store", boutique[0], "-e", boutique[1])
    assert code == 2
    assert "no picture was given" in err


def test_a_filter_means_the_same_in_memory_and_on_disk(shop, store):
    catalogue, memory = Catalogue.open(shop, tags=["kind", "colour"], split="|"), open_store(None)
    embed(catalogue, "opencv:colour", memory)
    for where in ("kind = 'shoe' and price > 5", ["kind = 'shoe'", "price > 5"], "id < '4'", []):
        kept = search(store, "1", where=where, k=20)
        assert search(memory, "1", where=where, k=20).ids == kept.ids
        assert kept.where in (None, where, "(kind = 'shoe') and (price > 5)")
    for other in (store, memory):
        with pytest.raises(BadQuery, match="no column '_digest'"):
            search(other, "1", where="_digest = 'x'")
