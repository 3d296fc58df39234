"""What the simulation says of made-up shops: no claim without an interval that bears it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelens.reproduce import Trust, TrustSettings, trust_in_short, write_trust
from likelens.reproduce._trust.budget import DEPTHS, HOURS, RANDOM, TAGGED
from likelens.reproduce._trust.charts import found_chart
from likelens.reproduce._trust.draw import ENCODERS, draw_shop
from likelens.reproduce._trust.money import budget, tags
from likelens.reproduce._trust.score import METRICS
from likelens.reproduce._trust.seed import SIZES
from likelens.reproduce._trust.study import CORRELATION, FEWEST, SHARE, estimate
from likelens.reproduce._trust.tables import FACTS
from likelens.reproduce._trust.text import sections

COUNT = len(ENCODERS)
ITEMS = 400
FULL, FEW = TAGGED
HITS, FAR = METRICS[0], "ROC-AUC micro, sampled"


def made(seed):
    """The figures of one shop, in which nothing differs from anything."""
    ladder = list(range(1, COUNT + 1))
    twice = {"in": [0.5] * COUNT, "out": [0.5] * COUNT, "in_place": ladder, "out_place": ladder}
    order = dict.fromkeys((*METRICS, RANDOM, *TAGGED), 0.9)
    bought = {"pairs": 1_900, "queries": 90, "tagged": 300}
    return {
        "seed": seed,
        "facts": dict.fromkeys(FACTS, 0.5),
        "truth": [1 - 0.05 * place for place in range(COUNT)],
        "chance": 0.02,
        "full_hits": [0.5] * COUNT,
        "found": [
            {"size": size, "k": k, "recall": 0.6, "share": 0.1} for size in SIZES for k in DEPTHS
        ],
        "twice": {metric: {key: list(row) for key, row in twice.items()} for metric in METRICS},
        "hours": [{"hours": hours, **bought, "order": dict(order)} for hours in HOURS],
        "depths": [{"k": k, "pairs": 1_900, "queries": 90, "order": dict(order)} for k in DEPTHS],
    }


def shops(change=None, count=6, **settings):
    """So many shops, each changed by (shop, noise), the noise being of mean 0."""
    many = [made(seed) for seed in range(count)]
    for place, shop in enumerate(many):
        if change:
            change(shop, 0.01 * (-1) ** place)
    return Trust(TrustSettings(**{"items": ITEMS, **settings}), tuple(many))


def said(found):
    """The whole page without its charts and tables, as one text."""
    parts = [part for section in sections(found) for part in section.parts]
    points = [f"{term}. {text}" for part in parts for term, text in getattr(part, "items", ())]
    return " ".join([*points, *(part for part in parts if isinstance(part, str))])


def short(found, place):
    return " ".join(trust_in_short(found)[place])


def orders(**values):
    """A change that sets how well metrics know the order, for all hours."""

    def change(shop, noise):
        for row in shop["hours"]:
            row["order"].update({name: value(noise) for name, value in values.items()})

    return change


def moved(metric, places):
    """A change after which staying out costs each encoder so many places by a metric."""

    def change(shop, noise):
        row = shop["twice"][metric]
        row["out_place"] = [place + places(noise) for place in row["in_place"]]

    return change


class TestIntervals:
    @given(st.lists(st.floats(0, 1), max_size=12))
    def test_none_of_few_shops_and_none_beyond_what_can_be(self, values):
        found = estimate(values, SHARE)
        assert found.bounded == (len(values) >= FEWEST)
        if found.bounded:
            assert 0 <= found.low <= found.mean + 1e-9
            assert found.mean - 1e-9 <= found.high <= 1
        assert found.known == bool(values)

    def test_are_cut_where_the_figure_ends(self):
        found = estimate([1.0, 1.0, 1.0, 1.0, 0.2], CORRELATION)
        assert found.high == 1.0
        assert -1 < found.low < found.mean == pytest.approx(0.84)

    def test_equal_shops_are_no_certainty(self):
        assert not estimate([0.4, 0.4]).bounded
        text = said(shops(count=2))
        assert "Only 2 shops. Fewer than 5 give no intervals" in text
        assert "0.90 (" not in text

    def test_shares_and_correlations_of_a_page_stay_in_range(self):
        def wild(shop, noise):
            for row in shop["found"]:
                row["recall"] = 0.99 if noise > 0 else 0.3
            orders(infAP=lambda noise: 1.0 if noise > 0 else -0.5)(shop, noise)

        tables = shops(wild, 5).tables
        for table, what, (low, high) in (
            ("found", "recall", SHARE), ("hours", "spearman", CORRELATION),
        ):  # fmt: skip
            ends = [row[f"{what}_{end}"] for row in tables[table] for end in ("low", "high")]
            assert low <= min(ends)
            assert max(ends) <= high
        correlations = next(budget(shops(wild, 5))).svg
        assert ">1.0</text>" in correlations
        assert ">1.5</text>" not in correlations
        percents = found_chart(shops(wild, 5)).svg
        assert ">100</text>" in percents
        assert ">120</text>" not in percents


class TestGuards:
    def test_with_nothing_to_tell_nothing_is_claimed(self):
        text = said(shops())
        for claim in (
            "favours those", "is as fair as", "better than it is", "as much as few", "relative",
            "turns the error round", "better guide", "are the better use", "Ask that of your own",
        ):  # fmt: skip
            assert claim not in text
        assert "cannot be told" in text

    @pytest.mark.parametrize(("lead", "sure"), [(0.02, True), (0.002, False)])
    def test_the_metric_that_comes_closest(self, lead, sure):
        change = orders(
            infAP=lambda noise: 0.95 + lead + noise / 2,
            **{FAR: lambda noise: 0.95 - noise / 2},
        )
        text = short(shops(change), 3)
        assert "infAP comes closest" in text
        assert ("nobody can tell it from " + FAR in text) == (not sure)

    @pytest.mark.parametrize(("apart", "sure"), [(0.5, True), (0.001, False)])
    def test_the_metric_that_depends_least(self, apart, sure):
        def change(shop, noise):
            for metric in METRICS:
                moved(metric, lambda noise: -2.0 + noise)(shop, noise)
            moved("infAP", lambda noise: 0.2 + noise)(shop, noise)
            moved(FAR, lambda noise: -0.2 - apart - noise / 2)(shop, noise)

        text = short(shops(change), 2)
        assert "infAP depends least on who took part" in text
        assert ("nobody can tell it from " + FAR in text) == (not sure)

    @pytest.mark.parametrize(("above", "sure"), [(0.05, True), (0.001, False)])
    def test_a_pool_that_flatters(self, above, sure):
        def change(shop, noise):
            shop["full_hits"] = [0.5 - above + noise] * COUNT

        assert ("better than it is" in said(shops(change))) == sure

    def test_who_loses_most(self):
        def change(shop, noise):
            row = shop["twice"][HITS]
            row["out_place"] = list(row["in_place"])
            for name, lost in (("HOG", 3.0 + 5 * noise), ("SIFT", 3.0 - 5 * noise), ("ORB", 1.0)):
                row["out_place"][ENCODERS.index(name)] += lost

        text = said(shops(change))
        assert "HOG (mean place 2.0, then 5.0) or SIFT (mean place 3.0, then 6.0), which" in text
        assert "or ORB" not in text

    @pytest.mark.parametrize(("less", "sure"), [(0.2, True), (0.001, False)])
    def test_kind_and_colour_alone(self, less, sure):
        change = orders(**{FEW: lambda noise: 0.9 - less + noise})
        assert ("below that of all tags" in said(shops(change))) == sure

    @pytest.mark.parametrize(
        ("recall", "share", "sure"),
        [(0.6, 0.05, True), (0.5, 0.05, False), (0.6, 0.1, False), (0.7, 0.05, True)],
    )
    def test_many_short_lists(self, recall, share, sure):
        def change(shop, noise):
            row = next(row for row in shop["found"] if (row["size"], row["k"]) == (10, 3))
            row.update(recall=recall + noise, share=share + noise / 10)

        assert ("for less" in short(shops(change), 0)) == sure

    def test_experts_are_judged_by_one_metric_named_beforehand(self):
        found = shops(orders(bpref=lambda _: 0.99, infAP=lambda noise: 0.98 + noise))
        assert "2 hours of experts: 0.90 (0.90 to 0.90) by HR@9" in short(found, 4)
        assert "by HR@9, the metric of the paper," in " ".join(
            part for part in tags(found) if isinstance(part, str)
        )


class TestDepths:
    def told(self, found):
        return " ".join(part for part in budget(found) if isinstance(part, str))

    def deeper(self, gain, whole=()):
        def change(shop, noise):
            for row in shop["depths"]:
                row["order"][HITS] += gain * row["k"] / 15 + noise * (row["k"] > 3)
                if row["k"] in whole:
                    row["queries"] = ITEMS

        return shops(change)

    @pytest.mark.parametrize(
        ("gain", "words"),
        [
            (0.05, "fewer queries judged deeply are the better use"),
            (0.001, "nobody can tell which is the better use"),
            (-0.05, "more queries are the better use"),
        ],
    )
    def test_the_better_use_of_the_hours(self, gain, words):
        text = self.told(self.deeper(gain))
        assert words in text
        assert "8 hours can go into many queries" in text

    def test_those_that_cannot_fill_the_hours_are_left_out(self):
        text = self.told(self.deeper(0.05, whole=(1, 2, 3)))
        assert "can go into" not in text
        assert "with depth 1, 2 and 3 all 400 garments have asked before" in text
        assert "with depth 6 and 90 queries" in text
        assert "too small" in self.told(self.deeper(0.05, whole=DEPTHS[:-1]))

    def test_hours_beyond_the_pool_change_nothing(self):
        def change(shop, _):
            for row in shop["hours"][-2:]:
                row["queries"] = ITEMS

        assert "adds" in self.told(shops())
        assert "Within 16 hours the whole pool is judged" in self.told(shops(change))


class TestPage:
    def test_names_the_command_that_was_given(self, tmp_path):
        place = tmp_path / "some where"
        text = write_trust(shops(experts=5), place).read_text(encoding="utf-8")
        command = f"--seeds 6 --items 400 --experts 5 --out '{place.as_posix()}'\n"
        assert f"    likelens reproduce who-to-trust {command}" in text
        assert "--out docs" not in text

    def test_every_column_tells_what_it_is(self, tmp_path):
        lines = write_trust(shops(), tmp_path).read_text(encoding="utf-8").splitlines()
        heads = next(line for line in lines if line.startswith("| encoder |")).split(" | ")
        assert len(set(heads)) == len(heads) == 11
        assert [head for head in heads if "took part" in head] == [
            "HR@9, took part", "place by HR@9, took part", "place by ROC-AUC micro, took part",
        ]  # fmt: skip


def test_negatives_from_the_rankings_are_nearly_all_pictures():
    """As the page says: what is left out of the union of the pooling encoders' middle ranks."""
    shop = draw_shop(60, 0, 1)
    for taking in ([0, 1, 2, 3, 4, 5], [2, 5, 8, 9, 12, 14]):
        middle = shop.positions[taking][:, :, 9:50]
        parts = [len(np.unique(middle[:, query])) / 59 for query in range(60)]
        assert math.fsum(parts) / 60 > 0.95
    assert said(shops()).count("nearly random") == 2
