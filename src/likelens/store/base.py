"""What every store offers, and ``open_store``."""

from __future__ import annotations

import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..values.arrays import Array, Floats
from ..values.boxes import box_rows, parse_box
from ..values.catalogue import Catalogue
from ..values.columns import as_text
from ..values.embeddings import Embeddings, EncoderCard
from ..values.errors import BadShape, BadSpec, BadTable, FingerprintMismatch, StoreBroken, first_few
from ..values.paths import Paths
from ..values.tables import text_column
from ..values.tags import Tags

if TYPE_CHECKING:
    import pyarrow as pa


FILE = ("_path", "_size", "_mtime_ns", "_digest")
"""Columns of ``Store.items`` that tell the image's file: text, bytes, time, content.

The time is the later one of its change and that of its inode: files that change places by
renaming keep the first."""

BOX = "_box"
"""Column of the box that counts, ``x,y,width,height``, only where a catalogue has boxes."""

RELATIVE = "_relative"
"""Column of the image's path as seen from the store's folder, in a store that has one."""

OWN = (*FILE, BOX, RELATIVE)
"""Columns of ``Store.items`` that are neither the id nor an attribute."""


class Store(ABC):
    """The items of a catalogue that is served, and a cache of vectors by several encoders.

    Vectors belong to the content that they were made from: to the digest of an image and of
    the box in it. Items name the digest of their image. So the same content is embedded once,
    and catalogues can share vectors. Whatever ``append`` has returned from stays, also when
    the process is killed.

    Attributes:
        place: where it is, for messages.
        cache: another store that is asked for vectors first, and gets those that are made.
    """

    place: str
    cache: Store | None = None

    upserting: ClassVar[Callable[..., Any] | None] = None
    """What embeds and adds items for ``upsert``; set by the layer that has encoders."""

    @abstractmethod
    def writing(self, *, wait: bool = False) -> AbstractContextManager[None]:
        """Held while the items are changed; refuses a second writer with StoreBroken, or waits."""

    @abstractmethod
    def items(self) -> pa.Table:
        """A row per item: id, attributes, and the columns of ``FILE``, ``BOX``, ``RELATIVE``."""

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
    def served_by(self) -> list[EncoderCard]:
        """The encoders that the items were embedded with, as opposed to only measured with."""

    @abstractmethod
    def create(self, card: EncoderCard, *, overwrite: bool = False) -> str:
        """Make room for an encoder, and return under which name.

        Args:
            card: of the encoder.
            overwrite: remove all vectors that are kept under its name.
        """

    @abstractmethod
    def known(self, name: str) -> pa.ChunkedArray:
        """The digests of which an encoder has vectors here, in the order they were added."""

    @abstractmethod
    def append(self, name: str, digests: Sequence[str], vectors: Floats) -> None:
        """Keep some more vectors: all of them or, if interrupted, none.

        Of a digest that is there already, the new vector counts.
        """

    @abstractmethod
    def vectors(self, name: str, digests: pa.Array | pa.ChunkedArray) -> tuple[Array, Floats]:
        """The vectors of some contents.

        Args:
            name: of the encoder.
            digests: (n,) digests; null has no vector.

        Returns:
            (n,) bool, which of them have a vector, and (k, d) float32 those vectors, in order.
        """

    @abstractmethod
    def drop(self, name: str, digests: pa.Array) -> None:
        """Remove the vectors of some contents."""

    @abstractmethod
    def finish(self, name: str, images_per_second: float | None) -> None:
        """End a run: note its speed, and compact what was written."""

    @abstractmethod
    def images_per_second(self, name: str) -> float:
        """The speed of the last run that measured it, or NaN."""

    @abstractmethod
    def failures(self, name: str) -> pa.Table:
        """Of the items' images, those that could not be embedded: id, path and reason."""

    @abstractmethod
    def put_failures(self, name: str, failures: pa.Table) -> None:
        """Replace that table."""

    @abstractmethod
    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt, or None."""

    @abstractmethod
    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""

    @abstractmethod
    def version(self) -> str:
        """A short text that changes whenever items or vectors do; cheap to get."""

    @abstractmethod
    def catalogues(self) -> list[str]:
        """The names of the catalogues that share these vectors, ``""`` for the main one."""

    @abstractmethod
    def image_paths(self, items: pa.Table) -> Paths:
        """Where the images of some items are, also after the store was moved with them."""

    @abstractmethod
    def used_digests(self) -> pa.ChunkedArray:
        """The digests of all items, of every catalogue that shares these vectors."""

    @abstractmethod
    def verify(self) -> list[dict[str, str]]:
        """Every file that is damaged: its ``file``, the ``problem`` and how to ``repair`` it."""

    def key(self, card: EncoderCard) -> str:
        """Under which name an encoder's vectors are kept."""
        return card.name

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
            paths=self.image_paths(items),
            attributes=items.drop_columns(own),
            tags=Tags.from_columns({}, ids),
            boxes=None if boxes is None else box_rows([box for box in boxes if box]),
        )

    def embeddings(self, name: str, ids: Sequence[str]) -> Embeddings:
        """The vectors of those items that have one of their image, in that order.

        Raises:
            BadSpec: the store has no such encoder; says which it has.
            StoreBroken: its vectors are damaged.
        """
        import pyarrow.compute as pc

        cards = {card.name: card for card in self.cards()}
        if name not in cards:
            raise BadSpec(
                f"this store has no vectors by {name}",
                where=self.place,
                hint=f"embed them first; it has: {', '.join(cards) or 'none'}",
            )
        items, asked = self.items(), text_column(ids)
        digests = items["_digest"].take(pc.index_in(asked, items["id"]))
        failures = self.failures(name)
        return self.read(name, cards[name], ids, digests, failures)

    def read(
        self,
        name: str,
        card: EncoderCard,
        ids: Sequence[str],
        digests: pa.Array | pa.ChunkedArray,
        failures: pa.Table,
    ) -> Embeddings:
        """The vectors of some contents, as those of items.

        Args:
            name: under which the vectors are kept.
            card: of the encoder.
            ids: (n,) of the items.
            digests: (n,) of their images.
            failures: of the images that have no vector.

        Raises:
            StoreBroken: the vectors are damaged.
        """
        found, vectors = self.vectors(name, digests)
        kept = tuple(ids)
        if not found.all():
            kept = tuple(item for item, there in zip(ids, found.tolist(), strict=True) if there)
        try:
            return Embeddings(kept, vectors, card, failures, self.images_per_second(name))
        except BadShape as error:
            raise StoreBroken(
                f"a part of the store is damaged: {error.what}",
                where=f"{self.place}, vectors by {name}",
                hint=f"make them anew: likelens embed SOURCE --store STORE --overwrite -e '{name}'",
            ) from error

    def count(self, where: str | Sequence[str] | None = None) -> int:
        """How many items there are, or how many fulfil a condition on their attributes.

        Raises:
            BadQuery: the condition cannot be understood.
        """
        return len(self.items()) if where is None else len(self.matching(where))

    def upsert(
        self, items: Catalogue | Mapping[str, Any] | Iterable[Mapping[str, Any]], **more: Any
    ) -> list[str]:
        """Add or update items, with vectors by every encoder that the items were embedded with.

        Args:
            items: a catalogue, or for each item a mapping of ``id``, ``image`` (a file or an
                address; not needed of an item that is there) and any attributes. Attributes
                that are not given keep their values.
            more: ``encoders``, to embed with others than those that the items were embedded with;
                ``progress``.

        Returns:
            The ids that were added or updated.

        Raises:
            BadTable: an item has no id or image, or an attribute has a value of another type.
            BadImage: an image cannot be read.
        """
        upserting = type(self).upserting
        if upserting is None:
            raise BadTable(
                "this store was opened without encoders",
                where=self.place,
                hint="open it with likelens.open_store",
            )
        made: list[str] = upserting(self, items, **more)
        return made

    def remove(self, ids: Iterable[str]) -> list[str]:
        """Remove items; no search finds them any more. Their vectors stay, see ``remove_unused``.

        Returns:
            The ids that were removed.

        Raises:
            BadTable: an id is not there; nothing is removed then.
        """
        import pyarrow.compute as pc

        asked = list(dict.fromkeys(map(item_id, [ids] if isinstance(ids, str) else ids)))
        with self.writing():
            items = self.items()
            gone = pc.is_in(items["id"], text_column(asked))
            if pc.sum(gone).as_py() != len(asked) and asked:
                there = set(items["id"].to_pylist())
                raise BadTable(
                    f"no such items: {first_few(one for one in asked if one not in there)}",
                    where=self.place,
                    hint="likelens store info says how many there are; nothing was removed",
                )
            if asked:
                self.put_items(items.filter(pc.invert(gone)))
        return asked

    def remove_unused(self) -> dict[str, int]:
        """Remove the vectors of contents that no item has, also of other catalogues in the store.

        Returns:
            How many contents each encoder lost.
        """
        import pyarrow.compute as pc

        removed = {}
        with self.writing():
            used = self.used_digests()
            for card in self.cards():
                known = self.known(self.key(card)).unique()
                unused = known.filter(pc.invert(pc.is_in(known, used)))
                if len(unused):
                    self.drop(self.key(card), unused)
                removed[card.name] = len(unused)
        return removed

    def move_images(self, folder: str | os.PathLike[str]) -> int:
        """Note where the images of items are now, whose files are not where they were.

        Args:
            folder: where they are: under the same names, and in the same subfolders or in none.

        Returns:
            How many were found there.
        """
        from .about import move_images

        return move_images(self, Path(folder))

    def info(self) -> dict[str, Any]:
        """What is kept here: items, their columns and images, encoders and catalogues."""
        from .about import describe

        return describe(self)


