"""Pictures on their way through the networks: decoded once, in order, a few ahead."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TypeVar

import numpy as np

from ..encoders.base import Encoder, cores, shaped
from ..images import open_image
from ..values.arrays import Array, Floats
from ..values.catalogue import Catalogue
from ..values.errors import LikelensError
from .jobs import Job
from .survey import Progress

A = TypeVar("A")
B = TypeVar("B")


class Bundle:
    """Jobs whose encoders share one network, which runs once for all of them.

    Attributes:
        missing: (n,) bool, the rows that one of the jobs lacks.
        gate: held while the network runs, if only one thread may run it.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.encoders = [job.encoder for job in jobs]
        self.missing: Array = np.any([job.missing for job in jobs], axis=0)
        first = self.encoders[0]
        first.expect(int(self.missing.sum()), self.encoders)
        self.gate: AbstractContextManager[object] = nullcontext() if first.parallel else Lock()


def bundles(jobs: Sequence[Job]) -> list[Bundle]:
    """The jobs by the network that they share, each told how much will come."""
    shared: dict[object, list[Job]] = {}
    for job in jobs:
        shared.setdefault(job.encoder.trunk, []).append(job)
    return [Bundle(part) for part in shared.values()]


def encode_missing(shared: Sequence[Bundle], catalogue: Catalogue, say: Progress) -> None:
    """Encode what the jobs lack, in order; each keeps what it gets, also when stopped."""
    jobs = [job for bundle in shared for job in bundle.jobs]
    wanted = np.flatnonzero(np.any([bundle.missing for bundle in shared], axis=0)).tolist()
    size = max([8, *(job.encoder.batch_size for job in jobs)])
    batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    label = jobs[0].run.name if len(jobs) == 1 else f"{len(jobs)} encoders"
    done = 0
    try:
        for parts in _ordered(lambda rows: _encode(shared, catalogue, rows), batches):
            for part in parts:
                for job in part.bundle.jobs:
                    job.seconds += part.seconds
                for job, row, result in part.results():
                    job.take(row, result)
            done += len(parts[0].rows)
            say(f"embedding with {label}", done, len(wanted))
    finally:
        for job in jobs:
            job.commit()


def _encode(shared: Sequence[Bundle], catalogue: Catalogue, rows: Sequence[int]) -> list[_Part]:
    """What each bundle makes of some pictures; each is let go of once it is prepared."""
    parts = [_Part(bundle, rows) for bundle in shared]
    for row in rows:
        wanting = [part for part in parts if part.bundle.missing[row]]
        started = time.perf_counter()
        try:
            picture = open_image(catalogue.picture(row))
        except Exception as error:  # noqa: BLE001 - one odd picture must not end the run
            for part in wanting:
                part.reasons[row] = _reason(error)
            continue
        opened = time.perf_counter() - started
        for part in wanting:
            part.prepare(row, picture, opened)
    for part in parts:
        part.run()
    return parts


class _Part:
    """Some pictures on their way through one network.

    Attributes:
        rows: of the catalogue, whether this network wants them or not.
        reasons: why a row has no vector.
        seconds: spent on opening, preparing and encoding, as if this network were alone.
    """

    def __init__(self, bundle: Bundle, rows: Sequence[int]) -> None:
        self.bundle, self.rows = bundle, rows
        self.good: list[int] = []
        self.prepared: list[Array] = []
        self.matrices: list[Floats] = []
        self.reasons: dict[int, str] = {}
        self.seconds = 0.0

    def prepare(self, row: int, picture: Array, opened: float) -> None:
        started = time.perf_counter()
        try:
            self.prepared.append(self.bundle.encoders[0].prepare(picture))
            self.good.append(row)
        except Exception as error:  # noqa: BLE001 - as above
            self.reasons[row] = _reason(error)
        self.seconds += (opened + time.perf_counter() - started) / cores()

    def run(self) -> None:
        """The vectors of what was prepared; one that is not finite becomes a reason."""
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
        for place, fault in faults.items():
            self.reasons[self.good[place]] = fault

    def results(self) -> Iterator[tuple[Job, int, Floats | str]]:
        """Each job's rows with their vectors, or the reasons why there are none."""
        places = {row: place for place, row in enumerate(self.good)}
        for job, matrix in zip(self.bundle.jobs, self.matrices, strict=True):
            finite = np.asarray(np.isfinite(matrix).all(axis=1))
            for row in (row for row in self.rows if job.missing[row]):
                place = places.get(row)
                if place is not None and finite[place]:
                    yield job, row, matrix[place]
                else:
                    reason = "the encoder's vector holds NaN or infinity"
                    yield job, row, self.reasons.get(row, reason)


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
