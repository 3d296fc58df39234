"""Weights of a fusion of encoders: found on a part of a catalogue, judged on the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from . import metrics
from ._embed import Progress, embed
from .encoders.base import Encoder, VectorSource, open_encoder
from .encoders.fused import join, seeing
from .store.base import Store, open_store
from .values.arrays import Floats, unit_rows
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings
from .values.errors import BadSpec, BadTable
from .values.files import plain
from .values.scores import QueryScores
from .values.spec import Spec

SelfPairs = Literal["include", "exclude"]

FUSION = "fusion"
"""Name of the fusion among the scores."""

EQUAL = "equal weights"
"""Name of the fusion in which every part weighs the same."""

EARNS = 1e-4
"""A part that adds less than this to the score on the training part is left out."""

STEPS = 50
"""Shares of a part that are tried, from 0 to 1, before the best is looked at closely."""

FINE = 1e-3
"""How closely the best share of a part is found."""

ROUNDS = 20
"""At most so many times is every part's share improved."""

CHUNK_ENTRIES = 2**22
"""Numbers of an intermediate matrix at a time."""

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Difference:
    """What the fusion scores more than its best part, item by item.

    Attributes:
        part: the part with the highest score on the held-out items.
        mean: score of the fusion less that of the part, over the queries that both score.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided p-value of the paired test (``metrics.compare_pairs``).
        covers: what chance the interval covers, in words.
    """

    part: str
    mean: float
    low: float
    high: float
    p: float
    covers: str


@dataclass(frozen=True, repr=False)
class Fusion:
    """What the weights of a fusion are, and what they are worth.

    Attributes:
        spec: the fusion as ``open_encoder`` reads it: weights of two or three digits,
            that of the first part that counts being 1. Where one part alone is best, its spec.
        weights: share of each part in the cosine, summing to 1; 0 for a part left out.
        train: CorrEmbed on the training items of the fusion, of equal weights and of
            each part. The weights were chosen to make the first of these high.
        held_out: the same on items that took no part in the choice.
        difference: of the fusion and its best part, on the held-out items.
        curve: of two parts, (share of the second, score on the training items); else empty.
        train_items: how many items the weights were found on.
        held_out_items: how many the scores come from.
        category_weights: of tag categories, or None where all weigh alike.
        self_pairs: whether an item's likeness to itself counts.
        seed: of the split.
        notes: what the reader should know.
    """

    spec: str
    weights: dict[str, float]
    train: dict[str, QueryScores] = field(repr=False)
    held_out: dict[str, QueryScores] = field(repr=False)
    difference: Difference
    curve: tuple[tuple[float, float], ...] = field(repr=False)
    train_items: int
    held_out_items: int
    category_weights: Mapping[str, float] | None
    self_pairs: SelfPairs
    seed: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Fusion({self.spec!r}, held out: {self.held_out[FUSION].mean:.4f})"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can write (NaN as None)."""
        everything: dict[str, Any] = plain(
            {
                "spec": self.spec,
                "weights": self.weights,
                "train": {name: scores.mean for name, scores in self.train.items()},
                "held_out": {name: _in_numbers(one) for name, one in self.held_out.items()},
                "difference": vars(self.difference),
                "curve": self.curve,
                "train_items": self.train_items,
                "held_out_items": self.held_out_items,
                "category_weights": self.category_weights,
                "self_pairs": self.self_pairs,
                "seed": self.seed,
                "notes": self.notes,
            }
        )
        return everything


