"""Classifiers of torchvision: ``torchvision:NAME[.WEIGHTS][@layer][?option=value]``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Any

from ..values.errors import BadSpec, nearest
from ..values.spec import Spec
from .preprocessing import Preprocessing
from .torch_encoder import OPTIONS, TorchEncoder
from .torch_layers import OUTPUT, Layer, last_layer
from .torch_load import getting_weights, need_library, refuse_download
from .torch_net import Net, seeded, weights_in_words, without_weights

EXAMPLES = (
    "torchvision:squeezenet1_1?weights=none",
    "torchvision:squeezenet1_1@features.6?pool=gem&seed=1&weights=none",
)


def open_torchvision(spec: Spec) -> TorchEncoder:
    """Classifiers with all their weights: torchvision:resnet50.IMAGENET1K_V2@layer3.

    Raises:
        BadSpec: torchvision has no such network, weights or layer.
        NoWeights: the weights cannot be had.
    """
    spec.check_options(OPTIONS)
    name, _, tag = spec.identifier.partition(".")
    models = need_library("torchvision.models", spec)
    weights = find_weights(models, name, tag, spec)
    drawn = without_weights(spec)
    state = None
    if not drawn:
        with getting_weights(spec, "TORCH_HOME"), redirect_stdout(sys.stderr):
            refuse_download(weights.url, spec)
            state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    module = seeded(spec, lambda: build(models, name, weights, drawn=drawn))
    if state is not None:
        with getting_weights(spec, "TORCH_HOME"):
            module.load_state_dict(state)
    return TorchEncoder(spec, _net(module, weights, drawn, spec))


def build(models: Any, name: str, weights: Any, *, drawn: bool) -> Any:
    """A network of the shape that some weights need, as torchvision's own builders give it.

    Those load weights by pickle, which we do not.
    """
    shape: dict[str, Any] = {}
    if name.startswith("vit_"):
        shape["image_size"] = weights.meta["min_size"][0]
    if name in ("googlenet", "inception_v3"):
        shape = {"aux_logits": True, "transform_input": not drawn, "init_weights": drawn}
    return models.get_model(name, weights=None, **shape)


def find_weights(models: Any, name: str, tag: str, spec: Spec) -> Any:
    """The entry of a network's enumeration of weights; its default for an empty tag.

    Raises:
        BadSpec: there is no such network or no such weights.
    """
    names = models.list_models(module=models)
    if name not in names:
        raise BadSpec(
            f"torchvision has no classifier {name!r}",
            where=str(spec),
            hint=nearest(name, names) or f"it has {len(names)}, such as resnet50",
        )
    known = models.get_model_weights(name)
    if tag and tag not in known.__members__:
        raise BadSpec(
            f"{name} has no weights {tag!r}",
            where=str(spec),
            hint=f"choose one of: {', '.join(known.__members__)}",
        )
    return known[tag or "DEFAULT"]


def vision_net(module: Any, transform: Any, **known: Any) -> Net:
    """A classifier of torchvision with a preprocessing in its manner."""
    last = Layer((last_layer(module),), enters=True)
    return Net(
        module=module.eval(),
        transform=transform,
        stated=in_our_words(transform),
        named={"penultimate": last, "output": OUTPUT},
        prefix_tokens=int(hasattr(module, "class_token")),
        libraries=("torchvision",),
        **known,
    )


def in_our_words(transform: Any) -> Preprocessing | None:
    """The preprocessing of torchvision's classifiers as ours."""
    names = ("resize_size", "crop_size", "mean", "std", "interpolation")
    if not all(hasattr(transform, name) for name in names):
        return None
    (short,), (side,) = transform.resize_size, transform.crop_size
    return Preprocessing(
        shorter=short,
        crop=(side, side),
        interpolation=transform.interpolation.value,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
    )


def _net(module: Any, weights: Any, drawn: bool, spec: Spec) -> Net:
    facts = weights.meta.get("_metrics", {}).get("ImageNet-1K", {})
    about: dict[str, Any] = {"architecture": spec.identifier.partition(".")[0]}
    if not drawn:
        about |= {
            "imagenet_acc5": facts.get("acc@5"),
            "licence": "see the recipe",
            "recipe": weights.meta.get("recipe"),
        }
    return vision_net(
        module,
        weights.transforms(),
        weights=weights_in_words(spec, str(weights)),
        accuracy=None if drawn else facts.get("acc@1"),
        about={name: value for name, value in about.items() if value is not None},
    )
