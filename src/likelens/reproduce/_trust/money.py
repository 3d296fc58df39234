"""What the simulation says of budgets: experts' hours, and tags in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from ...report.formats import listed, number, percent
from ...report.sections import Chart, Sheet
from .budget import DEPTHS, HOURS, RANDOM, SPENT, TAGGED
from .charts import budget_chart, tags_chart
from .draw import ENCODERS
from .score import METRICS
from .short import NEAR, types_all
from .study import Trust
from .tables import HITS
from .words import best_by, doubt, figure, rivals, sign


def budget(found: Trust) -> Iterator[str | Sheet | Chart]:
    """How well each metric knows the true order after so many hours of judging."""
    given = found.settings
    yield budget_chart(found)
    yield (
        f"An hour is {given.pairs(1):,} pairs, each judged by {given.experts} experts in "
        f"{given.pair_seconds:g} seconds. Queries are taken at random, and the pool of each is "
        f"judged whole; {given.pooling} of the {len(ENCODERS)} encoders took part. Shown is "
        "Spearman's correlation of each metric's order with the true one (1: the same order)."
    )
    yield " ".join(_gains(found))
    yield _sheet(found, (*METRICS, RANDOM))
    yield f"{_ways(found)} The correlation with the true order, by how deep the pool is:"
    heads = ("depth", "queries", *METRICS)
    rows = tuple(
        (
            str(k),
            number(found.at_depth(k), 0),
            *(figure(found.by_depth(k, metric)) for metric in METRICS),
        )
        for k in DEPTHS
    )
    yield Sheet(heads, rows)
    yield _depth(found)


def _ways(found: Trust) -> str:
    """What can be done with the same hours, where the shop is large enough."""
    early = [f"{k}" for k in DEPTHS if found.ends_early(k)]
    if not early:
        return (
            f"{SPENT:g} hours can go into many queries with short lists, or into few queries with "
            "long ones."
        )
    return (
        f"{SPENT:g} hours are more than these shops can use with short lists: with depth "
        f"{listed(early)} all {found.settings.items:,} garments have asked before."
    )


def _depth(found: Trust) -> str:
    """Whether many queries or long lists are worth more, of the depths that fill the hours."""
    filled = [k for k in DEPTHS if not found.ends_early(k)]
    if len(filled) < 2:
        return "So these shops are too small to compare depths."
    short, deep = filled[0], filled[-1]
    apart = found.deeper(deep, short, HITS)
    first, last = (
        f"{figure(found.by_depth(k, HITS))} with depth {k} and "
        f"{number(found.at_depth(k), 0)} queries"
        for k in (short, deep)
    )
    wins = {
        1: "fewer queries judged deeply are the better use of these hours",
        0: "nobody can tell which is the better use of these hours",
        -1: "more queries are the better use of these hours",
    }
    return (
        f"Of the depths that fill the hours, the least and the most: {HITS} is at {first}, and at "
        f"{last}; the difference is {figure(apart)}. For a choice among encoders, "
        f"{wins[sign(apart)]}."
    )


def _gains(found: Trust) -> Iterator[str]:
    """Which metric is best with the least and with the most work, and where HR@k stops."""
    for hours in (HOURS[0], HOURS[-1]):
        best = best_by(found, hours)
        yield (
            f"After {hours:g} {'hour' if hours == 1 else 'hours'} {best} is first "
            f"({figure(found.at_hours(hours, best))}){doubt(rivals(found, hours, best))}. {HITS} "
            f"is at {figure(found.at_hours(hours, HITS))}."
        )
    before, last = HOURS[-2:]
    if found.bought(before, "queries").mean < found.settings.items:
        gained = figure(found.gained(last, before, HITS), 3)
        yield f"The last doubling of the budget adds {gained} to {HITS}."
    else:
        yield f"Within {before:g} hours the whole pool is judged, and more hours change nothing."
    random, near = (figure(found.at_hours(SPENT, metric)) for metric in (RANDOM, NEAR))
    yield (
        "Pairs drawn at random hold few that are alike, but favour nobody: after "
        f"{SPENT:g} hours their ROC-AUC is at {random}, that of pools with their own negatives at "
        f"{near}."
    )
    better = list(
        takewhile(lambda hours: sign(found.ahead(hours, RANDOM, NEAR)) > 0, reversed(HOURS))
    )
    if better:
        yield f"From {better[-1]:g} hours on the random pairs are the better guide of the two."


def tags(found: Trust) -> Iterator[str | Sheet | Chart]:
    """How well CorrEmbed knows the true order, for the same hours of work."""
    given = found.settings
    full, few = TAGGED
    yield tags_chart(found)
    yield (
        f"Assumed: all eight categories of a garment are typed in within {given.tag_seconds:g} "
        f"seconds, two in a quarter of that; {percent(given.tag_errors, 0)} of the values are "
        f"wrong. After {number(given.items * given.tag_seconds / 3600, 1)} hours all garments "
        "have all their tags, and more hours change nothing."
    )
    yield _sheet(found, (full, few, HITS))
    yield (
        f"Beside experts by {HITS}, the metric of the paper, {full} is {_standings(found, full)}. "
        "It has a home advantage: the truth is made of these very tags, in other weights."
    )
    yield _kind_and_colour(found, full, few)


def _kind_and_colour(found: Trust, full: str, few: str) -> str:
    """What two categories are worth, beside all."""
    last = HOURS[-1]
    behind = found.ahead(last, full, few)
    typed = "with every garment tagged" if types_all(found, few) else f"after {last:g} hours"
    beside = (
        f"{figure(behind)} below that of all tags. Ask that of your own tags before you trust them"
        if sign(behind) > 0
        else f"which nobody can tell from that of all tags ({figure(behind)} apart)"
    )
    return (
        f"Kind and colour are what many shops have. Their order is at "
        f"{figure(found.at_hours(last, few))} {typed}, {beside}."
    )


def _standings(found: Trust, name: str) -> str:
    """With which budgets CorrEmbed is ahead of experts, level or behind."""
    sides: dict[int, list[str]] = {1: [], 0: [], -1: []}
    for hours in HOURS:
        sides[sign(found.ahead(hours, name, HITS))].append(f"{hours:g}")
    words = {1: "ahead", 0: "level, as far as chance lets one tell,", -1: "behind"}
    return listed([f"{words[side]} at {listed(at)} h" for side, at in sides.items() if at])


def _sheet(found: Trust, metrics: Sequence[str]) -> Sheet:
    """Correlations by hours, and what the hours buy."""
    bought = ("pairs", "queries", "tagged")
    rows = tuple(
        (
            f"{hours:g}",
            *(number(found.bought(hours, what).mean, 0) for what in bought),
            *(figure(found.at_hours(hours, metric)) for metric in metrics),
        )
        for hours in HOURS
    )
    return Sheet(("hours", "pairs", "queries", "items with all tags", *metrics), rows)
