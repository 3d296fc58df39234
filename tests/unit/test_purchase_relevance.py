"""Relevance by purchases, and the board of encoders ranked by retrieval."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import likelens as package
from boards import Outline
from likelens import Catalogue, PurchaseRelevance, RetrievalBoard, relevance_of
from likelens.values.errors import BadShape, BadSpec, BadTable

ITEMS = 24


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Items of 4 colours in products of two images; customers buy within a colour."""
    images = tmp_path / "images"
    images.mkdir()
    rows = ["id,product,kind,colour"]
    for row in range(ITEMS):
        shade = np.roll([230, 20 + row, 10 + 90 * (row % 4 == 3)], row % 4)
        Image.new("RGB", (24, 24), tuple(shade.tolist())).save(images / f"i{row}.png")
        rows.append(f"i{row},p{row // 8}-{row % 4},{'ab'[row % 2]},c{row % 4}")
    (tmp_path / "shop.csv").write_text("\n".join(rows))
    draw = np.random.default_rng(0)
    bought = ["customer,item,order"]
    for customer in range(60):
        for item in draw.choice(ITEMS // 4, 3, replace=False) * 4 + customer % 4:
            bought.append(f"k{customer},i{item},o{customer // 2}")
    (tmp_path / "bought.csv").write_text("\n".join(bought))
    return tmp_path


def opened(shop: Path, **more) -> Catalogue:
    return Catalogue.open(
        shop / "shop.csv",
        images=shop / "images",
        tags=["kind"],
        purchases=shop / "bought.csv",
        **more,
    )


def slow(baskets, items, count, kin):
    """For each item the set of those it was bought with, from the definition."""
    found = [set() for _ in range(count)]
    for one, a in zip(baskets, items, strict=True):
        for other, b in zip(baskets, items, strict=True):
            related = any(k[a] is not None and k[a] == k[b] for k in kin)
            if one is not None and one == other and a != b and not related:
                found[a].add(b)
    return found


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_relevant_is_what_shares_a_basket(data):
    count = data.draw(st.integers(1, 8))
    size = data.draw(st.integers(0, 20))
    items = data.draw(st.lists(st.integers(0, count - 1), min_size=size, max_size=size))
    baskets = data.draw(
        st.lists(st.sampled_from(["x", "y", "z", None]), min_size=size, max_size=size)
    )
    names = st.lists(st.sampled_from(["p", "q", None]), min_size=count, max_size=count)
    kin = data.draw(st.lists(names, max_size=2))
    found = PurchaseRelevance(baskets, np.array(items, np.int64), count, kin=kin)
    expected = slow(baskets, items, count, kin)
    rows = np.arange(count)
    assert [set(one.tolist()) for one in found.members(rows)] == expected
    assert found.relevant(rows).tolist() == [len(one) for one in expected]
    places = np.tile(np.append(rows, -1), (count, 1))
    gains = found.gains(rows, places)
    assert [set(np.flatnonzero(row).tolist()) for row in gains] == expected
    assert found.ideal(rows, 3).sum(axis=1).tolist() == [min(len(one), 3) for one in expected]
    owners = [
        len({b for b, i in zip(baskets, items, strict=True) if i == item and b}) for item in rows
    ]
    assert found.popularity.tolist() == owners
    pairs = set(zip(*(one.tolist() for one in found.excluded(rows)), strict=True))
    assert pairs == {
        (a, b)
        for a in rows.tolist()
        for b in rows.tolist()
        if any(k[a] is not None and k[a] == k[b] for k in kin)
    }


def test_kin_take_no_place_in_whole_rankings():
    """Nearest to query 0 are two images of its product, then what was bought with it."""
    vectors = np.array([[1.0, 0.0], [1.0, 0.01], [1.0, 0.02], [1.0, 0.5], [0.0, 1.0]])
    bought = PurchaseRelevance(["x", "x"], [0, 3], 5, kin=[["p", "p", "p", None, None]])
    found = package.measure(vectors, bought, ks=[1], queries=[0])
    assert found.rankings.positions.tolist() == [[3]]
    assert found.scores["mAP"].mean == found.scores["HR@1"].mean == 1.0


def test_what_does_not_fit_is_refused():
    for baskets, items, kin in ((["x"], [0, 1], ()), (["x"], [9], ()), (["x"], [0], [["p"]])):
        with pytest.raises(BadShape):
            PurchaseRelevance(baskets, items, 3, kin=kin)


def test_a_catalogue_gives_baskets_customers_products_and_copies(shop):
    catalogue = opened(shop)
    by_customer = relevance_of(catalogue, "purchases")
    by_order = relevance_of(opened(shop, basket="order"), "purchases")
    rows = np.arange(ITEMS)
    assert by_order.relevant(rows).sum() > by_customer.relevant(rows).sum()
    products = catalogue.products
    assert products is None
    grouped = relevance_of(opened(shop, product="product"), "purchases")
    for row, members in enumerate(grouped.members(rows)):
        assert not any(opened_product(row) == opened_product(int(other)) for other in members)


def opened_product(row: int) -> tuple[int, int]:
    return row // 8, row % 4


def test_without_purchases_or_pairs_it_is_refused(shop):
    plain = Catalogue.open(shop / "shop.csv", images=shop / "images")
    with pytest.raises(BadTable, match="there are no purchases"):
        relevance_of(plain, "purchases")
    (shop / "bought.csv").write_text("customer,item\na,i1\nb,i2\nc,unknown\n")
    with pytest.raises(BadTable, match="no two items were bought together in 3 purchases, 2 of"):
        relevance_of(opened(shop), "purchases")
    with pytest.raises(BadTable, match="queries of another catalogue"):
        relevance_of(opened(shop), "purchases", queries=plain)


def test_encoders_stand_beside_chance_and_popularity(shop):
    board = package.compare(
        opened(shop, product="product"),
        ["opencv:colour", "control:shuffled?of=opencv:colour"],
        relevance="purchases",
        k=3,
    )
    assert isinstance(board, RetrievalBoard)
    names = [one.name for one in board.entries]
    assert names[0] == "opencv:colour"
    assert {"control:random", "control:popularity"} < set(names)
    best = board.entries[0]
    assert list(best.scores) == ["nDCG@3", "HR@3", "MRR@3", "mAP@3", "P@3", "R@3"]
    catalogue = board.catalogue
    for query, top in zip(board.queries, best.top, strict=True):
        assert query not in top
        own = catalogue.products[query]
        assert own not in [catalogue.products[item] for item in top if item >= 0]
    ranks = [one.rank for one in board.entries]
    assert ranks == sorted(ranks)
    json.dumps(board.to_dict(), allow_nan=False)
    popular = next(one for one in board.entries if one.name == "control:popularity")
    counts = relevance_of(catalogue, "purchases").popularity
    for query, top in zip(board.queries, popular.top, strict=True):
        others = [
            i for i in range(len(catalogue)) if catalogue.products[i] != catalogue.products[query]
        ]
        best_counts = sorted((counts[i] for i in others), reverse=True)[:3]
        assert [counts[i] for i in top] == best_counts


def test_a_copy_of_the_query_takes_no_place(shop):
    images = shop / "images"
    (images / "i5.png").write_bytes((images / "i1.png").read_bytes())
    board = package.compare(opened(shop), ["opencv:colour"], relevance="purchases", k=5)
    top = board.entries[0].top[board.queries.tolist().index(1)]
    assert 5 not in top


def test_the_page_and_the_files(shop, tmp_path):
    board = package.compare(opened(shop), ["opencv:colour"], relevance="purchases")
    page = board.write(tmp_path / "out")
    outline = Outline(page.read_text(encoding="utf-8"))
    assert "control:popularity" in outline.text
    assert "bought together" in outline.text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "retrieval.csv", "retrieval.parquet", "retrieval.json", "retrieval.html",
        "per-query.parquet",
    }  # fmt: skip
    changed = board.against(tmp_path / "out")
    assert [one.difference for one in changed.changes] == [0.0] * 3


