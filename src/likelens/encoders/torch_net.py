"""What the sources of torch networks share: a network, its layers, and the encoder made of them."""

from __future__ import annotations

import hashlib
import re
import threading
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard
from ..values.errors import BadShape, BadSpec, LikelensError, LikelensWarning
from ..values.files import installed
from ..values.spec import Spec, fingerprint
from .base import Encoder, Running
from .preprocessing import Preprocessing, Size
from .torch_layers import Layer, captured, choose_layer, module_rows, pooled
from .torch_load import need_torch
from .torch_runtime import (
    PAYS_FROM,
    USUAL,
    Engine,
    Portable,
    choose_runtime,
    compiled,
    open_exported,
)

DTYPES = ("float32", "float16", "bfloat16")

OPTIONS = ("dtype", "pool", "seed", "weights")
"""What every source of torch networks understands."""

BATCH = 16
"""Pictures in a forward pass; a GPU takes more."""

BATCH_ON_GPU = 256

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

VERSION = 1
"""Raised when the same network gives other vectors than before."""


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


class TorchEncoder(Encoder):
    """A layer of a torch network.

    Args:
        spec: its name.
        net: the network.

    Raises:
        BadSpec: the network has no such layer, or the layer needs a ``pool``.
    """

    parallel = False
    batch_size = BATCH

    def __init__(self, spec: Spec, net: Net) -> None:
        self.spec, self.net = spec, net
        self.layers = tuple(net.named)
        self.layer = choose_layer(spec, net.module, net.named)
        self._pool = spec.option("pool", str, "", choices=("avg", "cls", "max", "gem", "flatten"))
        self._dtype = spec.option("dtype", str, "float32", choices=DTYPES)
        self._device = "cpu"
        self._runtime = "torch"
        self._asked = False  # for an exported runtime, rather than that being left to us
        self._engines: dict[tuple[str, ...], Engine] = {}
        self._compiling = False
        self._compiled: dict[tuple[str, ...], Callable[[Any], Any]] = {}
        self._exporting = threading.Lock()
        self._fast = net.stated if _agree(net) else None
        self.preprocessing = str(self._fast) if self._fast else _in_words(net)
        self._place()
        self.card = self._describe()

    def run_on(self, running: Running) -> None:
        """Move to a device, and to another runtime than torch if that is asked for.

        Raises:
            BadSpec: there is no such device or runtime, or the network cannot be exported.
            MissingExtra: the runtime is not installed.
        """
        self._asked = running.runtime not in ("auto", "torch")
        device = "cpu" if self._asked and running.device == "auto" else running.device
        self._device = find_device(device, str(self.spec))
        self._runtime = choose_runtime(running, self._device, self._dtype, str(self.spec))
        self._engines.clear()
        self._compiling = running.compile
        self.parallel = self._asked
        self.batch_size = BATCH if self._device == "cpu" else BATCH_ON_GPU
        self._place()
        if self._asked:
            self._run_exported(self._runtime, [self])

    def expect(self, count: int, encoders: Sequence[Encoder]) -> None:
        """Where the runtime is left to us, export the network for a job that is worth it."""
        if self._runtime != "auto" or count < PAYS_FROM:
            return
        chosen = [one for one in encoders if isinstance(one, TorchEncoder)]
        try:
            self._run_exported(USUAL, chosen)
        except LikelensError as error:
            for one in chosen:
                one._runtime = "torch"
            warnings.warn(
                f"{self.spec} runs by torch, which is slower on a processor: {error.what}",
                LikelensWarning,
                stacklevel=3,
            )

    def _run_exported(self, runtime: str, encoders: Sequence[TorchEncoder]) -> None:
        """Have a runtime run some layers, one picture at a time in each of several threads."""
        self._engine(runtime, encoders)
        for one in encoders:
            one._runtime, one.parallel, one.batch_size = runtime, True, 1

    def _engine(self, runtime: str, encoders: Sequence[TorchEncoder]) -> Engine:
        """What runs the export of some layers; made when first asked for."""
        key = tuple(one.fingerprint for one in encoders)
        with self._exporting:
            if key not in self._engines:
                self._engines[key] = self._open_exported(runtime, encoders, key)
            return self._engines[key]

    def _open_exported(
        self, runtime: str, encoders: Sequence[TorchEncoder], key: tuple[str, ...]
    ) -> Engine:
        """The engine; an export is of float32, whatever numbers the engine then computes with."""
        torch = need_torch(str(self.spec))

        def values(pictures: Any) -> list[Any]:
            return self._vectors(self._normalised(pictures, torch.float32), encoders)

        portable = Portable(
            module=self.net.module,
            vectors=values,
            by_torch=lambda prepared: self._by_torch(prepared, encoders),
            prepare=self.prepare,
            dtype=self._dtype,
            fingerprints=key,
            where=str(self.spec),
            exporting=self._as_float32,
        )
        return open_exported(portable, runtime)

    @contextmanager
    def _as_float32(self) -> Iterator[None]:
        with self.net.lock:
            self.net.module.float()
            try:
                yield
            finally:
                self._place()

    @property
    def trunk(self) -> Hashable:
        """The network, and the numbers it computes with."""
        return id(self.net), self._dtype

    def at(self, spec: Spec) -> TorchEncoder:
        """Another layer of the same network."""
        return TorchEncoder(spec, self.net)

    def describe_layers(self) -> list[dict[str, Any]]:
        """Every module, with the shape of its value for one picture."""
        torch = need_torch(str(self.spec))
        probe = self.prepare(np.full((64, 48, 3), 128, np.uint8))
        with self.net.lock, torch.inference_mode():
            return module_rows(self.net, self._batch([probe]))

    def own_way(self, pictures: Sequence[Array]) -> Floats:
        """By the library's own transform and network, one picture at a time."""
        torch = need_torch(str(self.spec))
        kind, rows = getattr(torch, self._dtype), []
        for picture in pictures:
            values = np.asarray(self.net.transform(Image.fromarray(picture)), np.float32)
            with self.net.lock, torch.inference_mode():
                batch = torch.from_numpy(values)[None].to(self._device, kind)
                value = captured(self.net, batch, [self.layer])[0]
                prefix = self.net.prefix_of(self.layer)
                row = pooled(value, 1, self._pool, prefix, self.spec)
                rows.append(row.float().cpu().numpy())
        return np.concatenate(rows)

    def prepare(self, image: Array) -> Array:
        """One picture: (h, w, 3) uint8 if our way is the library's, else (3, h, w) floats."""
        if self._fast:
            return self._fast.resized(image)
        return np.asarray(self.net.transform(Image.fromarray(image)), np.float32)

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The (n, dim) vectors of n prepared pictures, float32.

        Raises:
            BadShape: a value overflowed in the ``dtype`` asked for.
        """
        return self.forward_layers(prepared, [self])[0]

    def forward_layers(self, prepared: Sequence[Array], encoders: Sequence[Encoder]) -> list[Array]:
        """Several layers of the network, from one forward pass."""
        chosen = [one for one in encoders if isinstance(one, TorchEncoder)]
        if not prepared:
            return [np.zeros((0, one.dim), np.float32) for one in chosen]
        if self._runtime in ("auto", "torch"):
            return self._by_torch(prepared, chosen)
        engine = self._engine(self._runtime, chosen)
        rows = [engine(picture) for picture in prepared]
        return [np.concatenate(each) for each in zip(*rows, strict=True)]

    def _by_torch(self, prepared: Sequence[Array], encoders: Sequence[TorchEncoder]) -> list[Array]:
        step = self.batch_size
        parts = [
            self._run(prepared[at : at + step], encoders) for at in range(0, len(prepared), step)
        ]
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    def encode_text(self, texts: Sequence[str]) -> Floats:
        """The vectors of texts, in the space of the pictures'.

        Returns:
            (n, dim) float32.

        Raises:
            BadSpec: the network has no text tower.
        """
        torch = need_torch(str(self.spec))
        if self.net.text is None or self.layer != self.net.named["penultimate"]:
            raise BadSpec(
                f"{self.spec} cannot read text",
                where=str(self.spec),
                mend="use one with a text tower, such as open_clip:ViT-B-32/laion2b_s34b_b79k",
            )
        with self.net.lock, torch.inference_mode():
            vectors: Floats = self.net.text(list(texts)).float().cpu().numpy()
        return vectors

    def _place(self) -> None:
        """The network on its device, in its dtype and the layout that convolutions like."""
        torch = need_torch(str(self.spec))
        kind = getattr(torch, self._dtype)
        self.net.module.to(device=self._device, dtype=kind, memory_format=torch.channels_last)
        if self._fast:
            std = np.asarray(self._fast.std, np.float64)
            factor = self._fast.scale / std
            offset = -np.asarray(self._fast.mean, np.float64) / std
            self._factor, self._offset = (
                torch.tensor(part, dtype=torch.float32, device=self._device).reshape(1, 3, 1, 1)
                for part in (factor, offset)
            )

    def _batch(self, prepared: Sequence[Array]) -> Any:
        """A batch as the network takes it, on its device."""
        torch = need_torch(str(self.spec))
        batch = torch.from_numpy(np.stack(prepared))
        if self._device.startswith("cuda"):
            batch = batch.pin_memory().to(self._device, non_blocking=True)
        else:
            batch = batch.to(self._device)
        return self._normalised(batch, getattr(torch, self._dtype))

    def _normalised(self, batch: Any, kind: Any) -> Any:
        """Prepared pictures as the network takes them."""
        torch = need_torch(str(self.spec))
        if self._fast:
            batch = batch.permute(0, 3, 1, 2).float()
            if self._fast.channels == "BGR":
                batch = batch.flip(1)
            batch = torch.addcmul(self._offset, batch, self._factor)
        return batch.to(kind).contiguous(memory_format=torch.channels_last)

    def _run(self, prepared: Sequence[Array], encoders: Sequence[TorchEncoder]) -> list[Array]:
        torch = need_torch(str(self.spec))
        with self.net.lock, torch.inference_mode():
            values = self._answer(self._batch(prepared), encoders)
            vectors = [value.float().cpu().numpy() for value in values]
        if self._dtype != "float32" and not all(np.isfinite(one).all() for one in vectors):
            raise BadShape(
                f"values overflowed in {self._dtype}",
                where=str(self.spec),
                mend="use dtype=bfloat16, which has the range of float32, or leave dtype out",
            )
        return vectors

    def _answer(self, batch: Any, encoders: Sequence[TorchEncoder]) -> list[Any]:
        """The vectors of some layers, by torch."""
        if not self._compiling:
            return self._vectors(batch, encoders)
        key = tuple(one.fingerprint for one in encoders)
        if key not in self._compiled:
            chosen = list(encoders)
            self._compiled[key] = compiled(
                lambda batch: self._vectors(batch, chosen), str(self.spec)
            )
        answer: list[Any] = self._compiled[key](batch)
        return answer

    def _vectors(self, batch: Any, encoders: Sequence[TorchEncoder]) -> list[Any]:
        """The (n, dim) tensors of some layers."""
        values = captured(self.net, batch, [one.layer for one in encoders])
        return [
            pooled(value, len(batch), one._pool, self.net.prefix_of(one.layer), one.spec)
            for one, value in zip(encoders, values, strict=True)
        ]

    def _describe(self) -> EncoderCard:
        probe = self.prepare(np.full((64, 48, 3), 128, np.uint8))
        dim = self._run([probe], [self])[0].shape[1]
        tensors = self.net.module.state_dict()
        libraries = {name: installed(name) or "" for name in ("torch", *self.net.libraries)}
        return EncoderCard(
            name=str(self.spec),
            fingerprint=fingerprint(
                network=_architecture(self.net.module),
                weights=self.net.digest,
                layer=str(self.layer),
                prefix=self.net.prefix_of(self.layer),
                settings=self.net.settings,
                pool=self._pool,
                preprocessing=self.preprocessing,
                dtype=self._dtype,
                libraries={
                    name: text.rsplit(".", 1)[0]
                    for name, text in libraries.items()
                    if name != "torch"
                },
                version=VERSION,
            ),
            dim=dim,
            preprocessing=self.preprocessing,
            parameters=sum(one.numel() for one in self.net.module.parameters()),
            size_bytes=sum(one.numel() * one.element_size() for one in tensors.values()),
            accuracy=self.net.accuracy,
            details={
                "weights": self.net.weights,
                "layer": str(self.layer),
                "pool": self._pool or "the layer's usual",
                "dtype": self._dtype,
                "preprocessing_by": "likelens, equal to the library's"
                if self._fast
                else "the library",
                **self.net.about,
                **libraries,
            },
        )


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
            mend=f"choose one of: auto, {', '.join(there)}",
        )
    return wanted


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


def _architecture(module: Any) -> str:
    """A hash of what the module is made of, by the text that torch prints of it."""
    return hashlib.blake2b(repr(module).encode(), digest_size=8).hexdigest()


def _agree(net: Net) -> bool:
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


def _in_words(net: Net) -> str:
    """The library's own transform; an address in memory is no part of it."""
    return _ADDRESS.sub("", " ".join((net.preparation or repr(net.transform)).split()))
