"""The file of a saved index: one header, then arrays that can be mapped into memory.

    8 bytes      LIKEIDX1
    8 bytes      length of the header
    4 bytes      CRC-32 of the header
    header       JSON: what the index is, and name, type, shape, place and CRC-32s of each array
    arrays       each at a multiple of 4,096 bytes, after at least 64 that nothing uses

A CRC-32 covers 16 MiB. It finds what a disk, a copy or a killed program does to a file. It
is no proof against a forger, nor is any sum that stands in the file it guards.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..values.arrays import Array
from ..values.errors import IndexBroken
from ..values.files import write_aside

MAGIC = b"LIKEIDX1"
PAGE = 4096
ROOM = 64
SEAL = 20
"""So many bytes begin a file, before the header; the last four are a sum of all other sums."""

PIECE = 16 * 2**20
LARGEST_HEADER = 64 * 2**20
TYPES = ("<f4", "<i8", "|u1", "|b1")


@dataclass(frozen=True)
class Saved:
    """A saved index, mapped into memory: changes stay in memory and never reach the file.

    Attributes:
        path: the file.
        header: what the index is.
        arrays: its arrays by name.
        seal: the hex digits of how the file begins, which tell it from any other.
        bytes: the whole file, from which the arrays are cut.
        places: where in ``bytes`` each array begins.
    """

    path: Path
    header: dict[str, Any]
    arrays: dict[str, Array]
    seal: str
    bytes: Array
    places: dict[str, int]


def write(path: Path, header: Mapping[str, object], arrays: Mapping[str, Array]) -> str:
    """Write a file beside its place and move it there.

    Returns:
        The seal of what was written, as ``Saved`` has it.

    Raises:
        BadTable: it cannot be written.
    """
    ready = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    table = {
        name: {
            "type": array.dtype.str,
            "shape": list(array.shape),
            "place": 0,
            "sums": _sums(_bytes(array)),
        }
        for name, array in ready.items()
    }
    room = len(json.dumps({**header, "arrays": table})) + 20 * (len(table) + 1)
    place = _page_after(SEAL + room)
    for name, array in ready.items():
        table[name]["place"] = place
        place = _page_after(place + array.nbytes)
    text = json.dumps({**header, "arrays": table}).encode()
    start = MAGIC + len(text).to_bytes(8, "little") + zlib.crc32(text).to_bytes(4, "little")

    def fill(aside: Path) -> None:
        with aside.open("wb") as file:
            file.write(start + text)
            for name, array in ready.items():
                file.seek(int(str(table[name]["place"])))
                file.write(_bytes(array))
            file.truncate(place)
            file.flush()
            os.fsync(file.fileno())

    write_aside(path, fill)
    return start.hex()


def read(path: Path, *, verify: bool = True, lazy: str = "rows") -> Saved:
    """Map a file into memory and check it.

    Args:
        path: the file.
        verify: whether the array ``lazy`` is checked too, which reads it once.
        lazy: the largest array; all others are always checked.

    Raises:
        IndexBroken: there is no such file, or it is damaged, cut short, or of another kind.
    """
    try:
        whole = np.memmap(path, np.uint8, "c")
    except (OSError, ValueError) as error:
        reason = "is empty" if isinstance(error, ValueError) else error.strerror or str(error)
        raise _broken(path, f"the saved index cannot be read: {reason}") from error
    header, seal = _header(path, whole), bytes(whole[:SEAL]).hex()
    try:
        table = header.pop("arrays")
        arrays = {name: _cut(whole, entry) for name, entry in table.items()}
        places = {name: int(entry["place"]) for name, entry in table.items()}
        for name, entry in table.items():
            if (verify or name != lazy) and _sums(_bytes(arrays[name])) != entry["sums"]:
                raise _broken(path, f"the saved index is damaged: its {name} are not as written")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(path, "the saved index is damaged: its arrays do not fit") from error
    return Saved(path, header, arrays, seal, whole, places)


def _header(path: Path, whole: Array) -> dict[str, Any]:
    """The header of a file, if it is as it was written."""
    start = bytes(whole[:SEAL])
    if start[:8] != MAGIC:
        raise _broken(path, "this is no saved index, or one of another version of likelens")
    length = int.from_bytes(start[8:16], "little")
    text = bytes(whole[SEAL : SEAL + min(length, LARGEST_HEADER)])
    if len(text) != length or zlib.crc32(text).to_bytes(4, "little") != start[16:20]:
        raise _broken(path, "the saved index is damaged: its header is not as written")
    header: dict[str, Any] = json.loads(text)
    return header


def _cut(whole: Array, entry: Mapping[str, Any]) -> Array:
    """An array of the file."""
    if entry["type"] not in TYPES:
        raise ValueError(entry["type"])
    dtype = np.dtype(entry["type"])
    size = dtype.itemsize
    for length in entry["shape"]:
        size *= int(length)
    place = int(entry["place"])
    if place < PAGE or size < 0 or place + size > len(whole):
        raise ValueError(place)
    array: Array = np.asarray(whole)[place : place + size].view(dtype).reshape(entry["shape"])
    return array


def _page_after(place: int) -> int:
    """Where the next array may begin."""
    return -(-(place + ROOM) // PAGE) * PAGE


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _sums(data: memoryview) -> list[int]:
    """The CRC-32 of every piece; in threads, for the interpreter is let go of."""
    pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    if len(pieces) < 2:
        return [zlib.crc32(piece) for piece in pieces]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(zlib.crc32, pieces))


def _broken(path: Path, what: str) -> IndexBroken:
    return IndexBroken(what, where=str(path), hint="build the index again, and save it there")
