"""From upright pixels to what a network takes: resize, crop, scale, normalise.

The steps and their rounding are those of torchvision with Pillow, antialiasing included;
``crop=floor:`` finds the middle as transformers does. A description reads and writes the notation
``resize=shorter:256;crop=center:224;interpolation=bilinear;scale=1/255;mean=0.5 0.5 0.5;...``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from ..values.arrays import Array, Floats
from ..values.errors import BadShape, BadSpec
from .resizing import FILTERS, Size, resize_window

VERSION = 1
"""Raised when the same description gives other numbers than before."""

KEYS = ("resize", "crop", "interpolation", "scale", "mean", "std", "channels", "layout")

CUTS = ("center", "floor")
"""How a crop finds the middle where the pixels that go are an odd number."""


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a picture before the network.

    At most one of ``shorter`` and ``squash`` is given; with neither, the picture keeps
    its size.

    Attributes:
        shorter: the shorter side after resizing; the longer becomes int(shorter * long / short).
        squash: height and width after resizing, whatever the picture's proportions.
        crop: height and width cut from the middle; a picture that is smaller is padded
            with black pixels.
        interpolation: a name in FILTERS; shrinking is always antialiased.
        scale: what pixels of 0 to 255 are multiplied by.
        mean: taken off each channel after scaling.
        std: what each channel is then divided by.
        channels: RGB or BGR, the order that ``mean``, ``std`` and the network expect.
        layout: NCHW (channels, height, width) or NHWC (height, width, channels).
        cut: where a crop starts if half a pixel is left over: ``center`` rounds to the even
            number, as torchvision's ``CenterCrop`` does, ``floor`` rounds down, as
            ``center_crop`` of transformers does. Of an odd number of rows of padding, the
            last is always the odd one, as in both libraries' torch versions (that of
            transformers for Pillow puts it first).

    Example:
        >>> clear = Preprocessing.parse("resize=shorter:256;crop=center:224;mean=0.5;std=0.5")
        >>> clear.apply(np.full((300, 400, 3), 255, np.uint8)).shape, clear.size
        ((3, 224, 224), (224, 224))
    """

    shorter: int | None = None
    squash: Size | None = None
    crop: Size | None = None
    interpolation: str = "bilinear"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: str = "RGB"
    layout: str = "NCHW"
    cut: str = "center"

    @classmethod
    def parse(cls, text: str) -> Preprocessing:
        """Read the notation; what is not said keeps its default.

        Raises:
            BadSpec: an unknown key, or a value of the wrong form.
        """
        return cls.from_keys(split_keys(text), where=text)

    @classmethod
    def from_keys(cls, keys: Mapping[str, str], *, where: str) -> Preprocessing:
        """The description of these keys and values, all as text.

        Raises:
            BadSpec: an unknown key, or a value of the wrong form.
        """
        known = {key: text.strip() for key, text in keys.items()}
        resize, _, target = known.pop("resize", "none").partition(":")
        if resize not in ("shorter", "squash", "none") or (resize == "none") != (not target):
            raise _wrong("resize", keys, "shorter:256, squash:224 or none", where)
        crop, cut = _crop(known.pop("crop", "none"), where)
        made = cls(
            shorter=_whole("resize", target, where) if resize == "shorter" else None,
            squash=read_size("resize", target, where) if resize == "squash" else None,
            crop=crop,
            cut=cut,
            interpolation=_choice("interpolation", known, "bilinear", tuple(FILTERS), where),
            channels=_choice("channels", known, "RGB", ("RGB", "BGR"), where),
            layout=_choice("layout", known, "NCHW", ("NCHW", "NHWC"), where),
            scale=_number("scale", known.pop("scale", "1/255"), where),
            mean=_three("mean", known.pop("mean", "0"), where),
            std=_three("std", known.pop("std", "1"), where),
        )
        if known:
            raise BadSpec(
                f"preprocessing has no key {next(iter(known))!r}",
                where=where,
                hint=f"its keys are: {', '.join(KEYS)}",
            )
        if 0.0 in made.std:
            raise _wrong("std", keys, "numbers other than zero", where)
        return made

    def __str__(self) -> str:
        resize = f"shorter:{self.shorter}" if self.shorter else "none"
        resize = f"squash:{_side(self.squash)}" if self.squash else resize
        crop = f"{self.cut}:{_side(self.crop)}" if self.crop else "none"
        mean, std = (" ".join(map(_plain, values)) for values in (self.mean, self.std))
        return (
            f"resize={resize};crop={crop};interpolation={self.interpolation};"
            f"scale={_plain(self.scale)};mean={mean};std={std};"
            f"channels={self.channels};layout={self.layout}"
        )

    @property
    def size(self) -> Size | None:
        """Height and width of the outcome, or None if they depend on the picture."""
        return self.crop or self.squash

    def to_size(self, size: Size) -> Preprocessing:
        """The same for another outcome; the resize before a crop keeps its proportion."""
        if self.crop is None or self.size == size:
            return replace(self, squash=size if self.squash else None, crop=self.crop and size)
        factor = min(size) / min(self.crop)
        shorter = round(self.shorter * factor) if self.shorter else None
        squash = (
            (round(self.squash[0] * factor), round(self.squash[1] * factor))
            if self.squash
            else None
        )
        return replace(self, shorter=shorter, squash=squash, crop=size)

    def apply(self, rgb: Array) -> Floats:
        """What the network takes of one picture.

        Args:
            rgb: (height, width, 3) uint8; it is not changed.

        Returns:
            float32, contiguous: (3, h, w) in the layout NCHW, else (h, w, 3).
        """
        pixels = self.resized(rgb)
        height, width = pixels.shape[:2]
        shape = (3, height, width) if self.layout == "NCHW" else (height, width, 3)
        out = np.empty(shape, np.float32)
        self.normalise(pixels, out)
        return out

    def normalise(self, pixels: Array, out: Floats) -> None:
        """Scale and centre pixels, in the channel order and layout of the network.

        Args:
            pixels: (h, w, 3) uint8, resized.
            out: contiguous float32, (3, h, w) in the layout NCHW, else (h, w, 3): filled.

        Raises:
            BadShape: ``out`` is anything else.
        """
        import cv2

        size = pixels.shape[:2]
        shape = (3, *size) if self.layout == "NCHW" else (*size, 3)
        if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise BadShape(  # OpenCV would fill an array of its own instead
                f"pixels of {size[0]} x {size[1]} go into contiguous float32 of shape {shape}, not "
                f"{out.dtype} of shape {out.shape}",
                where=str(self),
                hint="prepare pictures by this encoder's own preprocessing",
            )
        table = self._table
        if self.layout == "NHWC":
            ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if self.channels == "BGR" else pixels
            cv2.LUT(ordered, table.T[None], out)
            return
        plane = np.empty(size, np.uint8)  # one for all, which stays near the processor
        order = (2, 1, 0) if self.channels == "BGR" else (0, 1, 2)
        for channel, values, place in zip(order, table, out, strict=True):
            cv2.extractChannel(pixels, channel, plane)
            cv2.LUT(plane, values, place)

    @cached_property
    def _table(self) -> Floats:
        """(3, 256) float32: what each value of a pixel becomes, by channel of the network."""
        std = np.asarray(self.std, np.float64)
        factor = (self.scale / std).astype(np.float32)
        offset = (-np.asarray(self.mean, np.float64) / std).astype(np.float32)
        table: Floats = np.arange(256, dtype=np.float32) * factor[:, None] + offset[:, None]
        return table

    def resized(self, rgb: Array) -> Array:
        """The (h, w, 3) uint8 pixels after resize and crop."""
        height, width = rgb.shape[:2]
        full = self._target(height, width)
        if self.crop is None:
            return resize_window(rgb, full, (0, 0, *full), self.interpolation)
        top, height, above = _window(full[0], self.crop[0], self.cut)
        left, width, before = _window(full[1], self.crop[1], self.cut)
        part = resize_window(rgb, full, (top, left, height, width), self.interpolation)
        if (height, width) == self.crop:
            return part
        canvas = np.zeros((*self.crop, 3), np.uint8)
        canvas[above : above + height, before : before + width] = part
        return canvas

    def _target(self, height: int, width: int) -> Size:
        if self.squash:
            return self.squash
        if not self.shorter:
            return height, width
        short, long = sorted((height, width))
        longer = int(self.shorter * long / short)
        return (self.shorter, longer) if height <= width else (longer, self.shorter)


