"""Indexes saved in a store: built, brought up to date, damaged, refused; and the commands."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import paint
from likelens import Catalogue, Searcher, build_index, embed, open_store
from likelens._indexes import Changes, Held, keep_index, list_indexes, marks_of, open_index
from likelens.index.base import INDEXES, Index, load_index
from likelens.values.embeddings import Embeddings, EncoderCard, failure_table
from likelens.values.errors import (
    BadQuery,
    BadShape,
    BadSpec,
    BadTable,
    FingerprintMismatch,
    IndexBroken,
    StoreBroken,
)

COLOUR = "opencv:colour"
GRAPH = "hnsw(m=8, build=40)"


def crowd(ids: list[str], seed: int = 0, dim: int = 8, mark: str = "f1") -> Embeddings:
    """Vectors that belong to ids: the same id and seed give the same vector."""
    rows = [np.random.default_rng((seed, int(item))).standard_normal(dim) for item in ids]
    vectors = np.array(rows, np.float32).reshape(len(ids), dim)
    return Embeddings(tuple(ids), vectors, EncoderCard("a:b", mark, dim), failure_table())


def names(start: int, stop: int) -> list[str]:
    return [str(number) for number in range(start, stop)]


@pytest.fixture
def folder(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def stored(shop, tmp_path):
    embed(Catalogue.open(shop), COLOUR, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 1,300 items whose vectors are drawn: many enough for an index to be used."""
    root = tmp_path_factory.mktemp("large")
    lines = ["id,kind"]
    for number in range(1300):
        paint(root / "images" / f"{number}.png", number, (4, 4))
        lines.append(f"{number},k{number % 8}")
    (root / "shop.csv").write_text("\n".join(lines) + "\n")
    embed(Catalogue.open(root / "shop.csv"), "control:random?dim=8", root / "store")
    return root / "store"


def check(placed, embeddings: Embeddings, k: int = 5) -> None:
    """The rows that it finds are those of brute force."""
    unit = embeddings.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for row in range(0, len(unit), 97):
        cosines = unit @ unit[row]
        truth = np.argsort(-cosines, kind="stable")[:k]
        found = placed.explain(embeddings.vectors[row], k)
        assert set(found.positions[0]) == set(truth)
        np.testing.assert_allclose(found.scores[0], np.sort(cosines)[::-1][:k], atol=1e-5)
        allowed = np.arange(len(unit)) % 3 == 1
        among = [one for one in np.argsort(-cosines, kind="stable") if allowed[one]][:k]
        found = placed.explain(embeddings.vectors[row], k, allowed)
        assert set(found.positions[0]) == set(among)


# --- saved, and brought up to date ------------------------------------------------


@pytest.mark.parametrize("kind", ["exact", "kdtree", GRAPH, "lsh(rerank=2000)", "ivf(probes=99)"])
def test_what_was_saved_is_used(folder, kind):
    before = crowd(names(0, 1200))
    _, path = keep_index(folder, before, kind)
    assert path.suffix == ".index"
    placed = open_index(folder, before, kind)
    assert placed.saved
    assert not placed.changes
    assert placed.notes == ()
    check(placed, before)


def test_items_that_came_went_and_changed_are_brought_in_without_a_rebuild(folder, monkeypatch):
    keep_index(folder, crowd(names(0, 1400)), GRAPH)
    ids = [*names(900, 1450), *names(100, 900)]  # another order; 0 to 99 gone, 50 new
    now = crowd(ids)
    now.vectors[3], now.vectors[700] = -now.vectors[3], 2 * now.vectors[9]
    monkeypatch.setattr(INDEXES.load("hnsw"), "_build", None)
    placed = open_index(folder, now, GRAPH)
    assert placed.changes == Changes(added=50, changed=2, removed=100)
    assert str(placed.changes) == "50 added, 2 changed, 100 removed"
    check(placed, now)
    assert open_index(folder, now, GRAPH).changes, "searching writes nothing"
    keep_index(folder, now, GRAPH)
    again = open_index(folder, now, GRAPH)
    assert again.saved
    assert not again.changes
    check(again, now)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(0, 1)), max_size=5))
