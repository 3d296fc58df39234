"""What every kind of index keeps to: a kind is tested by being registered, its EXAMPLES by name.

The definition, in float64, is the reference: cosine similarity or Euclidean distance of every
pair. Vectors are drawn in clusters with ten true dimensions, for in pure noise neighbours mean
nothing.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likelens import build_index
from likelens.index.base import INDEXES, load_index
from likelens.index.index import Index
from likelens.values.errors import BadShape, FingerprintMismatch, IndexBroken

SPECS = [spec for kind in INDEXES.names() for spec in INDEXES.load(kind).EXAMPLES]
TRUE = [spec for spec in SPECS if spec.startswith("exact") or spec in ("kdtree", "kdtree(leaf=7)")]
"""Kinds that promise the exact answer."""

WORST = 0.9
"""Mean share of the true ten that the others must find."""

every_spec = pytest.mark.parametrize("spec", SPECS)


def clustered(count: int, seed: int = 0, dim: int = 24) -> np.ndarray:
    draw = np.random.default_rng(seed)
    basis = np.random.default_rng(99).standard_normal((10, dim))
    centres = np.random.default_rng(98).standard_normal((30, 10))
    chosen = centres[draw.integers(0, 30, count)] + 0.5 * draw.standard_normal((count, 10))
    return (chosen @ basis).astype(np.float32)


def similar(spec: str, vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores of every pair by their definition, (q, n) float64."""
    vectors, queries = vectors.astype(np.float64), queries.astype(np.float64)
    if "l2" in spec:
        return -np.linalg.norm(queries[:, None] - vectors[None], axis=2)
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
    products = queries @ vectors.T
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def check(spec, vectors, queries, answer, k, allowed=None):
    """Holds an answer to the definition; returns its recall per query."""
    scores, positions = answer
    allowed = np.arange(len(vectors)) if allowed is None else np.asarray(allowed)
    k = min(k, len(allowed))
    assert scores.shape == positions.shape == (len(queries), k)
    assert scores.dtype == np.float32
    assert positions.dtype == np.int64
    assert np.isin(positions, allowed).all()
    truth = similar(spec, vectors, queries)
    scale = max(1.0, np.abs(truth).max(initial=0))
    np.testing.assert_allclose(
        scores, np.take_along_axis(truth, positions, 1), atol=3e-6 * scale, rtol=0
    )
    for row, values in zip(positions, scores, strict=True):
        assert len(set(row)) == k
        assert (np.diff(values) <= 0).all()
        tied = np.diff(values) == 0
        assert (np.diff(row)[tied] > 0).all()
    if not k:
        return np.ones(len(queries))
    best = -np.sort(-truth[:, allowed], axis=1)[:, :k]
    return (scores >= best[:, -1:] - 1e-5 * scale).mean(axis=1)


def floor(spec: str) -> float:
    return 1.0 if spec in TRUE else WORST


def test_every_kind_names_examples():
    for kind in INDEXES.names():
        examples = INDEXES.load(kind).EXAMPLES
        assert examples, kind
        assert examples[0] == kind
        assert all(example.partition("(")[0] == kind for example in examples)


@every_spec
@pytest.mark.parametrize("count", [900, 3000])
def test_the_best_come_first_with_their_true_scores(spec, count):
    vectors, queries = clustered(count), clustered(40, seed=1)
    index = build_index(vectors, spec)
    recall = check(spec, vectors, queries, index.search(queries, 10), 10)
    assert recall.mean() >= (floor(spec) if count >= 1000 else 1.0)
    np.testing.assert_allclose(index.recall(queries, 10), recall)
    for row in range(5):  # one query alone is answered as among others
        alone = index.search(queries[row], 10)
        check(spec, vectors, queries[row : row + 1], alone, 10)


