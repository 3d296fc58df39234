"""The one door to the terminal: results on stdout, everything else on stderr, nothing raw.

Texts come from file names, tables and other people's messages. No text is read as markup, and
control characters are shown as escapes, so that none of them can move the cursor or hide text.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 160
"""Columns of a table that is written to a file or a pipe."""

FOLD_TO, CUT_TO = 24, 6
"""Columns of text are no narrower; on a terminal without that room it breaks the lines itself."""

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass
class Output:
    """What the user asked to see."""

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False


asked = Output()


def start(*, as_json: bool) -> None:
    """Make stdout and stderr usable for any text, whatever state they were given in.

    Characters that their encoding lacks are replaced. A closed stdout refuses to be written to,
    as a full disk does; a closed stderr swallows what it is given.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    choose(as_json=as_json)


def choose(*, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
    """Take note of what the user asked to see."""
    asked.quiet, asked.verbose, asked.as_json = quiet, verbose, as_json


def abandon_output() -> None:
    """Send what is still buffered nowhere: the interpreter would complain about it at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def safe(text: str) -> str:
    r"""The text with control characters, and those that reverse its direction, as escapes.

    Example:
        >>> safe("red\x1b[31m shirt\u202e")
        'red\\x1b[31m shirt\\u202e'
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def line(text: str) -> str:
    """The text on one line."""
    return safe(text).replace("\n", "\\n").replace("\t", "\\t")


class Screen(Console):
    """A console that takes no text for markup and lets no control character through."""

    def __init__(self, *, stderr: bool = False) -> None:
        wide = None if (sys.stderr if stderr else sys.stdout).isatty() else PIPE_WIDTH
        super().__init__(stderr=stderr, width=wide, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Every text that is not a ``Text`` yet comes through here."""
        return super().render_str(safe(text), **settings)

    def print(self, *things: Any, **settings: Any) -> None:
        """As rich does; an error of the stream names it."""
        try:
            super().print(*things, **settings)
        except OSError as error:
            raise _named(error, self.file) from error

    def on_broken_pipe(self) -> None:
        """The command line ends quietly by itself."""
        raise BrokenPipeError


def _named(error: OSError, stream: Any) -> OSError:
    if error.filename is None:
        error.filename = "stderr" if stream is sys.stderr else "stdout"
    return error


def stdout() -> Screen:
    """Where results go; wide enough not to break a table when it is piped."""
    return Screen()


def stderr() -> Screen:
    """Where all else goes."""
    return Screen(stderr=True)


def say(text: str) -> None:
    """A line of a result."""
    stdout().print(text, soft_wrap=True)


def note(text: str) -> None:
    """Something worth knowing, beside the result; not with --quiet."""
    if not asked.quiet:
        message("note", text)


def debug(text: str) -> None:
    """How the work goes; only with --verbose."""
    if asked.verbose:
        message("debug", text)


def message(kind: str, text: str, value: object = None) -> None:
    """A line on stderr; with --json, a JSON value of that name on a line."""
    if asked.as_json:
        content = json.dumps({kind: text if value is None else value})
        stderr().print(content, soft_wrap=True)
    else:
        stderr().print(f"{kind}: {text}", soft_wrap=True)


def print_json(value: Any) -> None:
    """A result for machines: one JSON value on stdout."""
    from ..values.files import plain

    try:
        json.dump(plain(value), sys.stdout, indent=1, allow_nan=False)
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        raise _named(error, sys.stdout) from error


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Sequence[int] = (0,),
    title: str = "",
    styles: Sequence[str] = (),
    cut: Sequence[int] = (),
) -> None:
    """A table on stdout.

    Args:
        heads: the columns' names.
        rows: their cells.
        words: positions of the columns of text, which are folded where there is no room; the
            others are numbers.
        title: a line above.
        styles: rich's style of each row.
        cut: positions of the columns of text whose cells are cut, not folded.
    """
    screen = stdout()
    shown = Table(
        box=None, pad_edge=False, header_style="bold", title=title or None, title_justify="left"
    )
    room = 2 * (len(heads) - 1)
    for place, head in enumerate(heads):
        longest = max(cell_len(line(row[place])) for row in (heads, *rows) if place < len(row))
        room += 0 if place in cut else min(longest, FOLD_TO) if place in words else longest
        if place in words:
            shown.add_column(line(head), overflow="fold")
        elif place in cut:
            shown.add_column(line(head), overflow="ellipsis", no_wrap=True)
        else:
            shown.add_column(line(head), justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        shown.add_row(*map(line, row), style=styles[place] if styles else "")
    for column in (shown.columns[place] for place in cut):
        column.max_width = max(CUT_TO, (screen.width - room) // len(cut))
    screen.width = max(screen.width, room + CUT_TO * len(cut))
    screen.print(shown)
