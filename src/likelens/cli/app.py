"""The commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .annotate import app as annotate_app
from .check import check
from .collect import collect_pictures
from .command import App, Quiet, Verbose, choose_output
from .completion import print_completion
from .encoders import app as encoders_app
from .evaluate import evaluate
from .index import app as index_app
from .reproduce import app as reproduce_app
from .search import search
from .store import app as store_app

if TYPE_CHECKING:
    from ..encoders.base import Encoder
    from ..encoders.running import Running
    from ..store.base import Store

app = App(
    name="likelens",
    help="See what looks alike; measure which model sees it best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("completion")(print_completion)
app.command()(check)
app.command("collect")(collect_pictures)
app.add_typer(annotate_app, name="annotate")
app.add_typer(encoders_app, name="encoders")
app.command()(evaluate)
app.add_typer(index_app, name="index")
app.add_typer(reproduce_app, name="reproduce")
app.command()(search)
app.add_typer(store_app, name="store")

DEMO_ENCODERS = (
    "opencv:colour",
    "opencv:hog",
    "opencv:sift?words=256",
    "opencv:orb?words=256",
    "control:random",
    "control:shuffled?of=opencv:colour",
)


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        show.say(f"likelens {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """See what looks alike; measure which model sees it best."""
    choose_output(quiet, verbose)


@app.command()
def demo(
    items: Annotated[int, typer.Option(help="Pictures to draw.", min=20)] = 600,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("likelens-demo"),
    encoder: options.Encoders = None,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Draw a catalogue of garments, rank encoders on it, and write a report. Needs no network."""
    from .. import garments
    from .._embed import fill_all, open_store
    from ..values.catalogue import Catalogue
    from .evaluating import evaluate_by_tags

    with show.progress_bar() as progress:
        progress("drawing garments", 0, items)
        source = garments.create(out / "catalogue", items=items, seed=seed)
        progress("drawing garments", items, items)
    specs = list(dict.fromkeys([*DEMO_ENCODERS, *(encoder or [])]))
    catalogue, store = Catalogue.open(source), open_store(out / "store")
    _check_demo_store(store, source.parent)
    fill_all(catalogue, [], store, sync=True)  # measuring would leave the items of a demo before
    evaluate_by_tags(
        catalogue,
        specs,
        out / "report",
        store,
        recipe="released",
        self_pairs="exclude",
        seed=seed,
        as_json=as_json,
    )
    if not as_json:
        first = next((source.parent / "images").glob("*.jpg"))
        words = ["search", str(first), "--store", str(out / "store"), "-e", "opencv:colour"]
        show.note(f"now search: {show.call(words)}")


@app.command()
@options.reads_catalogue
def embed(
    catalogue: Any,
    store: Annotated[Path, typer.Option(help="Folder where the vectors are kept.")],
    encoder: options.Encoders = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Also write the vectors to a .parquet, .npz or .npy file."),
    ] = None,
    preset: options.Presets = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    runtime: options.Runtime = "auto",
    compile: options.Compile = False,  # noqa: A002 - the option's name
    overwrite: options.Overwrite = False,
    sync: options.Sync = False,
    forget: options.Forget = False,
    as_json: options.AsJson = False,
) -> None:
    """Add a catalogue's images to a store, and make the vectors that it lacks. Stopped, it resumes.

    Items that SOURCE does not list stay, unless --sync is given. Encoders that cannot be opened or
    fail, and images that cannot be read, are noted and left out; it fails only if no encoder has a
    vector of any image.
    """
    from .._embed import fill_all, removed_text
    from ..encoders.running import Running
    from ..store.base import open_store

    specs = options.with_dtype(options.some_encoders(encoder, preset), dtype)
    running = Running(device=device, runtime=runtime, compile=compile)
    with show.progress_bar() as progress:
        opened = _pixel_encoders(specs, running)
        if export is not None:
            _check_export(export, len(opened))
        for text in catalogue.notes:
            show.note(text)
        kept = open_store(store)
        every = fill_all(
            catalogue, opened, kept, overwrite=overwrite, sync=sync or forget, progress=progress
        )
    runs = [run for run in every if run.error is None]
    for run in every:
        if run.error is not None:
            if not runs:
                raise run.error
            show.note(f"left out: {run.name}: {run.error.what}; {run.error.hint}")
    removed = removed_text(runs[0].removed, runs[0].removed_columns)
    if removed:
        show.note(removed)
    if export is not None:
        from ..encoders.vectors import write_vectors

        made = kept.embeddings(runs[0].name, catalogue.ids)
        write_vectors(export, made.ids, made.vectors)
    if as_json:
        show.print_json([{**vars(run), "error": run.error and run.error.what} for run in every])
    else:
        show.print_runs(runs)
    if all(run.empty for run in runs):
        raise typer.Exit(1)


@app.command()
def doctor(as_json: options.AsJson = False) -> None:
    """Say what is installed, what is missing for which feature, and how to get it."""
    from .doctor import examine, print_findings

    findings = examine()
    if as_json:
        show.print_json(findings)
    else:
        print_findings(findings)
    if not all(part["version"] for part in findings["libraries"]):
        raise typer.Exit(1)


def _check_demo_store(store: Store, folder: Path) -> None:
    """Refuse a store that serves other items than those of an earlier demo.

    Raises:
        BadTable: it does.
    """
    from ..values.errors import BadTable

    if not all(folder.resolve() in path.resolve().parents for path in store.catalogue().paths):
        raise BadTable(
            "this store serves another catalogue than a demo's",
            where=store.place,
            hint="give another --out",
        )


def _pixel_encoders(specs: list[str], running: Running) -> list[Encoder]:
    """Those encoders, opened; refuses sources that have their vectors already.

    Encoders that cannot be had are left out with a note, unless there is no other.
    """
    from ..encoders.base import Encoder
    from ..encoders.opening import open_encoders
    from ..values.errors import BadSpec

    found, lost = open_encoders(specs, running)
    if lost and not found:
        raise next(iter(lost.values()))
    for name, error in lost.items():
        show.note(f"left out: {name}: {error.what}; {error.hint}")
    opened = []
    for one in found:
        if not isinstance(one, Encoder):
            raise BadSpec(
                f"{one.spec} has its vectors already",
                where="likelens embed",
                hint="name it in evaluate or search, where an encoder's spec stands",
            )
        opened.append(one)
    return opened


def _check_export(export: Path, encoders: int) -> None:
    from ..values.errors import BadTable

    if encoders != 1:
        raise BadTable(
            f"--export writes the vectors of one encoder, not of {encoders}",
            where=str(export),
            hint="give one -e",
        )
    if export.suffix.lower() not in (".parquet", ".npz", ".npy"):
        raise BadTable(
            f"vectors cannot be written as {export.suffix or 'a file without an ending'}",
            where=str(export),
            hint="end its name in .parquet, .npz or .npy",
        )
