"""How far experts agree: kappa, alpha, and what they argue about."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions
from ..values.errors import first_few
from ..values.extras import need
from ._resolve import NO_VOTE, Votes, check_votes


@dataclass(frozen=True)
class Agreement:
    """How far experts agree.

    Attributes:
        votes: (pairs, experts) int8 of 0, 1, and -1 for no vote.
        common: (experts, experts) int64, on how many pairs both voted.
        cohen: (experts, experts) Cohen's kappa of every two experts on their common
            pairs; NaN without any, or where both always say the same one thing.
        fleiss: Fleiss' kappa of all together; NaN as above.
        per_pair: (pairs,) share of every two votes on a pair that agree; NaN for fewer
            than two votes.
        per_expert: (experts,) share of others' votes on the expert's pairs that agree
            with the expert's; NaN without any.
        argued: positions of the pairs on which not all agree, the most argued about first:
            the larger the minority, then the more votes.
        notes: what the reader should know.
    """

    votes: Votes = field(repr=False)
    common: Positions = field(repr=False)
    cohen: Floats
    fleiss: float
    per_pair: Floats = field(repr=False)
    per_expert: Floats
    argued: Positions = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def krippendorff(self) -> float:
        """Krippendorff's alpha for nominal values; NaN where nothing can be compared.

        Raises:
            MissingExtra: krippendorff is not installed.
        """
        compared = self.votes[~np.isnan(self.per_pair)]
        if len(np.unique(compared[compared != NO_VOTE])) < 2:
            return float("nan")
        library = need("krippendorff", extra="annotate", where="eds.agreement")
        table = np.where(compared == NO_VOTE, np.nan, compared).T
        return float(library.alpha(reliability_data=table, level_of_measurement="nominal"))


def agreement(votes: npt.ArrayLike) -> Agreement:
    """How far experts agree beyond chance, together, two by two, and pair by pair.

    Cohen 1960: kappa = (p_o − p_e) / (1 − p_e), with p_o the share of common pairs on which two
    experts agree, and p_e the same by chance, if each kept to his own share of positives.
    Fleiss 1971: P̄ is the mean over pairs of the share of every two votes that agree, P̄_e
    the sum of squares of the shares of either label among all votes. As printed, all pairs have
    equally many votes; here pairs may differ, and those with fewer than two are left out.

    Args:
        votes: (pairs, experts) of 0, 1, and -1 for no vote.

    Raises:
        BadShape: other values, or no matrix.

    Example:
        >>> found = agreement([[1, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0]])
        >>> found.cohen[0].round(2), round(found.fleiss, 2), found.argued
        (array([1., 1., 0.]), 0.33, array([1, 3]))
    """
    matrix = check_votes(votes, where="agreement")
    yes, no = (matrix == 1).astype(np.int64), (matrix == 0).astype(np.int64)
    agreed = yes.T @ yes + no.T @ no
    common = (yes + no).T @ (yes + no)
    counts = np.column_stack([no.sum(axis=1), yes.sum(axis=1)])
    per_pair = _by_pair(counts)
    others = ~np.eye(matrix.shape[1], dtype=bool)
    return Agreement(
        votes=matrix,
        common=common,
        cohen=_cohen(yes, no, agreed, common),
        fleiss=_fleiss(counts, per_pair),
        per_pair=per_pair,
        per_expert=_ratio((agreed * others).sum(axis=1), (common * others).sum(axis=1)),
        argued=_argued(counts),
        notes=_notes(common),
    )


def _cohen(yes: Positions, no: Positions, agreed: Positions, common: Positions) -> Floats:
    voted = yes + no
    mine = yes.T @ voted  # of the pairs common to i and j, how many i calls positive
    chance = mine * mine.T + (common - mine) * (common - mine).T
    return _ratio(agreed * common - chance, common * common - chance)


def _fleiss(counts: Positions, per_pair: Floats) -> float:
    some = ~np.isnan(per_pair)
    if not some.any():
        return float("nan")
    shares = counts[some].sum(axis=0) / counts[some].sum()
    chance = float((shares**2).sum())
    return float((per_pair[some].mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def _by_pair(counts: Positions) -> Floats:
    votes = counts.sum(axis=1)
    return _ratio((counts * (counts - 1)).sum(axis=1), votes * (votes - 1))


def _argued(counts: Positions) -> Positions:
    fewer, votes = counts.min(axis=1), counts.sum(axis=1)
    order = np.lexsort((-votes, -fewer / np.maximum(votes, 1)))
    argued: Positions = order[fewer[order] > 0]
    return argued


def _ratio(above: Positions, below: Positions) -> Floats:
    return np.where(below != 0, above / np.where(below != 0, below, 1), np.nan)


def _notes(common: Positions) -> tuple[str, ...]:
    first, second = np.nonzero(np.triu(common == 0, 1))
    if not len(first):
        return ()
    couples = len(common) * (len(common) - 1) // 2
    shown = first_few(f"{one} and {other}" for one, other in zip(first, second, strict=True))
    note = (
        f"{len(first):,} of {couples:,} couples of experts have no pair in common, "
        f"and so no kappa: experts {shown}"
    )
    return (note,)
