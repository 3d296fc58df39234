"""The VSD metrics and metrics of incomplete judgements, written slowly from their definitions."""

from __future__ import annotations

import math


def shown(ranks, products, own_product, own=None):
    """Rank by item in the list without the query and its product that shows each other one once."""
    places, seen = {}, set()
    for item in sorted(range(len(ranks)), key=lambda one: (ranks[one], one)):
        product = ("alone", item) if products[item] is None else products[item]
        if item != own and product != own_product and product not in seen:
            seen.add(product)
            places[item] = len(places) + 1
    return places


def hits(pairs, k, definition, reciprocal):
    """HR@k or MRR@k from (query, rank, label); rank None for a candidate that is not shown."""
    positive = [(query, rank) for query, rank, label in pairs if label]
    if not positive:
        return math.nan
    total = 0.0
    for _, rank in positive:
        if rank is not None and rank <= k:
            total += 1 / rank if reciprocal else 1
    if definition == "paper":
        return total / len(positive)
    queries = len({query for query, _ in positive})
    return total / (queries * (sum(1 / i for i in range(1, k + 1)) if reciprocal else k))


def roc_auc(pairs):
    """From (score, label): the share of twos in the right order, equal ones half."""
    worth = [
        (high > low) + (high == low) / 2
        for high, good in pairs
        if good
        for low, bad in pairs
        if not bad
    ]
    return sum(worth) / len(worth) if worth else math.nan


def pr_auc(pairs):
    """From (score, label): the precision at each positive's score, in the mean."""
    positives = sum(label for _, label in pairs)
    if not positives or positives == len(pairs):
        return math.nan
    total = 0.0
    for score, label in pairs:
        if label:
            above = [other for value, other in pairs if value >= score]
            total += sum(above) / len(above)
    return total / positives


def macro(area, pairs):
    """Mean of an area over the queries of (query, score, label) that have both labels."""
    areas = [
        area([(score, label) for one, score, label in pairs if one == query])
        for query in {query for query, _, _ in pairs}
    ]
    areas = [value for value in areas if not math.isnan(value)]
    one_sided = {
        query
        for query in {query for query, _, _ in pairs}
        if len({label for one, _, label in pairs if one == query}) == 1
    }
    assert len(areas) + len(one_sided) == len({query for query, _, _ in pairs})
    return sum(areas) / len(areas) if areas else math.nan


def bpref(pairs):
    """From (rank, label) of a query; rank 0 was not found, label -1 not judged."""
    positives = sum(label == 1 for _, label in pairs)
    negatives = sum(label == 0 for _, label in pairs)
    if not positives:
        return math.nan
    total = 0.0
    for rank, label in pairs:
        if label == 1 and rank:
            above = sum(1 for other, value in pairs if value == 0 and 0 < other < rank)
            part = min(above, positives) / min(positives, negatives) if above else 0.0
            total += 1 - part
    return total / positives


def inferred_ap(pairs, epsilon=0.00001):
    """From (rank, label) of a query; rank 0 was not found, label -1 in the pool, not judged."""
    positives = sum(label == 1 for _, label in pairs)
    if not positives:
        return math.nan
    total = 0.0
    for k, label in pairs:
        if label != 1 or not k:
            continue
        above = [value for other, value in pairs if 0 < other < k]
        expected = 1 / k
        if k > 1:
            good, bad = above.count(1), above.count(0)
            guess = (good + epsilon) / (good + bad + 2 * epsilon)
            expected += (k - 1) / k * (len(above) / (k - 1)) * guess
        total += expected
    return total / positives
