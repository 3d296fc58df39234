"""From pictures to vectors: resumable, in catalogue order, broken files set aside."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .encoders.base import Encoder, FittedEncoder, VectorSource, cores, open_encoder, shaped
from .images import open_image, read_bytes
from .store.base import FILE, Store, failure_table, open_store
from .values.arrays import Array, Floats
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings
from .values.errors import BadImage, BadTable, LikelensError, first_few
from .values.spec import Spec

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]
"""Told of every step: what is done, how much of it, and out of how many."""

COMMIT_ROWS = 512
"""Vectors that a store gets at a time: what a killed run may lose."""

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
        failures: (id, path, reason) of each picture that could not be embedded.
        images_per_second: of this run, or None if it embedded nothing.
    """

    name: str
    embedded: int = 0
    copied: int = 0
    kept: int = 0
    forgotten: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    images_per_second: float | None = None


def embed(
    catalogue: Catalogue,
    encoder: Encoder | VectorSource | Spec | str,
    store: Store | str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Embeddings:
    """The vectors of a catalogue's items, computing only those not yet in the store.

    Args:
        catalogue: whose pictures.
        encoder: an encoder or its spec.
        store: where vectors are kept; None keeps them in memory only.
        overwrite: make all of this encoder's vectors anew.
        progress: told of every step.

    Returns:
        Embeddings in catalogue order; pictures that cannot be read are in
        ``failures`` with their reason.

    Raises:
        FingerprintMismatch: the store has vectors of that name by another encoder.
        BadTable: the store holds another catalogue.
    """
    kept = _open_store(store)
    opened = open_encoder(encoder) if isinstance(encoder, str | Spec) else encoder
    if isinstance(opened, VectorSource):
        return opened.embeddings(
            catalogue, lambda spec: embed(catalogue, spec, kept, progress=progress)
        )
    run = fill(catalogue, opened, kept, overwrite=overwrite, progress=progress)
    return kept.embeddings(run.name, catalogue.ids)


def fill(
    catalogue: Catalogue,
    encoder: Encoder,
    store: Store,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> EmbedRun:
    """Brings a store up to date with a catalogue, without reading the vectors back.

    Takes and raises what ``embed`` does.
    """
    say = progress or (lambda _label, _done, _total: None)
    with store.writing():
        survey = _survey(catalogue, store, say)
        if isinstance(encoder, FittedEncoder) and not encoder.fitted:
            _fit(encoder, survey, store, anew=overwrite, say=say)
        name = None if overwrite else store.find(encoder.card)
        if name is None:
            name = encoder.card.name
            store.create(encoder.card)
        run = EmbedRun(name, failures=list(survey.failures))
        missing = _reconcile(survey, store, run)
        started = time.perf_counter()
        _encode_missing(encoder, missing, survey, store, run, say)
        if run.embedded:
            run.images_per_second = run.embedded / (time.perf_counter() - started)
        store.finish(
            name,
            failure_table(run.failures),
            run.images_per_second,
            tidy=bool(missing or run.forgotten),
        )
    return run


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


def _open_store(store: Store | str | os.PathLike[str] | None) -> Store:
    if isinstance(store, Store):
        return store
    if store is None:
        from .store.memory import MemoryStore

        return MemoryStore()
    return open_store(store)


# --- what there is to do ---------------------------------------------------------


@dataclass
class _Survey:
    """The files behind a catalogue: digest by id, and those that cannot be read."""

    paths: dict[str, Path]
    digests: dict[str, str]
    failures: list[tuple[str, str, str]]


def _survey(catalogue: Catalogue, store: Store, say: Progress) -> _Survey:
    """Digest of every file; only files whose size or time has changed are read."""
    before = store.items()
    ids = before["id"].to_pylist()
    if ids and not set(ids) & set(catalogue.ids):
        raise BadTable(
            f"the store holds another catalogue: none of its {len(ids):,} items "
            f"({first_few(ids)}) is among these {len(catalogue):,} ({first_few(catalogue.ids)})",
            where=store.place,
            mend="give another --store",
        )
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
        for start in range(0, len(pairs), 4096):
            rows += pool.map(look, pairs[start : start + 4096])
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
    columns |= {
        name: attributes[name].combine_chunks()
        for name in attributes.column_names
        if name != "id" and name not in FILE
    }
    sizes, times, digests, _ = zip(*rows, strict=True) if rows else ((), (), (), ())
    paths = [str(path.absolute()) for path in catalogue.paths]
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.string())
    for name, values, kind in zip(FILE, (paths, sizes, times, digests), kinds, strict=True):
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


def _fit(
    encoder: FittedEncoder, survey: _Survey, store: Store, *, anew: bool, say: Progress
) -> None:
    """Load what the encoder has learnt, or let it learn from a seeded sample of the files."""
    name = str(encoder.spec)
    state = None if anew else store.state(name)
    if state is not None:
        encoder.load_state(state)
        return
    unique = sorted({digest: item for item, digest in reversed(survey.digests.items())}.values())
    seed = encoder.spec.option("seed", int, 0)
    count = min(encoder.sample_size, len(unique))
    chosen = np.sort(np.random.default_rng(seed).choice(len(unique), count, replace=False))
    with ThreadPoolExecutor(cores()) as pool:
        opened = pool.map(_open_or_none, [survey.paths[unique[row]] for row in chosen])
        pictures = []
        for picture in opened:
            if picture is not None:
                pictures.append(picture)
            say(f"learning {name}", len(pictures), count)
    encoder.fit(pictures)
    store.put_state(name, encoder.state())


def _open_or_none(path: Path) -> Array | None:
    try:
        return open_image(path)
    except BadImage:
        return None  # its reason is recorded when it is embedded


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
    ids, vectors, _, _ = store.read(name)
    row = {item: place for place, item in enumerate(ids)}
    return vectors[[row[donor] for donor in twins.values()]]


# --- doing it --------------------------------------------------------------------


def _encode_missing(
    encoder: Encoder,
    missing: Sequence[str],
    survey: _Survey,
    store: Store,
    run: EmbedRun,
    say: Progress,
) -> None:
    """Encode, in order, and commit a chunk at a time with the twins of each item."""
    twins: dict[str, list[str]] = {}
    first = {survey.digests[item]: item for item in missing}
    for item, digest in survey.digests.items():
        if digest in first:
            twins.setdefault(first[digest], []).append(item)
    gate: AbstractContextManager[object] = nullcontext() if encoder.parallel else Lock()
    size = max(encoder.batch_size, 8)
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]
    chunk = _Chunk(store, run.name)
    done = 0
    try:
        for batch, (vectors, reasons) in zip(
            batches,
            _ordered(lambda ids: _encode(encoder, [survey.paths[i] for i in ids], gate), batches),
            strict=True,
        ):
            good = iter(vectors)
            for item, reason in zip(batch, reasons, strict=True):
                if reason:
                    run.failures += [(i, str(survey.paths[i]), reason) for i in twins[item]]
                    continue
                chunk.add(twins[item], survey.digests[item], next(good))
                run.embedded += 1
                run.copied += len(twins[item]) - 1
            done += len(batch)
            say(f"embedding with {run.name}", done, len(missing))
    finally:
        chunk.commit()  # also when stopped: what is done is kept


