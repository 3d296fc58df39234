"""The part of a picture that shows an item: ``x, y, width, height`` in pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .arrays import Positions
from .errors import BadTable, first_few, plural

if TYPE_CHECKING:
    import pyarrow as pa

Box: TypeAlias = tuple[int, int, int, int]
"""x and y of the upper left corner, width and height, in pixels of the upright picture."""

COLUMN = "bbox"
COLUMNS = ("x", "y", "width", "height")

_NUMBER = r"([-+]?\d{1,9}(?:\.\d*)?)"  # no picture has more pixels
_BOX = re.compile(r"[\s\[(]*" + r"[\s,;]+".join([_NUMBER] * 4) + r"[\s\])]*")


@dataclass(frozen=True)
class Boxed:
    """A picture's file, and the part of it to look at.

    Attributes:
        path: the file.
        box: the part; what reaches over the picture's edge is cut off.
    """

    path: Path
    box: Box

    def __str__(self) -> str:
        return f"{self.path} at {box_text(self.box)}"


FilePicture: TypeAlias = Path | Boxed
"""A whole file, or a part of one."""


def box_text(box: Sequence[int]) -> str:
    """A box as text: ``x,y,width,height``."""
    return ",".join(str(int(side)) for side in box)


def box_rows(boxes: Sequence[Box]) -> Positions:
    """(n, 4) int64: a box a row."""
    return np.array(boxes, np.int64).reshape(-1, 4)


def parse_box(text: str) -> Box | None:
    """The four numbers of a text such as ``3,4,20,10`` or ``[3, 4, 20, 10]``, else None.

    Example:
        >>> parse_box("[3, 4, 20.0, 10]"), parse_box("3,4,20")
        ((3, 4, 20, 10), None)
    """
    form = _BOX.fullmatch(text)
    if form is None:
        return None
    x, y, width, height = (round(float(number)) for number in form.groups())
    return x, y, width, height


def boxes_of_table(table: pa.Table, path: Path) -> list[Box | None]:
    """The box of each row of a table; None where nothing stands.

    Args:
        table: with a column ``bbox`` (text ``x,y,width,height``, or a list of four
            numbers), or with the columns ``x``, ``y``, ``width`` and ``height``.
        path: of the table, for messages.

    Raises:
        BadTable: there are no such columns, or cells that are no box.
    """
    if COLUMN in table.column_names:
        cells = table[COLUMN].to_pylist()
    elif set(COLUMNS) <= set(table.column_names):
        sides = (table[name].to_pylist() for name in COLUMNS)
        rows = zip(*sides, strict=True)
        cells = [None if all(side is None for side in row) else list(row) for row in rows]
    else:
        raise BadTable(
            f"the table has no boxes: no column {COLUMN}, nor {', '.join(COLUMNS)}",
            where=f"--bbox, {path}",
            hint=f"add a column {COLUMN} with x,y,width,height in pixels, or leave --bbox out",
        )
    found: list[Box | None] = []
    wrong: list[str] = []
    for row, cell in enumerate(cells, 1):
        text = "" if cell is None else str(cell)
        box = parse_box(text)
        found.append(box)
        if box is None and text.strip():
            wrong.append(f"row {row} ({text[:40]})")
    if wrong:
        raise BadTable(
            f"{plural(len(wrong), 'box is', 'boxes are')} not four numbers: {first_few(wrong)}",
            where=str(path),
            hint="write x,y,width,height in pixels, or nothing",
        )
    return found
