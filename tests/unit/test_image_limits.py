"""Files that ask for more time or memory than any image needs, and TIFFs of every kind."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from PIL import Image

from likelens import image_limits, images
from likelens.image_limits import (
    LARGE_PIXELS,
    MAX_HEADER_PARTS,
    MAX_PARTS,
    MAX_SCANS,
    MAX_SLOW_BYTES,
    lean_gif,
)
from likelens.images import open_image
from likelens.values.errors import BadImage

PHOTO = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def saved(kind, pixels=PHOTO, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def riff(*chunks):
    body = b"".join(
        kind + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for kind, b in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def directory(tags, order="<"):
    """A TIFF directory of (tag, type, count, value or offset)."""
    entries = b"".join(struct.pack(f"{order}HHII", *tag) for tag in tags)
    return struct.pack(f"{order}H", len(tags)) + entries + b"\0\0\0\0"


def tiff_of(**tags):
    names = {"width": 256, "height": 257, "bits": 258, "rows": 278, "tile_x": 322, "tile_y": 323}
    rows = [(names[name], 4, 1, value) for name, value in tags.items()]
    return b"II*\0" + struct.pack("<I", 8) + directory(sorted(rows)) + bytes(200_000)


def with_scans(extra):
    """A progressive JPEG whose last scan comes so often again: 14 bytes each."""
    data = saved("JPEG", progressive=True)
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[start:end] * extra + data[end:]


def in_several_scans(count):
    """A JPEG that is not progressive, one colour a scan, again and again."""
    frame = segment(0xC0, struct.pack(">BHHB", 8, 16, 16, 3) + b"\1\x11\0\2\x11\0\3\x11\0")
    return b"\xff\xd8" + frame + segment(0xDA, b"\1\1\0\0\x3f\0") * count + b"\xff\xd9"


def icon(png):
    return b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 9, 9, 0, 0, 1, 32, len(png), 22) + png


def png_head(width, height):
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    )


def jpeg2000(width, height, extra=b"", **options):
    """A JPEG 2000 of a small image that says that it is larger."""
    data = bytearray(saved("JPEG2000", **{"num_resolutions": 1} | options))
    start = data.index(b"\xff\x51")
    struct.pack_into(">II", data, start + 6, width, height)
    struct.pack_into(">II", data, start + 22, width, height)
    style = data.index(b"\xff\x52")
    return bytes(data[:style] + extra + data[style:])


HOSTILE = {
    "empty scans": (with_scans(MAX_SCANS), f"more than {MAX_SCANS} scans"),
    "scans of a large image": (
        with_scans(20).replace(struct.pack(">HH", 24, 32), struct.pack(">HH", 10_000, 10_000), 1)
        + bytes(100_000),
        "more than 25 scans, which are too many for 100,000,000 pixels",
    ),
    "scans of single colours": (in_several_scans(MAX_SCANS + 1), "scans"),
    "segments of a JPEG": (
        b"\xff\xd8" + segment(0xFE, b"") * (MAX_HEADER_PARTS + 2) + saved("JPEG")[2:],
        "too many parts before its pixels",
    ),
    "bytes between segments": (b"\xff\xd8\xff\xe0\0\2" + bytes(300_000) + saved("JPEG")[2:], "too many"),
    "chunks of a PNG": (
        png_head(9, 9) + chunk(b"IDAT", b"") * MAX_PARTS, f"more than {MAX_PARTS:,} chunks"
    ),
    "few bytes for many pixels": (
        png_head(9_000, 9_000) + chunk(b"IDAT", b""), "pixels for each byte"
    ),
    "a large animation": (
        riff((b"VP8X", bytes([2, 0, 0, 0]) + b"\xff\x1f\0" * 2), (b"ANIM", bytes(6)), (b"x", bytes(50_000))),
        "an animation of 8,192 x 8,192 pixels is larger",
    ),
    "a large WebP": (
        riff((b"VP8L", b"\x2f" + struct.pack("<I", 9_000 | 9_000 << 14))), "pixels for each byte"
    ),
    "a WebP of no size": (riff((b"ALPH", b"")), "damaged or cut short"),
    "tiles": (tiff_of(width=20, height=20, tile_x=2**20, tile_y=2**12), "tiles of 1,048,576 x 4,096"),
    "tiny tiles": (tiff_of(width=9_000, height=2_000, tile_x=1, tile_y=1), "strips or tiles"),
    "strips": (tiff_of(width=1, height=200_000, rows=1), "more than 100,000 strips"),
    "wide values": (tiff_of(width=9_999, height=9_999, bits=128), "have 1,599,680,016 bytes"),
    "tags larger than the file": (
        b"II*\0\x08\0\0\0" + directory([(n, 7, 50_000, 0) for n in range(300, 2_000)]) + bytes(90_000),
        "tags of the TIFF",
    ),
    "a cut TIFF": (b"II*\0\x08\0\0\0\xff\xff", "damaged or cut short"),
    "a packed bitmap": (
        b"BM" + struct.pack("<IIIIiiHHI", 99, 0, 54, 40, 1, MAX_SLOW_BYTES + 1, 1, 8, 1) + bytes(99),
        "run-length encoded BMP",
    ),
    "a packed bitmap without the head of a file": (
        struct.pack("<IiiHHI", 40, 1, MAX_SLOW_BYTES + 1, 1, 8, 1) + bytes(99),
        "run-length encoded BMP",
    ),
    "code blocks": (jpeg2000(5_000, 5_000, codeblock_size=(4, 4)), "has 4,687,500 code blocks"),
    "code blocks behind an unknown marker": (
        jpeg2000(5_000, 5_000, b"\xff\x30", codeblock_size=(4, 4), no_jp2=True), "code blocks"
    ),
    "precincts": (jpeg2000(5_000, 5_000, precinct_size=(4, 4)), "has 4,687,500 code blocks"),
    "plain numbers": (b"P3 3000 3000 255 " + b"0 " * 9_000, "PPM of this size"),
    "many plain zeros": (b"P2 1 1 255 " + b"0 " * (MAX_SLOW_BYTES // 2), "PPM of this size"),
    "values that are scaled": (b"P6 3000 3000 99 " + bytes(9_000_000), "PPM of this size"),
    "a long comment": (b"P6 #" + b"x" * 300_000 + b"\n1 1 255 xyz", "no size in the first"),
    "a large icon": (icon(png_head(5_000, 5_000) + chunk(b"IDAT", b"")), "icon has an image of 5,000"),
    "a long description": (
        saved("AVIF").replace(b"mdat", b"free") + struct.pack(">I4s", 300_000, b"meta") + bytes(300_000),
        "description of too many parts",
    ),
}  # fmt: skip


@contextmanager
def memory_below(limit):
    Image.init()
    tracemalloc.start()
    try:
        yield
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert used < limit


@pytest.mark.parametrize("name", HOSTILE)
def test_what_costs_too_much_is_refused_before_it_is_decoded(name, monkeypatch):
    def never(*_args, **_options):
        raise AssertionError("decoded")

    monkeypatch.setattr(images.simplejpeg, "decode_jpeg", never)
    monkeypatch.setattr(images, "_by_opencv", never)
    monkeypatch.setattr(Image.Image, "load", never)
    data, reason = HOSTILE[name]
    with memory_below(2 * len(data) + 1_000_000), pytest.raises(BadImage, match=reason) as told:
        open_image(data)
    assert told.value.hint


def exif_bomb(count=5_000, size=60_000):
    """An EXIF block whose tags all have the same bytes, and an orientation."""
    tags = [(0x0112, 3, 1, 6), *((n, 7, size, 8) for n in range(0x4000, 0x4000 + count))]
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory(tags)


def packed_text(kind, keyword=b"x"):
    method = b"\0\0\0\0" if kind == b"iTXt" else b"\0"
    method = b"\1\0\0\0" if kind == b"iTXt" else method
    return chunk(kind, keyword + b"\0" + method + zlib.compress(bytes(50_000_000)))


def in_png(*chunks):
    data = saved("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def in_gif(extension):
    data = saved("GIF")
    head = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:head] + extension + data[head:]


BLOCKS = (b"\xff" + b"c" * 255) * 4_000 + b"\0"

HARMLESS = {
    "bytes after the end": saved("JPEG", progressive=True) + b"\xff\xda\0\2" * 500,
    "a baseline JPEG with bytes after it": saved("JPEG") + b"\xff\xda\0\2" * 500,
    "markers in a thumbnail": b"\xff\xd8" + segment(0xE2, b"\xff\xda\0\2" * 500) + with_scans(0)[2:],
    "a packed text": in_png(packed_text(b"zTXt")),
    "a packed international text": in_png(packed_text(b"iTXt")),
    "a packed profile": in_png(packed_text(b"iCCP")),
    "many packed texts": in_png(*[packed_text(b"zTXt", b"%d" % n) for n in range(5)]),
    "a long comment": in_gif(b"!\xfe" + BLOCKS),
    "a long block of a program": in_gif(b"!\xff" + BLOCKS),
    "an EXIF block in a JPEG": b"\xff\xd8" + segment(0xE1, exif_bomb()) + saved("JPEG")[2:],
    "an EXIF block in a PNG": in_png(chunk(b"eXIf", exif_bomb()[6:])),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_has_no_part_in_the_pixels_costs_nothing(name):
    """The image opens, in little memory, though Pillow would unpack or copy all of it."""
    data = HARMLESS[name]
    expected = {b"\xff\xd8": "JPEG", b"\x89P": "PNG", b"GI": "GIF"}[data[:2]]
    options = {"progressive": True} if data.count(b"\xff\xc2") else {}
    with memory_below(3 * len(data) + 1_000_000):
        opened = open_image(data)
    plain = open_image(saved(expected, **options))
    np.testing.assert_array_equal(opened, np.rot90(plain, -1) if "EXIF" in name else plain)


def test_as_many_scans_as_are_allowed():
    own = saved("JPEG", progressive=True).count(b"\xff\xda")
    data = with_scans(MAX_SCANS - own)
    with Image.open(io.BytesIO(data)) as plain:
        np.testing.assert_array_equal(open_image(data), np.asarray(plain))


def test_comments_are_left_out_and_what_decides_pixels_stays():
    data = saved("GIF", transparency=3)
    assert lean_gif(data) == data
    commented = in_gif(b"!\xfe" + BLOCKS)
    assert lean_gif(commented) == saved("GIF")
    for cut in range(0, len(commented), 50_001):
        lean_gif(commented[:cut])


def test_a_jpeg_in_which_metadata_come_late_is_turned():
    data = saved("JPEG")
    thumbnail = segment(0xE0, b"JFXX\0\x10" + data)
    block = Image.Exif()
    block[0x0112] = 6
    turned = data[:2] + thumbnail + segment(0xE1, block.tobytes()) + data[2:]
    np.testing.assert_array_equal(open_image(turned), np.rot90(open_image(data), -1))


PEAK = """
import sys
import cv2
from likelens.images import open_image
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
before = peak()
shape = open_image(sys.argv[1]).shape
print(*shape, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG", "TIFF"])
def test_a_few_bytes_take_no_more_than_12_bytes_of_memory_for_each_pixel(tmp_path, kind):
    """24 million pixels of one colour; a WebP took 25 bytes for each, a PNG with alpha 18."""
    how = {"WEBP": {"lossless": True, "method": 0}, "JPEG": {"progressive": True}}
    how["TIFF"] = {"compression": "tiff_adobe_deflate"}
    mode = "RGB" if kind == "JPEG" else "RGBA"
    Image.new(mode, (6_000, 4_000)).save(tmp_path / "image", kind, **how.get(kind, {}))
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "image"], capture_output=True, text=True, check=True
    )
    *shape, used = map(int, ran.stdout.split())
    assert shape == [4_000, 6_000, 3]
    assert used < 12 * 24_000_000


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    """All threads are in the decoder together for small images, and none for large ones."""
    inside, most, lock, real = [0], [0], threading.Lock(), images.simplejpeg.decode_jpeg
    together = threading.Barrier(3, timeout=120)

    def counted(*given):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        if image_limits.LARGE_PIXELS == LARGE_PIXELS:
            together.wait()
        pixels = real(*given)
        with lock:
            inside[0] -= 1
        return pixels

    monkeypatch.setattr(images.simplejpeg, "decode_jpeg", counted)
    data = saved("JPEG")
    for limit, expected in ((LARGE_PIXELS, 3), (100, 1)):
        monkeypatch.setattr(image_limits, "LARGE_PIXELS", limit)
        most[0] = 0
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(open_image, [data] * 3))
        assert most[0] == expected


