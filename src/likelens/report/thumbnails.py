"""Small copies of pictures that travel inside a page."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from ..images import Picture, open_image
from ..values.boxes import FilePicture
from ..values.errors import LikelensError

SIDE = 112
"""Longer side of a small copy, in pixels."""


def thumbnails(pictures: Iterable[FilePicture], side: int = SIDE) -> dict[FilePicture, str]:
    """A data URI per picture, or box of it; those that cannot be opened any more are left out."""
    once = list(dict.fromkeys(pictures))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = pool.map(lambda picture: thumbnail(picture, side), once)
    return {picture: uri for picture, uri in zip(once, found, strict=True) if uri is not None}


def thumbnail(picture: Picture, side: int = SIDE) -> str | None:
    """A small JPEG of a picture as a data URI, or None if it cannot be opened."""
    try:
        pixels = open_image(picture)
    except LikelensError:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
