"""How a table of text is written, and what is wrong in it: Arrow counts from the block it reads."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from .errors import BadTable, plural
from .text_files import read_text


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
            return next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error as error:
            raise ValueError(f"line 1: {error}") from error


def fault_in(path: Path) -> str:
    """What is wrong in a CSV or TSV that Arrow cannot read.

    Returns:
        A few words with a line's number, or "" if it cannot be told.
    """
    try:
        text = read_text(path)
    except BadTable as error:
        return error.what.partition(": ")[2]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(path))
    try:
        header = next(rows, [])
        for row in rows:
            if row and len(row) != len(header):
                has = plural(len(row), "cell")
                return f"line {rows.line_num:,} has {has}, the header {len(header)}"
    except csv.Error as error:
        return "" if "field limit" in str(error) else f"line {rows.line_num:,}: {error}"
    return ""
