"""Filters on the attributes of items, as ``--where`` takes them.

``parse_filter`` turns text into an expression (``expression``) with columns and types checked
against a table's schema; ``arrow`` evaluates an expression on an Arrow table. A store in a
database compiles the same expression to its own language. The syntax is in docs/search.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..arrays import Array
from ..errors import BadQuery
from .expression import And, Filter, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Filter",
    "Where",
    "columns_of",
    "conditions_of",
    "join_conditions",
    "matching_rows",
    "read_where",
]

Where: TypeAlias = str | Sequence[str] | None
"""One condition, several that must all hold, or none."""


def read_where(where: str | Sequence[str], schema: pa.Schema) -> Filter:
    """The expression of one condition, or of several that must all hold.

    Raises:
        BadQuery: one of them is no condition on these columns.
    """
    from .parsing import parse_filter

    found = tuple(parse_filter(text, schema) for text in conditions_of(where))
    return found[0] if len(found) == 1 else And(found)


def matching_rows(condition: Filter, table: pa.Table) -> Array:
    """(n,) bool, the rows of a table for which a filter is true."""
    from .arrow import select

    return select(condition, table)


def join_conditions(where: Where) -> str | None:
    """One text for a condition, or for several that must all hold; None without any.

    Each condition must be valid by itself (``read_where`` checks it), as the text is for
    people to read.

    Example:
        >>> join_conditions(["year > 2010", "gender = 'Men' or usage is null"])
        "(year > 2010) and (gender = 'Men' or usage is null)"
    """
    texts = conditions_of(where)
    return texts[0] if len(texts) == 1 else " and ".join(f"({text})" for text in texts) or None


def conditions_of(where: Where) -> tuple[str, ...]:
    """The conditions that must all hold, as texts.

    Raises:
        BadQuery: something else than texts was given.
    """
    if where is None:
        return ()
    single: bool = isinstance(where, str | bytes | Mapping) or not isinstance(where, Iterable)
    texts: tuple[Any, ...] = (where,) if single else tuple(where)
    for text in texts:
        if not isinstance(text, str):
            raise BadQuery(
                f"a filter is a text or a list of texts, not {type(text).__name__}",
                where="where",
                hint="write where=\"gender = 'Men'\"",
            )
    return texts
