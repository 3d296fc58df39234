"""Where the pictures of a catalogue's rows lie, and which rows have what they need."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from .boxes import Box, box_text
from .errors import BadTable, first_few, plural

PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif",
)  # fmt: skip


def pictures_below(root: Path) -> list[str]:
    """Pictures below a folder, as sorted paths from it; hidden files and folders are left out."""
    check_folder(root)
    found = []
    above = {str(root): {os.path.realpath(root)}}
    for folder, inner, names in os.walk(root, onerror=_cannot_list, followlinks=True):
        places = {name: os.path.realpath(f"{folder}/{name}") for name in inner}
        inner[:] = [  # a link to a folder that it lies in would go round for ever
            name for name in inner if name[0] != "." and places[name] not in above[folder]
        ]
        for name in inner:
            above[os.path.join(folder, name)] = {*above[folder], places[name]}  # noqa: PTH118
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        found += [
            prefix + name
            for name in names
            if name.lower().endswith(PICTURES) and not name.startswith(".")
        ]
    return sorted(found)


def check_folder(root: Path) -> None:
    """Refuses a folder of pictures that is not there."""
    if not root.is_dir():
        raise BadTable("there is no such folder", where=str(root), hint="check --images")


def _cannot_list(error: OSError) -> None:
    raise BadTable(
        f"a folder cannot be looked into: {error.strerror}",
        where=str(error.filename),
        hint="check its permissions, or that its disk is there",
    )


def beside(table: Path) -> Path:
    """The folder of pictures of a table that names none: ``images`` beside it, or its own."""
    inner = table.parent / "images"
    return inner if inner.is_dir() else table.parent


def places_of(
    ids: Sequence[str | None], files: Sequence[str | None] | None, found: list[str], root: Path
) -> tuple[list[str | None], tuple[str, ...]]:
    """The picture of each row as a path below the root, None where there is none."""
    if files is not None:
        inside = [None if name is None else below(name, root) for name in files]
        there = set(found)
        places = [name if name in there else None for name in inside]
    else:
        stems: dict[str, list[str]] = {}
        for name in found:
            stems.setdefault(name.rsplit(".", 1)[0], []).append(name)
            stems.setdefault(name, []).append(name)
        several = [i for i in ids if i is not None and len(stems.get(i, ())) > 1]
        if several:
            raise BadTable(
                f"{plural(len(several), 'id fits', 'ids fit')} several pictures: "
                f"{first_few(f'{i} ({first_few(stems[i])})' for i in several)}",
                where=str(root),
                hint="name the file in a column, and the column with --image",
            )
        places = [stems.get(i, [None])[0] if i is not None else None for i in ids]
    unused = len(found) - len({place for place in places if place is not None})
    which = plural(unused, f"picture in {root} has", f"pictures in {root} have")
    notes = (f"{which} no row in the table",) if unused else ()
    return places, notes


def below(name: str, root: Path) -> str:
    """A file name of the table as a clean path below the root.

    Raises:
        BadTable: it leads out of the root.
    """
    plain = os.path.normpath(name.replace("\\", "/"))
    if Path(plain).is_absolute():
        try:
            plain = Path(plain).relative_to(root.absolute()).as_posix()
        except ValueError:
            plain = ".."
    if plain == ".." or plain.startswith(f"..{os.sep}"):
        raise BadTable(
            f"the picture {name!r} lies outside the folder of pictures",
            where=str(root),
            hint="move it inside, or give a folder with --images that holds all pictures",
        )
    return PurePosixPath(plain).as_posix()


def good_rows(
    ids: Sequence[str | None],
    places: Sequence[str | None],
    path: Path,
    root: Path,
    *,
    boxes: Sequence[Box | None] | None = None,
    skip_missing: bool,
) -> list[int]:
    """Rows with an id, a picture and, if asked for, a box; complains of all others in one error."""
    if not ids:
        raise BadTable("the table has no rows", where=str(path), hint="give a table with items")
    repeated = [item for item, count in Counter(ids).items() if count > 1 and item is not None]
    if repeated:
        raise BadTable(
            f"{plural(len(repeated), 'id stands', 'ids stand')} "
            f"on several rows: {first_few(repeated)}",
            where=str(path),
            hint="give every picture an id of its own; --product may name the shared one",
        )
    where = f"{path} with pictures in {root}"
    good = [r for r in range(len(ids)) if ids[r] is not None and places[r] is not None]
    if not good:
        raise BadTable(
            f"none of the {len(ids):,} rows has a picture: ids such as {first_few(ids)}",
            where=where,
            hint="check --images, --id, and --image if file names are not the ids",
        )
    if boxes is not None:
        good = [r for r in good if _has_area(boxes[r])]
    if good and (len(good) == len(ids) or skip_missing):
        return good
    raise BadTable(
        "; ".join(_problems(ids, places, boxes)),
        where=where,
        hint="add what is missing, or go on without them: --skip-missing",
    )


def skipped_rows(
    ids: Sequence[str | None],
    places: Sequence[str | None],
    boxes: Sequence[Box | None] | None,
    good: Sequence[int],
) -> tuple[tuple[str, str], ...]:
    """The id and the reason of each row that is not a good one."""
    kept, skipped = set(good), []
    for row, (item, place) in enumerate(zip(ids, places, strict=True)):
        if row in kept:
            continue
        if item is None:
            reason = "the row has no id"
        elif place is None:
            reason = "the row has no image"
        else:
            box = None if boxes is None else boxes[row]
            reason = f"the box {box_text(box)} has no area" if box else "the row has no box"
        skipped.append((f"row {row + 1}" if item is None else item, reason))
    return tuple(skipped)


def _problems(
    ids: Sequence[str | None], places: Sequence[str | None], boxes: Sequence[Box | None] | None
) -> list[str]:
    """What rows lack, counted."""
    rows = list(zip(ids, places, boxes or [(0, 0, 1, 1)] * len(ids), strict=True))
    nameless = [row for row, (item, _, _) in enumerate(rows, 1) if item is None]
    pictureless = [item for item, place, _ in rows if item is not None and place is None]
    boxless = [item for item, _, box in rows if item is not None and box is None]
    flat = [f"{item} ({box_text(box)})" for item, _, box in rows if box and not _has_area(box)]
    counted = (
        (pictureless, "item has no picture:", "items have no picture:"),
        (nameless, "row has no id: row", "rows have no id: rows"),
        (boxless, "item has no box:", "items have no box:"),
        (flat, "box has no area:", "boxes have no area:"),
    )
    return [
        f"{plural(len(found), one, several)} {first_few(found)}"
        for found, one, several in counted
        if found
    ]


def _has_area(box: Box | None) -> bool:
    return box is not None and box[2] > 0 and box[3] > 0
