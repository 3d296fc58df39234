"""Files of judgements and votes, whatever their kind, as columns of text."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .columns import nfc
from .errors import BadTable, first_few, plural
from .tables import JSON_SUFFIXES, MISSING, SUFFIXES, read_table, texts
from .text_files import json_rows, read_json, read_text

IDS = ("query", "candidate", "expert")
"""Columns of names, which are missing only where they are blank: an id may be NA."""

RANDOM, POSSIBLE = "random", "possible"
"""Columns of a pool: 1 for a pair drawn at random, and how many candidates its query may have."""

Cells = list[str | None]


@dataclass(frozen=True)
class Rows:
    """What a file holds, cell by cell.

    Attributes:
        columns: the cells of each column as text, None where nothing stands.
        places: where each row stands, such as ``line 3``, for messages.
        path: the file.
    """

    columns: dict[str, Cells]
    places: Sequence[str]
    path: Path

    def __len__(self) -> int:
        return len(self.places)

    def filled(self, name: str, role: str) -> list[str]:
        """A column in which every row has something.

        Raises:
            BadTable: no such column, or rows that lack it.
        """
        if name not in self.columns:
            raise BadTable(
                f"there is no column {name!r} for {role}",
                where=str(self.path),
                hint=f"the columns are: {', '.join(self.columns) or 'none'}",
            )
        cells = [cell for cell in self.columns[name] if cell is not None]
        if len(cells) < len(self):
            lacking = [
                place
                for place, cell in zip(self.places, self.columns[name], strict=True)
                if cell is None
            ]
            one = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
            more = f", and so do {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
            raise BadTable(
                f"{lacking[0]} lacks {one}{more}",
                where=str(self.path),
                hint=f"give every row {one}, or leave the row out",
            )
        return cells


def read_rows(path: Path) -> Rows:
    """The rows of a file of judgements.

    Args:
        path: by its suffix a table (CSV, TSV, Parquet), JSON lines (an object per line), or
            the JSON of the VSD release, ``[{"key": [query, candidate], "value": 0}, ...]``,
            whose columns are then ``query``, ``candidate`` and ``grade``. Any other suffix
            is TREC qrels: lines of ``query iteration candidate grade`` between blanks.

    Raises:
        BadTable: no such file, or a line that cannot be read; the message names it.
    """
    kind = path.suffix.lower()
    if kind in JSON_SUFFIXES:
        return _read_json(path)
    return _read_table(path) if kind in SUFFIXES else _read_trec(path)


def _read_table(path: Path) -> Rows:
    table = read_table(path, text_columns=None, exact=IDS, missing=())
    columns = {name: texts(table[name], _missing(name)) for name in table.column_names}
    return Rows(columns, [f"row {number}" for number in range(1, len(table) + 1)], path)


def _read_trec(path: Path) -> Rows:
    rows, places = [], []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != len(("query", "iteration", "candidate", "grade")):
            raise BadTable(
                f"line {number} has {len(parts)} parts, and a line of TREC qrels has four: "
                "query, iteration, candidate, grade",
                where=str(path),
                hint="fix that line; ids with blanks need a CSV table "
                "with the columns query, candidate, grade",
            )
        rows.append({"query": parts[0], "candidate": parts[2], "grade": parts[3]})
        places.append(f"line {number}")
    return _rows(rows, places, path)


def _read_json(path: Path) -> Rows:
    if read_text(path).lstrip().startswith("["):
        found = read_json(path)
        places = [f"entry {number}" for number in range(1, len(found) + 1)]
    else:
        lines, found = [], []
        for line, row in json_rows(path):
            lines.append(line)
            found.append(row)
        places = [f"line {line}" for line in lines]
    rows = [_entry(one, place, path) for one, place in zip(found, places, strict=True)]
    return _rows(rows, places, path)


def _entry(found: Any, place: str, path: Path) -> dict[str, Any]:
    """An object's cells; a pair of the VSD release in our names."""
    if isinstance(found, dict) and "key" in found:
        key = found["key"]
        if isinstance(key, list) and len(key) == len(("query", "candidate")):
            named = {"query": key[0], "candidate": key[1]}
            rest = {name: cell for name, cell in found.items() if name not in ("key", "value")}
            return {**named, "grade": found.get("value"), **rest}
    elif isinstance(found, dict):
        return found
    shown = textwrap.shorten(json.dumps(found), 60, placeholder="…")
    raise BadTable(
        f"{place} is neither an object of columns nor a pair of the VSD release: {shown}",
        where=str(path),
        hint='write {"query": …, "candidate": …, "grade": 1} '
        'or {"key": [query, candidate], "value": 1}',
    )


def _rows(rows: Sequence[dict[str, Any]], places: Sequence[str], path: Path) -> Rows:
    names = dict.fromkeys(name for row in rows for name in row)
    nested = [
        place
        for row, place in zip(rows, places, strict=True)
        if any(isinstance(cell, list | dict) for cell in row.values())
    ]
    if nested:
        raise BadTable(
            f"{plural(len(nested), 'row has', 'rows have')} "
            f"a list or an object as a cell: {first_few(nested)}",
            where=str(path),
            hint="give texts and numbers",
        )
    columns = {name: [_cell(row.get(name), _missing(name)) for row in rows] for name in names}
    for name, cells in columns.items():
        try:
            "".join(filter(None, cells)).encode()
        except UnicodeEncodeError as error:  # half a letter, which JSON can write as an escape
            raise BadTable(
                f"a cell of {name} is no whole text: {error.object[error.start : error.end]!r}",
                where=str(path),
                hint="write it in UTF-8",
            ) from error
    return Rows(columns, places, path)


def _missing(column: str) -> tuple[str, ...]:
    return () if column in IDS else MISSING


def _cell(value: object, missing: Sequence[str]) -> str | None:
    """A JSON value as a table would show it: 3.0 is 3, nothing is None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else nfc(str(value).strip())
    return None if not text or text in missing else text
