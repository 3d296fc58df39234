"""Which index is quickest on one's own vectors at the recall one wants.

``setting`` asks one index at one setting, ``growth`` fits how its cost grows, ``values``
holds what was found; here is what is tried, and in which order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .._search import Searcher
from ..encoders.base import Encoder, VectorSource
from ..index.base import Index, build_index
from ..store.base import Store
from ..values.arrays import Floats, check_vectors
from ..values.errors import BadQuery
from ..values.spec import Spec
from .growth import Law, fit_law
from .setting import Deadline, OutOfTime, Setting, measure, true_scores
from .values import COSTS, FAR, LEAST_ITEMS, Growth, Tuning

__all__ = ["COSTS", "FAR", "LEAST_ITEMS", "LINES", "Growth", "Law", "Line", "Setting", "Tuning"]
__all__ += ["check_tune", "fit_law", "tune", "tune_index"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Line:
    """An index that is built once, and an option of the search that is varied.

    Attributes:
        spec: what is built.
        option: what is varied, or nothing.
        values: of the option, ascending.
    """

    spec: str
    option: str = ""
    values: tuple[int, ...] = (0,)


EXACT = Line("exact")

LINES = (
    EXACT,
    Line("ivf", "probes", (1, 2, 4, 8, 16, 32, 64, 128)),
    Line("hnsw(m=16)", "ef", (16, 32, 64, 128, 256)),
    Line("lsh(bits=256)", "rerank", (50, 200, 800, 3200)),
    Line("binary(bits=256)", "rerank", (50, 200, 800, 3200)),
    Line("ivfpq(rerank=400)", "probes", (1, 2, 4, 8, 16, 32, 64, 128)),
    Line("hnsw(m=32)", "ef", (16, 32, 64, 128, 256)),
    Line("lsh(bits=256, tables=16)", "rerank", (200, 800, 3200)),
    Line("kdtree(pca=32)", "rerank", (100, 400, 1600)),
    Line("kdtree"),
)
"""What is tried, the likely ones first, for time may run out."""

SIZES = 4
"""Numbers of vectors at which costs are measured, in equal steps of their logarithm."""

SMALLEST = 8
"""The first of them is this part of all vectors, or what an index needs to be used at all."""

ENOUGH = 0.9995
"""A line is left at this recall: more effort can only cost more."""

LEAST_SECONDS = 1.0
"""With less than this left of the budget nothing new is begun."""

UNSTEADY = 1.5
"""By how much the first measurement may differ when it is taken again at the end."""

UNSTOPPABLE = "kdtree"
"""What faiss does not build; its first build is expected to take as long as the slowest did."""

STEEPER = 1.15
"""Exponent of the number of vectors that a build's time is predicted by."""


def tune(
    vectors: Floats,
    *,
    k: int = 10,
    target_recall: float = 0.95,
    queries: int = 200,
    budget_seconds: float = 120.0,
    seed: int = 0,
    lines: Sequence[Line] = LINES,
    progress: Progress | None = None,
) -> Tuning:
    """Measures recall and cost of indexes on some vectors, asked with a part of them.

    Each line is built of all vectors; then, for how its cost grows, its best setting is
    measured on parts of them, the smaller ones within the larger. Exact search, which the
    others are held to, is always measured. A build that would not fit into the budget is
    left out. Stopped by the user (Ctrl-C), it returns what is measured so far. All but
    times follow from the seed; the graphs of ``hnsw`` are built by several threads and may
    differ a little.

    Args:
        vectors: (n, d), n at least 2.
        k: how many nearest others of an item are looked for; n - 1 at most are.
        target_recall: above 0, up to 1.
        queries: how many items are asked with; n at most are.
        budget_seconds: above 0; a query or a build by other libraries than faiss that has begun
            then is ended.
        seed: of the draw of queries and parts.
        lines: what is tried besides exact search.
        progress: told of every setting.

    Raises:
        BadQuery: an argument out of range, or fewer than two vectors.
        BadShape: the vectors are no finite matrix.
    """
    check_tune(k, target_recall, queries, budget_seconds, seed)
    matrix = check_vectors(vectors, where="tune")
    count = len(matrix)
    if count < 2:
        raise BadQuery(
            f"{count} vectors cannot be asked for others like them",
            where="likelens index tune",
            hint="embed at least two pictures",
        )
    notes = []
    if queries > count:
        notes.append(f"{queries:,} queries were wanted; there are {count:,} items to ask with")
    if k > count - 1:
        notes.append(f"k = {k:,} was wanted; an item has {count - 1:,} others")
    k, queries = min(k, count - 1), min(queries, count)
    order = np.random.default_rng(seed).permutation(count)
    run = _Run(
        matrix[order],
        k,
        queries,
        Deadline.after(budget_seconds),
        progress or (lambda *_: None),
        notes,
    )
    wanted, sizes = [EXACT, *(line for line in lines if line != EXACT)], sizes_of(count, k)

    def found(*, stopped: bool = False) -> Tuning:
        return Tuning(
            items=count,
            dim=matrix.shape[1],
            k=k,
            target_recall=target_recall,
            queries=queries,
            seed=seed,
            measured=tuple(run.measured),
            notes=tuple(run.notes),
            stopped=stopped,
            seconds=run.deadline.spent,
            tried=tuple(run.tried),
            not_tried=tuple(line.spec for line in wanted if line.spec not in run.tried),
        )

    try:
        run.decide(wanted, sizes)
        run.follow(wanted, sizes, found())
        run.repeat(sizes[0])
    except OutOfTime:
        pass
    except KeyboardInterrupt:
        run.notes.append("stopped: what is missing was not measured")
        return found(stopped=True)
    left_out = found().not_tried
    if left_out or run.late:
        run.notes.append(_spent(found(), budget_seconds, run.late))
    if len(sizes) == 1:
        run.notes.append(
            f"how costs grow cannot be told from {count:,} vectors: that takes at least "
            f"{max(LEAST_ITEMS, 2 * _needed(k)):,}"
        )
    return found()


