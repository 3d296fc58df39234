"""The parts of an index: options, exact scan, rows and labels, the saved file, the lock."""

from __future__ import annotations

import json
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens import build_index
from likelens.index import container, scan
from likelens.index.base import INDEXES, load_index
from likelens.index.lock import ReadWriteLock
from likelens.index.options import Options
from likelens.index.rows import Rows
from likelens.values.errors import BadShape, BadSpec, BadTable, IndexBroken
from misbehaving import wait_until

WRONG = [
    ("", "not the name of an index"),
    ("hnsw(", "not the name of an index"),
    ("hnsw(m=4))", "not the name of an index"),
    ("hnsw m=4", "not the name of an index"),
    ("annoy", "no index 'annoy'"),
    ("hnsw(16)", "'16' is not an option"),
    ("hnsw(m=)", "'m=' is not an option"),
    ("hnsw(=4)", "'=4' is not an option"),
    ("hnsw(m=4, m=8)", "'m' is given twice"),
    ("hnsw(m=1)", "m=1 is not a whole number from 2"),
    ("hnsw(m=4.5)", "m=4.5 is not a whole number"),
    ("hnsw(m=-4)", "m=-4 is not a whole number"),
    ("hnsw(ef=0)", "ef=0 is not a whole number from 1"),
    ("hnsw(ef=9999999999)", "is not a whole number"),
    ("hnsw(lists=4)", "hnsw has no option 'lists'"),
    ("exact(metric=l1)", "metric=l1 is not one of cosine, l2"),
    ("kdtree(leaf=0)", "leaf=0 is not"),
    ("kdtree(pca=x)", "pca=x is not"),
    ("lsh(bits=100)", "bits=100 is not a whole number from 8 to 8,192 and a multiple of 8"),
    ("lsh(bits=16, tables=5)", "tables=5 is not a whole number from 1 to 4"),
    ("lsh(flips=9)", "flips=9 is not"),
    ("ivf(probes=many)", "probes=many is not"),
    ("ivf(lists=0)", "lists=0 is not"),
    ("ivfpq(parts=0)", "parts=0 is not"),
    ("binary(bits=0)", "bits=0 is not"),
    ("binary(rotation=pca)", "rotation=pca is not one of itq, none"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_wrong_specs_are_one_clear_sentence(spec, message):
    with pytest.raises(BadSpec) as caught:
        build_index(np.eye(3), spec)
    assert message in caught.value.what
    assert "\n" not in caught.value.what
    assert caught.value.hint


def test_options_read_back_from_their_text():
    options = Options.parse(" hnsw( ef=32,m = 8 ) ")
    assert (options.kind, options.given) == ("hnsw", {"ef": "32", "m": "8"})
    assert Options.parse(str(options)).given == options.given
    assert str(options.replaced(ef=64)) == "hnsw(ef=64, m=8)"
    assert str(Options.parse("ivf()")) == "ivf"


def test_retuning_changes_only_the_search():
    vectors = np.random.default_rng(0).standard_normal((3000, 32)).astype(np.float32)
    index = build_index(vectors, "hnsw(m=4, ef=8, build=20)")
    before = index.recall(vectors[:100] + 0.5, 10).mean()
    index.retune(ef=512)
    assert index.spec == "hnsw(m=4, ef=512, build=20)"
    assert index.recall(vectors[:100] + 0.5, 10).mean() > max(before, 0.8)
    with pytest.raises(BadSpec, match=r"'m' that can be changed once built[\s\S]*those are: ef"):
        index.retune(m=8)
    with pytest.raises(BadSpec, match="ef=0"):
        index.retune(ef=0)
    assert index.spec == "hnsw(m=4, ef=512, build=20)"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_scan_is_the_definition_however_it_is_cut_into_blocks(data):
    patch = pytest.MonkeyPatch()
    with patch.context() as small:
        small.setattr(scan, "FIRST_ROWS", data.draw(st.sampled_from([1, 3, 1024])))
        small.setattr(scan, "BLOCK_ROWS", data.draw(st.sampled_from([16, 50, 65_536])))
        small.setattr(scan, "CELLS", data.draw(st.sampled_from([1, 40, 500, 8_000_000])))
        small.setattr(scan, "SMALL", data.draw(st.sampled_from([0, 2_000_000])))
        metric = data.draw(st.sampled_from([scan.COSINE, scan.L2]))
        count, queries = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 12))
        draw = np.random.default_rng(data.draw(st.integers(0, 999)))
        # few values: many rows are equal, and many pairs tie
        vectors = draw.integers(-1, 2, (count, 3)).astype(np.float32)
        asked = draw.integers(-1, 2, (queries, 3)).astype(np.float32)
        if metric == scan.COSINE:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
            asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-9)
        else:
            vectors += np.float32(data.draw(st.sampled_from([0, 100])))
            asked += vectors[0]
        mask = draw.random(count) < data.draw(st.sampled_from([0.1, 0.7, 1.0]))
        mask[0] = True
        rows = data.draw(st.sampled_from([None, np.flatnonzero(mask)]))
        some = np.arange(count) if rows is None else rows
        k = data.draw(st.integers(1, len(some)))
        scores, positions = scan.scan(vectors, asked, k, rows, metric)
    for query, values, found in zip(asked.astype(float), scores, positions, strict=True):
        if metric == scan.COSINE:
            truth = vectors[some].astype(float) @ query
        else:
            truth = -np.linalg.norm(vectors[some] - query, axis=1)
        # Rounded, so that what is equal ties here too; then by position.
        order = np.lexsort((some, -np.round(truth, 5)))[:k]
        np.testing.assert_allclose(values, truth[order], atol=2e-5)
        equal = np.diff(np.round(truth[order], 5)) == 0
        rows_equal = (np.diff(vectors[found], axis=0) == 0).all(axis=1)
        assert (np.diff(found)[equal & rows_equal] > 0).all()
        assert len(set(found.tolist())) == k
        for one in found:  # of identical rows, the first ones are returned
            twins = [row for row in some if (vectors[row] == vectors[one]).all()]
            place = twins.index(one)
            assert set(twins[:place]) <= set(found.tolist())


