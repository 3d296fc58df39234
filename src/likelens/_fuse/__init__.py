"""Weights of a fusion of encoders: found on a part of a catalogue, judged on the rest.

``values`` is what comes of it, and ``shares`` searches; the score that is searched with is
``metrics._fused``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import metrics
from .._embed import Progress, measure_all
from ..encoders.base import Encoder
from ..encoders.fused import join, seeing
from ..encoders.opening import open_encoders, resolved
from ..encoders.running import Running
from ..metrics._fused import FusionScore
from ..store.base import Store, open_store
from ..values.arrays import Floats, unit_rows
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.errors import BadSpec, BadTable, plural
from ..values.scores import QueryScores
from ..values.spec import Spec
from .shares import best_shares
from .values import EQUAL, FUSION, Difference, Fusion, SelfPairs

__all__ = ["Difference", "Fusion", "fuse"]


def fuse(
    catalogue: Catalogue,
    specs: Sequence[str | Spec | Encoder],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    held_out: float = 0.5,
    weights: Mapping[str, float] | None = None,
    self_pairs: SelfPairs = "exclude",
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Fusion:
    """How much each of some encoders should count for their fusion to score best.

    The items are split by the seed; items of one product stay together. On the training
    part, the weights with the highest CorrEmbed are sought: of two parts along the line
    between them, of more by improving one share after another, from equal weights and
    from each part alone. Then the held-out part is scored once.

    Args:
        catalogue: with tags, and with purchases for the weighted score.
        specs: two encoders or more, each once.
        store: where their vectors are kept; None keeps them in memory only.
        held_out: which share of the items (or products) takes no part in the search.
        weights: of tag categories, instead of those from purchases.
        self_pairs: whether an item's likeness to itself counts. Counted, it rewards
            vectors that are like nothing else, such as noise, so here it is left out.
        seed: of the split and the test.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Raises:
        BadTable: no tags, an encoder named twice, or fewer than three items on a side.
        BadSpec: fewer than two encoders, one that cannot be fused, or no such share.
        NoWeights, MissingExtra: one of the encoders cannot be had.
    """
    encoders = _opened(catalogue, specs, held_out, running)
    tags, notes, weights = _tags(catalogue, weights)
    kept = open_store(store)
    measured = measure_all(catalogue, encoders, kept, progress=progress)
    found = [measured.read(encoder) for encoder in encoders]
    ids, lost = _common(catalogue, found)
    sides = _split(catalogue.take(ids), held_out, seed)
    training, judging = (_Side(found, tags.take(side), side, self_pairs) for side in sides)
    best, curve = training.best_shares()
    names = [str(encoder.spec) for encoder in encoders]
    spec, shares = _rounded(encoders, best)
    held = judging.scores(names, shares)
    difference = _difference(held, names, seed)
    worth = _worth(difference) if len(spec.parts) > 1 else ()
    notes = (*lost, *_winner(spec, shares), *worth, *notes, *catalogue.notes)
    return Fusion(
        spec=str(spec),
        weights=dict(zip(names, shares, strict=True)),
        train=training.scores(names, shares),
        held_out=held,
        difference=difference,
        curve=curve,
        train_items=len(sides[0]),
        held_out_items=len(sides[1]),
        category_weights=weights,
        self_pairs=self_pairs,
        seed=seed,
        notes=notes,
    )


# --- what is to be fused, and on which items ---------------------------------------


def _opened(
    catalogue: Catalogue,
    specs: Sequence[str | Spec | Encoder],
    held_out: float,
    running: Running | None,
) -> list[Encoder]:
    """The encoders, with all that can be refused before any work."""
    if isinstance(specs, str | Spec):
        raise BadTable(
            "encoders are a list of specs",
            where="fuse",
            hint='write ["onnx:model.onnx", "opencv:colour"]',
        )
    if not 0 < held_out < 1:
        raise BadSpec(
            f"a held-out share of {held_out} leaves nothing to find or to judge weights on",
            where="fuse, held_out",
            hint="give a number between 0 and 1, such as 0.5",
        )
    if catalogue.tags.matrix.shape[1] == 0:
        raise BadTable(
            "the catalogue has no tags to measure with",
            where=str(catalogue.layout.table or catalogue.layout.images),
            hint="name tag columns (--tags a,b,c); a folder needs one folder a class",
        )
    parsed = [resolved(one) if isinstance(one, str) else one for one in specs]
    _check_parts([one if isinstance(one, Spec) else one.spec for one in parsed])
    asked, lost = open_encoders([one for one in parsed if isinstance(one, Spec)], running)
    if lost:
        raise next(iter(lost.values()))
    by_spec = iter(asked)
    opened = [seeing(next(by_spec) if isinstance(one, Spec) else one) for one in parsed]
    marks = [one.fingerprint or str(one.spec) for one in opened]
    repeated = [
        str(one.spec) for one, mark in zip(opened, marks, strict=True) if marks.count(mark) > 1
    ]
    if repeated:
        raise BadTable(
            f"one encoder is named twice: {', '.join(repeated)}",
            where="fuse",
            hint="name each once",
        )
    return opened


def _check_parts(specs: Sequence[Spec]) -> None:
    """Refuse what makes no fusion.

    Raises:
        BadSpec: fewer than two encoders, or one that is a fusion itself.
    """
    if len(specs) < 2:
        named = f"only {specs[0]} is named" if specs else "none is named"
        raise BadSpec(
            f"two encoders or more are weighed against each other, and {named}",
            where="fuse",
            hint="name what it should be joined with: -e onnx:model.onnx opencv:colour",
        )
    Spec.fuse([(1.0, spec) for spec in specs])


def _tags(
    catalogue: Catalogue, given: Mapping[str, float] | None
) -> tuple[Any, tuple[str, ...], Mapping[str, float] | None]:
    """Tags weighted as given, or by all purchases; what to know of that; the weights."""
    tags, purchases = catalogue.tags, catalogue.purchases
    if given is None and purchases is not None:
        there = np.isin(purchases.items, np.array(catalogue.ids))
        if there.any():
            given = metrics.category_weights(
                purchases.customers[there], purchases.items[there], tags
            )
    if given is None:
        none = "there are no purchases" if purchases is None else "no purchase is of an item here"
        return tags, (f"{none}, so all tag categories weigh alike",), None
    return tags.weighted(given), (), given


def _common(catalogue: Catalogue, found: Sequence[Embeddings]) -> tuple[list[str], tuple[str, ...]]:
    """The items that every part has a vector of, and a note of those that are lost."""
    common = set.intersection(*(set(one.ids) for one in found))
    ids = [item for item in catalogue.ids if item in common]
    lost = len(catalogue) - len(ids)
    which = plural(lost, "item has", "items have")
    return ids, (f"left out: {which} no vector by some part",) if lost else ()


def _split(catalogue: Catalogue, held_out: float, seed: int) -> tuple[list[str], list[str]]:
    """Ids to find weights on, and ids to judge them on; all of a product on one side.

    Raises:
        BadTable: a side has fewer than three items.
    """
    products = catalogue.products or (None,) * len(catalogue)
    units = [
        ("item", item) if product is None else ("product", product)
        for item, product in zip(catalogue.ids, products, strict=True)
    ]
    order = sorted(set(units))
    np.random.default_rng(seed).shuffle(order)
    held = {tuple(unit) for unit in order[: round(held_out * len(order))]}
    judged = [item for item, unit in zip(catalogue.ids, units, strict=True) if unit in held]
    trained = [item for item, unit in zip(catalogue.ids, units, strict=True) if unit not in held]
    if min(len(trained), len(judged)) < 3:
        raise BadTable(
            f"{len(trained)} items to find weights on and {len(judged)} to judge them on are "
            "too few; a correlation needs three",
            where="fuse",
            hint="give more items, or another held-out share",
        )
    return trained, judged


class _Side:
    """The vectors by each part, and the tags, of one side of the split."""

    def __init__(
        self, found: Sequence[Embeddings], tags: Any, ids: Sequence[str], self_pairs: SelfPairs
    ) -> None:
        self.vectors = [unit_rows(one.take(ids).vectors) for one in found]
        self.tags = tags.matrix
        self.self_pairs: SelfPairs = self_pairs

    def scores(self, names: Sequence[str], shares: Sequence[float]) -> dict[str, QueryScores]:
        """CorrEmbed of the fusion, of equal weights and of each part."""
        equal = [1.0] * len(names)
        found = {FUSION: self._score(shares), EQUAL: self._score(equal)}
        for place, name in enumerate(names):
            found[name] = self._score(np.eye(len(names))[place].tolist())
        return found

    def best_shares(self) -> tuple[Floats, tuple[tuple[float, float], ...]]:
        """The shares with the highest score; and of two parts, all that was tried."""
        score = FusionScore(self.vectors, self.tags, self.self_pairs)
        return best_shares(score, len(self.vectors))

    def _score(self, shares: Sequence[float]) -> QueryScores:
        scores = metrics.corrembed(
            join(self.vectors, shares), self.tags, self_pairs=self.self_pairs
        )
        return QueryScores(scores.per_query, scores.influence, bounds=scores.bounds)


def _rounded(encoders: Sequence[Encoder], shares: Floats) -> tuple[Spec, list[float]]:
    """The fusion's spec with weights that can be read, and the shares that these are."""
    first = next(share for share in shares if share > 0)
    weights = [float(f"{share / first:.3g}") for share in shares]
    parts = [(w, encoder.spec) for w, encoder in zip(weights, encoders, strict=True) if w > 0]
    spec = Spec.fuse(parts) if len(parts) > 1 else parts[0][1]
    return spec, [weight / sum(weights) for weight in weights]


