"""The text lists of DeepFashion: a count, a header, and a row per picture or pair."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..boxes import Box
from ..errors import BadTable, first_few, plural
from ..places import ENDINGS, is_image_name
from ..text_files import read_text

CORNERS = ("x_1", "y_1", "x_2", "y_2")

CLOTHES = {"1": "upper body", "2": "lower body", "3": "full body"}
"""What the numbers of ``clothes_type`` stand for, by the data sets' own notes."""

HIGH = "img_highres"
"""Folder of the large pictures, in which the boxes of the small ones mean nothing."""

_LONGEST_LINE = 4096
_NAME = rf"(\S.*?(?:{'|'.join(map(re.escape, ENDINGS))}))"


@dataclass(frozen=True)
class Boxes:
    """What a list of boxes says.

    Attributes:
        boxes: box of each picture's name.
        words: the columns between name and box, of each name.
    """

    boxes: dict[str, Box]
    words: dict[str, tuple[str, ...]]


def is_list(head: str, header: Sequence[str]) -> bool:
    """Whether a text starts with a count and that header."""
    lines = head.splitlines()
    return len(lines) > 1 and lines[0].strip().isdecimal() and lines[1].split() == list(header)


def read_list(path: Path, header: Sequence[str], *, names: int = 1) -> list[tuple[str, ...]]:
    """The rows of a list, whose count the first line may give.

    Args:
        path: the list.
        header: its columns, as the second line must have them.
        names: how many of them are names of pictures, which may hold blanks.

    Returns:
        A tuple of one text per column for each row.

    Raises:
        BadTable: it is missing, has another header, rows that do not fit it, or fewer or
            more rows than its first line says (or pictures, where a row names several).
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    counted = len(lines) > 1 and re.fullmatch(r"\d{1,18}", lines[0])
    if not counted or lines[1].split() != list(header):
        raise BadTable(
            f"the list does not start with a count and the header {' '.join(header)}, "
            f"but with {first_few(map(repr, lines[:2])) or 'nothing'}",
            where=str(path),
            hint="give the list as it was published",
        )
    split = _splitter(names, len(header))
    found = {number: split(line) for number, line in enumerate(lines[2:], 3) if line}
    wrong = [number for number, row in found.items() if row is None]
    if wrong:
        raise BadTable(
            f"{plural(len(wrong), 'line is', 'lines are')} "
            f"not {' '.join(header)}: lines {first_few(wrong)}",
            where=str(path),
            hint="fix those lines, or get the file again",
        )
    rows = [row for row in found.values() if row is not None]
    pictures = len({name for row in rows for name in row[:names]})
    if int(lines[0]) not in (len(rows), pictures if names > 1 else len(rows)):
        raise BadTable(
            f"the first line says {int(lines[0]):,} rows, and there are {len(rows):,}",
            where=str(path),
            hint="get the file again, or correct its first line",
        )
    return rows


def _splitter(names: int, width: int) -> Callable[[str], tuple[str, ...] | None]:
    """What cuts a line into that many columns, or finds that it cannot be."""
    form = re.compile(r"\s+".join([_NAME] * names + [r"(\S+)"] * (width - names)), re.IGNORECASE)

    def split(line: str) -> tuple[str, ...] | None:
        if len(line) > _LONGEST_LINE:
            return None
        parts: Sequence[str] = line.replace("\\", "/").split()
        plain = all(is_image_name(part) for part in parts[:names])
        if len(parts) != width or not plain:  # blanks in names, or no such line
            whole = form.fullmatch(line.replace("\\", "/"))
            return None if whole is None else whole.groups()
        return tuple(parts)

    return split


def check_status(rows: Sequence[tuple[str, ...]], known: Sequence[str], path: Path) -> None:
    """Refuse rows whose last column is none of the parts that are known.

    Raises:
        BadTable: some are not.
    """
    odd = [f"{row[-1]} ({row[0]})" for row in rows if row[-1] not in known]
    if odd:
        raise BadTable(
            f"{plural(len(odd), 'row has', 'rows have')} "
            f"a status that is none of {', '.join(known)}: {first_few(odd)}",
            where=str(path),
            hint="correct them, or get the file again",
        )


def read_boxes(home: Path, name: str, words: Sequence[str]) -> Boxes | None:
    """The list of boxes of a data set, or None if it has none.

    Args:
        home: folder of the data set.
        name: of the list, in ``Anno`` or ``Anno/bbox``.
        words: its columns between the picture's name and the corners.

    Raises:
        BadTable: it is not as published, corners are no whole numbers, or a picture has two
            boxes.
    """
    places = (home / "Anno" / name, home / "Anno" / "bbox" / name)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    rows = read_list(path, ("image_name", *words, *CORNERS))
    wrong = [row[0] for row in rows if not all(map(_is_number, row[-4:]))]
    if wrong:
        raise BadTable(
            f"{plural(len(wrong), 'box is', 'boxes are')} "
            f"not four whole numbers: {first_few(wrong)}",
            where=str(path),
            hint="fix those lines, or get the file again",
        )
    corners: dict[str, list[int]] = {}
    given = [(row[0], [int(side) for side in row[-4:]]) for row in rows]
    torn = [picture for picture, box in given if corners.setdefault(picture, box) != box]
    if torn:
        raise BadTable(
            f"{plural(len(torn), 'line gives', 'lines give')} "
            f"a picture another box than a line before: {first_few(torn)}",
            where=str(path),
            hint="keep one of them, or get the file again",
        )
    return Boxes(
        {name: (x1, y1, x2 - x1, y2 - y1) for name, (x1, y1, x2, y2) in corners.items()},
        {row[0]: row[1:-4] for row in rows},
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,9}", text) is not None


def why_no_boxes(name: str, home: Path, images: Path | None) -> str:
    """Why a data set has no boxes for these pictures."""
    if images is not None and images.name == HIGH:
        return f"the boxes of {name} are of the small pictures, not of {HIGH}"
    return f"there is no list of boxes, {home / 'Anno' / name}"


def place_pictures(
    ids: Sequence[str], home: Path, images: Path | None
) -> tuple[Path, Sequence[str]]:
    """The folder of the pictures, and the file of each below it.

    Names start with ``img/``: that folder lies in ``Img``, or in the data set's own; a
    folder that was named may hold it, or be a copy of it.
    """
    if images is None:
        return (home / "Img" if (home / "Img" / "img").is_dir() else home), ids
    if (images / "img").is_dir():
        return images, ids
    return images, [name.removeprefix("img/") for name in ids]


def folders(name: str, depth: int) -> tuple[str | None, ...]:
    """The first folders of a picture's name below ``img``, None where there are fewer.

    Example:
        >>> folders("img/WOMEN/Dresses/id_00000002/02_1_front.jpg", 2)
        ('WOMEN', 'Dresses')
    """
    parts = name.split("/")[1:-2]
    return tuple(parts[place] if place < len(parts) else None for place in range(depth))
