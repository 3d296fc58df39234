"""The charts of the simulation."""

from __future__ import annotations

from collections.abc import Sequence

from likelens.report.curves import Curve, Spread, Words, curves_svg, spreads_svg
from likelens.report.lines import Estimate
from likelens.report.sections import Chart

from .budget import DEPTHS, RANDOM, TAGGED
from .draw import ENCODERS
from .score import METRICS
from .seed import SIZES
from .study import FEWEST, Trust, Twice
from .tables import HITS, encoder_rows

ORDER = "Spearman's correlation with the true order of the encoders"


def charts(found: Trust) -> list[Chart]:
    """All charts, in the order of the document."""
    drawn = (found_chart, hits_chart, places_chart, budget_chart, tags_chart)
    return [draw(found) for draw in drawn]


def found_chart(found: Trust) -> Chart:
    """Share of the true positives in a pool, by its depth and the number of encoders."""
    words = Words(
        "What pooling finds",
        _over(found),
        "first candidates of each encoder (log scale)",
        "truly similar pairs that are in the pool, %",
    )
    curves = [
        Curve(
            f"{size} encoder{'s' * (size > 1)}",
            tuple((float(k), _percent(found.found(size, k))) for k in DEPTHS),
        )
        for size in SIZES
    ]
    return _chart("found", words, curves_svg(words, curves))


def hits_chart(found: Trust) -> Chart:
    """HR@k of each encoder inside the pool, outside, and if all had been judged."""
    words = Words(f"{HITS} of the same encoder, inside the pool and outside", _over(found), HITS)
    rows = [
        Spread(
            row["encoder"],
            tuple(
                Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])
                for name in ("hits_in", "hits_out", "hits_full")
            ),
        )
        for row in encoder_rows(found)
    ]
    series = ("in the pool", "not in the pool", "all pairs judged")
    return _chart("hits", words, spreads_svg(words, series, rows))


def places_chart(found: Trust) -> Chart:
    """How far each metric puts those inside and those outside from where they belong."""
    words = Words(
        "Who is ranked too low, and by what",
        _over(found),
        f"places too low, of {len(ENCODERS)} (below 0: too high)",
    )
    rows = [
        Spread(metric, (found.twice(metric, Twice.flattered), found.twice(metric, Twice.wronged)))
        for metric in METRICS
    ]
    series = ("in the pool", "not in the pool")
    return _chart("places", words, spreads_svg(words, series, rows))


def budget_chart(found: Trust) -> Chart:
    """Agreement with the true order by hours of work."""
    shown = (*(one for one in METRICS if "macro" not in one and "MRR" not in one), RANDOM)
    return _by_hours(found, "budget", "What a budget buys", shown)


def tags_chart(found: Trust) -> Chart:
    """CorrEmbed from tags beside judged pools."""
    shown = (*TAGGED, HITS, "ROC-AUC micro", "ROC-AUC micro, sampled")
    return _by_hours(found, "tags", "Tags or experts", shown)


def _by_hours(found: Trust, name: str, title: str, shown: Sequence[str]) -> Chart:
    words = Words(title, _over(found), "hours of work (log scale)", ORDER)
    curves = [Curve(metric, tuple(found.by_hours(metric))) for metric in shown]
    return _chart(name, words, curves_svg(words, curves))


def _chart(name: str, words: Words, svg: str) -> Chart:
    return Chart(f"{name}.svg", f"{words.title}: {words.up or words.across}", svg)


def _over(found: Trust) -> str:
    shops = f"means of {len(found.shops)} simulated shops of {found.settings.items:,} garments"
    return f"{shops}, with 95\u00a0% intervals" if len(found.shops) >= FEWEST else shops


def _percent(estimate: Estimate) -> Estimate:
    return Estimate(100 * estimate.mean, 100 * estimate.low, 100 * estimate.high)
