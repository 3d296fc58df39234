"""The items that a store serves, brought up to date with a catalogue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..store.base import BOX, FILE, OWN, RELATIVE, Store
from ..store.merging import upsert_rows
from ..values.embeddings import failure_table
from ..values.errors import BadTable, first_few, plural
from .jobs import EmbedRun
from .survey import Survey

if TYPE_CHECKING:
    import pyarrow as pa


def serve(survey: Survey, runs: Iterable[EmbedRun], store: Store, *, sync: bool) -> list[str]:
    """Add and update the items of a catalogue, and note which images have no vector.

    An item whose image cannot be read or opened now keeps the file, and so the vector, that it
    had before.

    Args:
        survey: of the catalogue.
        runs: what was embedded.
        store: held for writing.
        sync: also remove items and attributes that the catalogue does not have; an item that
            its table lists, and whose image was not found, stays.

    Returns:
        The ids of the items that were removed.

    Raises:
        BadTable: an attribute has values of another type than before.
    """
    import pyarrow.compute as pc

    before, after = store.items()["id"], merged(survey, store, sync=sync)
    store.put_items(after)
    for run in runs:
        if run.error is None:
            store.put_failures(run.name, _failures(run, survey, store, after["id"]))
    gone: list[str] = before.filter(pc.invert(pc.is_in(before, after["id"]))).to_pylist()
    return gone


def merged(survey: Survey, store: Store, *, sync: bool) -> pa.Table:
    """The items that a store will serve.

    Raises:
        BadTable: an attribute has values of another type than before, or only some of the items
            would have boxes.
    """
    import pyarrow.compute as pc

    before = store.items()
    new = _items(survey, before)
    if sync:
        before = _listed_only(survey, before)
    if not len(before):
        return new
    if (BOX in before.column_names) != (BOX in new.column_names):
        has, lacks = (
            ("store", "catalogue") if BOX in before.column_names else ("catalogue", "store")
        )
        if not np.asarray(pc.is_in(before["id"], survey.ids)).all():
            raise BadTable(
                f"the images of this {has} have boxes, those of the {lacks} have none",
                where=store.place,
                hint="embed with --bbox or without as before, or into another catalogue of the "
                f"store: --store '{store.place}#NAME'",
            )
        before = before.drop_columns([BOX] if has == "store" else [])
    return upsert_rows(before, new, store.place)


def _listed_only(survey: Survey, before: pa.Table) -> pa.Table:
    """The stored rows of items that the table lists, and whose images were not found."""
    import pyarrow as pa
    import pyarrow.compute as pc

    boxed = survey.catalogue.boxes is not None
    if boxed != (BOX in before.column_names):
        return before[:0]
    listed = pa.array([item for item, _reason in survey.catalogue.skipped], pa.string())
    return before.filter(pc.is_in(before["id"], listed)).drop_columns(lost_columns(survey, before))


def lost_columns(survey: Survey, before: pa.Table) -> list[str]:
    """The attributes of stored items that a catalogue does not have."""
    names = {"id", *OWN, *_attributes(survey)}
    return [name for name in before.column_names if name not in names]


def _failures(run: EmbedRun, survey: Survey, store: Store, served: pa.ChunkedArray) -> pa.Table:
    """The failures of this run and, of served items that it was not about, those before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    now, old = failure_table(run.failures), store.failures(run.name)
    apart = pc.invert(pc.is_in(old["id"], survey.ids))
    there = pc.is_in(old["id"], served)
    return pa.concat_tables([old.filter(pc.and_(apart, there)), now])


def plain_name(name: str) -> str:
    """The name of a column as the store has it: no ``_`` before it, no dots and no quotes."""
    return re.sub(r"^_+|[.`\"]", " ", name).strip()


def _attributes(survey: Survey) -> dict[str, pa.ChunkedArray]:
    """Columns of the catalogue, under names that the store has room for."""
    table = survey.catalogue.attributes
    columns: dict[str, pa.ChunkedArray] = {}
    used = Counter(["id"])
    for place, name in enumerate(table.column_names):
        plain = unique = plain_name(name) or f"column {place + 1}"
        while unique in columns or unique == "id":  # names that differ only in what had to go
            unique = f"{plain}_{used[plain] if used[plain] > 1 else ''}"
            used[plain] += 1
        columns[unique] = table.column(place)
        used[plain] = max(used[plain], 1)
    return columns


def _items(survey: Survey, before: pa.Table) -> pa.Table:
    """The rows of a catalogue, with the file of each image as it could last be read."""
    import pyarrow as pa

    files = _last_readable(survey, before)
    columns = {"id": survey.ids, **_attributes(survey)}
    for name in FILE if survey.catalogue.boxes is None else (*FILE, BOX):
        columns[name] = files[name]
    columns[RELATIVE] = files[RELATIVE]
    return pa.table(columns)


def _last_readable(survey: Survey, before: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    nothing = pa.nulls(len(survey.files), pa.string())
    files = survey.files.append_column(RELATIVE, nothing)
    rows = _unusable(survey)
    if not len(before) or not len(rows):
        return files
    names = [name for name in files.column_names if name in before.column_names]
    place = pc.index_in(survey.ids.take(rows), before["id"])
    digests = before["_digest"].take(place)
    had = np.asarray(pc.fill_null(pc.not_equal(digests, ""), False))
    unusable = np.zeros(len(files), bool)
    unusable[np.asarray(rows)[had]] = True
    back = np.zeros(len(files), np.int64)
    back[np.asarray(rows)[had]] = np.asarray(place.filter(pa.array(had)))
    columns = {}
    for name in files.column_names:
        old = before[name].take(pa.array(back)) if name in names else nothing
        columns[name] = pc.if_else(pa.array(unusable), old, files[name])
    return pa.table(columns)


def _unusable(survey: Survey) -> pa.Array:
    """Rows whose image cannot be read, or not be opened, as those with the same content."""
    import pyarrow as pa

    torn = survey.digests[sorted(survey.unopened)]
    rows = ~survey.readable | np.isin(survey.digests, torn)
    return pa.array(np.flatnonzero(rows))


def removed_text(removed: Sequence[str], columns: Sequence[str]) -> str:
    """What a run with ``sync`` removed, in a sentence; empty if nothing."""
    said = []
    if removed:
        said.append(f"{plural(len(removed), 'item')} removed: {first_few(removed)}")
    if columns:
        said.append(f"{plural(len(columns), 'column')} removed: {first_few(columns)}")
    return "; ".join(said)
