"""The embedded store: Lance tables and a few small files in a folder.

    store.json              says that this folder is a store
    items.lance             items, attributes, files
    encoders/NAME/card.json, run.json, vectors.lance, failures.parquet, state.npz

Lance commits each append as a whole, so a killed run keeps every chunk that
was acknowledged and nothing of the one that was not.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard
from ..values.errors import BadQuery, StoreBroken
from .base import FILE, Store, failure_table, no_items

os.environ.setdefault("LANCE_LOG", "error")  # it warns of every table that it makes

import lance

FORMAT = 1


class LanceStore(Store):
    """A store in a folder.

    Args:
        root: the folder.
        create: make it if it is not there.

    Raises:
        StoreBroken: the folder is something else, or not there and not to be made.
    """

    def __init__(self, root: Path, *, create: bool) -> None:
        self.root, self.place = root, str(root)
        mark = root / "store.json"
        if mark.is_file():
            self._check_format(mark)
            return
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise StoreBroken(
                "this is no likelens store, and not empty",
                where=self.place,
                mend="give the --store of an earlier run, or a new folder",
            )
        if not create:
            raise StoreBroken(
                "there is no store here",
                where=self.place,
                mend="make one: likelens embed SOURCE -e SPEC --store STORE",
            )
        try:
            (root / "encoders").mkdir(parents=True)
            _write_aside(mark, json.dumps({"format": FORMAT}).encode())
        except OSError as error:
            raise StoreBroken(
                f"the store cannot be made: {error.strerror}",
                where=self.place,
                mend="give a folder that you may write to",
            ) from error

    def _check_format(self, mark: Path) -> None:
        try:
            found = json.loads(mark.read_text())["format"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise StoreBroken(
                "the store's own mark cannot be read", where=str(mark), mend="make a new store"
            ) from error
        if found != FORMAT:
            raise StoreBroken(
                f"the store has format {found}, this version reads {FORMAT}",
                where=self.place,
                mend="use the version that made it, or make a new store",
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Held while writing; refuses a second writer."""
        import fcntl

        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBroken(
                    "another run is writing to this store",
                    where=self.place,
                    mend="wait until it ends, or give another --store",
                ) from None
            yield

    def items(self) -> pa.Table:
        """A row per item."""
        if not (self.root / "items.lance").is_dir():
            return no_items()
        return self._open(self.root / "items.lance").to_table()

    def put_items(self, items: pa.Table) -> None:
        """Replace the table, where it differs from what is kept."""
        if not self.items().equals(items):
            dataset = lance.write_dataset(items, self.root / "items.lance", mode="overwrite")
            dataset.cleanup_old_versions(datetime.timedelta(0))

    def matching(self, where: str) -> Array:
        """The items for which a condition holds."""
        dataset = self._open(self.root / "items.lance")
        quoted = [name for name in dataset.schema.names if f'"{name}"' in where]
        if quoted:  # which SQL here would read as text, and silently find nothing
            problem = f"the column {quoted[0]} stands in double quotes"
            raise self._bad_filter(where, problem, dataset.schema)
        try:
            rows = dataset.to_table(filter=where, columns=[], with_row_id=True)["_rowid"]
        except (ValueError, OSError, RuntimeError) as error:
            raise self._bad_filter(where, str(error), dataset.schema) from error
        everything = dataset.to_table(columns=[], with_row_id=True)["_rowid"].to_numpy()
        mask: Array = np.isin(everything, rows.to_numpy())
        return mask

    def _bad_filter(self, where: str, error: str, schema: pa.Schema) -> BadQuery:
        reason = re.split(r", (?:/|rust/|<)|\. Valid fields", " ".join(error.split()))[0]
        for noise in ("Invalid user input: ", "Error resolving filter expression ", "LanceError"):
            reason = reason.replace(noise, "")
        lists = [f.name for f in schema if pa.types.is_list(f.type)]
        several = f"; columns of several values: array_has({lists[0]}, 'value')" if lists else ""
        columns = ", ".join(f"{f.name} ({_kind(f.type)})" for f in schema if f.name not in FILE)
        return BadQuery(
            f"the filter cannot be understood: {reason[:200]}",
            where=f"--where {where}",
            mend=f"write SQL such as \"colour = 'red' and year > 2010\"{several}; "
            f"a name with blanks or capitals in `back quotes`; the columns are: {columns}",
        )

    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here."""
        found = sorted(
            (self.root / "encoders").glob("*/card.json"),
            key=lambda path: (path.stat().st_mtime_ns, path),
        )
        return [EncoderCard.from_json(path.read_text()) for path in found]

    def create(self, card: EncoderCard) -> None:
        """Make room for an encoder."""
        folder = self._folder(card.name)
        folder.mkdir(exist_ok=True)
        (folder / "card.json").unlink(missing_ok=True)
        for name in ("run.json", "failures.parquet"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "vectors.lance", ignore_errors=True)
        lance.write_dataset(
            pa.table(_vectors([], [], np.zeros((0, card.dim), np.float32))),
            folder / "vectors.lance",
        )
        _write_aside(folder / "card.json", card.to_json().encode())

    def known(self, name: str) -> dict[str, str]:
        """The digest of the file behind each id's vector."""
        table = self._vectors(name).to_table(columns=["id", "digest"])
        return dict(zip(table["id"].to_pylist(), table["digest"].to_pylist(), strict=True))

    def append(
        self, name: str, ids: Sequence[str], digests: Sequence[str], vectors: Floats
    ) -> None:
        """Keep some more vectors."""
        lance.write_dataset(
            pa.table(_vectors(ids, digests, vectors)),
            self._folder(name) / "vectors.lance",
            mode="append",
        )

    def forget(self, name: str, ids: Sequence[str]) -> None:
        """Remove the vectors of some items."""
        dataset = self._vectors(name)
        for start in range(0, len(ids), 1000):
            texts = ", ".join(
                "'" + item.replace("'", "''") + "'" for item in ids[start : start + 1000]
            )
            dataset.delete(f"id IN ({texts})")

    def finish(
        self, name: str, failures: pa.Table, images_per_second: float | None, *, tidy: bool
    ) -> None:
        """End a run."""
        folder = self._folder(name)
        aside = folder / "failures.parquet.part"
        pq.write_table(failures, aside)
        aside.replace(folder / "failures.parquet")
        if images_per_second is not None:
            text = json.dumps({"images_per_second": images_per_second})
            _write_aside(folder / "run.json", text.encode())
        if tidy:
            dataset = self._vectors(name)
            dataset.optimize.compact_files()
            dataset.cleanup_old_versions(datetime.timedelta(0))

    def read(self, name: str) -> tuple[list[str], Floats, pa.Table, float]:
        """All ids, their vectors, the failures, and the speed."""
        folder = self._folder(name)
        table = self._vectors(name).to_table(columns=["id", "vector"])
        column = table["vector"].combine_chunks()
        values = column.flatten().to_numpy() if len(table) else np.zeros(0, np.float32)
        vectors = values.reshape(len(table), table.schema.field("vector").type.list_size)
        failed, run = folder / "failures.parquet", folder / "run.json"
        failures = pq.read_table(failed) if failed.is_file() else failure_table()
        speed = json.loads(run.read_text())["images_per_second"] if run.is_file() else float("nan")
        return table["id"].to_pylist(), vectors, failures, speed

    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt."""
        path = self._folder(name) / "state.npz"
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""
        folder = self._folder(name)
        folder.mkdir(exist_ok=True)
        aside = folder / "part.npz"
        np.savez(aside, allow_pickle=False, **state)
        aside.replace(folder / "state.npz")

    def _folder(self, name: str) -> Path:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-48:].strip("-.")
        mark = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        return self.root / "encoders" / f"{plain}-{mark}"

    def _vectors(self, name: str) -> Any:
        return self._open(self._folder(name) / "vectors.lance")

    def _open(self, path: Path) -> Any:
        try:
            return lance.dataset(path)
        except (ValueError, OSError, RuntimeError) as error:
            raise StoreBroken(
                "a table of the store cannot be read",
                where=str(path),
                mend="remove the store, and embed again",
            ) from error


def _vectors(ids: Sequence[str], digests: Sequence[str], vectors: Floats) -> dict[str, pa.Array]:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return {
        "id": pa.array(ids, pa.string()),
        "digest": pa.array(digests, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "several texts"
    return "text" if pa.types.is_string(kind) else str(kind)


def _write_aside(path: Path, content: bytes) -> None:
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(content)
    aside.replace(path)