def test_any_chain_of_stores_ends_right(tmp_path_factory, chain):
    store = open_store(tmp_path_factory.mktemp("s") / "store")
    keep_index(store, crowd(names(0, 20)), "exact")
    for start, length, seed in chain:
        now = crowd(names(start, start + length + 1), seed=seed)
        placed, _ = keep_index(store, now, "exact")
        assert len(placed.index) <= 2 * placed.index.count, "it does not grow without end"
        unit = now.vectors / np.linalg.norm(now.vectors, axis=1, keepdims=True)
        found = placed.explain(now.vectors, len(now))
        np.testing.assert_array_equal(np.sort(found.positions, axis=1)[0], np.arange(len(now)))
        truth = -np.sort(-(unit @ unit.T), axis=1)
        np.testing.assert_allclose(found.scores, truth, atol=1e-5)


def test_equal_scores_are_ordered_as_in_the_catalogue(folder):
    before = crowd(names(10, 30))
    before.vectors[:] = 1.0
    keep_index(folder, before, "exact")
    now = crowd(names(0, 30))
    now.vectors[:] = 1.0
    placed = open_index(folder, now, "exact")
    for k in (1, 5, 29, 30, 40):
        found = placed.explain(now.vectors[5], k)
        assert found.positions[0].tolist() == list(range(min(k, 30)))
    allowed = np.arange(30) % 2 == 1
    assert placed.explain(now.vectors[:2], 3, allowed).positions.tolist() == [[1, 3, 5]] * 2
    with pytest.raises(BadShape, match="k = 0"):
        placed.explain(now.vectors[5], 0)


def test_what_is_mostly_removed_is_built_anew(folder):
    keep_index(folder, crowd(names(0, 100)), "exact")
    placed, _ = keep_index(folder, crowd(names(50, 100)), "exact")
    assert placed.saved
    assert len(placed.index) == 100
    placed, _ = keep_index(folder, crowd(names(51, 100)), "exact")
    assert not placed.saved
    assert len(placed.index) == 49


def test_options_of_the_search_need_no_other_index(folder):
    vectors = crowd(names(0, 1200))
    keep_index(folder, vectors, "hnsw(m=8, ef=33)")
    assert open_index(folder, vectors, "hnsw(m=8)").index.ef == 33
    placed = open_index(folder, vectors, "hnsw( ef = 77, build=100, m=8)")
    assert placed.saved
    assert placed.index.ef == 77
    assert not open_index(folder, vectors, "hnsw(m=9)").saved


def test_every_kind_has_a_file_of_its_own_and_knows_its_options(folder):
    """The file's name is made of attributes that bear the options' names."""
    vectors, paths = crowd(names(0, 30)), set()
    for name in INDEXES.names():
        for kind in INDEXES.load(name).EXAMPLES:
            if "l2" not in kind:
                paths.add(keep_index(folder, vectors, kind)[1])
                assert open_index(folder, vectors, kind).saved
    assert len(list_indexes(folder)) == len(paths) >= 12


def test_marks_tell_vectors_apart():
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((5000, 5)).astype(np.float32)
    marks = marks_of(vectors)
    assert len(np.unique(marks)) == 5000
    near = vectors.copy()
    near[:, 2] = np.nextafter(near[:, 2], np.float32(9))
    assert (marks_of(near) != marks).all()
    assert (marks_of(vectors[::-1])[::-1] == marks).all(), "whatever is beside it"
    assert marks_of(vectors[:0]).shape == (0,)


def test_a_store_in_memory_has_nothing_saved():
    placed = open_index(open_store(None), crowd(names(0, 30)), "hnsw")
    assert not placed.saved
    with pytest.raises(BadTable, match="no folder"):
        keep_index(open_store(None), crowd(names(0, 30)), "hnsw")


# --- damaged, or of another encoder ------------------------------------------------


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


