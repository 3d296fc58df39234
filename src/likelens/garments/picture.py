"""The clean picture of a garment, from any view."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from likelens.values.arrays import Array

from .bags import bag
from .bottoms import skirt, trousers
from .camera import Camera, Light
from .headwear import hat, scarf
from .outlines import Piece, Point
from .paint import Canvas, times
from .shoes import shoe
from .tops import top
from .vocabulary import Garment, at_least, check_tags

SMALLEST = 32
GROUND = (247, 246, 243)

MAKERS: dict[str, Callable[..., list[Piece]]] = {
    "dress": top,
    "shirt": top,
    "jumper": top,
    "jacket": top,
    "trousers": trousers,
    "skirt": skirt,
    "shoe": shoe,
    "bag": bag,
    "hat": hat,
    "scarf": scarf,
}
_FOCUS: dict[str, Point] = {
    "trousers": (0.06, 0.86),
    "skirt": (0.06, 0.82),
    "shoe": (0.16, -0.10),
    "bag": (0.08, 0.26),
    "hat": (0.06, 0.02),
    "scarf": (0.02, 0.16),
}
"""Where the detail is taken; elsewhere just below the neck."""


_EXTENT = {
    "dress": 1.8,
    "shirt": 1.38,
    "jumper": 1.38,
    "jacket": 1.42,
    "trousers": 1.5,
    "skirt": 1.3,
    "shoe": 1.25,
    "bag": 1.3,
    "hat": 1.2,
    "scarf": 1.15,
}
"""What fills the frame: smaller garments of a kind look smaller, larger ones are fitted in."""


class View(NamedTuple):
    """How a garment is looked at.

    Attributes:
        back: from behind; a shoe as a pair, a bag turned to show its side.
        zoom: against the whole garment in the frame.
        turn: clockwise, in radians.
        squeeze: width, as of a garment turned away.
        close: whether the detail is in the middle, not the whole.
        light: where the light comes from.
    """

    back: bool = False
    zoom: float = 1.0
    turn: float = 0.0
    squeeze: float = 1.0
    close: bool = False
    light: Light = Light()


def draw(garment: Garment, view: int = 0, size: int = 224) -> Array:
    """The picture of a garment on a light ground.

    The same arguments give the same pixels.

    Args:
        garment: what to draw.
        view: 0 the front, 1 the back, 2 a detail; any number from 3 on gives
            another distance, turn and light of the front or the back.
        size: side of the picture in pixels, >= 32.

    Returns:
        (size, size, 3) uint8, RGB.

    Raises:
        BadTable: ``view`` or ``size`` is too small, or a tag is unknown.

    Example:
        >>> from likelens import garments
        >>> garments.draw(garments.products(1)[0], size=64).shape
        (64, 64, 3)
    """
    at_least(view, 0, "view")
    at_least(size, SMALLEST, "size")
    check_tags(garment)
    side = canvas_side(size)
    seen = view_of(garment, view)
    pieces = pieces_of(garment, back=seen.back)
    canvas = Canvas(side)
    canvas.paint(pieces, garment, frame(pieces, side, seen, garment), side * seen.zoom)
    return shrunk(canvas.over(shadowed(plain_ground(side), canvas.cover)), size)


def view_of(garment: Garment, view: int) -> View:
    """How the garment is looked at in that view."""
    if view == 0:
        return View()
    rng = np.random.default_rng([garment.seed, 6, view])
    turn = float(rng.uniform(-0.05, 0.05))
    if view == 1:
        return View(back=True, zoom=0.97, turn=turn)
    if view == 2:
        extent = _extent(garment, pieces_of(garment, back=False))
        zoom = min(3.0, extent * float(rng.uniform(1.4, 1.65)))
        return View(zoom=zoom, turn=turn, close=True)
    return View(
        back=bool(rng.random() < 0.35),
        zoom=float(rng.uniform(0.74, 1.04)),
        turn=4 * turn,
        squeeze=float(rng.uniform(0.82, 0.97)),
        light=Light(x=float(rng.uniform(-0.6, 0.6))),
    )


def pieces_of(garment: Garment, *, back: bool) -> list[Piece]:
    """The pieces of a garment, from the rearmost to the foremost."""
    return MAKERS[garment.tag("kind")](garment, back=back)


def frame(pieces: list[Piece], side: int, seen: View, garment: Garment) -> Camera:
    """The camera that shows the garment as asked, in the middle of the canvas."""
    points = _points(pieces)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 0.9 * side / _extent(garment, pieces) * seen.zoom
    cos, sin = np.cos(seen.turn) * scale, np.sin(seen.turn) * scale
    matrix = np.array([[cos * seen.squeeze, -sin], [sin * seen.squeeze, cos]])
    middle = (low + high) / 2
    if seen.close:
        middle = np.array(_FOCUS.get(garment.tag("kind"), (0.03, 0.26)))
    return Camera(matrix, side / 2 - matrix @ middle, seen.light)


def _extent(garment: Garment, pieces: list[Piece]) -> float:
    """The length that fills the frame."""
    return max(_EXTENT[garment.tag("kind")], float(np.ptp(_points(pieces), axis=0).max()))


def _points(pieces: list[Piece]) -> Array:
    return np.vstack([piece.outline for piece in pieces])


def canvas_side(size: int) -> int:
    """Side of the canvas a picture is drawn on before it is shrunk: a multiple of its size."""
    return size * max(2, -(-256 // size))


def shrunk(canvas: Array, size: int) -> Array:
    """A canvas as a picture, (size, size, 3) uint8."""
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


@lru_cache(maxsize=2)
def plain_ground(side: int) -> Array:
    """A very light ground, a little darker towards the corners, (side, side, 3) float32."""
    away = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    dim = 1 - 0.028 * (away[:, None] + away[None, :])
    ground = dim[..., None] * np.array(GROUND, np.float32)
    ground.flags.writeable = False
    return ground


def shadowed(ground: Array, cover: Array) -> Array:
    """The ground with the soft shadow of what covers it."""
    side = len(cover)
    small = cv2.resize(cover, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
    near = cv2.GaussianBlur(small, (0, 0), side / 4 * 0.008)
    far = cv2.GaussianBlur(small, (0, 0), side / 4 * 0.03)
    dark = 0.20 * _pushed(near, 0.006) + 0.17 * _pushed(far, 0.022)
    return times(ground, 1 - cv2.resize(dark, (side, side)))


def _pushed(dark: Array, share: float) -> Array:
    """Moved to the right and down by a share of the side."""
    step = np.float32(share * len(dark))
    move = np.array([[1, 0, step], [0, 1, 1.4 * step]], np.float32)
    return cv2.warpAffine(dark, move, dark.shape[::-1])
