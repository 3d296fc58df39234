"""How well ``likelens check`` finds what was planted in the fashion products.

    python bench/check.py copies            # changed copies of 480 images, added to the catalogue
    python bench/check.py tags [-e SPEC]    # 5 % of the tags of each column, exchanged

The images and the table are those of docs/data.md (LIKELENS_DATA); the encoder is that of
``likelens check`` unless others are named. The tables in docs/check.md are its output.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import likelens

DATA = Path(os.environ.get("LIKELENS_DATA", "shared")) / "data" / "fashion-products"
COLUMNS = (
    "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year",
    "usage",
)  # fmt: skip
EACH = 60
"""Images of each change."""


def saved(image: Image.Image, form: str = "JPEG", **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def cropped(share: float, draw: np.random.Generator) -> Callable[[Image.Image], bytes]:
    """What is left of an image when a random part of that width and height is kept."""

    def crop(image: Image.Image) -> bytes:
        width, height = (round(share * side) for side in image.size)
        x = int(draw.integers(0, image.width - width + 1))
        y = int(draw.integers(0, image.height - height + 1))
        return saved(image.crop((x, y, x + width, y + height)), quality=85)

    return crop


def padded(image: Image.Image) -> bytes:
    """An image on a white square that is a quarter larger."""
    side = round(1.25 * max(image.size))
    canvas = Image.new("RGB", (side, side), "white")
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return saved(canvas, quality=85)


def changes(draw: np.random.Generator) -> dict[str, Callable[[Image.Image], bytes]]:
    return {
        "JPEG, quality 75": lambda image: saved(image, quality=75),
        "JPEG, quality 30": lambda image: saved(image, quality=30),
        "WebP, quality 50": lambda image: saved(image, "WEBP", quality=50),
        "half size": lambda image: saved(image.resize((112, 112)), quality=85),
        "64 x 64": lambda image: saved(image.resize((64, 64)), quality=85),
        "double size": lambda image: saved(image.resize((448, 448)), quality=85),
        "other proportions": lambda image: saved(image.resize((180, 240)), quality=85),
        "5 % brighter": lambda image: saved(image.point(lambda v: min(255, round(1.05 * v)))),
        "cropped to 95 %": cropped(0.95, draw),
        "cropped to 90 %": cropped(0.9, draw),
        "cropped to 80 %": cropped(0.8, draw),
        "on a larger white square": padded,
    }


def rows() -> list[dict[str, str]]:
    with (DATA / "styles.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, table: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def plant_copies(encoders: list[str] | None, folder: Path) -> None:
    draw, table = np.random.default_rng(0), rows()
    images = folder / "images"
    images.mkdir()
    for row in table:
        (images / f"{row['id']}.jpg").symlink_to((DATA / "images" / f"{row['id']}.jpg").resolve())
    made: dict[str, tuple[str, str]] = {}
    for name, change in changes(draw).items():
        for place in draw.choice(len(table), EACH, replace=False):
            item = table[place]["id"]
            copy = f"copy{len(made)}"
            image = Image.open(DATA / "images" / f"{item}.jpg").convert("RGB")
            (images / f"{copy}.img.jpg").write_bytes(change(image))
            made[f"{copy}.img"] = (name, item)
    table += [{**table[0], "id": copy} for copy in made]
    write(folder / "styles.csv", table)
    catalogue = likelens.Catalogue.open(folder / "styles.csv", images=images)
    found = likelens.check(catalogue, encoders).copies.to_pylist()
    group = {row["id"]: row["group"] for row in found}
    print("| change | found of", EACH, "|\n| :--- | ---: |")
    for name in changes(draw):
        mine = [(copy, item) for copy, (change, item) in made.items() if change == name]
        hits = sum(group.get(copy, -1) == group.get(item, -2) for copy, item in mine)
        print(f"| {name} | {hits} |")
    members: dict[int, list[dict[str, str]]] = {}
    for row in found:
        members.setdefault(row["group"], []).append(row)
    others = [
        [row["id"] for row in group]
        for group in members.values()
        if not all(row["relation"] in ("reference", "identical file") for row in group)
        and len({made.get(row["id"], ("", row["id"]))[1] for row in group}) > 1
    ]
    print(f"\n{len(members):,} groups; groups of different photographs or known copies: {others}")


def plant_tags(encoders: list[str] | None, folder: Path) -> None:
    draw, table = np.random.default_rng(1), rows()
    right = [dict(row) for row in table]
    for name in COLUMNS:
        filled = [row for row in table if row[name] != "NA"]
        values = [row[name] for row in filled]
        for place in draw.choice(len(filled), round(0.05 * len(filled)), replace=False):
            old = filled[place][name]
            while filled[place][name] == old:
                filled[place][name] = values[draw.integers(len(values))]
    write(folder / "styles.csv", table)
    catalogue = likelens.Catalogue.open(folder / "styles.csv", images=DATA / "images", tags=COLUMNS)
    found = likelens.check(catalogue, encoders)
    truth = {row["id"]: row for row in right}
    given = {row["id"]: row for row in table}
    print(
        "| column | exchanged | suspected | of these exchanged | found | first 50 | first 100 | "
        "right value suggested |\n| :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for name in COLUMNS:
        listed = [row for row in found.wrong_tags.to_pylist() if row["column"] == name]
        hits = [truth[row["id"]][name] != row["tag"] for row in listed]
        right_value = [truth[row["id"]][name] == row["suggested"] for row in listed]
        wrong = sum(truth[item][name] != given[item][name] for item in truth)
        count, total = sum(hits), max(1, len(hits))
        good = sum(one and other for one, other in zip(right_value, hits, strict=True))
        print(
            f"| {name} | {wrong} | {len(hits)} | {count / total:.0%} | {count / wrong:.0%} | "
            f"{np.mean(hits[:50]):.0%} | {np.mean(hits[:100]):.0%} | {good / max(1, count):.0%} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("copies", "tags"))
    parser.add_argument("-e", "--encoder", action="append")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = plant_copies if given.what == "copies" else plant_tags
        run(given.encoder, Path(place))
