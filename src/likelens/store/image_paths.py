"""Where the images of stored items are, also after the store was moved."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..values.paths import Paths

TRIED = 3
"""Files of a folder that are looked at to tell whether it was moved together with the store."""


def relative_to_store(paths: pa.ChunkedArray, root: Path) -> pa.Array:
    """The same paths, as seen from the store's folder."""
    start = os.path.realpath(root)

    def below(folder: str) -> str | None:
        try:
            return os.path.relpath(os.path.realpath(folder or "/"), start) + "/"
        except ValueError:  # another drive of Windows
            return None

    return _in_folders(paths, lambda folder, _rows: below(folder))


def usable_paths(items: pa.Table, root: Path, path: str, relative: str, size: str) -> Paths:
    """The paths of items' images.

    A folder that has the same place relative to the store as before, and holds a file of the same
    name and size there, was moved together with the store. Else it is where it was.

    Args:
        items: with the columns named by the other arguments.
        root: the store's folder.
        path: column of absolute paths.
        relative: column of the paths as seen from the store's folder; may be missing.
        size: column of the sizes of the files.
    """
    absolute = items[path].combine_chunks()
    if relative not in items.column_names or not len(items):
        return Paths(absolute.to_pylist())
    start, sizes = os.path.realpath(root), items[size]
    near = items[relative].combine_chunks()

    def moved(folder: str, rows: Sequence[int]) -> str | None:
        here = os.path.normpath(os.path.join(start, folder))  # noqa: PTH118 - speed, as below
        for row in rows:
            name = near[row].as_py().rpartition("/")[2]
            try:
                if os.stat(os.path.join(here, name)).st_size == sizes[row].as_py():  # noqa: PTH116, PTH118
                    return here + "/"
            except OSError:
                continue
        return None

    found = pc.coalesce(_in_folders(near, moved), absolute)
    return Paths(found.to_pylist())


def found_in(paths: Sequence[Path], sizes: Sequence[int], folder: Path) -> list[Path | None]:
    """Where missing images are, below another folder; None where one is not missing, or not there.

    Args:
        paths: where they were; what they have in common is replaced by the folder.
        sizes: of the files; another size is another file.
        folder: the other folder.
    """
    common = Path(os.path.commonpath([path.parent for path in paths])) if paths else Path()
    found: list[Path | None] = []
    for path, size in zip(paths, sizes, strict=True):
        new = None
        if not path.is_file():
            tries = (folder / path.relative_to(common), folder / path.name)
            new = next((one for one in tries if one.is_file() and one.stat().st_size == size), None)
        found.append(None if new is None else new.absolute())
    return found


def _in_folders(
    paths: pa.Array | pa.ChunkedArray, change: Callable[[str, Sequence[int]], str | None]
) -> pa.Array:
    """The same names in other folders; null where there is none."""
    if isinstance(paths, pa.ChunkedArray):
        paths = paths.combine_chunks()
    folders = pc.replace_substring_regex(paths, r"[^/]*$", "").dictionary_encode()
    places = folders.indices
    first: dict[int, list[int]] = {}
    for row, place in enumerate(places.to_pylist()):
        rows = first.setdefault(place, [])
        if len(rows) < TRIED:
            rows.append(row)
    changed = [
        change(folder, first.get(place, []))
        for place, folder in enumerate(folders.dictionary.to_pylist())
    ]
    names = pc.replace_substring_regex(paths, r"(?s)^.*/", "")
    return pc.binary_join_element_wise(pa.array(changed, pa.string()).take(places), names, "")
