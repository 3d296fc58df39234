"""Paths of many files, kept small."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

from .columns import nfc

_LONGEST = 1_000  # characters of a path that is looked for under another form


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; False for what cannot be a name, such as a long text."""
    return os.path.isfile(path)  # noqa: PTH113 - a Path raises for long names


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; False for what cannot be a name, such as a long text."""
    return os.path.isdir(path)  # noqa: PTH112 - a Path raises for long names


def as_on_disk(path: str) -> str:
    """The path; where nothing has it, one that looks the same: é may be one character or two."""
    if path.isascii() or len(path) > _LONGEST or os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    folder = as_on_disk(folder)
    try:
        names = [other.name for other in Path(folder).iterdir()]
    except (OSError, ValueError):  # ValueError: a null byte in the path
        return path
    same = [other for other in names if nfc(other) == nfc(name)]
    return os.path.join(folder, same[0]) if same else path  # noqa: PTH118 - a text, as it came


class Paths(Sequence[Path]):
    """Paths of files by name, in order; each is made when it is asked for.

    A ``Path`` takes several times the room of its name, and catalogues have millions.

    Args:
        names: of the files, below the root.
        root: the folder that the names start from; "" takes them as they are.

    Example:
        >>> Paths(["a.jpg", "b/c.jpg"], "images")[1].as_posix()
        'images/b/c.jpg'
    """

    def __init__(self, names: Iterable[str], root: str | Path = "") -> None:
        self.names, self.root = tuple(names), Path(root)
        self._start = str(root) if str(root) != "." else ""

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> Path: ...

    @overload
    def __getitem__(self, place: slice) -> Paths: ...

    def __getitem__(self, place: int | slice) -> Path | Paths:
        if isinstance(place, slice):
            return Paths(self.names[place], self.root)
        return self.root / self.names[place]

    def text(self, place: int) -> str:
        """One path as text, which is quicker to make than a ``Path``; it may hold ``a//b``."""
        return os.path.join(self._start, self.names[place])  # noqa: PTH118 - no Path, for speed

    def absolute(self) -> Paths:
        """The same, whatever the working folder will be."""
        return Paths(self.names, self.root.absolute())

    def take(self, rows: Iterable[int]) -> Paths:
        """Those of some rows, in that order."""
        return Paths((self.names[row] for row in rows), self.root)

    def __repr__(self) -> str:
        return f"Paths({len(self):,} below {str(self.root)!r})"
