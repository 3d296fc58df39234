"""The command line: arguments in, exit code out.

Results go to stdout; progress, notes and errors to stderr. Exit codes: 0 done,
1 failed, 2 wrong use, 130 stopped by the user.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from typing import TextIO

from ..values.errors import LikelensError, LikelensWarning
from .app import app

SPEC = re.compile(r"(?:[^-:=][^:=]*=)?[a-z][a-z0-9_]+:.+")
"""An encoder, or in some commands ``NAME=`` and an encoder."""

ENCODER_FLAGS = ("-e", "--encoder")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends by SystemExit."""
    given = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _show_warning
    try:
        app(repeat_flag(given), prog_name="likelens")
    except LikelensError as error:
        _complain(error, as_json="--json" in given)
        sys.exit(2 if error.wrong_use else 1)
    except OSError as error:
        reason = error.strerror or str(error)
        failed = LikelensError(
            reason[:1].lower() + reason[1:],
            where=str(error.filename or "this machine"),
            hint="check the path, the permissions and the space on the disk",
        )
        _complain(failed, as_json="--json" in given)
        sys.exit(1)


def repeat_flag(given: list[str]) -> list[str]:
    """Arguments in which ``-e A B C`` reads ``-e A -e B -e C``."""
    out: list[str] = []
    if given[:1] == ["search"]:  # which takes one, and ids of items may look like specs
        return given
    for place, word in enumerate(given):
        follows = (
            place > 1
            and SPEC.fullmatch(word)
            and SPEC.fullmatch(given[place - 1])
            and out[-2] in ENCODER_FLAGS
        )
        out += ["-e", word] if follows else [word]
    return out


def _complain(error: LikelensError, *, as_json: bool) -> None:
    if as_json:
        parts = {"what": error.what, "where": error.where, "hint": error.hint, "mend": error.hint}
        print(json.dumps({"error": parts}), file=sys.stderr)  # noqa: T201
    else:
        print(f"likelens: {error}", file=sys.stderr)  # noqa: T201


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = f"note: {message}"
    if not issubclass(category, LikelensWarning):
        text = warnings.formatwarning(message, category, filename, lineno, line).rstrip()
    print(text, file=file or sys.stderr)