def test_options_of_tags_are_refused_beside_relevance(shop):
    with pytest.raises(BadSpec, match="belong to a comparison by tags"):
        package.compare(opened(shop), ["opencv:colour"], relevance="purchases", recipe="released")
    with pytest.raises(BadSpec, match="no kind of relevance"):
        package.compare(opened(shop), ["opencv:colour"], relevance="sales")
    with pytest.raises(BadSpec, match="k = 0 is no number"):
        package.compare(opened(shop), ["opencv:colour"], relevance="purchases", k=0)


def asked(shop: Path, *more: str) -> list[object]:
    return [
        "evaluate", shop / "shop.csv", "--images", shop / "images", "-e", "opencv:colour",
        "--out", shop / "report", *more,
    ]  # fmt: skip


def test_the_command_line(shop, likelens):
    bought = ("--purchases", str(shop / "bought.csv"), "--relevance", "purchases")
    code, out, err = likelens(*asked(shop, *bought, "-k", "5"))
    assert code == 0, err
    assert "control:popularity" in out
    assert "nDCG@5" in out
    code, out, err = likelens(
        *asked(shop, *bought, "-k", "5", "--against", str(shop / "report"), "--json")
    )
    assert code == 0, err
    assert json.loads(out)["against"]["changes"][0]["difference"] == 0
    for wrong in (("--recipe", "released"), ("--judgements", "x.csv"), ("-k", "5", "-k", "9")):
        code, _, err = likelens(*asked(shop, *bought, *wrong))
        assert code != 0
        assert "cannot be used with --relevance" in err


def test_a_sample_on_the_command_line_and_what_changed(shop, likelens):
    code, out, err = likelens(*asked(shop, "--tags", "kind,colour", "--sample", "16", "--json"))
    assert code == 0, err
    found = json.loads(out)
    assert found["items"] == 16
    assert found["run"]["sample"] == 16
    assert found["run"]["sampled"] == "16 of 24 items at random, keeping the shares of kind"
    page = (shop / "report" / "report.html").read_text(encoding="utf-8")
    assert "--sample 16" in Outline(page).text
    told = asked(shop, "--tags", "kind,colour", "--against", str(shop / "report"))
    told[told.index("--out") + 1] = shop / "later"
    code, out, err = likelens(*told)
    assert code == 0, err
    assert "Items added: 8" in out
    assert "Sample: 16 → not set" in out
    code, _, err = likelens(*asked(shop, "--judgements", "j.csv", "--sample", "16"))
    assert code != 0
    assert "--sample is of tags" in err


def test_judgements_say_that_tags_are_not_used(shop, likelens):
    pairs = [f"i{q},i{c},{int(q % 4 == c % 4)}" for q in range(8) for c in range(8) if q != c]
    (shop / "judged.csv").write_text("\n".join(["query,candidate,grade", *pairs]))
    told = asked(shop, "--tags", "kind,colour", "--judgements", str(shop / "judged.csv"))
    code, _, err = likelens(*told)
    assert code == 0, err
    assert "not used, since encoders are ranked by judgements: tags" in err
    bought = ("--purchases", str(shop / "bought.csv"))
    code, _, err = likelens(*asked(shop, *bought, "--tags", "kind", "--relevance", "tags"))
    assert code == 0, err
    assert "not used, since encoders are ranked by tags: purchases" in err
