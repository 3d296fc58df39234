"""Several encoders in one: their unit vectors, scaled by weight and joined.

With y_a the unit vector of a picture by part a, and w_a that part's weight, the fused
vector is

    z = (sqrt(w_1 / W) y_1, ..., sqrt(w_k / W) y_k),    W = w_1 + ... + w_k,

so that the cosine of two pictures i and j is the weighted mean of the parts' cosines,

    z_i' z_j = sum over a of (w_a / W) y_ia' y_ja.

A part that sees nothing in a picture contributes zeros. With W_i the weight of the parts
that see something in i, the cosine is then

    sum over a that see both of w_a y_ia' y_ja / sqrt(W_i W_j),

which is the weighted mean of the others where a part is blind to both pictures, and less
than that where it is blind to one: nothing and something are unlike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..images import Picture
from ..values.arrays import Array, Floats, unit_rows
from ..values.embeddings import EncoderCard
from ..values.errors import BadSpec
from ..values.spec import Spec, fingerprint
from .base import Encoder, FittedEncoder, VectorSource, shaped
from .opening import open_encoder
from .running import Running

EXAMPLES = (
    "opencv:colour?bins=4 + 0.5*opencv:hog?size=64",
    "2*opencv:sift?sample=40&words=16 + opencv:colour?bins=4",
)

VERSION = 1
"""Raised when the same parts and weights give other vectors than before."""


def open_fused(spec: Spec) -> Encoder:
    """Several encoders in one, written without fused: as onnx:m.onnx + 0.5*opencv:colour.

    Raises:
        BadSpec: a part is named wrongly, or sees no pictures.
        MissingExtra: a part needs a library that is not installed.
        NoWeights: the weights of a part cannot be had.
    """
    spec.check_options(())
    spec.with_layer(spec.layer)  # refuses a layer
    weights = [weight for weight, _ in spec.parts]
    made_on = Running(device="cpu")  # run_on moves them
    parts = [seeing(open_encoder(part, made_on)) for _, part in spec.parts]
    if any(isinstance(part, FittedEncoder) for part in parts):
        return FittedFusion(spec, weights, parts)
    return FusedEncoder(spec, weights, parts)


def seeing(part: Encoder | VectorSource) -> Encoder:
    """The same, if it can be fused.

    Raises:
        BadSpec: it has vectors of items, and sees no pictures.
    """
    if isinstance(part, Encoder):
        return part
    raise BadSpec(
        f"{part.spec} has vectors for items and sees no pictures, so it cannot be fused",
        where=str(part.spec),
        hint="fuse encoders, such as onnx:m.onnx + 0.5*opencv:colour",
    )


def join(parts: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """The fused vectors of some items, see the equation above.

    Args:
        parts: (n, d_a) vectors of each part; only their directions count.
        weights: (k,) of the parts, none negative and one above 0; only their ratios
            count. A part of weight 0 is left out.

    Returns:
        (n, sum of d_a) float32.

    Example:
        >>> join([np.array([[2.0, 0.0]]), np.array([[0.0, 0.5]])], [9.0, 16.0]).round(2)
        array([[0.6, 0. , 0. , 0.8]], dtype=float32)
    """
    total = sum(weights)
    return np.concatenate(
        [
            unit_rows(vectors) * np.float32(np.sqrt(weight / total))
            for vectors, weight in zip(parts, weights, strict=True)
            if weight
        ],
        axis=1,
    )


class FusedEncoder(Encoder):
    """Several encoders in one; the cosine is the weighted mean of theirs.

    Args:
        spec: its name.
        weights: (k,) above 0, one a part.
        parts: (k,) the encoders.
    """

    def __init__(self, spec: Spec, weights: Sequence[float], parts: Sequence[Encoder]) -> None:
        self.spec, self.parts = spec, tuple(parts)
        total = sum(weights)
        self.weights = tuple(weight / total for weight in weights)
        """(k,) summing to 1."""
        self.parallel = all(part.parallel for part in self.parts)
        self._settle()

    def run_on(self, running: Running) -> None:
        """Move the parts to a device.

        Raises:
            BadSpec: there is no such device here.
        """
        for part in self.parts:
            part.run_on(running)
        self._settle()

    def expect(self, count: int, encoders: Sequence[Encoder]) -> None:  # noqa: ARG002
        """Tell each part; whether threads may share the fusion can change by it."""
        for part in self.parts:
            part.expect(count, [part])
        self.parallel = all(part.parallel for part in self.parts)

    def prepare(self, image: Array) -> Array:
        """(k,) what each part needs of one picture."""
        ready = np.empty(len(self.parts), object)
        for place, part in enumerate(self.parts):
            ready[place] = part.prepare(image)
        return ready

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The (n, dim) joined vectors of n prepared pictures."""
        vectors = [
            self._vectors(part, [ready[place] for ready in prepared])
            for place, part in enumerate(self.parts)
        ]
        with np.errstate(invalid="ignore"):  # infinity stays not finite, for the caller to find
            return join(vectors, self.weights)

    @staticmethod
    def _vectors(part: Encoder, ready: Sequence[Array]) -> Floats:
        """A part's vectors, in batches of its own size."""
        size = part.batch_size
        batches = [ready[start : start + size] for start in range(0, len(ready), size)]
        made = [shaped(part.forward(batch), len(batch), part) for batch in batches]
        return np.concatenate(made) if made else np.zeros((0, part.dim), np.float32)

    def _settle(self) -> None:
        """Takes over what the parts have become: fitted, or moved to a device."""
        self.batch_size = max(part.batch_size for part in self.parts)
        self.card = self._describe()

    def _describe(self) -> EncoderCard:
        cards = [part.card for part in self.parts]
        return EncoderCard(
            name=str(self.spec),
            fingerprint=self._fingerprint(),
            dim=sum(card.dim for card in cards),
            preprocessing="; ".join(
                f"{card.name}: {card.preprocessing}" for card in cards if card.preprocessing
            ),
            parameters=_sum([card.parameters for card in cards]),
            size_bytes=_sum([card.size_bytes for card in cards]),
            details={
                "parts": [
                    _part_details(weight, card)
                    for weight, card in zip(self.weights, cards, strict=True)
                ]
            },
        )

    def _fingerprint(self) -> str:
        """Covers the parts and the ratios of their weights; none while a part has none."""
        marks = [part.fingerprint for part in self.parts]
        if not all(marks):
            return ""
        shares = [round(weight, 12) for weight in self.weights]
        return fingerprint(encoder="fused", parts=marks, weights=shares, version=VERSION)


