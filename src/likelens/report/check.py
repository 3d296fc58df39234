"""The findings of a check: a folder with tables to work through, and a page that shows them."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._check.values import TABLES, Check
from ..values.boxes import FilePicture
from ..values.catalogue import Catalogue
from ..values.csv_cells import write_csv
from ..values.errors import plural
from ..values.files import write_together
from .formats import listed
from .page import templates
from .tables import given_options
from .thumbnails import thumbnails

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "check"
"""Of the page and the JSON file, without their endings."""

GROUPS = 40
"""Groups of copies that the page shows, across products and within one, at most."""

TAGS = 12
"""Tags of a column that the page shows, at most."""

FILES = 100
"""Unusable images that the page lists, at most."""

UNLISTED, STRAYS = "unlisted", 10
"""Of images without a row, which come last, so many at most."""

SHOWN = 5
"""Images beside the first one, at most."""


@dataclass(frozen=True)
class Tile:
    """An image of the page.

    Attributes:
        id: of the item.
        uri: the image as a data URI, or None if it cannot be opened.
        lines: what stands under it.
        mark: the first of them, in colour.
    """

    id: str
    uri: str | None
    lines: tuple[str, ...] = ()
    mark: str = ""


@dataclass(frozen=True)
class Case:
    """An image, and others to compare it with.

    Attributes:
        first: the image.
        others: beside it.
        title: what they have in common.
        more: how many others are not shown.
    """

    first: Tile
    others: tuple[Tile, ...]
    title: str
    more: int = 0


def write_check(found: Check, folder: Path) -> Path:
    """Write the tables as .csv and .parquet, check.json and check.html.

    Args:
        found: the findings.
        folder: where; it is made if missing, and files of those names are replaced.

    Returns:
        The path of check.html, a page that stands alone.

    Raises:
        BadTable: the folder cannot be written to.
    """
    import pyarrow.parquet

    files: dict[Path, Callable[[Path], object]] = {}
    for name in TABLES:
        table = getattr(found, name)
        files[folder / f"{name}.csv"] = partial(_write_csv, table)
        files[folder / f"{name}.parquet"] = partial(pyarrow.parquet.write_table, table)
    text = json.dumps(found.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
    page = render_check(found)
    files[folder / f"{NAME}.json"] = lambda path: path.write_text(text, encoding="utf-8")
    files[folder / f"{NAME}.html"] = lambda path: path.write_text(page, encoding="utf-8")
    write_together(files)
    return folder / f"{NAME}.html"


def render_check(found: Check) -> str:
    """The page as text."""
    copies = {across: _copy_groups(found, across=across) for across in (True, False)}
    suspects = {
        name: list(rows)
        for name, rows in groupby(found.wrong_tags.to_pylist(), lambda row: row["column"])
    }
    unusable = found.unusable.to_pylist()
    shown = sorted(unusable, key=lambda row: bool(row["problem"] == UNLISTED))
    most = sum(row["problem"] != UNLISTED for row in shown) + STRAYS
    shown = shown[: min(FILES, most)]
    book = _Book(found.catalogue)
    book.open(_shown_ids(copies, suspects, shown))
    return templates().get_template("check.html.j2").render(
        found=found,
        title=_title(found),
        counts=found.counts,
        problems=Counter(row["problem"] for row in unusable).most_common(),
        unusable=[(row, book.uri(row["id"])) for row in shown],
        copies=[
            (heading, len(copies[across]), [_copy_case(g, book) for g in copies[across][:GROUPS]])
            for across, heading in ((True, "Across products"), (False, "Within one product"))
            if copies[across]
        ],
        columns=found.columns.to_pylist(),
        suspects=[
            (name, len(rows), [_tag_case(row, book) for row in rows[:TAGS]])
            for name, rows in suspects.items()
        ],
        command=_command(found),
        groups_shown=GROUPS,
        version=version("likelens"),
    )  # fmt: skip


class _Book:
    """Small copies of the images of a catalogue, and its attributes, by id."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._uris: dict[FilePicture, str] = {}

    def open(self, ids: Sequence[str]) -> None:
        rows = (self._catalogue.position[item] for item in dict.fromkeys(ids))
        self._uris = thumbnails([self._catalogue.picture(row) for row in rows])

    def uri(self, item: str | None) -> str | None:
        row = None if item is None else self._catalogue.position.get(item)
        return None if row is None else self._uris.get(self._catalogue.picture(row))

    def value(self, item: str, column: str) -> str:
        attributes = self._catalogue.attributes
        if column not in attributes.column_names:
            return ""
        value = attributes[column][self._catalogue.position[item]].as_py()
        return "–" if value is None else str(value)


