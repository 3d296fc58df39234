"""Tuning an index: what is measured, what is recommended, how costs are extrapolated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import likelens._tune as tuning_module
from likelens import build_index
from likelens._tune import LINES, Line, Setting, Tuning, fit_law, tune
from likelens._tune import setting as measuring
from likelens._tune.growth import T95
from likelens._tune.values import AS_QUICK
from likelens.index.base import INDEXES, Index
from likelens.report.tune import advice, draw_curve, duration, growth_rows, write_tuning
from likelens.values.errors import BadQuery, BadShape

FEW = (
    Line("exact"),
    Line("hnsw(m=4, build=10)", "ef", (1, 8, 64)),
    Line("lsh(bits=32)", "rerank", (20, 2000)),
    Line("kdtree"),
)


def clouds(count: int, dim: int = 12, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    centres = 2 * draw.standard_normal((20, dim))
    vectors = centres[draw.integers(0, 20, count)] + draw.standard_normal((count, dim))
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def found() -> Tuning:
    return tune(clouds(2400), queries=60, lines=FEW)


def setting(line: str, recall: float, seconds: float, items: int = 5000, **more: object) -> Setting:
    known = {"spec": line, "p95_seconds": seconds, "p99_seconds": seconds, "size_bytes": 1000}
    return Setting(
        line=line, effort=0, items=items, recall=recall, p50_seconds=seconds,
        queries_per_second=1.0, build_seconds=1.0, queries=10, **(known | more),
    )  # fmt: skip


def tuning(*measured: Setting, target: float = 0.95) -> Tuning:
    return Tuning(5000, 8, 10, target, 10, 0, measured)


# --- what is measured -----------------------------------------------------------


def test_recall_is_that_of_the_definition():
    """Of the k nearest others by brute force, in float64, itself left out by position."""
    vectors, k = clouds(1500, seed=1), 7
    index = build_index(vectors, "hnsw(m=4, ef=2, build=8)")
    truth = measuring.true_scores(build_index(vectors), k, 40)
    got = measuring.measure(index, "hnsw", 0, k, truth, 0.0)
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    right = 0
    for row in range(40):
        cosines = unit @ unit[row]
        cosines[row] = -np.inf
        nearest = set(np.argsort(-cosines, kind="stable")[:k].tolist())
        others = [one for one in index.search(vectors[row], k + 1)[1][0].tolist() if one != row]
        right += len(nearest & set(others[:k]))
    assert got.recall == pytest.approx(right / (40 * k), abs=1e-9)
    assert got.recall < 1.0, "else nothing was shown"
    assert got.queries == 40
    assert got.items == 1500


def test_copies_of_an_item_count_whichever_is_found():
    vectors = np.repeat(clouds(150, seed=2), 10, axis=0)
    truth = measuring.true_scores(build_index(vectors), 5, 30)
    got = measuring.measure(build_index(vectors, "lsh(bits=64)"), "lsh", 0, 5, truth, 0.0)
    assert got.recall == 1.0


def test_everything_is_measured_once_at_all_vectors_and_the_best_in_between(found):
    assert {one.line for one in found.settings} == {line.spec for line in FEW}
    sizes = sorted({one.items for one in found.measured})
    assert sizes == [1000, 1339, 1793, 2400]
    for line in found.lines:
        between = [one for one in found.measured if one.line == line and one.items in sizes[1:-1]]
        assert {one.spec for one in between} == {found.best_of(line).spec}
    for one in found.measured:
        assert 0 <= one.recall <= 1
        assert 0 < one.p50_seconds <= one.p95_seconds <= one.p99_seconds
        assert one.queries_per_second > 0
        assert one.size_bytes >= one.items * 12 * 4
    assert {one.recall for one in found.settings if one.line in ("exact", "kdtree")} == {1.0}
    efs = [one.recall for one in found.settings if one.line.startswith("hnsw")]
    assert efs == sorted(efs)
    assert not found.stopped


def test_all_but_times_follows_from_the_seed():
    quiet = tuple(line for line in FEW if "hnsw" not in line.spec)

    def shape(seed: int) -> list[tuple[str, int, float, int]]:
        run = tune(clouds(1200), queries=50, lines=quiet, seed=seed, target_recall=0.5)
        return [(one.spec, one.items, one.recall, one.size_bytes) for one in run.settings]

    assert shape(3) == shape(3)
    assert shape(3) != shape(4), "other queries, other recall"


def test_few_vectors_are_compared_one_by_one_and_exact_is_recommended():
    run = tune(clouds(300), lines=FEW)
    assert [one.spec for one in run.settings] == ["exact"]
    assert run.recommended is not None
    assert run.recommended.spec == "exact"
    assert sum("as exact does" in note for note in run.notes) == 3
    assert "how costs grow cannot be told from 300 vectors" in run.notes[-1]
    assert run.growth == ()
    assert "Recommended: exact" in advice(run)[0]


def test_more_is_asked_than_there_is():
    run = tune(clouds(6), k=10, queries=100, lines=())
    assert (run.k, run.queries) == (5, 6)
    assert run.notes[:2] == (
        "100 queries were wanted; there are 6 items to ask with",
        "k = 10 was wanted; an item has 5 others",
    )
    assert run.settings[0].recall == 1.0


def test_zeros_and_copies_are_no_trouble():
    vectors = np.zeros((1100, 6), np.float32)
    vectors[:50] = 1.0
    run = tune(vectors, queries=20, lines=FEW)
    assert all(one.recall == 1.0 for one in run.settings if one.line in ("exact", "kdtree"))


def test_a_spent_budget_leaves_exact_search():
    run = tune(clouds(2400), queries=20, lines=FEW, budget_seconds=1e-6)
    assert [one.spec for one in run.settings] == ["exact"]
    assert run.not_tried == ("hnsw(m=4, build=10)", "lsh(bits=32)", "kdtree")
    assert "1 of 4 kinds were tried; not hnsw(m=4, build=10), lsh(bits=32), kdtree" in run.notes[-1]


class Clock:
    """A clock that moves only when it is told to, in the place of the module ``time``."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        for module in (tuning_module, measuring):
            monkeypatch.setattr(module, "time", self)

    def perf_counter(self):
        self.now += 1e-6
        return self.now


