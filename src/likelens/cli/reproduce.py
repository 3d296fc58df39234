"""``likelens reproduce``: published results, measured again on a catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options, show
from .command import App
from .evaluate import DifferentProducts, PoolDepth, PoolFile, SkipUnknown

if TYPE_CHECKING:
    from ..presets import Row
    from ..reproduce import EngineRun, Reproduction

NamedEncoders = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--encoder",
        metavar="[NAME=]SPEC...",
        help="Encoders; triplet=checkpoint:FILE?arch=... calls the row triplet.",
        show_default=False,
    ),
]

app = App(help="Measure published results again on a catalogue.", no_args_is_help=True)


@app.callback()
def _reproduce() -> None:
    """Measure published results again on a catalogue."""


@app.command()
@options.reads_catalogue
def corrembed(
    catalogue: Any,
    encoder: options.Encoders = None,
    preset: options.Presets = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, charts and the report.")] = Path(
        "reproduce-corrembed"
    ),
    store: options.StoreInOut = None,
    items: Annotated[
        int | None,
        typer.Option(help="Measure a sample of so many items.", min=3, show_default=False),
    ] = None,
    recipe: options.Recipe = None,
    self_pairs: options.SelfPairs = "include",
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Write the CorrEmbed paper's tables and figures for a catalogue with tags.

    Without -e and --preset, of the paper's encoders: --preset corrembed.
    """
    from ..encoders.running import Running
    from ..reproduce import corrembed as measure
    from ..reproduce import write

    rows = named(encoder, preset, "corrembed")
    with show.progress_bar() as progress:
        found = measure(
            catalogue,
            rows,
            options.measuring_store(store, out / "store"),
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


@app.command()
@options.reads_catalogue
def engine(
    catalogue: Any,
    encoder: NamedEncoders = None,
    preset: options.Presets = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, charts and the report.")] = Path(
        "reproduce-engine"
    ),
    store: options.StoreInOut = None,
    index: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Index, such as kdtree or lsh(bits=256); several are given one by one. The "
            "first is that of the tables by parent class (default: kdtree, lsh and exact).",
            show_default=False,
        ),
    ] = None,
    parents: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAMES",
            help='Table with the columns class and parent, or "Animals,Vehicles,Other".',
            show_default=False,
        ),
    ] = None,
    parents_by: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Model that chooses among the NAMES.", show_default=False
        ),
    ] = None,
    second: Annotated[
        Path | None,
        typer.Option(
            help="Another data set, for Table 6: a folder of class folders or a catalogue.toml.",
            show_default=False,
        ),
    ] = None,
    per_class: Annotated[
        int, typer.Option(help="Queries drawn of each class, as the paper does.", min=1)
    ] = 4,
    k: Annotated[int, typer.Option("-k", help="Results that count.", min=1)] = 10,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    runtime: options.Runtime = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Write the tables of an image search engine for a folder of class folders.

    Without -e and --preset, of the paper's encoders: --preset image-search.
    """
    from ..encoders.running import Running
    from ..reproduce import ENGINE_INDEXES, find_parents, write_engine
    from ..reproduce import engine as measure
    from ..values.catalogue import Catalogue

    rows = named(encoder, preset, "image-search")
    with show.progress_bar() as progress:
        found = measure(
            catalogue,
            rows,
            options.measuring_store(store, out / "store"),
            indexes=index or ENGINE_INDEXES,
            parents=find_parents(parents, parents_by, catalogue),
            second=None if second is None else Catalogue.open(second),
            per_class=per_class,
            k=k,
            seed=seed,
            running=Running(device=device, runtime=runtime),
            progress=progress,
        )
        progress("writing the report", 0, 1)
        page = write_engine(found, out)
        progress("writing the report", 1, 1)
    _show_engine(found, page, as_json)


@app.command()
@options.reads_catalogue
def discovery(
    catalogue: Any,
    judgements: Annotated[
        Path, typer.Option(help="Judgements: query, candidate, 0 or 1.", show_default=False)
    ],
    encoder: NamedEncoders = None,
    preset: options.Presets = None,
    out: Annotated[Path, typer.Option(help="Folder for tables and pages.")] = Path(
        "reproduce-discovery"
    ),
    store: options.StoreInOut = None,
    wild: Annotated[
        Path | None,
        typer.Option(help="Another catalogue whose pictures ask too.", show_default=False),
    ] = None,
    wild_judgements: Annotated[
        Path | None, typer.Option(help="Judgements of its queries.", show_default=False)
    ] = None,
    pool: PoolFile = None,
    pool_k: PoolDepth = None,
    definition: Annotated[
        Literal["paper", "release"],
        typer.Option(help="HR@k and MRR@k as we read the paper or as in its released code."),
    ] = "paper",
    negatives: Annotated[
        Literal["annotated", "sampled"],
        typer.Option(help="Negatives: judged, or drawn from any encoder's ranks 100 to 500."),
    ] = "annotated",
    different_products: DifferentProducts = False,
    skip_unknown: SkipUnknown = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Write Tables 1 to 6 of VSD (visual similarity discovery) for a catalogue with judgements.

    Without -e and --preset, of the paper's encoders: vsd-generators and vsd-additional.
    """
    from ..encoders.running import Running
    from ..reproduce import discovery as measure
    from ..reproduce import write_tables

    rows = named(encoder, preset, "vsd-generators", "vsd-additional")
    with show.progress_bar() as progress:
        found = measure(
            catalogue,
            judgements,
            rows,
            options.measuring_store(store, out / "store"),
            wild=None if wild is None else options.open_other(wild, catalogue),
            wild_judgements=wild_judgements,
            pool=pool,
            pool_k=pool_k,
            definition=definition,
            negatives=negatives,
            different_products=different_products,
            skip_unknown=skip_unknown,
            seed=seed,
            running=Running(device=device),
            progress=progress,
        )
        progress("writing the report", 0, 1)
        page = write_tables(found, out)
        progress("writing the report", 1, 1)
    if as_json:
        show.print_json({**found.tables, "page": str(page)})
        return
    for board in found.boards.values():
        show.print_discovery(board)
        for text in board.notes:
            show.note(text)
    for row, why in found.missing:
        show.say(f"missing: {row.name or row.spec}: {why}")
    show.say(f"page: {page}")


