"""``likelens index``: build one and keep it, look at those kept, find out which is best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .command import App
from .completion import encoder_names

if TYPE_CHECKING:
    from .._tune import Tuning

app = App(help="Indexes of a store's vectors: build, look at, choose.", no_args_is_help=True)

StoreOption = Annotated[Path, typer.Option(help="Folder where the vectors are kept.")]
Encoder = Annotated[
    str | None,
    typer.Option(
        "-e",
        "--encoder",
        metavar="SPEC",
        autocompletion=encoder_names,
        help="Encoder, if the store has several.",
    ),
]

SHOWN = 5


@app.command("build")
def build_saved(
    store: StoreOption,
    encoder: Encoder = None,
    kind: Annotated[str, typer.Option(help="Kind and options: hnsw(m=16).")] = "hnsw",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Build it anew, though one is there.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Build an index of a store's vectors, and keep it there; again, bring it up to date."""
    from .._search import save_index

    with show.progress_bar() as progress:
        progress("building the index", 0, 1)
        found = save_index(store, encoder, kind, overwrite=overwrite)
        progress("building the index", 1, 1)
    show.note_lacking(found["lacking"], found["items"])
    if as_json:
        show.print_json(found)
        return
    changes = ", ".join(f"{count:,} {what}" for what, count in found["changes"].items())
    done = "built" if found["built"] else f"brought up to date ({changes})"
    name, seconds = found["index"], found["seconds"]
    show.say(f"{name}: {found['vectors']:,} vectors, {done} in {seconds:.1f} s")
    show.say(f"file: {found['file']} ({_size(found['file_bytes'])})")
    if not found["structure"] and not name.startswith("exact"):
        show.note(
            f"with fewer than {found['needs']:,} vectors each of them is compared, "
            "and no index is needed"
        )


@app.command("info")
def show_indexes(
    store: StoreOption,
    encoder: Encoder = None,
    k: Annotated[int, typer.Option("-k", "--top", help="Length of the lists for hubs.")] = 10,
    hubs: Annotated[
        bool | None,
        typer.Option(help="Look for hubs (default: up to 50,000 items).", show_default=False),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the indexes kept in a store, hubs that every search finds, and what none does."""
    from .._search import index_info

    found = index_info(store, encoder, k=k, hubs=hubs)
    if as_json:
        show.print_json(found)
        return
    described, failed = found["encoders"], found["failed"]
    for one in described:
        _print_described(one)
    for one in failed:
        show.note(f"{one['encoder']}: {one['problem']}")
    for bad in found["damaged"]:
        show.note(f"{bad['file']}: {bad['problem']}; a search builds it again")
    if not described and not failed:
        show.say("the store has no vectors")


def _print_described(one: dict[str, Any]) -> None:
    """An encoder's part of ``index info``."""
    show.say(f"{one['encoder']} ({one['fingerprint']}): {one['vectors']:,} vectors of {one['dim']}")
    show.note_lacking(one["lacking"], one["items"])
    rows = []
    for index in one["indexes"]:
        state, late = index["state"], index["behind"]
        if state == "behind":
            state += ": " + ", ".join(f"{count:,} {what}" for what, count in late.items() if count)
        size = _size(index["file_bytes"])
        name = Path(index["file"]).name
        rows.append([index["index"], f"{index['vectors']:,}", size, state, name])
    if rows:
        show.table(("index", "vectors", "size", "state", "file"), rows, words=(0, 3, 4))
    else:
        show.say("no index is saved: likelens index build")
    hubs = one["hubs"]
    if hubs is None:
        show.note(f"hubs were not looked for among {one['vectors']:,} items; --hubs does")
        return
    largest = ", ".join(f"{hub['id']} ({hub['found']:,})" for hub in hubs["largest"][:SHOWN])
    orphans = hubs["orphans"]
    first = f": {', '.join(orphans[:SHOWN])}{', …' if len(orphans) > SHOWN else ''}"
    share = "-" if hubs["orphan_share"] != hubs["orphan_share"] else f"{hubs['orphan_share']:.1%}"
    skewness = show.number(hubs["skewness"], 2)
    lists = f"the {hubs['k']} nearest of others"
    show.say(f"hubs: skewness {skewness} of how often an item stands in {lists}")
    show.say(f"most often: {largest or '-'}")
    show.say(f"orphans: {len(orphans):,} ({share}) stand in no list{first if orphans else ''}")


@app.command("tune")
def tune_index(
    store: StoreOption,
    encoder: Encoder = None,
    target_recall: Annotated[
        float, typer.Option(help="Share of the true nearest that is to be found.")
    ] = 0.95,
    k: Annotated[int, typer.Option("-k", "--top", help="How many nearest are looked for.")] = 10,
    queries: Annotated[int, typer.Option(help="Items to ask with, drawn by the seed.")] = 200,
    budget_seconds: Annotated[float, typer.Option(help="How long it may take, about.")] = 120.0,
    out: Annotated[
        Path | None, typer.Option(help="Also write a page with the curve.", show_default=False)
    ] = None,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Measure every kind of index on a store's vectors, and recommend one."""
    from .._tune import tune_index

    with show.progress_bar() as progress:
        found = tune_index(
            store,
            encoder,
            k=k,
            target_recall=target_recall,
            queries=queries,
            budget_seconds=budget_seconds,
            seed=seed,
            progress=progress,
        )
    if out is not None:
        found.write(out)
    if as_json:
        page = {} if out is None else {"page": str(out)}
        show.print_json({**found.to_dict(), **page})
    else:
        _print_tuning(found, store, encoder, out)
    if found.stopped:
        raise typer.Exit(130)


def _print_tuning(found: Tuning, store: Path, encoder: str | None, out: Path | None) -> None:
    """Settings, growth and advice."""
    from ..report.tune import advice, growth_rows, growth_title, setting_rows

    tables = (("", setting_rows(found)), (growth_title(found), growth_rows(found)))
    for title, (heads, rows) in tables:
        if not rows:
            continue
        best = found.recommended
        styles = ["bold" if best is not None and row[0] == best.spec else "" for row in rows]
        show.table(heads, rows, title=title, styles=styles)
        show.say("")
    for text in found.notes:
        show.note(text)
    for line in advice(found):
        show.say(line)
    best = found.recommended
    if best is not None and best.line != "exact":
        named = [] if encoder is None else ["-e", encoder]
        words = ["index", "build", "--store", str(store), *named, "--kind", best.spec]
        show.say(f"keep it: {show.call(words)}")
    if out is not None:
        show.say(f"page: {out}")


def _size(size_bytes: int) -> str:
    from ..report.formats import rounded

    return rounded(size_bytes, "B").replace("\u00a0", " ")
