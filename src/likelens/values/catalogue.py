"""A catalogue: ordered items with a picture and attributes each. No pixel is read here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array, Positions
from .boxes import Boxed, FilePicture
from .columns import nfc
from .errors import BadTable, first_few, plural
from .layout import Layout, find_layout
from .paths import Paths, as_on_disk
from .tables import column, read_table, texts
from .tags import Tags
from .views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Purchases:
    """Who bought what.

    Attributes:
        customers: (p,) customer ids, as text.
        items: (p,) item ids, as text.
        path: the table they come from.
        baskets: (p,) what was bought together, as text; "" where nothing is known. None
            without such a column.
    """

    customers: Array
    items: Array
    path: Path
    baskets: Array | None = None

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
        boxes: (n, 4) int64, the part of each picture that counts: x, y, width and height in
            pixels of the upright picture; or None, where pictures count as a whole.
        layout: where the parts were found.
        notes: what the user should know of how it was read.
        skipped: id (or number) and reason of each row of the table that was skipped.
        unlisted: images in the folder of images that no row of the table names.
    """

    ids: tuple[str, ...]
    paths: Paths
    attributes: pa.Table = field(repr=False)
    tags: Tags = field(repr=False)
    products: tuple[str | None, ...] | None = field(default=None, repr=False)
    labels: tuple[str | None, ...] | None = field(default=None, repr=False)
    boxes: Positions | None = field(default=None, repr=False)
    layout: Layout = field(default_factory=Layout, repr=False)
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    unlisted: tuple[str, ...] = field(default=(), repr=False)

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
        basket: str | None = None,
        part: Sequence[str] | None = None,
        bbox: bool = False,
        skip_missing: bool = False,
        allow_private: bool = False,
    ) -> Catalogue:
        """The catalogue in a folder of class folders, a table, a TOML file or a known data set.

        Args:
            source: the folder, table or TOML file; a folder that holds a
                ``catalogue.toml`` is read by it, and one in the layout of a published
                data set as that (``docs/datasets.md``). What is given here goes before
                what the TOML file says. See ``Layout`` for the other arguments.
            images: folder of the pictures.
            id: column of the item ids.
            image: column of file names, of addresses (``https://``, ``s3://`` and others of
                fsspec), or of bytes in a Parquet file; see ``docs/data.md``.
            product: column of product ids.
            category: column of class labels.
            tags: columns of tags, one category each.
            split: text between the values of a cell.
            missing: texts that stand for no value; ``NA``, nothing and ``null`` if not given.
            drop: tag columns to leave out again.
            purchases: table of purchases.
            customer: its column of customers; ``customer`` if not given.
            item: its column of item ids; ``item`` if not given.
            basket: its column of baskets; ``basket`` if there is one.
            part: parts of a published data set, such as ``["query"]``; all if not given.
            bbox: look only at the box of each picture.
            skip_missing: go on without rows that have no id, no picture, or no box with
                ``bbox``.
            allow_private: fetch images also from private and loopback addresses.

        Raises:
            BadTable: nothing there, unknown columns, repeated ids, or pictures that
                are not there; the message counts them and names the first few.
        """
        from .opening import open_layout

        lists = {"tags": tags, "drop": drop, "part": part, "missing": missing}
        for name, value in lists.items():
            if isinstance(value, str):
                raise BadTable(
                    f"{name} is a list of texts, not one text",
                    where=f"Catalogue.open({str(source)!r})",
                    hint=f"write {name}=[{value!r}]",
                )
        given: dict[str, Any] = {
            "images": None if images is None else Path(as_on_disk(os.fspath(images))),
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
            "basket": basket,
            "part": None if part is None else tuple(part),
            "bbox": bbox or None,
        }
        given = {name: _plain(value) for name, value in given.items() if value is not None}
        layout = replace(find_layout(source), **given)
        told = given | ({"skip_missing": True} if skip_missing else {})
        layout = replace(layout, source=Path(as_on_disk(os.fspath(source))), given=told)
        return open_layout(layout, skip_missing=skip_missing, allow_private=allow_private)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        tags = ", ".join(self.tags.category_names) or "none"
        return f"Catalogue({len(self):,} items; tags: {tags})"

    def _repr_html_(self) -> str:
        html: str = VIEWS.load("catalogue")(self)
        return html

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
        names = [layout.customer, layout.item, layout.basket or "basket"]
        table = read_table(
            layout.purchases, text_columns=names, exact=names, missing=layout.missing
        )
        if layout.basket is None and "basket" not in table.column_names:
            names.pop()
        cells = [texts(column(table, name, layout.purchases, "purchases")) for name in names]
        rows = [row for row in zip(*cells, strict=True) if None not in row[:2]]
        customers, items, *baskets = (
            np.array([row[place] or "" for row in rows], np.str_) for place in range(len(names))
        )
        return Purchases(customers, items, layout.purchases, *baskets)

    def picture(self, row: int) -> FilePicture:
        """What there is to see of an item: its whole picture, or the box in it."""
        path = self.paths[row]
        if self.boxes is None:
            return path
        x, y, width, height = self.boxes[row].tolist()
        return Boxed(path, (x, y, width, height))

    @property
    def main_category(self) -> tuple[str, tuple[str | None, ...]] | None:
        """What divides the items best: the name and values of the class, or of the first tag.

        None without classes and tags. Of several tags of one category the first counts.
        """
        if self.labels is not None:
            return self.layout.category or "class", self.labels
        if not self.tags.names:
            return None
        name = self.tags.category_names[0]
        columns = self.tags.columns(name)
        borne = self.tags.matrix[:, columns].tocsr()
        values: list[str | None] = [None] * len(self)
        for row in np.flatnonzero(np.diff(borne.indptr)).tolist():
            values[row] = self.tags.names[columns[borne.indices[borne.indptr[row]]]]
        return name, tuple(values)

    def sample(self, count: int, *, seed: int = 0) -> Catalogue:
        """At most so many items drawn at random, in the order of the catalogue.

        Each class (or, without classes, each value of the first tag category) keeps its
        share, and a product stays whole. A catalogue that is not larger is returned as it is.

        Args:
            count: how many items.
            seed: of the draw; equal seeds draw the same items.

        Raises:
            BadSpec: count is below 1.
        """
        from .sampling import stratified

        main = self.main_category
        groups = [None] * len(self) if main is None else main[1]
        rows = stratified(groups, count, units=self.products, seed=seed)
        return self if len(rows) == len(self) else self.take([self.ids[row] for row in rows])

    def take(self, ids: Sequence[str]) -> Catalogue:
        """The catalogue of some of its items, in that order.

        Raises:
            BadTable: an id is unknown.
        """
        ids = list(map(nfc, ids))
        lost = [item for item in ids if item not in self.position]
        if lost:
            raise BadTable(
                f"{plural(len(lost), 'item is', 'items are')} "
                f"not in the catalogue: {first_few(lost)}",
                where="Catalogue.take",
                hint="take ids of this catalogue",
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
            boxes=None if self.boxes is None else self.boxes[rows],
        )


def _plain(value: Any) -> Any:
    """An argument with its text in NFC, as the texts of tables are.

    Raises:
        BadTable: it is neither text, nor a path, nor a truth value.
    """
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, Path | bool):
        return value
    raise BadTable(
        f"{value!r} is not the name of a column or a text",
        where="Catalogue.open",
        hint=f"write {str(value)!r}, with quotes",
    )
