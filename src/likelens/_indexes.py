"""The indexes that are saved in a store, and how one is brought up to date with it.

    indexes/ENCODER/hnsw-build100-m16.index    the index
    indexes/ENCODER/hnsw-build100-m16.items    Parquet: id and mark of the vector at each position

One pair for each encoder and kind; options of the search alone (``ef``) are no part of the
name. The second file bears a seal of the first and is written after it: of a pair that was
cut off halfway the seal does not fit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .index import container
from .index.base import INDEXES, Answer, Index, build_index, load_index
from .index.checks import check_k
from .index.options import Options
from .index.scan import COSINE, SPARE
from .store.base import Store
from .values.arrays import Array, Floats, Positions
from .values.embeddings import Embeddings
from .values.errors import BadSpec, BadTable, IndexBroken, LikelensError, StoreBroken
from .values.files import write_aside

if TYPE_CHECKING:
    import pyarrow as pa

INDEX, ITEMS = ".index", ".items"
"""Endings of the two files."""

KEY = b"likelens"
"""Of what the second file says of itself, among the metadata of Parquet."""

CHUNK = 4096


@dataclass(frozen=True)
class Changes:
    """What an index was told of, since it was saved.

    Attributes:
        added: vectors of items that it had not.
        changed: vectors of items that had another one.
        removed: items that are gone.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        return f"{self.added:,} added, {self.changed:,} changed, {self.removed:,} removed"


@dataclass(frozen=True)
class Held:
    """What a saved index says of itself, without being read.

    Attributes:
        path: the index.
        encoder: name of the encoder.
        fingerprint: of the encoder.
        spec: its kind and options.
        seal: of the file that it belongs to.
        ids: item at each position; None where one was removed.
        marks: (n,) uint64 of the vectors.
    """

    path: Path
    encoder: str
    fingerprint: str
    spec: str
    seal: str
    ids: Sequence[str | None]
    marks: Array

    def changes(self, embeddings: Embeddings) -> Changes:
        """How far it is behind some embeddings."""
        places, gone, stale = _compared(self, embeddings.ids, marks_of(embeddings.vectors))
        return Changes(int((places < 0).sum()), len(stale), len(gone))


@dataclass(frozen=True)
class Placed:
    """An index beside the embeddings whose vectors it holds; speaks of their rows.

    Attributes:
        index: the index; its positions are its own.
        positions: (n,) position of each row.
        rows: (len(index),) row at each position, -1 for those removed.
        saved: whether it was read from a file.
        changes: what it was told of since.
        notes: what went wrong on the way, a sentence each.
    """

    index: Index
    positions: Positions
    rows: Positions
    saved: bool
    changes: Changes = Changes()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, index: Index, positions: Positions, saved: bool, *more: Any) -> Placed:
        """With the rows that belong to the positions."""
        rows = np.full(len(index), -1)
        rows[positions] = np.arange(len(positions))
        return cls(index, positions, rows, saved, *more)

    def explain(self, queries: Array, k: int, allowed: Array | None = None) -> Answer:
        """As ``Index.explain``, with rows for positions, also where scores are equal."""
        k, mask = check_k(k, "Index.search"), self._mask(allowed)
        fetch = k if self._ordered else k + SPARE
        found = self.index.explain(queries, fetch, mask)
        while found.scores.shape[1] == fetch > k and _tied(found.scores, k):
            fetch *= 2
            found = self.index.explain(queries, fetch, mask)
        rows = self.rows[found.positions]
        order = np.lexsort((rows, -found.scores), axis=1)[:, :k]
        scores = np.take_along_axis(found.scores, order, 1)
        return Answer(scores, np.take_along_axis(rows, order, 1), found.path, found.completed)

    def recall(self, queries: Array, k: int, allowed: Array | None = None) -> Floats:
        """As ``Index.recall``."""
        return self.index.recall(queries, k, self._mask(allowed))

    @cached_property
    def _ordered(self) -> bool:
        """Whether positions rise with the rows: what ties is then in the order of rows."""
        return bool((np.diff(self.positions) > 0).all())

    def _mask(self, allowed: Array | None) -> Array | None:
        """The same rows (n,) bool as positions."""
        if allowed is None:
            return None
        mask = np.zeros(len(self.index), bool)
        mask[self.positions[allowed]] = True
        return mask


