"""A sample of items that keeps the shares of their groups, and products whole."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from .arrays import Positions
from .errors import BadSpec


def stratified(
    groups: Sequence[Hashable | None],
    count: int,
    *,
    units: Sequence[Hashable | None] | None = None,
    seed: int = 0,
) -> Positions:
    """Rows drawn at random, from each group in proportion to its size.

    The units of each group stand in random order at even distances from 0 to 1, and those
    that come first over all groups are taken: each item is drawn with the same chance, and
    the draw of one group does not depend on the others. A larger sample with the same seed
    holds the smaller one, but for the last unit.

    Args:
        groups: of each row, such as its class; rows of None are one group.
        count: how many rows at most. A unit that would exceed it is left out, so there may
            be a few less where units have several rows.
        units: of each row what stays together, such as its product; a row of None is alone.
        seed: of the draw.

    Returns:
        Positions, ascending.

    Raises:
        BadSpec: count is no whole number from 1.

    Example:
        >>> stratified(["shoe"] * 6 + ["bag"] * 3, 3).size
        3
    """
    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not whole or count < 1:
        raise BadSpec(
            f"a sample of {count!r} items cannot be drawn",
            where="sample",
            hint="give a whole number from 1",
        )
    members: dict[Hashable, list[int]] = {}
    for row, unit in enumerate(units if units is not None else [None] * len(groups)):
        members.setdefault((row,) if unit is None else ("unit", unit), []).append(row)
    by_group: dict[str, list[list[int]]] = {}
    for rows in members.values():
        group = groups[rows[0]]
        by_group.setdefault("" if group is None else f"={group}", []).append(rows)
    ordered: list[tuple[float, str, list[int]]] = []
    for name, found in by_group.items():
        draw = np.random.default_rng([seed, *name.encode()])
        size, before, start = sum(map(len, found)), 0, float(draw.random())
        for place in draw.permutation(len(found)):
            rows = found[place]
            ordered.append(((before + start * len(rows)) / size, name, rows))
            before += len(rows)
    ordered.sort(key=lambda one: one[:2])
    taken: list[int] = []
    for _, _, rows in ordered:
        if len(taken) + len(rows) <= count:
            taken += rows
        if len(taken) == count:
            break
    return np.array(sorted(taken), np.int64)
