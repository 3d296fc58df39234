"""``likelens evaluate``: encoders ranked by tags, or by what people judged alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options

if TYPE_CHECKING:
    from ..encoders.base import Encoder, VectorSource

    Named = str | Encoder | VectorSource

STRESS_QUERIES = 200
"""Queries of ``--stress``, if no number is given."""

JUDGED = "Judgements instead of tags"
RETRIEVAL = "Retrieval instead of tags"


def _judged(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=JUDGED, show_default=False)


Judgements = Annotated[
    Path | None, _judged("Rank by these judgements: query, candidate, 0 or 1.", "--judgements")
]
Queries = Annotated[
    Path | None,
    _judged("Another catalogue whose pictures ask (in the wild); SOURCE is the gallery."),
]
PoolFile = Annotated[
    Path | None,
    _judged("Which encoder proposed which pair, as `annotate pool --out` wrote it.", "--pool"),
]
PoolDepth = Annotated[
    int | None,
    typer.Option(
        "--pool-k",
        help="Take these encoders' first results as the pool instead.",
        min=1,
        rich_help_panel=JUDGED,
        show_default=False,
    ),
]
Cuts = Annotated[
    list[int] | None, _judged("Cut-off of HR and MRR; several one by one (default: 5, 9).", "-k")
]
Definition = Annotated[
    Literal["paper", "release"] | None,
    _judged("HR@k and MRR@k as we read the paper (default) or as in its released code."),
]
Negatives = Annotated[
    Literal["annotated", "sampled"] | None,
    _judged(
        "Negatives of the areas: those judged (default), or drawn from ranks 100 to 500 of any "
        "encoder."
    ),
]
RankBy = Annotated[str | None, _judged("The metric that decides the place (default: inferred_ap).")]
DifferentProducts = Annotated[
    bool, _judged("Leave a query's own product out of its results.", "--different-products")
]
SkipUnknown = Annotated[
    bool, _judged("Go on without judgements of unknown pictures.", "--skip-unknown")
]


Relevance = Annotated[
    Literal["purchases", "classes", "products", "tags"] | None,
    typer.Option(
        help="Rank by a search for what was bought together, or is of one class or product.",
        rich_help_panel=RETRIEVAL,
        show_default=False,
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        help="Embed and measure so many items only: each class (or value of the first tag) "
        "keeps its share, products stay whole.",
        min=3,
        metavar="N",
        show_default=False,
    ),
]
Against = Annotated[
    Path | None,
    typer.Option(
        help="Also show what changed since the report in this folder.",
        metavar="FOLDER",
        show_default=False,
    ),
]


@options.reads_catalogue
def evaluate(
    catalogue: Any,
    encoder: options.Encoders = None,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    store: options.StoreInOut = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Compare these layers where an encoder has them: output,penultimate.",
            show_default=False,
        ),
    ] = None,
    recipe: options.Recipe = None,
    self_pairs: options.SelfPairs = "include",
    stress: Annotated[
        bool,
        typer.Option("--stress", help="Also measure how scores fall as queries' pictures worsen."),
    ] = False,
    stress_queries: Annotated[
        int | None,
        typer.Option(
            help="Queries of --stress, at most (default: 200).",
            min=2,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    sample: Sample = None,
    against: Against = None,
    relevance: Relevance = None,
    judgements: Judgements = None,
    queries: Queries = None,
    pool: PoolFile = None,
    pool_k: PoolDepth = None,
    k: Cuts = None,
    definition: Definition = None,
    negatives: Negatives = None,
    rank_by: RankBy = None,
    different_products: DifferentProducts = False,
    skip_unknown: SkipUnknown = False,
    preset: options.Presets = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    runtime: options.Runtime = "auto",
    compile: options.Compile = False,  # noqa: A002 - the option's name
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Rank encoders by how well they agree with the tags, and write an HTML report.

    With --judgements, by what people judged similar; with --relevance, by a search for what
    was bought together, or is of one class or product. Tags are not needed then.
    """
    from ..encoders.running import Running
    from .evaluating import evaluate_by_judgements, evaluate_by_relevance, evaluate_by_tags

    asked = {
        "queries": queries,
        "pool": pool,
        "pool_k": pool_k,
        "k": tuple(k) if k else None,
        "definition": definition,
        "negatives": negatives,
        "rank_by": rank_by,
        "different_products": different_products,
        "skip_unknown": skip_unknown,
    }
    asked = {name: value for name, value in asked.items() if value not in (None, False)}
    if stress_queries is not None and not stress:
        from ..values.errors import BadSpec

        raise BadSpec(
            "queries of a stress are given, and none is asked for",
            where="--stress-queries",
            hint="give --stress as well, or leave it out",
        )
    of_tags = {"recipe": recipe, "stress": stress, "self_pairs": self_pairs != "include"}
    given_tags = [name for name, value in of_tags.items() if value]
    if relevance is not None:
        _check_relevance(judgements, asked, given_tags)
    else:
        not_judged = [*given_tags, *(["sample"] if sample is not None else [])]
        _check_sides(judgements, asked, not_judged)
    specs = options.with_dtype(options.some_encoders(encoder, preset), dtype)
    running = Running(device=device, runtime=runtime, compile=compile)
    chosen: Sequence[Named] = specs
    if layers:
        from ..encoders.opening import with_layers

        chosen = with_layers(specs, options.columns(layers, "--layers") or [], running)
    settings = {"seed": seed, "overwrite": overwrite, "running": running}
    kept = options.measuring_store(store, out / "store")
    earlier = None if against is None else _earlier(against)
    if relevance is not None:
        settings |= {"k": k[0]} if k else {}
        settings |= {"relevance": relevance, "sample": sample}
        evaluate_by_relevance(
            catalogue, chosen, out, kept, as_json=as_json, earlier=earlier, settings=settings
        )
        return
    if judgements is not None:
        settings |= asked
        evaluate_by_judgements(
            catalogue,
            chosen,
            judgements,
            out,
            kept,
            as_json=as_json,
            earlier=earlier,
            settings=settings,
        )
        return
    evaluate_by_tags(
        catalogue,
        chosen,
        out,
        kept,
        recipe=recipe,
        self_pairs=self_pairs,
        sample=sample,
        as_json=as_json,
        earlier=earlier,
        stress_queries=(stress_queries or STRESS_QUERIES) if stress else 0,
        **settings,
    )


