"""The text that names an index and its options: ``hnsw(m=16, ef=64)``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..values.errors import BadSpec

FORM = "write kind or kind(option=value, option=value)"


class Options:
    """The options of one index, as text; read by name, then checked for strangers.

    Attributes:
        kind: name of the kind.
        given: text values by name.

    Example:
        >>> options = Options.parse("hnsw(m=8, ef = 32)")
        >>> options.kind, options.whole("m", 16), str(options)
        ('hnsw', 8, 'hnsw(m=8, ef=32)')
    """

    def __init__(self, kind: str, given: dict[str, str]) -> None:
        self.kind, self.given = kind, dict(given)
        self.known: list[str] = []

    @classmethod
    def parse(cls, spec: str, kinds: Iterable[str] = ()) -> Options:
        """Read the name of an index.

        Raises:
            BadSpec: the text is not of that form, or names an option twice.
        """
        pattern = r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*"
        form = re.fullmatch(pattern, spec) if isinstance(spec, str) else None
        if form is None:
            raise BadSpec(
                f"{repr(spec)[:80]} is not the name of an index",
                where="index",
                hint=f"{FORM}; kinds are: {', '.join(kinds)}",
            )
        given: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in (form[2] or "").split(","))):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not name or not value:
                raise BadSpec(f"{part!r} is not an option", where=spec, hint=FORM)
            if name in given:
                raise BadSpec(f"option {name!r} is given twice", where=spec, hint="give it once")
            given[name] = value
        return cls(form[1], given)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.given.items())
        return f"{self.kind}({inside})" if inside else self.kind

    def replaced(self, **options: object) -> Options:
        """The same with other values for some options."""
        return Options(
            self.kind, self.given | {name: str(value) for name, value in options.items()}
        )

    def whole(
        self, name: str, default: int, *, low: int = 1, high: int = 1_000_000, step: int = 1
    ) -> int:
        """An option that is a whole number, or its default.

        Raises:
            BadSpec: it is no whole number from low to high, or no multiple of step.
        """
        self.known.append(name)
        if name not in self.given:
            return default
        text = self.given[name]
        if re.fullmatch(r"\d{1,9}", text) and low <= int(text) <= high and not int(text) % step:
            return int(text)
        multiple = f" and a multiple of {step}" if step > 1 else ""
        wanted = f"a whole number from {low} to {high:,}{multiple}"
        raise BadSpec(
            f"option {name}={text} is not {wanted}", where=str(self), hint=f"give {wanted}"
        )

    def word(self, name: str, choices: tuple[str, ...]) -> str:
        """An option that is one of some words; the first is its default.

        Raises:
            BadSpec: it is none of them.
        """
        self.known.append(name)
        text = self.given.get(name, choices[0])
        if text not in choices:
            raise BadSpec(
                f"option {name}={text} is not one of {', '.join(choices)}",
                where=str(self),
                hint=f"give one of {', '.join(choices)}",
            )
        return text

    def check(self) -> None:
        """Refuse options that nobody read.

        Raises:
            BadSpec: an unknown option; the message lists the known ones.
        """
        for name in self.given:
            if name not in self.known:
                raise BadSpec(
                    f"{self.kind} has no option {name!r}",
                    where=str(self),
                    hint=f"its options are: {', '.join(self.known)}",
                )
