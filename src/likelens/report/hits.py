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
class Tile:
    """One image found.

    Attributes:
        id: the item's id.
        score: its cosine similarity to the query.
        uri: its small picture, or None if it cannot be opened.
        more: what stands behind it, in words; empty for nothing.
        reranked: the score of the re-ranking, or None.
        attributes: names and values of its attributes, those without a value left out.
    """

    id: str
    score: float
    uri: str | None
    more: str
    reranked: float | None
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
            notes=how_chosen(hits),
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


def how_chosen(hits: Hits) -> tuple[str, ...]:
    """How the results were chosen, beyond the k most alike: a sentence for each part."""
    order, said = hits.order, []
    if hits.text_weight is not None:
        said.append(f"The text weighs {hits.text_weight:g}, the pictures {1 - hits.text_weight:g}.")
    if order.rerank is not None:
        said.append(f"Ordered by {order.rerank}, which counters items that every search finds.")
    if order.group_by is not None:
        said.append(f"One for each value of {order.group_by}.")
    if order.collapse is not None:
        said.append(f"Near-duplicates, from a cosine of {order.collapse:g} on, are shown once.")
    if order.diversity is not None:
        said.append(f"Chosen to differ from each other, with weight {order.diversity:g}.")
    if order.threshold is not None:
        said.append(_threshold(hits))
    return tuple(said)


def _threshold(hits: Hits) -> str:
    line = f"Only from a cosine of {hits.order.threshold:.3f} on"
    found = hits.calibrated
    if found is not None:
        line += (
            f" ({found.low:.3f} to {found.high:.3f}), which a picture with nothing alike here "
            f"reaches with a chance of {found.false_alarm:g} ({found.by})"
        )
    if hits.nothing_alike:
        line += f"; the best of all has {hits.best:.3f}"
    return line + "."


def _shown(hits: Hits) -> tuple[Tile, ...]:
    uris = thumbnails(hits.shown, SIDE)
    rows = hits.attributes.to_pylist()
    behind = hits.folded or (0,) * len(hits)
    reranked = [None] * len(hits) if hits.reranked is None else hits.reranked.tolist()
    return tuple(
        Tile(
            id=item,
            score=float(score),
            uri=uris.get(picture),
            more=f"and {count:,} more" if count else "",
            reranked=again,
            attributes=tuple(
                (name, plain(value)) for name, value in row.items() if value not in (None, "", [])
            ),
        )
        for item, score, picture, row, count, again in zip(
            hits.ids, hits.scores, hits.shown, rows, behind, reranked, strict=True
        )
    )
