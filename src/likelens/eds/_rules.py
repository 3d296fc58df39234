"""From several votes on a pair to one label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..values.errors import BadTable, nearest
from ._resolve import anyone, dawid_skene, majority, unanimous

RULES = ("majority", "unanimous", "any", "dawid-skene")


def check_rule(rule: str, *more: str) -> None:
    """Refuses a rule that there is not.

    Raises:
        BadTable: says which there are.
    """
    rules = (*RULES, *more)
    if rule not in rules:
        raise BadTable(
            f"there is no rule {rule!r}",
            where="rule",
            hint=f"{nearest(rule, rules)} The rules are {', '.join(rules)}".strip(),
        )


def resolve(votes: npt.NDArray[np.int8], rule: str) -> npt.NDArray[np.int8]:
    """The label of each pair by a rule.

    Args:
        votes: (p, e) 0, 1 or -1.
        rule: ``majority`` (ties negative), ``unanimous``, ``any`` or ``dawid-skene``.

    Returns:
        (p,) 0 or 1; -1 where nobody voted.

    Raises:
        BadTable: no such rule.
        MissingExtra: the library for ``dawid-skene`` is not installed.
    """
    check_rule(rule)
    if rule == "dawid-skene":
        return dawid_skene(votes).labels
    return {"majority": majority, "unanimous": unanimous, "any": anyone}[rule](votes)
