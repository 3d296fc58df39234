"""Checks a catalogue for copies, tags that are probably wrong, and unusable files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from .._embed import Progress
from .._lineup import Named, check_catalogue, fill_lineup, notes_of, open_lineup, read_all
from ..encoders.fused import join
from ..encoders.running import Running
from ..store.base import Store, open_store
from ..values.arrays import Array, Floats, Positions, unit_rows
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.files import installed
from . import wrong_tags
from .copies import Group, find_groups
from .looks import Looks, look_at_images
from .values import TABLES, Check

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DEFAULT_ENCODER", "TABLES", "Check", "check"]

DEFAULT_ENCODER = "opencv:colour + opencv:hog"
"""What compares images if no encoder is named: colour and shape, without a network."""


def check(
    catalogue: Catalogue,
    encoders: Sequence[Named] | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Check:
    """Copies, tags that are probably wrong, and unusable images of a catalogue.

    Nothing of the catalogue is changed.

    Args:
        catalogue: what to check; open it with ``skip_missing=True`` so that rows without an
            image are findings instead of an error.
        encoders: encoders or their specs; of several, the mean of their cosines counts. By
            default colour and shape without a network (``DEFAULT_ENCODER``).
        store: where vectors are kept; see ``compare``.
        seed: of the tags that are exchanged to measure how well each column can be judged.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The findings, as tables; ``write(folder)`` makes a page of them.

    Raises:
        BadTable: no catalogue, or no encoders.
        BadSpec: an encoder is named wrongly.
        LikelensError: none of the encoders works.
    """
    say = progress or (lambda _label, _done, _total: None)
    check_catalogue(catalogue)
    opened, missing = open_lineup([DEFAULT_ENCODER] if encoders is None else encoders, running)
    looks = look_at_images(catalogue, say)
    found: list[Embeddings] = []
    if len(looks.comparable):
        filled = fill_lineup(catalogue, opened, open_store(store), progress=progress)
        found, failed = read_all(filled, opened)
        missing |= failed
    vectors, has_vector = _joined(catalogue, found)
    groups = find_groups(catalogue, looks, vectors, has_vector, say)
    columns, suspects = _judged(catalogue, looks, groups, vectors, has_vector, seed, say)
    return Check(
        catalogue=catalogue,
        unusable=_unusable(catalogue, looks, found, has_vector),
        copies=_copies(catalogue, looks, groups, vectors),
        wrong_tags=_wrong_tags(catalogue, suspects),
        columns=_columns(columns, suspects),
        notes=(
            *(f"{name} is missing: {reason}" for name, reason in missing.items()),
            *notes_of(opened),
            *_notes(catalogue),
        ),
        run=_run(catalogue, found, seed),
    )


def _joined(catalogue: Catalogue, found: Sequence[Embeddings]) -> tuple[Floats, Array]:
    """(n, d) vectors of the items by all encoders, and which items have a vector by all."""
    place = {item: row for row, item in enumerate(catalogue.ids)}
    parts, known = [], np.ones(len(catalogue), bool)
    for one in found:
        rows = np.array([place[item] for item in one.ids], np.int64)
        part = np.zeros((len(catalogue), one.vectors.shape[1]), np.float32)
        part[rows] = one.vectors
        known &= part.any(axis=1)
        parts.append(part)
    if not parts:
        return np.zeros((len(catalogue), 1), np.float32), ~known
    return (parts[0] if len(parts) == 1 else join(parts, [1.0] * len(parts))), known


def _judged(
    catalogue: Catalogue,
    looks: Looks,
    groups: Sequence[Group],
    vectors: Floats,
    has_vector: Array,
    seed: int,
    say: Progress,
) -> tuple[list[wrong_tags.Column], list[wrong_tags.Suspect]]:
    """What was found of each tag column."""
    columns = list(wrong_tags.tag_columns(catalogue))
    if not columns:
        return [], []
    say("judging tags", 0, len(columns))
    usable = has_vector & np.isin(np.arange(len(catalogue)), looks.comparable)
    neighbours = wrong_tags.find_neighbours(
        vectors, usable, _group_of(groups, len(catalogue)), _product_of(catalogue)
    )
    judged, suspects = [], []
    for number, (name, tags, names) in enumerate(columns):
        if tags is None:
            several = "items have several values, and only single ones are judged"
            judged.append(wrong_tags.Column(name, len(catalogue), len(names), reason=several))
        else:
            column, some = wrong_tags.judge(name, tags, names, neighbours, seed)
            judged.append(column)
            suspects += some
        say("judging tags", number + 1, len(columns))
    return judged, suspects


def _group_of(groups: Sequence[Group], count: int) -> Positions:
    """(n,) number of each item's group of copies; its own where it has no copy."""
    numbers = np.arange(count)
    for group in groups:
        numbers[group.rows] = group.reference
    return numbers


def _product_of(catalogue: Catalogue) -> Positions:
    """(n,) number of each item's product; its own where it has none."""
    numbers = np.arange(len(catalogue))
    first: dict[str, int] = {}
    for row, name in enumerate(catalogue.products or ()):
        if name is not None:
            numbers[row] = first.setdefault(name, row)
    return numbers