def test_sorted_vectors_do_not_confuse_the_blocks(monkeypatch):
    monkeypatch.setattr(scan, "FIRST_ROWS", 8)
    angles = np.linspace(3, 0, 5000)  # each block is better than all before it
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    queries = np.repeat(vectors[-1:], 6, axis=0)
    _, positions = scan.scan(vectors, queries, 3)
    assert positions.tolist() == [[4999, 4998, 4997]] * 6


def test_the_l2_index_orders_by_distance_and_keeps_lengths():
    vectors = np.array([[1, 0], [10, 0], [0, 3], [1, 0]], np.float64)
    index = build_index(vectors, "exact(metric=l2)")
    scores, positions = index.search(np.array([[2.0, 0.0]] * 7), 4)
    assert positions.tolist() == [[0, 3, 2, 1]] * 7
    np.testing.assert_allclose(scores[0], [-1, -1, -np.sqrt(13), -8], rtol=1e-6)
    one = index.search([2, 0], 4)
    assert one[1].tolist() == [[0, 3, 2, 1]]
    with pytest.raises(BadShape, match="too long to be compared: rows 1"):
        build_index(np.array([[1.0, 1], [1e30, 1]]), "exact(metric=l2)")


def test_rows_keep_positions_while_labels_change():
    rows = Rows(np.eye(4, dtype=np.float32))
    rows.relabel(None)
    assert (rows.plain, rows.stale, rows.kept) == (True, 0, None)
    rows.remove(np.array([1]))
    assert rows.kept.tolist() == [True, False, True, True]
    rows.replace(np.array([2]), np.ones((1, 4), np.float32), labelled=True)
    assert (rows.plain, rows.labels, rows.stale) == (False, 5, 2)
    assert rows.kept.tolist() == [True, False, False, True, True]
    assert rows.positions(np.array([[4, 0, -1]])).tolist() == [[2, 0, -1]]
    rows.reserve(5)
    rows.append(np.zeros((1, 4), np.float32), labelled=True)
    assert rows.positions(np.array([5])).tolist() == [4]
    again = Rows.unpack(rows.pack(), rows.labels)
    np.testing.assert_array_equal(again.kept, rows.kept)
    rows.relabel(rows.live_rows)
    assert (rows.labels, rows.stale, rows.kept) == (4, 0, None)
    assert rows.positions(np.arange(4)).tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize(
    "damage",
    [
        {"live": np.ones(3, bool)},
        {"label_of": np.zeros(3, np.int64), "position_of": np.zeros(4, np.int64)},
        {"label_of": np.full(4, 9), "position_of": np.zeros(4, np.int64)},
        {"label_of": np.zeros(4, np.int64), "position_of": np.full(4, 9)},
        {"label_of": np.zeros(4, np.int64), "position_of": np.full(4, -5)},
    ],
)
def test_rows_that_do_not_fit_are_refused(damage):
    rows = Rows(np.eye(4, dtype=np.float32))
    rows.relabel(None)
    with pytest.raises(ValueError, match=r"live|labels"):
        Rows.unpack({**rows.pack(), **damage}, 4)


