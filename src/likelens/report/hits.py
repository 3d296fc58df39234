"""What a search found, as one page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .._search import Hits
from ..images import Picture
from ..values.files import write_aside
from .formats import labels
from .page import templates
from .tables import plain
from .thumbnails import thumbnail, thumbnails

SIDE = 224
"""Longer side of a picture, in pixels: larger than in a report, for there are fewer."""


@dataclass(frozen=True)
class Hit:
    """One picture found.

    Attributes:
        id: the item's id.
        score: its cosine similarity to the query.
        uri: its small picture, or None if it cannot be opened.
        attributes: names and values of its attributes, those without a value left out.
    """

    id: str
    score: float
    uri: str | None
    attributes: tuple[tuple[str, str], ...]


def write_hits(hits: Hits, path: Path) -> None:
    """Write what a search found as a page that stands alone.

    Args:
        hits: what was found.
        path: the file to write; one that is there is replaced.

    Raises:
        BadTable: the file cannot be written.
    """
    text = (
        templates()
        .get_template("hits.html.j2")
        .render(
            hits=hits,
            shown=_shown(hits),
            label=labels([hits.encoder.name])[hits.encoder.name],
            asked=_tiles("Query", hits.pictures, hits.queries)
            + _tiles("Less like", hits.minus_pictures, hits.minus),
            version=version("likelens"),
        )
    )
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def _tiles(
    role: str, pictures: Sequence[Picture], names: Sequence[str]
) -> list[tuple[str, str | None, str]]:
    return [
        (role, thumbnail(picture, SIDE), re.split(r"[/\\]", name)[-1])
        for picture, name in zip(pictures, names, strict=True)
    ]


def _shown(hits: Hits) -> tuple[Hit, ...]:
    uris = thumbnails(hits.paths, SIDE)
    rows = hits.attributes.to_pylist()
    return tuple(
        Hit(
            id=item,
            score=float(score),
            uri=uris.get(path),
            attributes=tuple(
                (name, plain(value)) for name, value in row.items() if value not in (None, "", [])
            ),
        )
        for item, score, path, row in zip(hits.ids, hits.scores, hits.paths, rows, strict=True)
    )
