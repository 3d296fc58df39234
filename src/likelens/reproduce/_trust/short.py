"""The short answer of the simulation: five findings."""

from __future__ import annotations

from ...report.formats import listed, percent
from .budget import HOURS, SPENT, TAGGED
from .draw import ENCODERS
from .score import DEEPEST
from .study import FEWEST, Trust, Twice
from .tables import HITS
from .words import best_by, change, doubt, fairest, figure, matters_alike, rivals, share, sign

NEAR, FAR = "ROC-AUC micro", "ROC-AUC micro, sampled"
"""ROC-AUC with the negatives that experts gave, and with those drawn from the rankings."""

MANY, FEW = (10, 3), (2, DEEPEST)
"""Many encoders with short lists, and few with long ones."""

SLACK = 0.05
"""A loss of what pools find that counts as none."""

Finding = tuple[str, str]
"""A term, which follows the figures too, and what is said of it."""


def in_short(found: Trust) -> tuple[Finding, ...]:
    """The findings, in the order of the document."""
    findings = (_pools(found), _hits(found), _areas(found), _day(found), _tags(found))
    return findings if len(found.shops) >= FEWEST else (_few_shops(found), *findings)


def _few_shops(found: Trust) -> Finding:
    return f"Only {len(found.shops)} shops", (
        f"Fewer than {FEWEST} give no intervals, so that nothing here can be told from chance."
    )


def widths(found: Trust) -> str:
    """Many short lists beside few long ones."""
    return (
        f"{MANY[0]} encoders with their first {MANY[1]} find {share(found.found(*MANY))} of the "
        f"pairs that are truly alike, by judging {percent(found.found(*MANY, 'share').mean)} of "
        f"all pairs; {FEW[0]} encoders with their first {FEW[1]} find "
        f"{share(found.found(*FEW))}, by judging {percent(found.found(*FEW, 'share').mean)}."
    )


def _pools(found: Trust) -> Finding:
    cheaper = sign(found.more(MANY, FEW, "share")) < 0
    wins = cheaper and found.more(MANY, FEW, "recall").low > -SLACK
    term = "Many short lists find as much as few long ones, for less" if wins else "What pools find"
    return term, widths(found)


def _hits(found: Trust) -> Finding:
    lost = found.twice(HITS, Twice.lost)
    term = f"{HITS} favours those who chose the pairs" if sign(lost) > 0 else f"{HITS} and pools"
    part = found.share_lost(HITS)
    loses = (
        f"When an encoder stays out of the pool it loses {share(part)} of its {HITS}, though it "
        "is the same encoder."
        if sign(part) > 0
        else f"Whether an encoder that stays out of the pool loses {HITS} cannot be told from "
        f"chance ({share(part)} of it)."
    )
    return term, f"{loses} Among {len(ENCODERS)} encoders staying out is {change(lost)}."


def _areas(found: Trust) -> Finding:
    near, far = (found.twice(metric, Twice.lost) for metric in (NEAR, FAR))
    mends = sign(near) and sign(found.matters(NEAR, FAR)) > 0
    fair = fairest(found)
    term = "ROC-AUC is as fair as its negatives" if mends else "ROC-AUC and its negatives"
    return term, (
        f"With the negatives that experts gave, staying out is {change(near)}; with negatives "
        "from the middle of the rankings, in a shop of this size nearly random pictures, it is "
        f"{change(far)}. Of all metrics here {fair} depends least on who took part"
        f"{doubt(matters_alike(found, fair))}."
    )


def _day(found: Trust) -> Finding:
    best = best_by(found, SPENT)
    others = [metric for metric in (HITS, NEAR, FAR) if metric != best]
    reached = [f"{metric} {figure(found.at_hours(SPENT, metric))}" for metric in others]
    return "What a day of judging buys", (
        f"After {SPENT:g} hours of work {best} comes closest to the true order (Spearman "
        f"{figure(found.at_hours(SPENT, best))}){doubt(rivals(found, SPENT, best))}. Beside it: "
        f"{listed(reached)}."
    )


def _tags(found: Trust) -> Finding:
    full, few = TAGGED
    early, last = HOURS[1], HOURS[-1]
    reached = figure(found.at_hours(last, few))
    alone = (
        f"end at {reached}, however long one types"
        if types_all(found, few)
        else f"are at {reached} after {last:g} hours"
    )
    return "Tags are worth what they say", (
        f"{early:g} hours of typing in all tags: {figure(found.at_hours(early, full))} by "
        f"CorrEmbed; {early:g} hours of experts: {figure(found.at_hours(early, HITS))} by {HITS}. "
        f"Kind and colour alone {alone}."
    )


def types_all(found: Trust, name: str) -> bool:
    """Whether the longest budget is enough to type in the tags of every garment."""
    return found.settings.tagged(HOURS[-1], TAGGED[name]) >= found.settings.items
