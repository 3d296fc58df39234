"""Metrics written slowly from their papers, item by item."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np


def corrembed(images, tags, i, exclude):
    """Pearson correlation of one query's cosine similarities, in loops."""

    def cosine(a, b):
        lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
        return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0

    others = [j for j in range(len(images)) if not (exclude and j == i)]
    seen = [cosine(images[i], images[j]) for j in others]
    worn = [cosine(tags[i], tags[j]) for j in others]
    mean_seen, mean_worn = sum(seen) / len(seen), sum(worn) / len(worn)
    seen = [s - mean_seen for s in seen]
    worn = [s - mean_worn for s in worn]
    both = sum(s * t for s, t in zip(seen, worn, strict=True))
    return both / math.sqrt(sum(s * s for s in seen) * sum(t * t for t in worn))


def category_weights(purchases, tags_of, sizes, released=False):
    """Eq. 5 and 6 from dictionaries.

    Args:
        purchases: (customer, item) in order.
        tags_of: for each item, for each category, a list of tags.
        sizes: number of tags of each category.
        released: as the released code does.
    """
    orders = defaultdict(list)
    for customer, item in purchases:
        orders[customer].append(item)
    if released:
        orders = {
            u: list(dict.fromkeys(bought)) for u, bought in orders.items() if len(bought) > 10
        }
    means = {}
    for category in sizes:
        entropies = []
        for bought in orders.values():
            counts = Counter()
            for item in bought:
                worn = tags_of[item][category]
                counts.update(worn if worn or not released else ["None"])
            total = len(bought) if released else sum(counts.values())
            if total:
                entropies.append(-sum(c / total * math.log(c / total) for c in counts.values()))
        means[category] = sum(entropies) / len(entropies)
    if released:
        return {c: 1 - h / math.log(sizes[c] + 1) for c, h in means.items()}
    low, high = min(means.values()), max(means.values())
    return {c: 1 - (h - low) / (high - low) for c, h in means.items()}


def ndcg(gains, k, ideal):
    """nDCG@k of one query."""

    def dcg(values):
        return sum(g / math.log2(rank + 1) for rank, g in enumerate(values[:k], start=1))

    return dcg(gains) / dcg(ideal) if dcg(ideal) else math.nan


def skewness(positions, n):
    """Skewness of the k-occurrence (Radovanović et al. 2010), and the counts."""
    counts = [0] * n
    for row in positions:
        for item in row:
            if item >= 0:
                counts[item] += 1
    mean = sum(counts) / n
    spread = math.sqrt(sum((c - mean) ** 2 for c in counts) / n)
    third = sum((c - mean) ** 3 for c in counts) / n
    return (third / spread**3 if spread else 0.0), counts


def holm(p):
    """Holm's adjusted p-values by the definition: the largest of the steps up to each."""
    ordered = sorted(p)
    steps = [min(1.0, (len(p) - place) * value) for place, value in enumerate(ordered)]
    return [max(steps[: ordered.index(value) + 1]) for value in p]


def theta(images, tags, weight):
    """Mean CorrEmbed of a weighted catalogue, self pairs included: the functional itself."""
    weight = weight / weight.sum()
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    tags = tags / np.linalg.norm(tags, axis=1, keepdims=True)
    total = 0.0
    for i in range(len(images)):
        seen, worn = images @ images[i], tags @ tags[i]
        seen, worn = seen - weight @ seen, worn - weight @ worn
        both = weight @ (seen * worn)
        total += weight[i] * both / math.sqrt((weight @ seen**2) * (weight @ worn**2))
    return total