@every_spec
def test_a_filter_lets_through_only_what_it_allows_and_always_k(spec):
    vectors, queries = clustered(4000), clustered(30, seed=2)
    index = build_index(vectors, spec)
    for share in (0.002, 0.05, 0.3, 0.7, 0.999, 1.0):
        mask = np.random.default_rng(3).random(4000) < share
        mask[17] = True
        allowed = np.flatnonzero(mask)
        answer = index.explain(queries, 12, mask)
        recall = check(spec, vectors, queries, (answer.scores, answer.positions), 12, allowed)
        assert answer.path == index.plan(12, mask) == index.plan(12, allowed)
        if answer.path == "exact":
            assert recall.min() == 1.0
        assert recall.mean() >= floor(spec)
        if share < 0.01:
            assert answer.path == "exact"
        again = index.search(queries, 12, allowed[::-1])
        np.testing.assert_array_equal(again[1], answer.positions)


@every_spec
def test_a_filter_that_hides_the_neighbourhood_still_gives_k(spec):
    vectors = clustered(4000)
    queries = vectors[:20]
    order = np.argsort(-similar(spec, vectors, queries[:1])[0])
    allowed = np.sort(order[2000:])  # the further half, as seen from the first query
    answer = build_index(vectors, spec).search(queries, 10, allowed)
    check(spec, vectors, queries, answer, 10, allowed)


@every_spec
def test_more_than_there_are(spec):
    vectors = clustered(1500)
    index = build_index(vectors, spec)
    for k in (1400, 1500, 5000):
        recall = check(spec, vectors, vectors[:3], index.search(vectors[:3], k), k)
        assert recall.min() == 1.0
    few = index.search(vectors[:7], 100, [5, 7, 1499])
    assert few[1].shape == (7, 3)


@every_spec
def test_no_vectors_one_vector_and_no_queries(spec):
    empty = build_index(np.zeros((0, 6), np.float32), spec)
    assert len(empty) == empty.count == 0
    assert empty.search(np.ones((2, 6)), 3)[1].shape == (2, 0)
    assert np.isnan(empty.recall(np.ones((2, 6)))).all()
    assert empty.add(np.ones(6)).tolist() == [0]
    for one in (empty, build_index(np.ones((1, 6)), spec)):
        scores, positions = one.search(2 * np.ones((2, 6)), 3)
        assert positions.tolist() == [[0], [0]]
        np.testing.assert_allclose(scores, -np.sqrt(6) if "l2" in spec else 1.0, atol=1e-6)
        assert one.search(np.zeros((0, 6)), 3)[1].shape == (0, 1)


@every_spec
def test_equal_vectors_are_equally_good_and_in_order(spec):
    vectors = clustered(3000)
    vectors[100::5] = vectors[100]  # 580 copies
    index = build_index(vectors, spec)
    scores, positions = index.search(vectors[[100, 4]], 30)
    check(spec, vectors, vectors[[100, 4]], (scores, positions), 30)
    assert (scores[0] == scores[0, 0]).all()
    assert (vectors[positions[0]] == vectors[100]).all()
    if spec in TRUE:
        assert positions[0].tolist() == list(range(100, 250, 5))


@every_spec
def test_vectors_of_zeros_are_like_nothing(spec):
    vectors = clustered(2500)
    vectors[::50] = 0
    index = build_index(vectors, spec)
    queries = np.vstack([clustered(5, seed=4), np.zeros((1, 24), np.float32)])
    recall = check(spec, vectors, queries, index.search(queries, 10), 10)
    assert recall.min() >= floor(spec) if spec in TRUE else recall.mean() >= WORST
    if "l2" not in spec:
        assert index.search(queries[5], 10)[0].tolist() == [[0.0] * 10]


@every_spec
def test_half_and_double_precision_and_queries_of_any_length(spec):
    half = clustered(2000).astype(np.float16)
    before = half.copy()
    queries = half[:8]
    answer = build_index(half, spec).search(queries, 10)
    np.testing.assert_array_equal(half, before)
    check(spec, half, queries, answer, 10)
    assert answer[1][:, 0].tolist() == list(range(8))
    double = build_index(half.astype(np.float64), spec).search(queries.astype(np.float64), 10)
    if not spec.startswith("hnsw"):  # two graphs are never the same: threads race to build one
        np.testing.assert_array_equal(double[1], answer[1])
    if "l2" not in spec:
        longer = build_index(half.astype(np.float64) * 1e12, spec).search(queries * 2.0, 10)
        np.testing.assert_allclose(longer[0], answer[0], atol=2e-3)


