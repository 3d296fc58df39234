"""Reads and writes files of vectors with their ids: ``.parquet``, ``.npz``, ``.npy``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..values.arrays import Array, Floats, as_array, narrow_rows, rows_not_finite
from ..values.columns import nfc
from ..values.csv_cells import write_csv
from ..values.errors import BadShape, BadTable, LikelensError, first_few, plural
from ..values.files import write_together
from ..values.tables import read_table, texts
from ..values.text_files import read_text
from .limits import memory_left

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".parquet", ".npz", ".npy")

ID_NAMES = ("id", "ids", "item_id", "item", "name", "filename", "key")
"""Names that a column of ids usually has; the first that exists is taken."""

VECTOR_NAMES = ("vector", "vectors", "embedding", "embeddings", "features")
"""Names that a column of vectors usually has; the first that exists is taken."""

ID_TABLES = (".ids.csv", ".csv", ".parquet", ".txt")
"""Endings of the table of ids beside ``x.npy``: ``x.ids.csv``, ...; a ``.txt`` has one a line."""


def read_vectors(
    path: str | os.PathLike[str],
    id_name: str | None = None,
    vector_name: str | None = None,
) -> tuple[tuple[str, ...], Floats]:
    """Ids and vectors of a file.

    Args:
        path: ending in ``.parquet``, ``.npz`` or ``.npy``.
        id_name: the column or array of ids, if not one of ID_NAMES.
        vector_name: the column or array of vectors, if not one of VECTOR_NAMES.

    Returns:
        n ids and the (n, d) float32 matrix.

    Raises:
        BadTable: the file cannot be read, or an id is missing or there twice.
        BadShape: vectors of different lengths, not numbers, or not finite.
    """
    place = Path(path)
    readers = {".parquet": _read_parquet, ".npz": _read_npz, ".npy": _read_npy}
    reader = readers.get(place.suffix.lower())
    if reader is None:
        raise _unknown(place)
    ids, vectors = reader(place, id_name, vector_name)
    return _checked(ids, vectors, str(place))


def write_vectors(
    path: str | os.PathLike[str], ids: Sequence[str], vectors: Floats
) -> tuple[Path, ...]:
    """Write ids and vectors as ``read_vectors`` reads them; all at once or not at all.

    Args:
        path: ending in ``.parquet``, ``.npz`` or ``.npy``; beside ``x.npy`` comes ``x.ids.csv``.
        ids: (n,) each once.
        vectors: (n, d), written as float32.

    Returns:
        The files written.

    Raises:
        BadTable: another ending, an id twice, or the file cannot be written.
        BadShape: not one id a vector, or vectors that are not finite.
    """
    place = Path(path)
    names, matrix = _checked(ids, np.asarray(vectors), str(place))
    suffix = place.suffix.lower()
    if suffix == ".parquet":
        parts: dict[Path, Callable[[Any], object]] = {
            place: lambda file: _write_parquet(file, names, matrix)
        }
    elif suffix == ".npz":
        parts = {place: lambda file: np.savez(file, ids=np.array(names, np.str_), vectors=matrix)}
    elif suffix == ".npy":
        parts = {
            place: lambda file: np.save(file, matrix),
            place.with_suffix(ID_TABLES[0]): lambda file: _write_ids(file, names),
        }
    else:
        raise _unknown(place)
    write_together({path: partial(_fill, write) for path, write in parts.items()})
    return tuple(parts)


def _read_parquet(path: Path, id_name: str | None, vector_name: str | None) -> tuple[Any, Array]:
    from pyarrow import compute

    table = read_table(path, missing=())
    lists = [column.name for column in table.schema if _is_list(column.type)]
    ids = table[_name(table.column_names, id_name, ID_NAMES, path, "id")]
    usual = (*VECTOR_NAMES, *lists) if len(lists) == 1 else VECTOR_NAMES
    column = table[_name(table.column_names, vector_name, usual, path, "vector")]
    if not _is_list(column.type):
        raise BadTable(
            f"a column of {column.type} holds no vectors",
            where=str(path),
            hint="name a column of lists of numbers: ?vector=NAME",
        )
    there = column.is_valid()
    if compute.any(compute.invert(there)).as_py():  # an empty cell: no vector
        ids, column = ids.filter(there), column.filter(there)
    return texts(ids), _matrix(column, str(path))


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _matrix(column: pa.ChunkedArray, where: str) -> Array:
    """The lists of a column as rows."""
    from pyarrow import compute

    lengths = compute.unique(compute.list_value_length(column)).to_pylist()
    if len(lengths) > 1:
        raise BadShape(
            f"the vectors have different lengths: {first_few(sorted(lengths))}",
            where=where,
            hint="give vectors of one encoder only",
        )
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(chunks).reshape(len(column), lengths[0]) if lengths else np.zeros((0, 1))


def _read_npz(path: Path, id_name: str | None, vector_name: str | None) -> tuple[Any, Array]:
    with _readable(path), path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise ValueError("it is a single array, as in an .npy file")
        size_bytes, available = sum(part.file_size for part in arrays.zip.infolist()), memory_left()
        if available is not None and size_bytes > available:
            raise MemoryError(f"its arrays need {size_bytes:,} bytes, and {available:,} are left")
        names = list(arrays)
        ids = arrays[_name(names, id_name, ID_NAMES, path, "id")]
        vectors = arrays[_name(names, vector_name, VECTOR_NAMES, path, "vector")]
        for one in (ids, vectors):
            if not isinstance(one, np.ndarray):
                raise ValueError("a member of the archive is not an array")
        return _texts_of(ids, path), vectors


def _read_npy(path: Path, id_name: str | None, _: str | None) -> tuple[Any, Array]:
    table = id_table(path)
    if table is None:
        raise BadTable(
            "there is no table of ids beside this file",
            where=str(path),
            hint=f"give {path.with_suffix(ID_TABLES[0]).name} with the column id, or one .npz",
        )
    with _readable(path), path.open("rb") as file:
        vectors = np.load(file, allow_pickle=False)
        if not isinstance(vectors, np.ndarray):
            raise ValueError("it holds several arrays, as an .npz file")
    if table.suffix == ".txt":
        return [line.strip() for line in read_text(table).splitlines()], vectors
    wanted = [id_name] if id_name else list(ID_NAMES)
    columns = read_table(table, text_columns=wanted, exact=wanted, missing=())
    return texts(columns[_name(columns.column_names, id_name, ID_NAMES, table, "id")]), vectors


def _name(
    there: Sequence[str], asked: str | None, usual: Iterable[str], path: Path, role: str
) -> str:
    for name in [asked] if asked else usual:
        if name in there:
            return name
    missing = f"called {asked!r}" if asked else f"of the usual names for {role}s"
    raise BadTable(
        f"there is no column or array {missing}",
        where=str(path),
        hint=f"say which it is: ?{role}=NAME; there are: {', '.join(there) or 'none'}",
    )


def _texts_of(ids: Array, path: Path) -> list[str]:
    kind = ids.dtype.kind
    if kind not in "USiu" or ids.ndim != 1:
        raise BadTable(
            f"an array of type {ids.dtype} and shape {ids.shape} is no list of ids",
            where=str(path),
            hint="save them as text: np.array(ids, dtype=str)",
        )
    return [item.decode() if kind == "S" else str(item) for item in ids.tolist()]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Says what is wrong with a file of arrays."""
    try:
        yield
    except LikelensError:
        raise
    except Exception as error:  # readers of damaged bytes raise anything
        said = " ".join(str(error).split())[:200] or type(error).__name__
        said = "an id is not UTF-8" if isinstance(error, UnicodeDecodeError) else said
        reason = f"the file cannot be read: {said}"
        if "pickle" in reason or "Object arrays" in reason:
            with path.open("rb") as file:
                arrays = file.read(6).startswith((b"PK", b"\x93NUMPY"))
            reason = (
                "the file holds Python objects, which are not loaded since they could run code"
                if arrays
                else f"the file is no {path.suffix} file"
            )
        raise BadTable(
            reason,
            where=str(path),
            hint="save plain arrays: numbers, and ids as text: np.array(ids, dtype=str)",
        ) from error


