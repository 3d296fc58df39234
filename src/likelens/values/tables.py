"""Reads CSV, TSV, Parquet and JSON-lines tables into Arrow, with one clear error each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BadTable, first_few
from .table_faults import check_start, delimiter_of, fault_in

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE = 4096  # texts in a piece of a column

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
        raise BadTable("there is no such table", where=str(path), hint="check the path")
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise BadTable(
            f"{kind or 'no suffix'} is not a kind of table that can be read",
            where=str(path),
            hint=f"give a file ending in {', '.join(SUFFIXES)}",
        )
    try:
        if kind == ".parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path)
        elif kind in (".csv", ".tsv"):
            table = _read_csv(path, text_columns, missing)
        else:
            import pyarrow.json

            check_start(path)
            table = pyarrow.json.read_json(path)
        table.validate(full=True)  # JSON lines are not read with care for UTF-8
        if kind != ".parquet" and any(map(pa.types.is_binary, table.schema.types)):
            raise UnicodeError("a column of the table is not UTF-8")  # so a CSV's is guessed
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeError) as error:
        reason = "" if kind == ".parquet" else fault_in(path, json=kind in _JSON)
        raise BadTable(
            f"the table cannot be read: {reason or ' '.join(str(error).split())[:200]}",
            where=str(path),
            hint="get the file again"
            if kind == ".parquet" or not path.stat().st_size
            else "fix that line; tables must be UTF-8",
        ) from error
    repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated:
        raise BadTable(
            f"two columns have one name: {first_few(sorted(repeated))}",
            where=str(path),
            hint="rename one of them",
        )
    return table


def _read_csv(path: Path, text_columns: Sequence[str], missing: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter_of(path), newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(text_columns, pa.string()),
            null_values=list(missing),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def column(table: pa.Table, name: str, path: Path, role: str) -> pa.ChunkedArray:
    """A column of a table.

    Raises:
        BadTable: no such column; the message lists those there are.
    """
    if name not in table.column_names:
        raise BadTable(
            f"there is no column {name!r} for {role}",
            where=str(path),
            hint=f"the columns are: {', '.join(table.column_names)}",
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
