"""The document of the simulation: Markdown and its charts."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from ...report.sections import Chart, markdown_sections
from ...values.files import make_folder, write_aside
from .score import Settings
from .study import Trust
from .text import sections

NAME = "who-to-trust"

HEAD = """# Who to trust when you choose an encoder

You have a budget for asking people which garments look alike, and a list of encoders to choose
from. You cannot judge every pair, so you judge what some encoders find (a pool), and score all
encoders by that. Are those that chose the questions favoured? Does ROC-AUC help? Would tags have
done? On real pictures nobody knows the true order, so nobody can tell. Here garments are drawn by
code, what is truly alike is known, experts are simulated, and every score is held against the
truth.

Written by this command, figures and all; the same seeds give the same figures:

    {command}

"""

ASSUMED = ("experts", "pair_seconds", "tag_seconds", "tag_errors")
"""Settings that the command takes beside the number of items."""

_IGNORED = "*\n"


def trust_folder(out: Path) -> Path:
    """Where the figures of each seed are kept: hidden, and not for version control."""
    folder = out / f".{NAME}"
    write_aside(folder / ".gitignore", _writer(_IGNORED))
    return folder


def write_trust(found: Trust, out: Path) -> Path:
    """Write ``who-to-trust.md`` and its charts, ``images/who-to-trust-*.svg``.

    Args:
        found: what was measured.
        out: folder; it is made if missing, and files of those names are replaced.

    Returns:
        The path of the Markdown file.

    Raises:
        BadTable: the folder cannot be written to.
    """
    make_folder(out)
    parts = sections(found)
    for section in parts:
        for part in section.parts:
            if isinstance(part, Chart):
                write_aside(out / "images" / f"{NAME}-{part.name}", _writer(part.svg))
    head = HEAD.format(command=_command(found, out))
    page = out / f"{NAME}.md"
    write_aside(page, _writer(head + markdown_sections(parts, f"images/{NAME}-")))
    return page


def _command(found: Trust, out: Path) -> str:
    """What writes the page again."""
    given, usual = found.settings, Settings()
    words = ["--seeds", f"{len(found.shops)}", "--items", f"{given.items}"]
    for name in ASSUMED:
        if getattr(given, name) != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", f"{getattr(given, name)}"]
    return shlex.join(["likelens", "reproduce", "who-to-trust", *words, "--out", out.as_posix()])


def _writer(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")
