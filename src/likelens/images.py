"""Reads images: from any supported input to upright RGB pixels.

The same rules apply to catalogues and queries:

* The EXIF orientation is applied.
* Transparent images are laid over white, so colours hidden under transparency do not count.
* 16-bit images keep their high byte; of an animation the first frame is taken.
* Colour profiles are not applied (nor do the libraries that trained the encoders).
* Time and memory are bounded before anything is decoded: the numbers of bytes and pixels here,
  what each format may ask for beyond them in ``image_limits``.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from . import image_limits
from .image_jpeg2000 import check_jpeg2000
from .image_pixels import deep_rgb, over_white, rgb_of, strips, three_channels, upright
from .values.arrays import Array
from .values.boxes import Box, Boxed, box_text
from .values.errors import BadImage, OutOfMemory
from .values.files import system_hint
from .values.places import ENDINGS as ENDINGS
from .values.remote import local_image

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
_WHOLE = "give the whole image, or leave it out"
_READABLE = f"give an image in one of these formats: {', '.join(FORMATS)}"
_one_large = threading.Lock()


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
        name = getattr(picture, "filename", "") or "an opened image"
        try:
            return _from_pillow(picture, where or str(name), _orientation)
        except MemoryError as error:
            raise _too_little_memory("to decode the image", where or str(name)) from error
    if isinstance(picture, bytes):
        return _decode(picture, where or "the bytes of an image")
    if isinstance(picture, str | os.PathLike):
        return _decode(read_bytes(picture), where or os.fspath(picture))
    if isinstance(picture, Boxed):
        return _inside(picture, where)
    raise BadImage(
        f"{type(picture).__name__} is not an image",
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
            f"the box {box_text(box)} has no part of the image, which has "
            f"{pixels.shape[1]} x {pixels.shape[0]} pixels",
            where=where,
            hint="give x,y,width,height in pixels of the upright image",
        )
    return np.ascontiguousarray(part)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of an image's file, or of an address, for hashing and for ``open_image``.

    Raises:
        BadImage: there is no such file, it is no file, it is larger than MAX_BYTES, or the
            address gives no image.
    """
    where = os.fspath(path)
    if isinstance(path, str):
        path = local_image(path)
    try:
        opened = os.open(path, _READ)
        try:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no ordinary file"
                raise BadImage(f"this is {kind}, not an image", where=where, hint=_READABLE)
            if about.st_size > MAX_BYTES:
                raise BadImage(
                    f"the file has {about.st_size:,} bytes, more than the {MAX_BYTES:,} allowed",
                    where=where,
                    hint="save the image smaller, or raise likelens.images.MAX_BYTES",
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
        hint = system_hint(error) if isinstance(error, OSError) else ""
        raise BadImage(
            f"the file cannot be read: {reason}",
            where=where,
            hint=hint or "check the path and the permissions",
        ) from error
    except MemoryError as error:
        raise _too_little_memory("to read the file", where) from error


def _decode(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    if not data:
        raise BadImage("the file is empty (0 bytes)", where=where, hint=_WHOLE)
    if len(data) > MAX_BYTES:
        raise BadImage(
            f"the image has {len(data):,} bytes, more than the {MAX_BYTES:,} allowed",
            where=where,
            hint="save the image smaller, or raise likelens.images.MAX_BYTES",
        )
    try:
        return _decode_any(data, where)
    except MemoryError as error:
        raise _too_little_memory("to decode the image", where) from error


def _decode_any(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    if data.startswith(b"\xff\xd8\xff"):
        metadata = image_limits.check_jpeg(data, where)
        pixels = _decode_jpeg(data, where)
        if pixels is not None:
            return upright(pixels, image_limits.orientation_of(*metadata))
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _decode_webp(data, where)
    elif data[:4] in _TIFF_STARTS:
        return _decode_tiff(data, where)
    image = _open_with_pillow(_bounded(data, where), where)
    _check_pixels(*image.size, where)
    image_limits.check_density(*image.size, len(data), where)
    return _from_pillow(image, where, _orientation_in)


_BMP_STARTS = (b"BM", *(struct.pack("<I", size) for size in (12, 40, 52, 56, 64, 108, 124)))
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")


def _bounded(data: bytes, where: str) -> bytes:
    """What to decode of a file of the other formats, without what could grow and is not needed."""
    if data.startswith(b"\x89PNG"):
        return image_limits.lean_png(data, where)
    if data.startswith(b"GIF8"):
        return image_limits.lean_gif(data)
    if data.startswith(_BMP_STARTS):
        image_limits.check_bmp(data, where)
    elif data[:1] == b"P" and data[1:2] in b"01234567fy":
        image_limits.check_ppm(data, where)
    elif data.startswith(b"\0\0\1\0"):
        image_limits.check_ico(data, where)
    elif data[4:8] == b"ftyp":
        image_limits.check_avif(data, where)
    elif data.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        check_jpeg2000(data, where)
    return data


def _in_turn(width: int, height: int) -> AbstractContextManager[object]:
    """Large images are decoded one at a time, which bounds the memory of many threads."""
    return _one_large if width * height > image_limits.LARGE_PIXELS else nullcontext()


def _decode_jpeg(data: bytes, where: str) -> npt.NDArray[np.uint8] | None:
    """Pixels of a plain JPEG, by the fast way; None if Pillow should judge it."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    _check_pixels(width, height, where)
    image_limits.check_density(width, height, len(data), where)
    if colours not in ("YCbCr", "RGB", "Gray"):
        return None
    try:
        with _in_turn(width, height):
            pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError as error:
        _refuse_too_little_memory(error, where)
        return None
    return pixels


def _decode_webp(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Pixels of a WebP; by OpenCV, for Pillow needs four times the memory."""
    head = image_limits.read_webp(data, where)
    _check_pixels(head.width, head.height, where)
    image_limits.check_density(head.width, head.height, len(data), where)
    if head.animated:
        return _from_pillow(_open_with_pillow(data, where), where, _orientation_in)
    with _in_turn(head.width, head.height):
        pixels = _by_opencv(data, where)
        if pixels is None:
            raise _damaged(ValueError("its pixels cannot be decoded"), where)
        if pixels.shape[2] == 4:
            pixels = over_white(pixels)
    return upright(pixels, image_limits.orientation_of(head.exif, head.xmp))


def _decode_tiff(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Pixels of a TIFF; by OpenCV where Pillow does not know how its values are stored."""
    tiff = image_limits.read_tiff(data, where)
    _check_pixels(tiff.width, tiff.height, where)
    image_limits.check_density(tiff.width, tiff.height, len(data), where)
    size_bytes = tiff.width * tiff.height * tiff.samples * tiff.bits // 8
    if size_bytes > 8 * MAX_PIXELS:
        raise image_limits.too_costly(
            f"{tiff.width:,} x {tiff.height:,} pixels with {tiff.text} have {size_bytes:,} bytes, "
            f"more than the {8 * MAX_PIXELS:,} allowed",
            where,
            "save the image smaller, or with 8 bits for each sample",
        )
    try:
        image = _open_with_pillow(data, where)
    except BadImage as error:
        if not isinstance(error.__cause__, SyntaxError):
            raise
        return _deep_tiff(data, tiff, where)
    return _from_pillow(image, where, _orientation)


def _deep_tiff(data: bytes, tiff: image_limits.Tiff, where: str) -> npt.NDArray[np.uint8]:
    """Pixels of a TIFF with values that Pillow has no mode for: 32 and 64 bits, say."""
    sizes = (32, 64) if tiff.floating else (8, 16, 32, 64)
    known = tiff.samples in (1, 3, 4) and tiff.interleaved and tiff.bits in sizes
    with _in_turn(tiff.width, tiff.height):
        values = _by_opencv(data, where) if known else None
        if values is None or values.shape[2] != tiff.samples:
            raise BadImage(
                f"TIFF images with {tiff.text} cannot be read",
                where=where,
                hint="save it as grey or RGB, with unsigned integers of 8 or 16 bits",
            )
        colours = deep_rgb(values[:, :, :3])
        if tiff.samples == 4:
            alpha = deep_rgb(values[:, :, 3:])[:, :, :1]
            colours = over_white(np.concatenate([colours, alpha], axis=2))
    return colours  # upright: OpenCV has turned them


def _by_opencv(data: bytes, where: str) -> Array | None:
    """Values (h, w, channels) in the order red, green, blue, alpha; None if it cannot."""
    import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        _refuse_too_little_memory(error, where)
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if values is None:
        return None
    if values.ndim == 2:
        return values[:, :, None]
    for rows in strips(*values.shape[:2]):  # the colours of OpenCV come in the other order
        values[rows, :, :3] = values[rows, :, 2::-1].copy()
    return np.asarray(values)


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
        except MemoryError:
            raise
        except Exception as error:  # on damaged bytes readers raise anything
            raise _damaged(error, where) from error
    raise BadImage("the bytes are no image that can be read", where=where, hint=_READABLE)


def _silence_readers() -> None:
    """Keep Pillow's readers from warning of odd metadata.

    A filter is added, once, instead of using warnings.catch_warnings, which is not safe
    in threads.
    """
    quiet = ("ignore", None, UserWarning, _READERS, 0)
    if quiet not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_READERS.pattern)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is the limit


def _from_pillow(
    image: Image.Image, where: str, orientation: Callable[[Image.Image], int]
) -> npt.NDArray[np.uint8]:
    _check_pixels(*image.size, where)
    _silence_readers()
    with _in_turn(*image.size):
        try:
            image.load()
            _check_pixels(*image.size, where)
            pixels = rgb_of(image)
        except (BadImage, MemoryError):
            raise
        except Exception as error:  # on damaged bytes readers raise anything
            raise _damaged(error, where) from error
    return upright(pixels, orientation(image))


def _from_array(pixels: Array, where: str) -> npt.NDArray[np.uint8]:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise BadImage(
            f"an array of type {pixels.dtype} and shape {pixels.shape} is not an image",
            where=where,
            hint="give uint8 of shape (height, width, 3), RGB; scale 0..1 by 255, channels last",
        )
    _check_pixels(pixels.shape[1], pixels.shape[0], where)
    if channels == 1:
        return three_channels(pixels.reshape(pixels.shape[:2]))
    if channels == 4:
        return over_white(pixels)
    return np.ascontiguousarray(pixels)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8; a broken EXIF block counts as none."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - on damaged metadata Pillow raises anything
        return 1


def _orientation_in(image: Image.Image) -> int:
    """The same of an image that was opened from bytes, without reading all of its metadata."""
    info: Mapping[Any, Any] = image.info
    exif, xmp = info.get("exif", b""), info.get("XML:com.adobe.xmp") or info.get("xmp", b"")
    packed = info.get("Raw profile type exif", "")
    if packed and not exif:
        digits = "".join(str(packed).split("\n")[3:])
        exif = bytes.fromhex(digits) if re.fullmatch(r"(?:[0-9a-fA-F]{2})*", digits) else b""
    return image_limits.orientation_of(exif, xmp.encode() if isinstance(xmp, str) else xmp)


def _check_pixels(width: int, height: int, where: str) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage(
            f"{width:,} x {height:,} pixels are more than the {MAX_PIXELS:,} allowed",
            where=where,
            hint="save the image smaller, or raise likelens.images.MAX_PIXELS",
        )
    if width * height < 1:
        raise BadImage("the image has no pixels", where=where, hint=_WHOLE)


def _damaged(error: Exception, where: str) -> BadImage:
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        return image_limits.too_costly(reason, where)
    return BadImage(f"the image is damaged or cut short: {reason}", where=where, hint=_WHOLE)


_NO_MEMORY = re.compile(
    r"insufficient memory|out of memory|cannot allocate|failed to allocate", re.IGNORECASE
)


def _refuse_too_little_memory(error: Exception, where: str) -> None:
    """Raise if a library says so in words."""
    if _NO_MEMORY.search(str(error)):
        raise _too_little_memory("to decode the image", where) from error


def _too_little_memory(what: str, where: str) -> OutOfMemory:
    return OutOfMemory(
        f"there is too little memory {what}",
        where=where,
        hint="close other programs, use fewer threads, or save the image smaller",
    )
