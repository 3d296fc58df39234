"""What a leaderboard says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .._leaderboard import Leaderboard
from ..values.errors import plural
from .formats import chance, listed, number
from .lines import Line, best_line
from .pairs import Pair, pair_of


@dataclass(frozen=True)
class Headline:
    """The finding.

    Attributes:
        title: in one line.
        sentences: what supports it.
        facts: what was compared: figures and what they count.
    """

    title: str
    sentences: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def headline(board: Leaderboard, lines: Sequence[Line], pairs: Sequence[Pair]) -> Headline:
    """Which encoder sees the pictures best, how surely, and what it sees least."""
    best = best_line(lines)
    if best is None:
        return Headline(
            "No encoder could be scored",
            ("Only controls were compared, or no item shares a tag with another.",),
            _facts(board, lines),
        )
    sentences = [_score(board, best), _others(best, lines, pairs), _weak_side(best)]
    return Headline(
        _title(best, lines),
        tuple(sentence for sentence in sentences if sentence),
        _facts(board, lines),
    )


def _title(best: Line, lines: Sequence[Line]) -> str:
    if _level_with_chance(best, lines):
        return "No encoder sees these pictures better than chance"
    level = [line.label for line in _level(best, lines)]
    if len(level) == 1:
        return f"{best.label} and {level[0]} share the first place"
    if level:
        return f"{best.label} and {plural(len(level), 'other')} share the first place"
    if sum(not line.control for line in lines) == 1:
        return f"How {best.label} sees these pictures"
    return f"{best.label} sees these pictures best"


def _score(board: Leaderboard, best: Line) -> str:
    weighted = "; tag categories weighted by purchases" if best.weighted is not None else ""
    return (
        f"{best.label} has a CorrEmbed of {number(best.main.mean)} on "
        f"{plural(len(board.catalogue), 'item')} (95\u00a0% interval "
        f"{best.main.interval()}{weighted})."
    )


def _others(best: Line, lines: Sequence[Line], pairs: Sequence[Pair]) -> str:
    """What can be said of the runner-up, or of chance if there is none."""
    rivals = [line for line in lines if not line.control and not line.best and line.main.known]
    if not rivals:
        random = best.entry.controls.get("random embeddings", math.nan)
        return f"Random embeddings score {number(random)} on the same tags."
    second = rivals[0]
    pair = pair_of(pairs, best, second)
    tested = f" (p {_equals(chance(pair.adjusted))}, paired, Holm-corrected)" if pair else ""
    level = _level(best, lines)
    if not level:
        return (
            f"The runner-up, {second.label}, is at {number(second.main.mean)}: "
            f"significantly worse{tested}."
        )
    names = listed([f"{line.label} ({number(line.main.mean)})" for line in level[:3]])
    more = f" and {len(level) - 3} more" if len(level) > 3 else ""
    return f"These data cannot tell it from {names}{more}{tested}."


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"


def _weak_side(best: Line) -> str:
    seen = {
        name: one.alone.mean
        for name, one in best.entry.categories.items()
        if math.isfinite(one.alone.mean)
    }
    if len(seen) < 2:
        return ""
    most, least = max(seen, key=lambda name: seen[name]), min(seen, key=lambda name: seen[name])
    return (
        f"Of the {len(seen)} tag categories it sees {most} best ({number(seen[most])}) "
        f"and {least} least ({number(seen[least])})."
    )


def _level(best: Line, lines: Sequence[Line]) -> list[Line]:
    """The other encoders in the best one's place."""
    return [
        line
        for line in lines
        if not line.control
        and not line.best
        and line.main.known
        and line.entry.rank == best.entry.rank
    ]


def _level_with_chance(best: Line, lines: Sequence[Line]) -> bool:
    """Whether the best is no better than a control, or than its own vectors shuffled.

    Shuffling leaves a picture's likeness to itself alone, so it is a fair measure also
    where self pairs count.
    """
    entry = best.entry
    chances = entry.controls if entry.weighted is None else entry.weighted_controls
    own = max(chances["shuffled embeddings"], chances["shuffled tags"])
    return entry.main.interval()[0] <= own or any(
        line.control and line.main.known and line.entry.rank <= entry.rank for line in lines
    )


def _facts(board: Leaderboard, lines: Sequence[Line]) -> tuple[tuple[str, str], ...]:
    tags = board.catalogue.tags
    controls = sum(line.control for line in lines)
    counts = (
        (len(lines) - controls, "encoder", "encoders"),
        (controls, "control", "controls"),
        (len(board.catalogue), "item", "items"),
        (len(tags.names), "tag", "tags"),
        (len(tags.category_names), "tag category", "tag categories"),
        (len(board.queries), "query", "queries"),
    )
    return tuple((f"{count:,}", one if count == 1 else many) for count, one, many in counts)
