"""``python -m studies.who_to_trust``: simulate shops, and write the tables and charts."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from likelens.values.errors import LikelensError

from .score import Settings
from .study import trust
from .write import NAME, write_trust

OPTIONS = {
    "items": "garments in a shop",
    "experts": "experts who judge each pair",
    "pair_seconds": "seconds in which an expert judges a pair",
    "tag_seconds": "seconds in which all tags of an item are entered",
    "tag_errors": "share of the tags that are wrong",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the study; an interrupted run continues where it stopped.

    Returns:
        The exit code: 0, or 2 for a wrong argument.
    """
    parser = argparse.ArgumentParser(prog="python -m studies.who_to_trust", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="shops; intervals need 5")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of the files")
    usual = Settings()
    for name, text in OPTIONS.items():
        default = getattr(usual, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default, help=text
        )
    given = parser.parse_args(arguments)
    command = shlex.join(
        [*parser.prog.split(), *(sys.argv[1:] if arguments is None else arguments)]
    )
    try:
        settings = Settings(**{name: getattr(given, name) for name in OPTIONS})
        found = trust(given.out / f".{NAME}", seeds=given.seeds, settings=settings, progress=_say)
        print(write_trust(found, given.out, command))
    except LikelensError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _say(label: str, done: int, total: int) -> None:
    print(f"{label}: {done} of {total}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
