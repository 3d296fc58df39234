"""What is wrong in a table of text, and on which line: Arrow counts from the block it reads."""

from __future__ import annotations

import csv
import io
import re
from json import JSONDecoder
from pathlib import Path

from .errors import BadTable, plural

_SOMETHING = re.compile(r"\S")


def check_start(path: Path) -> None:
    """See that a file of JSON lines starts with an object: pyarrow 26 crashes on ``null``.

    Raises:
        BadTable: it starts with anything else.
    """
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b""):
        raise BadTable(
            "this is one list, not JSON lines" if start == b"[" else "these are no JSON lines",
            where=str(path),
            hint="write one object a line, {...}, without anything around or between them",
        )


def delimiter_of(path: Path) -> str:
    """What parts the columns of a CSV or TSV.

    Raises:
        UnicodeError: its first line is not UTF-8.
    """
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    return max(",;\t", key=header.count) if path.suffix.lower() == ".csv" else "\t"


def fault_in(path: Path, *, json: bool) -> str:
    """What is wrong in a CSV, a TSV or a file of JSON lines that Arrow cannot read.

    Returns:
        A few words with a line's number, or "" if it cannot be told.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"line {error.object.count(10, 0, error.start) + 1:,} is not UTF-8"
    except OSError:
        return ""
    return _fault_in_objects(text) if json else _fault_in_cells(text, delimiter_of(path))


def _fault_in_cells(text: str, delimiter: str) -> str:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(rows, [])
        for row in rows:
            if row and len(row) != len(header):
                has = plural(len(row), "cell")
                return f"line {rows.line_num:,} has {has}, the header {len(header)}"
    except csv.Error as error:
        return f"line {rows.line_num:,}: {error}"
    return ""


def _fault_in_objects(text: str) -> str:
    decoder, kinds, line, end = JSONDecoder(), dict[str, type](), 1, 0
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
