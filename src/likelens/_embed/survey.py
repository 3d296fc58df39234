"""What there is to do: the files behind a catalogue, and which of them have no vector yet."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..encoders.base import cores
from ..images import read_bytes
from ..store.base import BOX, FILE, Store
from ..values.boxes import box_text
from ..values.catalogue import Catalogue
from ..values.errors import BadImage, BadTable, first_few

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]
"""Told of every step: what is done, how much of it, and out of how many."""

FEW_ITEMS = 100
"""So many items of a store may always go; more only if they are not the most."""

_LOOKS = 64  # files that a thread looks at in one go


@dataclass(frozen=True)
class Survey:
    """The files behind a catalogue.

    Attributes:
        catalogue: whose pictures; all else is by its rows.
        digests: (n,) digest of each picture's file and, where only a box of it counts, of
            that box; empty where it cannot be read.
        failures: (id, path, reason) of each file that cannot be read.
    """

    catalogue: Catalogue
    digests: list[str]
    failures: list[tuple[str, str, str]]

    def unique(self) -> list[int]:
        """The first row of each content, in order of their ids."""
        first: dict[str, int] = {}
        for row, mark in enumerate(self.digests):
            if mark:
                first.setdefault(mark, row)
        return sorted(first.values(), key=lambda row: self.catalogue.ids[row])


@dataclass(frozen=True)
class _Look:
    """What a look at one file found.

    Attributes:
        size: in bytes.
        time: of its last change, in nanoseconds.
        digest: of its content and box, empty if it cannot be read.
        reason: why not.
    """

    size: int
    time: int
    digest: str
    reason: str = ""


def check_catalogue(catalogue: Catalogue, store: Store, *, forget: bool) -> None:
    """Refuse to lose the vectors of a catalogue that is not this one, or hardly.

    Raises:
        BadTable: no item of the store is in the catalogue, or few of many are.
    """
    ids = store.items()["id"].to_pylist()
    gone = set(ids) - set(catalogue.ids)
    if forget or (len(gone) < max(len(ids), 1) and len(gone) <= max(len(ids) / 2, FEW_ITEMS)):
        return
    raise BadTable(
        f"the store holds another catalogue: {len(gone):,} of its {len(ids):,} items "
        f"({first_few(sorted(gone))}) are not among these {len(catalogue):,} "
        f"({first_few(catalogue.ids)})",
        where=store.place,
        mend="give another --store, or let them go with --forget",
    )


def survey_files(catalogue: Catalogue, store: Store, say: Progress) -> Survey:
    """Digest of every file; only files whose size or time has changed are read."""
    sizes, times = array("q"), array("q")
    digests: list[str] = []
    failures: list[tuple[str, str, str]] = []
    for look in _looks(catalogue, store):
        row = len(digests)
        sizes.append(look.size)
        times.append(look.time)
        digests.append(look.digest)
        if look.reason:
            failures.append((catalogue.ids[row], str(catalogue.paths[row]), look.reason))
        if len(digests) % _LOOKS == 0 or len(digests) == len(catalogue):
            say("looking at files", len(digests), len(catalogue))
    store.put_items(_items(catalogue, sizes, times, digests))
    return Survey(catalogue, digests, failures)


def _looks(catalogue: Catalogue, store: Store) -> Iterator[_Look]:
    """A look at each file, in order, by several threads."""
    before = store.items()
    ids = before["id"].to_pylist()
    boxes = before[BOX].to_pylist() if BOX in before.column_names else [None] * len(ids)
    files = zip(*(before[name].to_pylist() for name in FILE), boxes, strict=True)
    seen = dict(zip(ids, files, strict=True))

    def look(row: int) -> _Look:
        path = catalogue.paths[row]
        try:
            stat = path.stat()
            size, time = stat.st_size, stat.st_mtime_ns
            box = None if catalogue.boxes is None else box_text(catalogue.boxes[row])
            *file, digest, part = seen.get(catalogue.ids[row], ("", 0, 0, "", None))
            if not digest or (*file, part) != (str(path.absolute()), size, time, box):
                digest = _digest(read_bytes(path), box)
        except BadImage as error:
            return _Look(0, 0, "", error.what)
        except OSError as error:
            return _Look(0, 0, "", f"the file cannot be read: {error.strerror}")
        return _Look(size, time, digest)

    rows = range(len(catalogue))
    cuts = [rows[start : start + _LOOKS] for start in range(0, len(rows), _LOOKS)]
    with ThreadPoolExecutor(cores()) as pool:
        for found in pool.map(lambda cut: [look(row) for row in cut], cuts):
            yield from found


def _digest(content: bytes, box: str | None) -> str:
    """Digest of a file, or of a file and a box in it: no two boxes of a file share one."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    if box is None:
        return digest
    return hashlib.blake2b(f"{digest} {box}".encode(), digest_size=16).hexdigest()


def _items(
    catalogue: Catalogue, sizes: Sequence[int], times: Sequence[int], digests: Sequence[str]
) -> pa.Table:
    import pyarrow as pa

    attributes = catalogue.attributes
    columns = {"id": pa.array(catalogue.ids, pa.string())}
    for place, name in enumerate(attributes.column_names):
        plain = re.sub(r"^_+|[.`\"]", " ", name).strip() or f"column {place + 1}"
        while plain in columns:
            plain += "_"  # two names that differ only in what had to go
        columns[plain] = attributes.column(place).combine_chunks()
    paths = (str(path.absolute()) for path in catalogue.paths)
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.string())
    for name, values, kind in zip(FILE, (paths, sizes, times, digests), kinds, strict=True):
        columns[name] = pa.array(values, kind)
    if catalogue.boxes is not None:
        columns[BOX] = pa.array(map(box_text, catalogue.boxes), pa.string())
    return pa.table(columns)
