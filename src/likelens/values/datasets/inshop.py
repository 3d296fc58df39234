"""DeepFashion In-shop Clothes Retrieval, by the file names of its version 1.2."""

from __future__ import annotations

from pathlib import Path

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

HEADER = ("image_name", "item_id", "evaluation_status")
STATUSES = ("train", "query", "gallery")
BOXES = "list_bbox_inshop.txt"
POSES = {
    "1": "front", "2": "side", "3": "back", "4": "zoom out", "5": "zoom in", "6": "stand alone",
}  # fmt: skip


class InShop(Dataset):
    """In-shop: one product in many poses; the parts are train, query and gallery."""

    title = "DeepFashion In-shop"

    def knows(self, head: str) -> bool:
        """Whether it is ``Eval/list_eval_partition.txt`` of In-shop."""
        return is_list(head, HEADER)

    def read(self, table: Path, images: Path | None) -> Listed:
        """All pictures of the partition, with type, pose and box where they are listed."""
        home = table.parent.parent
        rows = read_list(table, HEADER)
        check_status(rows, STATUSES, table)
        ids = [name for name, _, _ in rows]
        above = [folders(name, 2) for name in ids]
        listed = read_boxes(home, BOXES, ("clothes_type", "pose_type"))
        words = {} if listed is None else listed.words
        kinds = [words.get(name, (None, None)) for name in ids]
        small = listed is not None and (images is None or images.name != HIGH)
        root, files = place_pictures(ids, home, images)
        return Listed(
            root=root,
            ids=ids,
            files=files,
            products=[item for _, item, _ in rows],
            labels=[category for _, category in above],
            parts=[(status,) for _, _, status in rows],
            columns={
                "part": [status for _, _, status in rows],
                "item": [item for _, item, _ in rows],
                "gender": [gender for gender, _ in above],
                "category": [category for _, category in above],
                "clothes_type": [kind and CLOTHES.get(kind, kind) for kind, _ in kinds],
                "pose": [pose and POSES.get(pose, pose) for _, pose in kinds],
            },
            tags=("gender", "category", "clothes_type"),
            boxes=[listed.boxes.get(name) for name in ids] if listed and small else None,
            no_boxes=why_no_boxes(BOXES, home, images),
        )
