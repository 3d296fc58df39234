"""Which rows of an Arrow table a filter selects."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..arrays import Array
from . import kinds
from .expression import And, Compare, Filter, IsNull, Like, Not, OneOf, Or, Value

_COMPARE = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def select(condition: Filter, table: pa.Table) -> Array:
    """(n,) bool, the rows for which a filter is true.

    Args:
        condition: what ``parse_filter`` made for the table's schema.
        table: the columns that the filter reads, or more.
    """
    mask = pc.fill_null(_Rows(table).truth(condition), fill_value=False)
    return np.asarray(mask.to_numpy(zero_copy_only=False), bool)


class _Rows:
    """Evaluates conditions on a table: true, false, or null for unknown."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.columns: dict[str, tuple[pa.Array, pa.DataType]] = {}

    def column(self, name: str) -> tuple[pa.Array, pa.DataType]:
        """A column's cells, ready to be compared, and its type."""
        if name not in self.columns:
            self.columns[name] = _ready(self.table[name].combine_chunks())
        return self.columns[name]

    def truth(self, condition: Filter) -> pa.Array:
        if isinstance(condition, Not):
            return pc.invert(self.truth(condition.operand))
        if isinstance(condition, And | Or):
            join = pc.and_kleene if isinstance(condition, And) else pc.or_kleene
            start = pa.repeat(isinstance(condition, And), len(self.table))
            return reduce(join, map(self.truth, condition.operands), start)
        cells, kind = self.column(condition.column)
        if isinstance(condition, IsNull):
            return pc.is_null(cells)
        if pa.types.is_null(kind):
            return pa.nulls(len(cells), pa.bool_())
        if isinstance(condition, Compare):
            return _compare(cells, kind, condition.operator, condition.value)
        if isinstance(condition, OneOf):
            return _one_of(cells, kind, condition.values)
        if isinstance(condition, Like):
            return pc.match_substring_regex(cells, _regular(condition.pattern))
        return _has(cells, condition.value)


def _ready(cells: Any) -> tuple[pa.Array, pa.DataType]:
    """Cells in one piece, of a type that can be compared, and the column's type.

    NaN becomes null; dates and times become their numbers of days or smaller units.
    """
    if isinstance(cells, pa.ChunkedArray):
        cells = pa.concat_arrays(cells.chunks) if cells.num_chunks else pa.array([], cells.type)
    kind, types = cells.type, pa.types
    if types.is_dictionary(kind):
        return _ready(cells.cast(kind.value_type))
    if kinds.kind_of(kind) == kinds.TEXT:
        cells = cells.cast(pa.large_string())
    elif types.is_floating(kind):
        cells = pc.add(cells.cast(pa.float64()), 0.0)  # -0.0 becomes 0.0
        cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, pa.float64()), cells)
    elif types.is_decimal(kind) and kind.bit_width < 128:
        cells = cells.cast(pa.decimal128(kind.precision, kind.scale))
    elif types.is_temporal(kind) and not types.is_interval(kind):
        cells = cells.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif types.is_fixed_size_list(kind):
        cells = cells.cast(pa.list_(kind.value_type))
    return cells, kind


def _compare(cells: pa.Array, kind: pa.DataType, operator: str, value: Value) -> pa.Array:
    """Cells compared with a value, exactly: neither side is rounded to whole units."""
    compare = _COMPARE[operator]
    if pa.types.is_floating(kind):
        return compare(cells, pa.scalar(_rounded(value, kind)))
    if isinstance(value, bool) or pa.types.is_large_string(cells.type):
        return compare(cells, pa.scalar(value, cells.type))
    exact = _units(value, kind)
    whole = math.floor(exact)
    low, high = _bounds(cells.type)
    if not low <= whole <= high:
        kept = ("<", "<=", "<>") if whole > high else (">", ">=", "<>")
        return _constant(cells, operator in kept)
    if whole != exact:
        if operator in ("=", "<>"):
            return _constant(cells, operator == "<>")
        compare = pc.less_equal if operator in ("<", "<=") else pc.greater
    return compare(cells, _scalar(whole, cells.type))


