"""What is written from a vote book."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...values.csv_cells import csv_text
from ...values.datasets.release import Release
from ...values.errors import BadTable, first_few, plural
from ...values.files import write_aside

TREC_SUFFIXES = (".qrels", ".txt")
SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".json", *TREC_SUFFIXES)

Row = dict[str, Any]


def check_writable(path: Path, rule: str, every_vote: str) -> None:
    """Refuses a file of a kind that cannot be written, or that has no place for experts."""
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise BadTable(
            f"{kind or 'no suffix'} is not a kind of file that can be written",
            where=str(path),
            hint=f"give a name ending in {', '.join(SUFFIXES)}",
        )
    if rule == every_vote and (kind == ".json" or kind in TREC_SUFFIXES):
        raise BadTable(
            "a file of this kind has no place for the names of experts",
            where=str(path),
            hint="write .csv, .parquet or .jsonl, or resolve the votes by a rule",
        )


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write judgements or votes, as the suffix says; whole, or not at all.

    Raises:
        BadTable: ids with blanks where blanks part the columns.
    """
    kind = path.suffix.lower()
    if kind in TREC_SUFFIXES:
        _refuse_blanks(path, rows)
        lines = [f"{row['query']} 0 {row['candidate']} {row['grade']}" for row in rows]
    elif kind == ".json":
        entries = ({"key": [row["query"], row["candidate"]], "value": row["grade"]} for row in rows)
        body = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
        lines = [f"[{body}]"]
    elif kind in (".jsonl", ".ndjson"):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        write_aside(path, lambda aside: _write_table(aside, kind, rows))
        return
    text = "".join(f"{line}\n" for line in lines)
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8", newline="\n"))


def by_path(rows: Sequence[Row], release: Release, path: Path) -> list[Row]:
    """The rows with the paths of pictures in the place of ids.

    Raises:
        BadTable: ids that are not in the catalogue.
    """
    sides = {"query": release.queries, "candidate": release.candidates}
    lost = {
        row[side]: None for side, paths in sides.items() for row in rows if row[side] not in paths
    }
    if lost:
        raise BadTable(
            f"{len(lost):,} of the judged items are not in the catalogue: {first_few(lost)}",
            where=str(path),
            hint="give the catalogue that they are of; --queries names that of the queries",
        )
    return [row | {side: paths[row[side]] for side, paths in sides.items()} for row in rows]


def _write_table(path: Path, kind: str, rows: Sequence[Row]) -> None:
    if kind == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), path)
        return
    names = list(rows[0])
    cells = ([row[name] for name in names] for row in rows)
    text = csv_text([names, *cells], delimiter="," if kind == ".csv" else "\t")
    path.write_text(text, encoding="utf-8", newline="")


def _refuse_blanks(path: Path, rows: Sequence[Row]) -> None:
    blank = [
        one
        for one in dict.fromkeys(row[name] for row in rows for name in ("query", "candidate"))
        if len(one.split()) != 1
    ]
    if blank:
        raise BadTable(
            f"{plural(len(blank), 'id has', 'ids have')} "
            f"blanks, which part the columns of TREC qrels: "
            f"{first_few(map(repr, blank))}",
            where=str(path),
            hint="write .csv or .jsonl",
        )
