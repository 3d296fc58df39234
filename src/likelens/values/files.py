"""Whole files or none, locks between processes, values that JSON can write, library versions."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadTable, CannotWrite, InUse

fcntl: Any = None if sys.platform == "win32" else import_module("fcntl")
"""Locks; without them, leftover files stay and two processes may write in one place."""

_PART = re.compile(r"\..+\.(\d+)-[0-9a-f]{8,}\.part")
"""The names of unfinished files, with the process that writes them; also those of version 0.1."""

LOCK = ".likelens.lock"
"""The file that a process holds while it alone may write in a folder."""

_writing: set[Path] = set()
"""The unfinished files of this process."""

_NEW = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)

_WRONG_PLACE = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL)

_HINTS = {
    errno.ENOSPC: "free some space, or use a folder on another disk",
    errno.EDQUOT: "your disk quota is used up: delete files, or use a folder on another disk",
    errno.EROFS: "the file system is read-only: use a folder on another one",
    errno.EFBIG: "use another file system, or raise the limit of the file size (ulimit -f)",
    errno.EIO: "check the disk or the network share, then run the command again",
    errno.ESTALE: "check the network share, then run the command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system has too many open files",
    errno.ENOMEM: "close other programs, or use a machine with more memory",
    errno.EACCES: "check the permissions of the file and of its folders",
    errno.EPERM: "check the permissions of the file and of its folders",
    errno.ELOOP: "a symbolic link leads to itself: give another path",
    errno.ENAMETOOLONG: "give a shorter name",
}
_FULL = re.compile(r"no space left|disk is full|os error 28\b", re.IGNORECASE)


def write_aside(path: Path, write: Callable[[Path], object], *, sweep: bool = True) -> None:
    """Write a file under a temporary name in the same folder, then rename it.

    Other programs see the old file or the whole new one.

    Args:
        path: the file; its folder is made if it does not exist.
        write: gets the path of the temporary file, which exists and is empty.
        sweep: whether to remove the unfinished files of killed runs from the folder first.

    Raises:
        BadTable: there is a folder in its place, or the name cannot be used.
        CannotWrite: the system refuses: a full disk, no permission, a read-only disk.
    """
    write_together({path: write}, sweep=sweep)


def write_together(files: Mapping[Path, Callable[[Path], object]], *, sweep: bool = True) -> None:
    """Write files that belong together, like ``write_aside``.

    None is renamed before all are written, and two processes that write the same files do
    not mix them.
    """
    folders = {path.parent: None for path in files}
    for folder in folders:
        make_folder(folder)
        if sweep:
            remove_leftovers(folder)
    for path in files:
        with written_plainly(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with ExitStack() as held:
        parts: dict[Path, Path] = {}
        for path, write in files.items():
            with written_plainly(path):
                parts[path] = held.enter_context(_part(path))
                write(parts[path])
        if len(files) > 1:
            held.enter_context(locked(next(iter(folders)) / LOCK, wait=True))
        for path, part in parts.items():
            with written_plainly(path):
                part.replace(path)


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """A new, empty, locked file beside a path, with the permissions of the file that it replaces.

    The lock tells others that it is in use. Its name cannot be guessed, and no link is followed.
    """
    while True:
        name = f".{path.name[:40]}.{os.getpid()}-{secrets.token_hex(12)}.part"
        part = path.with_name(name)
        opened = os.open(part, _NEW | os.O_EXCL, 0o666)
        try:
            if not _lock(opened, wait=True) or _is_at(opened, part):
                break
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)  # removed by another process before it was locked
    _writing.add(part)
    try:
        if path.is_file() and hasattr(os, "fchmod"):
            os.fchmod(opened, stat.S_IMODE(path.stat().st_mode) & 0o777)
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(opened)
        _writing.discard(part)


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files in a folder that no process is writing any more."""
    if fcntl is None:
        return
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return
    for match in filter(None, map(_PART.fullmatch, names)):
        part, process = folder / match[0], int(match[1])
        if part in _writing or (process != os.getpid() and _runs(process)):
            continue
        try:
            opened = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            if stat.S_ISREG(os.fstat(opened).st_mode) and _lock(opened, wait=False):
                part.unlink(missing_ok=True)
        except OSError:  # in use, or not ours
            continue
        finally:
            os.close(opened)


