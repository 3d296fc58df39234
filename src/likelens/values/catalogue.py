"""A catalogue: ordered items with a picture and attributes each. No pixel is read here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array
from .errors import BadTable, first_few
from .layout import Layout, find_layout
from .paths import Paths
from .tables import column, read_table, text_sets, texts
from .tags import Tags

if TYPE_CHECKING:
    import pyarrow as pa

PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Purchases:
    """Who bought what.

    Attributes:
        customers: (p,) customer ids, as text.
        items: (p,) item ids, as text.
        path: the table they come from.
    """

    customers: Array
    items: Array
    path: Path

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False, repr=False)
class Catalogue:
    """Ordered items, the places of their pictures, and their attributes.

    Attributes:
        ids: item ids, in order, each once.
        paths: the picture of each item; not opened, but known to be there.
        attributes: Arrow table, a row per item: every column of the source but its id.
        tags: which item bears which tag.
        products: product of each item, or None.
        labels: class of each item (None where it has none), or None.
        layout: where the parts were found.
        notes: what the user should know of how it was read.
    """

    ids: tuple[str, ...]
    paths: Paths
    attributes: pa.Table = field(repr=False)
    tags: Tags = field(repr=False)
    products: tuple[str | None, ...] | None = field(default=None, repr=False)
    labels: tuple[str | None, ...] | None = field(default=None, repr=False)
    layout: Layout = field(default_factory=Layout, repr=False)
    notes: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] | None = None,
        id: str | None = None,  # noqa: A002 - the name of the column, as in catalogue.toml
        image: str | None = None,
        product: str | None = None,
        category: str | None = None,
        tags: Sequence[str] | None = None,
        split: str | None = None,
        missing: Sequence[str] | None = None,
        drop: Sequence[str] | None = None,
        purchases: str | os.PathLike[str] | None = None,
        customer: str | None = None,
        item: str | None = None,
        skip_missing: bool = False,
    ) -> Catalogue:
        """The catalogue in a folder of class folders, a table, or a ``catalogue.toml``.

        Args:
            source: the folder, table or TOML file; a folder that holds a
                ``catalogue.toml`` is read by it. What is given here goes before
                what the TOML file says. See ``Layout`` for the other arguments.
            images: folder of the pictures.
            id: column of the item ids.
            image: column of file names.
            product: column of product ids.
            category: column of class labels.
            tags: columns of tags, one category each.
            split: text between the values of a cell.
            missing: texts that stand for no value; ``NA``, nothing and ``null`` if not given.
            drop: tag columns to leave out again.
            purchases: table of purchases.
            customer: its column of customers; ``customer`` if not given.
            item: its column of item ids; ``item`` if not given.
            skip_missing: go on without rows that have no id or no picture.

        Raises:
            BadTable: nothing there, unknown columns, repeated ids, or pictures that
                are not there; the message counts them and names the first few.
        """
        if isinstance(tags, str) or isinstance(drop, str):
            raise BadTable(
                "tags and drop are lists of columns, not one text",
                where=f"Catalogue.open({str(source)!r})",
                mend='write tags=["gender", "colour"]',
            )
        given: dict[str, Any] = {
            "images": None if images is None else Path(images),
            "id": id,
            "image": image,
            "product": product,
            "category": category,
            "tags": None if tags is None else tuple(tags),
            "split": split,
            "missing": None if missing is None else tuple(missing),
            "drop": None if drop is None else tuple(drop),
            "purchases": None if purchases is None else Path(purchases),
            "customer": customer,
            "item": item,
        }
        given = {name: value for name, value in given.items() if value is not None}
        layout = replace(find_layout(Path(source)), **given)
        told = given | ({"skip_missing": True} if skip_missing else {})
        layout = replace(layout, source=Path(source), given=told)
        if layout.table is None:
            return _open_folder(layout)
        return _open_table(layout, skip_missing=skip_missing)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        tags = ", ".join(self.tags.category_names) or "none"
        return f"Catalogue({len(self):,} items; tags: {tags})"

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each id."""
        return {item: row for row, item in enumerate(self.ids)}

    @cached_property
    def purchases(self) -> Purchases | None:
        """The purchases that the layout names, or None."""
        layout = self.layout
        if layout.purchases is None:
            return None
        names = (layout.customer, layout.item)
        table = read_table(layout.purchases, text_columns=names)
        customers, items = (
            texts(column(table, name, layout.purchases, "purchases"), layout.missing)
            for name in names
        )
        rows = [pair for pair in zip(customers, items, strict=True) if None not in pair]
        return Purchases(
            np.array([customer for customer, _ in rows], np.str_),
            np.array([item for _, item in rows], np.str_),
            layout.purchases,
        )

    def take(self, ids: Sequence[str]) -> Catalogue:
        """The catalogue of some of its items, in that order.

        Raises:
            BadTable: an id is unknown.
        """
        lost = [item for item in ids if item not in self.position]
        if lost:
            raise BadTable(
                f"{len(lost):,} items are not in the catalogue: {first_few(lost)}",
                where="Catalogue.take",
                mend="take ids of this catalogue",
            )
        rows = [self.position[item] for item in ids]
        return replace(
            self,
            ids=tuple(ids),
            paths=self.paths.take(rows),
            attributes=self.attributes.take(np.array(rows, np.int64)),
            tags=self.tags.take(ids),
            products=None if self.products is None else tuple(self.products[r] for r in rows),
            labels=None if self.labels is None else tuple(self.labels[r] for r in rows),
        )


