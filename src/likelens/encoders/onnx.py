"""Any ONNX file, by onnxruntime on the processor: ``onnx:FILE[@output][?option=value]``."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard
from ..values.errors import BadSpec, EncoderFailed, LikelensError, LikelensWarning
from ..values.spec import Spec, fingerprint
from .base import Encoder
from .channel_axis import AXES, channel_axis, named_widths
from .limits import limited_memory
from .onnx_file import read_onnx_file
from .onnx_network import OnnxNetwork, Slot, unusable
from .preprocessing import VERSION, Preprocessing
from .resizing import Size
from .settings import (
    OPTIONS,
    PRESETS,
    Side,
    hub_folder,
    percent,
    read_hub_config,
    read_side,
    settle,
)

PENULTIMATE = (
    "features",
    "embeddings",
    "embedding",
    "image_embeds",
    "image_embeddings",
    "pooler_output",
    "penultimate",
    "last_hidden_state",
)
"""Outputs that ``@penultimate``, the default, stands for: the first that exists."""

OUTPUT = ("logits", "output", "probabilities", "probs", "scores", "predictions", "softmax")
"""Outputs that ``@output`` stands for: the first that exists."""

POOLS = ("avg", "max", "cls")

SHAPING = ("pool", "axis")
"""Options that say how a vector is made of an output."""

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


MAX_DIM = 1_000_000
"""Numbers in a vector."""

MAX_BATCH_BYTES = 2 << 30
"""Size of the network's input."""


