"""``likelens annotate pool`` and ``plan``: which pairs to have judged, and what that takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, show

if TYPE_CHECKING:
    from .._pooling import Pooling
    from ..eds import Plan, Range, SampleSize

SHOWN = 12
"""So many encoders at most have their overlaps shown on a terminal."""


@options.reads_catalogue
def pool(
    catalogue: Any,
    encoder: options.Encoders = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            help="Another catalogue whose pictures ask (in the wild); SOURCE is the gallery.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="First results of each encoder.", min=1)] = 6,
    sample: Annotated[int, typer.Option(help="Queries, drawn by the seed.", min=1)] = 2_000,
    different_products: Annotated[
        bool,
        typer.Option("--different-products", help="Leave out pictures of the query's product."),
    ] = False,
    random: Annotated[
        int,
        typer.Option(
            help="Pairs to add, drawn from all there are: they tell how rare positives are.",
            min=0,
        ),
    ] = 0,
    out: Annotated[
        Path, typer.Option(help="Table of the pairs to write, .csv or .parquet.")
    ] = Path("pool.csv"),
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder where the vectors are kept (default: store, beside OUT, and the cache).",
            show_default=False,
        ),
    ] = None,
    preset: options.Presets = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    runtime: options.Runtime = "auto",
    compile: options.Compile = False,  # noqa: A002 - the option's name
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Choose the pairs worth judging: the union of what several encoders find first."""
    from .._pooling import check_suffix, pool_catalogue
    from ..encoders.running import Running

    check_suffix(out)
    specs = options.with_dtype(options.some_encoders(encoder, preset), dtype)
    asked = None if queries is None else options.open_other(queries, catalogue)
    with show.progress_bar() as progress:
        found = pool_catalogue(
            catalogue,
            specs,
            options.measuring_store(store, out.parent / "store"),
            queries=asked,
            k=k,
            sample=sample,
            different_products=different_products,
            random=random,
            seed=seed,
            overwrite=overwrite,
            running=Running(device=device, runtime=runtime, compile=compile),
            progress=progress,
        )
    written = found.write(out)
    if as_json:
        show.print_json({**found.to_dict(), "table": str(written)})
    else:
        _print_pool(found, written)


def plan(
    encoders: Annotated[int, typer.Option(help="How many encoders are pooled.")],
    queries: Annotated[int, typer.Option(help="How many queries are asked.")] = 2_000,
    k: Annotated[int, typer.Option("-k", help="First results of each encoder.")] = 6,
    experts: Annotated[int, typer.Option(help="How many judge each pair.")] = 3,
    seconds: Annotated[float, typer.Option(help="That one judgement takes.")] = 5.0,
    rate: Annotated[
        float | None,
        typer.Option(help="What an expert's hour costs, in any currency.", show_default=False),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            help="Percent of candidates that two encoders share (see annotate pool).",
            show_default=False,
        ),
    ] = None,
    epsilon: Annotated[
        float, typer.Option(help="How far off the prevalence may be, for the sample size.")
    ] = 0.01,
    confidence: Annotated[
        float, typer.Option(help="That it is not further off, for the sample size.")
    ] = 0.95,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Share of positives to expect (default: the worst there can be).",
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how many pairs, hours and what cost a pool takes, and how many random pairs."""
    from .. import eds
    from ..values.errors import BadSpec

    found = eds.plan(
        encoders=encoders,
        k=k,
        queries=queries,
        experts=experts,
        seconds=seconds,
        rate=rate,
        overlap=overlap,
    )
    if not 0 < confidence < 1:
        raise BadSpec(
            f"a confidence of {confidence:g} cannot be had",
            where="--confidence",
            hint="give a number above 0 and below 1, such as 0.95",
        )
    size = eds.sample_size(epsilon, round(1 - confidence, 12), prevalence)
    if as_json:
        ranges = {name: one and one._asdict() for name, one in vars(found).items()}
        show.print_json({**ranges, "sample_size": vars(size)})
    else:
        _print_plan(found)
        _print_size(size, epsilon, confidence)


def _print_pool(found: Pooling, written: Path) -> None:
    """Which encoder brought what, how far they agree, and what judging it takes."""
    pool, rows = found.pool, []
    known = found.to_dict()
    shown = range(len(pool.encoders)) if len(pool.encoders) <= SHOWN else range(0)
    for place, line in enumerate(known["encoders"]):
        shares = (show.number(pool.overlap[place, other], 0) for other in shown)
        counts = (f"{line[name]:,}" for name in ("pairs", "alone", "short"))
        rows.append([str(place + 1), line["encoder"], *counts, *shares])
    heads = ("#", "encoder", "pairs", "alone", "short", *(f"% of {place + 1}" for place in shown))
    show.table(heads, rows, words=(1,))
    for name, why in found.missing.items():
        show.say(f"missing: {name}: {why}")
    for text in found.notes:
        show.note(text)
    each, cost = pool.per_query, pool.cost
    text = (
        f"{len(pool):,} pairs of {pool.queries:,} queries: {each.mean():.1f} distinct candidates "
        f"each ({each.min():,} to {each.max():,})"
    )
    lines = [text, f"{cost.share:.3%} of the {cost.brute_force:,} pairs that there are"]
    if len(pool.encoders) > 1:
        share = f"{found.mean_overlap:.1f} % of their first {pool.k:,}"
        lines.append(f"two encoders share {share} on average")
    if len(found.drawn):
        both = int(found.in_pool.sum())
        lines.append(f"{len(found.drawn):,} random pairs, {both:,} of them also in the pool")
    for text in (*lines, f"table: {written}"):
        show.say(text)


def _print_plan(found: Plan) -> None:
    likely = found.pairs.likely is not None
    rows: dict[str, tuple[Range | None, int]] = {
        "pairs": (found.pairs, 0),
        "votes": (found.votes, 0),
        "hours of all experts": (found.hours, 1),
        "hours of each": (found.hours_each, 1),
        "cost": (found.cost, 2),
    }
    cells = [
        [name, *(show.number(one, digits) for one in numbers if one is not None)]
        for name, (numbers, digits) in rows.items()
        if numbers is not None
    ]
    show.table(("", "at least", *(["likely"] if likely else []), "at most"), cells)


def _print_size(size: SampleSize, epsilon: float, confidence: float) -> None:
    other = f"about {size.normal:,} by the normal approximation"  # at once, however many
    if size.binomial is not None:
        other = f"{size.binomial:,} by the binomial distribution"
    show.say(
        f"random pairs to know the prevalence within {epsilon:g} at {confidence:.4g} confidence: "
        f"{size.chebyshev:,} by Chebyshev, {other}"
    )
