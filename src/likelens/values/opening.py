"""Opens a catalogue from a folder of class folders, a table, or a published data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .arrays import Positions
from .boxes import Box, box_rows, boxes_of_table
from .catalogue import Catalogue
from .columns import holds_bytes, nfc
from .datasets.base import Dataset, find_dataset
from .datasets.parts import choose_parts
from .errors import BadTable, first_few, plural
from .image_files import find_images
from .layout import Layout
from .paths import Paths, is_file
from .places import (
    ENDINGS,
    below,
    beside,
    check_folder,
    good_rows,
    images_below,
    on_disk,
    passed_over,
    skipped_rows,
)
from .remote import bytes_column, images_in_parquet
from .table_notes import doubtful_texts, unique_tags
from .tables import column, read_table, text_column, text_sets, texts
from .tags import Tags

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "image", "product", "category", "split")
"""Options that say something of the columns of a table only."""


def open_layout(layout: Layout, *, skip_missing: bool, allow_private: bool = False) -> Catalogue:
    """The catalogue whose parts lie so.

    Takes and raises what ``Catalogue.open`` does.
    """
    if layout.purchases is not None and not is_file(layout.purchases):
        raise BadTable(
            "there is no such table",
            where=str(layout.purchases)[:200],
            hint="check --purchases",
        )
    if layout.table is None:
        return _open_folder(layout)
    dataset = find_dataset(layout.table)
    if dataset is not None:
        return _open_dataset(dataset, layout, layout.table, skip=skip_missing)
    return _open_table(layout, layout.table, skip=skip_missing, allow_private=allow_private)


def _open_folder(layout: Layout) -> Catalogue:
    """Class folders: the id is the path below the root, the class its first folder."""
    import pyarrow as pa
    import pyarrow.compute as pc

    root = layout.images or Path()
    asked = {"part": layout.part, "bbox": layout.bbox}  # also where a TOML file asks
    for name in (*COLUMNS, *asked):
        if name in layout.given or asked.get(name):
            raise BadTable(
                f"a folder of class folders has no columns, so --{name} says nothing",
                where=str(root),
                hint="give a table, and this folder as --images; or leave it out",
            )
    files, others = images_below(root)
    notes = passed_over(others, root)
    if not files:
        raise BadTable(
            "; ".join(["there is no image in this folder", *notes]),
            where=str(root),
            hint=f"give a folder with images ({', '.join(ENDINGS[:5])} ...), "
            "or a table with --images",
        )
    _check_names(files, root)
    ids = tuple(map(nfc, files))
    same = [ascii(name) for name, item in zip(files, ids, strict=True) if name != item]
    if len(set(ids)) < len(ids):
        raise BadTable(
            f"the names of some images look the same as others: {first_few(same)}",
            where=str(root),
            hint="rename one of each",
        )
    labels = [name.split("/", 1)[0] if "/" in name else None for name in ids]
    columns = {"class": labels} if any(labels) else {}
    wrong = [name for name in (*layout.tags, *layout.drop) if name not in columns]
    if wrong:
        raise BadTable(
            f"a folder of class folders has no tag column {first_few(wrong)}",
            where=str(root),
            hint="give a table with those columns, and this folder as --images",
        )
    names = pc.replace_substring_regex(text_column(ids), "(?s).*/", "")
    return Catalogue(
        ids=ids,
        paths=Paths(files, root),
        attributes=pa.table({"class": text_column(labels), "file": names}),
        tags=Tags.from_columns(columns, ids).drop(*layout.drop),
        labels=tuple(labels) if columns else None,
        layout=layout,
        notes=notes,
    )


def _check_names(files: Sequence[str], root: Path) -> None:
    """Refuses names that are no text, which could be no ids."""
    try:
        "".join(files).encode()
    except UnicodeEncodeError:
        odd = [ascii(name) for name in files if any("\udc80" <= c <= "\udcff" for c in name)]
        raise BadTable(
            f"{plural(len(odd), 'name of a picture is', 'names of pictures are')} "
            f"not UTF-8: {first_few(odd)}",
            where=str(root),
            hint="rename them",
        ) from None


def _open_table(layout: Layout, path: Path, *, skip: bool, allow_private: bool) -> Catalogue:
    if layout.part:
        raise BadTable(
            f"this table is no published data set and has no part {first_few(layout.part)}",
            where=str(path),
            hint="leave --part out, or give a data set of docs/datasets.md",
        )
    root = layout.images or beside(path)
    named = [layout.id, layout.image, layout.product, layout.category, *layout.tags, *layout.drop]
    text_columns = list(dict.fromkeys(name for name in named if name))
    in_table = layout.image if layout.image and bytes_column(path, layout.image) else None
    table = read_table(
        path,
        text_columns=text_columns,
        exact=[name for name in (layout.id, layout.image) if name],
        missing=layout.missing,
        without=[in_table] if in_table else (),
    )
    for name in layout.tags:
        column(table, name, path, "tags (--tags)")
    ids = texts(column(table, layout.id, path, "ids (--id)"))
    files: Sequence[Path | str | None] | None = None
    if in_table:
        files = images_in_parquet(path, in_table)
    elif layout.image is not None:
        files = texts(column(table, layout.image, path, "images (--image)"))
    images = find_images(ids, files, root, allow_private=allow_private)
    places, notes = images.places, images.notes
    boxes = boxes_of_table(table, path) if layout.bbox else None
    good = good_rows(
        ids, places, path, root, boxes=boxes, reasons=images.reasons, skip_missing=skip
    )
    if len(good) < len(ids):
        notes += (_left_out(len(ids) - len(good), layout),)
        table = table.take(good)
    raw = [one.name for one in table.schema if holds_bytes(one.type)]
    table = table.drop_columns(raw)
    notes += tuple(f"the column {name} holds bytes and is no attribute" for name in raw[:3])
    kept = tuple(str(ids[row]) for row in good)
    cells = {
        name: text_sets(table.column(name), layout.split, layout.missing) for name in layout.tags
    }
    tags = Tags.from_columns(cells, kept).drop(*_dropped(layout))
    products = _optional(table, layout.product, layout, "products (--product)")
    labels = _optional(table, layout.category, layout, "classes (--category)")
    shown = {name: cells[name] for name in tags.category_names}
    others = {str(layout.product): products or (), str(layout.category): labels or ()}
    notes += unique_tags(tags) + doubtful_texts({**others, **shown}, layout.missing)
    return Catalogue(
        ids=kept,
        paths=Paths((str(places[row]) for row in good), root),
        attributes=_attributes(table, cells, layout.id),
        tags=tags,
        products=products,
        labels=labels,
        boxes=_boxes(boxes, good),
        layout=layout,
        notes=notes,
        skipped=skipped_rows(ids, places, boxes, good, images.reasons),
        unlisted=images.unlisted,
    )


def _open_dataset(dataset: Dataset, layout: Layout, table: Path, *, skip: bool) -> Catalogue:
    """A published data set: the id is the name of the picture in its lists."""
    import pyarrow as pa

    for name in COLUMNS:
        if name in layout.given or getattr(layout, name) != getattr(Layout, name):
            raise BadTable(
                f"{dataset.title} names its own columns, so --{name} says nothing",
                where=str(table),
                hint="leave it out",
            )
    listed, notes = choose_parts(dataset.read(table, layout.images).composed(), layout.part, table)
    root = listed.root
    check_folder(root)
    places = [on_disk(below(name, root), root) for name in listed.files]
    boxes = listed.needed_boxes() if layout.bbox else None
    good = good_rows(listed.ids, places, table, root, boxes=boxes, skip_missing=skip)
    if len(good) < len(places):
        notes += (_left_out(len(places) - len(good), layout),)
    kept = listed.take(good)
    columns = pa.table({name: text_column(cells) for name, cells in kept.columns.items()})
    names = layout.tags or listed.tags
    for name in names:
        column(columns, name, table, "tags (--tags)")
    tags = {name: kept.columns[name] for name in names}
    return Catalogue(
        ids=tuple(kept.ids),
        paths=Paths((str(places[row]) for row in good), root),
        attributes=columns,
        tags=Tags.from_columns(tags, kept.ids).drop(*_dropped(layout)),
        products=tuple(kept.products),
        labels=tuple(kept.labels),
        boxes=_boxes(boxes, good),
        layout=layout,
        notes=notes,
        skipped=skipped_rows(listed.ids, places, boxes, good),
    )


def _boxes(boxes: Sequence[Box | None] | None, rows: Sequence[int]) -> Positions | None:
    """(n, 4) boxes of those rows, all of which have one; None without boxes."""
    return None if boxes is None else box_rows([box for box in map(boxes.__getitem__, rows) if box])


def _left_out(count: int, layout: Layout) -> str:
    lacks = "an id, a picture or a box" if layout.bbox else "an id or a picture"
    return f"left out {plural(count, 'row')} without {lacks}"


def _dropped(layout: Layout) -> tuple[str, ...]:
    """Tag columns to drop: what a TOML file drops need not be among tags given since."""
    return tuple(name for name in layout.drop if "drop" in layout.given or name in layout.tags)


def _optional(
    table: pa.Table, name: str | None, layout: Layout, role: str
) -> tuple[str | None, ...] | None:
    if name is None:
        return None
    return tuple(texts(column(table, name, layout.table or Path(), role)))


def _attributes(
    table: pa.Table, cells: dict[str, list[tuple[str, ...]]], id_column: str
) -> pa.Table:
    """All columns but the id; tag columns as text, or lists of it where a cell holds several."""
    import pyarrow as pa

    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name, values in cells.items():
        if any(len(cell) > 1 for cell in values):
            columns[name] = pa.array([list(cell) for cell in values], pa.list_(pa.string()))
        else:
            columns[name] = text_column([cell[0] if cell else None for cell in values])
    del columns[id_column]
    return pa.table(columns) if columns else table.drop_columns([id_column])