class OnnxEncoder(Encoder):
    """Any ONNX file: onnx:FILE[@output].

    The layer is the name of an output, or ``penultimate`` or ``output`` for the usual
    names of those; a file with a single output needs none. How pictures are prepared is
    told by options, by a file beside the model, or by a preset (see ``settings``).
    ``pool`` makes one vector of a map of features or of tokens, where there is one; ``axis``
    says which of its axes counts channels, where nothing else tells it.

    Pictures run through the network one at a time, unless the file demands a batch: so a
    vector cannot depend on its neighbours, and on a processor this is no slower.

    Raises:
        BadSpec: no such file, no ONNX file, not one input for pictures, an unknown output
            or option, or no way to tell how large a picture must be.
    """

    def __init__(self, spec: Spec, network: OnnxNetwork | None = None) -> None:
        spec.check_options((*OPTIONS, *SHAPING))
        self.spec = spec
        path, layer = _locate(spec)
        self._network = network or OnnxNetwork(path, spec)
        self._input = _only_input(self._network.inputs, spec)
        self._type = _TYPES[self._input.type]
        batch = self._input.shape[0]
        self.batch_size = batch if isinstance(batch, int) and batch > 0 else 1
        outputs = self._network.outputs
        self.layers = _layers(outputs)
        self._output = _choose(layer or "penultimate", outputs, spec)
        side = read_side(path, (*OPTIONS, *SHAPING))
        self._pool = _stated(spec, "pool", side, POOLS)
        self._axis = _stated(spec, "axis", side, AXES)
        self.preprocessing = self._settle(side)
        self._size = self.preprocessing.size or (1, 1)
        self._mine = threading.local()
        self.card = self._describe(path, side, outputs)

    @property
    def trunk(self) -> Hashable:
        """The network, and what is done to a picture before it."""
        return id(self._network), str(self.preprocessing)

    def at(self, spec: Spec) -> OnnxEncoder:
        """Another output of the same file."""
        return OnnxEncoder(spec, self._network)

    def describe_layers(self) -> list[dict[str, Any]]:
        """The outputs of the file; dimensions of any length are 1."""
        return [
            {
                "name": output.name,
                "kind": output.type,
                "shape": [side if isinstance(side, int) else 1 for side in output.shape],
                "parameters": 0,
            }
            for output in self._network.outputs
        ]

    def expect(self, count: int, encoders: Sequence[Encoder]) -> None:
        """For many pictures, leave out what none of these outputs needs."""
        names = [one._output for one in encoders if isinstance(one, OnnxEncoder)]
        self._network.expect(count, names)

    def prepare(self, image: Array) -> Array:
        """One picture, resized and cropped: (height, width, 3) uint8."""
        return self.preprocessing.resized(image)

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The (n, dim) vectors of n prepared pictures."""
        return self.forward_layers(prepared, [self])[0]

    def forward_layers(self, prepared: Sequence[Array], encoders: Sequence[Encoder]) -> list[Array]:
        """Several outputs of the file, from one run."""
        chosen = [one for one in encoders if isinstance(one, OnnxEncoder)]
        step = self.batch_size
        parts = [
            self._run(prepared[at : at + step], chosen) for at in range(0, len(prepared), step)
        ]
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    def _run(self, prepared: Sequence[Array], encoders: Sequence[OnnxEncoder]) -> list[Array]:
        names = list(dict.fromkeys(encoder._output for encoder in encoders))
        found = self._answer(prepared, names)
        return [
            _pooled(found[one._output][: len(prepared)], one._pool, one._axis, one.spec)
            for one in encoders
        ]

    def _answer(self, prepared: Sequence[Array], names: Sequence[str]) -> dict[str, Array]:
        """What the network gives for one batch, by the name of the output."""
        batch = self._batch_array()
        for pixels, place in zip(prepared, batch, strict=False):
            self.preprocessing.normalise(pixels, place)
        batch[len(prepared) :] = 0  # a batch of fixed size is filled up
        values = batch.astype(self._type, copy=False)
        return dict(zip(names, self._network.run(names, values), strict=True))

    def _find_axis(self, path: Path) -> None:
        """Decide where an output has its channels, if it has more axes than those of a vector."""
        image = np.full((*self._size, 3), 128, np.uint8)
        shape = self._answer([image], [self._output])[self._output].shape
        maps = len(shape) == 4 and self.preprocessing.layout == "NCHW"
        self._usual_axis = "first" if maps else "last"  # fingerprints from before 0.2 imply it
        if not self._axis and len(shape) in (3, 4) and sum(side > 1 for side in shape[1:]) > 1:
            declared = next(one.shape for one in self._network.outputs if one.name == self._output)
            folder = hub_folder(path)
            widths = named_widths(read_hub_config(folder)) if folder else set()
            self._axis = channel_axis(shape, declared, self._size, widths, self.spec)

    def _batch_array(self) -> Floats:
        """This thread's array for the network's input: a new one each time costs dearly."""
        batch: Floats | None = getattr(self._mine, "batch", None)
        if batch is None:
            height, width = self._size
            shape = (
                (3, height, width) if self.preprocessing.layout == "NCHW" else (height, width, 3)
            )
            batch = self._mine.batch = np.empty((self.batch_size, *shape), np.float32)
        return batch

    def _settle(self, side: Side) -> Preprocessing:
        layout, size = _layout_and_size(self._input.shape, self.spec)
        pixels = self._type is np.uint8
        options = {key: text for key, text in self.spec.options.items() if key not in SHAPING}
        try:
            settled, assumed = settle(
                options,
                side.keys,
                size=size,
                layout=layout,
                usual="raw" if pixels else "imagenet",
                where=str(self.spec),
            )
        except BadSpec as error:
            if options or not side.keys:
                raise
            raise EncoderFailed(error.what, where=side.place, hint=error.hint) from error
        if pixels and (settled.scale, {*settled.mean}, {*settled.std}) != (1.0, {0.0}, {1.0}):
            raise BadSpec(
                "the file takes pixels of 0 to 255 as they are, so nothing can be normalised",
                where=str(self.spec),
                hint="state preset=raw, or scale=1 without mean and std",
            )
        if assumed:
            _warn_of(assumed, self.spec)
        return settled

    def _describe(self, path: Path, side: Side, outputs: Sequence[Slot]) -> EncoderCard:
        self._check_input()
        try:
            with limited_memory():
                self._find_axis(path)
                dim = self.forward([np.full((*self._size, 3), 128, np.uint8)]).shape[1]
        except LikelensError:
            raise
        except Exception as error:
            raise unusable("the model cannot run on an image", error, self.spec) from error
        if not 0 < dim <= MAX_DIM:
            raise EncoderFailed(
                f"the output has {dim:,} numbers for each image",
                where=str(self.spec),
                hint=f"choose an output of 1 to {MAX_DIM:,}, or make one vector: ?pool=avg",
            )
        try:
            file = read_onnx_file(path)
        except (OSError, ValueError) as error:
            raise unusable("the file is not plain ONNX", error, self.spec) from error
        if self._network.changed:  # what was hashed may not be what was loaded
            raise EncoderFailed(
                "the file changed while it was opened", where=str(path), hint="open it again"
            )
        accuracy = side.about.get("imagenet_acc1", "")
        return EncoderCard(
            name=str(self.spec),
            fingerprint=fingerprint(
                source="onnx",
                content=file.content,
                output=self._output,
                pool=self._pool,
                preprocessing=str(self.preprocessing),
                version=VERSION,
                **({"axis": self._axis} if self._axis not in ("", self._usual_axis) else {}),
            ),
            dim=dim,
            preprocessing=str(self.preprocessing),
            parameters=file.parameters,
            size_bytes=file.size_bytes,
            accuracy=percent(accuracy),
            details=_details(path, side, self._output, outputs),
        )

    def _check_input(self) -> None:
        """Refuse a batch that would not fit into memory.

        Raises:
            BadSpec: the file takes one.
        """
        size_bytes = self.batch_size * self._size[0] * self._size[1] * 3 * 4
        if size_bytes > MAX_BATCH_BYTES:
            raise EncoderFailed(
                f"the file takes a batch of {size_bytes:,} bytes at once: {self._input}",
                where=str(self.spec),
                hint="export it with a smaller batch, or with one of any length",
            )


def _locate(spec: Spec) -> tuple[Path, str | None]:
    """The file and the layer; an @ may belong to the file's name."""
    path, layer = Path(spec.identifier).expanduser(), spec.layer
    whole = Path(f"{spec.identifier}@{spec.layer}").expanduser()
    if layer and not path.exists() and whole.exists():
        path, layer = whole, None
    if not path.is_file():
        what = "this is a folder, not an ONNX file" if path.is_dir() else "there is no such file"
        raise EncoderFailed(
            what, where=str(path), hint="give the path of an .onnx file: onnx:model.onnx"
        )
    return path, layer


