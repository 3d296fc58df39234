"""A network of torch as its own library makes it, what its weights are, and what marks it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from ..values.spec import Spec
from .preprocessing import Preprocessing
from .resizing import Size
from .torch_layers import Layer
from .torch_load import need_torch

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Net:
    """A network as its own library makes it.

    Attributes:
        module: the torch module, in evaluation mode.
        transform: the library's own preprocessing of one PIL picture, to (3, h, w) floats.
        stated: the same in our words, or None; used only if it gives the same numbers.
        named: the layers that have names: ``penultimate``, ``output``.
        run: what turns a batch into the network's answer, if not the module itself.
        prefix_tokens: tokens before those of the patches, for the pooling of tokens.
        tower: the module whose tokens these are; empty for the whole network.
        weights: what the weights are, in words.
        accuracy: published ImageNet top-1 accuracy in percent, or None.
        about: whatever else is worth showing.
        preparation: the transform in words, if what Python prints of it does not say it.
        lasting: the same as fingerprints have it, if they keep the library's words where our
            way is used: vectors from before it was are as good.
        settings: what decides the vectors and is not to be seen in module and weights.
        libraries: whose versions matter to the vectors.
        text: embeds texts in the same space, or None.
    """

    module: Any
    transform: Callable[[Image.Image], Any]
    stated: Preprocessing | None
    named: Mapping[str, Layer]
    run: Callable[[Any], Any] | None = None
    prefix_tokens: int = 0
    tower: str = ""
    weights: str = ""
    accuracy: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    preparation: str = ""
    lasting: str = ""
    settings: str = ""
    libraries: tuple[str, ...] = ()
    text: Callable[[Sequence[str]], Any] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def digest(self) -> str:
        """Hash of the weights."""
        return digest(self.module.state_dict())

    def prefix_of(self, layer: Layer) -> int:
        """Tokens before those of the patches in a layer's value."""
        inside = all(path.startswith(self.tower) for path in layer.paths)
        return self.prefix_tokens if inside else 0

    def __call__(self, batch: Any) -> Any:
        """The network's answer to a batch."""
        return self.module(batch) if self.run is None else self.run(batch)


def digest(tensors: Mapping[str, Any]) -> str:
    """Hash of a state dict: names, shapes, types and values."""
    torch = need_torch("weights")
    made = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        made.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        made.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return made.hexdigest()


def seeded(spec: Spec, build: Callable[[], Any]) -> Any:
    """What ``build`` makes of torch's random numbers, seeded by ``?seed=`` and then restored."""
    torch = need_torch(str(spec))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.option("seed", int, 0, low=0))
        return build()


def without_weights(spec: Spec) -> bool:
    """Whether the spec asks for a random initialisation.

    Raises:
        BadSpec: ``weights`` is something else than ``none``.
    """
    return spec.option("weights", str, "", choices=("none",)) == "none"


def weights_in_words(spec: Spec, name: str) -> str:
    """What the weights are: those of that name, or random ones."""
    return f"random, seed {spec.option('seed', int, 0)}" if without_weights(spec) else name


def architecture(module: Any) -> str:
    """A hash of what the module is made of, by the text that torch prints of it."""
    return hashlib.blake2b(repr(module).encode(), digest_size=8).hexdigest()


def configuration(module: Any) -> str:
    """A hash of what decides a network's answers and is in neither its weights nor its text.

    That are plain attributes of its modules, such as the number of heads, and buffers that are not
    saved. Networks whose configuration is a file need it in their fingerprint: the name of any
    other stands for one configuration in a version of its library.
    """
    saved = module.state_dict().keys()
    buffers = {name: one for name, one in module.named_buffers() if name not in saved}
    facts = [
        (name, key, repr(value))
        for name, one in module.named_modules()
        for key, value in sorted(vars(one).items())
        if key != "training" and not key.startswith("_") and _is_plain(value)
    ]
    made = hashlib.blake2b(repr(facts).encode(), digest_size=8)
    made.update(digest(buffers).encode())
    return made.hexdigest()


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def agree(net: Net) -> bool:
    """Whether our preprocessing gives what the library's own gives, on pictures of odd sizes."""
    if net.stated is None or net.stated.size is None or net.stated.layout != "NCHW":
        return False
    draw = np.random.default_rng(0)
    for height, width in _odd_sizes(net.stated):
        coarse = draw.integers(0, 256, (13, 9, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        own = np.asarray(net.transform(picture), np.float32)
        ours = net.stated.apply(np.asarray(picture))
        step = net.stated.scale / min(net.stated.std)  # one of 256 levels
        if own.shape != ours.shape or np.abs(own - ours).max() > 2.01 * step:
            return False
        if np.abs(own - ours).mean() > 0.2 * step:
            return False
    return True


def _odd_sizes(stated: Preprocessing) -> list[Size]:
    """Sizes that between them leave a crop every remainder by four, where roundings differ."""
    sizes = {0: (301, 211), 1: (97, 162)}
    if stated.shorter and stated.crop:
        for width in range(102, 301):
            rest = int(stated.shorter * width / 101) - stated.crop[1]
            sizes.setdefault(2 + rest % 4, (101, width))
    return list(sizes.values())


def in_words(net: Net) -> str:
    """The library's own transform; an address in memory is no part of it."""
    return _ADDRESS.sub("", " ".join((net.preparation or repr(net.transform)).split()))