def _unusable(
    catalogue: Catalogue, looks: Looks, found: Sequence[Embeddings], has_vector: Array
) -> pa.Table:
    reasons = {row["id"]: row["reason"] for one in found for row in one.failures.to_pylist()}
    rows: list[tuple[str | None, str | None, str, str]] = []
    rows += [(item, None, "missing", reason) for item, reason in catalogue.skipped]
    for row, (item, look) in enumerate(zip(catalogue.ids, looks.rows, strict=True)):
        path = _path(catalogue, row)
        if look.problem:
            rows.append((item, path, look.problem, look.detail))
        elif not has_vector[row]:
            reason = reasons.get(item, "the encoder sees nothing in it: its vector is all zeros")
            rows.append((item, path, "no vector", reason))
    rows += [(None, name, "unlisted", "no row names it") for name in catalogue.unlisted]
    return _table({"id": "string", "path": "string", "problem": "string", "detail": "string"}, rows)


def _path(catalogue: Catalogue, row: int) -> str:
    """The place of an item's image below the folder of images."""
    return catalogue.paths.names[row]


def _copies(
    catalogue: Catalogue, looks: Looks, groups: Sequence[Group], vectors: Floats
) -> pa.Table:
    products = _product_of(catalogue)
    units = unit_rows(vectors)
    tags = [
        (name, numbers)
        for name, numbers, _ in wrong_tags.tag_columns(catalogue)
        if numbers is not None
    ]
    rows = []
    for number, group in enumerate(groups, 1):
        first, across = group.reference, len(set(products[group.rows].tolist())) > 1
        differ = [name for name, numbers in tags if len(set(numbers[group.rows].tolist())) > 1]
        for row in group.rows:
            link, look = group.links.get(row), looks.rows[row]
            known = vectors[row].any() and vectors[first].any()
            rows.append(
                (
                    number,
                    catalogue.ids[row],
                    None if catalogue.products is None else catalogue.products[row],
                    link.relation if link else "reference",
                    across,
                    link.difference if link else 0.0,
                    min(1.0, float(units[row] @ units[first])) if known else None,
                    look.width,
                    look.height,
                    look.size,
                    _path(catalogue, row),
                    ", ".join(differ),
                )
            )
    return _table(
        {
            "group": "int64", "id": "string", "product": "string", "relation": "string",
            "across_products": "bool", "difference": "float64", "cosine": "float64",
            "width": "int64", "height": "int64", "bytes": "int64", "path": "string",
            "tags_differ": "string",
        },
        rows,
    )  # fmt: skip


def _wrong_tags(catalogue: Catalogue, suspects: Sequence[wrong_tags.Suspect]) -> pa.Table:
    rows = [
        (
            one.column,
            catalogue.ids[one.row],
            one.tag,
            one.suggested,
            one.surprise,
            one.support,
            one.agree,
            [catalogue.ids[row] for row in one.neighbours],
            _path(catalogue, one.row),
        )
        for one in suspects
    ]
    return _table(
        {
            "column": "string", "id": "string", "tag": "string", "suggested": "string",
            "surprise": "float64", "support": "float64", "agree": "float64",
            "neighbours": "list", "path": "string",
        },
        rows,
    )  # fmt: skip


def _columns(
    columns: Sequence[wrong_tags.Column], suspects: Sequence[wrong_tags.Suspect]
) -> pa.Table:
    rows = [
        (
            one.name,
            one.items,
            one.tags,
            one.accuracy,
            one.majority,
            sum(suspect.column == one.name for suspect in suspects),
            one.recovered,
            one.precision,
            one.reason,
        )
        for one in columns
    ]
    return _table(
        {
            "column": "string", "items": "int64", "tags": "int64", "accuracy": "float64",
            "majority": "float64", "suspected": "int64", "recovered": "float64",
            "precision": "float64", "reason": "string",
        },
        rows,
    )  # fmt: skip


def _table(kinds: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """An Arrow table; NaN becomes null."""
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return pa.table(
        {
            name: pa.array(
                cells,
                pa.list_(pa.string()) if kind == "list" else pa.type_for_alias(kind),
                from_pandas=True,
            )
            for (name, kind), cells in zip(kinds.items(), columns, strict=True)
        }
    )


def _notes(catalogue: Catalogue) -> list[str]:
    notes = []
    if catalogue.products is None:
        notes.append("no column of products is named, so each item counts as a product of its own")
    if not catalogue.tags.names and catalogue.labels is None:
        notes.append("no tag columns are named, so tags were not checked: name them with --tags")
    return notes


def _run(catalogue: Catalogue, found: Sequence[Embeddings], seed: int) -> dict[str, Any]:
    layout = catalogue.layout
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": (layout.table or layout.images or layout.source).name,
        "items": len(catalogue),
        "encoders": {one.encoder.name: one.fingerprint for one in found},
        "seed": seed,
        "likelens": installed("likelens"),
    }
