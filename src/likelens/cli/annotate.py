"""``likelens annotate``: pairs to judge, experts' votes, how far they agree, and one label each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .annotate_agree import agree
from .annotate_book import Votes, open_book, say, table
from .annotate_pool import plan, pool
from .annotate_resolve import resolve

if TYPE_CHECKING:
    from ..values.catalogue import Catalogue

Queries = Annotated[
    Path | None,
    typer.Option(
        metavar="SOURCE", help="The catalogue of the queries, if another.", show_default=False
    ),
]

app = typer.Typer(
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

    items = None if catalogue is None else frozenset(catalogue.ids)
    asked = _opened(queries)
    content = read_content(  # before the book is made: a file that is refused makes none
        file,
        expert=expert,
        known=known,
        repeats=repeats,
        queries=items if asked is None else frozenset(asked.ids),
        candidates=items,
    )
    with VoteBook.open(votes) as book:
        done = book.add(content)
    if as_json:
        show.print_json({"votes_in": book.place, **vars(done)})
        return
    if done.experts:
        text = (
            f"{done.votes:,} votes of {len(done.experts):,} experts added, {done.changed:,} of "
            f"them a changed mind; {done.there:,} were there; {done.pairs:,} new pairs"
        )
    else:
        text = (
            f"{done.pairs:,} pairs to judge added, {done.there:,} were there; "
            f"{done.known:,} known pairs"
        )
    say(text)


def _opened(source: Path | None) -> Catalogue | None:
    """The catalogue of the queries, if there is one."""
    if source is None:
        return None
    from ..values.catalogue import Catalogue

    return Catalogue.open(source)


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
    asked = _opened(queries)
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
    left = f"; {done.left_out:,} pairs have no vote and are left out" if done.left_out else ""
    say(f"{file}: {done.rows:,} rows by the rule {rule}{left}")
    if done.random:
        show.note(
            f"{done.random:,} rows are of random pairs: most are easy negatives, which raise the "
            "ROC-AUC of every encoder; --no-random leaves them out"
        )
    if release is not None:
        say(f"{metadata}: {len(release.images):,} images below {release.root}")
        if release.both:
            show.note(f"{release.both:,} images ask and can be found: their phase is query")


@app.command("status")
def show_status(votes: Votes = "votes.db", as_json: options.AsJson = False) -> None:
    """Show what a vote book holds, and how far each expert is."""
    with open_book(votes) as book:
        sizes, experts = book.sizes(), book.progress()
    if as_json:
        show.print_json(
            {"votes_in": book.place, **sizes, "experts": [vars(one) for one in experts]}
        )
        return
    say(
        f"{sizes['pairs']:,} pairs, {sizes['to_judge']:,} of them to judge in "
        f"{sizes['rounds']:,} rounds, {sizes['known']:,} with a known answer, "
        f"{sizes['random']:,} drawn at random"
    )
    say(f"{sizes['votes']:,} votes count, of {sizes['answers']:,} answers ever given")
    rows = [(one.expert, f"{one.votes:,}", f"{one.answered:,}", f"{one.left:,}") for one in experts]
    if rows:
        table(("expert", "votes", "questions answered", "left"), rows)
    else:
        say("no expert has begun")


app.command("agree")(agree)
app.command("resolve")(resolve)