def test_a_file_of_arrays_reads_back_as_it_was_written(tmp_path):
    arrays = {
        "rows": np.random.default_rng(0).standard_normal((70, 3)).astype(np.float32),
        "none": np.zeros((0, 5), np.int64),
        "flags": np.array([True, False]),
        "bytes": np.arange(9, dtype=np.uint8),
    }
    path = tmp_path / "a" / "file"
    container.write(path, {"spec": "x", "labels": 7}, arrays)
    saved = container.read(path)
    assert saved.header == {"spec": "x", "labels": 7}
    for name, array in arrays.items():
        np.testing.assert_array_equal(saved.arrays[name], array)
        assert saved.arrays[name].dtype == array.dtype
        assert saved.places[name] % 4096 == 0
    saved.arrays["rows"][:] = 0
    np.testing.assert_array_equal(container.read(path).arrays["rows"], arrays["rows"])


def test_unchecked_vectors_are_not_read_but_all_else_is(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((2000, 8)).astype(np.float32)
    path = tmp_path / "file"
    build_index(vectors, "hnsw").save(path)
    places = container.read(path).places
    good = path.read_bytes()
    for name, refused in (("rows", False), ("graph", True), ("live", True)):
        bad = bytearray(good)
        bad[places[name] + 3] ^= 1
        path.write_bytes(bad)
        with pytest.raises(IndexBroken, match=f"its {name} are not as written"):
            load_index(path)
        if refused:
            with pytest.raises(IndexBroken):
                load_index(path, verify=False)
        else:
            load_index(path, verify=False)


@pytest.mark.parametrize(
    "change",
    [
        {"spec": "hnsw"},
        {"spec": "nothing"},
        {"spec": 5},
        {"labels": 17},
        {"labels": "x"},
        {"fingerprint": None, "arrays": {}},
        {"arrays": []},
        {"arrays": {"rows": {"type": "<f4", "shape": [10**9, 8], "place": 4096, "sums": []}}},
        {"arrays": {"rows": {"type": "|O", "shape": [1], "place": 4096, "sums": []}}},
        {"arrays": {"rows": {"type": "<f4", "shape": [-1], "place": 4096, "sums": []}}},
        {"arrays": {"rows": {"type": "<f4", "shape": [1], "place": 0, "sums": []}}},
    ],
)
def test_a_header_that_fits_its_sum_but_not_its_file_is_refused(change, tmp_path):
    path = tmp_path / "file"
    build_index(np.random.default_rng(0).standard_normal((1200, 8)), "ivf").save(path)
    raw = path.read_bytes()
    length = int.from_bytes(raw[8:16], "little")
    text = json.dumps({**json.loads(raw[20 : 20 + length]), **change}).encode()
    head = raw[:8] + len(text).to_bytes(8, "little") + zlib.crc32(text).to_bytes(4, "little")
    path.write_bytes(head + text + raw[20 + len(text) :])
    with pytest.raises(IndexBroken, match=r"file[\s\S]*build the index again"):
        load_index(path)


def test_a_missing_file_a_folder_and_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(IndexBroken, match="cannot be read"):
        load_index(tmp_path / "none")
    with pytest.raises(IndexBroken, match="cannot be read"):
        load_index(tmp_path)
    (tmp_path / "text").write_text("not an index, but long enough to hold a header")
    with pytest.raises(IndexBroken, match="no saved index"):
        load_index(tmp_path / "text")
    index = build_index(np.eye(3))
    with pytest.raises(BadTable, match="cannot be written"):
        index.save(tmp_path / "text" / "below")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "index"
    build_index(np.eye(3)).save(path)
    before = path.read_bytes()

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container.os, "fsync", full)
    with pytest.raises(BadTable, match="No space left"):
        build_index(np.eye(5)).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def test_cosines_of_many_queries_are_clipped():
    vectors = np.full((20, 3), 1.0001, np.float32) / np.float32(np.sqrt(3))
    vectors[1:] *= np.linspace(0.9, 0.1, 19, dtype=np.float32)[:, None]  # none nearly equal
    for sign in (1, -1):
        scores, _ = scan.scan(vectors, sign * vectors[[0] * 6], 20)
        assert np.abs(scores).max() == 1.0


