"""The pairs of a catalogue that experts should judge: what several encoders find alike."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import eds
from ._discover.vectors import Vectors
from ._embed import Progress
from ._lineup import Named, check_catalogue, notes_of, open_lineup
from ._protocol import same_files
from ._ranking import Gallery, joined, rank_blocks
from .encoders.running import Running
from .store.base import Store, open_store
from .values.arrays import Floats, Positions
from .values.catalogue import Catalogue
from .values.csv_cells import write_csv
from .values.errors import BadSpec, BadTable
from .values.files import plain, write_aside
from .values.judgement_files import POSSIBLE, RANDOM
from .values.relevance import NONE

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Pooling:
    """A pool of a catalogue's pairs.

    Attributes:
        pool: the pairs by position: queries in ``queries``, candidates in ``catalogue``.
        catalogue: the items that could be found.
        queries: the items that were asked with, or those of another catalogue.
        different_products: whether pictures of the query's own product were left out.
        seed: of the draws.
        drawn: (r, 2) int64, pairs drawn evenly at random, also by position; by query, then by
            candidate. They may be pairs of the pool.
        missing: why an encoder could not take part, by its spec.
        notes: what the reader should know.
    """

    pool: eds.Pool
    catalogue: Catalogue
    queries: Catalogue
    different_products: bool
    seed: int
    drawn: Positions = field(default_factory=lambda: np.zeros((0, 2), np.int64), repr=False)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def query_ids(self) -> list[str]:
        """(p,) id of each pair's query."""
        return self._ids(self.pool.pairs)[0]

    @property
    def candidate_ids(self) -> list[str]:
        """(p,) id of each pair's candidate."""
        return self._ids(self.pool.pairs)[1]

    @cached_property
    def in_pool(self) -> npt.NDArray[np.bool_]:
        """(r,) whether each pair that was drawn is one of the pool's as well."""
        return np.isin(self._keys(self.drawn), self._keys(self.pool.pairs))

    @cached_property
    def mean_overlap(self) -> float:
        """Percent: the mean of ``Pool.overlap`` over every two encoders; NaN for one."""
        others = ~np.eye(len(self.pool.encoders), dtype=bool)
        return float(self.pool.overlap[others].mean()) if others.any() else float("nan")

    @property
    def table(self) -> pa.Table:
        """A row per pair of the pool, and below them one per further pair that was drawn.

        The columns: query, candidate, each encoder's rank (null where it has none), ``random``
        (1 for a pair that was drawn, else 0) and ``possible`` (how many candidates the query
        may have).
        """
        import pyarrow as pa

        pool, more = self.pool, self.drawn[~self.in_pool]
        pairs = np.concatenate([pool.pairs, more])
        none = np.zeros((len(more), len(pool.encoders)), np.int32)
        columns = dict(zip(("query", "candidate"), map(pa.array, self._ids(pairs)), strict=True))
        for name, ranks in zip(pool.encoders, np.concatenate([pool.ranks, none]).T, strict=True):
            columns[name] = pa.array(ranks, mask=ranks == 0)
        random = np.isin(self._keys(pairs), self._keys(self.drawn))
        columns[RANDOM] = pa.array(random.astype(np.int8))
        columns[POSSIBLE] = pa.array(pool.possible[pairs[:, 0]])
        return pa.table(columns)

    def _ids(self, pairs: Positions) -> tuple[list[str], list[str]]:
        """Ids of the queries and of the candidates."""
        queries = [self.queries.ids[row] for row in pairs[:, 0].tolist()]
        return queries, [self.catalogue.ids[row] for row in pairs[:, 1].tolist()]

    def _keys(self, pairs: Positions) -> Positions:
        """(p,) a number for each pair."""
        keys: Positions = pairs[:, 0] * len(self.catalogue) + pairs[:, 1]
        return keys

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV or Parquet, by the suffix; returns the path.

        Raises:
            BadTable: another suffix, or a place that cannot be written to.
        """
        place = Path(path)
        check_suffix(place)
        table = self.table
        if place.suffix.lower() == ".csv":
            write_aside(place, lambda aside: write_csv(table, aside))
        else:
            from pyarrow import parquet

            write_aside(place, lambda aside: parquet.write_table(table, aside))
        return place

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pairs, as plain values that JSON can write (NaN as None)."""
        pool, counts = self.pool, self.pool.per_query
        alone = (pool.ranks > 0).sum(axis=1) == 1
        result: dict[str, Any] = plain(
            {
                "items": len(self.catalogue),
                "queries": pool.queries,
                "k": pool.k,
                "different_products": self.different_products,
                "seed": self.seed,
                "pairs": len(pool),
                "per_query": {
                    "mean": counts.mean(),
                    "least": counts.min(),
                    "most": counts.max(),
                    "none": pool.without_candidate,
                },
                "cost": vars(pool.cost),
                "random": {"pairs": len(self.drawn), "in_pool": self.in_pool.sum()},
                "encoders": [
                    {
                        "encoder": name,
                        "pairs": (ranks > 0).sum(),
                        "alone": (alone & (ranks > 0)).sum(),
                        "short": pool.short[name],
                    }
                    for name, ranks in zip(pool.encoders, pool.ranks.T, strict=True)
                ],
                "overlap": pool.overlap.tolist(),
                "jaccard": pool.jaccard.tolist(),
                "mean_overlap": self.mean_overlap,
                "missing": self.missing,
                "notes": self.notes,
            }
        )
        return result


