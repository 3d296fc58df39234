"""What every encoder offers: ``Encoder``, ``FittedEncoder`` and ``VectorSource``."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from ..images import Picture, open_image
from ..values.arrays import Array, Floats, narrow_rows, rows_not_finite
from ..values.embeddings import Embeddings, EncoderCard
from ..values.errors import (
    BadImage,
    BadShape,
    BadSpec,
    EncoderFailed,
    LikelensError,
    first_few,
    in_short,
)
from ..values.spec import Spec
from .running import Running

if TYPE_CHECKING:
    from ..values.catalogue import Catalogue

T = TypeVar("T")

_TASK = 4  # pictures that a thread takes up at a time
_LARGE = 128  # pictures of a batch from which on threads share in preparing it


class Encoder(ABC):
    """Turns pictures into vectors.

    A new source writes ``prepare`` (one picture, run in many threads) and
    ``forward`` (a batch of prepared pictures). The vector of a picture depends on
    that picture alone, whatever else is in the batch.

    Attributes:
        spec: the name it was opened by.
        card: what is known of it: name, fingerprint, dimension and more.
        batch_size: how many pictures one call of ``forward`` should get.
        parallel: whether several threads may call ``forward`` at once and gain by it.
        layers: which of ``penultimate`` and ``output`` can be asked for by ``@``.
        notes: what was warned of when it was opened; boards and reports repeat it.
    """

    EXAMPLES: ClassVar[tuple[str, ...]] = ()
    """Specs that need no file; the conformance tests open each of them."""

    spec: Spec
    card: EncoderCard
    batch_size = 8
    parallel = True
    layers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.card.dim

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the vectors: weights, preprocessing, layer."""
        return self.card.fingerprint

    def run_on(self, running: Running) -> None:  # noqa: B027 - most run on the processor alone
        """Move to a device; encoders that know only the processor stay there.

        Raises:
            BadSpec: there is no such device here.
        """

    def expect(self, count: int, encoders: Sequence[Encoder]) -> None:  # noqa: B027 - as above
        """Be told of a job before it begins; some get ready for a large one.

        Args:
            count: how many pictures will come.
            encoders: those whose vectors will be asked for, all of this one's ``trunk``.
        """

    @abstractmethod
    def prepare(self, image: Array) -> Array:
        """What the encoder needs of one picture: (height, width, 3) uint8 RGB in."""

    @abstractmethod
    def forward(self, prepared: Sequence[Array]) -> Array:
        """The (n, dim) vectors of n prepared pictures."""

    @property
    def reads_text(self) -> bool:
        """Whether ``encode_text`` gives vectors in the space of the pictures'."""
        return False

    def encode_text(self, texts: Sequence[str]) -> Floats:  # noqa: ARG002
        """The (n, dim) float32 vectors of texts, in the space of the pictures'.

        Raises:
            BadSpec: the encoder has no text tower.
        """
        raise BadSpec(
            f"{self.spec} cannot read text",
            where=str(self.spec),
            hint="use one with a text tower, such as open_clip:ViT-B-32/laion2b_s34b_b79k",
        )

    @property
    def trunk(self) -> Hashable:
        """Equal for encoders that prepare pictures alike and can share a forward pass."""
        return id(self)

    def at(self, spec: Spec) -> Encoder:
        """Another layer of the same network, without loading it again, on the same device.

        Args:
            spec: this encoder's but for the layer and ``pool``.

        Raises:
            BadSpec: there is no such layer.
        """
        from .opening import open_encoder

        opened = open_encoder(spec)
        assert isinstance(opened, Encoder)  # noqa: S101 - of the same source as this one
        return opened

    def forward_layers(self, prepared: Sequence[Array], encoders: Sequence[Encoder]) -> list[Array]:
        """The vectors by each of some encoders with this one's ``trunk``, from one forward pass."""
        return [encoder.forward(prepared) for encoder in encoders]

    def describe_layers(self) -> list[dict[str, Any]]:
        """Name, kind, shape for one picture and parameters of each layer that ``@`` can name."""
        return []

    def own_way(self, pictures: Sequence[Array]) -> Floats | None:  # noqa: ARG002
        """The vectors as its own library documents them, slowly; None if there is no other way.

        Args:
            pictures: (height, width, 3) uint8.
        """
        return None

    def encode(self, images: Iterable[Picture]) -> Floats:
        """The vectors of some pictures, in their order.

        Args:
            images: PIL images, paths, encoded bytes, or uint8 arrays (height, width, 3) in RGB.

        Returns:
            (n, dim) float32.

        Raises:
            BadImage: an image cannot be read, or it is given alone, without a list.
            BadShape: the encoder returned something else than finite vectors.
        EncoderFailed: the network does not run.
        """
        pictures = several(images, self.spec)
        self.expect(len(pictures), [self])
        tasks = _cut(pictures, max(self.batch_size, _TASK))
        few = self.batch_size >= _LARGE and len(tasks) < cores()
        if not self.parallel or few:
            parts = list(self._one_after_another(pictures))
        elif len(tasks) < 2:  # no threads for a few
            parts = [self._task(task) for task in tasks]
        else:
            with ThreadPoolExecutor(cores()) as pool:
                parts = list(pool.map(self._task, tasks))
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def _one_after_another(self, pictures: Sequence[Picture]) -> Iterator[Floats]:
        """Vectors of one batch at a time, while threads prepare the next two."""
        waiting: deque[list[Future[Array]]] = deque()
        with ThreadPoolExecutor(cores()) as pool:
            for batch in _cut(pictures, self.batch_size):
                waiting.append([pool.submit(self._ready, picture) for picture in batch])
                if len(waiting) > 2:
                    yield self._stacked([each.result() for each in waiting.popleft()])
            for batch_ready in waiting:
                yield self._stacked([each.result() for each in batch_ready])

    def _task(self, pictures: Sequence[Picture]) -> Floats:
        batches = _cut(pictures, self.batch_size)
        return np.concatenate(
            [self._stacked([self._ready(picture) for picture in batch]) for batch in batches]
        )

    def _ready(self, picture: Picture) -> Array:
        return self.prepare(open_image(picture))

    def _stacked(self, prepared: Sequence[Array]) -> Floats:
        try:
            answer = self.forward(prepared)
        except LikelensError:
            raise
        except Exception as error:
            raise EncoderFailed(
                f"the network failed: {in_short(error)}",
                where=str(self.spec),
                hint="check it: likelens encoders check SPEC",
            ) from error
        return stack(answer, len(prepared), self)


