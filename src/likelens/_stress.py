"""How an encoder's score falls as the pictures asked with get worse."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ._degrade import KINDS, LEVELS, UNITS, check_level, degrade, value_of
from ._embed import Progress, prepare_search
from .encoders.base import Encoder, Running, VectorSource, cores, open_encoder
from .images import open_image
from .store.base import Store, open_store
from .values.arrays import Array, Floats, Positions, check_vectors, unit_rows
from .values.catalogue import Catalogue
from .values.errors import BadImage, BadShape, BadSpec, BadTable, first_few
from .values.files import plain
from .values.scores import QueryScores
from .values.spec import Spec

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 64
"""Pictures that are made worse and encoded at a time."""

GROUP_BYTES = 2**28
"""Bytes of pixels at a time, if pictures are so large that fewer than ``GROUP`` hold them."""

SIMILARITIES = 4_000_000
"""Similarities of queries to the gallery at a time: 32 MB."""

CONSTANT = 1e-6
"""Standard deviation of similarities below which they are alike but for rounding."""


Condition = tuple[str, int]
"""A kind and a level."""


@dataclass(frozen=True)
class Curve:
    """One encoder and one way to make pictures worse.

    Attributes:
        encoder: its name, as on the leaderboard.
        kind: the way.
        levels: the levels measured, upwards from 0.
        scores: of each level; a query has a score at every level or at none.
        blind: of each level, how many queries the encoder sees nothing in any more:
            its vector is zero, or as like to one item as to another. They count as 0.
    """

    encoder: str
    kind: str
    levels: tuple[int, ...]
    scores: tuple[QueryScores, ...] = field(repr=False)
    blind: tuple[int, ...] = field(repr=False)

    @property
    def means(self) -> tuple[float, ...]:
        """The score at each level."""
        return tuple(scores.mean for scores in self.scores)

    @property
    def shares(self) -> tuple[float, ...]:
        """What each level leaves of the score at level 0.

        NaN where that score cannot be told from 0: of nothing there are no shares.
        """
        if not self.intervals[0][0] > 0:
            return (float("nan"),) * len(self.levels)
        return tuple(mean / self.means[0] for mean in self.means)

    @cached_property
    def intervals(self) -> tuple[tuple[float, float], ...]:
        """The 95 % interval of each score."""
        return tuple(scores.interval() for scores in self.scores)

    @property
    def half(self) -> int | None:
        """The first level that leaves half of the score or less, or None."""
        pairs = zip(self.levels, self.shares, strict=True)
        return next((level for level, share in pairs if share <= 0.5), None)

    def rows(self) -> list[dict[str, Any]]:
        """A row per level."""
        return [
            {
                "encoder": self.encoder,
                "kind": self.kind,
                "level": level,
                "value": value_of(self.kind, level),
                "unit": UNITS[self.kind],
                "corrembed": self.means[place],
                "corrembed_low": self.intervals[place][0],
                "corrembed_high": self.intervals[place][1],
                "share_of_clean": self.shares[place],
                "queries": len(self.scores[place].per_query) - self.scores[place].missing,
                "blind": self.blind[place],
            }
            for place, level in enumerate(self.levels)
        ]


@dataclass(frozen=True, repr=False)
class Stress:
    """Robustness curves of some encoders on one catalogue.

    Attributes:
        curves: encoder by encoder, kind by kind.
        queries: ids of the items whose pictures were made worse.
        asked: how many queries were asked for, at most.
        items: how many items the gallery has.
        weighted: whether tag categories are weighted.
        seed: of the draw of queries and of what was done to them.
        notes: what the reader should know.
    """

    curves: tuple[Curve, ...]
    queries: tuple[str, ...] = field(repr=False)
    asked: int
    items: int
    weighted: bool
    seed: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Stress({len(self.encoders)} encoders; {len(self.queries):,} queries, "
            f"{self.items:,} items)"
        )

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders, in the order given."""
        return tuple(dict.fromkeys(curve.encoder for curve in self.curves))

    def of(self, encoder: str) -> tuple[Curve, ...]:
        """The curves of one encoder."""
        return tuple(curve for curve in self.curves if curve.encoder == encoder)

    @property
    def table(self) -> pa.Table:
        """A row per encoder, kind and level, as an Arrow table."""
        import pyarrow as pa

        kinds = (
            *(("encoder", pa.string()), ("kind", pa.string()), ("level", pa.int64())),
            *(("value", pa.float64()), ("unit", pa.string()), ("corrembed", pa.float64())),
            *(("corrembed_low", pa.float64()), ("corrembed_high", pa.float64())),
            *(("share_of_clean", pa.float64()), ("queries", pa.int64()), ("blind", pa.int64())),
        )
        rows = [row for curve in self.curves for row in curve.rows()]
        return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds})

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can write (NaN as None)."""
        everything: dict[str, Any] = plain(
            {
                "curves": [row for curve in self.curves for row in curve.rows()],
                "queries": self.queries,
                "items": self.items,
                "weighted": self.weighted,
                "seed": self.seed,
                "notes": self.notes,
            }
        )
        return everything


def stress(
    catalogue: Catalogue,
    encoders: Sequence[str | Spec | Encoder | VectorSource],
    store: Store | str | os.PathLike[str],
    *,
    levels: Iterable[int] = range(LEVELS + 1),
    kinds: Iterable[str] = KINDS,
    max_queries: int = 200,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Stress:
    """CorrEmbed with the queries' pictures made worse, and the gallery as it is.

    The question that the CorrEmbed paper (arXiv 2308.16126) leaves open. Each picture is
    opened once and made worse in every way (``degrade``); the pair of a query with its
    own clean picture does not count, since that likeness says nothing of the tags. A
    query in whose worse picture the encoder sees nothing counts as 0: left out, it would
    flatter an encoder that goes blind.

    Args:
        catalogue: with tags; ``Leaderboard.catalogue`` for the items of a comparison.
        encoders: their specs. Those that have vectors but see no pixels are passed over,
            with a note.
        store: where ``compare`` or ``embed`` kept the vectors of the pictures as they are.
        levels: of 0 to 5; level 0 is measured in any case.
        kinds: of ``KINDS``.
        max_queries: so many items at most, drawn with the seed from those with tags.
        weights: of tag categories; ``Leaderboard.weights`` for the main score of a
            comparison.
        seed: of the draw and of what is done to each picture; an item of one id is
            treated alike whatever else is in the catalogue.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every group of pictures.

    Raises:
        BadSpec: an unknown kind, level or encoder.
        BadTable: no tags, fewer than three items, or no vectors in the store.
    """
    conditions = _conditions(levels, kinds)
    if not encoders or isinstance(encoders, str | Spec):
        raise BadTable(
            "encoders are a list of specs",
            where="stress",
            mend='write ["onnx:model.onnx", "opencv:colour"]',
        )
    if max_queries < 1:
        raise BadSpec(
            f"{max_queries} queries leave nothing to measure",
            where="stress, max_queries",
            mend="give at least 1; 200 are usual",
        )
    opened = [
        open_encoder(one, running) if isinstance(one, str | Spec) else one for one in encoders
    ]
    seeing = [one for one in opened if isinstance(one, Encoder)]
    notes = [
        f"{one.spec} has vectors but sees no pictures, so it has no robustness curve"
        for one in opened
        if not isinstance(one, Encoder)
    ]
    tags = catalogue.tags if weights is None else catalogue.tags.weighted(weights)
    names, common, vectors = _clean(catalogue, seeing, open_store(store))
    catalogue, tags = catalogue.take(common), tags.take(common)
    rows = _draw(tags.matrix, max_queries, seed)
    found = [_Found(vectors.pop(0), tags.matrix, rows, conditions) for _ in names]
    lost = _measure(catalogue, seeing, found, rows, conditions, seed, progress)
    if lost:
        ids = first_few(catalogue.ids[rows[query]] for query in sorted(lost))
        notes.append(f"{len(lost):,} pictures cannot be opened or made worse any more: {ids}")
    kept = np.array([query for query in range(len(rows)) if query not in lost], np.int64)
    return Stress(
        curves=tuple(
            curve
            for name, one in zip(names, found, strict=True)
            for curve in one.curves(name, kept)
        ),
        queries=tuple(catalogue.ids[row] for row in rows[kept]),
        asked=max_queries,
        items=len(catalogue),
        weighted=weights is not None,
        seed=seed,
        notes=tuple(notes),
    )


def stress_scores(
    clean_vectors: Floats, query_rows: Positions, degraded_vectors: Floats, tags: Any
) -> QueryScores:
    """CorrEmbed of queries whose pictures were made worse, against a clean gallery.

    For the query of row i, Pearson's correlation over all items j but i of the cosine
    similarity of its worse picture and the picture of j with the cosine similarity of
    the tags of i and j.

    Args:
        clean_vectors: (n, d), the gallery.
        query_rows: (q,) which item each query is; an item may be asked about repeatedly.
        degraded_vectors: (q, d), of the worse pictures.
        tags: (n, m) 0 and 1, or weights; dense or SciPy sparse.

    Returns:
        Values in [-1, 1]; NaN where the query's vector or tag row is zero, or its
        similarities to the gallery are constant (standard deviation below 1e-6).

    Raises:
        BadShape: shapes that do not belong together.

    Example:
        >>> gallery = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
        >>> worse = np.array([[0.9, 0.1]])
        >>> stress_scores(gallery, np.array([0]), worse, np.array([[1, 0], [1, 0], [0, 1], [0, 1]]))
        QueryScores(mean=0.6820, queries=1, missing=0)
    """
    clean = check_vectors(clean_vectors, where="clean vectors")
    worse = check_vectors(degraded_vectors, where="degraded vectors")
    rows = np.asarray(query_rows, np.int64)
    if rows.shape != (len(worse),) or clean.shape[1] != worse.shape[1]:
        raise BadShape(
            f"vectors {worse.shape} of {rows.size} queries do not fit a gallery {clean.shape}",
            where="stress_scores",
            mend="give one vector and one row per query, of the gallery's dimension",
        )
    if tags.shape[0] != len(clean) or (
        rows.size and not 0 <= rows.min() <= rows.max() < len(clean)
    ):
        raise BadShape(
            f"{tags.shape[0]:,} rows of tags, or queries outside the {len(clean):,} items",
            where="stress_scores",
            mend="give a row of tags per item, and rows from 0 to the last item",
        )
    return QueryScores(_Gallery(clean, tags).scores(rows, worse))


class _Gallery:
    """Unit vectors and tags of the items as they are, ready to be asked.

    The vectors are centred: that adds to all similarities of a query the same, which a
    correlation does not see, and leaves float32 more digits for what differs.
    """

    def __init__(self, vectors: Floats, tags: Any) -> None:
        from scipy.sparse import csr_array

        self.vectors = unit_rows(vectors)
        self.vectors -= self.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        matrix = csr_array(tags, dtype=np.float64)
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        scale = 1 / np.where(lengths > 0, lengths, 1)
        self.tags = csr_array(matrix.multiply(scale[:, None]))
        self.turned = self.tags.T.tocsr()

    def scores(self, rows: Positions, vectors: Floats) -> Floats:
        """(q,) the scores of queries, see ``stress_scores``."""
        asked = unit_rows(vectors)
        out = np.full(len(rows), np.nan)
        chunk = max(1, SIMILARITIES // max(len(self.vectors), 1))
        for start in range(0, len(rows), chunk):
            part = slice(start, start + chunk)
            seen = (asked[part] @ self.vectors.T).astype(np.float64)
            worn = (self.tags[rows[part]] @ self.turned).toarray()
            out[part] = _pearson(seen, worn, rows[part])
        return out


def _pearson(seen: Floats, worn: Floats, own: Positions) -> Floats:
    """(q,) correlation of rows, each without its own column."""
    others = seen.shape[1] - 1
    if others < 2:
        return np.full(len(seen), np.nan)
    for matrix in (seen, worn):
        line = np.arange(len(matrix))
        matrix[line, own] = 0.0
        matrix -= matrix.sum(axis=1, keepdims=True) / others
        matrix[line, own] = 0.0
    both, x, y = (
        np.einsum("ij,ij->i", left, right)
        for left, right in ((seen, worn), (seen, seen), (worn, worn))
    )
    alike = np.sqrt(np.minimum(x, y) / others) < CONSTANT
    scores: Floats = np.clip(both / np.sqrt(np.where(alike, np.nan, x * y)), -1.0, 1.0)
    return scores


def _conditions(levels: Iterable[int], kinds: Iterable[str]) -> list[Condition]:
    """Every way at every level but 0, which needs no picture."""
    chosen, steps = list(dict.fromkeys(kinds)), list(levels)
    for kind in chosen:
        for level in steps:
            check_level(kind, level)
    worse = sorted({int(level) for level in steps} - {0})
    if not chosen or not worse:
        raise BadSpec(
            "nothing is to be made worse",
            where="stress, kinds and levels",
            mend=f"give some of {', '.join(KINDS)}, and levels from 1 to {LEVELS}",
        )
    return [(kind, level) for kind in chosen for level in worse]


def _clean(
    catalogue: Catalogue, encoders: Sequence[Encoder], store: Store
) -> tuple[list[str], list[str], list[Floats]]:
    """Names and vectors of the encoders, on the items that all of them have a vector of."""
    everything = [store.embeddings(prepare_search(one, store), catalogue.ids) for one in encoders]
    common = set(catalogue.ids).intersection(*(one.ids for one in everything))
    if len(common) < 3 or catalogue.tags.matrix.shape[1] == 0:
        raise BadTable(
            f"{len(common):,} items with vectors and "
            f"{catalogue.tags.matrix.shape[1]:,} tags leave nothing to correlate",
            where="stress",
            mend="give a catalogue with tags, and a store with the vectors of its items",
        )
    ids = [item for item in catalogue.ids if item in common]
    return (
        [one.encoder.name for one in everything],
        ids,
        [one.take(ids).vectors for one in everything],
    )


def _draw(tags: Any, most: int, seed: int) -> Positions:
    """Rows of the queries: some of the items that bear a tag."""
    tagged = np.flatnonzero(np.diff(tags.indptr) > 0)
    chance = np.random.default_rng(seed)
    return np.sort(chance.choice(tagged, min(most, len(tagged)), replace=False))


class _Found:
    """What is measured of one encoder, filled in as pictures come."""

    def __init__(
        self, vectors: Floats, tags: Any, rows: Positions, conditions: Sequence[Condition]
    ) -> None:
        self.gallery, self.rows = _Gallery(vectors, tags), rows
        self.clean = self.gallery.scores(rows, vectors[rows])
        self.worse = {condition: np.full(len(rows), np.nan) for condition in conditions}

    def add(self, tasks: Sequence[_Task], vectors: Floats) -> None:
        """Take up the vectors of some worse pictures."""
        queries = np.array([task.query for task in tasks], np.int64)
        scores = self.gallery.scores(self.rows[queries], vectors)
        for task, score in zip(tasks, scores, strict=True):
            self.worse[task.condition][task.query] = score

    def curves(self, name: str, kept: Positions) -> list[Curve]:
        """The curves over some of the queries; all kinds start at the same clean score."""
        clean = self.clean[kept]
        first = QueryScores(clean)
        kinds = tuple(dict.fromkeys(kind for kind, _ in self.worse))
        curves = []
        for kind in kinds:
            levels = tuple(level for other, level in self.worse if other == kind)
            scores, blind = [first], [0]
            for level in levels:
                worse = self.worse[kind, level][kept]
                unseen = np.isnan(worse) & ~np.isnan(clean)
                scores.append(QueryScores(np.where(np.isnan(clean), np.nan, np.nan_to_num(worse))))
                blind.append(int(unseen.sum()))
            curves.append(Curve(name, kind, (0, *levels), tuple(scores), tuple(blind)))
        return curves


@dataclass(frozen=True)
class _Task:
    """One picture to be made worse in one way."""

    query: int
    condition: Condition
    picture: Array = field(repr=False)
    seed: int

    def done(self) -> Array | None:
        """The worse picture, or None if its size is more than the way can take."""
        try:
            return degrade(self.picture, *self.condition, seed=self.seed)
        except Exception:  # noqa: BLE001 - one odd picture must not end the run
            return None


def _measure(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    found: Sequence[_Found],
    rows: Positions,
    conditions: Sequence[Condition],
    seed: int,
    progress: Progress | None,
) -> set[int]:
    """Make every query worse in every way, and score what the encoders make of it.

    Returns:
        The queries whose picture cannot be opened or made worse.
    """
    say = progress or (lambda _label, _done, _total: None)
    lost: set[int] = set()
    total, done = len(rows) * len(conditions) * len(encoders), 0
    if not total:
        return lost
    for encoder in encoders:
        encoder.expect(len(rows) * len(conditions), [encoder])
    with ThreadPoolExecutor(cores()) as pool:
        for group in _groups(_tasks(catalogue, rows, conditions, seed, lost)):
            pictures = list(pool.map(_Task.done, group))
            good = [task for task, worse in zip(group, pictures, strict=True) if worse is not None]
            shown = [worse for worse in pictures if worse is not None]
            lost |= {task.query for task in group} - {task.query for task in good}
            for encoder, one in zip(encoders, found, strict=True):
                one.add(good, encoder.encode(shown))
                done += len(group)
                say("making queries worse", done, total)
    say("making queries worse", total, total)
    return lost


def _tasks(
    catalogue: Catalogue,
    rows: Positions,
    conditions: Sequence[Condition],
    seed: int,
    lost: set[int],
) -> Iterator[_Task]:
    """Every query in every condition; each picture is opened once, when its turn comes."""
    for query, row in enumerate(rows):
        try:
            picture = open_image(catalogue.paths[row])
        except BadImage:
            lost.add(query)
            continue
        own = zlib.crc32(f"{seed} {catalogue.ids[row]}".encode())
        for condition in conditions:
            yield _Task(query, condition, picture, own)


def _groups(tasks: Iterable[_Task]) -> Iterator[list[_Task]]:
    """A few tasks at a time, so that memory stays bounded."""
    group: list[_Task] = []
    held = 0
    for task in tasks:
        if group and (len(group) == GROUP or held + task.picture.nbytes > GROUP_BYTES):
            yield group
            group, held = [], 0
        group.append(task)
        held += task.picture.nbytes
    if group:
        yield group
