"""The images of a catalogue: the digest of each file, and which cannot be read."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..encoders.base import cores
from ..images import inside_box, open_image, read_bytes
from ..store.base import BOX, FILE, Store
from ..values.arrays import Array, Positions
from ..values.boxes import box_text
from ..values.catalogue import Catalogue
from ..values.errors import BadImage
from ..values.tables import text_column
from .threads import in_order

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]
"""Told of every step: what is done, how much of it, and out of how many."""

_LOOKS = 64  # files that are looked at in one go
_QUICK = 1e-4  # seconds for a file, above which threads look at the rest
_FEWEST_THREADS = 4  # they wait for the disk more than they do
_PIECE = 4096  # looks that become a piece of a table at a time


@dataclass(frozen=True)
class Survey:
    """The files behind a catalogue; all but the failures is by its rows.

    Attributes:
        catalogue: whose pictures.
        ids: (n,) of its items, in Arrow.
        digests: (n,) of dtype S32, which is small: digest of each image's file and, where
            only a box of it counts, of that box; empty where it cannot be read.
        files: the columns of ``FILE`` and ``BOX``.
        failures: (id, path, reason) of each file that cannot be read.
        unopened: rows whose files were read, and could not be opened as images.
    """

    catalogue: Catalogue
    ids: pa.ChunkedArray
    digests: Array
    files: pa.Table
    failures: list[tuple[str, str, str]]
    unopened: set[int] = field(default_factory=set)

    @property
    def readable(self) -> Array:
        """(n,) bool, which files can be read."""
        return np.asarray(self.digests != b"")

    def first_of_same(self, rows: Positions) -> Positions:
        """For each of some rows, the first of them with the same content."""
        order = np.argsort(self.digests[rows], kind="stable")
        digests, starts = self.digests[rows[order]], np.ones(len(rows), bool)
        starts[1:] = digests[1:] != digests[:-1]
        first = np.empty_like(rows)
        first[order] = rows[order[starts]][np.cumsum(starts) - 1]
        return first

    def open(self, row: int) -> npt.NDArray[np.uint8]:
        """The (height, width, 3) uint8 pixels of an item, of the very bytes that were surveyed.

        Raises:
            BadImage: they cannot be read, or the file holds something else by now.
        """
        try:
            return self._open(row)
        except BadImage:
            self.unopened.add(row)
            raise

    def _open(self, row: int) -> npt.NDArray[np.uint8]:
        path, boxes = self.catalogue.paths.text(row), self.catalogue.boxes
        content = read_bytes(path)
        box = None if boxes is None else box_text(boxes[row])
        if content_digest(content, box) != self.digests[row].decode():
            raise BadImage(
                "the file has changed since the run began", where=path, hint="embed again"
            )
        pixels = open_image(content, where=path)
        return pixels if boxes is None else inside_box(pixels, boxes[row].tolist(), path)

    def unique(self) -> list[int]:
        """The first row of each content, in order of their ids."""
        first: list[int] = np.unique(self.first_of_same(np.flatnonzero(self.readable))).tolist()
        return sorted(first, key=lambda row: self.catalogue.ids[row])


class _Look(NamedTuple):
    """What a look at one file found; in the order of the columns of ``FILE`` and ``BOX``.

    Attributes:
        path: the file, absolute.
        size: in bytes.
        time: of its last change, be it of its name alone, in nanoseconds.
        digest: of its content and box, empty if it cannot be read.
        box: the part of it that counts, or None.
        reason: why it cannot be read.
    """

    path: str
    size: int
    time: int
    digest: str
    box: str | None
    reason: str


def survey_files(catalogue: Catalogue, store: Store, say: Progress) -> Survey:
    """Digest of every file; a file is read unless the store has its path, size and time."""
    import pyarrow as pa

    ids, looks, failures = text_column(catalogue.ids), list[_Look](), list[tuple[str, str, str]]()
    files = [_table([])]
    for row, look in enumerate(_looks(catalogue, _Before(store.items(), ids))):
        looks.append(look)
        if look.reason:
            failures.append((catalogue.ids[row], str(catalogue.paths[row]), look.reason))
        if len(looks) == _PIECE or row + 1 == len(catalogue):
            files.append(_table(looks))
            looks.clear()
        if (row + 1) % _LOOKS == 0 or row + 1 == len(catalogue):
            say("looking at files", row + 1, len(catalogue))
    table = pa.concat_tables(files)
    digests = [np.array(part.to_pylist(), "S32") for part in table["_digest"].chunks]
    del files
    pa.default_memory_pool().release_unused()  # else it is kept, at twice the size
    digest = np.concatenate([np.zeros(0, "S32"), *digests])
    return Survey(catalogue, ids, digest, table, failures)


def _looks(catalogue: Catalogue, before: _Before) -> Iterator[_Look]:
    """A look at each file, in order; where that is slow, as on a distant disk, in threads.

    On files that the system holds in memory, threads would only wait for each other.
    """
    paths, boxes = catalogue.paths.absolute(), catalogue.boxes

    def look(rows: Sequence[int]) -> list[_Look]:
        texts = [None if boxes is None else box_text(boxes[row]) for row in rows]
        return [
            _look(paths.text(row), box, before, row) for row, box in zip(rows, texts, strict=True)
        ]

    every, seconds = range(len(catalogue)), 0.0
    parts = (every[start : start + _LOOKS] for start in range(0, len(every), _LOOKS))
    for rows in parts:
        started = time.perf_counter()
        found = look(rows)
        seconds += time.perf_counter() - started
        yield from found
        if seconds > _QUICK * rows.stop:
            break
    for found in in_order(look, parts, max(cores(), _FEWEST_THREADS)):
        yield from found


def _look(path: str, box: str | None, before: _Before, row: int) -> _Look:
    try:
        about = os.stat(path)  # noqa: PTH116 - a Path takes as long to make as the rest
        size, time = about.st_size, max(about.st_mtime_ns, about.st_ctime_ns)
        digest = before.digest(row, path, size, time, box) or content_digest(read_bytes(path), box)
    except BadImage as error:
        return _Look(path, 0, 0, "", box, error.what)
    except OSError as error:
        return _Look(path, 0, 0, "", box, f"the file cannot be read: {error.strerror}")
    return _Look(path, size, time, digest, box, "")


class _Before:
    """What the store knows of the files from its last survey."""

    def __init__(self, items: pa.Table, ids: pa.ChunkedArray) -> None:
        import pyarrow.compute as pc

        self._files = [items[name].combine_chunks() for name in FILE]
        self._boxes = items[BOX].combine_chunks() if BOX in items.column_names else None
        self._place = pc.fill_null(pc.index_in(ids, items["id"]), -1).to_numpy()

    def digest(self, row: int, *file: object) -> str:
        """The digest of an item's file, if path, size, time and box are what they were; or ""."""
        place = self._place[row]
        if place < 0:
            return ""
        *was, digest = [column[place].as_py() for column in self._files]
        was.append(None if self._boxes is None else self._boxes[place].as_py())
        return digest if was == [*file] else ""


def content_digest(content: bytes, box: str | None = None) -> str:
    """Digest of a file, or of a file and a box in it: no two boxes of a file share one."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    if box is None:
        return digest
    return hashlib.blake2b(f"{digest} {box}".encode(), digest_size=16).hexdigest()


def _table(looks: Sequence[_Look]) -> pa.Table:
    """The columns of ``FILE`` and ``BOX``."""
    import pyarrow as pa

    kinds = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string())
    *columns, _reasons = zip(*looks, strict=True) if looks else [()] * len(_Look._fields)
    return pa.table(
        {
            name: pa.array(cells, kind)
            for name, cells, kind in zip((*FILE, BOX), columns, kinds, strict=True)
        }
    )
