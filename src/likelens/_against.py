"""What changed between two reports: scores, items, settings and libraries."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .metrics import compare_pairs
from .values.arrays import Floats
from .values.catalogue import Catalogue
from .values.errors import BadTable
from .values.files import plain
from .values.scores import QueryScores

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = ("leaderboard", "discovery", "retrieval")
"""Kinds of reports by the name of their JSON file, without its ending."""

PER_QUERY = "per-query.parquet"
"""The score of every query by each encoder."""

NO_SETTINGS = ("date", "encoders", "libraries", "machine", "python", "interval", "store", "items")
"""Entries of a run that are no settings."""


DECISIVE = (
    "relevance", "k", "tags", "weights", "recipe", "self_pairs", "rank_by", "definition",
    "negatives", "judgements", "options", "sampled",
)  # fmt: skip
"""Settings that decide what is measured."""


class Board(Protocol):
    """What every kind of leaderboard has."""

    @property
    def table(self) -> pa.Table:
        """A row per encoder."""
        ...

    @property
    def per_query(self) -> pa.Table:
        """A row per item: its id, its tags, and its scores by each encoder."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Everything but vectors, as plain values."""
        ...


@dataclass(frozen=True)
class Change:
    """One encoder that is in both reports.

    Attributes:
        encoder: its spec.
        before: its score in the earlier report.
        after: its score in the later one.
        difference: later less earlier, over the queries that have a score in both; without
            scores of every query that of the two means.
        low, high: 95 % interval of the difference, which covers the sampling of queries; NaN
            without scores of every query.
        p: two-sided p-value of the difference, of a paired test; NaN likewise.
        queries: how many queries have a score in both; 0 likewise.
        other_weights: whether its fingerprint differs, so that it is another encoder.
    """

    encoder: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    queries: int
    other_weights: bool