@every_spec
def test_what_was_saved_answers_the_same(spec, tmp_path):
    vectors, queries = clustered(3000), clustered(20, seed=5)
    index = build_index(vectors, spec)
    path = tmp_path / "folder" / "index.likelens"
    index.save(path, fingerprint="abc")
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    loaded = load_index(path, fingerprint="abc")
    assert loaded.spec == index.spec == spec
    assert len(loaded) == 3000
    mask = np.arange(3000) % 10 < 7
    for allowed in (None, mask, [3, 4]):
        one, two = index.search(queries, 10, allowed), loaded.search(queries, 10, allowed)
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(
        load_index(path, verify=False).search(queries)[1], index.search(queries)[1]
    )
    before = path.read_bytes()
    more = loaded.add(clustered(30, seed=6))
    loaded.update([5], clustered(1, seed=7))
    loaded.remove([6, int(more[0])])
    assert path.read_bytes() == before  # what is done to it in memory stays there
    now = np.vstack([vectors, clustered(30, seed=6)])
    now[5] = clustered(1, seed=7)
    live = np.setdiff1d(np.arange(3030), [6, 3000])
    again = np.vstack([queries, now[[5, 3001]]])
    assert check(spec, now, again, loaded.search(again, 10), 10, live).mean() >= floor(spec)
    loaded.save(path)  # over the file that it is mapped from
    changed = load_index(path)
    assert changed.count == 3028
    for one, two in zip(loaded.search(again), changed.search(again), strict=True):
        if not spec.startswith("kdtree(leaf=20"):  # its axes are taken anew
            np.testing.assert_array_equal(one, two)


@every_spec
@pytest.mark.parametrize("count", [0, 1, 40])
def test_few_vectors_are_saved_too(spec, count, tmp_path):
    vectors = clustered(count)
    build_index(vectors, spec).save(tmp_path / "few")
    loaded = load_index(tmp_path / "few", fingerprint="")
    assert loaded.search(clustered(3), 5)[1].shape == (3, min(5, count))
    loaded.add(clustered(1200, seed=8))
    now = np.vstack([vectors, clustered(1200, seed=8)])
    assert check(spec, now, now[-5:], loaded.search(now[-5:], 5), 5).mean() >= floor(spec)


@every_spec
def test_an_index_that_shrank_before_it_was_saved_takes_writes_again(spec, tmp_path):
    vectors, more = clustered(1000), clustered(250, seed=11)
    index = build_index(vectors, spec)
    index.update([500, 501], clustered(2, seed=12))
    vectors[[500, 501]] = clustered(2, seed=12)
    index.remove(np.arange(101))  # too few for a structure now
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    queries, live = clustered(20, seed=13), np.arange(101, 1000)
    for start in range(0, 250, 50):
        loaded.add(more[start : start + 50])
        loaded.update([600], more[start : start + 1])
        vectors = np.vstack([vectors, more[start : start + 50]])
        vectors[600] = more[start]
        live = np.append(live, np.arange(len(vectors) - 50, len(vectors)))
        recall = check(spec, vectors, queries, loaded.search(queries, 10), 10, live)
        assert recall.mean() >= floor(spec)
    loaded.remove([200])
    loaded.save(tmp_path / "index")
    assert load_index(tmp_path / "index").count == 1148


@every_spec
def test_no_cosine_is_beyond_one(spec):
    vectors = clustered(1500, dim=300)
    vectors[1::2] = -vectors[::2]
    for queries in (vectors[:200], vectors[:1]):
        scores = build_index(vectors, spec).search(queries, 1499)[0]
        if "l2" not in spec:
            assert np.abs(scores).max() <= 1.0


@every_spec
def test_another_fingerprint_or_dimension_is_refused_by_the_name_of_the_file(spec, tmp_path):
    path = tmp_path / "shop.index"
    build_index(clustered(1200), spec).save(path, fingerprint="one")
    with pytest.raises(FingerprintMismatch, match=r"encoder one, not of two[\s\S]*shop\.index"):
        load_index(path, fingerprint="two")
    loaded = load_index(path)
    with pytest.raises(BadShape, match=r"7 dimensions, the index has 24[\s\S]*shop\.index"):
        loaded.search(np.ones((2, 7)))
    with pytest.raises(BadShape, match="7 dimensions, the index has 24"):
        loaded.add(np.ones((2, 7)))


