"""Places behind a garment that is worn: rooms, streets, parks, floors, and the things in them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from likelens.values.arrays import Array

from .outlines import ellipse, moved

Colour = tuple[float, float, float]
Thing = Callable[[Array, np.random.Generator, float, float, float], None]


def scene(rng: np.random.Generator, side: int, count: int, *, low: bool) -> Array:
    """A place with things in it, a little out of focus.

    Args:
        rng: chooses the place, its colours and its things.
        side: of the picture in pixels.
        count: how many things.
        low: whether the camera looks at the ground, as for a shoe.

    Returns:
        (side, side, 3) float32, 0 to 255.
    """
    place, things = _GROUNDS if low else _PLACES[int(rng.integers(len(_PLACES)))]
    canvas = np.zeros((side // 2, side // 2, 3), np.uint8)
    place(canvas, rng)
    spots = sorted(rng.uniform((0.0, 0.25), (1.0, 1.0), (count, 2)).tolist(), key=lambda xy: xy[1])
    for x, y in spots:
        aside = 0.5 + np.sign(x - 0.5) * (0.16 + 0.68 * abs(x - 0.5))
        thing = things[int(rng.integers(len(things)))]
        thing(canvas, rng, float(aside), y, float(rng.uniform(0.10, 0.2)) * (0.6 + 0.7 * y))
    soft = cv2.GaussianBlur(canvas, (0, 0), side / 2 * float(rng.uniform(0.003, 0.012)))
    return cv2.resize(soft, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def shade_of(rng: np.random.Generator, strong: float, light: float) -> Colour:
    """A random colour of the given saturation and lightness, each 0 to 1, as RGB."""
    turn = rng.uniform(0, 2 * np.pi) + np.array([0.0, 2.1, 4.2])
    red, green, blue = 255 * np.clip(light * (1 + strong * np.cos(turn)), 0, 1)
    return float(red), float(green), float(blue)


def darker(colour: Colour, factor: float) -> Colour:
    """The colour times a factor, kept below white."""
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return red, green, blue


def _fill(canvas: Array, points: Array, colour: Colour) -> None:
    """Fill an outline given as shares of the side."""
    fixed = np.rint(points * (len(canvas) * 16)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, 4)


def _box(
    canvas: Array, left: float, top: float, right: float, bottom: float, colour: Colour
) -> None:
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    _fill(canvas, corners, colour)


def _fade(canvas: Array, top: float, bottom: float, first: Colour, last: Colour) -> None:
    """A band over the full width, from one colour to another."""
    rows = slice(round(top * len(canvas)), round(bottom * len(canvas)))
    steps = np.linspace(0, 1, max(1, rows.stop - rows.start))[:, None, None]
    canvas[rows] = (1 - steps) * np.array(first) + steps * np.array(last)


def _room(canvas: Array, rng: np.random.Generator) -> None:
    wall, floor = shade_of(rng, 0.18, rng.uniform(0.6, 0.85)), shade_of(rng, 0.1, 0.5)
    edge = float(rng.uniform(0.72, 0.84))
    _fade(canvas, 0, edge, wall, darker(wall, 0.86))
    _planks(canvas, edge, (floor[0] * 1.15, floor[1] * 0.9, floor[2] * 0.68), rng)
    _box(canvas, 0, edge - 0.03, 1, edge, darker(wall, 1.12))
    x = float(rng.choice([-0.1, 0.62]))
    _box(canvas, x, 0.08, x + 0.46, 0.56, (246, 246, 242))
    for k in range(4):
        left, top = x + 0.02 + 0.22 * (k % 2), 0.1 + 0.23 * (k // 2)
        _box(
            canvas,
            left,
            top,
            left + 0.2,
            top + 0.21,
            darker((190, 216, 240), rng.uniform(0.9, 1.05)),
        )


def _planks(canvas: Array, top: float, colour: Colour, rng: np.random.Generator) -> None:
    rows = 6
    for row in range(rows):
        high, low = (top + (1 - top) * ((row + k) / rows) ** 1.3 for k in (0, 1))
        start = float(rng.uniform(-0.4, 0))
        while start < 1:
            end = start + float(rng.uniform(0.3, 0.6))
            _box(
                canvas,
                start,
                high,
                end - 0.003,
                low - 0.002,
                darker(colour, rng.uniform(0.86, 1.1)),
            )
            start = end


def _street(canvas: Array, rng: np.random.Generator) -> None:
    canvas[:] = (214, 224, 236)
    x = float(rng.uniform(-0.2, 0))
    while x < 1:
        wide, top = float(rng.uniform(0.22, 0.42)), float(rng.uniform(-0.1, 0.2))
        front = shade_of(rng, 0.22, rng.uniform(0.4, 0.72))
        _box(canvas, x, top, x + wide, 0.8, front)
        glass = darker(shade_of(rng, 0.15, 0.4), rng.uniform(0.6, 1.3))
        for px in np.arange(x + 0.03, x + wide - 0.06, 0.085):
            for py in np.arange(top + 0.05, 0.66, 0.125):
                _box(canvas, px, py, px + 0.05, py + 0.08, darker(glass, rng.uniform(0.8, 1.2)))
        x += wide
    _fade(canvas, 0.78, 1, (150, 148, 146), (122, 121, 120))
    for k in np.linspace(-0.6, 1.6, 12):
        line = np.array([(0.5 + (k - 0.5) * 0.6, 0.78), (k, 1.0), (k + 0.008, 1.0)])
        _fill(canvas, line, (110, 109, 108))


def _park(canvas: Array, rng: np.random.Generator) -> None:
    _fade(canvas, 0, 0.5, (168, 204, 238), (226, 236, 242))
    for layer in range(3):
        x = np.linspace(0, 1, 24)
        hill = 0.34 + 0.1 * layer + 0.05 * np.sin(x * rng.uniform(4, 11) + rng.uniform(0, 6))
        green = (70 + 18 * layer, 112 + 22 * layer, 66 + 8 * layer)
        _fill(canvas, np.vstack([np.stack([x, hill], 1), [(1, 1), (0, 1)]]), green)
    _fade(canvas, 0.74, 1, (126, 160, 82), (98, 136, 62))
    for _ in range(7):
        _tree(canvas, rng, rng.uniform(0, 1), rng.uniform(0.2, 0.45), rng.uniform(0.07, 0.15))


def _tree(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    _box(canvas, x - 0.012, y, x + 0.012, y + 0.3, (92, 70, 50))
    for _ in range(6):
        dx, dy = rng.normal(0, size * 0.5, 2)
        leaf = darker((66, 118, 58), rng.uniform(0.75, 1.25))
        _fill(canvas, ellipse(x + dx, y + dy, size * 0.6, size * 0.5), leaf)


def _floor(canvas: Array, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        _planks(canvas, 0.0, (186, 148, 108), rng)
        return
    stone = shade_of(rng, 0.1, rng.uniform(0.5, 0.75))
    for row in range(5):
        for column in range(6):
            left, top = column / 5 + 0.03 * row - 0.17, row / 5
            _box(
                canvas, left, top, left + 0.195, top + 0.194, darker(stone, rng.uniform(0.88, 1.1))
            )


def _plant(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    pot = shade_of(rng, 0.35, 0.55)
    for k in range(9):
        turn = -np.pi / 2 + (k - 4) * 0.32 + rng.uniform(-0.1, 0.1)
        leaf = ellipse(size * 0.75, 0, size * 0.7, size * 0.16)
        _fill(canvas, moved(leaf, (x, y), turn), darker((62, 124, 70), rng.uniform(0.7, 1.3)))
    corners = np.array([(-0.4, 0), (0.4, 0), (0.3, 0.75), (-0.3, 0.75)]) * size + (x, y)
    _fill(canvas, corners, pot)


def _picture(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    y = 0.12 + 0.4 * y
    _box(canvas, x - size, y - size * 1.2, x + size, y + size * 1.2, shade_of(rng, 0.2, 0.25))
    _box(
        canvas, x - size * 0.88, y - size * 1.08, x + size * 0.88, y + size * 1.08, (238, 234, 226)
    )
    for _ in range(4):
        dx, dy = rng.uniform(-0.45, 0.45, 2) * size
        r = rng.uniform(0.2, 0.45) * size
        _fill(canvas, ellipse(x + dx, y + dy, r, r), shade_of(rng, 0.35, 0.6))


def _books(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    for k in range(5):
        left = x - size * rng.uniform(0.7, 1.0)
        top = y - k * size * 0.24
        _box(canvas, left, top, left + size * 1.8, top + size * 0.22, shade_of(rng, 0.38, 0.55))


def _lamp(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    _box(canvas, x - 0.01, y - size * 2.4, x + 0.01, y + size, (60, 56, 54))
    _fill(canvas, ellipse(x, y + size, size * 0.5, size * 0.12), (60, 56, 54))
    shade = np.array([(-0.4, -3.1), (0.4, -3.1), (0.75, -2.2), (-0.75, -2.2)]) * size + (x, y)
    _fill(canvas, shade, darker((250, 226, 168), rng.uniform(0.85, 1.02)))


def _cushion(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    colour = shade_of(rng, 0.3, rng.uniform(0.45, 0.75))
    _fill(canvas, ellipse(x, y, size * 1.1, size * 0.85), colour)
    _fill(
        canvas, ellipse(x - size * 0.3, y - size * 0.3, size * 0.5, size * 0.3), darker(colour, 1.2)
    )


def _bush(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    y = max(y, 0.6)
    for _ in range(9):
        dx, dy = rng.normal(0, 0.5 * size, 2)
        leaf = darker((64, 116, 60), rng.uniform(0.65, 1.3))
        _fill(canvas, ellipse(x + dx, y + 0.5 * dy, 0.45 * size, 0.32 * size), leaf)


def _hanger(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    """Another garment on a rail."""
    shape = [(0.12, -1), (0.7, -0.8), (1, -0.2), (0.72, -0.05), (0.6, -0.3), (0.6, 1.1)]
    half = np.array(shape)
    outline = np.vstack([half, half[::-1] * (-1, 1)]) * size + (x, 0.1 + 0.6 * y)
    _fill(canvas, outline, shade_of(rng, 0.38, rng.uniform(0.3, 0.8)))


def _passer(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    """Somebody walking by."""
    y, size = 0.35 + 0.3 * y, size * 0.9
    coat, legs = shade_of(rng, 0.4, rng.uniform(0.25, 0.7)), shade_of(rng, 0.2, 0.25)
    skin = darker((236, 190, 160), rng.uniform(0.45, 1.02))
    _box(canvas, x - size * 0.35, y + size, x - size * 0.03, y + size * 2.6, legs)
    _box(canvas, x + size * 0.05, y + size, x + size * 0.37, y + size * 2.6, legs)
    half = np.array([(0.2, -0.5), (0.55, -0.3), (0.62, 1.3)])
    _fill(canvas, np.vstack([half, half[::-1] * (-1, 1)]) * size + (x, y), coat)
    _fill(canvas, ellipse(x, y - size * 0.85, size * 0.27, size * 0.36), skin)
    _fill(canvas, ellipse(x, y - size * 1.02, size * 0.29, size * 0.24), shade_of(rng, 0.2, 0.2))


def _glow(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    """A light far out of focus."""
    side = len(canvas)
    veil = np.zeros(canvas.shape[:2], np.uint8)
    _fill(veil, ellipse(x, 0.8 * y, size * 0.4, size * 0.4), (150.0, 0.0, 0.0))
    lit = np.array(shade_of(rng, 0.35, 0.9)) * (veil / 255)[..., None]
    canvas[:] = np.minimum(255, canvas * (1 - 0.4 * veil / 255)[..., None] + 0.6 * lit)[:side]


def _cup(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    ware = shade_of(rng, 0.3, 0.8)
    _fill(canvas, ellipse(x + 0.01, y + 0.015, size * 0.9, size * 0.9), (96, 86, 78))
    _fill(canvas, ellipse(x, y, size * 0.85, size * 0.85), darker(ware, 1.1))
    _fill(canvas, ellipse(x, y, size * 0.45, size * 0.45), darker(ware, 0.9))
    _fill(canvas, ellipse(x, y, size * 0.36, size * 0.36), (74, 46, 30))


def _paper(canvas: Array, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    sheet = np.array([(-1, -0.7), (1, -0.7), (1, 0.7), (-1, 0.7)]) * size
    turn = float(rng.uniform(-0.8, 0.8))
    colour = shade_of(rng, rng.uniform(0.05, 0.3), 0.8)
    _fill(canvas, moved(sheet, (x + 0.01, y + 0.01), turn), (90, 82, 76))
    _fill(canvas, moved(sheet, (x, y), turn), colour)
    for k in range(4):
        bar = np.array([(-0.8, 0), (0.5, 0), (0.5, 0.1), (-0.8, 0.1)]) * size + (
            0,
            (k * 0.3 - 0.5) * size,
        )
        _fill(canvas, moved(bar, (x, y), turn), darker(colour, 0.75))


Place = Callable[[Array, np.random.Generator], None]
_PLACES: tuple[tuple[Place, tuple[Thing, ...]], ...] = (
    (_room, (_plant, _picture, _books, _lamp, _cushion)),
    (_room, (_hanger, _hanger, _lamp, _books, _picture)),
    (_street, (_passer, _passer, _bush, _glow)),
    (_park, (_passer, _bush, _bush)),
)
_GROUNDS: tuple[Place, tuple[Thing, ...]] = (_floor, (_cup, _paper, _paper, _paper, _books))
