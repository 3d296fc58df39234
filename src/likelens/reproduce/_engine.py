"""The tables of an image search engine (Agarwal 2024), measured on a data set of classes."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .._embed import Progress
from .._parents import Parents, parents_by_text, parents_from_table
from .._scoring import LIBRARIES
from ..encoders.base import Encoder, VectorSource
from ..encoders.opening import open_encoder
from ..encoders.running import Running
from ..index.base import build_index
from ..index.scan import COSINE
from ..presets import Row
from ..store.base import Store, open_store
from ..store.memory import MemoryStore
from ..values.catalogue import Catalogue
from ..values.errors import BadSpec, BadTable, first_few
from ..values.files import installed
from ._engine_measure import Measured, Settings, check_classes, measure_set
from ._lineup import Missing, controls, open_rows, rows_of, short_name

INDEXES = ("kdtree", "lsh", "exact")
"""Those of the paper's Tables 1 and 2, and the plain way beside them."""


@dataclass(frozen=True)
class EngineRun:
    """All that the tables are made of.

    Attributes:
        first: the data set.
        second: another one, for Table 6, or None.
        parents: the parent of each class of the first, or None.
        missing: rows that could not be measured, and why.
        settings: what was asked.
        run: date, machine and versions.
    """

    first: Measured
    second: Measured | None
    parents: Parents | None
    missing: Missing
    settings: Settings
    run: Mapping[str, Any] = field(repr=False)

    @cached_property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """All tables as rows of plain values, by the name of their file."""
        from ._engine_tables import everything

        return everything(self)


