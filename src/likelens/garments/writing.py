"""The built-in catalogue as files: pictures, a table, purchases."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2

from likelens.values.arrays import Array
from likelens.values.csv_cells import csv_text
from likelens.values.errors import BadTable
from likelens.values.files import LOCK, locked, make_folder, remove_leftovers, write_aside

from .picture import SMALLEST, draw
from .tastes import purchases
from .vocabulary import TAGS, Garment, at_least, products
from .wild import draw_wild

COLUMNS = ("id", "image", "product", "view", *TAGS, "price", "season")
QUALITY = 92
TABLE, ORDERS, SETTINGS = "garments.csv", "purchases.csv", "catalogue.toml"

_SETTINGS = """\
table = "garments.csv"
images = "images"
id = "id"
image = "image"
product = "product"
category = "kind"
tags = ["kind", "colour", "pattern", "sleeve", "neckline", "length", "fit", "material"]
split = "|"
missing = ["NA", ""]
"""
_WITH_ORDERS = 'purchases = "purchases.csv"\n'


class Row(NamedTuple):
    """One picture of the catalogue.

    Attributes:
        id: of the picture; its file is ``<id>.jpg``.
        view: what the column ``view`` says.
        garment: what is in it.
        picture: draws it.
    """

    id: str
    view: str
    garment: Garment
    picture: Callable[[], Array]


def create(
    folder: str | Path,
    *,
    items: int = 600,
    views: int = 2,
    seed: int = 0,
    size: int = 224,
    wild: bool = False,
) -> Path:
    """Write a shop's catalogue: pictures, tags, purchases.

    The folder then holds ``images/<id>.jpg``, ``garments.csv`` (one row a picture),
    ``purchases.csv`` (customer, item, order, date) and ``catalogue.toml``, which
    names the others and is written last. The same arguments write the same bytes;
    files that would not change are left alone, and pictures of an earlier call
    that are no longer part of the catalogue are removed.

    Args:
        folder: made if it does not exist; else empty, or one that this wrote.
        items: how many pictures; the products number items / views, rounded up.
        views: pictures of each product; the last product may have fewer.
        seed: >= 0; another seed, another shop.
        size: side of the pictures in pixels, >= 32.
        wild: whether to write ``wild/`` too: a catalogue of one picture of each
            product as a customer would take it, under the same product ids.

    Returns:
        The path of ``catalogue.toml``.

    Raises:
        BadTable: a number is too small, or the folder holds something else.
    """
    for name, value, low in (
        ("items", items, 1),
        ("views", views, 1),
        ("seed", seed, 0),
        ("size", size, SMALLEST),
    ):
        at_least(value, low, name)
    folder = Path(folder)
    _check_folder(folder)
    garments = products(-(-items // views), seed)
    clean = [_clean_row(garments[k // views], k % views, size) for k in range(items)]
    make_folder(folder)
    with locked(folder / LOCK, what="another run is writing a catalogue into this folder"):
        _write_rows(folder, clean)
        if wild:
            _write_rows(folder / "wild", [_wild_row(garment, size) for garment in garments])
            _write(folder / "wild" / SETTINGS, _SETTINGS.encode())
        else:
            _remove_catalogue(folder / "wild")
        _write_orders(folder / ORDERS, garments, seed)
        settings = folder / SETTINGS
        _write(settings, (_SETTINGS + _WITH_ORDERS).encode())
    return settings


def _clean_row(garment: Garment, view: int, size: int) -> Row:
    name = f"{garment.product}-{view}"
    return Row(name, str(view), garment, lambda: draw(garment, view, size))


def _wild_row(garment: Garment, size: int) -> Row:
    name = f"{garment.product}-wild"
    return Row(name, "wild", garment, lambda: draw_wild(garment, size))


def _check_folder(folder: Path) -> None:
    if folder.is_dir():
        if all(path.name == LOCK for path in folder.iterdir()) or _table_of(folder) is not None:
            return
        what = "the folder holds something else than a catalogue of garments"
    elif folder.exists():
        what = "there is a file where the folder should be"
    else:
        return
    raise BadTable(what, where=str(folder), hint="name a new or an empty folder")


def _table_of(folder: Path) -> list[list[str]] | None:
    """The rows of a table that an earlier call wrote; None if there is none."""
    try:
        text = (folder / TABLE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    head, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    return rows if tuple(head) == COLUMNS else None


def _write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """The table first, by which a later call knows the folder, then the pictures."""
    images = folder / "images"
    make_folder(images)
    remove_leftovers(images)
    _remove_pictures(folder, keep={f"{row.id}.jpg" for row in rows})
    _write_table(folder / TABLE, COLUMNS, map(_cells, rows))
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for _ in threads.map(lambda row: _write_picture(images, row), rows):
            pass


def _write_orders(path: Path, garments: Sequence[Garment], seed: int) -> None:
    lines = (
        (line.customer, f"{garments[line.product].product}-0", line.order, line.day)
        for line in purchases(garments, seed)
    )
    _write_table(path, ("customer", "item", "order", "date"), lines)


def _cells(row: Row) -> list[str]:
    garment = row.garment
    tags = ["|".join(garment.tags[category]) for category in TAGS]
    price = f"{garment.price:.2f}"
    return [row.id, f"{row.id}.jpg", garment.product, row.view, *tags, price, garment.season]


def _write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    _write(path, csv_text([head, *rows]).encode())


def _write_picture(images: Path, row: Row) -> None:
    full_colour = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, *full_colour]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(row.picture(), cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode {row.id}")
    _write(images / f"{row.id}.jpg", data.tobytes())


def _write(path: Path, data: bytes) -> None:
    """Write a whole file or none; leave it alone if it holds these bytes."""
    if path.is_file() and path.read_bytes() == data:
        return
    write_aside(path, lambda part: part.write_bytes(data), sweep=False)


def _remove_pictures(folder: Path, keep: set[str]) -> None:
    """Remove the pictures that an earlier call wrote and that are no longer wanted."""
    for row in _table_of(folder) or []:
        name = row[COLUMNS.index("image")]
        if name not in keep and Path(name).name == name:
            (folder / "images" / name).unlink(missing_ok=True)


def _remove_catalogue(folder: Path) -> None:
    """Remove a catalogue that an earlier call wrote, if there is one."""
    if _table_of(folder) is None:
        return
    _remove_pictures(folder, keep=set())
    for name in (SETTINGS, TABLE):
        (folder / name).unlink(missing_ok=True)
    for emptied in (folder / "images", folder):
        if not any(emptied.iterdir()):
            emptied.rmdir()
