"""Which items every search finds, and which none does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import metrics
from ..index.base import Index
from ..index.checks import check_k
from .rerank import Reranker, nearest_others


@dataclass(frozen=True)
class Hubs:
    """How unevenly the items of a gallery are found when each of them is searched with.

    Attributes:
        k: length of the lists.
        skewness: of how often items are found; 0 is even, see ``metrics.hubness``.
        largest: (id, count) of up to ten items found most often, most first.
        orphans: ids of the items in no list, in the gallery's order.
        items: how many items there are.
    """

    k: int
    skewness: float
    largest: tuple[tuple[str, int], ...]
    orphans: tuple[str, ...] = field(repr=False)
    items: int

    @property
    def orphan_share(self) -> float:
        """Share of the items that are in no list; NaN without items."""
        return len(self.orphans) / self.items if self.items else float("nan")


def find_hubs(index: Index, ids: Sequence[str], k: int = 10, rerank: str | None = None) -> Hubs:
    """Hubs and orphans of an index: each item is asked for its k nearest others.

    Args:
        index: the gallery.
        ids: (n,) of its items.
        k: how many others each item lists.
        rerank: one of ``RERANKS`` to rank by, or None for cosine similarity.

    Raises:
        BadShape: k below 1.
    """
    k = check_k(k, "find_hubs")
    lists = nearest_others(index, k)[1] if rerank is None else Reranker(rerank, index).neighbours(k)
    found = metrics.hubness(lists, len(index))
    return Hubs(
        k=k,
        skewness=found.skewness,
        largest=tuple((ids[row], int(found.counts[row])) for row in found.largest),
        orphans=tuple(item for item, count in zip(ids, found.counts, strict=True) if not count),
        items=len(index),
    )
