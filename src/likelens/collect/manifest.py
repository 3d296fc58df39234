"""What became of each address: one JSON line each, added as it happens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..values.errors import BadTable
from ..values.files import system_hint, write_aside, written_plainly
from .lists import Wanted

NAME = "manifest.jsonl"

FETCHED, COPY, FAILED, REFUSED = "fetched", "copy", "failed", "refused"
"""Kept under ``file``; the same bytes as ``file``; to be tried again; not to be."""


@dataclass(frozen=True)
class Row:
    """What became of one address.

    Attributes:
        label: the class; written as ``class``.
        status: fetched, copy, failed or refused.
        file: path below the folder of the data set; of a copy, that of the first.
        url: the address that was wanted.
        final_url: the one that gave the picture, after redirects.
        date: when, UTC.
        licence: as the list, or the search, says.
        page: where the picture stands, if that is known.
        digest: SHA-256 of the file.
        size_bytes: of the file.
        reason: why there is none.
    """

    label: str
    status: str
    file: str
    url: str
    final_url: str
    date: str
    licence: str
    page: str
    digest: str
    size_bytes: int
    reason: str

    @property
    def key(self) -> tuple[str, str]:
        """What makes a wanted picture one: class and address."""
        return self.label, self.url


class Manifest:
    """The rows of a data set, in its folder.

    Args:
        root: the folder of the data set, which is there.

    Raises:
        BadTable: the manifest that is there cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / NAME
        self.rows: dict[tuple[str, str], Row] = {}
        whole, lines = read_lines(self.path)
        for number, line in enumerate(lines, 1):
            row = _row(line, self.path, number)
            self.rows[row.key] = row
        if not whole:
            self.compact()
        self.digests = {
            row.digest: row.file for row in self.rows.values() if row.status == FETCHED
            and self.has(row)
        }  # fmt: skip
        """The file of each content that is kept."""

    def has(self, row: Row) -> bool:
        """Whether the row's picture is there, by its name and size."""
        try:
            return bool(row.file) and (self.root / row.file).stat().st_size == row.size_bytes
        except (OSError, ValueError):
            return False

    def settled(self, wanted: Wanted) -> bool:
        """Whether there is nothing more to do for an address."""
        row = self.rows.get((wanted.label, wanted.url))
        return row is not None and (row.status == REFUSED or self.has(row))

    def add(self, row: Row) -> None:
        """Note a row; it is in the file when this returns."""
        self.rows[row.key] = row
        with written_plainly(self.path), self.path.open("ab") as file:
            file.write(_line(row))

    def compact(self) -> None:
        """Write the file anew, one line for each address."""
        data = b"".join(map(_line, self.rows.values()))
        write_aside(self.path, lambda aside: aside.write_bytes(data))


def read_lines(path: Path) -> tuple[bool, list[str]]:
    """The whole lines of a file that is added to, and whether the last one is whole.

    A run that was killed may leave half a line at the end; it does not count.

    Raises:
        BadTable: it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise BadTable(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            hint=system_hint(error) or "check the path and the permissions",
        ) from error
    *lines, rest = text.split("\n")
    return not rest, lines


def _line(row: Row) -> bytes:
    values = asdict(row)
    text = json.dumps({"class": values.pop("label"), **values}, ensure_ascii=False)
    return text.encode("utf-8", "replace") + b"\n"  # JSON may have halves of characters in it


def _row(line: str, path: Path, number: int) -> Row:
    try:
        values = json.loads(line)
        values["label"] = values.pop("class")
        row = Row(**{one.name: values[one.name] for one in fields(Row)})
        kinds = {one.name: int if one.name == "size_bytes" else str for one in fields(Row)}
        if not all(isinstance(getattr(row, name), kind) for name, kind in kinds.items()):
            raise TypeError("a value has another type")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadTable(
            f"line {number:,} of the manifest cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            hint="delete that line; its image is then fetched again",
        ) from error
    return row
