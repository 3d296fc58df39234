"""One rule for the cells of every kind of table: what is missing, and which type a column has.

* A text that is empty, blank or one of ``missing`` is null; so is NaN.
* Numbers are int64 or float64, and truth values are booleans. In CSV a column counts as numbers
  only if every cell is written as a number: ``007`` and 30 digits stay text.
* Dates and times are text in ISO form. Lists of texts or numbers stay lists. Anything nested
  deeper is JSON text.
* All text is in the Unicode normal form NFC, so that two texts that look the same are equal.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_FLOAT = r"(?i)^[-+]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]+)?|nan|inf)$"
_MAY_BE_A_NUMBER = r"(?i)[0-9]|^[-+]?(nan|inf)$"
_WHOLE = r"^[-+]?[0-9]+$"
_FLOATS_OF_PYTHON = r"^-?(0|[1-9][0-9]*)\.(0|[0-9]*[1-9])$"


def nfc(text: str) -> str:
    """A text in the Unicode normal form NFC: é as one character, not as e and an accent."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def plain_column(cells: pa.ChunkedArray, missing: pa.Array) -> pa.ChunkedArray:
    """A typed column, as of Parquet, by the rule of this module.

    Bytes that are not UTF-8 stay bytes.
    """
    import pyarrow as pa

    types, kind = pa.types, cells.type
    if types.is_dictionary(kind):
        return plain_column(cells.cast(kind.value_type), missing)
    if types.is_boolean(kind):
        return cells
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _numbers(cells, missing)
    if types.is_string(kind):
        return clean_text(cells, missing)
    if types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return clean_text(cells.cast(pa.string()), missing)
    if _is_binary(kind):
        try:
            return clean_text(cells.cast(pa.binary()).cast(pa.string()), missing)
        except pa.ArrowInvalid:
            return cells
    return _other(cells, missing)


def python_column(cells: Sequence[Any], missing: set[str]) -> tuple[pa.ChunkedArray, int | None]:
    """A column of values of JSON, by the rule of this module.

    Returns:
        The column, and the first row whose value is of another kind than those before, or None.
    """
    import pyarrow as pa

    cells = [None if _is_missing(cell, missing) else cell for cell in cells]
    kinds = {type(cell) for cell in cells if cell is not None}
    if not kinds or kinds == {str}:
        return _text_array([None if cell is None else nfc(cell) for cell in cells]), None
    if kinds == {bool}:
        return pa.chunked_array([pa.array(cells, pa.bool_())]), None
    if kinds == {int} and all(cell is None or -(2**63) <= cell < 2**63 for cell in cells):
        return pa.chunked_array([pa.array(cells, pa.int64())]), None
    if kinds == {int}:
        return _text_array([None if cell is None else str(cell) for cell in cells]), None
    if kinds == {int, float}:
        return pa.chunked_array([pa.array([_float(cell) for cell in cells], pa.float64())]), None
    if kinds == {float}:
        return pa.chunked_array([pa.array(cells, pa.float64())]), None
    if kinds <= {list, dict}:
        return _nested(cells, kinds), None
    groups = [None if cell is None else _kind_of(cell) for cell in cells]
    first = next(group for group in groups if group is not None)
    return _text_array([]), next(
        row for row, group in enumerate(groups) if group not in (None, first)
    )


def typed_text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """A cleaned column of CSV text as numbers or truth values, if all of it is written so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    there = cells.drop_null()
    if not len(there):
        return cells
    first = there[0].as_py().strip()
    if first.lower() in ("true", "false"):
        words = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
        known = pc.is_in(words, value_set=pa.array(["true", "false"]))
        return pc.equal(words, "true") if pc.sum(known).as_py() == len(there) else cells
    if not re.search(_MAY_BE_A_NUMBER, first):
        return cells
    words = pc.utf8_trim_whitespace(cells)
    try:
        whole = words.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    else:  # 007, or 0x1f, is not written as a number
        return whole if pc.all(pc.equal(whole.cast(pa.string()), words)).as_py() else cells
    if not pc.all(pc.match_substring_regex(words, _FLOAT)).as_py():
        return cells
    if pc.all(pc.match_substring_regex(words, _WHOLE)).as_py():
        return cells  # more digits than a number holds
    numbers = words.cast(pa.float64())
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def text_cells(cells: pa.ChunkedArray, missing: pa.Array, *, floats: bool) -> pa.ChunkedArray:
    """A column as stripped text, or as lists of text; whole numbers without ``.0``.

    Args:
        cells: a column by the rule of this module.
        missing: texts that are null.
        floats: whether 12.0 in text is how a column of floats writes 12, as in CSV.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = cells.type
    if pa.types.is_string(kind):
        words = pc.utf8_trim_whitespace(cells)
        there = words.drop_null() if floats else words[:0]
        if not len(there) or not there[0].as_py().endswith(tuple("0123456789")):
            return words
        all_floats = pc.all(pc.match_substring_regex(there, _FLOATS_OF_PYTHON)).as_py()
        return pc.replace_substring_regex(words, r"\.0$", "") if all_floats else words
    if holds_bytes(kind):
        return cells
    none = set(missing.to_pylist())
    if _is_list(kind):
        lists = [
            None if cell is None else [text for one in cell if (text := as_text(one, none))]
            for cell in cells.to_pylist()
        ]
        return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])
    return _text_array([as_text(cell, none) for cell in cells.to_pylist()])


