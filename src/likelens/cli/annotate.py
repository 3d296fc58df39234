"""``likelens annotate``: pairs to judge, experts' votes, how far they agree, and one label each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, show
from .annotate_agree import agree
from .annotate_book import Votes, open_book
from .annotate_pool import plan, pool
from .annotate_resolve import resolve
from .command import App
from .show import say, table

Queries = Annotated[
    Path | None,
    typer.Option(
        metavar="SOURCE", help="The catalogue of the queries, if another.", show_default=False
    ),
]

ITSELF = (
    "{} of an item with itself: right only where queries and candidates are of two catalogues; "
    "name both (--catalogue, --queries), or leave such pairs out"
)
WAITING = "another program is writing to the vote book; waiting for it, a minute at most"

app = App(
    help="Ask experts: choose pairs, keep votes, see how far they agree.", no_args_is_help=True
)
app.command("pool")(pool)
app.command("plan")(plan)


@app.command("import")
@options.may_read_catalogue
def import_votes(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Votes (a table, JSON lines, JSON of the VSD release, TREC qrels), or the pairs "
            "of a pool, which experts are to be asked about.",
            show_default=False,
        ),
    ],
    votes: Votes = "votes.db",
    expert: Annotated[
        str | None,
        typer.Option(help="Whose votes they are, if the file does not say.", show_default=False),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            help="Pairs with the right answer, mixed in to check the experts.", show_default=False
        ),
    ] = None,
    repeats: Annotated[
        float | None,
        typer.Option(
            help="Share of the pairs that every expert is asked twice (0.05).", show_default=False
        ),
    ] = None,
    catalogue: Any = None,
    queries: Queries = None,
    as_json: options.AsJson = False,
) -> None:
    """Add votes, or pairs to judge, to a vote book. All of the file, or nothing.

    With --catalogue, items that are not in it are refused.
    """
    from ..eds import VoteBook, read_content
    from ..values.errors import plural

    items = None if catalogue is None else frozenset(catalogue.ids)
    asked = None if queries is None else options.open_other(queries, catalogue)
    content = read_content(  # before the book is made: a file that is refused makes none
        file,
        expert=expert,
        known=known,
        repeats=repeats,
        queries=items if asked is None else frozenset(asked.ids),
        candidates=items,
        closed=catalogue is not None and asked is None,
    )
    with VoteBook.open(votes, waiting=lambda: show.note(WAITING)) as book:
        done = book.add(content)
    if as_json:
        show.print_json({"votes_in": book.place, **vars(done)})
        return
    if done.experts:
        text = (
            f"{plural(done.votes, 'vote')} of {plural(len(done.experts), 'expert')} added, "
            f"{done.changed:,} of them a changed mind; {plural(done.there, 'was', 'were')} there; "
            f"{plural(done.pairs, 'new pair')}"
        )
    else:
        text = (
            f"{plural(done.pairs, 'pair')} to judge added, "
            f"{plural(done.there, 'was', 'were')} there; {plural(done.known, 'known pair')}"
        )
    say(text)
    if done.itself and asked is None:
        show.note(ITSELF.format(plural(done.itself, "pair")))


@app.command("export")
@options.may_read_catalogue
def export_votes(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .csv, .tsv, .parquet, .jsonl, .json (VSD release) or .qrels (TREC).",
            show_default=False,
        ),
    ],
    votes: Votes = "votes.db",
    rule: Annotated[
        str,
        typer.Option(
            help="majority (ties negative), unanimous, any, dawid-skene; or all, for every vote."
        ),
    ] = "majority",
    random: Annotated[
        bool,
        typer.Option(
            "--random/--no-random", help="Also pairs that are there by a random draw alone."
        ),
    ] = True,
    metadata: Annotated[
        Path | None,
        typer.Option(
            metavar="JSON",
            help="Write the VSD release's image metadata of --catalogue, and paths for ids.",
            show_default=False,
        ),
    ] = None,
    catalogue: Any = None,
    queries: Queries = None,
    as_json: options.AsJson = False,
) -> None:
    """Write judgements made of the votes, or the votes themselves."""
    from ..values.errors import plural

    asked = None if queries is None else options.open_other(queries, catalogue)
    with open_book(votes) as book:
        done = book.export_file(
            file, rule=rule, random=random, metadata=metadata, catalogue=catalogue, queries=asked
        )
    release = done.release
    if as_json:
        images = release and {
            "file": metadata,
            "images": len(release.images),
            "root": release.root,
            "both": release.both,
        }
        counts = {"rows": done.rows, "left_out": done.left_out, "random": done.random}
        show.print_json({"file": file, "rule": rule, **counts, "metadata": images})
        return
    unvoted = plural(done.left_out, "pair has no vote and is", "pairs have no vote and are")
    left = f"; {unvoted} left out" if done.left_out else ""
    say(f"{file}: {plural(done.rows, 'row')} by the rule {rule}{left}")
    if done.random:
        show.note(
            f"{plural(done.random, 'row is', 'rows are')} of random pairs: most are easy "
            "negatives, which raise the ROC-AUC of every encoder; --no-random leaves them out"
        )
    if release is not None:
        say(f"{metadata}: {plural(len(release.images), 'image')} below {release.root}")
        if release.both:
            both = plural(release.both, "image asks", "images ask")
            show.note(f"{both} and can be found: their phase is query")


@app.command("status")
def show_status(votes: Votes = "votes.db", as_json: options.AsJson = False) -> None:
    """Show what a vote book holds, and how far each expert is."""
    from ..values.errors import plural

    with open_book(votes) as book:
        sizes, experts = book.sizes(), book.progress()
    if as_json:
        show.print_json(
            {"votes_in": book.place, **sizes, "experts": [vars(one) for one in experts]}
        )
        return
    say(
        f"{plural(sizes['pairs'], 'pair')}, {sizes['to_judge']:,} of them to judge in "
        f"{plural(sizes['rounds'], 'round')}, {sizes['known']:,} with a known answer, "
        f"{sizes['random']:,} drawn at random"
    )
    counted = plural(sizes["votes"], "vote counts", "votes count")
    say(f"{counted}, of {plural(sizes['answers'], 'answer')} ever given")
    rows = [(one.expert, f"{one.votes:,}", f"{one.answered:,}", f"{one.left:,}") for one in experts]
    if rows:
        table(("expert", "votes", "questions answered", "left"), rows)
    else:
        say("no expert has begun")


app.command("agree")(agree)
app.command("resolve")(resolve)
