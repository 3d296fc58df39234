"""What the measurement of VSD's tables says, in Markdown, and the folder it is written to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .._discover.values import cut_names
from ..report.discovery import headline, read_as, read_rows, summary, write_discovery
from ..report.formats import chance, number, percent
from ..report.sections import Points, Section, Sheet, markdown_sections
from ..values.errors import plural
from ..values.files import plain, write_together
from ._discovery import CLOSED, SETTINGS, WILD, DiscoveryRun
from ._write import write_rows, writer

NAME = "reproduce-discovery"

DIFFERENCES = {
    "Published figures": "The paper's tables could not be read when this was written, so none "
    "stand here. A row of a line-up that has one (closed:hr_at_9, wild:roc_auc_macro) brings "
    "its column with it.",
    "Numbers of the tables": "Tables 1 to 4 show what the paper's text and code say of them. That "
    "Table 5 is the leaderboard in the closed catalogue and Table 6 that in the wild is inferred.",
    "HR@k and MRR@k": "The paper's text could not be had: they are as we read it, or as in its "
    "released code; docs/discovery.md shows where they differ.",
    "Macro areas": "Means over the queries that have a positive and a negative; Eq. 5 as printed "
    "divides by |D|.",
    "Fine-tuned rows": "Encoders trained on the data are rows once their checkpoint is given: "
    "-e tuned=checkpoint:FILE?arch=...",
    "Intervals": "The paper prints none. Here they are 95\u00a0% intervals over queries, and "
    "encoders share a place where a paired test with Holm's correction sees no difference.",
}


def write_tables(found: DiscoveryRun, folder: Path) -> Path:
    """Write ``reproduce-discovery.md`` and ``.json``, the tables, and a page for each setting.

    Args:
        found: what was measured.
        folder: where; it is made if missing, and files of those names are replaced. Pages
            are ``closed/discovery.html`` and ``wild/discovery.html``.

    Returns:
        The path of the Markdown file.

    Raises:
        BadTable: the folder cannot be written to.
    """
    files: dict[Path, Callable[[Path], object]] = {
        folder / "tables" / f"{name}.csv": partial(write_rows, rows)
        for name, rows in found.tables.items()
        if rows
    }
    about: dict[str, Any] = {
        setting: {"run": board.run, "notes": board.notes} for setting, board in found.boards.items()
    }
    text = json.dumps(
        plain({**found.tables, "about": about}), indent=1, allow_nan=False, ensure_ascii=False
    )
    files[folder / f"{NAME}.json"] = writer(text)
    for setting, board in found.boards.items():
        write_discovery(board, folder / setting)
    page = folder / f"{NAME}.md"
    title = "# Tables of visual similarity discovery, measured again\n\n"
    files[page] = writer(title + markdown_sections(table_sections(found)))
    write_together(files)
    return page


def table_sections(found: DiscoveryRun) -> list[Section]:
    """The whole text."""
    made = [_summary(found), _statistics(found)]
    for table in (_overlap, _left_out, _identity):
        for setting in found.boards:
            made += table(found, setting)
    made += _leaderboards(found)
    made += _missing(found)
    known = any(
        name.startswith("published_")
        for number_ in (5, 6)
        for row in found.tables.get(f"table-{number_}", ())
        for name in row
    )
    chosen = [
        (term, said)
        for term, said in DIFFERENCES.items()
        if term != "Published figures" or not known
    ]
    made.append(Section("What differs from the paper, and why", (Points(tuple(chosen)),)))
    return made


def _ending(found: DiscoveryRun, setting: str) -> tuple[str, str]:
    """What a table of a setting is called, in its file's name and in its title."""
    title = f", {SETTINGS[setting]}" if len(found.boards) > 1 else ""
    return ("" if setting == CLOSED else f"-{setting}"), title


def _summary(found: DiscoveryRun) -> Section:
    parts = []
    for setting, board in found.boards.items():
        said = f"{headline(board, read_rows(board))} by {board.names[board.rank_by]}"
        parts.append(f"{SETTINGS[setting].capitalize()}: {said}. {summary(board)}")
        run = board.run
        parts.append(
            f"HR@k and MRR@k {read_as(board)}, negatives of the areas {run['negatives']}. "
            f"{' '.join(f'{note}.' for note in board.notes)}".strip()
        )
    parts.append(f"Measured on {found.first.run['machine']}.")
    return Section("What was measured", tuple(parts))


def _statistics(found: DiscoveryRun) -> Section:
    heads = (
        "setting", "queries", "gallery", "judged pairs", "alike", "queries with one",
        "with both", "share alike", "lower bound of prevalence",
    )  # fmt: skip
    rows = tuple(
        (
            row["setting"],
            *(
                f"{row[name]:,}"
                for name in (
                    "queries", "gallery", "pairs", "positives", "with_positive", "with_both",
                )
            ),
            percent(row["prevalence"]),
            percent(row["lower_bound"], 3),
        )
        for row in found.tables["table-1"]
    )  # fmt: skip
    about = (
        "Lower bound of prevalence: pairs called alike of all pairs of a query and an item that "
        "may be its candidate (not itself, nor, with --different-products, a picture of its own "
        "product), as if nobody had called another one alike. HR and MRR rest on the queries with "
        "a pair alike, macro areas with annotated negatives on those with both kinds."
    )
    return Section("Table 1: the data", (Sheet(heads, rows), about))


