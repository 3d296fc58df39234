"""``likelens check``: copies, tags that are probably wrong, and unusable images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show

if TYPE_CHECKING:
    from .._check import Check


@options.reads_incomplete_catalogue
def check(
    catalogue: Any,
    encoder: options.Encoders = None,
    out: Annotated[Path, typer.Option(help="Folder for the page and the tables.")] = Path("check"),
    store: options.StoreInOut = None,
    preset: options.Presets = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    runtime: options.Runtime = "auto",
    compile: options.Compile = False,  # noqa: A002 - the option's name
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Find copies, tags that are probably wrong, and unusable images; nothing is changed.

    Name the tag columns with --tags, and the column of products with --product. Without -e,
    images are compared by colour and shape, which needs no network.
    """
    from .._check import DEFAULT_ENCODER
    from .._check import check as run
    from ..encoders.running import Running

    specs = [DEFAULT_ENCODER]
    if encoder or preset:
        specs = options.with_dtype(options.some_encoders(encoder, preset), dtype)
    with show.progress_bar() as progress:
        found = run(
            catalogue,
            specs,
            options.measuring_store(store, out / "store"),
            seed=seed,
            running=Running(device=device, runtime=runtime, compile=compile),
            progress=progress,
        )
        progress("writing the page", 0, 1)
        page = found.write(out)
        progress("writing the page", 1, 1)
    if as_json:
        show.print_json({**found.to_dict(), "page": str(page)})
        return
    _print(found)
    for text in found.notes:
        show.note(text)
    show.say(f"page: {page}")


def _print(found: Check) -> None:
    """The counts, and how each tag column was judged."""
    from collections import Counter

    show.say(found.summary)
    problems = Counter(found.unusable["problem"].to_pylist())
    for problem, count in problems.most_common():
        show.say(f"  {problem}: {count:,}")
    if not len(found.columns):
        return
    heads = ("column", "items", "values", "neighbours right", "most frequent", "suspected", "")
    rows = [
        [
            row["column"],
            f"{row['items']:,}",
            f"{row['tags']:,}",
            _percent(row["accuracy"]),
            _percent(row["majority"]),
            f"{row['suspected']:,}",
            f"not judged: {row['reason']}" if row["reason"] else "",
        ]
        for row in found.columns.to_pylist()
    ]
    show.table(heads, rows, words=(0, len(heads) - 1))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
