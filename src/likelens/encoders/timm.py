"""Every network of timm: ``timm:NAME[.TAG][@layer][?option=value]``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ..values.errors import BadSpec, nearest
from ..values.spec import Spec
from .preprocessing import Preprocessing
from .torch_encoder import OPTIONS as COMMON
from .torch_encoder import TorchEncoder
from .torch_layers import OUTPUT, Layer
from .torch_load import ELSEWHERE, getting_weights, need_library
from .torch_net import Net, configuration, seeded, weights_in_words, without_weights

EXAMPLES = (
    "timm:test_resnet?weights=none",
    "timm:test_vit@blocks.2?pool=avg&seed=2&weights=none",
)

SHAPE = ("bits", "img_size", "pad_type")
"""Options that change the network itself."""

OPTIONS = (*COMMON, *SHAPE)


def open_timm(spec: Spec) -> TorchEncoder:
    """Every network of timm: timm:vit_base_patch14_dinov2.lvd142m@blocks.5?pool=avg.

    ``img_size`` and ``pad_type`` are handed to timm; ``bits=1.58`` makes the linear layers of a
    transformer's blocks ternary, which without training anew costs most of what it knows. A
    repository of the Hugging Face hub is
    ``timm:hf-hub:OWNER/NAME``, a folder ``timm:local-dir:PATH``.

    Raises:
        BadSpec: timm has no such network, tag or layer.
        NoWeights: the weights cannot be had.
    """
    spec.check_options(OPTIONS)
    timm = need_library("timm", spec)
    _check_name(timm, spec)
    drawn = without_weights(spec)
    needs_hub = not drawn or spec.identifier.startswith(ELSEWHERE)
    with getting_weights(spec, "HF_HOME") if needs_hub else nullcontext():
        module = seeded(spec, lambda: build(timm, spec.identifier, spec, pretrained=not drawn))
    config = data_config(timm, module, spec)
    return TorchEncoder(
        spec,
        timm_net(
            module,
            timm.data.create_transform(**config, is_training=False),
            in_our_words(config),
            weights=weights_in_words(spec, spec.identifier),
            settings=configuration(module) if spec.identifier.startswith(ELSEWHERE) else "",
            about=_about(module, drawn),
        ),
    )


def build(timm: Any, name: str, spec: Spec, **asked: Any) -> Any:
    """The network of that name, with the options that the spec has for it.

    Raises:
        BadSpec: the network does not take one of the options.
    """
    if "img_size" in spec.options:
        asked["img_size"] = spec.option("img_size", int, 0, low=16, high=4096)
    if "pad_type" in spec.options:
        asked["pad_type"] = spec.option("pad_type", str, "", choices=("same", "valid"))
    ternary = spec.option("bits", str, "", choices=("1.58",))
    try:
        module = timm.create_model(name, **asked)
    except TypeError as error:
        given = [option for option in ("img_size", "pad_type") if option in str(error)]
        if not given:
            raise
        raise BadSpec(
            f"{name} does not take {given[0]}", where=str(spec), hint="leave it out"
        ) from error
    if ternary:
        from .ternary import make_ternary

        if not make_ternary(module):
            raise BadSpec(
                f"{name} has no linear layers in blocks that could be ternary",
                where=str(spec),
                hint="leave bits out, or choose a transformer",
            )
    return module


def data_config(timm: Any, module: Any, spec: Spec) -> dict[str, Any]:
    """What timm says of the pictures that a network takes, at the size that the spec asks for."""
    side = spec.options.get("img_size")
    asked = {"img_size": int(side)} if side else {}
    config: dict[str, Any] = timm.data.resolve_data_config(asked, model=module)
    return config


def timm_net(module: Any, transform: Any, stated: Preprocessing | None, **known: Any) -> Net:
    """A network of timm with its preprocessing; the penultimate layer is timm's pre-logits."""
    heads = module.get_classifier()
    listed = isinstance(heads, tuple) or type(heads).__name__ == "ModuleList"
    heads = tuple(heads) if listed else (heads,)
    names = {id(one): path for path, one in module.named_modules()}
    entered = tuple(names[id(head)] for head in heads if id(head) in names)
    named = {"penultimate": Layer(entered, enters=True), "output": OUTPUT} if entered else {}
    if not entered or getattr(module, "num_classes", 0) == 0:
        named = {"penultimate": OUTPUT}
    return Net(
        module=module.eval(),
        transform=transform,
        stated=stated,
        named=named,
        prefix_tokens=int(getattr(module, "num_prefix_tokens", 0)),
        libraries=("timm",),
        **known,
    )


def in_our_words(config: Mapping[str, Any]) -> Preprocessing | None:
    """What ``create_transform`` makes of such a configuration, or None if we cannot say it."""
    _, height, width = config["input_size"]
    full = tuple(math.floor(side / config["crop_pct"]) for side in (height, width))
    squash = config["crop_mode"] == "squash"
    if config["crop_mode"] == "border" or (height != width and not squash):
        return None
    return Preprocessing(
        shorter=None if squash else full[0],
        squash=(full[0], full[1]) if squash else None,
        crop=(height, width),
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def check_architecture(timm: Any, identifier: str, spec: Spec) -> None:
    """Refuse what timm does not know.

    Raises:
        BadSpec: the message gives the nearest names.
    """
    name = identifier.partition(".")[0]
    names = timm.list_models()
    if name not in names:
        raise BadSpec(
            f"timm has no network {name!r}",
            where=str(spec),
            hint=nearest(name, names) or f"it has {len(names):,}, such as resnet50.a1_in1k",
        )


def _check_name(timm: Any, spec: Spec) -> None:
    if spec.identifier.startswith(ELSEWHERE):
        return
    check_architecture(timm, spec.identifier, spec)
    name, _, tag = spec.identifier.partition(".")
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{name}.*")]
    if tag and tag not in tags:
        raise BadSpec(
            f"{name} has no weights {tag!r}",
            where=str(spec),
            hint=f"choose one of: {', '.join(tags)}" if tags else "ask for ?weights=none",
        )
    if not tags and not without_weights(spec):
        raise BadSpec(
            f"timm has no weights for {name}", where=str(spec), hint="ask for ?weights=none"
        )


def _about(module: Any, drawn: bool) -> dict[str, Any]:
    config = module.pretrained_cfg
    about = {"architecture": config.get("architecture")}
    if not drawn:
        about |= {"licence": config.get("license"), "origin": config.get("origin_url")}
    return {name: value for name, value in about.items() if value}
