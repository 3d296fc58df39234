"""The simulation: its figures against plain loops, its page, runs that were broken off."""

from __future__ import annotations

import math
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score
from studies.who_to_trust import Settings, trust, write_trust
from studies.who_to_trust.__main__ import main
from studies.who_to_trust.budget import by_hours
from studies.who_to_trust.draw import ENCODERS, draw_shop
from studies.who_to_trust.score import (
    HIT,
    METRICS,
    Judged,
    full_labels,
    judge,
    places,
    random_pairs,
    score,
    spearman,
)  # fmt: skip
from studies.who_to_trust.seed import pooled
from studies.who_to_trust.study import Twice, estimate

from likelens.report.curves import Curve, Spread, Words, curves_svg, spreads_svg
from likelens.report.lines import Estimate

SMALL = Settings(items=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trust")


@pytest.fixture(scope="module")
def found(folder):
    return trust(folder, seeds=2, settings=SMALL)


@pytest.fixture(scope="module")
def shop():
    return draw_shop(40, 0, 3)


def top(scores, query, k):
    """The first k of a query, in a loop."""
    others = [item for item in range(len(scores)) if item != query]
    return sorted(others, key=lambda item: (-scores[query, item], item))[:k]


def pool_by_hand(shop, inside, k):
    return {
        (query, item)
        for one in inside
        for query in range(len(shop))
        for item in top(shop.scores[one], query, k)
    }


def hits_by_hand(shop, number, pairs):
    """HR@k as in the paper: the share of positive pairs that stand in the top k."""
    votes = shop.votes.sum(axis=2)
    positive = [pair for pair in pairs if votes[pair] > 1.5]
    return np.mean([item in top(shop.scores[number], q, HIT) for q, item in positive])


class TestFigures:
    def test_hit_rates_inside_and_outside_are_what_loops_give(self, found, shop):
        figures = found.shops[0]
        inside = set(figures["inside"])
        for number in (0, 5, 9):
            with_it = pool_by_hand(shop, inside | {number}, SMALL.k)
            without = pool_by_hand(shop, inside - {number}, SMALL.k)
            row = figures["twice"][f"HR@{HIT}"]
            assert row["in"][number] == pytest.approx(hits_by_hand(shop, number, with_it))
            assert row["out"][number] == pytest.approx(hits_by_hand(shop, number, without))

    def test_areas_are_those_of_scikit_learn(self, shop):
        pairs = pooled(shop, (0, 3, 9), 6).pairs
        given = judge(full_labels(shop), pairs, (0, 3, 9))
        labels = given.triples[:, 2]
        found = score(shop, given)
        for number in (0, 7, 14):
            values = shop.scores[number][pairs[:, 0], pairs[:, 1]]
            assert found["ROC-AUC micro"][number] == pytest.approx(roc_auc_score(labels, values))
            expected = average_precision_score(labels, values)
            assert found["PR-AUC micro"][number] == pytest.approx(expected)

    def test_the_true_order_is_that_of_mean_average_precision(self, found, shop):
        off = ~np.eye(len(shop), dtype=bool)
        for number in (1, 8):
            expected = [
                average_precision_score(shop.alike[query][off[query]], scores[off[query]])
                for query, scores in enumerate(shop.scores[number])
                if shop.alike[query].any()
            ]
            assert found.shops[0]["truth"][number] == pytest.approx(np.mean(expected))

    def test_a_better_eye_is_truly_better(self, found):
        truth = np.mean([one["truth"] for one in found.shops], axis=0)
        keen, fair, dull = (
            truth[ENCODERS.index(f"eye, {name}")] for name in ("keen", "fair", "dull")
        )
        assert keen > fair > dull > np.mean([one["chance"] for one in found.shops])

    def test_deeper_pools_of_more_encoders_find_more(self, found):
        rows = {(row["size"], row["k"]): row for row in found.shops[0]["found"]}
        for size, k in rows:
            deeper = rows.get((size, k + 3), rows[size, k])
            assert deeper["recall"] >= rows[size, k]["recall"]
            assert 0 <= rows[size, k]["share"] <= rows[size, k]["recall"] * 40 <= 40
        assert rows[1, 15]["share"] == pytest.approx(15 / 39)

    def test_budgets_are_kept(self, found):
        for one in found.shops:
            for row in one["hours"]:
                assert row["pairs"] <= SMALL.pairs(row["hours"])
                assert set(row["order"]) >= set(METRICS)
            assert one["hours"][-1]["queries"] == 40
        assert SMALL.pairs(1.0) == 240
        assert SMALL.tagged(1.0, ("kind", "colour")) == 480

    def test_a_budget_without_a_whole_query_still_buys_one(self, shop):
        slow = Settings(items=40, pair_seconds=3_600, tag_seconds=3_600)
        pool = pooled(shop, (0, 9), 6)
        first = next(by_hours(shop, slow, full_labels(shop), pool, [0.0] * len(ENCODERS)))
        assert first["queries"] == 1
        assert math.isnan(first["order"][METRICS[0]])

    def test_facts(self, found):
        facts = found.shops[1]["facts"]
        assert 0 < facts["prevalence"] < 0.05
        assert 0 < facts["kappa"] < 1
        assert facts["judged"] == pytest.approx(facts["pairs"] / (40 * 39))
        assert facts["rich"] > facts["labelled"]

    def test_nothing_judged_alike_has_no_score_and_no_order(self, shop):
        pairs = np.array([(0, 1, 0), (2, 3, 0)])
        found = score(shop, Judged(pairs, (0, 1)))
        assert np.isnan(found[METRICS[0]]).all()
        assert math.isnan(spearman(found[METRICS[0]], np.arange(len(ENCODERS))))


class TestParts:
    def test_places_share_what_is_equal(self):
        assert places([0.3, 0.9, 0.3, 0.1]).tolist() == [2, 1, 2, 4]

    def test_spearman_is_that_of_scipy(self):
        draw = np.random.default_rng(0)
        for _ in range(5):
            one, other = draw.integers(0, 6, 15), draw.integers(0, 6, 15)
            assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other)[0])
        assert math.isnan(spearman([1.0, 1.0], [1.0, 2.0]))

    def test_intervals_are_those_of_student(self):
        values = [0.1, 0.4, 0.35, 0.8, 0.45]
        found = estimate([*values, None, math.nan])
        low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high))
        assert estimate([0.5]).mean == 0.5
        assert not estimate([0.5]).bounded
        assert not estimate([None]).known

    def test_random_pairs_are_all_pairs_once(self):
        pairs = random_pairs(7, 42, np.random.default_rng(1))
        assert {tuple(pair) for pair in pairs} == {
            (a, b) for a in range(7) for b in range(7) if a != b
        }

    def test_places_lost(self):
        two = Twice(
            np.array([0.8, 0.6]), np.array([0.4, 0.3]),
            np.array([1.0, 1.0]), np.array([3.0, 2.0]), np.array([1, 2]),
        )  # fmt: skip
        assert (two.flattered(), two.wronged(), two.lost()) == (-0.5, 1.0, 1.5)
        assert two.share_lost() == pytest.approx(0.5)