@every_spec
def test_a_damaged_file_is_named(spec, tmp_path):
    path = tmp_path / "shop.index"
    build_index(clustered(1500), spec).save(path)
    good = path.read_bytes()
    used = [place for place, byte in enumerate(good) if byte]
    for place in [0, 9, 16, 40, *used[60 :: len(used) // 23]]:
        bad = bytearray(good)
        bad[place] ^= 0x15
        path.write_bytes(bad)
        with pytest.raises(IndexBroken, match=r"(damaged|no saved index)[\s\S]*shop\.index"):
            load_index(path)
    for length in (0, 1, 19, 100, len(good) // 2, used[-1]):
        path.write_bytes(good[:length])
        with pytest.raises(IndexBroken, match=r"shop\.index"):
            load_index(path)
    path.write_bytes(good)
    load_index(path)


@every_spec
def test_threads_search_at_the_same_time(spec):
    vectors, queries = clustered(3000), clustered(64, seed=9)
    index = build_index(vectors, spec)
    mask = np.arange(3000) % 2 == 0
    alone = [index.search(query, 5, mask if row % 2 else None) for row, query in enumerate(queries)]

    def ask(turn: int):
        row = turn % len(queries)
        return row, index.search(queries[row], 5, mask if row % 2 else None)

    with ThreadPoolExecutor(4) as pool:
        for row, (scores, positions) in pool.map(ask, range(128)):
            np.testing.assert_array_equal(positions, alone[row][1])
            np.testing.assert_array_equal(scores, alone[row][0])


@every_spec
def test_threads_search_beside_one_that_writes(spec):
    vectors, queries = clustered(2000), clustered(8, seed=10)
    index = build_index(vectors, spec)
    removed: list[int] = []
    wrong: list[str] = []
    over = threading.Event()

    def look():
        while not over.is_set():
            gone = set(removed)
            try:
                scores, positions = index.search(queries, 10)
                if positions.shape != (8, 10) or gone & set(positions.ravel().tolist()):
                    wrong.append("a removed vector, or too few")
                if (np.diff(scores, axis=1) > 0).any():
                    wrong.append("order")
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
                wrong.append(repr(error))

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    now = [*vectors]
    for turn in range(15):
        new = clustered(40, seed=100 + turn)
        assert index.add(new).tolist() == list(range(len(now), len(now) + 40))
        now += [*new]
        index.update([turn, turn + 50], queries[:2] + 0.01 * turn)
        now[turn], now[turn + 50] = queries[:2] + 0.01 * turn
        best = int(index.search(queries[turn % 8], 1)[1][0, 0])
        index.remove([best])
        removed.append(best)
        if best in (turn, turn + 50):
            now[best] = np.zeros(24, np.float32)
        assert best not in index.search(queries, 10)[1]
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []


STEP = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([0, 1, 7, 80, 300])),
    st.tuples(st.just("update"), st.sampled_from([0, 1, 30, 200])),
    st.tuples(st.just("remove"), st.sampled_from([0, 1, 30, 150])),
)


@every_spec
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    start=st.sampled_from([0, 50, 400]),
    steps=st.lists(STEP, min_size=1, max_size=7),
    seed=st.integers(0, 99),
)
def test_adds_updates_and_removals_against_brute_force(
    spec, start, steps, seed, monkeypatch, tmp_path
):
    monkeypatch.setattr(Index, "NEEDS", 300)  # so that structures come, grow and go
    monkeypatch.setattr(Index, "DEEP", 2)
    draw = np.random.default_rng(seed)
    vectors = clustered(start, seed=seed)
    live = np.ones(start, bool)
    index = build_index(vectors, spec)
    for step, (act, size) in enumerate(steps):
        new = clustered(size, seed=1000 + seed + step)
        if act == "add":
            assert index.add(new).tolist() == list(range(len(live), len(live) + size))
            vectors, live = np.vstack([vectors, new]), np.append(live, np.ones(size, bool))
        else:
            size = min(size, int(live.sum()))
            chosen = draw.permutation(np.flatnonzero(live))[:size]
            if act == "update":
                index.update(chosen, new[:size])
                vectors[chosen] = new[:size]
            else:
                index.remove(chosen)
                live[chosen] = False
        assert (len(index), index.count) == (len(live), live.sum())
        queries = np.vstack([clustered(4, seed=7), new[:4]])
        allowed = np.flatnonzero(live)
        assert check(spec, vectors, queries, index.search(queries, 5), 5, allowed).mean() > 0.7
        mask = draw.random(len(live)) < 0.8
        chosen = np.flatnonzero(mask & live)
        check(spec, vectors, queries, index.search(queries, 5, mask), 5, chosen)
        if spec in TRUE and len(allowed):
            assert check(spec, vectors, queries, index.search(queries, 5), 5, allowed).min() == 1
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    queries = clustered(6, seed=8)
    check(spec, vectors, queries, loaded.search(queries, 5), 5, np.flatnonzero(live))


