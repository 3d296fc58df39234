"""Kinds of columns, and which values each can be compared with."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

import pyarrow as pa

TEXT, NUMBER, TRUTH, DATE, ZONED, TIME = (
    "text", "number", "true or false", "date", "date with time zone", "time of day",
)  # fmt: skip
EMPTY, OTHER, LIST = "empty", "of another type", "list of "

_DATE = r"(\d{4})-(\d\d)-(\d\d)"
_TIME = r"(\d\d):(\d\d)(?::(\d\d(?:\.\d{1,9})?))?"
_ZONE = r"(Z|z|[+-]\d\d:\d\d)?"
_MOMENT = re.compile(f"{_DATE}(?:[ Tt]{_TIME}{_ZONE})?")
_TIME_OF_DAY = re.compile(_TIME)

DAY_SECONDS = 86_400


def kind_of(column: pa.DataType) -> str:
    """The kind of a column, in words."""
    types = pa.types
    if types.is_dictionary(column):
        return kind_of(column.value_type)
    for kind, tests in _TESTS.items():
        if any(test(column) for test in tests):
            return kind
    if types.is_timestamp(column):
        return DATE if column.tz is None else ZONED
    if types.is_list(column) or types.is_large_list(column) or types.is_fixed_size_list(column):
        return LIST + kind_of(column.value_type)
    return OTHER


_TESTS = {
    TEXT: (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    NUMBER: (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
    TRUTH: (pa.types.is_boolean,),
    DATE: (pa.types.is_date,),
    TIME: (pa.types.is_time,),
    EMPTY: (pa.types.is_null,),
}


def moment(text: str) -> tuple[Fraction, bool]:
    """Seconds from 1970-01-01, and whether the text names a time zone; UTC if it does not.

    Raises:
        ValueError: no ISO 8601 date, or no such day or time.
    """
    form = _MOMENT.fullmatch(text)
    if form is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, zone = form.groups()
    days = (date(int(year), int(month), int(day)) - date(1970, 1, 1)).days
    seconds = days * DAY_SECONDS + _clock(hour, minute, second)
    if zone and zone not in "Zz":
        shift = _clock(zone[1:3], zone[4:6], None)
        seconds -= shift if zone[0] == "+" else -shift
    return seconds, bool(zone)


def time_of_day(text: str) -> Fraction:
    """Seconds from midnight.

    Raises:
        ValueError: no ISO 8601 time of day.
    """
    form = _TIME_OF_DAY.fullmatch(text)
    if form is None:
        raise ValueError(text)
    return _clock(*form.groups())


def _clock(hour: str | None, minute: str | None, second: str | None) -> Fraction:
    parts = Fraction(hour or 0), Fraction(minute or 0), Fraction(second or 0)
    if parts[0] >= 24 or parts[1] >= 60 or parts[2] >= 60:
        raise ValueError(f"{hour}:{minute}:{second}")
    return parts[0] * 3600 + parts[1] * 60 + parts[2]
