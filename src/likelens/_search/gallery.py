"""What a store held at one moment, ready to be searched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .._embed import prepare_search
from .._indexes import open_index
from ..encoders.base import Encoder, VectorSource
from ..encoders.opening import open_encoder
from ..images import Picture
from ..index.base import build_index
from ..metrics import Threshold
from ..store.base import Store
from ..values.arrays import Array, Floats, Positions
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.errors import BadQuery, nearest
from ..values.filters import matching_rows, read_where
from ..values.tables import text_column
from .choose import ByIndex, ByScore, Order, Ranking, group_codes
from .near import Near
from .query import Reader
from .rerank import Reranker, cosines_to
from .threshold import calibrate_by_groups, calibrate_by_shuffling

if TYPE_CHECKING:
    import pyarrow as pa

TRIES = 3
"""How often a store that changes while it is read is read again."""


class Gallery:
    """The items and vectors of a store at one moment; later changes of the store do not reach it.

    Args:
        store: the store.
        encoder: whose vectors.
        kind: kind of the approximate index that searches use, or None.

    Attributes:
        version: of the store.
        catalogue: the items.
        embeddings: their vectors.
        index: the exact index of all vectors.
        near: the approximate index beside it, or None.
        reader: turns queries into vectors.
        lacking: how many items have no vector, and are not known to be unreadable.
    """

    def __init__(self, store: Store, encoder: Encoder | VectorSource, kind: str | None) -> None:
        for _ in range(TRIES):
            self.version = store.version()
            self.catalogue = store.catalogue()
            digests = store.items()["_digest"].to_pylist()
            self.embeddings = embeddings_of(store, encoder, self.catalogue)
            if store.version() == self.version and len(digests) == len(self.catalogue):
                break
        self.index = build_index(self.embeddings.vectors, "exact")
        self.near = None if kind is None else open_index(store, self.embeddings, kind)
        self.reader = Reader(encoder, self.embeddings, self.catalogue, digests)
        self.lacking = self.embeddings.lacking(self.catalogue.ids)
        self._groups: dict[str, tuple[Positions, Array]] = {}
        self._rerankers: dict[str, Reranker] = {}
        self._thresholds: dict[tuple[object, ...], Threshold] = {}

    @cached_property
    def _places(self) -> Positions:
        """(n,) row of the catalogue of each vector."""
        return np.array([self.catalogue.position[item] for item in self.embeddings.ids], np.int64)

    @cached_property
    def _items(self) -> pa.Table:
        """The ids and attributes, a row per item of the catalogue."""
        return self.catalogue.attributes.add_column(0, "id", text_column(self.catalogue.ids))

    def groups(self, column: str) -> tuple[Positions, Array]:
        """(n,) the group of each vector by an attribute, and whether it has a value.

        Raises:
            BadQuery: there is no such attribute, or its cells hold several values.
        """
        if column not in self._groups:
            names = self.catalogue.attributes.column_names
            if column not in names:
                raise BadQuery(
                    f"there is no column {column!r}",
                    where=column,
                    hint=nearest(column, names) or f"the columns are: {', '.join(names) or 'none'}",
                )
            cells = self.catalogue.attributes[column]
            known = cells.is_valid().to_numpy()[self._places]
            self._groups[column] = group_codes(cells, column)[self._places], known
        return self._groups[column]

    def rows(self, pictures: Sequence[Picture]) -> Positions:
        """Positions of the vectors of those images that are items."""
        items = [self.reader.item(one) for one in pictures]
        known = self.reader.row
        return np.array([known[one] for one in items if one is not None and one in known], np.int64)

    def allowed(self, conditions: Sequence[str], own: Positions | None = None) -> Array | None:
        """Mask of the vectors that may be found, or None for all.

        Args:
            conditions: filters that must all hold.
            own: positions that may not be found.

        Raises:
            BadQuery: a filter cannot be understood.
        """
        if not conditions and (own is None or not own.size):
            return None
        allowed = np.ones(len(self.embeddings), bool)
        if conditions:
            condition = read_where(conditions, self._items.schema)
            allowed = matching_rows(condition, self._items)[self._places]
        if own is not None:
            allowed[own] = False
        return allowed

    def ranking(
        self,
        vector: Floats,
        order: Order,
        allowed: Array | None,
        own: Positions,
        near: Near | None,
    ) -> Ranking:
        """All items that may be found, best first."""
        if order.rerank is None:
            return ByIndex(near or self.index, vector, allowed, order.threshold)
        if order.rerank not in self._rerankers:
            self._rerankers[order.rerank] = Reranker(order.rerank, self.index)
        cosines = cosines_to(self.index.vectors, vector)
        scores = self._rerankers[order.rerank].scores(cosines, own)
        return ByScore(cosines, scores, allowed, order.threshold)

    def calibrated(
        self,
        labels: str | None,
        false_alarm: float,
        conditions: Sequence[str],
        queries: int,
        seed: int,
    ) -> Threshold:
        """What ``Searcher.calibrate`` returns, worked out once."""
        key = (labels, false_alarm, tuple(conditions), queries, seed)
        if key not in self._thresholds:
            allowed = self.allowed(conditions)
            if labels is None:
                found = calibrate_by_shuffling(
                    self.index, false_alarm=false_alarm, queries=queries, seed=seed, allowed=allowed
                )
            else:
                groups, known = self.groups(labels)
                found = calibrate_by_groups(
                    self.index,
                    groups,
                    known,
                    false_alarm=false_alarm,
                    queries=queries,
                    seed=seed,
                    allowed=allowed,
                    by=labels,
                )
            self._thresholds[key] = found
        return self._thresholds[key]


def embeddings_of(
    store: Store, encoder: Encoder | VectorSource, catalogue: Catalogue
) -> Embeddings:
    """The vectors of a store's items by an encoder.

    Raises:
        BadTable: the store has none.
        FingerprintMismatch: they come from another version of the encoder.
    """
    if isinstance(encoder, VectorSource):
        return encoder.embeddings(
            catalogue,
            lambda spec: embeddings_of(store, open_encoder(spec, encoder.running), catalogue),
        )
    return store.embeddings(prepare_search(encoder, store), catalogue.ids)