class FittedFusion(FusedEncoder, FittedEncoder):
    """Several encoders in one, of which some must see a sample first; all see the same.

    A part alone is fitted by the sample that its own ``sample`` and ``seed`` ask for, and
    within a fusion by the first part's drawing of the largest: with those options as they
    are by default, what it learns is the same.
    """

    @property
    def fitted(self) -> bool:
        """Whether all parts have learnt."""
        return all(part.fitted for _, part in self._learners())

    @property
    def sample_size(self) -> int:
        """How many pictures the part that wants most wants to see."""
        return max(part.sample_size for _, part in self._learners())

    def fit(self, images: Iterable[Picture]) -> None:
        """Have every part that learns learn from the same sample."""
        pictures = list(images)
        for _, part in self._learners():
            part.fit(pictures)
        self._settle()

    def state(self) -> dict[str, Array]:
        """What was learnt, as arrays: ``0.words`` is what the first part calls ``words``."""
        return {
            f"{place}.{name}": array
            for place, part in self._learners()
            for name, array in part.state().items()
        }

    def load_state(self, state: dict[str, Array]) -> None:
        """Take over what ``state`` returned.

        Raises:
            BadShape: it does not fit a part.
        """
        for place, part in self._learners():
            mark = f"{place}."
            part.load_state(
                {
                    name.removeprefix(mark): array
                    for name, array in state.items()
                    if name.startswith(mark)
                }
            )
        self._settle()

    def _learners(self) -> list[tuple[int, FittedEncoder]]:
        """The parts that learn, and their places."""
        return [
            (place, part)
            for place, part in enumerate(self.parts)
            if isinstance(part, FittedEncoder)
        ]


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum of those that are known, or None."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _part_details(weight: float, card: EncoderCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "weight": weight,
        "fingerprint": card.fingerprint,
        "dim": card.dim,
        **card.details,
    }