def tune_index(
    store: Store | str | os.PathLike[str],
    encoder: Encoder | VectorSource | Spec | str | None = None,
    *,
    k: int = 10,
    target_recall: float = 0.95,
    queries: int = 200,
    budget_seconds: float = 120.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuning:
    """Measure every kind of index on a store's vectors, and recommend one.

    Args:
        store: the store or its folder.
        encoder: whose vectors; None if the store has only one encoder.
        k: how many nearest others of an item are looked for.
        target_recall: share of the true nearest that must be found, above 0, up to 1.
        queries: how many items are asked with, drawn with the seed.
        budget_seconds: how long measuring may take.
        seed: of the draw of queries and parts.
        progress: called with what is measured, and how much of it is done.

    Raises:
        BadQuery: an argument out of range, or fewer than two vectors.
        BadTable: the store has no vectors by that encoder.
        StoreBroken: there is no such store.
    """
    check_tune(k, target_recall, queries, budget_seconds, seed)
    embeddings = Searcher(store, encoder).embeddings
    found = tune(
        embeddings.vectors,
        k=k,
        target_recall=target_recall,
        queries=queries,
        budget_seconds=budget_seconds,
        seed=seed,
        progress=progress,
    )
    return replace(found, encoder=embeddings.encoder.name)


def _spent(found: Tuning, budget_seconds: float, late: Sequence[str]) -> str:
    """What the budget left out."""
    count = len(found.tried)
    ended = f"ended after {found.seconds:.0f} s of a budget of {budget_seconds:g} s"
    parts = [f"{ended}: {count} of {count + len(found.not_tried)} kinds were tried"]
    if found.not_tried:
        parts.append(f"not {', '.join(found.not_tried)}")
    if late:
        parts.append(f"growth was not measured for {', '.join(late)} vectors")
    return "; ".join(parts)


def sizes_of(count: int, k: int) -> tuple[int, ...]:
    """Numbers of vectors to measure at, ascending, in which every kind of index is used."""
    if count < max(LEAST_ITEMS, 2 * _needed(k)):
        return (count,)
    steps = np.geomspace(max(count // SMALLEST, _needed(k)), count, SIZES)
    return tuple(round(float(step)) for step in steps)


def _needed(k: int) -> int:
    """Vectors from which on an index is used at all."""
    return max(Index.NEEDS, Index.DEEP * (k + 1))


@dataclass
class _Run:
    """What is being measured.

    Attributes:
        vectors: (n, d) shuffled; the first are asked with.
        k: how many others.
        queries: how many are asked with.
        deadline: when it must end.
        progress: told of every step.
        notes: what was left out, and why.
        measured: what is measured so far.
        tried: what was built of all vectors and measured.
        late: sizes in between that there was no time for.
        truths: what ``true_scores`` returned, by number of vectors.
    """

    vectors: Floats
    k: int
    queries: int
    deadline: Deadline
    progress: Progress
    notes: list[str]
    measured: list[Setting] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    truths: dict[int, Floats] = field(default_factory=dict)

    def decide(self, lines: Sequence[Line], sizes: Sequence[int]) -> None:
        """Every line, of all vectors: what the choice goes by.

        A small part comes first, which foretells how long the whole takes.
        """
        ends = tuple(dict.fromkeys((sizes[0], sizes[-1])))
        slowest = 0.0
        for line in lines:
            took = slowest if line.spec.startswith(UNSTOPPABLE) else 0.0
            for done, size in enumerate(ends):
                self.progress(line.spec, done, len(ends))
                predicted = max(took * (size / ends[0]) ** STEEPER, LEAST_SECONDS)
                if line != EXACT and self.deadline.left < predicted:
                    self._note_late(line, size, predicted)
                    break
                try:
                    took = self._size(line, size, line.values)
                    slowest = max(slowest, took if size == ends[0] else 0.0)
                except OutOfTime:
                    self.notes.append(
                        f"{line.spec} of {size:,} vectors was interrupted: the budget was spent"
                    )
                    break
            self.progress(line.spec, len(ends), len(ends))

    def follow(self, lines: Sequence[Line], sizes: Sequence[int], found: Tuning) -> None:
        """The sizes between, at the best setting of each line: how costs grow."""
        for done, line in enumerate(lines):
            self.progress("how costs grow", done, len(lines))
            if line.spec in found.lines:
                best = found.best_of(line.spec)
                for size in sizes[1:-1]:
                    if size in self.truths or line == EXACT:
                        self._between(line, size, best, sizes[-1])
        self.progress("how costs grow", len(lines), len(lines))

    def _between(self, line: Line, size: int, best: Setting, whole: int) -> None:
        predicted = max(best.build_seconds * size / whole, LEAST_SECONDS)
        try:
            if self.deadline.left < predicted:
                raise OutOfTime
            self._size(line, size, (best.effort,))
        except OutOfTime:
            self.late.append(f"{line.spec} ({size:,})")

    def repeat(self, size: int) -> None:
        """Measures the first setting again: notes it if the machine was not equally quick."""
        if self.deadline.left < LEAST_SECONDS:
            return
        first = next(one for one in self.measured if one.line == "exact" and one.items == size)
        index = build_index(self.vectors[:size], "exact")
        again = measure(index, "exact", 0, self.k, self.truths[size], 0.0, self.deadline)
        times = first.p50_seconds, again.p50_seconds
        if max(times) > UNSTEADY * min(times):
            self.notes.append(
                f"the machine was busy with other things: the same exact search of {size:,} "
                f"vectors took {times[0] * 1e3:.2g} ms at first and {times[1] * 1e3:.2g} ms in "
                "the end; when it is idle, tune again"
            )

    def _note_late(self, line: Line, size: int, predicted: float) -> None:
        """Notes that a build would not end in time; that nothing is left is noted once for all."""
        if self.deadline.left >= LEAST_SECONDS:
            self.notes.append(
                f"{line.spec} was not built of {size:,} vectors: it would take about "
                f"{predicted:.0f} s, and {self.deadline.left:.0f} s of the budget are left"
            )

    def _size(self, line: Line, size: int, values: Sequence[int]) -> float:
        """A line of the first so many vectors, at some settings; how long the build took.

        Raises:
            OutOfTime: the deadline came before a setting was measured.
        """
        with self.deadline.interrupting():
            started = time.perf_counter()
            index = build_index(self.vectors[:size], line.spec)
            took = time.perf_counter() - started
        if line == EXACT:
            wanted = min(self.queries, size)
            self.truths[size] = true_scores(index, self.k, wanted, self.deadline)
            if len(self.truths[size]) < wanted:
                self.notes.append(
                    f"only {len(self.truths[size]):,} of {wanted:,} queries were asked of "
                    f"{size:,} vectors: exact search of them is slow"
                )
        elif index.plan(self.k + 1) == "exact":
            self._whole(line, size)
            self.notes.append(
                f"{line.spec} was left out: of {size:,} vectors it compares each, as exact does"
            )
            return took
        seen = 0.0
        for value in values:
            if seen >= ENOUGH or (self.deadline.left <= 0 and line != EXACT):
                break
            if line.option:
                index.retune(**{line.option: value})
            truth = self.truths[size]
            try:
                setting = measure(index, line.spec, value, self.k, truth, took, self.deadline)
            except OutOfTime:
                if not seen:
                    raise
                break
            self.measured.append(setting)
            self._whole(line, size)
            seen = max(setting.recall, 1e-9)
        if not seen:
            raise OutOfTime
        return took

    def _whole(self, line: Line, size: int) -> None:
        """Notes that a line was tried, if it was of all vectors."""
        if size == len(self.vectors) and line.spec not in self.tried:
            self.tried.append(line.spec)


def check_tune(
    k: int, target_recall: float, queries: int, budget_seconds: float, seed: int
) -> None:
    """Refuse what cannot be.

    Raises:
        BadQuery: an argument out of range.
    """
    numbers = {"-k": k, "--target-recall": target_recall, "--queries": queries}
    for where, value in (numbers | {"--budget-seconds": budget_seconds, "--seed": seed}).items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            what = f"{where} is {repr(value)[:60]}, which is not a number"
            raise BadQuery(what, where=where, hint="give a number")
    wrong = {
        "-k": (k < 1, f"k = {k} is not at least 1", "give -k 1 or more"),
        "--target-recall": (
            not 0.0 < target_recall <= 1.0,
            f"a recall of {target_recall:g} cannot be aimed at",
            "give a share above 0, up to 1, such as 0.95",
        ),
        "--queries": (
            queries < 1,
            f"{queries} queries cannot measure anything",
            "give some hundreds",
        ),
        "--budget-seconds": (
            not budget_seconds > 0,
            f"nothing can be measured in {budget_seconds:g} s",
            "give a minute or two",
        ),
        "--seed": (seed < 0, f"{seed} is no seed", "give a whole number from 0 on"),
    }
    for where, (is_wrong, what, hint) in wrong.items():
        if is_wrong:
            raise BadQuery(what, where=where, hint=hint)
