"""From a picture to the items of a store that look like it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ._embed import prepare_search
from .encoders.base import Encoder, VectorSource, open_encoder
from .images import Picture, open_image
from .index.base import build_index
from .store.base import Store, open_store
from .values.arrays import Array, Floats, unit_rows
from .values.embeddings import Embeddings, EncoderCard
from .values.errors import BadQuery, BadTable
from .values.spec import Spec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Hits:
    """What a search found, best first.

    Attributes:
        ids: ids of the items.
        scores: (k,) cosine similarities.
        paths: their pictures.
        attributes: Arrow table of their attributes, in the same order.
        encoder: the card of the encoder that compared them.
        queries: what was asked with, as text.
        pictures: the same as pictures: paths, or the part that a region names.
        candidates: how many items were compared.
        minus: what counted against an item, as text.
        minus_pictures: the same as pictures.
        where: the filter, or None.
        region: which part of the query was asked with, or None for the whole.
    """

    ids: tuple[str, ...]
    scores: Floats
    paths: tuple[Path, ...]
    attributes: pa.Table = field(repr=False)
    encoder: EncoderCard
    queries: tuple[str, ...]
    pictures: tuple[Picture, ...] = field(repr=False)
    candidates: int
    minus: tuple[str, ...] = ()
    minus_pictures: tuple[Picture, ...] = field(default=(), repr=False)
    where: str | None = None
    region: str | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Searcher:
    """A store's vectors by one encoder, ready to be searched many times.

    Args:
        store: the store or its folder.
        encoder: which encoder; None if the store has only one.

    Raises:
        StoreBroken: there is no such store.
        BadTable: the store has no vectors by that encoder, or several to choose from.
        FingerprintMismatch: the store's vectors come from another version of it.
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        encoder: Encoder | VectorSource | Spec | str | None = None,
    ) -> None:
        self.store = open_store(store, create=False)
        self.catalogue = self.store.catalogue()
        if encoder is None:
            encoder = self._only_encoder()
        self.encoder = open_encoder(encoder) if isinstance(encoder, str | Spec) else encoder
        self.embeddings = self._embeddings(self.encoder)
        self.index = build_index(self.embeddings.vectors, "exact")
        self.row = {item: row for row, item in enumerate(self.embeddings.ids)}

    def _only_encoder(self) -> str:
        names = [card.name for card in self.store.cards()]
        if len(names) != 1:
            raise BadTable(
                f"the store has vectors by {len(names)} encoders",
                where=self.store.place,
                mend=f"choose one with -e: {', '.join(names)}" if names else "embed a catalogue",
            )
        return names[0]

    def _embeddings(self, encoder: Encoder | VectorSource) -> Embeddings:
        if isinstance(encoder, VectorSource):
            return encoder.embeddings(
                self.catalogue, lambda spec: self._embeddings(open_encoder(spec))
            )
        return self.store.embeddings(prepare_search(encoder, self.store), self.catalogue.ids)

    def search(
        self,
        query: Picture | Sequence[Picture],
        *,
        k: int = 12,
        minus: Sequence[Picture] = (),
        where: str | None = None,
        region: str | None = None,
        include_self: bool = False,
    ) -> Hits:
        """The k items most alike to one picture, or to the mean of several.

        Args:
            query: a picture, or several; text is a file's path or an item's id.
            k: how many; fewer are returned only if fewer are allowed.
            minus: pictures whose likeness counts against an item.
            where: SQL condition on the attributes: ``gender = 'Men' and year > 2010``.
            region: ``x,y,w,h`` of the query's part to search with, in pixels or percent.
            include_self: whether items that were asked with may be found.

        Raises:
            BadImage: a picture cannot be read.
            BadQuery: the filter or region cannot be understood, or nothing can be seen.
        """
        if k < 1:
            raise BadQuery(f"k = {k} is not at least 1", where="search", mend="give -k 1 or more")
        wanted = _several(query)
        asked = [(one, self._item(one)) for one in wanted]
        against = [(one, self._item(one)) for one in minus]
        if region is not None and len(asked) != 1:
            raise BadQuery(
                f"a region of {len(asked)} pictures is not defined",
                where="search",
                mend="give one picture with --region",
            )
        vector = self._mean(asked, region)
        if against:
            vector = vector - self._mean(against, None)
        if not np.linalg.norm(vector) > 1e-6:
            raise BadQuery(
                f"{self.encoder.spec} sees nothing to search for: the query's vector is zero",
                where=", ".join(_name(one) for one in wanted),
                mend="use another picture, a larger region, or another encoder",
            )
        used = set() if include_self else {item for _, item in asked + against if item is not None}
        allowed = self._allowed(where, used)
        scores, positions = self.index.search(vector, k, allowed)
        ids = tuple(self.embeddings.ids[row] for row in positions[0])
        rows = [self.catalogue.position[item] for item in ids]
        return Hits(
            ids=ids,
            scores=scores[0],
            paths=tuple(self.catalogue.paths[row] for row in rows),
            attributes=self.catalogue.attributes.take(np.array(rows, np.int64)),
            encoder=self.embeddings.encoder,
            queries=tuple(_name(one) for one in wanted),
            pictures=tuple(self._picture(one, item, region) for one, item in asked),
            candidates=len(self.index) if allowed is None else int(allowed.sum()),
            minus=tuple(_name(one) for one in minus),
            minus_pictures=tuple(self._picture(one, item, None) for one, item in against),
            where=where,
            region=region,
        )

    def _item(self, picture: Picture) -> str | None:
        """The id of the item that a picture is, or None if it comes from elsewhere."""
        if isinstance(picture, str) and picture in self.catalogue.position:
            return picture
        if not isinstance(picture, str | os.PathLike):
            return None
        path = Path(picture)
        if not path.is_file():
            return None
        real = path.resolve()
        for item, other in self._by_name.get(path.resolve().name, []):
            if other.resolve() == real:
                return item
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[str, Path]]]:
        names: dict[str, list[tuple[str, Path]]] = {}
        for item, path in zip(self.catalogue.ids, self.catalogue.paths, strict=True):
            names.setdefault(path.name, []).append((item, path))
        return names

    def _mean(self, asked: Sequence[tuple[Picture, str | None]], region: str | None) -> Floats:
        vectors = [self._vector(one, item, region) for one, item in asked]
        mean: Floats = unit_rows(np.stack(vectors)).mean(axis=0)
        return mean

    def _vector(self, picture: Picture, item: str | None, region: str | None) -> Floats:
        if item is not None and item in self.row and region is None:
            stored: Floats = self.embeddings.vectors[self.row[item]]
            return stored
        encoded: Floats = self.encoder.encode([self._picture(picture, item, region)])[0]
        return encoded

    def _picture(self, picture: Picture, item: str | None, region: str | None) -> Picture:
        """What there is to look at: the item's file, or the part of it that a region names."""
        source = self.catalogue.paths[self.catalogue.position[item]] if item else picture
        if isinstance(source, str) and not Path(source).exists():
            raise BadQuery(
                "there is no such picture, and no item of that id",
                where=source,
                mend="give the path of a picture, or an id of the catalogue",
            )
        return source if region is None else crop(open_image(source), region)

    def _allowed(self, where: str | None, used: set[str]) -> Array | None:
        """Mask of the vectors that may be found, or None for all."""
        if where is None and not used:
            return None
        if where is None:
            allowed = np.ones(len(self.embeddings), bool)
        else:
            allowed = np.zeros(len(self.embeddings), bool)
            found = self.store.matching(where)
            allowed[[self.row[item] for item in found if item in self.row]] = True
        for item in used & self.row.keys():
            allowed[self.row[item]] = False
        return allowed