class FittedEncoder(Encoder):
    """An encoder that must see a sample of pictures once (a vocabulary of visual words).

    Its fingerprint covers what it learnt, so it has one only when fitted.
    """

    @property
    @abstractmethod
    def fitted(self) -> bool:
        """Whether it has learnt, or loaded what was learnt."""

    @property
    @abstractmethod
    def sample_size(self) -> int:
        """How many pictures it wants to see."""

    @abstractmethod
    def fit(self, images: Iterable[Picture]) -> None:
        """Learn from a sample; the same pictures in the same order teach the same."""

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """What was learnt, as arrays."""

    @abstractmethod
    def load_state(self, state: dict[str, Array]) -> None:
        """Take over what ``state`` returned."""


class VectorSource(ABC):
    """Vectors that do not come from pixels: a file, or other vectors shuffled.

    Stands wherever an encoder's spec does, for items of a catalogue.

    Attributes:
        spec: the name it was opened by.
        running: where networks that it stands on run.
        notes: as of ``Encoder``.
    """

    spec: Spec
    running = Running()
    notes: tuple[str, ...] = ()

    @abstractmethod
    def embeddings(self, catalogue: Catalogue, embed: Callable[[str], Embeddings]) -> Embeddings:
        """The vectors of the catalogue's items.

        Args:
            catalogue: whose items.
            embed: gives the embeddings of the same catalogue by another spec.
        """

    def encode(self, images: Iterable[Picture]) -> Floats:  # noqa: ARG002
        """Refuses: there is nothing here that could look at a picture.

        Raises:
            BadSpec: always.
        """
        raise BadSpec(
            f"{self.spec} has vectors for the items of a catalogue, and cannot encode a picture",
            where=str(self.spec),
            hint="ask with the id of an item, or use an encoder",
        )


def several(images: Iterable[Picture], spec: Spec) -> list[Picture]:
    """The images of a list; refuses a single one, which is a list of letters or rows by mistake.

    Raises:
        BadImage: it is a single image, or nothing that has images.
    """
    single = isinstance(images, str | bytes | os.PathLike) or not isinstance(images, Iterable)
    if isinstance(images, np.ndarray):
        single = images.ndim < 3 or (images.ndim == 3 and images.shape[-1] in (3, 4))
    if single:
        kind = type(images).__name__
        shown = repr(images) if isinstance(images, str) and len(images) < 80 else "image"
        raise BadImage(
            f"encode takes a list of images, not a single {kind}",
            where=str(spec),
            hint=f"write encode([{shown}])[0]",
        )
    return list(images)


def several_texts(texts: Sequence[str], spec: Spec) -> list[str]:
    """The texts of a list; refuses a single one.

    Raises:
        BadSpec: it is a single text, or something else than texts.
    """
    given = [] if isinstance(texts, str | bytes) else list(texts)
    if isinstance(texts, str | bytes) or not all(isinstance(text, str) for text in given):
        shown = repr(texts) if isinstance(texts, str) and len(texts) < 80 else '"red dress"'
        raise BadSpec(
            "encode_text takes a list of texts",
            where=str(spec),
            hint=f"write encode_text([{shown}])",
        )
    return given


def _cut(things: Sequence[T], size: int) -> list[Sequence[T]]:
    return [things[start : start + size] for start in range(0, len(things), size)]


def stack(rows: Array | Sequence[Array], count: int, encoder: Encoder) -> Floats:
    """The (count, dim) float32 matrix of an encoder's answer, checked.

    Raises:
        BadShape: another shape, or a value that is not finite.
    """
    matrix = shaped(rows, count, encoder)
    broken = rows_not_finite(matrix)
    if broken.size:
        raise BadShape(
            f"{broken.size} of {count} vectors hold NaN or infinity: rows {first_few(broken)}",
            where=str(encoder.spec),
            hint="check the weights and the preprocessing",
        )
    return matrix


def shaped(rows: Array | Sequence[Array], count: int, encoder: Encoder) -> Floats:
    """The (count, dim) float32 matrix of an encoder's answer; its values are not checked.

    Raises:
        BadShape: another shape.
    """
    given = np.asarray(rows)
    wide = given.ndim == 2 and given.dtype.kind in "fiu"
    matrix = narrow_rows(given) if wide else np.ascontiguousarray(given, np.float32)
    if count == 0 and matrix.size == 0:
        matrix = matrix.reshape(0, encoder.dim)
    if matrix.shape != (count, encoder.dim):
        raise BadShape(
            f"got vectors of shape {matrix.shape} for {count} images of dimension {encoder.dim}",
            where=str(encoder.spec),
            hint="choose another layer, or report this encoder",
        )
    return matrix


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
