"""Lance tables whose files carry checksums."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ..values.errors import LikelensError, StoreBroken
from .sums import Damaged, Sums

os.environ.setdefault("LANCE_LOG", "error")  # it warns of every table that it makes

import lance

T = TypeVar("T")

TRIES = 3
"""How often a table is opened: a run that ends meanwhile replaces its files."""

_DAMAGE = (ValueError, KeyError, TypeError, OSError, RuntimeError, pa.ArrowException)
"""What a damaged file makes others raise; Lance's own library may panic on one as well."""


class Table:
    """One Lance table.

    Args:
        place: its folder.
        sums: the checksums of its files, which may be those of a folder above it.
        hint: how damage is repaired.
    """

    def __init__(self, place: Path, sums: Sums, hint: str) -> None:
        self.place, self.sums, self.hint = place, sums, hint
        below = os.path.relpath(place, sums.folder).replace(os.sep, "/")
        self._start = "" if below == "." else f"{below}/"

    def exists(self) -> bool:
        """Whether it was made, or should be there; a first write that was cut off made none."""
        versions = f"{self._start}_versions/"
        return (self.place / "_versions").is_dir() or any(
            name.startswith(versions) for name in self.sums.listed()
        )

    def read(self, use: Callable[[Any], T]) -> T:
        """What is read of the dataset, whose files are as they were written.

        Raises:
            StoreBroken: a file is damaged or missing.
        """
        for _ in range(TRIES - 1):
            try:
                return self._read(use)
            except StoreBroken:  # a run that ended meanwhile may have replaced the files
                continue
        return self._read(use)

    def _read(self, use: Callable[[Any], T]) -> T:
        with damage(self.place, self.hint):
            newest = max((_version(n) for n in self._listed_manifests()), default=0)
            self.sums.check(self._manifests())
            dataset = lance.dataset(self.place)
            if dataset.version < newest:
                raise Damaged(self.place / "_versions", "lacks the file of its last version")
            self.sums.check(self._files(dataset))
            return use(dataset)

    def _listed_manifests(self) -> list[str]:
        start = f"{self._start}_versions/"
        return [name for name in self.sums.listed() if name.startswith(start)]

    def _manifests(self) -> list[str]:
        return [
            f"{self._start}_versions/{path.name}"
            for path in (self.place / "_versions").glob("*.manifest")
        ]

    def _files(self, dataset: Any) -> list[str]:
        names = []
        for fragment in dataset.get_fragments():
            names += [f"{self._start}data/{file.path}" for file in fragment.data_files()]
            if fragment.deletion_file():
                names.append(self._start + fragment.deletion_file())
        return names

    def write(self, table: pa.Table, mode: str, **more: Any) -> None:
        """Write rows: all of them or, if interrupted, none."""
        with damage(self.place, self.hint):
            lance.write_dataset(table, self.place, mode=mode, **more)
            self.sums.record()

    def change(self, change: Callable[[Any], object]) -> None:
        """Have the dataset changed."""
        with damage(self.place, self.hint):
            change(lance.dataset(self.place))
            self.sums.record()

    def clean(self) -> None:
        """Remove the files of versions before, and those of runs that were killed."""
        with damage(self.place, self.hint):
            dataset = lance.dataset(self.place)
            dataset.cleanup_old_versions(datetime.timedelta(0), delete_unverified=True)


def _version(manifest: str) -> int:
    """The version that a manifest is of, by its name."""
    number = int(manifest.rpartition("/")[2].partition(".")[0])
    return number if number < 2**63 else 2**64 - 1 - number


@contextmanager
def damage(place: Path, hint: str | None = None) -> Iterator[None]:
    """Turns what a damaged file, or a full disk, makes others raise into one sentence."""
    try:
        yield
    except LikelensError:
        raise
    except Damaged as error:
        raise StoreBroken(
            f"a part of the store is damaged: {error.path.name} {error.what}",
            where=str(error.path),
            hint=f"{hint or 'give another --store'}; `likelens store verify` lists all damage",
        ) from error
    except BaseException as error:
        if not isinstance(error, _DAMAGE) and type(error).__name__ != "PanicException":
            raise
        text = " ".join(str(error).split())
        if is_full(error):
            raise StoreBroken(
                "the disk is full",
                where=str(place),
                hint="free some space, then run this again: what was written before is kept",
            ) from error
        reason = re.split(r",? /", text)[0][:120]
        raise StoreBroken(
            f"a part of the store cannot be read or written: {reason}",
            where=str(place),
            hint=hint or "check the permissions and the disk; else give another --store",
        ) from error


_FULL = re.compile(r"no space left|disk quota|os error (28|122)\b", re.IGNORECASE)


def is_full(error: BaseException) -> bool:
    """Whether there is no space left; libraries below tell it in words only."""
    return _FULL.search(str(error)) is not None
