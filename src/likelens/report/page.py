"""The report of a comparison: a folder with the leaderboard as data and as one page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _leaderboard
from ..values.boxes import FilePicture
from ..values.catalogue import Catalogue
from ..values.csv_cells import write_csv
from ..values.errors import plural
from ..values.files import write_together
from . import charts, formats, grids, maps, tables
from .against import against_facts
from .lines import Line, best_line, read_lines, worst_line
from .pairs import cross, read_pairs
from .thumbnails import thumbnails
from .words import headline
from .writing import board_files, text_writer

if TYPE_CHECKING:
    from jinja2 import Environment

    from .._against import Against
    from .._stress import Stress

FAILURES_OF = 12
"""So many encoders, the best ones, are shown with the queries they get most wrong."""


def write_report(
    board: _leaderboard.Leaderboard,
    folder: Path,
    stress: Stress | None = None,
    against: Against | None = None,
) -> Path:
    """Write leaderboard.csv, .parquet and .json, per-query.parquet, and report.html.

    Args:
        board: what a comparison found.
        folder: where; it is made if missing, and files of that name are replaced.
        stress: the robustness curves of its encoders, if they were measured, for stress.csv
            and .json.
        against: what changed since an earlier report, if that is to be shown.

    Returns:
        The path of report.html, a page that stands alone.

    Raises:
        BadTable: the folder cannot be written to.
    """
    page = "report.html"
    html = render_report(board, folder, stress, against)
    more = {} if against is None else {"against": against.to_dict()}
    files = board_files(board, "leaderboard", page, html, **more)
    if stress is not None:
        curves = stress.table
        text = json.dumps(stress.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        files["stress.csv"] = lambda path: write_csv(curves, path)
        files["stress.json"] = text_writer(text)
    write_together({folder / name: write for name, write in files.items()})
    return folder / page


@dataclass(frozen=True)
class Book:
    """The pictures of a page.

    Attributes:
        catalogue: whose pictures they are.
        uris: the small copies of those that could be opened.
    """

    catalogue: Catalogue
    uris: dict[FilePicture, str]

    def name(self, position: int) -> str:
        """The id of an item."""
        return self.catalogue.ids[position]

    def uri(self, position: int) -> str | None:
        """An item's small picture as a data URI, or None if it could not be opened."""
        return self.uris.get(self.catalogue.picture(position))


def render_report(
    board: _leaderboard.Leaderboard,
    folder: Path,
    stress: Stress | None = None,
    against: Against | None = None,
) -> str:
    """The page as text, as it stands in a folder."""
    lines = read_lines(board)
    pairs = read_pairs(board, lines)
    strong, weak = best_line(lines), worst_line(lines)
    grid = grids.disagreements(board, strong, weak) if strong and weak else None
    candidates = [line for line in lines if not line.control]
    failures = [(line, grids.failures(board, line)) for line in candidates[:FAILURES_OF]]
    shown = [grid] if grid else []
    shown += [wrong for _, wrong in failures]
    positions = {place for one in shown for case in one.cases for place in case.positions()}
    pictures = (board.catalogue.picture(place) for place in sorted(positions))
    book = Book(board.catalogue, thumbnails(pictures))
    drawn = [line for line in (strong, weak) if line is not None]
    weighted = any(line.weighted is not None for line in lines)
    return templates().get_template("report.html.j2").render(
        board=board,
        lines=lines,
        head=headline(board, lines, pairs),
        weighted=weighted,
        score_name=score_name(lines),
        depth=lines[0].entry.neighbours.shape[1],
        axis=charts.score_axis(lines),
        accuracies=sum(line.entry.card.accuracy is not None for line in lines),
        cloud=charts.scatter(lines),
        control_names=_leaderboard.CONTROLS,
        control_table=tables.control_rows(lines),
        heat=tables.heat_map(board, lines),
        maps=maps.draw_maps(board, drawn) if drawn else None,
        grid=grid,
        strong=strong,
        weak=weak,
        failures=failures,
        more_failures=len(candidates) > FAILURES_OF,
        pairs=pairs,
        cross=cross(pairs),
        book=book,
        command=(*tables.command(board, folder), *_stress_options(stress)),
        stress=stress,
        against=against,
        against_facts=against_facts(against),
        **_curves(stress),
        run_facts=tables.run_facts(board.run),
        version=version("likelens"),
    )  # fmt: skip


def _curves(stress: Stress | None) -> dict[str, Any]:
    """What the section of robustness curves is made of."""
    if stress is None:
        return {}
    from .._degrade import UNITS
    from .stress import stress_charts

    return {"curves": stress_charts(stress), "units": UNITS}


def _stress_options(stress: Stress | None) -> tuple[str, ...]:
    """The options of the command line that measure the curves again."""
    return () if stress is None else ("--stress", f"--stress-queries {stress.asked}")


def score_name(lines: Sequence[Line]) -> str:
    """What decides the place."""
    weighted = any(line.weighted is not None for line in lines)
    return "CorrEmbed weighted by purchases" if weighted else "CorrEmbed"


def templates() -> Environment:
    """The templates of pages; whatever they are given is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": formats.number,
        "percent": formats.percent,
        "rounded": formats.rounded,
        "speed": formats.speed,
        "chance": formats.chance,
        "date": formats.date,
        "breakable": formats.breakable,
        "shortened": formats.shortened,
        "plural": plural,
        "plain": tables.plain,
        "worded": tables.worded,
    }
    environment.filters.update(filters)
    return environment
