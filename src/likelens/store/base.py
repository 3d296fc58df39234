"""What every store offers, and ``open_store``."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..values.arrays import Array, Floats
from ..values.boxes import box_rows, parse_box
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings, EncoderCard
from ..values.errors import BadShape, BadSpec, FingerprintMismatch, StoreBroken
from ..values.paths import Paths
from ..values.tags import Tags

if TYPE_CHECKING:
    import pyarrow as pa


FILE = ("_path", "_size", "_mtime_ns", "_digest")
"""Columns of ``Store.items`` that tell the picture's file: text, bytes, time, content.

The time is the later one of its change and that of its inode: files that change places by
renaming keep the first."""

BOX = "_box"
"""Column of the box that counts, ``x,y,width,height``, only where a catalogue has boxes."""

OWN = (*FILE, BOX)
"""Columns of ``Store.items`` that are neither the id nor an attribute."""


@dataclass(frozen=True)
class Kept:
    """What a store keeps of an encoder's run.

    Attributes:
        ids: items, each once, in any order.
        digests: content of the file behind each vector.
        vectors: (n, d) float32.
        failures: table of the pictures that could not be embedded.
        images_per_second: NaN if unknown.
    """

    ids: list[str]
    digests: list[str]
    vectors: Floats
    failures: pa.Table
    images_per_second: float


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
        """A row per item, in catalogue order: id, attributes, the columns of ``FILE``, ``BOX``."""

    @abstractmethod
    def put_items(self, items: pa.Table) -> None:
        """Replace that table as a whole."""

    def matching(self, where: str | Sequence[str]) -> list[str]:
        """The ids of the items for which a condition on their attributes, or all of several, hold.

        Args:
            where: the conditions; ``docs/search.md`` lists what they may contain.

        Raises:
            BadQuery: a condition cannot be understood; the message points at the place.
        """
        from ..values.filters import matching_rows, read_where

        items = self.items()
        attributes = items.drop_columns([name for name in OWN if name in items.column_names])
        rows = matching_rows(read_where(where, attributes.schema), attributes)
        found: list[str] = items["id"].filter(rows).to_pylist()
        return found

    @abstractmethod
    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here, in order of arrival."""

    @abstractmethod
    def create(self, card: EncoderCard) -> None:
        """Make room for an encoder; whatever stood under its name is gone."""

    @abstractmethod
    def known(self, name: str) -> pa.Table:
        """Columns id and digest: the items that have a vector, and the file behind each."""

    @abstractmethod
    def append(
        self, name: str, ids: Sequence[str], digests: Sequence[str], vectors: Floats
    ) -> None:
        """Keep some more vectors: all of them or, if interrupted, none."""

    @abstractmethod
    def forget(self, name: str, ids: Sequence[str]) -> None:
        """Remove the vectors of some items."""

    @abstractmethod
    def finish(self, name: str, failures: pa.Table, images_per_second: float | None) -> None:
        """End a run: note its failures and speed, and compact what was written."""

    @abstractmethod
    def read(self, name: str) -> Kept:
        """All that is kept of an encoder's run."""

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
        own = [name for name in ("id", *OWN) if name in items.column_names]
        boxes = [parse_box(box) for box in items[BOX].to_pylist()] if BOX in own else None
        return Catalogue(
            ids=ids,
            paths=Paths(items["_path"].to_pylist()),
            attributes=items.drop_columns(own),
            tags=Tags.from_columns({}, ids),
            boxes=None if boxes is None else box_rows([box for box in boxes if box]),
        )

    def embeddings(self, name: str, ids: Sequence[str]) -> Embeddings:
        """The vectors of those items that have one of their present picture, in that order.

        Raises:
            BadSpec: the store has no such encoder; says which it has.
        """
        cards = {card.name: card for card in self.cards()}
        if name not in cards:
            raise BadSpec(
                f"this store has no vectors by {name}",
                where=self.place,
                hint=f"embed them first; it has: {', '.join(cards) or 'none'}",
            )
        kept = self.read(name)
        items = self.items()
        now = dict(zip(items["id"].to_pylist(), items["_digest"].to_pylist(), strict=True))
        row = {
            item: place
            for place, (item, digest) in enumerate(zip(kept.ids, kept.digests, strict=True))
            if now.get(item) == digest
        }
        found = tuple(item for item in ids if item in row)
        places = np.array([row[item] for item in found], np.int64)
        whole = len(places) == len(kept.ids) and (np.diff(places) == 1).all()
        vectors = kept.vectors if whole else kept.vectors[places]
        try:
            return Embeddings(found, vectors, cards[name], kept.failures, kept.images_per_second)
        except BadShape as error:
            raise StoreBroken(
                f"a part of the store is damaged: {error.what}",
                where=f"{self.place}, vectors by {name}",
                hint=f"make them anew: likelens embed SOURCE --store STORE --overwrite -e '{name}'",
            ) from error


def no_items() -> pa.Table:
    """A table of items that holds none."""
    import pyarrow as pa

    kinds = zip(("id", *FILE), ("string", "string", "int64", "int64", "string"), strict=True)
    return pa.table({name: pa.array([], kind) for name, kind in kinds})


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
        hint="give another --store, or make all its vectors anew: likelens embed --overwrite",
    )


def open_store(place: Store | str | os.PathLike[str] | None, *, create: bool = True) -> Store:
    """The store in a folder.

    Args:
        place: the folder; None for a store that lasts as long as the process; a store
            is returned as it is.
        create: make it if it is not there.

    Raises:
        StoreBroken: the folder is something else than a store, or not there
            and not to be made.
    """
    if isinstance(place, Store):
        return place
    if place is None:
        from .memory import MemoryStore

        return MemoryStore()
    from .lance import LanceStore

    opened = LanceStore(Path(place), create=create)
    logging.getLogger("likelens").debug("opened the store %s", opened.place)
    return opened
