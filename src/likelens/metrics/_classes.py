"""Scores by class, and the mean over classes in which every class counts the same."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..values.errors import BadShape
from ..values.scores import QueryScores


@dataclass(frozen=True)
class ClassScores:
    """The scores of the queries of each class.

    Attributes:
        classes: scores by class, in the sorted order of their names.
    """

    classes: dict[str, QueryScores]

    @property
    def macro(self) -> float:
        """Mean over classes of each one's mean; classes without a score are left out."""
        means = np.array([scores.mean for scores in self.classes.values()])
        means = means[~np.isnan(means)]
        return float(means.mean()) if means.size else float("nan")

    @property
    def micro(self) -> float:
        """Mean over the queries that have a class and a score."""
        values = [scores.per_query for scores in self.classes.values()]
        return QueryScores(np.concatenate(values) if values else np.zeros(0)).mean


def by_class(scores: QueryScores, labels: Sequence[Hashable | None]) -> ClassScores:
    """The scores of each class, for their macro mean and for tables by class.

    Args:
        scores: one value per query.
        labels: the class of each query; a query of class None is in none.

    Returns:
        Scores by class. Their intervals cover the sampling of the class's queries.

    Raises:
        BadShape: not one label per query.

    Example:
        >>> found = by_class(QueryScores([1.0, 0.5, 0.0]), ["cat", "cat", "dog"])
        >>> found.macro, found.micro, found.classes["cat"].mean
        (0.375, 0.5, 0.75)
    """
    if len(labels) != len(scores.per_query):
        raise BadShape(
            f"{len(labels):,} labels for {len(scores.per_query):,} queries",
            where="by_class",
            hint="give one label per query",
        )
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        if label is not None:
            rows.setdefault(str(label), []).append(row)
    return ClassScores(
        {
            name: QueryScores(scores.per_query[rows[name]], bounds=scores.bounds)
            for name in sorted(rows)
        }
    )
