"""From pictures to vectors: resumable, in catalogue order, broken files set aside."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .encoders.base import Encoder, FittedEncoder, VectorSource, cores, open_encoder, shaped
from .images import open_image, read_bytes
from .store.base import FILE, Store, open_store
from .values.arrays import Array, Floats
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings, failure_table
from .values.errors import BadImage, BadTable, LikelensError, first_few
from .values.spec import Spec

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]
"""Told of every step: what is done, how much of it, and out of how many."""

COMMIT_ROWS = 512
"""Vectors that a store gets at a time: what a killed run may lose."""

FEW_ITEMS = 100
"""So many items of a store may always go; more only if they are not the most."""

A = TypeVar("A")
B = TypeVar("B")


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
    """

    name: str
    embedded: int = 0
    copied: int = 0
    kept: int = 0
    forgotten: int = 0
    zeros: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    images_per_second: float | None = None


def embed(
    catalogue: Catalogue,
    encoder: Encoder | VectorSource | Spec | str,
    store: Store | str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> Embeddings:
    """The vectors of a catalogue's items, computing only those not yet in the store.

    Args:
        catalogue: whose pictures.
        encoder: an encoder or its spec.
        store: where vectors are kept; None keeps them in memory only.
        overwrite: make all of this encoder's vectors anew.
        forget: let most of the store's items go, if they are not in the catalogue.
        progress: told of every step.

    Returns:
        Embeddings in catalogue order; pictures that cannot be read are in
        ``failures`` with their reason.

    Raises:
        FingerprintMismatch: the store has vectors of that name by another encoder.
        BadTable: the store holds another catalogue, or most of its items would go.
    """
    kept = open_store(store)
    opened = open_encoder(encoder) if isinstance(encoder, str | Spec) else encoder
    if isinstance(opened, VectorSource):
        return opened.embeddings(
            catalogue, lambda spec: embed(catalogue, spec, kept, forget=forget, progress=progress)
        )
    run = fill(catalogue, opened, kept, overwrite=overwrite, forget=forget, progress=progress)
    return kept.embeddings(run.name, catalogue.ids)


def fill(
    catalogue: Catalogue,
    encoder: Encoder,
    store: Store,
    *,
    overwrite: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> EmbedRun:
    """Brings a store up to date with a catalogue, without reading the vectors back.

    Takes and raises what ``embed`` does.
    """
    runs = fill_all(
        catalogue, [encoder], store, overwrite=overwrite, forget=forget, progress=progress
    )
    return runs[0]


def fill_all(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    store: Store,
    *,
    overwrite: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> list[EmbedRun]:
    """The same for several encoders: each picture is decoded once for all of them.

    Several layers of one network come out of one forward pass.

    Takes and raises what ``embed`` does.
    """
    say = progress or (lambda _label, _done, _total: None)
    with store.writing():
        _check_catalogue(catalogue, store, forget=forget)
        survey = _survey(catalogue, store, say)
        jobs = [_job(encoder, survey, store, overwrite=overwrite, say=say) for encoder in encoders]
        bundles = _bundles(jobs)
        started = time.perf_counter()
        _encode_missing(bundles, survey, say)
        seconds = time.perf_counter() - started
        for job in jobs:
            job.finish(seconds, alone=len(jobs) == 1)
    return [job.run for job in jobs]


def prepare_search(encoder: Encoder, store: Store) -> str:
    """The name of an encoder's vectors in a store, with what it had learnt there loaded.

    Raises:
        FingerprintMismatch: the store's vectors come from another version of it.
        BadTable: the store has no vectors by it.
    """
    if isinstance(encoder, FittedEncoder) and not encoder.fitted:
        state = store.state(str(encoder.spec))
        if state is not None:
            encoder.load_state(state)
    unfitted = isinstance(encoder, FittedEncoder) and not encoder.fitted
    name = None if unfitted else store.find(encoder.card)
    if name is None:
        names = ", ".join(card.name for card in store.cards())
        raise BadTable(
            f"this store has no vectors by {encoder.spec}",
            where=store.place,
            mend=f"embed them first; it has: {names or 'none'}",
        )
    return name


# --- what there is to do ---------------------------------------------------------


@dataclass
class _Survey:
    """The files behind a catalogue: digest by id, and those that cannot be read."""

    paths: dict[str, Path]
    digests: dict[str, str]
    failures: list[tuple[str, str, str]]


def _check_catalogue(catalogue: Catalogue, store: Store, *, forget: bool) -> None:
    """Refuse to lose the vectors of a catalogue that is not this one, or hardly.

    Raises:
        BadTable: no item of the store is in the catalogue, or few of many are.
    """
    ids = store.items()["id"].to_pylist()
    gone = set(ids) - set(catalogue.ids)
    if forget or (len(gone) < max(len(ids), 1) and len(gone) <= max(len(ids) / 2, FEW_ITEMS)):
        return
    raise BadTable(
        f"the store holds another catalogue: {len(gone):,} of its {len(ids):,} items "
        f"({first_few(sorted(gone))}) are not among these {len(catalogue):,} "
        f"({first_few(catalogue.ids)})",
        where=store.place,
        mend="give another --store, or let them go with --forget",
    )


def _survey(catalogue: Catalogue, store: Store, say: Progress) -> _Survey:
    """Digest of every file; only files whose size or time has changed are read."""
    before = store.items()
    ids = before["id"].to_pylist()
    files = zip(*(before[name].to_pylist() for name in FILE), strict=True)
    seen = {
        item: (path, size, time, mark)
        for item, (path, size, time, mark) in zip(ids, files, strict=True)
    }

    def look(item: tuple[str, Path]) -> tuple[int, int, str, str]:
        name, path = item
        try:
            stat = path.stat()
            old = seen.get(name)
            if old and old[:3] == (str(path.absolute()), stat.st_size, stat.st_mtime_ns) and old[3]:
                return stat.st_size, stat.st_mtime_ns, old[3], ""
            mark = hashlib.blake2b(read_bytes(path), digest_size=16).hexdigest()
        except BadImage as error:
            return 0, 0, "", error.what
        except OSError as error:
            return 0, 0, "", f"the file cannot be read: {error.strerror}"
        return stat.st_size, stat.st_mtime_ns, mark, ""

    rows: list[tuple[int, int, str, str]] = []
    pairs = list(zip(catalogue.ids, catalogue.paths, strict=True))
    with ThreadPoolExecutor(cores()) as pool:
        cuts = [pairs[start : start + 64] for start in range(0, len(pairs), 64)]
        for seen_now in pool.map(lambda cut: [look(pair) for pair in cut], cuts):
            rows += seen_now
            say("looking at files", len(rows), len(pairs))
    store.put_items(_items(catalogue, rows))
    return _Survey(
        paths=dict(pairs),
        digests={item: row[2] for (item, _), row in zip(pairs, rows, strict=True) if row[2]},
        failures=[
            (item, str(path), row[3])
            for (item, path), row in zip(pairs, rows, strict=True)
            if row[3]
        ],
    )


def _items(catalogue: Catalogue, rows: Sequence[tuple[int, int, str, str]]) -> pa.Table:
    import pyarrow as pa

    attributes = catalogue.attributes
    columns = {"id": pa.array(catalogue.ids, pa.string())}
    for place, name in enumerate(attributes.column_names):
        plain = re.sub(r"^_+|[.`\"]", " ", name).strip() or f"column {place + 1}"
        while plain in columns:
            plain += "_"  # two names that differ only in what had to go
        columns[plain] = attributes.column(place).combine_chunks()
    sizes, times, digests, _ = zip(*rows, strict=True) if rows else ((), (), (), ())
    paths = [str(path.absolute()) for path in catalogue.paths]
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.string())
    for name, values, kind in zip(FILE, (paths, sizes, times, digests), kinds, strict=True):
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


def _fit(
    encoder: FittedEncoder, survey: _Survey, store: Store, *, anew: bool, say: Progress
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
        unique = sorted({mark: item for item, mark in reversed(survey.digests.items())}.values())
        seed = encoder.spec.option("seed", int, 0)
        count = min(encoder.sample_size, len(unique))
        chosen = np.sort(np.random.default_rng(seed).choice(len(unique), count, replace=False))
        encoder.fit([survey.paths[unique[row]] for row in chosen])
        say(f"learning {name}", 1, 1)
    if state is None:
        store.put_state(name, encoder.state())


def _reconcile(survey: _Survey, store: Store, run: EmbedRun) -> list[str]:
    """Forget what is gone or changed, copy what another item has; returns ids to encode.

    Of several items with one content only the first is returned.
    """
    known = store.known(run.name)
    stale = [item for item, digest in known.items() if survey.digests.get(item) != digest]
    donors = {digest: item for item, digest in known.items()}
    missing: dict[str, str] = {}
    twins: dict[str, str] = {}
    for item, digest in survey.digests.items():
        if known.get(item) == digest:
            run.kept += 1
        elif digest in donors:
            twins[item] = donors[digest]
        else:
            missing.setdefault(digest, item)
    copies = _copies(store, run.name, twins) if twins else None
    if stale:
        store.forget(run.name, stale)
        run.forgotten = len(stale)
    if copies is not None:
        store.append(run.name, list(twins), [survey.digests[item] for item in twins], copies)
        run.copied = len(twins)
    return list(missing.values())


def _copies(store: Store, name: str, twins: dict[str, str]) -> Floats:
    kept = store.read(name)
    row = {item: place for place, item in enumerate(kept.ids)}
    copies: Floats = kept.vectors[[row[donor] for donor in twins.values()]]
    return copies


# --- doing it --------------------------------------------------------------------


class _Job:
    """One encoder's part of a run.

    Attributes:
        missing: of each picture to encode, the items that show it, the first of them first.
        seconds: that its pictures would have taken alone.
    """

    def __init__(self, encoder: Encoder, store: Store, run: EmbedRun) -> None:
        self.encoder, self.store, self.run = encoder, store, run
        self.missing: dict[str, list[str]] = {}
        self.seconds = 0.0
        self.chunk = _Chunk(store, run.name)

    def take(self, item: str, digest: str, path: Path, result: Floats | str) -> None:
        """Keep the vector of an item and its twins, or the reason why there is none."""
        twins = self.missing[item]
        if isinstance(result, str):
            self.run.failures += [(one, str(path), result) for one in twins]
            return
        self.chunk.add(twins, digest, result)
        self.run.embedded += 1
        self.run.zeros += not result.any()
        self.run.copied += len(twins) - 1

    def finish(self, seconds: float, *, alone: bool) -> None:
        """End the run; of several encoders each is timed by what it would have needed alone."""
        run = self.run
        if not alone:
            seconds = self.seconds
        if run.embedded > run.kept:  # a few more pictures would measure little but the start
            run.images_per_second = run.embedded / seconds
        self.store.finish(run.name, failure_table(run.failures), run.images_per_second)


def _job(
    encoder: Encoder, survey: _Survey, store: Store, *, overwrite: bool, say: Progress
) -> _Job:
    """What there is to do for one encoder."""
    if isinstance(encoder, FittedEncoder):
        _fit(encoder, survey, store, anew=overwrite, say=say)
    name = None if overwrite else store.find(encoder.card)
    if name is None:
        name = encoder.card.name
        store.create(encoder.card)
    job = _Job(encoder, store, EmbedRun(name, failures=list(survey.failures)))
    missing = _reconcile(survey, store, job.run)
    first = {survey.digests[item]: item for item in missing}
    for item, digest in survey.digests.items():
        if digest in first:
            job.missing.setdefault(first[digest], []).append(item)
    return job


def _encode_missing(bundles: Sequence[_Bundle], survey: _Survey, say: Progress) -> None:
    """Encode, in order, and commit a chunk at a time with the twins of each item."""
    jobs = [job for bundle in bundles for job in bundle.jobs]
    wanted = [item for item in survey.digests if any(item in job.missing for job in jobs)]
    size = max([8, *(job.encoder.batch_size for job in jobs)])
    batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    label = jobs[0].run.name if len(jobs) == 1 else f"{len(jobs)} encoders"
    done = 0
    try:
        for batch, parts in zip(
            batches,
            _ordered(lambda items: _encode(bundles, survey.paths, items), batches),
            strict=True,
        ):
            for part in parts:
                for job in part.bundle.jobs:
                    job.seconds += part.seconds
                for job, item, result in part.results():
                    job.take(item, survey.digests[item], survey.paths[item], result)
            done += len(batch)
            say(f"embedding with {label}", done, len(wanted))
    finally:
        for job in jobs:
            job.chunk.commit()  # also when stopped: what is done is kept


class _Bundle:
    """Jobs whose encoders share one network, which runs once for all of them.

    Attributes:
        gate: held while the network runs, if only one thread may run it.
    """

    def __init__(self, jobs: Sequence[_Job]) -> None:
        self.jobs = jobs
        self.encoders = [job.encoder for job in jobs]
        first = self.encoders[0]
        first.expect(len(set().union(*(job.missing for job in jobs))), self.encoders)
        self.gate: AbstractContextManager[object] = nullcontext() if first.parallel else Lock()


def _bundles(jobs: Sequence[_Job]) -> list[_Bundle]:
    """The jobs by the network that they share, each told how much will come."""
    shared: dict[object, list[_Job]] = {}
    for job in jobs:
        shared.setdefault(job.encoder.trunk, []).append(job)
    return [_Bundle(part) for part in shared.values()]


def _encode(
    bundles: Sequence[_Bundle], paths: Mapping[str, Path], items: Sequence[str]
) -> list[_Part]:
    """What each bundle makes of some items; each picture is let go of once it is prepared."""
    parts = [_Part(bundle, items) for bundle in bundles]
    for item in items:
        wanting = [part for part in parts if part.wants(item)]
        started = time.perf_counter()
        try:
            picture = open_image(paths[item])
        except Exception as error:  # noqa: BLE001 - one odd picture must not end the run
            for part in wanting:
                part.reasons[item] = _reason(error)
            continue
        opened = time.perf_counter() - started
        for part in wanting:
            part.prepare(item, picture, opened)
    for part in parts:
        part.run()
    return parts


class _Part:
    """Some items on their way through one network.

    Attributes:
        reasons: why an item has no vector.
        seconds: spent on opening, preparing and encoding, as if this network were alone.
    """

    def __init__(self, bundle: _Bundle, items: Sequence[str]) -> None:
        self.bundle, self.items = bundle, items
        self.good: list[str] = []
        self.prepared: list[Array] = []
        self.matrices: list[Floats] = []
        self.reasons: dict[str, str] = {}
        self.seconds = 0.0

    def wants(self, item: str) -> bool:
        return any(item in job.missing for job in self.bundle.jobs)

    def prepare(self, item: str, picture: Array, opened: float) -> None:
        started = time.perf_counter()
        try:
            self.prepared.append(self.bundle.encoders[0].prepare(picture))
            self.good.append(item)
        except Exception as error:  # noqa: BLE001 - as above
            self.reasons[item] = _reason(error)
        self.seconds += (opened + time.perf_counter() - started) / cores()

    def run(self) -> None:
        """The vectors of what was prepared; a row that is not finite becomes a reason."""
        encoders, count = self.bundle.encoders, len(self.good)
        self.matrices = [np.zeros((count, encoder.dim), np.float32) for encoder in encoders]
        faults: dict[int, str] = {}
        with self.bundle.gate:
            started = time.perf_counter()
            step = encoders[0].batch_size
            for at in range(0, count, step):
                stop = min(at + step, count)
                _forward(encoders, self.prepared, self.matrices, faults, at, stop)
            spent = time.perf_counter() - started
        self.seconds += spent / (cores() if encoders[0].parallel else 1)
        self.prepared = []
        for row, fault in faults.items():
            self.reasons[self.good[row]] = fault

    def results(self) -> Iterator[tuple[_Job, str, Floats | str]]:
        """Each job's items with their vectors, or the reasons why there are none."""
        rows = {item: row for row, item in enumerate(self.good)}
        for job, matrix in zip(self.bundle.jobs, self.matrices, strict=True):
            finite = np.asarray(np.isfinite(matrix).all(axis=1))
            for item in filter(job.missing.__contains__, self.items):
                row = rows.get(item)
                if row is not None and finite[row]:
                    yield job, item, matrix[row]
                else:
                    reason = "the encoder's vector holds NaN or infinity"
                    yield job, item, self.reasons.get(item, reason)


def _forward(
    encoders: Sequence[Encoder],
    prepared: Sequence[Array],
    matrices: Sequence[Floats],
    faults: dict[int, str],
    start: int,
    stop: int,
) -> None:
    """Fills rows of the matrices; where a batch fails, one by one: NaN and a fault if at fault."""
    batch = prepared[start:stop]
    try:
        answers = encoders[0].forward_layers(batch, encoders)
        for encoder, matrix, answer in zip(encoders, matrices, answers, strict=True):
            matrix[start:stop] = shaped(answer, len(batch), encoder)
    except LikelensError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(batch) == 1:
            faults[start] = _reason(error)
            for matrix in matrices:
                matrix[start] = np.nan
            return
        for row in range(start, stop):
            _forward(encoders, prepared, matrices, faults, row, row + 1)


def _reason(error: Exception) -> str:
    if isinstance(error, LikelensError):
        return error.what
    return f"{type(error).__name__} from the encoder: {' '.join(str(error).split())[:200]}"


class _Chunk:
    """Gathers vectors and hands them to the store ``COMMIT_ROWS`` at a time."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        self._clear()

    def _clear(self) -> None:
        self.ids: list[str] = []
        self.digests: list[str] = []
        self.vectors: list[Floats] = []

    def add(self, ids: Sequence[str], digest: str, vector: Floats) -> None:
        self.ids += ids
        self.digests += [digest] * len(ids)
        self.vectors += [vector] * len(ids)
        if len(self.ids) >= COMMIT_ROWS:
            self.commit()

    def commit(self) -> None:
        ids, digests, vectors = self.ids, self.digests, self.vectors
        self._clear()  # first: whoever is stopped right after must not append them again
        if ids:
            self.store.append(self.name, ids, digests, np.stack(vectors))


def _ordered(work: Callable[[A], B], tasks: Iterable[A]) -> Iterator[B]:
    """Results in the order of the tasks, with only a few tasks ahead: memory stays bounded."""
    workers = cores()
    waiting: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 3 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
