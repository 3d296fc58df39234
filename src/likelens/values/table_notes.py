"""Notes on the values of a table that hardly mean what they seem to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from .errors import first_few, plural
from .tags import Tags

FEWEST_VALUES = 20
"""Values of a tag column below which nothing is said of how many of them differ."""

UNIQUE_SHARE = 0.9
"""Share of values that no other item has, from which a tag column is noted."""

_NO_VALUE = frozenset({"nan", "none", "n/a", "#n/a", "<na>", "nat"})
"""Texts, in lower case, by which programs write that there is no value."""


def unique_tags(tags: Tags) -> tuple[str, ...]:
    """A note of the tag columns in which items share hardly any value, such as prices."""
    bearers = np.bincount(tags.matrix.indices, minlength=len(tags.names))
    found = []
    for name in tags.category_names:
        counts = bearers[tags.columns(name)]
        values, alone = int(counts.sum()), int((counts == 1).sum())
        if values >= FEWEST_VALUES and alone >= UNIQUE_SHARE * values:
            found.append(f"{name} ({alone:,} of {values:,} values)")
    if not found:
        return ()
    what = f"nearly every value is unique in {plural(len(found), 'tag column')}: {first_few(found)}"
    hint = "items share none of them, so leave out such columns (--drop), or group their values"
    return (f"{what}; {hint}",)


def doubtful_texts(
    columns: Mapping[str, Sequence[Sequence[str] | str | None]], missing: Sequence[str]
) -> tuple[str, ...]:
    """A note of texts such as ``nan`` that count as values.

    Args:
        columns: the cells of tags, products and classes, by column.
        missing: texts that already stand for no value.
    """
    found: list[str] = []
    texts: dict[str, None] = {}
    for name, cells in columns.items():
        counts = Counter(
            text
            for cell in cells
            if cell is not None
            for text in ((cell,) if isinstance(cell, str) else cell)
            if text.lower() in _NO_VALUE
        )
        found += [
            f"{text!r} in {plural(count, 'cell')} of {name}" for text, count in counts.items()
        ]
        texts |= dict.fromkeys(counts)
    if not found:
        return ()
    what = f"some texts look like missing values, but count as values: {first_few(found)}"
    return (f"{what}; if they mean that there is none: --missing {','.join([*missing, *texts])}",)
