"""Customers who never lived: what they like, and what they therefore bought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from likelens.values.arrays import Array

from .vocabulary import TAGS, Garment

CARE: dict[str, float] = {
    "kind": 1.6,
    "colour": 2.2,
    "pattern": 1.5,
    "sleeve": 0.8,
    "neckline": 0.6,
    "length": 0.7,
    "fit": 1.2,
    "material": 0.3,
}
"""How much customers care for a category: 0 not at all, 2 strongly."""

OPENING = date(2023, 1, 2)
DAYS = 730


class Purchase(NamedTuple):
    """One line of an order.

    Attributes:
        customer, order: their ids.
        product: position of the product.
        day: the date of the order, ISO 8601.
    """

    customer: str
    product: int
    order: str
    day: str


def purchases(garments: Sequence[Garment], seed: int) -> list[Purchase]:
    """What the customers of a shop bought, customer by customer, in order of time.

    Every customer has a taste: a liking for some tags of each category, as strong
    as ``CARE`` says, and buys what fits it more often. So the purchases of one
    customer agree more in colour than in material. There is one customer for
    every product, and at least 40; half of them place five orders or fewer, one
    in six more than ten.
    """
    likings = _tag_matrix(garments)
    bought: list[Purchase] = []
    for number in range(max(40, len(garments))):
        rng = np.random.default_rng([seed, 20, number])
        bought += _shopping(f"c{number:05d}", likings, rng)
    return bought


def _shopping(name: str, tags: Array, rng: np.random.Generator) -> list[Purchase]:
    """The purchases of one customer."""
    wish = tags @ _taste(rng)
    chances = np.exp(wish - wish.max())
    chances /= chances.sum()
    orders = 1 + int(rng.lognormal(1.5, 0.9))
    days = np.sort(rng.integers(0, DAYS, min(orders, 60)))
    lines = []
    for number, day in enumerate(days.tolist()):
        basket = rng.choice(len(chances), int(rng.integers(1, 4)), p=chances)
        when = (OPENING + timedelta(days=day)).isoformat()
        lines += [
            Purchase(name, product, f"{name}-{number:02d}", when)
            for product in sorted(set(basket.tolist()))
        ]
    return lines


def _taste(rng: np.random.Generator) -> Array:
    """The liking for every tag, (tags,), in the order of TAGS."""
    likings = []
    for category, values in TAGS.items():
        liked = rng.permutation(len(values)) < max(1, len(values) // 4)
        likings.append(CARE[category] * (1.4 * liked + 0.25 * rng.standard_normal(len(values))))
    return np.concatenate(likings)


def _tag_matrix(garments: Sequence[Garment]) -> Array:
    """1 where a garment has a tag, (garments, tags); a second colour counts half."""
    columns = {tag: k for k, tag in enumerate((c, v) for c, vs in TAGS.items() for v in vs)}
    matrix = np.zeros((len(garments), len(columns)))
    for row, garment in enumerate(garments):
        for category, values in garment.tags.items():
            for place, value in enumerate(values):
                column = columns.get((category, value))
                if column is not None:
                    matrix[row, column] = 1.0 if place == 0 else 0.5
    return matrix
