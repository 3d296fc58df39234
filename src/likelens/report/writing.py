"""A leaderboard as files: tables, JSON, and the values of every query."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .._against import PER_QUERY, Board
from ..values.csv_cells import write_csv

Files = dict[str, Callable[[Path], object]]
"""By name of a file, what writes it."""


def board_files(board: Board, name: str, page: str, html: str, **more: Any) -> Files:
    """The files of a leaderboard: NAME.csv, .parquet and .json, per-query.parquet, and the page.

    Args:
        board: what was found.
        name: of the files.
        page: file name of the page.
        html: the page.
        more: further entries of the JSON.
    """
    import pyarrow.parquet

    table, values = board.table, board.per_query
    content = json.dumps({**board.to_dict(), **more}, indent=1, allow_nan=False, ensure_ascii=False)
    return {
        f"{name}.csv": lambda path: write_csv(table, path),
        f"{name}.parquet": lambda path: pyarrow.parquet.write_table(table, path),
        PER_QUERY: lambda path: pyarrow.parquet.write_table(values, path),
        f"{name}.json": text_writer(content),
        page: text_writer(html),
    }


def text_writer(text: str) -> Callable[[Path], object]:
    """What writes a text as UTF-8."""
    return lambda path: path.write_text(text, encoding="utf-8")
