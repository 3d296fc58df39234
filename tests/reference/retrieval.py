"""Metrics of one ranked list, and whole rankings, written slowly from their definitions."""

from __future__ import annotations

import math

import numpy as np


def precision_at(hits, k):
    """Relevant items among the first k, by k; a shorter list still divides by k."""
    return sum(1 for hit in hits[:k] if hit) / k


def recall_at(hits, k, relevant):
    return sum(1 for hit in hits[:k] if hit) / relevant if relevant else math.nan


def hit_at(hits, k):
    return 1.0 if any(hits[:k]) else 0.0


def reciprocal_rank(hits, k=None):
    for rank, hit in enumerate(hits[:k], start=1):
        if hit:
            return 1.0 / rank
    return 0.0


def average_precision(hits, relevant, k=None, reachable=False):
    """Sum of the precisions at the ranks of relevant items, by how many there are."""
    if not relevant:
        return math.nan
    shown = list(hits[:k])
    total = sum(precision_at(hits, rank) for rank, hit in enumerate(shown, start=1) if hit)
    return total / (min(relevant, len(shown)) if reachable else relevant)


def map_at_r(hits, relevant):
    """(1/R) times the sum over i = 1..R of P(i) if the i-th is right, 0 otherwise."""
    if not relevant:
        return math.nan
    return (
        sum(precision_at(hits, i) if hits[i - 1] else 0.0 for i in range(1, relevant + 1))
        / relevant
    )


def exponential_ndcg(grades, k, ideal):
    def dcg(values):
        return sum((2.0**g - 1.0) / math.log2(i + 1) for i, g in enumerate(values[:k], start=1))

    return dcg(grades) / dcg(ideal) if dcg(ideal) else math.nan


def ranking(vectors, query, own):
    """All items but the query, by falling score; equal scores by position.

    Scores are rounded to seven places, where products of float32 agree with the truth.
    """

    def unit(row):
        length = math.sqrt(sum(float(x) ** 2 for x in row))
        return [float(x) / length if length else 0.0 for x in row]

    asked = unit(query)
    scores = [
        round(sum(a * b for a, b in zip(asked, unit(row), strict=True)), 6) for row in vectors
    ]
    order = sorted((-score, item) for item, score in enumerate(scores) if item != own)
    return [item for _, item in order], [-score for score, _ in order]


def tag_cosine(tags, i, j):
    a, b = np.asarray(tags[i], float), np.asarray(tags[j], float)
    lengths = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return float(a @ b) / lengths if lengths else 0.0
