"""What the commands on a vote book share: opening it, and how they print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import show

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


def say(text: str) -> None:
    """A line for people."""
    show.stdout().print(text, markup=False, soft_wrap=True)


def share(value: float) -> str:
    """A share in percent, a dash for none."""
    return "-" if value != value else f"{value:.1%}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> None:
    """A table whose first columns are words, the others numbers."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        shown.add_column(Text(head), justify="left" if place < words else "right", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    show.stdout().print(shown)
