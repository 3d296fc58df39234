"""What is wanted: addresses per class, from a table or from text files; names of folders."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..values.errors import BadTable, first_few
from ..values.paths import is_file, is_folder
from ..values.tables import SUFFIXES, column, read_table, texts
from ..values.text_files import read_lines

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_NAME = 160
"""Bytes of the name of a class's folder, at most, before the piece of a digest."""

_LICENCE = ("licence", "license")
_KINDS = f"give a folder of .txt files, a .txt file, or a table ({', '.join(SUFFIXES)})"
_TAKEN = " ._-+&'(),@#"
"""What stays in a folder's name, besides letters, marks and digits."""

_RESERVED = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|(manifest|searches)\.jsonl|catalogue\.toml",
    re.IGNORECASE,
)
"""What Windows takes for devices, and what likelens keeps beside the classes."""


@dataclass(frozen=True)
class Wanted:
    """One picture that is wanted: its class and address, and what the list says of it."""

    label: str
    url: str
    licence: str = ""
    page: str = ""


def read_list(path: Path) -> list[Wanted]:
    """The addresses that a list names, each once per class.

    Args:
        path: a table with the columns class and url, and licence and page if you like; a
            text file named after its class, one address a line; or a folder of such files.

    Raises:
        BadTable: it cannot be read, has no such columns or an empty cell, or names nothing.
    """
    if is_folder(path):
        files = sorted(file for file in path.glob("*.txt") if not file.name.startswith("."))
        wanted = [one for file in files for one in _from_text(file)]
    elif path.suffix.lower() == ".txt":
        wanted = _from_text(path)
    else:
        wanted = _from_table(path)
    if not wanted:
        raise BadTable("the list names no address", where=str(path), hint=_KINDS)
    once: dict[tuple[str, str], Wanted] = {}
    for one in wanted:
        once.setdefault((one.label, one.url), one)
    return list(once.values())


def read_classes(path: Path) -> list[tuple[str, str]]:
    """Classes to search for, and the words to search with.

    Args:
        path: a text file, one class a line; or a table with the column class, and the column
            query if the words are others than the class's name.

    Raises:
        BadTable: it cannot be read, names nothing, or a class twice with other words.
    """
    if path.suffix.lower() == ".txt":
        pairs = [(line, line) for line in _lines(path)]
    else:
        table = read_table(path, text_columns=("class", "query"))
        labels = _full(table, "class", path)
        words = _or_empty(table, ("query",))
        pairs = [(label, said or label) for label, said in zip(labels, words, strict=True)]
    pairs = list(dict.fromkeys(pairs))
    if not pairs:
        raise BadTable("the list names no class", where=str(path), hint="write one class a line")
    names = [label for label, _ in pairs]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise BadTable(
            f"a class is searched for with several queries: {first_few(twice)}",
            where=str(path),
            hint="give each class one row",
        )
    return pairs


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """A folder's name for each class, which cannot lead out of where it stands.

    What file systems do not take is replaced by ``_``; such a name then ends in a piece of
    its digest, so that two classes stay two.

    Raises:
        BadTable: two classes would share a folder where upper and lower case are the same.

    Example:
        >>> folder_names(["shoe", "../etc", "T-shirt / top"])
        {'shoe': 'shoe', '../etc': '_etc-f7f912', 'T-shirt / top': 'T-shirt _ top-73e73a'}
    """
    names = {label: _folder_name(label) for label in labels}
    owners: dict[str, str] = {}
    for label, name in names.items():
        other = owners.setdefault(name.casefold(), label)
        if other != label:
            raise BadTable(
                f"the classes {other!r} and {label!r} would share a folder",
                where=name,
                hint="rename one of them, by more than upper and lower case",
            )
    return names


def _folder_name(label: str) -> str:
    plain = unicodedata.normalize("NFC", label)
    kinds = ((one, unicodedata.category(one)) for one in plain)
    name = "".join(one if kind[0] in "LMN" or one in _TAKEN else "_" for one, kind in kinds)
    cut = name.lstrip(". ").encode("utf-8")[:LONGEST_NAME]
    name = cut.decode("utf-8", "ignore").rstrip(". ") or "_"
    if name == plain and not _RESERVED.fullmatch(name):
        return name
    mark = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{name}-{mark}"


def _from_text(path: Path) -> list[Wanted]:
    return [Wanted(path.stem, line) for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    """Lines of a text file without blank ones and comments.

    Raises:
        BadTable: there is no such file, or it is not text.
    """
    if not is_file(path):
        raise BadTable("there is no such list", where=str(path), hint=_KINDS)
    return read_lines(path)


def _from_table(path: Path) -> list[Wanted]:
    table = read_table(path, text_columns=("class", "url", *_LICENCE, "page"))
    cells = (
        _full(table, "class", path),
        _full(table, "url", path),
        _or_empty(table, _LICENCE),
        _or_empty(table, ("page",)),
    )
    return [Wanted(*row) for row in zip(*cells, strict=True)]


def _full(table: pa.Table, name: str, path: Path) -> list[str]:
    """A column that must say something in every row."""
    cells = texts(column(table, name, path, "a list of addresses"))
    empty = [row for row, cell in enumerate(cells, 1) if cell is None]
    if empty:
        raise BadTable(
            f"the column {name} is empty in row {first_few(empty)}",
            where=str(path),
            hint="fill it in, or leave the row out",
        )
    return [str(cell) for cell in cells]


def _or_empty(table: pa.Table, names: tuple[str, ...]) -> list[str]:
    """The first of these columns that is there, empty where it says nothing."""
    for name in names:
        if name in table.column_names:
            return [cell or "" for cell in texts(table[name])]
    return [""] * len(table)
