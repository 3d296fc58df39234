"""One encoder's part of a run: what it lacks, what it gets, and handing that to the store."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from ..encoders.base import Encoder, FittedEncoder
from ..store.base import Store
from ..values.arrays import Array, Floats, Positions
from ..values.embeddings import EncoderCard
from ..values.errors import (
    EncoderFailed,
    FingerprintMismatch,
    LikelensError,
    LikelensWarning,
    StoreBroken,
)
from .survey import Progress, Survey

TRIES = 64
"""Pictures after which an encoder that gave no vector of any is given up."""

COMMIT_ROWS = 512
"""Vectors that a store gets at a time: what a killed run may lose."""

_BROUGHT = 65_536
"""Vectors that a store gets from the cache at a time."""


@dataclass
class EmbedRun:
    """What a run did.

    Attributes:
        name: under which name the vectors are kept.
        embedded: images that went through the encoder.
        copied: items that got the vector of an identical file.
        kept: items whose vectors were there already, in the store or in the cache.
        forgotten: items that were removed, by ``sync`` only.
        zeros: images in which the encoder saw nothing: their vector is all zeros.
        failures: (id, path, reason) of each image that could not be embedded.
        images_per_second: of this run, or None if it embedded nothing.
        removed: the ids of the items that were removed, by ``sync`` only.
        removed_columns: the attributes that were removed, by ``sync`` only.
        error: why the encoder failed as a whole, or None.
    """

    name: str
    embedded: int = 0
    copied: int = 0
    kept: int = 0
    forgotten: int = 0
    zeros: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    images_per_second: float | None = None
    removed: list[str] = field(default_factory=list)
    removed_columns: list[str] = field(default_factory=list)
    error: LikelensError | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no vector, though there were pictures."""
        return bool(self.failures) and not (self.embedded or self.copied or self.kept)


class Job:
    """One encoder's part of a run.

    Attributes:
        encoder: what makes the vectors.
        run: what was done so far.
        missing: (n,) bool, the rows of the survey to encode: the first of each content.
        seconds: that its pictures would have taken alone.
        fault: why the encoder failed as a whole, or None; it then gets no more pictures.
    """

    fault: LikelensError | None = None

    def __init__(
        self, encoder: Encoder, survey: Survey, store: Store, run: EmbedRun, *, overwrite: bool
    ) -> None:
        self.encoder, self.run, self._survey, self._store = encoder, run, survey, store
        self.missing: Array = np.zeros(len(survey.digests), bool)
        self.seconds = 0.0
        self._refused = 0
        self._twins: dict[int, list[int]] = {}
        self._brought = False
        self._shared = SharedVectors(store.cache, encoder.card)
        self._chunk = _Chunk(store, run.name, self._shared)
        if overwrite:
            self._plan(np.flatnonzero(survey.readable))
        else:
            self._find_missing()

    def _find_missing(self) -> None:
        """Note what the store has, take what the cache has, and plan the rest."""
        lacking = self._lacking(np.flatnonzero(self._survey.readable))
        if len(lacking) and self._shared.used:
            firsts = np.unique(self._survey.first_of_same(lacking))
            for start in range(0, len(firsts), _BROUGHT):
                digests = self._survey.digests[firsts[start : start + _BROUGHT]].astype(str)
                found, vectors = self._shared.vectors(digests)
                if len(vectors):
                    self._brought = True
                    self._store.append(self.run.name, digests[found].tolist(), vectors)
            lacking = self._lacking(lacking)
        self.run.kept = int(self._survey.readable.sum()) - len(lacking)
        self._plan(lacking)

    def _lacking(self, rows: Positions) -> Positions:
        """Those rows of which the store has no vector."""
        import pyarrow as pa
        import pyarrow.compute as pc

        known = self._store.known(self.run.name)
        if not len(known):
            return rows
        digests = pa.array(self._survey.digests[rows]).cast(pa.string())
        lacking: Positions = rows[~np.asarray(pc.is_in(digests, known), bool)]
        return lacking

    def _plan(self, rows: Positions) -> None:
        """Encode the first of each content among some rows; the others are its twins."""
        first = self._survey.first_of_same(rows)
        self.missing[first] = True
        twins = rows != first
        for row, original in zip(rows[twins].tolist(), first[twins].tolist(), strict=True):
            self._twins.setdefault(original, []).append(row)

    def take(self, rows: Sequence[int], vectors: Floats) -> None:
        """Keep the vectors of some images, which are those of their twins too."""
        digests = self._survey.digests
        self._chunk.add([digests[row].decode() for row in rows], vectors)
        self.run.embedded += len(rows)
        self.run.zeros += int((~vectors.any(axis=1)).sum())
        self.run.copied += sum(len(self._twins.get(row, ())) for row in rows)

    def fail(self, row: int, reason: str, *, by_encoder: bool = False) -> None:
        """Note why a picture and its twins have no vector.

        Args:
            row: of the survey.
            reason: in a few words.
            by_encoder: whether the picture itself could be opened.
        """
        self._refused += by_encoder
        if self._refused >= TRIES and not self.run.embedded and not self.run.kept:
            self.fault = EncoderFailed(
                f"it gave no vector of the first {TRIES} pictures: {reason}",
                where=str(self.encoder.spec),
                hint="check it alone: likelens encoders check SPEC",
            )
        ids, paths = self._survey.catalogue.ids, self._survey.catalogue.paths
        self.run.failures.append((ids[row], str(paths[row]), reason))
        for twin in self._twins.get(row, ()):
            told = f"{reason} (seen in {paths[row]}, which was the same file)"
            self.run.failures.append((ids[twin], str(paths[twin]), told))

    def commit(self) -> None:
        """Hand to the store what it has not got yet."""
        self._chunk.commit()

    def finish(self, seconds: float, *, alone: bool, tidy: bool) -> None:
        """End the run; of several encoders each is timed by what it would have needed alone.

        Args:
            seconds: that the run took.
            alone: whether this is its only encoder.
            tidy: whether to have the store tidied up though nothing was added.
        """
        run = self.run
        run.error = self.fault
        if not alone:
            seconds = self.seconds
        if run.embedded > run.kept:  # a few more pictures would measure little but the start
            run.images_per_second = run.embedded / seconds
        if run.embedded or self._brought or tidy:
            speed = run.images_per_second
            self._store.finish(run.name, self._shared.speed() if self._brought else speed)
        if run.embedded:
            self._shared.finish(run.images_per_second)


