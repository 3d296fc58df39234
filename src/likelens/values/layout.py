"""Where a catalogue's parts lie: the keys of ``catalogue.toml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .columns import nfc
from .errors import BadTable, first_few
from .paths import as_on_disk, is_folder
from .tables import MISSING
from .text_files import read_toml

PARTITION = Path("Eval", "list_eval_partition.txt")
"""The list that a DeepFashion folder is known by."""


@dataclass(frozen=True)
class Layout:
    """Where a catalogue's parts lie; the keys of ``catalogue.toml`` and of ``Catalogue.open``.

    Attributes:
        table: CSV, TSV, Parquet or JSON-lines file, or the list of a published data set;
            None for a folder of class folders.
        images: folder of the pictures; ``images`` beside the table, or the table's own
            folder, if not given.
        id: column of the item ids; ``id`` if not given.
        image: column of file names under ``images``; if not given, the file whose
            name without its ending is the id.
        product: column of product ids, where a product has several pictures.
        category: column of class labels.
        tags: columns of tags, one category each.
        split: text between the values of a cell, such as ``|``.
        missing: texts that stand for no value.
        drop: tag columns to leave out again (sizes, which no picture shows).
        purchases: table of purchases: columns customer and item, and basket if there is one.
        customer: column of customers in ``purchases``.
        item: column of item ids in ``purchases``.
        basket: column of baskets in ``purchases``: items that were bought together.
        part: parts of a published data set; all where none is named.
        bbox: whether only the box of each picture counts.
        source: what was opened, as it was given; not a key.
        given: the arguments that went before what the TOML file says; not a key.
    """

    table: Path | None = None
    images: Path | None = None
    id: str = "id"
    image: str | None = None
    product: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    split: str | None = None
    missing: tuple[str, ...] = MISSING
    drop: tuple[str, ...] = ()
    purchases: Path | None = None
    customer: str = "customer"
    item: str = "item"
    basket: str | None = None
    part: tuple[str, ...] = ()
    bbox: bool = False
    source: Path = field(default=Path(), metadata={"own": True})
    given: Mapping[str, Any] = field(default_factory=dict, metadata={"own": True})


def find_layout(given: str | os.PathLike[str]) -> Layout:
    """What a source says of itself, before any option.

    Raises:
        BadTable: there is nothing there, or its TOML is wrong.
    """
    if not isinstance(given, str | os.PathLike):
        raise BadTable(
            f"a source is a path, not {type(given).__name__}",
            where="source",
            hint="give a folder of class folders, a table, or a catalogue.toml",
        )
    given = as_on_disk(os.fspath(given))
    source = Path(given)
    if is_folder(source):
        inner = source / "catalogue.toml"
        if inner.is_file():
            return _read_toml(inner)
        partition = source / PARTITION
        return Layout(table=partition) if partition.is_file() else Layout(images=source)
    if not os.path.exists(source):  # noqa: PTH110 - a Path raises for long names
        raise BadTable(
            "there is no such folder or table",
            where=str(source)[:200],
            hint="give a folder of class folders, a table, or a catalogue.toml; only the images "
            "of a table may have addresses"
            if "://" in given
            else "give a folder of class folders, a table, or a catalogue.toml",
        )
    return _read_toml(source) if source.suffix.lower() == ".toml" else Layout(table=source)


def _read_toml(path: Path) -> Layout:
    entries = read_toml(path)
    kinds = {one.name: str(one.type) for one in fields(Layout) if not one.metadata}
    unknown = [key for key in entries if key not in kinds]
    if unknown:
        raise BadTable(
            f"unknown key {first_few(unknown)}",
            where=str(path),
            hint=f"the keys are: {', '.join(kinds)}",
        )
    layout = Layout(**{key: _entry(path, key, kinds[key], v) for key, v in entries.items()})
    if layout.table is None and layout.images is None:
        layout = replace(layout, images=path.parent)
    return layout


def _entry(path: Path, key: str, kind: str, value: object) -> Any:
    """One key's value as ``Layout`` holds it."""
    if kind.startswith("tuple"):
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(map(nfc, value))
        raise BadTable(
            f'{key} must be a list of texts, ["a", "b"]', where=str(path), hint="fix that line"
        )
    if kind == "bool":
        if isinstance(value, bool):
            return value
        raise BadTable(f"{key} must be true or false", where=str(path), hint="fix that line")
    if not isinstance(value, str):
        raise BadTable(f"{key} must be a text", where=str(path), hint="fix that line")
    return path.parent / value if kind.startswith("Path") else nfc(value)
