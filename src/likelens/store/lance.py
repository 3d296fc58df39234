"""The embedded store: Lance tables and a few small files in a folder.

    store.json              says that this folder is a store
    items.lance             the catalogue that is served: items, attributes, files
    catalogues/NAME/        the items.lance and indexes of another catalogue, STORE#NAME
    encoders/NAME/card.json, run.json, vectors.lance, failures.parquet, state.npz

Vectors are kept by the digest of what they were made from. Lance commits each append as a
whole, so a killed run keeps every chunk that was acknowledged and nothing of the one that
was not. Of format 1 the vectors have a column with an id as well, which the next write drops.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
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
from ..values.errors import LikelensWarning, StoreBroken
from ..values.files import make_folder, remove_leftovers, write_aside
from ..values.paths import Paths
from .base import RELATIVE, Store, last_places, no_items
from .image_paths import relative_to_store, usable_paths
from .sums import SUMS, Damaged, Sums
from .tables import Table, damage
from .vector_rows import compact, delete_where, rows_at, vector_columns

FORMAT = 2

ITEMS_HINT = (
    "check the permissions and the disk; else remove the folder items.lance alone, and embed the "
    "catalogue again: the vectors are kept"
)
"""How a damaged table of items is repaired."""

PIECE_BYTES = 4 * 2**20
"""Items that are written to one file: what Lance needs to write them is a multiple of that."""


class LanceStore(Store):
    """A store in a folder.

    Args:
        root: the folder.
        name: of the catalogue in it; ``""`` for the main one.
        create: whether it may be a new one.

    Raises:
        StoreBroken: the folder is something else, or not there and not to be made.
    """

    def __init__(self, root: Path, name: str = "", *, create: bool) -> None:
        self.root, self.name = root, name
        self.place = f"{root}#{name}" if name else str(root)
        self.home = root / "catalogues" / name if name else root
        self._all_sums: dict[Path, Sums] = {}
        self._swept = False
        self._without_ids: set[str] = set()
        self._items = Table(
            self.home / "items.lance", self._sums(self.home / "items.lance"), ITEMS_HINT
        )
        mark = root / "store.json"
        self._format = self._read_format(mark) if mark.is_file() else 0
        if self._format:
            if not create and name and not self.home.is_dir():
                raise StoreBroken(
                    f"this store has no catalogue {name!r}",
                    where=self.place,
                    hint=f"make it: likelens embed SOURCE -e SPEC --store '{self.place}'; there "
                    f"are: {', '.join(filter(None, self.catalogues())) or 'none'}",
                )
            return
        # A lock or a hidden file is what a run leaves that was killed while it made the store.
        if root.exists() and (
            not root.is_dir()
            or any(
                p.name not in ("lock", "vectors.lock") and not p.name.startswith(".")
                for p in root.iterdir()
            )
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

    def _read_format(self, mark: Path) -> int:
        with damage(mark):
            found: int = json.loads(mark.read_text())["format"]
        if found not in range(1, FORMAT + 1):
            raise StoreBroken(
                f"the store has format {found}, this version reads 1 to {FORMAT}",
                where=self.place,
                hint="use the version that made it, or make a new store",
            )
        return found

    def _begin(self) -> None:
        """Make the folder, or bring the format up to date, before something is written."""
        if self._format != FORMAT or not (self.root / "store.json").is_file():
            text = json.dumps({"format": FORMAT})
            write_aside(self.root / "store.json", lambda path: path.write_text(text))
            self._format = FORMAT

    def _sums(self, folder: Path) -> Sums:
        return self._all_sums.setdefault(folder, Sums(folder))

    @contextmanager
    def _locked(self, name: str, *, wait: bool) -> Iterator[None]:
        import fcntl

        make_folder(self.root)
        with ExitStack() as held:
            try:
                lock = held.enter_context((self.root / name).open("a"))
            except OSError as error:
                raise StoreBroken(
                    f"the store cannot be written: {error.strerror}",
                    where=self.place,
                    hint="check the permissions, or give another --store; measuring writes only "
                    "the vectors that a store lacks",
                ) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise StoreBroken(
                    "another run is writing to this store",
                    where=self.place,
                    hint="wait until it ends, or give another --store",
                ) from None
            yield

    @contextmanager
    def writing(self, *, wait: bool = False) -> Iterator[None]:
        """Held while the items are changed; refuses a second writer, or waits for it."""
        with self._locked("lock", wait=wait):
            with self._adding():
                make_folder(self.home)
            for folder in (self.home / "items.lance", *self.home.glob("indexes/*")):
                remove_leftovers(folder)
            yield

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """Held for a moment, while vectors are written."""
        with self._locked("vectors.lock", wait=True):
            if not self._swept:
                self._sweep()
            self._begin()
            yield

    def _sweep(self) -> None:
        """Remove what runs left that were killed while they added vectors."""
        remove_leftovers(self.root)
        for folder in (self.root / "encoders").glob("*"):
            remove_leftovers(folder)
            if not any(self._has(folder, name) for name in ("card.json", "state.npz")):
                shutil.rmtree(folder, ignore_errors=True)
        self._swept = True

    def items(self) -> pa.Table:
        """A row per item."""
        if not self._items.exists():
            return no_items()
        return self._items.read(lambda dataset: dataset.to_table())

    def put_items(self, items: pa.Table) -> None:
        """Replace the table, where it differs from what is kept."""
        items = self._with_relative(items)
        if self._items.exists() and self.items().equals(items):
            return
        rows = max(PIECE_BYTES * len(items) // max(items.nbytes, 1), 1)
        self._items.write(items, "overwrite", max_rows_per_file=rows)
        self._items.clean()
        self._tidy(self._items.sums)

    def _with_relative(self, items: pa.Table) -> pa.Table:
        """With the paths as seen from this folder, where they are not known."""
        here = relative_to_store(items["_path"], self.root)
        if RELATIVE not in items.column_names:
            return items.append_column(RELATIVE, here)
        known = items[RELATIVE].combine_chunks().fill_null("")
        given = pa.compute.if_else(pa.compute.equal(known, ""), here, known)
        return items.set_column(items.column_names.index(RELATIVE), RELATIVE, given)

    def image_paths(self, items: pa.Table) -> Paths:
        """Where the images of some items are."""
        return usable_paths(items, self.root, "_path", RELATIVE, "_size")

    def catalogues(self) -> list[str]:
        """The names of the catalogues that share these vectors."""
        found = sorted(path.parent.name for path in self.root.glob("catalogues/*/items.lance"))
        return ["", *found]

    def used_digests(self) -> pa.ChunkedArray:
        """The digests of all items, of every catalogue."""
        every = [LanceStore(self.root, name, create=False) for name in self.catalogues()]
        return pa.chunked_array(
            [chunk for one in every for chunk in one.items()["_digest"].chunks], pa.string()
        )

    def version(self) -> str:
        """A short text that changes whenever items or vectors do."""
        digest = hashlib.blake2b(digest_size=8)
        places = [self._items.place, *sorted(self.root.glob("encoders/*/vectors.lance"))]
        for place in places:
            for path in sorted((place / "_versions").glob("*.manifest")):
                about = path.stat()
                digest.update(f"{path}\0{about.st_mtime_ns}\0{about.st_size}\0".encode())
        return digest.hexdigest()

    def cards(self) -> list[EncoderCard]:
        """The encoders that have vectors here; one whose card is damaged is passed over."""
        found = sorted(
            (path for path in (self.root / "encoders").glob("*") if self._has(path, "card.json")),
            key=lambda path: (_time(path / "card.json"), path),
        )
        cards = []
        for path in found:
            try:
                cards.append(self._card(path))
            except StoreBroken as error:
                text = f"an encoder is passed over: {error.what} ({error.where})"
                warnings.warn(text, LikelensWarning, stacklevel=1)  # said once, whoever asks
        return cards

    def served_by(self) -> list[EncoderCard]:
        """The encoders that the items were embedded with."""
        return [card for card in self.cards() if self._has(self._folder(card.name), self._failed())]

    def _card(self, folder: Path, hint: str | None = None) -> EncoderCard:
        with damage(folder / "card.json", hint):
            card = EncoderCard.from_json(self._read_small(folder, "card.json").decode())
            if self._folder(self.key(card)).name != folder.name:  # folders that changed places
                raise Damaged(folder / "card.json", f"is that of another encoder, {card.name}")
            return card

    def _has(self, folder: Path, name: str) -> bool:
        """Whether a small file is there, or should be."""
        return (folder / name).is_file() or name in self._sums(folder).listed()

    def _read_small(self, folder: Path, name: str) -> bytes:
        self._sums(folder).check([name])
        return (folder / name).read_bytes()

    def _put_small(self, folder: Path, name: str, content: bytes) -> None:
        """Replace a small file: at any moment, it and its checksum belong together."""
        sums = self._sums(folder)
        with damage(folder):
            if (folder / name).exists():
                sums.add(name, content)
            write_aside(folder / name, lambda path: path.write_bytes(content))
            sums.record()

    def find(self, card: EncoderCard) -> str | None:
        """The name under which an encoder's vectors are kept, or None.

        Raises:
            FingerprintMismatch: the name is there, but stands for other vectors.
            StoreBroken: its card is damaged.
        """
        self._check_card(card.name)
        return super().find(card)

    def embeddings(self, name: str, ids: Sequence[str]) -> Embeddings:
        """The vectors of those items that have one of their image, in that order.

        Raises:
            BadSpec: the store has no such encoder; says which it has.
            StoreBroken: its card or its vectors are damaged.
        """
        self._check_card(name)
        return super().embeddings(name, ids)

    def _check_card(self, name: str) -> None:
        """Refuse an encoder whose card is there and cannot be read."""
        if self._has(self._folder(name), "card.json"):
            self._card(self._folder(name), _anew(name))

    def create(self, card: EncoderCard, *, overwrite: bool = False) -> str:
        """Make room for an encoder."""
        name = self.key(card)
        folder = self._folder(name)
        with self._adding():
            if not overwrite and self._has(folder, "card.json"):
                return name  # another run was quicker
            make_folder(folder)
            with damage(folder, _anew(name)):
                for part in ("card.json", SUMS, "run.json"):
                    (folder / part).unlink(missing_ok=True)
                for path in folder.glob("failures*.parquet"):
                    path.unlink()
                shutil.rmtree(folder / "vectors.lance", ignore_errors=True)
            empty = pa.table(vector_columns([], np.zeros((0, card.dim), np.float32)))
            self._vectors(name).write(empty, "create")
            self._put_small(folder, "card.json", card.to_json().encode())
        return name

    def known(self, name: str) -> pa.ChunkedArray:
        """The digests of which an encoder has vectors here."""
        return self._vectors(name).read(
            lambda dataset: dataset.to_table(columns=["digest"])["digest"]
        )

    def append(self, name: str, digests: Sequence[str], vectors: Floats) -> None:
        """Keep some more vectors."""
        table = self._vectors(name)
        with self._adding():
            if name not in self._without_ids:
                if "id" in table.read(lambda dataset: dataset.schema.names):  # of format 1
                    table.change(lambda dataset: dataset.drop_columns(["id"]))
                self._without_ids.add(name)
            table.write(pa.table(vector_columns(digests, vectors)), "append")

    def vectors(self, name: str, digests: pa.Array | pa.ChunkedArray) -> tuple[Array, Floats]:
        """The vectors of some contents."""

        def read(dataset: Any) -> tuple[Array, Floats]:
            places = last_places(digests, dataset.to_table(columns=["digest"])["digest"])
            found = places >= 0
            return found, rows_at(dataset, places[found])

        return self._vectors(name).read(read)

    def drop(self, name: str, digests: pa.Array) -> None:
        """Remove the vectors of some contents."""
        texts = digests.to_pylist()
        with self._adding():
            for start in range(0, len(texts), 1000):
                few = ", ".join(f"'{text}'" for text in texts[start : start + 1000])
                condition = f"digest IN ({few})"
                self._vectors(name).change(functools.partial(delete_where, condition))
        self.finish(name, None)

    def finish(self, name: str, images_per_second: float | None) -> None:
        """End a run."""
        folder, table = self._folder(name), self._vectors(name)
        with self._adding():
            if images_per_second is not None:
                text = json.dumps({"images_per_second": images_per_second})
                self._put_small(folder, "run.json", text.encode())
            if table.read(lambda data: len(data.get_fragments()) > 1 or len(data.versions()) > 1):
                table.change(compact)
                table.clean()
            self._tidy(table.sums)

    def _tidy(self, sums: Sums) -> None:
        """Forget the checksums of files that are gone."""
        with damage(sums.folder):
            lines = sums.tidy()
            write_aside(sums.folder / SUMS, lambda path: path.write_bytes(lines))

    def images_per_second(self, name: str) -> float:
        """The speed of the last run that measured it, or NaN."""
        folder = self._folder(name)
        if not self._has(folder, "run.json"):
            return float("nan")
        with damage(folder / "run.json", _anew(name)):
            return float(json.loads(self._read_small(folder, "run.json"))["images_per_second"])

    def failures(self, name: str) -> pa.Table:
        """Of the items' images, those that could not be embedded."""
        folder, file = self._folder(name), self._failed()
        if not self._has(folder, file):
            return failure_table()
        with damage(folder / file, _anew(name)):
            return pq.read_table(pa.BufferReader(self._read_small(folder, file)))

    def verify(self) -> list[dict[str, str]]:
        """Every file that is damaged."""
        parts = [(self._items.sums, ITEMS_HINT)]
        for name in self.catalogues():
            if name != self.name:
                place = (self.root / "catalogues" / name if name else self.root) / "items.lance"
                parts.append((self._sums(place), ITEMS_HINT))
        cards: list[tuple[Damaged, str]] = []
        for folder in sorted((self.root / "encoders").glob("*")):
            called = "SPEC"
            try:
                called = self._card(folder).name
            except StoreBroken as error:
                if isinstance(error.__cause__, Damaged):
                    cards.append((error.__cause__, _anew(called)))
            parts.append((self._sums(folder), _anew(called)))
        damaged = [(found, hint) for sums, hint in parts for found in sums.check_all()]
        known = {found.path for found, _hint in damaged}
        damaged += [(found, hint) for found, hint in cards if found.path not in known]
        return [
            {"file": str(found.path), "problem": found.what, "repair": hint}
            for found, hint in damaged
        ]

    def put_failures(self, name: str, failures: pa.Table) -> None:
        """Replace that table."""
        content = io.BytesIO()
        pq.write_table(failures, content)
        with self._adding():
            self._put_small(self._folder(name), self._failed(), content.getvalue())

    def _failed(self) -> str:
        return f"failures#{self.name}.parquet" if self.name else "failures.parquet"

    def state(self, name: str) -> dict[str, Array] | None:
        """What a fitted encoder has learnt."""
        folder = self._folder(name)
        if not self._has(folder, "state.npz"):
            return None
        with (
            damage(folder / "state.npz", _anew(name)),
            np.load(
                io.BytesIO(self._read_small(folder, "state.npz")), allow_pickle=False
            ) as arrays,
        ):
            return {key: arrays[key] for key in arrays.files}

    def put_state(self, name: str, state: dict[str, Array]) -> None:
        """Keep what a fitted encoder has learnt."""
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **state)
        with self._adding():
            make_folder(self._folder(name))
            self._put_small(self._folder(name), "state.npz", content.getvalue())

    def _folder(self, name: str) -> Path:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-48:].strip("-.")
        mark = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        return self.root / "encoders" / f"{plain}-{mark}"

    def _vectors(self, name: str) -> Table:
        folder = self._folder(name)
        return Table(folder / "vectors.lance", self._sums(folder), _anew(name))


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _anew(name: str) -> str:
    """How an encoder's damaged part is repaired; the others are left as they are."""
    return (
        "check the permissions and the disk; else make this encoder's vectors anew: "
        f"likelens embed SOURCE --store STORE --overwrite -e '{name}'"
    )
