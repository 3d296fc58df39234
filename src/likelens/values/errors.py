"""Every error that likelens raises on purpose.

LikelensError
├── BadSpec              an encoder, index or metric is named wrongly      (ValueError)
│   └── EncoderFailed    an encoder's file is missing or damaged, or does not run
├── BadShape             an array has the wrong shape, type or values      (ValueError)
├── BadTable             a catalogue, table or its options do not fit      (ValueError)
│   ├── CannotWrite      the system refuses to write: a full disk, say
│   └── InUse            another process works in the same place
├── BadImage             an image cannot be read                           (ValueError)
│   └── OutOfMemory      there is too little memory for it
├── BadQuery             a filter, region or search cannot be understood   (ValueError)
├── FingerprintMismatch  vectors of two encoders would be mixed            (ValueError)
├── MissingExtra         an optional library is not installed              (ImportError)
├── NoWeights            an encoder's weights cannot be had                (RuntimeError)
├── NotFetched           an address gives no picture, a service no answer  (RuntimeError)
├── StoreBroken          a store is damaged, or is none                    (RuntimeError)
└── IndexBroken          a saved index is damaged, or is none              (RuntimeError)
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import overload


class LikelensError(Exception):
    """What went wrong, where, and how to fix it.

    Args:
        what: one sentence, no full stop.
        where: the file, option, spec or argument concerned.
        hint: what the reader can do about it.
    """

    wrong_use = False
    """Whether the command line exits with 2 (wrong use) rather than 1 (failed)."""

    @overload
    def __init__(self, what: str, *, where: str, hint: str) -> None: ...

    @overload
    def __init__(self, what: str, *, where: str, mend: str) -> None: ...

    def __init__(
        self, what: str, *, where: str, hint: str | None = None, mend: str | None = None
    ) -> None:
        hint = mend if hint is None else hint  # mend: its name before 0.2
        if hint is None:
            raise TypeError("an error needs a hint")
        super().__init__(f"{what}\n  where: {where}\n  hint:  {hint}")
        self.what, self.where, self.hint = what, where, hint

    @property
    def mend(self) -> str:
        """The hint, under its name before 0.2."""
        return self.hint


class BadSpec(LikelensError, ValueError):
    """An encoder, index or metric is named wrongly."""

    wrong_use = True


class EncoderFailed(BadSpec):
    """An encoder's file is missing or damaged, or its network does not run."""


class BadShape(LikelensError, ValueError):
    """An array has the wrong shape, type or values."""


class BadTable(LikelensError, ValueError):
    """A catalogue, table or its options do not fit together."""

    wrong_use = True


class CannotWrite(BadTable):
    """The system refuses to write a file: a full or read-only disk, a quota, no permission."""

    wrong_use = False


class InUse(BadTable):
    """Another process works in the same place."""

    wrong_use = False


class BadImage(LikelensError, ValueError):
    """An image cannot be read."""


class OutOfMemory(BadImage):
    """There is too little memory to read or decode an image, which may be whole."""


class BadQuery(LikelensError, ValueError):
    """A filter, region or search cannot be understood."""

    wrong_use = True


class FingerprintMismatch(LikelensError, ValueError):
    """Vectors of two encoders would be mixed."""


class MissingExtra(LikelensError, ImportError):
    """An optional library is not installed."""


class NoWeights(LikelensError, RuntimeError):
    """An encoder's weights cannot be had: no network, no space, a damaged file."""


class NotFetched(LikelensError, RuntimeError):
    """An address gives no image, or a service no answer."""


class StoreBroken(LikelensError, RuntimeError):
    """A store is damaged, or is none."""


class IndexBroken(LikelensError, RuntimeError):
    """A saved index is damaged, or is none; it can be built again from its vectors."""


class LikelensWarning(UserWarning):
    """Something that the user should know, though the run goes on."""


def of_encoder(error: LikelensError) -> bool:
    """Whether an error concerns one encoder, so that others can go on without it."""
    return not isinstance(error, FingerprintMismatch | StoreBroken | IndexBroken)


def in_short(error: Exception) -> str:
    """What went wrong in a library, in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def first_few(things: Iterable[object], limit: int = 3) -> str:
    """The first few of many, for a message: ``a, b, c and 9 more``; long ones are cut."""
    names = [str(thing) for thing in things]
    shown = ", ".join(name if len(name) <= 200 else f"{name[:200]}…" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def plural(count: int, thing: str, several: str = "") -> str:
    """How many of a thing.

    Example:
        >>> plural(1, "query"), plural(1200, "query", "queries")
        ('1 query', '1,200 queries')
    """
    return f"{count:,} {thing if count == 1 else several or thing + 's'}"


def nearest(name: str, names: Iterable[str]) -> str:
    """The three known names most like a misspelt one, for a message: ``did you mean a, b or c?``.

    Empty if none is at all like it.
    """
    found = get_close_matches(name, names, 3, 0.5)
    return f"did you mean {' or '.join(found)}?" if found else ""