def named(encoder: list[str] | None, preset: list[str] | None, *usual: str) -> list[str | Row]:
    """The encoders of presets and those named one by one, each once.

    If there are neither, those of the usual presets; a note then says so before any work.
    """
    from ..presets import preset as rows_of

    named_so = list(dict.fromkeys(encoder or []))
    chosen = options.columns(preset, "--preset") or []
    is_usual = not chosen and not named_so
    rows: list[str | Row] = [
        row for name in (usual if is_usual else chosen) for row in rows_of(name)
    ]
    if is_usual:
        show.note(
            f"neither -e nor --preset is given, so these are the {len(rows)} encoders of "
            f"{' and '.join(f'--preset {name}' for name in usual)}; weights that are not here are "
            "downloaded, unless HF_HUB_OFFLINE=1 is set"
        )
    known = {row.spec for row in rows if not isinstance(row, str)}
    found = [*rows, *(_row(text) for text in named_so if text not in known)]
    _refuse_one_name_for_two(found)
    return found


def _refuse_one_name_for_two(rows: Sequence[str | Row]) -> None:
    from ..values.errors import BadSpec, first_few

    specs: dict[str, set[str]] = {}
    for row in rows:
        if not isinstance(row, str) and row.name:
            specs.setdefault(row.name, set()).add(row.spec)
    shared = {name: of for name, of in specs.items() if len(of) > 1}
    if shared:
        raise BadSpec(
            f"{first_few(shared)} is the name of {first_few(sorted(next(iter(shared.values()))))}",
            where="-e NAME=SPEC",
            hint="give every encoder a name of its own",
        )


def _row(text: str) -> str | Row:
    """An encoder as it was given; ``NAME=SPEC`` as a row of that name."""
    from ..presets import Row

    name, equals, spec = text.partition("=")
    if not equals or ":" in name:
        return text
    return Row(spec, name.strip(), "the user's")


def _show_engine(found: EngineRun, page: Path, as_json: bool) -> None:
    report = page.parent / "report.html"
    if as_json:
        paths = {"page": str(page), "report": str(report)}
        show.print_json({**found.tables, "items": len(found.first.catalogue), **paths})
        return
    for name, rows in found.tables.items():
        if name.startswith("index-") or name == "second":
            show.print_engine(name, rows, found.settings.k)
    for row, why in found.missing:
        show.say(f"missing: {row.name or row.spec}: {why}")
    for label, path in (("page", page), ("report", report)):
        show.say(f"{label}: {path}")


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
        show.say(f"{name}: {path}")