def open_index(store: Store, embeddings: Embeddings, spec: str) -> Placed:
    """The saved index of that kind, told of what the store has changed since; else a new one.

    Nothing is written, unless what was saved is damaged: then it is built again from the
    store, and replaced.

    Args:
        store: where it is saved.
        embeddings: the store's vectors by an encoder, all of them.
        spec: the kind; options of the search alone are those saved where none are given.

    Raises:
        BadSpec: no such kind or option, or a metric that searches do not rank by.
        FingerprintMismatch: what was saved holds vectors of another encoder.
    """
    asked = read_kind(spec)
    path = _path(store, embeddings.encoder.name, asked)
    if path is None or not (path.exists() or path.with_suffix(ITEMS).exists()):
        return _built(embeddings, spec)
    try:
        return _brought_up(path, embeddings, asked)
    except IndexBroken as error:
        placed = _built(embeddings, spec)
        note = f"{error.where}: {error.what}; built again from the store"
        try:
            with store.writing():
                _save(placed.index, path, embeddings, placed.positions)
        except (BadTable, StoreBroken) as unwritable:
            note += f", but not saved: {unwritable.what}"
        return Placed.of(placed.index, placed.positions, False, placed.changes, (note,))


def keep_index(
    store: Store, embeddings: Embeddings, spec: str, *, overwrite: bool = False
) -> tuple[Placed, Path]:
    """Saves an index in a store: the one that is there, brought up to date, or a new one.

    Args:
        store: a store in a folder.
        embeddings: its vectors by an encoder, all of them.
        spec: the kind.
        overwrite: build it anew in any case.

    Returns:
        The index, and its file.

    Raises:
        BadSpec: no such kind or option, or a metric that searches do not rank by.
        BadTable: there is no vector, or no folder to write to.
        StoreBroken: another run is writing to the store.
    """
    asked = read_kind(spec)
    if not len(embeddings):
        raise BadTable(
            f"the store has no vector by {embeddings.encoder.name}",
            where=store.place,
            hint="embed a catalogue first: likelens embed SOURCE -e SPEC --store STORE",
        )
    path = _path(store, embeddings.encoder.name, asked)
    if path is None:
        raise BadTable(
            "an index is saved beside the vectors, and this store has no folder",
            where=store.place,
            hint="embed into a --store on disk",
        )
    placed = None if overwrite else _still_good(path, embeddings, asked)
    if placed is None:
        placed = _built(embeddings, spec)
    with store.writing():
        _save(placed.index, path, embeddings, placed.positions)
    return placed, path


def list_indexes(store: Store) -> list[Held | IndexBroken]:
    """All indexes saved in a store, by name; an error in the place of one that is damaged.

    Every file is read, and held against its sums.
    """
    root = _root(store)
    paths = () if root is None else (*root.glob(f"*/*{INDEX}"), *root.glob(f"*/*{ITEMS}"))
    found: list[Held | IndexBroken] = []
    for path in sorted({path.with_suffix(INDEX) for path in paths}):
        try:
            found.append(_held(path))
        except IndexBroken as error:
            found.append(error)
    return found


def read_kind(spec: str) -> Index:
    """An empty index of a kind, which knows its options.

    Raises:
        BadSpec: no such kind or option, or a metric that searches do not rank by.
    """
    options = Options.parse(spec, INDEXES.names())
    index: Index = INDEXES.load(options.kind)(options)
    if index.metric != COSINE:
        raise BadSpec(
            f"searches in a store rank by cosine similarity, {spec} by {index.metric}",
            where=spec,
            hint="leave the metric out; likelens.build_index has it in Python",
        )
    return index


