"""What the commands show: tables of results, and notes."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..values.errors import plural
from .progress import progress_bar
from .terminal import debug, note, print_json, say, table

if TYPE_CHECKING:
    from .._against import Against
    from .._discover import DiscoveryBoard
    from .._embed import EmbedRun
    from .._fuse import Fusion
    from .._leaderboard import Leaderboard
    from .._relevance import RetrievalBoard
    from .._search import Hits

__all__ = ["debug", "note", "print_json", "progress_bar", "say", "table"]

FAILURES_SHOWN = 5
COLUMNS_SHOWN = 6
"""Attributes of an item that a terminal has room for."""


def call(words: Sequence[str]) -> str:
    """A command to copy into a shell."""
    return f"likelens {shlex.join(words)}"


def note_lacking(lacking: int, items: int) -> None:
    """A note if a store has items that the encoder in use was not asked about."""
    if lacking:
        which = plural(items, "item has", "items have")
        note(f"{lacking:,} of {which} no vector by this encoder: embed again")


def print_leaderboard(board: Leaderboard) -> None:
    """The leaderboard as a table."""
    weighted = board.weights is not None
    ndcg = "nDCG@10, unweighted" if weighted else "nDCG@10"
    heads = ["#", "encoder", "CorrEmbed, weighted" if weighted else "CorrEmbed", "95 % interval"]
    heads += ["unweighted"] if weighted else []
    heads += [ndcg, "orphans", "hub skew", "dim", "images/s"]
    rows, styles = [], []
    ranks = [entry.rank for entry in board.entries]
    for entry in board.entries:
        low, high = entry.main.interval()
        cells = [
            _place(entry.rank, ranks, entry.main.mean),
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
        rows.append(cells)
        styles.append(_style(entry.card.name.startswith("control:"), entry.rank))
    for name in board.missing:
        rows.append(["-", name, "missing"])
        styles.append("dim")
    table(heads, rows, words=(1,), styles=styles)
    for name, why in board.missing.items():
        say(f"missing: {name}: {why}")


def _place(rank: int, ranks: list[int], score: float) -> str:
    return "-" if math.isnan(score) else f"{rank}{'=' if ranks.count(rank) > 1 else ''}"


def _style(control: bool, rank: int) -> str:
    return "dim" if control else "bold" if rank == 1 else ""


def print_discovery(board: DiscoveryBoard) -> None:
    """The leaderboard by judgements as a table, and what leaving encoders out does."""
    from ..report.discovery import counted

    main, k = board.rank_by, max(board.ks)
    shown = dict.fromkeys([main, f"hr_at_{k}", f"mrr_at_{k}", "roc_auc_micro", "pr_auc_macro"])
    first, *others = shown
    heads = ["#", "encoder", board.names[first], "95 % interval"]
    heads += [board.names[metric] for metric in others] + [f"unjudged@{k}"]
    rows, styles = [], []
    ranks = [entry.rank for entry in board.entries]
    for entry in board.entries:
        score = entry.figures[main]
        cells = [
            _place(entry.rank, ranks, score.mean),
            entry.name,
            number(score.mean),
            f"{number(score.low)} to {number(score.high)}",
            *(number(entry.figures[metric].mean) for metric in others),
            "-" if math.isnan(entry.unjudged[k]) else f"{entry.unjudged[k]:.1%}",
        ]
        rows.append(cells)
        styles.append(_style(entry.control, entry.rank))
    for name in board.missing:
        rows.append(["-", name, "missing"])
        styles.append("dim")
    table(heads, rows, words=(1,), styles=styles)
    found = board.statistics
    for name, why in board.missing.items():
        say(f"missing: {name}: {why}")
    say(
        f"{counted(found)}, {found.gallery:,} items, {found.pairs:,} judged pairs, "
        f"{found.prevalence:.1%} of them alike"
    )
    if board.robustness is not None:
        print_removals(board)


def print_retrieval(board: RetrievalBoard) -> None:
    """The leaderboard by retrieval as a table."""
    metrics = list(board.entries[0].scores)
    heads = ["#", "encoder"]
    for metric in metrics[:4]:
        heads += [metric, "95 % interval"]
    rows, styles = [], []
    ranks = [entry.rank for entry in board.entries]
    for entry in board.entries:
        cells = [_place(entry.rank, ranks, entry.scores[board.rank_by].mean), entry.name]
        for metric in metrics[:4]:
            low, high = entry.scores[metric].interval()
            cells += [number(entry.scores[metric].mean), f"{number(low)} to {number(high)}"]
        rows.append(cells)
        styles.append(_style(entry.control, entry.rank))
    for name in board.missing:
        rows.append(["-", name, "missing"])
        styles.append("dim")
    table(heads, rows, words=(1,), styles=styles)
    for name, why in board.missing.items():
        say(f"missing: {name}: {why}")
    say(
        f"{plural(len(board.queries), 'query', 'queries')} by {board.relevance}, "
        f"{board.unscored:,} of {plural(len(board.catalogue), 'item')} without anything relevant, "
        f"{number(board.relevant, 0)} relevant per query (median)"
    )


def print_against(changed: Against) -> None:
    """What changed since an earlier report."""
    from ..report.against import against_facts

    say(f"since {changed.before}, by {changed.score_name}:")
    heads = ("encoder", "before", "after", "difference", "95 % interval", "p", "items")
    rows = [
        [
            one.encoder,
            number(one.before),
            number(one.after),
            number(one.difference),
            f"{number(one.low)} to {number(one.high)}" if one.queries else "-",
            "<0.001" if one.p < 0.001 else number(one.p),
            f"{one.queries:,}" if one.queries else "-",
        ]
        for one in changed.changes
    ]
    table(heads, rows)
    for name, text in against_facts(changed):
        say(f"{name}: {text}")


def print_removals(board: DiscoveryBoard) -> None:
    """What is left of scores and ranking when one encoder had proposed nothing."""
    metric, rows = board.rank_by, []
    heads = ("pairs", "alike", "Spearman", "p", "largest change", "its own change")
    for one in board.robustness.removals if board.robustness else ():
        agreed = one.agreement[metric]
        changes = (one.largest_change(metric), one.own_change(metric))
        counts = (f"{one.pairs:,}", f"{one.positives:,}")
        figures = (number(value) for value in (agreed.rho, agreed.p, *changes))
        rows.append([one.generator, *counts, *figures])
    table(("left out of the pool", *heads), rows)


def print_fusion(fusion: Fusion) -> None:
    """The fusion, and how it and its parts score on the held-out items."""
    rows = []
    for name, scores in fusion.held_out.items():
        low, high = scores.interval()
        weight = f"{fusion.weights[name]:.3f}" if name in fusion.weights else ""
        interval = f"{number(low)} to {number(high)}"
        mean, training = number(scores.mean), number(fusion.train[name].mean)
        rows.append([name, weight, mean, interval, training])
    table(("encoder", "weight", "held out", "95 % interval", "training"), rows)
    more = fusion.difference
    say(
        f"fusion less {more.part}: {number(more.mean)} ({number(more.low)} to "
        f"{number(more.high)}), p = {more.p:.3g}, on {fusion.held_out_items:,} held-out items"
    )
    for text in fusion.notes:
        note(text)
    joined = sum(share > 0 for share in fusion.weights.values()) > 1
    unshown = joined and not more.shown
    said = f" (not shown to be better than {more.part} alone)" if unshown else ""
    say(f"spec: {fusion.spec}{said}")


def print_engine(name: str, rows: Sequence[Mapping[str, Any]], k: int) -> None:
    """A table of ``reproduce engine``: the few columns that a terminal has room for."""
    metrics = {f"P@{k} drawn": "P_drawn", f"P@{k} all": "P_all", f"HR@{k} all": "HR_all"}
    times = {"encode ms": "encode_p50_ms", "search ms": "search_p50_ms"}
    figures = {**metrics, f"nDCG@{k} all": "nDCG_all", **times}
    cells = [[row["name"], *(number(row[one]) for one in figures.values())] for row in rows]
    styles = ["dim" if row["encoder"].startswith("control:") else "" for row in rows]
    table(("encoder", *figures), cells, title=name, styles=styles)


def number(value: float, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def print_runs(runs: Sequence[EmbedRun]) -> None:
    """What embedding did, and the first few images that it skipped.

    What all encoders skipped is said once.
    """
    alike = set.intersection(*(set(run.failures) for run in runs)) if len(runs) > 1 else set()
    _print_failures("skipped", [one for one in runs[0].failures if one in alike])
    for run in runs:
        by = f"skipped by {run.name}" if len(runs) > 1 else "skipped"
        _print_failures(by, [one for one in run.failures if one not in alike])
        _print_run(run)


def _print_failures(what: str, failures: Sequence[tuple[str, str, str]]) -> None:
    for item, path, reason in failures[:FAILURES_SHOWN]:
        note(f"{what}: {item}: {reason} ({path})")
    if len(failures) > FAILURES_SHOWN:
        more = len(failures) - FAILURES_SHOWN
        note(f"{what}: {more:,} more; all of them are listed in the store")


def _print_run(run: EmbedRun) -> None:
    copies = "copy" if run.copied == 1 else "copies"
    unseen = f", {run.zeros:,} of them zero vectors" if run.zeros else ""
    speed = f", {run.images_per_second:,.0f} images/s" if run.images_per_second else ""
    say(
        f"{run.name}: {run.embedded:,} embedded{unseen}, {run.copied:,} {copies}, "
        f"{run.kept:,} kept, {run.forgotten:,} removed, {len(run.failures):,} skipped{speed}"
    )


def print_hits(hits: Hits) -> None:
    """What a search found, as a table."""
    heads = ["#", "score", *(["more"] if hits.folded else []), "id"]
    names = hits.attributes.column_names[:COLUMNS_SHOWN]
    rows, shown = hits.attributes.select(names).to_pylist(), []
    for place, (item, score, row) in enumerate(zip(hits.ids, hits.scores, rows, strict=True)):
        more = [f"+{hits.folded[place]:,}" if hits.folded[place] else ""] if hits.folded else []
        cells = (cell(row[name]) for name in names)
        shown.append([str(place + 1), f"{score:.4f}", *more, item, *cells])
    cut = range(len(heads), len(heads) + len(names))
    table([*heads, *names], shown, words=(len(heads) - 1,), cut=cut)
    others = hits.attributes.column_names[COLUMNS_SHOWN:]
    if others and len(hits):
        note(f"not shown here, but by --html and --json: {', '.join(others)}")


def cell(value: object) -> str:
    """An attribute's value as text."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
