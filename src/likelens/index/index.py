"""What every index offers: search, writes, and the path that a search takes."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats, Positions
from ..values.errors import BadShape, BadSpec
from . import container
from .answers import Answer, Candidates
from .checks import allowed_rows, check_dim, check_k, positions_in, ready
from .lock import ReadWriteLock
from .options import Options
from .rows import Rows
from .scan import CLOSE, COSINE, rescore, scan

EXACT, WHOLE, FILTERED = "exact", "index", "filtered"
"""The paths of a search: all allowed vectors compared; the structure; the structure, filtered."""

WIDER = 4.0
"""How much harder the structure is searched a second time, where it found fewer than k."""

PART = 1024
"""Vectors written at a time; searches go on between."""


class Index:
    """Finds the vectors with the highest cosine similarity to a query.

    A new kind reads its options in ``_configure``, makes a structure of the vectors in
    ``_build`` (and of further ones in ``_extend``), names candidates in ``_search``, and
    takes its structure apart and together for the disk in ``_pack`` and ``_unpack``.
    This class does the rest: it checks what comes in, scales to unit length, scores the
    candidates by their true similarity, and orders them: best first, by position where
    scores are equal. Without a structure every search is exact. A vector of zeros is
    alike to nothing: its similarity is 0.

    Any number of threads may search, also while one of them writes.
    """

    EXAMPLES: tuple[str, ...] = ()
    """Specs that the conformance tests open."""

    TUNABLE: tuple[str, ...] = ()
    """Options of the search alone, which ``retune`` may change."""

    NEEDS = 1000
    """Fewer vectors than this are compared one by one, which is as quick."""

    DEEP = 10
    """Whoever asks for more than this part of the vectors is answered exactly."""

    GROWTH = 4.0
    """The structure is made anew when it holds so many times what it was made of."""

    seal = ""
    """Of the file that it was loaded from."""

    def __init__(self, options: Options) -> None:
        self.options, self.metric = options, COSINE
        self._configure(options)
        options.check()
        self._where = "Index.search"
        self._core: Any = None
        self._made_of = 0
        self._rows = Rows(np.zeros((0, 1), np.float32))
        self._lock, self._one_writer = ReadWriteLock(), Lock()

    def _configure(self, options: Options) -> None:
        """Reads the options into attributes."""

    def _build(self, vectors: Floats) -> Any:
        """A structure of these vectors, which it calls 0, 1, 2, ...; None for none."""

    def _extend(self, core: Any, vectors: Floats) -> None:
        """Adds vectors to a structure, which it calls by the numbers that follow."""
        raise NotImplementedError

    def _search(
        self, core: Any, queries: Floats, k: int, keep: Array | None, effort: float
    ) -> Candidates:
        """Candidates for each query.

        Args:
            core: the structure.
            queries: (q, d) float32, unit rows.
            k: how many are needed.
            keep: bool mask of those that may be returned, or None for all.
            effort: how much wider than usual to search: 1 or more.
        """
        raise NotImplementedError

    def _work(self, core: Any, share: float) -> float:
        """Cost of a search, as the number of vectors that could be compared in that time.

        Args:
            core: the structure.
            share: of the vectors that may be returned; a structure that looks where the
                others are too must search 1 / share times wider.
        """
        raise NotImplementedError

    def _pack(self, core: Any) -> dict[str, Array]:
        """A structure as arrays of uint8, int64, float32 or bool."""
        raise NotImplementedError

    def _unpack(self, saved: container.Saved) -> Any:
        """The structure that ``_pack`` took apart; None to have it built again."""
        raise NotImplementedError

    def _bytes(self, core: Any) -> int:
        """Memory of a structure."""
        return sum(array.nbytes for array in self._pack(core).values())

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def count(self) -> int:
        """How many vectors can be found: ``len`` less those removed."""
        return self._rows.count

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._rows.vectors.shape[1])

    @property
    def vectors(self) -> Floats:
        """(n, d) float32, by position, as they are compared: unit rows for cosine."""
        return self._rows.vectors

    @property
    def spec(self) -> str:
        """The text that names this kind and its options."""
        return str(self.options)

    def info(self) -> dict[str, object]:
        """What the index is, for people and tables; sizes in bytes."""
        with self._lock:
            return {
                "index": self.spec,
                "vectors": self.count,
                "removed": self._rows.gone,
                "dim": self.dim,
                "structure": self._core is not None,
                "vector_bytes": self._rows.vectors.nbytes,
                "structure_bytes": 0 if self._core is None else self._bytes(self._core),
            }

    def search(
        self, queries: Array, k: int = 10, allowed: Array | None = None
    ) -> tuple[Floats, Positions]:
        """The k nearest vectors of each query.

        Args:
            queries: (q, d) float16, 32 or 64, of any length; or (d,) for a single one.
            k: how many to return.
            allowed: (n,) bool mask, or positions, of the vectors that may be returned.

        Returns:
            Cosine similarities (q, k') float32, best first, and positions (q, k'), where
            k' is k, or the number of allowed vectors if that is less.

        Raises:
            BadShape: wrong dimension, values not finite, k below 1, or ``allowed``
                does not fit.
        """
        answer = self.explain(queries, k, allowed)
        return answer.scores, answer.positions

    def explain(self, queries: Array, k: int = 10, allowed: Array | None = None) -> Answer:
        """The same as ``search``, with the path that was taken."""
        k = check_k(k, "Index.search")
        where = self._where
        asked = ready(check_dim(queries, self.dim, "queries", where), self.metric, where)
        with self._lock:
            rows = self._allowed(allowed)
            count = self._rows.count if rows is None else len(rows)
            k = min(k, count)
            if k == 0 or len(asked) == 0:
                shape = (len(asked), k)
                return Answer(np.zeros(shape, np.float32), np.zeros(shape, np.int64), EXACT)
            path = self._path(k, count)
            if path == EXACT:
                return Answer(*self._exactly(asked, k, rows), path)
            return self._nearly(asked, k, rows, path)

    def plan(self, k: int = 10, allowed: Array | None = None) -> str:
        """The path that such a search would take: ``exact``, ``index`` or ``filtered``."""
        with self._lock:
            rows = self._allowed(allowed)
            count = self._rows.count if rows is None else len(rows)
            return self._path(min(check_k(k, "Index.plan"), count), count)

    def recall(self, queries: Array, k: int = 10, allowed: Array | None = None) -> Floats:
        """Share of the exact answer that ``search`` finds, a value per query: (q,) float64.

        A vector counts as found if its score reaches that of the exact answer's last one,
        so that it does not matter which of several equal vectors are returned. NaN where
        nothing is allowed.
        """
        scores, _ = self.search(queries, k, allowed)
        if not scores.shape[1]:
            return np.full(len(scores), np.nan)
        asked = ready(check_dim(queries, self.dim, "queries", "Index.recall"), self.metric, "")
        with self._lock:
            exact, _ = self._exactly(asked, scores.shape[1], self._allowed(allowed))
        share: Floats = (scores >= exact[:, -1:] - CLOSE).mean(axis=1, dtype=np.float64)
        return share

    def retune(self, **options: object) -> None:
        """Changes options of the search alone, such as ``ef=128``; nothing is built anew.

        Raises:
            BadSpec: another option, or a value that it cannot have.
        """
        for name in options:
            if name not in self.TUNABLE:
                raise BadSpec(
                    f"{self.options.kind} has no option {name!r} that can be changed once built",
                    where=self.spec,
                    hint=f"those are: {', '.join(self.TUNABLE) or 'none'}; else build_index again",
                )
        wanted = self.options.replaced(**options)
        type(self)(wanted)  # refuses what cannot be, before anything changes
        with self._one_writer, self._lock.writing():
            self.options = wanted
            self._configure(wanted)

    def add(self, vectors: Array) -> Positions:
        """Adds vectors at the end; the next search finds them.

        Args:
            vectors: (m, d) float16, 32 or 64; or (d,) for a single one.

        Returns:
            Their positions (m,).

        Raises:
            BadShape: wrong dimension, or values not finite.
        """
        rows = self._incoming(vectors, "Index.add")
        with self._one_writer:
            first = len(self._rows)
            self._rows.reserve(first + len(rows))
            for start in range(0, len(rows), PART):
                part = rows[start : start + PART]
                with self._lock.writing():
                    if self._core is not None:
                        self._extend(self._core, part)
                    self._rows.append(part, labelled=self._core is not None)
            self._renew()
        return np.arange(first, first + len(rows))

    def update(self, positions: Array, vectors: Array) -> None:
        """Gives positions other vectors; the next search sees these and no longer the old.

        Args:
            positions: (m,) each once, none of them removed.
            vectors: (m, d) float16, 32 or 64; or (d,) for a single one.

        Raises:
            BadShape: wrong dimension or number, values not finite, or a wrong position.
        """
        rows = self._incoming(vectors, "Index.update")
        with self._one_writer:
            chosen = self._own(positions, "Index.update")
            if len(rows) != len(chosen):
                raise BadShape(
                    f"{len(chosen):,} positions, but {len(rows):,} vectors",
                    where="Index.update",
                    hint="give one vector a position",
                )
            for start in range(0, len(rows), PART):
                part, places = rows[start : start + PART], chosen[start : start + PART]
                with self._lock.writing():
                    if self._core is not None:
                        self._extend(self._core, part)
                    self._rows.replace(places, part, labelled=self._core is not None)
            self._renew()

    def remove(self, positions: Array) -> None:
        """Takes vectors out; no search returns them any more. Other positions stay.

        Raises:
            BadShape: a position lies outside, comes twice, or was removed before.
        """
        with self._one_writer:
            chosen = self._own(positions, "Index.remove")
            with self._lock.writing():
                self._rows.remove(chosen)
            self._renew()

    def save(self, path: str | os.PathLike[str], *, fingerprint: str = "") -> str:
        """Writes the index to one file, beside its place, and moves it there when whole.

        Args:
            path: the file; its folder is made if it is not there.
            fingerprint: of the encoder that made the vectors; ``load_index`` compares it.

        Returns:
            The file's seal, which tells it from any other.

        Raises:
            BadTable: it cannot be written.
        """
        with self._one_writer:  # searches go on
            header = {
                "spec": self.spec,
                "fingerprint": fingerprint,
                "labels": self._rows.labels,
                "made_of": self._made_of,
            }
            core = {} if self._core is None else self._pack(self._core)
            return container.write(Path(path), header, {**self._rows.pack(), **core})

    def _fill(
        self, rows: Rows, core: Any = None, made_of: int = 0, where: str = "Index.search"
    ) -> None:
        """Takes what a new or loaded index consists of."""
        self._rows, self._core, self._made_of, self._where = rows, core, made_of, where
        if core is None:
            rows.unlabel()
        self._renew()

    def _incoming(self, vectors: Array, where: str) -> Floats:
        return ready(check_dim(vectors, self.dim, "vectors", where), self.metric, where)

    def _own(self, positions: Array, where: str) -> Positions:
        """Positions to be changed: each once, and live."""
        chosen = positions_in(positions, len(self), "positions", where)
        once = np.unique(chosen)
        gone = once[~self._rows.live[once]]
        if len(once) < len(chosen) or gone.size:
            problem = f"position {gone[0]} was removed" if gone.size else "a position comes twice"
            raise BadShape(problem, where=where, hint="give each position once, and only live ones")
        return chosen

    def _allowed(self, allowed: Array | None) -> Positions | None:
        """Ascending positions that may be returned; None for all."""
        if allowed is None:
            return self._rows.live_rows
        rows = allowed_rows(allowed, len(self))
        return rows[self._rows.live[rows]] if self._rows.gone else rows

    def _path(self, k: int, count: int) -> str:
        """How to answer, when so many vectors may be returned: exactly, if that is no dearer."""
        if self._core is None or k * self.DEEP > count:
            return EXACT
        if count == self._rows.count:
            return WHOLE
        share = count / self._rows.count
        cheap = max(self.NEEDS, self._work(self._core, share))
        return EXACT if count <= cheap else FILTERED

    def _exactly(self, queries: Floats, k: int, rows: Positions | None) -> tuple[Floats, Positions]:
        return scan(self._rows.vectors, queries, k, rows, self.metric)

    def _nearly(self, queries: Floats, k: int, rows: Positions | None, path: str) -> Answer:
        """By the structure; queries with fewer than k results again, wider, then exactly."""
        keep = self._rows.kept if path == WHOLE or rows is None else self._rows.keep(rows)
        effort = 1.0 if path == WHOLE or rows is None else self._rows.count / len(rows)
        scores, positions = self._scored(queries, k, keep, effort)
        missing = positions[:, -1] < 0
        if not np.count_nonzero(missing):
            return Answer(scores, positions, path)
        short = np.flatnonzero(missing)
        wider = self._scored(queries[short], k, keep, effort * WIDER)
        scores[short], positions[short] = wider
        short = short[wider[1][:, -1] < 0]
        if short.size:
            scores[short], positions[short] = self._exactly(queries[short], k, rows)
        return Answer(scores, positions, path, int(short.size))

    def _scored(
        self, queries: Floats, k: int, keep: Array | None, effort: float
    ) -> tuple[Floats, Positions]:
        """The k best of the structure's candidates by their true scores; -1 for none."""
        found = self._search(self._core, queries, k, keep, effort)
        positions = self._rows.positions(found.labels)
        if found.scores is None:
            scores, positions = rescore(self._rows.vectors, queries, positions)
            return scores[:, :k], positions[:, :k]
        if len(queries) == 1 and _certain(found.scores, k):
            return found.scores[:, :k], positions[:, :k]
        scores = np.maximum(np.minimum(found.scores, 1.0), -1.0)  # rounding may leave more
        seen = scores[:, : k + 1]
        near = seen[:, :-1] - seen[:, 1:] < CLOSE  # too near for the order to be certain
        if np.count_nonzero(near):
            again = np.flatnonzero(near.any(axis=1))
            scores[again], positions[again] = rescore(
                self._rows.vectors, queries[again], positions[again]
            )
        return scores[:, :k].copy(), positions[:, :k].copy()

    def _renew(self) -> None:
        """Makes the structure when there is enough for one, or it has grown out of its own.

        Readers go on with the old one meanwhile. The cost is spread over the writes that
        led to it.
        """
        rows = self._rows
        worn = rows.labels > self.GROWTH * self._made_of or rows.stale > rows.count
        if rows.count < self.NEEDS or not (self._core is None or worn):
            return
        core = self._build(rows.vectors if rows.live_rows is None else rows.vectors[rows.live_rows])
        if core is not None:
            with self._lock.writing():
                self._core, self._made_of = core, rows.count
                rows.relabel(rows.live_rows)


def _certain(scores: Floats, k: int) -> bool:
    """Whether the k best of one query can be returned as they are: cosines, clearly in order.

    The same as the checks for many queries, which cost one query a tenth of its search.
    """
    best = scores[0, : k + 1].tolist()
    in_range = best[0] <= 1.0 and best[-1] >= -1.0
    return in_range and all(one - next_ >= CLOSE for one, next_ in pairwise(best))
