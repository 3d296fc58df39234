"""The page of a comparison by retrieval, and its leaderboard as data."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from .._relevance.values import RetrievalBoard, RetrievalEntry
from ..values.errors import plural
from ..values.files import write_together
from .against import against_facts
from .charts import Axis
from .formats import labels, number, place
from .lines import Estimate
from .page import templates
from .standing import Standing, missing, not_told_apart, title, unscored
from .tables import given_options, run_facts
from .writing import board_files

if TYPE_CHECKING:
    from .._against import Against

NAME = "retrieval"

RELEVANT = {
    "purchases": ("bought together", "find what was bought together"),
    "classes": ("of the query's class", "find items of the same class"),
    "products": ("of the query's product", "find images of the same product"),
    "tags": ("similar by their tags", "find items with similar tags"),
}
"""What the relevant items are, and what a good encoder does."""


@dataclass(frozen=True)
class Row:
    """One encoder or control.

    Attributes:
        entry: what was measured.
        label: its name, short.
        place: its place, with ``=`` where others share it.
        best: whether it stands first, controls apart.
        figures: by metric, the score and its interval.
    """

    entry: RetrievalEntry
    label: str
    place: str
    best: bool
    figures: dict[str, Estimate]

    @property
    def control(self) -> bool:
        """Whether it is no candidate."""
        return self.entry.control


def write_retrieval(board: RetrievalBoard, folder: Path, against: Against | None = None) -> Path:
    """Write retrieval.csv, .parquet, .json and .html, and per-query.parquet.

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
    files = board_files(board, NAME, page, render_retrieval(board, folder, against), **more)
    write_together({folder / name: write for name, write in files.items()})
    return folder / page


def render_retrieval(
    board: RetrievalBoard, folder: Path = Path("report"), against: Against | None = None
) -> str:
    """The page as text; the folder is that of the command that makes it again."""
    rows = read_rows(board)
    main = [row.figures[board.rank_by] for row in rows]
    return (
        templates()
        .get_template("retrieval.html.j2")
        .render(
            board=board,
            rows=rows,
            title=headline(board, rows),
            deck=deck(board, rows),
            facts=_facts(board),
            relevant=RELEVANT[board.relevance][0],
            metrics=list(board.entries[0].scores),
            axis=Axis.over(end for one in main for end in (one.mean, one.low, one.high)),
            command=command(board, folder),
            run_facts=run_facts(board.run),
            against=against,
            against_facts=against_facts(against),
            version=version("likelens"),
        )
    )


def read_rows(board: RetrievalBoard) -> tuple[Row, ...]:
    """A row per encoder and control, best first."""
    short = labels([entry.name for entry in board.entries])
    shared = Counter(entry.rank for entry in board.entries)
    first = next((entry.name for entry in board.entries if not entry.control), None)
    return tuple(
        Row(
            entry=entry,
            label=short[entry.name],
            place=place(entry.rank, shared[entry.rank], entry.scores[board.rank_by].mean),
            best=entry.name == first,
            figures={metric: Estimate.of(scores) for metric, scores in entry.scores.items()},
        )
        for entry in board.entries
    )


def standings(board: RetrievalBoard, rows: Sequence[Row]) -> list[Standing]:
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


def headline(board: RetrievalBoard, rows: Sequence[Row]) -> str:
    """The finding in a line."""
    controls = "chance and popularity" if board.relevance == "purchases" else "chance"
    return title(standings(board, rows), board.tests, RELEVANT[board.relevance][1], controls)


def deck(board: RetrievalBoard, rows: Sequence[Row]) -> str:
    """What supports it: the score of the best, those of the controls, and what is undecided."""
    best = next((row for row in rows if row.best), None)
    if best is None:
        return "Only controls were compared."
    score = best.figures[board.rank_by]
    controls = "; ".join(
        f"{row.label} {number(row.figures[board.rank_by].mean)}" for row in rows if row.control
    )
    said = (
        f"The {board.rank_by} of {best.label} is {number(score.mean)} (95\u00a0% interval "
        f"{score.interval()}) over {plural(len(board.queries), 'query', 'queries')}"
        f"{f'; controls: {controls}' if controls else ''}."
    )
    more = (
        not_told_apart(standings(board, rows), board.tests),
        unscored(
            [row.label for row in rows if not row.control and not row.figures[board.rank_by].known]
        ),
        missing(list(board.missing)),
    )
    return " ".join([said, *(one for one in more if one)])


def _facts(board: RetrievalBoard) -> tuple[tuple[str, str], ...]:
    return (
        (f"{len(board.queries):,}", "queries"),
        (f"{board.unscored:,}", "items with nothing relevant"),
        (f"{len(board.catalogue):,}", "items to find"),
        (number(board.relevant, 0), "relevant items of a query (median)"),
    )


def command(board: RetrievalBoard, folder: Path) -> tuple[str, ...]:
    """The command that makes this comparison again, in parts that belong together."""
    parts: list[tuple[str, ...]] = [("likelens", "evaluate", str(board.catalogue.layout.source))]
    parts += given_options(board.catalogue.layout)
    parts += [("-e", name) for name in board.run["encoders"]]
    parts += [("--relevance", board.relevance), ("-k", str(board.k))]
    parts += [
        (f"--{name}", str(board.run[name]))
        for name in ("sample", "seed", "store")
        if board.run.get(name) is not None
    ]
    return tuple(shlex.join(part) for part in (*parts, ("--out", str(folder))))
