"""Samples keep shares and products."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import paint
from likelens import Catalogue
from likelens.values.errors import BadSpec
from likelens.values.sampling import stratified


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 80), min_size=1, max_size=6),
    share=st.floats(0.02, 1.0),
    seed=st.integers(0, 5),
)
def test_every_group_keeps_its_share(sizes, share, seed):
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    count = max(1, round(share * len(groups)))
    rows = stratified(groups, count, seed=seed)
    assert len(rows) == count == len(set(rows.tolist()))
    assert (np.diff(rows) > 0).all()
    drawn = Counter(groups[row] for row in rows)
    for number, size in enumerate(sizes):
        assert abs(drawn[f"g{number}"] - count * size / len(groups)) < 2
    np.testing.assert_array_equal(rows, stratified(groups, count, seed=seed))


def test_each_item_is_drawn_with_the_same_chance():
    groups = ["a"] * 18 + ["b"] * 2
    times = np.zeros(20)
    for seed in range(2_000):
        times[stratified(groups, 5, seed=seed)] += 1
    assert times.mean() == 500
    assert (np.abs(times - 500) < 100).all()


def test_products_stay_whole():
    products = [f"p{row // 3}" for row in range(30)] + [None] * 10
    rows = set(stratified(["x"] * 40, 14, units=products, seed=1).tolist())
    assert 12 <= len(rows) <= 14
    for start in range(0, 30, 3):
        assert len(rows & {start, start + 1, start + 2}) in (0, 3)


def test_a_larger_sample_holds_the_smaller():
    groups = ["a", "b", "a", "c"] * 25
    small, large = (set(stratified(groups, n, seed=4).tolist()) for n in (20, 50))
    assert small < large


@pytest.mark.parametrize("count", [0, -1, 2.5, "ten", True, None])
def test_a_sample_that_is_no_number_of_items_is_refused(count):
    with pytest.raises(BadSpec, match="cannot be drawn"):
        stratified(["a"], count)


def test_a_catalogue_is_sampled_by_its_class_or_first_tag(tmp_path: Path):
    table = ["id,image,kind,colour"]
    for row in range(20):
        paint(tmp_path / f"{row}.png", row)
        table.append(f"{row},{row}.png,{'shoe' if row < 15 else 'bag'},{'red' if row % 2 else ''}")
    (tmp_path / "t.csv").write_text("\n".join(table))
    tagged = Catalogue.open(tmp_path / "t.csv", images=tmp_path, tags=["kind", "colour"])
    sample = tagged.sample(8, seed=3)
    assert Counter(sample.attributes["kind"].to_pylist()) == {"shoe": 6, "bag": 2}
    assert tagged.main_category[0] == "kind"
    classed = Catalogue.open(tmp_path / "t.csv", images=tmp_path, category="colour")
    assert Counter(classed.sample(10).labels) == {"red": 5, None: 5}
    assert classed.sample(20) is classed
    assert len(Catalogue.open(tmp_path / "t.csv", images=tmp_path, tags=[]).sample(4)) == 4