class TestRuns:
    def test_an_interrupted_run_ends_as_an_uninterrupted_one(self, found, folder, tmp_path):
        shutil.copy(folder / "seed-000.json", tmp_path)
        whole = (folder / "seed-001.json").read_text()
        (tmp_path / "seed-001.json").write_text(whole[: len(whole) // 2])
        steps = []
        again = trust(tmp_path, seeds=2, settings=SMALL, progress=lambda *step: steps.append(step))
        assert steps == [("shops", 1, 2), ("shops", 2, 2)]
        assert again.shops == found.shops
        assert (tmp_path / "seed-001.json").read_text() == whole

    def test_other_settings_are_measured_again(self, folder, monkeypatch, tmp_path):
        asked = []
        monkeypatch.setattr(
            "studies.who_to_trust.study.measure_shop", lambda seed, _: asked.append(seed) or {}
        )
        trust(folder, seeds=2, settings=SMALL)
        assert asked == []
        copy = shutil.copytree(folder, tmp_path / "copy")
        trust(copy, seeds=2, settings=Settings(items=41))
        assert sorted(asked) == [0, 1]

    def test_the_files_hold_every_chart_and_row(self, found, tmp_path):
        text = write_trust(found, tmp_path, "a command").read_text()
        for name in ("found", "hits", "places", "budget", "tags"):
            ET.parse(tmp_path / "images" / f"who-to-trust-{name}.svg")
        assert "nan" not in text.lower()
        assert "None" not in text
        assert all(f"| {name} |" in text for name in (*ENCODERS, *METRICS))

    def test_the_command(self, found, folder, tmp_path, capsys):
        shutil.copytree(folder, tmp_path / ".who-to-trust")
        assert main(["--seeds", "2", "--items", "40", "--out", str(tmp_path)]) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path / "who-to-trust-tables.md")

    @pytest.mark.parametrize("wrong", [("--seeds", "1"), ("--items", "5"), ("--tag-errors", "2")])
    def test_wrong_arguments(self, wrong, tmp_path, capsys):
        assert main([*wrong, "--out", str(tmp_path)]) == 2
        assert wrong[0][2:].replace("-", "_") in capsys.readouterr().err


class TestCharts:
    def test_names_at_the_ends_of_lines_stand_apart(self):
        at = Estimate(0.5, 0.4, 0.6)
        curves = [Curve(f"c{place}", ((1.0, at), (10.0, at))) for place in range(12)]
        chart = curves_svg(Words("t", "s", "x", "y"), curves)
        names = [
            float(node.get("y"))
            for node in ET.fromstring(chart).iter("{http://www.w3.org/2000/svg}text")
            if (node.text or "").startswith("c")
        ]
        assert len(names) == 12
        assert np.diff(sorted(names)).min() >= 14.9
        assert min(names) > 60
        assert max(names) < 400

    def test_what_is_not_known_is_left_out(self):
        none = Estimate(math.nan, math.nan, math.nan)
        alone = Estimate(0.5, math.nan, math.nan)
        words = Words("a < b", "s", "x", "y")
        chart = curves_svg(words, [Curve("a", ((1.0, alone), (2.0, none))), Curve("b", ())])
        assert "nan" not in chart
        assert "a &lt; b" in chart
        assert 'class="band' not in chart
        dots = spreads_svg(words, ("one", "two"), [Spread("row", (alone, none))])
        assert "nan" not in dots
        assert ET.fromstring(dots) is not None
