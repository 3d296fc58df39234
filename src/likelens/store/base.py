"""What every store offers, and ``open_store``."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..values.arrays import Array, Floats
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings, EncoderCard
from ..values.errors import BadSpec, FingerprintMismatch
from ..values.tags import Tags

if TYPE_CHECKING:
    import pyarrow as pa


FILE = ("_path", "_size", "_mtime_ns", "_digest")
"""Columns of ``Store.items`` that tell the picture's file: text, bytes, time, content."""


class Store(ABC):
    """Keeps a catalogue's items and their vectors by several encoders.

    Vectors belong to an item's id and to the digest of the file they were made
    from, so that a changed picture is known. Whatever ``append`` has returned
    from stays, also when the process is killed.
    """

    place: str
    """Where it is, for messages."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """Held while writing; refuses a second writer with StoreBroken."""

    @abstractmethod
    def items(self) -> pa.Table:
        """A row per item, in catalogue order: id, attributes, and the columns of ``FILE``."""

    @abstractmethod
    def put_items(self, items: pa.Table) -> None:
        """Replace that table as a whole."""

    @abstractmethod
    def matching(self, where: str) -> Array:
        """(n,) bool: the items for which an SQL condition on their attributes holds.

        Raises:
            BadQuery: the condition cannot be understood; says which columns there are.
        """

    @abstractmethod
    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here, in order of arrival."""

    @abstractmethod
    def create(self, card: EncoderCard) -> None:
        """Make room for an encoder; whatever stood under its name is gone."""

    @abstractmethod
    def known(self, name: str) -> dict[str, str]:
        """The digest of the file behind each id's vector."""

    @abstractmethod
    def append(
        self, name: str, ids: Sequence[str], digests: Sequence[str], vectors: Floats
    ) -> None:
        """Keep some more vectors: all of them or, if interrupted, none."""

    @abstractmethod
    def forget(self, name: str, ids: Sequence[str]) -> None:
        """Remove the vectors of some items."""

    @abstractmethod
    def finish(
        self, name: str, failures: pa.Table, images_per_second: float | None, *, tidy: bool
    ) -> None:
        """End a run: note its failures and speed and, with ``tidy``, compact what it wrote."""

    @abstractmethod
    def read(self, name: str) -> tuple[list[str], Floats, pa.Table, float]:
        """All ids, their vectors, the failures, and images per second (NaN if unknown)."""

    @abstractmethod
    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt, or None."""

    @abstractmethod
    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""

    def find(self, card: EncoderCard) -> str | None:
        """The name under which an encoder's vectors are kept, or None.

        Raises:
            FingerprintMismatch: the name is there, but stands for other vectors.
        """
        kept = {other.name: other for other in self.cards()}
        if card.name in kept:
            refuse_mixing(kept[card.name], card, self.place)
            return card.name
        return next((o.name for o in kept.values() if o.fingerprint == card.fingerprint), None)

    def catalogue(self) -> Catalogue:
        """The items kept here, without tags."""
        items = self.items()
        ids = tuple(items["id"].to_pylist())
        return Catalogue(
            ids=ids,
            paths=tuple(Path(path) for path in items["_path"].to_pylist()),
            attributes=items.drop_columns(["id", *FILE]),
            tags=Tags.from_columns({}, ids),
        )

    def embeddings(self, name: str, ids: Sequence[str]) -> Embeddings:
        """The vectors of those items that have one, in that order.

        Raises:
            BadSpec: the store has no such encoder; says which it has.
        """
        cards = {card.name: card for card in self.cards()}
        if name not in cards:
            raise BadSpec(
                f"this store has no vectors by {name}",
                where=self.place,
                mend=f"embed them first; it has: {', '.join(cards) or 'none'}",
            )
        kept, vectors, failures, speed = self.read(name)
        if kept != list(ids):
            row = {item: place for place, item in enumerate(kept)}
            found = [item for item in ids if item in row]
            vectors = vectors[np.array([row[item] for item in found], np.int64)]
            kept = found
        return Embeddings(tuple(kept), vectors, cards[name], failures, speed)


def no_items() -> pa.Table:
    """A table of items that holds none."""
    import pyarrow as pa

    kinds = zip(("id", *FILE), ("string", "string", "int64", "int64", "string"), strict=True)
    return pa.table({name: pa.array([], kind) for name, kind in kinds})


def failure_table(rows: Sequence[tuple[str, str, str]] = ()) -> pa.Table:
    """The table of failures: columns id, path and reason."""
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else ((), (), ())
    names = ("id", "path", "reason")
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
    )


def refuse_mixing(kept: EncoderCard, card: EncoderCard, place: str) -> None:
    """Refuse vectors that another version of an encoder made.

    Raises:
        FingerprintMismatch: the fingerprints differ.
    """
    if kept.fingerprint == card.fingerprint:
        return
    changes = [
        f"{part} was {getattr(kept, part)}, now {getattr(card, part)}"
        for part in ("dim", "preprocessing")
        if getattr(kept, part) != getattr(card, part)
    ]
    reason = "; ".join(changes) or "its weights, layer or version differ"
    raise FingerprintMismatch(
        f"vectors of two encoders cannot mix under one name: {reason} "
        f"(fingerprint {kept.fingerprint}, now {card.fingerprint})",
        where=f"{place}, {card.name}",
        mend="give another --store, or make all its vectors anew with --overwrite",
    )


def open_store(place: str | os.PathLike[str], *, create: bool = True) -> Store:
    """The store in a folder.

    Args:
        place: the folder.
        create: make it if it is not there.

    Raises:
        StoreBroken: the folder is something else than a store, or not there
            and not to be made.
    """
    from .lance import LanceStore

    return LanceStore(Path(place), create=create)
