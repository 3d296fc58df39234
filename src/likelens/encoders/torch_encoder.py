"""The encoder that is made of a layer of a torch network, whichever source it comes from."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard
from ..values.errors import EncoderFailed, LikelensError, LikelensWarning, in_short
from ..values.files import installed
from ..values.spec import Spec, fingerprint
from .base import Encoder, several_texts
from .running import Running
from .torch_export import Portable
from .torch_int8 import INT8
from .torch_int8 import VERSION as INT8_VERSION
from .torch_layers import choose_layer, module_rows
from .torch_load import find_device, need_torch
from .torch_net import Net, agree, architecture, in_words
from .torch_pass import Passes, Reading
from .torch_runtime import COMPUTES, PAYS_FROM, USUAL, Exported, choose_runtime, open_exported

DTYPES = (*COMPUTES["torch"], INT8)

OPTIONS = ("dtype", "pool", "seed", "weights")
"""What every source of torch networks understands."""

BATCH = 16
"""Pictures in a forward pass; a GPU takes more."""

BATCH_ON_GPU = 256

VERSION = 1
"""Raised when the same network gives other vectors than before."""


class TorchEncoder(Encoder):
    """A layer of a torch network.

    Args:
        spec: its name.
        net: the network.
        passes: those of another layer of it, which then both share.

    Raises:
        BadSpec: the network has no such layer, or the layer needs a ``pool``.
    """

    parallel = False
    batch_size = BATCH

    def __init__(self, spec: Spec, net: Net, passes: Passes | None = None) -> None:
        self.spec, self.net = spec, net
        self.layers = tuple(net.named)
        self.layer = choose_layer(spec, net.module, net.named)
        self._pool = spec.option("pool", str, "", choices=("avg", "cls", "max", "gem", "flatten"))
        self._dtype = spec.option("dtype", str, "float32", choices=DTYPES)
        self._reading = Reading(self.layer, self._pool, spec)
        self._asked = self._dtype == INT8  # for an exported runtime, not that being left to us
        self._runtime = USUAL if self._asked else "torch"
        self._engines: dict[tuple[str, ...], Exported] = {}
        self._exporting = threading.Lock()
        self._told = False  # of what rounding does
        by_torch = "float32" if self._dtype == INT8 else self._dtype
        self._passes = passes or Passes(
            net, net.stated if agree(net) else None, by_torch, str(spec)
        )
        self._fast = self._passes.stated
        self.preprocessing = str(self._fast) if self._fast else in_words(net)
        self.card = self._describe()

    def run_on(self, running: Running) -> None:
        """Move to a device, and to another runtime than torch if that is asked for.

        Raises:
            BadSpec: there is no such device or runtime, or the network cannot be exported.
            MissingExtra: the runtime is not installed.
        """
        self._asked = running.runtime not in ("auto", "torch") or self._dtype == INT8
        device = "cpu" if self._asked and running.device == "auto" else running.device
        device = find_device(device, str(self.spec))
        self._runtime = choose_runtime(running, device, self._dtype, str(self.spec))
        self._engines.clear()
        self.parallel = self._asked or device.startswith("cuda")  # one copies while one computes
        self.batch_size = BATCH if device == "cpu" else BATCH_ON_GPU
        self._passes.place(device, compiling=running.compile)
        if self._asked:
            self._run_exported(self._runtime, [self])

    def expect(self, count: int, encoders: Sequence[Encoder]) -> None:
        """Where the runtime is left to us, export the network for a job that is worth it.

        Of a network in 8 bits, say once what that does to vectors.
        """
        if self._dtype == INT8:
            self._tell_drift(count)
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

    def _tell_drift(self, count: int) -> None:
        if self._told or count < 2:
            return
        self._told = True
        drift = self._exported(self._runtime, [self]).drift
        note = (
            f"{self.spec} against float32, on drawn images: {drift}; "
            f"`likelens encoders check` says it of yours"
        )
        self.notes = (*self.notes, note)
        warnings.warn(note, LikelensWarning, stacklevel=4)

    def _run_exported(self, runtime: str, encoders: Sequence[TorchEncoder]) -> None:
        """Have a runtime run some layers, one picture at a time in each of several threads."""
        self._exported(runtime, encoders)
        for one in encoders:
            one._runtime, one.parallel, one.batch_size = runtime, True, 1

    def _exported(self, runtime: str, encoders: Sequence[TorchEncoder]) -> Exported:
        """What runs the export of some layers; made when first asked for."""
        key = tuple(one.fingerprint for one in encoders)
        with self._exporting:
            if key not in self._engines:
                self._engines[key] = open_exported(self._portable(encoders, key), runtime)
            return self._engines[key]

    def _portable(self, encoders: Sequence[TorchEncoder], key: tuple[str, ...]) -> Portable:
        """What is exported: float32, whatever numbers the engine then computes with."""
        torch = need_torch(str(self.spec))
        readings = [one._reading for one in encoders]

        def values(pictures: Any) -> list[Any]:
            return self._passes.read(self._passes.normalised(pictures, torch.float32), readings)

        return Portable(
            module=self.net.module,
            vectors=values,
            by_torch=lambda prepared: self._by_torch(prepared, encoders),
            prepare=self.prepare,
            dtype=self._dtype,
            fingerprints=key,
            where=str(self.spec),
            exporting=self._passes.as_float32,
        )

    @property
    def trunk(self) -> Hashable:
        """The network, and the numbers it computes with; 8 bits are rounded for each layer."""
        return id(self) if self._dtype == INT8 else (id(self.net), self._dtype)

    def at(self, spec: Spec) -> TorchEncoder:
        """Another layer of the same network, which runs where and as this one does."""
        another = TorchEncoder(spec, self.net, self._passes)
        another._asked, another._runtime = self._asked, self._runtime
        another.parallel, another.batch_size = self.parallel, self.batch_size
        return another

    def describe_layers(self) -> list[dict[str, Any]]:
        """Every module, with the shape of its value for one picture."""
        torch = need_torch(str(self.spec))
        probe = self.prepare(np.full((64, 48, 3), 128, np.uint8))
        with self.net.lock, torch.inference_mode():
            return module_rows(self.net, self._passes.batch([probe]))

    def own_way(self, pictures: Sequence[Array]) -> Floats | None:
        """By the library's own transform and network, one at a time; torch has no 8 bits."""
        if self._dtype == INT8:
            return None
        torch = need_torch(str(self.spec))
        kind, rows = getattr(torch, self._dtype), []
        for picture in pictures:
            values = np.asarray(self.net.transform(Image.fromarray(picture)), np.float32)
            with self.net.lock, torch.inference_mode():
                batch = torch.from_numpy(values)[None].to(self._passes.device, kind)
                row = self._passes.read(batch, [self._reading])[0]
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
        engine = self._exported(self._runtime, chosen).engine
        rows = [engine(picture) for picture in prepared]
        return [np.concatenate(each) for each in zip(*rows, strict=True)]

    def _by_torch(self, prepared: Sequence[Array], encoders: Sequence[TorchEncoder]) -> list[Array]:
        step, readings = self.batch_size, [one._reading for one in encoders]
        parts = [
            self._passes.run(prepared[at : at + step], readings)
            for at in range(0, len(prepared), step)
        ]
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    @property
    def reads_text(self) -> bool:
        """Whether the network has a text tower, and this is the layer that meets it."""
        return self.net.text is not None and self.layer == self.net.named["penultimate"]

    def encode_text(self, texts: Sequence[str]) -> Floats:
        """The vectors of texts, in the space of the pictures'.

        Returns:
            (n, dim) float32.

        Raises:
            BadSpec: the network has no text tower.
        """
        torch = need_torch(str(self.spec))
        if self.net.text is None or not self.reads_text:
            return super().encode_text(texts)
        texts = several_texts(texts, self.spec)
        try:
            with self.net.lock, torch.inference_mode():
                vectors: Floats = self.net.text(texts).float().cpu().numpy()
        except LikelensError:
            raise
        except Exception as error:
            raise EncoderFailed(
                f"the text tower failed: {in_short(error)}",
                where=str(self.spec),
                hint="check the files of the tokeniser beside the weights",
            ) from error
        return vectors

    def _describe(self) -> EncoderCard:
        probe = self.prepare(np.full((64, 48, 3), 128, np.uint8))
        dim = self._passes.run([probe], [self._reading])[0].shape[1]
        tensors = self.net.module.state_dict()
        libraries = {name: installed(name) or "" for name in ("torch", *self.net.libraries)}
        rounding = {}
        if self._dtype == INT8:
            libraries["onnxruntime"] = installed("onnxruntime") or ""
            rounding = {"rounding": INT8_VERSION}
        return EncoderCard(
            name=str(self.spec),
            fingerprint=fingerprint(
                network=architecture(self.net.module),
                weights=self.net.digest,
                layer=str(self.layer),
                prefix=self.net.prefix_of(self.layer),
                settings=self.net.settings,
                pool=self._pool,
                preprocessing=self.net.lasting or self.preprocessing,
                dtype=self._dtype,
                libraries={
                    name: text.rsplit(".", 1)[0]
                    for name, text in libraries.items()
                    if name != "torch"
                },
                version=VERSION,
                **rounding,
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
