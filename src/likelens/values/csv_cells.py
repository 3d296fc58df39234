"""The one door for writing CSV: no cell of text is a formula to a spreadsheet.

Spreadsheets compute cells that begin with ``= + - @``, a tab or a line break. Such a text is
written behind an apostrophe, which they take for "text"; so is one that begins with apostrophes
and then such a character. ``read_table`` takes that one apostrophe away. Numbers stay.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

_SIGNS = r"[=+\-@\t\r\n]"
_FORMULA, _GUARDED = f"^('*{_SIGNS})", f"^'('*{_SIGNS})"


def guarded(text: str) -> str:
    """A text as it is written to CSV.

    Example:
        >>> guarded("=1+1"), guarded("-5"), guarded("'=x"), guarded("it's"), guarded("'s")
        ("'=1+1", "'-5", "''=x", "it's", "'s")
    """
    return re.sub(_FORMULA, r"'\1", text)


def unguarded(text: str) -> str:
    """The text that was written to CSV as this cell.

    Example:
        >>> [unguarded(guarded(text)) for text in ("=1+1", "'=x", "it's", "'s")]
        ['=1+1', "'=x", "it's", "'s"]
    """
    return re.sub(_GUARDED, r"\1", text)


def unguarded_column(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text without the apostrophes that ``guarded`` puts before formulas."""
    import pyarrow.compute as pc

    if not pc.any(pc.starts_with(cells, "'")).as_py():
        return cells
    return pc.replace_substring_regex(cells, _GUARDED, r"\1")


def write_csv(table: pa.Table, place: Path | BinaryIO) -> None:
    """Write a table whose cells are numbers, texts, truth values or nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    columns = [
        pc.replace_substring_regex(cells, _FORMULA, r"'\1")
        if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
        else cells
        for cells in table.columns
    ]
    names = list(map(guarded, table.column_names))
    arrow_csv.write_csv(pa.table(columns, names=names), place)


def csv_text(rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> str:
    """Rows of a table as text; cells that are no text are written as they print."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    for row in rows:
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()
