"""One pass over the images of a catalogue: which are unusable, and a thumbnail of the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from .._embed import Progress
from ..encoders.base import cores
from ..images import open_image, read_bytes
from ..values.arrays import Array, Positions
from ..values.boxes import Boxed, box_text
from ..values.catalogue import Catalogue
from ..values.errors import LikelensError

SIDE = 32
"""Width and height of a thumbnail, in pixels; images are squashed to a square."""

MIN_SIDE = 32
"""Shorter side in pixels below which an image is too small."""

MAX_ASPECT = 5.0
"""Ratio of the longer to the shorter side from which the shape of an image is extreme."""

MIN_SPREAD = 2.0
"""Standard deviation of the pixel values below which an image is blank."""

_PIECE = 256  # images looked at between two reports of progress


class Look(NamedTuple):
    """What one image is.

    Attributes:
        content: digest of the file (and of the box in it), "" if it cannot be read.
        pixels: digest of the decoded pixels, "" if it cannot be decoded.
        width: in pixels, 0 if unknown.
        height: in pixels, 0 if unknown.
        size: of the file, in bytes.
        thumbnail: (SIDE, SIDE, 3) uint8, or None.
        problem: why it is unusable, as a short code, or "".
        detail: the same in words.
    """

    content: str = ""
    pixels: str = ""
    width: int = 0
    height: int = 0
    size: int = 0
    thumbnail: Array | None = None
    problem: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Looks:
    """What the images of a catalogue are, by row.

    Attributes:
        rows: a look at each image.
        thumbnails: (n, SIDE, SIDE, 3) uint8, zeros where an image cannot be decoded.
    """

    rows: list[Look]
    thumbnails: Array

    @property
    def comparable(self) -> Positions:
        """Rows of the images that are decoded and not blank."""
        blank = (row for row, look in enumerate(self.rows) if look.pixels and look.problem != BLANK)
        return np.fromiter(blank, np.int64)


UNREADABLE, SMALL, SHAPE, BLANK = "unreadable", "too small", "extreme shape", "blank"


def look_at_images(catalogue: Catalogue, say: Progress) -> Looks:
    """Look at every image of a catalogue once; nothing is written."""
    thumbnails = np.zeros((len(catalogue), SIDE, SIDE, 3), np.uint8)
    rows = []
    for row, look in enumerate(_every(catalogue, say)):
        if look.thumbnail is not None:
            thumbnails[row] = look.thumbnail
        rows.append(look._replace(thumbnail=None))
    return Looks(rows, thumbnails)


def _every(catalogue: Catalogue, say: Progress) -> Iterator[Look]:
    every = range(len(catalogue))
    say("checking images", 0, len(catalogue))
    with ThreadPoolExecutor(cores() + 1) as pool:
        for start in every[::_PIECE]:
            piece = every[start : start + _PIECE]
            yield from pool.map(lambda row: _look(catalogue, row), piece)
            say("checking images", piece.stop, len(catalogue))


def _look(catalogue: Catalogue, row: int) -> Look:
    image = catalogue.picture(row)
    where, box = (image.path, image.box) if isinstance(image, Boxed) else (image, None)
    look = Look()
    try:
        content = read_bytes(where)
        mark = hashlib.blake2b(content, digest_size=16)
        if box is not None:
            mark.update(box_text(box).encode())
        look = Look(content=mark.hexdigest(), size=len(content))
        pixels = open_image(content if box is None else image, where=str(where))
    except LikelensError as error:
        return look._replace(problem=UNREADABLE, detail=error.what)
    height, width = pixels.shape[:2]
    problem, detail = _problem(pixels)
    return look._replace(
        pixels=_pixel_digest(pixels),
        width=width,
        height=height,
        thumbnail=cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA),
        problem=problem,
        detail=detail,
    )


def _pixel_digest(pixels: Array) -> str:
    shape = f"{pixels.shape[1]}x{pixels.shape[0]}".encode()
    return hashlib.blake2b(pixels.tobytes(), digest_size=16, key=shape).hexdigest()


def _problem(pixels: Array) -> tuple[str, str]:
    """Why a decoded image is unusable, as a code and in words; two empty texts if it is not."""
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        return SMALL, f"{width} x {height} pixels, less than {MIN_SIDE} on one side"
    means, spreads = cv2.meanStdDev(pixels)
    if spreads.max() < MIN_SPREAD:
        red, green, blue = (round(float(value)) for value in means.ravel())
        return BLANK, f"one colour only: about RGB {red}, {green}, {blue}"
    aspect = max(height, width) / min(height, width)
    if aspect >= MAX_ASPECT:
        return SHAPE, f"{width} x {height} pixels, one side {aspect:.1f} times the other"
    return "", ""
