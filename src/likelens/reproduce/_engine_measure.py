"""Encoders and indexes on one data set of classes: rankings, their scores, and time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .._embed import Progress, measure_all
from .._lineup import Filled, why
from .._protocol import Copies, choose_queries, find_copies, relevance_of
from .._ranking import Rankings, joined, rank_with
from .._retrieval import Retrieval, measure, measure_rankings
from ..encoders.base import Encoder, VectorSource
from ..images import Picture
from ..index.base import Index, build_index
from ..index.index import EXACT
from ..index.options import Options
from ..index.scan import CLOSE
from ..presets import Row
from ..store.base import Store
from ..values.arrays import Floats, Positions
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings, EncoderCard
from ..values.errors import BadSpec, BadTable, LikelensError, of_encoder
from ..values.relevance import Relevance
from ._lineup import Missing

WARM = 3
"""So many pictures are encoded, and queries searched, before time is taken."""


@dataclass(frozen=True)
class Settings:
    """What is asked of every encoder.

    Attributes:
        indexes: specs of the indexes; tables by parent class are of the first.
        per_class: queries drawn of each class for the paper's protocol.
        k: how many results count.
        seed: of the draw.
    """

    indexes: tuple[str, ...]
    per_class: int
    k: int
    seed: int


@dataclass(frozen=True)
class Lookup:
    """The vectors of one encoder, searched through one index.

    Attributes:
        index: its spec.
        exact: whether the answers are exact by the way they are found.
        compares_all: whether all vectors are compared, as few are by any index.
        build_seconds: time to build it.
        seconds: (q,) time of each drawn query alone, itself left out of its results.
        drawn: scores of the drawn queries: the paper's protocol.
        every: scores of all items as queries: the strict protocol.
        recall: share of the exact first k that it finds, over all items as queries.
    """

    index: str
    exact: bool
    compares_all: bool
    build_seconds: float
    seconds: Floats = field(repr=False)
    drawn: Retrieval = field(repr=False)
    every: Retrieval = field(repr=False)
    recall: float


@dataclass(frozen=True)
class Contender:
    """One encoder.

    Attributes:
        row: its row of a preset, or one made of its spec.
        label: its name in the tables.
        card: what is known of it.
        seconds: (q,) time from file to vector of each drawn query, one at a time; None for
            vectors that come from no picture.
        zeros: pictures in which it sees nothing.
        lookups: what was found through each index.
    """

    row: Row
    label: str
    card: EncoderCard
    seconds: Floats | None = field(repr=False)
    zeros: int
    lookups: Mapping[str, Lookup] = field(repr=False)

    @property
    def control(self) -> bool:
        """Whether it stands for chance."""
        return self.row.spec.startswith("control:")


@dataclass(frozen=True)
class Measured:
    """One data set.

    Attributes:
        catalogue: the items that every encoder has a vector of.
        drawn: (q,) positions of the drawn queries.
        asked: (n,) positions of all items that have a class.
        contenders: best first by precision through the first index, controls last.
        copies: pictures that are the same byte for byte.
        lost: how many items are left out, for some encoder has no vector of them.
        failed: rows whose encoder failed, and why.
    """

    catalogue: Catalogue
    drawn: Positions = field(repr=False)
    asked: Positions = field(repr=False)
    contenders: tuple[Contender, ...]
    copies: Copies
    lost: int
    failed: Missing = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the catalogue."""
        labels = self.catalogue.labels or ()
        return tuple(dict.fromkeys(label for label in labels if label is not None))

    @property
    def best(self) -> Contender | None:
        """The first that is no control."""
        return next((one for one in self.contenders if not one.control), None)


def check_classes(catalogue: Catalogue, k: int, role: str = "SOURCE") -> None:
    """Refuse a catalogue that has no classes to be right or wrong by.

    Raises:
        BadTable: no classes, a single one, or none with two pictures.
        BadSpec: k is no number of results that can be found.
    """
    where = str(catalogue.layout.source)
    labels = [label for label in catalogue.labels or () if label is not None]
    classes = set(labels)
    if not classes:
        what = f"{role} has no classes, so no result is right or wrong"
        hint = "put the pictures into a folder for each class, or name the column of classes"
    elif len(classes) == 1:
        what = f"{role} has a single class, so every result is right"
        hint = "add pictures of other classes"
    elif len(classes) == len(labels):
        what = (
            f"each of the {len(classes):,} classes of {role} has a single picture, so there is "
            "nothing to be found"
        )
        hint = "add a second picture to some of them"
    elif not 1 <= k < len(catalogue):
        raise BadSpec(
            f"k = {k} results cannot be found among {len(catalogue):,} pictures",
            where=f"-k {k}, {where}",
            hint=f"give a k from 1 to {len(catalogue) - 1:,}",
        )
    else:
        return
    raise BadTable(what, where=where, hint=hint)