def test_the_seal_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "index"
    one = build_index(np.eye(3)).save(path)
    loaded = load_index(path)
    other = build_index(np.eye(4)).save(path)
    assert loaded.seal == one != other == load_index(path).seal
    assert path.read_bytes()[: container.SEAL].hex() == other


def test_readers_share_the_lock_and_a_writer_has_it_alone(monkeypatch):
    lock = ReadWriteLock()
    inside: list[str] = []
    waiting, real = [], lock._gate.wait
    monkeypatch.setattr(lock._gate, "wait", lambda: (waiting.append(1), real()))
    writer = threading.Thread(target=lambda: _write(lock, inside))
    with lock:
        other = threading.Thread(target=lambda: _read(lock, inside))
        other.start()
        other.join()
        assert inside == ["read"]  # a second reader came and went
        writer.start()
        wait_until(lambda: len(waiting) == 1)
        assert inside == ["read"]  # the writer waits
        late = threading.Thread(target=lambda: _read(lock, inside))
        late.start()
        wait_until(lambda: len(waiting) == 2)
        assert inside == ["read"]  # and a late reader waits behind it
    writer.join()
    late.join()
    assert inside == ["read", "write", "read"]


def test_a_writer_interrupted_while_it_waits_leaves_the_lock_free(monkeypatch):
    def interrupted() -> None:
        raise KeyboardInterrupt

    lock = ReadWriteLock()
    with lock:
        monkeypatch.setattr(lock._gate, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt), lock.writing():
            pass
        assert not lock._writer
        with lock:  # would wait if it were still kept
            pass
    with lock.writing():
        pass


def _read(lock: ReadWriteLock, inside: list[str]) -> None:
    with lock:
        inside.append("read")


def _write(lock: ReadWriteLock, inside: list[str]) -> None:
    with lock.writing():
        inside.append("write")


def test_a_structure_is_made_anew_when_it_is_worn_out():
    draw = np.random.default_rng(0)
    index = build_index(draw.standard_normal((1000, 8)), "hnsw")
    for _ in range(4):
        index.update(np.arange(300), draw.standard_normal((300, 8)))
    assert index._rows.stale <= index.count  # some labels are dead, but fewer than live
    index.remove(np.arange(0, 999, 2))
    assert index.count == 500
    assert index.search(draw.standard_normal(8), 10)[1].min() > 0


def test_every_kind_is_listed_without_loading_it():
    assert INDEXES.names() == ["exact", "kdtree", "lsh", "hnsw", "ivf", "ivfpq", "binary"]
