"""Files that are whole or not there, values that JSON can write, versions of libraries."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadTable


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written under another name beside its place, then moved there.

    Raises:
        BadTable: the folder cannot be made or written to.
    """
    make_folder(path.parent)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    with _said_plainly(path):
        try:
            write(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder that may be there.

    Raises:
        BadTable: it cannot be made.
    """
    with _said_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    """Turns what the system refuses into one sentence."""
    try:
        yield
    except OSError as error:
        wrong_kind = isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError)
        raise BadTable(
            f"this cannot be written: {error.strerror or error}",
            where=str(path),
            hint="give another name: a folder stands where a file should be, or the reverse"
            if wrong_kind
            else "give a folder that you may write to",
        ) from error


def plain(value: Any) -> Any:
    """The same for JSON: Python numbers, None for what is not finite, text for all else.

    Example:
        >>> plain({"a": np.float32("nan"), "b": (np.int64(1), Path("x"))})
        {'a': None, 'b': [1, 'x']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def installed(library: str) -> str | None:
    """The version of a library, or None where it is not installed under that name."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def cache_folder() -> Path:
    """Where likelens keeps what it can make again: $LIKELENS_CACHE, or the user's cache folder."""
    if os.environ.get("LIKELENS_CACHE"):
        return Path(os.environ["LIKELENS_CACHE"]).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "likelens"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "likelens" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "likelens"
    return Path.home() / ".cache" / "likelens"