def fuse(
    catalogue: Catalogue,
    specs: Sequence[str | Spec | Encoder],
    store: Store | str | os.PathLike[str] | None = None,
    *,
    held_out: float = 0.5,
    weights: Mapping[str, float] | None = None,
    self_pairs: SelfPairs = "exclude",
    seed: int = 0,
    progress: Progress | None = None,
) -> Fusion:
    """How much each of some encoders should count for their fusion to score best.

    The items are split by the seed; items of one product stay together. On the training
    part, the weights with the highest CorrEmbed are sought: of two parts along the line
    between them, of more by improving one share after another, from equal weights and
    from each part alone. Then the held-out part is scored once.

    Args:
        catalogue: with tags, and with purchases for the weighted score.
        specs: two encoders or more, each once.
        store: where their vectors are kept; None keeps them in memory only.
        held_out: which share of the items (or products) takes no part in the search.
        weights: of tag categories, instead of those from purchases.
        self_pairs: whether an item's likeness to itself counts. Counted, it rewards
            vectors that are like nothing else, such as noise, so here it is left out.
        seed: of the split and the test.
        progress: told of every step.

    Raises:
        BadTable: no tags, an encoder named twice, or fewer than three items on a side.
        BadSpec: fewer than two encoders, one that cannot be fused, or no such share.
    """
    encoders = _opened(catalogue, specs, held_out)
    tags, notes, weights = _tags(catalogue, weights)
    kept = open_store(store)
    found = [embed(catalogue, encoder, kept, progress=progress) for encoder in encoders]
    ids, lost = _common(catalogue, found)
    sides = _split(catalogue.take(ids), held_out, seed)
    training, judging = (_Side(found, tags.take(side), side, self_pairs) for side in sides)
    best, curve = _search(training.objective(), len(found))
    names = [str(encoder.spec) for encoder in encoders]
    spec, shares = _rounded(encoders, best)
    notes = (*lost, *_winner(spec, shares), *notes, *catalogue.notes)
    held = judging.scores(names, shares)
    return Fusion(
        spec=str(spec),
        weights=dict(zip(names, shares, strict=True)),
        train=training.scores(names, shares),
        held_out=held,
        difference=_difference(held, names, seed),
        curve=curve,
        train_items=len(sides[0]),
        held_out_items=len(sides[1]),
        category_weights=weights,
        self_pairs=self_pairs,
        seed=seed,
        notes=notes,
    )


# --- what is to be fused, and on which items ---------------------------------------


def _opened(
    catalogue: Catalogue, specs: Sequence[str | Spec | Encoder], held_out: float
) -> list[Encoder]:
    """The encoders, with all that can be refused before any work."""
    if isinstance(specs, str | Spec):
        raise BadTable(
            "encoders are a list of specs",
            where="fuse",
            mend='write ["onnx:model.onnx", "opencv:colour"]',
        )
    if not 0 < held_out < 1:
        raise BadSpec(
            f"a held-out share of {held_out} leaves nothing to find or to judge weights on",
            where="fuse, held_out",
            mend="give a number between 0 and 1, such as 0.5",
        )
    if catalogue.tags.matrix.shape[1] == 0:
        raise BadTable(
            "the catalogue has no tags to measure with",
            where=str(catalogue.layout.table or catalogue.layout.images),
            mend="name tag columns (--tags a,b,c); a folder needs one folder a class",
        )
    parsed = [Spec.parse(one) if isinstance(one, str) else one for one in specs]
    names = [one if isinstance(one, Spec) else one.spec for one in parsed]
    Spec.fuse([(1.0, name) for name in names])  # refuses what makes no fusion
    if len(set(names)) < len(names):
        raise BadTable(
            "one encoder is named twice",
            where=" + ".join(str(name) for name in names),
            mend="name each once",
        )
    opened: list[Encoder | VectorSource] = [
        open_encoder(one) if isinstance(one, Spec) else one for one in parsed
    ]
    return [seeing(one) for one in opened]


def _tags(
    catalogue: Catalogue, given: Mapping[str, float] | None
) -> tuple[Any, tuple[str, ...], Mapping[str, float] | None]:
    """Tags weighted as given, or by all purchases; what to know of that; the weights."""
    tags, purchases = catalogue.tags, catalogue.purchases
    if given is None and purchases is not None:
        there = np.isin(purchases.items, np.array(catalogue.ids))
        if there.any():
            given = metrics.category_weights(
                purchases.customers[there], purchases.items[there], tags
            )
    if given is None:
        return tags, ("there are no purchases, so all tag categories weigh alike",), None
    return tags.weighted(given), (), given


