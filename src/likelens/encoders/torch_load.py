"""Importing torch and its neighbours, and getting weights, with errors that carry a hint."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..values.errors import BadSpec, LikelensError, NoWeights
from ..values.extras import need
from ..values.spec import Spec

ELSEWHERE = ("hf-hub:", "local-dir:")
"""How timm and open_clip are told of a repository, or of a folder."""

_OPERATORS = (
    "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def need_torch(where: str) -> Any:
    """The module ``torch``.

    Raises:
        MissingExtra: it is not installed.
    """
    return sys.modules.get("torch") or need("torch", extra="torch", where=where)


def need_library(name: str, spec: Spec) -> Any:
    """A library of torch networks, such as ``timm``.

    torchvision comes first, for the others import it, too.

    Raises:
        MissingExtra: it is not installed.
    """
    torch = need_torch(str(spec))
    need_vision(torch, str(spec))
    return need(name, extra="torch", where=str(spec))


def need_vision(torch: Any, where: str) -> Any:
    """The module ``torchvision``, also where its compiled operators do not fit torch.

    The registry's torchvision is compiled for torch with CUDA. Beside a torch for the
    processor alone its operators, which only detection uses, cannot be loaded, and then its
    import fails on the names of two of them. So these are declared, without a body.
    """
    try:
        return need("torchvision", extra="torch", where=where)
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for declared in _OPERATORS:
        name, _, signature = declared.partition("(")
        torch.library.define(name, f"({signature}")
    return need("torchvision", extra="torch", where=where)


def find_device(name: str, where: str) -> str:
    """The device of that name, ``auto`` being the first GPU or the processor.

    Raises:
        BadSpec: there is no such device here.
    """
    torch = need_torch(where)
    there = ["cpu"]
    there += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    if name == "auto":
        return there[1] if len(there) > 1 else "cpu"
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise BadSpec(
            f"there is no device {name!r} here",
            where=where,
            hint=f"choose one of: auto, {', '.join(there)}",
        )
    return wanted


@contextmanager
def getting_weights(spec: Spec, home: str) -> Iterator[None]:
    """Turns what a download or a damaged file makes libraries raise into one sentence.

    Args:
        spec: the encoder.
        home: the variable that says where the library keeps its files.

    Raises:
        NoWeights: instead of any other error.
    """
    try:
        with _hub_at_once() if home == "HF_HOME" else nullcontext():
            yield
    except LikelensError:
        raise
    except (AssertionError, TypeError) as error:
        raise BadSpec(
            f"the network cannot be built: {_reason(error)}",
            where=str(spec),
            hint="correct the options, or leave them out",
        ) from error
    except Exception as error:  # libraries and their download layers raise anything
        raise NoWeights(
            f"its weights cannot be had: {_reason(error)}",
            where=str(spec),
            hint=_local_hint(spec) or _mend(error, home),
        ) from error


def refuse_download(url: str, spec: Spec) -> None:
    """Refuse to fetch what torch's own cache has not, where the hub's variable says offline.

    Raises:
        NoWeights: HF_HUB_OFFLINE is set, and the file is not there.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() not in ("1", "ON", "YES", "TRUE"):
        return
    folder = Path(need_torch(str(spec)).hub.get_dir()) / "checkpoints"
    name = urlsplit(url).path.rpartition("/")[2]
    if not (folder / name).exists():
        raise NoWeights(
            f"its weights are not here, and HF_HUB_OFFLINE forbids to fetch them: {name}",
            where=str(spec),
            hint=f"unset HF_HUB_OFFLINE, or put the file into {folder}",
        )


@contextmanager
def _hub_at_once() -> Iterator[None]:
    """Without the hub's name being known here, or a proxy, only kept files are looked for.

    Its library would ask again and again for most of a minute, for each file.
    """
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = (
        constants.HF_HUB_OFFLINE,
        (constants.HF_HUB_OFFLINE or not _is_known(urlsplit(constants.ENDPOINT).hostname or "")),
    )
    logger = logging.getLogger("huggingface_hub")
    level, logger.level = logger.level, logging.CRITICAL
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, logger.level = before, level


def _is_known(host: str) -> bool:
    """Whether the host's name leads anywhere; behind a proxy, it is the proxy that knows."""
    if {"http", "https", "all"} & getproxies().keys():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _reason(error: Exception) -> str:
    first = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {first[:240] or 'no more is said'}"


def _local_hint(spec: Spec) -> str:
    """What a folder of a network needs, where the encoder is one."""
    folder = spec.identifier.removeprefix("local-dir:")
    if spec.identifier == folder and not Path(folder).expanduser().is_dir():
        return ""
    described = "open_clip_config.json" if spec.source == "open_clip" else "config.json"
    return f"check the folder: it needs {described} and the weights that belong to it"


def _mend(error: Exception, home: str) -> str:
    if any(isinstance(one, OSError) and one.errno == errno.ENOSPC for one in _chain(error)):
        return f"free some space, or set {home} to a folder on another disk"
    return (
        f"connect to the network once (files are kept where {home} says), use a file that you "
        "have by checkpoint:FILE?arch=..., or ask for random weights: ?weights=none"
    )
