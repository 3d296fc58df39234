"""The command line: arguments in, exit code out.

Results go to stdout; progress, notes and errors to stderr. Exit codes: 0 done,
1 failed, 2 wrong use, 130 stopped by the user, 141 nobody reads the output any more.
"""

from __future__ import annotations

import errno
import re
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Any, TextIO

import typer

from ..values.errors import LikelensError, LikelensWarning
from . import terminal
from .app import app
from .command import whose_options
from .completion import prepare

BEFORE = r"(?:[^-:=?@][^:=?@]*=)?(?:[\d.]+\*)?"
"""What may stand before an encoder: ``NAME=`` in some commands, and the weight of a fused one."""

SPEC = re.compile(BEFORE + r"[a-z][a-z0-9_]+:.+")

SHORT_NAME = re.compile(BEFORE + r"([A-Za-z][\w.-]*)(?:[@?]\S+)?(?: \+ .+)?")

SHORT = re.compile(r"(-[a-zA-Z])=(.*)", re.DOTALL)

ENCODER_FLAGS = (["-e"], ["--encoder"])

STOPPED, NOBODY_READS = 130, 141
"""Exit codes, as shells give them to programs that end by SIGINT and by SIGPIPE."""

UsageError: Any = typer.BadParameter.__bases__[0]

OS_HINTS = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "free some space: your quota is used up",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENFILE: "too many files are open on this machine: end other programs",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EROFS: "name a folder on a disk that can be written to",
    errno.EBADF: "leave stdout open, or send it to a file",
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends by SystemExit."""
    given = sys.argv[1:] if arguments is None else arguments
    terminal.start(as_json="--json" in given)
    warnings.showwarning = _show_warning
    code = 1
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        code = NOBODY_READS
    except KeyboardInterrupt:
        code = STOPPED
    except SystemExit as done:  # a library's
        code = done.code if isinstance(done.code, int) else 1
        code = NOBODY_READS if isinstance(done.__context__, BrokenPipeError) else code
    except BaseException as error:  # noqa: BLE001 - a panic of a library in Rust is no Exception
        code = _complain(error)
    terminal.abandon_output()
    terminal.choose()
    sys.exit(code)


def _run(given: list[str]) -> int:
    prepare()
    code = app(repeat_flag(given), prog_name="likelens", standalone_mode=False)
    return code if isinstance(code, int) else 0


def repeat_flag(given: list[str]) -> list[str]:
    """Arguments in which ``-e A B C`` reads ``-e A -e B -e C``, and ``-k=5`` reads ``-k 5``."""
    command = next((word for word in given if not word.startswith("-")), "")
    several = command != "search"  # which takes one, and ids of items may look like specs
    out: list[str] = []
    follows = False
    for word in given:
        short = SHORT.fullmatch(word)
        if several and follows and (SPEC.fullmatch(word) or _is_short_name(word, given)):
            out += ["-e", word]
        elif short:
            out += [short[1], short[2]]
            follows = short[1] == "-e"
        else:
            follows = word.startswith("--encoder=") or out[-1:] in ENCODER_FLAGS
            out.append(word)
    return out


def _is_short_name(word: str, given: list[str]) -> bool:
    """Whether a word is a name in the file of encoders that these arguments mean."""
    written = SHORT_NAME.fullmatch(word)
    if not written:
        return False
    from ..encoders.opening import short_names

    words = iter([*given, ""])
    file = None
    for each in words:
        if each == "--encoders-file":
            file = next(words)
        elif each.startswith("--encoders-file="):
            file = each.partition("=")[2]
    try:
        return written[1] in short_names(file or None)
    except LikelensError:
        return False  # the command says what is wrong with the file


def _complain(error: BaseException) -> int:
    """Say what went wrong in one sentence; returns the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":  # which printed the help when it was made
        return 2
    said = _sentence(error)
    said.hint += whose_options(said.hint)
    with suppress(OSError):  # stderr is closed or full too: the exit code must do
        if terminal.asked.verbose and not said.wrong_use:
            text = "".join(traceback.format_exception(error))
            terminal.message("traceback", text.rstrip())
        parts = {"what": said.what, "where": said.where, "hint": said.hint, "mend": said.hint}
        if terminal.asked.as_json:
            terminal.message("error", "", parts)
        else:
            terminal.message(
                "likelens", f"{said.what}\n  where: {said.where}\n  hint:  {said.hint}"
            )
    return 2 if said.wrong_use else 1


def _sentence(error: BaseException) -> LikelensError:
    """Any error as one of ours."""
    if isinstance(error, LikelensError):
        return error
    if isinstance(error, UsageError):
        return _wrong_use(error)
    if isinstance(error, typer.Abort):
        return LikelensError("the input ended", where="stdin", hint="answer the question")
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        reason = reason[:1].lower() + reason[1:]
        return LikelensError(
            f"the result cannot be printed: {reason}" if error.filename == "stdout" else reason,
            where=str(error.filename or "this machine"),
            hint=OS_HINTS.get(error.errno or 0, "check the path and the permissions"),
        )
    if isinstance(error, MemoryError):
        return LikelensError(
            f"there is not enough memory{_detail(error)}",
            where="this machine",
            hint="end other programs, or take fewer items or a smaller encoder",
        )
    if isinstance(error, RecursionError):
        return LikelensError(
            "the input is nested too deeply",
            where="this command's input",
            hint="make it flatter; --verbose shows where it was read",
        )
    return LikelensError(
        f"unexpected {type(error).__name__}{_detail(error)}",
        where="likelens",
        hint="this is a bug: run the command with --verbose for the traceback, and report it",
    )


def _detail(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200]
    return f": {text}" if text else ""


def _wrong_use(error: Any) -> LikelensError:
    """What Click refuses, as one of ours."""
    text = " ".join(error.format_message().split()).rstrip(".").replace(": Value error, ", ": ")
    command = "likelens" if error.ctx is None else error.ctx.command_path
    said = LikelensError(text, where=command, hint=f"see {command} --help")
    said.wrong_use = True
    return said


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,
) -> None:
    if issubclass(category, LikelensWarning):
        terminal.note(str(message))
    elif not terminal.asked.quiet:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        terminal.message("warning", text.rstrip())
