"""The same garment worn, out in the world."""

from __future__ import annotations

import cv2
import numpy as np

from likelens.values.arrays import Array
from likelens.values.errors import BadTable

from .camera import Camera, Light
from .outlines import Piece, curve, ellipse, moved, strip
from .paint import Canvas, times
from .picture import (
    SMALLEST,
    View,
    canvas_side,
    draw,
    frame,
    pieces_of,
    plain_ground,
    shadowed,
    shrunk,
)
from .scene import scene, shade_of
from .vocabulary import Garment, at_least, check_tags
from .wearer import Wearer

THINGS = 12
"""How many things stand about at a clutter of 1."""


def draw_wild(
    garment: Garment,
    size: int = 224,
    *,
    clutter: float = 1.0,
    rotation: float = 1.0,
    light: float = 1.0,
    occlusion: float = 1.0,
) -> Array:
    """A picture of the garment as a customer would take it.

    Each disturbance is drawn from its own random numbers, so turning one up or
    down leaves the others as they were. With all four at 0 this is ``draw``.

    Args:
        garment: what to draw.
        size: side of the picture in pixels, >= 32.
        clutter: how much of a place, a wearer and other things shows behind the
            garment, which is seen from further away to make room for them. From 1
            on they are all there; above 1 there are more things.
        rotation: how far the camera is turned (up to 23 degrees at 1), tilted,
            moved aside.
        light: how far brightness, colour, direction and evenness of the light
            differ from a studio's; noise.
        occlusion: how large the things in front of the garment are; at 1 they hide
            about a quarter of it, at 0.5 a sixth.

    Returns:
        (size, size, 3) uint8, RGB.

    Raises:
        BadTable: a strength is below 0, ``size`` is too small, or a tag is unknown.
    """
    strengths = {"clutter": clutter, "rotation": rotation, "light": light, "occlusion": occlusion}
    for name, strength in strengths.items():
        if not 0 <= strength < np.inf:
            raise BadTable(
                f"{name} is {strength}",
                where=f"likelens.garments.draw_wild, {name}",
                hint="give a strength of at least 0; 0 switches it off, 1 is usual",
            )
    clutter, rotation, light, occlusion = (float(strength) for strength in strengths.values())
    if not any(strengths.values()):
        return draw(garment, 0, size)
    at_least(size, SMALLEST, "size")
    check_tags(garment)
    side = canvas_side(size)
    pieces = pieces_of(garment, back=False)
    camera = _camera(garment, pieces, side, clutter, rotation, light)
    canvas = Canvas(side)
    ground = _placed(canvas, garment, pieces, camera, clutter)
    picture = canvas.over(shadowed(ground, canvas.cover))
    if occlusion:
        picture = _hidden(picture, garment, pieces, camera, occlusion)
    if light:
        picture = _lighted(picture, garment, light)
    return shrunk(picture, size)


def _rng(garment: Garment, what: int) -> np.random.Generator:
    return np.random.default_rng([garment.seed, 10, what])


def _camera(
    garment: Garment,
    pieces: list[Piece],
    side: int,
    clutter: float,
    rotation: float,
    light: float,
) -> Camera:
    turn, squeeze, zoom, right, down = _rng(garment, 1).uniform(-1, 1, 5)
    sun = _rng(garment, 2).uniform(-1, 1)
    plain = Light()
    view = View(
        zoom=(1 - 0.2 * min(1.0, clutter)) * (1 + 0.1 * zoom * min(1.0, rotation)),
        turn=0.4 * turn * rotation,
        squeeze=1 - min(0.6, 0.14 * abs(squeeze) * rotation),
        light=Light(x=plain.x + 0.6 * min(1.0, light) * sun),
    )
    camera = frame(pieces, side, view, garment)
    aside = np.array([right, down]) * (0.06 * side * min(1.0, rotation))
    return Camera(camera.matrix, camera.offset + aside, camera.light)


def _placed(
    canvas: Canvas, garment: Garment, pieces: list[Piece], camera: Camera, clutter: float
) -> Array:
    """Paint wearer and garment; what is behind them, (side, side, 3) float32."""
    side = canvas.side
    ground = plain_ground(side)
    wearer = Wearer(_rng(garment, 3))
    share = np.float32(min(1.0, clutter))
    if clutter:
        low = garment.tag("kind") in ("shoe", "bag")
        place = scene(_rng(garment, 4), side, round(THINGS * clutter), low=low)
        ground = ground + share * (place - ground) if share < 1 else place
        canvas.paint(wearer.behind(garment), garment, camera, side)
        canvas.colour *= share
        canvas.cover *= share
    canvas.paint(pieces, garment, camera, side)
    front = wearer.before(garment)
    if clutter and front:
        over = Canvas(side)
        over.paint(front, garment, camera, side)
        rest = 1 - share * over.cover
        canvas.colour = share * over.colour + times(canvas.colour, rest)
        canvas.cover = 1 - rest * (1 - canvas.cover)
    return ground