def _shown_ids(
    copies: dict[bool, list[list[dict[str, Any]]]],
    suspects: dict[str, list[dict[str, Any]]],
    unusable: list[dict[str, Any]],
) -> list[str]:
    """The ids of all images of the page."""
    ids = [row["id"] for row in unusable if row["path"] and row["id"]]
    for groups in copies.values():
        ids += [row["id"] for group in groups[:GROUPS] for row in group[: SHOWN + 1]]
    for rows in suspects.values():
        for row in rows[:TAGS]:
            ids += [row["id"], *row["neighbours"][:SHOWN]]
    return ids


def _copy_groups(found: Check, *, across: bool) -> list[list[dict[str, Any]]]:
    """The groups of copies, first those whose tags differ most, then the largest."""
    rows = (row for row in found.copies.to_pylist() if row["across_products"] == across)
    groups = [list(group) for _, group in groupby(rows, lambda row: row["group"])]
    return sorted(groups, key=lambda group: (-len(_differing(group)), -len(group)))


def _differing(group: list[dict[str, Any]]) -> list[str]:
    return [name for name in group[0]["tags_differ"].split(", ") if name]


def _copy_case(group: list[dict[str, Any]], book: _Book) -> Case:
    first, *others = group
    relations = listed([*dict.fromkeys(row["relation"] for row in others)])
    differing = _differing(group)
    return Case(
        first=_copy_tile(first, differing, book),
        others=tuple(_copy_tile(row, differing, book) for row in others[:SHOWN]),
        title=f"{relations}, different {listed(differing)}" if differing else relations,
        more=max(0, len(others) - SHOWN),
    )


def _copy_tile(row: dict[str, Any], differing: Sequence[str], book: _Book) -> Tile:
    lines = [book.value(row["id"], name) for name in differing]
    if row["product"] is not None:
        lines.append(f"product {row['product']}")
    lines.append(f"{row['width']} × {row['height']}")
    return Tile(row["id"], book.uri(row["id"]), tuple(lines), row["relation"])


def _tag_case(row: dict[str, Any], book: _Book) -> Case:
    others = tuple(
        Tile(item, book.uri(item), (), row["suggested"]) for item in row["neighbours"][:SHOWN]
    )
    return Case(
        first=Tile(row["id"], book.uri(row["id"]), (), row["tag"]),
        others=others,
        title=f"{row['suggested']} instead of {row['tag']}? {row['support']:.0%} of the most "
        f"similar items have it, {row['agree']:.0%} have {row['tag']}",
    )


def _title(found: Check) -> str:
    counts = found.counts
    parts = [
        plural(counts["unusable"], "unusable image"),
        plural(counts["copy_groups"], "group of copies", "groups of copies"),
        plural(counts["wrong_tags"], "probably wrong tag"),
    ]
    some = [
        part
        for part, name in zip(parts, ("unusable", "copy_groups", "wrong_tags"), strict=True)
        if counts[name]
    ]
    return listed(some) if some else "Nothing to report"


def _command(found: Check) -> tuple[str, ...]:
    """The command that makes this check again, in parts that belong together."""
    layout = found.catalogue.layout
    given = [part for part in given_options(layout) if part[0] != "--skip-missing"]
    parts = [("likelens", "check", str(layout.source)), *given]
    parts += [("-e", name) for name in found.run.get("encoders", ())]
    return tuple(shlex.join(part) for part in parts)


def _write_csv(table: pa.Table, path: Path) -> None:
    """A table as CSV; lists are joined by spaces."""
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        if pa.types.is_list(table[name].type):
            joined = [" ".join(cell) for cell in table[name].to_pylist()]
            table = table.set_column(place, name, pa.array(joined, pa.string()))
    write_csv(table, path)
