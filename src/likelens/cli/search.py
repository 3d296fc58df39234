"""``likelens search``: one search in a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .completion import encoder_names

if TYPE_CHECKING:
    from .._indexes import Placed
    from .._search import Hits, Threshold

ASKED, CHOSEN = "What is asked", "Which are shown"


def _asked(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=ASKED, show_default=False)


def _chosen(text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=CHOSEN, show_default=False, **more)


def search(
    store: Annotated[Path, typer.Option(help="Folder where the vectors are kept.")],
    query: Annotated[
        list[str] | None,
        typer.Argument(
            help="A picture, an item's id, or words for an encoder that reads text.",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "-e",
            "--encoder",
            metavar="SPEC",
            autocompletion=encoder_names,
            help="Encoder, if the store has several.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--top", help="How many to find.")] = 12,
    text: Annotated[list[str] | None, _asked("What to look for, in words.")] = None,
    text_weight: Annotated[
        float | None, _asked("Weight of the words beside the pictures, 0 to 1 (default: 0.5).")
    ] = None,
    region: Annotated[
        str | None, _asked("Part of the picture: x,y,w,h in pixels or percent.")
    ] = None,
    minus: Annotated[list[str] | None, _asked("A picture whose likeness counts against.")] = None,
    minus_weight: Annotated[
        float | None, _asked("How much it counts against (default: 0.25).")
    ] = None,
    where: Annotated[
        list[str] | None,
        _chosen("Condition: \"gender = 'Men' and year > 2010\"; several must all hold."),
    ] = None,
    include_self: Annotated[
        bool, _chosen("Let the query itself be found.", "--include-self")
    ] = False,
    group_by: Annotated[
        str | None, _chosen("One result for each value of this column: a product's id.")
    ] = None,
    collapse: Annotated[
        float | None, _chosen("Show near-duplicates once: those of this cosine, such as 0.98.")
    ] = None,
    diversity: Annotated[
        float | None, _chosen("Prefer results unlike each other: 0 for no, up to 1.")
    ] = None,
    rerank: Annotated[
        str | None, _chosen("Counter hubs: csls, local-scaling or mutual-proximity.")
    ] = None,
    threshold: Annotated[
        str | None, _chosen("Least cosine of a result: a number, or auto to calibrate it.")
    ] = None,
    false_alarm: Annotated[
        float | None,
        _chosen("How often auto may find what has nothing alike here (default: 0.01)."),
    ] = None,
    labels: Annotated[
        str | None, _chosen("Column in which items that are alike agree, for auto.")
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Search by an index: hnsw(m=16).", show_default=False),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page of pictures.", show_default=False)
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Find the items that look like an image, or like what words say."""
    from .._search import Searcher, by_index

    by_index(index, rerank)  # before one is built for nothing
    searcher = Searcher(store, encoder, index)
    for line in opened_lines(searcher.near):
        show.note(line)
    show.note_lacking(searcher.lacking, len(searcher.catalogue))
    hits = searcher.search(
        query or (),
        text=text or (),
        text_weight=text_weight,
        k=k,
        minus=minus or (),
        minus_weight=minus_weight,
        where=where,
        region=region,
        include_self=include_self,
        rerank=rerank,
        group_by=group_by,
        collapse=collapse,
        diversity=diversity,
        threshold=threshold,
        false_alarm=false_alarm,
        labels=labels,
    )
    for word in hits.texts[: len(hits.texts) - len(text or ())]:
        show.note(f"read as text: {word}")
    if html is not None:
        hits.write(html)
    if as_json:
        page = {} if html is None else {"page": str(html)}
        show.print_json({**hits.to_dict(), **page})
        return
    show.print_hits(hits)
    _say(hits)
    if html is not None:
        show.say(f"page: {html}")


def opened_lines(near: Placed | None) -> list[str]:
    """What is worth knowing of how an index was opened, a line each."""
    if near is None:
        return []
    lines = list(near.notes)
    if not near.saved and not lines:
        lines.append(
            f"no {near.index.spec} is saved in the store, so it was built for this search; "
            "likelens index build keeps it"
        )
    if near.changes:
        lines.append(f"since the index was saved: {near.changes}; likelens index build saves it")
    return lines


def path_line(hits: Hits) -> str:
    """How an index was searched, in a line."""
    if hits.path == "exact":
        return f"{hits.index}: all {hits.candidates:,} items that may be found were compared"
    if hits.recall is None:
        return f"searched by {hits.index}"
    return (
        f"searched by {hits.index} among {hits.candidates:,} items; "
        f"recall@{hits.order.k} of this search {hits.recall:.3f}"
    )


def _say(hits: Hits) -> None:
    """What the table does not show."""
    if hits.index is not None:
        show.note(path_line(hits))
    if hits.calibrated is not None:
        show.note(threshold_line(hits.calibrated))
    if hits.nothing_alike:
        show.note(
            f"nothing alike: the best score is {hits.best:.4f}, "
            f"and the threshold {hits.order.threshold:.4f}"
        )
    elif not len(hits):
        show.note("no item fits the filter" if hits.where else "there is no other item to find")


def threshold_line(found: Threshold) -> str:
    """A calibrated threshold in a line."""
    kept = f"; {found.kept:.0%} of the store's own items find another above it"
    return (
        f"threshold {found.value:.4f} ({found.low:.4f} to {found.high:.4f}) at a false-alarm rate "
        f"of {found.false_alarm:g}, by {found.queries:,} queries ({found.by})"
        f"{'' if found.kept != found.kept else kept}"
    )