def _overlap(found: DiscoveryRun, setting: str) -> Iterator[Section]:
    ending, title = _ending(found, setting)
    rows, pool = found.tables[f"table-2{ending}"], found.boards[setting].pool
    if not rows or pool is None:
        return
    names = tuple(row["name"] for row in rows)
    cells = tuple((row["name"], *(number(row[name], 1) for name in names)) for row in rows)
    about = f"Percent of an encoder's first {pool.k} results that the other one has too."
    yield Section(
        f"Table 2: overlap of encoders{title}", (Sheet(("encoder", *names), cells), about)
    )


def _left_out(found: DiscoveryRun, setting: str) -> Iterator[Section]:
    ending, title = _ending(found, setting)
    rows, board = found.tables[f"table-3{ending}"], found.boards[setting]
    if not rows:
        return
    removed = list(dict.fromkeys(row["removed"] for row in rows))
    by = {(row["removed"], row["metric"]): row for row in rows}
    counts = {row["removed"]: (f"{row['pairs']:,}", f"{row['positives']:,}") for row in rows}
    cells = tuple(
        (name, *counts[name], *(_agreed(by[name, metric]) for metric in board.names))
        for name in removed
    )
    heads = ("left out", "pairs", "alike", *board.names.values())
    about = (
        "Spearman's correlation of the ranking on what the others propose with that on all "
        "proposals, and its p-value; controls apart."
    )
    sizes = tuple(
        (name, *(_changes(by[name, metric]) for metric in board.names)) for name in removed
    )
    told = (
        "How far scores move when an encoder's proposals are left out: that of any encoder at "
        "most, and in brackets the encoder's own."
    )
    changes = Sheet(("left out", *board.names.values()), sizes)
    yield Section(
        f"Table 3: leave one encoder out{title}", (about, Sheet(heads, cells), told, changes)
    )


def _changes(row: dict[str, Any]) -> str:
    return f"{number(row['largest_change'])} ({number(row['own_change'])})"


def _agreed(row: dict[str, Any]) -> str:
    p_value = row["p"]
    return number(row["spearman"]) + (f" ({chance(p_value)})" if p_value == p_value else "")


def _identity(found: DiscoveryRun, setting: str) -> Iterator[Section]:
    ending, title = _ending(found, setting)
    rows, board = found.tables[f"table-4{ending}"], found.boards[setting]
    name = f"Table 4: identity and discovery{title}"
    if not rows or board.identity is None:
        text = (
            "No query has another picture of its product in the gallery, or products are not "
            "known (--product)."
        )
        yield Section(name, (text,))
        return
    cuts = cut_names(board.ks)
    sides = ("identity", "discovery")
    heads = ("encoder", *(f"{cut}, {side}" for cut in cuts.values() for side in sides))
    cells = [
        (row["name"], *(number(row[f"{side}_{metric}"]) for metric in cuts for side in sides))
        for row in rows
    ]
    agreed = board.identity.agreement
    told = "; ".join(
        f"{title_} {_agreed({'spearman': agreed[metric].rho, 'p': agreed[metric].p})}"
        for metric, title_ in cuts.items()
    )
    about = (
        f"Identity: other pictures of the query's product, "
        f"{plural(board.identity.queries, 'query', 'queries')}. Spearman's correlation of the two "
        f"rankings, and its p-value, controls apart: {told}."
    )
    yield Section(name, (Sheet(heads, tuple(cells)), about))


def _leaderboards(found: DiscoveryRun) -> Iterator[Section]:
    for figure, setting in ((5, CLOSED), (6, WILD)):
        title = f"Table {figure}: leaderboard, {SETTINGS[setting]}"
        if setting not in found.boards:
            text = (
                "Not measured: give pictures that ask in the wild, and judgements of them "
                "(--wild and --wild-judgements)."
            )
            yield Section(title, (text,))
            continue
        board, rows = found.boards[setting], found.tables[f"table-{figure}"]
        papers = [name for name in rows[0] if name.startswith("published_")]
        heads = ["place", "encoder", *(f"{name} (95 %)" for name in board.names.values())]
        heads += [f"unjudged of first {k}" for k in board.ks]
        heads += [f"paper, {board.names[name.removeprefix('published_')]}" for name in papers]
        shared = Counter(row["rank"] for row in rows)
        cells = tuple(
            (
                f"{row['rank']}{'=' if shared[row['rank']] > 1 else ''}",
                row["name"],
                *(_with_interval(row, metric) for metric in board.names),
                *(percent(row[f"unjudged_at_{k}"]) for k in board.ks),
                *("" if row[name] is None else number(row[name]) for name in papers),
            )
            for row in rows
        )
        yield Section(title, (Sheet(tuple(heads), cells, (1,)),))


def _with_interval(row: dict[str, Any], metric: str) -> str:
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    inside = f" ({number(low)} to {number(high)})" if low == low else ""
    return number(row[metric]) + inside


def _missing(found: DiscoveryRun) -> Iterator[Section]:
    rows = found.tables["missing"]
    if rows:
        cells = tuple((row["name"], row["encoder"], row["why"].partition("; ")[0]) for row in rows)
        yield Section("Not measured", (Sheet(("row", "encoder", "why"), cells, (0, 1, 2)),))
