"""An open searcher sees changes of its store, and a search that has begun does not."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import paint
from likelens import Catalogue, Searcher, embed, open_store
from likelens._search.query import Reader
from likelens.values.errors import LikelensWarning, StoreBroken

COLOUR = "opencv:colour"


@pytest.fixture
def store(shop, tmp_path):
    embed(Catalogue.open(shop, tags=["kind", "colour"], split="|"), COLOUR, tmp_path / "s")
    return tmp_path / "s"


def new_item(tmp_path, item="new", seed=3, **more):
    image = paint(tmp_path / "images" / f"{item}.png", seed)
    return {"id": item, "image": str(image), "kind": "hat", **more}


@pytest.mark.parametrize("index", [None, "hnsw", "ivf"])
def test_items_that_come_change_and_go(store, tmp_path, index):
    searcher, other = Searcher(store, index=index), open_store(store)
    assert searcher.refresh() is False
    before = searcher.search("3", k=20)
    other.upsert([new_item(tmp_path)])
    assert searcher.search("3", k=20).ids == before.ids
    assert searcher.refresh() is True
    hits = searcher.search("3", k=20)
    assert hits.ids[0] == "new"
    assert hits.scores[0] == pytest.approx(1.0, abs=1e-6)
    assert hits.candidates == before.candidates + 1
    assert searcher.search("3", where="kind = 'hat'").ids == ("new",)
    assert searcher.search("new", k=1).ids == ("3",)
    other.upsert([new_item(tmp_path, seed=5)])
    searcher.refresh()
    assert searcher.search("5", k=1).ids == ("new",)
    other.upsert([{"id": "new", "kind": "cap"}])
    searcher.refresh()
    assert searcher.search("3", where="kind = 'cap'").ids == ("new",)
    other.remove(["new", "4"])
    searcher.refresh()
    gone = searcher.search("3", k=20)
    assert set(gone.ids) == set(before.ids) - {"4"}
    assert gone.candidates == before.candidates - 1


def test_a_search_looks_once_half_a_second_has_passed(store, tmp_path):
    searcher, now = Searcher(store), [0.0]
    searcher.clock = lambda: now[0]
    searcher.refresh()
    open_store(store).upsert([new_item(tmp_path)])
    now[0] = 0.4
    assert "new" not in searcher.search("3").ids
    now[0] = 0.6
    assert searcher.search("3").ids[0] == "new"
    open_store(store).remove("new")
    now[0] = 1.0
    assert searcher.search("3").ids[0] == "new"
    now[0] = 1.2
    assert "new" not in searcher.search("3").ids
    assert searcher.groups("kind")[1].size == 8


def test_groups_rerankings_and_thresholds_are_of_the_items_there_are(store, tmp_path):
    searcher = Searcher(store)
    asked = {"threshold": "auto", "labels": "kind", "false_alarm": 0.2}
    searcher.search("3", group_by="kind", rerank="csls")
    searcher.search("3", **asked)
    open_store(store).upsert([new_item(tmp_path, f"n{seed}", seed) for seed in range(3, 8)])
    searcher.refresh()
    fresh = Searcher(store)
    for more in (asked, {"group_by": "kind"}, {"rerank": "csls"}):
        assert searcher.search("3", **more).to_dict() == fresh.search("3", **more).to_dict()
    assert searcher.hubs(3) == fresh.hubs(3)


def test_a_search_that_has_begun_is_not_changed(store, monkeypatch):
    searcher, real = Searcher(store), Reader.vector
    expected = searcher.search("3", k=20, where="kind is not null").to_dict()

    def meanwhile(self, query):
        monkeypatch.setattr(Reader, "vector", real)
        open_store(store).remove(["1", "2"])
        assert searcher.refresh() is True
        return real(self, query)

    monkeypatch.setattr(Reader, "vector", meanwhile)
    assert searcher.search("3", k=20, where="kind is not null").to_dict() == expected
    assert not {"1", "2"} & set(searcher.search("3", k=20).ids)


def test_threads_search_while_the_store_changes(store, tmp_path):
    searcher, other = Searcher(store), open_store(store)
    times = iter(range(10**6))
    searcher.clock = lambda: float(next(times))  # so that every search looks

    def ask(_):
        hits = searcher.search("3", k=20, where="kind is not null", group_by="id_copy")
        return hits.candidates == len(hits) and {hit.id for hit in hits} == set(hits.ids)

    lines = [{"id": str(n), "id_copy": str(n)} for n in range(8)]
    other.upsert(lines)
    searcher.refresh()
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(ask, range(60))
        for round_ in range(4):
            other.upsert([new_item(tmp_path, f"t{round_}", round_, id_copy=f"t{round_}")])
            other.remove([f"t{round_}"])
        assert all(found)


def test_a_store_that_cannot_be_read_is_searched_as_it_was(store):
    searcher, now = Searcher(store), [0.0]
    searcher.clock = lambda: now[0]
    searcher.refresh()
    before = searcher.search("3").ids
    open_store(store).remove("7")
    for path in (store / "items.lance").rglob("*.lance"):
        path.write_bytes(b"damaged")
    now[0] = 1.0
    with pytest.warns(LikelensWarning, match="searched as it was"):
        assert searcher.search("3").ids == before
    with pytest.raises(StoreBroken):
        searcher.refresh()
