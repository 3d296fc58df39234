"""``likelens reproduce who-to-trust``: which scores can be trusted, by shops drawn by code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, show

if TYPE_CHECKING:
    from ..reproduce import Trust

ASSUMED = "What is taken as given"


def _assumed(text: str, **limits: float) -> object:
    return typer.Option(help=text, rich_help_panel=ASSUMED, **limits)  # type: ignore[arg-type]


def who_to_trust(
    seeds: Annotated[
        int,
        typer.Option(
            help="How many shops, each with other garments and experts; intervals need 5.", min=2
        ),
    ] = 20,
    out: Annotated[Path, typer.Option(help="Folder for the page and its charts.")] = Path(
        "who-to-trust"
    ),
    items: Annotated[int, _assumed("Garments in a shop.", min=40, max=2_000)] = 500,
    experts: Annotated[int, _assumed("Experts who judge each pair.", min=1, max=99)] = 3,
    pair_seconds: Annotated[
        float, _assumed("Seconds in which an expert judges a pair.", min=0.1, max=3_600)
    ] = 5.0,
    tag_seconds: Annotated[
        float, _assumed("Seconds in which all tags of an item are typed in.", min=0.1, max=3_600)
    ] = 30.0,
    tag_errors: Annotated[
        float, _assumed("Share of the tags that are wrong.", min=0.0, max=0.9)
    ] = 0.1,
    as_json: options.AsJson = False,
) -> None:
    """Write how far pools, metrics and tags can be trusted, on shops whose truth is known.

    A run that was broken off goes on where it was.
    """
    from ..reproduce import TrustSettings, trust, trust_folder, write_trust

    settings = TrustSettings(
        items=items,
        experts=experts,
        pair_seconds=pair_seconds,
        tag_seconds=tag_seconds,
        tag_errors=tag_errors,
    )
    with show.progress_bar() as progress:
        found = trust(trust_folder(out), seeds=seeds, settings=settings, progress=progress)
        page = write_trust(found, out)
    _show(found, page, as_json)


def _show(found: Trust, page: Path, as_json: bool) -> None:
    from ..reproduce import trust_in_short

    if as_json:
        show.print_json({**found.tables, "seeds": len(found.shops), "page": str(page)})
        return
    for term, text in trust_in_short(found):
        show.say(f"{term}. {text}")
    show.say(f"page: {page}")