def pool_catalogue(
    catalogue: Catalogue,
    encoders: Sequence[Named],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    queries: Catalogue | None = None,
    k: int = 6,
    sample: int = 2_000,
    different_products: bool = False,
    random: int = 0,
    seed: int = 0,
    overwrite: bool = False,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Pooling:
    """The pairs worth judging: for some queries, what each encoder finds most alike.

    Each encoder ranks all items exactly, by cosine; see ``eds.pool`` for the union. Where an
    encoder sees nothing in a query (a vector of zeros) it proposes nothing.

    Args:
        catalogue: the gallery.
        encoders: their specs.
        store: where vectors are kept, also those of ``queries``; None keeps them in memory only.
        queries: another catalogue to ask with ("in the wild"); None where the items ask.
            A query whose picture is the same file as an item's never finds that item.
        k: how many candidates of each encoder.
        sample: so many queries at most, drawn with the seed from those that every encoder
            has a vector of.
        different_products: leave out other pictures of the query's product.
        random: so many pairs at most are drawn as well, evenly from all that there are of the
            queries with a candidate; they tell how rare positives are.
        seed: of the draws.
        overwrite: make all vectors anew.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Raises:
        BadTable: no encoders, no products where they matter, or no item or query that every
            encoder has a vector of.
        BadShape: no query has a candidate.
        BadSpec: an encoder is named wrongly, k or sample is below 1, or random below 0.
        LikelensError: not one of the encoders can be had.
    """
    say = progress or (lambda _label, _done, _total: None)
    for one in (catalogue, *([] if queries is None else [queries])):
        check_catalogue(one)
    for name, count, least in (("k", k, 1), ("sample", sample, 1), ("random", random, 0)):
        if count < least:
            raise BadSpec(
                f"{name} = {count} makes no pool", where="pool_catalogue", hint=f"give {least}"
            )
    if different_products:
        _check_products(catalogue, queries)
    opened, missing = open_lineup(encoders, running)
    vectors = Vectors(catalogue, queries, opened, open_store(store), overwrite, progress)
    gallery = _having(catalogue, vectors.ids[0], "items")
    table = _having(queries or catalogue, vectors.ids[1], "queries")
    drawn = np.random.default_rng(seed).choice(len(table), min(sample, len(table)), replace=False)
    rows = np.sort(drawn)
    table = table.take([table.ids[row] for row in rows])
    own = rows if queries is None else same_files(table, gallery)
    depth = min(k + (_kin(gallery, table) if different_products else 0), len(gallery))
    notes = list(_lost(catalogue, queries, gallery, vectors))
    positions: dict[str, Positions] = {}
    for number, encoder in enumerate(vectors.encoders):
        say("ranking", number, len(vectors.encoders))
        known = vectors.gallery.read(encoder)
        asking = known if vectors.queries is None else vectors.queries.read(encoder)
        found = asking.take(table.ids).vectors
        lists = _ranked(known.take(gallery.ids).vectors, found, own, depth)
        blind = ~found.any(axis=1)
        lists[blind] = NONE
        if blind.any():
            notes.append(f"{encoder.spec} sees nothing in {int(blind.sum()):,} of the queries")
        positions[known.encoder.name] = lists
    say("ranking", len(positions), len(positions))
    products = gallery.products if different_products else None
    theirs = table.products if different_products else None
    pool = eds.pool(
        positions, k, own=own, products=products, query_products=theirs, items=len(gallery)
    )
    if pool.without_candidate:
        notes.append(f"{pool.without_candidate:,} queries have no candidate at all")
    drawn = _drawn(pool, random, len(gallery), own, products, theirs, seed)
    if len(drawn) < random:
        notes.append(f"there are only {len(drawn):,} pairs to draw from, and all of them are")
    return Pooling(
        pool=pool,
        catalogue=gallery,
        queries=table,
        different_products=different_products,
        seed=seed,
        drawn=drawn,
        missing=missing | vectors.missing,
        notes=(*notes, *notes_of(opened), *catalogue.notes),
    )


def check_suffix(path: Path) -> None:
    """Refuse a file for the table that is neither CSV nor Parquet.

    Raises:
        BadTable: its suffix says so.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadTable(
            f"a pool cannot be written as {path.suffix or 'a file without an ending'}",
            where=str(path),
            hint=f"end its name in {' or '.join(SUFFIXES)}",
        )


def _check_products(catalogue: Catalogue, queries: Catalogue | None) -> None:
    for role, one in (("the catalogue", catalogue), ("the catalogue of queries", queries)):
        if one is not None and one.products is None:
            raise BadTable(
                f"{role} does not say which pictures show one product",
                where=str(one.layout.source),
                hint="name the column of products (--product), or do not ask for different ones",
            )


def _having(catalogue: Catalogue, ids: set[str], role: str) -> Catalogue:
    """The items that every encoder has a vector of."""
    kept = [item for item in catalogue.ids if item in ids]
    if not kept:
        raise BadTable(
            f"none of the {len(catalogue):,} {role} has a vector by every encoder",
            where=str(catalogue.layout.source),
            hint="look at the failures, and leave out the encoder that has too few",
        )
    return catalogue if len(kept) == len(catalogue) else catalogue.take(kept)


def _lost(
    catalogue: Catalogue, queries: Catalogue | None, gallery: Catalogue, vectors: Vectors
) -> list[str]:
    """How many pictures are left out, for some encoder has no vector of them."""
    sides = {"items": (catalogue, len(gallery))}
    if queries is not None:
        sides["queries"] = (queries, len(set(queries.ids) & vectors.ids[1]))
    return [
        f"left out, for some encoder has no vector of them: {len(whole) - kept:,} of "
        f"{len(whole):,} {role}"
        for role, (whole, kept) in sides.items()
        if kept < len(whole)
    ]


def _kin(gallery: Catalogue, table: Catalogue) -> int:
    """How many pictures of its own product a query finds at most."""
    pictures = Counter(gallery.products or ())
    return max((pictures[name] for name in table.products or () if name is not None), default=0)


def _drawn(
    pool: eds.Pool,
    count: int,
    items: int,
    own: Positions,
    products: Sequence[str | None] | None,
    theirs: Sequence[str | None] | None,
    seed: int,
) -> Positions:
    """(r, 2) random pairs of the queries with a candidate."""
    if not count:
        return np.zeros((0, 2), np.int64)
    asked = np.flatnonzero(pool.per_query)
    pairs = eds.random_pairs(
        len(asked),
        items,
        count,
        own=own[asked],
        products=products,
        query_products=None if theirs is None else [theirs[row] for row in asked.tolist()],
        seed=seed,
    )
    return np.column_stack([asked[pairs[:, 0]], pairs[:, 1]])


def _ranked(vectors: Floats, asked: Floats, own: Positions, depth: int) -> Positions:
    blocks = rank_blocks(Gallery(vectors), asked, own, depth)
    return joined([block.rankings for block in blocks], depth).positions
