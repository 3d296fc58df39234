"""A catalogue in the words of the VSD release: what ``vsd.py`` reads, written."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadTable, first_few, plural
from ..files import write_aside

if TYPE_CHECKING:
    from ..catalogue import Catalogue


@dataclass(frozen=True)
class Release:
    """The pictures of a catalogue, by path.

    Attributes:
        images: an entry per picture, as the metadata of the release has them.
        root: the folder that their paths start from.
        queries: path of each item that may ask.
        candidates: path of each item that may be found.
        both: how many pictures ask and can be found; their phase is ``query``.
    """

    images: tuple[Mapping[str, Any], ...] = field(repr=False)
    root: Path
    queries: Mapping[str, str] = field(repr=False)
    candidates: Mapping[str, str] = field(repr=False)
    both: int

    def write(self, path: Path) -> None:
        """Write the metadata, an image per line; whole, or not at all.

        Raises:
            BadTable: it cannot be written there.
        """
        body = ",\n".join(json.dumps(image, ensure_ascii=False) for image in self.images)
        text = f'{{"images": [\n{body}\n]}}\n'
        write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8", newline="\n"))


def describe(
    catalogue: Catalogue, queries: Catalogue | None = None, *, asked: Collection[str] = ()
) -> Release:
    """A catalogue as the VSD release describes pictures (arXiv 2308.14753).

    Each has a path, the product (or, without one, the item) as ``id``, a phase, and box and
    category where they are known.

    Args:
        catalogue: the items that can be found; the phase of their pictures is ``gallery``.
        queries: those that ask, if others; theirs is ``query``.
        asked: where there are no others: which of the items ask.

    Raises:
        BadTable: a picture shows several items, or stands in both catalogues for different
            ones: the release tells items by their pictures. Or there is no folder that holds
            all pictures.
    """
    root = _root(catalogue, queries)
    candidates = _paths(catalogue, root)
    found = _entries(catalogue, candidates, "gallery")
    if queries is None:
        known = set(asked)
        paths = {item: path for item, path in candidates.items() if item in known}
        asking = {path: found[path] | {"phase": "query"} for path in paths.values()}
    else:
        paths = _paths(queries, root)
        asking = _entries(queries, paths, "query")
    torn = [
        path
        for path in asking.keys() & found.keys()
        if asking[path] != found[path] | {"phase": "query"}
    ]
    if torn:
        raise BadTable(
            f"{plural(len(torn), 'picture stands', 'pictures stand')} "
            f"in both catalogues with another product, category or "
            f"box: {first_few(sorted(torn))}",
            where=str(catalogue.layout.source),
            hint="describe them alike in both",
        )
    return Release(
        images=tuple((found | asking).values()),
        root=root,
        queries=paths,
        candidates=candidates,
        both=len(asking.keys() & found.keys()),
    )


def _root(catalogue: Catalogue, queries: Catalogue | None) -> Path:
    """The folder that holds all pictures."""
    folders = [one.paths.root.absolute() for one in (catalogue, queries) if one is not None]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:
        raise BadTable(
            "the pictures of the two catalogues lie on two drives",
            where=" and ".join(map(str, folders)),
            hint="the VSD release has one folder of pictures: bring them together",
        ) from error


def _paths(catalogue: Catalogue, root: Path) -> dict[str, str]:
    """The path of each item's picture below a folder."""
    start = catalogue.paths.root.absolute()
    below = [Path(os.path.normpath(start / name)) for name in catalogue.paths.names]
    paths = [Path(os.path.relpath(path, root)).as_posix() for path in below]
    first: dict[str, str] = {}
    twice = [
        f"{path} ({first[path]} and {item})"
        for item, path in zip(catalogue.ids, paths, strict=True)
        if first.setdefault(path, item) != item
    ]
    if twice:
        raise BadTable(
            f"{plural(len(twice), 'item shares', 'items share')} "
            f"a picture with another one: {first_few(twice)}",
            where=str(catalogue.layout.source),
            hint="the VSD release tells items by their pictures: give each item a file of its own",
        )
    return dict(zip(catalogue.ids, paths, strict=True))


def _entries(
    catalogue: Catalogue, paths: Mapping[str, str], phase: str
) -> dict[str, dict[str, Any]]:
    """The entry of each picture, by path."""
    entries: dict[str, dict[str, Any]] = {}
    for row, (item, path) in enumerate(paths.items()):
        product = None if catalogue.products is None else catalogue.products[row]
        entry: dict[str, Any] = {"id": product or item, "path": path, "phase": phase}
        if catalogue.boxes is not None:
            x, y, width, height = catalogue.boxes[row].tolist()
            entry["bbox"] = {"x1": x, "y1": y, "x2": x + width, "y2": y + height}
        label = None if catalogue.labels is None else catalogue.labels[row]
        if label is not None:
            entry["category"] = label
        entries[path] = entry
    return entries
