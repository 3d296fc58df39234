"""Checksums of the files in a folder, so that damage is found before a wrong answer.

    sums    one line for each file: checksum of the line, checksum, size, name

Lines are only added, after a file was written; of a file that is replaced, the line of the new
content is added before. So a run that is killed leaves files without a line, which are accepted
and get theirs from the next writer, but never a line that is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xxhash

SUMS = "sums"
PASSED_OVER = ("lock", "latest_version_hint.json")
"""Files that decide nothing: a lock, and a hint of Lance that the versions are held against."""

_THREADS = 4
_BUFFER = 1 << 18  # small enough to stay in the processor's cache
_TRIES = 3  # a file may be replaced, and its old checksum forgotten, between two looks


class Damaged(ValueError):
    """A file is not what was written."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path.name} {what}")
        self.path, self.what = path, what


class Sums:
    """The checksums of a folder's files, of those in its subfolders too.

    Args:
        folder: the folder; it need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[int, ...]] = {}  # files that were found whole, by their stat
        self._read: tuple[tuple[int, ...], dict[str, set[str]]] = ((), {})

    def listed(self) -> dict[str, set[str]]:
        """What each file may hold, by its name: more than one content where it is replaced."""
        place = self.folder / SUMS
        try:
            about = _stat(place)
            if about == self._read[0]:
                return self._read[1]
            lines = place.read_bytes().split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        found = _parsed(lines, {})
        self._read = about, found
        return found

    def damaged_lines(self) -> int:
        """Lines that are not as they were written; the last may have been cut off by a kill."""
        place = self.folder / SUMS
        lines = place.read_bytes().split(b"\n")[:-1] if place.is_file() else []
        return sum(line.partition(b" ")[0] != _line_mark(line.partition(b" ")[2]) for line in lines)

    def check(self, names: Iterable[str]) -> None:
        """Compare files with their checksums, each once as long as it does not change.

        Raises:
            Damaged: one of them is not what was written.
            FileNotFoundError: one of them is not there.
        """
        listed = self.listed()
        fresh = [name for name in names if name in listed and not self._known(name)]
        if not fresh:
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            for name, whole in zip(fresh, pool.map(self._whole, fresh), strict=True):
                if not whole:
                    raise Damaged(self.folder / name, "does not have the content that was written")

    def _known(self, name: str) -> bool:
        return self._seen.get(name) == _stat(self.folder / name)

    def _whole(self, name: str) -> bool:
        for _ in range(_TRIES):
            about = _stat(self.folder / name)
            content = content_of(self.folder / name)
            if content in self.listed().get(name, (content,)):
                self._seen[name] = about
                return True
        return False

    def check_all(self) -> list[Damaged]:
        """Every file that is missing or damaged."""
        self._seen.clear()
        found = []
        for name in sorted(self.listed()):
            try:
                self.check([name])
            except Damaged as error:
                found.append(error)
            except OSError as error:
                found.append(Damaged(self.folder / name, f"cannot be read: {error.strerror}"))
        lines = self.damaged_lines()
        if lines:
            what = f"has {lines:,} damaged lines; the files that they are of are not checked"
            found.append(Damaged(self.folder / SUMS, what))
        return found

    def unlisted(self) -> list[str]:
        """Files that have no checksum."""
        listed = self.listed()
        return [name for name in self._files() if name not in listed]

    def add(self, name: str, content: bytes) -> None:
        """Take up what a file is about to be replaced by."""
        self._append([_line(name, content_of(content))])

    def record(self) -> None:
        """Take up every file that has no checksum yet."""
        new = self.unlisted()
        lines = []
        for name in new:
            about = _stat(self.folder / name)
            lines.append(_line(name, content_of(self.folder / name)))
            self._seen[name] = about
        self._append(lines)

    def _append(self, lines: list[bytes]) -> None:
        if not lines:
            return
        place, known = self.folder / SUMS, self.listed()
        start = b"\n" if place.is_file() and place.read_bytes()[-1:] not in (b"", b"\n") else b""
        with place.open("ab") as file:
            file.write(start + b"".join(lines))
        self._read = _stat(place), _parsed(lines, {**known})  # else all of it is read every time

    def tidy(self) -> bytes:
        """The lines of the files that are there, as they are now."""
        listed, lines = self.listed(), []
        for name in self._files():
            contents = listed.get(name, set())
            if len(contents) > 1:
                now = content_of(self.folder / name)
                contents = contents & {now} or contents
            lines += [_line(name, content) for content in sorted(contents)]
        return b"".join(lines)

    def _files(self) -> list[str]:
        """Names of all files in the folder, with ``/`` between their parts."""
        found = []
        for folder, _, names in os.walk(self.folder):
            below = os.path.relpath(folder, self.folder).replace(os.sep, "/")
            start = "" if below == "." else f"{below}/"
            found += [
                start + name
                for name in names
                if name not in (SUMS, *PASSED_OVER) and not name.startswith(".")
            ]
        return sorted(found)


def _parsed(lines: Iterable[bytes], found: dict[str, set[str]]) -> dict[str, set[str]]:
    """What lines list, added to what is known; a line that is damaged or cut off says nothing."""
    for line in lines:
        mark, _, rest = line.rstrip(b"\n").partition(b" ")
        if mark == _line_mark(rest):
            content, _, name = os.fsdecode(rest).partition("\t")
            found.setdefault(name, set()).add(content)
    return found


def content_of(data: bytes | Path) -> str:
    """Checksum and size of a content, or of what a file holds."""
    if isinstance(data, bytes):
        return f"{xxhash.xxh3_128_hexdigest(data)} {len(data)}"
    found, size, buffer = xxhash.xxh3_128(), 0, memoryview(bytearray(_BUFFER))
    with data.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            found.update(buffer[:count])
            size += count
    return f"{found.hexdigest()} {size}"


def _line(name: str, content: str) -> bytes:
    rest = os.fsencode(f"{content}\t{name}")
    return _line_mark(rest) + b" " + rest + b"\n"


def _line_mark(rest: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(rest).encode()


def _stat(path: Path) -> tuple[int, ...]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns, about.st_ino
