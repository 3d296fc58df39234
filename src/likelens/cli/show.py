"""What the terminal shows: tables on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ..values.errors import plural

if TYPE_CHECKING:
    from .._discover import DiscoveryBoard
    from .._embed import EmbedRun, Progress
    from .._fuse import Fusion
    from .._leaderboard import Leaderboard
    from .._search import Hits

FAILURES_SHOWN = 5
COLUMNS_SHOWN = 6
"""Attributes of an item that a terminal has room for."""


def stdout() -> Console:
    """Where results go; wide enough not to break a table when it is piped."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False, emoji=False)


def note(text: str) -> None:
    """Something worth knowing, beside the result."""
    Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(
        f"note: {text}", markup=False
    )


def note_lacking(lacking: int, items: int) -> None:
    """A note if a store has items that the encoder in use was not asked about."""
    if lacking:
        which = plural(items, "item has", "items have")
        note(f"{lacking:,} of {which} no vector by this encoder: embed again")


def print_json(value: Any) -> None:
    """A result for machines: one JSON value on stdout."""
    from ..values.files import plain

    json.dump(plain(value), sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Shows what is done, the rate and the time left; only on a terminal.

    When the user stops the run, says that it can be gone on with.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False, emoji=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            tasks: dict[str, Any] = {}

            def step(label: str, done: int, total: int) -> None:
                if label not in tasks:
                    tasks[label] = bar.add_task(label, total=total, rate="")
                task = tasks[label]
                speed = bar.tasks[task].speed
                rate = f"{speed:,.0f}/s" if speed else ""
                bar.update(task, completed=done, total=total, rate=rate)

            yield step
    except KeyboardInterrupt:
        console.print("stopped: what is done is kept; run the same command again to go on")
        raise


def print_leaderboard(board: Leaderboard) -> None:
    """The leaderboard as a table."""
    weighted = board.weights is not None
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("encoder", overflow="fold")
    names = ["CorrEmbed", "95 % interval"]
    names += ["unweighted"] if weighted else []
    names += ["nDCG@10", "orphans", "hub skew", "dim", "images/s"]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    ranks = [entry.rank for entry in board.entries]
    for entry in board.entries:
        low, high = entry.main.interval()
        cells = [
            f"{entry.rank}{'=' if ranks.count(entry.rank) > 1 else ''}",
            entry.card.name,
            number(entry.main.mean),
            f"{number(low)} to {number(high)}",
            *([number(entry.unweighted.mean)] if weighted else []),
            number(entry.ndcg.mean),
            "-" if math.isnan(entry.hubness.orphans) else f"{entry.hubness.orphans:.1%}",
            number(entry.hubness.skewness, 1),
            str(entry.card.dim),
            number(entry.images_per_second, 0),
        ]
        control = entry.card.name.startswith("control:")
        table.add_row(*cells, style="dim" if control else "bold" if entry.rank == 1 else "")
    for name in board.missing:
        table.add_row("-", name, "missing", style="dim")
    stdout().print(table)
    for name, why in board.missing.items():
        stdout().print(f"missing: {name}: {why}", markup=False, soft_wrap=True)


def print_discovery(board: DiscoveryBoard) -> None:
    """The leaderboard by judgements as a table, and what leaving encoders out does."""
    from ..report.discovery import counted

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("encoder", overflow="fold")
    main, k = board.rank_by, max(board.ks)
    shown = dict.fromkeys([main, f"hr_at_{k}", f"mrr_at_{k}", "roc_auc_micro", "pr_auc_macro"])
    for metric in shown:
        table.add_column(board.names[metric], justify="right", no_wrap=True)
        if metric == main:
            table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column(f"unjudged@{k}", justify="right", no_wrap=True)
    ranks = [entry.rank for entry in board.entries]
    for entry in board.entries:
        score = entry.figures[main]
        others = [number(entry.figures[metric].mean) for metric in shown if metric != main]
        cells = [
            f"{entry.rank}{'=' if ranks.count(entry.rank) > 1 else ''}",
            entry.name,
            number(score.mean),
            f"{number(score.low)} to {number(score.high)}",
            *others,
            "-" if math.isnan(entry.unjudged[k]) else f"{entry.unjudged[k]:.1%}",
        ]
        table.add_row(*cells, style="dim" if entry.control else "bold" if entry.rank == 1 else "")
    for name in board.missing:
        table.add_row("-", name, "missing", style="dim")
    out, found = stdout(), board.statistics
    out.print(table)
    for name, why in board.missing.items():
        out.print(f"missing: {name}: {why}", markup=False, soft_wrap=True)
    out.print(
        f"{counted(found)}, {found.gallery:,} items, {found.pairs:,} judged pairs, "
        f"{found.prevalence:.1%} of them alike",
        markup=False,
        soft_wrap=True,
    )
    if board.robustness is not None:
        print_removals(board)


def print_removals(board: DiscoveryBoard) -> None:
    """What is left of scores and ranking when one encoder had proposed nothing."""
    metric, table = board.rank_by, Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("left out of the pool", overflow="fold")
    heads = ("pairs", "alike", "Spearman", "p", "largest change", "its own change")
    for name in heads:
        table.add_column(name, justify="right", no_wrap=True)
    for one in board.robustness.removals if board.robustness else ():
        agreed = one.agreement[metric]
        changes = (one.largest_change(metric), one.own_change(metric))
        counts = (f"{one.pairs:,}", f"{one.positives:,}")
        figures = (number(value) for value in (agreed.rho, agreed.p, *changes))
        table.add_row(one.generator, *counts, *figures)
    stdout().print(table)


def print_fusion(fusion: Fusion) -> None:
    """The fusion, and how it and its parts score on the held-out items."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("encoder", overflow="fold")
    for name in ("weight", "held out", "95 % interval", "training"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, scores in fusion.held_out.items():
        low, high = scores.interval()
        weight = f"{fusion.weights[name]:.3f}" if name in fusion.weights else ""
        interval = f"{number(low)} to {number(high)}"
        table.add_row(name, weight, number(scores.mean), interval, number(fusion.train[name].mean))
    out = stdout()
    out.print(table)
    more = fusion.difference
    out.print(
        f"fusion less {more.part}: {number(more.mean)} ({number(more.low)} to "
        f"{number(more.high)}), p = {more.p:.3g}, on {fusion.held_out_items:,} held-out items",
        markup=False,
        soft_wrap=True,
    )
    for text in fusion.notes:
        note(text)
    joined = sum(share > 0 for share in fusion.weights.values()) > 1
    unshown = joined and not more.shown
    said = f" (not shown to be better than {more.part} alone)" if unshown else ""
    out.print(f"spec: {fusion.spec}{said}", markup=False, soft_wrap=True)


def print_engine(name: str, rows: Sequence[Mapping[str, Any]], k: int) -> None:
    """A table of ``reproduce engine``: the few columns that a terminal has room for."""
    table = Table(box=None, pad_edge=False, header_style="bold", title=name, title_justify="left")
    table.add_column("encoder", overflow="fold")
    metrics = {f"P@{k} drawn": "P_drawn", f"P@{k} all": "P_all", f"HR@{k} all": "HR_all"}
    times = {"encode ms": "encode_p50_ms", "search ms": "search_p50_ms"}
    figures = {**metrics, f"nDCG@{k} all": "nDCG_all", **times}
    for head in figures:
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        style = "dim" if row["encoder"].startswith("control:") else ""
        table.add_row(row["name"], *(number(row[one]) for one in figures.values()), style=style)
    stdout().print(table)


def number(value: float, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def print_runs(runs: Sequence[EmbedRun]) -> None:
    """What embedding did, and the first few pictures that it had to set aside.

    What all encoders had to set aside is said once.
    """
    alike = set.intersection(*(set(run.failures) for run in runs)) if len(runs) > 1 else set()
    _print_failures("set aside", [one for one in runs[0].failures if one in alike])
    for run in runs:
        by = f"set aside by {run.name}" if len(runs) > 1 else "set aside"
        _print_failures(by, [one for one in run.failures if one not in alike])
        _print_run(run)


def _print_failures(what: str, failures: Sequence[tuple[str, str, str]]) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    for item, path, reason in failures[:FAILURES_SHOWN]:
        console.print(f"{what}: {item}: {reason} ({path})", markup=False)
    if len(failures) > FAILURES_SHOWN:
        more = len(failures) - FAILURES_SHOWN
        console.print(f"{what}: {more:,} more; all of them are listed in the store", markup=False)


def _print_run(run: EmbedRun) -> None:
    copies = "copy" if run.copied == 1 else "copies"
    unseen = f", {run.zeros:,} of them zero vectors" if run.zeros else ""
    speed = f", {run.images_per_second:,.0f} images/s" if run.images_per_second else ""
    stdout().print(
        f"{run.name}: {run.embedded:,} embedded{unseen}, {run.copied:,} {copies}, "
        f"{run.kept:,} kept, {run.forgotten:,} forgotten, {len(run.failures):,} set aside{speed}",
        markup=False,
        soft_wrap=True,
    )


def print_hits(hits: Hits) -> None:
    """What a search found, as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    if hits.folded:
        table.add_column("more", justify="right")
    table.add_column("id", overflow="fold")
    names = hits.attributes.column_names[:COLUMNS_SHOWN]
    for name in names:
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    rows = hits.attributes.select(names).to_pylist()
    for place, (item, score, row) in enumerate(zip(hits.ids, hits.scores, rows, strict=True)):
        more = [f"+{hits.folded[place]:,}" if hits.folded[place] else ""] if hits.folded else []
        cells = (cell(row[name]) for name in names)
        table.add_row(str(place + 1), f"{score:.4f}", *more, item, *cells)
    stdout().print(table)
    others = hits.attributes.column_names[COLUMNS_SHOWN:]
    if others and len(hits):
        note(f"not shown here, but by --html and --json: {', '.join(others)}")


def cell(value: object) -> str:
    """An attribute's value as text."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
