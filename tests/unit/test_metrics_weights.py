"""Weights of tag categories against Eq. 5 and 6 of CorrEmbed, and the released code's way."""

from __future__ import annotations

import math

import numpy as np
import pytest

import reference.metrics as slow
from likelens.metrics import category_weights
from likelens.values.errors import BadSpec, BadTable
from likelens.values.tags import Tags

COLOURS, KINDS, SEASONS = ("red", "blue", "grey"), ("shoe", "hat"), ("summer", "winter")


def shop(seed: int, several: bool = False) -> tuple[list[dict[str, list[str]]], Tags]:
    """Thirty items with tags; some lack a colour; some have several seasons."""
    random = np.random.default_rng(seed)
    cells = []
    for number in range(30):
        seasons = SEASONS if several and number % 3 == 0 else (str(random.choice(SEASONS)),)
        cells.append(
            {
                "colour": [] if number % 7 == 0 else [str(random.choice(COLOURS))],
                "kind": [KINDS[number % 2]],
                "season": list(seasons),
            }
        )
    columns = {name: [tuple(cell[name]) for cell in cells] for name in cells[0]}
    return cells, Tags.from_columns(columns, ids=[f"item {i}" for i in range(30)])


def purchases(seed: int, customers: int = 12) -> list[tuple[str, int]]:
    """Customers with tastes, 3 to 25 purchases each, some bought twice, in any order."""
    random = np.random.default_rng(seed)
    found = []
    for customer in range(customers):
        liked = random.permutation(30)[: random.integers(3, 12)]
        bought = random.choice(liked, random.integers(3, 26))
        found += [(f"customer {customer}", int(item)) for item in bought]
    return [found[i] for i in random.permutation(len(found))]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("recipe", [None, "released"])
def test_equals_the_equations(several, recipe):
    cells, tags = shop(0, several)
    bought = purchases(1)
    sizes = {"colour": 3, "kind": 2, "season": 2}
    expected = slow.category_weights(bought, cells, sizes, released=recipe == "released")
    customers, items = zip(*bought, strict=True)
    found = category_weights(customers, items, tags, recipe=recipe)
    assert found == pytest.approx(expected)
    assert list(found) == ["colour", "kind", "season"]
    named = category_weights(customers, [f"item {item}" for item in items], tags, recipe=recipe)
    assert named == pytest.approx(expected)


def test_the_recipe_is_its_four_options():
    _, tags = shop(0)
    customers, items = zip(*purchases(2), strict=True)
    together = category_weights(customers, items, tags, recipe="released")
    alone = category_weights(
        customers, items, tags, min_orders=11, none_tag=True, normalise="log", unique_pairs=True
    )
    assert together == alone
    for less in (
        {"min_orders": 11, "none_tag": True, "normalise": "log"},
        {"min_orders": 11, "none_tag": True, "unique_pairs": True},
        {"min_orders": 11, "normalise": "log", "unique_pairs": True},
        {"none_tag": True, "normalise": "log", "unique_pairs": True},
    ):
        assert category_weights(customers, items, tags, **less) != pytest.approx(together)


def test_a_case_by_hand():
    """Ann buys red, red, blue; Bob grey. Kinds: Ann shoe, hat, hat; Bob shoe, shoe."""
    tags = Tags.from_columns(
        {
            "colour": ["red", "red", "blue", "grey", "grey"],
            "kind": ["shoe", "hat", "hat", "shoe", "shoe"],
            "size": ["s", "s", "s", "s", "m"],
            "sex": ["women"] * 5,
        }
    )
    ann = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    found = category_weights(["ann"] * 3 + ["bob"] * 2, [0, 1, 2, 3, 4], tags)
    assert found == pytest.approx(
        {"colour": 1 - ann / math.log(2), "kind": 1 - ann / math.log(2), "size": 0.0, "sex": 1.0}
    )
    logs = category_weights(["ann"] * 3 + ["bob"] * 2, [0, 1, 2, 3, 4], tags, normalise="log")
    assert logs["colour"] == pytest.approx(1 - ann / 2 / math.log(4))
    assert logs["size"] == pytest.approx(1 - math.log(2) / 2 / math.log(3))


def test_a_missing_tag_says_nothing_or_is_a_tag_itself():
    tags = Tags.from_columns({"colour": ["red", None, None], "kind": ["hat", "hat", "shoe"]})
    plain = category_weights([1, 1, 1], [0, 1, 2], tags)
    assert plain == pytest.approx({"colour": 1.0, "kind": 0.0})
    counted = category_weights([1, 1, 1], [0, 1, 2], tags, none_tag=True, normalise="log")
    entropy = -(1 / 3 * math.log(1 / 3) + 2 / 3 * math.log(2 / 3))
    assert counted["colour"] == pytest.approx(1 - entropy / math.log(2), abs=1e-12)


def test_min_orders_counts_repeated_purchases():
    tags = Tags.from_columns({"colour": ["red", "blue"], "kind": ["hat", "hat"]})
    customers, items = [1] * 3 + [2] * 2, [0, 0, 0, 0, 1]
    found = category_weights(
        customers, items, tags, min_orders=3, unique_pairs=True, normalise="log"
    )
    assert found == {"colour": 1.0, "kind": 1.0}


def test_weights_in_the_matrix_do_not_matter():
    _, tags = shop(0)
    customers, items = zip(*purchases(2), strict=True)
    heavy = tags.weighted({"colour": 0.3, "kind": 7.0})
    assert category_weights(customers, items, heavy) == category_weights(customers, items, tags)


def test_edges():
    one = Tags.from_columns({"colour": ["red", "blue"]})
    assert category_weights([1, 1], [0, 1], one) == {"colour": 1.0}
    equal = Tags.from_columns({"colour": ["red", "blue"], "kind": ["hat", "shoe"]})
    assert category_weights([1, 1, 2], [0, 1, 0], equal) == {"colour": 1.0, "kind": 1.0}
    many = Tags.from_columns({"season": [("a", "b"), ("a", "b")]})
    assert category_weights([1, 1], [0, 1], many, none_tag=True, normalise="log") == {"season": 1.0}
    wide = Tags.from_columns(
        {"season": [[f"{(4 * i + j) % 10}" for j in range(4)] for i in range(5)]}
    )
    low = category_weights([1] * 5, range(5), wide, none_tag=True, normalise="log")
    assert low == {"season": 0.0}


def test_wrong_use():
    _, tags = shop(0)
    with pytest.raises(BadTable, match="at least one purchase"):
        category_weights([], [], tags)
    with pytest.raises(BadTable, match=r"purchases of \(2,\) customers and \(1,\) items"):
        category_weights([1, 2], [0], tags)
    with pytest.raises(BadTable, match=r"2 items that were bought are unknown: -1, 30"):
        category_weights([1, 1, 1], [0, 30, -1], tags)
    with pytest.raises(BadTable, match=r"1 item that was bought is unknown: gone"):
        category_weights([1, 1], ["item 1", "gone"], tags)
    with pytest.raises(BadTable, match=r"no customer has 3 purchases; the most is 2"):
        category_weights([1, 1, 2], [0, 1, 2], tags, min_orders=3)
    with pytest.raises(BadTable, match=r"nobody bought an item with a tag of 'colour'"):
        category_weights([1], [0], tags)
    for wrong in ({"min_orders": 0}, {"normalise": "max"}, {"recipe": "printed"}):
        with pytest.raises(BadSpec, match="no weights with"):
            category_weights([1], [1], tags, **wrong)
