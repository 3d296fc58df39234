"""What a file may ask of its decoder, read from its bytes before anything is decoded.

The number of pixels alone does not bound the work: a JPEG may have thousands of empty scans, a
PNG or a GIF megabytes of packed comments, a TIFF tiles of gigabytes. Each function here knows
one format. What has no effect on the pixels is left out, and what costs too much is refused.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .values.errors import BadImage

LARGE_PIXELS = 25_000_000
"""Above this, images are decoded one at a time, and must be plausible for their bytes."""

PIXELS_PER_BYTE = 2_000
"""The most pixels for each byte of a large image; those of photos have less than 100."""

MAX_SCANS = 100
"""Of one JPEG; progressive photos have about 10."""

MAX_PARTS = 100_000
"""Chunks, strips or tiles of one file."""

MAX_HEADER_PARTS = 4_096
"""Segments or boxes before the pixels."""

MAX_METADATA_BYTES = 2**18
"""Of a comment, of a block of metadata that is kept, and of the description of an AVIF file."""

MAX_SLOW_BYTES = 2**24
"""Of a file or an image of a kind that Pillow decodes in Python."""

ORIENTATION = 0x0112
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_SCAN = re.compile(rb"\xff\xda")
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_SMALLER = "save the image again, as JPEG or PNG with its usual settings"


def too_costly(what: str, where: str, hint: str = _SMALLER) -> BadImage:
    """The error for a file that would take too much time or memory."""
    return BadImage(what, where=where, hint=hint)


def damaged(what: str, where: str) -> BadImage:
    """The error for a file whose head makes no sense."""
    return BadImage(
        f"the image is damaged or cut short: {what}",
        where=where,
        hint="give the whole image, or leave it out",
    )


def check_density(width: int, height: int, size_bytes: int, where: str) -> None:
    """Refuse a large image of very few bytes: it costs far more to decode than to send."""
    pixels = width * height
    if pixels > LARGE_PIXELS and pixels > PIXELS_PER_BYTE * size_bytes:
        raise too_costly(
            f"{width:,} x {height:,} pixels in {size_bytes:,} bytes are more than "
            f"the {PIXELS_PER_BYTE:,} pixels for each byte that a large image may have",
            where,
            "save the image smaller, or leave it out",
        )


# --- JPEG -------------------------------------------------------------------------


class JpegMetadata(NamedTuple):
    """The blocks of a JPEG in which an orientation may be."""

    exif: bytes = b""
    xmp: bytes = b""


def check_jpeg(data: bytes, where: str) -> JpegMetadata:
    """The metadata of a JPEG that is cheap to decode.

    Raises:
        BadImage: it has too many scans, or too many segments before the first.
    """
    exif = xmp = b""
    colours, pixels, progressive, skipped, last = 0, 1, False, 0, 2
    for count, (marker, start, end) in enumerate(_segments(data)):
        skipped, last = skipped + start - 4 - last, end
        if count > MAX_HEADER_PARTS or skipped > MAX_METADATA_BYTES:
            raise too_costly("the JPEG has too many parts before its pixels", where)
        if marker == 0xDA:
            if progressive or data[start : start + 1] != bytes([colours]):
                _check_scans(data, pixels, where)
            break
        if marker == 0xE1:
            if data.startswith(b"Exif\0\0", start):
                exif = exif or data[start + 6 : end]
            elif data.startswith(b"http://ns.adobe.com/xap/1.0/\0", start):
                xmp = data[start + 29 : end]
        elif marker in _FRAMES and start + 6 <= len(data):
            high, wide, colours = struct.unpack_from(">HHB", data, start + 1)
            pixels, progressive = max(high * wide, 1), marker in _PROGRESSIVE
    return JpegMetadata(exif, xmp)


def _check_scans(data: bytes, pixels: int, where: str) -> None:
    """Refuse more than MAX_SCANS, of a large image in proportion fewer.

    A JPEG that is not progressive and whose first scan has all colours ends with that scan.
    """
    limit = min(MAX_SCANS, MAX_SCANS * LARGE_PIXELS // pixels)
    if len(_SCAN.findall(data)) <= limit:  # also counts those in thumbnails, and after the end
        return
    scans = 0
    for marker, _, _ in _segments(data):
        scans += marker == 0xDA
        if scans > limit:
            size = f", which are too many for {pixels:,} pixels" if limit < MAX_SCANS else ""
            raise too_costly(f"the JPEG has more than {limit} scans{size}", where)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, up to the end of the image, as libjpeg finds them."""
    place = 2
    while place + 4 <= len(data):
        marker = data[place + 1]
        if data[place] != 0xFF:
            place = data.find(b"\xff", place)
            if place < 0:
                return
        elif 0xC0 <= marker < 0xD0 or 0xD9 < marker < 0xFF:
            end = place + 2 + max(data[place + 2] << 8 | data[place + 3], 2)
            yield marker, place + 4, end
            place = end
        elif marker == 0xD9:
            return
        else:
            place += 1 if marker == 0xFF else 2


