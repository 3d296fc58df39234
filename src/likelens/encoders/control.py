"""Controls: vectors that see nothing, for every ranking to be held against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..values.arrays import Array
from ..values.embeddings import Embeddings, EncoderCard
from ..values.errors import BadSpec
from ..values.spec import Spec, fingerprint
from .base import Encoder, VectorSource

if TYPE_CHECKING:
    from ..values.catalogue import Catalogue

EXAMPLES = ("control:random?dim=24&seed=1", "control:shuffled?of=control:random?dim=24")


def open_control(spec: Spec) -> Encoder | VectorSource:
    """Vectors that see nothing: control:random, control:shuffled?of=SPEC.

    Raises:
        BadSpec: no such control, or it has no such option or layer.
    """
    kinds: dict[str, type[RandomEncoder | ShuffledVectors]] = {
        "random": RandomEncoder,
        "shuffled": ShuffledVectors,
    }
    kind = kinds.get(spec.identifier)
    if kind is None or spec.layer:
        name = f"control:{spec.identifier}{f'@{spec.layer}' if spec.layer else ''}"
        raise BadSpec(
            f"there is no encoder {name}",
            where=str(spec),
            hint=f"choose one of: {', '.join(f'control:{name}' for name in kinds)}",
        )
    return kind(spec)


class RandomEncoder(Encoder):
    """A standard normal vector drawn by the pixels' hash: the same picture, the same vector.

    Options: ``dim`` (512) and ``seed`` (0).
    """

    batch_size = 64

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("dim", "seed"))
        self.spec = spec
        self._dim = spec.option("dim", int, 512, low=1, high=65_536)
        self._seed = spec.option("seed", int, 0, low=0)
        self.card = EncoderCard(
            name=str(spec),
            fingerprint=fingerprint(encoder="random", dim=self._dim, seed=self._seed, version=1),
            dim=self._dim,
            preprocessing="none: a hash of the pixels",
        )

    def prepare(self, image: Array) -> Array:
        """The vector of one picture."""
        digest = hashlib.blake2b(f"{self._seed} {image.shape}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(image).data)
        chance = np.random.default_rng(int.from_bytes(digest.digest(), "little"))
        return chance.standard_normal(self._dim, np.float32)

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The vectors as a matrix."""
        return np.stack(prepared)


class ShuffledVectors(VectorSource):
    """The vectors of another encoder, dealt out among the items by a seeded permutation.

    Keeps the cloud of vectors as it is and cuts its ties to the pictures (CorrEmbed,
    arXiv 2308.16126, Table 2).

    Options: ``of``, the other encoder's spec, which must come last if it has options of
    its own; and ``seed`` (0).
    """

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("of", "seed"))
        self.spec = spec
        self._seed = spec.option("seed", int, 0, low=0)
        if "of" not in spec.options:
            raise BadSpec(
                "whose vectors are to be shuffled is not said",
                where=str(spec),
                hint="name an encoder: control:shuffled?of=opencv:colour",
            )
        self._of = str(Spec.parse(spec.options["of"]))

    def embeddings(self, catalogue: Catalogue, embed: Callable[[str], Embeddings]) -> Embeddings:  # noqa: ARG002
        """The other encoder's vectors, shuffled; its failures are kept.

        Raises:
            BadSpec: the other encoder's spec is wrong.
        """
        known = embed(self._of)
        order = np.random.default_rng(self._seed).permutation(len(known))
        card = replace(
            known.encoder,
            name=str(self.spec),
            fingerprint=fingerprint(shuffled=known.fingerprint, seed=self._seed, version=1),
            parameters=None,
            size_bytes=None,
            accuracy=None,
        )
        return Embeddings(known.ids, known.vectors[order], card, known.failures)