def _winner(spec: Spec, shares: Sequence[float]) -> tuple[str, ...]:
    """A note if parts are left out."""
    out = sum(1 for share in shares if share == 0)
    if not out:
        return ()
    others = "the other" if out == 1 else f"the other {out}"
    return (f"{spec} does not gain by {others}, whose weight is 0",)


# --- what it is worth --------------------------------------------------------------


def _worth(difference: Difference) -> tuple[str, ...]:
    """A note if the held-out items do not show that the fusion is worth its while."""
    note = (
        f"no gain over {difference.part} alone that these items can show: it is cheaper, and as "
        "good as far as they tell; more items may tell"
    )
    return () if difference.shown else (note,)


def _difference(scores: Mapping[str, QueryScores], names: Sequence[str], seed: int) -> Difference:
    """The fusion against the part that is best on the same items, which is hardest on it."""
    means = {name: scores[name].mean for name in names}
    best = max(names, key=lambda name: np.nan_to_num(means[name], nan=-2.0))
    fused, part = scores[FUSION], scores[best]
    tests = metrics.compare_pairs({FUSION: fused, best: part}, seed=seed)
    apart = fused.per_query - part.per_query
    same = np.array_equal(np.isnan(fused.per_query), np.isnan(part.per_query))
    moved = None
    if same and fused.influence is not None and part.influence is not None:
        moved = fused.influence - part.influence
    paired = QueryScores(apart, moved)
    low, high = paired.interval(seed=seed)
    return Difference(best, paired.mean, low, high, float(tests.p[0, 1]), paired.covers)
