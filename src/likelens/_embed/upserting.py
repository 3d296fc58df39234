"""Single items added to a store, or updated, without their table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..images import open_image
from ..store.base import OWN, Store, item_id
from ..values.catalogue import Catalogue
from ..values.columns import nfc, plain_column
from ..values.errors import BadTable, first_few
from ..values.paths import Paths
from ..values.remote import local_image
from ..values.tables import MISSING, text_column
from ..values.tags import Tags
from .serving import plain_name

if TYPE_CHECKING:
    import pyarrow as pa


def catalogue_of(store: Store, items: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> Catalogue:
    """Items as a catalogue, with attributes in the types that the store has for them.

    Raises:
        BadTable: an item has no id or image, or an attribute has a value of another type.
        BadImage: an image cannot be opened: of a few items, that is a mistake in the call.
    """
    rows = _rows([items] if isinstance(items, Mapping) else items)
    known = store.items()
    paths = dict(zip(known["id"].to_pylist(), store.image_paths(known).names, strict=True))
    ids = [_id(row, place, store) for place, row in enumerate(rows)]
    if len(set(ids)) < len(ids):
        raise BadTable("an id is given twice", where="upsert", hint="give each item once")
    names = []
    for item, row in zip(ids, rows, strict=True):
        image = row.pop("image", None)
        if image is None and item not in paths:
            raise BadTable(
                f"the item {item!r} is new, and has no image",
                where=store.place,
                hint="give the path of its image: image in Python, --image on the command line",
            )
        if not isinstance(image, str | os.PathLike | None):
            raise BadTable(
                f"the image of {item!r} is of type {type(image).__name__}",
                where=store.place,
                hint="give the path or the address of a file",
            )
        file = paths[item] if image is None else local_image(os.fspath(image))
        names.append(str(Path(file).absolute()))
        open_image(names[-1])
    return Catalogue(
        ids=tuple(ids),
        paths=Paths(names),
        attributes=_attributes(rows, ids, known, store.place),
        tags=Tags.from_columns({}, ids),
    )


def _rows(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each item with its columns' names as tables have them."""
    rows = []
    for row in items:
        if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
            raise BadTable(
                f"an item is a mapping of names to values, not {type(row).__name__}"
                if not isinstance(row, Mapping)
                else "the name of a column is a text",
                where="upsert",
                hint='write [{"id": "123", "image": "photo.jpg"}], or give a Catalogue',
            )
        wrong = [name for name in row if any("\ud800" <= sign <= "\udfff" for sign in name)]
        if wrong:
            raise BadTable(
                f"the column {wrong[0]!r} is not valid Unicode",
                where="upsert",
                hint="write it in UTF-8",
            )
        rows.append({name if name in OWN else plain_name(nfc(name)): row[name] for name in row})
    return rows


def _id(row: dict[str, Any], place: int, store: Store) -> str:
    item = item_id(row.pop("id", None))
    if not item:
        raise BadTable(
            f"item {place + 1} has no id", where=store.place, hint="give each item an id"
        )
    return item


def _attributes(
    rows: Sequence[Mapping[str, Any]], ids: Sequence[str], known: pa.Table, place: str
) -> pa.Table:
    """The attributes given; of those that a row does not give, the values that are stored."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = list(dict.fromkeys(name for row in rows for name in row))
    wrong = [name for name in names if name in OWN]
    if wrong:
        raise BadTable(
            f"{wrong[0]!r} is a column of the store's own", where=place, hint="choose another name"
        )
    where = pc.index_in(text_column(ids), known["id"])
    columns = {}
    for name in names:
        kind = known.schema.field(name).type if name in known.column_names else None
        old = known[name].take(where).to_pylist() if kind is not None else [None] * len(rows)
        given = [row[name] for row in rows if name in row]
        shown = first_few(map(repr, given))
        try:
            cells = [
                _cell(row[name], kind) if name in row else value
                for row, value in zip(rows, old, strict=True)
            ]
            columns[name] = pa.array(cells, _wide_enough(cells, kind))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise BadTable(
                f"{name} = {shown} does not fit: the store holds {kind or 'nothing'} there",
                where=place,
                hint=f"give a value of that type ({' '.join(str(error).split())[:80]})",
            ) from error
    return pa.table(columns)


def _cell(value: Any, kind: pa.DataType | None) -> Any:
    """A value by the rule for cells of tables, read from text where it stands for something else.

    Args:
        value: as given.
        kind: type of the stored column, or None.
    """
    import pyarrow as pa

    given = pa.chunked_array([pa.array([value])])
    plain = plain_column(given, pa.array(["", *MISSING]))[0].as_py()
    if not isinstance(plain, str) or kind is None or pa.types.is_string(kind):
        return plain
    if pa.types.is_list(kind):
        parts = [part.strip() for part in plain.split("|")]
        return pa.array(parts).cast(kind.value_type).to_pylist()
    try:
        read = pa.scalar(plain).cast(kind).as_py()
    except pa.ArrowInvalid:
        if not pa.types.is_integer(kind):
            raise
        read = float(plain)
    return None if read != read else read  # NaN


def _wide_enough(cells: Sequence[Any], kind: pa.DataType | None) -> pa.DataType | None:
    """The type of a column, or decimals where it is of whole numbers and not all cells are."""
    import pyarrow as pa

    decimals = any(isinstance(cell, float) and not cell.is_integer() for cell in cells)
    if kind is not None and pa.types.is_integer(kind) and decimals:
        return pa.float64()
    return kind
