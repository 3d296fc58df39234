"""Measures a search against what is relevant: every metric, query by query, class by class."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from . import metrics
from ._ranking import Gallery, Rankings, blocks, joined, rank_blocks
from .metrics.base import check_queries
from .values.arrays import Floats, Positions, check_vectors
from .values.errors import BadShape, BadTable, first_few, plural
from .values.relevance import NONE, Relevance
from .values.scores import QueryScores

WHOLE = ("mAP", "MRR", "R-precision", "MAP@R")
"""Metrics of the whole ranking, which no list of k items gives."""


@dataclass(frozen=True)
class Group:
    """One line of a table by class or by parent class.

    Attributes:
        name: of the class, or of the parent.
        classes: how many classes it holds that have a query with something relevant.
        queries: how many queries with something relevant.
        micro: mean over its queries, by metric.
        macro: mean over its classes of each class's mean, by metric.
    """

    name: str
    classes: int
    queries: int
    micro: dict[str, float]
    macro: dict[str, float]


@dataclass(frozen=True)
class Retrieval:
    """How well a search finds what is relevant.

    Attributes:
        queries: (q,) rows of the query table that were asked.
        rankings: what was found for each, to the largest k.
        relevant: (q,) how many items are relevant to each.
        scores: by metric (``P@10``, ``R@10``, ``HR@10``, ``MRR@10``, ``mAP@10``,
            ``nDCG@10``; with graded relevance ``nDCG-exp@10``; of the whole ranking
            ``mAP``, ``MRR``, ``R-precision``, ``MAP@R``), one value per query. A query
            with nothing relevant has no score in any of them.
        ties: by k, the share of queries whose cut after rank k falls between equal
            scores, so that only the order of the catalogue decides who is in.
        judged: by k, the share of the first k items of which anything is known; below 1
            only for judgements, and then what nobody judged counts as not relevant.
    """

    queries: Positions = field(repr=False)
    rankings: Rankings = field(repr=False)
    relevant: Positions = field(repr=False)
    scores: dict[str, QueryScores]
    ties: dict[int, float]
    judged: dict[int, float]

    def by_class(self, labels: Sequence[Hashable | None]) -> list[Group]:
        """A line per class of the queries, in the sorted order of their names.

        Args:
            labels: class of every row of the query table; None for none.

        Raises:
            BadShape: a row that was asked has no label.
        """
        return self._groups({name: [name] for name in self._classes(labels)}, labels)

    def by_parent(
        self, labels: Sequence[Hashable | None], parents: Mapping[str, str]
    ) -> list[Group]:
        """A line per parent class, in the order in which ``parents`` first names them.

        Args:
            labels: class of every row of the query table; None for none.
            parents: the parent of each class.

        Raises:
            BadShape: a row that was asked has no label.
            BadTable: a class has no parent.
        """
        found = self._classes(labels)
        lost = [name for name in found if name not in parents]
        if lost:
            raise BadTable(
                f"{plural(len(lost), 'class has', 'classes have')} no parent: {first_few(lost)}",
                where="parents",
                hint="name a parent for every class",
            )
        kin: dict[str, list[str]] = {parent: [] for parent in parents.values()}
        for name in found:
            kin[parents[name]].append(name)
        return self._groups({parent: names for parent, names in kin.items() if names}, labels)

    def overall(self, labels: Sequence[Hashable | None]) -> Group:
        """All classes in one line: their macro mean beside the mean over queries.

        Args:
            labels: class of every row of the query table; None for none.

        Raises:
            BadShape: a row that was asked has no label.
        """
        return self._groups({"all": self._classes(labels)}, labels)[0]

    def _classes(self, labels: Sequence[Hashable | None]) -> list[str]:
        return sorted({str(label) for label in self._of_queries(labels) if label is not None})

    def _of_queries(self, labels: Sequence[Hashable | None]) -> list[Hashable | None]:
        if len(self.queries) and len(labels) <= self.queries.max():
            raise BadShape(
                f"{len(labels):,} labels, and row {self.queries.max():,} was a query",
                where="labels",
                hint="give one label for every row of the query table",
            )
        return [labels[row] for row in self.queries]

    def _groups(
        self, kin: Mapping[str, Sequence[str]], labels: Sequence[Hashable | None]
    ) -> list[Group]:
        of_queries = self._of_queries(labels)
        by_metric = {
            metric: metrics.by_class(scores, of_queries).classes
            for metric, scores in self.scores.items()
        }
        lines = []
        for name, classes in kin.items():
            parts = {
                metric: metrics.ClassScores({one: found[one] for one in classes})
                for metric, found in by_metric.items()
            }
            some = next(iter(by_metric.values()))
            scored = [len(some[one].per_query) - some[one].missing for one in classes]
            lines.append(
                Group(
                    name=name,
                    classes=sum(count > 0 for count in scored),
                    queries=sum(scored),
                    micro={metric: part.micro for metric, part in parts.items()},
                    macro={metric: part.macro for metric, part in parts.items()},
                )
            )
        return lines


def measure(
    vectors: npt.ArrayLike,
    relevance: Relevance,
    *,
    query_vectors: npt.ArrayLike | None = None,
    queries: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    whole: bool = True,
) -> Retrieval:
    """Rank the whole gallery for every query by cosine similarity, and score the rankings.

    No query finds itself, nor what the relevance excludes. Equal scores are ordered as in the
    catalogue. Memory: a copy of the vectors and 100 MB or so, never all pairs.

    Args:
        vectors: (n, d) of the gallery, of any length.
        relevance: of its n items for the rows of the query table.
        query_vectors: (m, d) of a separate query table; None where the items themselves
            are the queries.
        queries: positions or a mask of the query table's rows to be asked; None for all
            (leave-one-out, where the items are the queries). See ``choose_queries``.
        ks: cut-offs, from 1 on. Where the gallery has fewer items, empty places are misses.
        whole: also the metrics of the whole ranking, ``mAP`` and its kin.

    Returns:
        Scores per query, and the rankings to the largest k.

    Raises:
        BadShape: vectors, relevance, queries or cut-offs that do not fit together.

    Example:
        >>> from likelens import LabelRelevance
        >>> vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.2, 0.8], [0.0, 1.0]])
        >>> found = measure(vectors, LabelRelevance(["shirt", "shirt", "shoe", "shoe"]), ks=[1])
        >>> found.scores["P@1"].mean, found.scores["mAP"].mean
        (1.0, 1.0)
    """
    gallery = Gallery(vectors)
    asked = check_vectors(vectors if query_vectors is None else query_vectors, where="queries")
    _check_sizes(len(gallery), len(asked), relevance)
    cuts = _check_cuts(ks)
    chosen = check_queries(queries, len(asked))
    if chosen is None:
        chosen = np.arange(len(asked))
    found = _Lists(relevance, cuts)
    members = (lambda rows: relevance.members(chosen[rows])) if whole else None
    excluded = lambda rows: relevance.excluded(chosen[rows])  # noqa: E731
    for block in rank_blocks(
        gallery, asked[chosen], relevance.own[chosen], cuts[-1], members, excluded
    ):
        found.add(chosen[block.rows], block.rankings, block.ranks)
    return found.retrieval(whole=whole)


def measure_rankings(
    rankings: Rankings,
    relevance: Relevance,
    *,
    queries: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> Retrieval:
    """Score rankings of any index, as ``rank_with`` gives them.

    Args:
        rankings: of the queries, at least as deep as the largest k.
        relevance: of the gallery's items for the rows of the query table.
        queries: which rows of the query table the rankings are of; None for all.
        ks: cut-offs, from 1 on.

    Returns:
        Scores per query, without those of the whole ranking.

    Raises:
        BadShape: rankings, relevance, queries or cut-offs that do not fit together.
    """
    cuts = _check_cuts(ks)
    chosen = check_queries(queries, relevance.n_queries)
    if chosen is None:
        chosen = np.arange(relevance.n_queries)
    if len(chosen) != len(rankings) or rankings.depth < cuts[-1]:
        raise BadShape(
            f"{len(rankings):,} rankings of {rankings.depth:,} items for {len(chosen):,} "
            f"queries and k = {cuts[-1]:,}",
            where="measure_rankings",
            hint="give one ranking per query, as deep as the largest k",
        )
    found = _Lists(relevance, cuts)
    for part in blocks(len(chosen), relevance.n_items):
        some = Rankings(rankings.positions[part], rankings.scores[part], rankings.tied[part])
        found.add(chosen[part], some, None)
    return found.retrieval(whole=False)


class _Lists:
    """Gathers gains, and what else metrics need, block by block."""

    def __init__(self, relevance: Relevance, cuts: Sequence[int]) -> None:
        self.relevance, self.cuts = relevance, cuts
        self.queries: list[Positions] = []
        self.rankings: list[Rankings] = []
        self.gains: list[Floats] = []
        self.ideal: list[Floats] = []
        self.relevant: list[Positions] = []
        self.judged: list[npt.NDArray[np.bool_]] = []
        self.whole: list[Floats] = []

    def add(
        self, queries: Positions, rankings: Rankings, ranks: Sequence[Positions] | None
    ) -> None:
        relevance, depth = self.relevance, self.cuts[-1]
        positions = rankings.positions[:, :depth]
        self.queries.append(queries)
        self.rankings.append(rankings)
        self.gains.append(relevance.gains(queries, positions))
        self.ideal.append(relevance.ideal(queries, depth))
        self.relevant.append(relevance.relevant(queries))
        self.judged.append(relevance.is_judged(queries, positions))
        if ranks is not None:
            self.whole.append(np.array([_whole(one) for one in ranks]))

    def retrieval(self, *, whole: bool) -> Retrieval:
        depth = self.cuts[-1]
        rankings = joined(self.rankings, depth)
        relevant = np.concatenate([np.zeros(0, np.int64), *self.relevant])
        scores = self._scores(relevant)
        if whole:
            values = np.concatenate([np.zeros((0, len(WHOLE))), *self.whole])
            scores |= {
                name: QueryScores(values[:, j], bounds=(0.0, 1.0)) for j, name in enumerate(WHOLE)
            }
        judged = np.concatenate([np.zeros((0, depth), np.bool_), *self.judged])
        found = rankings.positions[:, :depth] != NONE
        return Retrieval(
            queries=np.concatenate([np.zeros(0, np.int64), *self.queries]),
            rankings=rankings,
            relevant=relevant,
            scores=scores,
            ties={k: _share(rankings.tied[:, k - 1]) for k in self.cuts},
            judged={k: _share(judged[:, :k][found[:, :k]]) for k in self.cuts},
        )

    def _scores(self, relevant: Positions) -> dict[str, QueryScores]:
        empty = np.zeros((0, self.cuts[-1]))
        gains = np.concatenate([empty, *self.gains])
        ideal = np.concatenate([empty, *self.ideal])
        hits = self.relevance.is_relevant(gains)
        ideal[relevant == 0] = 0.0  # every metric is of the same queries
        gains[relevant == 0] = 0.0
        scores: dict[str, QueryScores] = {}
        for k in self.cuts:
            scores[f"P@{k}"] = metrics.precision(hits, k, relevant)
            scores[f"R@{k}"] = metrics.recall(hits, k, relevant)
            scores[f"HR@{k}"] = metrics.hit_rate(hits, k, relevant)
            scores[f"MRR@{k}"] = metrics.reciprocal_rank(hits, k, relevant)
            scores[f"mAP@{k}"] = metrics.average_precision(hits, relevant, k)
            scores[f"nDCG@{k}"] = metrics.ndcg(gains, k, ideal)
            if self.relevance.graded:
                scores[f"nDCG-exp@{k}"] = metrics.ndcg(gains, k, ideal, "exponential")
        return scores


def _whole(ranks: Positions) -> tuple[float, float, float, float]:
    """AP, RR, R-precision and MAP@R from the ranks of a query's relevant items, ascending."""
    count = len(ranks)
    if not count:
        return (np.nan,) * 4
    precisions = np.arange(1, count + 1) / ranks
    within = int(np.searchsorted(ranks, count, "right"))
    return (
        float(precisions.sum() / count),
        float(precisions[0]),
        within / count,
        float(precisions[:within].sum() / count),
    )


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if flags.size else float("nan")


def _check_sizes(items: int, queries: int, relevance: Relevance) -> None:
    if (items, queries) != (relevance.n_items, relevance.n_queries):
        raise BadShape(
            f"{queries:,} queries and {items:,} items have vectors; relevance is of "
            f"{relevance.n_queries:,} queries and {relevance.n_items:,} items",
            where="measure",
            hint="give a vector for every item, in the same order; leave out the same items "
            "on both sides",
        )


def _check_cuts(ks: Sequence[int]) -> list[int]:
    given = list(ks) if isinstance(ks, Iterable) else []
    wrong = [
        k for k in given if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1
    ]
    if wrong or not given:
        raise BadShape(
            f"k = {first_few(wrong) or ks} is no list of cut-offs",
            where="ks",
            hint="give whole numbers from 1, such as [1, 5, 10]",
        )
    return sorted({int(k) for k in given})
