"""Which pairs experts should judge, and what their votes say: pure functions on arrays.

Public names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agreement import Agreement, agreement
    from ._draw import random_pairs
    from ._plan import Plan, Range, SampleSize, plan, sample_size
    from ._pool import pool
    from ._pool_value import Cost, Pool
    from ._prevalence import PoolPrevalence, Prevalence, pool_prevalence, prevalence
    from ._resolve import DawidSkene, Skill, anyone, dawid_skene, majority, unanimous
    from ._rules import RULES, resolve
    from ._votes.book import VoteBook
    from ._votes.files import read_content

_PLACES = {
    "RULES": "_rules",
    "Agreement": "_agreement",
    "Cost": "_pool_value",
    "DawidSkene": "_resolve",
    "Plan": "_plan",
    "Pool": "_pool_value",
    "PoolPrevalence": "_prevalence",
    "Prevalence": "_prevalence",
    "Range": "_plan",
    "SampleSize": "_plan",
    "Skill": "_resolve",
    "VoteBook": "_votes.book",
    "agreement": "_agreement",
    "anyone": "_resolve",
    "dawid_skene": "_resolve",
    "majority": "_resolve",
    "plan": "_plan",
    "pool": "_pool",
    "pool_prevalence": "_prevalence",
    "prevalence": "_prevalence",
    "random_pairs": "_draw",
    "read_content": "_votes.files",
    "resolve": "_rules",
    "sample_size": "_plan",
    "unanimous": "_resolve",
}

__all__ = [
    "RULES",
    "Agreement",
    "Cost",
    "DawidSkene",
    "Plan",
    "Pool",
    "PoolPrevalence",
    "Prevalence",
    "Range",
    "SampleSize",
    "Skill",
    "VoteBook",
    "agreement",
    "anyone",
    "dawid_skene",
    "majority",
    "plan",
    "pool",
    "pool_prevalence",
    "prevalence",
    "random_pairs",
    "read_content",
    "resolve",
    "sample_size",
    "unanimous",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
