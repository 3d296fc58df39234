"""``likelens collect``: a class-per-folder data set from addresses of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, show

if TYPE_CHECKING:
    from ..collect import Collected

SEARCH = "Search for the addresses"


def collect_pictures(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="Addresses of pictures: a table with the columns class and url, a text file "
            "named after its class, or a folder of such. With --engine: the classes.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the data set.", show_default=False)],
    contact: Annotated[
        str, typer.Option(help="Your mail or web address, told to servers.", show_default=False)
    ] = "",
    delay: Annotated[
        float, typer.Option(help="Seconds between two requests to a host, at least.")
    ] = 1.0,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for a connection, or for more of an answer.")
    ] = 10.0,
    whole_timeout: Annotated[
        float, typer.Option(help="Seconds that one answer may take altogether.")
    ] = 60.0,
    max_bytes: Annotated[int, typer.Option(help="Largest picture to take.")] = 20_000_000,
    retries: Annotated[int, typer.Option(help="How often to ask again where that may help.")] = 3,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Also ask private addresses: your own servers."),
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Id (cx) of a custom search engine; your key is in LIKELENS_SEARCH_KEY.",
            rich_help_panel=SEARCH,
            show_default=False,
        ),
    ] = None,
    per_class: Annotated[
        int, typer.Option(help="Pictures to search for, of each class.", rich_help_panel=SEARCH)
    ] = 30,
    rights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Only with such rights: cc_publicdomain,cc_attribute.",
            rich_help_panel=SEARCH,
            show_default=False,
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Another service that speaks Google's Custom Search JSON API.",
            rich_help_panel=SEARCH,
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Fetch pictures into class folders, politely. Stopped, it goes on."""
    from ..collect import Engine, Manners, collect
    from ..collect.engine import ENDPOINT

    manners = Manners(
        contact=contact,
        delay_seconds=delay,
        timeout_seconds=timeout,
        whole_seconds=whole_timeout,
        max_bytes=max_bytes,
        retries=retries,
        allow_private=allow_private,
    )
    asked = None
    if engine is not None:
        names = ",".join(options.columns(rights, "--rights") or [])
        asked = Engine(engine, per_class, names, endpoint or ENDPOINT)
    elif rights or endpoint:
        _needs_engine("--rights" if rights else "--endpoint")
    with show.progress_bar() as progress:
        found = collect(source, out, engine=asked, manners=manners, progress=progress)
    if as_json:
        show.print_json(_as_json(found))
    else:
        _show(found)
    if found.stopped or (found.failures and not any(found.classes.values())):
        raise typer.Exit(1)


def _needs_engine(option: str) -> None:
    from ..values.errors import BadTable

    raise BadTable(
        f"{option} is for a search, and no search engine is named",
        where=option,
        hint="give --engine ID, or leave it out",
    )


def _as_json(found: Collected) -> dict[str, object]:
    return {
        "out": found.root,
        "manifest": found.manifest,
        "fetched": found.fetched,
        "copies": found.copies,
        "kept": found.kept,
        "refused_before": found.refused,
        "failed": [
            {"class": row.label, "url": row.url, "status": row.status, "reason": row.reason}
            for row in found.failures
        ],
        "classes": found.classes,
        "notes": list(found.notes),
        "stopped": found.stopped or None,
    }


def _show(found: Collected) -> None:
    for row in found.failures[: show.FAILURES_SHOWN]:
        show.note(f"no picture: {row.url}: {row.reason}")
    if len(found.failures) > show.FAILURES_SHOWN:
        more = len(found.failures) - show.FAILURES_SHOWN
        show.note(f"no picture: {more:,} more; all of them are in the manifest")
    for text in (*found.notes, found.stopped):
        if text:
            show.note(text)
    refused = f" ({found.refused:,} of them refused)" if found.refused else ""
    show.say(
        f"{found.fetched:,} fetched, {found.copies:,} copies, "
        f"{found.kept:,} settled before{refused}, "
        f"{len(found.failures):,} without a picture; {sum(found.classes.values()):,} pictures in "
        f"{sum(map(bool, found.classes.values())):,} of {len(found.classes):,} classes"
    )
    show.say(f"manifest: {found.manifest}")