def slow_builds(clock, monkeypatch, seconds, budget):
    """Builds of n vectors take so many seconds; faiss is interrupted when the budget is spent."""

    def build(vectors, spec):
        took = seconds(len(vectors)) if spec != "exact" else 0.0
        if spec != "kdtree" and clock.now + took > budget:
            clock.now = budget
            raise RuntimeError("computation interrupted")
        clock.now += took
        return build_index(vectors, spec)

    monkeypatch.setattr(tuning_module, "build_index", build)


@pytest.mark.parametrize(
    ("seconds", "tried", "why"),
    [
        (lambda n: n / 100, ("exact", "hnsw(m=4, build=10)"), "would take about 27 s"),
        (lambda n: (n / 300) ** 2, ("exact",), "of 2,400 vectors was interrupted"),
        (lambda n: n / 10, ("exact",), "of 1,000 vectors was interrupted"),
        (lambda n: 0.0, tuple(line.spec for line in FEW), ""),
    ],
)
def test_slow_builds_do_not_exceed_the_budget(monkeypatch, seconds, tried, why):
    clock, budget = Clock(monkeypatch), 50.0
    slow_builds(clock, monkeypatch, seconds, budget)
    run = tune(clouds(2400), queries=20, lines=FEW, budget_seconds=budget)
    assert clock.now <= budget + 1
    assert run.tried == run.lines == tried
    assert set(run.tried) | set(run.not_tried) == {line.spec for line in FEW}
    assert why in " ".join(run.notes)
    if run.not_tried:
        assert f"{len(tried)} of 4 kinds were tried" in run.notes[-1]
        assert run.to_dict()["not_tried"] == list(run.not_tried)


def test_builds_of_our_own_are_interrupted_too():
    vectors = np.random.default_rng(0).standard_normal((1000, 256)).astype(np.float32)
    spent = measuring.Deadline.after(-1.0)
    with pytest.raises(measuring.OutOfTime), spent.interrupting():
        build_index(vectors, "binary(bits=256)")


def test_a_budget_without_end_is_kept_too():
    lines = (Line("exact"), Line("hnsw(m=4, build=10)", "ef", (8,)))
    assert tune(clouds(1200), queries=20, lines=lines, budget_seconds=math.inf).not_tried == ()


def test_slow_searches_do_not_exceed_the_budget(monkeypatch):
    clock, budget, real = Clock(monkeypatch), 60.0, Index.search

    def slow(self, queries, k=10, allowed=None):
        clock.now += 0.5 * len(np.atleast_2d(queries))
        return real(self, queries, k, allowed)

    monkeypatch.setattr(Index, "search", slow)
    run = tune(clouds(1500), queries=200, lines=FEW, budget_seconds=budget)
    assert clock.now <= 1.3 * budget
    assert run.lines[0] == "exact"
    assert "queries were asked of 1,500 vectors" in " ".join(run.notes)


