"""What a search found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..images import Picture
from ..metrics import Threshold
from ..values.arrays import Floats
from ..values.boxes import Box, Boxed, FilePicture
from ..values.embeddings import EncoderCard
from ..values.views import VIEWS
from .choose import Order

if TYPE_CHECKING:
    import pyarrow as pa


SHOWN = 20
"""Results that the text of ``Hits`` lists."""


@dataclass(frozen=True)
class Hit:
    """One item that a search found.

    Attributes:
        id: its id.
        score: its cosine similarity to the query.
        rank: its place among the results, from 1.
        path: its image.
        box: the part of the image that counts, or None for the whole.
        attributes: its attributes by name; None where it has no value.
        reranked: score of the re-ranking that ordered the results, or None.
        more: how many items stand behind it: the others of its group, and its near-duplicates.
    """

    id: str
    score: float
    rank: int
    path: Path
    attributes: dict[str, Any]
    box: Box | None = None
    reranked: float | None = None
    more: int = 0


@dataclass(frozen=True, repr=False, eq=False)
class Hits:
    """What a search found, best first: a sequence of ``Hit``.

    ``for hit in hits`` and ``hits[0]`` give single results, ``hits.table`` all of them as an
    Arrow table, ``hits.to_pandas()`` as a data frame. A notebook shows the images.

    Attributes:
        ids: ids of the items.
        scores: (k,) cosine similarities.
        paths: their images.
        attributes: Arrow table of their attributes, in the same order.
        encoder: the card of the encoder that compared them.
        queries: what was asked with, as text.
        pictures: the same as images: paths, or the part that a region names.
        candidates: how many items were compared.
        minus: what counted against an item, as text.
        minus_pictures: the same as images.
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
        lacking: how many items of the store have no vector yet, and cannot be found.
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
    lacking: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Hit: ...

    @overload
    def __getitem__(self, place: slice) -> list[Hit]: ...

    def __getitem__(self, place: int | slice) -> Hit | list[Hit]:
        if isinstance(place, slice):
            return list(self)[place]
        row = range(len(self))[place]
        return self._hit(row, self._rows(row, 1)[0])

    def __iter__(self) -> Iterator[Hit]:
        return map(self._hit, range(len(self)), self._rows(0, len(self)))

    def _rows(self, start: int, count: int) -> list[dict[str, Any]]:
        if not self.attributes.num_columns:
            return [{}] * count
        rows: list[dict[str, Any]] = self.attributes.slice(start, count).to_pylist()
        return rows

    def _hit(self, row: int, attributes: dict[str, Any]) -> Hit:
        return Hit(
            id=self.ids[row],
            score=float(self.scores[row]),
            rank=row + 1,
            path=self.paths[row],
            attributes=attributes,
            box=self.boxes[row] if self.boxes else None,
            reranked=None if self.reranked is None else float(self.reranked[row]),
            more=self.folded[row] if self.folded else 0,
        )

    def __repr__(self) -> str:
        found = f"Hits({len(self):,} of {self.candidates:,} candidates by {self.encoder.name})"
        rows = [f"{hit.rank:>4}  {hit.score:.4f}  {hit.id!r}" for hit in self[:SHOWN]]
        more = [f"      and {len(self) - SHOWN:,} more"] if len(self) > SHOWN else []
        return "\n".join([found, *rows, *more])

    def _repr_html_(self) -> str:
        html: str = VIEWS.load("hits")(self)
        return html

    @property
    def table(self) -> pa.Table:
        """A row per result, best first, as an Arrow table.

        Columns rank, id, score and path; reranked and more where the search has them; and the
        attributes. An attribute of such a name is called ``attribute_`` and its name.
        """
        import pyarrow as pa

        columns: dict[str, Any] = {
            "rank": pa.array(range(1, len(self) + 1), pa.int64()),
            "id": pa.array(self.ids, pa.string()),
            "score": pa.array(self.scores, pa.float32()),
            "path": pa.array([str(path) for path in self.paths], pa.string()),
        }
        if self.reranked is not None:
            columns["reranked"] = pa.array(self.reranked, pa.float32())
        if self.folded:
            columns["more"] = pa.array(self.folded, pa.int64())
        own = set(columns)
        for name in self.attributes.column_names:
            columns[f"attribute_{name}" if name in own else name] = self.attributes[name]
        return pa.table(columns)

    def to_pandas(self) -> Any:
        """The table as a pandas data frame; pandas must be installed."""
        return self.table.to_pandas()

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can write, as ``likelens search --json`` does."""
        order = self.order
        known = {
            "texts": list(self.texts) or None,
            "text_weight": self.text_weight,
            "rerank": order.rerank,
            "threshold": order.threshold,
            "calibrated": None if self.calibrated is None else vars(self.calibrated),
            "index": self.index,
            "path": None if self.index is None else self.path,
            "recall": self.recall,
        }
        return {
            "encoder": self.encoder.name,
            "fingerprint": self.encoder.fingerprint,
            "candidates": self.candidates,
            "best": None if self.best is None else round(self.best, 6),
            **({"nothing_alike": self.nothing_alike} if order.threshold is not None else {}),
            **{name: value for name, value in known.items() if value is not None},
            "hits": [self._plain(hit) for hit in self],
            "lacking": self.lacking,
        }

    def _plain(self, hit: Hit) -> dict[str, Any]:
        return {
            "id": hit.id,
            "score": round(hit.score, 6),
            "path": str(hit.path),
            **({} if hit.box is None else {"box": list(hit.box)}),
            **({} if hit.reranked is None else {"reranked": hit.reranked}),
            **({"more": hit.more} if self.folded else {}),
            "attributes": hit.attributes,
        }

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a page of the images found, in one file; returns its path.

        Raises:
            BadTable: the file cannot be written.
        """
        VIEWS.load("page of hits")(self, Path(path))
        return Path(path)

    @property
    def shown(self) -> tuple[FilePicture, ...]:
        """What there is to see of each item: its image, or the box in it."""
        return tuple(map(Boxed, self.paths, self.boxes)) if self.boxes else self.paths

    @property
    def nothing_alike(self) -> bool:
        """Whether there were items, and none of them reached the threshold."""
        return not self.ids and self.best is not None and self.order.threshold is not None