def _open_folder(layout: Layout) -> Catalogue:
    """Class folders: the id is the path below the root, the class its first folder."""
    import pyarrow as pa

    root = layout.images or Path()
    for name in ("id", "image", "product", "category", "split"):
        if name in layout.given:
            raise BadTable(
                f"a folder of class folders has no columns, so --{name} says nothing",
                where=str(root),
                mend="give a table, and this folder as --images; or leave it out",
            )
    files = _pictures(root)
    if not files:
        raise BadTable(
            "there is no picture in this folder",
            where=str(root),
            mend=f"give a folder with pictures ({', '.join(PICTURES[:5])} ...), "
            "or a table with --images",
        )
    labels = [name.split("/", 1)[0] if "/" in name else None for name in files]
    columns = {"class": labels} if any(labels) else {}
    wrong = [name for name in (*layout.tags, *layout.drop) if name not in columns]
    if wrong:
        raise BadTable(
            f"a folder of class folders has no tag column {first_few(wrong)}",
            where=str(root),
            mend="give a table with those columns, and this folder as --images",
        )
    names = [PurePosixPath(name).name for name in files]
    return Catalogue(
        ids=tuple(files),
        paths=Paths(files, root),
        attributes=pa.table({"class": pa.array(labels, pa.string()), "file": pa.array(names)}),
        tags=Tags.from_columns(columns, files).drop(*layout.drop),
        labels=tuple(labels) if columns else None,
        layout=layout,
    )


def _pictures(root: Path) -> list[str]:
    """Pictures below a folder, as sorted paths from it; hidden files and folders are left out."""
    if not root.is_dir():
        raise BadTable("there is no such folder", where=str(root), mend="check --images")
    found = []
    for folder, inner, names in os.walk(root, onerror=_cannot_list):
        inner[:] = [name for name in inner if not name.startswith(".")]
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        found += [
            prefix + name
            for name in names
            if name.lower().endswith(PICTURES) and not name.startswith(".")
        ]
    return sorted(found)


def _cannot_list(error: OSError) -> None:
    raise BadTable(
        f"a folder cannot be looked into: {error.strerror}",
        where=str(error.filename),
        mend="check its permissions, or that its disk is there",
    )


def _open_table(layout: Layout, *, skip_missing: bool) -> Catalogue:
    path = layout.table
    if path is None:  # for the type checker: the caller has looked
        raise BadTable("no table is named", where="catalogue", mend="name a table")
    root = layout.images or _beside(path)
    named = [layout.id, layout.image, layout.product, layout.category, *layout.tags, *layout.drop]
    text_columns = list(dict.fromkeys(name for name in named if name))
    table = read_table(path, text_columns=text_columns, missing=layout.missing)
    for name in layout.tags:
        column(table, name, path, "tags (--tags)")
    ids = texts(column(table, layout.id, path, "ids (--id)"), layout.missing)
    files = None
    if layout.image is not None:
        files = texts(column(table, layout.image, path, "pictures (--image)"), layout.missing)
    places, notes = _places(ids, files, _pictures(root), root)
    good = _good_rows(ids, places, path, root, skip_missing=skip_missing)
    if len(good) < len(ids):
        notes += (f"left out {len(ids) - len(good):,} rows without an id or a picture",)
        table = table.take(good)
    kept = tuple(str(ids[row]) for row in good)
    cells = {name: text_sets(table[name], layout.split, layout.missing) for name in layout.tags}
    return Catalogue(
        ids=kept,
        paths=Paths((str(places[row]) for row in good), root),
        attributes=_attributes(table, cells, layout.id),
        tags=Tags.from_columns(cells, kept).drop(*_dropped(layout)),
        products=_optional(table, layout.product, layout, "products (--product)"),
        labels=_optional(table, layout.category, layout, "classes (--category)"),
        layout=layout,
        notes=notes,
    )


