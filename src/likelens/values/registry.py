"""A name once, and who makes it: loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import BadSpec, nearest


class Registry:
    """Names and the places of their makers (``module:attribute``), as text.

    Listing the names imports none of them.

    Args:
        kind: what is registered, for messages: ``encoder source``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._places: dict[str, str] = {}

    def add(self, name: str, place: str) -> None:
        """Register a maker.

        Raises:
            BadSpec: the name is taken.
        """
        if name in self._places:
            raise BadSpec(
                f"the {self.kind} {name!r} is registered twice",
                where=f"{self._places[name]} and {place}",
                hint="choose another name",
            )
        self._places[name] = place

    def names(self) -> list[str]:
        """All names, in order of registration."""
        return list(self._places)

    def load(self, name: str) -> Any:
        """The maker of that name.

        Raises:
            BadSpec: nothing has that name.
        """
        if name not in self._places:
            all_names = f"choose one of: {', '.join(self._places)}"
            raise BadSpec(
                f"there is no {self.kind} {name!r}",
                where=name,
                hint=f"{nearest(name, self._places)} {all_names}".strip(),
            )
        module, attribute = self._places[name].split(":")
        return getattr(import_module(module), attribute)
