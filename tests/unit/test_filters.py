"""Filters: what is allowed means what SQL says; everything else is an error at its place."""

import datetime
import decimal
import sqlite3

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens.values.errors import BadQuery
from likelens.values.filters import columns_of, join_conditions, matching_rows, read_where

NAN, DAY = float("nan"), datetime.date
TABLE = pa.table(
    {
        "year": [2010, 2011, None, 2013],
        "big": pa.array([2**53 + 1, 2**53, 0, None], pa.int64()),
        "price": pa.array([1.5, NAN, -0.0, 0.1], pa.float32()),
        "Gender": ["Men", "Women", "M_n's%", None],
        "kind": pa.array(["a", "b", None, "a"]).dictionary_encode(),
        "colour": [["red"], ["blue", None, "red"], [], None],
        "sizes": pa.array([[1, 2], None, [3, 4], [1, 9]], pa.list_(pa.int32(), 2)),
        "in stock": [True, False, None, True],
        "limit": [1, 2, 3, 4],
        "day": [DAY(2021, 3, 1), None, DAY(2020, 1, 1), DAY(2021, 3, 2)],
        "seen": pa.array(
            [datetime.datetime(2021, 3, 1, 12), None, datetime.datetime(1600, 1, 1), None],
            pa.timestamp("us", "UTC"),
        ),
        "at": pa.array([datetime.time(9, 30), datetime.time(18), None, None], pa.time64("ns")),
        "cost": pa.array(
            [decimal.Decimal("1.25"), None, decimal.Decimal("-3.10"), decimal.Decimal(0)],
            pa.decimal128(38, 2),
        ),
        "none": pa.nulls(4),
        "raw": pa.array([b"x", None, b"y", b"z"]),
    }
)


def found(where, table=TABLE):
    return np.flatnonzero(matching_rows(read_where(where, table.schema), table)).tolist()


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("gender = 'Men'", [0]),
        ("GENDER <> 'Men'", [1, 2]),
        ("'Men' = Gender AnD year < 2011", [0]),
        ("Gender like 'M%'", [0, 2]),
        ("Gender not like 'M%'", [1]),
        (r"Gender like 'M\_n''s\%'", [2]),
        ("Gender like '_en'", [0]),
        ("Gender in ('Men', 'Women') or Gender is null", [0, 1, 3]),
        ("Gender not in ('Men')", [1, 2]),
        ("kind = 'a' and not year = 2010", [3]),
        ("year is not null and (kind = 'a' or kind is null)", [0, 3]),
        ("not (year > 2010 or kind = 'a')", []),
        ("year between 2010 and 2011", [0, 1]),
        ("year not between 2010 and 2011", [3]),
        ("2010 < year", [1, 3]),
        ("year > 2010.5 and year < 1e30 and year <> .5 and year >= -5.", [1, 3]),
        ("year = 2010.5", []),
        ("year in (2010, 2010.5, 99999999999999999999)", [0]),
        ("big = 9007199254740993", [0]),
        ("big > 9007199254740992.5", [0]),
        ("price = 0.1", [3]),
        ("price = 0", [2]),
        ("price is null", [1]),
        ("not price > 1", [2, 3]),
        ("price in (0, 1.5)", [0, 2]),
        ("array_has(colour, 'red')", [0, 1]),
        ("not array_has(colour, 'red')", [2]),
        ("array_has(sizes, 9)", [3]),
        ("`in stock`", [0, 3]),
        ("not `in stock`", [1]),
        ("`in stock` = false", [1]),
        ("limit > 3 and `limit` < 5", [3]),
        ("day >= '2021-03-01'", [0, 3]),
        ("day > '2021-03-01 00:00:01'", [3]),
        ("day in ('2021-03-01', '2020-01-01')", [0, 2]),
        ("seen >= '2021-03-01T13:00:00+01:00'", [0]),
        ("seen < '1600-01-01T00:00:00.000000001'", [2]),
        ("at < '18:00'", [0]),
        ("cost > 1.249", [0]),
        ("cost in (-3.1, 0, 0.001)", [2, 3]),
        ("cost < 1e200", [0, 2, 3]),
        ("none = 5 or none = 'x'", []),
        ("none is null and not none is not null", [0, 1, 2, 3]),
        ("raw is null", [1]),
        (["year > 2010", "kind = 'b' or kind = 'a'"], [1, 3]),
        ("((((((((((((((((((year = 2010))))))))))))))))))", [0]),
        ("year in (" + ", ".join(map(str, range(2011, 42_011))) + ")", [1, 3]),
    ],
    ids=lambda part: ascii(part)[:40],
)
def test_a_filter_means_what_it_says(where, rows):
    assert found(where) == rows


