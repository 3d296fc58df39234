"""Image and text towers of open_clip: ``open_clip:ARCH/PRETRAINED[@layer][?option=value]``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from ..values.errors import BadSpec, nearest
from ..values.spec import Spec
from .preprocessing import Preprocessing
from .torch_encoder import OPTIONS, TorchEncoder
from .torch_layers import OUTPUT
from .torch_load import ELSEWHERE, getting_weights, need_library
from .torch_net import Net, configuration, seeded, weights_in_words, without_weights


def open_clip_tower(spec: Spec) -> TorchEncoder:
    """Image and text towers of open_clip: open_clip:ViT-B-32/laion2b_s34b_b79k.

    The penultimate layer is the picture's embedding, for the last step of such a network
    compares it with texts. A repository of the Hugging Face hub is
    ``open_clip:hf-hub:OWNER/NAME``, a folder ``open_clip:local-dir:PATH``.

    Raises:
        BadSpec: open_clip has no such architecture, weights or layer.
        NoWeights: the weights cannot be had.
    """
    spec.check_options(OPTIONS)
    library = need_library("open_clip", spec)
    architecture, tag = _check_name(library, spec)
    drawn = without_weights(spec)

    def build() -> Any:
        with _quiet() if drawn else nullcontext():  # it warns that weights are random
            return library.create_model_and_transforms(
                architecture,
                pretrained=None if drawn else tag,
                load_weights=not drawn,
                pretrained_text=not drawn,
                require_pretrained=not drawn,  # else it only warns, and draws weights
            )

    with getting_weights(spec, "HF_HOME"):  # some architectures are described on the hub
        model, _, transform = seeded(spec, build) if drawn else build()
    return TorchEncoder(
        spec,
        Net(
            module=model.eval(),
            transform=transform,
            stated=in_our_words(model.visual.preprocess_cfg),
            named={"penultimate": OUTPUT},
            run=model.encode_image,
            prefix_tokens=int(hasattr(model.visual, "class_embedding")),
            weights=weights_in_words(spec, tag or spec.identifier),
            about={"architecture": architecture},
            preparation=str(sorted(dict(model.visual.preprocess_cfg).items())),
            settings=configuration(model.visual) if spec.identifier.startswith(ELSEWHERE) else "",
            libraries=("open_clip_torch",),
            text=partial(_read, library, model, architecture, spec),
        ),
    )


def in_our_words(config: Any) -> Preprocessing | None:
    """What open_clip does to a picture, or None if we cannot say it."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    squash = config["resize_mode"] == "squash"
    if config["resize_mode"] == "longest" or (height != width and not squash):
        return None
    return Preprocessing(
        shorter=None if squash else height,
        squash=(height, width) if squash else None,
        crop=None if squash else (height, width),
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _read(library: Any, model: Any, architecture: str, spec: Spec, texts: Sequence[str]) -> Any:
    with getting_weights(spec, "HF_HOME"), _quiet():
        tokenizer = library.get_tokenizer(architecture)
    place = next(model.parameters()).device
    return model.encode_text(tokenizer(texts).to(place))


def _check_name(library: Any, spec: Spec) -> tuple[str, str | None]:
    if spec.identifier.startswith(ELSEWHERE):
        return spec.identifier, None
    architecture, _, tag = spec.identifier.partition("/")
    names = library.list_models()
    if architecture not in names:
        raise BadSpec(
            f"open_clip has no architecture {architecture!r}",
            where=str(spec),
            hint=nearest(architecture, names) or f"it has {len(names)}, such as ViT-B-32",
        )
    if without_weights(spec):
        return architecture, None
    tags = library.list_pretrained_tags_by_model(architecture)
    if tag not in tags:
        raise BadSpec(
            f"{architecture} has no weights {tag!r}" if tag else "no weights are named",
            where=str(spec),
            hint=f"write open_clip:{architecture}/TAG, one of: {', '.join(tags) or 'none'}, "
            "or ask for ?weights=none",
        )
    return architecture, tag


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's log of what it does."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