def _common(catalogue: Catalogue, found: Sequence[Embeddings]) -> tuple[list[str], tuple[str, ...]]:
    """The items that every part has a vector of, and a note of those that are lost."""
    common = set.intersection(*(set(one.ids) for one in found))
    ids = [item for item in catalogue.ids if item in common]
    lost = len(catalogue) - len(ids)
    return ids, (f"{lost:,} items have no vector by some part, and are left out",) if lost else ()


def _split(catalogue: Catalogue, held_out: float, seed: int) -> tuple[list[str], list[str]]:
    """Ids to find weights on, and ids to judge them on; all of a product on one side.

    Raises:
        BadTable: a side has fewer than three items.
    """
    products = catalogue.products or (None,) * len(catalogue)
    units = [
        ("item", item) if product is None else ("product", product)
        for item, product in zip(catalogue.ids, products, strict=True)
    ]
    order = sorted(set(units))
    np.random.default_rng(seed).shuffle(order)
    held = {tuple(unit) for unit in order[: round(held_out * len(order))]}
    judged = [item for item, unit in zip(catalogue.ids, units, strict=True) if unit in held]
    trained = [item for item, unit in zip(catalogue.ids, units, strict=True) if unit not in held]
    if min(len(trained), len(judged)) < 3:
        raise BadTable(
            f"{len(trained)} items to find weights on and {len(judged)} to judge them on are "
            "too few; a correlation needs three",
            where="fuse",
            mend="give more items, or another held-out share",
        )
    return trained, judged


class _Side:
    """The vectors by each part, and the tags, of one side of the split."""

    def __init__(
        self, found: Sequence[Embeddings], tags: Any, ids: Sequence[str], self_pairs: SelfPairs
    ) -> None:
        self.vectors = [unit_rows(one.take(ids).vectors) for one in found]
        self.tags = tags.matrix
        self.self_pairs: SelfPairs = self_pairs

    def scores(self, names: Sequence[str], shares: Sequence[float]) -> dict[str, QueryScores]:
        """CorrEmbed of the fusion, of equal weights and of each part."""
        equal = [1.0] * len(names)
        found = {FUSION: self._score(shares), EQUAL: self._score(equal)}
        for place, name in enumerate(names):
            found[name] = self._score(np.eye(len(names))[place].tolist())
        return found

    def objective(self) -> Objective:
        """What the search makes high."""
        return Objective(self.vectors, self.tags, self.self_pairs)

    def _score(self, shares: Sequence[float]) -> QueryScores:
        scores = metrics.corrembed(
            join(self.vectors, shares), self.tags, self_pairs=self.self_pairs
        )
        return QueryScores(scores.per_query, scores.influence)  # lets the vectors go


# --- the search --------------------------------------------------------------------


