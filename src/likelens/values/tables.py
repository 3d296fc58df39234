"""Reads CSV, TSV, Parquet and JSON-lines tables into Arrow, with one clear error each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .columns import (
    as_text,
    clean_text,
    holds_bytes,
    nfc,
    plain_column,
    python_column,
    text_cells,
    typed_text,
)
from .csv_cells import unguarded, unguarded_column
from .errors import BadTable, first_few, nearest
from .paths import is_file, is_folder
from .table_faults import delimiter_of, fault_in, header_of, open_quote
from .text_files import json_rows

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = ("NA", "", "null")
"""Texts that stand for no value, if nothing else is said."""

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".csv", ".tsv", ".parquet", *JSON_SUFFIXES)

_PIECE = 4096  # texts in a piece of a column
_BLOCK = 1 << 20  # bytes of CSV that are parsed at a time
_LARGEST_BLOCK = 1 << 30
_ROW_TOO_LONG = ("straddling", "Empty CSV file or block")  # what Arrow says of a row
_MANY_CELLS = 100_000_000
_FULL = 0.05  # of a table of many cells, at least


def read_table(
    path: Path,
    *,
    text_columns: Sequence[str] | None = (),
    exact: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
    without: Sequence[str] = (),
) -> pa.Table:
    """The table in a file; what its cells mean does not depend on its kind (see ``columns``).

    Args:
        path: CSV (comma, semicolon or tab), Parquet or JSON lines, by its suffix.
        text_columns: columns read as text (ids, tags); None for all. 12.0 becomes 12.
        exact: those of them, such as ids, whose cells stay as CSV has them where none is missing:
            beside missing cells, programs write whole numbers as 12.0.
        missing: texts that stand for no value, in every column; blank cells always do.
        without: columns of a Parquet file that are not read.

    Returns:
        Columns of int64, float64, bool, text, or lists of text or numbers; bytes that are not
        UTF-8 stay bytes.

    Raises:
        BadTable: no such file, an unknown kind, damaged, or empty.
    """
    import pyarrow as pa

    kind = path.suffix.lower()
    _check_file(path, kind)
    absent = tuple(dict.fromkeys(("", *missing)))
    try:
        if kind == ".parquet":
            names, columns = _read_parquet(path, absent, without)
        elif kind in (".csv", ".tsv"):
            names, columns = _read_csv(path, absent)
        else:
            names, columns = _read_json(path, absent)
        names = list(map(nfc, names))
        _refuse_repeated(names, path)
        wanted = set(names if text_columns is None else map(nfc, text_columns))
        nothing, written = pa.array(absent, pa.string()), kind in (".csv", ".tsv")
        kept = set(map(nfc, exact))
        for place, name in enumerate(names):
            if name in wanted:
                floats = written and (name not in kept or columns[place].null_count > 0)
                columns[place] = text_cells(columns[place], nothing, floats=floats)
            elif written:
                columns[place] = typed_text(columns[place])
        return pa.table(columns, names=names)
    except BadTable:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError) as error:
        reason = fault_in(path) if kind in (".csv", ".tsv") else ""
        raise BadTable(
            f"the table cannot be read: {reason or ' '.join(str(error).split())[:200]}",
            where=str(path),
            hint="fix that line; tables must be UTF-8" if reason else "get the file again",
        ) from error


def read_records(path: Path, *, missing: Sequence[str] = MISSING) -> list[dict[str, str]]:
    """The rows of a small table, such as ``models.csv``, as texts by column.

    Args:
        path: any kind of table that ``read_table`` reads.
        missing: texts that stand for no value.

    Returns:
        A dict per row, without its missing cells.

    Raises:
        BadTable: as by ``read_table``.
    """
    table = read_table(path, text_columns=None, missing=missing)
    columns = {name: texts(table[name]) for name in table.column_names}
    rows = zip(*columns.values(), strict=True)
    return [
        {name: cell for name, cell in zip(columns, row, strict=True) if cell is not None}
        for row in rows
    ]


def _check_file(path: Path, kind: str) -> None:
    if is_folder(path):
        raise BadTable(
            "this is a folder, not a table", where=str(path), hint="give a file of that name"
        )
    if not is_file(path):
        raise BadTable("there is no such table", where=str(path)[:200], hint="check the path")
    if kind not in SUFFIXES:
        raise BadTable(
            f"{kind or 'no suffix'} is not a kind of table that can be read",
            where=str(path),
            hint=f"give a file ending in {', '.join(SUFFIXES)}",
        )
    if not path.stat().st_size:
        raise BadTable(
            "the table cannot be read: Empty file (0 bytes)",
            where=str(path),
            hint="get the file again",
        )


def _refuse_repeated(names: Sequence[str], path: Path) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise BadTable(
            f"two columns have one name: {first_few(map(repr, sorted(repeated)))}",
            where=str(path),
            hint="rename one of them",
        )


def _read_parquet(
    path: Path, missing: tuple[str, ...], without: Sequence[str]
) -> tuple[list[str], list[pa.ChunkedArray]]:
    import pyarrow as pa
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        every = file.schema_arrow.names
        _refuse_repeated(every, path)
        if without:
            table = file.read(columns=[name for name in every if name not in set(without)])
        else:
            table = file.read()
    table.validate(full=True)  # Parquet is not read with care for UTF-8
    nothing = pa.array(missing, pa.string())
    return table.column_names, [plain_column(cells, nothing) for cells in table.columns]


def _read_csv(path: Path, missing: tuple[str, ...]) -> tuple[list[str], list[pa.ChunkedArray]]:
    """All columns as text."""
    import pyarrow as pa
    from pyarrow import csv

    delimiter = delimiter_of(path)
    header = header_of(path, delimiter)
    _refuse_repeated(header, path)
    line = open_quote(path, delimiter)
    if line is not None:
        raise BadTable(
            f"the table cannot be read: the quotation mark on line {line:,} is not closed",
            where=str(path),
            hint='close it; within a cell in quotation marks, write "" for one',
        )
    kinds = csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        strings_can_be_null=False,
    )
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    block = min(max(_BLOCK, path.stat().st_size + 1), _LARGEST_BLOCK)
    try:
        table = csv.read_csv(path, parse_options=parse, convert_options=kinds)
    except pa.ArrowInvalid as error:
        if block == _BLOCK or not any(text in str(error) for text in _ROW_TOO_LONG):
            raise
        blocks = csv.ReadOptions(block_size=block)  # a row is longer than a block
        table = csv.read_csv(path, blocks, parse_options=parse, convert_options=kinds)
    nothing = pa.array(missing, pa.string())
    columns = [clean_text(unguarded_column(cells), nothing) for cells in table.columns]
    return list(map(unguarded, table.column_names)), columns


def _read_json(path: Path, missing: tuple[str, ...]) -> tuple[list[str], list[pa.ChunkedArray]]:
    lines, rows = [], []
    for line, row in json_rows(path):
        lines.append(line)
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    _refuse_empty_cells(rows, names, path)
    none, columns = set(missing), []
    for name in names:
        try:
            name.encode()
            made, odd = python_column([row.get(name) for row in rows], none)
        except UnicodeEncodeError as error:  # half a character, which JSON can write as an escape
            raise BadTable(
                f"the table cannot be read: a cell of {name!a} is not whole text: "
                f"{error.object[error.start : error.end]!a}",
                where=str(path),
                hint="write it in UTF-8",
            ) from error
        if odd is not None:
            raise BadTable(
                f"the table cannot be read: {name!r} is of another kind on line {lines[odd]:,} "
                "than before",
                where=str(path),
                hint="give each column texts only, or numbers only",
            )
        columns.append(made)
    return names, columns


def _refuse_empty_cells(rows: Sequence[dict[str, Any]], names: Sequence[str], path: Path) -> None:
    """Refuse a small file that would become a huge table: each row with columns of its own."""
    filled, size = sum(map(len, rows)), len(names) * len(rows)
    if size > _MANY_CELLS and filled < _FULL * size:
        raise BadTable(
            f"hardly any cell of the {len(names):,} columns and {len(rows):,} rows is filled",
            where=str(path),
            hint="give all rows the same few keys",
        )


def column(table: pa.Table, name: str, path: Path, role: str) -> pa.ChunkedArray:
    """A column of a table.

    Raises:
        BadTable: no such column, the message lists those there are; or it holds bytes.
    """
    name = nfc(name)
    place = table.schema.get_field_index(name)
    if place < 0:
        similar = nearest(name, table.column_names)
        raise BadTable(
            f"there is no column {name!r} for {role}",
            where=str(path),
            hint=f"{similar + ' ' if similar else ''}the columns are: "
            f"{first_few(table.column_names, 30)}",
        )
    if holds_bytes(table.schema.field(place).type):
        raise BadTable(
            f"the column {name!r} for {role} holds bytes that are not UTF-8 text",
            where=str(path),
            hint="write the column as text, or name another one",
        )
    return table.column(place)


def text_column(cells: Sequence[str | None]) -> pa.ChunkedArray:
    """Texts as a column, made a piece at a time: one long piece takes many times its own room."""
    import pyarrow as pa

    pieces = (cells[start : start + _PIECE] for start in range(0, len(cells), _PIECE))
    return pa.chunked_array([pa.array(piece, pa.string()) for piece in pieces], pa.string())


def texts(values: pa.ChunkedArray, missing: Sequence[str] = ()) -> list[str | None]:
    """Cells as stripped text; None where they are empty or one of ``missing``."""
    none = set(missing)
    return [as_text(value, none) for value in values.to_pylist()]


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
        found = [as_text(part, none) for part in parts]
        cells.append(tuple(dict.fromkeys(part for part in found if part is not None)))
    return cells
