"""Which encoder sees a catalogue best: the leaderboard."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from . import metrics
from ._embed import Progress
from ._leaderboard import CONTROLS, CategoryScore, Entry, Leaderboard
from ._lineup import check_catalogue, enough, fill_lineup, notes_of, open_lineup, read_all
from ._run_notes import sample_facts
from .encoders.base import Encoder, VectorSource
from .encoders.running import Running
from .index.base import build_index
from .store.base import Store, open_store
from .store.memory import MemoryStore
from .values.arrays import Array, Floats, Positions, unit_rows, unit_sparse_rows
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings
from .values.errors import BadSpec, BadTable, first_few, plural
from .values.files import installed
from .values.scores import QueryScores
from .values.spec import Spec
from .values.tags import Tags

if TYPE_CHECKING:
    from ._relevance import Kind, RetrievalBoard

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

_FEW = 30
"""Items from which on intervals were checked by simulation (bench/coverage.py)."""

MAP_ITEMS = 1000
"""Items whose vectors are kept for the map of a report."""


@overload
def compare(
    catalogue: Catalogue,
    encoders: Sequence[str | Spec | Encoder | VectorSource],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    recipe: Literal["released"] | None = None,
    self_pairs: Literal["include", "exclude"] = "include",
    max_queries: int = 10_000,
    sample: int | None = None,
    relevance: None = None,
    seed: int = 0,
    overwrite: bool = False,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Leaderboard: ...


@overload
def compare(
    catalogue: Catalogue,
    encoders: Sequence[str | Spec | Encoder | VectorSource],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    relevance: Kind,
    k: int = 10,
    max_queries: int = 10_000,
    sample: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    running: Running | None = None,
    progress: Progress | None = None,
) -> RetrievalBoard: ...


def compare(
    catalogue: Catalogue,
    encoders: Sequence[str | Spec | Encoder | VectorSource],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    recipe: Literal["released"] | None = None,
    self_pairs: Literal["include", "exclude"] = "include",
    max_queries: int = 10_000,
    sample: int | None = None,
    relevance: Kind | None = None,
    k: int = 10,
    seed: int = 0,
    overwrite: bool = False,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Leaderboard | RetrievalBoard:
    """Ranks encoders by how well their similarity agrees with a catalogue's tags.

    With ``relevance``, by how well a search finds what was bought together, or what is of one
    class or product.

    Args:
        catalogue: with tags, and with purchases for the weighted score.
        encoders: their specs; ``vectors:FILE`` for vectors of your own.
        store: where vectors are kept; None keeps them in memory only.
        weights: weight of tag categories, instead of those from purchases.
        recipe: ``released`` weights purchases as the authors' released code did.
        self_pairs: whether an item's likeness to itself counts, as in the paper's
            equations. In a small catalogue it counts for much, also of noise.
        max_queries: so many items at most, drawn with the seed, are queries of nDCG
            and neighbours. CorrEmbed always takes all.
        sample: embed and compare only so many items, drawn so that each class (or value of
            the first tag) keeps its share and products stay whole; see ``Catalogue.sample``.
            Weights are those of all purchases.
        relevance: rank by retrieval instead: ``purchases``, ``classes``, ``products`` or
            ``tags``. Returns a ``RetrievalBoard``; ``weights``, ``recipe`` and ``self_pairs``
            do not apply.
        k: how many results of each query count, with ``relevance``.
        seed: of the draws, the controls and the resampling.
        overwrite: make all vectors anew.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The leaderboard. An encoder that cannot be opened, or fails, is in its ``missing``,
        with the reason.

    Raises:
        BadTable: no tags, fewer than three items in common, or no encoders.
        BadSpec: an encoder is named wrongly; found before any work is done.
        LikelensError: not one of the encoders can be had.
    """
    if relevance is not None:
        if weights is not None or recipe is not None or self_pairs != "include":
            raise BadSpec(
                "weights, recipe and self_pairs belong to a comparison by tags",
                where="compare",
                hint="leave them out, or leave out relevance",
            )
        from ._relevance import compare_by_relevance

        return compare_by_relevance(
            catalogue,
            encoders,
            store,
            relevance=relevance,
            k=k,
            max_queries=max_queries,
            sample=sample,
            seed=seed,
            overwrite=overwrite,
            running=running,
            progress=progress,
        )
    say = progress or (lambda _label, _done, _total: None)
    check_catalogue(catalogue)
    if catalogue.tags.matrix.shape[1] == 0:
        raise BadTable(
            "the catalogue has no tags to measure with",
            where=str(catalogue.layout.table or catalogue.layout.images),
            hint="name tag columns (--tags a,b,c); a folder needs one folder a class",
        )
    opened, missing = open_lineup(encoders, running)
    used, notes = _weights(catalogue, weights, recipe)
    kept, whole = open_store(store), len(catalogue)
    settings: dict[str, Any] = {"seed": seed, "self_pairs": self_pairs, "recipe": recipe}
    if sample is not None:
        catalogue = catalogue.sample(sample, seed=seed)
        settings |= sample_facts(catalogue, sample, whole)
        notes = (*notes, *([str(settings["sampled"])] if "sampled" in settings else []))
    filled = fill_lineup(catalogue, opened, kept, overwrite=overwrite, progress=progress)
    everything, failed = read_all(filled, opened)
    everything, sparse = enough(everything)
    missing |= failed | sparse
    common = _common_items(catalogue, everything)
    catalogue = catalogue.take(common)
    notes = (*notes, *notes_of(opened), *_doubts(everything, len(common)))
    if not isinstance(kept, MemoryStore):
        settings["store"] = kept.place
    judge = _Judge(catalogue, used, max_queries, seed, self_pairs)
    entries = []
    for number, embeddings in enumerate(everything):
        say("measuring", number, len(everything))
        entries.append(judge.entry(embeddings.take(common)))
    say("measuring", len(everything), len(everything))
    board = judge.board(entries, (*notes, *judge.notes, *catalogue.notes), settings)
    return replace(board, missing=missing)


def _doubts(everything: Sequence[Embeddings], scored: int) -> list[str]:
    """Notes of what was set aside, and of too few items."""
    notes, lost = [], max(len(one.failures) for one in everything)
    if lost:
        which = plural(lost, "item has", "items have")
        notes.append(
            f"up to {which} no vector by some encoder ({_first_failures(everything)}); all "
            f"encoders are scored on the same {scored:,} items"
        )
    if scored < _FEW:
        notes.append(
            f"intervals from so few items ({scored}) are rough: they were checked from {_FEW} "
            "items on"
        )
    return notes


def _first_failures(everything: Sequence[Embeddings]) -> str:
    rows = [row for one in everything for row in one.failures.to_pylist()]
    reasons = {row["id"]: row["reason"] for row in rows}
    return first_few(f"{item}: {reason}" for item, reason in reasons.items())


def _common_items(catalogue: Catalogue, everything: Sequence[Embeddings]) -> list[str]:
    """The items that every encoder has a vector of, in catalogue order."""
    common = set.intersection(*(set(one.ids) for one in everything))
    if len(common) < 3:
        failed = _first_failures(everything)
        told = f" (set aside: {failed})" if failed else ""
        raise BadTable(
            f"only {plural(len(common), 'item has', 'items have')} a vector by every encoder; a "
            f"correlation needs three{told}",
            where="compare",
            hint="fix those images, or leave out the encoder that has too few",
        )
    return [item for item in catalogue.ids if item in common]


def _weights(
    catalogue: Catalogue, given: Mapping[str, float] | None, recipe: Literal["released"] | None
) -> tuple[Mapping[str, float] | None, tuple[str, ...]]:
    """Weights of tag categories, and what to know of them."""
    if given is not None:
        catalogue.tags.weighted(given)  # refuses what cannot be a weight, before any work
        return given, ()
    purchases = catalogue.purchases
    if purchases is None and recipe is not None:
        raise BadTable(
            f"the recipe {recipe!r} weighs purchases, and there are none",
            where="compare",
            hint="give a table of purchases (--purchases), or leave the recipe out",
        )
    if purchases is None:
        return None, ("no purchases are given, so there is no weighted score",)
    there = np.isin(purchases.items, np.array(catalogue.ids))
    if not there.any():
        raise BadTable(
            f"none of the {len(purchases):,} purchases is of an item of the catalogue: "
            f"items such as {first_few(dict.fromkeys(purchases.items.tolist()))}",
            where=str(purchases.path),
            hint=f"give the ids of the catalogue, such as {first_few(catalogue.ids)}",
        )
    notes: tuple[str, ...] = ()
    if not there.all():
        notes = (f"{int((~there).sum()):,} purchases of items not in the catalogue are left out",)
    weights = metrics.category_weights(
        purchases.customers[there], purchases.items[there], catalogue.tags, recipe=recipe
    )
    return weights, notes


class _Judge:
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
