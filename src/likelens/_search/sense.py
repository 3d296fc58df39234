"""What is well formed, and cannot be answered or would mislead."""

from __future__ import annotations

import numpy as np

from .._indexes import read_kind
from ..metrics import Threshold
from ..values.errors import BadQuery
from .choose import CLOSE, Order
from .query import Query

NUMBERS = ("text_weight", "minus_weight", "collapse", "diversity", "false_alarm")
TEXTS = ("region", "rerank", "group_by", "labels")
WHOLE = ("queries", "seed")


def check_types(**given: object) -> None:
    """Refuse arguments that are neither None nor of the type that their name demands.

    Raises:
        BadQuery: a number, a text or a whole number from 0 on was expected.
    """
    for names, kinds, wanted in (
        (NUMBERS, (int, float, np.integer, np.floating), "a number"),
        (TEXTS, (str,), "a text"),
        (WHOLE, (int, np.integer), "a whole number from 0 on"),
    ):
        for name in names:
            value = given.get(name)
            right = isinstance(value, kinds) and not isinstance(value, bool)
            if value is not None and not (right and (names is not WHOLE or value >= 0)):  # type: ignore[operator]
                raise BadQuery(
                    f"{name} is {repr(value)[:60]}, which is not {wanted}",
                    where=f"--{name.replace('_', '-')}",
                    hint=f"give {wanted}, or leave it out",
                )


def by_index(kind: str | None, rerank: str | None = None) -> bool:
    """Whether searches go by an index that may miss some of the nearest.

    Raises:
        BadSpec: there is no such kind of index.
        BadQuery: they do, and are to be re-ranked.
    """
    if kind is None or read_kind(kind).options.kind == "exact":
        return False
    if rerank is not None:
        raise BadQuery(
            "a re-ranking scores every item, which no index can spare it",
            where="--rerank --index",
            hint="give one of the two",
        )
    return True


def check_sense(asked: Query, order: Order, threshold: Threshold | float | None) -> None:
    """Refuse what is well formed and would mislead.

    Raises:
        BadQuery: a calibrated threshold or a re-ranking for a query of another kind, or a
            threshold that is no cosine.
    """
    plain = None if isinstance(threshold, Threshold) else threshold
    if plain is not None and abs(plain) > 1 + CLOSE:
        raise BadQuery(
            f"{plain:g} is no cosine similarity, so it is no threshold of one",
            where="--threshold",
            hint="give a number from -1 to 1, such as 0.8, or auto",
        )
    if isinstance(threshold, Threshold) and asked.pooled:
        raise BadQuery(
            "a calibrated threshold holds for the likeness of one picture, not for texts, "
            "several pictures or what counts against",
            where="--threshold auto",
            hint="ask with one picture, or give the threshold as a number",
        )
    if order.rerank is not None and asked.texts:
        raise BadQuery(
            "a re-ranking knows how near pictures are to pictures, and a text is near to none",
            where="--rerank",
            hint="leave --rerank out of a search with --text",
        )
