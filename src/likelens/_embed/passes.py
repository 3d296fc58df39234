"""Pictures on their way through the networks: decoded once, in order, a few ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock

import numpy as np

from ..encoders.base import Encoder, cores, shaped
from ..values.arrays import Array, Floats, Positions
from ..values.errors import LikelensError
from .jobs import Job
from .survey import Progress, Survey
from .threads import in_order

_FEWEST, _MOST = 4, 16
"""Pictures that a thread takes up at a time, if batches are not larger. The first of them is slow
in the network: the processor's caches are full of other things."""


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
        try:
            first.expect(int(self.missing.sum()), self.encoders)
        except LikelensError as error:
            for job in jobs:
                job.fault = error
        self.gate: AbstractContextManager[object] = nullcontext() if first.parallel else Lock()


def bundles(jobs: Sequence[Job]) -> list[Bundle]:
    """The jobs by the network that they share, each told how much will come."""
    shared: dict[object, list[Job]] = {}
    for job in jobs:
        shared.setdefault(job.encoder.trunk, []).append(job)
    return [Bundle(part) for part in shared.values()]


def encode_missing(shared: Sequence[Bundle], survey: Survey, say: Progress) -> None:
    """Encode what the jobs lack, in order; each keeps what it gets, also when stopped."""
    jobs = [job for bundle in shared for job in bundle.jobs]
    wanted = np.flatnonzero(np.any([bundle.missing for bundle in shared], axis=0))
    label = jobs[0].run.name if len(jobs) == 1 else f"{len(jobs)} encoders"
    tasks = _shares(wanted, max((job.encoder.batch_size for job in jobs), default=1))
    done = 0
    try:
        for parts in in_order(lambda rows: _encode(shared, survey, rows), tasks):
            for part in parts:
                for job in part.bundle.jobs:
                    job.seconds += part.seconds
                part.hand_over()
            done += len(parts[0].rows)
            say(f"embedding with {label}", done, len(wanted))
            if all(job.fault for job in jobs):
                break
    finally:
        for job in jobs:
            job.commit()


def _shares(rows: Positions, batch: int) -> Iterator[list[int]]:
    """Rows in parts of whole batches, smaller ones towards the end: all threads end together."""
    start = 0
    while start < len(rows):
        size = min(_MOST, max(_FEWEST, (len(rows) - start) // (3 * cores())))
        size = max(size // batch, 1) * batch
        yield rows[start : start + size].tolist()
        start += size


def _encode(shared: Sequence[Bundle], survey: Survey, rows: Sequence[int]) -> list[_Part]:
    """What each bundle makes of some pictures; each is let go of once it is prepared."""
    parts = [_Part(bundle, rows) for bundle in shared]
    for row in rows:
        wanting = [part for part in parts if part.bundle.missing[row]]
        started = time.perf_counter()
        try:
            picture = survey.open(row)
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
        opened: those of them whose picture could be opened.
        reasons: why a row has no vector.
        seconds: spent on opening, preparing and encoding, as if this network were alone.
    """

    def __init__(self, bundle: Bundle, rows: Sequence[int]) -> None:
        self.bundle, self.rows = bundle, rows
        self.opened: set[int] = set()
        self.reasons: dict[int, str] = {}
        self.seconds = 0.0
        self._matrices = [np.zeros((len(rows), one.dim), np.float32) for one in bundle.encoders]
        self._good: list[int] = []
        self._prepared: list[Array] = []

    def prepare(self, row: int, picture: Array, opened: float) -> None:
        """Take a picture, which took so many seconds to open."""
        started = time.perf_counter()
        self.opened.add(row)
        try:
            self._prepared.append(self.bundle.encoders[0].prepare(picture))
            self._good.append(row)
        except Exception as error:  # noqa: BLE001 - as above
            self.reasons[row] = _reason(error)
        self.seconds += (opened + time.perf_counter() - started) / cores()

    def run(self) -> None:
        """The vectors of what was prepared; where there is none, why."""
        jobs, encoders = self.bundle.jobs, self.bundle.encoders
        step = encoders[0].batch_size
        with self.bundle.gate:
            started = time.perf_counter()
            for start in range(0, len(self._good), step):
                rows = slice(start, start + step)
                matrices = [matrix[: len(self._good)][rows] for matrix in self._matrices]
                faults = _by_each(jobs, self._prepared[rows], matrices)
                for place, fault in faults.items():
                    self.reasons[self._good[start + place]] = fault
            spent = time.perf_counter() - started
        self.seconds += spent / (cores() if encoders[0].parallel else 1)
        self._prepared = []

    def hand_over(self) -> None:
        """Give each job the vectors that it lacks, or the reasons why there are none."""
        for job, matrix in zip(self.bundle.jobs, self._matrices, strict=True):
            if job.fault is not None:
                continue
            vectors = matrix[: len(self._good)]
            fine = job.missing[self._good] & np.isfinite(vectors).all(axis=1)
            rows = [row for row, good in zip(self._good, fine, strict=True) if good]
            job.take(rows, vectors if fine.all() else vectors[fine])
            done = set(rows)
            for row in (row for row in self.rows if job.missing[row] and row not in done):
                reason = "the encoder's vector holds NaN or infinity"
                job.fail(row, self.reasons.get(row, reason), by_encoder=row in self.opened)


def _by_each(
    jobs: Sequence[Job], batch: Sequence[Array], matrices: Sequence[Floats]
) -> dict[int, str]:
    """As ``_forward``, for the jobs whose encoder works; one that does not gets its fault."""
    live = [(job, matrix) for job, matrix in zip(jobs, matrices, strict=True) if job.fault is None]
    if not live:
        return {}
    try:
        return _forward([job.encoder for job, _ in live], batch, [matrix for _, matrix in live])
    except LikelensError as error:
        if len(live) == 1:
            live[0][0].fault = error
            return {}
    faults: dict[int, str] = {}
    for job, matrix in live:
        faults |= _by_each([job], batch, [matrix])
    return faults


def _forward(
    encoders: Sequence[Encoder], batch: Sequence[Array], matrices: Sequence[Floats]
) -> dict[int, str]:
    """Fills the matrices; where a batch fails, one by one: what is at fault gets NaN.

    Returns:
        What was wrong with those, by their place in the batch.
    """
    try:
        answers = encoders[0].forward_layers(batch, encoders)
        for encoder, matrix, answer in zip(encoders, matrices, answers, strict=True):
            matrix[:] = shaped(answer, len(batch), encoder)
    except LikelensError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(batch) == 1:
            for matrix in matrices:
                matrix[:] = np.nan
            return {0: _reason(error)}
        alone = [
            _forward(encoders, batch[row : row + 1], [matrix[row : row + 1] for matrix in matrices])
            for row in range(len(batch))
        ]
        return {row: fault[0] for row, fault in enumerate(alone) if fault}
    return {}


def _reason(error: Exception) -> str:
    if isinstance(error, LikelensError):
        return error.what
    return f"{type(error).__name__} from the encoder: {' '.join(str(error).split())[:200]}"
