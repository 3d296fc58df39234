"""Cloth: square tiles that repeat without a seam, coloured by pattern and material."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from likelens.values.arrays import Array

from .vocabulary import RGB, Garment

TILE = 0.36
"""Side of a tile, as a share of the picture's side."""


@dataclass(frozen=True)
class Sheen:
    """How a surface answers to light.

    Attributes:
        depth: how deep its folds are, against cotton.
        contrast: how much darker its shaded side is.
        shine: strength of the highlight, 0 to 1.
        sharpness: how narrow the highlight is.
    """

    depth: float
    contrast: float
    shine: float
    sharpness: float


SHEENS = {
    "cotton": Sheen(1.0, 0.75, 0.0, 1.0),
    "denim": Sheen(0.8, 0.75, 0.0, 1.0),
    "knit": Sheen(0.75, 0.6, 0.0, 1.0),
    "leather": Sheen(1.1, 0.9, 0.62, 18.0),
    "silk": Sheen(1.55, 1.0, 0.5, 7.0),
    "plain": Sheen(1.0, 0.7, 0.0, 1.0),
    "rib": Sheen(0.8, 0.6, 0.0, 1.0),
    "gloss": Sheen(1.0, 0.8, 0.8, 24.0),
    "wood": Sheen(0.6, 0.7, 0.15, 8.0),
}


def tile(
    garment: Garment, side: int, *, texture: str, colour: RGB | None, patterned: bool
) -> Array:
    """One repeat of the cloth, (side, side, 3) uint8.

    Args:
        garment: whose pattern, material and colours.
        side: in pixels.
        texture: a material, or a texture of its own: a key of SHEENS.
        colour: instead of the garment's own; goes without pattern.
        patterned: whether the garment's pattern is laid over it.
    """
    ground, second = garment.colours
    rng = np.random.default_rng([garment.seed, 3])
    pattern = garment.tag("pattern") if patterned and colour is None else "plain"
    flat = np.empty((side, side, 3), np.float32)
    flat[:] = colour or ground
    if pattern == "floral":
        flat = _floral(flat, second, rng)
    elif pattern != "plain":
        ink = _ink(pattern, side, rng)[..., None]
        flat += ink * (np.array(second, np.float32) - flat)
    relief = _relief(texture, side, np.random.default_rng([garment.seed, 4]))
    woven: Array = np.clip(flat + relief[..., None] * (72 + 0.42 * flat), 0, 255)
    return woven.astype(np.uint8)


