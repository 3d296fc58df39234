"""The file behind each row's image: named after its id, named by a column, or fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .places import images_below, passed_over, places_of, without_a_row
from .remote import fetch_images, is_address


@dataclass(frozen=True)
class ImageFiles:
    """Where the images of a table's rows lie.

    Attributes:
        places: a path for each row, below the folder of images or absolute; None without one.
        reasons: by row, why an address gives no image.
        unlisted: images in the folder that no row names.
        notes: what the user should know.
    """

    places: Sequence[str | None]
    reasons: Mapping[int, str]
    unlisted: tuple[str, ...]
    notes: tuple[str, ...]


def find_images(
    ids: Sequence[str | None],
    files: Sequence[Path | str | None] | None,
    root: Path,
    *,
    allow_private: bool,
) -> ImageFiles:
    """The file of each row's image; addresses are fetched.

    Args:
        ids: of the rows.
        files: of each row a file, a name in the folder, or an address; None if images are
            named after the ids.
        root: the folder of images, which is only looked into if a row names no address.
        allow_private: as for ``fetch_images``.

    Raises:
        BadTable: there is no such folder, or a name leads out of it or fits several files.
        MissingExtra: a package that fetches an address is not installed.
    """
    cells = files or ()
    addresses = {
        row: cell for row, cell in enumerate(cells) if isinstance(cell, str) and is_address(cell)
    }
    names = None
    if files is not None:
        names = [
            cell if isinstance(cell, str) and row not in addresses else None
            for row, cell in enumerate(cells)
        ]
    in_folder = names is None or any(names)
    images, others = images_below(root) if in_folder else ([], [])
    places = places_of(ids, names, images, others, root)
    fetched = fetch_images(addresses.values(), root, allow_private=allow_private)
    reasons = {}
    for row, cell in enumerate(cells):
        file = fetched[addresses[row]] if row in addresses else cell
        if isinstance(file, Path):
            places[row] = str(file)
        elif row in addresses:
            reasons[row] = f"{addresses[row]}: {file}"
    used = {*places}
    return ImageFiles(
        places,
        reasons,
        tuple(sorted({*images} - used)),
        without_a_row(images, places, root) + passed_over({*others} - used, root),
    )
