"""``likelens annotate agree``: how far experts agree with each other, and with themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from . import options, show
from .annotate_book import Votes, open_book, refuse_empty, share
from .show import say, table


def agree(
    votes: Votes = "votes.db",
    top: Annotated[int, typer.Option(help="Pairs most argued about to show.", min=0)] = 10,
    as_json: options.AsJson = False,
) -> None:
    """Show how far experts agree with each other, with themselves and with known answers."""
    from ..eds import agreement

    with open_book(votes) as book:
        judged = book.judged()
        checked = {one.expert: one for one in book.checks()}  # of more, if one has come since
        refuse_empty(judged.votes, book)
    checks = [checked[name] for name in judged.experts]
    found = agreement(judged.votes)
    positive, said = (judged.votes == 1).sum(axis=1), (judged.votes != -1).sum(axis=1)
    experts = [
        {
            "expert": one.expert,
            "votes": int((judged.votes[:, place] != -1).sum()),
            "agreement": float(found.per_expert[place]),
            "repeated": one.repeated,
            "consistency": one.consistency,
            "known": one.known,
            "accuracy": one.accuracy,
        }
        for place, one in enumerate(checks)
    ]
    argued = [
        {**judged.pairs[row]._asdict(), "positive": positive[row], "votes": said[row]}
        for row in found.argued
    ]
    if as_json:
        show.print_json(
            {
                "experts": experts,
                "cohen": found.cohen.tolist(),
                "common": found.common.tolist(),
                "fleiss": found.fleiss,
                "krippendorff": found.krippendorff,
                "argued_pairs": len(argued),
                "argued": argued[:top],
            }
        )
        return
    _print_experts(experts)
    names = [one.expert for one in checks]
    if len(names) > 1:
        cells = [
            [name, *("" if i == j else show.number(found.cohen[i, j]) for j in range(len(names)))]
            for i, name in enumerate(names)
        ]
        table(("Cohen's kappa", *names), cells)
    say(f"Fleiss' kappa: {show.number(found.fleiss)}")
    say(f"Krippendorff's alpha: {show.number(found.krippendorff)}")
    say(f"{len(argued):,} of {len(judged.pairs):,} pairs are argued about")
    if argued[:top]:
        rows = [
            (one["query"], one["candidate"], f"{one['positive']} of {one['votes']}")
            for one in argued[:top]
        ]
        table(("query", "candidate", "alike, say"), rows, words=(0, 1))
    _note_strangers(names, found.common)


def _print_experts(experts: Sequence[dict[str, Any]]) -> None:
    def counted(part: float, of: int) -> str:
        return f"{share(part)} of {of:,}" if of else "-"

    rows = [
        (
            one["expert"],
            f"{one['votes']:,}",
            share(one["agreement"]),
            counted(one["consistency"], one["repeated"]),
            counted(one["accuracy"], one["known"]),
        )
        for one in experts
    ]
    table(("expert", "votes", "as others", "same again", "known right"), rows)


def _note_strangers(names: Sequence[str], common: Any) -> None:
    """Says which experts have no pair in common, and so no kappa."""
    from ..values.errors import first_few

    apart = [
        f"{one} and {other}"
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if i < j and not common[i, j]
    ]
    if apart:
        show.note(f"no pair in common, and so no kappa: {first_few(apart)}")
    if len(names) == 1:
        show.note("one expert has voted: there is nobody to agree with")
