"""Bounds what a JPEG 2000 file may ask of its decoder, as ``image_limits`` does for others."""

from __future__ import annotations

import struct

from .image_limits import MAX_PARTS, damaged, too_costly

MAX_BLOCKS = 500_000
"""Code blocks of one JPEG 2000 image; each takes 400 bytes of memory, whatever its size."""

_SEGMENTS = frozenset(0xFF00 | low for low in b"PQRSUWXY\\]^_`acdtuwx\x90\x91")
"""Markers of a JPEG 2000 that a segment follows."""


def check_jpeg2000(data: bytes, where: str) -> None:
    """Refuse a JPEG 2000 that is cut into a great many small code blocks.

    Raises:
        BadImage: it is, it has too many parts, or it is damaged.
    """
    place = _codestream(data)
    if len(data) < place + 42 or data[place : place + 4] != b"\xff\x4f\xff\x51":
        raise damaged("the JPEG 2000 image says no size", where)
    right, low, left, top = struct.unpack_from(">IIII", data, place + 8)
    (colours,) = struct.unpack_from(">H", data, place + 40)
    samples = (right - left) * (low - top) * colours
    place += 2
    for _ in range(MAX_PARTS):
        if place + 16 > len(data):
            return
        marker, length = struct.unpack_from(">HH", data, place)
        if marker == 0xFF90:  # a part of a tile; its header goes on with the next segment
            (part,) = struct.unpack_from(">I", data, place + 6)
            end = place + part if part else len(data)
        elif marker in (0xFF52, 0xFF53):
            blocks = samples // _block_area(data[place + 4 : place + 2 + length], marker, colours)
            if blocks > MAX_BLOCKS:
                raise too_costly(f"the JPEG 2000 image has {blocks:,} code blocks", where)
        elif marker == 0xFF93:  # the pixels of a tile
            place, length = end, -2
        elif marker == 0xFFD9:
            return
        elif marker not in _SEGMENTS:  # OpenJPEG takes it for a marker without a segment
            length = 0
        place += 2 + length
    raise too_costly("the JPEG 2000 image has too many parts", where)


def _codestream(data: bytes) -> int:
    """Where the codestream of a JPEG 2000 begins: at once, or in a box."""
    place = 0
    while data[:2] != b"\xff\x4f" and place + 16 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 16 if length == 1 else 8
        if kind == b"jp2c":
            return place + head
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
        if length < head:
            break
        place += length
    return 0


def _block_area(style: bytes, marker: int, colours: int) -> int:
    """Pixels of the smallest code block that a COD (0xFF52) or COC segment allows."""
    skipped = 5 if marker == 0xFF52 else (2 if colours > 256 else 1) + 1
    flags = style[:1] if marker == 0xFF52 else style[skipped - 1 : skipped]
    wide, high = ((size & 15) + 2 for size in style[skipped + 1 : skipped + 3].ljust(2, b"\0"))
    if flags and flags[0] & 1:
        for resolution, size in enumerate(style[skipped + 5 :]):
            half = 1 if resolution else 0
            wide = min(wide, max((size & 15) - half, 0))
            high = min(high, max((size >> 4) - half, 0))
    return 1 << wide + high