def _hidden(
    picture: Array, garment: Garment, pieces: list[Piece], camera: Camera, occlusion: float
) -> Array:
    """Things in front of the garment, nearer than the focus."""
    rng = _rng(garment, 5)
    side = len(picture)
    points = camera.place(np.vstack([piece.outline for piece in pieces]))
    low, high = points.min(axis=0), points.max(axis=0)
    middle, reach = (low + high) / 2, (high - low) / 2
    size = float(np.sqrt(min(4.0, occlusion)) * np.sqrt(reach[0] * reach[1]))
    canvas = Canvas(side)
    for _ in range(2):
        way = rng.uniform(0, 2 * np.pi)
        at = middle + 0.8 * reach * (np.cos(way), np.sin(way))
        (_leaves, _post, _shopping)[int(rng.integers(3))](canvas, rng, at, way, size)
    soft = side * float(rng.uniform(0.002, 0.008))
    colour = cv2.GaussianBlur(canvas.colour, (0, 0), soft)
    cover = cv2.GaussianBlur(canvas.cover, (0, 0), soft)
    return colour + times(picture, 1 - cover)


def _leaves(canvas: Canvas, rng: np.random.Generator, at: Array, way: float, size: float) -> None:
    """A twig that reaches in from outside."""
    for k in range(7):
        leaf = ellipse(0.22 * size, 0.0, 0.24 * size, 0.075 * size)
        spot = at + np.array([np.cos(way), np.sin(way)]) * size * (0.12 * k - 0.25)
        turn = way + np.pi + (1 if k % 2 else -1) * rng.uniform(0.5, 1.1)
        green = np.array((58, 112, 62)) * rng.uniform(0.7, 1.35)
        canvas.fill(moved(leaf, (float(spot[0]), float(spot[1])), turn), green)


def _post(canvas: Canvas, rng: np.random.Generator, at: Array, way: float, size: float) -> None:
    """The edge of a door, or a lamp post."""
    colour = np.array(shade_of(rng, 0.12, rng.uniform(0.2, 0.6)))
    bar = np.array([(-0.1, -9.0), (0.1, -9.0), (0.1, 9.0), (-0.1, 9.0)]) * size
    turn = 0.12 * np.sin(way)
    spot = (float(at[0]), float(at[1]))
    canvas.fill(moved(bar, spot, turn), 0.85 * colour)
    canvas.fill(moved(bar * (0.4, 1.0) - (0.04 * size, 0.0), spot, turn), colour)


def _shopping(canvas: Canvas, rng: np.random.Generator, at: Array, way: float, size: float) -> None:
    """A paper bag with string handles."""
    colour = np.array(shade_of(rng, 0.2, rng.uniform(0.55, 0.85)))
    turn = 0.25 * np.sin(3 * way)
    spot = (float(at[0]), float(at[1]))
    grip = strip(curve((-0.14, -0.28), (-0.1, -0.52), (0.1, -0.52), (0.14, -0.28)), 0.03)
    front = np.array([(-0.29, -0.32), (0.22, -0.32), (0.22, 0.36), (-0.29, 0.36)])
    side = np.array([(0.22, -0.32), (0.32, -0.36), (0.32, 0.31), (0.22, 0.36)])
    for outline, tone in ((grip, 0.5), (front, 1.0), (side, 0.75)):
        canvas.fill(moved(outline * (1.25 * size), spot, turn), tone * colour)
    mark = ellipse(-0.04 * size, 0.03 * size, 0.11 * size, 0.11 * size)
    canvas.fill(moved(mark, spot, turn), 0.6 * colour)


def _lighted(picture: Array, garment: Garment, strength: float) -> Array:
    """Another brightness and colour of light, uneven, with a shadow and noise."""
    rng = _rng(garment, 6)
    side = len(picture)
    warmth, tint, brightness, ramp_turn, start = rng.uniform(-1, 1, 5)
    gains = np.array([1 + 0.16 * warmth, 1 + 0.04 * tint, 1 - 0.16 * warmth], np.float32)
    gains = np.maximum(0.3, 1 + strength * (gains - 1))
    gains *= np.float32(2.0 ** (strength * (0.36 * brightness - 0.03)))
    level = cv2.resize(
        _uneven(3 * ramp_turn, start, strength), (side, side), interpolation=cv2.INTER_CUBIC
    )
    grain = rng.standard_normal((side // 2, side // 2, 3), np.float32)
    noise = cv2.resize(grain, (side, side), interpolation=cv2.INTER_NEAREST)
    seen: Array = times(picture * gains, level) + (3.5 * strength) * noise
    return seen


def _uneven(turn: float, start: float, strength: float) -> Array:
    """Light that falls off to one side and to the corners, with a shadow across; (24, 24)."""
    y, x = np.mgrid[-1:1:24j, -1:1:24j]
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    shadow = np.clip(4 * np.abs(across + 0.8 * start) - 0.8, 0, 1) - 1
    level = 1 + strength * (0.22 * along + 0.2 * shadow - 0.10 * (x * x + y * y))
    clipped: Array = np.clip(level, 0.2, 1.8)
    return clipped.astype(np.float32)
