"""What a search found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..images import Picture
from ..metrics import Threshold
from ..values.arrays import Floats
from ..values.boxes import Box, Boxed, FilePicture
from ..values.embeddings import EncoderCard
from .choose import Order

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Hits:
    """What a search found, best first.

    Attributes:
        ids: ids of the items.
        scores: (k,) cosine similarities.
        paths: their pictures.
        attributes: Arrow table of their attributes, in the same order.
        encoder: the card of the encoder that compared them.
        queries: what was asked with, as text.
        pictures: the same as pictures: paths, or the part that a region names.
        candidates: how many items were compared.
        minus: what counted against an item, as text.
        minus_pictures: the same as pictures.
        where: the filter, or None.
        region: which part of the query was asked with, or None for the whole.
        texts: texts that were asked with.
        text_weight: their weight beside that of the pictures, or None without both.
        order: how the results were chosen.
        reranked: (k,) scores of the re-ranking that ordered them, or None.
        folded: (k,) how many items stand behind each: the others of its group, and its
            near-duplicates that were met above the last result; empty without either.
        calibrated: what the threshold was calibrated by, or None.
        best: the highest cosine similarity of all candidates, or None without any; by an
            approximate index, of those that it found.
        index: the approximate index that was searched, or None.
        path: how: ``exact`` if all candidates were compared, ``index``, or ``filtered``.
        recall: share of the k most alike candidates that the index found, known only
            if the path is ``filtered``.
        boxes: the box of each picture that was compared; empty where pictures count whole.
    """

    ids: tuple[str, ...]
    scores: Floats
    paths: tuple[Path, ...]
    attributes: pa.Table = field(repr=False)
    encoder: EncoderCard
    queries: tuple[str, ...]
    pictures: tuple[Picture, ...] = field(repr=False)
    candidates: int
    minus: tuple[str, ...] = ()
    minus_pictures: tuple[Picture, ...] = field(default=(), repr=False)
    where: str | None = None
    region: str | None = None
    texts: tuple[str, ...] = ()
    text_weight: float | None = None
    order: Order = field(default_factory=Order)
    reranked: Floats | None = None
    folded: tuple[int, ...] = ()
    calibrated: Threshold | None = None
    best: float | None = None
    index: str | None = None
    path: str = "exact"
    recall: float | None = None
    boxes: tuple[Box, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def shown(self) -> tuple[FilePicture, ...]:
        """What there is to see of each item: its picture, or the box in it."""
        return tuple(map(Boxed, self.paths, self.boxes)) if self.boxes else self.paths

    @property
    def nothing_alike(self) -> bool:
        """Whether there were items, and none of them reached the threshold."""
        return not self.ids and self.best is not None and self.order.threshold is not None
