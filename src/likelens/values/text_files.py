"""Text, JSON and TOML files: UTF-8, with or without a byte order mark, and one clear error each."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import BadTable

MAX_DEPTH = 64
"""How deep lists and objects of a JSON file may be nested."""

_SOMETHING = re.compile(r"\S")
_LONG_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++\s*+\.\s*+){65}")  # tomllib is slow with them
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_TOO_DEEP = "it is nested too deeply"


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises:
        BadTable: there is no such file, it cannot be read, or it is not UTF-8.
    """
    data = b""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadTable(
            f"the file cannot be read: line {line:,} is not UTF-8",
            where=str(path),
            hint="save the file as UTF-8",
        ) from error
    except FileNotFoundError:
        raise BadTable("there is no such file", where=str(path), hint="check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise BadTable(
            f"the file cannot be read: {reason}",
            where=str(path),
            hint="check the path and its permissions",
        ) from error


def read_lines(path: Path) -> list[str]:
    """The stripped lines of a text file, without empty lines and comments (``#``).

    Raises:
        BadTable: as by ``read_text``.
    """
    lines = (line.strip() for line in read_text(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        BadTable: it cannot be read, or is not TOML.
    """
    text = read_text(path)
    try:
        if _LONG_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadTable):
            raise
        reason = _TOO_DEEP if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise BadTable(
            f"this is not TOML: {reason[:200]}", where=str(path), hint="fix that line"
        ) from error


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        BadTable: it cannot be read, is not JSON, or is nested too deeply.
    """
    text = read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTable(
            f"the JSON file cannot be read: {_reason(error)}",
            where=str(path),
            hint="get the file again",
        ) from error
    reason = _TOO_DEEP if _depth_exceeds(found, MAX_DEPTH) else ""
    if not reason and _HALF.search(text):
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            reason = "it holds half a character, as \\ud800 is one"
    if reason:
        raise BadTable(
            f"the JSON file cannot be read: {reason}", where=str(path), hint="get the file again"
        )
    return found


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file, each with the number of the line that it starts on.

    Raises:
        BadTable: it cannot be read, or a row is not a JSON object; says on which line.
    """
    text = read_text(path)
    decoder, line, end = json.JSONDecoder(), 1, 0
    while found := _SOMETHING.search(text, end):
        start = found.start()
        line += text.count("\n", end, start)
        try:
            row, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            raise _bad_row(
                path, f"the row on line {line:,} is not JSON: {_reason(error)}"
            ) from error
        if not isinstance(row, dict):
            if line == 1 and isinstance(row, list):
                raise _bad_row(path, "this is one list, not JSON lines")
            raise _bad_row(path, f"the row on line {line:,} is not an object, {{...}}")
        if _depth_exceeds(row, MAX_DEPTH):
            raise _bad_row(path, f"the row on line {line:,} is not JSON: {_TOO_DEEP}")
        yield line, row
        line += text.count("\n", start, end)


def _bad_row(path: Path, what: str) -> BadTable:
    return BadTable(
        f"the table cannot be read: {what}",
        where=str(path),
        hint="write one object per line, {...}, with nothing around or between them",
    )


def _reason(error: Exception) -> str:
    """What is wrong with a JSON text; the line is named elsewhere or by json itself."""
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    return str(getattr(error, "msg", None) or error)[:200]


def _depth_exceeds(value: Any, limit: int) -> bool:
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_depth_exceeds(one, limit - 1) for one in inner)
