"""Vectors, the ids they belong to, and what made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Floats, check_vectors
from .errors import BadShape, first_few, plural

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class EncoderCard:
    """What is known of an encoder without running it.

    Attributes:
        name: its spec, as the user would write it again.
        fingerprint: hash of all that decides its vectors.
        dim: length of a vector.
        preprocessing: what happens to a picture before the encoder, in words.
        parameters: numbers learnt, or None where there are none.
        size_bytes: size of its weights file, or None.
        accuracy: published ImageNet top-1 accuracy in percent, or None.
        details: whatever else decides the vectors or is worth showing.
    """

    name: str
    fingerprint: str
    dim: int
    preprocessing: str = ""
    parameters: int | None = None
    size_bytes: int | None = None
    accuracy: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def to_json(self) -> str:
        """As text that ``from_json`` reads back."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> EncoderCard:
        """Read a card that ``to_json`` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Embeddings:
    """Vectors of a catalogue's items by one encoder.

    Attributes:
        ids: (n,) item ids, in the order of the catalogue; items that failed are absent.
        vectors: (n, d) float32, finite.
        encoder: the card of the encoder that made them.
        failures: Arrow table with the columns id, path and reason.
        images_per_second: speed of the run that made them, or NaN if not measured.
    """

    ids: tuple[str, ...]
    vectors: Floats
    encoder: EncoderCard
    failures: pa.Table = field(repr=False)
    images_per_second: float = float("nan")

    def __post_init__(self) -> None:
        check_vectors(self.vectors, where=f"embeddings of {self.encoder}")
        if len(self.ids) != len(self.vectors):
            raise BadShape(
                f"{len(self.ids):,} ids for {len(self.vectors):,} vectors",
                where=f"embeddings of {self.encoder}",
                hint="give one id per vector",
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fingerprint(self) -> str:
        """Hash of all that decided these vectors."""
        return self.encoder.fingerprint

    @property
    def zeros(self) -> int:
        """How many vectors are all zeros (pictures in which the encoder saw nothing)."""
        return int((~self.vectors.any(axis=1)).sum())

    def lacking(self, ids: Sequence[str]) -> int:
        """How many items have no vector and were not set aside: not embedded, or not anew."""
        seen = {*self.ids, *self.failures["id"].to_pylist()}
        return sum(item not in seen for item in ids)

    def take(self, ids: Sequence[str]) -> Embeddings:
        """The same embeddings for those ids, in that order; joined by id, never by position.

        Raises:
            BadShape: an id has no vector.
        """
        if tuple(ids) == self.ids:
            return self
        place = {item: row for row, item in enumerate(self.ids)}
        lost = [item for item in ids if item not in place]
        if lost:
            raise BadShape(
                f"{plural(len(lost), 'item has', 'items have')} no vector: {first_few(lost)}",
                where=f"embeddings of {self.encoder}",
                hint="embed the catalogue again, or leave those items out",
            )
        rows = np.array([place[item] for item in ids], np.int64)
        return Embeddings(
            tuple(ids), self.vectors[rows], self.encoder, self.failures, self.images_per_second
        )


def failure_table(rows: Sequence[tuple[str, str, str]] = ()) -> pa.Table:
    """The table of failures: columns id, path and reason."""
    import pyarrow

    columns = zip(*rows, strict=True) if rows else ((), (), ())
    names = ("id", "path", "reason")
    text = pyarrow.string()
    return pyarrow.table(
        {name: pyarrow.array(cells, text) for name, cells in zip(names, columns, strict=True)}
    )