def start_job(
    encoder: Encoder,
    survey: Survey,
    store: Store,
    *,
    overwrite: bool,
    replace: bool,
    say: Progress,
) -> Job:
    """What there is to do for one encoder, once it has learnt what it must.

    Args:
        encoder: the encoder.
        survey: of the images.
        store: where vectors are kept.
        overwrite: make the vectors of these images anew.
        replace: with overwrite, also replace an encoder of this name that made other vectors,
            or whose vectors are damaged, as a whole.
        say: told of every step.
    """
    if isinstance(encoder, FittedEncoder):
        _fit(encoder, survey, store, anew=overwrite, say=say)
    name = _find(encoder, store, anew=overwrite and replace)
    if name is None:
        name = store.create(encoder.card, overwrite=overwrite and replace)
    run = EmbedRun(name, failures=list(survey.failures))
    return Job(encoder, survey, store, run, overwrite=overwrite)


def _find(encoder: Encoder, store: Store, *, anew: bool) -> str | None:
    """Under which name its vectors are kept; None where there are none, or none of use."""
    try:
        name = store.find(encoder.card)
        if name is not None and anew:
            store.known(name)  # reads all, and so finds damage
            store.images_per_second(name)
            store.failures(name)
    except (FingerprintMismatch, StoreBroken):
        if anew:
            return None
        raise
    return name


def _fit(
    encoder: FittedEncoder, survey: Survey, store: Store, *, anew: bool, say: Progress
) -> None:
    """Have the encoder learn from a seeded sample of the files, or load what it learnt.

    What it has learnt is kept in the store, also if it learnt elsewhere.
    """
    name = str(encoder.spec)
    state = None if anew else store.state(name)
    if not encoder.fitted and state is not None:
        encoder.load_state(state)
    if not encoder.fitted:
        unique = survey.unique()
        seed = encoder.spec.option("seed", int, 0)
        count = min(encoder.sample_size, len(unique))
        chosen = np.sort(np.random.default_rng(seed).choice(len(unique), count, replace=False))
        say(f"learning {name}", 0, 1)
        encoder.fit([survey.catalogue.picture(unique[place]) for place in chosen])
        say(f"learning {name}", 1, 1)
    if state is None:
        store.put_state(name, encoder.state())


class _Chunk:
    """Gathers vectors and hands them to the store ``COMMIT_ROWS`` at a time."""

    def __init__(self, store: Store, name: str, shared: SharedVectors) -> None:
        self.store, self.name, self.shared = store, name, shared
        self._clear()

    def _clear(self) -> None:
        self.digests: list[str] = []
        self.vectors: list[Floats] = []

    def add(self, digests: Sequence[str], vectors: Floats) -> None:
        self.digests += digests
        self.vectors.append(vectors)
        if len(self.digests) >= COMMIT_ROWS:
            self.commit()

    def commit(self) -> None:
        digests, vectors = self.digests, self.vectors
        self._clear()  # first: a run that is stopped right after must not append them again
        if digests:
            rows = np.concatenate(vectors)
            self.store.append(self.name, digests, rows)
            self.shared.add(digests, rows)


class SharedVectors:
    """One encoder's vectors in a cache that catalogues share; where it fails, it is not used.

    Args:
        cache: the cache, or None.
        card: of the encoder.
    """

    def __init__(self, cache: Store | None, card: EncoderCard) -> None:
        self._cache, self._card = cache, card

    @property
    def used(self) -> bool:
        """Whether there is a cache, and no fault with it so far."""
        return self._cache is not None

    def vectors(self, digests: Array) -> tuple[Array, Floats]:
        """(n,) bool, which of these contents it has, and (k, d) their vectors."""
        import pyarrow as pa

        nothing = np.zeros(len(digests), bool), np.zeros((0, self._card.dim), np.float32)
        with self._unless_it_fails():
            name = self._cache.find(self._card) if self._cache else None
            if self._cache and name is not None:
                return self._cache.vectors(name, pa.array(digests.tolist(), pa.string()))
        return nothing

    def speed(self) -> float | None:
        """Images per second of the run that made them, or None if it is not known."""
        known = 0.0
        with self._unless_it_fails():
            if self._cache:
                known = self._cache.images_per_second(self._cache.key(self._card))
        return known if known > 0 else None

    def add(self, digests: Sequence[str], vectors: Floats) -> None:
        """Keep some more."""
        with self._unless_it_fails():
            if self._cache:
                name = self._cache.find(self._card) or self._cache.create(self._card)
                self._cache.append(name, digests, vectors)

    def finish(self, images_per_second: float | None) -> None:
        """End a run."""
        with self._unless_it_fails():
            if self._cache:
                self._cache.finish(self._cache.key(self._card), images_per_second)

    @contextmanager
    def _unless_it_fails(self) -> Iterator[None]:
        try:
            yield
        except (LikelensError, OSError) as error:
            text = f"the cache of vectors is not used: {' '.join(str(error).split())}"
            warnings.warn(text, LikelensWarning, stacklevel=2)
            self._cache = None