class Objective:
    """CorrEmbed of a fusion as a function of its shares, from sums that are taken once.

    The fused cosine of items i and j is the sum over parts a of w_a c_a(i, j), so for
    query i, with all sums over j and each c_a and the cosine of tags t centred over j,

        r_i = sum_a w_a C_ia / sqrt(T_i sum_ab w_a w_b G_iab),
        C_ia = sum_j c_a t,   G_iab = sum_j c_a c_b,   T_i = sum_j t^2,

    and a value costs k^2 multiplications an item, whatever the dimensions. Equal to
    ``metrics.corrembed`` of the joined vectors where every part sees every item; where a
    part is blind to j, its cosine is 0 here but the others' do not make up for it. A
    query in which the fusion sees nothing counts as 0 here: left out, it would flatter a
    part that goes blind.

    Args:
        parts: (n, d_a) unit vectors of each part.
        tags: (n, m) SciPy sparse, 0 and 1 or weights.
        self_pairs: as in ``metrics.corrembed``.

    Raises:
        BadTable: no item has tags that tell it from the others.
    """

    def __init__(self, parts: Sequence[Floats], tags: Any, self_pairs: SelfPairs) -> None:
        count = len(parts[0])
        own_factor = count / (count - 1) if self_pairs == "exclude" else 0.0
        units = [part.astype(np.float32, copy=False) for part in parts]
        centred = [part - part.mean(axis=0, dtype=np.float64).astype(np.float32) for part in units]
        own = [np.einsum("ij,ij->i", a, b) for a, b in zip(units, centred, strict=True)]
        tag_rows, tag_spread, tag_own = _tag_sums(tags, own_factor)
        scored = tag_spread > 1e-12 * count
        if not scored.any():
            raise BadTable(
                "no item to find weights on has tags that tell it from the others",
                where="fuse",
                mend="name other tag columns, or give more items",
            )
        k = len(parts)
        cross, both = np.zeros((count, k)), np.zeros((count, k, k))
        for a in range(k):
            toward = np.asarray(tag_rows.T @ centred[a].astype(np.float64)).T  # (d, m)
            cross[:, a] = _along_tags(units[a], toward, tag_rows) - own_factor * own[a] * tag_own
            for b in range(a, k):
                sums = _forms(units[a], centred[a].T @ centred[b], units[b])
                both[:, a, b] = both[:, b, a] = sums - own_factor * own[a] * own[b]
        self._cross = cross[scored] / np.sqrt(tag_spread[scored, None])
        self._both, self._blind_below = both[scored], 1e-9 * count

    def __call__(self, shares: Floats) -> float:
        """The mean over the queries."""
        spread = np.einsum("iab,a,b->i", self._both, shares, shares, optimize=True)
        seen = spread > self._blind_below
        along = self._cross @ shares
        return float(np.where(seen, along / np.sqrt(np.where(seen, spread, 1.0)), 0.0).mean())


def _tag_sums(tags: Any, own_factor: float) -> tuple[Any, Floats, Floats]:
    """Unit rows of tags, T_i of each, and each one's cosine with itself less the mean."""
    from scipy.sparse import csr_array

    matrix = csr_array(tags, dtype=np.float64)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    rows = csr_array(matrix.multiply((1 / np.where(lengths > 0, lengths, 1))[:, None]))
    mean = np.asarray(rows.mean(axis=0)).ravel()
    scatter = (rows.T @ rows).toarray() - len(lengths) * np.outer(mean, mean)
    own = np.asarray(rows.multiply(rows).sum(axis=1)).ravel() - rows @ mean
    spread = np.concatenate(
        [
            np.asarray(rows[part].multiply(rows[part] @ scatter).sum(axis=1)).ravel()
            for part in _chunks(rows.shape[0], rows.shape[1])
        ]
    )
    return rows, spread - own_factor * own**2, own


def _along_tags(units: Floats, toward: Floats, tag_rows: Any) -> Floats:
    """y_i' M t_i of every item."""
    parts = [
        np.asarray(tag_rows[part].multiply(units[part] @ toward).sum(axis=1)).ravel()
        for part in _chunks(len(units), toward.shape[1])
    ]
    return np.concatenate(parts)


def _forms(left: Floats, matrix: Floats, right: Floats) -> Floats:
    """x_i' M y_i of every item."""
    parts = [
        np.einsum("ij,ij->i", left[part] @ matrix, right[part], dtype=np.float64)
        for part in _chunks(len(left), matrix.shape[1])
    ]
    return np.concatenate(parts)


