"""The one door for pictures: whatever comes in, upright RGB pixels come out.

The policy, for catalogue and query alike:

* The EXIF orientation is applied.
* Transparency is laid over white, so colours hidden under it do not count.
* 16-bit pictures keep their high byte; of an animation the first frame is taken.
* Colour profiles are not applied (neither do the libraries that trained the encoders).
* The numbers of bytes and pixels are bounded before anything is decoded.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from .values.arrays import Array
from .values.boxes import Box, Boxed, box_text
from .values.errors import BadImage
from .values.places import ENDINGS as ENDINGS

Picture: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8] | Boxed

MAX_PIXELS = 100_000_000
"""The largest picture that is decoded, in pixels."""

MAX_BYTES = 256 * 2**20
"""The largest file that is read, in bytes."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "DIB")
"""What is read, by Pillow's names; JPEG includes the several pictures of MPO."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Does not wait for somebody to write, should the path be a pipe."""

_READERS = re.compile(r"PIL\.\w+ImagePlugin")
_WHOLE = "give the whole picture, or leave it out"
_READABLE = f"give a picture in one of these formats: {', '.join(FORMATS)}"


def open_image(picture: Picture, *, where: str = "") -> npt.NDArray[np.uint8]:
    """Upright RGB pixels of a picture, whatever it comes as.

    A 16-bit picture keeps the high byte of each value. 32-bit whole numbers are taken
    as 16-bit ones if they fit, floating-point pixels as 0 to 1, else as 0 to 255, if they
    fit; whatever does not is stretched from its lowest to its highest value.

    Args:
        picture: a path, the bytes of a file, an opened PIL image (at the frame where it
            stands), a uint8 array: (h, w) grey, (h, w, 3) RGB or (h, w, 4) RGB and alpha;
            or a file and the box in it to look at, in pixels of the upright picture.
        where: what to call the picture in an error, if not by its path.

    Returns:
        (height, width, 3) uint8, contiguous. It may be the very array that was given, so
        do not write to it.

    Raises:
        BadImage: no such file, not a picture, damaged, beyond MAX_BYTES or MAX_PIXELS, or
            a box that lies outside of it.

    Example:
        >>> open_image(np.zeros((4, 6), np.uint8)).shape
        (4, 6, 3)
    """
    if isinstance(picture, np.ndarray):
        return _from_array(picture, where or f"an array of shape {picture.shape}")
    if isinstance(picture, Image.Image):
        name = getattr(picture, "filename", "") or "an opened picture"
        return _from_pillow(picture, where or str(name))
    if isinstance(picture, bytes):
        return _decode(picture, where or "the bytes of a picture")
    if isinstance(picture, str | os.PathLike):
        return _decode(read_bytes(picture), where or os.fspath(picture))
    if isinstance(picture, Boxed):
        return _inside(picture, where)
    raise BadImage(
        f"{type(picture).__name__} is no picture",
        where=where or repr(picture)[:80],
        hint="give a path, bytes, a PIL image, or a uint8 array (height, width, 3)",
    )


def _inside(picture: Boxed, where: str) -> npt.NDArray[np.uint8]:
    return inside_box(
        open_image(picture.path, where=where), picture.box, where or str(picture.path)
    )


def inside_box(pixels: npt.NDArray[np.uint8], box: Box, where: str) -> npt.NDArray[np.uint8]:
    """What a box of a picture shows, without what reaches over the edge.

    Args:
        pixels: (height, width, 3), upright.
        box: x, y, width and height in pixels.
        where: what to call the picture in an error.

    Raises:
        BadImage: the box lies outside of the picture.
    """
    x, y, width, height = box
    rows, columns = slice(max(y, 0), max(y + height, 0)), slice(max(x, 0), max(x + width, 0))
    part = pixels[rows, columns]
    if part.size == 0:
        raise BadImage(
            f"the box {box_text(box)} has no part of the picture, which has "
            f"{pixels.shape[1]} x {pixels.shape[0]} pixels",
            where=where,
            hint="give x,y,width,height in pixels of the upright picture",
        )
    return np.ascontiguousarray(part)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a picture's file, for hashing and for ``open_image``.

    Raises:
        BadImage: there is no such file, it is no file, or it is larger than MAX_BYTES.
    """
    where = os.fspath(path)
    try:
        opened = os.open(path, _READ)
        try:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no ordinary file"
                raise BadImage(f"this is {kind}, not a picture", where=where, hint=_READABLE)
            if about.st_size > MAX_BYTES:
                raise BadImage(
                    f"the file has {about.st_size:,} bytes, more than the {MAX_BYTES:,} allowed",
                    where=where,
                    hint="save the picture smaller, or raise likelens.images.MAX_BYTES",
                )
            with open(opened, "rb", buffering=0, closefd=False) as file:
                return file.read()
        finally:
            os.close(opened)
    except BadImage:
        raise
    except FileNotFoundError:
        raise BadImage("there is no such file", where=where, hint="correct the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise BadImage(
            f"the file cannot be read: {reason}", where=where, hint="check path and permissions"
        ) from error


def _decode(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    if not data:
        raise BadImage("the file is empty (0 bytes)", where=where, hint=_WHOLE)
    if len(data) > MAX_BYTES:
        raise BadImage(
            f"the picture has {len(data):,} bytes, more than the {MAX_BYTES:,} allowed",
            where=where,
            hint="save the picture smaller, or raise likelens.images.MAX_BYTES",
        )
    if data.startswith(b"\xff\xd8\xff"):
        pixels = _decode_jpeg(data, where)
        if pixels is not None:
            return pixels
    return _from_pillow(_open_with_pillow(data, where), where)


def _decode_jpeg(data: bytes, where: str) -> npt.NDArray[np.uint8] | None:
    """Pixels of a plain JPEG, by the fast way; None if Pillow should judge it."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    _check_pixels(width, height, where)
    if colours not in ("YCbCr", "RGB", "Gray"):
        return None
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError:
        return None
    if not _has_metadata(data):
        return pixels
    return _upright(pixels, _orientation(_open_with_pillow(data, where)))


