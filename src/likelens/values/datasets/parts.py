"""Which rows of a published data set are wanted: named parts, and lists of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..columns import nfc
from ..errors import BadTable, first_few
from ..paths import is_file
from ..text_files import read_json
from .base import Listed


def choose_parts(
    listed: Listed, part: Sequence[str], table: Path
) -> tuple[Listed, tuple[str, ...]]:
    """The rows of some parts, and what the user should know of them.

    Args:
        listed: all rows.
        part: names of parts, of which a row must be in one; and JSON files that list
            pictures, as the VSD release has them, of which it must be in every one.
        table: the list of the data set, beside which such files may lie.

    Raises:
        BadTable: there is no such part or file, or nothing is left.
    """
    named = [name for name in part if not name.lower().endswith(".json")]
    known = dict.fromkeys(name for parts in listed.parts for name in parts)
    unknown = [name for name in named if name not in known]
    if unknown:
        raise BadTable(
            f"the data set has no part {first_few(unknown)}",
            where=f"--part, {table}",
            hint=f"the parts are: {', '.join(known)}; or give a JSON file that lists pictures",
        )
    rows = [row for row, parts in enumerate(listed.parts) if not named or {*parts} & {*named}]
    notes: tuple[str, ...] = ()
    for name in part:
        if name in named:
            continue
        wanted = read_pictures(_found(name, table))
        lost = wanted - set(listed.ids)
        if lost:
            notes += (f"{len(lost):,} of the {len(wanted):,} pictures of {name} are not listed",)
        rows = [row for row in rows if listed.ids[row] in wanted]
    if part and not rows:
        raise BadTable(
            f"no picture is in --part {','.join(part)}",
            where=str(table),
            hint="name fewer files, or a list of this data set's pictures",
        )
    return listed.take(rows) if part else listed, notes


def _found(name: str, table: Path) -> Path:
    """A file as it was named, or beside the list of the data set."""
    named, near = Path(name), table.parent / name
    return near if is_file(near) and not is_file(named) else named


def read_pictures(path: Path) -> set[str]:
    """The pictures of ``{"seeds": [path, ...]}`` or ``{"images": [{"path": ...}, ...]}``.

    Raises:
        BadTable: the file cannot be read, or says something else.
    """
    entries = read_json(path)
    if isinstance(entries, dict) and isinstance(entries.get("seeds"), list):
        paths = entries["seeds"]
    elif isinstance(entries, dict) and isinstance(entries.get("images"), list):
        paths = [one.get("path") if isinstance(one, dict) else None for one in entries["images"]]
    else:
        paths = []
    if not paths or not all(isinstance(one, str) for one in paths):
        raise BadTable(
            "this lists no pictures",
            where=str(path),
            hint='give {"seeds": [path, ...]} or {"images": [{"path": path}, ...]}',
        )
    return set(map(nfc, paths))