def split_keys(text: str) -> dict[str, str]:
    """``a=b;c=d`` as a dictionary.

    Raises:
        BadSpec: a part has no ``=``.
    """
    keys = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        if not equals:
            raise BadSpec(f"{part!r} has no value", where=text, hint="write key=value;key=value")
        keys[name.strip()] = value.strip()
    return keys


def read_size(key: str, text: str, where: str) -> Size:
    """Height and width: ``224`` is a square, ``256x128`` a height and a width.

    Raises:
        BadSpec: not of that form; ``key`` names the option in the message.
    """
    sides = [_whole(key, side, where) for side in text.split("x", 1)]
    return sides[0], sides[-1]


def _window(full: int, wanted: int, cut: str) -> tuple[int, int, int]:
    """Where a crop of the middle starts, how long it is, and how much padding lies before it."""
    if wanted <= full:
        return middle(full, wanted, cut), wanted, 0
    return 0, full, (wanted - full) // 2


def middle(full: int, wanted: int, cut: str) -> int:
    """Where a crop of ``wanted`` of ``full`` pixels starts, by that rule of CUTS."""
    spare = full - wanted
    return spare // 2 if cut == "floor" else round(spare / 2)


def _wrong(key: str, keys: Mapping[str, str], form: str, where: str) -> BadSpec:
    return BadSpec(f"{key}={keys.get(key, '')} is not {form}", where=where, hint=f"give {form}")


