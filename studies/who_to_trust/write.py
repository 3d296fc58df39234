"""The files of the study: its tables in Markdown and its charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from likelens.report.formats import number, percent
from likelens.report.lines import Estimate
from likelens.report.sections import Section, Sheet, markdown_sections
from likelens.values.files import write_aside

from .budget import DEPTHS, HOURS, RANDOM, SPENT, TAGGED
from .charts import charts
from .score import METRICS
from .seed import SIZES
from .study import FEWEST, Trust, Twice
from .tables import FACTS, HITS, encoder_rows

NAME = "who-to-trust"
HEAD = """# Who to trust: the tables

Written by `{command}`. The conclusions are in [{name}.md]({name}.md). Means over {shops} shops of
{items:,} garments; {intervals}.

"""
PERCENT_FACTS = ("prevalence", "labelled", "estimate", "covered", "judged", "rich", "right")


def write_trust(found: Trust, out: Path, command: str) -> Path:
    """Write ``who-to-trust-tables.md`` and ``images/who-to-trust-*.svg``.

    Args:
        found: what was measured.
        out: folder; made if missing, and files of those names are replaced.
        command: what writes them again.

    Returns:
        The path of the Markdown file.
    """
    for chart in charts(found):
        write_aside(out / "images" / f"{NAME}-{chart.name}", _writer(chart.svg))
    intervals = (
        "in brackets, 95\u00a0% intervals over the shops (Student's t)"
        if len(found.shops) >= FEWEST
        else f"fewer than {FEWEST} shops give no intervals"
    )
    head = HEAD.format(
        command=command,
        name=NAME,
        shops=len(found.shops),
        items=found.settings.items,
        intervals=intervals,
    )
    page = out / f"{NAME}-tables.md"
    write_aside(page, _writer(head + markdown_sections(list(_sections(found)))))
    return page


def _sections(found: Trust) -> Iterator[Section]:
    yield Section("The shops", (_facts(found),))
    yield Section("The encoders", (_encoders(found),))
    yield Section("What a pool finds, for the share of all pairs that is judged", (_pools(found),))
    yield Section(
        "Places too low (below 0: too high), and the share of the score that is lost",
        (_twice(found),),
    )
    orders = (*METRICS, RANDOM, *TAGGED)
    yield Section("Spearman's correlation with the true order, by hours", (_hours(found, orders),))
    yield Section(f"The same after {SPENT:g} hours, by the depth of the pools", (_depths(found),))


def _facts(found: Trust) -> Sheet:
    rows = tuple(
        (name, _share(found.fact(name)) if name in PERCENT_FACTS else _figure(found.fact(name)))
        for name in FACTS
    )
    return Sheet(("fact", "value"), rows)


def _encoders(found: Trust) -> Sheet:
    scores = {
        "mAP": "mAP", f"{HITS}, all pairs": "hits_full",
        f"{HITS}, in the pool": "hits_in", f"{HITS}, not in the pool": "hits_out",
    }  # fmt: skip
    ranks = {
        "true place": "place",
        f"place by {HITS}, in": "hits_in_place", f"place by {HITS}, not in": "hits_out_place",
        "place by ROC-AUC, in": "area_in_place", "place by ROC-AUC, not in": "area_out_place",
    }  # fmt: skip
    rows = tuple(
        (
            row["encoder"],
            row["sees"],
            *(number(row[name]) for name in scores.values()),
            *(number(row[name], 1) for name in ranks.values()),
        )
        for row in encoder_rows(found)
    )
    return Sheet(("encoder", "sees", *scores, *ranks), rows, (0, 1))


def _pools(found: Trust) -> Sheet:
    def cell(size: int, k: int) -> str:
        recall, judged = found.found(size, k).mean, found.found(size, k, "share").mean
        return f"{percent(recall, 0)} for {percent(judged)}"

    rows = tuple((str(size), *(cell(size, k) for k in DEPTHS)) for size in SIZES)
    return Sheet(("encoders", *(f"k = {k}" for k in DEPTHS)), rows)


def _twice(found: Trust) -> Sheet:
    values: Mapping[str, Callable[[Twice], float]] = {
        "in the pool": Twice.flattered,
        "not in the pool": Twice.wronged,
        "lost by not being in": Twice.lost,
    }
    rows = tuple(
        (
            metric,
            *(_figure(found.twice(metric, value)) for value in values.values()),
            _share(found.share_lost(metric)),
        )
        for metric in METRICS
    )
    return Sheet(("metric", *values, "of the score"), rows)


def _hours(found: Trust, orders: tuple[str, ...]) -> Sheet:
    bought = {"pairs": "pairs", "queries": "queries", "items with all tags": "tagged"}
    rows = tuple(
        (
            f"{hours:g}",
            *(number(found.bought(hours, what).mean, 0) for what in bought.values()),
            *(_figure(found.at_hours(hours, metric)) for metric in orders),
        )
        for hours in HOURS
    )
    return Sheet(("hours", *bought, *orders), rows)


def _depths(found: Trust) -> Sheet:
    rows = tuple(
        (
            str(k),
            number(found.at_depth(k), 0),
            *(_figure(found.by_depth(k, metric)) for metric in METRICS),
        )
        for k in DEPTHS
    )
    return Sheet(("depth", "queries", *METRICS), rows)


def _figure(estimate: Estimate, digits: int = 2) -> str:
    """A mean and, where there is one, its interval."""
    ends = f" ({number(estimate.low, digits)} to {number(estimate.high, digits)})"
    return number(estimate.mean, digits) + (ends if estimate.bounded else "")


def _share(estimate: Estimate) -> str:
    """The same in percent."""
    low, high = 100 * estimate.low, 100 * estimate.high
    ends = f" ({number(low, 1)} to {number(high, 1)})"
    return percent(estimate.mean) + (ends if estimate.bounded else "")


def _writer(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")