@every_spec
def test_wrong_writes_are_refused_and_change_nothing(spec):
    vectors = clustered(1200)
    index = build_index(vectors, spec)
    index.remove([3])
    wrong = [
        (lambda: index.add(np.full((2, 24), np.nan)), "NaN or infinity"),
        (lambda: index.add(np.ones((2, 3))), "3 dimensions, the index has 24"),
        (lambda: index.add(np.ones((2, 2, 24))), "must be a matrix"),
        (lambda: index.add(np.full((2, 24), "a")), "not numbers"),
        (lambda: index.update([1, 2], np.ones((3, 24))), "2 positions, but 3 vectors"),
        (lambda: index.update([1, 1], np.ones((2, 24))), "comes twice"),
        (lambda: index.update([3], np.ones((1, 24))), "position 3 was removed"),
        (lambda: index.update([1200], np.ones((1, 24))), "from 0 to 1199"),
        (lambda: index.remove([-1]), "from 0 to 1199"),
        (lambda: index.remove([3]), "position 3 was removed"),
        (lambda: index.remove([0.5]), "whole numbers"),
        (lambda: index.remove([5, 5]), "comes twice"),
        (lambda: index.search(vectors[:1], 0), "k = 0"),
        (lambda: index.search(vectors[:1], 2.5), "k = 2.5"),
        (lambda: index.search(vectors[:1], True), "k = True"),
        (lambda: index.search(vectors[:1], 3, np.ones(5, bool)), r"shape \(5,\)"),
        (lambda: index.search(vectors[:1], 3, ["x"]), "whole numbers"),
    ]
    for act, message in wrong:
        with pytest.raises(BadShape, match=message):
            act()
    assert (len(index), index.count) == (1200, 1199)
    live = np.setdiff1d(np.arange(1200), [3])
    check(spec, vectors, vectors[:5], index.search(vectors[:5], 4, np.arange(1200)), 4, live)


@every_spec
def test_info_names_what_there_is(spec):
    info = build_index(clustered(1500), spec).info()
    assert (info["index"], info["vectors"], info["removed"], info["dim"]) == (spec, 1500, 0, 24)
    assert info["vector_bytes"] == 1500 * 24 * 4
    assert info["structure"] == (not spec.startswith("exact"))
    assert (info["structure_bytes"] > 0) == info["structure"]


def test_a_tree_looks_beyond_neighbours_that_have_gone_though_later_vectors_would_do(monkeypatch):
    monkeypatch.setattr(Index, "NEEDS", 300)
    monkeypatch.setattr(Index, "DEEP", 2)
    vectors = clustered(400, seed=1)
    index = build_index(vectors, "kdtree")
    query = vectors[:1].copy()
    nearest = np.argsort(-similar("kdtree", vectors, query)[0])[:60]
    vectors[nearest] = -query  # as many as the tree is asked for, and all of them far now
    index.update(nearest, vectors[nearest])
    assert check("kdtree", vectors, query, index.search(query, 5), 5).min() == 1
