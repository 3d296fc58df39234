"""Libraries that only some features need: imported when asked for, or how to get them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .errors import MissingExtra


def install_hint(extra: str, options: str = "") -> str:
    """The command that installs an extra; likelens itself is on no package index."""
    return f'in the folder of likelens: pip install {options}-e ".[{extra}]"'


def need(module: str, *, extra: str, where: str) -> Any:
    """The imported module.

    Args:
        module: its name, such as ``timm``.
        extra: the extra of likelens that brings it.
        where: what needs it, such as the spec of an encoder.

    Raises:
        MissingExtra: it is not installed, or what it needs is not.
    """
    if find_spec(module.partition(".")[0]) is None:
        raise MissingExtra(
            f"{module} is not installed",
            where=where,
            hint=install_hint(extra),
        )
    try:
        return import_module(module)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise MissingExtra(
            f"{module} is installed but cannot be imported: {reason[:200]}",
            where=where,
            hint=install_hint(extra, "--force-reinstall "),
        ) from error
