"""``likelens store``: what is kept, single items, and whether all of it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, show
from .command import App

app = App(help="A store: what it holds, single items, damage.", no_args_is_help=True)

StoreOption = Annotated[
    Path, typer.Option(help="Folder of the store; STORE#NAME is another catalogue in it.")
]


@app.command("info")
def show_store(store: StoreOption, as_json: options.AsJson = False) -> None:
    """Show the items, columns and encoders of a store, and whether its images are found."""
    from ..store.base import open_store

    found = open_store(store, create=False).info()
    if as_json:
        show.print_json(found)
        return
    columns = ", ".join(f"{name} ({kind})" for name, kind in found["columns"].items())
    show.say(f"{found['store']}: {found['items']:,} items; columns: {columns or 'none'}")
    for one in found["encoders"]:
        failed = f", {one['failures']:,} failures" if one["failures"] else ""
        show.say(
            f"{one['encoder']} ({one['fingerprint']}): vectors of {one['items']:,} items{failed}; "
            f"{one['vectors']:,} vectors of dimension {one['dim']}"
        )
    others = [name for name in found["catalogues"] if name]
    if others:
        show.say(f"other catalogues: {', '.join(f'#{name}' for name in others)}")
    if found["images_missing"]:
        show.note(
            f"{found['images_missing']:,} images are not where they were "
            f"({', '.join(found['first_missing'])}); if they were moved, name their folder: "
            f"{show.call(['store', 'upsert', '--store', str(store)])} --images FOLDER"
        )


@app.command("upsert")
def upsert_items(
    store: StoreOption,
    item: Annotated[
        str | None, typer.Option("--id", help="The item to add or update.", show_default=False)
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="Its image: a file or an address; not needed of an item that is there.",
            show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=VALUE", help="An attribute; several one by one."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Instead: the folder where the images of all items are now."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Add an item to a store or update it, with vectors by all encoders that the store has.

    Attributes that are not given keep their values. With --images instead of --id, the paths of
    all items are changed to a folder that was moved.
    """
    from .._embed import open_store
    from ..values.errors import BadSpec

    kept = open_store(store, create=False)
    if (item is None) == (images is None) or (images is not None and (image or set_)):
        raise BadSpec(
            "either one item or the folder of all images is changed",
            where="likelens store upsert",
            hint="give --id ID --image FILE, or --images FOLDER alone",
        )
    if images is not None:
        moved = kept.move_images(images)
        if as_json:
            show.print_json({"moved": moved})
        else:
            show.say(f"{moved:,} images found in {images}")
        return
    row: dict[str, Any] = {"id": item, **_typed(_given(set_ or []), kept.items().column_names)}
    if image is not None:
        row["image"] = image
    done = kept.upsert(row)
    if as_json:
        show.print_json({"upserted": done, "items": kept.count()})
    else:
        show.say(f"{', '.join(done)} upserted; the store has {kept.count():,} items")


def _given(settings: list[str]) -> dict[str, str]:
    from ..values.errors import BadSpec

    wrong = [text for text in settings if not text.partition("=")[1]]
    if wrong:
        raise BadSpec(f"{wrong[0]!r} sets nothing", where="--set", hint="write --set COLUMN=VALUE")
    odd = [text for text in settings if any("\ud800" <= sign <= "\udfff" for sign in text)]
    if odd:
        raise BadSpec(f"{odd[0]!r} is not valid Unicode", where="--set", hint="write it in UTF-8")
    given: dict[str, str] = {}
    for name, _, value in (text.partition("=") for text in settings):
        if given.setdefault(name.strip(), value) != value:
            raise BadSpec(
                f"{name.strip()!r} is set to {given[name.strip()]!r} and to {value!r}",
                where="--set",
                hint="give it once",
            )
    return given


def _typed(given: dict[str, str], known: list[str]) -> dict[str, Any]:
    """Values of new columns as numbers or truth values, where a CSV table would have them so."""
    import pyarrow as pa

    from ..values.columns import typed_text

    return {
        name: value if name in known else typed_text(pa.chunked_array([[value]]))[0].as_py()
        for name, value in given.items()
    }


@app.command("remove")
def remove_items(
    store: StoreOption,
    item: Annotated[
        list[str] | None,
        typer.Option("--id", help="An item to remove; several one by one.", show_default=False),
    ] = None,
    unused: Annotated[
        bool,
        typer.Option("--unused", help="Also remove the vectors of images that no item has."),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove items from a store; no search finds them any more."""
    from ..store.base import open_store
    from ..values.errors import BadSpec

    if not item and not unused:
        raise BadSpec(
            "nothing to remove is named",
            where="likelens store remove",
            hint="give --id ID, or --unused for vectors that no item has",
        )
    kept = open_store(store, create=False)
    removed = kept.remove(item or [])
    vectors = kept.remove_unused() if unused else {}
    if as_json:
        show.print_json({"removed": removed, "unused_vectors": vectors, "items": kept.count()})
        return
    for one in removed:
        show.say(f"removed: {one}")
    for name, count in vectors.items():
        show.say(f"{name}: {count:,} vectors removed that no item had")
    show.say(f"the store has {kept.count():,} items")


@app.command("verify")
def verify_store(store: StoreOption, as_json: options.AsJson = False) -> None:
    """Compare all files of a store with their checksums; exit code 1 where one is damaged."""
    from .._indexes import list_indexes
    from ..store.base import open_store
    from ..values.errors import IndexBroken

    kept = open_store(store, create=False)
    found = kept.verify()
    found += [
        {"file": one.where, "problem": one.what, "repair": one.hint}
        for one in list_indexes(kept)
        if isinstance(one, IndexBroken)
    ]
    if as_json:
        show.print_json({"store": str(store), "damaged": found})
    else:
        for one in found:
            show.say(f"{one['file']}: {one['problem']}; repair: {one['repair']}")
        show.say(f"{len(found):,} damaged files" if found else "no damage was found")
    if found:
        raise typer.Exit(1)
