"""Reads the text of a filter.

sqlglot splits the text into tokens and parses them. Before it parses, only a few kinds of token
are let through and length, size and depth are bounded; afterwards only a few kinds of node are.
Everything else is an error that points at its place in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import pyarrow as pa
from sqlglot import exp, parser
from sqlglot.errors import ErrorLevel, ParseError

from ..columns import nfc
from ..errors import BadQuery, nearest
from . import kinds
from .expression import And, Compare, Filter, Has, IsNull, Like, Not, OneOf, Operator, Or, Value
from .lexing import EXAMPLE, TABLE, Source

MOST_PATTERN = 1_000
"""Characters of a LIKE pattern."""

MOST_DIGITS = 300
"""Digits of a number, before or after the point."""

_OPERATORS: dict[type[exp.Expr], tuple[Operator, Operator]] = {
    exp.EQ: ("=", "="),
    exp.NEQ: ("<>", "<>"),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}
"""Each comparison as it stands, and with its sides exchanged."""

_HINTS = {
    kinds.TEXT: "write the text in single quotes: {column} = 'value'",
    kinds.NUMBER: "write a number without quotes: {column} > 10",
    kinds.TRUTH: "write {column} = true or {column} = false",
    kinds.DATE: "write an ISO date in single quotes: {column} >= '2021-03-31'",
    kinds.ZONED: "write an ISO date in single quotes: {column} >= '2021-03-31T12:00:00+01:00'",
    kinds.TIME: "write a time in single quotes: {column} < '18:30'",
}


def parse_filter(text: str, schema: pa.Schema) -> Filter:
    """The expression that a text stands for.

    Args:
        text: the condition; ``docs/search.md`` lists what is allowed.
        schema: names and types of the columns that may be asked for.

    Raises:
        BadQuery: the text is no condition, is too large, names no such column or compares a
            column with a value of another type.
    """
    return _Reader(text, schema).read()


class _Reader:
    """One text on its way to an expression."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        text = nfc(text)  # as cells are
        self.text, self.schema = text, schema
        self.lower: dict[str, list[str]] = {}
        for name in schema.names:
            self.lower.setdefault(name.lower(), []).append(name)
        self.source = Source(text, self.lower)
        self.bad = self.source.bad

    def read(self) -> Filter:
        checked = self.source.tokens()
        parse = parser.Parser(error_level=ErrorLevel.IMMEDIATE)
        try:
            tree = parse.parse_into(exp.Condition, checked, self.text)[0]
        except ParseError as error:
            raise self.misplaced(error) from None
        except RecursionError:
            raise self.bad("it is nested too deeply", hint="use fewer parentheses") from None
        if tree is None:
            raise self.bad("it is empty", hint=EXAMPLE)
        return self.condition(tree)

    def misplaced(self, error: ParseError) -> BadQuery:
        """An error of sqlglot, which knows the place, in our words."""
        known = error.errors[0] if error.errors else {}
        word = str(known.get("highlight") or "")
        start = len(str(known.get("start_context") or ""))
        # The context is cut to 100 characters; line and column are not, and count from 1.
        lines = self.text.split("\n")[: int(known.get("line") or 1) - 1]
        column = int(known.get("col") or 0) - len(word)
        place = sum(len(line) + 1 for line in lines) + column
        if self.text[place : place + len(word)] == word:
            start = place
        end = start + max(len(word), 1) - 1
        description = str(known.get("description") or "")
        if "missing" in description:
            return self.bad(f"something is missing beside {word!r}", start, end)
        if "Expecting )" in description:
            return self.bad("a parenthesis is not closed", start, end)
        return self.bad(f"unexpected {word!r}", start, end)

    def span(self, node: exp.Expr) -> tuple[int | None, int | None]:
        """Where in the text a node stands, as far as sqlglot knows."""
        found = [one.meta for one in node.walk() if "start" in one.meta]
        if not found:  # NULL, TRUE and FALSE have no place of their own
            return (None, None) if node.parent is None else self.span(node.parent)
        return min(one["start"] for one in found), max(one["end"] for one in found)

    def condition(self, node: exp.Expr) -> Filter:
        """The expression of a node that is true or false."""
        if isinstance(node, exp.Paren):
            return self.condition(node.this)
        if isinstance(node, exp.And | exp.Or):
            operands = tuple(self.condition(one) for one in node.flatten())
            return And(operands) if isinstance(node, exp.And) else Or(operands)
        if isinstance(node, exp.Not):
            return Not(self.condition(node.this))
        negated = bool(node.args.get("negate"))  # as sqlglot writes some of NOT LIKE, NOT IN
        found = self.leaf(node)
        return Not(found) if negated else found

    def leaf(self, node: exp.Expr) -> Filter:
        """A condition on one column."""
        if isinstance(node, exp.Column):
            name, kind = self.column(node)
            self.need(kind in (kinds.TRUTH, kinds.EMPTY), node, f"{name} alone is no condition")
            return Compare(name, "=", True)
        if type(node) in _OPERATORS:
            return self.comparison(node)
        leaves: dict[type[exp.Expr], tuple[Callable[[exp.Expr], Filter], set[str]]] = {
            exp.Between: (self.between, {"this", "low", "high"}),
            exp.In: (self.one_of, {"this", "expressions"}),
            exp.Like: (self.like, {"this", "expression"}),
            exp.Is: (self.is_null, {"this", "expression"}),
            exp.ArrayContains: (self.has, {"this", "expression"}),
        }
        read, arguments = leaves.get(type(node), (None, set()))
        given = {name for name, value in node.args.items() if value} - {"negate"}
        if read is None or given != arguments:
            raise self.unsupported(node)
        return read(node)

    def unsupported(self, node: exp.Expr) -> BadQuery:
        what = "this is no condition that a filter may contain"
        if isinstance(node, exp.Literal | exp.Boolean | exp.Null | exp.Neg):
            what = "a value alone is no condition"
        elif isinstance(node, exp.In):
            what = "IN is followed by values in parentheses: (2010, 2011)"
        elif isinstance(node, exp.ArrayContains):
            what = "array_has takes a column and a value"
        return self.bad(what, *self.span(node))

    def need(self, right: bool, node: exp.Expr, what: str, hint: str = TABLE) -> None:
        if not right:
            raise self.bad(what, *self.span(node), hint=hint)

    def column(self, node: exp.Expr) -> tuple[str, str]:
        """The name and kind of the column that a node stands for."""
        while isinstance(node, exp.Paren):
            node = node.this
        identifier = node.this if isinstance(node, exp.Column) else None
        if not isinstance(identifier, exp.Identifier) or node.args.get("table"):
            raise self.bad("a column's name is expected here", *self.span(node))
        name = identifier.this
        same = [name] if name in self.schema.names else self.lower.get(name.lower(), [])
        if len(same) == 1:
            return same[0], kinds.kind_of(self.schema.field(same[0]).type)
        if same:
            raise self.bad(
                f"{name} may be any of: {', '.join(same)}", *self.span(node),
                hint="write the name with its capitals",
            )  # fmt: skip
        listed = ", ".join(
            f"{one.name} ({kinds.kind_of(one.type)})" for one in list(self.schema)[:30]
        )
        more = len(self.schema) - 30
        raise self.bad(
            f"there is no column {name!r}",
            *self.span(node),
            hint=f"{_and(nearest(name, self.schema.names))}the columns are: {listed or 'none'}"
            + (f" and {more:,} more" if more > 0 else "")
            + "; a text stands in single quotes, a name with blanks in `back quotes`",
        )

    def value(self, node: exp.Expr, column: str, kind: str) -> Value:
        """A value that a column of some kind can be compared with."""
        while isinstance(node, exp.Paren):
            node = node.this
        inner = node.this if isinstance(node, exp.Neg) else node
        found: Value
        if isinstance(node, exp.Boolean):
            found = bool(node.this)
        elif isinstance(inner, exp.Literal) and not inner.is_string:
            found = self.number(node, inner.this)
        elif isinstance(node, exp.Literal):
            found = str(node.this)
        elif isinstance(node, exp.Null):
            raise self.bad(
                "a comparison with NULL is never true", *self.span(node),
                hint=f"write {column} IS NULL or {column} IS NOT NULL",
            )  # fmt: skip
        elif isinstance(node, exp.Column):
            name = node.name
            raise self.bad(
                f"{column} is compared with {name}, which is no value", *self.span(node),
                hint=f"write a text in single quotes: '{name}'",
            )  # fmt: skip
        else:
            raise self.bad("a value is expected here", *self.span(node))
        problem = _misfit(found, kind)
        if problem:
            hint = _HINTS.get(kind, TABLE).format(column=column)
            if kind.startswith(kinds.LIST):
                hint = f"write array_has({column}, 'value')"
            raise self.bad(f"{column} ({kind}) {problem}", *self.span(node), hint=hint)
        return found

    def number(self, node: exp.Expr, digits: str) -> Decimal:
        try:
            number = Decimal(digits) if len(digits) <= 2 * MOST_DIGITS else Decimal("Infinity")
        except InvalidOperation:  # 1e, or an exponent that no Decimal has
            raise self.bad(f"{digits[:20]!r} is no number", *self.span(node)) from None
        if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
            raise self.bad(f"a number has at most {MOST_DIGITS} digits", *self.span(node))
        return -number if isinstance(node, exp.Neg) else number

    def comparison(self, node: exp.Expr) -> Filter:
        plain, exchanged = _OPERATORS[type(node)]
        left, right = node.args["this"], node.args["expression"]
        if isinstance(left, exp.Literal | exp.Boolean | exp.Neg) and isinstance(right, exp.Column):
            left, right, plain = right, left, exchanged
        name, kind = self.column(left)
        return Compare(name, plain, self.value(right, name, kind))

    def between(self, node: exp.Expr) -> Filter:
        name, kind = self.column(node.this)
        low, high = (self.value(node.args[end], name, kind) for end in ("low", "high"))
        return And((Compare(name, ">=", low), Compare(name, "<=", high)))

    def one_of(self, node: exp.Expr) -> Filter:
        name, kind = self.column(node.this)
        return OneOf(name, tuple(self.value(one, name, kind) for one in node.expressions))

    def like(self, node: exp.Expr) -> Filter:
        name, kind = self.column(node.this)
        right = kind in (kinds.TEXT, kinds.EMPTY)
        self.need(right, node, f"{name} ({kind}) is no text, which LIKE needs")
        pattern = self.value(node.args["expression"], name, kinds.TEXT)
        text = str(pattern)
        self.need(
            len(text) <= MOST_PATTERN, node, f"a pattern has at most {MOST_PATTERN} characters"
        )
        ends = re.fullmatch(r"(?:[^\\]|\\.)*", text, re.DOTALL)
        self.need(ends is not None, node, "a pattern ends in a backslash", "write \\\\ for one")
        return Like(name, text)

    def is_null(self, node: exp.Expr) -> Filter:
        right = isinstance(node.args["expression"], exp.Null)
        self.need(right, node, "IS is followed by NULL or NOT NULL", "compare values with =")
        return IsNull(self.column(node.this)[0])

    def has(self, node: exp.Expr) -> Filter:
        name, kind = self.column(node.this)
        right = kind.startswith(kinds.LIST) or kind == kinds.EMPTY
        self.need(right, node, f"{name} ({kind}) is no list", f"write {name} = 'value'")
        element = kind.removeprefix(kinds.LIST)
        return Has(name, self.value(node.args["expression"], name, element))


def _misfit(value: Value, kind: str) -> str:
    """Why a column of some kind cannot be compared with a value; nothing if it can."""
    if kind == kinds.EMPTY:
        return ""
    given = {str: kinds.TEXT, bool: kinds.TRUTH, Decimal: kinds.NUMBER}[type(value)]
    wanted = kinds.TEXT if kind in (kinds.DATE, kinds.ZONED, kinds.TIME) else kind
    if given != wanted:
        shown = f"'{value}'" if given == kinds.TEXT else str(value).lower()
        return f"cannot be compared with the {given} {shown[:60]}"
    if wanted == kind:
        return ""
    try:
        if kind == kinds.TIME:
            kinds.time_of_day(str(value))
        elif kinds.moment(str(value))[1] and kind == kinds.DATE:
            return f"has no time zone, {value!r} has one"
    except ValueError:
        return f"cannot be compared with {str(value)[:60]!r}, which is no {kind}"
    return ""


def _and(hint: str) -> str:
    return f"{hint} " if hint else ""
