"""``likelens annotate resolve``: one label per pair, and how rare positives are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .annotate_book import Votes, open_book, refuse_empty, share
from .show import say, table

if TYPE_CHECKING:
    from ..eds import PoolPrevalence, Prevalence

NONE_DRAWN = (
    "how much richer than chance is not known, for no pair was drawn at random: add some with "
    "likelens annotate pool SOURCE --random 500, and import that table"
)
NONE_JUDGED = "how much richer than chance is not known: none of the {:,} random pairs has a vote"
NO_BOUND = (
    "there is no p_LB, for the pool does not say how many candidates a query may have: give its "
    "table a column possible, and import it again"
)


def resolve(
    votes: Votes = "votes.db",
    rule: Annotated[
        str, typer.Option(help="majority (ties negative), unanimous, any or dawid-skene.")
    ] = "majority",
    as_json: options.AsJson = False,
) -> None:
    """Show what a rule makes of the votes, how rules differ, and how rich the pool is."""
    from .. import eds

    with open_book(votes) as book:
        judged = book.judged()
        refuse_empty(judged.votes, book)
    labels = eds.resolve(judged.votes, rule)
    yes, no = (judged.votes == 1).sum(axis=1), (judged.votes == 0).sum(axis=1)
    rich = eds.pool_prevalence(labels, judged.ranks, judged.all_pairs)
    drawn = labels[judged.random & (labels != -1)]
    rare = None
    if len(drawn):
        bound = 0.0 if math.isnan(rich.lower_bound) else rich.lower_bound
        rare = eds.prevalence(int(drawn.sum()), len(drawn), bound)
    result: dict[str, Any] = {
        "rule": rule,
        "positive": int((labels == 1).sum()),
        "negative": int((labels == 0).sum()),
        "ties": int(((yes == no) & (yes > 0)).sum()),
        "without_votes": int((labels == -1).sum()),
        "rules": _every_rule(judged.votes, labels),
        "p_k": _depths(rich, rare),
        "random_pairs": int(judged.random.sum()),
        "all_pairs": judged.all_pairs,
        "p_lb": rich.lower_bound,
        "prevalence": None if rare is None else vars(rare),
    }
    if as_json:
        show.print_json(result)
        return
    _print_rules(result)
    if result["p_k"]:
        _print_depths(result["p_k"])
    if result["random_pairs"] or result["p_k"]:
        _print_prevalence(result, rare)


def _depths(rich: PoolPrevalence, rare: Prevalence | None) -> list[dict[str, Any]]:
    """p_k at each depth of the pool at which something is judged."""
    lines = zip(rich.k, rich.judged, rich.positives, rich.p_k.tolist(), strict=True)
    return [
        {
            "k": int(k),
            "judged": int(judged),
            "positive": int(found),
            "p_k": p_k,
            "times_chance": None if rare is None else rare.enrichment(p_k),
        }
        for k, judged, found, p_k in lines
        if judged
    ]


def _print_rules(result: dict[str, Any]) -> None:
    rule = result["rule"]
    say(
        f"by the rule {rule}: {result['positive']:,} positive, {result['negative']:,} negative; "
        f"{result['ties']:,} ties, {result['without_votes']:,} pairs without votes"
    )
    rows = [
        (
            name,
            *(
                (f"{one['positive']:,}", f"{one['negative']:,}", f"{one['differ']:,}")
                if "differ" in one
                else ("-", "-", "-")
            ),
        )
        for name, one in result["rules"].items()
    ]
    table(("rule", "positive", "negative", f"other than {rule}"), rows)
    for name, one in result["rules"].items():
        if "problem" in one:
            show.note(f"{name}: {one['problem']}")


def _print_depths(depths: list[dict[str, Any]]) -> None:
    heads = ["pool, k", "judged", "positive", "p_k"]
    rows = [
        [str(one["k"]), f"{one['judged']:,}", f"{one['positive']:,}", share(one["p_k"])]
        for one in depths
    ]
    if depths[0]["times_chance"] is not None:
        heads.append("times chance")
        for row, one in zip(rows, depths, strict=True):
            row.append(show.number(one["times_chance"], 1))
    table(heads, rows)


def _print_prevalence(result: dict[str, Any], rare: Prevalence | None) -> None:
    """How rare positives are among all pairs, or what it takes to know."""
    bound = result["p_lb"]
    if not math.isnan(bound):
        say(f"p_LB: {bound:.3%}, the pool's positives by all {result['all_pairs']:,} pairs")
    elif result["p_k"]:
        show.note(NO_BOUND)
    if rare is None:
        drawn = result["random_pairs"]
        show.note(NONE_JUDGED.format(drawn) if drawn else NONE_DRAWN)
        return
    say(f"random pairs: {rare.positives:,} of {rare.sampled:,} positive")
    bounded = "" if math.isnan(bound) else ", the larger of the two"
    say(f"prevalence: {rare.estimate:.3%}{bounded}")
    for name, (low, high) in (("exact", rare.interval), ("by Chebyshev", rare.chebyshev)):
        say(f"interval {name}: {low:.3%} to {high:.3%} ({rare.level:.0%})")


def _every_rule(votes: Any, labels: Any) -> dict[str, dict[str, Any]]:
    """Positives and negatives by each rule, and on how many pairs it says otherwise."""
    from ..eds import RULES, resolve
    from ..values.errors import LikelensError

    found: dict[str, dict[str, Any]] = {}
    for name in RULES:
        try:
            other = resolve(votes, name)
        except LikelensError as error:
            found[name] = {"problem": error.what}
            continue
        found[name] = {
            "positive": int((other == 1).sum()),
            "negative": int((other == 0).sum()),
            "differ": int((other != labels).sum()),
        }
    return found
