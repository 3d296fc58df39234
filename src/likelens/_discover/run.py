"""Encoders by what people judged alike."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from .. import eds
from .._embed import Progress
from .._lineup import Named, check_catalogue, notes_of, open_lineup
from .._protocol import same_files
from .._run_notes import OF_PURCHASES, OF_TAGS, unused
from ..encoders.running import Running
from ..metrics._negatives import HIGH
from ..store.base import Store, open_store
from ..store.memory import MemoryStore
from ..values.arrays import Positions
from ..values.catalogue import Catalogue
from ..values.errors import BadSpec, BadTable, first_few, nearest
from ..values.files import installed
from ..values.qrels import Judgements
from .advice import advice
from .contest import Contest
from .measure import Evidence, Setting
from .pairs import Asked, Pairs, find_pairs
from .pooled import read_pool
from .values import DiscoveryBoard, is_control, metric_names
from .vectors import Vectors, embedded

RANK_BY = "inferred_ap"
"""The metric that decides the place, if none is named: see docs/who-to-trust.md."""

LIBRARIES = ("likelens", "numpy", "scipy", "onnxruntime", "opencv-python-headless", "pillow")
"""Whose versions may move a score, and are noted."""


def discover(
    catalogue: Catalogue,
    encoders: Sequence[Named],
    judgements: Judgements | str | os.PathLike[str],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    queries: Catalogue | None = None,
    k: int | Sequence[int] = (5, 9),
    definition: Literal["paper", "release"] = "paper",
    negatives: Literal["annotated", "sampled"] = "annotated",
    rank_by: str = RANK_BY,
    pool: str | os.PathLike[str] | None = None,
    pool_k: int | None = None,
    different_products: bool = False,
    skip_unknown: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    running: Running | None = None,
    progress: Progress | None = None,
) -> DiscoveryBoard:
    """Ranks encoders by how well they find what people judged alike (VSD, arXiv 2308.14753).

    One encoder's vectors are in memory at a time, unless the store itself is in memory.

    Args:
        catalogue: the gallery, and the queries too if there are no others.
        encoders: their specs, or encoders.
        judgements: of pairs of ids, 1 for alike and 0 for not; or their file.
        store: where vectors are kept, also those of ``queries``; None keeps them in memory only.
        queries: another catalogue whose pictures ask, as customers take them.
        k: cut-offs of HR and MRR.
        definition: of HR@k and MRR@k, see ``metrics.discovery_of_pairs``. With ``release``
            results show each product once, if products are known.
        negatives: of the areas: those that people judged, or in their place as many as there
            are positives, drawn from what any of the encoders compared, controls apart, ranks
            at 100 to 500: another one may rank such an item among its first.
        rank_by: the metric that decides the place, by its name in tables; where it has no
            value, HR at the largest k takes its place. Areas with annotated negatives and
            bpref favour encoders that took no part in choosing the pairs, and chance.
        pool: the file of ``annotate pool``, which says what each encoder proposed; scores are
            then also taken with each one's proposals left out.
        pool_k: the same with the first so many results of the encoders compared.
        different_products: leave a query's own product out of its results and judgements.
        skip_unknown: go on without judgements of ids that are not in the catalogue.
        seed: of the draws of negatives and the tests.
        overwrite: make all vectors anew.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The board. An encoder whose weights or library cannot be had is in its ``missing``.

    Raises:
        BadTable: judgements that are not 0 or 1, of unknown ids, or none that can be used; no
            encoders; a pool of other pictures.
        BadSpec: an encoder or metric is named wrongly, a cut-off below 1.
        LikelensError: not one of the encoders can be had.
    """
    for one in (catalogue, *([] if queries is None else [queries])):
        check_catalogue(one)
    given = judgements if isinstance(judgements, Judgements) else Judgements.read(judgements)
    setting = _setting(k, definition, negatives, rank_by, different_products, pool_k, seed)
    if pool is not None and pool_k is not None:
        raise BadSpec(
            "a pool from a file and one from the encoders' results are two",
            where="--pool and --pool-k",
            hint="give one of them",
        )
    if negatives == "sampled" and len(catalogue) <= HIGH:
        raise BadTable(
            f"{len(catalogue):,} items have no rank {HIGH}, up to which negatives are drawn",
            where="--negatives sampled",
            hint="leave it out: the negatives are then those that people judged",
        )
    whole = Asked(catalogue, queries, _own(catalogue, queries))
    pairs, notes = find_pairs(given, whole, skip_unknown=skip_unknown)
    if different_products:
        pairs, notes = _other_products(pairs, whole, notes)
    if definition == "release" and (catalogue.products is None or whole.table.products is None):
        notes = (*notes, "products are not known (--product), so results show them more than once")
    if pool is not None:
        read_pool(pool, whole)  # refuses a wrong file before any work
    opened, missing = open_lineup(encoders, running)
    kept = open_store(store)
    vectors = Vectors(catalogue, queries, opened, kept, overwrite, progress)
    missing |= vectors.missing
    pairs, asked, more = embedded(pairs, whole, vectors)
    contest = Contest(asked, pairs, setting, vectors, progress)
    evidence = contest.look_all()
    pooled, of_pool = _pooled(pool, pool_k, asked, evidence)
    board = contest.board(evidence, pooled)
    options = {
        "judgements": given.path,
        "queries": None if queries is None else str(queries.layout.source),
        "pool": None if pool is None else str(pool),
        "pool-k": pool_k,
        "different-products": different_products or None,
        "skip-unknown": skip_unknown or None,
        "store": None if isinstance(kept, MemoryStore) else kept.place,
    }
    board = replace(board, missing=missing, run=_facts(catalogue, setting, options))
    more = (*more, *unused(catalogue, (*OF_TAGS, *OF_PURCHASES), "judgements"))
    said = (
        *notes,
        *notes_of(opened),
        *more,
        *of_pool,
        *board.notes,
        *advice(board),
        *catalogue.notes,
    )
    return replace(board, notes=said)


def _setting(
    k: int | Sequence[int],
    definition: Literal["paper", "release"],
    negatives: Literal["annotated", "sampled"],
    rank_by: str,
    different_products: bool,
    pool_k: int | None,
    seed: int,
) -> Setting:
    cuts = tuple(k) if isinstance(k, Iterable) else (k,)
    if not cuts or not all(_is_cut(cut) for cut in cuts):
        raise BadSpec(
            f"k = {first_few(cuts) or 'none'} is no cut-off",
            where="-k",
            hint="give whole numbers from 1",
        )
    if pool_k is not None and not _is_cut(pool_k):
        raise BadSpec(
            f"there is no pool of depth {pool_k}",
            where="--pool-k",
            hint="give a whole number from 1",
        )
    cuts = tuple(sorted({int(cut) for cut in cuts}))
    known = metric_names(cuts)
    if rank_by not in known:
        raise BadSpec(
            f"there is no metric {rank_by!r} to rank by",
            where="--rank-by",
            hint=nearest(rank_by, known) or f"give one of {', '.join(known)}",
        )
    for name, value, choices in (
        ("definition", definition, ("paper", "release")),
        ("negatives", negatives, ("annotated", "sampled")),
    ):
        if value not in choices:
            raise BadSpec(
                f"there is no {name} {value!r}", where=name, hint=f"give {' or '.join(choices)}"
            )
    depth = max(*cuts, pool_k or 1, HIGH if negatives == "sampled" else 1)
    return Setting(cuts, definition, negatives, rank_by, different_products, depth, seed)


def _is_cut(number: object) -> bool:
    """Whether it is a whole number from 1."""
    return isinstance(number, int | np.integer) and bool(number >= 1)


def _own(catalogue: Catalogue, queries: Catalogue | None) -> Positions:
    if queries is None:
        return np.arange(len(catalogue))
    return same_files(queries, catalogue)


def _other_products(
    pairs: Pairs, asked: Asked, notes: tuple[str, ...]
) -> tuple[Pairs, tuple[str, ...]]:
    """The pairs of two products, and a note on the others."""
    for side, one in (("catalogue", asked.gallery), ("catalogue of the queries", asked.table)):
        if one.products is None:
            raise BadTable(
                f"the {side} has no products that could be left out",
                where=str(one.layout.source),
                hint="name their column with --product, or leave --different-products out",
            )
    same = asked.same_product(pairs.rows, pairs.items)
    if same.all():
        raise BadTable(
            f"all {len(pairs):,} judgements are of two pictures of one product",
            where="--different-products",
            hint="leave it out, or give judgements of other products",
        )
    if same.any():
        text = f"{int(same.sum()):,} judgements of two pictures of one product are left out"
        notes = (*notes, text)
    return pairs.keep(~same), notes


def _pooled(
    path: str | os.PathLike[str] | None,
    k: int | None,
    asked: Asked,
    evidence: Mapping[str, Evidence],
) -> tuple[eds.Pool | None, tuple[str, ...]]:
    """Which encoder proposed what: by the file, or by the results of those that are no control."""
    if path is not None:
        return read_pool(path, asked)
    tops = {name: one.top for name, one in evidence.items() if not is_control(name)}
    if k is None or not tops:
        return None, ()
    return eds.pool(tops, k, own=asked.own, items=len(asked.gallery)), ()


def _facts(catalogue: Catalogue, setting: Setting, options: Mapping[str, Any]) -> dict[str, Any]:
    layout = catalogue.layout
    usual = {
        "definition": "paper",
        "negatives": "annotated",
        "rank-by": RANK_BY,
        "seed": 0,
    }
    chosen = {
        "definition": setting.definition,
        "negatives": setting.negatives,
        "rank-by": setting.rank_by,
        "seed": setting.seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    given |= {name: value for name, value in chosen.items() if value != usual[name]}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(layout.table or layout.images),
        "options": given,
        "definition": setting.definition,
        "negatives": setting.negatives,
        "different_products": setting.different_products,
        "seed": setting.seed,
        "python": sys.version.split()[0],
        "libraries": {name: installed(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