@dataclass(frozen=True)
class Against:
    """What changed between two reports.

    Attributes:
        before: where the earlier report is, or what it is.
        metric: the score that is compared, by its name in tables.
        changes: of the encoders in both, in the order of the later report.
        new: encoders in the later report only.
        gone: encoders in the earlier report only.
        items: how many items each had.
        added: items in the later report only.
        removed: items in the earlier report only.
        retagged: items whose tags differ.
        settings: by name what was set in each, where that differs; None for not set.
        libraries: by name the versions, where they differ.
        notes: what the reader should know.
    """

    before: str
    metric: str
    changes: tuple[Change, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    items: tuple[int | None, int | None]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    retagged: tuple[str, ...]
    settings: Mapping[str, tuple[Any, Any]]
    libraries: Mapping[str, tuple[Any, Any]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values that JSON can write (NaN as None)."""
        result: dict[str, Any] = plain(asdict(self))
        return result

    @property
    def score_name(self) -> str:
        """What readers call the score that is compared."""
        names = {"corrembed": "CorrEmbed", "corrembed_weighted": "weighted CorrEmbed"}
        return names.get(self.metric, self.metric)

    @property
    def table(self) -> pa.Table:
        """A row per encoder that is in both reports, as an Arrow table."""
        import pyarrow as pa

        return pa.Table.from_pylist([asdict(change) for change in self.changes])


@dataclass(frozen=True)
class Report:
    """A report that was written, or a board that is at hand.

    Attributes:
        place: its folder, or what it is.
        kind: by what it ranks: the name of its JSON file, without its ending.
        content: of its JSON file.
        per_query: the scores of every query, or None where there are none.
    """

    place: str
    kind: str
    content: Mapping[str, Any]
    per_query: pa.Table | None

    @property
    def rows(self) -> dict[str, Mapping[str, Any]]:
        """The encoders with a score, by spec."""
        return {
            row["encoder"]: row
            for row in self.content["leaderboard"]
            if row.get("rank") is not None
        }

    @property
    def run(self) -> Mapping[str, Any]:
        """What was run."""
        run: Mapping[str, Any] = self.content.get("run", {})
        return run


Readable = str | os.PathLike[str] | Board | Report


def compare_reports(before: Readable, after: Readable) -> Against:
    """What changed between two reports of ``evaluate``.

    Args:
        before: the folder of the earlier report, or a board.
        after: the later one.

    Returns:
        The differences. Encoders are matched by their spec. Where both reports hold the
        scores of every query, differences are paired over the items in both.

    Raises:
        BadTable: there is no report, it is damaged, or the two are of different kinds.
    """
    old, new = read_report(before), read_report(after)
    if old.kind != new.kind:
        raise BadTable(
            f"a report by {old.kind} cannot be compared with one by {new.kind}",
            where=old.place,
            hint="compare reports of the same kind: by tags, judgements or relevance",
        )
    metric = _metric(old, new)
    shared = [name for name in new.rows if name in old.rows]
    olds, news = (_tags_by_id(one.per_query) for one in (old, new))
    notes = []
    if old.per_query is None or new.per_query is None:
        which = " and ".join(one.place for one in (old, new) if one.per_query is None)
        notes.append(
            f"{which} has no {PER_QUERY}, so differences have no interval and items are not "
            "compared"
        )
        olds = news = {}
    changes = tuple(_change(old, new, name, metric) for name in shared)
    if any(one.other_weights for one in changes):
        notes.append("an encoder with another fingerprint has other weights or preprocessing")
    settings = _differing(_settings(old), _settings(new))
    others = [name for name in DECISIVE if name in settings]
    if others:
        notes.append(f"what is measured differs: {', '.join(others)}")
    return Against(
        before=old.place,
        metric=metric,
        changes=changes,
        new=tuple(name for name in new.rows if name not in old.rows),
        gone=tuple(name for name in old.rows if name not in new.rows),
        items=(_items(old), _items(new)),
        added=tuple(item for item in news if item not in olds),
        removed=tuple(item for item in olds if item not in news),
        retagged=tuple(item for item in news if item in olds and olds[item] != news[item]),
        settings=settings,
        libraries=_differing(_libraries(old.run), _libraries(new.run)),
        notes=tuple(notes),
    )


def per_query_table(
    catalogue: Catalogue, scores: Mapping[str, Floats], ids: Sequence[str] | None = None
) -> pa.Table:
    """A row per item: its id, its tags as ``category=tag``, and scores by ``metric: encoder``.

    Args:
        catalogue: the items, in order.
        scores: (n,) by name of the column.
        ids: of the rows, if they are no items of the catalogue; they then have no tags.
    """
    import pyarrow as pa

    tags = catalogue.tags.matrix.tocsr()
    names = [
        f"{category}={name}"
        for category, name in zip(catalogue.tags.categories, catalogue.tags.names, strict=True)
    ]
    borne = [
        sorted(names[column] for column in tags.indices[start:stop])
        for start, stop in zip(tags.indptr, tags.indptr[1:], strict=False)
    ]
    rows = catalogue.ids if ids is None else ids
    columns: dict[str, Any] = {
        "id": pa.array(rows, pa.string()),
        "tags": pa.array(borne if ids is None else [[]] * len(rows), pa.list_(pa.string())),
    }
    columns |= {name: pa.array(values, pa.float64()) for name, values in scores.items()}
    return pa.table(columns)


def read_report(report: Readable) -> Report:
    """A report in memory, so that its folder may be written to.

    Args:
        report: a folder that ``evaluate --out`` wrote, or a board.

    Raises:
        BadTable: there is no report, or it is damaged.
    """
    if isinstance(report, Report):
        return report
    if not isinstance(report, str | os.PathLike):
        content = report.to_dict()
        kind = "discovery" if "statistics" in content else "leaderboard"
        kind = "retrieval" if "relevance" in content else kind
        return Report("this run", kind, content, report.per_query)
    folder = Path(report)
    if folder.is_file():
        folder = folder.parent
    found = [kind for kind in KINDS if (folder / f"{kind}.json").is_file()]
    if not found:
        raise BadTable(
            "there is no report",
            where=str(folder),
            hint="give the folder that evaluate --out wrote, with leaderboard.json, "
            "discovery.json or retrieval.json",
        )
    newest = max(found, key=lambda kind: (folder / f"{kind}.json").stat().st_mtime_ns)
    place = folder / f"{newest}.json"
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        rows = content["leaderboard"]
        if not all(isinstance(row["encoder"], str) for row in rows):
            raise TypeError("an encoder without a name")
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise BadTable(
            f"the report cannot be read: {type(error).__name__}: {error}",
            where=str(place),
            hint="run evaluate again to write it anew",
        ) from error
    return Report(str(folder), newest, content, _read_values(folder / PER_QUERY))


def _read_values(place: Path) -> pa.Table | None:
    """The scores of every query; None where an earlier version wrote none."""
    import pyarrow as pa
    import pyarrow.parquet

    if not place.is_file():
        return None
    try:
        table = pyarrow.parquet.read_table(place)
        table.column("id"), table.column("tags")
    except (OSError, pa.ArrowException, KeyError) as error:
        raise BadTable(
            f"the scores of every query cannot be read: {error}",
            where=str(place),
            hint="remove the file to compare the means alone",
        ) from error
    return table


def _metric(old: Report, new: Report) -> str:
    """The score that both have: the one that decides the place, if it can be."""
    known = [set().union(*one.rows.values()) if one.rows else set() for one in (old, new)]
    if new.kind == "leaderboard":
        wanted: Iterable[str] = ("corrembed_weighted", "corrembed")
    else:
        ranked = str(new.content["rank_by"])
        wanted = (ranked.lower().replace("@", "_at_"),)
    for name in wanted:
        if all(name in names for names in known):
            return name
    raise BadTable(
        "the two reports have no score in common",
        where=old.place,
        hint="compare reports with the same metric and cut-off",
    )


def _change(old: Report, new: Report, name: str, metric: str) -> Change:
    before, after = (_number(one.rows[name].get(metric)) for one in (old, new))
    marks = [one.rows[name].get("fingerprint") for one in (old, new)]
    other = marks[0] != marks[1]
    paired = _paired(old.per_query, new.per_query, f"{metric}: {name}")
    if paired is None:
        return Change(name, before, after, after - before, math.nan, math.nan, math.nan, 0, other)
    earlier, later = paired
    apart = QueryScores(later - earlier)
    tests = compare_pairs({"after": QueryScores(later), "before": QueryScores(earlier)})
    low, high = apart.interval()
    queries = len(later) - apart.missing
    p = float(tests.p[0, 1]) if queries > 1 else math.nan
    return Change(name, before, after, apart.mean, low, high, p, queries, other)


def _paired(
    old: pa.Table | None, new: pa.Table | None, column: str
) -> tuple[Floats, Floats] | None:
    """Scores of the items in both, in one order; None where a report does not have them."""
    if old is None or new is None:
        return None
    if column not in old.column_names or column not in new.column_names:
        return None
    ids = old["id"].to_pylist()
    earlier = dict(zip(ids, old[column].to_numpy(zero_copy_only=False), strict=True))
    rows = [
        (earlier[item], value)
        for item, value in zip(
            new["id"].to_pylist(), new[column].to_numpy(zero_copy_only=False), strict=True
        )
        if item in earlier
    ]
    values = np.array(rows, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _tags_by_id(table: pa.Table | None) -> dict[str, Any]:
    if table is None:
        return {}
    return dict(zip(table["id"].to_pylist(), table["tags"].to_pylist(), strict=True))


def _items(report: Report) -> int | None:
    count = report.content.get("items", report.run.get("items"))
    return count if isinstance(count, int) else None


def _settings(report: Report) -> dict[str, Any]:
    settings = {name: value for name, value in report.run.items() if name not in NO_SETTINGS}
    for name in ("weights", "rank_by", "k"):
        if report.content.get(name) is not None:
            settings[name] = report.content[name]
    return settings


def _libraries(run: Mapping[str, Any]) -> dict[str, Any]:
    return {**run.get("libraries", {}), "python": run.get("python")}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    old, new = plain(dict(old)), plain(dict(new))
    return {
        name: (old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
