"""Which encoder sees a catalogue best: the leaderboard."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from . import metrics
from ._embed import Progress
from ._leaderboard import Leaderboard
from ._lineup import check_catalogue, enough, fill_lineup, notes_of, open_lineup, read_all
from ._run_notes import sample_facts
from ._scoring import Scorer
from .encoders.base import Encoder, VectorSource
from .encoders.running import Running
from .store.base import Store, open_store
from .store.memory import MemoryStore
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings
from .values.errors import BadSpec, BadTable, first_few, plural
from .values.spec import Spec

if TYPE_CHECKING:
    from ._relevance import Kind, RetrievalBoard

_FEW = 30
"""Items from which on intervals were checked by simulation (bench/coverage.py)."""


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
    judge = Scorer(catalogue, used, max_queries, seed, self_pairs)
    entries = []
    for number, embeddings in enumerate(everything):
        say("measuring", number, len(everything))
        entries.append(judge.entry(embeddings.take(common)))
    say("measuring", len(everything), len(everything))
    board = judge.board(entries, (*notes, *judge.notes, *catalogue.notes), settings)
    return replace(board, missing=missing)


def _doubts(everything: Sequence[Embeddings], scored: int) -> list[str]:
    """Notes of what was skipped, and of too few items."""
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
        told = f" (skipped: {failed})" if failed else ""
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
