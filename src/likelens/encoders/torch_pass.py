"""Forward passes of a torch network: device, numbers, copies to and fro, what is read of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..values.arrays import Array, Floats
from ..values.errors import BadShape, BadSpec, LikelensError, in_short
from ..values.spec import Spec
from .preprocessing import Preprocessing
from .torch_layers import Layer, captured, pooled
from .torch_load import need_torch

if TYPE_CHECKING:
    from .torch_net import Net


@dataclass(frozen=True)
class Reading:
    """What is read of a forward pass: a layer, and how one vector is made of its value.

    Attributes:
        layer: whose value.
        pool: how it is pooled, see ``torch_layers.pooled``.
        spec: the encoder, for messages.
    """

    layer: Layer
    pool: str
    spec: Spec


class Passes:
    """Forward passes of a network; the encoders of its layers share them, and so its device.

    Args:
        net: the network.
        stated: the preprocessing whose last step, from whole numbers to normalised ones, is
            done here; None where pictures come as the network takes them.
        dtype: the numbers that it computes with.
        where: the encoder, for messages.
    """

    def __init__(self, net: Net, stated: Preprocessing | None, dtype: str, where: str) -> None:
        self.net, self.stated, self.dtype, self._where = net, stated, dtype, where
        self._compiled: dict[tuple[Reading, ...], Callable[[Any], Any]] = {}
        self.place("cpu")

    def place(self, device: str, *, compiling: bool = False) -> None:
        """Move the network to a device, and say whether torch compiles it first."""
        torch = need_torch(self._where)
        self.device, self._compiling = device, compiling
        self._copies = CopiesBeside(device) if device.startswith("cuda") else Copies(device)
        with self.net.lock:
            self._settle()
        if self.stated:
            std = np.asarray(self.stated.std, np.float64)
            factor = self.stated.scale / std
            offset = -np.asarray(self.stated.mean, np.float64) / std
            self._factor, self._offset = (
                torch.tensor(part, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)
                for part in (factor, offset)
            )

    def run(self, prepared: Sequence[Array], readings: Sequence[Reading]) -> list[Floats]:
        """The (n, dim) vectors of n prepared pictures, by each reading.

        Several threads may call this: one at a time has the network run, and on a GPU the
        others copy their pictures there, or wait for their vectors, meanwhile.

        Raises:
            BadShape: a value overflowed.
            BadSpec: torch cannot compile the network.
        """
        torch = need_torch(self._where)
        arrived = self._copies.send(np.stack(prepared))
        with self.net.lock, torch.inference_mode():
            batch = self.normalised(arrived(), getattr(torch, self.dtype))
            values = [value.float() for value in self._answer(batch, readings)]
            back = self._copies.fetch(values)
        vectors = back()
        if self.dtype != "float32" and not all(np.isfinite(one).all() for one in vectors):
            raise BadShape(
                f"values overflowed in {self.dtype}",
                where=self._where,
                hint="use dtype=bfloat16, which has the range of float32, or leave dtype out",
            )
        return vectors

    def batch(self, prepared: Sequence[Array]) -> Any:
        """Prepared pictures as the network takes them, on its device."""
        torch = need_torch(self._where)
        batch = torch.from_numpy(np.stack(prepared)).to(self.device)
        return self.normalised(batch, getattr(torch, self.dtype))

    def normalised(self, batch: Any, kind: Any) -> Any:
        """The same for a tensor of prepared pictures that is there, in numbers of some kind."""
        torch = need_torch(self._where)
        if self.stated:
            batch = batch.permute(0, 3, 1, 2).float()
            if self.stated.channels == "BGR":
                batch = batch.flip(1)
            batch = torch.addcmul(self._offset, batch, self._factor)
        return batch.to(kind).contiguous(memory_format=torch.channels_last)

    def read(self, batch: Any, readings: Sequence[Reading]) -> list[Any]:
        """The (n, dim) tensors of some readings, from one forward pass."""
        values = captured(self.net, batch, [one.layer for one in readings])
        return [
            pooled(value, len(batch), one.pool, self.net.prefix_of(one.layer), one.spec)
            for one, value in zip(readings, values, strict=True)
        ]

    @contextmanager
    def as_float32(self) -> Iterator[None]:
        """Within it the network has float32 values, and no other thread runs it."""
        with self.net.lock:
            self.net.module.float()
            try:
                yield
            finally:
                self._settle()

    def _settle(self) -> None:
        """The network on its device, in its numbers and the layout that convolutions like."""
        torch = need_torch(self._where)
        kind = getattr(torch, self.dtype)
        self.net.module.to(device=self.device, dtype=kind, memory_format=torch.channels_last)

    def _answer(self, batch: Any, readings: Sequence[Reading]) -> list[Any]:
        if not self._compiling:
            return self.read(batch, readings)
        key = tuple(readings)
        if key not in self._compiled:
            self._compiled[key] = compiled(lambda batch: self.read(batch, key), self._where)
        answer: list[Any] = self._compiled[key](batch)
        return answer


class Copies:
    """Copies between the memory of the processor and a device, one step after another."""

    def __init__(self, device: str) -> None:
        self.device = device

    def send(self, batch: Array) -> Callable[[], Any]:
        """Start to copy a batch; what is returned gives the tensor, where the network runs."""
        tensor = need_torch(self.device).from_numpy(batch)
        return lambda: tensor.to(self.device)

    def fetch(self, values: Sequence[Any]) -> Callable[[], list[Floats]]:
        """Start to copy answers back; what is returned waits for them."""
        vectors = [value.cpu().numpy() for value in values]
        return lambda: vectors


class CopiesBeside(Copies):
    """Copies from and to pinned memory, beside what a GPU computes.

    Batches go there by a stream of their own, and the stream that computes waits for its batch
    alone. Answers come back in the order of that stream, and only who wants them waits.
    """

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._cuda = need_torch(device).cuda
        self._stream = self._cuda.Stream(device)

    def send(self, batch: Array) -> Callable[[], Any]:
        """Start to copy a batch; what is returned gives the tensor, where the network runs."""
        pinned = need_torch(self.device).from_numpy(batch).pin_memory()
        with self._cuda.stream(self._stream):
            tensor = pinned.to(self.device, non_blocking=True)
            sent = self._stream.record_event()

        def arrived() -> Any:
            computing = self._cuda.current_stream(self.device)
            computing.wait_event(sent)
            tensor.record_stream(computing)  # its memory is not used again before
            return tensor

        return arrived

    def fetch(self, values: Sequence[Any]) -> Callable[[], list[Floats]]:
        """Start to copy answers back; what is returned waits for them."""
        copies = [value.to("cpu", non_blocking=True) for value in values]  # pinned, by torch
        answered = self._cuda.current_stream(self.device).record_event()

        def back() -> list[Floats]:
            answered.synchronize()
            return [one.numpy() for one in copies]

        return back


def compiled(answer: Callable[[Any], Any], where: str) -> Callable[[Any], Any]:
    """The same by torch.compile, which takes its time at the first batches.

    Raises:
        BadSpec: when called, if torch cannot compile it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own parts
        quick = need_torch(where).compile(answer)

    def run(batch: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return quick(batch)
        except LikelensError:
            raise
        except Exception as error:
            raise BadSpec(
                f"torch cannot compile it: {in_short(error)}",
                where=where,
                hint="leave --compile out",
            ) from error

    return run
