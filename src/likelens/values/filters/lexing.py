"""Splits the text of a filter into tokens, and bounds it before it is parsed."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import zip_longest

from sqlglot import tokens
from sqlglot.errors import TokenError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from ..errors import BadQuery

MOST_CHARACTERS = 1_000_000
MOST_CONDITIONS = 500
MOST_VALUES = 50_000
MOST_DEPTH = 20
EXAMPLE = "write a condition such as \"gender = 'Men' and year > 2010\""
TABLE = (
    "write conditions joined by AND or OR, a text in 'single quotes', a name with blanks in "
    "`back quotes`; docs/search.md lists what a filter may contain"
)

_SYMBOLS = {
    TokenType.STRING, TokenType.NUMBER, TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA,
    TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE,
    TokenType.DASH, TokenType.DOT, TokenType.IDENTIFIER,
}  # fmt: skip
_KEYWORDS = {"AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "TRUE", "FALSE"}
_HAS = "ARRAY_HAS"
_CONDITIONS = {"=", "==", "<>", "!=", "<", "<=", ">", ">=", "IN", "BETWEEN", "LIKE", "IS", _HAS}
_WORD = re.compile(r"[^\W\d]\w*")
_QUOTED = re.compile(r"'[^']*'|`[^`]*`|\"[^\"]*\"")


class _Tokenizer(tokens.Tokenizer):
    IDENTIFIERS = ["`", '"']  # noqa: RUF012 - as the base class has it


class Source:
    """The text of a filter.

    Args:
        text: the text.
        names: columns that it may ask for, in small letters.
    """

    def __init__(self, text: str, names: Container[str]) -> None:
        self.text, self.names = text, names

    def bad(
        self, what: str, start: int | None = None, end: int | None = None, hint: str = TABLE
    ) -> BadQuery:
        """An error that shows the place, ``start`` to ``end`` (inclusive), of the text."""
        place, shown = "", self.text if len(self.text) <= 120 else self.text[:117] + "..."
        if start is not None and end is not None:
            place = f" at character {start + 1}"
            before, after = self.text[max(0, start - 40) : start], self.text[end + 1 : end + 41]
            shown = f"{before}>>>{self.text[start : end + 1][:80]}<<<{after}"
        return BadQuery(
            f"the filter cannot be understood{place}: {what}", where=f"--where {shown}", hint=hint
        )

    def tokens(self) -> list[Token]:
        """The tokens, words other than keywords as names of columns.

        Raises:
            BadQuery: one is not allowed, a quote is open, or the text is too large or deep.
        """
        if any("\ud800" <= sign <= "\udfff" for sign in self.text):
            self.text = self.text.encode("utf-8", "replace").decode()
            raise self.bad("it is not valid Unicode", hint="write it in UTF-8")
        if len(self.text) > MOST_CHARACTERS:
            raise self.bad(
                f"it has {len(self.text):,} characters; at most {MOST_CHARACTERS:,} are read",
                hint="put what the filter selects into a column of the catalogue",
            )
        try:
            found = _Tokenizer().tokenize(self.text)
        except TokenError:
            rest = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), self.text)
            start = next((place for place, sign in enumerate(rest) if sign in "'`\""), 0)
            raise self.bad(
                "a quote is not closed", start, start, "write a quote within a text twice: 'it''s'"
            ) from None
        end = -1
        for token in found:
            self.check_gap(end + 1, token.start)
            end = token.end
        self.check_gap(end + 1, len(self.text))
        known = [self.checked(token) for token in found]
        for token, follower in zip_longest(known, known[1:]):
            self.check_pair(token, follower)
        self.check_size(known)
        return known

    def check_gap(self, start: int, end: int) -> None:
        """Between tokens stand only blanks: sqlglot passes over comments."""
        skipped = self.text[start:end].strip()
        if skipped:
            start = self.text.index(skipped, start)
            raise self.bad("comments are not allowed", start, start + len(skipped) - 1)

    def checked(self, token: Token) -> Token:
        """The token, where a word that is no keyword of filters becomes a column's name."""
        kind, written = token.token_type, self.text[token.start : token.end + 1]
        if kind == TokenType.IDENTIFIER and written.startswith('"'):
            name = token.text
            hint = f"write `{name}`" if name.lower() in self.names else f"write '{name}'"
            raise self.bad(
                "double quotes are not used: a text stands in single quotes, a column's name in "
                "`back quotes`", token.start, token.end, hint,
            )  # fmt: skip
        if kind in _SYMBOLS or written.upper() in (*_KEYWORDS, _HAS):
            return token
        if not _WORD.fullmatch(written):
            hint = "compare a column with a value; there is no arithmetic, and there are no "
            hint += "parameters, casts, comments or statements"
            raise self.bad(f"{written!r} is not allowed here", token.start, token.end, hint)
        return Token(
            TokenType.IDENTIFIER, token.text, token.line, token.col, token.start, token.end
        )

    def check_pair(self, token: Token, follower: Token | None) -> None:
        """Neighbours that sqlglot would read as something that is not allowed."""
        kind, after = token.token_type, None if follower is None else follower.token_type
        if kind == TokenType.DOT and after != TokenType.NUMBER:
            raise self.bad(
                "a name with a dot stands in back quotes", token.start, token.end, "write `a.b`"
            )
        if follower is None:
            return
        joined = follower.start == token.end + 1
        if after == TokenType.DOT and kind in (TokenType.IDENTIFIER, TokenType.NUMBER) and joined:
            raise self.bad(
                "a name with a dot stands in back quotes", token.start, follower.end, "write `a.b`"
            )
        if kind == TokenType.IDENTIFIER and after == TokenType.L_PAREN:
            raise self.bad(
                f"there is no function {token.text}", token.start, follower.end,
                "the only function is array_has(column, 'value')",
            )  # fmt: skip
        if kind == TokenType.STRING and after == TokenType.STRING:
            raise self.bad("two texts stand side by side", follower.start, follower.end)
        if kind == TokenType.DASH and after not in (TokenType.NUMBER, TokenType.DOT):
            raise self.bad("a minus sign stands before a number", token.start, token.end)
        if kind == TokenType.COMMA and after == TokenType.R_PAREN:
            raise self.bad("a value is missing after the comma", token.start, follower.end)

    def check_size(self, known: Sequence[Token]) -> None:
        """Bounds what sqlglot, which calls itself for every level, is given."""
        words = [token.text.upper() for token in known if token.token_type != TokenType.STRING]
        conditions = max(
            sum(word in _CONDITIONS for word in words), sum(word in ("AND", "OR") for word in words)
        )
        values = sum(token.token_type == TokenType.COMMA for token in known)
        depth = deepest = negations = 0
        for token in known:
            depth += (token.token_type == TokenType.L_PAREN) - (
                token.token_type == TokenType.R_PAREN
            )
            negations = negations + 1 if token.token_type == TokenType.NOT else 0
            deepest = max(deepest, depth, negations)
        for count, limit, what, hint in (
            (conditions, MOST_CONDITIONS, "conditions", "use IN (...) for many values of a column"),
            (values, MOST_VALUES, "values", "put what the filter selects into a column"),
            (deepest, MOST_DEPTH, "nested levels", "use fewer parentheses"),
        ):
            if count > limit:
                raise self.bad(f"it has {count:,} {what}; at most {limit:,} are read", hint=hint)
