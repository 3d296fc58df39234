"""A leaderboard without pictures: Markdown tables, and a chart that stands alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .._leaderboard import CONTROLS, Leaderboard
from ..values.errors import plural
from . import formats
from .charts import score_axis
from .lines import Estimate, Line, read_lines
from .page import score_name, templates
from .pairs import Pair, read_pairs
from .tables import control_rows, heat_map
from .words import headline


def svg_bars(board: Leaderboard) -> str:
    """A bar per encoder with its interval, as an SVG file that follows light and dark."""
    lines = read_lines(board)
    return (
        templates()
        .get_template("bars.svg.j2")
        .render(board=board, lines=lines, score_name=score_name(lines), axis=score_axis(lines))
    )


def markdown_leaderboard(board: Leaderboard) -> str:
    """The leaderboard, its controls, what each encoder sees, and the tests, in Markdown."""
    lines = read_lines(board)
    pairs = read_pairs(board, lines)
    head = headline(board, lines, pairs)
    covers = (
        f"Intervals are 95\u00a0% and cover {lines[0].entry.main.covers}. A place is one more than "
        "the number of encoders that score significantly more."
    )
    alone = (
        "CorrEmbed with the tags of one category alone, and in brackets the category's part in "
        "the unweighted score of all tags."
    )
    tests = (
        f"Paired tests of {score_name(lines)}, with Holm's correction for "
        f"{plural(len(pairs), 'pair')}. They cover {board.pairs.covers}."
    )
    parts = [
        f"**{plain_cell(head.title)}.** {' '.join(plain_cell(text) for text in head.sentences)}",
        *("## Leaderboard", _leaderboard(lines, board.missing), covers),
        *("## Controls", "CorrEmbed when chance takes the place of one side.", *_controls(lines)),
        *("## What each encoder sees", alone, _sees(board, lines)),
        *(("## Tests", tests, _pairs(pairs)) if pairs else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _leaderboard(lines: Sequence[Line], missing: Mapping[str, str]) -> str:
    weighted = any(line.weighted is not None for line in lines)
    depth = lines[0].entry.neighbours.shape[1]
    heads = [
        "place",
        "encoder",
        *(["CorrEmbed, weighted"] if weighted else []),
        "CorrEmbed, unweighted" if weighted else "CorrEmbed",
        *([f"nDCG@{depth}, weighted"] if weighted else []),
        f"nDCG@{depth}, unweighted" if weighted else f"nDCG@{depth}",
        "hubness",
        "orphans",
        "dimensions",
        "parameters",
        "file",
        "images/s",
    ]
    rows = []
    for line in lines:
        entry, card = line.entry, line.entry.card
        rows.append(
            [
                line.place,
                f"*{line.label}*" if line.control else line.label,
                *([] if line.weighted is None else [_estimate(line.weighted)]),
                _estimate(line.unweighted),
                *(
                    []
                    if line.weighted is None
                    else [formats.number(entry.weighted_ndcg.mean if entry.weighted_ndcg else None)]
                ),
                formats.number(entry.ndcg.mean),
                formats.number(entry.hubness.skewness, 2),
                formats.percent(entry.hubness.orphans),
                f"{card.dim:,}",
                formats.rounded(card.parameters),
                formats.rounded(card.size_bytes, "B"),
                formats.speed(entry.images_per_second),
            ]
        )
    blank = [""] * (len(heads) - 3)
    rows += [["–", name, f"missing: {why}", *blank] for name, why in missing.items()]
    return _table(heads, rows)


def _controls(lines: Sequence[Line]) -> list[str]:
    """The weighted table, if there is one, and the unweighted one."""
    heads = ["encoder", "real", *CONTROLS]
    rows = control_rows(lines)
    tables = []
    if any(row.weighted is not None for row in rows):
        weighted = [_numbers(row.line, row.weighted or ()) for row in rows]
        tables += ["Weighted by purchases:", _table(heads, weighted), "Unweighted:"]
    return [*tables, _table(heads, [_numbers(row.line, row.unweighted) for row in rows])]


def _numbers(line: Line, values: Iterable[float]) -> list[str]:
    return [line.label, *(formats.number(value) for value in values)]


def _sees(board: Leaderboard, lines: Sequence[Line]) -> str:
    heat = heat_map(board, lines)
    heads = ["encoder", *(category.name for category in heat.categories)]
    rows = [
        [
            line.label,
            *(f"{formats.number(one.score)} ({formats.number(one.share)})" for one in cells),
        ]
        for line, cells in heat.rows
    ]
    return _table(heads, rows)


def _pairs(pairs: Sequence[Pair]) -> str:
    heads = ["encoder", "less", "difference", "p", "p, corrected", "significant"]
    rows = [
        [
            pair.first.label,
            pair.second.label,
            formats.number(pair.difference),
            formats.chance(pair.p),
            formats.chance(pair.adjusted),
            "yes" if pair.significant else "no",
        ]
        for pair in pairs
    ]
    return _table(heads, rows)


def _estimate(estimate: Estimate) -> str:
    return f"{formats.number(estimate.mean)} ({estimate.interval()})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; figures to the right, the first columns of text to the left."""
    text = [
        table_row([plain_cell(head) for head in heads]),
        table_row([_aligned(head) for head in heads]),
    ]
    return "\n".join([*text, *(table_row([plain_cell(cell) for cell in row]) for row in rows)])


def table_row(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _aligned(head: str) -> str:
    return ":---" if head in ("encoder", "less", "significant") else "---:"


def plain_cell(text: str) -> str:
    """Text that Markdown takes as it stands: in a cell, and without HTML."""
    for character, instead in (
        ("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("_", "\\_"), ("`", "\\`"), ("\n", " "),
    ):  # fmt: skip
        text = text.replace(character, instead)
    return text
