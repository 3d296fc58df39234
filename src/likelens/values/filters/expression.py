"""A filter as an expression: what a store compiles, with columns and types already checked.

The expression holds names of existing columns and plain values, never text of the query, so
that a compiler for a database can pass every value as a parameter. Its logic is SQL's: a
condition on a null value is unknown, and only items for which the whole is true match. NaN
counts as null.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

Value: TypeAlias = str | bool | Decimal
"""A text (ISO 8601 for dates and times), a truth value or a number."""

Operator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Compare:
    """A column compared with a value."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class OneOf:
    """Whether a column has one of some values."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Like:
    r"""Whether a text matches a pattern of ``%`` (any text), ``_`` (one character) and ``\``.

    A backslash before one of the three stands for the character itself.
    """

    column: str
    pattern: str


@dataclass(frozen=True)
class IsNull:
    """Whether a column has no value; never unknown."""

    column: str


@dataclass(frozen=True)
class Has:
    """Whether a list contains a value; unknown only where there is no list."""

    column: str
    value: Value


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    operand: Filter


@dataclass(frozen=True)
class And:
    """All of some conditions."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one of some conditions."""

    operands: tuple[Filter, ...]


Filter: TypeAlias = Compare | OneOf | Like | IsNull | Has | Not | And | Or


def columns_of(condition: Filter) -> set[str]:
    """The columns that a filter reads."""
    if isinstance(condition, Not):
        return columns_of(condition.operand)
    if isinstance(condition, And | Or):
        return set().union(*map(columns_of, condition.operands))
    return {condition.column}