def _chunks(count: int, width: int) -> list[slice]:
    rows = max(1, CHUNK_ENTRIES // max(width, 1))
    return [slice(start, start + rows) for start in range(0, count, rows)]


def _search(
    objective: Callable[[Floats], float], k: int
) -> tuple[Floats, tuple[tuple[float, float], ...]]:
    """The shares with the highest value, summing to 1; and of two parts, all that was tried."""
    corners = list(np.eye(k))
    if k == 2:
        tried = _tried(objective, corners[0], 1)
        best = _mixed(corners[0], 1, _highest(tried))
        return _pruned(objective, best), tuple(sorted(tried.items()))
    starts = [np.full(k, 1 / k), *corners]
    ends = [_ascended(objective, start) for start in starts]
    return _pruned(objective, max(ends, key=objective)), ()


def _ascended(objective: Callable[[Floats], float], shares: Floats) -> Floats:
    """Shares improved one after another until that gains nothing."""
    for _ in range(ROUNDS):
        before = objective(shares)
        for place in range(len(shares)):
            if shares[place] < 1:
                tried = _tried(objective, shares, place)
                better = _mixed(shares, place, _highest(tried))
                shares = max(shares, better, key=objective)
        if objective(shares) - before < EARNS / 100:
            break
    return shares


def _tried(objective: Callable[[Floats], float], shares: Floats, place: int) -> dict[float, float]:
    """Values by the share of one part, the others keeping their ratios.

    At even steps from 0 to 1, and by golden section around the best of these.
    """
    tried: dict[float, float] = {}

    def value(share: float) -> float:
        share = round(share, 6)
        if share not in tried:
            tried[share] = objective(_mixed(shares, place, share))
        return tried[share]

    best = max((step / STEPS for step in range(STEPS + 1)), key=value)
    low, high = max(0.0, best - 1 / STEPS), min(1.0, best + 1 / STEPS)
    while high - low > FINE:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if value(left) >= value(right):
            high = right
        else:
            low = left
    return tried


def _highest(tried: Mapping[float, float]) -> float:
    """The share of the highest value, the least of equals."""
    return min(tried, key=lambda share: (-tried[share], share))


def _mixed(shares: Floats, place: int, share: float) -> Floats:
    """The same shares with one changed, the others keeping their ratios."""
    others = np.array(shares, np.float64)
    others[place] = 0.0
    others *= (1 - share) / others.sum()
    others[place] = share
    return others


def _pruned(objective: Callable[[Floats], float], shares: Floats) -> Floats:
    """Without the parts that earn too little, the least first."""
    for place in np.argsort(shares, kind="stable"):
        if not 0 < shares[place] < 1:
            continue
        without = _mixed(shares, int(place), 0.0)
        if objective(without) > objective(shares) - EARNS:
            shares = without
    return shares


def _rounded(encoders: Sequence[Encoder], shares: Floats) -> tuple[Spec, list[float]]:
    """The fusion's spec with weights that can be read, and the shares that these are."""
    first = next(share for share in shares if share > 0)
    weights = [float(f"{share / first:.3g}") for share in shares]
    parts = [(w, encoder.spec) for w, encoder in zip(weights, encoders, strict=True) if w > 0]
    spec = Spec.fuse(parts) if len(parts) > 1 else parts[0][1]
    return spec, [weight / sum(weights) for weight in weights]


def _winner(spec: Spec, shares: Sequence[float]) -> tuple[str, ...]:
    """A note if parts are left out."""
    out = sum(1 for share in shares if share == 0)
    if not out:
        return ()
    others = "the other" if out == 1 else f"the other {out}"
    return (f"{spec} does not gain by {others}, whose weight is 0",)


# --- what it is worth --------------------------------------------------------------


def _difference(scores: Mapping[str, QueryScores], names: Sequence[str], seed: int) -> Difference:
    """The fusion against the part that is best on the same items, which is hardest on it."""
    means = {name: scores[name].mean for name in names}
    best = max(names, key=lambda name: np.nan_to_num(means[name], nan=-2.0))
    fused, part = scores[FUSION], scores[best]
    tests = metrics.compare_pairs({FUSION: fused, best: part}, seed=seed)
    apart = fused.per_query - part.per_query
    same = np.array_equal(np.isnan(fused.per_query), np.isnan(part.per_query))
    moved = None
    if same and fused.influence is not None and part.influence is not None:
        moved = fused.influence - part.influence
    paired = QueryScores(apart, moved)
    low, high = paired.interval(seed=seed)
    return Difference(best, paired.mean, low, high, float(tests.p[0, 1]), paired.covers)


def _in_numbers(scores: QueryScores) -> dict[str, Any]:
    low, high = scores.interval()
    return {"mean": scores.mean, "low": low, "high": high, "missing": scores.missing}