def _check_sides(
    judgements: Path | None, of_judgements: dict[str, Any], of_tags: Sequence[str]
) -> None:
    """Refuse options of the one way beside the other."""
    from ..values.errors import BadSpec

    wrong = list(of_judgements) if judgements is None else of_tags
    if not wrong:
        return
    flags = ", ".join(f"--{name.replace('_', '-')}" if len(name) > 1 else "-k" for name in wrong)
    if judgements is None:
        raise BadSpec(
            f"{flags} is of judgements, and there are none",
            where="likelens evaluate",
            hint="give --judgements FILE, or leave it out",
        )
    raise BadSpec(
        f"{flags} is of tags, and --judgements ranks by judgements",
        where="likelens evaluate",
        hint="leave it out, or --judgements",
    )


def _check_relevance(
    judgements: Path | None, asked: dict[str, Any], of_tags: Sequence[str]
) -> None:
    """Refuse options of the other ways beside --relevance."""
    from ..values.errors import BadSpec

    wrong = [*(["judgements"] if judgements is not None else []), *of_tags]
    wrong += [name for name in asked if name != "k"]
    flags = [f"--{name.replace('_', '-')}" for name in wrong]
    if len(asked.get("k", ())) > 1:
        flags.append("a second -k")
    if flags:
        raise BadSpec(
            f"{', '.join(flags)} cannot be used with --relevance",
            where="likelens evaluate",
            hint="leave it out, or leave out --relevance",
        )


def _earlier(folder: Path) -> Any:
    """An earlier report, read before ``--out`` may replace it."""
    from .._against import read_report

    return read_report(folder)
