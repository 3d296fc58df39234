"""A network in an ONNX file, run by onnxruntime on the processor."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..values.arrays import Array
from ..values.errors import EncoderFailed, first_few
from ..values.spec import Spec
from .limits import limited_memory, limited_time
from .onnx_file import cut_down, outside

_MANY = 100
"""So many pictures earn back the time that loading a smaller network takes."""

_NOISE = (
    r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"Load model from .* failed: ?(Fatal error: )?",
    r"Non-zero status code returned while running (?=\w+ node)",
    r"Name:'[^']*' Status Message: ",
    r"\S+\.(h|cc):\d+ ([\w:<>&*~ ,]+\([^)]*\)( const)? )?",
)
"""Parts of onnxruntime's messages that tell a user nothing."""


class Slot(NamedTuple):
    """What a network takes or gives: a length of an axis is a number, or a name for any."""

    name: str
    shape: list[Any]
    type: str

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(map(str, self.shape))}] {self.type[7:-1]}"


class OnnxNetwork:
    """A file in onnxruntime, on one thread, so that several can share it.

    Attributes:
        inputs: what it takes.
        outputs: what it can give.

    Raises:
        EncoderFailed: no network that onnxruntime can load.
    """

    def __init__(self, path: Path, spec: Spec) -> None:
        if path.stat().st_size == 0:
            raise EncoderFailed(
                "the file is empty (0 bytes)", where=str(path), hint="get the file again"
            )
        self._check_places(path)
        self._path, self._stamp = path.absolute(), _stamp(path)
        self._changing, self._not_less = threading.Lock(), set[frozenset[str]]()
        try:
            with limited_memory(path.stat().st_size):
                whole = _session(path)
        except Exception as error:
            raise unusable("onnxruntime cannot load this file", error, spec) from error
        self.inputs, self.outputs = _slots(whole.get_inputs()), _slots(whole.get_outputs())
        self._all = frozenset(output.name for output in self.outputs)
        self._loaded: tuple[Any, frozenset[str]] = whole, self._all

    def _check_places(self, path: Path) -> None:
        """Refuse external data outside the model's folder; of a damaged file say nothing yet.

        Raises:
            EncoderFailed: there is some, or the file cannot be opened.
        """
        try:
            lost = outside(path)
        except ValueError:  # onnxruntime says it better, and ``read_onnx_file`` raises it again
            return
        except OSError as error:
            raise EncoderFailed(
                f"the file cannot be read: {error.strerror or error}",
                where=str(path),
                hint="check its permissions",
            ) from error
        if lost:
            raise EncoderFailed(
                f"its weights are outside its folder: {first_few(lost)}",
                where=str(path),
                hint="keep the model and the files of its weights in one folder, and save it again",
            )

    def expect(self, count: int, names: Collection[str]) -> None:
        """Get ready for so many pictures of which no more than these outputs are wanted.

        onnxruntime computes all that a file holds, whatever is asked for. So for many
        pictures the file is loaded again without what they do not need, if that is much.
        """
        wanted = frozenset(names)
        with self._changing:
            if count < _MANY or wanted in (self._loaded[1], self._all, *self._not_less):
                return
            less = self._less(wanted)
            if less is None:
                self._not_less.add(wanted)
            else:
                self._loaded = less, wanted

    def _less(self, wanted: frozenset[str]) -> Any:
        """A session of what some outputs need; None if it is the whole one that is to run."""
        if self.changed:
            return None  # what is loaded is what the fingerprint stands for
        try:
            data = self._path.read_bytes()
            content = None if data[4:8] == b"ORTM" else cut_down(data, wanted)
            return None if content is None else _session(content)
        except Exception:  # noqa: BLE001 - what loads whole need not load in part
            return None

    def run(self, names: Sequence[str], values: Array) -> list[Array]:
        """These outputs for some images.

        Raises:
            BadShape: it took too long.
        """
        session, there = self._loaded
        if not there.issuperset(names):
            session = self._whole()
        import onnxruntime

        options = onnxruntime.RunOptions()
        with limited_time(lambda: setattr(options, "terminate", True), str(self._path)):
            answers: list[Array] = session.run(names, {self.inputs[0].name: values}, options)
        return answers

    @property
    def changed(self) -> bool:
        """Whether the file is another one now than when it was loaded."""
        return _stamp(self._path) != self._stamp

    def _whole(self) -> Any:
        with self._changing:
            if self._loaded[1] != self._all:
                if self.changed:
                    raise EncoderFailed(
                        "the file has changed since it was opened, or is gone",
                        where=str(self._path),
                        hint="run again",
                    )
                self._loaded = _session(self._path), self._all
            return self._loaded[0]


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; None if it cannot be looked at."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _session(model: Path | bytes) -> Any:
    """The network of a file, or of its content."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model,
        options,
        providers=["CPUExecutionProvider"],
        enable_fallback=False,  # which would try the same again, and print to stdout
    )


def _slots(described: Sequence[Any]) -> list[Slot]:
    """Copies, as onnxruntime's own would keep the session that they belong to."""
    return [Slot(one.name, list(one.shape), one.type) for one in described]


def unusable(what: str, error: Exception, spec: Spec) -> EncoderFailed:
    """What went wrong in onnxruntime, and how to fix it."""
    return EncoderFailed(
        f"{what}: {_plainly(str(error))[:200]}",
        where=str(spec),
        hint="give an ONNX file of standard operators that takes images, or export it again",
    )


def _plainly(text: str) -> str:
    """What onnxruntime says, without its codes, its own files and the path that we name anyway."""
    plain = " ".join(text.split())
    for pattern in _NOISE:
        plain = re.sub(pattern, "", plain)
    return plain.rstrip(". ") or "no more is said"