def _encode(
    encoder: Encoder, paths: Sequence[Path], gate: AbstractContextManager[object]
) -> tuple[Floats, list[str]]:
    """Vectors of the good pictures among some files, and a reason ('' if good) for each."""
    prepared: list[Array] = []
    reasons = []
    for path in paths:
        try:
            prepared.append(encoder.prepare(open_image(path)))
            reasons.append("")
        except LikelensError as error:
            reasons.append(error.what)
        except (ArithmeticError, MemoryError, ValueError) as error:
            reasons.append(f"{type(error).__name__} while preparing the picture: {error}")
    batches = [
        prepared[start : start + encoder.batch_size]
        for start in range(0, len(prepared), encoder.batch_size)
    ]
    with gate:
        parts = [shaped(encoder.forward(batch), len(batch), encoder) for batch in batches]
    vectors = np.concatenate([np.zeros((0, encoder.dim), np.float32), *parts])
    return _set_aside(vectors, reasons)


def _set_aside(vectors: Floats, reasons: list[str]) -> tuple[Floats, list[str]]:
    """Turns vectors that are not finite into failures of their pictures."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        good = [place for place, reason in enumerate(reasons) if not reason]
        for row in np.flatnonzero(~finite):
            reasons[good[row]] = "the encoder's vector holds NaN or infinity"
    return vectors[finite], reasons


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
        if self.ids:
            self.store.append(self.name, self.ids, self.digests, np.stack(self.vectors))
            self._clear()


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
