"""The tables of VSD (arXiv 2308.14753), measured on any catalogue with judgements."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from .._discover import DiscoveryBoard, discover
from .._embed import Progress
from .._lineup import Named
from ..encoders.running import Running
from ..presets import Row
from ..store.base import Store, open_store
from ..values.catalogue import Catalogue
from ..values.errors import BadSpec
from ..values.qrels import Judgements
from ._lineup import Missing, controls, open_rows, rows_of, short_name

Rows = list[dict[str, Any]]

CLOSED, WILD = "closed", "wild"
"""Queries from the catalogue itself, and from another one, as customers take pictures."""

SETTINGS = {CLOSED: "closed catalogue", WILD: "in the wild"}

POOL_DEPTH = 6
"""How many first results are taken to have been proposed where no pool is given."""


@dataclass(frozen=True)
class DiscoveryRun:
    """All that the tables are made of.

    Attributes:
        boards: the comparison by setting, ``closed`` first.
        rows: the line-up's row of each encoder, by spec.
        missing: rows that could not be measured, and why.
    """

    boards: Mapping[str, DiscoveryBoard]
    rows: Mapping[str, Row]
    missing: Missing

    @property
    def first(self) -> DiscoveryBoard:
        """The comparison in the closed catalogue."""
        return self.boards[CLOSED]

    @cached_property
    def names(self) -> dict[str, str]:
        """What each encoder is called in the tables; its spec where two would be called alike."""
        specs = {entry.name for board in self.boards.values() for entry in board.entries}
        specs |= {
            one for board in self.boards.values() if board.pool for one in board.pool.encoders
        }
        called = {spec: self._called(spec) for spec in sorted(specs)}
        counts = Counter(called.values())
        return {spec: spec if counts[name] > 1 else name for spec, name in called.items()}

    def _called(self, spec: str) -> str:
        row = self.rows.get(spec)
        if row is not None and row.name:
            return row.name
        return short_name(spec) if ":" in spec else spec

    @cached_property
    def tables(self) -> dict[str, Rows]:
        """All tables as rows of plain values, by the name of their file."""
        tables = {"table-1": [_statistics(name, one) for name, one in self.boards.items()]}
        for setting, board in self.boards.items():
            ending = "" if setting == CLOSED else f"-{setting}"
            tables[f"table-2{ending}"] = self._overlap(board)
            tables[f"table-3{ending}"] = self._left_out(board)
            tables[f"table-4{ending}"] = self._identity(board)
            tables[f"table-4{ending}-agreement"] = _agreement(board)
        for number, setting in ((5, CLOSED), (6, WILD)):
            if setting in self.boards:
                tables[f"table-{number}"] = self._leaderboard(setting)
        lost = {spec: why for board in self.boards.values() for spec, why in board.missing.items()}
        tables["missing"] = [
            {"name": row.name, "encoder": row.spec, "why": why} for row, why in self.missing
        ] + [{"name": self._called(one), "encoder": one, "why": why} for one, why in lost.items()]
        return tables

    def _overlap(self, board: DiscoveryBoard) -> Rows:
        pool = board.pool
        if pool is None:
            return []
        names = [self.names[one] for one in pool.encoders]
        return [
            {"name": name, **dict(zip(names, shares.tolist(), strict=True))}
            for name, shares in zip(names, pool.overlap, strict=True)
        ]

    def _left_out(self, board: DiscoveryBoard) -> Rows:
        rows = [] if board.robustness is None else board.robustness.rows()
        return [{**row, "removed": self.names[row["removed"]]} for row in rows]

    def _identity(self, board: DiscoveryBoard) -> Rows:
        if board.identity is None:
            return []
        return [
            {
                "name": self.names[entry.name],
                **{f"identity_{metric}": one.mean for metric, one in entry.identity.items()},
                **{f"discovery_{name}": entry.figures[name].mean for name in entry.identity},
            }
            for entry in board.entries
        ]

    def _leaderboard(self, setting: str) -> Rows:
        board = self.boards[setting]
        papers = {
            figure
            for row in self.rows.values()
            for figure in row.published
            if figure.startswith(f"{setting}:")
        }
        made = []
        for entry in board.entries:
            row: dict[str, Any] = {
                "rank": entry.rank,
                "name": self.names[entry.name],
                "encoder": entry.name,
            }
            known = self.rows[entry.name].published if entry.name in self.rows else {}
            for metric, figure in entry.figures.items():
                row |= {metric: figure.mean, f"{metric}_low": figure.low}
                row[f"{metric}_high"] = figure.high
                if f"{setting}:{metric}" in papers:
                    row[f"published_{metric}"] = known.get(f"{setting}:{metric}")
            made.append(row | {f"unjudged_at_{k}": one for k, one in entry.unjudged.items()})
        return made


def _statistics(setting: str, board: DiscoveryBoard) -> dict[str, Any]:
    return {"setting": SETTINGS[setting], **board.statistics.row()}


def _agreement(board: DiscoveryBoard) -> Rows:
    """How the rankings by identity and by discovery agree, metric by metric."""
    agreed = {} if board.identity is None else board.identity.agreement
    return [
        {"metric": metric, "encoders": one.encoders, "spearman": one.rho, "p": one.p}
        for metric, one in agreed.items()
    ]


def discovery(
    catalogue: Catalogue,
    judgements: Judgements | str | os.PathLike[str],
    encoders: Sequence[str | Row],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    wild: Catalogue | None = None,
    wild_judgements: Judgements | str | os.PathLike[str] | None = None,
    pool: str | os.PathLike[str] | None = None,
    pool_k: int | None = None,
    definition: Literal["paper", "release"] = "paper",
    negatives: Literal["annotated", "sampled"] = "annotated",
    different_products: bool = False,
    skip_unknown: bool = False,
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> DiscoveryRun:
    """Measures what Tables 1 to 6 of VSD show: closed catalogue, and in the wild if given.

    Random and shuffled vectors are added whether they are named or not.

    Args:
        catalogue: the gallery, whose pictures ask in the closed setting.
        judgements: of pairs of its ids.
        encoders: their specs, or rows of a preset; a row's name stands in the tables.
        store: folder where vectors are kept; None keeps them in memory only.
        wild: another catalogue whose pictures ask too.
        wild_judgements: of its ids with ids of the gallery.
        pool: the file of ``annotate pool`` for the closed setting.
        pool_k: depth of the pool that is made of the encoders' own first results where there
            is no file; None for 6.
        definition: of HR@k and MRR@k, as for ``discover``.
        negatives: of the areas, as for ``discover``.
        different_products: leave a query's own product out of its results and judgements.
        skip_unknown: go on without judgements of ids that are not there.
        seed: of the draws and tests.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The measurement. Rows whose weights, file or library are not here are in ``missing``.

    Raises:
        BadSpec: queries in the wild without judgements, or the other way round; and as
            ``discover``, like all else.
    """
    if (wild is None) != (wild_judgements is None):
        raise BadSpec(
            "queries in the wild and judgements of them go together",
            where="--wild and --wild-judgements",
            hint="give both, or neither",
        )
    rows = list({row.spec: row for row in rows_of(encoders)}.values())
    opened, missing = open_rows(rows, running)
    lineup: list[Named] = [*opened, *controls(opened)]
    kept = open_store(store)
    settings: dict[str, Any] = {
        "definition": definition,
        "negatives": negatives,
        "different_products": different_products,
        "skip_unknown": skip_unknown,
        "seed": seed,
        "running": running,
        "progress": progress,
    }
    depth = pool_k or POOL_DEPTH
    closed: dict[str, Any] = {"pool": pool, "pool_k": depth if pool is None else pool_k}
    boards = {CLOSED: discover(catalogue, lineup, judgements, kept, **closed, **settings)}
    if wild is not None and wild_judgements is not None:
        boards[WILD] = discover(
            catalogue, lineup, wild_judgements, kept, queries=wild, pool_k=depth, **settings
        )
    lost = {row.spec for row, _ in missing}
    had = [row for row in rows if row.spec not in lost]
    named = {str(one.spec): row for one, row in zip(opened, had, strict=True)}
    return DiscoveryRun(boards, named, missing)
