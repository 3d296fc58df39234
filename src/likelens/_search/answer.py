"""From a query and the way to choose to results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..metrics import Threshold
from ..values.arrays import Array, Positions
from ..values.boxes import Boxed
from ..values.filters import join_conditions
from .choose import LEAST_POOL, POOL, Chosen, Order, Ranking, choose, diversify
from .gallery import Gallery
from .hits import Hits
from .near import Near
from .query import TEXT_WEIGHT, Query, name_of


def answer(
    gallery: Gallery,
    asked: Query,
    order: Order,
    conditions: Sequence[str],
    include_self: bool,
    calibrated: Threshold | None,
) -> Hits:
    """What a query finds; all arguments are checked."""
    groups = None if order.group_by is None else gallery.groups(order.group_by)[0]
    vector = gallery.reader.vector(asked)
    own = _own(gallery, asked, groups, include_self)
    allowed = gallery.allowed(conditions, own)
    near = None if gallery.near is None else Near(gallery.near, own, filtered=bool(conditions))
    ranking = gallery.ranking(vector, order, allowed, gallery.rows(asked.pictures), near)
    chosen = _choose(gallery, ranking, order, groups)
    if groups is not None:
        chosen.folded += _group_sizes(groups, allowed)[groups[chosen.rows]] - 1
    return _hits(
        gallery,
        chosen,
        asked,
        order,
        where=join_conditions(conditions),
        best=ranking.best,
        candidates=len(gallery.index) if allowed is None else int(allowed.sum()),
        calibrated=calibrated,
        **({} if near is None else near.told(vector, order.k, allowed)),
    )


def _own(gallery: Gallery, asked: Query, groups: Positions | None, include_self: bool) -> Positions:
    """Positions that may not be found, because they or their groups were asked with."""
    if include_self:
        return np.zeros(0, np.int64)
    own = gallery.rows((*asked.pictures, *asked.minus))
    return own if groups is None else np.flatnonzero(np.isin(groups, groups[own]))


def _choose(gallery: Gallery, ranking: Ranking, order: Order, groups: Positions | None) -> Chosen:
    vectors, collapse, k = gallery.index.vectors, order.collapse, int(order.k)
    if order.diversity is None:
        return choose(ranking, k, vectors, groups=groups, collapse=collapse)
    pool = max(POOL * k, LEAST_POOL)
    found = choose(ranking, pool, vectors, groups=groups, collapse=collapse)
    return diversify(found, k, vectors, order.diversity)


def _hits(gallery: Gallery, chosen: Chosen, asked: Query, order: Order, **known: Any) -> Hits:
    catalogue, reader = gallery.catalogue, gallery.reader
    ids = tuple(gallery.embeddings.ids[row] for row in chosen.rows)
    rows = [catalogue.position[item] for item in ids]
    shown = [catalogue.picture(row) for row in rows]
    folds = order.group_by is not None or order.collapse is not None
    mixed = bool(asked.pictures and asked.texts)
    weight = TEXT_WEIGHT if asked.text_weight is None else asked.text_weight
    return Hits(
        ids=ids,
        scores=chosen.cosines,
        paths=tuple(catalogue.paths[row] for row in rows),
        boxes=tuple(one.box for one in shown if isinstance(one, Boxed)),
        attributes=catalogue.attributes.take(np.array(rows, np.int64)),
        encoder=gallery.embeddings.encoder,
        queries=tuple(map(name_of, asked.pictures)),
        pictures=tuple(reader.picture(one, asked.region) for one in asked.pictures),
        minus=tuple(map(name_of, asked.minus)),
        minus_pictures=tuple(reader.picture(one) for one in asked.minus),
        region=asked.region,
        texts=asked.texts,
        text_weight=weight if mixed else None,
        order=order,
        reranked=None if order.rerank is None else chosen.scores,
        folded=tuple(chosen.folded.tolist()) if folds else (),
        lacking=gallery.lacking,
        **known,
    )


def _group_sizes(groups: Positions, allowed: Array | None) -> Positions:
    """How many items of each group may be found."""
    codes = groups if allowed is None else groups[allowed]
    return np.bincount(codes, minlength=int(groups.max(initial=-1)) + 1)