# --- PNG and GIF ------------------------------------------------------------------

_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_WITH_ORIENTATION = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0")


def lean_png(data: bytes, where: str) -> bytes:
    """A PNG without texts and colour profiles, which may be packed and grow without a bound.

    Raises:
        BadImage: it has too many chunks.
    """
    kept, copied, place = [], 0, 8
    for _ in range(MAX_PARTS):
        if place + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        start = place + 8
        keep = length <= MAX_METADATA_BYTES and data.startswith(_WITH_ORIENTATION, start)
        if kind in _TEXTS and not keep:
            kept.append(data[copied:place])
            copied = end
        place = end
        if kind == b"IEND":
            break
    else:
        raise too_costly(f"the PNG has more than {MAX_PARTS:,} chunks", where)
    return b"".join([*kept, data[copied:]]) if kept else data


def lean_gif(data: bytes) -> bytes:
    """A GIF without the comments before its first frame, which Pillow joins one by one."""
    if len(data) < 13:
        return data
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    kept, copied = [], 0
    while data[place : place + 1] == b"!":
        start, label = place, data[place + 1 : place + 2]
        place += 2
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
        if label != b"\xf9" and (label != b"\xff" or place - start > MAX_METADATA_BYTES // 4):
            kept.append(data[copied:start])
            copied = place
    return b"".join([*kept, data[copied:]]) if kept else data


# --- WebP, AVIF, ICO ----------------------------------------------------------------


@dataclass(frozen=True)
class Webp:
    """What the head of a WebP file says."""

    width: int
    height: int
    animated: bool
    exif: bytes
    xmp: bytes


def read_webp(data: bytes, where: str) -> Webp:
    """Size and metadata of a WebP.

    Raises:
        BadImage: it is damaged, or an animation with too large a canvas.
    """
    size, animated, exif, xmp = None, False, b"", b""
    place = 12
    for _ in range(MAX_HEADER_PARTS):
        if place + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, place)
        start = place + 8
        if kind == b"VP8X" and place == 12 and start + 10 <= len(data):
            animated = bool(data[start] & 2)
            size = (_u24(data, start + 4) + 1, _u24(data, start + 7) + 1)
        elif kind == b"VP8 " and size is None and start + 10 <= len(data):
            wide, high = struct.unpack_from("<HH", data, start + 6)
            size = wide & 0x3FFF, high & 0x3FFF
        elif kind == b"VP8L" and size is None and start + 5 <= len(data):
            (both,) = struct.unpack_from("<I", data, start + 1)
            size = (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            exif = data[start : start + length]
        elif kind == b"XMP ":
            xmp = data[start : start + min(length, MAX_METADATA_BYTES)]
        place = start + length + length % 2
    if size is None:
        raise damaged("the WebP says no size", where)
    if animated and size[0] * size[1] > LARGE_PIXELS:
        raise too_costly(
            f"an animation of {size[0]:,} x {size[1]:,} pixels is larger than "
            f"the {LARGE_PIXELS:,} pixels allowed",
            where,
            "save its first frame as an image",
        )
    return Webp(*size, animated, exif, xmp)


def _u24(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 3], "little")


