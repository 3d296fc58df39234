"""Rows of a Lance table of vectors: read by their places, written, joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..values.arrays import Array, Floats

FRAGMENT_BYTES = 2 * 2**20
"""Vectors that fragments are joined up to: joining needs a few times that, however many."""

FEW = 8
"""Vectors are read one by one if they are fewer than one in so many, else in one pass."""


def rows_at(dataset: Any, places: Array) -> Floats:
    """(k, d) the vectors at some places of a table."""
    width = dataset.schema.field("vector").type.list_size
    total = dataset.count_rows()
    out = np.empty((len(places), width), np.float32)
    order = np.argsort(places, kind="stable")
    wanted = places[order]
    if len(places) * FEW < total:
        few, back = np.unique(wanted, return_inverse=True)
        table = dataset.take(pa.array(few), columns=["vector"])
        out[order] = _matrix(table["vector"], width)[back]
        return out
    start, as_kept = 0, bool((places == np.arange(total)).all()) if len(places) == total else False
    for batch in dataset.to_batches(columns=["vector"], batch_size=4096, batch_readahead=4):
        rows = _matrix(batch["vector"], width)
        if as_kept:
            out[start : start + len(rows)] = rows
        else:
            low, high = np.searchsorted(wanted, (start, start + len(rows)))
            out[order[low:high]] = rows[wanted[low:high] - start]
        start += len(rows)
    return out


def _matrix(column: pa.Array | pa.ChunkedArray, width: int) -> Floats:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    values: Floats = column.flatten().to_numpy().reshape(len(column), width)
    return values


def delete_where(condition: str, dataset: Any) -> None:
    """Delete the rows for which a condition holds."""
    dataset.delete(condition)


def compact(dataset: Any) -> None:
    """Join small fragments."""
    width = dataset.schema.field("vector").type.list_size
    rows = max(FRAGMENT_BYTES // (4 * max(width, 1)), 1)
    dataset.optimize.compact_files(target_rows_per_fragment=rows, batch_size=128, num_threads=1)


def vector_columns(digests: Sequence[str], vectors: Floats) -> dict[str, pa.Array]:
    """The columns of a table of vectors."""
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return {
        "digest": pa.array(digests, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
