"""Resizing as Pillow does it, but for long strips to the bit; of a crop no more than it needs."""

from __future__ import annotations

from math import gcd

import numpy as np
from PIL import Image

from ..values.arrays import Array

Size = tuple[int, int]
"""Height and width in pixels."""

Window = tuple[int, int, int, int]
"""Top, left, height and width of a part of a picture."""

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}

_STRIP = 16  # a resized picture of more than so many times its crop's area is a long strip

_FEW = 32  # ways in which enlarged rows lie between those they are made of, each of which is a call


def resize_window(rgb: Array, full: Size, window: Window, filtering: str) -> Array:
    """The window of a picture resized to ``full``, as by Pillow.

    Of a long strip Pillow computes the window alone, which under some filters it rounds a
    little differently.

    Args:
        rgb: (height, width, 3) uint8.
        full: height and width of the whole resized picture.
        window: the part of it that is wanted.
        filtering: a name in FILTERS.

    Returns:
        uint8, of the window's height and width.
    """
    source, (top, left, height, width) = rgb.shape[:2], window
    if source == full:
        return rgb[top : top + height, left : left + width]
    rows, columns = source[0] / full[0], source[1] / full[1]
    if full[0] * full[1] > _STRIP * height * width:
        right = min((left + width) * columns, source[1])
        bottom = min((top + height) * rows, source[0])
        box = (left * columns, top * rows, right, bottom)
        return np.asarray(Image.fromarray(rgb).resize((width, height), FILTERS[filtering], box))
    if filtering == "bilinear" and _exact(source[0], full[0]) and _exact(source[1], full[1]):
        few = max(_phases(source[0], full[0]), _phases(source[1], full[1])) <= _FEW
        return _enlarged_in_phases(rgb, full, window) if few else _enlarged(rgb, full, window)
    large = np.asarray(Image.fromarray(rgb).resize(full[::-1], FILTERS[filtering]))
    return large[top : top + height, left : left + width]


def _phases(source: int, target: int) -> int:
    """In how many ways enlarged rows lie between rows of the source: they recur from there on."""
    return target // gcd(source, target)


def _exact(source: int, target: int) -> bool:
    """Whether a side grows, and by a ratio whose weights OpenCV's 11 bits hold exactly."""
    phases = _phases(source, target)
    return source <= target and phases <= 1024 and phases & (phases - 1) == 0


def _enlarged_in_phases(rgb: Array, full: Size, window: Window) -> Array:
    """What Pillow's bilinear filter gives: the columns first, rounded, then the rows."""
    import cv2

    top, left, height, width = window
    columns = _stretched(cv2.transpose(rgb), full[1], left, width)
    return _stretched(cv2.transpose(columns), full[0], top, height)


def _stretched(rows: Array, target: int, start: int, length: int) -> Array:
    """``length`` rows, from ``start`` on, of a picture stretched to ``target`` rows.

    All rows that lie alike between two rows of the source are made in one call.
    """
    import cv2

    source = len(rows)
    phases = _phases(source, target)
    step = source * phases // target
    out = np.empty((length, *rows.shape[1:]), np.uint8)
    for phase in range(min(phases, length)):
        made = out[phase::phases]
        middle = (2 * (start + phase) + 1) * step - phases  # of the row, in 1 / (2 phases)
        first, share = divmod(middle, 2 * phases)
        last, weight = first + (len(made) - 1) * step, share / (2 * phases)
        if first >= 0 and last + 1 < source:
            above, below = rows[first : last + 1 : step], rows[first + 1 : last + 2 : step]
        else:  # beyond the edge its last row goes on
            places = np.arange(first, last + 1, step)
            above, below = (rows[np.clip(places + more, 0, source - 1)] for more in (0, 1))
        # Halves round to the even number here, but up in Pillow: so they get a little more.
        cv2.addWeighted(above, 1 - weight, below, weight, 1 / (4 * phases), made)
    return out


def _enlarged(rgb: Array, full: Size, window: Window) -> Array:
    """The same in twice the time, whatever the number of phases.

    OpenCV is less exact down the columns than along the rows, and rounds once where Pillow
    rounds after each of two passes: so here both passes go along rows.
    """
    import cv2

    top, left, height, width = window
    wide = cv2.resize(rgb, (full[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
    turned = cv2.transpose(wide[:, left : left + width])
    tall = cv2.resize(turned, (full[0], width), interpolation=cv2.INTER_LINEAR)
    return cv2.transpose(tall[:, top : top + height])