def item_id(value: object) -> str:
    """An id as tables have it: text without blanks around it, in NFC; empty if there is none.

    Raises:
        BadTable: it is not valid Unicode.
    """
    text = as_text(value, set()) or ""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise BadTable(
            f"the id {text!r} is not valid Unicode", where="id", hint="write it in UTF-8"
        )
    return text


def no_items() -> pa.Table:
    """A table of items that holds none."""
    import pyarrow as pa

    kinds = zip(("id", *FILE), ("string", "string", "int64", "int64", "string"), strict=True)
    return pa.table({name: pa.array([], kind) for name, kind in kinds})


def last_places(wanted: pa.Array | pa.ChunkedArray, known: pa.ChunkedArray) -> Array:
    """(n,) the last place of each wanted digest among the known ones, or -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    backwards = known.take(pa.array(np.arange(len(known))[::-1]))
    found = pc.fill_null(pc.index_in(wanted, backwards), -1)
    places = np.asarray(found).astype(np.int64)
    return np.where(places < 0, -1, len(known) - 1 - places)


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
        place: the folder, or ``folder#name`` for another catalogue that shares its vectors
            (a folder of that very name goes first); None for a store that lasts as long as
            the process; a store is returned as it is.
        create: whether it may be a new one, which is made when something is written.

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

    if not isinstance(place, str | os.PathLike):
        raise BadSpec(
            f"a store is a path, not {type(place).__name__}",
            where="store",
            hint="give its folder, or folder#name",
        )
    folder, name = split_place(place)
    opened = LanceStore(folder, name, create=create)
    logging.getLogger("likelens").debug("opened the store %s", opened.place)
    return opened


def split_place(place: str | os.PathLike[str]) -> tuple[Path, str]:
    """The folder of a store, and the name of the catalogue in it; ``""`` for the main one.

    Raises:
        BadSpec: the name has signs that it must not have.
    """
    text = os.fspath(place)
    folder, mark, name = text.rpartition("#")
    if not mark or "/" in name or os.sep in name or os.path.exists(text):  # noqa: PTH110 - of any text
        return Path(text), ""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or not folder:
        raise BadSpec(
            f"{name!r} cannot be the name of a catalogue in a store",
            where=text,
            hint="write STORE#NAME with letters, digits, '.', '_' and '-' only",
        )
    return Path(folder), name
