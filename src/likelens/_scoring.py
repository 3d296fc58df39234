"""Scores encoders one after another on the same items, queries and controls."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from . import metrics
from ._leaderboard import CONTROLS, CategoryScore, Entry, Leaderboard
from .index.base import build_index
from .values.arrays import Array, Floats, Positions, unit_rows, unit_sparse_rows
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings
from .values.files import installed
from .values.scores import QueryScores
from .values.tags import Tags

SALT = 20_231_108
"""Keeps the shuffling of the controls apart from that of ``control:shuffled`` of one seed."""

DEPTH = 10
"""Rank at which nDCG, hubs and orphans are measured, and neighbours are shown."""

LIBRARIES = (
    "likelens", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg",
    "faiss-cpu",
)  # fmt: skip
"""Whose versions may move a score, and are noted."""

NOISE = 0.05
"""Score of random embeddings above which the reader is told why."""

MAP_ITEMS = 1000
"""Items whose vectors are kept for the map of a report."""


class Scorer:
    """Measures one encoder after another on the same items, queries and controls."""

    def __init__(
        self,
        catalogue: Catalogue,
        weights: Mapping[str, float] | None,
        max_queries: int,
        seed: int,
        self_pairs: Literal["include", "exclude"],
    ) -> None:
        self.catalogue, self.weights, self.seed = catalogue, weights, seed
        self.self_pairs = self_pairs
        count = len(catalogue)
        draw = np.random.default_rng(seed)
        self.queries = np.sort(draw.choice(count, min(count, max_queries), replace=False))
        self.map_items = np.sort(draw.choice(count, min(count, MAP_ITEMS), replace=False))
        self.tags = catalogue.tags
        self.weighted_tags = None if weights is None else catalogue.tags.weighted(weights)
        self.ideal = _ideal_gains(self.tags, self.queries)
        self.weighted_ideal = (
            None if self.weighted_tags is None else _ideal_gains(self.weighted_tags, self.queries)
        )
        self.notes: tuple[str, ...] = ()
        products = [name for name in catalogue.products or () if name is not None]
        if len(set(products)) < len(products):
            note = (
                f"{len(products):,} pictures show {len(set(products)):,} products: pictures of "
                "one product are not independent, so intervals and p-values are too small"
            )
            self.notes = (note,)
        if count > max_queries:
            note = (
                f"nDCG, hubs and orphans are measured with {max_queries:,} of {count:,} items "
                "as queries; orphans are items that none of these finds"
            )
            self.notes = (*self.notes, note)

    def entry(self, embeddings: Embeddings) -> Entry:
        images = metrics.CorrEmbedImages(embeddings.vectors)
        noise = self._noise(embeddings)
        plain, weighted = self.tags, self.weighted_tags
        sees = metrics.corrembed_by_category(
            images, plain.matrix, plain.categories, self_pairs=self.self_pairs
        )
        neighbour_scores, neighbours = _neighbours(embeddings.vectors, self.queries)
        return Entry(
            card=embeddings.encoder,
            rank=0,
            unweighted=_settled(sees.whole),
            weighted=None
            if weighted is None
            else _settled(self._corrembed(images, weighted.matrix)),
            controls=self._controls(images, noise, plain),
            weighted_controls={} if weighted is None else self._controls(images, noise, weighted),
            categories={
                name: CategoryScore(
                    QueryScores(alone.per_query, bounds=alone.bounds), sees.share[name]
                )
                for name, alone in sees.alone.items()
            },
            ndcg=self._ndcg(plain, self.ideal, neighbours),
            hubness=metrics.hubness(neighbours, len(embeddings)),
            neighbours=neighbours,
            neighbour_scores=neighbour_scores,
            map_vectors=unit_rows(embeddings.vectors[self.map_items]),
            zeros=embeddings.zeros,
            failed=len(embeddings.failures),
            images_per_second=embeddings.images_per_second,
            weighted_ndcg=None
            if weighted is None or self.weighted_ideal is None
            else self._ndcg(weighted, self.weighted_ideal, neighbours),
        )

    def _ndcg(self, tags: Tags, ideal: Array, neighbours: Positions) -> QueryScores:
        gains = _tag_similarity(tags, self.queries, neighbours)
        depth = neighbours.shape[1]
        return metrics.ndcg(gains, depth, ideal[:, :depth])

    def _noise(self, embeddings: Embeddings) -> metrics.CorrEmbedImages:
        """Random vectors of the same shape."""
        draw = np.random.default_rng([self.seed, SALT])
        return metrics.CorrEmbedImages(draw.standard_normal(embeddings.vectors.shape, np.float32))

    def _controls(
        self, images: metrics.CorrEmbedImages, noise: metrics.CorrEmbedImages, tags: Tags
    ) -> dict[str, float]:
        """Table 2 of the CorrEmbed paper: the score with chance in one part's place.

        Giving the embeddings to other items is giving the tags to other items the
        other way round, which is less to move.
        """
        order = np.random.default_rng([self.seed, SALT, 1]).permutation(len(tags))
        sides = (
            (noise, tags.matrix),
            (images, tags.matrix[np.argsort(order)]),
            (images, metrics.random_tags(tags.matrix, self.seed + SALT)),
            (images, metrics.shuffled_tags(tags.matrix, self.seed + SALT)),
        )
        return {
            name: self._corrembed(side, matrix).mean
            for name, (side, matrix) in zip(CONTROLS, sides, strict=True)
        }

    def _corrembed(self, images: metrics.CorrEmbedImages, tags: Any) -> QueryScores:
        return metrics.corrembed(images, tags, self_pairs=self.self_pairs)

    def board(
        self, entries: Sequence[Entry], notes: tuple[str, ...], settings: Mapping[str, Any]
    ) -> Leaderboard:
        scores = {entry.card.name: entry.main for entry in entries}
        pairs = metrics.compare_pairs(scores, seed=self.seed)
        ranks = metrics.shared_ranks(pairs)
        for entry in entries:
            if np.isnan(entry.main.mean):
                text = "no item has a score: its vectors, or the tags of the items, are all equal"
                notes = (f"{entry.card.name}: {text}", *notes)
        by_name = {entry.card.name: entry for entry in entries}
        ranked = [replace(by_name[name], rank=rank) for name, rank in ranks.items()]
        noise = max(entry.controls["random embeddings"] for entry in entries)
        if self.self_pairs == "include" and noise > NOISE:
            text = (
                f"random embeddings score up to {noise:.2f} here, because each item is also "
                "compared with itself and there are few others; --self-pairs exclude leaves "
                "these pairs out"
            )
            notes = (*notes, text)
        return Leaderboard(
            entries=tuple(ranked),
            catalogue=self.catalogue,
            weights=self.weights,
            pairs=pairs,
            queries=self.queries,
            map_items=self.map_items,
            notes=notes,
            run=_run(self.catalogue, ranked, settings),
        )


def _settled(scores: QueryScores) -> QueryScores:
    """The same scores with their influence worked out, so that they let the vectors go."""
    return QueryScores(scores.per_query, scores.influence, bounds=scores.bounds)


def _neighbours(vectors: Floats, queries: Positions) -> tuple[Floats, Positions]:
    """Scores and positions of each query's most alike items, itself left out by position."""
    depth = min(DEPTH, len(vectors) - 1)
    scores, positions = build_index(vectors).search(vectors[queries], depth + 1)
    own = positions == queries[:, None]
    own[~own.any(axis=1), -1] = True  # not found among ties: drop the last instead
    keep = ~own
    shape = (len(queries), depth)
    return scores[keep].reshape(shape), positions[keep].reshape(shape)


