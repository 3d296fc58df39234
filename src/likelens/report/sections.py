"""A page in parts that Markdown and HTML both render: prose, lists, tables, charts."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .markdown import plain_cell, table_row


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        heads: of the columns.
        rows: a text for each column.
        text: places of the columns that stand to the left; the others are figures.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        name: of its file.
        alt: what it shows, in words.
        svg: the drawing.
    """

    name: str
    alt: str
    svg: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The drawing as an address, so that its styles do not touch the page's."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}"


@dataclass(frozen=True)
class Points:
    """A list.

    Attributes:
        items: a term and what is said of it.
    """

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it.

    Attributes:
        title: the heading.
        parts: in order; a text is a paragraph.
    """

    title: str
    parts: tuple[str | Sheet | Chart | Points, ...]

    @property
    def anchor(self) -> str:
        """What a link to it says."""
        return "".join(one if one.isalnum() else "-" for one in self.title.lower())

    @property
    def kinds(self) -> Iterator[tuple[str, str | Sheet | Chart | Points]]:
        """Each part with the name of its kind, for templates."""
        return ((type(part).__name__.lower(), part) for part in self.parts)


def markdown_sections(sections: Iterable[Section], images: str = "") -> str:
    """The sections in Markdown.

    Args:
        sections: in order.
        images: what stands before the names of the charts' files.
    """
    blocks = []
    for section in sections:
        blocks.append(f"## {plain_cell(section.title)}")
        blocks += [_block(part, images) for part in section.parts]
    return "\n\n".join(blocks) + "\n"


def _block(part: str | Sheet | Chart | Points, images: str) -> str:
    if isinstance(part, Sheet):
        return markdown_sheet(part)
    if isinstance(part, Chart):
        return f"![{plain_cell(part.alt)}]({images}{part.name})"
    if isinstance(part, Points):
        return "\n".join(f"- **{plain_cell(a)}.** {plain_cell(b)}" for a, b in part.items)
    return plain_cell(part)


def markdown_sheet(sheet: Sheet) -> str:
    """A table in Markdown."""
    rule = [":---" if place in sheet.text else "---:" for place in range(len(sheet.heads))]
    rows: list[Sequence[str]] = [_cells(sheet.heads), rule, *map(_cells, sheet.rows)]
    return "\n".join(table_row(row) for row in rows)


def _cells(row: Sequence[str]) -> list[str]:
    return [plain_cell(cell) for cell in row]