def as_text(value: object, missing: set[str]) -> str | None:
    """A cell as stripped text; None if it is missing. 3.0 is 3."""
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # whole numbers beside missing ones arrive as floats
    text = nfc(str(value).strip())
    return None if text in missing or not text else text


def clean_text(cells: pa.ChunkedArray, missing: pa.Array) -> pa.ChunkedArray:
    """Text in NFC, null where it is blank or one of ``missing``."""
    import pyarrow.compute as pc

    if not pc.all(pc.string_is_ascii(cells)).as_py():
        cells = pc.utf8_normalize(cells, form="NFC")
    absent = pc.is_in(pc.utf8_trim_whitespace(cells), value_set=missing)
    if not pc.any(absent).as_py():
        return cells
    return pc.if_else(absent, None, cells)


def _text_array(cells: Sequence[str | None]) -> pa.ChunkedArray:
    from .tables import text_column

    return text_column(cells)


def _numbers(cells: pa.ChunkedArray, missing: pa.Array) -> pa.ChunkedArray:
    """As int64 or float64, or as text where int64 is too small."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = cells.type
    if pa.types.is_floating(kind) or (pa.types.is_decimal(kind) and kind.scale > 0):
        numbers = cells.cast(pa.float64())
        return pc.if_else(pc.is_nan(numbers), None, numbers)
    try:
        return cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return clean_text(cells.cast(pa.string()), missing)


def _other(cells: pa.ChunkedArray, missing: pa.Array) -> pa.ChunkedArray:
    """Dates and times, and what is nested."""
    import pyarrow as pa

    types, kind = pa.types, cells.type
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind):
        return _iso(cells)
    if _is_list(kind):
        inner = kind.value_type
        if types.is_dictionary(inner):
            inner = inner.value_type
        if types.is_large_string(inner) or types.is_string_view(inner):
            inner = pa.string()
        if inner != kind.value_type and _is_plain(inner):
            return cells.cast(pa.list_(inner))
    if holds_bytes(kind) or (_is_list(kind) and _is_plain(kind.value_type)):
        return cells
    return clean_text(_text_array([_as_json(cell) for cell in cells.to_pylist()]), missing)


def _iso(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates and times as text: without a fraction that is zero, without midnight on every row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.replace_substring_regex(cells.cast(pa.string()), r"\.0+(Z?)$", r"\1")
    midnight = pc.all(pc.match_substring_regex(words, " 00:00:00$"), min_count=1).as_py()
    return pc.replace_substring(words, " 00:00:00", "") if midnight else words


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_null(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
    )


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether cells of a type are bytes, or hold some."""
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return _is_binary(kind) or any(map(holds_bytes, inner))


def _is_binary(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    )


def _nested(cells: Sequence[Any], kinds: set[type]) -> pa.ChunkedArray:
    """Lists of texts or of numbers as they are; everything else as JSON text."""
    import pyarrow as pa

    inner = {type(one) for cell in cells for one in cell or ()} if kinds == {list} else {dict}
    inner.discard(type(None))
    if inner <= {str}:
        texts = [None if cell is None else [one and nfc(one) for one in cell] for cell in cells]
        return pa.chunked_array([pa.array(texts, pa.list_(pa.string()))])
    if inner <= {int, float}:
        kind = pa.int64() if inner == {int} else pa.float64()
        try:
            return pa.chunked_array([pa.array(cells, pa.list_(kind))])
        except (OverflowError, pa.ArrowInvalid):
            pass
    return _text_array([None if cell is None else _as_json(cell) for cell in cells])


def _as_json(value: object) -> str | None:
    if value is None or not isinstance(value, list | tuple | dict):
        return None if value is None else str(value)
    return nfc(json.dumps(value, default=str, ensure_ascii=False))


def _is_missing(cell: object, missing: set[str]) -> bool:
    if isinstance(cell, str):
        return (plain := cell.strip()) in missing or not plain
    return isinstance(cell, float) and math.isnan(cell)


def _float(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return math.inf if value and value > 0 else -math.inf


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "truth value"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list or object"
