"""CorrEmbed of a fusion of encoders as a function of their shares, for a search among these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..values.arrays import Floats, unit_sparse_rows
from ..values.errors import BadTable

CHUNK_ENTRIES = 2**22
"""Numbers of an intermediate matrix at a time."""


class FusionScore:
    """CorrEmbed of a fusion as a function of its shares, from sums that are taken once.

    The fused cosine of items i and j is the sum over parts a of w_a c_a(i, j), so for
    query i, with all sums over j and each c_a and the cosine of tags t centred over j,

        r_i = sum_a w_a C_ia / sqrt(T_i sum_ab w_a w_b G_iab),
        C_ia = sum_j c_a t,   G_iab = sum_j c_a c_b,   T_i = sum_j t^2,

    and a value costs k^2 multiplications an item, whatever the dimensions. Equal to
    ``metrics.corrembed`` of the joined vectors where every part sees every item; where a
    part is blind to j, its cosine is 0 here but the others' do not make up for it. A
    query in which the fusion sees nothing counts as 0 here: left out, it would flatter a
    part that goes blind.

    Args:
        parts: (n, d_a) unit vectors of each part.
        tags: (n, m) SciPy sparse, 0 and 1 or weights.
        self_pairs: as in ``metrics.corrembed``.

    Raises:
        BadTable: no item has tags that tell it from the others.
    """

    def __init__(
        self, parts: Sequence[Floats], tags: Any, self_pairs: Literal["include", "exclude"]
    ) -> None:
        count = len(parts[0])
        own_factor = count / (count - 1) if self_pairs == "exclude" else 0.0
        units = [part.astype(np.float32, copy=False) for part in parts]
        centred = [part - part.mean(axis=0, dtype=np.float64).astype(np.float32) for part in units]
        own = [np.einsum("ij,ij->i", a, b) for a, b in zip(units, centred, strict=True)]
        tag_rows, tag_spread, tag_own = _tag_sums(tags, own_factor)
        scored = tag_spread > 1e-12 * count
        if not scored.any():
            raise BadTable(
                "no item to find weights on has tags that tell it from the others",
                where="fuse",
                hint="name other tag columns, or give more items",
            )
        k = len(parts)
        cross, both = np.zeros((count, k)), np.zeros((count, k, k))
        for a in range(k):
            toward = np.asarray(tag_rows.T @ centred[a].astype(np.float64)).T  # (d, m)
            cross[:, a] = _along_tags(units[a], toward, tag_rows) - own_factor * own[a] * tag_own
            for b in range(a, k):
                sums = _forms(units[a], centred[a].T @ centred[b], units[b])
                both[:, a, b] = both[:, b, a] = sums - own_factor * own[a] * own[b]
        self._cross = cross[scored] / np.sqrt(tag_spread[scored, None])
        self._both, self._blind_below = both[scored], 1e-9 * count

    def __call__(self, shares: Floats) -> float:
        """The mean over the queries."""
        spread = np.einsum("iab,a,b->i", self._both, shares, shares, optimize=True)
        seen = spread > self._blind_below
        along = self._cross @ shares
        return float(np.where(seen, along / np.sqrt(np.where(seen, spread, 1.0)), 0.0).mean())


def _tag_sums(tags: Any, own_factor: float) -> tuple[Any, Floats, Floats]:
    """Unit rows of tags, T_i of each, and each one's cosine with itself less the mean."""
    rows: Any = unit_sparse_rows(tags)
    mean = np.asarray(rows.mean(axis=0)).ravel()
    scatter = (rows.T @ rows).toarray() - rows.shape[0] * np.outer(mean, mean)
    own = np.asarray(rows.multiply(rows).sum(axis=1)).ravel() - rows @ mean
    spread = np.concatenate(
        [
            np.asarray(rows[part].multiply(rows[part] @ scatter).sum(axis=1)).ravel()
            for part in _chunks(rows.shape[0], rows.shape[1])
        ]
    )
    return rows, spread - own_factor * own**2, own


def _along_tags(units: Floats, toward: Floats, tag_rows: Any) -> Floats:
    """y_i' M t_i of every item."""
    parts = [
        np.asarray(tag_rows[part].multiply(units[part] @ toward).sum(axis=1)).ravel()
        for part in _chunks(len(units), toward.shape[1])
    ]
    return np.concatenate(parts)


def _forms(left: Floats, matrix: Floats, right: Floats) -> Floats:
    """x_i' M y_i of every item."""
    parts = [
        np.einsum("ij,ij->i", left[part] @ matrix, right[part], dtype=np.float64)
        for part in _chunks(len(left), matrix.shape[1])
    ]
    return np.concatenate(parts)


def _chunks(count: int, width: int) -> list[slice]:
    rows = max(1, CHUNK_ENTRIES // max(width, 1))
    return [slice(start, start + rows) for start in range(0, count, rows)]
