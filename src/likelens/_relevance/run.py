"""Encoders by a search for what is relevant, beside chance and popularity."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np

from .. import metrics
from .._embed import Progress
from .._lineup import (
    Filled,
    Named,
    check_catalogue,
    enough,
    fill_lineup,
    notes_of,
    open_lineup,
    read_all,
)
from .._protocol import purchase_relevance, relevance_of
from .._ranking import Gallery, Rankings, joined, rank_blocks
from .._retrieval import Retrieval, measure_rankings
from .._run_notes import OF_PURCHASES, OF_TAGS, sample_facts, unused
from ..encoders.running import Running
from ..store.base import Store, open_store
from ..store.memory import MemoryStore
from ..values.arrays import Floats, Positions
from ..values.catalogue import Catalogue
from ..values.copurchases import PurchaseRelevance
from ..values.embeddings import EncoderCard
from ..values.errors import BadSpec, BadTable, plural
from ..values.files import installed
from ..values.relevance import Relevance
from .values import RetrievalBoard, RetrievalEntry

Kind = Literal["purchases", "classes", "products", "tags"]
KINDS: tuple[str, ...] = get_args(Kind)

METRICS = ("nDCG", "HR", "MRR", "mAP", "P", "R")
RANK_BY = "nDCG"

RANDOM, POPULARITY = "control:random", "control:popularity"
"""Controls: random vectors; and what is in most baskets, whatever the query."""

RANDOM_DIM = 64
SALT = 20_231_109
"""Keeps the draw of random vectors apart from that of the queries."""

LIBRARIES = ("likelens", "numpy", "scipy", "onnxruntime", "opencv-python-headless", "pillow")
"""Whose versions may move a score, and are noted."""


def compare_by_relevance(
    catalogue: Catalogue,
    encoders: Sequence[Named],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    relevance: Kind = "purchases",
    k: int = 10,
    max_queries: int = 10_000,
    sample: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    running: Running | None = None,
    progress: Progress | None = None,
) -> RetrievalBoard:
    """Ranks encoders by how well a search with them finds what is relevant.

    Every item with something relevant is a query, and is never its own result. By purchases,
    items of one basket are relevant to each other; other images of the query's product and
    copies of its image take no place in its list. Purchases favour popular items, so a
    ranking by popularity stands beside the encoders, and random vectors always do.

    Args:
        catalogue: the items, with what the relevance is taken from.
        encoders: their specs, or encoders.
        store: where vectors are kept; None keeps them in memory only.
        relevance: ``purchases``, ``classes``, ``products`` or ``tags`` (see ``relevance_of``).
        k: how many results of each query count.
        max_queries: so many queries at most, drawn with the seed.
        sample: embed and search so many items only, see ``Catalogue.sample``.
        seed: of the draws and tests.
        overwrite: make all vectors anew.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The board. An encoder that cannot be had is in its ``missing``, with the reason.

    Raises:
        BadTable: no encoders, no such relevance in the catalogue, or no two items with it.
        BadSpec: an encoder or relevance is named wrongly, or k is below 1.
        NoWeights, MissingExtra: not one of the encoders can be had.
    """
    say = progress or (lambda _label, _done, _total: None)
    check_catalogue(catalogue)
    _check(relevance, k)
    _truth(catalogue, relevance, None)  # refuses a catalogue without it before any work
    opened, missing = open_lineup(encoders, running)
    whole, kept = len(catalogue), open_store(store)
    if sample is not None:
        catalogue = catalogue.sample(sample, seed=seed)
    filled = fill_lineup(catalogue, opened, kept, overwrite=overwrite, progress=progress)
    everything, lost_later = read_all(filled, opened)
    everything, sparse = enough(everything)
    missing |= lost_later | sparse
    common = set.intersection(*(set(one.ids) for one in everything))
    gallery = catalogue.take([item for item in catalogue.ids if item in common])
    truth = _truth(gallery, relevance, _copies(filled, gallery))
    bench = _Bench(gallery, truth, k, max_queries, seed)
    entries = []
    for number, embeddings in enumerate(everything):
        say("measuring", number, len(everything))
        found = bench.measure(bench.rank(embeddings.take(gallery.ids).vectors))
        failed = len(embeddings.failures)
        entries.append(bench.entry(embeddings.encoder, found, embeddings.zeros, failed))
    say("measuring", len(everything), len(everything))
    entries += bench.controls({one.name.partition("?")[0] for one in entries})
    rank_by = f"{RANK_BY}@{k}"
    tests = metrics.compare_pairs({one.name: one.scores[rank_by] for one in entries}, seed=seed)
    by_name = {one.name: one for one in entries}
    ranks = metrics.shared_ranks(tests)
    run = _run(catalogue, relevance, seed, k) | {"encoders": [str(one.spec) for one in opened]}
    if sample is not None:
        run |= sample_facts(catalogue, sample, whole)
    sampled = [str(run["sampled"])] if "sampled" in run else []
    if not isinstance(kept, MemoryStore):
        run["store"] = kept.place
    return RetrievalBoard(
        entries=tuple(replace(by_name[name], rank=rank) for name, rank in ranks.items()),
        catalogue=gallery,
        relevance=relevance,
        k=k,
        rank_by=rank_by,
        queries=bench.queries,
        unscored=bench.unscored,
        relevant=bench.relevant,
        tests=tests,
        notes=(
            *sampled,
            *_unused(catalogue, relevance),
            *bench.notes(),
            *notes_of(opened),
            *_lost(catalogue, gallery),
            *catalogue.notes,
        ),
        missing=missing,
        run=run,
    )


def _check(relevance: str, k: int) -> None:
    if relevance not in KINDS:
        raise BadSpec(
            f"{relevance!r} is no kind of relevance",
            where="relevance",
            hint=f"give one of {', '.join(KINDS)}",
        )
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise BadSpec(
            f"k = {k!r} is no number of results", where="k", hint="give a whole number from 1"
        )


def _truth(catalogue: Catalogue, relevance: Kind, copies: Sequence[str | None] | None) -> Relevance:
    if relevance == "purchases":
        return purchase_relevance(catalogue, copies=copies)
    return relevance_of(catalogue, relevance)


def _unused(catalogue: Catalogue, relevance: Kind) -> list[str]:
    names = (
        *(() if relevance == "tags" else OF_TAGS),
        *(() if relevance == "purchases" else OF_PURCHASES),
    )
    return unused(catalogue, names, relevance)


def _copies(filled: Filled, gallery: Catalogue) -> list[str | None]:
    """Digest of each item's image, by which copies are known; None where it was not read."""
    survey = filled.measured.survey
    digests = dict(zip(survey.catalogue.ids, survey.digests.astype(str).tolist(), strict=True))
    return [digests.get(item) or None for item in gallery.ids]


