"""The VSD release (arXiv 2308.14753): one JSON file that describes every picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..boxes import Box, parse_box
from ..errors import BadTable, first_few
from ..text_files import read_json
from .base import Dataset, Listed

_START = re.compile(r'\A\s*(\{.*"images"\s*:\s*)?\[\s*\{', re.DOTALL)
_PICTURE = re.compile(r'"path"\s*:')
_ROWS = re.compile(r"\A[^\n]*\}\s*\n\s*\{")  # a whole object, and another one below it
_CORNERS = ("x1", "y1", "x2", "y2")


class Vsd(Dataset):
    """The VSD metadata; the parts are its phases."""

    title = "the VSD metadata"

    def knows(self, head: str) -> bool:
        """Whether it is a list of images, or an object with one; not rows of JSON lines."""
        start = _START.match(head)
        if start is None or _ROWS.match(head):
            return False
        return start[1] is not None or _PICTURE.search(head) is not None

    def read(self, table: Path, images: Path | None) -> Listed:
        """All pictures of the metadata; phase, category, colour and box where they are given."""
        content = read_json(table)
        entries = content.get("images") if isinstance(content, dict) else content
        if not isinstance(entries, list) or not entries:
            raise BadTable(
                "the metadata has no list of images",
                where=str(table),
                hint='give {"images": [{"id": ..., "path": ...}, ...]}',
            )
        _refuse(entries, _lacks_name, "have no path or no id", table)
        _refuse(entries, _odd_box, "have a bbox that is not [x, y, h, w] or two corners", table)
        paths = [str(row["path"]).replace("\\", "/") for row in entries]
        boxes = [_box(row.get("bbox")) for row in entries]
        columns = {
            name: _texts(entries, name)
            for name in ("phase", "id", "category", "color")
            if any(row.get(name) is not None for row in entries)
        }
        none: Sequence[str | None] = [None] * len(paths)
        return Listed(
            root=images or table.parent,
            ids=paths,
            files=paths,
            products=[str(row["id"]) for row in entries],
            labels=columns.get("category", none),
            parts=[(phase,) if phase else () for phase in columns.get("phase", none)],
            columns=columns,
            tags=tuple(name for name in ("category", "color") if name in columns),
            boxes=boxes if any(boxes) else None,
            no_boxes=f"no image of {table} has a bbox",
        )


def _refuse(entries: Sequence[Any], wrong: Callable[[Any], bool], what: str, table: Path) -> None:
    """Refuse entries with a fault, counted and named by path or place.

    Raises:
        BadTable: some have it.
    """
    found = [
        str(row.get("path") or f"number {place}") if isinstance(row, dict) else f"number {place}"
        for place, row in enumerate(entries, 1)
        if wrong(row)
    ]
    if found:
        raise BadTable(
            f"{len(found):,} of {len(entries):,} images {what}: {first_few(found)}",
            where=str(table),
            hint="correct them, or get the file again",
        )


def _lacks_name(row: Any) -> bool:
    if not isinstance(row, dict):
        return True
    return not isinstance(row.get("path"), str) or not row["path"] or row.get("id") is None


def _odd_box(row: Mapping[str, Any]) -> bool:
    return row.get("bbox") is not None and _box(row["bbox"]) is None


def _box(value: Any) -> Box | None:
    """The box of a list [x, y, h, w], as the release's notes have it, or of its code's corners."""
    if isinstance(value, dict):
        corners = parse_box(",".join(str(value.get(name)) for name in _CORNERS))
        if corners is None:
            return None
        x1, y1, x2, y2 = corners
        return x1, y1, x2 - x1, y2 - y1
    sides = parse_box(str(value)) if isinstance(value, list) else None
    if sides is None:
        return None
    x, y, height, width = sides
    return x, y, width, height


def _texts(entries: Sequence[Mapping[str, Any]], name: str) -> list[str | None]:
    values = (row.get(name) for row in entries)
    return [None if value is None or value == "" else str(value) for value in values]
