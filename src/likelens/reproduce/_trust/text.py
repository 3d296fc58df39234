"""What the simulation says, in sections; sentences follow the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...garments.experts import BIAS, NOISE
from ...report.formats import listed, number, percent
from ...report.lines import Estimate
from ...report.sections import Chart, Points, Section, Sheet
from .budget import DEPTHS
from .charts import found_chart, hits_chart, places_chart
from .draw import ENCODERS, EYES
from .money import budget, tags
from .score import HIT, METRICS
from .seed import SIZES
from .short import FAR, NEAR, in_short, widths
from .study import FEWEST, PLACES, SHARE, Shop, Trust, Twice
from .tables import HITS, encoder_rows
from .words import change, doubt, fairest, figure, matters_alike, share, sign, standing

FEW_ALIKE = 3
"""Encoders that may share the first place in a sentence."""


def sections(found: Trust) -> list[Section]:
    """The document, from the short answer to what it does not show."""
    return [
        Section("In short", (Points(in_short(found)),)),
        Section("What is simulated", tuple(_setting(found))),
        Section("What pooling finds", tuple(_finds(found))),
        Section("What staying out costs", tuple(_costs(found))),
        Section("Who is flattered, who is wronged", tuple(_places(found))),
        Section("What a budget buys", tuple(budget(found))),
        Section("Tags instead of experts", tuple(tags(found))),
        Section("What this does not show", (_limits(found),)),
    ]


def _setting(found: Trust) -> Iterator[str | Sheet]:
    given = found.settings
    yield (
        f"{len(found.shops)} shops of {given.items:,} garments each, drawn by code. How alike two "
        "of them truly are follows from how they were made: kind first, then colour, pattern, "
        "cut and material, each weighted by what customers care for it "
        f"(likelens.garments.likeness). {share(found.fact('prevalence'))} of the pairs are truly "
        "alike."
    )
    yield (
        f"{given.experts} experts say yes or no. Each sees the true likeness (0 to 1) with a "
        f"leaning of their own (spread {BIAS:g}) and an error in every pair (about {NOISE:g}); the "
        "majority counts, ties are negative. On the pooled pairs their Fleiss' kappa is "
        f"{figure(found.fact('kappa'))}, and {share(found.fact('right'))} of what they call alike "
        "is truly so."
    )
    yield (
        f"{len(ENCODERS)} encoders are to be ranked. Eight see the drawn pictures; "
        f"{len(EYES)} are made up (eye): their vectors come from the tags, with parts blinded and "
        "noise added. The true order is that of mean average precision by the truth, over all "
        f"pairs; random vectors have {number(found.over(lambda shop: shop['chance']).mean)}. In "
        f"each shop {given.pooling} encoders, drawn at random, pool the first {given.k} candidates "
        f"of every garment: {number(found.fact('pairs').mean, 0)} pairs, "
        f"{percent(found.fact('judged').mean)} of all."
    )
    yield _encoders(found)
    told = (
        "Intervals, in brackets and as bands, are 95\u00a0% over the shops (Student's t), cut to "
        "what the figure can be. Two things are said to differ where the interval of their "
        "difference, shop by shop, leaves out 0."
        if len(found.shops) >= FEWEST
        else f"Fewer than {FEWEST} shops give no intervals, and none of what differs is told from "
        "chance."
    )
    yield f"Means over the shops; places count from 1, the best. {told}"
    yield (
        f"The prevalence by EDS (Eq. 2: from the pool and {given.sample:,} random pairs) is "
        f"{share(found.fact('estimate'))}, where labels of all pairs give "
        f"{share(found.fact('labelled'))}; its exact 95\u00a0% interval held the real value in "
        f"{percent(found.fact('covered').mean, 0)} of the shops."
    )


def _encoders(found: Trust) -> Sheet:
    heads = (
        "encoder", "sees", "mAP",
        f"{HITS}, all pairs", f"{HITS}, took part", f"{HITS}, stayed out", "true place",
        f"place by {HITS}, took part", f"place by {HITS}, stayed out",
        f"place by {NEAR}, took part", f"place by {NEAR}, stayed out",
    )  # fmt: skip
    scores = ("mAP", "hits_full", "hits_in", "hits_out")
    ranks = ("place", "hits_in_place", "hits_out_place", "area_in_place", "area_out_place")
    cells = tuple(
        (
            row["encoder"],
            row["sees"],
            *(number(row[key]) for key in scores),
            *(number(row[key], 1) for key in ranks),
        )
        for row in encoder_rows(found)
    )
    return Sheet(heads, cells, (0, 1))


def _finds(found: Trust) -> Iterator[str | Sheet | Chart]:
    yield found_chart(found)
    yield (
        "Each line is a number of encoders that pool, drawn at random; to the right their lists "
        f"grow longer. {widths(found)}"
    )
    rows = tuple((str(size), *(_for_pairs(found, size, k) for k in DEPTHS)) for size in SIZES)
    yield (
        "The same in figures: the share that is found of what is truly alike, for the share of all "
        "pairs that is judged."
    )
    yield Sheet(("encoders", *(f"k = {k}" for k in DEPTHS)), rows)


def _for_pairs(found: Trust, size: int, k: int) -> str:
    recall, judged = found.found(size, k).mean, found.found(size, k, "share").mean
    return f"{percent(recall, 0)} for {percent(judged)}"


def _costs(found: Trust) -> Iterator[str | Chart]:
    inside = found.twice(HITS, lambda one: float(one.inside.mean()), SHARE)
    outside = found.twice(HITS, lambda one: float(one.outside.mean()), SHARE)
    full = found.over(_full_hits, SHARE)
    yield hits_chart(found)
    yield (
        "Each encoder is judged twice: by a pool that it took part in, and by the same pool "
        f"without it. {HITS}, as we read the paper, is the share of the pairs judged alike "
        f"that stand in an encoder's first {HIT}. On average it is {figure(inside, 3)} with the "
        f"encoder inside, {figure(outside, 3)} with it outside, and {figure(full, 3)} if every "
        "pair had been judged."
    )
    if sign(found.over(_flattery)) > 0:
        yield (
            f"So a pool makes {HITS} look better than it is: a pair that nobody found is not "
            "missed. Figures of different pools cannot be compared."
        )
    if sign(found.twice(HITS, Twice.lost)) > 0:
        yield (
            "It helps those who stayed out less: what they alone find counts for nothing. A new "
            "encoder that is measured on an old pool is such a one. Before you turn it down, pool "
            "its own first candidates and have them judged, too."
        )
    yield _worst(found)


def _full_hits(shop: Shop) -> float:
    return float(np.mean(shop["full_hits"]))


def _flattery(shop: Shop) -> float:
    """How much better HR@k looks inside a pool than by labels of all pairs."""
    return float(Twice.of(shop, HITS).inside.mean()) - _full_hits(shop)


def _worst(found: Trust) -> str:
    """Who loses most, and whether those with relatives lose less."""

    def lost(names: Sequence[str]) -> Estimate:
        return found.over(lambda shop: _lost(shop, names), PLACES)

    def apart(one: Sequence[str], other: Sequence[str]) -> Estimate:
        return found.over(lambda shop: _lost(shop, one) - _lost(shop, other))

    rows = sorted(encoder_rows(found), key=lambda row: row["hits_in_place"] - row["hits_out_place"])
    first, *others = rows
    alike = [row for row in others if not sign(apart([first["encoder"]], [row["encoder"]]))]
    told = (
        f"Most is lost by {_fall(first)}"
        + "".join(f" or {_fall(row)}" for row in alike)
        + (", which nobody can tell apart." if alike else ".")
        if len(alike) <= FEW_ALIKE
        else "Which encoder loses most cannot be told."
    )
    pixels = [name for name in ENCODERS if name not in EYES]
    if sign(apart(list(EYES), pixels)) <= 0:
        return told
    return (
        f"{told} The eight that see pixels share their parts, so that a relative in the pool can "
        f"represent them: they lose {figure(lost(pixels))} places. The made-up ones, which err "
        f"each in a way of their own, lose {figure(lost(list(EYES)))}."
    )


def _lost(shop: Shop, names: Sequence[str]) -> float:
    """Places by HR@k that these encoders lose by staying out, on average."""
    return float(Twice.of(shop, HITS).losses()[[ENCODERS.index(name) for name in names]].mean())


def _fall(row: Mapping[str, Any]) -> str:
    first, last = number(row["hits_in_place"], 1), number(row["hits_out_place"], 1)
    return f"{row['encoder']} (mean place {first}, then {last})"


def _places(found: Trust) -> Iterator[str | Sheet | Chart]:
    yield places_chart(found)
    yield (
        "Right of zero an encoder is ranked lower than it deserves, left of it higher; both dots "
        "should stand on the line."
    )
    for metric in (HITS, NEAR, FAR):
        yield (
            f"By {metric}, an encoder that took part stands "
            f"{standing(found.twice(metric, Twice.flattered))}; one that stayed out, "
            f"{standing(found.twice(metric, Twice.wronged))}."
        )
    if sign(found.twice(NEAR, Twice.lost)) < 0:
        yield (
            "ROC-AUC with annotated negatives turns the error round. The negatives of a pool "
            "are what the encoders inside proposed and experts refused: their own mistakes, "
            "which they rank high. Who stayed out is never asked about its mistakes. All metrics "
            "that use these negatives can share the fault."
        )
    if sign(found.twice(FAR, Twice.lost)) > 0:
        yield (
            "Negatives from the middle of the rankings are, in a shop of this size, nearly random "
            "pictures, and hardly anybody's mistakes. Staying out still costs "
            f"{figure(found.twice(FAR, Twice.lost))} places with them: the positives remain those "
            "that the pool found."
        )
    worst = max(METRICS, key=lambda metric: abs(found.twice(metric, Twice.lost).mean))
    yield (
        f"It matters most to {worst} who took part{doubt(matters_alike(found, worst))}. By it, "
        f"staying out is {change(found.twice(worst, Twice.lost))}."
    )
    least = fairest(found)
    fair = [metric for metric in METRICS if not sign(found.twice(metric, Twice.lost))]
    yield (
        f"Staying out changes nothing that can be told from chance by {listed(fair)}."
        if fair
        else f"By every metric it matters who took part; least by {least}"
        f"{doubt(matters_alike(found, least))}."
    )
    yield "Mean places too low (below 0: too high), and the share of the score that is lost:"
    rows = tuple(
        (
            metric,
            *(
                figure(found.twice(metric, value))
                for value in (Twice.flattered, Twice.wronged, Twice.lost)
            ),
            share(found.share_lost(metric)),
        )
        for metric in METRICS
    )
    yield Sheet(("metric", "took part", "stayed out", "lost by staying out", "of the score"), rows)


def _limits(found: Trust) -> Points:
    small = (
        f"{found.settings.items:,} garments, where a pool holds "
        f"{percent(found.fact('judged').mean)} of all pairs. In a catalogue a hundred times as "
        "large a pool of the same depth holds far less of what is alike, so that staying out "
        "should cost more."
    )
    made = (
        "What nobody can tag (style, occasion) does not exist here. The made-up encoders see "
        "tags and not pictures, and their noise is independent; real networks err alike, which "
        "makes pools narrower than these."
    )
    order = (
        "Mean average precision over all pairs is one of several. A metric that looks at the "
        "whole list in another way (HR@k, ROC-AUC) would disagree with it a little even if every "
        "pair were judged without an error."
    )
    apart = (
        "From the best encoder to the worst, mAP falls by more than among the candidates of a real "
        "choice. Correlations with the true order would be lower there."
    )
    rankings = (
        f"The sampled ones come from ranks {found.settings.items // 6} to "
        f"{5 * found.settings.items // 6} of any encoder that pooled, which are nearly all "
        "pictures: they are nearly random. The paper takes 100 to 500 of a much larger gallery, "
        "which can be harder. Nobody judged them, and a few are truly alike."
    )
    work = (
        "Seconds per pair and per item, and how often a tag is wrong, are assumptions: "
        "--pair-seconds, --tag-seconds, --tag-errors and --experts change them."
    )
    return Points(
        (
            ("A small shop", small),
            ("Likeness made of tags", made),
            ("One true order", order),
            ("Differences that are easy to see", apart),
            ("Honest experts", "Their errors are independent of each other and of the encoders."),
            ("Negatives from the rankings", rankings),
            ("What work costs", work),
        )
    )