def check_avif(data: bytes, where: str) -> None:
    """Refuse an AVIF whose description is as long as that of thousands of images."""
    place = 0
    for _ in range(MAX_HEADER_PARTS):
        if place + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, place)
        if length == 1 and place + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, place + 8)
        limit = {b"meta": 1, b"moov": 16}.get(kind)
        if limit and (length or len(data) - place) > limit * MAX_METADATA_BYTES:
            raise too_costly("the AVIF has a description of too many parts", where)
        if length < 8:  # to the end
            return
        place += length
    raise too_costly("the AVIF has too many parts", where)


def check_ico(data: bytes, where: str) -> None:
    """Refuse an icon with an image that is larger than icons are."""
    count = int.from_bytes(data[4:6], "little")
    if count > MAX_HEADER_PARTS:
        raise too_costly(f"the icon has {count:,} images", where)
    for entry in range(count):
        offset = int.from_bytes(data[18 + 16 * entry : 22 + 16 * entry], "little")
        if data.startswith(b"\x89PNG", offset):
            size = struct.unpack_from(">II", data.ljust(offset + 24, b"\0"), offset + 16)
            lean_png(data[offset:], where)
        else:
            size = struct.unpack_from("<II", data.ljust(offset + 12, b"\0"), offset + 4)
        if size[0] * size[1] > MAX_SLOW_BYTES:
            raise too_costly(f"the icon has an image of {size[0]:,} x {size[1]:,} pixels", where)


# --- BMP and PPM: partly decoded in Python ----------------------------------------


def check_bmp(data: bytes, where: str) -> None:
    """Refuse a large bitmap that is run-length encoded, with the head of a file or without."""
    start = 14 if data.startswith(b"BM") else 0
    if len(data) < start + 20 or int.from_bytes(data[start : start + 4], "little") < 40:
        return
    width, height = struct.unpack_from("<ii", data, start + 4)
    packed = int.from_bytes(data[start + 16 : start + 20], "little") in (1, 2)
    if packed and max(abs(width * height), len(data)) > MAX_SLOW_BYTES:
        raise too_costly("a run-length encoded BMP of this size takes too long to decode", where)


_PPM_HEAD = re.compile(rb"P[1-7fy]\w*(?:\s+|#[^\r\n]*)*(?:(\d+)(?:\s+|#[^\r\n]*)+)?"
    rb"(?:(\d+)(?:\s+|#[^\r\n]*)+)?(\d+)?")  # fmt: skip


def check_ppm(data: bytes, where: str) -> None:
    """Refuse what takes too long: large files of plain numbers, or with other than 256 values."""
    kind, head = data[:2], data[:MAX_METADATA_BYTES]
    found = _PPM_HEAD.match(head)
    if found is None or found[2] is None:
        raise damaged(f"no size in the first {len(head):,} bytes", where)
    width, height, most = int(found[1][:9]), int(found[2][:9]), (found[3] or b"255")[:9]
    usual = kind in (b"P4", b"Pf") or int(most) in ((255, 65_535) if kind == b"P5" else (255,))
    samples = width * height * (3 if kind in (b"P3", b"P6") else 1)
    if kind in (b"P1", b"P2", b"P3"):
        usual, samples = False, max(samples, len(data))
    if not usual and samples > MAX_SLOW_BYTES:
        raise too_costly("a PPM of this size and kind takes too long to decode", where)


# --- TIFF, and the EXIF blocks of all formats ----------------------------------------


