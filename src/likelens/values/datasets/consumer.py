"""DeepFashion Consumer-to-shop Clothes Retrieval, by its published file names."""

from __future__ import annotations

from pathlib import Path

from ..errors import BadTable, first_few, plural
from .base import Dataset, Listed
from .lists import (
    CLOTHES,
    HIGH,
    check_status,
    folders,
    is_list,
    place_pictures,
    read_boxes,
    read_list,
    why_no_boxes,
)

HEADER = ("image_pair_name_1", "image_pair_name_2", "item_id", "evaluation_status")
STATUSES = ("train", "val", "test")
SIDES = ("consumer", "shop")
BOXES = "list_bbox_consumer2shop.txt"


class ConsumerToShop(Dataset):
    """Pairs of a consumer's and a shop's picture of one product.

    The parts are train, val and test, each of them by side (``test-consumer``,
    ``test-shop``), and the sides alone.
    """

    title = "DeepFashion Consumer-to-shop"

    def knows(self, head: str) -> bool:
        """Whether it is ``Eval/list_eval_partition.txt`` of Consumer-to-shop."""
        return is_list(head, HEADER)

    def read(self, table: Path, images: Path | None) -> Listed:
        """Every picture of the pairs once, in the order in which they first stand there."""
        home = table.parent.parent
        rows = read_list(table, HEADER, names=2)
        check_status(rows, STATUSES, table)
        items: dict[str, str] = {}
        places: dict[str, dict[tuple[str, str], None]] = {}
        torn: dict[str, None] = {}
        for *pair, item, status in rows:
            for name, side in zip(pair, SIDES, strict=True):
                if items.setdefault(name, item) != item:
                    torn[name] = None
                places.setdefault(name, {})[status, side] = None
        if torn:
            raise BadTable(
                f"{plural(len(torn), 'picture belongs', 'pictures belong')} "
                f"to two items: {first_few(torn)}",
                where=str(table),
                hint="correct them, or get the file again",
            )
        ids = list(items)
        above = [folders(name, 2) for name in ids]
        listed = read_boxes(home, BOXES, ("clothes_type", "source_type"))
        words = {} if listed is None else listed.words
        kinds = [words.get(name, (None,))[0] for name in ids]
        small = listed is not None and (images is None or images.name != HIGH)
        root, files = place_pictures(ids, home, images)
        return Listed(
            root=root,
            ids=ids,
            files=files,
            products=list(items.values()),
            labels=[category for _, category in above],
            parts=[_parts(places[name]) for name in ids],
            columns={
                "part": [next(iter(places[name]))[0] for name in ids],
                "side": [next(iter(places[name]))[1] for name in ids],
                "item": list(items.values()),
                "group": [group for group, _ in above],
                "category": [category for _, category in above],
                "clothes_type": [kind and CLOTHES.get(kind, kind) for kind in kinds],
            },
            tags=("group", "category", "clothes_type"),
            boxes=[listed.boxes.get(name) for name in ids] if listed and small else None,
            no_boxes=why_no_boxes(BOXES, home, images),
        )


def _parts(places: dict[tuple[str, str], None]) -> tuple[str, ...]:
    """The names of the parts that a picture is in."""
    names = [name for status, side in places for name in (status, f"{status}-{side}", side)]
    return tuple(dict.fromkeys(names))
