"""What a run says of the sample that it measured."""

from __future__ import annotations

from typing import Any

from .values.catalogue import Catalogue


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
