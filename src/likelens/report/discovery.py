"""The page of a comparison by judgements, and its leaderboard as data."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from .._discover.advice import advice
from .._discover.values import DiscoveryBoard, DiscoveryEntry, Figure, Statistics, cut_names
from ..values.errors import plural
from ..values.files import write_together
from .against import against_facts
from .charts import Axis
from .formats import labels, listed, number, percent, place
from .lines import Estimate
from .page import templates
from .standing import Standing, missing, not_told_apart, title, unscored
from .tables import given_options, run_facts
from .writing import board_files

if TYPE_CHECKING:
    from .._against import Against

NAME = "discovery"


@dataclass(frozen=True)
class Row:
    """One encoder.

    Attributes:
        entry: what was measured.
        label: its name, short.
        place: its place, with ``=`` where others share it.
        best: whether it stands first, controls apart.
        figures: by metric, the score and its interval.
    """

    entry: DiscoveryEntry
    label: str
    place: str
    best: bool
    figures: dict[str, Estimate]

    @property
    def control(self) -> bool:
        """Whether it stands for chance."""
        return self.entry.control


@dataclass(frozen=True)
class Strip:
    """What leaving encoders out of the pool does to one encoder's score.

    Attributes:
        row: the encoder.
        full: its score on all proposals.
        low: the lowest with a generator's proposals taken away.
        high: the highest.
        own: the score without its own proposals; NaN if it proposed none.
    """

    row: Row
    full: float
    low: float
    high: float
    own: float


def write_discovery(board: DiscoveryBoard, folder: Path, against: Against | None = None) -> Path:
    """Write discovery.csv, .parquet, .json and .html, and per-query.parquet.

    Args:
        board: what was found.
        folder: where; it is made if missing, and files of those names are replaced.
        against: what changed since an earlier report, if that is to be shown.

    Returns:
        The path of the page, which stands alone.

    Raises:
        BadTable: the folder cannot be written to.
    """
    page = f"{NAME}.html"
    more = {} if against is None else {"against": against.to_dict()}
    files = board_files(board, NAME, page, render_discovery(board, folder, against), **more)
    write_together({folder / name: write for name, write in files.items()})
    return folder / page


def render_discovery(
    board: DiscoveryBoard, folder: Path = Path("report"), against: Against | None = None
) -> str:
    """The page as text; the folder is that of the command that makes it again."""
    rows = read_rows(board)
    main = [row.figures[board.rank_by] for row in rows]
    return (
        templates()
        .get_template("discovery.html.j2")
        .render(
            board=board,
            rows=rows,
            title=headline(board, rows),
            deck=deck(board, rows),
            facts=_facts(board),
            advice=advice(board),
            read_as=read_as(board),
            names=board.names,
            score_name=board.names[board.rank_by],
            cuts=cut_names(board.ks),
            axis=Axis.over(end for one in main for end in (one.mean, one.low, one.high)),
            strengths=_strengths(board, rows),
            strips=strips(board, rows),
            strip_axis=_strip_axis(board, rows),
            short=labels(_all_names(board)),
            command=command(board, folder),
            run_facts=run_facts(board.run),
            against=against,
            against_facts=against_facts(against),
            version=version("likelens"),
        )
    )


def read_rows(board: DiscoveryBoard) -> tuple[Row, ...]:
    """A row per encoder, best first."""
    short = labels([entry.name for entry in board.entries])
    shared = Counter(entry.rank for entry in board.entries)
    first = next((entry.name for entry in board.entries if not entry.control), None)
    return tuple(
        Row(
            entry=entry,
            label=short[entry.name],
            place=place(entry.rank, shared[entry.rank], entry.figures[board.rank_by].mean),
            best=entry.name == first,
            figures={metric: _estimate(figure) for metric, figure in entry.figures.items()},
        )
        for entry in board.entries
    )


def _estimate(figure: Figure) -> Estimate:
    return Estimate(figure.mean, figure.low, figure.high)


def headline(board: DiscoveryBoard, rows: Sequence[Row]) -> str:
    """The finding in a line."""
    return title(standings(board, rows), board.tests, "find what people call similar")


def standings(board: DiscoveryBoard, rows: Sequence[Row]) -> list[Standing]:
    """The rows as the sentences on the first place need them."""
    return [
        Standing(
            row.entry.name,
            row.label,
            row.entry.rank,
            row.control,
            row.figures[board.rank_by].known,
        )
        for row in rows
    ]


def deck(board: DiscoveryBoard, rows: Sequence[Row]) -> str:
    """What supports it."""
    best = next((row for row in rows if row.best), None)
    if best is None:
        return "Only controls were compared."
    if not best.figures[board.rank_by].known:
        return "No query can be scored by this metric."
    score, k = best.figures[board.rank_by], max(board.ks)
    said = (
        f"The {board.names[board.rank_by]} of {best.label} is {number(score.mean)} "
        f"(95\u00a0% interval {score.interval()})"
    )
    said += f"; nobody judged {percent(best.entry.unjudged[k])} of its first {k} results."
    more = (
        not_told_apart(standings(board, rows), board.tests),
        unscored(
            [row.label for row in rows if not row.control and not row.figures[board.rank_by].known]
        ),
        missing(list(board.missing)),
    )
    return " ".join([said, *(one for one in more if one)])


def _facts(board: DiscoveryBoard) -> tuple[tuple[str, str], ...]:
    found = board.statistics
    return (
        (f"{found.queries:,}", "queries" + (", in the wild" if board.wild else "")),
        (f"{found.with_positive:,}", "of them with a pair alike"),
        (f"{found.with_both:,}", "with both kinds of pairs"),
        (f"{found.gallery:,}", "items to find"),
        (f"{found.pairs:,}", "judged pairs"),
        (percent(found.prevalence), "of them alike"),
    )


def _strengths(board: DiscoveryBoard, rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """By metric and encoder, how strong a cell of the heat map is: 0 for the lowest, 1 for best."""
    found = {}
    for metric in board.names:
        means = {row.entry.name: row.figures[metric].mean for row in rows}
        finite = [mean for mean in means.values() if math.isfinite(mean)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
        for name, mean in means.items():
            strength = (mean - low) / (high - low) if high > low else 0.0
            found[metric, name] = strength if math.isfinite(mean) else 0.0
    return found


def strips(board: DiscoveryBoard, rows: Sequence[Row]) -> tuple[Strip, ...]:
    """Leave-one-encoder-out by the metric that decides the place; none where it was not done."""
    if board.robustness is None:
        return ()
    metric = board.rank_by
    full = board.robustness.full[metric]
    found = []
    for row in rows:
        score, own = full[row.entry.name], math.nan
        scores = [score]
        for removal in board.robustness.removals:
            scores.append(score + removal.changes[metric][row.entry.name])
            if removal.generator == row.entry.name:
                own = scores[-1]
        finite = [one for one in scores if math.isfinite(one)] or [math.nan]
        found.append(Strip(row, score, min(finite), max(finite), own))
    return tuple(found)


def _strip_axis(board: DiscoveryBoard, rows: Sequence[Row]) -> Axis:
    ends = [end for one in strips(board, rows) for end in (one.full, one.low, one.high)]
    return Axis.over(ends, zero=False)


def _all_names(board: DiscoveryBoard) -> list[str]:
    """Every encoder that is compared or proposed a pair."""
    proposing = [] if board.pool is None else list(board.pool.encoders)
    return list(dict.fromkeys([*(entry.name for entry in board.entries), *proposing]))


def read_as(board: DiscoveryBoard) -> str:
    """What HR@k and MRR@k are taken to be."""
    released = board.run["definition"] == "release"
    return "as in the paper's released code" if released else "as we read the paper"


def command(board: DiscoveryBoard, folder: Path) -> tuple[str, ...]:
    """The command that makes this comparison again, in parts that belong together."""
    run = board.run
    parts: list[tuple[str, ...]] = [("likelens", "evaluate", str(board.catalogue.layout.source))]
    parts += given_options(board.catalogue.layout)
    parts += [("-e", entry.name) for entry in board.entries]
    for name, value in run["options"].items():
        parts.append((f"--{name}",) if value is True else (f"--{name}", str(value)))
    parts += [("-k", str(k)) for k in board.ks]
    return tuple(shlex.join(part) for part in (*parts, ("--out", str(folder))))


def counted(found: Statistics) -> str:
    """How many queries there are, and how many of them HR, MRR and the areas rest on.

    Example:
        >>> counted(Statistics(120, 500, 900, 300, 109, 95, 59_880))
        '120 queries (109 with a pair alike, 95 with both kinds)'
    """
    return (
        f"{plural(found.queries, 'query', 'queries')} ({found.with_positive:,} with a pair alike, "
        f"{found.with_both:,} with both kinds)"
    )


def summary(board: DiscoveryBoard) -> str:
    """What was judged, in a sentence."""
    found = board.statistics
    return (
        f"{counted(found)} and {plural(found.gallery, 'item')}; "
        f"{plural(found.pairs, 'judged pair')}, {percent(found.prevalence)} of them alike; "
        f"cut-offs {listed([str(k) for k in board.ks])}."
    )
