"""What notebooks show of results, boards and catalogues: tables and small images, all escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._search import Hits
from ..values.arrays import Positions
from ..values.catalogue import Catalogue
from .hits import how_chosen
from .page import templates
from .tables import plain
from .thumbnails import thumbnails

FIRST = 24
"""Images shown of a result or a catalogue."""

QUERIES, NEIGHBOURS = 3, 5
"""Queries of a board, and items found for each."""

COLUMNS = 6
"""Attributes listed under an image, at most."""


@dataclass(frozen=True)
class _Tile:
    """An image with its lines of text; ``uri`` is None if it cannot be opened."""

    uri: str | None
    name: str
    head: str
    lines: tuple[str, ...]


def hits_html(hits: Hits) -> str:
    """The images that a search found, with ranks, scores and attributes."""
    asked = ", ".join((*hits.queries, *hits.texts)) or "the query"
    uris = thumbnails(hits.shown[:FIRST])
    tiles = [
        _Tile(
            uris.get(shown),
            hit.id,
            f"{hit.rank} · {hit.score:.3f}",
            (hit.id, *_lines(hit.attributes)),
        )
        for hit, shown in zip(hits[:FIRST], hits.shown, strict=False)
    ]
    where = "" if hits.where is None else f" where {hits.where}"
    title = f"{len(hits):,} of {hits.candidates:,} items{where}, most similar to {asked}"
    return _tiles(title, tiles, len(hits), how_chosen(hits))


def catalogue_html(catalogue: Catalogue) -> str:
    """The first images of a catalogue, with ids and attributes."""
    count = min(len(catalogue), FIRST)
    shown = [catalogue.picture(row) for row in range(count)]
    uris, ids = thumbnails(shown), catalogue.ids[:count]
    rows: list[dict[str, Any]] = [{}] * count
    if catalogue.attributes.num_columns:
        rows = catalogue.attributes.slice(0, count).to_pylist()
    tiles = [
        _Tile(uris.get(image), item, item, _lines(row))
        for image, item, row in zip(shown, ids, rows, strict=True)
    ]
    return _tiles(repr(catalogue), tiles, len(catalogue), catalogue.notes)


@dataclass(frozen=True)
class Examples:
    """What an encoder finds for some queries, by positions in a catalogue; -1 is left out."""

    catalogue: Catalogue
    encoder: str
    queries: Positions
    found: Positions

    def tiles(self) -> list[_Tile]:
        """For a few queries, the query and the most similar items."""
        rows = np.unique(np.linspace(0, len(self.queries) - 1, QUERIES).astype(int)).tolist()
        places: list[tuple[int, str]] = []
        for row in rows if len(self.queries) else ():
            places.append((int(self.queries[row]), "query"))
            nearest = [place for place in self.found[row].tolist() if place >= 0][:NEIGHBOURS]
            places += [(place, f"{rank} · {self.encoder}") for rank, place in enumerate(nearest, 1)]
        images = [self.catalogue.picture(place) for place, _ in places]
        uris, ids = thumbnails(images), self.catalogue.ids
        return [
            _Tile(uris.get(image), ids[place], head, (ids[place],))
            for image, (place, head) in zip(images, places, strict=True)
        ]


def board_html(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    examples: Examples | None = None,
) -> str:
    """A table of encoders, and what the first of them finds for a few queries."""
    heads = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in heads] for row in rows]
    tiles = [] if examples is None else examples.tiles()
    template = templates().get_template("notebook.html.j2")
    return template.render(title=title, heads=heads, rows=cells, tiles=tiles, notes=notes, more=0)


def _tiles(title: str, tiles: Sequence[_Tile], count: int, notes: Sequence[str]) -> str:
    template = templates().get_template("notebook.html.j2")
    more = count - len(tiles)
    return template.render(title=title, heads=[], rows=[], tiles=tiles, notes=notes, more=more)


def _lines(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    known = [(name, value) for name, value in attributes.items() if value not in (None, "", [])]
    return tuple(f"{name}: {plain(value)}" for name, value in known[:COLUMNS])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(plain(value))
