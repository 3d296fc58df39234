"""Where and how networks run, and which encoders can run so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..values.errors import BadSpec, first_few
from ..values.spec import FUSED, Spec

NETWORKS = ("torchvision", "timm", "open_clip", "hf", "checkpoint")
"""Sources of torch networks, which alone know devices, runtimes and ``dtype``."""


@dataclass(frozen=True)
class Running:
    """Where and how networks run; it does not change their vectors beyond rounding.

    Attributes:
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        compile: whether torch compiles the network first.
        runtime: ``auto``, ``torch``, ``onnx`` or ``openvino``: what runs torch networks.

    Raises:
        BadSpec: no computer has such a device.
    """

    device: str = "auto"
    compile: bool = False
    runtime: str = "auto"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", self.device):
            raise BadSpec(
                f"there is no device {self.device!r}",
                where=f"--device {self.device}",
                hint="choose one of: auto, cpu, cuda, cuda:1 (the second GPU), mps",
            )

    @property
    def asked(self) -> str:
        """What differs from the usual, as options of a command."""
        parts = [f"--{name} {getattr(self, name)}" for name in ("device", "runtime")]
        said = [part for part in parts if not part.endswith(" auto")]
        return " ".join([*said, *(["--compile"] if self.compile else [])])

    def suits(self, spec: Spec) -> bool:
        """Whether an encoder can run so, as far as its name tells: all but networks run one way.

        A fusion, or a control made of others, can if one of these can.
        """
        inner = spec.options.get("of")
        if spec.source == FUSED or inner is not None:
            parts = spec.parts if inner is None else Spec.parse(inner).parts
            return any(self.suits(part) for _, part in parts)
        runtimes = ("auto", "torch", *(["onnx"] if spec.source == "onnx" else []))
        plain = self.device in ("auto", "cpu") and self.runtime in runtimes and not self.compile
        return plain or spec.source in NETWORKS


def unheeding(specs: Sequence[Spec], running: Running | None) -> list[str]:
    """Encoders that cannot run as asked; controls, which compute nothing, do not count.

    Raises:
        BadSpec: not one of them can.
    """
    seeing = [spec for spec in specs if spec.source != "control"]
    others = [str(spec) for spec in seeing if running and not running.suits(spec)]
    if running is None or not others or len(others) < len(seeing):
        return others
    runs = "runs" if len(others) == 1 else "run"
    raise BadSpec(
        f"{first_few(others)} {runs} on the processor in one way only, not as asked",
        where=running.asked,
        hint=f"leave it out, or name a network of torch ({', '.join(NETWORKS)})",
    )


def way_of(spec: Spec, running: Running | None) -> Running:
    """How an encoder is run: as asked, if it can."""
    return running if running is not None and running.suits(spec) else Running()