@pytest.mark.parametrize(
    ("where", "message", "hint"),
    [
        ("Gender = 'Men' adn year > 2015", "character 16: unexpected 'adn'", "AND or OR"),
        ("year > 1, year < 2", "character 9: unexpected ','", ""),
        ("year > 1) and (year < 2", r"unexpected '\)'", ""),
        ("year > 1 having year < 2", "unexpected 'having'", ""),
        ("year > 1 limit 1", "unexpected 'limit'", ""),
        ("year > 1 year", "unexpected 'year'", ""),
        ("in stock = true", "cannot be understood", "back quotes"),
        ("year > 1;", "';' is not allowed", ""),
        ("year > 1 -- so", "character 10: comments are not allowed", ""),
        ("/* so */ year > 1", "character 1: comments are not allowed", ""),
        ("{# so #} year > 1", "comments are not allowed", ""),
        ("year > (select 1)", "cannot be understood", ""),
        ("exists (select 1)", "no function exists", "array_has"),
        ("cast(year as text) = '1'", "no function cast", ""),
        ("repeat(Gender, 1e8) = 'a'", "no function repeat", ""),
        ("year::text = '1'", "'::' is not allowed", "casts"),
        ("year+year > 1", r"'\+' is not allowed", "arithmetic"),
        ("year - 1 > 1", "a column's name is expected", ""),
        ("year = - - 1", "minus sign", ""),
        ("-year = 1", "minus sign", ""),
        ("Gender || 'x' = 'y'", r"'\|\|' is not allowed", ""),
        ("= $1", r"'\$1' is not allowed", "parameters"),
        ("year = ?", r"'\?' is not allowed", ""),
        ("Gender = 'a' 'b'", "side by side", ""),
        ("Gender = e'a'", "cannot be understood", ""),
        ("Gender = 'Men", "character 10: a quote is not closed", "twice"),
        ('Gender = "Men"', "double quotes", "write 'Men'"),
        ('"year" = 1', "double quotes", "write `year`"),
        ("Gender = Men", "Men, which is no value", "'Men'"),
        ("yeer = 1", "no column 'yeer'", "did you mean year"),
        ("_digest = 'x'", "no column '_digest'", "year (number)"),
        ("Gender = 5", "cannot be compared with the number 5", "single quotes"),
        ("year = '2010'", "cannot be compared with the text '2010'", "without quotes"),
        ("`in stock` = 1", "cannot be compared with the number 1", "= true"),
        ("year = true", "cannot be compared", ""),
        ("raw = 'x'", "of another type", ""),
        ("colour = 'red'", "cannot be compared", "array_has"),
        ("array_has(Gender, 'M')", "is no list", ""),
        ("array_has(colour, 'a', 'b')", "a column and a value", ""),
        ("array_has(colour, 5)", "cannot be compared", ""),
        ("day > '1.3.2021'", "which is no date", "ISO"),
        ("day > '2021-02-30'", "which is no date", ""),
        ("day > '2021-02-03T10:00Z'", "no time zone", ""),
        ("at > '25:00'", "no time of day", ""),
        ("year = null", "never true", "IS NULL"),
        ("Gender in ('Men', null)", "never true", ""),
        ("Gender is true", "IS is followed by NULL", ""),
        ("year", "year alone is no condition", ""),
        ("true", "a value alone", ""),
        ("1 = 1", "cannot be understood", ""),
        ("year in ()", "IN is followed by values", ""),
        ("year in (1,)", "after the comma", ""),
        ("year in 5", "IN is followed by values", ""),
        ("year = 1 = 1", "cannot be understood", ""),
        ("a.b = 1", "back quotes", ""),
        ("year like '2%'", "is no text", ""),
        ("Gender like 'M\\'", "backslash", ""),
        ("Gender like '" + "%_" * 1000 + "'", "at most 1000 characters", ""),
        ("year = 1e999999999", "300 digits", ""),
        ("year = 1e" + "9" * 50, "is no number", ""),
        ("year = 1e", "'1e' is no number", ""),
        ("year = " + "9" * 900_000, "300 digits", ""),
        ("Gender = '\ud800'", "Unicode", ""),
        ("  ", "empty", "write a condition"),
        ("year >", "missing", ""),
        ("and year = 1", "missing", ""),
        ("(year > 1", "not closed", ""),
        (" or ".join(["year = 1"] * 40_000), "40,000 conditions; at most 500", "IN"),
        (" and ".join(["`in stock`"] * 600), "599 conditions", ""),
        ("year in (" + "1," * 60_000 + "1)", "60,000 values", ""),
        ("(" * 5000 + "year = 1" + ")" * 5000, "5,000 nested", "parentheses"),
        ("not " * 5000 + "year = 1", "5,000 nested", ""),
        ("year = " + "+".join(["year"] * 1000), r"'\+' is not allowed", ""),
        ("a" * 1_000_001, "1,000,001 characters", ""),
        (["year = 1", "kind"], "kind alone", ""),
        ([5], "not int", ""),
    ],
    ids=lambda part: ascii(part)[:40],
)
def test_what_is_left_over_or_not_allowed_is_an_error_at_its_place(where, message, hint):
    with pytest.raises(BadQuery, match=message) as caught:
        read_where(where, TABLE.schema)
    assert hint in caught.value.hint
    assert len(str(caught.value)) < 2000


