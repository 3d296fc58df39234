"""Reads CSV, TSV, Parquet and JSON-lines tables into Arrow, with one clear error each."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BadTable, first_few

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE = 4096  # texts in a piece of a column
_SOMETHING = re.compile(r"\S")

_JSON = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".csv", ".tsv", ".parquet", *_JSON)


def read_table(
    path: Path, *, text_columns: Sequence[str] = (), missing: Sequence[str] = ()
) -> pa.Table:
    """The table in a file.

    Args:
        path: CSV (comma, semicolon or tab), Parquet or JSON lines, by its suffix.
        text_columns: columns kept as the text that stands there (ids, tags).
        missing: texts that stand for no value.

    Raises:
        BadTable: no such file, an unknown kind, damaged, or empty.
    """
    import pyarrow as pa

    if not path.is_file():
        raise BadTable("there is no such table", where=str(path), mend="check the path")
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise BadTable(
            f"{kind or 'no suffix'} is not a kind of table that can be read",
            where=str(path),
            mend=f"give a file ending in {', '.join(SUFFIXES)}",
        )
    try:
        if kind == ".parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path)
        elif kind in (".csv", ".tsv"):
            table = _read_csv(path, text_columns, missing)
        else:
            import pyarrow.json

            _check_start(path)
            table = pyarrow.json.read_json(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError) as error:
        reason = (_bad_row(path) if kind in _JSON else "") or " ".join(str(error).split())[:200]
        raise BadTable(
            f"the table cannot be read: {reason}",
            where=str(path),
            mend="get the file again"
            if kind == ".parquet" or not path.stat().st_size
            else "mend that line, and save the table as UTF-8",
        ) from error
    repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated:
        raise BadTable(
            f"two columns have one name: {first_few(sorted(repeated))}",
            where=str(path),
            mend="rename one of them",
        )
    return table


def _read_csv(path: Path, text_columns: Sequence[str], missing: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    delimiter = max(",;\t", key=header.count) if path.suffix.lower() == ".csv" else "\t"
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(text_columns, pa.string()),
            null_values=list(missing),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _check_start(path: Path) -> None:
    """That a file of JSON lines starts with an object: pyarrow 26 crashes on ``null``."""
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b""):
        raise BadTable(
            "this is one list, not JSON lines" if start == b"[" else "these are no JSON lines",
            where=str(path),
            mend="write one object a line, {...}, without anything around or between them",
        )


def _bad_row(path: Path) -> str:
    """What is wrong in a file of JSON lines, or "": Arrow counts rows from the block it reads."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"line {error.object.count(10, 0, error.start) + 1:,} is not UTF-8"
    except OSError:
        return ""
    decoder, kinds, line, end = json.JSONDecoder(), dict[str, type](), 1, 0
    while found := _SOMETHING.search(text, end):
        line += text.count("\n", end, found.start())
        try:
            row, end = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", "it is nested too deeply")
            return f"the row on line {line:,} is no JSON: {reason}"
        if not isinstance(row, dict):
            return f"the row on line {line:,} is no object, {{...}}"
        for name, value in row.items():
            kind = float if type(value) is int else type(value)
            if value is not None and kinds.setdefault(name, kind) is not kind:
                return f"{name!r} is of another kind on line {line:,} than before"
        line += text.count("\n", found.start(), end)
    return ""


def column(table: pa.Table, name: str, path: Path, role: str) -> pa.ChunkedArray:
    """A column of a table.

    Raises:
        BadTable: no such column; the message lists those there are.
    """
    if name not in table.column_names:
        raise BadTable(
            f"there is no column {name!r} for {role}",
            where=str(path),
            mend=f"the columns are: {', '.join(table.column_names)}",
        )
    return table[name]


def text_column(cells: Sequence[str | None]) -> pa.ChunkedArray:
    """Texts as a column, made a piece at a time: one long piece takes many times its own room."""
    import pyarrow as pa

    pieces = (cells[start : start + _PIECE] for start in range(0, len(cells), _PIECE))
    return pa.chunked_array([pa.array(piece, pa.string()) for piece in pieces], pa.string())


def texts(values: pa.ChunkedArray, missing: Sequence[str]) -> list[str | None]:
    """Cells as stripped text; None where nothing stands, or one of ``missing``."""
    none = set(missing)
    return [_text(value, none) for value in values.to_pylist()]


def text_sets(
    values: pa.ChunkedArray, split: str | None, missing: Sequence[str]
) -> list[tuple[str, ...]]:
    """Cells as sets of texts: lists as they are, text cut at ``split``."""
    none = set(missing)
    cells = []
    for value in values.to_pylist():
        if isinstance(value, str) and split:
            parts: Sequence[object] = value.split(split)
        else:
            parts = value if isinstance(value, list) else [value]
        found = [_text(part, none) for part in parts]
        cells.append(tuple(dict.fromkeys(part for part in found if part is not None)))
    return cells


def _text(value: object, missing: set[str]) -> str | None:
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # whole numbers beside missing ones arrive as floats
    text = str(value).strip()
    return None if text in missing or not text else text
