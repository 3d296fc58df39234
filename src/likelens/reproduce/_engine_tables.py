"""The tables of a search engine's measurement as rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._retrieval import Group, Retrieval
from ..index.options import Options
from ..values.arrays import Floats
from ..values.relevance import NONE
from ._engine import EngineRun
from ._engine_measure import Contender, Lookup, Measured

METRICS = {"P": "precision", "R": "recall", "HR": "hit rate", "nDCG": "nDCG", "mAP": "mAP"}
"""Those of all tables, at the cut-off k, and what they are called in a sentence."""

BY_PARENT = ("P", "HR", "R", "nDCG")
"""Those of Tables 3 to 5; the second and the third are two readings of one word."""

PUBLISHED = ("precision", "recall", "ndcg", "seconds")
"""Figures that a row of a preset may have, for an index: ``kdtree:precision``."""

CONFUSIONS = 12
"""So many pairs of classes are shown that are taken for each other."""

Rows = list[dict[str, Any]]


def everything(found: EngineRun) -> dict[str, Rows]:
    """All tables by the name of their file."""
    main = found.settings.indexes[0]
    tables = {
        f"index-{slug(index)}": index_table(found.first, index) for index in found.settings.indexes
    }
    if found.second is not None:
        tables["second"] = index_table(found.second, main)
    return tables | {
        "parents": parent_table(found),
        "classes": class_table(found.first, main),
        "confusions": confusion_table(found.first, main),
        "missing": [
            {"name": row.name, "encoder": row.spec, "why": why} for row, why in found.missing
        ],
    }


def slug(index: str) -> str:
    """An index's spec as a part of a file's name."""
    return "-".join("".join(one if one.isalnum() else " " for one in index).split())


def index_table(measured: Measured, index: str) -> Rows:
    """Table 1, 2 or 6: every encoder through one index, by both protocols, and its time."""
    rows = [_index_row(one, one.lookups[index], measured) for one in measured.contenders]
    kind = Options.parse(index).kind
    known = [one.row.published for one in measured.contenders]
    for figure in PUBLISHED:
        if any(f"{kind}:{figure}" in published for published in known):
            for row, published in zip(rows, known, strict=True):
                row[f"published_{figure}"] = published.get(f"{kind}:{figure}")
    return rows


def _index_row(one: Contender, lookup: Lookup, measured: Measured) -> dict[str, Any]:
    k = lookup.every.rankings.depth
    row: dict[str, Any] = {"name": one.label, "encoder": one.row.spec, "index": lookup.index}
    for metric in METRICS:
        every = lookup.every.scores[f"{metric}@{k}"]
        row[f"{metric}_drawn"] = lookup.drawn.scores[f"{metric}@{k}"].mean
        row[f"{metric}_all"] = every.mean
        low, high = every.interval()
        row[f"{metric}_low"], row[f"{metric}_high"] = np.clip((low, high), 0.0, 1.0).tolist()
    whole = lookup.every.scores.get("mAP") if lookup.exact else None
    return row | {
        "mAP_whole": None if whole is None else whole.mean,
        "P_classes": lookup.every.overall(measured.catalogue.labels or ()).macro[f"P@{k}"],
        "index_recall": lookup.recall,
        "exact": lookup.exact,
        "compares_all": lookup.compares_all,
        **_times("encode", one.seconds),
        **_times("search", lookup.seconds),
        **_times("both", None if one.seconds is None else one.seconds + lookup.seconds),
        "build_seconds": lookup.build_seconds,
        "dim": one.card.dim,
        "parameters": one.card.parameters,
        "size_bytes": one.card.size_bytes,
        "zeros": one.zeros,
        "tied": lookup.every.ties[k],
    }


def _times(part: str, seconds: Floats | None) -> dict[str, float]:
    if seconds is None:
        return {f"{part}_p50_ms": math.nan, f"{part}_p95_ms": math.nan}
    half, most = 1000 * np.percentile(seconds, [50, 95])
    return {f"{part}_p50_ms": float(half), f"{part}_p95_ms": float(most)}


def parent_table(found: EngineRun) -> Rows:
    """Tables 3 to 5: a row for each encoder and parent class, through the first index."""
    if found.parents is None:
        return []
    labels, of = found.first.catalogue.labels or (), found.parents.of
    rows = []
    for one in found.first.contenders:
        lookup = one.lookups[found.settings.indexes[0]]
        every = {group.name: group for group in lookup.every.by_parent(labels, of)}
        rows += [
            _parent_row(one.label, drawn, every[drawn.name], found.settings.k)
            for drawn in lookup.drawn.by_parent(labels, of)
        ]
    return rows


def _parent_row(name: str, drawn: Group, every: Group, k: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "parent": drawn.name,
        "classes": every.classes,
        "drawn": drawn.queries,
        "queries": every.queries,
    }
    for metric in METRICS:
        row[f"{metric}_drawn"] = drawn.micro[f"{metric}@{k}"]
        row[f"{metric}_all"] = every.micro[f"{metric}@{k}"]
        row[f"{metric}_classes"] = every.macro[f"{metric}@{k}"]
    return row


def class_table(measured: Measured, index: str) -> Rows:
    """A row for each encoder and class, all pictures asking."""
    labels = measured.catalogue.labels or ()
    rows = []
    for one in measured.contenders:
        every = one.lookups[index].every
        k = every.rankings.depth
        for group in every.by_class(labels):
            scores = {metric: group.micro[f"{metric}@{k}"] for metric in METRICS}
            rows.append(
                {"name": one.label, "class": group.name, "queries": group.queries, **scores}
            )
    return rows


def confusion_table(measured: Measured, index: str) -> Rows:
    """Which classes the best encoder takes for each other, those that cost most first.

    ``share`` is the part of all places in the results of a class's queries that go to the
    other class; ``of_wrong`` the part of all wrong results.
    """
    best = measured.best
    if best is None:
        return []
    asked, found = _pairs(measured.catalogue.labels or (), best.lookups[index].every)
    names = sorted({*asked, *found})
    place = {name: row for row, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, ([place[name] for name in asked], [place[name] for name in found]), 1)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:CONFUSIONS]
    pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
    return [
        {
            "name": best.label,
            "class": names[asking],
            "found": names[given],
            "results": int(counts[asking, given]),
            "share": counts[asking, given] / totals[asking],
            "of_wrong": counts[asking, given] / counts.sum(),
        }
        for asking, given in pairs
        if counts[asking, given]
    ]


def _pairs(labels: Sequence[str | None], every: Retrieval) -> tuple[list[str], list[str]]:
    """The class of the query and of the result, for every result that has a class."""
    positions = every.rankings.positions
    asked, found = [], []
    for query, results in zip(every.queries.tolist(), positions.tolist(), strict=True):
        mine = labels[query]
        for result in results:
            theirs = labels[result] if result != NONE else None
            if mine is not None and theirs is not None:
                asked.append(mine)
                found.append(theirs)
    return asked, found


def published(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The published figures that a table has a column of."""
    return [figure for figure in PUBLISHED if rows and f"published_{figure}" in rows[0]]
