"""A store that lasts as long as the process: what ``embed`` uses when none is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard, failure_table
from .base import Kept, Store, no_items

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class _Run:
    card: EncoderCard
    digests: dict[str, str] = field(default_factory=dict)
    vectors: dict[str, Floats] = field(default_factory=dict)
    failures: pa.Table | None = None
    images_per_second: float = float("nan")


class MemoryStore(Store):
    """Keeps everything in dictionaries."""

    place = "memory"

    def __init__(self) -> None:
        self._items: pa.Table | None = None
        self._kept: dict[str, _Run] = {}
        self._states: dict[str, dict[str, Array]] = {}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Held while writing."""
        yield

    def items(self) -> pa.Table:
        """A row per item."""
        return no_items() if self._items is None else self._items

    def put_items(self, items: pa.Table) -> None:
        """Replace the table."""
        self._items = items

    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here."""
        return [kept.card for kept in self._kept.values()]

    def create(self, card: EncoderCard) -> None:
        """Make room for an encoder."""
        self._kept[card.name] = _Run(card)

    def known(self, name: str) -> pa.Table:
        """The items that have a vector, and the file behind each."""
        import pyarrow as pa

        digests, text = self._kept[name].digests, pa.string()
        return pa.table({"id": pa.array(digests, text), "digest": pa.array(digests.values(), text)})

    def append(
        self, name: str, ids: Sequence[str], digests: Sequence[str], vectors: Floats
    ) -> None:
        """Keep some more vectors."""
        kept = self._kept[name]
        kept.digests.update(zip(ids, digests, strict=True))
        kept.vectors.update(zip(ids, vectors, strict=True))

    def forget(self, name: str, ids: Sequence[str]) -> None:
        """Remove the vectors of some items."""
        kept = self._kept[name]
        for item in ids:
            del kept.digests[item], kept.vectors[item]

    def finish(self, name: str, failures: pa.Table, images_per_second: float | None) -> None:
        """End a run."""
        kept = self._kept[name]
        kept.failures = failures
        if images_per_second is not None:
            kept.images_per_second = images_per_second

    def read(self, name: str) -> Kept:
        """All that is kept of an encoder's run."""
        kept = self._kept[name]
        vectors = np.zeros((len(kept.vectors), kept.card.dim), np.float32)
        for row, vector in enumerate(kept.vectors.values()):
            vectors[row] = vector
        ids, digests = list(kept.vectors), [kept.digests[item] for item in kept.vectors]
        failures = failure_table() if kept.failures is None else kept.failures
        return Kept(ids, digests, vectors, failures, kept.images_per_second)

    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt."""
        return self._states.get(name)

    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""
        self._states[name] = state