def _ink(pattern: str, side: int, rng: np.random.Generator) -> Array:
    """Where the second colour lies, (side, side) float32 in 0 to 1."""
    y, x = _grid(side)
    size = int(rng.integers(0, 3))
    share = float(rng.uniform(0.38, 0.6))
    upright = bool(rng.random() < 0.3)
    if pattern == "striped":
        return _band((x if upright else y) * (5 + size), share, side / (5 + size))
    if pattern == "checked":
        count = 4 + size
        wide = _band(x * count, 0.5, side / count) + _band(y * count, 0.5, side / count)
        thin = _band(x * count + 0.5, 0.12, side / count) + _band(
            y * count + 0.5, 0.12, side / count
        )
        return np.clip(0.5 * wide + 0.3 * thin, 0, 1)
    if pattern == "dotted":
        count = 4 + 2 * (size // 2)
        radius = 0.21 + 0.1 * share
        gaps = [np.hypot((x * count + s) % 1 - 0.5, (y * count + s) % 1 - 0.5) for s in (0.0, 0.5)]
        return np.clip((radius - np.minimum(*gaps)) * side / count + 0.5, 0, 1)
    count = 4 + size
    teeth = np.abs((x * count) % 1 - 0.5)
    return _band(y * (5 + size) + teeth * 1.1, 0.45, side / (5 + size) / 1.5)


def _grid(side: int) -> tuple[Array, Array]:
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    return steps[:, None], steps[None, :]


def _band(phase: Array, share: float, period: float) -> Array:
    """1 within the given share of each period, with soft edges one pixel wide."""
    away = np.abs(phase % 1 - 0.5)
    return np.clip((share / 2 - away) * period + 0.5, 0, 1)


def _floral(flat: Array, second: RGB, rng: np.random.Generator) -> Array:
    """Five-petalled flowers and leaves, scattered without crowding."""
    side = len(flat)
    light = tuple(0.45 * 255 + 0.55 * np.array(second))
    leaf = tuple(0.6 * np.array(second) + 0.4 * np.array((70, 120, 80)))
    heart = (236, 196, 90) if max(second) - min(second) < 90 or second[0] < 200 else (120, 40, 60)
    canvas = np.ascontiguousarray(np.tile(flat, (2, 2, 1)).clip(0, 255).astype(np.uint8))
    for x, y, radius in _scattered(rng, 9):
        turn = rng.uniform(0, 2 * np.pi)
        for dx in (0, 1):
            for dy in (0, 1):
                at = np.array([x + dx, y + dy]) * side
                _flower(canvas, at, radius * side, turn, (second, light, leaf, heart))
    wrapped = np.roll(canvas, (-side // 2, -side // 2), axis=(0, 1))
    return wrapped[:side, :side].astype(np.float32)


def _scattered(rng: np.random.Generator, count: int) -> list[tuple[float, float, float]]:
    """Places (x, y) on the unit square that wraps, and a radius for each."""
    spots: list[tuple[float, float, float]] = []
    for k in range(count):
        tries = rng.random((24, 2))
        taken = np.array([spot[:2] for spot in spots]).reshape(-1, 2)
        apart = np.abs(tries[:, None] - taken[None])
        apart = np.hypot(*np.moveaxis(np.minimum(apart, 1 - apart), -1, 0))
        x, y = tries[int(apart.min(axis=1, initial=9.0).argmax())]
        spots.append((float(x), float(y), 0.125 if k % 3 == 0 else 0.085))
    return spots


def _flower(
    canvas: Array, at: Array, radius: float, turn: float, colours: tuple[tuple[float, ...], ...]
) -> None:
    petal, light, leaf, heart = colours
    for side in (0.9, 2.6):
        _blot(canvas, at + radius * 1.15 * _way(turn + side), radius * 0.5, 0.42, turn + side, leaf)
    for k in range(5):
        way = turn + k * 2 * np.pi / 5
        _blot(canvas, at + radius * 0.55 * _way(way), radius * 0.48, 0.8, way, petal)
        _blot(canvas, at + radius * 0.7 * _way(way), radius * 0.22, 0.6, way, light)
    _blot(canvas, at, radius * 0.27, 1.0, 0.0, heart)


def _way(turn: float) -> Array:
    return np.array([np.cos(turn), np.sin(turn)])


def _blot(
    canvas: Array, at: Array, radius: float, slim: float, turn: float, colour: tuple[float, ...]
) -> None:
    """An ellipse, anti-aliased."""
    axes = (round(radius * 16), round(radius * slim * 16))
    points = cv2.ellipse2Poly(
        (round(at[0] * 16), round(at[1] * 16)), axes, round(np.degrees(turn)), 0, 360, 24
    )
    tone = tuple(float(channel) for channel in colour)
    cv2.fillPoly(canvas, [np.array(points, np.int32)], tone, cv2.LINE_AA, 4)


def _relief(texture: str, side: int, rng: np.random.Generator) -> Array:
    """Lightness of the threads or the grain, (side, side) float32 about 0."""
    y, x = _grid(side)
    if texture == "cotton":
        return 0.05 * _noise(rng, side, 0.6, 0.6)
    if texture == "denim":
        twill = np.cos(2 * np.pi * (x + y) * 19)
        flecks = np.maximum(_noise(rng, side, 0.6, 1.8) - 0.8, 0)
        return 0.15 * twill + 0.11 * flecks + 0.05 * _noise(rng, side, 9, 11)
    if texture == "knit":
        column = np.abs((x * 15) % 1 - 0.5)
        stitch = np.cos(2 * np.pi * (y * 17 + column * 1.5))
        return 0.17 * stitch - 0.30 * np.clip(column - 0.36, 0, 1) / 0.14
    if texture == "rib":
        return 0.2 * np.cos(2 * np.pi * x * 20) + 0.0 * y
    if texture == "leather":
        grain = np.tanh(1.3 * _noise(rng, side, 1.7, 1.7))
        return 0.11 * (grain - np.roll(grain, (2, 2), (0, 1))) + 0.04 * grain
    if texture == "silk":
        return 0.025 * _noise(rng, side, 14, 0.5)
    if texture == "wood":
        return 0.14 * _noise(rng, side, 12, 0.9)
    return np.zeros((side, side), np.float32)


def _noise(rng: np.random.Generator, side: int, wide: float, high: float) -> Array:
    """Soft noise of unit spread that wraps around; how far it is smeared, in 160ths of the tile."""
    pad = min(160, 3 + int(3 * max(wide, high)))
    raw = cv2.copyMakeBorder(
        rng.standard_normal((160, 160), np.float32), pad, pad, pad, pad, cv2.BORDER_WRAP
    )
    soft = cv2.GaussianBlur(raw, (0, 0), sigmaX=wide, sigmaY=high)[pad:-pad, pad:-pad]
    even: Array = soft / soft.std()
    return cv2.resize(even, (side, side), interpolation=cv2.INTER_LINEAR)