def _has_metadata(data: bytes) -> bool:
    """Whether a JPEG has an APP1 segment, where Exif and XMP keep the orientation."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xE1:
            return True
        if marker == 0xDA:  # the scan: pixels from here on
            return False
        filler = marker == 0xFF
        place += 1 if filler else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _open_with_pillow(data: bytes, where: str) -> Image.Image:
    """The picture with its header read, but not decoded.

    Calls the reader of each format itself, as PIL.Image.open does, which would however
    warn of sizes by a limit of its own.
    """
    _silence_readers()
    Image.init()
    for name in FORMATS:
        if name not in Image.OPEN:
            continue
        reader, accepts = Image.OPEN[name]
        accepted = accepts(data[:16].ljust(16, b"\0")) if accepts else True
        if isinstance(accepted, str):
            raise BadImage(f"{name} cannot be read here: {accepted}", where=where, hint=_READABLE)
        if not accepted:
            continue
        try:
            return reader(io.BytesIO(data), "")
        except Exception as error:  # on damaged bytes readers raise anything
            raise _damaged(error, where) from error
    raise BadImage("the bytes are no picture that can be read", where=where, hint=_READABLE)


def _silence_readers() -> None:
    """Keep Pillow's readers from warning of odd metadata.

    A filter is added, once, instead of using warnings.catch_warnings, which is not safe
    in threads.
    """
    quiet = ("ignore", None, UserWarning, _READERS, 0)
    if quiet not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_READERS.pattern)


def _from_pillow(image: Image.Image, where: str) -> npt.NDArray[np.uint8]:
    _check_pixels(*image.size, where)
    _silence_readers()
    try:
        image.load()
        _check_pixels(*image.size, where)
        pixels = _rgb(image)
    except BadImage:
        raise
    except Exception as error:  # on damaged bytes readers raise anything
        raise _damaged(error, where) from error
    return _upright(pixels, _orientation(image))


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Pixels of a loaded picture of any mode, as it lies."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey(np.asarray(image), image.info.get("transparency"))
    if image.mode in ("La", "RGBa"):  # alpha multiplied in
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if "A" in image.getbands() or "transparency" in image.info:
        return _over_white(image.convert("RGBA"))
    return np.array(image.convert("RGB"), np.uint8)


def _deep_grey(values: Array, clear: object) -> npt.NDArray[np.uint8]:
    """Grey of more than 8 bits; the value ``clear`` stands for transparency."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    if values.dtype.kind != "f" and low >= 0 and high <= 65_535:
        grey = (values >> 8).astype(np.uint8)
    else:
        if values.dtype.kind == "f" and low >= 0 and high <= 255:
            low, high = 0, 1 if high <= 1 else 255
        span = max(float(high) - float(low), 1e-300)
        grey = np.rint((values - float(low)) * (255 / span)).astype(np.uint8)
    if isinstance(clear, int):
        grey[values == clear] = 255
    return _three(grey)


def _over_white(image: Image.Image) -> npt.NDArray[np.uint8]:
    canvas = Image.new("RGB", image.size, (255, 255, 255))
    canvas.paste(image, mask=image)
    return np.array(canvas, np.uint8)


def _three(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _from_array(pixels: Array, where: str) -> npt.NDArray[np.uint8]:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise BadImage(
            f"an array of type {pixels.dtype} and shape {pixels.shape} is no picture",
            where=where,
            hint="give uint8 of shape (height, width, 3), RGB; scale 0..1 by 255, channels last",
        )
    _check_pixels(pixels.shape[1], pixels.shape[0], where)
    if channels == 1:
        return _three(pixels.reshape(pixels.shape[:2]))
    if channels == 4:
        return _over_white(Image.fromarray(np.ascontiguousarray(pixels), "RGBA"))
    return np.ascontiguousarray(pixels)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8; a broken EXIF block counts as none."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - on damaged metadata Pillow raises anything
        return 1


def _upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    if orientation in (5, 6, 7, 8):  # stored with rows and columns exchanged
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _check_pixels(width: int, height: int, where: str) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage(
            f"{width:,} x {height:,} pixels are more than the {MAX_PIXELS:,} allowed",
            where=where,
            hint="save the picture smaller, or raise likelens.images.MAX_PIXELS",
        )
    if width * height < 1:
        raise BadImage("the picture has no pixels", where=where, hint=_WHOLE)


def _damaged(error: Exception, where: str) -> BadImage:
    reason = " ".join(str(error).split()) or type(error).__name__
    return BadImage(f"the picture is damaged or cut short: {reason}", where=where, hint=_WHOLE)
