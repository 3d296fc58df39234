"""``likelens reproduce``: published results, measured again on a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options, show

if TYPE_CHECKING:
    from ..presets import Row
    from ..reproduce import Reproduction

app = typer.Typer(help="Measure published results again on a catalogue.", no_args_is_help=True)


@app.callback()
def _reproduce() -> None:
    """Measure published results again on a catalogue."""


@app.command()
@options.reads_catalogue
def corrembed(
    catalogue: Any,
    encoder: options.Encoders = None,
    preset: options.Preset = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, charts and the report.")] = Path(
        "reproduce-corrembed"
    ),
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder where the vectors are kept (default: OUT/store).", show_default=False
        ),
    ] = None,
    items: Annotated[
        int | None,
        typer.Option(help="Measure a sample of so many items.", min=3, show_default=False),
    ] = None,
    recipe: Annotated[
        Literal["released"] | None,
        typer.Option(
            help="Weigh purchases as the CorrEmbed authors' code did.", show_default=False
        ),
    ] = None,
    self_pairs: Annotated[
        Literal["include", "exclude"],
        typer.Option(help="Whether an item's likeness to itself counts."),
    ] = "include",
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Write the CorrEmbed paper's tables and figures for a catalogue with tags."""
    from ..encoders.base import Running
    from ..reproduce import corrembed as measure
    from ..reproduce import write

    rows = named(encoder, preset)
    with show.progress_bar() as progress:
        found = measure(
            catalogue,
            rows,
            store or out / "store",
            items=items,
            recipe=recipe,
            self_pairs=self_pairs,
            seed=seed,
            running=Running(device=device),
            progress=progress,
        )
        progress("writing the report", 0, 1)
        page = write(found, out)
        progress("writing the report", 1, 1)
    _show(found, page, as_json)


def named(encoder: list[str] | None, preset: str | None) -> list[str | Row]:
    """The encoders of a preset and those named one by one, each once; the paper's if none."""
    from ..presets import preset as rows_of

    named_so = list(dict.fromkeys(encoder or []))
    if preset is None and not named_so:
        preset = "corrembed"
    rows: list[str | Row] = list(rows_of(preset)) if preset is not None else []
    known = {row.spec for row in rows if not isinstance(row, str)}
    return [*rows, *(spec for spec in named_so if spec not in known)]


def _show(found: Reproduction, page: Path, as_json: bool) -> None:
    from ..reproduce.tables import everything

    report = page.parent / "report" / "report.html"
    if as_json:
        paths = {"page": str(page), "report": str(report)}
        show.print_json({**everything(found), "items": len(found.board.catalogue), **paths})
        return
    show.print_leaderboard(found.board)
    for text in found.board.notes:
        show.note(text)
    for name, path in (("page", page), ("report", report)):
        show.stdout().print(f"{name}: {path}", markup=False, soft_wrap=True)
