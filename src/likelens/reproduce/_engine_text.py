"""What a search engine's measurement says: its sections, for Markdown and for the report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..index.options import Options
from ..report.bubbles import Bubble, bubbles_svg
from ..report.formats import number, percent, rounded
from ..report.sections import Chart, Points, Section, Sheet
from ..values.errors import plural
from ._engine import EngineRun
from ._engine_measure import Measured
from ._engine_tables import BY_PARENT, METRICS, published, slug

Cells = Mapping[str, Any]

TITLES = {"kdtree": "Table 1: kNN by KD-tree", "lsh": "Table 2: LSH"}
"""Of the tables that the paper has; those of other indexes are called after them."""

PARENT_TITLES = {
    "P": "Table 3: precision by parent class",
    "HR": "Table 4: recall by parent class, as the paper reads it (hit rate)",
    "R": "Table 4, strict reading: recall by parent class",
    "nDCG": "Table 5: nDCG by parent class",
}

DIFFERENCES = {
    "Published figures": "The paper's tables could not be read when this was written, so none "
    "stand here. Which table shows what is inferred: one for each of KD-tree and LSH, then "
    "precision, recall and nDCG by parent class, then a second data set.",
    "Encoders": "The families are the paper's, their variants are ours. Siamese and triplet "
    "networks and autoencoders are trained on the data: each is a row once its checkpoint is "
    "given (-e triplet=checkpoint:FILE?arch=...).",
    "Queries": "The paper asks with a few random pictures of each class, whose scores move with "
    "the seed. Beside them stand the scores with every picture asking, and their intervals.",
    "The query itself": "It never counts as its own result here. Whether it did in the paper is "
    "not known; an engine that finds the query first gets a hit rate of 1 for nothing.",
    "Recall": "The paper's recall is 1.00 for all, which no share of a class's pictures can be "
    "in k results. Its column here is HR (whether any of the k is right); R is the share.",
    "Distance": "Vectors are scaled to length one, among which the order by Euclidean distance "
    "(L2) is that by cosine.",
    "LSH": "Candidates by their codes are compared exactly and re-ranked, as engines do. Codes "
    "alone would find less.",
    "Time": "Of one picture at a time, on the machine named above, with whatever else it did. "
    "Encoding covers opening the file.",
}


def sections(found: EngineRun) -> list[Section]:
    """The whole text."""
    made = [_summary(found)]
    made += [_index_section(found, index) for index in found.settings.indexes]
    made += _parents(found)
    made += _second(found)
    made += _confusions(found)
    made += _missing(found)
    chosen = {
        term: said
        for term, said in DIFFERENCES.items()
        if term != "Published figures" or not _has_published(found)
    }
    made.append(Section("What differs from the paper, and why", (Points(tuple(chosen.items())),)))
    return made


def _missing(found: EngineRun) -> Iterator[Section]:
    """The rows without figures, each with the first words of its reason."""
    if not found.missing:
        return
    rows = tuple((row.name or row.spec, row.spec, _briefly(why)) for row, why in found.missing)
    about = "The command prints each reason in full, and how to fix it."
    yield Section("Not measured", (Sheet(("row", "encoder", "why"), rows, (0, 1, 2)), about))


def _briefly(why: str) -> str:
    short = why.partition("; ")[0]
    return "weights not available" if short.startswith("its weights cannot be had") else short


def headline(found: EngineRun) -> str:
    """The result in a sentence."""
    best = found.first.best
    if best is None:
        return "Nothing but controls was measured."
    index, k = found.settings.indexes[0], found.settings.k
    row = next(r for r in found.tables[f"index-{slug(index)}"] if r["name"] == best.label)
    chance = [
        r for r in found.tables[f"index-{slug(index)}"] if r["encoder"].startswith("control:")
    ]
    above = [r["name"] for r in chance if not row["P_all"] > r["P_all"]]
    if above:
        return (
            f"No encoder finds more than chance: {best.label}, the best, has a precision of "
            f"{percent(row['P_all'])}, and {above[0]} no less."
        )
    return (
        f"{best.label} finds most: {percent(row['P_all'])} of its first {k} results are of the "
        f"query's class, in {number(row['both_p50_ms'], 1)} ms from picture to results "
        f"through {index} (median)."
    )


def _has_published(found: EngineRun) -> bool:
    return any(published(rows) for rows in found.tables.values())


def _summary(found: EngineRun) -> Section:
    first, settings = found.first, found.settings
    labels = first.catalogue.labels or ()
    alone = sum(count == 1 for count in Counter(labels).values())
    protocols = (
        f"{_extent(first)}; the first {settings.k} results of each query count, and every other "
        f"picture can be found. Drawn: {plural(len(first.drawn), 'query', 'queries')}, "
        f"{settings.per_class} of each class at random (seed {settings.seed}), the paper's "
        f"protocol. All: every picture asks, {len(first.asked):,} queries, the strict protocol; "
        f"its 95\u00a0% intervals cover {_covers(first)}."
    )
    notes = [f"Of the files, {first.copies}."]
    if first.lost:
        notes.append(f"{plural(first.lost, 'picture')} without a vector are left out.")
    if alone:
        several = plural(alone, "class has", "classes have")
        notes.append(f"{several} a single picture, which has nothing to find and no score.")
    notes.append(f"Measured on {found.run['machine']}.")
    return Section("What was measured", (headline(found), protocols, " ".join(notes)))


def _extent(measured: Measured) -> str:
    return f"{plural(len(measured.catalogue), 'picture')} of {len(measured.classes):,} classes"


def _covers(measured: Measured) -> str:
    lookup = next(iter(measured.contenders[0].lookups.values()))
    return next(iter(lookup.every.scores.values())).covers


def _index_section(found: EngineRun, index: str) -> Section:
    """Table 1 or 2, or that of an index which the paper has not."""
    kind = Options.parse(index).kind
    title = TITLES.get(kind, f"Beside them: {index}")
    if kind in TITLES and index != kind:
        title += f", {index}"
    return Section(title, _of_index(found, found.first, index, f"index-{slug(index)}"))


def _second(found: EngineRun) -> Iterator[Section]:
    second, index = found.second, found.settings.indexes[0]
    if second is None:
        return
    about = (
        f"{_extent(second)}, {plural(len(second.drawn), 'query', 'queries')} drawn, through "
        f"{index}. Of the files, {second.copies}."
    )
    parts = _of_index(found, second, index, "second")
    yield Section("Table 6: another data set", (about, *parts))


def _of_index(
    found: EngineRun, measured: Measured, index: str, table: str
) -> tuple[str | Sheet | Chart, ...]:
    """Quality, time and chart of the encoders through one index."""
    rows, k = found.tables[table], found.settings.k
    twin = _twin(found, table)
    parts: list[str | Sheet | Chart] = [
        f"The scores are those of {twin}: both are exact here." if twin else _quality(rows, k),
        _time(rows),
    ]
    if not all(row["exact"] for row in rows):
        parts.append(
            "Index recall: the share of the exact first results that the index finds, with all "
            "pictures asking."
        )
    elif Options.parse(index).kind != "exact" and any(row["compares_all"] for row in rows):
        parts.append(f"Vectors as few as these are compared one by one by {index} too.")
    chart = _chart(measured, rows, index, k, table)
    return (*parts, *([chart] if chart else []))


def _twin(found: EngineRun, table: str) -> str | None:
    """The index of an earlier table that has the same scores, both being exact."""
    if not all(row["exact"] for row in found.tables[table]):
        return None
    for index in found.settings.indexes:
        earlier = f"index-{slug(index)}"
        if earlier == table or table == "second":
            return None
        if all(row["exact"] for row in found.tables[earlier]):
            return index
    return None


def _quality(rows: Sequence[Cells], k: int) -> Sheet:
    heads = ["encoder"]
    for metric in METRICS:
        heads += [f"{metric}@{k}, drawn", f"{metric}@{k}, all (95 %)"]
    heads += [f"P@{k}, mean of classes"]
    whole = any(row["mAP_whole"] is not None for row in rows)
    papers = published(rows)
    cells = [
        (
            row["name"],
            *(text for metric in METRICS for text in _both(row, metric)),
            number(row["P_classes"]),
            *([number(row["mAP_whole"])] if whole else []),
            *(_known(row[f"published_{figure}"]) for figure in papers),
        )
        for row in rows
    ]
    heads += ["mAP, whole ranking"] * whole + [f"paper, {figure}" for figure in papers]
    return Sheet(tuple(heads), tuple(cells))


def _both(row: Cells, metric: str) -> tuple[str, str]:
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    every = number(row[f"{metric}_all"])
    if math.isfinite(low):
        every += f" ({number(low)} to {number(high)})"
    return number(row[f"{metric}_drawn"]), every


def _known(value: float | None) -> str:
    """A figure, or nothing where there is none."""
    return "" if value is None else number(value)


def _time(rows: Sequence[Cells]) -> Sheet:
    heads = (
        "encoder", "encode p50, ms", "p95", "search p50, ms", "p95", "both p50, ms", "p95",
        "index built in, s", "index recall", "dimensions", "parameters", "model", "sees nothing in",
    )  # fmt: skip
    cells = [
        (
            row["name"],
            *(
                _ms(row[f"{part}_{point}_ms"])
                for part in ("encode", "search", "both")
                for point in ("p50", "p95")
            ),
            number(row["build_seconds"], 2),
            "exact" if row["exact"] else number(row["index_recall"]),
            f"{row['dim']:,}",
            rounded(row["parameters"]),
            rounded(row["size_bytes"], "B"),
            f"{row['zeros']:,}",
        )
        for row in rows
    ]
    return Sheet(heads, tuple(cells))


def _ms(value: float) -> str:
    """Milliseconds with so many digits as say something."""
    return number(value, 0 if value >= 100 else 1 if value >= 10 else 2)


def _chart(
    measured: Measured, rows: Sequence[Cells], index: str, k: int, table: str
) -> Chart | None:
    """Quality against time; vectors that come from no picture have none, chance is a line."""
    seeing = {
        one.label for one in measured.contenders if not one.control and one.seconds is not None
    }
    points = [
        Bubble(row["name"], row["both_p50_ms"] / 1000, row["P_all"], row["size_bytes"])
        for row in rows
        if row["name"] in seeing
    ]
    chance = next(
        (row["P_all"] for row in rows if row["encoder"].startswith("control:random")), None
    )
    subtitle = (
        f"{len(measured.catalogue):,} pictures, all asking, through {index}; "
        "a dot's area grows with the model's size"
    )
    title = f"Precision@{k} against time of a query"
    svg = bubbles_svg(title, subtitle, f"P@{k}", points, chance)
    return None if svg is None else Chart(f"{table}.svg", f"{title}, through {index}", svg)


def _parents(found: EngineRun) -> Iterator[Section]:
    rows = found.tables["parents"]
    if not rows or found.parents is None:
        text = (
            "Parent classes were not named. Give a table with the columns class and parent "
            "(--parents FILE), or names and a model that reads text (--parents and --parents-by)."
        )
        yield Section("Tables 3 to 5: by parent class", (text,))
        return
    names = list(dict.fromkeys(row["parent"] for row in rows))
    first = {row["parent"]: row for row in rows[: len(names)]}
    heads = ("encoder", *(f"{name} ({first[name]['classes']})" for name in names))
    for metric in BY_PARENT:
        cells = [
            (label, *(_pair(row, metric) for row in rows if row["name"] == label))
            for label in dict.fromkeys(row["name"] for row in rows)
        ]
        about = (
            f"{metric}@{found.settings.k} through {found.settings.indexes[0]}, drawn / all, means "
            "over queries; in brackets how many classes the parent has."
        )
        if metric == "P":
            about += f" Parents by {found.parents.by}."
        yield Section(PARENT_TITLES[metric], (Sheet(heads, tuple(cells)), about))


def _pair(row: Cells, metric: str) -> str:
    return f"{number(row[f'{metric}_drawn'])} / {number(row[f'{metric}_all'])}"


def _confusions(found: EngineRun) -> Iterator[Section]:
    rows = found.tables["confusions"]
    if not rows:
        return
    cells = tuple(
        (row["class"], row["found"], percent(row["share"]), percent(row["of_wrong"]))
        for row in rows
    )
    about = (
        f"The pairs of classes that cost {rows[0]['name']} most, with all pictures asking. Classes "
        "that show the same things under two names look like errors of the encoder and are none."
    )
    sheet = Sheet(("query", "found", "of its results", "of all wrong results"), cells, (0, 1))
    yield Section("What is taken for what", (about, sheet))
