"""What a run says of its catalogue: the sample that it measured, and what it did not use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .values.catalogue import Catalogue

OF_TAGS = ("tags", "drop")
OF_PURCHASES = ("purchases", "customer", "item", "basket")
"""Arguments of ``Catalogue.open`` that only some comparisons use."""


def unused(catalogue: Catalogue, names: Sequence[str], way: str) -> list[str]:
    """A note if the catalogue was opened with arguments that this comparison does not use.

    Args:
        catalogue: that was opened.
        names: the arguments.
        way: what encoders are ranked by.
    """
    given = [name for name in names if catalogue.layout.given.get(name)]
    return [f"not used, since encoders are ranked by {way}: {', '.join(given)}"] if given else []


def sample_facts(catalogue: Catalogue, count: int, whole: int) -> dict[str, Any]:
    """Entries of a run: how many items were asked for, of how many, and what was kept.

    Args:
        catalogue: the sample.
        count: how many items were asked for.
        whole: how many items there are.
    """
    if len(catalogue) == whole:
        return {}
    main = catalogue.main_category
    by = [f"the shares of {main[0]}"] if main is not None else []
    by += ["products whole"] if catalogue.products is not None else []
    return {
        "sample": count,
        "sampled": f"{len(catalogue):,} of {whole:,} items at random"
        + (f", keeping {' and '.join(by)}" if by else ""),
    }
