"""What the commands on a vote book share: opening it, and how they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..eds import VoteBook

Votes = Annotated[
    str, typer.Option(metavar="BOOK", help="The vote book: a file, or postgresql://user@host/name.")
]


def open_book(votes: str) -> VoteBook:
    """A vote book that is there."""
    from ..eds import VoteBook

    return VoteBook.open(votes, create=False)


def refuse_empty(votes: Any, book: VoteBook) -> None:
    """Refuses a book without votes."""
    from ..values.errors import BadTable

    if not (votes != -1).any():
        raise BadTable(
            "there are no votes yet",
            where=book.place,
            hint="collect some, or import them: likelens annotate import FILE",
        )


def share(value: float) -> str:
    """A share in percent, a dash for none."""
    return "-" if value != value else f"{value:.1%}"