class Directory(NamedTuple):
    """The first directory of a TIFF: numbers by tag, and how many bytes its values may take."""

    tags: dict[int, tuple[int, ...]]
    size_bytes: int

    def get(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return (self.tags.get(tag) or (default,))[0]


_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}


def read_directory(data: bytes) -> Directory:
    """The whole numbers in the first directory of a TIFF, of tags that have up to 16 of them.

    Raises:
        struct.error: it is cut short.
    """
    order = ">" if data[:2] == b"MM" else "<"
    big = data[2:4] in (b"+\0", b"\0+")
    word, room = ("Q", 8) if big else ("I", 4)
    (start,) = struct.unpack_from(order + word, data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    place, tags, total = start + (8 if big else 2), {}, 0
    for _ in range(min(count, 2**16)):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", data, place)
        size = _SIZES.get(kind, 1) * number
        total += size if kind in (1, 2, 6, 7) else 16 * size  # numbers grow when they are read
        if number <= 16 and kind in _LETTERS:
            values = place + 4 + room
            if size > room:
                (values,) = struct.unpack_from(order + word, data, values)
            if values + size <= len(data):
                tags[tag] = struct.unpack_from(f"{order}{number}{_LETTERS[kind]}", data, values)
        place += 4 + 2 * room
    return Directory(tags, total)


def orientation_of(exif: bytes, xmp: bytes) -> int:
    """The orientation that metadata give, 1 (upright) to 8; broken metadata count as none."""
    if not exif and not xmp:
        return 1
    try:
        found = read_directory(exif.removeprefix(b"Exif\0\0")).get(ORIENTATION, 0)
    except struct.error:
        found = 0
    if not found and (written := _XMP_ORIENTATION.search(xmp)):
        found = int(written[1])
    return found or 1


class Tiff(NamedTuple):
    """How the first image of a TIFF is stored."""

    width: int
    height: int
    bits: int
    samples: int
    format: int
    interleaved: bool

    @property
    def floating(self) -> bool:
        """Whether its values are floating-point numbers."""
        return self.format == 3

    @property
    def text(self) -> str:
        """How its pixels are stored, for a message."""
        several = f"{self.samples} samples" if self.samples > 1 else "1 sample"
        kind = _KINDS.get(self.format, "values of an unknown kind")
        return f"{several} of {self.bits}-bit {kind} per pixel"


_KINDS = {1: "unsigned integers", 2: "signed integers", 3: "floating-point numbers"}


def read_tiff(data: bytes, where: str) -> Tiff:
    """How a TIFF is stored.

    Raises:
        BadImage: it is damaged, its values need more memory than 8 bytes for each pixel of
            the largest image, or its strips, tiles or tags are out of all proportion.
    """
    try:
        found = read_directory(data)
    except struct.error as error:
        raise damaged(f"the directory of the TIFF: {error}", where) from error
    if found.size_bytes > 2 * len(data) + 2**24:
        raise too_costly("the tags of the TIFF say that they are larger than the file", where)
    width, height = found.get(256, 0), found.get(257, 0)
    bits, samples = max(found.tags.get(258) or (1,)), found.get(277, 1)
    tile = found.get(322, 0), found.get(323, 0)
    if tile[0] and tile[1]:
        parts = -(-width // tile[0]) * -(-height // tile[1])
        if tile[0] * tile[1] > max(2**24, 2 * width * height):
            raise too_costly(f"the TIFF has tiles of {tile[0]:,} x {tile[1]:,} pixels", where)
    else:
        parts = -(-height // max(found.get(278, height), 1))
    if parts * (samples if found.get(284, 1) == 2 else 1) > MAX_PARTS:
        raise too_costly(f"the TIFF has more than {MAX_PARTS:,} strips or tiles", where)
    interleaved = found.get(284, 1) == 1
    return Tiff(width, height, bits, samples, found.get(339, 1), interleaved)
