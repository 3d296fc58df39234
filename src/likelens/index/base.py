"""What every index offers, the register of kinds, and ``build_index``."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

import numpy as np

from ..values.arrays import Array, Floats, Positions, check_vectors, unit_rows
from ..values.errors import BadShape, BadSpec
from ..values.registry import Registry

INDEXES = Registry("index")
INDEXES.add("exact", "likelens.index.exact:ExactIndex")

Options = dict[str, str]


class Index(ABC):
    """Finds the vectors with the highest cosine similarity to a query.

    A new kind writes ``_build`` and ``_candidates``. This class checks what comes
    in, scales to unit length, scores the candidates, and orders them: best first,
    and by position where scores are equal. A vector of zeros is alike to nothing:
    its similarity is 0.

    Attributes:
        vectors: (n, d) float32, unit rows.
    """

    def __init__(self, vectors: Array, options: Options) -> None:
        self.vectors: Floats = unit_rows(check_vectors(vectors, where="build_index"))
        self._build(options)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    @abstractmethod
    def _build(self, options: Options) -> None:
        """Makes what the search needs of ``self.vectors``; refuses unknown options."""

    @abstractmethod
    def _search(self, queries: Floats, k: int, rows: Positions | None) -> tuple[Floats, Positions]:
        """Scores and positions (q, k), best first, ties by position.

        Args:
            queries: (q, d) float32, unit rows.
            k: at most the number of rows that may be returned.
            rows: sorted positions that may be returned, or None for all.
        """

    def search(
        self, queries: Array, k: int = 10, allowed: Array | None = None
    ) -> tuple[Floats, Positions]:
        """The k nearest vectors of each query.

        Args:
            queries: (q, d) float16, 32 or 64, of any length; or (d,) for a single one.
            k: how many to return.
            allowed: (n,) bool mask, or positions, of the vectors that may be returned.

        Returns:
            Cosine similarities (q, k'), best first, and positions (q, k'), where k' is
            k, or the number of allowed vectors if that is less.

        Raises:
            BadShape: wrong dimension, values not finite, k below 1, or ``allowed``
                does not fit.
        """
        asked = np.asarray(queries)
        asked = check_vectors(asked[None] if asked.ndim == 1 else asked, where="Index.search")
        if asked.shape[1] != self.dim:
            raise BadShape(
                f"queries have {asked.shape[1]} dimensions, the index has {self.dim}",
                where="Index.search",
                mend="encode the queries with the encoder that made the index",
            )
        if k < 1:
            raise BadShape(f"k = {k} is not at least 1", where="Index.search", mend="give k >= 1")
        rows = None if allowed is None else allowed_rows(allowed, len(self))
        count = len(self) if rows is None else len(rows)
        k = min(k, count)
        if k == 0 or len(asked) == 0:
            return np.zeros((len(asked), k), np.float32), np.zeros((len(asked), k), np.int64)
        return self._search(unit_rows(asked), k, rows)


def build_index(vectors: Array, spec: str = "exact") -> Index:
    """An index of some vectors.

    Args:
        vectors: (n, d) float16, 32 or 64, of any length; never changed.
        spec: the kind, with options: ``exact``.

    Raises:
        BadSpec: there is no such kind, or it has no such option.
        BadShape: the vectors are no finite matrix.
    """
    form = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", spec)
    if form is None:
        raise BadSpec(
            f"{spec!r} is not the name of an index",
            where=spec,
            mend=f"write kind or kind(option=value); kinds are: {', '.join(INDEXES.names())}",
        )
    options: Options = {}
    for part in filter(None, (part.strip() for part in (form[2] or "").split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise BadSpec(
                f"{part!r} is not an option", where=spec, mend=f"write {form[1]}(option=value)"
            )
        options[name] = value
    index: Index = INDEXES.load(form[1])(vectors, options)
    return index


def allowed_rows(allowed: Array, count: int) -> Positions:
    """Sorted positions from a mask or from positions.

    Raises:
        BadShape: the mask has another length, or a position lies outside.
    """
    chosen = np.asarray(allowed)
    if chosen.dtype == bool:
        if chosen.shape != (count,):
            raise BadShape(
                f"the mask of allowed vectors has shape {chosen.shape}, not ({count},)",
                where="Index.search",
                mend="give one True or False a vector",
            )
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.zeros(0, np.int64)
    rows = np.unique(chosen)
    if chosen.dtype.kind not in "iu" or rows[0] < 0 or rows[-1] >= count:
        raise BadShape(
            f"allowed positions must be whole numbers from 0 to {count - 1}",
            where="Index.search",
            mend="give a bool mask, or positions in the index",
        )
    return rows.astype(np.int64)
