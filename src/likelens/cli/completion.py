"""``likelens completion``: what a shell needs to complete commands, options and encoders."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..values.errors import LikelensError
from . import show
from .command import AsJson

PROGRAM, VARIABLE = "likelens", "_LIKELENS_COMPLETE"

BASH = """\
_likelens_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" word
    word="${line##* }"
    mapfile -t COMPREPLY < <(_LIKELENS_COMPLETE=complete_fish _TYPER_COMPLETE_ARGS="$line" \\
        _TYPER_COMPLETE_FISH_ACTION=get-args "$1" 2>/dev/null | cut -f1)
    # bash takes : and = for ends of words, and replaces only what follows the last of them
    word="${word%"${word##*[:=]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
    if [[ ${#COMPREPLY[@]} -eq 1 ]]; then
        case "${COMPREPLY[0]}" in
            "") COMPREPLY=() ;;
            *[:/]) compopt -o nospace ;;
        esac
    fi
}
complete -o default -F _likelens_completion likelens
"""
"""Typer's own script for bash ends the name of an encoder at its colon."""

PLAIN = re.compile(r"[\w.+,@%/=~-]+")
"""Paths that are offered: others would have to be quoted, each shell in its own way."""

FILES = ("onnx", "vectors", "checkpoint")
"""Sources of encoders whose names go on with a path."""


def encoder_names(incomplete: str) -> list[str]:
    """Names of encoders that begin so: sources, those of presets, and files of networks."""
    from .. import presets
    from ..encoders.opening import ENCODERS, short_names

    short: dict[str, str] = {}
    with suppress(LikelensError):
        short = short_names()
    source, colon, path = incomplete.partition(":")
    if colon and source in FILES:
        return [f"{source}:{found}" for found in _paths(path)]
    rows = (row.spec for name in presets.names() for row in presets.preset(name))
    known = [*short, *(f"{name}:" for name in ENCODERS.names()), *dict.fromkeys(rows)]
    found = [name for name in known if name.startswith(incomplete) and name != incomplete]
    return found if colon else [name for name in found if name.endswith(":") or name in short]


def preset_names(incomplete: str) -> list[str]:
    """Names of presets that begin so."""
    from .. import presets

    return [name for name in presets.names() if name.startswith(incomplete)]


def prepare() -> None:
    """Have Typer answer a shell's request for completions, if this run is one."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


def _paths(text: str) -> list[str]:
    folder = Path(text).parent if not text.endswith("/") else Path(text)
    try:
        found = sorted(folder.expanduser().iterdir())
    except OSError:
        return []
    start = text[: len(text) - len(text.rpartition("/")[2])]
    names = (f"{start}{one.name}{'/' if one.is_dir() else ''}" for one in found)
    return [name for name in names if name.startswith(text) and PLAIN.fullmatch(name)]


def print_completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"],
        typer.Argument(help="The shell that is to complete.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Print a script that completes commands, options, encoders and files.

    For bash: eval "$(likelens completion bash)", in ~/.bashrc to have it always.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = BASH
    if shell != "bash":
        script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)
    if as_json:
        show.print_json({"shell": shell, "script": script})
    else:
        show.say(script.rstrip())
