"""Every encoder scored on the same judged pairs, and the board of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .. import eds, metrics
from .._embed import Progress
from ..metrics._negatives import HIGH, LOW
from ..values.arrays import Positions
from ..values.embeddings import EncoderCard
from ..values.relevance import NONE
from .agree import spearman
from .identity import Identity, identity_pairs
from .measure import Bench, Draws, Evidence, Flags, Setting
from .pairs import Asked, Pairs
from .pooled import proposals
from .robust import Robustness, Scores, leave_one_out
from .values import (
    AREAS,
    DiscoveryBoard,
    DiscoveryEntry,
    Statistics,
    cut_names,
    is_control,
    metric_names,
)
from .vectors import Vectors

REPEATS = 10
"""How many times negatives are drawn."""

NEARLY_ALL = 0.8
"""The share of the gallery above which drawing from it is drawing from the gallery."""


class Contest:
    """Scores every encoder on the same judged pairs."""

    def __init__(
        self,
        asked: Asked,
        pairs: Pairs,
        setting: Setting,
        vectors: Vectors,
        progress: Progress | None,
    ) -> None:
        self.asked, self.pairs, self.setting, self.vectors = asked, pairs, setting, vectors
        self.say = progress or (lambda _label, _done, _total: None)
        self.identity = identity_pairs(asked, np.arange(len(asked.table)))
        self.bench = Bench(asked, pairs, self.identity, setting)
        self.draws: dict[str, Draws] = {}
        self.notes: list[str] = []
        self.cards: dict[str, tuple[EncoderCard, int, int]] = {}

    def look_all(self) -> dict[str, Evidence]:
        """Where each encoder ranks the judged candidates; then its scores of drawn negatives."""
        found = {}
        total = len(self.vectors.encoders) * (2 if self.setting.negatives == "sampled" else 1)
        for done, encoder in enumerate(self.vectors.encoders):
            self.say("measuring", done, total)
            gallery, queries, failed = self.vectors.read(encoder, self.asked)
            name = gallery.encoder.name
            self.cards[name] = (gallery.encoder, gallery.zeros, failed)
            found[name] = self.bench.look(gallery.vectors, queries)
        if self.setting.negatives == "sampled":
            self._draw(found, total)
        self.say("measuring", total, total)
        return found

    def _draw(self, found: Mapping[str, Evidence], total: int) -> None:
        tops = {name: one.top for name, one in found.items() if not is_control(name)}
        tops = tops or {name: one.top for name, one in found.items()}
        share = _middle_share(tops, len(self.asked.gallery))
        if share > NEARLY_ALL:
            self.notes.append(
                f"what {len(tops)} encoders rank {LOW} to {HIGH} is {share:.0%} of the gallery, so "
                "the negatives drawn from it are nearly random pictures"
            )
        drawn = [
            metrics.sampled_negatives(
                tops,
                self.pairs.triples,
                own=self.asked.own,
                seed=self.setting.seed + repeat,
            )
            for repeat in range(REPEATS)
        ]
        for done, encoder in enumerate(self.vectors.encoders, len(found)):
            self.say("measuring", done, total)
            gallery, queries, _ = self.vectors.read(encoder, self.asked)
            name = gallery.encoder.name
            self.draws[name] = self.bench.scores_of(gallery.vectors, queries, drawn)

    def board(self, evidence: Mapping[str, Evidence], pooled: eds.Pool | None) -> DiscoveryBoard:
        """The encoders, best first."""
        made = {
            name: self.bench.figures(one, self.draws.get(name)) for name, one in evidence.items()
        }
        rank_by, notes = self.setting.rank_by, [*self.notes]
        if all(np.isnan(figures[rank_by].mean) for figures, _ in made.values()):
            instead = f"hr_at_{max(self.setting.ks)}"
            notes.append(
                f"{rank_by} has no value here (it needs queries with a positive"
                f"{' and a negative' if rank_by in AREAS else ''}), so encoders stand by {instead}"
            )
            rank_by = instead
        tests = metrics.compare_pairs(
            {name: per_query[rank_by] for name, (_, per_query) in made.items()},
            seed=self.setting.seed,
        )
        ranks = metrics.shared_ranks(tests)
        entries = []
        for name, (figures, per_query) in made.items():
            card, zeros, failed = self.cards[name]
            entries.append(
                DiscoveryEntry(
                    card=card,
                    rank=ranks[name],
                    figures=figures,
                    per_query=per_query,
                    unjudged=self.bench.unjudged(evidence[name]),
                    identity=self.bench.identity_figures(evidence[name]),
                    top=evidence[name].top,
                    zeros=zeros,
                    failed=failed,
                )
            )
        entries.sort(key=lambda one: [*ranks].index(one.name))
        return DiscoveryBoard(
            entries=tuple(entries),
            catalogue=self.asked.gallery,
            queries=self.asked.table,
            wild=self.vectors.wild,
            statistics=self._statistics(),
            ks=self.setting.ks,
            rank_by=rank_by,
            tests=tests,
            pool=pooled,
            robustness=None if pooled is None else self._robustness(evidence, pooled),
            identity=self._identity(entries),
            notes=tuple(notes),
            missing={},
            run={},
        )

    def _statistics(self) -> Statistics:
        pairs, count = self.pairs, len(self.asked.table)
        good = np.bincount(pairs.rows[pairs.labels == 1], minlength=count) > 0
        bad = np.bincount(pairs.rows[pairs.labels == 0], minlength=count) > 0
        return Statistics(
            queries=count,
            gallery=len(self.asked.gallery),
            pairs=len(pairs),
            positives=pairs.positives,
            with_positive=int(good.sum()),
            with_both=int((good & bad).sum()),
            possible=self._possible(),
        )

    def _possible(self) -> int:
        """Pairs of a query and an item that may be its candidate."""
        every = len(self.asked.table) * len(self.asked.gallery)
        apart = self.identity if self.setting.different_products else None
        kin = 0 if apart is None else len(apart)
        return every - int((self.asked.own != NONE).sum()) - kin

    def _robustness(self, evidence: Mapping[str, Evidence], pooled: eds.Pool) -> Robustness:
        names = [*metric_names(self.setting.ks)]

        def score(those: Flags) -> Scores:
            means = {
                name: self.bench.means(one, self.draws.get(name), those)
                for name, one in evidence.items()
            }
            return {metric: {name: means[name][metric] for name in means} for metric in names}

        candidates = [name for name in evidence if not is_control(name)]
        proposed = proposals(pooled, self.pairs)
        return leave_one_out(proposed, pooled.encoders, self.pairs.labels, score, candidates)

    def _identity(self, entries: Sequence[DiscoveryEntry]) -> Identity | None:
        if self.identity is None:
            return None
        candidates = [one for one in entries if not one.control]
        agreement = {
            metric: spearman(
                {one.name: one.identity[metric].mean for one in candidates},
                {one.name: one.figures[metric].mean for one in candidates},
            )
            for metric in cut_names(self.setting.ks)
        }
        return Identity(len(np.unique(self.identity.rows)), len(self.identity), agreement)


def _middle_share(tops: Mapping[str, Positions], items: int) -> float:
    """The share of the gallery that some encoder ranks where negatives are drawn from.

    Args:
        tops: by encoder (q, >= 500) positions of each query's first results; -1 for none.
        items: how many the gallery has.
    """
    middle = np.concatenate([top[:, LOW - 1 : HIGH] for top in tops.values()], axis=1)
    middle.sort(axis=1)
    distinct = (middle != NONE) & (np.diff(middle, axis=1, prepend=NONE) != 0)
    return float(distinct.sum(axis=1).mean() / items)
