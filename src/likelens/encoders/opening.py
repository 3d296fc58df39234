"""Encoders by their names: the register of sources, ``open_encoder`` and its plurals."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..values.errors import (
    BadSpec,
    EncoderFailed,
    LikelensError,
    LikelensWarning,
    first_few,
    in_short,
)
from ..values.registry import Registry
from ..values.spec import Spec
from .base import Encoder, VectorSource
from .named import read_names, resolve, shown
from .noted import noted
from .running import Running, unheeding, way_of

ENCODERS = Registry("encoder source")
ENCODERS.add("onnx", "likelens.encoders.onnx:OnnxEncoder")
ENCODERS.add("opencv", "likelens.encoders.classical:open_classical")
ENCODERS.add("mahotas", "likelens.encoders.mahotas:open_mahotas")
ENCODERS.add("control", "likelens.encoders.control:open_control")
ENCODERS.add("vectors", "likelens.encoders.vectors:VectorFile")
ENCODERS.add("torchvision", "likelens.encoders.torchvision:open_torchvision")
ENCODERS.add("timm", "likelens.encoders.timm:open_timm")
ENCODERS.add("open_clip", "likelens.encoders.open_clip:open_clip_tower")
ENCODERS.add("hf", "likelens.encoders.huggingface:open_hugging_face")
ENCODERS.add("checkpoint", "likelens.encoders.checkpoint:open_checkpoint")
ENCODERS.add("fused", "likelens.encoders.fused:open_fused")


def resolved(spec: str | Spec, encoders_file: str | os.PathLike[str] | None = None) -> Spec:
    """The parsed spec, short names replaced by what they stand for (see ``named``).

    Raises:
        BadSpec: it is neither a spec nor a short name.
        BadTable: the file of short names cannot be used.
    """
    if isinstance(spec, Spec):
        return spec
    if not isinstance(spec, str):
        raise BadSpec(
            f"a {type(spec).__name__} is not the name of an encoder",
            where=str(spec)[:80],
            hint="give a text, such as onnx:model.onnx@features",
        )
    return Spec.parse(resolve(spec, sources=ENCODERS.names(), path=encoders_file))


def short_names(encoders_file: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Specs by short name; empty where there is no file of them.

    Raises:
        BadTable: the file cannot be used.
    """
    return read_names(encoders_file, sources=ENCODERS.names())


def shown_as(spec: Spec, kept_as: str) -> str:
    """What boards call an encoder: its short name, else the name that its vectors are kept by."""
    name = str(spec)
    short = shown(name, sources=ENCODERS.names())
    return kept_as if short == name else short


def open_encoder(
    spec: str | Spec,
    running: Running | None = None,
    *,
    encoders_file: str | os.PathLike[str] | None = None,
) -> Encoder | VectorSource:
    """The encoder of that name.

    Args:
        spec: ``source:identifier[@layer][?option=value&...]``, such as
            ``onnx:model.onnx@features`` or ``opencv:sift?words=512``, or a short name.
        running: the device of networks; by default a GPU if there is one.
        encoders_file: a TOML file of short names; by default $LIKELENS_ENCODERS, else
            ``encoders.toml`` in the working folder.

    Raises:
        BadSpec: the source, identifier, layer, an option or the device is unknown, or it
            cannot run as asked.
        MissingExtra: the source needs a library that is not installed.
        NoWeights: the weights cannot be had.
        EncoderFailed: its file is missing or damaged, or its network does not run.
    """
    parsed = resolved(spec, encoders_file)
    unheeding(_known([parsed]), running)
    make = ENCODERS.load(parsed.source)
    with noted() as notes, _failing(parsed):
        opened = make(parsed)
        if isinstance(opened, Encoder):
            opened.run_on(way_of(parsed, running))
        elif isinstance(opened, VectorSource):
            opened.running = way_of(parsed, running)
    if not isinstance(opened, Encoder | VectorSource):
        raise TypeError(f"{parsed.source} made {type(opened)}, which is no encoder")
    opened.notes = (*opened.notes, *notes)
    logging.getLogger("likelens").debug("opened %s", parsed)
    return opened


