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
from .short import NEAR
from .study import Trust
from .tables import HITS
from .words import best_by, figure, sign


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
    yield (
        f"{SPENT:g} hours can go into many queries with short lists, or into few queries with "
        "long ones. The correlation with the true order, by how deep the pool is:"
    )
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


def _depth(found: Trust) -> str:
    """Whether many queries or long lists are worth more."""

    def mean(k: int) -> float:
        return found.by_depth(k, HITS).mean

    best, worst = max(DEPTHS, key=mean), min(DEPTHS, key=mean)
    first, last = (
        f"{figure(found.by_depth(k, HITS))} with depth {k} and "
        f"{number(found.at_depth(k), 0)} queries"
        for k in (best, worst)
    )
    return (
        f"{HITS} knows the order best ({first}) where its pools are "
        f"{'deeper' if best > worst else 'shallower'}, and worst ({last}). For a choice among "
        f"encoders, {'fewer queries judged deeply' if best > worst else 'more queries'} are the "
        "better use of these hours."
    )


def _gains(found: Trust) -> Iterator[str]:
    """Which metric is best with the least and with the most work, and where HR@k stops."""
    for hours in (HOURS[0], HOURS[-1]):
        best = best_by(found, hours)
        yield (
            f"After {hours:g} {'hour' if hours == 1 else 'hours'} {best} is first "
            f"({figure(found.at_hours(hours, best))}); {HITS} is at "
            f"{figure(found.at_hours(hours, HITS))}."
        )
    before, last = (found.at_hours(hours, HITS).mean for hours in HOURS[-2:])
    yield f"The last doubling of the budget adds {number(last - before)} to {HITS}."
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
    best = best_by(found, SPENT)
    yield tags_chart(found)
    yield (
        f"Assumed: all eight categories of a garment are typed in within {given.tag_seconds:g} "
        f"seconds, two in a quarter of that; {percent(given.tag_errors, 0)} of the values are "
        f"wrong. After {number(given.items * given.tag_seconds / 3600, 1)} hours all garments "
        "have all their tags, and more hours change nothing."
    )
    yield _sheet(found, tuple(dict.fromkeys((full, few, best, HITS))))
    yield (
        f"Beside experts, by the best of their metrics, {full} is {_standings(found, full)}. It "
        "has a home advantage: the truth is made of these very tags, in other weights."
    )
    yield (
        f"Kind and colour are what many shops have. Their order ends at "
        f"{figure(found.at_hours(HOURS[-1], few))}: no number of items makes up for what the "
        "tags leave out. Ask that of your own tags before you trust them."
    )


def _standings(found: Trust, name: str) -> str:
    """With which budgets CorrEmbed is ahead of experts, level or behind."""
    sides: dict[int, list[str]] = {1: [], 0: [], -1: []}
    for hours in HOURS:
        sides[sign(found.ahead(hours, name, best_by(found, hours)))].append(f"{hours:g}")
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