def _one_of(cells: pa.Array, kind: pa.DataType, values: tuple[Value, ...]) -> pa.Array:
    """Whether each cell is among some values."""
    if pa.types.is_floating(kind):
        wanted = pa.array([_rounded(value, kind) for value in values], pa.float64())
    elif pa.types.is_boolean(kind) or pa.types.is_large_string(cells.type):
        wanted = pa.array(values, cells.type)
    else:
        low, high = _bounds(cells.type)
        units = {_units(value, kind) for value in values}
        fitting = [int(one) for one in units if one.denominator == 1 and low <= one <= high]
        wanted = pa.array([_scalar(one, cells.type).as_py() for one in fitting], cells.type)
    found = pc.is_in(cells, value_set=wanted)
    return pc.if_else(pc.is_valid(cells), found, pa.scalar(None, pa.bool_()))


def _has(cells: pa.Array, value: Value) -> pa.Array:
    """Whether each list contains a value."""
    found = np.zeros(len(cells), bool)
    elements, element = _ready(pc.list_flatten(cells))
    if not pa.types.is_null(element):
        equal = pc.fill_null(_compare(elements, element, "=", value), fill_value=False)
        lengths = pc.fill_null(pc.list_value_length(cells), 0).to_numpy(zero_copy_only=False)
        lists = np.repeat(np.arange(len(cells)), lengths)  # a list without value has no elements
        found[lists[equal.to_numpy(zero_copy_only=False)]] = True
    return pc.if_else(pc.is_valid(cells), pa.array(found), pa.scalar(None, pa.bool_()))


def _regular(pattern: str) -> str:
    """A LIKE pattern as a regular expression."""
    parts = []
    for sign in re.findall(r"\\.|.", pattern, re.DOTALL):
        plain = {"%": ".*", "_": "."}.get(sign)
        parts.append(plain or re.escape(sign[-1]))
    return r"(?s)\A" + "".join(parts) + r"\z"


def _rounded(value: Value, kind: pa.DataType) -> float:
    """A number as a column of floats would hold it, so that 0.1 finds 0.1 in float32."""
    exact = float(value)
    with np.errstate(over="ignore"):
        held = float(np.dtype(kind.to_pandas_dtype()).type(exact))
    return held if math.isfinite(held) else exact


def _units(value: Value, kind: pa.DataType) -> Fraction:
    """A value in the units that the cells of such a column count."""
    types = pa.types
    if isinstance(value, Decimal):
        scale = kind.scale if types.is_decimal(kind) else 0
        return Fraction(value) * Fraction(10) ** scale
    if types.is_time(kind):
        return kinds.time_of_day(str(value)) * _UNITS[kind.unit]
    seconds, _ = kinds.moment(str(value))
    if types.is_date32(kind):
        return seconds / kinds.DAY_SECONDS
    return seconds * (1000 if types.is_date64(kind) else _UNITS[kind.unit])


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    """The least and largest number of units that such a cell can hold."""
    if pa.types.is_decimal(kind):
        return 1 - 10**kind.precision, 10**kind.precision - 1
    limits = np.iinfo(kind.to_pandas_dtype())
    return int(limits.min), int(limits.max)


def _scalar(units: int, kind: pa.DataType) -> pa.Scalar:
    if not pa.types.is_decimal(kind):
        return pa.scalar(units, kind)
    digits = tuple(map(int, str(abs(units))))
    return pa.scalar(Decimal((int(units < 0), digits, -kind.scale)), kind)


def _constant(cells: pa.Array, value: bool) -> pa.Array:
    """The same truth for all cells that are not null."""
    return pc.if_else(pc.is_valid(cells), pa.scalar(value), pa.scalar(None, pa.bool_()))