def folder_name(encoder: str) -> str:
    """How the folder of an encoder's indexes is called."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", encoder)[-48:].strip("-.")
    mark = hashlib.blake2b(encoder.encode(), digest_size=4).hexdigest()
    return f"{plain}-{mark}"


def marks_of(vectors: Floats) -> Array:
    """(n,) uint64 sums that tell vectors apart: float32 bits times odd numbers, modulo 2^64.

    Two vectors that differ get the same mark with a chance of at most 2^-32 over the
    numbers, which are fixed. No proof against a forger.
    """
    odd = np.random.default_rng(0).integers(0, 2**63, vectors.shape[1], np.uint64) * 2 + 1
    marks = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), CHUNK):
        part = np.ascontiguousarray(vectors[start : start + CHUNK], np.float32)
        marks[start : start + CHUNK] = (part.view(np.uint32) * odd).sum(axis=1)
    return marks


def _built(embeddings: Embeddings, spec: str) -> Placed:
    index = build_index(embeddings.vectors, spec)
    return Placed.of(index, np.arange(len(embeddings)), False)


def _still_good(path: Path, embeddings: Embeddings, asked: Index) -> Placed | None:
    """The saved index brought up to date; None where it must be built, or is mostly removed."""
    try:
        placed = _brought_up(path, embeddings, asked)
    except LikelensError:
        return None
    removed = len(placed.index) - placed.index.count
    return None if removed > placed.index.count else placed


def _brought_up(path: Path, embeddings: Embeddings, asked: Index) -> Placed:
    """A saved index, told of what has changed."""
    index = load_index(path, fingerprint=embeddings.fingerprint)
    held = _held(path, index.seal)
    if len(held.ids) != len(index) or sum(one is not None for one in held.ids) != index.count:
        raise _broken(path, "it holds other items than are listed beside it")
    given = {name: text for name, text in asked.options.given.items() if name in asked.TUNABLE}
    if given:
        index.retune(**given)
    vectors, marks = embeddings.vectors, marks_of(embeddings.vectors)
    places, gone, stale = _compared(held, embeddings.ids, marks)
    fresh = np.flatnonzero(places < 0)
    if len(gone):
        index.remove(gone)
    if len(stale):
        index.update(places[stale], vectors[stale])
    if len(fresh):
        places[fresh] = index.add(vectors[fresh])
    return Placed.of(index, places, True, Changes(len(fresh), len(stale), len(gone)))


def _compared(
    held: Held, ids: Sequence[str], marks: Array
) -> tuple[Positions, Positions, Positions]:
    """Position of each item, or -1; positions of items that are gone; rows that have changed."""
    position = {item: place for place, item in enumerate(held.ids) if item is not None}
    places = np.array([position.pop(item, -1) for item in ids], np.int64)
    known = np.flatnonzero(places >= 0)
    stale = known[held.marks[places[known]] != marks[known]]
    return places, np.array(sorted(position.values()), np.int64), stale


def _save(index: Index, path: Path, embeddings: Embeddings, positions: Positions) -> None:
    """Writes the index, and after it what it holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    seal = index.save(path, fingerprint=embeddings.fingerprint)
    ids: list[str | None] = [None] * len(index)
    for item, place in zip(embeddings.ids, positions.tolist(), strict=True):
        ids[place] = item
    marks = np.zeros(len(index), np.uint64)
    marks[positions] = marks_of(embeddings.vectors)
    said = {
        "encoder": embeddings.encoder.name,
        "fingerprint": embeddings.fingerprint,
        "spec": index.spec,
        "seal": seal,
    }
    table = pa.table({"id": pa.array(ids, pa.string()), "mark": pa.array(marks)})
    table = table.replace_schema_metadata({KEY: json.dumps(said).encode()})
    write_aside(path.with_suffix(ITEMS), lambda aside: pq.write_table(table, aside))


def _held(path: Path, seal: str | None = None) -> Held:
    """What a saved index holds.

    Args:
        path: the index.
        seal: of the index as it was loaded; None for that of the file as it is now, which
            is then read and checked.

    Raises:
        IndexBroken: one of the two files is missing or damaged, or they do not belong together.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    listed = path.with_suffix(ITEMS)
    missing = next((one for one in (path, listed) if not one.exists()), None)
    if missing:
        raise _broken(path, f"{missing.name} is missing")
    try:
        table: pa.Table = pq.read_table(listed)
        said = json.loads(table.schema.metadata[KEY])
        ids, marks = table["id"].to_pylist(), table["mark"].to_numpy()
        held = Held(path=path, ids=ids, marks=marks, **said)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise _broken(path, f"{listed.name} cannot be read") from error
    if held.seal != (seal or container.read(path).seal):
        raise _broken(path, f"{listed.name} belongs to another file")
    return held


def _tied(scores: Floats, k: int) -> bool:
    """Whether what is as good as a query's k-th may go on beyond the scores fetched."""
    return bool((scores[:, -1] == scores[:, k - 1]).any())


def _broken(path: Path, what: str) -> IndexBroken:
    return IndexBroken(
        f"the saved index is damaged: {what}",
        where=str(path),
        hint="build it again: likelens index build --overwrite",
    )


def _path(store: Store, encoder: str, kind: Index) -> Path | None:
    """Where an index of some kind is saved; None in a store without a folder."""
    root = _root(store)
    if root is None:
        return None
    fixed = sorted(set(kind.options.known) - set(kind.TUNABLE))
    options = (f"{name}{getattr(kind, name)}" for name in fixed)
    return root / folder_name(encoder) / ("-".join([kind.options.kind, *options]) + INDEX)


def _root(store: Store) -> Path | None:
    from .store.lance import LanceStore

    return store.home / "indexes" if isinstance(store, LanceStore) else None
