"""``likelens search``: one search in a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show
from .completion import encoder_names

if TYPE_CHECKING:
    from .._indexes import Placed
    from .._search import Hits, Searcher, Threshold

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
    """Find the items that look like a picture, or like what words say."""
    from .._search import Searcher, by_index

    by_index(index, rerank)  # before one is built for nothing
    searcher = Searcher(store, encoder, index)
    pictures, words = _sorted_out(searcher, query or [])
    for line in opened_lines(searcher.near):
        show.note(line)
    show.note_lacking(searcher.lacking, len(searcher.catalogue))
    for word in words:
        show.note(f"read as text: {word}")
    hits = searcher.search(
        pictures,
        text=[*words, *(text or [])],
        text_weight=text_weight,
        k=k,
        minus=list(minus or []),
        minus_weight=minus_weight,
        where=where,
        region=region,
        include_self=include_self,
        rerank=rerank,
        group_by=group_by,
        collapse=collapse,
        diversity=diversity,
        threshold=_threshold(searcher, threshold, false_alarm, labels, where),
    )
    if html is not None:
        from ..report.hits import write_hits

        write_hits(hits, html)
    if as_json:
        show.print_json({**_as_json(hits, html), "lacking": searcher.lacking})
        return
    show.print_hits(hits)
    _say(hits)
    if html is not None:
        show.say(f"page: {html}")


def _sorted_out(searcher: Searcher, query: list[str]) -> tuple[list[str], list[str]]:
    """Pictures and ids, and words: what is neither, for an encoder that reads text.

    A path is not words, even if there is no such file.
    """
    if not searcher.reader.reads_text:
        return query, []
    words = [one for one in query if not searcher.reader.knows(one) and not _like_a_path(one)]
    return [one for one in query if one not in words], words


def _like_a_path(text: str) -> bool:
    from ..values.places import is_image_name

    return any(sign in text for sign in "/\\") or is_image_name(text)


def _threshold(
    searcher: Searcher,
    given: str | None,
    false_alarm: float | None,
    labels: str | None,
    where: list[str] | None,
) -> Threshold | float | None:
    from ..values.errors import BadQuery

    if given != "auto" and (false_alarm is not None or labels is not None):
        raise BadQuery(
            "only a threshold that is calibrated has a false-alarm rate and labels",
            where="--false-alarm" if false_alarm is not None else "--labels",
            hint="give --threshold auto, or leave this out",
        )
    if given is None:
        return None
    if given == "auto":
        return searcher.calibrate(
            labels, false_alarm=0.01 if false_alarm is None else false_alarm, where=where
        )
    try:
        return float(given)
    except ValueError:
        raise BadQuery(
            f"{given!r} is no threshold", where="--threshold", hint="give a number, or auto"
        ) from None


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


def _as_json(hits: Hits, html: Path | None) -> dict[str, Any]:
    rows = hits.attributes.to_pylist()
    order, found = hits.order, []
    for place, (item, score, path, row) in enumerate(
        zip(hits.ids, hits.scores, hits.paths, rows, strict=True)
    ):
        found.append({"id": item, "score": round(float(score), 6), "path": str(path)})
        if hits.boxes:
            found[-1]["box"] = list(hits.boxes[place])
        if hits.reranked is not None:
            found[-1]["reranked"] = float(hits.reranked[place])
        if hits.folded:
            found[-1]["more"] = hits.folded[place]
        found[-1]["attributes"] = row
    known = {
        "texts": list(hits.texts) or None,
        "text_weight": hits.text_weight,
        "rerank": order.rerank,
        "threshold": order.threshold,
        "calibrated": None if hits.calibrated is None else vars(hits.calibrated),
        "index": hits.index,
        "path": None if hits.index is None else hits.path,
        "recall": hits.recall,
    }
    return {
        "encoder": hits.encoder.name,
        "fingerprint": hits.encoder.fingerprint,
        "candidates": hits.candidates,
        "best": None if hits.best is None else round(hits.best, 6),
        **({"nothing_alike": hits.nothing_alike} if order.threshold is not None else {}),
        **{name: value for name, value in known.items() if value is not None},
        "hits": found,
        **({"page": str(html)} if html is not None else {}),
    }
