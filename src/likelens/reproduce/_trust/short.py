"""The short answer of the simulation: five findings."""

from __future__ import annotations

from ...report.formats import listed, percent
from .budget import HOURS, SPENT, TAGGED
from .draw import ENCODERS
from .score import DEEPEST
from .study import Trust, Twice
from .tables import HITS
from .words import best_by, change, fairest, figure, share, sign

NEAR, FAR = "ROC-AUC micro", "ROC-AUC micro, sampled"
"""ROC-AUC with the negatives that experts gave, and with those drawn from the rankings."""

MANY, FEW = (10, 3), (2, DEEPEST)
"""Many encoders with short lists, and few with long ones."""

Finding = tuple[str, str]
"""A term, which follows the figures too, and what is said of it."""


def in_short(found: Trust) -> tuple[Finding, ...]:
    """The findings, in the order of the document."""
    return _pools(found), _hits(found), _areas(found), _day(found), _tags(found)


def widths(found: Trust) -> str:
    """Many short lists beside few long ones."""
    return (
        f"{MANY[0]} encoders with their first {MANY[1]} find {share(found.found(*MANY))} of the "
        f"pairs that are truly alike, by judging {percent(found.found(*MANY, 'share').mean)} of "
        f"all pairs; {FEW[0]} encoders with their first {FEW[1]} find "
        f"{share(found.found(*FEW))}, by judging {percent(found.found(*FEW, 'share').mean)}."
    )


def _pools(found: Trust) -> Finding:
    cheaper = found.found(*MANY, "share").mean <= found.found(*FEW, "share").mean
    wins = cheaper and found.found(*MANY).mean >= found.found(*FEW).mean
    term = "Many short lists find as much as few long ones, for less" if wins else "What pools find"
    return term, widths(found)


def _hits(found: Trust) -> Finding:
    lost = found.twice(HITS, Twice.lost)
    term = f"{HITS} favours those who chose the pairs" if sign(lost) > 0 else f"{HITS} and pools"
    return term, (
        "When an encoder stays out of the pool it loses "
        f"{share(found.twice(HITS, Twice.share_lost))} of its {HITS}, though it is the same "
        f"encoder. Among {len(ENCODERS)} that is {change(lost)}."
    )


def _areas(found: Trust) -> Finding:
    near, far = (found.twice(metric, Twice.lost) for metric in (NEAR, FAR))
    mends = sign(near) and abs(far.mean) < abs(near.mean)
    term = "ROC-AUC is as fair as its negatives" if mends else "ROC-AUC and its negatives"
    return term, (
        f"With the negatives that experts gave, staying out is {change(near)}; with negatives "
        f"from the middle of the rankings it is {change(far)}. Of all metrics here "
        f"{fairest(found)} depends least on who took part."
    )


def _day(found: Trust) -> Finding:
    best = best_by(found, SPENT)
    others = [metric for metric in (HITS, NEAR, FAR) if metric != best]
    reached = [f"{metric} {figure(found.at_hours(SPENT, metric))}" for metric in others]
    return "What a day of judging buys", (
        f"After {SPENT:g} hours of work {best} agrees best with the true order (Spearman "
        f"{figure(found.at_hours(SPENT, best))}); beside it, {listed(reached)}."
    )


def _tags(found: Trust) -> Finding:
    full, few = TAGGED
    early = HOURS[1]
    best = best_by(found, early)
    return "Tags are worth what they say", (
        f"{early:g} hours of typing in all tags: {figure(found.at_hours(early, full))} by "
        f"CorrEmbed; {early:g} hours of experts: {figure(found.at_hours(early, best))} by {best}. "
        f"Kind and colour alone end at {figure(found.at_hours(HOURS[-1], few))}, however long one "
        "types."
    )