def _tag_similarity(tags: Tags, queries: Positions, neighbours: Positions) -> Array:
    """(q, depth) cosine of tag vectors between each query and its neighbours."""
    unit = unit_sparse_rows(tags.matrix)
    gains = np.empty(neighbours.shape)
    for rank in range(neighbours.shape[1]):
        pairs = unit[queries].multiply(unit[neighbours[:, rank]])
        gains[:, rank] = np.asarray(pairs.sum(axis=1)).ravel()
    return gains


def _ideal_gains(tags: Tags, queries: Positions) -> Array:
    """(q, depth) the largest tag similarities of each query to any other item, downwards."""
    unit = unit_sparse_rows(tags.matrix)
    other = unit.T.tocsr()
    depth = min(DEPTH, len(tags) - 1)
    best = np.empty((len(queries), depth))
    chunk = max(1, 8_000_000 // len(tags))  # similarities at a time: 64 MB
    for start in range(0, len(queries), chunk):
        rows = queries[start : start + chunk]
        similar = (unit[rows] @ other).toarray()
        similar[np.arange(len(rows)), rows] = -1.0
        top = -np.partition(-similar, depth - 1, axis=1)[:, :depth]
        best[start : start + chunk] = -np.sort(-top, axis=1)
    return np.clip(best, 0.0, None)


def _run(
    catalogue: Catalogue, entries: Sequence[Entry], settings: Mapping[str, Any]
) -> dict[str, Any]:
    layout = catalogue.layout
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(layout.table or layout.images),
        "items": len(catalogue),
        "tags": {name: len(catalogue.tags.columns(name)) for name in catalogue.tags.category_names},
        "encoders": {
            entry.card.name: {
                "fingerprint": entry.card.fingerprint,
                "preprocessing": entry.card.preprocessing,
                **entry.card.details,
            }
            for entry in entries
        },
        **settings,
        "interval": f"95 % bootstrap; covers {entries[0].main.covers}",
        "python": sys.version.split()[0],
        "libraries": {name: installed(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
