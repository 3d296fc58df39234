"""Writes public_names.json: every public name, and every command with its options.

Run it when a public name is added: python tests/golden/make_public_names.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer.main

FILE = Path(__file__).with_name("public_names.json")
MODULES = ("likelens", "likelens.metrics", "likelens.eds", "likelens.garments")


def public_names() -> dict[str, list[str]]:
    """The names of each public module, sorted."""
    from importlib import import_module

    return {module: sorted(import_module(module).__all__) for module in MODULES}


def options_by_command() -> dict[str, list[str]]:
    """Every spelling of every option and argument, by command, with those that help hides."""
    from likelens.cli.app import app

    found: dict[str, list[str]] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        spellings = [
            spelling
            for parameter in command.params
            for spelling in (
                [*parameter.opts, *parameter.secondary_opts]
                if parameter.param_type_name == "option"
                else [parameter.name]
            )
        ]
        found[" ".join(path)] = sorted(spellings)
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*path, name))

    walk(typer.main.get_command(app), ("likelens",))
    return dict(sorted(found.items()))


if __name__ == "__main__":
    names = {"modules": public_names(), "commands": options_by_command()}
    FILE.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