def _checked(
    ids: Sequence[str | None], vectors: Array, where: str
) -> tuple[tuple[str, ...], Floats]:
    names = tuple(nfc(item) for item in ids if item)
    if len(names) != len(ids):
        raise BadTable(
            f"{len(ids) - len(names):,} of {len(ids):,} ids are missing",
            where=where,
            hint="give every vector an id",
        )
    if vectors.ndim != 2 or vectors.shape[1] == 0 or vectors.dtype.kind not in "fiu":
        raise BadShape(
            f"an array of type {vectors.dtype} and shape {vectors.shape} is no matrix of vectors",
            where=where,
            hint="give numbers of shape (items, dimensions)",
        )
    if len(names) != len(vectors):
        raise BadTable(
            f"{len(names):,} ids for {len(vectors):,} vectors",
            where=where,
            hint="give one id for each vector, in the same order",
        )
    twice = [item for item, count in Counter(names).items() if count > 1]
    if twice:
        raise BadTable(
            f"{plural(len(twice), 'id is', 'ids are')} there more than once: {first_few(twice)}",
            where=where,
            hint="keep one vector for each id",
        )
    matrix = narrow_rows(as_array(vectors, where=where))
    broken = rows_not_finite(matrix)
    if broken.size:
        which = first_few(names[at] for at in broken)
        raise BadShape(
            f"{plural(broken.size, 'vector holds', 'vectors hold')} NaN or infinity: {which}",
            where=where,
            hint="leave those items out",
        )
    return names, matrix


def _write_parquet(file: Any, ids: Sequence[str], vectors: Floats) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    flat = pa.array(vectors.ravel(), pa.float32())
    columns = {
        "id": pa.array(ids, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    pyarrow.parquet.write_table(pa.table(columns), file)


def _write_ids(file: Any, ids: Sequence[str]) -> None:
    import pyarrow as pa

    write_csv(pa.table({"id": pa.array(ids, pa.string())}), file)


def _fill(write: Callable[[Any], object], path: Path) -> None:
    with path.open("wb") as file:
        write(file)


def _unknown(path: Path) -> BadTable:
    return BadTable(
        f"{path.suffix or 'no suffix'} is not a kind of file for vectors",
        where=str(path),
        hint=f"give a file ending in {', '.join(FORMATS)}",
    )


def id_table(path: Path) -> Path | None:
    """The table of ids beside an ``.npy`` file: the first of ID_TABLES that exists."""
    beside = (path.with_suffix(ending) for ending in ID_TABLES)
    return next((table for table in beside if table.is_file()), None)
