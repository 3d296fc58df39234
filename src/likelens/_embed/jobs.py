"""One encoder's part of a run: what it lacks, what it gets, and handing that to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..encoders.base import Encoder, FittedEncoder
from ..store.base import Store
from ..values.arrays import Array, Floats, Positions
from ..values.embeddings import failure_table
from ..values.errors import EncoderFailed, LikelensError
from .survey import Progress, Survey

if TYPE_CHECKING:
    import pyarrow as pa

TRIES = 64
"""Pictures after which an encoder that gave no vector of any is given up."""

COMMIT_ROWS = 512
"""Vectors that a store gets at a time: what a killed run may lose."""


@dataclass
class EmbedRun:
    """What a run did.

    Attributes:
        name: under which name the vectors are kept.
        embedded: pictures that went through the encoder.
        copied: items that got the vector of an identical file.
        kept: items whose vectors were there already.
        forgotten: items whose vectors were removed: gone, changed or broken.
        zeros: pictures in which the encoder saw nothing: their vector is all zeros.
        failures: (id, path, reason) of each picture that could not be embedded.
        images_per_second: of this run, or None if it embedded nothing.
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

    def __init__(self, encoder: Encoder, survey: Survey, store: Store, run: EmbedRun) -> None:
        self.encoder, self.run, self._survey, self._store = encoder, run, survey, store
        self.missing: Array = np.zeros(len(survey.digests), bool)
        self.seconds = 0.0
        self._refused = 0
        self._twins: dict[int, list[int]] = {}
        self._chunk = _Chunk(store, run.name)
        self._reconcile()

    def _reconcile(self) -> None:
        """Forget what is gone or changed, copy what another item has, note what is missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        readable = self._survey.readable
        known = self._store.known(self.run.name)
        if not len(known):
            self._plan(np.flatnonzero(readable))
            return
        ids = self._survey.ids
        digests = pa.array(self._survey.digests).cast(pa.string())
        kept = known["digest"].take(pc.index_in(ids, known["id"]))
        same = _true(pc.equal(kept, digests))
        self.run.kept = int((same & readable).sum())
        lacking = np.flatnonzero(readable & ~same)
        donors = pc.index_in(digests.take(lacking), known["digest"])
        copied = lacking[_true(donors.is_valid())]
        copies = None
        if len(copied):  # read them first: the item that has one may be among those that go
            copies = _vectors_of(self._store, self.run.name, known["id"].take(donors.drop_null()))
        now = digests.take(pc.index_in(known["id"], ids))
        self._forget(known["id"].filter(~_true(pc.equal(now, known["digest"]))))
        if copies is not None:
            names, marks = ids.take(copied).to_pylist(), digests.take(copied).to_pylist()
            self._store.append(self.run.name, names, marks, copies)
            self.run.copied = len(copied)
        self._plan(lacking[_true(donors.is_null())])

    def _forget(self, gone: pa.ChunkedArray) -> None:
        if len(gone):
            self._store.forget(self.run.name, gone.to_pylist())
            self.run.forgotten = len(gone)

    def _plan(self, rows: Positions) -> None:
        """Encode the first of each content among some rows; the others are its twins."""
        first = self._survey.first_of_same(rows)
        self.missing[first] = True
        twins = rows != first
        for row, original in zip(rows[twins].tolist(), first[twins].tolist(), strict=True):
            self._twins.setdefault(original, []).append(row)

    def take(self, rows: Sequence[int], vectors: Floats) -> None:
        """Keep the vectors of some pictures and their twins."""
        every = [(row, place) for place, row in enumerate(rows)]
        every += [
            (twin, place) for place, row in enumerate(rows) for twin in self._twins.get(row, ())
        ]
        taken, places = [row for row, _ in every], [place for _, place in every]
        ids, digests = self._survey.catalogue.ids, self._survey.digests
        self._chunk.add(
            [ids[row] for row in taken],
            [digests[row].decode() for row in taken],
            vectors if len(taken) == len(rows) else vectors[places],
        )
        self.run.embedded += len(rows)
        self.run.zeros += int((~vectors.any(axis=1)).sum())
        self.run.copied += len(taken) - len(rows)

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

    def finish(self, seconds: float, *, alone: bool) -> None:
        """End the run; of several encoders each is timed by what it would have needed alone."""
        run = self.run
        run.error = self.fault
        if not alone:
            seconds = self.seconds
        if run.embedded > run.kept:  # a few more pictures would measure little but the start
            run.images_per_second = run.embedded / seconds
        self._store.finish(run.name, failure_table(run.failures), run.images_per_second)


def start_job(
    encoder: Encoder, survey: Survey, store: Store, *, overwrite: bool, say: Progress
) -> Job:
    """What there is to do for one encoder, once it has learnt what it must."""
    if isinstance(encoder, FittedEncoder):
        _fit(encoder, survey, store, anew=overwrite, say=say)
    name = None if overwrite else store.find(encoder.card)
    if name is None:
        name = encoder.card.name
        store.create(encoder.card)
    return Job(encoder, survey, store, EmbedRun(name, failures=list(survey.failures)))


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
        say(f"learning {name}", 0, 1)
        unique = survey.unique()
        seed = encoder.spec.option("seed", int, 0)
        count = min(encoder.sample_size, len(unique))
        chosen = np.sort(np.random.default_rng(seed).choice(len(unique), count, replace=False))
        encoder.fit([survey.catalogue.picture(unique[place]) for place in chosen])
        say(f"learning {name}", 1, 1)
    if state is None:
        store.put_state(name, encoder.state())


def _vectors_of(store: Store, name: str, items: pa.ChunkedArray) -> Floats:
    kept = store.read(name)
    row = {item: place for place, item in enumerate(kept.ids)}
    vectors: Floats = kept.vectors[[row[item] for item in items.to_pylist()]]
    return vectors


def _true(values: pa.BooleanArray | pa.ChunkedArray) -> Array:
    """Where something is known to be true."""
    return np.asarray(values.fill_null(False), bool)


class _Chunk:
    """Gathers vectors and hands them to the store ``COMMIT_ROWS`` at a time."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        self._clear()

    def _clear(self) -> None:
        self.ids: list[str] = []
        self.digests: list[str] = []
        self.vectors: list[Floats] = []

    def add(self, ids: Sequence[str], digests: Sequence[str], vectors: Floats) -> None:
        self.ids += ids
        self.digests += digests
        self.vectors.append(vectors)
        if len(self.ids) >= COMMIT_ROWS:
            self.commit()

    def commit(self) -> None:
        ids, digests, vectors = self.ids, self.digests, self.vectors
        self._clear()  # first: whoever is stopped right after must not append them again
        if ids:
            self.store.append(self.name, ids, digests, np.concatenate(vectors))
