"""The report of a search engine's measurement: its tables, and what is found for some queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ..values.catalogue import Catalogue
from ..values.files import write_aside
from .page import Book, templates
from .sections import Section
from .thumbnails import thumbnails


@dataclass(frozen=True)
class Answer:
    """A picture that was found.

    Attributes:
        position: its row in the catalogue.
        label: its class, or nothing.
        score: cosine similarity to the query.
        right: whether it is of the query's class.
    """

    position: int
    label: str
    score: float
    right: bool


@dataclass(frozen=True)
class Found:
    """What one encoder finds.

    Attributes:
        label: the encoder.
        answers: best first.
    """

    label: str
    answers: tuple[Answer, ...]

    @property
    def right(self) -> int:
        """How many answers are right."""
        return sum(answer.right for answer in self.answers)


@dataclass(frozen=True)
class Case:
    """A query and what encoders find for it.

    Attributes:
        position: the query's row in the catalogue.
        label: its class.
        found: a row of pictures per encoder.
    """

    position: int
    label: str
    found: tuple[Found, ...]


@dataclass(frozen=True)
class Grid:
    """Queries with their results.

    Attributes:
        title: its heading.
        lead: how the queries were chosen.
        cases: the queries.
    """

    title: str
    lead: str
    cases: tuple[Case, ...]

    def positions(self) -> Iterator[int]:
        """Rows of all its pictures."""
        for case in self.cases:
            yield case.position
            yield from (answer.position for found in case.found for answer in found.answers)


def write_engine_report(
    path: Path,
    title: str,
    deck: str,
    catalogue: Catalogue,
    sections: Sequence[Section],
    grids: Sequence[Grid],
) -> None:
    """Write the page, which stands alone.

    Args:
        path: the file to write; one that is there is replaced.
        title: its heading.
        deck: a sentence under it.
        catalogue: whose pictures are shown.
        sections: tables and charts.
        grids: queries with their results.

    Raises:
        BadTable: the file cannot be written.
    """
    shown = sorted({place for grid in grids for place in grid.positions()})
    book = Book(catalogue, thumbnails(catalogue.picture(place) for place in shown))
    text = (
        templates()
        .get_template("engine.html.j2")
        .render(
            title=title,
            deck=deck,
            sections=sections,
            grids=[grid for grid in grids if grid.cases],
            book=book,
            version=version("likelens"),
        )
    )
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))
