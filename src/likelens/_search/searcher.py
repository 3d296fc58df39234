"""A store's vectors, ready to be searched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._embed import prepare_search
from .._indexes import open_index
from ..encoders.base import Encoder, VectorSource
from ..encoders.opening import open_encoder
from ..images import Picture
from ..index.base import build_index
from ..metrics import Threshold
from ..store.base import Store, open_store
from ..values.arrays import Array, Floats, Positions
from ..values.boxes import Boxed
from ..values.embeddings import Embeddings
from ..values.errors import BadQuery, BadTable, LikelensError, nearest
from ..values.filters import Where, conditions_of, join_conditions
from ..values.spec import Spec
from .choose import (
    LEAST_POOL,
    POOL,
    ByIndex,
    ByScore,
    Chosen,
    Order,
    Ranking,
    choose,
    diversify,
    group_codes,
)
from .hits import Hits
from .hubs import Hubs, find_hubs
from .near import Near
from .query import TEXT_WEIGHT, Query, Reader, name_of, several
from .rerank import Reranker, cosines_to
from .sense import by_index, check_sense
from .threshold import calibrate_by_groups, calibrate_by_shuffling


class Searcher:
    """A store's vectors by one encoder, ready to be searched many times.

    Args:
        store: the store or its folder.
        encoder: which encoder; None if the store has only one.
        index: kind of the index that searches go by, such as ``hnsw(m=16)``: the one saved
            in the store, brought up to date, or else a new one. If None, every search
            compares with every vector. What is to be exact (re-ranking, calibration, hubs)
            stays exact.

    Attributes:
        index: the exact index, of all vectors.
        near: the index of that kind beside them, or None.
        lacking: how many of the store's items the encoder was never asked about, or not
            since their picture changed: they wait for the next ``embed``.

    Raises:
        StoreBroken: there is no such store.
        BadTable: the store has no vectors by that encoder, or several to choose from.
        BadSpec: there is no such kind of index.
        FingerprintMismatch: the store's vectors, or the saved index, come from another
            version of it.
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        encoder: Encoder | VectorSource | Spec | str | None = None,
        index: str | None = None,
    ) -> None:
        approximate = by_index(index)
        self.store = open_store(store, create=False)
        self.catalogue = self.store.catalogue()
        if encoder is None:
            encoder = self._only_encoder()
        self.encoder = self._opened(encoder) if isinstance(encoder, str | Spec) else encoder
        self.embeddings = self._embeddings(self.encoder)
        self.index = build_index(self.embeddings.vectors, "exact")
        self.lacking = self.embeddings.lacking(self.catalogue.ids)
        self.near = open_index(self.store, self.embeddings, str(index)) if approximate else None
        self.reader = Reader(self.encoder, self.embeddings, self.catalogue)
        self._groups: dict[str, tuple[Positions, Array]] = {}
        self._rerankers: dict[str, Reranker] = {}

    def _only_encoder(self) -> str:
        names = [card.name for card in self.store.cards()]
        if len(names) != 1:
            raise BadTable(
                f"the store has vectors by {len(names)} encoders",
                where=self.store.place,
                hint=f"choose one with -e: {', '.join(names)}" if names else "embed a catalogue",
            )
        return names[0]

    def _opened(self, spec: Spec | str) -> Encoder | VectorSource:
        """The encoder; where it cannot be had, the store's own names may tell why."""
        try:
            return open_encoder(spec)
        except LikelensError as error:
            names = ", ".join(card.name for card in self.store.cards())
            hint = f"{error.hint}; the store has: {names or 'none'}"
            raise type(error)(error.what, where=error.where, hint=hint) from error

    def _embeddings(self, encoder: Encoder | VectorSource) -> Embeddings:
        if isinstance(encoder, VectorSource):
            return encoder.embeddings(
                self.catalogue,
                lambda spec: self._embeddings(open_encoder(spec, encoder.running)),
            )
        return self.store.embeddings(prepare_search(encoder, self.store), self.catalogue.ids)

    def search(
        self,
        query: Picture | Sequence[Picture] = (),
        *,
        text: str | Sequence[str] = (),
        text_weight: float | None = None,
        k: int = 12,
        minus: Sequence[Picture] = (),
        minus_weight: float | None = None,
        where: Where = None,
        region: str | None = None,
        include_self: bool = False,
        rerank: str | None = None,
        group_by: str | None = None,
        collapse: float | None = None,
        diversity: float | None = None,
        threshold: Threshold | float | None = None,
    ) -> Hits:
        """The k items most alike to what is asked: pictures, texts, or both.

        Args:
            query: a picture, or several; text is a file's path or an item's id.
            text: what to look for in words, or several; needs an encoder that reads text.
            text_weight: of the texts beside the pictures, from 0 to 1; half if not given.
            k: how many; fewer are returned only if no more exist.
            minus: pictures whose likeness counts against an item.
            minus_weight: how much, where likeness to the query counts 1; 0.25 if not given.
            where: condition on the attributes: ``gender = 'Men' and year > 2010``; of several,
                all must hold. ``docs/search.md`` lists what they may contain.
            region: ``x,y,w,h`` of the query's part to search with, in pixels or percent.
            include_self: whether items that were asked with, and their groups, may be found.
            rerank: ``csls``, ``local-scaling`` or ``mutual-proximity``, which counter hubs.
            group_by: attribute (a product's id) of which each value gets one result at most.
            collapse: cosine from which on an item is a near-duplicate of an earlier result.
            diversity: weight, from 0 to 1, of being unlike earlier results.
            threshold: least cosine of a result, or what ``calibrate`` returned.

        Raises:
            BadImage: a picture cannot be read.
            BadQuery: something asked cannot be understood or answered; the message says what.
        """
        level = threshold.value if isinstance(threshold, Threshold) else threshold
        order = Order(k, rerank, group_by, collapse, diversity, level)
        asked = Query(
            several(query), _texts(text), several(minus), region, text_weight, minus_weight
        )
        order.check()
        asked.check()
        check_sense(asked, order, threshold)
        if self.near is not None:
            by_index(self.near.index.spec, order.rerank)
        groups = None if group_by is None else self.groups(group_by)[0]
        vector = self.reader.vector(asked)
        own = self._own(asked, groups, include_self)
        allowed = self._allowed(where, own)
        near = (
            None if self.near is None else Near(self.near, own, filtered=bool(conditions_of(where)))
        )
        ranking = self._ranking(vector, order, allowed, self._rows(asked.pictures), near)
        chosen = self._choose(ranking, order, groups)
        if order.group_by is not None and groups is not None:
            chosen.folded += _group_sizes(groups, allowed)[groups[chosen.rows]] - 1
        return self._hits(
            chosen,
            asked,
            order,
            where=join_conditions(where),
            best=ranking.best,
            candidates=len(self.index) if allowed is None else int(allowed.sum()),
            calibrated=threshold if isinstance(threshold, Threshold) else None,
            **({} if near is None else near.told(vector, order.k, allowed)),
        )

    def _ranking(
        self,
        vector: Floats,
        order: Order,
        allowed: Array | None,
        own: Positions,
        near: Near | None,
    ) -> Ranking:
        if order.rerank is None:
            return ByIndex(near or self.index, vector, allowed, order.threshold)
        if order.rerank not in self._rerankers:
            self._rerankers[order.rerank] = Reranker(order.rerank, self.index)
        cosines = cosines_to(self.index.vectors, vector)
        scores = self._rerankers[order.rerank].scores(cosines, own)
        return ByScore(cosines, scores, allowed, order.threshold)

    def _choose(self, ranking: Ranking, order: Order, groups: Positions | None) -> Chosen:
        vectors, collapse = self.index.vectors, order.collapse
        if order.diversity is None:
            return choose(ranking, order.k, vectors, groups=groups, collapse=collapse)
        pool = max(POOL * order.k, LEAST_POOL)
        found = choose(ranking, pool, vectors, groups=groups, collapse=collapse)
        return diversify(found, order.k, vectors, order.diversity)

    def _hits(self, chosen: Chosen, asked: Query, order: Order, **known: Any) -> Hits:
        ids = tuple(self.embeddings.ids[row] for row in chosen.rows)
        rows = [self.catalogue.position[item] for item in ids]
        shown = [self.catalogue.picture(row) for row in rows]
        folds = order.group_by is not None or order.collapse is not None
        mixed = bool(asked.pictures and asked.texts)
        weight = TEXT_WEIGHT if asked.text_weight is None else asked.text_weight
        return Hits(
            ids=ids,
            scores=chosen.cosines,
            paths=tuple(self.catalogue.paths[row] for row in rows),
            boxes=tuple(one.box for one in shown if isinstance(one, Boxed)),
            attributes=self.catalogue.attributes.take(np.array(rows, np.int64)),
            encoder=self.embeddings.encoder,
            queries=tuple(map(name_of, asked.pictures)),
            pictures=tuple(self.reader.picture(one, asked.region) for one in asked.pictures),
            minus=tuple(map(name_of, asked.minus)),
            minus_pictures=tuple(self.reader.picture(one) for one in asked.minus),
            region=asked.region,
            texts=asked.texts,
            text_weight=weight if mixed else None,
            order=order,
            reranked=None if order.rerank is None else chosen.scores,
            folded=tuple(chosen.folded.tolist()) if folds else (),
            **known,
        )

    def calibrate(
        self,
        labels: str | None = None,
        *,
        false_alarm: float = 0.01,
        where: Where = None,
        queries: int = 2_000,
        seed: int = 0,
    ) -> Threshold:
        """The cosine that a picture with nothing alike in the store passes with a given chance.

        A false alarm is a query without a true match whose best match reaches the
        threshold. With labels, items are such queries once all items of their label are
        taken away; without, vectors shuffled between items are, which stand for pictures
        from elsewhere and give a lower threshold. See docs/search.md.

        Args:
            labels: attribute in which items that are alike agree: a product or a class.
                Items without a value ask nothing and stay to be found; those that are
                true matches after all raise the threshold.
            false_alarm: the chance, above 0 and below 1.
            where: condition on the items that may be found, as in ``search``.
            queries: how many at most, drawn with the seed.
            seed: of the draws.

        Raises:
            BadQuery: no such attribute or condition, or all items are of one kind.
            BadSpec: rate out of range, or too few items to show it.
        """
        allowed = self._allowed(where, np.zeros(0, np.int64))
        if queries < 1:
            raise BadQuery(
                f"{queries} queries cannot calibrate anything",
                where="calibrate",
                hint="give some hundreds",
            )
        if labels is None:
            return calibrate_by_shuffling(
                self.index, false_alarm=false_alarm, queries=queries, seed=seed, allowed=allowed
            )
        groups, known = self.groups(labels)
        return calibrate_by_groups(
            self.index,
            groups,
            known,
            false_alarm=false_alarm,
            queries=queries,
            seed=seed,
            allowed=allowed,
            by=labels,
        )

    def hubs(self, k: int = 10, rerank: str | None = None) -> Hubs:
        """Items that every search finds and items that none does; asks with all items.

        Args:
            k: how many others each item lists.
            rerank: what to rank by, as in ``search``; cosine similarity if not given.

        Raises:
            BadShape: k below 1.
            BadQuery: there is no such re-ranking.
        """
        Order(rerank=rerank).check()
        return find_hubs(self.index, self.embeddings.ids, k, rerank)

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
            rows = [self.catalogue.position[item] for item in self.embeddings.ids]
            places = np.array(rows, np.int64)
            known = cells.is_valid().to_numpy()[places]
            self._groups[column] = group_codes(cells, column)[places], known
        return self._groups[column]

    def _rows(self, pictures: Sequence[Picture]) -> Positions:
        """Positions of the vectors of those pictures that are items."""
        items = [self.reader.item(one) for one in pictures]
        known = self.reader.row
        return np.array([known[one] for one in items if one is not None and one in known], np.int64)

    def _own(self, asked: Query, groups: Positions | None, include_self: bool) -> Positions:
        """Positions that may not be found, for they were asked with, or their group was."""
        if include_self:
            return np.zeros(0, np.int64)
        own = self._rows((*asked.pictures, *asked.minus))
        return own if groups is None else np.flatnonzero(np.isin(groups, groups[own]))

    def _allowed(self, where: Where, own: Positions) -> Array | None:
        """Mask of the vectors that may be found, or None for all."""
        conditions = conditions_of(where)
        if not conditions and not own.size:
            return None
        if not conditions:
            allowed = np.ones(len(self.embeddings), bool)
        else:
            allowed = np.zeros(len(self.embeddings), bool)
            known = self.reader.row
            allowed[[known[item] for item in self.store.matching(conditions) if item in known]] = (
                True
            )
        allowed[own] = False
        return allowed


def search(
    store: Store | str | os.PathLike[str],
    query: Picture | Sequence[Picture] = (),
    encoder: Encoder | VectorSource | Spec | str | None = None,
    index: str | None = None,
    **asked: Any,
) -> Hits:
    """One search in a store; see ``Searcher`` and its ``search`` for what is asked and raised."""
    return Searcher(store, encoder, index).search(query, **asked)


def _texts(text: str | Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _group_sizes(groups: Positions, allowed: Array | None) -> Positions:
    """How many items of each group may be found."""
    codes = groups if allowed is None else groups[allowed]
    return np.bincount(codes, minlength=int(groups.max(initial=-1)) + 1)
