"""Decoded values of any kind to 8-bit RGB, in strips, which bounds the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from .values.arrays import Array

_STRIP_PIXELS = 4_000_000


def rgb_of(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Pixels of a loaded image of any mode, as stored."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        grey = deep_rgb(values[:, :, None])
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            grey[values == clear] = 255
        return grey
    width, height = image.size
    if width * height <= _STRIP_PIXELS:
        return _rgb_strip(image)
    pixels = np.empty((height, width, 3), np.uint8)
    for rows in strips(height, width):  # in strips, for Pillow copies all that it converts
        pixels[rows] = _rgb_strip(image.crop((0, rows.start, width, rows.stop)))
    return pixels


def strips(height: int, width: int) -> Iterator[slice]:
    """Rows of an image, a few million pixels at a time."""
    step = max(_STRIP_PIXELS // width, 1)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _rgb_strip(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode in ("La", "RGBa"):  # alpha multiplied in
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if "A" in image.getbands() or "transparency" in image.info:
        return _strip_over_white(image.convert("RGBA"))
    return np.array(image.convert("RGB"), np.uint8)


def deep_rgb(values: Array) -> npt.NDArray[np.uint8]:
    """RGB of (h, w, 1 or 3) values of other than 8 unsigned bits, by the rule of ``open_image``."""
    floating = values.dtype.kind == "f"
    parts = list(strips(*values.shape[:2]))
    ends = [(part.min(), part.max()) for part in (_finite(values[rows]) for rows in parts)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    shift = 0 if values.dtype.itemsize == 1 else 8
    whole = not floating and low >= 0 and high < 256 << shift
    if floating and low >= 0 and high <= 255:
        low, high = 0, 1 if high <= 1 else 255
    pixels = np.empty((*values.shape[:2], 3), np.uint8)
    for rows in parts:
        part = _finite(values[rows])
        if whole:
            pixels[rows] = part >> shift
        else:
            span = max(float(high) / 2 - float(low) / 2, 1e-300)  # half: the whole may overflow
            pixels[rows] = np.rint((part / 2 - float(low) / 2) * (255 / span))
    return pixels


def _finite(values: Array) -> Array:
    return np.nan_to_num(values, posinf=0.0, neginf=0.0) if values.dtype.kind == "f" else values


def over_white(pixels: Array) -> npt.NDArray[np.uint8]:
    """RGB of (h, w, 4) uint8 pixels with alpha, laid over white."""
    laid = np.empty((*pixels.shape[:2], 3), np.uint8)
    for rows in strips(*pixels.shape[:2]):
        laid[rows] = _strip_over_white(Image.fromarray(np.ascontiguousarray(pixels[rows]), "RGBA"))
    return laid


def _strip_over_white(image: Image.Image) -> npt.NDArray[np.uint8]:
    canvas = Image.new("RGB", image.size, (255, 255, 255))
    canvas.paste(image, mask=image)
    return np.array(canvas, np.uint8)


def three_channels(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB of (h, w) grey."""
    return np.repeat(grey[:, :, None], 3, axis=2)


def upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Pixels turned as an EXIF orientation, 1 to 8, says."""
    if orientation in (5, 6, 7, 8):  # stored with rows and columns exchanged
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
