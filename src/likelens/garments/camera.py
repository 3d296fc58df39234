"""Where a garment stands on the canvas, and how light falls on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from likelens.values.arrays import Array

from .fabric import Sheen
from .outlines import Piece, Points

SHIFT = 4  # OpenCV takes coordinates in 1/16 of a pixel


class Light(NamedTuple):
    """The way to the light: x to the right, y down, z towards the viewer."""

    x: float = -0.42
    y: float = -0.52
    z: float = 0.74


@dataclass(frozen=True)
class Camera:
    """From garment coordinates to pixels: ``pixel = matrix @ point + offset``.

    Attributes:
        matrix: (2, 2).
        offset: (2,), in pixels.
        light: where the light comes from.
    """

    matrix: Array
    offset: Array
    light: Light

    def place(self, points: Points) -> Array:
        """Pixel coordinates of points, (n, 2)."""
        return np.asarray(points, float) @ self.matrix.T + self.offset

    @property
    def scale(self) -> float:
        """Pixels per unit of length, about."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


class Region(NamedTuple):
    """A rectangle of the canvas, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Slopes(NamedTuple):
    """How steeply a surface rises to the right and downwards, at half the resolution.

    Attributes:
        right, down: (rows, columns) float32; 1 is 45 degrees.
    """

    right: Array
    down: Array


def slopes(piece: Piece, inside: Array, region: Region, camera: Camera, depth: float) -> Slopes:
    """The shape of a piece: rounded towards its edge, and folded.

    Args:
        piece: its ``puff``, ``folds`` and ``softness`` are used.
        inside: (rows, columns) uint8, its mask over the region.
        region: of the canvas.
        camera: where it stands.
        depth: of the folds, times their own height.
    """
    half = (max(2, inside.shape[1] // 2), max(2, inside.shape[0] // 2))
    low = cv2.resize(inside, half, interpolation=cv2.INTER_AREA).astype(np.float32)
    puff = max(0.8, piece.puff * camera.scale / 2)
    low *= 0.9 * puff / 255
    height: Array = cv2.GaussianBlur(low, (0, 0), puff, borderType=cv2.BORDER_REPLICATE)
    if piece.folds:
        height += _folded(piece, half, region, camera, depth)
    right = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    return Slopes(right, cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8))


def lit(ground: Slopes, light: Light, sheen: Sheen) -> tuple[Array, Array | None]:
    """Brightness and highlight of a surface.

    Returns:
        The factor on its colour, (rows, columns) float32, 1 where it is flat; and
        the highlight in 0 to 1, or None for a matt surface.
    """
    toward = np.array(light, np.float32)
    toward /= np.linalg.norm(toward)
    upright = 1 / np.sqrt(1 + ground.right**2 + ground.down**2)
    facing = (toward[2] - ground.right * toward[0] - ground.down * toward[1]) * upright
    shade = np.clip(1 + sheen.contrast * (facing / toward[2] - 1), 0.25, 1.45)
    if not sheen.shine:
        return shade, None
    between = toward + np.array([0, 0, 1], np.float32)
    between /= np.linalg.norm(between)
    mirror = (between[2] - ground.right * between[0] - ground.down * between[1]) * upright
    glint = np.clip(mirror, 0, 1) ** sheen.sharpness - 0.6 * between[2] ** sheen.sharpness
    return shade, np.clip(sheen.shine * glint, 0, 1)


def _folded(
    piece: Piece, size: tuple[int, int], region: Region, camera: Camera, depth: float
) -> Array:
    """The height that folds add, in pixels of the half-size picture, (rows, columns) float32."""
    added = np.zeros((size[1], size[0]), np.float32)
    scale = camera.scale / 2
    for outline, rise in piece.folds:
        points = (camera.place(outline) - (region.left, region.top)) / 2
        cv2.fillPoly(added, [np.rint(points).astype(np.int32)], float(rise * depth * scale))
    soft = max(0.8, piece.softness * scale)
    return cv2.GaussianBlur(added, (0, 0), soft, borderType=cv2.BORDER_REPLICATE)


def mask_of(points: Array, region: Region, scale: float = 1.0) -> Array:
    """Coverage of a region by an outline, uint8, anti-aliased."""
    size = (region.bottom - region.top, region.right - region.left)
    shape = tuple(max(2, round(n * scale)) for n in size)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [fixed(points, region, scale)], 255.0, cv2.LINE_AA, SHIFT)
    return mask


def fixed(points: Array, region: Region, scale: float = 1.0) -> Array:
    """Points in 1/16 pixel, counted from the corner of a region."""
    inside: Array = (points - (region.left, region.top)) * (scale * 2**SHIFT)
    return np.rint(inside).astype(np.int32)
