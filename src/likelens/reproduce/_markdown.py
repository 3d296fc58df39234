"""The tables and charts in Markdown, with what differs from the paper and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..presets import preset
from ..report.formats import number, rounded
from ..report.markdown import plain_cell, table_row
from ..values.errors import plural
from ._charts import in_words
from ._corrembed import BATCH, ONLY, OUTPUT, PENULTIMATE, ROUNDS, Reproduction
from .published import CATEGORIES, CODE, NOTEBOOK, PAPER, imagenet_accuracy
from .tables import LAYERS, correlations, score_table, size_table, tag_table

Cells = Mapping[str, Any]

DIFFERENCES = {
    "Catalogue": """Theirs is private, so no score here can equal one of theirs; what can be
  compared is the order of networks, the distance to the controls, and r.""",
    "Weights": """There are no purchases here, so tags cannot be weighted by them, and the column
  is empty.""",
    "Networks": """None of those of the paper's Table 2 is measured here; with their weights at
  hand, `--preset corrembed` measures them.""",
    "Queries": """Their notebook draws 1,000 pictures and compares each with the first picture of
  every outfit. Here every item is a query and is compared with all items, exactly.""",
    "Accuracy": """Their notebook has the mean of top-1 and top-5 accuracy at hand; here it is
  top-1, as the makers of the weights state it.""",
    "Precision": """Their vectors are kept in half precision, similarities are rounded to four
  digits and weights to two; here vectors are float32, and nothing is rounded.""",
    "Chance": """They draw random vectors evenly from 0 to 1, and random tags by tossing a coin
  for every tag. Here vectors are normal, and random tags are as many as the items bear.""",
    "Time": """Theirs is that of a GPU that the code does not name.""",
}
"""What is not as in the authors' notebooks; two of these do not hold of every run."""


def markdown(found: Reproduction, charts: Mapping[str, str], images: str = "") -> str:
    """The whole result section.

    Args:
        found: what was measured.
        charts: the charts there are, by the names of their files.
        images: what stands before the names of the charts' files.
    """
    parts = [
        _finding(found),
        _head(found),
        *_tags(found),
        *_scores(found),
        *_sizes(found),
        *_accuracy(found, charts, images),
        *_pictures(charts, images),
        *_missing(found),
        *_differences(found),
        *_sources(),
    ]
    return "\n\n".join(parts) + "\n"


def _finding(found: Reproduction) -> str:
    """The result in a few sentences."""
    said = []
    for layer, where in ((OUTPUT, "At the output"), (PENULTIMATE, "At the layer before it")):
        scored = [
            (entry.main.mean, network.label, entry.main)
            for network in found.networks
            if (entry := network.entries.get(layer)) and math.isfinite(entry.main.mean)
        ]
        if scored:
            score, label, main = max(scored, key=lambda one: one[0])
            of = "scores most: " if len(scored) > 1 else "scores "
            said.append(
                f"{where} {plain_cell(label)} {of}{number(score)} ({_interval(*main.interval())})."
            )
    both = [network.entries for network in found.networks if len(network.entries) == len(LAYERS)]
    if both:
        more = sum(one[PENULTIMATE].main.mean > one[OUTPUT].main.mean for one in both)
        said.append(
            f"In {more} of {plural(len(both), 'network')} the layer before the output scores more."
        )
    links = [link for link in correlations(found) if math.isfinite(link.r)]
    said += [f"Score and accuracy, {link.layer} layer: {in_words(link)}." for link in links]
    return " ".join(said) or "No network with two layers was measured."


def _head(found: Reproduction) -> str:
    board, count = found.board, len(found.board.catalogue)
    whole = count == found.items
    what = f"{count:,} items" if whole else f"a sample of {count:,} of {found.items:,} items"
    networks = sum(not network.control for network in found.networks)
    pairs = "counts" if board.run["self_pairs"] == "include" else "does not count"
    weighed = "Tags are weighted by purchases." if board.weights else "There are no purchases."
    return (
        f"Measured on {what} (seed {board.run['seed']}), by "
        f"{plural(networks, 'encoder')} and two controls. {weighed} An item's likeness to "
        f"itself {pairs}. Intervals are 95\u00a0% and cover the sampling of items, as queries "
        "and as gallery."
    )


