"""One encoder's scores by judgements, from its vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import metrics
from .._judged import judged_ranks
from ..values.arrays import Floats, Positions
from ..values.relevance import NONE
from ..values.scores import QueryScores
from .pairs import Asked, Pairs
from .values import AREAS, INCOMPLETE, Figure, cut_names

Flags = npt.NDArray[np.bool_]
Draws = Sequence[tuple[Positions, Floats]]
"""Drawn negatives (p2, 3) and one encoder's scores (p2,) of them."""


@dataclass(frozen=True)
class Setting:
    """What is measured how.

    Attributes:
        ks: cut-offs of HR and MRR.
        definition: of HR@k and MRR@k.
        negatives: of the areas.
        rank_by: the metric that decides the place.
        different_products: whether a query's own product is left out of its results.
        depth: how long the lists of results are.
        seed: of all that is drawn.
    """

    ks: tuple[int, ...]
    definition: Literal["paper", "release"]
    negatives: Literal["annotated", "sampled"]
    rank_by: str
    different_products: bool
    depth: int
    seed: int


@dataclass(frozen=True)
class Evidence:
    """Where an encoder ranks the judged candidates.

    Attributes:
        ranks: (p,) rank of each judged candidate, from 1.
        shown: (p,) the same in a list that shows each product once, 0 where it is not
            shown; ``ranks`` again where products do not matter.
        scores: (p,) its cosine similarity.
        identity: ranks and scores of the other pictures of the queries' products.
        top: (q, depth) positions of each query's first results; -1 where there is none.
    """

    ranks: Positions = field(repr=False)
    shown: Positions = field(repr=False)
    scores: Floats = field(repr=False)
    identity: tuple[Positions, Floats] = field(repr=False)
    top: Positions = field(repr=False)


