"""A store that lasts as long as the process: what ``embed`` uses when none is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard, failure_table
from ..values.paths import Paths
from .base import Store, no_items

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class _Run:
    card: EncoderCard
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
        self._changes = 0

    @contextmanager
    def writing(self, *, wait: bool = False) -> Iterator[None]:  # noqa: ARG002
        """Held while the items are changed."""
        yield

    def items(self) -> pa.Table:
        """A row per item."""
        return no_items() if self._items is None else self._items

    def put_items(self, items: pa.Table) -> None:
        """Replace the table."""
        self._items = items
        self._changes += 1

    def image_paths(self, items: pa.Table) -> Paths:
        """Where the images of some items are."""
        return Paths(items["_path"].to_pylist())

    def catalogues(self) -> list[str]:
        """The main catalogue alone."""
        return [""]

    def used_digests(self) -> pa.ChunkedArray:
        """The digests of all items."""
        return self.items()["_digest"]

    def version(self) -> str:
        """A text that changes whenever items or vectors do."""
        return str(self._changes)

    def verify(self) -> list[dict[str, str]]:
        """Nothing: there are no files."""
        return []

    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here."""
        return [kept.card for kept in self._kept.values()]

    def served_by(self) -> list[EncoderCard]:
        """The encoders that the items were embedded with."""
        return [kept.card for kept in self._kept.values() if kept.failures is not None]

    def create(self, card: EncoderCard, *, overwrite: bool = False) -> str:
        """Make room for an encoder."""
        if overwrite or card.name not in self._kept:
            self._kept[card.name] = _Run(card)
        return card.name

    def known(self, name: str) -> pa.ChunkedArray:
        """The digests of which an encoder has vectors here."""
        import pyarrow as pa

        return pa.chunked_array([pa.array(self._kept[name].vectors, pa.string())])

    def append(self, name: str, digests: Sequence[str], vectors: Floats) -> None:
        """Keep some more vectors."""
        self._kept[name].vectors.update(zip(digests, vectors, strict=True))
        self._changes += 1

    def vectors(self, name: str, digests: pa.Array | pa.ChunkedArray) -> tuple[Array, Floats]:
        """The vectors of some contents."""
        kept, asked = self._kept[name], digests.to_pylist()
        found = np.array([digest in kept.vectors for digest in asked], bool)
        out = np.zeros((int(found.sum()), kept.card.dim), np.float32)
        for row, digest in enumerate(one for one in asked if one in kept.vectors):
            out[row] = kept.vectors[digest]
        return found, out

    def drop(self, name: str, digests: pa.Array) -> None:
        """Remove the vectors of some contents."""
        for digest in digests.to_pylist():
            del self._kept[name].vectors[digest]
        self._changes += 1

    def finish(self, name: str, images_per_second: float | None) -> None:
        """End a run."""
        if images_per_second is not None:
            self._kept[name].images_per_second = images_per_second

    def images_per_second(self, name: str) -> float:
        """The speed of the last run that measured it, or NaN."""
        return self._kept[name].images_per_second

    def failures(self, name: str) -> pa.Table:
        """Of the items' images, those that could not be embedded."""
        kept = self._kept[name]
        return failure_table() if kept.failures is None else kept.failures

    def put_failures(self, name: str, failures: pa.Table) -> None:
        """Replace that table."""
        self._kept[name].failures = failures

    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt."""
        return self._states.get(name)

    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""
        self._states[name] = state
