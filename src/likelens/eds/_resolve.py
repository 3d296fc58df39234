"""One label per pair from the votes of several experts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats
from ..values.errors import BadShape, LikelensWarning, first_few
from ..values.extras import need

Votes = npt.NDArray[np.int8]

NO_VOTE = -1

LEAST_EXPERTS = 3
"""With fewer, many ways of being right and wrong explain the votes equally well."""

STARTS = 10
"""From so many random guesses the best explanation is looked for."""

MOST_STEPS = 2_000

CLOSE = 1e-9
"""Gain in mean log-likelihood below which a step is the last."""


def check_votes(votes: npt.ArrayLike, *, where: str) -> Votes:
    """Votes as an int8 matrix (pairs, experts) of 0, 1, and -1 for no vote.

    Raises:
        BadShape: no matrix, or another value; the message counts them.
    """
    matrix = np.asarray(votes)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
        raise BadShape(
            f"votes of shape {matrix.shape} and type {matrix.dtype} are no table",
            where=where,
            hint="give a matrix with a row per pair and a column per expert",
        )
    rows, columns = np.nonzero(~np.isin(matrix, (NO_VOTE, 0, 1)))
    if len(rows):
        shown = (
            f"{matrix[row, column]} by expert {column} on pair {row}"
            for row, column in zip(rows, columns, strict=True)
        )
        raise BadShape(
            f"{len(rows):,} of {matrix.size:,} votes are none: {first_few(shown)}",
            where=where,
            hint="give 1 for alike, 0 for not alike, and -1 for no vote",
        )
    return matrix.astype(np.int8)


def majority(votes: npt.ArrayLike) -> Votes:
    """Positive if more experts say so than not; a tie is negative, as in VSD/EDS.

    Args:
        votes: (pairs, experts) of 0, 1, and -1 for no vote.

    Returns:
        (pairs,) int8 of 0 and 1; -1 where nobody voted.

    Raises:
        BadShape: other values, or no matrix.

    Example:
        >>> majority([[1, 1, 0], [1, 0, -1], [-1, -1, -1]])
        array([ 1,  0, -1], dtype=int8)
    """
    yes, no = _counts(votes, "majority")
    return _labels(yes > no, yes + no)


def unanimous(votes: npt.ArrayLike) -> Votes:
    """Positive if everybody who voted says so. Arguments and returns as ``majority``."""
    yes, no = _counts(votes, "unanimous")
    return _labels(no == 0, yes + no)


def anyone(votes: npt.ArrayLike) -> Votes:
    """Positive if anybody says so. Arguments and returns as ``majority``."""
    yes, no = _counts(votes, "anyone")
    return _labels(yes > 0, yes + no)


def _counts(votes: npt.ArrayLike, where: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    matrix = check_votes(votes, where=where)
    return (matrix == 1).sum(axis=1), (matrix == 0).sum(axis=1)


def _labels(positive: npt.NDArray[np.bool_], votes: npt.NDArray[np.intp]) -> Votes:
    return np.where(votes > 0, positive, NO_VOTE).astype(np.int8)


class Skill(NamedTuple):
    """How far an expert can be relied on; NaN where the votes do not show it."""

    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class DawidSkene:
    """Labels that weigh each expert by how often the others bear him out.

    Attributes:
        labels: (pairs,) int8 of 0 and 1, -1 where nobody voted; positive from a
            probability above a half.
        probability: (pairs,) that the pair is positive; NaN where nobody voted.
        experts: each one's chance to call a positive so, and a negative.
        prevalence: share of positives among the pairs voted on.
    """

    labels: Votes = field(repr=False)
    probability: Floats = field(repr=False)
    experts: tuple[Skill, ...]
    prevalence: float


def dawid_skene(votes: npt.ArrayLike) -> DawidSkene:
    """Labels by maximum likelihood, with a sensitivity and a specificity for each expert.

    Dawid & Skene 1979 (doi:10.2307/2346806): experts err independently, each in his own
    measure. For two labels that is the latent class model, which ``stepmix`` (Morin et
    al. 2025, doi:10.18637/jss.v113.i08) fits by EM, from ten random guesses; the positive
    class is that in which experts say yes more often. Equal votes give equal results.

    Args:
        votes: (pairs, experts) of 0, 1, and -1 for no vote.

    Returns:
        Labels, probabilities and experts. If all votes are the same, or those on every pair
        are, there is nothing to weigh: the label is the majority's, and what the votes do not
        show of the experts is NaN.

    Raises:
        BadShape: other values, no matrix, or fewer than three experts who voted.
        MissingExtra: stepmix is not installed.
    """
    matrix = check_votes(votes, where="dawid_skene")
    voted, rated = (matrix != NO_VOTE).any(axis=0), (matrix != NO_VOTE).any(axis=1)
    if voted.sum() < LEAST_EXPERTS:
        raise BadShape(
            f"{int(voted.sum())} experts voted, and the rule of Dawid and Skene tells good from "
            f"bad ones among {LEAST_EXPERTS} or more",
            where="dawid_skene",
            hint="resolve by majority, or ask another expert",
        )
    kinds, kind, times = np.unique(
        matrix[rated][:, voted], axis=0, return_inverse=True, return_counts=True
    )
    chances, says_yes, share = _classes(kinds, times)
    probability = np.full(len(matrix), np.nan)
    probability[rated] = chances[kind.ravel()]
    sensitivity, specificity = np.full((2, matrix.shape[1]), np.nan)
    specificity[voted], sensitivity[voted] = 1 - says_yes[0], says_yes[1]
    labels = np.where(rated, probability > 0.5, NO_VOTE).astype(np.int8)
    experts = map(Skill, sensitivity.tolist(), specificity.tolist())
    return DawidSkene(labels, probability, tuple(experts), share)


def _classes(
    kinds: Votes, times: npt.NDArray[np.intp]
) -> tuple[Floats, tuple[Floats, Floats], float]:
    """The chance that each kind of row is positive, how often experts say yes, and a share.

    Args:
        kinds: (rows, experts) distinct rows of votes, each with at least one.
        times: (rows,) how often each stands.
    """
    yes, no = (kinds == 1).sum(axis=0), (kinds == 0).sum(axis=0)
    if len(kinds) == 1 or not yes.any() or not no.any():
        same, unknown = float(yes.sum() > no.sum()), np.full(kinds.shape[1], np.nan)
        always = yes / (yes + no)
        rates = (unknown, always) if same else (always, unknown)
        return np.full(len(kinds), same), rates, same
    stepmix = need("stepmix", extra="annotate", where="eds.dawid_skene")
    model = stepmix.StepMix(
        n_components=2,
        measurement="binary_nan",
        n_init=STARTS,
        max_iter=MOST_STEPS,
        abs_tol=CLOSE,
        random_state=0,
        progress_bar=0,
    )
    table = np.where(kinds == NO_VOTE, np.nan, kinds)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")
        model.fit(table, sample_weight=times.astype(np.float64))
        chances = model.predict_proba(table)
    if not model.converged_:
        text = f"the rule of Dawid and Skene had not settled after {MOST_STEPS:,} steps"
        warnings.warn(text, LikelensWarning, stacklevel=3)
    says_yes = model.get_parameters()["measurement"]["pis"]
    votes = times @ (kinds != NO_VOTE)
    upper = int(says_yes[1] @ votes > says_yes[0] @ votes)
    return chances[:, upper], (says_yes[1 - upper], says_yes[upper]), float(model.weights_[upper])