def _tags(found: Reproduction) -> Iterable[str]:
    rows = tag_table(found.board)
    heads = ["category", "tags", "items with one", "most frequent", "its items", "weight"]
    cells = [
        [
            row["category"],
            f"{row['tags']:,}",
            f"{row['items']:,}",
            row["most_frequent"],
            f"{row['its_items']:,}",
            number(row["weight"]),
        ]
        for row in rows
    ]
    yield "## Table 1: the tags"
    yield _table(heads, cells, text=(0, 3))
    yield (
        "The authors' catalogue is private. What their notebook "
        f"[Model_Evaluator_CLIP]({NOTEBOOK}) prints of its tags; their numbers follow from the "
        "largest entropy that it prints, which is the logarithm of the number of tags:"
    )
    yield _table(
        ["category", "tags", "mean entropy", "weight"],
        [
            [one.name, f"{one.tags:,}", number(one.entropy), number(one.weight)]
            for one in CATEGORIES
        ],
        text=(0,),
    )


def _scores(found: Reproduction) -> Iterable[str]:
    weighted = found.board.weights is not None
    heads = [
        "network", "layer", "ImageNet top-1, %", "weighted", "unweighted", "95 % interval",
        "random tags", "shuffled tags",
    ]  # fmt: skip
    rows = score_table(found)
    papers = _papers(rows, {"weighted": "weighted", "unweighted": "unweighted"})
    cells = [
        [
            _name(found, row),
            row["layer"],
            _known(row["imagenet_acc1"], 1),
            _known(row["weighted"]),
            number(row["unweighted"]),
            _interval(row["low"], row["high"]),
            number(row["random_tags"]),
            number(row["shuffled_tags"]),
            *(_known(row[name]) for name in papers.values()),
        ]
        for row in rows
    ]
    yield "## Table 2: scores and controls"
    yield _table([*heads, *papers], cells, text=(0, 1))
    of = "The interval and the scores of chance are those of the weighted score. "
    yield (
        (of if weighted else "Without purchases there is no weighted score. ")
        + "The layer is the network's output; an encoder that is no network has an only one. "
        "`random` has random vectors, and `shuffled` those of the first encoder, dealt out "
        "among the items."
    )


def _papers(rows: Sequence[Cells], figures: Mapping[str, str]) -> dict[str, str]:
    """Heads and names of the columns of published figures, where there are any."""
    named = {f"paper, {said}": f"published_{figure}" for figure, said in figures.items()}
    return {head: name for head, name in named.items() if rows and name in rows[0]}


def _name(found: Reproduction, row: Cells) -> str:
    """Italics for controls."""
    control = any(one.control and one.label == row["network"] for one in found.networks)
    return f"*{row['network']}*" if control else str(row["network"])


def _sizes(found: Reproduction) -> Iterable[str]:
    heads = [
        "network", "parameters", "score before the output", "95 % interval",
        f"seconds for {BATCH} pictures", "shape",
    ]  # fmt: skip
    rows = size_table(found)
    papers = _papers(rows, {"penultimate": "score", "batch_seconds": "seconds"})
    cells = [
        [
            str(row["network"]),
            rounded(row["parameters"]),
            number(row["score"]) + (" (its only layer)" if row["layer"] == ONLY else ""),
            _interval(row["low"], row["high"]),
            _seconds(row["batch_seconds"]),
            f"{row['shape']:,}",
            *(_known(row[name]) for name in papers.values()),
        ]
        for row in rows
    ]
    yield "## Table 3: sizes, the layer before the output, and time"
    yield _table([*heads, *papers], cells, text=(0,))
    yield (
        f"Seconds are the median of {ROUNDS} forward passes of {BATCH} pictures that are opened "
        f"and resized already, on {found.board.run['machine']}; other work on the machine "
        "counts, so they compare networks of one run only."
    )