def _lost(catalogue: Catalogue, gallery: Catalogue) -> list[str]:
    lost = len(catalogue) - len(gallery)
    return [f"{plural(lost, 'item')} without a vector by some encoder left out"] if lost else []


class _Bench:
    """Ranks and scores one encoder after another on the same queries."""

    def __init__(
        self, catalogue: Catalogue, truth: Relevance, k: int, max_queries: int, seed: int
    ) -> None:
        self.catalogue, self.truth, self.k, self.seed = catalogue, truth, k, seed
        count = len(catalogue)
        counts = np.concatenate(
            [
                np.zeros(0, np.int64),
                *(truth.relevant(np.arange(count)[rows]) for rows in _parts(count)),
            ]
        )
        asking = np.flatnonzero(counts)
        if len(asking) < 2:
            raise BadTable(
                f"only {plural(len(asking), 'item has', 'items have')} something relevant among "
                "the items with a vector",
                where="relevance",
                hint="give more items, or a larger --sample",
            )
        self.asking, self.unscored = len(asking), count - len(asking)
        draw = np.random.default_rng(seed)
        self.queries = np.sort(draw.choice(asking, min(len(asking), max_queries), replace=False))
        self.relevant = float(np.median(counts[self.queries]))

    def rank(self, vectors: Floats, queries: Floats | None = None) -> Rankings:
        """The first k of each query; its vectors are those of the items if not given."""
        asked = vectors[self.queries] if queries is None else queries
        own = self.truth.own[self.queries]
        blocks = rank_blocks(
            Gallery(vectors),
            asked,
            own,
            self.k,
            excluded=lambda rows: self.truth.excluded(self.queries[rows]),
        )
        return joined([one.rankings for one in blocks], self.k)

    def measure(self, rankings: Rankings) -> Retrieval:
        """The scores of rankings of the queries."""
        return measure_rankings(rankings, self.truth, queries=self.queries, ks=[self.k])

    def entry(
        self, card: EncoderCard, found: Retrieval, zeros: int = 0, failed: int = 0
    ) -> RetrievalEntry:
        """The line of an encoder."""
        scores = {f"{name}@{self.k}": found.scores[f"{name}@{self.k}"] for name in METRICS}
        top, tied = found.rankings.positions, found.ties[self.k]
        return RetrievalEntry(card, 0, scores, top, tied, zeros, failed)

    def controls(self, named: set[str]) -> list[RetrievalEntry]:
        """Random vectors, if no encoder is such a control; by purchases, also popularity."""
        made = []
        if RANDOM not in named:
            draw = np.random.default_rng([self.seed, SALT])
            noise = draw.standard_normal((len(self.catalogue), RANDOM_DIM), np.float32)
            card = EncoderCard(RANDOM, "", RANDOM_DIM, "random vectors")
            made.append(self.entry(card, self.measure(self.rank(noise))))
        if isinstance(self.truth, PurchaseRelevance):
            card = EncoderCard(POPULARITY, "", 1, "items in most baskets first")
            vectors = _popular(self.truth.popularity)
            ahead = np.tile([1.0, 0.0], (len(self.queries), 1))
            made.append(self.entry(card, self.measure(self.rank(vectors, ahead))))
        return made

    def notes(self) -> list[str]:
        """What to know of the queries."""
        said = []
        items = f"{self.unscored:,} of {len(self.catalogue):,} items"
        if isinstance(self.truth, PurchaseRelevance):
            said.append(
                f"{items} were bought with no other and have no score; queries of one basket "
                "share what is relevant, so intervals and p-values are too small"
            )
        elif self.unscored:
            said.append(f"{items} have nothing relevant and no score")
        if len(self.queries) < self.asking:
            said.append(f"{len(self.queries):,} of {self.asking:,} items that could ask were drawn")
        return said


def _popular(popularity: Positions) -> Floats:
    """(n, 2) unit vectors whose cosine to (1, 0) orders items by popularity; ties stay ties."""
    distinct, place = np.unique(popularity, return_inverse=True)
    cosine = place / max(len(distinct), 1)
    return np.column_stack([cosine, np.sqrt(1.0 - cosine**2)])


def _parts(count: int) -> list[slice]:
    """Rows in parts, so that a row of all items fits in memory for each."""
    size = max(1, 2**23 // max(count, 1))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _run(catalogue: Catalogue, relevance: str, seed: int, k: int) -> dict[str, Any]:
    layout = catalogue.layout
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(layout.table or layout.images),
        "items": len(catalogue),
        "relevance": relevance,
        "k": k,
        "seed": seed,
        "python": sys.version.split()[0],
        "libraries": {name: installed(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