DAMAGE = {
    "a flipped byte": lambda path: flip(path),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "a list that is damaged": lambda path: path.with_suffix(".items").write_bytes(b"PAR1 no"),
    "a list that is gone": lambda path: path.with_suffix(".items").unlink(),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_named_and_built_again(folder, name):
    vectors = crowd(names(0, 1200))
    _, path = keep_index(folder, vectors, GRAPH)
    DAMAGE[name](path)
    placed = open_index(folder, vectors, GRAPH)
    assert not placed.saved
    assert path.stem in placed.notes[0]
    assert "built again from the store" in placed.notes[0]
    check(placed, vectors)
    again = open_index(folder, vectors, GRAPH)
    assert again.saved
    assert again.notes == ()


def test_a_list_of_another_file_is_no_list(folder):
    _, path = keep_index(folder, crowd(names(0, 40)), "exact")
    listed = path.with_suffix(".items").read_bytes()
    keep_index(folder, crowd(names(5, 45)), "exact")
    path.with_suffix(".items").write_bytes(listed)
    assert isinstance(list_indexes(folder)[0], IndexBroken)
    placed = open_index(folder, crowd(names(5, 45)), "exact")
    assert "belongs to another file" in placed.notes[0]


def test_an_index_replaced_while_it_is_read_is_not_taken_for_the_new_one(folder, monkeypatch):
    import likelens._indexes as module

    before, after = crowd(names(0, 40)), crowd(names(0, 40)[::-1], seed=1)
    keep_index(folder, before, "exact")

    def read_and_replaced(path, **given):
        index = load_index(path, **given)
        monkeypatch.undo()
        keep_index(folder, after, "exact", overwrite=True)
        return index

    monkeypatch.setattr(module, "load_index", read_and_replaced)
    placed = open_index(folder, after, "exact")
    assert "belongs to another file" in placed.notes[0]
    check(placed, after)


def test_an_index_replaced_while_it_is_saved_does_not_get_the_list(folder, monkeypatch):
    vectors = crowd(names(0, 40))
    keep_index(folder, vectors, "exact")
    other = build_index(vectors.vectors[::-1], "exact")
    save = Index.save

    def saved_and_replaced(index, path, **given):
        seal = save(index, path, **given)
        save(other, path, **given)
        return seal

    monkeypatch.setattr(Index, "save", saved_and_replaced)
    keep_index(folder, vectors, "exact")
    assert isinstance(list_indexes(folder)[0], IndexBroken)


def test_while_another_run_writes_nothing_is_saved(folder):
    vectors = crowd(names(0, 40))
    _, path = keep_index(folder, vectors, "exact")
    path.write_bytes(b"")
    with folder.writing():
        placed = open_index(folder, vectors, "exact")
        assert "but not saved: another run is writing to this store" in placed.notes[0]
        check(placed, vectors)
        with pytest.raises(StoreBroken, match="another run is writing"):
            keep_index(folder, vectors, "exact")
    assert path.read_bytes() == b""


def test_a_lock_that_cannot_be_written_is_no_traceback(folder):
    _, path = keep_index(folder, crowd(names(0, 40)), "exact")
    path.write_bytes(b"")
    (folder.root / "lock").unlink()
    (folder.root / "lock").mkdir()
    placed = open_index(folder, crowd(names(0, 40)), "exact")
    assert "but not saved: the store cannot be written" in placed.notes[0]


def test_what_cannot_be_saved_again_is_used_nevertheless(folder, monkeypatch):
    import likelens._indexes as module

    _, path = keep_index(folder, crowd(names(0, 40)), "exact")
    path.write_bytes(b"")

    def refused(*_):
        raise BadTable("this cannot be written: read-only", where="x", hint="y")

    monkeypatch.setattr(module, "_save", refused)
    placed = open_index(folder, crowd(names(0, 40)), "exact")
    assert "but not saved: this cannot be written" in placed.notes[0]


def test_an_index_of_another_encoder_is_refused_and_can_be_built_anew(folder):
    keep_index(folder, crowd(names(0, 40)), "exact")
    other = crowd(names(0, 40), mark="f2")
    with pytest.raises(FingerprintMismatch, match="f1, not of f2"):
        open_index(folder, other, "exact")
    placed, _ = keep_index(folder, other, "exact")
    assert not placed.saved
    assert open_index(folder, other, "exact").saved


# --- searches ----------------------------------------------------------------------


def test_a_search_by_an_index_finds_what_an_exact_one_finds(large):
    exact, near = Searcher(large), Searcher(large, index="hnsw(ef=400)")
    for item in ("3", "500", "1299"):
        for asked in (
            {},
            {"k": 40},
            {"where": "kind = 'k1'"},
            {"where": "kind = 'k1' and id < '2'"},
            {"include_self": True},
            {"group_by": "kind", "k": 3},
            {"collapse": 0.99},
            {"diversity": 0.3},
            {"threshold": 0.6},
            {"minus": ["7"]},
        ):
            want, got = exact.search(item, **asked), near.search(item, **asked)
            assert got.ids == want.ids, (item, asked)
            assert got.candidates == want.candidates
            assert got.index == "hnsw(ef=400)"
            assert (want.index, want.path, want.recall) == (None, "exact", None)


def test_the_path_and_its_recall_are_told(large):
    searcher = Searcher(large, index="lsh(bits=16, rerank=30)")
    whole = searcher.search("3")
    assert (whole.path, whole.recall) == ("index", None), "the query itself is no filter"
    some = searcher.search("3", where="kind <> 'k1'")
    assert some.path == "filtered"
    exact = set(Searcher(large).search("3", where="kind <> 'k1'").ids)
    assert some.recall == pytest.approx(len(exact & set(some.ids)) / 12)
    assert some.recall < 1.0, "else nothing was shown"
    few = searcher.search("3", where="kind = 'k1' and id < '12'")
    assert (few.path, few.recall) == ("exact", None)


def test_a_rerank_needs_no_index(large):
    with pytest.raises(BadQuery, match="no index can spare"):
        Searcher(large, index="hnsw").search("3", rerank="csls")


def test_exact_is_what_every_search_is(large):
    searcher = Searcher(large, index="exact")
    assert searcher.near is None
    with pytest.raises(BadSpec, match="rank by cosine similarity"):
        Searcher(large, index="exact(metric=l2)")


def test_pictures_embedded_after_the_index_was_built_are_found(shop, stored, tmp_path, likelens):
    assert likelens("index", "build", "--store", stored)[0] == 0
    paint(tmp_path / "images" / "8.png", 8)
    paint(tmp_path / "images" / "3.png", 33)
    lines = shop.read_text().splitlines()
    shop.write_text("\n".join([*lines[:2], *lines[3:], "8,red,hat,1.0"]) + "\n")  # without 1
    assert likelens("embed", shop, "--store", stored, "-e", COLOUR, "--sync")[0] == 0
    arguments = ("search", tmp_path / "images" / "8.png", "--store", stored, "-k", 20)
    _, exact, _ = likelens(*arguments, "--include-self", "--json")
    code, out, err = likelens(*arguments, "--include-self", "--json", "--index", "hnsw")
    assert code == 0
    assert json.loads(out)["hits"] == json.loads(exact)["hits"]
    assert json.loads(out)["path"] == "exact", "there are few"
    assert "since the index was saved: 1 added, 1 changed, 1 removed" in err
    _, out, _ = likelens("index", "info", "--store", stored)
    assert "behind: 1 added, 1 changed, 1 removed" in out
    _, out, _ = likelens("index", "build", "--store", stored)
    assert "brought up to date (1 added, 1 changed, 1 removed)" in out
    _, _, err = likelens(*arguments, "--index", "hnsw")
    assert "since the index" not in err


# --- the commands ------------------------------------------------------------------


def test_build_and_info(large, likelens):
    code, out, _ = likelens("index", "build", "--store", large, "--kind", GRAPH, "--json")
    made = json.loads(out)
    assert code == 0
    assert (made["vectors"], made["built"], made["structure"]) == (1300, True, True)
    assert likelens("index", "build", "--store", large, "--kind", GRAPH)[1].count("brought up") == 1
    _, out, _ = likelens("index", "build", "--store", large, "--kind", GRAPH, "--overwrite")
    assert "1,300 vectors, built in" in out
    code, out, _ = likelens("index", "info", "--store", large, "--json")
    (one,) = json.loads(out)["encoders"]
    assert one["indexes"][0]["state"] == "up to date"
    assert one["indexes"][0]["index"] == GRAPH
    found = Searcher(large).hubs(10)
    assert one["hubs"]["orphans"] == list(found.orphans)
    assert one["hubs"]["skewness"] == pytest.approx(found.skewness)
    code, out, err = likelens("index", "info", "--store", large, "--no-hubs")
    assert code == 0
    assert "hubs: " not in out
    assert "--hubs does" in err
    code, out, _ = likelens("index", "info", "--store", large, "-k", 3)
    assert "the 3 nearest of others" in out
    assert re.search(r"orphans: [\d,]+ \(", out)


def test_info_names_what_is_damaged(stored, likelens):
    likelens("index", "build", "--store", stored)
    (held,) = list_indexes(open_store(stored))
    assert isinstance(held, Held)
    held.path.with_suffix(".items").unlink()
    code, out, err = likelens("index", "info", "--store", stored)
    assert code == 0
    assert "no index is saved" in out
    assert "items is missing" in err
    assert likelens("search", "1", "--store", stored, "--index", "hnsw")[0] == 0
    assert "items is missing" not in likelens("index", "info", "--store", stored)[2]


def test_info_reads_the_whole_file(stored, likelens):
    likelens("index", "build", "--store", stored)
    (held,) = list_indexes(open_store(stored))
    flip(held.path)  # far from the header
    code, out, err = likelens("index", "info", "--store", stored)
    assert code == 0
    assert "up to date" not in out
    assert f"{held.path.name}: the saved index is damaged" in err


def test_a_store_whose_items_are_damaged_has_no_info(large, tmp_path, likelens):
    shutil.copytree(large, tmp_path / "store")
    file = next((tmp_path / "store" / "items.lance" / "data").iterdir())
    whole = bytearray(file.read_bytes())
    whole[100:130] = b"\xff" * 30
    file.write_bytes(bytes(whole))
    for command in (("index", "info"), ("index", "build"), ("search", "3")):
        for more in ((), ("--json",)):
            code, out, err = likelens(*command, "--store", tmp_path / "store", *more)
            assert code == 1
            assert "a part of the store is damaged" in err
            assert out == ""
    assert "the vectors are kept" in json.loads(err)["error"]["hint"]


def test_info_lists_an_index_of_another_encoder_where_it_lies(shop, stored, likelens):
    embed(Catalogue.open(shop), "opencv:hog?size=32", stored)
    build = ("index", "build", "--store", stored)
    for encoder in (COLOUR, "opencv:hog?size=32"):
        assert likelens(*build, "-e", encoder)[0] == 0
    held = {one.encoder: one.path for one in list_indexes(open_store(stored))}
    for ending in (".index", ".items"):
        foreign = held[COLOUR].with_suffix(ending).read_bytes()
        held["opencv:hog?size=32"].with_suffix(ending).write_bytes(foreign)
    info = ("index", "info", "--store", stored, "--json")
    (one,) = json.loads(likelens(*info, "-e", "opencv:hog?size=32")[1])["encoders"]
    assert [index["state"] for index in one["indexes"]] == ["of another encoder"]
    both = json.loads(likelens(*info)[1])["encoders"]
    assert {one["encoder"]: [index["state"] for index in one["indexes"]] for one in both} == {
        COLOUR: ["up to date"],
        "opencv:hog?size=32": ["of another encoder"],
    }


def test_what_was_not_embedded_by_one_encoder_is_told(shop, stored, tmp_path, likelens):
    (tmp_path / "images" / "8.png").write_bytes(b"no picture")
    paint(tmp_path / "images" / "9.png", 9)
    shop.write_text(shop.read_text() + "8,red,hat,1.0\n9,red,hat,1.0\n")
    assert likelens("embed", shop, "--store", stored, "-e", "opencv:hog?size=32")[0] == 0
    said = "2 of 10 items have no vector by this encoder: embed again"
    for command in (("search", "1"), ("search", "1", "--index", "hnsw"), ("index", "info")):
        asked = (*command, "--store", stored, "-e", COLOUR)
        assert said in likelens(*asked)[2]
        assert "no vector by" not in likelens(*asked[:-1], "opencv:hog?size=32")[2], (
            "8 is no picture"
        )
    found = json.loads(likelens("search", "1", "--store", stored, "-e", COLOUR, "--json")[1])
    assert (found["lacking"], found["candidates"]) == (2, 7)
    assert likelens("embed", shop, "--store", stored, "-e", COLOUR)[0] == 0
    assert "no vector by" not in likelens("search", "1", "--store", stored, "-e", COLOUR)[2]


def test_info_needs_no_encoder_whose_vectors_are_stored(stored, likelens):
    store = open_store(stored)
    items = store.items()
    digests = dict(zip(items["id"].to_pylist(), items["_digest"].to_pylist(), strict=True))
    gone = EncoderCard("onnx:gone.onnx", "f1", 8)
    vectors = crowd([*digests])
    store.create(gone)
    store.append(gone.name, [*digests.values()], vectors.vectors)
    keep_index(store, vectors, "exact")  # of an encoder a:b, which there is not
    code, out, err = likelens("index", "info", "--store", stored)
    assert code == 0
    assert "opencv:colour" in out
    assert "onnx:gone.onnx (f1): 8 vectors of 8" in out
    assert "a:b: " in err
    found = json.loads(likelens("index", "info", "--store", stored, "--json")[1])
    assert [one["encoder"] for one in found["encoders"]] == [COLOUR, gone.name]
    assert [one["encoder"] for one in found["failed"]] == ["a:b"]
    assert likelens("index", "info", "--store", stored, "-e", "a:b")[0] != 0


def test_tune(large, tmp_path, likelens, monkeypatch):
    import likelens._tune as module

    monkeypatch.setattr(module.tune, "__kwdefaults__", {
        **module.tune.__kwdefaults__, "lines": (module.Line("hnsw", "ef", (16, 64)),),
    })  # fmt: skip
    asked = ("index", "tune", "--store", large)
    code, out, err = likelens(*asked, "--queries", 30, "--out", tmp_path / "t.html")
    assert code == 0
    assert "hnsw(ef=16)" in out
    assert "Recommended: " in out
    assert f"page: {tmp_path / 't.html'}" in out
    assert "how costs grow cannot be told from 1,300 vectors" in err
    assert "<polyline" in (tmp_path / "t.html").read_text(encoding="utf-8")
    code, out, _ = likelens(*asked, "--json", "--queries", 5000)
    found = json.loads(out)
    assert found["queries"] == 1300
    assert "5,000 queries were wanted" in found["notes"][0]
    assert {one["line"] for one in found["settings"]} == {"exact", "hnsw"}

    def interrupted(*_given, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Run, "follow", interrupted)
    code, out, err = likelens(*asked)
    assert code == 130
    assert "Recommended: " in out
    assert "stopped" in err


WRONG = {
    "an unknown kind": (["build", "--kind", "hsnw"], 2, "did you mean hnsw"),
    "an unknown option": (["build", "--kind", "hnsw(links=3)"], 2, "its options are: m, ef, build"),
    "an option out of range": (["build", "--kind", "hnsw(m=0)"], 2, "m=0 is not a whole number"),
    "half a kind": (["build", "--kind", "hnsw(m=16"], 2, "write kind or kind(option=value"),
    "another metric": (["build", "--kind", "exact(metric=l2)"], 2, "rank by cosine similarity"),
    "no store": (["build", "--store", "gone"], 1, "no store here"),
    "no store to look at": (["info", "--store", "gone"], 1, "no store here"),
    "no store to tune": (["tune", "--store", "gone"], 1, "no store here"),
    "an encoder that was not used": (["build", "-e", "opencv:hog"], 2, "no vectors by opencv:hog"),
    "lists of nothing": (["info", "-k", "0"], 2, "k = 0"),
    "k of nothing": (["tune", "-k", "0"], 2, "k = 0"),
    "a recall of nothing": (["tune", "--target-recall", "0"], 2, "recall of 0 cannot"),
    "a recall above one": (["tune", "--target-recall", "1.5"], 2, "recall of 1.5 cannot"),
    "no queries": (["tune", "--queries", "0"], 2, "0 queries"),
    "no time": (["tune", "--budget-seconds", "0"], 2, "in 0 s"),
    "a recall that is no number": (["tune", "--target-recall", "most"], 2, "--target-recall"),
    "a page into a folder": (["tune", "--out", "{root}"], 2, "cannot be written"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses_get_one_clear_answer(name, stored, tmp_path, likelens, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given, code, message = WRONG[name]
    arguments = [one.format(root=tmp_path) for one in given]
    if "--store" not in arguments:
        arguments += ["--store", str(stored)]
    got, out, err = likelens("index", *arguments)
    text = " ".join(err.replace("│", " ").split())
    assert got == code, text
    assert message in text
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (["--index", "tree"], 2, "there is no index 'tree'"),
        (["--index", "hnsw(x=1)"], 2, "no option 'x'"),
        (["--index", "hnsw", "--rerank", "csls"], 2, "no index can spare"),
        (["--index", "hnsw", "--where", "size = 3"], 2, "the columns are: id"),
        (["--index", "hnsw", "-k", "0"], 2, "k = 0"),
    ],
)
def test_wrong_searches_by_an_index(given, code, message, stored, likelens):
    got, out, err = likelens("search", "1", "--store", stored, *given)
    assert got == code
    assert message in err
    assert out == ""


def test_stores_that_have_no_or_several_encoders(shop, stored, tmp_path, likelens):
    with open_store(tmp_path / "empty").writing():
        pass
    for command in ("build", "tune"):
        code, _, err = likelens("index", command, "--store", tmp_path / "empty")
        assert code == 2
        assert "vectors by 0 encoders" in err
    assert "no vectors" in likelens("index", "info", "--store", tmp_path / "empty")[1]
    embed(Catalogue.open(shop), "opencv:hog?size=32", stored)
    for command in ("build", "tune"):
        code, _, err = likelens("index", command, "--store", stored)
        assert code == 2
        assert "choose one with -e: opencv:colour, opencv:hog" in err
    assert likelens("index", "info", "--store", stored)[1].count("vectors of") == 2


def test_nothing_is_built_for_a_search_that_is_refused(stored, likelens, monkeypatch):
    import likelens._search.gallery as module

    monkeypatch.setattr(module, "open_index", None)
    code, _, err = likelens("search", "1", "--store", stored, "--index", "hnsw", "--rerank", "csls")
    assert code == 2
    assert "no index can spare" in err


def test_an_encoder_whose_vectors_are_gone(folder):
    with pytest.raises(BadTable, match="no vector by a:b"):
        keep_index(folder, crowd([]), "hnsw")


def test_another_encoder_under_the_same_name(shop, stored, likelens, monkeypatch):
    from likelens.encoders import classical

    assert likelens("index", "build", "--store", stored, "--kind", "exact")[0] == 0
    assert likelens("index", "build", "--store", stored)[0] == 0
    monkeypatch.setattr(classical, "CV_VERSION", "999")
    assert likelens("embed", shop, "--store", stored, "-e", COLOUR, "--overwrite")[0] == 0
    code, _, err = likelens("search", "1", "--store", stored, "--index", "hnsw")
    assert code == 1
    assert "holds vectors of the encoder" in err
    assert "of another encoder" in likelens("index", "info", "--store", stored)[1]
    assert likelens("index", "build", "--store", stored)[0] == 0
    assert likelens("search", "1", "--store", stored, "--index", "hnsw")[0] == 0


def test_the_list_beside_an_index_can_be_read_by_others(stored, likelens):
    _, out, _ = likelens("index", "build", "--store", stored, "--json")
    table = pq.read_table(json.loads(out)["file"].replace(".index", ".items"))
    assert table["id"].to_pylist() == names(0, 8)