def engine(
    catalogue: Catalogue,
    encoders: Sequence[str | Row],
    store: Store | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    indexes: Sequence[str] = INDEXES,
    parents: Parents | None = None,
    second: Catalogue | None = None,
    per_class: int = 4,
    k: int = 10,
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> EngineRun:
    """Measures what the tables of Agarwal's comparison of image search engines show.

    Every encoder is searched through every index, by the paper's protocol (a few random
    queries of each class) and by a strict one (every picture asks, and never finds itself).
    Random and shuffled vectors are added whether they are named or not.

    Args:
        catalogue: with classes.
        encoders: their specs, or rows of a preset; a row's name stands in the tables.
        store: folder where vectors are kept, those of ``second`` in one beside it whose name
            ends in ``-second``; None keeps them in memory only.
        out: folder for the tables, charts and the report; None writes nothing.
        indexes: their specs; the first is that of the tables by parent class and of Table 6.
        parents: the parent of each class, for Tables 3 to 5.
        second: another data set with classes, for Table 6.
        per_class: queries of each class in the paper's protocol.
        k: how many results count.
        seed: of the draw.
        running: the device and runtime of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The measurement. Rows whose weights, file or library are not here are in ``missing``.

    Raises:
        BadSpec: an encoder or index is named wrongly, or per_class or k is out of range;
            found before any work is done.
        BadTable: no classes, or nothing to be found in them; a class without a parent.
        LikelensError: not one of the encoders can be had.
    """
    rows = list({row.spec: row for row in rows_of(encoders)}.values())
    settings = Settings(_checked(indexes), per_class, k, seed)
    _check(catalogue, second, settings, parents)
    opened, missing = _open(rows, running)
    labels = _labels([row for row, _ in opened])
    kept = open_store(store)
    first = measure_set(catalogue, opened, labels, kept, settings, progress)
    missing = (*missing, *first.failed)
    other = None
    if second is not None:
        failed = [row for row, _ in first.failed]
        had = [row for row, _ in opened if row in rows and row not in failed]
        opened = _open(had, running)[0]  # anew: vocabularies are learnt from the pictures
        only = Settings(settings.indexes[:1], per_class, k, seed)
        place = None if isinstance(kept, MemoryStore) else f"{kept.place}-second"
        beside = open_store(place)
        beside.cache = kept.cache
        labels = _labels([row for row, _ in opened])
        other = measure_set(second, opened, labels, beside, only, progress)
        missing = (*missing, *other.failed)
    found = EngineRun(first, other, parents, missing, settings, _run())
    if out is not None:
        from ._engine_write import write_engine

        write_engine(found, Path(out))
    return found


def find_parents(text: str | None, by: str | None, catalogue: Catalogue) -> Parents | None:
    """The parent classes that ``--parents`` and ``--parents-by`` name.

    Args:
        text: a table with the columns class and parent, or names between commas.
        by: a model that reads text and chooses among the names.
        catalogue: whose classes.

    Raises:
        BadSpec: names without a model, or a model without names.
        BadTable, NoWeights, BadQuery: as ``parents_from_table`` and ``parents_by_text``.
    """
    classes = [label for label in catalogue.labels or () if label is not None]
    if text is None and by is None:
        return None
    if text is None:
        raise BadSpec(
            "a model can choose among parent classes only if some are named",
            where=f"--parents-by {by}",
            hint='name them: --parents "Animals,Vehicles,Other"',
        )
    if by is not None:
        return parents_by_text(classes, [name.strip() for name in text.split(",")], by)
    if "," in text and not Path(text).exists():
        raise BadSpec(
            "which class belongs to which of these parents is not said",
            where=f"--parents {text}",
            hint="name a model that reads text with --parents-by, or give a table with the "
            "columns class and parent",
        )
    return parents_from_table(text, classes)


def _checked(indexes: Sequence[str]) -> tuple[str, ...]:
    """The indexes, each once; refuses what is none, or not by cosine, before there are vectors."""
    if not indexes:
        raise BadSpec("no index is named", where="--index", hint=f"name {INDEXES[0]}, or leave out")
    for spec in indexes:
        metric = build_index(np.zeros((0, 1), np.float32), spec).metric
        if metric != COSINE:
            raise BadSpec(
                f"the tables rank by cosine similarity, {spec} by {metric}",
                where=f"--index {spec}",
                hint="leave the metric out: on unit vectors both give one order, and kdtree "
                "searches by L2",
            )
    return tuple(dict.fromkeys(indexes))


def _check(
    catalogue: Catalogue, second: Catalogue | None, settings: Settings, parents: Parents | None
) -> None:
    """Refuse what cannot be measured, before any picture is read."""
    check_classes(catalogue, settings.k)
    if second is not None:
        check_classes(second, settings.k, "the second data set")
    if settings.per_class < 1:
        raise BadSpec(
            f"{settings.per_class} queries of each class are none",
            where=f"--per-class {settings.per_class}",
            hint="give 1 or more; the paper takes 3 to 4",
        )
    wanted = {label for label in catalogue.labels or () if label is not None}
    lost = sorted(wanted - set(parents.of)) if parents is not None else []
    if lost:
        raise BadTable(
            f"{len(lost):,} of {len(wanted):,} classes have no parent: {first_few(lost)}",
            where=parents.by if parents else "parents",
            hint="name a parent for each of them",
        )


def _open(
    rows: Sequence[Row], running: Running | None
) -> tuple[list[tuple[Row, Encoder | VectorSource]], Missing]:
    """The encoders that can be had beside their rows, the controls last; the other rows."""
    opened, missing = open_rows(rows, running)
    lost = {row.spec for row, _ in missing}
    had = [row for row in rows if row.spec not in lost]
    chance = [Row(spec, short_name(spec), "none") for spec in controls(opened)]
    pairs = [*zip(had, opened, strict=True), *((row, open_encoder(row.spec)) for row in chance)]
    return pairs, missing


def _labels(rows: Sequence[Row]) -> list[str]:
    """A name for each row, its spec where two would be called the same."""
    names = [row.name or short_name(row.spec) for row in rows]
    counts = Counter(names)
    return [row.spec if counts[name] > 1 else name for row, name in zip(rows, names, strict=True)]


def _run() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "libraries": {name: installed(name) for name in (*LIBRARIES, "scikit-learn")},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