# --- what is no damage ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_too_little_memory_is_no_damage(kind, monkeypatch):
    def full(*_args, **_options):
        raise MemoryError

    data = saved(kind)
    for owner, name in (
        (images.simplejpeg, "decode_jpeg"), (images, "_by_opencv"), (Image.Image, "load"),
        (images, "rgb_of"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, full)
    with pytest.raises(BadImage, match="too little memory to decode the image") as told:
        open_image(data)
    assert "damaged" not in str(told.value)


LIMITED = """
import resource, sys
import cv2
from likelens.images import open_image
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 150_000_000
resource.setrlimit(resource.RLIMIT_AS, (size, size))
try:
    open_image(sys.argv[1])
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG", "TIFF"])
def test_a_machine_with_too_little_memory_says_so(tmp_path, kind):
    draw = np.random.default_rng(0).integers(0, 256, (500, 600, 1), np.uint8)
    pixels = np.kron(draw, np.ones((16, 16, 3), np.uint8))
    Image.fromarray(pixels).save(tmp_path / "image", kind)
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "image"], capture_output=True, text=True
    )
    assert "too little memory" in ran.stdout, ran


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (PermissionError(13, "Permission denied"), "permissions"),
        (OSError(24, "Too many open files"), "ulimit -n"),
        (OSError(5, "Input/output error"), "check the disk or the network share"),
    ],
)
def test_what_the_system_refuses_is_no_damage(tmp_path, monkeypatch, error, hint):
    def refuse(*_):
        raise error

    (tmp_path / "image.png").write_bytes(saved("PNG"))
    monkeypatch.setattr(images.os, "open", refuse)
    with pytest.raises(BadImage, match=f"cannot be read: {error.strerror}") as told:
        open_image(tmp_path / "image.png")
    assert hint in told.value.hint


# --- TIFF -------------------------------------------------------------------------


def tiff(values, order="<", **more):
    """A plain TIFF of (h, w, samples) values of any type."""
    height, width, samples = values.shape
    body = values.astype(values.dtype.newbyteorder(order)).tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits = values.dtype.itemsize * 8
    shorts = struct.pack(f"{order}{2 * samples}H", *[bits] * samples, *[kind] * samples)
    place = 8 + len(body)

    def several(value, offset):
        inline = {1: value << (16 if order == ">" else 0), 2: value << 16 | value}
        return inline.get(samples, offset)

    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (262, 4, 1, 2 if samples > 2 else 1),
        (258, 3, samples, several(bits, place)), (259, 4, 1, 1), (273, 4, 1, 8),
        (277, 4, 1, samples), (278, 4, 1, height), (279, 4, 1, len(body)),
        (339, 3, samples, several(kind, place + 2 * samples)),
        *((tag, 4, 1, value) for tag, value in more.get("tags", {}).items()),
    ]  # fmt: skip
    if samples == 4:
        tags.append((338, 4, 1, 2))
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", place + len(shorts))
    return start + body + shorts + directory(sorted(tags), order)


RAMP = np.linspace(0, 1, 20 * 30).reshape(20, 30, 1)
TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "f4", "f8"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("samples", [1, 3, 4])
@pytest.mark.parametrize("kind", TYPES)
def test_tiffs_of_every_type_are_read_by_one_rule(kind, samples, order):
    size = {"u1": 255, "i1": 127, "i2": 32_767, "f4": 1, "f8": 1}.get(kind, 65_535)
    values = np.repeat(RAMP * size, samples, axis=2).astype(kind)
    if samples == 4:
        values[:, :, 3] = (
            255 if kind == "u1" else 65_535 if kind in ("u2", "u4", "u8", "i4") else size
        )
    opened = open_image(tiff(values, order))
    assert opened.shape == (20, 30, 3)
    if kind[0] == "f":
        expected = np.rint(values * 255)
    else:
        expected = values if kind[1] == "1" else values >> 8
    if samples < 4 or kind in ("u1", "u2", "u4", "u8", "i4", "f4", "f8"):
        np.testing.assert_array_equal(opened, np.broadcast_to(expected[:, :, :1], opened.shape))


@pytest.mark.parametrize("kind", ["f4", "f8", "i4"])
@pytest.mark.parametrize("samples", [1, 3])
def test_values_out_of_range_are_stretched(kind, samples):
    values = np.repeat(RAMP * 4_000_000 - 1_000_000, samples, axis=2).astype(kind)
    if kind[0] == "f":
        values[0, 0] = np.nan
    opened = open_image(tiff(values))
    expected = np.rint((np.nan_to_num(values.astype(float)) + 1_000_000) * 255 / 4_000_000)
    assert np.abs(opened.astype(int) - expected)[1:].max() <= 1
    assert (opened.min(), opened.max()) == (0, 255)


def test_a_deep_tiff_is_turned():
    values = np.repeat(RAMP, 3, axis=2).astype("f4")
    upright = np.rint(values * 255)
    np.testing.assert_array_equal(open_image(tiff(values)), upright)
    turned = open_image(tiff(values, tags={0x0112: 6}))
    np.testing.assert_array_equal(turned, np.rot90(upright, -1))


@pytest.mark.parametrize(
    ("kind", "samples", "said"),
    [
        ("f2", 1, "1 sample of 16-bit floating-point numbers"),
        ("u2", 2, "2 samples of 16-bit unsigned integers"),
        ("i4", 5, "5 samples of 32-bit signed integers"),
    ],
)
def test_what_is_not_supported_is_said_and_not_called_damaged(kind, samples, said, capfd):
    values = np.repeat(RAMP, samples, axis=2).astype(kind)
    with pytest.raises(BadImage, match=f"TIFF images with {said} per pixel cannot be read") as told:
        open_image(tiff(values))
    assert "damaged" not in str(told.value)
    assert "8 or 16 bits" in told.value.hint
    assert capfd.readouterr() == ("", "")


def test_damage_says_nothing_beside_the_error(capfd):
    whole = [saved(kind) for kind in ("WEBP", "TIFF", "PNG", "JPEG")]
    for data in [*whole, tiff(RAMP.astype("f8")), saved("TIFF", compression="tiff_lzw")]:
        for end in (len(data) // 3, len(data) - 20):
            with suppress(BadImage):
                open_image(data[:end])
    assert capfd.readouterr() == ("", "")
