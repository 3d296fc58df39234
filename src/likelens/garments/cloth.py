"""Cloth laid over the pieces of a garment."""

from __future__ import annotations

import cv2
import numpy as np

from likelens.values.arrays import Array

from .camera import Camera, Region, Slopes
from .fabric import SHEENS, Sheen, tile
from .outlines import Piece
from .vocabulary import RGB, Garment


class Cloths:
    """The cloths of one garment, made when first needed, to be cut into pieces.

    Args:
        garment: whose cloths.
        tile_side: pixels per repeat.
        side: of the canvas, in pixels.
    """

    def __init__(self, garment: Garment, tile_side: int, side: int) -> None:
        self.garment, self.tile_side, self.side = garment, max(8, tile_side), side
        self._sheets: dict[tuple[str, RGB | None, bool], Array] = {}

    def sheen(self, piece: Piece) -> Sheen:
        """How the surface of a piece answers to light."""
        return SHEENS[piece.texture or self.garment.tag("material")]

    def flat(self, piece: Piece) -> Array:
        """The plain colour of a piece, (3,) float32."""
        own = self._own_colour(piece) or self.garment.colours[0]
        return np.array(own, np.float32) * np.float32(min(1.0, piece.tone))

    def cut(self, piece: Piece, region: Region, camera: Camera, shape: Slopes) -> Array:
        """The cloth of a piece over its region, (rows, columns, 3) float32.

        The cloth hangs on the garment, not on the picture: it turns with the
        camera, and its pattern is pulled along where the surface slopes.
        """
        size = (region.right - region.left, region.bottom - region.top)
        if piece.texture == "plain" and not self._is_patterned(piece):
            flat = np.empty((size[1], size[0], 3), np.float32)
            flat[:] = self._own_colour(piece) or self.garment.colours[0]
            return flat
        sheet = self._sheet(piece)
        corner = np.array([region.left, region.top], float)
        middle = corner + np.array(size) / 2
        turn = _turn(piece.angle) @ np.linalg.inv(camera.matrix / camera.scale)
        home = (turn @ (middle - camera.offset)) % self.tile_side
        start = turn @ (corner - middle) + home + (len(sheet) - self.tile_side) / 2
        if not self._is_patterned(piece):
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            inverse = np.column_stack([turn, start])
            return cv2.warpAffine(sheet, inverse, size, flags=flags).astype(np.float32)
        pull = np.float32(0.03 * self.tile_side)
        right = cv2.resize(shape.right, size) * pull + np.arange(size[0], dtype=np.float32)
        down = cv2.resize(shape.down, size) * pull
        down += np.arange(size[1], dtype=np.float32)[:, None]
        (a, b), (c, d) = turn.astype(np.float32)
        across, along = np.float32(start[0]), np.float32(start[1])
        return cv2.remap(
            sheet, a * right + b * down + across, c * right + d * down + along, cv2.INTER_LINEAR
        ).astype(np.float32)

    def _is_patterned(self, piece: Piece) -> bool:
        plain = self.garment.tag("pattern") == "plain" or not piece.patterned
        return not plain and self._own_colour(piece) is None

    def _own_colour(self, piece: Piece) -> RGB | None:
        if piece.second and len(self.garment.tags["colour"]) > 1:
            return self.garment.colours[1]
        return piece.colour

    def _sheet(self, piece: Piece) -> Array:
        texture = piece.texture or self.garment.tag("material")
        own = self._own_colour(piece)
        key = (texture, own, self._is_patterned(piece))
        if key not in self._sheets:
            one = tile(self.garment, self.tile_side, texture=texture, colour=own, patterned=key[2])
            need = 2 * self.side + self.tile_side
            times = -(-need // self.tile_side)
            self._sheets[key] = cv2.repeat(one, times, times)[:need, :need]
        return self._sheets[key]


def _turn(angle: float) -> Array:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])
