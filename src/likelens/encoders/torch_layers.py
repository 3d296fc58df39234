"""Layers of torch networks: which one, its value in a forward pass, one vector of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values.errors import BadSpec, nearest
from ..values.spec import Spec


@dataclass(frozen=True)
class Layer:
    """A place in a network.

    Attributes:
        paths: names of modules; the values of several are averaged, or, where their lengths
            differ, put side by side. The empty path is the whole network.
        enters: whether what enters the module is meant, not what leaves it.
    """

    paths: tuple[str, ...]
    enters: bool = False

    def __str__(self) -> str:
        place = ", ".join(path or "the network" for path in self.paths)
        return f"{'input' if self.enters else 'output'} of {place}"


OUTPUT = Layer(("",))
"""The network's answer."""


def choose_layer(spec: Spec, module: Any, named: Mapping[str, Layer]) -> Layer:
    """The layer that a spec names; ``penultimate`` if it names none.

    Raises:
        BadSpec: there is no such layer.
    """
    wanted = spec.layer or "penultimate"
    if wanted in named:
        return named[wanted]
    paths = [path for path, _ in module.named_modules() if path]
    if wanted in paths:
        return Layer((wanted,))
    hint = nearest(wanted, paths)
    raise BadSpec(
        f"there is no layer {wanted!r}",
        where=str(spec),
        hint=f"{hint or 'choose ' + ', '.join(named) + ' or a module'}; "
        f"`likelens encoders show {spec.with_layer(None)}` lists them",
    )


def last_layer(module: Any) -> str:
    """The path of the last linear or convolutional module: what classifies."""
    import torch

    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    paths: list[str] = [path for path, one in module.named_modules() if isinstance(one, kinds)]
    return paths[-1]


def captured(net: Callable[[Any], Any], batch: Any, layers: Sequence[Layer]) -> list[Any]:
    """The values of some layers of a ``Net``, from one forward pass.

    Raises:
        BadSpec: a layer is not run, or gives something else than a tensor.
    """
    module: Any = getattr(net, "module", net)
    seen: dict[tuple[str, bool], Any] = {}
    hooks = [
        _hook(module, path, layer.enters, seen) for layer in layers for path in layer.paths if path
    ]
    try:
        answer = net(batch)
    finally:
        for hook in hooks:
            hook.remove()
    seen[("", False)] = answer
    return [_value(layer, seen) for layer in layers]


def _hook(module: Any, path: str, enters: bool, seen: dict[tuple[str, bool], Any]) -> Any:
    target = module.get_submodule(path)
    if enters:
        return target.register_forward_pre_hook(
            lambda _module, values: seen.__setitem__((path, True), _kept(values))
        )
    return target.register_forward_hook(
        lambda _module, _values, value: seen.__setitem__((path, False), _kept(value))
    )


def _kept(value: Any) -> Any:
    """A copy, for the next module may write over the value (as an in-place ReLU does)."""
    import torch

    if isinstance(value, Mapping):
        value = next(iter(value.values()), None)  # what models of transformers answer
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    return value.clone() if isinstance(value, torch.Tensor) else value


def _value(layer: Layer, seen: Mapping[tuple[str, bool], Any]) -> Any:
    import torch

    values = []
    for path in layer.paths:
        value = seen.get((path, layer.enters))
        if isinstance(value, Mapping) and value:  # what models of transformers answer
            value = next(iter(value.values()))
        if isinstance(value, tuple | list) and value:
            value = value[0]
        if not isinstance(value, torch.Tensor):
            raise BadSpec(
                f"the {layer} is no tensor, or is not run for a picture",
                where=f"@{path}",
                hint="choose another module",
            )
        values.append(value)
    if len({value.shape for value in values}) > 1:
        return torch.cat(values, -1)
    return values[0] if len(values) == 1 else torch.stack(values).mean(0)


def module_rows(net: Callable[[Any], Any], batch: Any) -> list[dict[str, Any]]:
    """Name, kind, shape of the value and parameters of every module that is run for a batch."""
    module: Any = getattr(net, "module", net)
    shapes: dict[str, list[int]] = {}
    hooks = [
        one.register_forward_hook(
            lambda _module, _values, value, path=path: shapes.__setitem__(path, _shape(value))
        )
        for path, one in module.named_modules()
        if path
    ]
    try:
        net(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [
        {
            "name": path,
            "kind": type(one).__name__,
            "shape": shapes[path],
            "parameters": sum(values.numel() for values in one.parameters()),
        }
        for path, one in module.named_modules()
        if path in shapes
    ]


def _shape(value: Any) -> list[int]:
    value = value[0] if isinstance(value, tuple | list) and value else value
    return list(getattr(value, "shape", ()))


def pooled(value: Any, count: int, pool: str, prefix: int, spec: Spec) -> Any:
    """One vector of each picture.

    Maps (n, c, h, w) or (n, h, w, c) are averaged over their places unless ``pool`` says
    otherwise; of tokens (n, t, c) the first is taken if it is no patch, else their mean.

    Args:
        value: what the layer gave for ``count`` pictures.
        count: how many pictures.
        pool: ``avg``, ``max``, ``gem`` (generalised mean with p = 3, Radenović et al. 2019,
            arXiv 1711.02512), ``cls`` (the first token), ``flatten``, or empty.
        prefix: tokens before those of the patches; all but ``cls`` and ``flatten`` leave them out.
        spec: the encoder, for messages.

    Raises:
        BadSpec: ``cls`` of what has no such token, a pool of what is one vector already, or a
            value that is not of these forms.
    """
    if value.ndim == 3 and value.shape[0] != count and value.shape[1] == count:
        value = value.transpose(0, 1)  # tokens first
    if value.ndim not in (2, 3, 4) or value.shape[0] != count:
        raise BadSpec(
            f"the layer gives a value of shape {tuple(value.shape)} for {count} pictures",
            where=str(spec),
            hint="choose another layer",
        )
    if value.ndim == 2 and (pool in ("cls", "max", "gem") or (pool == "avg" and prefix)):
        raise BadSpec(
            f"the layer gives one vector a picture: there is nothing for pool={pool} to pool",
            where=str(spec),
            hint="leave pool out, or name a layer that has maps or tokens",
        )
    if pool == "flatten" or value.ndim == 2:
        return value.flatten(1)
    if pool == "cls" and (value.ndim != 3 or not prefix):
        raise BadSpec("the layer has no class token", where=str(spec), hint="use ?pool=avg")
    if value.ndim == 3 and (pool == "cls" or (not pool and prefix)):
        return value[:, 0]
    places = value[:, prefix:] if value.ndim == 3 else _places(value)
    if pool == "max":
        return places.amax(1)
    if pool == "gem":
        return places.float().clamp(min=1e-6).pow(3).mean(1).pow(1 / 3)
    return places.mean(1)


def _places(value: Any) -> Any:
    """(n, places, c) of a map, whose height and width, the two equal axes, come last or first."""
    _, first, second, third = value.shape
    channels_last = first == second != third
    return value.flatten(1, 2) if channels_last else value.flatten(2).transpose(1, 2)