class Bench:
    """Judged pairs, ready to score one encoder after another.

    Args:
        asked: the gallery and its queries.
        pairs: what people judged.
        identity: the other pictures of the queries' products, or None.
        setting: what is measured how.
    """

    def __init__(
        self, asked: Asked, pairs: Pairs, identity: Pairs | None, setting: Setting
    ) -> None:
        self.asked, self.pairs, self.identity, self.setting = asked, pairs, identity, setting
        self.kin = Pairs(*(np.zeros(0, np.int64),) * 3) if identity is None else identity
        theirs, ours = asked.gallery.products, asked.table.products
        once = setting.definition == "release" and theirs is not None and ours is not None
        self._products, self._asking = (theirs, ours) if once else (None, None)
        self._judged = np.sort(self._keys(pairs.rows, pairs.items))

    def look(self, vectors: Floats, queries: Floats) -> Evidence:
        """Rank the judged candidates, and the other pictures of the queries' products.

        Args:
            vectors: (n, d) of the gallery.
            queries: (q, d) of the queries.
        """
        pairs, kin, setting = self.pairs, self.kin, self.setting
        most = 0
        if setting.different_products and len(kin):
            most = int(np.bincount(kin.rows).max())
        found = judged_ranks(
            vectors,
            queries,
            np.append(pairs.rows, kin.rows),
            np.append(pairs.items, kin.items),
            own=self.asked.own,
            products=self._products,
            query_products=self._asking,
            depth=min(setting.depth + most, len(vectors)),
        )
        ranks, kin_ranks = np.split(found.ranks, [len(pairs)])
        top = np.zeros((len(queries), 0), np.int64) if found.top is None else found.top
        if setting.different_products:
            ranks = ranks - self._kin_above(ranks, kin_ranks)
            top = self._without_kin(top, setting.depth)
        shown = ranks if found.product_ranks is None else found.product_ranks[: len(pairs)]
        scores, kin_scores = np.split(found.scores, [len(pairs)])
        return Evidence(ranks, shown, scores, (kin_ranks, kin_scores), top)

    def scores_of(self, vectors: Floats, queries: Floats, drawn: Sequence[Positions]) -> Draws:
        """One encoder's scores of drawn negatives, which are the products of unit vectors."""
        together = np.concatenate(drawn)
        found = judged_ranks(
            vectors, queries, together[:, 0], together[:, 1], own=self.asked.own
        ).scores
        ends = np.cumsum([len(one) for one in drawn])[:-1]
        return list(zip(drawn, np.split(found, ends), strict=True))

    def figures(
        self, evidence: Evidence, draws: Draws | None
    ) -> tuple[dict[str, Figure], dict[str, QueryScores]]:
        """All metrics with their intervals, and what they are per query."""
        found = self._discovery(evidence, self.pairs, slice(None), draws)
        per_query = _renamed(found, self.setting.ks)
        triples, count = self.pairs.triples, len(self.asked.table)
        per_query["bpref"] = metrics.bpref(evidence.ranks, triples, queries=count)
        per_query["inferred_ap"] = metrics.inferred_ap(evidence.ranks, triples, queries=count)
        spread = found.spread
        return {
            name: Figure(_mean(found, name, one), *one.interval(), spread.get(name, math.nan))
            for name, one in per_query.items()
        }, per_query

    def means(self, evidence: Evidence, draws: Draws | None, those: Flags) -> dict[str, float]:
        """All metrics on some of the judged pairs; NaN where there are none.

        Of drawn negatives every query keeps as many as it has positives left.
        """
        names = [*cut_names(self.setting.ks), *AREAS, *INCOMPLETE]
        if not those.any():
            return dict.fromkeys(names, math.nan)
        pairs = self.pairs.keep(those)
        if draws is not None:
            draws = self._as_many(draws, pairs)
        found = self._discovery(evidence, pairs, those, draws)
        made = {
            name: _mean(found, name, one) for name, one in _renamed(found, self.setting.ks).items()
        }
        count = len(self.asked.table)
        ranks = evidence.ranks[those]
        made["bpref"] = metrics.bpref(ranks, pairs.triples, queries=count).mean
        made["inferred_ap"] = metrics.inferred_ap(ranks, pairs.triples, queries=count).mean
        return made

    def identity_figures(self, evidence: Evidence) -> dict[str, Figure]:
        """HR@k and MRR@k of the other pictures of the queries' products; none without them."""
        if self.identity is None:
            return {}
        ranks, scores = evidence.identity
        found = metrics.discovery_of_pairs(
            ranks,
            scores,
            self.identity.triples,
            k=self.setting.ks,
            definition=self.setting.definition,
            queries=len(self.asked.table),
        )
        named = _renamed(found, self.setting.ks)
        return {
            name: Figure(named[name].mean, *named[name].interval())
            for name in cut_names(self.setting.ks)
        }

    def unjudged(self, evidence: Evidence) -> dict[int, float]:
        """By k, the share of the queries' first k results that nobody judged."""
        shares = {}
        for k in self.setting.ks:
            top = evidence.top[:, :k]
            rows, places = np.nonzero(top != NONE)
            known = np.isin(self._keys(rows, top[rows, places]), self._judged)
            shares[k] = float((~known).mean()) if known.size else math.nan
        return shares

    def _discovery(
        self, evidence: Evidence, pairs: Pairs, those: Flags | slice, draws: Draws | None
    ) -> metrics.Discovery:
        return metrics.discovery_of_pairs(
            evidence.shown[those],
            evidence.scores[those],
            pairs.triples,
            k=self.setting.ks,
            definition=self.setting.definition,
            sampled=draws,
            queries=len(self.asked.table),
        )

    def _as_many(self, draws: Draws, pairs: Pairs) -> Draws:
        """Of every query as many drawn negatives as it has positives, the same for all encoders."""
        wanted = np.bincount(pairs.rows[pairs.labels == 1], minlength=len(self.asked.table))
        random, kept = np.random.default_rng(self.setting.seed), []
        for drawn, scores in draws:
            rows = drawn[:, 0]
            order = np.lexsort((random.random(len(rows)), rows))
            chosen = order[np.arange(len(rows)) - np.searchsorted(rows, rows) < wanted[rows]]
            kept.append((drawn[chosen], scores[chosen]))
        return kept

    def _keys(self, rows: Positions, items: Positions) -> Positions:
        return rows * len(self.asked.gallery) + items

    def _kin_above(self, ranks: Positions, kin_ranks: Positions) -> Positions:
        """How many pictures of the query's own product stand above each judged candidate."""
        span = len(self.asked.gallery) + 1
        kin = np.sort(self.kin.rows * span + kin_ranks)
        start = np.searchsorted(kin, self.pairs.rows * span)
        above: Positions = np.searchsorted(kin, self.pairs.rows * span + ranks) - start
        return above

    def _without_kin(self, top: Positions, depth: int) -> Positions:
        """The lists without pictures of the query's own product, to that depth."""
        rows = np.arange(len(top))[:, None]
        out = np.isin(self._keys(rows, top), self._keys(self.kin.rows, self.kin.items))
        out |= top == NONE
        order = np.argsort(out, axis=1, kind="stable")
        kept = np.take_along_axis(np.where(out, NONE, top), order, axis=1)
        return kept[:, :depth]


def _renamed(found: metrics.Discovery, ks: Sequence[int]) -> dict[str, QueryScores]:
    """The metrics per query by their names in tables."""
    known: Mapping[str, QueryScores] = found.per_query
    cuts: dict[str, QueryScores] = {}
    for k in ks:
        cuts |= {f"hr_at_{k}": known[f"hit_rate@{k}"], f"mrr_at_{k}": known[f"mrr@{k}"]}
    return cuts | {name: known[name] for name in AREAS}


def _mean(found: metrics.Discovery, name: str, scores: QueryScores) -> float:
    """A metric: areas as they are, for the mean of a micro area's values is off by rounding."""
    return float(getattr(found, name)) if name in AREAS else scores.mean
