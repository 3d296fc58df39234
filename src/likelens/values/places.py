"""Where the images of a catalogue's rows lie, and which rows have what they need."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from .boxes import Box, box_text
from .columns import nfc
from .errors import BadTable, first_few, plural
from .paths import is_file, is_folder
from .tables import SUFFIXES

ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib",
    ".tif", ".tiff", ".avif", ".avifs", ".jp2", ".j2k", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm",
    ".pnm", ".ico",
)  # fmt: skip
"""Endings of the files that count as images in folders: those of ``images.FORMATS``."""

_OURS = (*SUFFIXES, ".toml")
"""Endings of the files that likelens itself reads beside images."""

_LONGEST_ENDING = 12


def is_image_name(name: str) -> bool:
    """Whether a file of that name counts as an image."""
    return name.lower().endswith(ENDINGS)


def images_below(root: Path) -> tuple[list[str], list[str]]:
    """Images below a folder, and the other files, as sorted paths from it.

    Hidden files and folders are left out; links to folders are followed.
    """
    check_folder(root)
    images: list[str] = []
    others: list[str] = []
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
        for name in names:
            if not name.startswith("."):
                (images if is_image_name(name) else others).append(prefix + name)
    return sorted(images), sorted(others)


def passed_over(others: Iterable[str], root: Path) -> tuple[str, ...]:
    """A note of the files that do not count as images, by their endings."""
    endings = Counter(
        PurePosixPath(name).suffix.lower() for name in others if not name.lower().endswith(_OURS)
    )
    if not endings:
        return ()
    counted = [
        f"{count:,} {ascii(ending)[1:-1][:_LONGEST_ENDING] or 'without an ending'}"
        for ending, count in endings.most_common()
    ]
    count = plural(endings.total(), "file")
    verb = "was" if endings.total() == 1 else "were"
    return (f"{count} in {root} {verb} passed over as no images: {first_few(counted, 5)}",)


def check_folder(root: Path) -> None:
    """Refuses a folder of pictures that is not there."""
    if not is_folder(root):
        raise BadTable("there is no such folder", where=str(root)[:200], hint="check --images")


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
    ids: Sequence[str | None],
    files: Sequence[str | None] | None,
    images: Sequence[str],
    others: Sequence[str],
    root: Path,
) -> list[str | None]:
    """The image of each row as a path below the root, None where there is none.

    Names are compared in their Unicode normal form, as those of some systems are decomposed.

    Args:
        ids: of the rows.
        files: names of their images; where there are none, a file is named after its id, with
            or without the ending of an image.
        images: files that count as images.
        others: all other files, which count only under their full names.
        root: the folder of all of them.

    Raises:
        BadTable: a name leads out of the root, or fits several files.
    """
    names: dict[str, str] = {}
    others_of: dict[str, list[str]] = {}  # further files of a name

    def add(key: str, name: str) -> None:
        if names.setdefault(key, name) is not name:
            others_of.setdefault(key, []).append(name)

    for name in (*images, *others):
        add(nfc(name), name)
    if files is None:
        for name in images:
            add(nfc(name).rsplit(".", 1)[0], name)
        wanted = ids
    else:
        wanted = [None if name is None else nfc(below(name, root)) for name in files]
    several = {name: [names[name], *others_of[name]] for name in wanted if name in others_of}
    if several:
        same = any(len({*map(nfc, found)}) < len(found) for found in several.values())
        fits = [
            f"{name} ({first_few(map(ascii, found) if same else found)})"
            for name, found in several.items()
        ]
        what = ("id fits", "ids fit") if files is None else ("name fits", "names fit")
        raise BadTable(
            f"{plural(len(several), *what)} several images: {first_few(fits)}",
            where=str(root),
            hint="rename one of the files: their names look the same"
            if same
            else "name the file in a column, and the column with --image",
        )
    return [None if name is None else names.get(name) for name in wanted]


def on_disk(name: str, root: Path) -> str | None:
    """The name of a file below a folder as it is there, with composed or decomposed accents."""
    forms = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    return next((one for one in dict.fromkeys((name, *forms)) if is_file(root / one)), None)


def without_a_row(
    images: Sequence[str], places: Iterable[str | None], root: Path
) -> tuple[str, ...]:
    """A note of the images that no row names."""
    unused = len({*images}.difference(places))
    which = plural(unused, f"image in {root} has", f"images in {root} have")
    return (f"{which} no row in the table",) if unused else ()


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
    reasons: Mapping[int, str] = MappingProxyType({}),
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
            hint="give every image an id of its own, which differs in more than the form of its "
            "accents; --product may name the shared one",
        )
    where = f"{path} with pictures in {root}"
    good = [r for r in range(len(ids)) if ids[r] is not None and places[r] is not None]
    if not good:
        raise BadTable(
            f"none of the {len(ids):,} rows has a picture: ids such as {first_few(ids)}"
            + (f"; {first_few(reasons.values())}" if reasons else ""),
            where=where,
            hint="check the addresses; --allow-private also asks servers of your own"
            if reasons
            else "check --images, --id, and --image if file names are not the ids",
        )
    if boxes is not None:
        good = [r for r in good if _has_area(boxes[r])]
    if good and (len(good) == len(ids) or skip_missing):
        return good
    raise BadTable(
        "; ".join(_problems(ids, places, boxes, reasons)),
        where=where,
        hint="add what is missing, or go on without them: --skip-missing",
    )


def skipped_rows(
    ids: Sequence[str | None],
    places: Sequence[str | None],
    boxes: Sequence[Box | None] | None,
    good: Sequence[int],
    reasons: Mapping[int, str] = MappingProxyType({}),
) -> tuple[tuple[str, str], ...]:
    """The id and the reason of each row that is not a good one."""
    kept, skipped = set(good), []
    for row, (item, place) in enumerate(zip(ids, places, strict=True)):
        if row in kept:
            continue
        if item is None:
            reason = "the row has no id"
        elif place is None:
            reason = reasons.get(row, "the row has no image")
        else:
            box = None if boxes is None else boxes[row]
            reason = f"the box {box_text(box)} has no area" if box else "the row has no box"
        skipped.append((f"row {row + 1}" if item is None else item, reason))
    return tuple(skipped)


def _problems(
    ids: Sequence[str | None],
    places: Sequence[str | None],
    boxes: Sequence[Box | None] | None,
    reasons: Mapping[int, str],
) -> list[str]:
    """What rows lack, counted."""
    rows = list(zip(ids, places, boxes or [(0, 0, 1, 1)] * len(ids), strict=True))
    nameless = [row for row, (item, _, _) in enumerate(rows, 1) if item is None]
    pictureless = [
        f"{item} ({reasons[row]})" if row in reasons else item
        for row, (item, place, _) in enumerate(rows)
        if item is not None and place is None
    ]
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
