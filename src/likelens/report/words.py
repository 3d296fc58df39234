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
from .standing import SHOWN, missing, unscored


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
    """Which encoder agrees best with the tags, how sure that is, and what it sees least."""
    best = best_line(lines)
    without = [line.label for line in lines if not line.control and not line.main.known]
    lost = tuple(filter(None, [unscored(without), missing(list(board.missing))]))
    if best is None:
        why = (
            "A score needs items that share more tags than others, and vectors that differ."
            if without
            else "Only controls were compared."
        )
        return Headline(
            "No encoder could be scored",
            (why, *lost),
            _facts(board, lines),
        )
    sentences = [_score(board, best), *_others(best, lines, pairs), _weak_side(best)]
    return Headline(
        _title(best, lines, pairs),
        (*(sentence for sentence in sentences if sentence), *lost),
        _facts(board, lines),
    )


def _title(best: Line, lines: Sequence[Line], pairs: Sequence[Pair]) -> str:
    encoders = [line for line in lines if not line.control]
    if not _above_chance(best, lines, pairs):
        if any(_above_chance(line, lines, pairs) for line in encoders):
            return f"{best.label} scores highest, but is not shown to be better than chance"
        return "No encoder is shown to see these images better than chance"
    level = [line for line in _undecided(best, lines, pairs) if line.entry.rank == best.entry.rank]
    if len(level) == 1:
        return f"{best.label} and {level[0].label} share the first place"
    if level:
        return f"{best.label} and {plural(len(level), 'other')} share the first place"
    if sum(line.main.known for line in encoders) == 1:
        return f"How {best.label} sees these images"
    if _undecided(best, lines, pairs):
        return f"{best.label} scores highest"
    return f"{best.label} sees these images best"


def _score(board: Leaderboard, best: Line) -> str:
    weighted = "; tag categories weighted by purchases" if best.weighted is not None else ""
    unscored = best.entry.main.missing
    without = f", {unscored:,} of which have no score" if unscored else ""
    interval = (
        f"95\u00a0% interval {best.main.interval()}"
        if best.main.bounded
        else "too few for an interval"
    )
    return (
        f"{best.label} has a CorrEmbed of {number(best.main.mean)} on "
        f"{plural(len(board.catalogue), 'item')}{without} ({interval}{weighted})."
    )


def _others(best: Line, lines: Sequence[Line], pairs: Sequence[Pair]) -> list[str]:
    """How far the tests tell the best from the others, or from chance if there are none."""
    rivals = [line for line in lines if not line.control and not line.best and line.main.known]
    if not rivals:
        chances = best.entry.controls if best.weighted is None else best.entry.weighted_controls
        random = chances.get("random embeddings", math.nan)
        return [f"Random embeddings score {number(random)} on the same tags."]
    level = _undecided(best, lines, pairs)
    beaten = [line for line in rivals if line not in level]
    said = []
    if level:
        shown = [
            f"{line.label} ({number(line.main.mean)}{_p_of(pairs, best, line)})"
            for line in level[:SHOWN]
        ]
        if len(level) > SHOWN:
            rest = [
                pair.adjusted
                for line in level[SHOWN:]
                if (pair := pair_of(pairs, best, line)) is not None
            ]
            smallest = f", smallest p {_equals(chance(min(rest)))}" if rest else ""
            shown.append(f"{len(level) - SHOWN} more{smallest}")
        said.append(
            f"The tests do not tell it from {listed(shown)}: paired tests, Holm-corrected for "
            f"{plural(len(pairs), 'pair')}, significant below 0.05."
        )
    if beaten:
        said.append(_beaten(best, beaten, pairs, every=not level))
    return said


def _beaten(best: Line, beaten: Sequence[Line], pairs: Sequence[Pair], *, every: bool) -> str:
    """That it scores significantly more than some, and the largest p-value of these tests."""
    known = [(line, pair_of(pairs, best, line)) for line in beaten]
    largest = max((pair.adjusted for _, pair in known if pair is not None), default=math.nan)
    p = f"p {_equals(chance(largest))}"
    if len(beaten) == 1:
        line = beaten[0]
        who = f"the runner-up, {line.label} ({number(line.main.mean)}" if every else line.label
        end = f"; {p}, paired, Holm-corrected)" if every else f" ({p})"
        return f"It scores significantly more than {who}{end}."
    if every:
        line = beaten[0]
        return (
            f"It scores significantly more than each of the {len(beaten)} others, of which "
            f"{line.label} scores most ({number(line.main.mean)}; largest {p}, paired tests, "
            "Holm-corrected)."
        )
    return f"It scores significantly more than the {len(beaten)} others (largest {p})."


def _p_of(pairs: Sequence[Pair], best: Line, line: Line) -> str:
    pair = pair_of(pairs, best, line)
    return "" if pair is None else f", p {_equals(chance(pair.adjusted))}"


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
    if seen[most] == seen[least]:
        return ""
    return (
        f"Of the {len(seen)} tag categories it agrees most with {most} ({number(seen[most])}) "
        f"and least with {least} ({number(seen[least])})."
    )


def _undecided(best: Line, lines: Sequence[Line], pairs: Sequence[Pair]) -> list[Line]:
    """The other encoders from which no test tells the best one."""
    return [
        line
        for line in lines
        if not line.control
        and not line.best
        and line.main.known
        and not ((pair := pair_of(pairs, best, line)) and pair.significant)
    ]


def _above_chance(line: Line, lines: Sequence[Line], pairs: Sequence[Pair]) -> bool:
    """Whether an encoder scores more than every control, and than its own vectors shuffled.

    Shuffling keeps the similarity of an image to itself, so it is a fair measure also
    where self pairs count.
    """
    if not line.main.bounded:
        return False
    entry = line.entry
    chances = entry.controls if entry.weighted is None else entry.weighted_controls
    if not line.main.low > max(chances["shuffled embeddings"], chances["shuffled tags"]):
        return False
    controls = [other for other in lines if other.control and other.main.known]
    return all(
        (pair := pair_of(pairs, line, control)) is not None
        and pair.significant
        and pair.difference > 0
        for control in controls
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
