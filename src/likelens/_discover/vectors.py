"""The vectors of a gallery and of its queries, an encoder at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._embed import Progress
from .._lineup import Filled, fill_lineup, why
from ..encoders.base import Encoder, VectorSource
from ..encoders.opening import shown_as
from ..store.base import Store
from ..values.arrays import Floats
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.errors import BadTable, LikelensError, of_encoder
from ..values.relevance import NONE
from .pairs import Asked, Pairs


class Vectors:
    """The vectors of the gallery and of the queries by each encoder, read when asked for.

    Attributes:
        encoders: those whose vectors can be had.
        missing: why the others cannot, by spec.
        ids: items of the gallery, and of the table of queries, that all of them have.
        wild: whether the queries come from another catalogue.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        queries: Catalogue | None,
        opened: Sequence[Encoder | VectorSource],
        store: Store,
        overwrite: bool,
        progress: Progress | None,
    ) -> None:
        self.gallery = fill_lineup(catalogue, opened, store, overwrite=overwrite, progress=progress)
        self.queries: Filled | None = None
        self.missing: dict[str, str] = {}
        self._asked = len(opened)
        self.ids = [set(catalogue.ids), set((queries or catalogue).ids)]
        self.encoders = [one for one in opened if self._noted(one, self.gallery, 0)]
        if queries is not None:
            self.queries = fill_lineup(
                queries,
                self.encoders,
                store,
                overwrite=overwrite,
                gallery=self.gallery,
                progress=progress,
            )
            self.encoders = [one for one in self.encoders if self._noted(one, self.queries, 1)]
        else:
            self.ids[1] = self.ids[0]

    @property
    def wild(self) -> bool:
        """See the class."""
        return self.queries is not None

    def _noted(self, encoder: Encoder | VectorSource, filled: Filled, side: int) -> bool:
        """Whether its vectors are there; if so, only the items that it has are left."""
        name = shown_as(encoder.spec, str(encoder.spec))
        try:
            left = self.ids[side] & set(filled.read(encoder).ids)
        except LikelensError as error:
            self.missing[name] = why(error)
            if not of_encoder(error) or len(self.missing) == self._asked:
                raise
            return False
        if not left and len(self.missing) < self._asked - 1:
            self.missing[name] = "it has no vector of the items that the others have"
            return False
        self.ids[side] = left
        return True

    def read(self, encoder: Encoder | VectorSource, asked: Asked) -> tuple[Embeddings, Floats, int]:
        """One encoder's embeddings of the gallery, the queries' vectors, and its failures."""
        gallery = self.gallery.read(encoder)
        asking = gallery if self.queries is None else self.queries.read(encoder)
        failed = len(gallery.failures)
        if self.queries is not None:
            failed += len(asking.failures)
        vectors = asking.take(asked.table.ids).vectors
        return gallery.take(asked.gallery.ids), vectors, failed


def embedded(pairs: Pairs, whole: Asked, vectors: Vectors) -> tuple[Pairs, Asked, tuple[str, ...]]:
    """The pairs that every encoder has vectors of, by the rows of the queries that have one."""
    gallery = _kept(whole.gallery, vectors.ids[0])
    there = np.array([item in vectors.ids[1] for item in whole.table.ids])[pairs.rows]
    place = np.array([gallery.position.get(item, NONE) for item in whole.gallery.ids])
    there &= place[pairs.items] != NONE
    notes: list[str] = []
    if not there.all():
        notes.append(
            f"{int((~there).sum()):,} judgements are of pictures that some encoder has no vector "
            "of, and left out for all"
        )
    if not there.any():
        raise BadTable(
            f"none of the {len(pairs):,} judged pairs has vectors by every encoder",
            where="discover",
            hint="look at the failures, and leave out the encoder that has too few",
        )
    pairs = pairs.keep(there)
    rows, numbers = np.unique(pairs.rows, return_inverse=True)
    own = whole.own[rows]
    own = np.where(own == NONE, NONE, place[own])
    table = whole.table.take([whole.table.ids[row] for row in rows])
    return Pairs(numbers, place[pairs.items], pairs.labels), Asked(gallery, table, own), (*notes,)


def _kept(catalogue: Catalogue, ids: set[str]) -> Catalogue:
    if len(ids) == len(catalogue):
        return catalogue
    return catalogue.take([item for item in catalogue.ids if item in ids])
