"""The folder of a search engine's measurement: Markdown, charts, tables as data, the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..report.engine import Answer, Case, Found, Grid, write_engine_report
from ..report.sections import Chart, Section, markdown_sections
from ..values.files import plain, write_together
from ..values.relevance import NONE
from ._engine import EngineRun
from ._engine_measure import Contender
from ._engine_text import headline, sections
from ._write import write_rows, writer

NAME = "reproduce-engine"

SPREAD, WORST = 8, 6
"""Queries shown: some from first class to last, and those that the best encoder gets wrong."""

SIDES = 5
"""Encoders shown beside each other."""

SHOWN = 10
"""Results shown of each query, at most."""


def write_engine(found: EngineRun, folder: Path) -> Path:
    """Write ``reproduce-engine.md`` and ``.json``, its charts, tables and ``report.html``.

    Args:
        found: what was measured.
        folder: where; it is made if missing, and files of those names are replaced.

    Returns:
        The path of the Markdown file. It and the charts hold no photo; the report does.

    Raises:
        BadTable: the folder cannot be written to.
    """
    parts = sections(found)
    files = {folder / f"{NAME}-{chart.name}": writer(chart.svg) for chart in charts(parts)}
    for name, rows in found.tables.items():
        if rows:
            files[folder / "tables" / f"{name}.csv"] = partial(write_rows, rows)
    page = folder / f"{NAME}.md"
    title = "# Tables of an image search engine, measured again\n\n"
    files[folder / f"{NAME}.json"] = writer(_json(found))
    files[page] = writer(title + markdown_sections(parts, f"{NAME}-"))
    write_together(files)
    write_engine_report(
        folder / "report.html",
        "Tables of an image search engine, measured again",
        headline(found),
        found.first.catalogue,
        parts,
        grids(found),
    )
    return page


def charts(parts: Sequence[Section]) -> list[Chart]:
    """The charts of some sections."""
    return [part for section in parts for part in section.parts if isinstance(part, Chart)]


def grids(found: EngineRun) -> list[Grid]:
    """Drawn queries and what the best encoders find for them through the first index."""
    best = [one for one in found.first.contenders if not one.control][:SIDES]
    if not best:
        return []
    index, k = found.settings.indexes[0], found.settings.k
    drawn = best[0].lookups[index].drawn
    count = len(drawn.queries)
    spread = np.unique(np.linspace(0, count - 1, min(SPREAD, count)).round().astype(int))
    precision = drawn.scores[f"P@{k}"].per_query
    order = np.argsort(np.nan_to_num(precision, nan=np.inf), kind="stable")
    wrong = [int(row) for row in order if precision[row] < 1]
    return [
        Grid(
            "Side by side",
            "Drawn queries, from the first class to the last, and what the best encoders find: "
            "✓ of the query's class, ✗ of another. Under each picture its cosine similarity "
            "and its class.",
            tuple(_case(found, best, index, int(row)) for row in spread),
        ),
        Grid(
            "Most wrong",
            f"The drawn queries that {best[0].label} gets most wrong, one of each class.",
            tuple(_case(found, best[:1], index, row) for row in _varied(found, wrong)),
        ),
    ]


def _varied(found: EngineRun, rows: Sequence[int]) -> list[int]:
    """The first rows of the drawn queries, no two of one class."""
    labels = found.first.catalogue.labels or ()
    firsts: dict[str | None, int] = {}
    for row in rows:
        firsts.setdefault(labels[found.first.drawn[row]], row)
    return list(firsts.values())[:WORST]


def _case(found: EngineRun, sides: Sequence[Contender], index: str, row: int) -> Case:
    """What some encoders find for one of the drawn queries."""
    labels = found.first.catalogue.labels or ()
    query = int(found.first.drawn[row])
    rows = []
    for one in sides:
        rankings = one.lookups[index].drawn.rankings
        pairs = zip(rankings.positions[row, :SHOWN], rankings.scores[row, :SHOWN], strict=True)
        answers = tuple(
            Answer(int(place), labels[place] or "", float(score), labels[place] == labels[query])
            for place, score in pairs
            if place != NONE
        )
        rows.append(Found(one.label, answers))
    return Case(query, labels[query] or "", tuple(rows))


def _json(found: EngineRun) -> str:
    settings, parents = found.settings, found.parents
    about = {
        "items": len(found.first.catalogue),
        "classes": len(found.first.classes),
        "drawn": len(found.first.drawn),
        "indexes": settings.indexes,
        "per_class": settings.per_class,
        "k": settings.k,
        "seed": settings.seed,
        "parents": None if parents is None else {"by": parents.by, "of": parents.of},
        "run": found.run,
    }
    text = plain({**found.tables, "about": about})
    return json.dumps(text, indent=1, allow_nan=False, ensure_ascii=False)
