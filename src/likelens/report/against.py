"""What changed between two reports, as names and texts."""

from __future__ import annotations

from typing import Any

from .._against import Against
from ..values.errors import first_few
from .tables import plain, worded


def against_facts(against: Against | None) -> tuple[tuple[str, str], ...]:
    """What changed apart from scores; nothing without an earlier report."""
    if against is None:
        return ()
    facts = [
        (name, f"{len(found):,}: {first_few(found)}")
        for name, found in (
            ("New encoders", against.new),
            ("Encoders no longer there", against.gone),
            ("Items added", against.added),
            ("Items removed", against.removed),
            ("Items with other tags", against.retagged),
        )
        if found
    ]
    for title, changed in (("", against.settings), ("Version of ", against.libraries)):
        facts += [
            (f"{title}{name if title else worded(name)}", f"{_told(old)} → {_told(new)}")
            for name, (old, new) in changed.items()
        ]
    facts += [("Note", note) for note in against.notes]
    return tuple(facts) or (("Items, settings and versions", "as before"),)


def _told(value: Any) -> str:
    return "not set" if value is None else plain(value)
