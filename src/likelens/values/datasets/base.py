"""What a reader of a published data set offers, and which reader a file is for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..boxes import Box
from ..columns import nfc
from ..errors import BadTable
from ..layout import PARTITION
from ..paths import is_file
from ..registry import Registry

DATASETS = Registry("data set")
DATASETS.add("deepfashion-in-shop", "likelens.values.datasets.inshop:InShop")
DATASETS.add("deepfashion-consumer-to-shop", "likelens.values.datasets.consumer:ConsumerToShop")
DATASETS.add("vsd", "likelens.values.datasets.vsd:Vsd")

_HEAD = 4096  # characters that a file is known by


@dataclass(frozen=True)
class Listed:
    """What a published data set lists, a row per picture.

    Attributes:
        root: folder that the files start from.
        ids: (n,) the names of the pictures in its lists.
        files: (n,) their files below the root.
        products: (n,) product of each.
        labels: (n,) class of each, None where it has none.
        parts: (n,) names of the parts that each is in.
        columns: cells of each attribute.
        tags: attributes that count as tags if none are named.
        boxes: (n,) box of each, None where it has none; or None without any.
        no_boxes: why there are none.
    """

    root: Path
    ids: Sequence[str]
    files: Sequence[str]
    products: Sequence[str]
    labels: Sequence[str | None]
    parts: Sequence[tuple[str, ...]]
    columns: Mapping[str, Sequence[str | None]]
    tags: tuple[str, ...]
    boxes: Sequence[Box | None] | None = None
    no_boxes: str = ""

    def take(self, rows: Sequence[int]) -> Listed:
        """Some of the rows, in that order."""
        return replace(
            self,
            ids=[self.ids[row] for row in rows],
            files=[self.files[row] for row in rows],
            products=[self.products[row] for row in rows],
            labels=[self.labels[row] for row in rows],
            parts=[self.parts[row] for row in rows],
            columns={name: [cells[r] for r in rows] for name, cells in self.columns.items()},
            boxes=None if self.boxes is None else [self.boxes[row] for row in rows],
        )

    def composed(self) -> Listed:
        """All of it, its text in the Unicode form NFC; files keep their names."""

        def nfc_of(cells: Sequence[str | None]) -> list[str | None]:
            return [None if cell is None else nfc(cell) for cell in cells]

        return replace(
            self,
            ids=list(map(nfc, self.ids)),
            products=list(map(nfc, self.products)),
            labels=nfc_of(self.labels),
            columns={name: nfc_of(cells) for name, cells in self.columns.items()},
        )

    def needed_boxes(self) -> Sequence[Box | None]:
        """The boxes.

        Raises:
            BadTable: there are none.
        """
        if self.boxes is None:
            raise BadTable(self.no_boxes, where="--bbox", hint="add it, or leave --bbox out")
        return self.boxes


class Dataset(ABC):
    """Reads one published layout.

    Attributes:
        title: what to call it.
    """

    title: str

    @abstractmethod
    def knows(self, head: str) -> bool:
        """Whether a file that starts so is its list of pictures."""

    @abstractmethod
    def read(self, table: Path, images: Path | None) -> Listed:
        """All that the data set lists.

        Args:
            table: its list of pictures.
            images: folder of the pictures, if it was named.

        Raises:
            BadTable: a list is missing, cut short, or not as published.
        """


def find_dataset(table: Path) -> Dataset | None:
    """The data set that a file is the list of, or None for a plain table.

    Raises:
        BadTable: it is named as such a list, but is none that is known.
    """
    if table.suffix.lower() not in (".txt", ".json") or not is_file(table):
        return None
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        head = file.read(_HEAD)
    for name in DATASETS.names():
        dataset: Dataset = DATASETS.load(name)()
        if dataset.knows(head):
            return dataset
    if table.name == PARTITION.name:
        lines = [*head.splitlines(), "", ""]
        raise BadTable(
            f"the second line, {lines[1][:80]!r}, is the header of no data set that is known",
            where=str(table),
            hint=f"give the list as it was published; known are: {', '.join(DATASETS.names())}",
        )
    return None
