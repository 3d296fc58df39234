"""``likelens index``: build one and keep it, look at those kept, find out which is best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .command import App
from .completion import encoder_names

if TYPE_CHECKING:
    from .._search import Hubs
    from .._tune import Tuning
    from ..store.base import Store
    from ..values.embeddings import Embeddings

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

HUBS_UP_TO = 50_000
"""Of more items, hubs are looked for only when asked: every item is compared with every other."""

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
    from .._indexes import keep_index, read_kind
    from .._search import Searcher

    read_kind(kind)
    searcher = Searcher(store, encoder)
    show.note_lacking(searcher.lacking, len(searcher.catalogue))
    started = time.perf_counter()
    placed, path = keep_index(searcher.store, searcher.embeddings, kind, overwrite=overwrite)
    known = placed.index.info()
    found = {
        "encoder": searcher.embeddings.encoder.name,
        "fingerprint": searcher.embeddings.fingerprint,
        **known,
        "built": not placed.saved,
        "changes": vars(placed.changes),
        "seconds": time.perf_counter() - started,
        "file": str(path),
        "file_bytes": path.stat().st_size,
    }
    if as_json:
        show.print_json(found)
        return
    done = f"brought up to date ({placed.changes})" if placed.saved else "built"
    show.say(
        f"{placed.index.spec}: {placed.index.count:,} vectors, {done} in {found['seconds']:.1f} s"
    )
    size = _size(path.stat().st_size)
    show.say(f"file: {path} ({size})")
    if not known["structure"] and placed.index.options.kind != "exact":
        show.note(
            f"with fewer than {placed.index.NEEDS:,} vectors each of them is compared, "
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
    from .._indexes import Held, list_indexes
    from ..store.base import open_store

    if k < 1:
        from ..values.errors import BadQuery

        raise BadQuery(f"k = {k} is not at least 1", where="-k", hint="give -k 1 or more")
    opened = open_store(store, create=False)
    items = opened.catalogue().ids
    kept = list_indexes(opened)
    if encoder is None:
        described, failed = _describe_all(opened, items, kept, k, hubs)
    else:
        described, failed = [_describe(opened, items, encoder, kept, k, hubs)], []
    broken = [{"file": one.where, "problem": one.what} for one in kept if not isinstance(one, Held)]
    if as_json:
        found = {"encoders": described, "failed": failed, "damaged": broken}
        show.print_json({"store": str(store), **found})
        return
    for one in described:
        _print_described(one)
    for one in failed:
        show.note(f"{one['encoder']}: {one['problem']}")
    for bad in broken:
        show.note(f"{bad['file']}: {bad['problem']}; a search builds it again")
    if not described and not failed:
        show.say("the store has no vectors")


def _describe_all(
    store: Store, items: Sequence[str], kept: Any, k: int, hubs: bool | None
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Every encoder of a store, and those whose vectors cannot be had, with the reason."""
    from .._indexes import Held, folder_name
    from ..values.errors import LikelensError

    names = [card.name for card in store.cards()]
    names += [
        one.encoder
        for one in kept
        if isinstance(one, Held) and one.path.parent.name == folder_name(one.encoder)
    ]
    described, failed = [], []
    for name in dict.fromkeys(names):
        try:
            described.append(_describe(store, items, name, kept, k, hubs))
        except LikelensError as error:
            failed.append({"encoder": name, "problem": error.what})
    return described, failed


def _describe(
    store: Store, items: Sequence[str], encoder: str, kept: Any, k: int, hubs: bool | None
) -> dict[str, Any]:
    """An encoder's vectors, their indexes and hubs."""
    from .. import build_index
    from .._indexes import Held, folder_name
    from .._search import find_hubs

    embeddings = _vectors(store, encoder, items)
    own = folder_name(embeddings.encoder.name)
    wanted = len(embeddings) <= HUBS_UP_TO if hubs is None else hubs
    indexes = []
    for one in kept:
        if isinstance(one, Held) and one.path.parent.name == own:
            other = one.fingerprint != embeddings.fingerprint
            behind = None if other else one.changes(embeddings)
            indexes.append(
                {
                    "index": one.spec,
                    "vectors": sum(item is not None for item in one.ids),
                    "fingerprint": one.fingerprint,
                    "state": "of another encoder"
                    if other
                    else "behind"
                    if behind
                    else "up to date",
                    "behind": None if behind is None else vars(behind),
                    "file": str(one.path),
                    "file_bytes": one.path.stat().st_size,
                }
            )
    return {
        "encoder": embeddings.encoder.name,
        "fingerprint": embeddings.fingerprint,
        "vectors": len(embeddings),
        "items": len(items),
        "lacking": embeddings.lacking(items),
        "dim": embeddings.encoder.dim,
        "indexes": indexes,
        "hubs": _hubs(find_hubs(build_index(embeddings.vectors), embeddings.ids, k))
        if wanted
        else None,
    }


def _vectors(store: Store, encoder: str, items: Sequence[str]) -> Embeddings:
    """Those stored need no encoder, whose files may be gone; others (fusions) are made by one."""
    from .._search import Searcher

    if any(card.name == encoder for card in store.cards()):
        return store.embeddings(encoder, items)
    return Searcher(store, encoder).embeddings


def _hubs(found: Hubs) -> dict[str, Any]:
    return {
        "k": found.k,
        "skewness": found.skewness,
        "largest": [{"id": item, "found": count} for item, count in found.largest],
        "orphans": list(found.orphans),
        "orphan_share": found.orphan_share,
    }


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
    from .._search import Searcher
    from .._tune import check_tune, tune

    check_tune(k, target_recall, queries, budget_seconds, seed)
    searcher = Searcher(store, encoder)
    with show.progress_bar() as progress:
        found = tune(
            searcher.embeddings.vectors,
            k=k,
            target_recall=target_recall,
            queries=queries,
            budget_seconds=budget_seconds,
            seed=seed,
            progress=progress,
        )
    name = searcher.embeddings.encoder.name
    if out is not None:
        from ..report.tune import write_tuning

        write_tuning(found, name, out)
    if as_json:
        page = {} if out is None else {"page": str(out)}
        show.print_json({"encoder": name, **found.to_dict(), **page})
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
        named = "" if encoder is None else f" -e '{encoder}'"
        show.say(f"keep it: likelens index build --store {store}{named} --kind '{best.spec}'")
    if out is not None:
        show.say(f"page: {out}")


def _size(size_bytes: int) -> str:
    from ..report.formats import rounded

    return rounded(size_bytes, "B").replace("\u00a0", " ")