def _accuracy(found: Reproduction, charts: Mapping[str, str], images: str) -> Iterable[str]:
    yield "## Figures 2 and 3: score and accuracy on ImageNet"
    links = correlations(found)
    cells = [
        [
            link.layer,
            str(link.networks),
            number(link.r),
            _interval(link.low, link.high),
        ]
        for link in links
    ]
    heads = ["layer", "networks", "Pearson r", "95 % interval"]
    yield _table(heads, cells, text=(0,))
    for link in links:
        if f"{link.layer}.svg" in charts:
            yield f"![Score of the {link.layer} layer: {in_words(link)}]({images}{link.layer}.svg)"
    yield (
        "Intervals are by Fisher's z, which takes networks as independent. The paper finds "
        'that the score grows linearly with accuracy ("an intuitive relationship of linear '
        'scaling", its abstract).'
    )


def _pictures(charts: Mapping[str, str], images: str) -> Iterable[str]:
    if "map.svg" in charts:
        yield "## Figure 4: the map"
        yield f"![t-SNE map of the catalogue by the best encoder]({images}map.svg)"
    yield "## Figures 5 to 7: neighbours"
    yield (
        "The pictures are not ours to print here. The report beside the tables has them: "
        "*Side by side* (where the best and the worst encoder disagree) and *Most wrong* (the "
        "queries that each encoder gets most wrong)."
    )


def _missing(found: Reproduction) -> Iterable[str]:
    if not found.missing:
        return
    yield "## Not measured"
    yield _table(
        ["network", "encoder", "ImageNet top-1, %", "why"],
        [
            [row.name or row.spec, row.spec, _known(imagenet_accuracy(row.spec), 1), why]
            for row, why in found.missing
        ],
        text=(0, 1, 3),
    )
    yield "Accuracies are those that torchvision states of the weights."


def _differences(found: Reproduction) -> Iterable[str]:
    chosen = dict(DIFFERENCES)
    if found.board.weights is not None:
        del chosen["Weights"]
    if {network.spec for network in found.networks} & {row.spec for row in preset("corrembed")}:
        del chosen["Networks"]
    yield "## What differs from the paper, and why"
    yield "\n".join(f"- **{what}.** {why}" for what, why in chosen.items())


def _sources() -> Iterable[str]:
    yield "## Where published figures come from"
    yield (
        f"The paper is [arXiv 2308.16126]({PAPER}) (Artificial Intelligence XL, 2023, "
        f"doi:10.1007/978-3-031-47994-6_7), the authors' code [is on GitHub]({CODE}). Only its "
        "abstract and the notebooks could be read when this was written: the scores of Tables 2 "
        "and 3, the times and r are not in them. The README of the code numbers the map and the "
        "grids 3 to 6; here they are 4 to 7."
    )


def _interval(low: float, high: float) -> str:
    """Both ends, or one dash where there is none."""
    return f"{number(low)} to {number(high)}" if math.isfinite(low) else number(None)


def _seconds(value: float) -> str:
    """Seconds with so many digits as say something."""
    return number(value, 1 if value >= 10 else 2 if value >= 0.1 else 4)


def _known(value: float | None, digits: int = 3) -> str:
    """A figure, or nothing where there is none."""
    return "" if value is None else number(value, digits)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], text: Sequence[int]) -> str:
    """A Markdown table; columns of text to the left, figures to the right."""
    rule = [":---" if place in text else "---:" for place in range(len(heads))]
    return "\n".join(
        table_row(row) for row in ([plain_cell(one) for one in heads], rule, *_cells(rows))
    )


def _cells(rows: Iterable[Sequence[str]]) -> Iterable[list[str]]:
    return ([plain_cell(one) for one in row] for row in rows)