def test_stopped_by_the_user_it_returns_what_there_is(monkeypatch):
    import likelens._tune as module

    calls = []

    def interrupted(*given, **named):
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measuring.measure(*given, **named)

    monkeypatch.setattr(module, "measure", interrupted)
    run = tune(clouds(1200), queries=20, lines=FEW)
    assert run.stopped
    assert len(run.settings) == 3
    assert run.notes[-1] == "stopped: what is missing was not measured"
    assert run.recommended is not None


@pytest.mark.parametrize(("factor", "noted"), [(10.0, True), (1.2, False)])
def test_a_machine_that_became_busy_is_noted(monkeypatch, factor, noted):
    import likelens._tune as module

    calls = []

    def slower(index, line, *rest):
        seen = measuring.measure(index, line, *rest)
        calls.append(line)
        again = line == "exact" and calls.count("exact") > 2
        return replace(seen, p50_seconds=1e-3 * (factor if again else 1.0))

    monkeypatch.setattr(module, "measure", slower)
    run = tune(clouds(2400), queries=20, lines=())
    assert any("1 ms at first and 10 ms in the end" in note for note in run.notes) == noted
    assert sum(one.line == "exact" for one in run.measured) == len(calls) - 1, "it is not kept"


def test_progress_is_told():
    steps = []
    tune(clouds(2100), queries=20, lines=FEW[:2], progress=lambda *step: steps.append(step))
    assert ("exact", 2, 2) in steps
    assert ("how costs grow", 2, 2) in steps


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 0}, "k = 0"),
        ({"target_recall": 0}, "recall of 0 cannot"),
        ({"target_recall": 1.5}, "recall of 1.5 cannot"),
        ({"target_recall": math.nan}, "recall of nan cannot"),
        ({"queries": 0}, "0 queries"),
        ({"budget_seconds": 0}, "in 0 s"),
        ({"seed": -1}, "-1 is no seed"),
    ],
)
def test_what_cannot_be_tuned(wrong, message):
    with pytest.raises(BadQuery, match=message):
        tune(clouds(10), **wrong)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    with pytest.raises(BadQuery, match=f"{count} vectors cannot"):
        tune(clouds(count))


def test_vectors_that_are_not_finite():
    vectors = clouds(10)
    vectors[3, 3] = np.nan
    with pytest.raises(BadShape, match="rows 3"):
        tune(vectors)


def test_every_kind_is_tried_with_options_that_it_has():
    assert {line.spec.partition("(")[0] for line in LINES} == set(INDEXES.names())
    for line in LINES:
        index = build_index(np.eye(4, dtype=np.float32), line.spec)
        assert not line.option or line.option in index.TUNABLE
        assert list(line.values) == sorted(set(line.values))


def test_real_vectors(real_data):
    """Colours of real pictures, some of which are there twice."""
    from likelens import Catalogue, embed

    folder = real_data / "data" / "fashion-products"
    catalogue = Catalogue.open(folder / "styles.csv", images=folder / "images")
    vectors = embed(catalogue.take(catalogue.ids[:1200]), "opencv:colour").vectors
    run = tune(vectors, queries=50, lines=FEW[:2], target_recall=0.9)
    assert len(run.settings) > 1
    assert run.settings[0].recall == 1.0
    assert max(one.recall for one in run.settings[1:]) > 0.9


# --- what is recommended ---------------------------------------------------------


def test_the_quickest_that_reaches_the_target():
    exact, slow = setting("exact", 1.0, 1.0), setting("ivf", 0.97, 0.5)
    quick, poor = setting("hnsw", 0.95, 0.1), setting("lsh", 0.9499, 0.01)
    assert tuning(exact, slow, quick, poor).recommended == quick
    assert tuning(exact, slow, quick, poor, target=0.96).recommended == slow
    assert tuning(exact, slow, quick, poor, target=1.0).recommended == exact
    assert tuning(quick, poor, target=1.0).recommended is None
    assert "Nothing is recommended" in advice(tuning())[0]


@given(st.floats(0.1, 10.0))
def test_exact_wins_when_it_is_as_quick(ratio):
    exact, other = setting("exact", 1.0, ratio), setting("hnsw", 0.99, 1.0)
    best = tuning(exact, other).recommended
    assert best == (exact if ratio <= AS_QUICK else other)


def test_only_settings_of_all_vectors_are_recommended():
    part = setting("hnsw", 1.0, 0.001, items=1000)
    assert tuning(setting("exact", 1.0, 1.0), part).recommended.spec == "exact"


def test_the_best_of_a_line_below_the_target_is_the_most_complete():
    low, high = setting("lsh", 0.5, 0.1), setting("lsh", 0.8, 0.9, spec="lsh(rerank=9)")
    assert tuning(low, high).best_of("lsh") == high