def test_a_name_with_several_spellings_must_be_exact():
    table = pa.table({"Kind": ["a", "b"], "kind": ["b", "a"]})
    assert found("Kind = 'a'", table) == [0]
    assert found("kind = 'a'", table) == [1]
    with pytest.raises(BadQuery, match="any of: Kind, kind"):
        found("KIND = 'a'", table)


def test_texts_and_names_that_look_the_same_are_the_same():
    table = pa.table({"Gr\u00f6\u00dfe": ["caf\u00e9", "x"]})
    assert found("Gro\u0308\u00dfe = 'cafe\u0301'", table) == [0]
    assert found("`gr\u00f6\u00dfe` like 'CAF_'", table) == []


def test_columns_and_joined_text():
    condition = read_where("year > 1 and not (kind = 'a' or Gender is null)", TABLE.schema)
    assert columns_of(condition) == {"year", "kind", "Gender"}
    assert join_conditions(None) is None
    assert join_conditions([]) is None
    assert join_conditions("year > 1") == "year > 1"
    both = join_conditions(["year > 2010 or year < 0", "kind = 'b'"])
    assert found(both) == found(["year > 2010 or year < 0", "kind = 'b'"]) == [1]


NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -1.25, 2.0, 1e10]))
TEXTS = st.text("aB%_'é ", max_size=3)
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-3, 3),
        st.none() | st.just(NAN) | st.sampled_from([-3.0, -0.0, 0.5, 2.0, float("inf")]),
        st.none() | TEXTS,
        st.none() | st.booleans(),
    ),
    max_size=8,
)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def leaves():
    operators = st.sampled_from(["=", "!=", "<>", "<", "<=", ">", ">="])
    column = st.sampled_from(["n", "`x y`"])
    number, negated = NUMBERS.map(repr), st.sampled_from(["", "not "])
    listed = st.lists(number, min_size=1, max_size=3).map(", ".join)
    texts = st.lists(TEXTS.map(quoted), min_size=1, max_size=3).map(", ".join)
    name = st.sampled_from(["n", "`x y`", "t", "b"])
    return st.one_of(
        st.tuples(column, operators, number).map(" ".join),
        st.tuples(number, operators, column).map(" ".join),
        st.tuples(st.just("t"), operators, TEXTS.map(quoted)).map(" ".join),
        st.tuples(column, negated, listed).map(lambda p: f"{p[0]} {p[1]}in ({p[2]})"),
        st.tuples(negated, texts).map(lambda p: f"t {p[0]}in ({p[1]})"),
        st.tuples(column, negated, number, number).map(
            lambda p: f"{p[0]} {p[1]}between {p[2]} and {p[3]}"
        ),
        st.tuples(negated, TEXTS.map(quoted)).map(lambda p: f"t {p[0]}like {p[1]}"),
        st.tuples(name, negated).map(lambda p: f"{p[0]} is {p[1]}null"),
        st.sampled_from(["b", "b = true", "b <> false"]),
    )


CONDITIONS = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not {one}"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, st.sampled_from(["and", "or", "AND"]), inner).map(" ".join),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, CONDITIONS)
def test_a_filter_finds_what_sqlite_finds(rows, where):
    kinds = zip("nxtb", (pa.int8(), pa.float64(), pa.string(), pa.bool_()), strict=True)
    columns = list(zip(*rows, strict=True)) or [()] * 4
    arrays = {
        {"x": "x y"}.get(name, name): pa.array(cells, kind)
        for (name, kind), cells in zip(kinds, columns, strict=True)
    }
    base = sqlite3.connect(":memory:")
    base.execute("pragma case_sensitive_like = on")
    base.execute("create table items (n integer, `x y` real, t text, b integer)")
    base.executemany("insert into items values (?, ?, ?, ?)", rows)  # sqlite keeps NaN as null
    expected = base.execute(f"select rowid - 1 from items where {where}").fetchall()
    base.close()
    assert found(where, pa.table(arrays)) == [row for (row,) in expected]
