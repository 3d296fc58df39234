"""How a table of text is written, and what is wrong in it: Arrow counts from the block it reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import BadTable, plural
from .text_files import read_text

_LONGEST_CELL = 2**31 - 1


def delimiter_of(path: Path) -> str:
    """What separates the columns of a CSV or TSV.

    Raises:
        UnicodeError: its first line is not UTF-8.
    """
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    return max(",;\t", key=header.count) if path.suffix.lower() == ".csv" else "\t"


def header_of(path: Path, delimiter: str) -> list[str]:
    """The names of the columns.

    Raises:
        UnicodeError: they are not UTF-8.
        ValueError: they cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        try:
            return next(_reader(lines, delimiter), [])
        except csv.Error as error:
            raise ValueError(f"line 1: {error}") from error


def _reader(lines: Iterable[str], delimiter: str, *, strict: bool = False) -> Any:
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(lines, delimiter=delimiter, strict=strict)


def open_quote(path: Path, delimiter: str) -> int | None:
    """The line of a cell whose quotation mark is never closed, or None.

    Arrow takes all that follows for one cell.
    """
    with path.open("rb") as file:
        marks = sum(block.count(b'"') for block in iter(lambda: file.read(1 << 20), b""))
    if marks % 2 == 0:
        return None
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows, line = _reader(lines, delimiter, strict=True), 0
        try:
            for _ in rows:
                line = rows.line_num
        except csv.Error as error:
            if "unexpected end" in str(error):
                return line + 1
    return None


def fault_in(path: Path) -> str:
    """What is wrong in a CSV or TSV that Arrow cannot read.

    Returns:
        A few words with a line's number, or "" if it cannot be told.
    """
    try:
        text = read_text(path)
    except BadTable as error:
        return error.what.partition(": ")[2]
    rows = _reader(io.StringIO(text, newline=""), delimiter_of(path))
    try:
        header: list[str] = next(rows, [])
        for row in rows:
            if row and len(row) != len(header):
                has = plural(len(row), "cell")
                return f"line {rows.line_num:,} has {has}, the header {len(header)}"
    except csv.Error as error:
        return f"line {rows.line_num:,}: {error}"
    return ""
