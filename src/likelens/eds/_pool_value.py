"""A pool: pairs of a query and a candidate, and which encoder proposed them at which rank."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Floats, Positions
from ..values.errors import BadShape, first_few, nearest
from ..values.relevance import NONE


@dataclass(frozen=True)
class Cost:
    """How many pairs experts are asked for, beside all there are.

    Attributes:
        pairs: in the pool.
        brute_force: every query with every item that may be its candidate.
        share: the first by the second; NaN if there are none.
    """

    pairs: int
    brute_force: int
    share: float


@dataclass(frozen=True)
class Pool:
    """Pairs of a query and a candidate that some encoder put among its first k.

    Attributes:
        encoders: (m,) their names.
        k: how many of each encoder's first candidates are in it.
        queries: q, how many queries were asked, those without a candidate among them.
        pairs: (p, 2) int64, query and candidate; by query, then by the best rank that any
            encoder gave, then by candidate. No pair stands twice.
        ranks: (p, m) int32, from 1, at which rank each encoder proposed the pair among
            the candidates that count; 0 where it did not.
        possible: (q,) int64, how many items may be each query's candidates.
    """

    encoders: tuple[str, ...]
    k: int
    queries: int
    pairs: Positions = field(repr=False)
    ranks: npt.NDArray[np.int32] = field(repr=False)
    possible: Positions = field(repr=False)

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def sources(self) -> tuple[tuple[str, ...], ...]:
        """The encoders that proposed each pair."""
        code = np.zeros(len(self), np.int64)
        for byte in np.packbits(self.ranks > 0, axis=1).T:
            code = np.unique(code * 256 + byte, return_inverse=True)[1]
        first = np.unique(code, return_index=True)[1]
        named = [
            tuple(name for name, rank in zip(self.encoders, row, strict=True) if rank)
            for row in self.ranks[first].tolist()
        ]
        return tuple(named[one] for one in code.tolist())

    @property
    def brute_force(self) -> int:
        """Every query with every item that may be its candidate."""
        return int(self.possible.sum())

    @cached_property
    def best(self) -> npt.NDArray[np.int32]:
        """(p,) int32, the best rank that any encoder gave each pair."""
        return _best(self.ranks)

    @cached_property
    def per_query(self) -> Positions:
        """(q,) int64, how many distinct candidates each query has."""
        return np.bincount(self.pairs[:, 0], minlength=self.queries).astype(np.int64)

    @property
    def without_candidate(self) -> int:
        """How many queries have none."""
        return int((self.per_query == 0).sum())

    @cached_property
    def short(self) -> dict[str, int]:
        """For each encoder, how many queries it proposed fewer than k candidates for."""
        counts = self._counted(self.ranks > 0, self.pairs[:, 0])
        few = (counts < self.k).sum(axis=0)
        return dict(zip(self.encoders, few.tolist(), strict=True))

    @property
    def overlap(self) -> Floats:
        """(m, m) percent: the candidates that two encoders share, by k.

        The mean over queries of 100 |A ∩ B| / k, with A and B the first k of each; where fewer
        than k items may be candidates, by their number. Queries without any candidate are left
        out. The diagonal is 100 where no list is shorter than it can be.
        """
        return self._overlaps[0]

    @property
    def jaccard(self) -> Floats:
        """(m, m) percent: the candidates that two encoders share, by all that they propose.

        The mean over queries of 100 |A ∩ B| / |A ∪ B|; queries for which neither encoder
        has a candidate are left out. NaN where none is left.
        """
        return self._overlaps[1]

    @property
    def cost(self) -> Cost:
        """What judging it costs beside judging every pair."""
        share = len(self) / self.brute_force if self.brute_force else float("nan")
        return Cost(len(self), self.brute_force, share)

    def without(self, encoder: str) -> Pool:
        """The pool of the other encoders, as if that one had never been asked.

        Raises:
            BadShape: it is not among the encoders, or the only one, or the others propose
                nothing.
        """
        if encoder not in self.encoders or len(self.encoders) == 1:
            known = encoder in self.encoders
            raise BadShape(
                f"{encoder} is the only encoder of the pool"
                if known
                else f"no encoder of the pool is called {encoder}",
                where="Pool.without",
                hint="pool at least two"
                if known
                else nearest(encoder, self.encoders) or f"choose of: {first_few(self.encoders)}",
            )
        place = self.encoders.index(encoder)
        names = self.encoders[:place] + self.encoders[place + 1 :]
        return self._kept(names, np.delete(self.ranks, place, axis=1), self.k)

    def at(self, k: int) -> Pool:
        """The pool of a smaller depth, as if the encoders had been asked for k candidates only.

        Raises:
            BadShape: k is no whole number from 1 to the pool's own.
        """
        if not is_whole(k) or not 1 <= k <= self.k:
            raise BadShape(
                f"a pool of the first {self.k:,} has none of depth {k!r}",
                where="Pool.at",
                hint=f"give a whole number from 1 to {self.k:,}",
            )
        return self._kept(self.encoders, np.where(self.ranks <= k, self.ranks, 0), int(k))

    def _kept(self, names: tuple[str, ...], ranks: npt.NDArray[np.int32], k: int) -> Pool:
        """The same pairs by other ranks, without those that nobody proposes any more."""
        kept = ranks.any(axis=1)
        pairs, ranks = ordered(self.pairs[kept], ranks[kept])
        return some(replace(self, encoders=names, k=k, pairs=pairs, ranks=ranks))

    def _counted(self, flags: npt.NDArray[np.bool_], queries: Positions) -> Positions:
        """(q, columns) how many flags of each column are set for each query.

        Args:
            flags: (rows, columns).
            queries: (rows,) of which query each row is, ascending.
        """
        counts = np.zeros((self.queries, flags.shape[1]), np.int64)
        if len(queries):
            starts = np.flatnonzero(np.diff(queries, prepend=NONE))
            counts[queries[starts]] = np.add.reduceat(flags, starts, axis=0, dtype=np.int64)
        return counts

    @cached_property
    def _overlaps(self) -> tuple[Floats, Floats]:
        """Overlap and Jaccard, an encoder against all at a time."""
        flags, queries = self.ranks > 0, self.pairs[:, 0]
        sizes = self._counted(flags, queries)
        asked = self.per_query > 0
        most = np.minimum(self.k, self.possible)[asked, None]
        overlap = np.empty((len(self.encoders),) * 2)
        jaccard = np.empty_like(overlap)
        for place in range(len(self.encoders)):
            mine = flags[:, place]
            shared = self._counted(flags[mine], queries[mine])
            union = sizes + sizes[:, [place]] - shared
            known = (union > 0).sum(axis=0)
            ratios = (shared / np.maximum(union, 1)).sum(axis=0)
            overlap[place] = 100 * (shared[asked] / most).mean(axis=0)
            jaccard[place] = np.where(known, 100 * ratios / np.maximum(known, 1), np.nan)
        return overlap, jaccard


def ordered(
    pairs: Positions, ranks: npt.NDArray[np.int32]
) -> tuple[Positions, npt.NDArray[np.int32]]:
    """By query, then by best rank, then by candidate."""
    best = _best(ranks).astype(np.int64)
    deepest, last = best.max(initial=0) + 1, pairs[:, 1].max(initial=0) + 1
    order = np.argsort((pairs[:, 0] * deepest + best) * last + pairs[:, 1])
    return pairs[order], ranks[order]


def _best(ranks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The least of each row that is not 0: one less than 0 is the largest number there is."""
    best: Array = (ranks.astype(np.uint32) - np.uint32(1)).min(axis=1) + np.uint32(1)
    return best.astype(np.int32)


def some(found: Pool) -> Pool:
    """The same, unless there is nothing in it."""
    if len(found):
        return found
    raise BadShape(
        f"the pool is empty: not one of the {found.queries:,} queries has a candidate by any of "
        f"{len(found.encoders):,} encoders",
        where="pool",
        hint="give longer lists of candidates, from a gallery of more than the query's product",
    )


def is_whole(number: object) -> bool:
    """Whether it is a whole number, and not True or False."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
