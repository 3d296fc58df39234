"""How an encoder's score falls as the pictures asked with get worse.

``curves`` is what comes of it; the score is ``metrics._stressed``.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._degrade import KINDS, LEVELS, check_level, degrade
from .._embed import Progress, measure_all
from ..encoders.base import Encoder, VectorSource, cores
from ..encoders.opening import open_encoders, shown_as
from ..encoders.running import Running
from ..images import open_image
from ..metrics._stressed import Gallery
from ..metrics._sums import BOUNDS
from ..store.base import Store, open_store
from ..values.arrays import Array, Floats, Positions
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.errors import (
    BadImage,
    BadSpec,
    BadTable,
    LikelensError,
    first_few,
    of_encoder,
    plural,
)
from ..values.scores import QueryScores
from ..values.spec import Spec
from .curves import Curve, Stress

__all__ = ["Curve", "Stress", "stress"]

GROUP = 64
"""Pictures that are made worse and encoded at a time."""

GROUP_BYTES = 2**28
"""Bytes of pixels at a time, if pictures are so large that fewer than ``GROUP`` hold them."""

Condition = tuple[str, int]
"""A kind and a level."""


def stress(
    catalogue: Catalogue,
    encoders: Sequence[str | Spec | Encoder | VectorSource],
    store: Store | str | os.PathLike[str],
    *,
    levels: Iterable[int] = range(LEVELS + 1),
    kinds: Iterable[str] = KINDS,
    max_queries: int = 200,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Stress:
    """CorrEmbed with the queries' pictures made worse, and the gallery as it is.

    The question that the CorrEmbed paper (arXiv 2308.16126) leaves open. Each picture is
    opened once and made worse in every way (``degrade``); the pair of a query with its
    own clean picture does not count, since that likeness says nothing of the tags. A
    query in whose worse picture the encoder sees nothing counts as 0: left out, it would
    flatter an encoder that goes blind.

    Args:
        catalogue: with tags; ``Leaderboard.catalogue`` for the items of a comparison.
        encoders: their specs. Those that have vectors but see no pixels are passed over,
            with a note.
        store: where vectors of the images as they are are kept; those that it lacks are made.
        levels: of 0 to 5; level 0 is measured in any case.
        kinds: of ``KINDS``.
        max_queries: so many items at most, drawn with the seed from those with tags.
        weights: of tag categories; ``Leaderboard.weights`` for the main score of a
            comparison.
        seed: of the draw and of what is done to each picture; an item of one id is
            treated alike whatever else is in the catalogue.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every group of pictures.

    Raises:
        BadSpec: an unknown kind, level or encoder.
        BadTable: no tags, fewer than three items, or no vectors in the store.
    """
    conditions = _conditions(levels, kinds)
    if not encoders or isinstance(encoders, str | Spec):
        raise BadTable(
            "encoders are a list of specs",
            where="stress",
            hint='write ["onnx:model.onnx", "opencv:colour"]',
        )
    if max_queries < 1:
        raise BadSpec(
            f"{max_queries} queries leave nothing to measure",
            where="stress, max_queries",
            hint="give at least 1; 200 are usual",
        )
    opened, notes = _opened(encoders, running)
    seeing = [one for one in opened if isinstance(one, Encoder)]
    notes += [
        f"{one.spec} has vectors but sees no pictures, so it has no robustness curve"
        for one in opened
        if not isinstance(one, Encoder)
    ]
    tags = catalogue.tags if weights is None else catalogue.tags.weighted(weights)
    seeing, names, common, vectors = _clean(catalogue, seeing, open_store(store), notes, progress)
    gone = [item for item in catalogue.ids if item not in set(common)]
    if gone:
        which = plural(len(gone), "item")
        notes.append(f"{which} without a vector by some encoder left out: {first_few(gone)}")
    catalogue, tags = catalogue.take(common), tags.take(common)
    rows = _draw(tags.matrix, max_queries, seed)
    found = [_Found(vectors.pop(0), tags.matrix, rows, conditions) for _ in names]
    lost, failed = _measure(catalogue, seeing, found, rows, conditions, seed, progress)
    notes += [f"left out: {names[place]}: {reason}" for place, reason in failed.items()]
    if lost:
        ids = first_few(catalogue.ids[rows[query]] for query in sorted(lost))
        which = plural(len(lost), "picture")
        notes.append(f"{which} cannot be opened or made worse any more: {ids}")
    kept = np.array([query for query in range(len(rows)) if query not in lost], np.int64)
    return Stress(
        curves=tuple(
            curve
            for place, (name, one) in enumerate(zip(names, found, strict=True))
            if place not in failed
            for curve in one.curves(name, kept)
        ),
        queries=tuple(catalogue.ids[row] for row in rows[kept]),
        asked=max_queries,
        items=len(catalogue),
        weighted=weights is not None,
        seed=seed,
        notes=tuple(notes),
    )


def _opened(
    encoders: Sequence[str | Spec | Encoder | VectorSource], running: Running | None
) -> tuple[list[Encoder | VectorSource], list[str]]:
    """The encoders, opened where they are named, and notes of those that cannot be opened.

    Raises:
        LikelensError: not one of them can be opened.
    """
    found, lost = open_encoders([one for one in encoders if isinstance(one, str | Spec)], running)
    if lost and len(lost) == len(encoders):
        raise next(iter(lost.values()))
    by_spec = iter(found)
    opened = [
        next(by_spec) if isinstance(one, str | Spec) else one
        for one in encoders
        if str(one) not in lost
    ]
    return opened, [f"left out: {name}: {error.what}" for name, error in lost.items()]


def _conditions(levels: Iterable[int], kinds: Iterable[str]) -> list[Condition]:
    """Every way at every level but 0, which needs no picture."""
    chosen, steps = list(dict.fromkeys(kinds)), list(levels)
    for kind in chosen:
        for level in steps:
            check_level(kind, level)
    worse = sorted({int(level) for level in steps} - {0})
    if not chosen or not worse:
        raise BadSpec(
            "nothing is to be made worse",
            where="stress, kinds and levels",
            hint=f"give some of {', '.join(KINDS)}, and levels from 1 to {LEVELS}",
        )
    return [(kind, level) for kind in chosen for level in worse]


def _clean(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    store: Store,
    notes: list[str],
    progress: Progress | None,
) -> tuple[list[Encoder], list[str], list[str], list[Floats]]:
    """Encoders with vectors, their names and vectors, on the items that all have a vector of.

    Those without vectors are added to the notes.

    Raises:
        LikelensError: not one of them has vectors.
    """
    measured = measure_all(catalogue, encoders, store, progress=progress)
    having: list[Encoder] = []
    everything: list[Embeddings] = []
    for one in encoders:
        try:
            found = measured.read(one)
            if not len(found) and (having or one is not encoders[-1]):
                notes.append(f"left out: {one.spec}: it has no vector of these items")
                continue
            everything.append(found)
            having.append(one)
        except LikelensError as error:
            if not of_encoder(error) or (one is encoders[-1] and not having):
                raise
            notes.append(f"left out: {one.spec}: {error.what}")
    common = set(catalogue.ids).intersection(*(one.ids for one in everything))
    if len(common) < 3 or catalogue.tags.matrix.shape[1] == 0:
        raise BadTable(
            f"{len(common):,} items with vectors and "
            f"{catalogue.tags.matrix.shape[1]:,} tags leave nothing to correlate",
            where="stress",
            hint="give a catalogue with tags, and a store with the vectors of its items",
        )
    ids = [item for item in catalogue.ids if item in common]
    return (
        having,
        [
            shown_as(one.spec, kept.encoder.name)
            for one, kept in zip(having, everything, strict=True)
        ],
        ids,
        [one.take(ids).vectors for one in everything],
    )


def _draw(tags: Any, most: int, seed: int) -> Positions:
    """Rows of the queries: some of the items that bear a tag."""
    tagged = np.flatnonzero(np.diff(tags.indptr) > 0)
    chance = np.random.default_rng(seed)
    return np.sort(chance.choice(tagged, min(most, len(tagged)), replace=False))


class _Found:
    """What is measured of one encoder, filled in as pictures come."""

    def __init__(
        self, vectors: Floats, tags: Any, rows: Positions, conditions: Sequence[Condition]
    ) -> None:
        self.gallery, self.rows = Gallery(vectors, tags), rows
        self.clean = self.gallery.scores(rows, vectors[rows])
        self.worse = {condition: np.full(len(rows), np.nan) for condition in conditions}

    def add(self, tasks: Sequence[_Task], vectors: Floats) -> None:
        """Take up the vectors of some worse pictures."""
        queries = np.array([task.query for task in tasks], np.int64)
        scores = self.gallery.scores(self.rows[queries], vectors)
        for task, score in zip(tasks, scores, strict=True):
            self.worse[task.condition][task.query] = score

    def curves(self, name: str, kept: Positions) -> list[Curve]:
        """The curves over some of the queries; all kinds start at the same clean score."""
        clean = self.clean[kept]
        first = QueryScores(clean, bounds=BOUNDS)
        kinds = tuple(dict.fromkeys(kind for kind, _ in self.worse))
        curves = []
        for kind in kinds:
            levels = tuple(level for other, level in self.worse if other == kind)
            scores, blind = [first], [0]
            for level in levels:
                worse = self.worse[kind, level][kept]
                unseen = np.isnan(worse) & ~np.isnan(clean)
                fallen = np.where(np.isnan(clean), np.nan, np.nan_to_num(worse))
                scores.append(QueryScores(fallen, bounds=BOUNDS))
                blind.append(int(unseen.sum()))
            curves.append(Curve(name, kind, (0, *levels), tuple(scores), tuple(blind)))
        return curves


@dataclass(frozen=True)
class _Task:
    """One picture to be made worse in one way."""

    query: int
    condition: Condition
    picture: Array = field(repr=False)
    seed: int

    def done(self) -> Array | None:
        """The worse picture, or None if its size is more than the way can take."""
        try:
            return degrade(self.picture, *self.condition, seed=self.seed)
        except Exception:  # noqa: BLE001 - one odd picture must not end the run
            return None


def _measure(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    found: Sequence[_Found],
    rows: Positions,
    conditions: Sequence[Condition],
    seed: int,
    progress: Progress | None,
) -> tuple[set[int], dict[int, str]]:
    """Make every query worse in every way, and score what the encoders make of it.

    Returns:
        The queries whose image cannot be opened or made worse, and why an encoder failed, by its
        place.

    Raises:
        LikelensError: all encoders failed.
    """
    say = progress or (lambda _label, _done, _total: None)
    lost: set[int] = set()
    failed: dict[int, str] = {}
    total, done = len(rows) * len(conditions) * len(encoders), 0
    if not total:
        return lost, failed
    for encoder in encoders:
        encoder.expect(len(rows) * len(conditions), [encoder])
    with ThreadPoolExecutor(cores()) as pool:
        for group in _groups(_tasks(catalogue, rows, conditions, seed, lost)):
            pictures = list(pool.map(_Task.done, group))
            good = [task for task, worse in zip(group, pictures, strict=True) if worse is not None]
            shown = [worse for worse in pictures if worse is not None]
            lost |= {task.query for task in group} - {task.query for task in good}
            for place, (encoder, one) in enumerate(zip(encoders, found, strict=True)):
                try:
                    if place not in failed:
                        one.add(good, encoder.encode(shown))
                except LikelensError as error:
                    failed[place] = error.what
                    if len(failed) == len(encoders):
                        raise
                done += len(group)
                say("making queries worse", done, total)
    say("making queries worse", total, total)
    return lost, failed


def _tasks(
    catalogue: Catalogue,
    rows: Positions,
    conditions: Sequence[Condition],
    seed: int,
    lost: set[int],
) -> Iterator[_Task]:
    """Every query in every condition; each picture is opened once, when its turn comes."""
    for query, row in enumerate(rows):
        try:
            picture = open_image(catalogue.picture(row))
        except BadImage:
            lost.add(query)
            continue
        own = zlib.crc32(f"{seed} {catalogue.ids[row]}".encode())
        for condition in conditions:
            yield _Task(query, condition, picture, own)


def _groups(tasks: Iterable[_Task]) -> Iterator[list[_Task]]:
    """A few tasks at a time, so that memory stays bounded."""
    group: list[_Task] = []
    held = 0
    for task in tasks:
        if group and (len(group) == GROUP or held + task.picture.nbytes > GROUP_BYTES):
            yield group
            group, held = [], 0
        group.append(task)
        held += task.picture.nbytes
    if group:
        yield group