def search(
    store: Store | str | os.PathLike[str],
    query: Picture | Sequence[Picture],
    encoder: Encoder | VectorSource | Spec | str | None = None,
    *,
    k: int = 12,
    minus: Sequence[Picture] = (),
    where: str | None = None,
    region: str | None = None,
    include_self: bool = False,
) -> Hits:
    """One search in a store; see ``Searcher`` and its ``search`` for what is asked and raised."""
    return Searcher(store, encoder).search(
        query, k=k, minus=minus, where=where, region=region, include_self=include_self
    )


REGION = re.compile(r"\s*(\d+(?:\.\d+)?)(%?)\s*" + r",\s*(\d+(?:\.\d+)?)(%?)\s*" * 3)


def crop(image: Array, region: str) -> Array:
    """The part of a picture that a region names.

    Args:
        image: (height, width, 3).
        region: ``x,y,w,h`` from the upper left corner, each in pixels or, with ``%``,
            in percent of the width or height. What reaches over the edge is cut.

    Raises:
        BadQuery: not of that form, or outside the picture.
    """
    form = REGION.fullmatch(region)
    height, width = image.shape[:2]
    mend = f"write x,y,w,h in pixels of {width} x {height}, or in percent: 25%,0%,50%,100%"
    if form is None or any(0 < float(form[1 + 2 * n]) < 1 and not form[2 + 2 * n] for n in (2, 3)):
        raise BadQuery("the region cannot be understood", where=f"--region {region}", mend=mend)
    parts = [
        float(form[1 + 2 * place]) * (size / 100 if form[2 + 2 * place] else 1)
        for place, size in enumerate((width, height, width, height))
    ]
    left, top = round(parts[0]), round(parts[1])
    right, bottom = round(parts[0] + parts[2]), round(parts[1] + parts[3])
    part = np.ascontiguousarray(image[top : min(bottom, height), left : min(right, width)])
    if part.size == 0:
        raise BadQuery(
            "the region is empty or lies outside the picture",
            where=f"--region {region}",
            mend=mend,
        )
    return part


def _several(query: Picture | Sequence[Picture]) -> list[Picture]:
    if isinstance(query, str | bytes | os.PathLike | np.ndarray | Image.Image):
        return [query]
    pictures = list(query) if isinstance(query, Iterable) else []
    if not pictures:
        raise BadQuery(
            "no picture was given", where="search", mend="give a path, picture or id (as text)"
        )
    return pictures


def _name(picture: Picture) -> str:
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    return type(picture).__name__
