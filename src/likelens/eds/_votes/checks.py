"""What may be given to a vote book: names, times, shares and pools."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from numbers import Real

from ...values.errors import BadTable, first_few, plural
from .values import Question


def named(expert: str) -> str:
    """An expert's name without blanks around it.

    Raises:
        BadTable: nothing is left.
    """
    name = expert.strip() if isinstance(expert, str) else ""
    if not name:
        raise BadTable("the expert has no name", where="expert", hint="give one")
    return name


def is_time(seconds: object) -> bool:
    """Whether an answer can take so many seconds."""
    return isinstance(seconds, Real) and 0 <= float(seconds) < math.inf


def checked_share(repeats: float) -> float:
    """A share of questions that come back.

    Raises:
        BadTable: it is none.
    """
    if not 0 <= repeats <= 1:
        raise BadTable(
            f"{repeats} is no share of questions to repeat",
            where="repeats",
            hint="give 0 for none, 0.05 for every twentieth, up to 1",
        )
    return repeats


def check_pairs(asked: Sequence[Question], possible: Sequence[int], where: str) -> None:
    """Refuse a pool that contradicts itself.

    Args:
        asked: (p,) its pairs.
        possible: (p,) how many candidates the query of each may have; 0 where nobody says.
        where: the file or the book, for the message.

    Raises:
        BadTable: a pair stands twice, or a query has two numbers of candidates.
    """
    repeated = [pair for pair, count in Counter(asked).items() if count > 1]
    if repeated:
        raise BadTable(
            f"{plural(len(repeated), 'pair to judge stands', 'pairs to judge stand')} "
            f"more than once: "
            f"{first_few(f'{pair.query} with {pair.candidate}' for pair in repeated)}",
            where=where,
            hint="keep one row of each",
        )
    counts: dict[str, set[int]] = {}
    for pair, count in zip(asked, possible, strict=True):
        counts.setdefault(pair.query, set()).update({count} - {0})
    torn = [
        f"{query} ({first_few(f'{one:,}' for one in sorted(found))})"
        for query, found in counts.items()
        if len(found) > 1
    ]
    if torn:
        raise BadTable(
            f"{plural(len(torn), 'query has', 'queries have')} "
            f"several numbers of possible candidates: {first_few(torn)}",
            where=where,
            hint="give all pairs of a query the same: how many items may be its candidates",
        )