# --- how costs grow --------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.5, 2.0), st.floats(1e-6, 1e3), st.integers(3, 6))
def test_a_power_law_is_found_and_extrapolated(exponent, scale, points):
    sizes = [1000 * 2**step for step in range(points)]
    law = fit_law(sizes, [scale * size**exponent for size in sizes])
    assert law.exponent == pytest.approx(exponent, abs=1e-6)
    assert law.low <= law.exponent + 1e-9
    assert law.high >= law.exponent - 1e-9
    value, low, high = law.at(1e8)
    assert value == pytest.approx(scale * 1e8**exponent, rel=1e-3)
    assert low <= value <= high


def test_the_interval_of_the_exponent_is_that_of_least_squares():
    from scipy import stats

    sizes, draw = [1000, 2000, 4000, 8000], np.random.default_rng(0)
    costs = [size**0.7 * math.exp(0.1 * draw.standard_normal()) for size in sizes]
    law, line = fit_law(sizes, costs), stats.linregress(np.log(sizes), np.log(costs))
    assert law.exponent == pytest.approx(line.slope)
    reach = stats.t.ppf(0.975, 2) * line.stderr
    assert law.high - law.exponent == pytest.approx(reach, rel=1e-3)
    for free, value in T95.items():
        assert value == pytest.approx(stats.t.ppf(0.975, free), abs=1e-3)


def test_the_interval_holds_what_it_promises():
    """95 of 100 intervals hold the exponent; so do those of a cost measured far away."""
    draw, sizes = np.random.default_rng(1), [1000, 2000, 4000, 8000]
    held, far = 0, 0
    for _ in range(2000):
        noisy = [size**0.8 * math.exp(0.1 * draw.standard_normal()) for size in [*sizes, 10**6]]
        law = fit_law(sizes, noisy[:4])
        held += law.low <= 0.8 <= law.high
        _, low, high = law.at(10**6)
        far += low <= noisy[4] <= high
    assert 0.935 < held / 2000 < 0.965
    assert 0.935 < far / 2000 < 0.965


def test_memory_that_does_not_grow_is_not_extrapolated():
    own = [
        setting("lsh", 1.0, 0.1, items=items, size_bytes=1_000_000 + 40 * items)
        for items in (1000, 1700, 2900, 5000)
    ]
    (grown,) = tuning(*own).growth
    assert grown.laws["size_bytes"].at(10**8)[0] == pytest.approx(40e8, rel=0.001)


def test_too_few_sizes_give_no_law():
    assert fit_law([1000, 2000], [1.0, 2.0]) is None
    assert fit_law([1000, 2000, 4000], [1.0, 0.0, 2.0]) is None


def test_growth_is_told_from_two_thousand_vectors_on(found):
    assert {one.setting.line for one in found.growth} == set(found.lines)
    known = found.to_dict()
    assert set(known["growth"][0]["extrapolated"]) == {"1000000", "10000000", "100000000"}
    exact = next(one for one in found.growth if one.setting.line == "exact")
    memory = exact.laws["size_bytes"]
    assert memory.exponent == pytest.approx(1.0, abs=1e-3)
    assert memory.at(10**8)[0] == pytest.approx(10**8 * 12 * 4, rel=0.02)
    assert tune(clouds(1999), queries=10, lines=()).growth == ()
    heads, rows = growth_rows(found)
    assert heads[-1] == "at 100 million"
    assert {len(row) for row in rows} == {len(heads)}


# --- the page --------------------------------------------------------------------


def test_the_page_stands_alone_and_draws_every_setting(found, tmp_path):
    write_tuning(found, "opencv:colour & <b>", tmp_path / "deep" / "tune.html")
    text = (tmp_path / "deep" / "tune.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("<polyline") == len(found.lines)
    assert text.count("recall ") >= len(found.settings)
    assert "EXTRAPOLATED beyond 2,400 vectors, not measured" in text
    curve = draw_curve(found)
    for stroke in curve.strokes:
        for x, y, _ in stroke.points:
            assert 52 <= x <= 640
            assert 16 <= y <= 316


def test_a_page_of_nothing(tmp_path):
    write_tuning(tuning(), "x", tmp_path / "tune.html")
    assert "Nothing to recommend" in (tmp_path / "tune.html").read_text(encoding="utf-8")
    assert draw_curve(tuning()) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0001, "0.10 ms"), (0.0099, "9.9 ms"), (1.0, "1.0 s"), (119, "119 s"), (120, "2.0 min"),
     (7200, "2.0 h"), (1e9, "11,574 days")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds).replace("\u00a0", " ") == text
