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
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..values.arrays import Array, Floats
from ..values.embeddings import Embeddings, EncoderCard, failure_table
from ..values.errors import LikelensError, LikelensWarning, StoreBroken
from ..values.files import make_folder, write_aside
from .base import Kept, Store, no_items

os.environ.setdefault("LANCE_LOG", "error")  # it warns of every table that it makes

import lance

FORMAT = 1

ITEMS_MEND = (
    "check the permissions and the disk; else remove this folder alone, and embed again: "
    "the vectors are kept"
)
"""How a damaged table of items is mended."""

_DAMAGE = (ValueError, KeyError, TypeError, OSError, RuntimeError, pa.ArrowException)
"""What a damaged file makes others raise; Lance's own library may panic on one as well."""

PIECE_BYTES = 4 * 2**20
"""Items that are written to one file: what Lance needs to write them is a multiple of that."""

FRAGMENT_BYTES = 2 * 2**20
"""Vectors that fragments are joined up to: joining needs a few times that, however many."""


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
        # A lock or a hidden file is what a run leaves that was killed while it made the store.
        if root.exists() and (
            not root.is_dir()
            or any(p.name != "lock" and not p.name.startswith(".") for p in root.iterdir())
        ):
            raise StoreBroken(
                "this is no likelens store, and not empty",
                where=self.place,
                hint="give the --store of an earlier run, or a new folder",
            )
        if not create:
            raise StoreBroken(
                "there is no store here",
                where=self.place,
                hint="make one: likelens embed SOURCE -e SPEC --store STORE",
            )
        text = json.dumps({"format": FORMAT})
        write_aside(mark, lambda path: path.write_text(text))

    def _check_format(self, mark: Path) -> None:
        with _damage(mark):
            found = json.loads(mark.read_text())["format"]
        if found != FORMAT:
            raise StoreBroken(
                f"the store has format {found}, this version reads {FORMAT}",
                where=self.place,
                hint="use the version that made it, or make a new store",
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Held while writing; refuses a second writer."""
        import fcntl

        with ExitStack() as held:
            with _damage(self.root / "lock"):
                lock = held.enter_context((self.root / "lock").open("w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBroken(
                    "another run is writing to this store",
                    where=self.place,
                    hint="wait until it ends, or give another --store",
                ) from None
            yield

    def items(self) -> pa.Table:
        """A row per item."""
        place = self.root / "items.lance"
        if not (place / "_versions").is_dir():
            return no_items()  # also where a first write was cut off
        return _read(place, ITEMS_MEND)

    def put_items(self, items: pa.Table) -> None:
        """Replace the table, where it differs from what is kept."""
        if self.items().equals(items):
            return
        place = self.root / "items.lance"
        rows = max(PIECE_BYTES * len(items) // max(items.nbytes, 1), 1)
        with _damage(place, ITEMS_MEND):
            dataset = lance.write_dataset(items, place, mode="overwrite", max_rows_per_file=rows)
            dataset.cleanup_old_versions(datetime.timedelta(0), delete_unverified=True)

    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here; one whose card is damaged is passed over."""
        found = sorted(
            (self.root / "encoders").glob("*/card.json"),
            key=lambda path: (path.stat().st_mtime_ns, path),
        )
        cards = []
        for path in found:
            try:
                cards.append(_card(path))
            except StoreBroken as error:
                text = f"an encoder is passed over: {error.what} ({path})"
                warnings.warn(text, LikelensWarning, stacklevel=1)  # said once, whoever asks
        return cards

    def find(self, card: EncoderCard) -> str | None:
        """The name under which an encoder's vectors are kept, or None.

        Raises:
            FingerprintMismatch: the name is there, but stands for other vectors.
            StoreBroken: its card is damaged.
        """
        self._check_card(card.name)
        return super().find(card)

    def embeddings(self, name: str, ids: Sequence[str]) -> Embeddings:
        """The vectors of those items that have one of their present picture, in that order.

        Raises:
            BadSpec: the store has no such encoder; says which it has.
            StoreBroken: its card or its vectors are damaged.
        """
        self._check_card(name)
        return super().embeddings(name, ids)

    def _check_card(self, name: str) -> None:
        """Refuse an encoder whose card is there and cannot be read."""
        path = self._folder(name) / "card.json"
        if path.is_file():
            _card(path, _anew(name))

    def create(self, card: EncoderCard) -> None:
        """Make room for an encoder."""
        folder = self._folder(card.name)
        make_folder(folder)
        (folder / "card.json").unlink(missing_ok=True)
        for name in ("run.json", "failures.parquet"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "vectors.lance", ignore_errors=True)
        lance.write_dataset(
            pa.table(_vectors([], [], np.zeros((0, card.dim), np.float32))),
            folder / "vectors.lance",
        )
        write_aside(folder / "card.json", lambda path: path.write_text(card.to_json()))

    def known(self, name: str) -> pa.Table:
        """The items that have a vector, and the file behind each."""
        return self._table(name, ["id", "digest"])

    def append(
        self, name: str, ids: Sequence[str], digests: Sequence[str], vectors: Floats
    ) -> None:
        """Keep some more vectors."""
        place = self._folder(name) / "vectors.lance"
        with _damage(place, _anew(name)):
            lance.write_dataset(pa.table(_vectors(ids, digests, vectors)), place, mode="append")

    def forget(self, name: str, ids: Sequence[str]) -> None:
        """Remove the vectors of some items."""
        dataset = self._vectors(name)
        for start in range(0, len(ids), 1000):
            texts = ", ".join(
                "'" + item.replace("'", "''") + "'" for item in ids[start : start + 1000]
            )
            with _damage(self._folder(name), _anew(name)):
                dataset.delete(f"id IN ({texts})")

    def finish(self, name: str, failures: pa.Table, images_per_second: float | None) -> None:
        """End a run."""
        folder = self._folder(name)
        write_aside(folder / "failures.parquet", lambda path: pq.write_table(failures, path))
        if images_per_second is not None:
            text = json.dumps({"images_per_second": images_per_second})
            write_aside(folder / "run.json", lambda path: path.write_text(text))
        dataset = self._vectors(name)
        if len(dataset.get_fragments()) > 1 or len(dataset.versions()) > 1:
            width = dataset.schema.field("vector").type.list_size
            rows = max(FRAGMENT_BYTES // (4 * max(width, 1)), 1)
            dataset.optimize.compact_files(
                target_rows_per_fragment=rows, batch_size=128, num_threads=1
            )
            dataset.cleanup_old_versions(datetime.timedelta(0))

    def read(self, name: str) -> Kept:
        """All that is kept of an encoder's run."""
        folder = self._folder(name)
        table = self._table(name, ["id", "digest", "vector"])
        column = table["vector"].combine_chunks()
        values = column.flatten().to_numpy() if len(table) else np.zeros(0, np.float32)
        vectors = values.reshape(len(table), table.schema.field("vector").type.list_size)
        failed, run = folder / "failures.parquet", folder / "run.json"
        with _damage(folder, _anew(name)):
            failures = pq.read_table(failed) if failed.is_file() else failure_table()
            said = json.loads(run.read_text()) if run.is_file() else {}
            speed = float(said.get("images_per_second", "nan"))
        return Kept(table["id"].to_pylist(), table["digest"].to_pylist(), vectors, failures, speed)

    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt."""
        path = self._folder(name) / "state.npz"
        if not path.is_file():
            return None
        with _damage(path, _anew(name)), np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **state)

        write_aside(self._folder(name) / "state.npz", write)

    def _folder(self, name: str) -> Path:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-48:].strip("-.")
        mark = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        return self.root / "encoders" / f"{plain}-{mark}"

    def _vectors(self, name: str) -> Any:
        place = self._folder(name) / "vectors.lance"
        with _damage(place, _anew(name)):
            return lance.dataset(place)

    def _table(self, name: str, columns: list[str]) -> pa.Table:
        """Some columns of an encoder's vectors."""
        return _read(self._folder(name) / "vectors.lance", _anew(name), columns)


def _read(place: Path, hint: str, columns: list[str] | None = None) -> pa.Table:
    """A table, or some columns of it."""
    try:
        with _damage(place, hint):
            return lance.dataset(place).to_table(columns=columns)
    except StoreBroken:
        # A run that ended meanwhile has compacted the files that were about to be read.
        with _damage(place, hint):
            return lance.dataset(place).to_table(columns=columns)


def _card(path: Path, hint: str | None = None) -> EncoderCard:
    with _damage(path, hint):
        return EncoderCard.from_json(path.read_text())


def _anew(name: str) -> str:
    """How an encoder's damaged part is mended; the others are left as they are."""
    return (
        "check the permissions and the disk; else make this encoder's vectors anew: "
        f"likelens embed SOURCE --store STORE --overwrite -e '{name}'"
    )


@contextmanager
def _damage(place: Path, hint: str | None = None) -> Iterator[None]:
    """Turns what a damaged file makes others raise into one sentence."""
    try:
        yield
    except LikelensError:
        raise
    except BaseException as error:
        if not isinstance(error, _DAMAGE) and type(error).__name__ != "PanicException":
            raise
        reason = re.split(r",? /", " ".join(str(error).split()))[0][:120]
        raise StoreBroken(
            f"a part of the store cannot be read or written: {reason}",
            where=str(place),
            hint=hint or "check the permissions and the disk; else give another --store",
        ) from error


def _vectors(ids: Sequence[str], digests: Sequence[str], vectors: Floats) -> dict[str, pa.Array]:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return {
        "id": pa.array(ids, pa.string()),
        "digest": pa.array(digests, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