@contextmanager
def _failing(spec: Spec) -> Iterator[None]:
    """Turns what a network or its library raises into an error of ours.

    Raises:
        EncoderFailed: instead of any other error.
    """
    try:
        yield
    except LikelensError:
        raise
    except Exception as error:
        reason = "too little memory" if isinstance(error, MemoryError) else in_short(error)
        raise EncoderFailed(
            f"the encoder cannot be opened: {reason}",
            where=str(spec),
            hint="check its file, or report it with the output of `likelens doctor`",
        ) from error


def open_encoders(
    specs: Sequence[str | Spec], running: Running | None = None
) -> tuple[list[Encoder | VectorSource], dict[str, LikelensError]]:
    """Several encoders; layers of one network share it, so that it is loaded once.

    Those that cannot run as asked run as they always do, with a warning.

    Returns:
        Those that can be opened, in order, and the errors of the others, by spec.

    Raises:
        BadSpec: a source, identifier, layer, option or the device is unknown, or not one
            of them can run as asked.
    """
    parsed_all = [resolved(one) for one in specs]
    others = unheeding(_known(parsed_all), running)
    first: dict[str, Encoder] = {}
    opened: list[Encoder | VectorSource] = []
    lost: dict[str, LikelensError] = {}
    for spec, parsed in zip(specs, parsed_all, strict=True):
        network, way = _network(parsed), way_of(parsed, running)
        try:
            if network in first:
                with _failing(parsed):
                    another = first[network].at(parsed)
                    another.run_on(way)
                another.notes = first[network].notes
                one: Encoder | VectorSource = another
            else:
                one = open_encoder(parsed, way)
        except LikelensError as error:
            if isinstance(error, BadSpec) and not isinstance(error, EncoderFailed):
                raise  # named wrongly
            lost[str(spec)] = error
            continue
        opened.append(one)
        if isinstance(one, Encoder):
            first.setdefault(network, one)
    if others and running:
        warnings.warn(
            f"{running.asked} is for networks of torch, not for {first_few(others)}",
            LikelensWarning,
            stacklevel=2,
        )
    return opened, lost


def _known(specs: Sequence[Spec]) -> list[Spec]:
    """Those whose source there is; the others are refused where they are opened."""
    return [spec for spec in specs if spec.source in ENCODERS.names()]


def _network(spec: Spec) -> str:
    """A spec without its layer, and without the pooling of that layer."""
    options = dict(spec.options)
    if spec.layer is not None:
        options.pop("pool", None)
    return str(Spec(spec.source, spec.identifier, None, options))


def with_layers(
    specs: Sequence[str], layers: Sequence[str], running: Running | None = None
) -> list[str | Encoder | VectorSource]:
    """Each encoder once per layer where it has all of them, else as it is, opened.

    One whose spec names its layer is left as it is, and so is, as a spec, one that cannot be
    had, which is told of later.

    Raises:
        BadSpec: no encoder has these layers, or one is named wrongly.
    """
    opened, lost = open_encoders(specs, running)
    found, ready = False, iter(opened)
    expanded: list[str | Encoder | VectorSource] = []
    for spec in specs:
        one = None if spec in lost else next(ready)
        if one is None or one.spec.layer or not set(layers) <= set(getattr(one, "layers", ())):
            expanded.append(spec if one is None else one)
            continue
        assert isinstance(one, Encoder)  # noqa: S101 - it has layers
        found = True
        for layer in layers:
            another = one.at(one.spec.with_layer(layer))
            another.run_on(running or Running())
            expanded.append(another)
    if not found:
        raise BadSpec(
            f"no encoder has the layers {' and '.join(layers)}",
            where=f"--layers {','.join(layers)}",
            hint="give output,penultimate with a model that has both, or leave --layers out",
        )
    return expanded


def examples(source: str) -> tuple[str, ...]:
    """Specs of a source that need no file: EXAMPLES of its class, or of its module."""
    maker = ENCODERS.load(source)
    return getattr(maker, "EXAMPLES", getattr(sys.modules[maker.__module__], "EXAMPLES", ()))


def describe_sources() -> dict[str, str]:
    """What each source of encoders is, in a line with an example; then specs by short name."""
    sources = {name: ENCODERS.load(name).__doc__.splitlines()[0] for name in ENCODERS.names()}
    return {**sources, **short_names()}