def _choice(
    key: str, keys: dict[str, str], default: str, choices: tuple[str, ...], where: str
) -> str:
    value = keys.pop(key, default)
    if value not in choices:
        raise _wrong(key, {key: value}, f"one of {', '.join(choices)}", where)
    return value


def _whole(key: str, text: str, where: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 16_384:
        raise _wrong(key, {key: text}, "a number of pixels from 1 to 16384", where)
    return int(text)


def _crop(text: str, where: str) -> tuple[Size | None, str]:
    """What is cut from the middle, and by which rule; a size alone is torchvision's."""
    if text == "none":
        return None, "center"
    cut, colon, size = text.rpartition(":")
    if colon and cut not in CUTS:
        raise _wrong("crop", {"crop": text}, "center:224, floor:224 or none", where)
    return read_size("crop", size, where), cut or "center"


def _number(key: str, text: str, where: str) -> float:
    above, slash, below = text.partition("/")
    try:
        value = float(above) / float(below if slash else 1)
    except (ValueError, ZeroDivisionError):
        value = float("nan")
    if not np.isfinite(value):
        raise _wrong(key, {key: text}, "a number", where)
    return value


def _three(key: str, text: str, where: str) -> tuple[float, ...]:
    values = [_number(key, part, where) for part in text.replace(",", " ").split()]
    if len(values) not in (1, 3):
        raise _wrong(key, {key: text}, "one number, or three: 0.5,0.5,0.5", where)
    return tuple(values * (3 // len(values)))


def _side(size: Size) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


def _plain(value: float) -> str:
    """A number so that it reads back equal: 1/255, 0.485, 1."""
    if value == int(value):
        return str(int(value))
    near = Fraction(value).limit_denominator(65_535)
    decimal = repr(value)
    exact = near.numerator == 1 and 1 / near.denominator == value
    return f"1/{near.denominator}" if exact and len(decimal) > 10 else decimal
