"""Pictures made worse on purpose, step by step: what a customer's camera does to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import simplejpeg

from .values.arrays import Array
from .values.errors import BadShape, BadSpec

LEVELS = 5
"""The worst level; 0 is the picture as it is."""

VALUES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "clutter": (0.05, 0.10, 0.20, 0.30, 0.45),
        "rotation": (5.0, 10.0, 20.0, 45.0, 90.0),
        "crop": (0.90, 0.75, 0.60, 0.45, 0.30),
        "light": (0.50, 1.00, 1.50, 2.25, 3.00),
        "blur": (0.004, 0.008, 0.016, 0.032, 0.064),
        "jpeg": (60.0, 30.0, 15.0, 8.0, 4.0),
    }
)
"""What levels 1 to 5 of each kind mean; ``UNITS`` says in what."""

KINDS = tuple(VALUES)

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "clutter": "share of the picture covered",
        "rotation": "degrees",
        "crop": "share of each side kept",
        "light": "stops brighter or darker",
        "blur": "sigma as a share of the shorter side",
        "jpeg": "quality",
    }
)

MOST_THINGS = 250
"""Things that clutter draws before it gives up covering its share."""

WIDEST_BLUR = 8.0
"""Sigma in pixels above which a picture is blurred at a smaller size."""


def degrade(image: Array, kind: str, level: int, seed: int = 0) -> Array:
    """The picture made worse in one way.

    All levels of a seed draw the same numbers: the things of clutter are those of the
    level below and more, the picture turns further the same way, and so on.

    * clutter: patches of random shapes and colours come in over the edges, until they
      cover the share. They stay out of the middle of the picture.
    * rotation: around the middle, to the left or to the right. What comes in at the
      corners has the median colour of the picture's edge: white around a shop picture.
    * crop: a part of the frame, moved from the middle by up to half of the room there
      is, and enlarged to the old size.
    * light: brighter or darker by so many stops, with a cast of up to half a stop of red
      against blue at 3 stops. What is too bright is lost.
    * blur: Gaussian.
    * jpeg: saved at that quality with half the colour resolution, and opened again.

    Args:
        image: (height, width, 3) uint8, RGB.
        kind: one of ``KINDS``.
        level: 0, the picture as it is, to 5.
        seed: of what is drawn at random, >= 0.

    Returns:
        A new array of the same shape and type; at level 0 the same array.

    Raises:
        BadSpec: no such kind or level.
        BadShape: the array is no picture.

    Example:
        >>> grey = np.full((8, 8, 3), 128, np.uint8)
        >>> int(degrade(grey, "light", 5, seed=1).mean()) != 128
        True
    """
    check_level(kind, level)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise BadShape(
            f"an array of type {pixels.dtype} and shape {pixels.shape} is no picture",
            where="degrade",
            hint="give uint8 of shape (height, width, 3), RGB, as open_image returns it",
        )
    if level == 0:
        return image
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    worse = _WAYS[kind](np.ascontiguousarray(pixels), VALUES[kind][level - 1], rng)
    return np.ascontiguousarray(worse)


def check_level(kind: str, level: int) -> None:
    """Refuse what there is no table of.

    Raises:
        BadSpec: no such kind or level.
    """
    if kind not in VALUES:
        raise BadSpec(
            f"there is no way {kind!r} to make a picture worse",
            where="stress, kind",
            hint=f"choose one of: {', '.join(KINDS)}",
        )
    if isinstance(level, bool) or level not in range(LEVELS + 1):
        raise BadSpec(
            f"there is no level {level!r} of {kind}",
            where="stress, level",
            hint=f"give a whole number from 0 (as it is) to {LEVELS} (worst)",
        )


def value_of(kind: str, level: int) -> float | None:
    """What a level means, in ``UNITS``; None at level 0."""
    check_level(kind, level)
    return VALUES[kind][level - 1] if level else None


def _clutter(image: Array, share: float, rng: np.random.Generator) -> Array:
    picture = image.copy()
    height, width = image.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    for _ in range(MOST_THINGS):
        if cover.mean() >= share:
            break
        outline, colour = _thing(rng)
        place = np.rint(outline * (width - 1, height - 1)).astype(np.int32)
        cv2.fillPoly(picture, [place], colour)
        cv2.fillPoly(cover, [place], 1.0)
    return picture


def _thing(rng: np.random.Generator) -> tuple[Array, tuple[float, ...]]:
    """Outline, with the picture from 0 to 1, and colour of a thing near an edge."""
    corners = int(rng.choice((3, 4, 5, 7, 24)))
    along, turn = rng.uniform(0, 1), rng.uniform(0, 2 * np.pi)
    inward = 0.3 * rng.uniform(0, 1) ** 1.5
    middle = [(along, inward), (along, 1 - inward), (inward, along), (1 - inward, along)]
    angles = turn + np.arange(corners) * (2 * np.pi / corners)
    reach = rng.uniform(0.05, 0.13) * rng.uniform(0.6, 1.4, 2)
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach
    colour = tuple(float(part) for part in rng.uniform(0, 255, 3))
    return outline + middle[int(rng.integers(4))], colour


def _rotation(image: Array, degrees: float, rng: np.random.Generator) -> Array:
    height, width = image.shape[:2]
    turn = degrees * float(rng.choice((-1, 1)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    return cv2.warpAffine(
        image,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_edge_colour(image),
    )


def _edge_colour(image: Array) -> tuple[float, ...]:
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return tuple(float(part) for part in np.median(edge, axis=0))


def _crop(image: Array, share: float, rng: np.random.Generator) -> Array:
    size = np.array(image.shape[:2])
    kept = np.maximum(1, np.rint(size * share)).astype(np.int64)
    shift = rng.uniform(-0.5, 0.5, 2)
    top, left = np.rint((size - kept) / 2 * (1 + shift)).astype(np.int64)
    part = image[top : top + kept[0], left : left + kept[1]]
    return cv2.resize(part, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)


def _light(image: Array, stops: float, rng: np.random.Generator) -> Array:
    brighter = stops * float(rng.choice((-1, 1)))
    cast = stops / 6 * rng.uniform(-1, 1)
    gains = 2.0 ** ((brighter + cast * np.array([1, 0, -1])) / 2.2)
    curves = np.rint(np.clip(np.arange(256)[:, None] * gains, 0, 255)).astype(np.uint8)
    return cv2.LUT(image, curves[None])


def _blur(image: Array, share: float, rng: np.random.Generator) -> Array:  # noqa: ARG001
    height, width = image.shape[:2]
    sigma = share * min(height, width)
    smaller = max(1, int(sigma / (WIDEST_BLUR / 2))) if sigma > WIDEST_BLUR else 1
    if smaller == 1:
        return cv2.GaussianBlur(image, (0, 0), max(sigma, 1e-3))
    size = (max(1, width // smaller), max(1, height // smaller))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / smaller)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _jpeg(image: Array, quality: float, rng: np.random.Generator) -> Array:  # noqa: ARG001
    data = simplejpeg.encode_jpeg(image, quality=int(quality), colorsubsampling="420")
    pixels: Array = simplejpeg.decode_jpeg(data, "RGB")
    return pixels


_WAYS: Mapping[str, Callable[[Array, float, np.random.Generator], Array]] = {
    "clutter": _clutter,
    "rotation": _rotation,
    "crop": _crop,
    "light": _light,
    "blur": _blur,
    "jpeg": _jpeg,
}
