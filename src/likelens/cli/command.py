"""What all commands have in common: repeated options, --quiet and --verbose."""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from . import terminal

OUTPUT = "Output"

_F = TypeVar("_F", bound=Callable[..., Any])

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON value.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print results and errors only.", rich_help_panel=OUTPUT),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Also print what is loaded, how long each stage takes, and tracebacks.",
        rich_help_panel=OUTPUT,
    ),
]


EncodersFile = Annotated[
    Path | None,
    typer.Option(
        "--encoders-file",
        help="TOML file of short names of encoders (default: $LIKELENS_ENCODERS, "
        "or encoders.toml in this folder).",
        show_default=False,
    ),
]


MAY_BE_EMPTY = {"missing"}
"""Options to which an empty text means something."""


@dataclass
class Running:
    """The command that runs, and the tree that it is of."""

    command: Any = None
    tree: Any = None


running = Running()

NAMING = {"encoder", "spec"}
"""Parameters that are names of encoders."""


class Command(TyperCommand):
    """A command that refuses an option given twice with two values, where it takes one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, after a check of what the parser would take silently."""
        running.command, running.tree = self, ctx.find_root().command
        check_values(self, ctx, args)
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """A group of commands, whose own options are checked as those of a command are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, after a check of what the parser would take silently."""
        if args:
            check_values(self, ctx, args)
        return super().parse_args(ctx, args)


def check_values(command: Any, ctx: Any, args: list[str]) -> None:
    """Refuse empty values, and two values of an option that takes one.

    The parser would keep the last of the two, and an empty path names the current folder.

    Raises:
        BadSpec: there are such values.
    """
    if ctx.resilient_parsing:  # for completion
        return
    collecting = copy.copy(command)
    collecting.params = [_collecting(each) for each in command.params]
    given, _, _ = collecting.make_parser(ctx).parse_args(list(args))
    for each in command.params:
        values = given.get(each.name)
        values = values if isinstance(values, list | tuple) else [values]
        distinct = list(dict.fromkeys(values))
        if "" in distinct and each.name not in MAY_BE_EMPTY:
            _refuse(f"{_name(each)} is empty", ctx, "give it a value, or leave it out")
        if _takes_one(each) and len(distinct) > 1:
            _refuse(f"{_spelt(each, distinct)}, but takes one value", ctx, "give it once")


def whose_options(hint: str) -> str:
    """Whose options a hint names, where the command that runs has none of that name."""
    if running.command is None or "likelens " in hint:
        return ""
    found = []
    for option in dict.fromkeys(re.findall(r"(?<![\w-])--[a-z][a-z-]*", hint)):
        owners = [path for path, each in walk(running.tree) if option in _spellings(each)]
        if owners and option not in _spellings(running.command):
            found.append(f"{option} is an option of likelens {min(owners, key=_embed_first)}")
    return f" ({'; '.join(found)})" if found else ""


def walk(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A command and all commands below it, by the words that lead to them."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, f"{path} {name}".strip())


def _spellings(command: Any) -> set[str]:
    return {text for each in command.params for text in (*each.opts, *each.secondary_opts)}


def _embed_first(path: str) -> tuple[bool, str]:
    return path != "embed", path


def _refuse(what: str, ctx: Any, hint: str) -> None:
    from ..values.errors import BadSpec

    raise BadSpec(what, where=ctx.command_path, hint=hint)


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())


def _takes_one(parameter: Any) -> bool:
    option: bool = parameter.param_type_name == "option"
    return option and not parameter.multiple and not parameter.count


def _collecting(parameter: Any) -> Any:
    """The same parameter, of which the parser keeps all values."""
    if not _takes_one(parameter):
        return parameter
    repeated = copy.copy(parameter)
    repeated.multiple = True
    return repeated


def _spelt(option: Any, values: list[Any]) -> str:
    if option.is_flag:
        return f"{_name(option)} is given beside {option.secondary_opts[0]}"
    return f"{_name(option)} is given as {values[0]!r} and as {values[1]!r}"


class App(typer.Typer):
    """A Typer application whose commands have in common what this module holds."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=Group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_F], _F]:
        """Registers a function as a command, with --quiet and --verbose."""
        register = super().command(name, cls=Command, **settings)

        def add(function: _F) -> _F:
            register(with_output(function))
            return function

        return add


def with_output(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with more options, which are taken note of before it runs.

    These are --quiet and --verbose, and of a command that takes encoders --encoders-file.
    """
    own = inspect.signature(function, eval_str=True)

    names_encoders = bool(NAMING & own.parameters.keys())

    @functools.wraps(function)
    def called(*, quiet: bool, verbose: bool, **given: Any) -> Any:
        choose_output(quiet, verbose)
        if names_encoders:
            from ..encoders.named import choose_file

            choose_file(given.pop("encoders_file"))
        return function(**given)

    more: dict[str, tuple[Any, Any]] = {"quiet": (False, Quiet), "verbose": (False, Verbose)}
    if names_encoders:
        more = {"encoders_file": (None, EncodersFile), **more}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (default, kind) in more.items()
    ]
    signature = own.replace(parameters=[*own.parameters.values(), *added])
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return called


def choose_output(quiet: bool, verbose: bool) -> None:
    """Take note of what the user wants to see, before the command's name or after it.

    Raises:
        BadSpec: both are wanted.
    """
    asked = terminal.asked
    asked.quiet |= quiet
    asked.verbose |= verbose
    if asked.quiet and asked.verbose:
        from ..values.errors import BadSpec

        raise BadSpec(
            "--quiet and --verbose are both given", where="likelens", hint="give one of them"
        )
    log = logging.getLogger("likelens")
    log.handlers = [handler for handler in log.handlers if not isinstance(handler, _Shown)]
    log.setLevel(logging.NOTSET)
    if asked.verbose:
        log.addHandler(_Shown())
        log.setLevel(logging.DEBUG)


class _Shown(logging.Handler):
    """Shows the package's log on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        terminal.message("debug", record.getMessage())