@contextmanager
def locked(path: Path, *, what: str = "", wait: bool = False) -> Iterator[None]:
    """Holds a lock file, so that one process at a time works in a place; removed at the end.

    The system releases the lock of a process that is killed.

    Args:
        path: the lock file.
        what: the message for a place that another process holds.
        wait: wait until the other process is done.

    Raises:
        InUse: another process holds it.
        CannotWrite: the file cannot be made.
    """
    if fcntl is None:
        yield
        return
    with written_plainly(path):
        while True:
            opened = os.open(path, _NEW, 0o666)
            try:
                held = _lock(opened, wait=wait)
                current = not held or _is_at(opened, path)
            except BlockingIOError:
                os.close(opened)
                hint = "wait until it ends, or give another folder"
                raise InUse(what, where=str(path.parent), hint=hint) from None
            except BaseException:
                os.close(opened)
                raise
            if current:
                break
            os.close(opened)  # its last holder has removed it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(opened)


def _lock(opened: int, *, wait: bool) -> bool:
    """Lock an open file; False where the file system has no locks.

    Raises:
        BlockingIOError: another process holds the lock, and is not waited for.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        raise
    return True


def _runs(process: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


def _is_at(opened: int, path: Path) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(opened), path.lstat())
    except FileNotFoundError:
        return False


def make_folder(folder: Path) -> None:
    """Make a folder, which may exist.

    Raises:
        BadTable: there is a file in its place, or the name cannot be used.
        CannotWrite: the system refuses.
    """
    with written_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def written_plainly(path: Path) -> Iterator[None]:
    """Turns a system's refusal to write into one sentence.

    Raises:
        BadTable: there is a folder where a file should be, or the reverse.
        CannotWrite: the system refuses.
    """
    try:
        yield
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> BadTable:
    """The error for a file that cannot be written."""
    reason = " ".join(str(error.strerror or error).split())
    if error.errno in _WRONG_PLACE or isinstance(error, IsADirectoryError | NotADirectoryError):
        return _wrong_place(path, reason)
    if error.errno is None and _FULL.search(reason):  # as Rust's and C++ libraries put it
        hint = _HINTS[errno.ENOSPC]
    else:
        hint = system_hint(error) or "use a folder that you may write to"
    return CannotWrite(f"this cannot be written: {reason}", where=str(path), hint=hint)


def _wrong_place(path: Path, reason: str) -> BadTable:
    long = "File name too long" in reason
    return BadTable(
        f"this cannot be written: {reason}",
        where=str(path)[:300],
        hint=_HINTS[errno.ENAMETOOLONG]
        if long
        else "give another name: there is a folder where a file should be, or the reverse",
    )


def system_hint(error: OSError) -> str:
    """What helps against a refusal of the system; "" if that is not known."""
    return _HINTS.get(error.errno or 0, "")


def plain(value: Any) -> Any:
    """The same for JSON: Python numbers, None for what is not finite, text for all else.

    Example:
        >>> plain({"a": np.float32("nan"), "b": (np.int64(1), Path("x"))})
        {'a': None, 'b': [1, 'x']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def installed(library: str) -> str | None:
    """The version of a library, or None where it is not installed under that name."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def cache_folder() -> Path:
    """Where likelens keeps what it can make again: $LIKELENS_CACHE, or the user's cache folder."""
    if os.environ.get("LIKELENS_CACHE"):
        return Path(os.environ["LIKELENS_CACHE"]).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "likelens"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "likelens" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "likelens"
    return Path.home() / ".cache" / "likelens"
