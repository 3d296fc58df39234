"""The folder of a reproduction: Markdown, charts, tables as data, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..report.page import write_report
from ..values.csv_cells import write_csv
from ..values.files import plain, write_together
from ._charts import map_svg, scatter_svg
from ._corrembed import Reproduction
from ._markdown import markdown
from .tables import LAYERS, everything

NAME = "reproduce-corrembed"


def write(found: Reproduction, folder: Path) -> Path:
    """Write ``reproduce-corrembed.md`` and ``.json``, its charts, tables and the report.

    Args:
        found: what was measured.
        folder: where; it is made if missing, and files of those names are replaced.

    Returns:
        The path of the Markdown file. It and the charts hold no photo; ``report/report.html``
        does.

    Raises:
        BadTable: the folder cannot be written to.
    """
    page = folder / f"{NAME}.md"
    charts = draw(found)
    tables = everything(found)
    files = {folder / f"{NAME}-{name}": writer(svg) for name, svg in charts.items()}
    for name, rows in tables.items():
        if rows:
            files[folder / "tables" / f"{name}.csv"] = partial(write_rows, rows)
    about = {"run": found.board.run, "items": found.items, "notes": found.board.notes}
    text = json.dumps(plain({**tables, **about}), indent=1, allow_nan=False, ensure_ascii=False)
    title = "# The result section of CorrEmbed, measured again\n\n"
    files[folder / f"{NAME}.json"] = writer(text)
    files[page] = writer(title + markdown(found, charts, f"{NAME}-"))
    write_together(files)
    write_report(found.board, folder / "report")
    return page


def draw(found: Reproduction) -> dict[str, str]:
    """The charts that can be drawn, by the ends of their files' names."""
    drawn = {f"{layer}.svg": scatter_svg(found, layer) for layer in LAYERS}
    drawn["map.svg"] = map_svg(found)
    return {name: svg for name, svg in drawn.items() if svg is not None}


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows of plain values as a table."""
    import pyarrow

    write_csv(pyarrow.Table.from_pylist(plain(rows)), path)


def writer(text: str) -> Callable[[Path], object]:
    """What writes a text to a path."""
    return lambda path: path.write_text(text, encoding="utf-8")