def _dropped(layout: Layout) -> tuple[str, ...]:
    """Tag columns to drop: what a TOML file drops need not be among tags given since."""
    return tuple(name for name in layout.drop if "drop" in layout.given or name in layout.tags)


def _beside(table: Path) -> Path:
    """The folder of pictures of a table that names none: ``images`` beside it, or its own."""
    inner = table.parent / "images"
    return inner if inner.is_dir() else table.parent


def _optional(
    table: pa.Table, name: str | None, layout: Layout, role: str
) -> tuple[str | None, ...] | None:
    if name is None:
        return None
    return tuple(texts(column(table, name, layout.table or Path(), role), layout.missing))


def _attributes(
    table: pa.Table, cells: dict[str, list[tuple[str, ...]]], id_column: str
) -> pa.Table:
    """All columns but the id; tag columns as text, or lists of it where a cell holds several."""
    import pyarrow as pa

    for name, values in cells.items():
        if any(len(cell) > 1 for cell in values):
            array = pa.array([list(cell) for cell in values], pa.list_(pa.string()))
        else:
            array = pa.array([cell[0] if cell else None for cell in values], pa.string())
        table = table.set_column(table.column_names.index(name), name, array)
    return table.drop_columns([id_column])


def _places(
    ids: Sequence[str | None], files: Sequence[str | None] | None, found: list[str], root: Path
) -> tuple[list[str | None], tuple[str, ...]]:
    """The picture of each row as a path below the root, None where there is none."""
    if files is not None:
        inside = [None if name is None else _below(name, root) for name in files]
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
                f"{len(several):,} ids fit several pictures: "
                f"{first_few(f'{i} ({first_few(stems[i])})' for i in several)}",
                where=str(root),
                mend="name the file in a column, and the column with --image",
            )
        places = [stems.get(i, [None])[0] if i is not None else None for i in ids]
    unused = len(found) - len({place for place in places if place is not None})
    notes = (f"{unused:,} pictures in {root} have no row in the table",) if unused else ()
    return places, notes


def _below(name: str, root: Path) -> str:
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
            mend="move it inside, or give a folder with --images that holds all pictures",
        )
    return PurePosixPath(plain).as_posix()


def _good_rows(
    ids: Sequence[str | None],
    places: Sequence[str | None],
    path: Path,
    root: Path,
    *,
    skip_missing: bool,
) -> list[int]:
    """Rows with an id and a picture; complains of all others in one error."""
    if not ids:
        raise BadTable("the table has no rows", where=str(path), mend="give a table with items")
    repeated = [item for item, count in Counter(ids).items() if count > 1 and item is not None]
    if repeated:
        raise BadTable(
            f"{len(repeated):,} ids stand on several rows: {first_few(repeated)}",
            where=str(path),
            mend="give every picture an id of its own; --product may name the shared one",
        )
    nameless = [row + 1 for row, item in enumerate(ids) if item is None]
    pictureless = [
        i for i, place in zip(ids, places, strict=True) if i is not None and place is None
    ]
    good = [r for r in range(len(ids)) if ids[r] is not None and places[r] is not None]
    if not good:
        raise BadTable(
            f"none of the {len(ids):,} rows has a picture: ids such as {first_few(ids)}",
            where=f"{path} with pictures in {root}",
            mend="check --images, --id, and --image if file names are not the ids",
        )
    if len(good) == len(ids) or skip_missing:
        return good
    problems = []
    if pictureless:
        problems.append(f"{len(pictureless):,} items have no picture: {first_few(pictureless)}")
    if nameless:
        problems.append(f"{len(nameless):,} rows have no id: rows {first_few(nameless)}")
    raise BadTable(
        "; ".join(problems),
        where=f"{path} with pictures in {root}",
        mend="add the pictures, or go on without them: --skip-missing",
    )