def _only_input(inputs: Sequence[Slot], spec: Spec) -> Slot:
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _TYPES:
        raise EncoderFailed(
            f"the file must take one batch of pictures, not: {_listed(inputs)}",
            where=str(spec),
            hint="export the part that sees pictures alone: one input (n, 3, height, width)",
        )
    return inputs[0]


def _layout_and_size(shape: list[Any], spec: Spec) -> tuple[str | None, Size | None]:
    """What the input's shape tells; its axes are numbers, or names where any number goes."""
    if 3 not in (shape[1], shape[3]) and isinstance(shape[1], int) and isinstance(shape[3], int):
        raise EncoderFailed(
            f"the file takes {shape}, which are no pictures of three channels",
            where=str(spec),
            hint="give a model for RGB pictures",
        )
    layout = "NCHW" if shape[1] == 3 else "NHWC" if shape[3] == 3 else None
    height, width = shape[1:3] if layout == "NHWC" else shape[2:]
    fixed = isinstance(height, int) and isinstance(width, int)
    return layout, (height, width) if fixed else None


def _layers(outputs: Sequence[Slot]) -> tuple[str, ...]:
    """Which of the names ``penultimate`` and ``output`` stand for outputs of their own."""
    names = {output.name for output in outputs}
    usual = {"penultimate": PENULTIMATE, "output": OUTPUT}
    return tuple(layer for layer, aliases in usual.items() if names & {layer, *aliases})


def _choose(layer: str, outputs: Sequence[Slot], spec: Spec) -> str:
    """The name of the output that the layer stands for."""
    names = [output.name for output in outputs]
    usual = {"penultimate": PENULTIMATE, "output": OUTPUT}.get(layer, ())
    for name in (layer, *usual):
        if name in names:
            return name
    if usual and len(names) == 1:
        return str(names[0])
    what = f"which output is {layer!r} is not clear" if usual else f"there is no output {layer!r}"
    raise BadSpec(
        f"{what}; the file has {_listed(outputs)}",
        where=str(spec),
        hint=f"choose one, as in onnx:{spec.identifier}@{names[0]}",
    )


def _listed(slots: Sequence[Slot]) -> str:
    """Inputs or outputs with their shapes, for a message: ``logits [N, 1001] float``."""
    return ", ".join(map(str, slots))


def _pooled(answer: Array, pool: str, axis: str, spec: Spec) -> Array:
    """(n, dim) of whatever an output is; axes of length one do not count."""
    length = len(answer)
    long = [side for side in answer.shape[1:] if side > 1]
    if len(long) < 2:
        return answer.reshape(length, -1)
    if axis == "first":
        answer = np.moveaxis(answer, 1, -1)
    tokens = answer.reshape(length, -1, answer.shape[-1])
    if not pool or answer.ndim > 4 or (pool == "cls" and answer.ndim != 3):
        raise BadSpec(
            f"the output has {tokens.shape[1]} vectors of {tokens.shape[2]} for each image",
            where=str(spec),
            hint="make one of them: ?pool=avg, ?pool=max, or for tokens ?pool=cls, the first",
        )
    if pool == "cls":
        return tokens[:, 0]
    values: Array = tokens.astype(np.float32, copy=False)
    pooled: Array = values.max(axis=1) if pool == "max" else values.mean(axis=1)
    return pooled


def _stated(spec: Spec, name: str, side: Side, choices: tuple[str, ...]) -> str:
    """An option of the spec, else of the file beside the model, else nothing."""
    return spec.option(name, str, side.keys.pop(name, ""), choices=choices)


def _warn_of(assumed: tuple[str, ...], spec: Spec) -> None:
    warnings.warn(
        f"nothing states {', '.join(assumed)} for {spec}: taken as for ImageNet; say ?preset= "
        f"({', '.join(PRESETS)}), or write them into a .toml file beside the model",
        LikelensWarning,
        stacklevel=2,
    )


def _details(path: Path, side: Side, output: str, outputs: Sequence[Slot]) -> dict[str, Any]:
    import onnxruntime

    told = {key: side.about[key] for key in ("architecture", "licence") if side.about.get(key)}
    return {
        "file": path.name,
        "output": output,
        "outputs": _listed(outputs),
        "preprocessing_from": Path(side.place).name,
        "accuracy_is_approximate": side.about.get("imagenet_acc1", "").startswith("~"),
        "onnxruntime": onnxruntime.__version__,
        **told,
    }
