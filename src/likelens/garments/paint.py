"""From pieces of cloth to pixels: outline, cloth, light, shadow, seams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from likelens.values.arrays import Array

from .camera import SHIFT, Camera, Region, fixed, lit, mask_of, slopes
from .cloth import Cloths
from .fabric import TILE
from .outlines import Piece, ellipse
from .vocabulary import Garment

DENIM_THREAD = (222, 158, 76)


class Canvas:
    """A picture in the making, transparent at first.

    Attributes:
        colour: (side, side, 3) float32, 0 to 255, already multiplied by ``cover``.
        cover: (side, side) float32, 0 transparent to 1 opaque.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.colour = np.zeros((side, side, 3), np.float32)
        self.cover = np.zeros((side, side), np.float32)

    def paint(
        self, pieces: Iterable[Piece], garment: Garment, camera: Camera, weave: float
    ) -> None:
        """Draw pieces one over the other.

        Args:
            pieces: from the back to the front.
            garment: whose cloth they are made of.
            camera: where they stand on the canvas.
            weave: pixels per side of the canvas for the cloth: larger shows it closer.
        """
        cloth = Cloths(garment, round(weave * TILE), self.side)
        for piece in pieces:
            self._piece(piece, cloth, camera)

    def fill(self, points: Array, colour: Sequence[float] | Array, alpha: float = 1.0) -> None:
        """Fill an outline given in pixels with one colour."""
        region = self._region(points, 1)
        if region is not None:
            self._tint(region, mask_of(points, region), colour, alpha)

    def over(self, ground: Array) -> Array:
        """The picture on a ground, (side, side, 3) float32."""
        return self.colour + times(ground, 1 - self.cover)

    def _piece(self, piece: Piece, cloth: Cloths, camera: Camera) -> None:
        outline = camera.place(piece.outline)
        region = self._region(outline, 2)
        if region is None:
            return
        if piece.lifted:
            self._shade_below(outline, piece.lifted, camera)
        inside = mask_of(outline, region)
        sheen = cloth.sheen(piece)
        shape = slopes(piece, inside, region, camera, sheen.depth)
        size = (inside.shape[1], inside.shape[0])
        shade, glint = lit(shape, camera.light, sheen)
        colour = cloth.cut(piece, region, camera, shape)
        colour = times(colour, cv2.resize(shade * np.float32(piece.tone), size))
        if glint is not None:
            glint = cv2.resize(glint * np.float32(255 * min(1.0, piece.tone)), size)
            colour = cv2.add(colour, cv2.merge((glint, glint, glint)))
        np.minimum(colour, 255, out=colour)
        self._blend(region, inside * np.float32(1 / 255), colour)
        denim = not piece.texture and cloth.garment.tag("material") == "denim"
        self._marks(piece, outline, cloth.flat(piece), camera, denim=denim)

    def _blend(self, region: Region, alpha: Array, colour: Array) -> None:
        """Lay a picture over a region; alpha in 0 to 1."""
        keep = 1 - alpha
        under = self.colour[region.slices]
        under[:] = cv2.blendLinear(under, colour, keep, alpha)
        cover = self.cover[region.slices]
        cover *= keep
        cover += alpha

    def _tint(
        self, region: Region, mask: Array, colour: Sequence[float] | Array, alpha: float
    ) -> None:
        """Lay one colour over the few pixels of a mask (uint8)."""
        rows, columns = np.nonzero(mask)
        share = mask[rows, columns] * np.float32(alpha / 255)
        rows, columns = rows + region.top, columns + region.left
        self.colour[rows, columns] *= (1 - share)[:, None]
        self.colour[rows, columns] += share[:, None] * np.asarray(colour, np.float32)
        self.cover[rows, columns] += share * (1 - self.cover[rows, columns])

    def _shade_below(self, outline: Array, strength: float, camera: Camera) -> None:
        """The soft shadow that a piece casts on what lies under it."""
        reach = 0.016 * camera.scale
        away = np.array([-camera.light.x, -camera.light.y]) * reach * 1.3
        region = self._region(outline + away, int(3 * reach) + 2)
        if region is None:
            return
        dark = mask_of(outline + away, region, 0.25)
        dark = cv2.GaussianBlur(dark, (0, 0), max(0.3, reach / 4))
        dark = cv2.resize(dark, (region.right - region.left, region.bottom - region.top))
        under = self.colour[region.slices]
        under[:] = times(under, 1 - dark * np.float32(strength / 255))

    def _marks(
        self, piece: Piece, outline: Array, colour: Array, camera: Camera, *, denim: bool
    ) -> None:
        """Outline, seams, stitches, laces and buttons of a piece."""
        dark = line_colour(colour)
        pen = max(1.0, self.side / 400)
        if piece.edge:
            self._lines([outline], dark, pen, 0.75 * piece.edge, closed=True)
        seams = [camera.place(line) for line in piece.seams]
        self._lines(seams, dark, pen, 0.6)
        dashes = [
            dash for line in piece.stitches for dash in _dashes(camera.place(line), 4.5 * pen)
        ]
        thread = DENIM_THREAD if denim else stitch_colour(colour)
        self._lines(dashes, thread, (1.5 if denim else 1.15) * pen, 0.9)
        laces = [camera.place(line) for line in piece.laces]
        self._lines(laces, 0.6 * dark, 0.034 * camera.scale, 0.7)
        self._lines(laces, (244, 242, 236), 0.022 * camera.scale, 1.0)
        for x, y, radius in piece.buttons:
            self._button(x, y, radius, colour, camera)

    def _button(self, x: float, y: float, radius: float, colour: Array, camera: Camera) -> None:
        light = colour.mean() < 120
        face = np.array((214, 206, 190) if light else 0.42 * colour)
        self.fill(camera.place(ellipse(x + 0.006, y + 0.009, radius, radius)), (0, 0, 0), 0.3)
        self.fill(camera.place(ellipse(x, y, radius, radius)), 0.6 * face)
        self.fill(camera.place(ellipse(x, y, 0.84 * radius, 0.84 * radius)), face)
        self.fill(
            camera.place(ellipse(x - 0.25 * radius, y - 0.3 * radius, 0.4 * radius, 0.3 * radius)),
            np.minimum(255, face * 1.3 + 25),
            0.7,
        )
        for side in (-0.28, 0.28):
            hole = ellipse(x + side * radius, y + 0.1 * radius, 0.14 * radius, 0.14 * radius)
            self.fill(camera.place(hole), 0.35 * face)

    def _lines(
        self,
        lines: Sequence[Array],
        colour: Sequence[float] | Array,
        width: float,
        alpha: float,
        *,
        closed: bool = False,
    ) -> None:
        """Lines given in pixels, anti-aliased; thinner than a pixel is fainter."""
        region = self._region(np.vstack(lines), int(width) + 2) if lines else None
        if region is None:
            return
        mask = np.zeros((region.bottom - region.top, region.right - region.left), np.uint8)
        tracks = [fixed(line, region) for line in lines]
        cv2.polylines(mask, tracks, closed, 255.0, max(1, round(width)), cv2.LINE_AA, SHIFT)
        self._tint(region, mask, colour, alpha)

    def _region(self, points: Array, margin: int) -> Region | None:
        """The rectangle around points, within the canvas; None if it lies outside."""
        left, top = np.floor(points.min(axis=0)).astype(int) - margin
        right, bottom = np.ceil(points.max(axis=0)).astype(int) + margin + 1
        region = Region(max(0, left), max(0, top), min(self.side, right), min(self.side, bottom))
        empty = region.right - region.left < 2 or region.bottom - region.top < 2
        return None if empty else region


def times(picture: Array, factor: Array) -> Array:
    """A picture (rows, columns, 3), each pixel times its factor (rows, columns); float32."""
    return cv2.multiply(picture, cv2.merge((factor, factor, factor)))


def _dashes(line: Array, length: float) -> list[Array]:
    """A line cut into dashes with gaps of the same length (pixels)."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    ends = np.arange(0.0, along[-1], length)
    places = np.stack([np.interp(ends, along, line[:, k]) for k in (0, 1)], axis=1)
    return [places[k : k + 2] for k in range(0, len(places) - 1, 2)]


def line_colour(colour: Array) -> Array:
    """For outlines and seams: a darker shade, or a lighter one of what is nearly black."""
    if colour.mean() < 62:
        return colour * 0.9 + 38
    return colour * 0.5


def stitch_colour(colour: Array) -> Array:
    """For stitches: clearly lighter or darker than the cloth."""
    if colour.mean() > 170:
        return colour * 0.62
    return colour * 0.55 + 105