def measure_set(
    catalogue: Catalogue,
    opened: Sequence[tuple[Row, Encoder | VectorSource]],
    labels: Sequence[str],
    store: Store,
    settings: Settings,
    progress: Progress | None,
) -> Measured:
    """Every encoder through every index, on the items that all encoders have a vector of.

    Args:
        catalogue: with classes.
        opened: rows and their encoders, controls among them.
        labels: what each is called in the tables.
        store: where vectors are kept.
        settings: what is asked.
        progress: told of every step.

    Raises:
        BadTable: too few pictures have a vector by every encoder.
    """
    say = progress or (lambda _label, _done, _total: None)
    seeing = [one for _, one in opened if isinstance(one, Encoder)]
    filled = Filled(measure_all(catalogue, seeing, store, progress=progress), {})
    common = set(catalogue.ids)
    working, failed = [], []
    for (row, one), label in zip(opened, labels, strict=True):
        try:
            common &= set(filled.read(one).ids)
        except LikelensError as error:
            failed.append((row, why(error)))
            if not of_encoder(error) or len(failed) == len(opened):
                raise
            continue
        working.append((row, one, label))
    lost = len(catalogue) - len(common)
    if lost:
        catalogue = catalogue.take([item for item in catalogue.ids if item in common])
    if len(catalogue) <= settings.k:
        raise BadTable(
            f"only {len(catalogue):,} pictures have a vector by every encoder",
            where=str(catalogue.layout.source),
            hint="look at the failures, and leave out the encoder that has too few",
        )
    bench = _Bench(catalogue, settings)
    contenders = []
    for number, (row, one, label) in enumerate(working):
        say("searching", number, len(working))
        embeddings = filled.read(one).take(catalogue.ids)
        contenders.append(bench.contender(row, one, label, embeddings))
    say("searching", len(working), len(working))
    main = settings.indexes[0]
    survey = filled.measured.survey
    digest = dict(zip(survey.catalogue.ids, survey.digests.astype(str).tolist(), strict=True))
    return Measured(
        catalogue,
        bench.drawn,
        bench.asked,
        tuple(sorted(contenders, key=lambda one: _order(one, main, settings.k))),
        find_copies([digest.get(item) for item in catalogue.ids]),
        lost,
        tuple(failed),
    )


def _order(contender: Contender, index: str, k: int) -> tuple[bool, float]:
    mean = contender.lookups[index].every.scores[f"P@{k}"].mean
    return contender.control, -mean if math.isfinite(mean) else math.inf


class _Bench:
    """Measures one encoder after another with the same queries."""

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self.catalogue, self.settings = catalogue, settings
        labels = catalogue.labels or ()
        self.relevance: Relevance = relevance_of(catalogue, "classes")
        self.drawn = choose_queries(labels, settings.per_class, seed=settings.seed)
        self.asked = choose_queries(labels)

    def contender(
        self, row: Row, one: Encoder | VectorSource, label: str, embeddings: Embeddings
    ) -> Contender:
        vectors, k = embeddings.vectors, self.settings.k
        exact = measure(vectors, self.relevance, queries=self.asked, ks=(k,))
        lookups = {name: self._lookup(name, vectors, exact) for name in self.settings.indexes}
        seconds = None
        if isinstance(one, Encoder):
            one.expect(len(self.catalogue), [one])  # as a service would, that runs for long
            pictures = [self.catalogue.picture(int(place)) for place in self.drawn]
            seconds = encode_seconds(one, pictures)
        return Contender(row, label, embeddings.encoder, seconds, embeddings.zeros, lookups)

    def _lookup(self, name: str, vectors: Floats, exact: Retrieval) -> Lookup:
        started = time.perf_counter()
        index = build_index(vectors, name)
        built = time.perf_counter() - started
        relevance, ks = self.relevance, (self.settings.k,)
        rankings, seconds = self._one_by_one(index, vectors)
        every, recall, sure = exact, 1.0, is_exact(index, ks[0])
        if not sure:
            found = rank_with(index, vectors[self.asked], relevance.own[self.asked], ks[0])
            every = measure_rankings(found, relevance, queries=self.asked, ks=ks)
            worst = exact.rankings.scores[:, -1:]
            recall = float((found.scores >= worst - CLOSE).mean())
        drawn = measure_rankings(rankings, relevance, queries=self.drawn, ks=ks)
        whole = index.plan(ks[0] + 2) == EXACT
        return Lookup(name, sure, whole, built, seconds, drawn, every, recall)

    def _one_by_one(self, index: Index, vectors: Floats) -> tuple[Rankings, Floats]:
        """Each drawn query's results, and the time it took alone, after a few not counted."""
        own, k = self.relevance.own, self.settings.k
        for place in self.drawn[:WARM]:
            rank_with(index, vectors[[place]], own[[place]], k)
        parts, seconds = [], []
        for place in self.drawn:
            started = time.perf_counter()
            parts.append(rank_with(index, vectors[[place]], own[[place]], k))
            seconds.append(time.perf_counter() - started)
        return joined(parts, k), np.array(seconds)


def is_exact(index: Index, k: int) -> bool:
    """Whether an index finds the nearest vectors by the way it works.

    A KD-tree of all dimensions does; and whatever compares all vectors, as every index of
    few vectors, or asked for many of them.
    """
    options = Options.parse(index.spec)
    tree = options.kind == "kdtree" and options.whole("pca", 0, low=0) in (0, index.dim)
    return tree or index.plan(k + 2) == EXACT


def encode_seconds(encoder: Encoder, pictures: Sequence[Picture]) -> Floats:
    """(n,) time from the file to the vector of each picture, one at a time.

    The first few are encoded before, and not counted then.
    """
    for picture in pictures[:WARM]:
        encoder.encode([picture])
    seconds = []
    for picture in pictures:
        started = time.perf_counter()
        encoder.encode([picture])
        seconds.append(time.perf_counter() - started)
    return np.array(seconds)
