"""A table of items brought up to date by another: rows added and updated, nothing removed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..values.errors import BadTable


def upsert_rows(before: pa.Table, new: pa.Table, place: str) -> pa.Table:
    """The rows of both tables by ``id``; where both have one, the values of the new one.

    Columns that the new table does not have keep their values. The order is that of the new
    table if it lists all items, else the order before, with new items at the end.

    Args:
        before: the stored items.
        new: the items at hand.
        place: the store, for messages.

    Raises:
        BadTable: a column has values of another type than before.
    """
    known = pc.index_in(new["id"], before["id"])  # row in `before` of each new row
    given = pc.index_in(before["id"], new["id"])
    stays = np.asarray(given.is_null())
    kept = before.filter(pa.array(stays))
    columns: dict[str, pa.ChunkedArray] = {}
    for name in [
        *before.column_names,
        *(n for n in new.column_names if n not in before.schema.names),
    ]:
        old = kept[name] if name in before.column_names else None
        fresh = new[name] if name in new.column_names else before[name].take(known)
        columns[name] = _joined(name, old, fresh, len(kept), place)
    both = pa.table(columns)
    if not len(kept):
        return both
    order = np.empty(len(before), np.int64)
    order[stays] = np.arange(len(kept))
    order[~stays] = len(kept) + np.asarray(given.drop_null())
    added = len(kept) + np.flatnonzero(np.asarray(known.is_null()))
    return both.take(pa.array(np.concatenate([order, added]))).combine_chunks()


def _joined(
    name: str, old: pa.ChunkedArray | None, fresh: pa.ChunkedArray, missing: int, place: str
) -> pa.ChunkedArray:
    """One column over another, in one type."""
    if old is None:
        old = pa.chunked_array([pa.nulls(missing, fresh.type)])
    kind = _common(old, fresh)
    try:
        return pa.chunked_array([*_cast(old, kind), *_cast(fresh, kind)], kind)
    except (pa.ArrowException, TypeError) as error:
        raise BadTable(
            f"the column {name!r} holds {old.type} in the store and {fresh.type} in this table",
            where=place,
            hint="write it as before (also with the same --split), leave it out of this table, or "
            "replace the stored items as a whole: likelens embed --sync",
        ) from error


def _cast(column: pa.ChunkedArray, kind: pa.DataType | None) -> list[pa.Array]:
    if column.null_count == len(column) and kind is not None:
        return [pa.nulls(len(column), kind)]
    chunks: list[pa.Array] = column.cast(kind).chunks
    return chunks


def _common(old: pa.ChunkedArray, fresh: pa.ChunkedArray) -> pa.DataType | None:
    """The type that holds the values of both, or None; that of one where the other has none."""
    one, other = old.type, fresh.type
    if one == other or fresh.null_count == len(fresh):
        return one
    if old.null_count == len(old):
        return other
    try:
        both = [pa.schema([("x", one)]), pa.schema([("x", other)])]
        return pa.unify_schemas(both, promote_options="permissive").field("x").type
    except pa.ArrowException:
        return None
