import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from likelens import images
from likelens.images import FORMATS, open_image, read_bytes
from likelens.values.errors import BadImage


def photo(height=37, width=53, seed=0):
    """A smooth picture whose corners all differ, so that a wrong turn shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [rows * 255 / height, columns * 255 / width, (rows * 3 + columns * 2 + 40 * seed) % 200]
    return np.stack(waves, axis=2).astype(np.uint8)


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


# --- orientation ------------------------------------------------------------------

TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_whatever_the_picture_comes_as(tmp_path, kind, orientation):
    upright = photo()
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = Image.fromarray(np.ascontiguousarray(TURNS[inverse](upright)))
    data = saved(stored, kind, exif=exif(orientation), lossless=True, quality=95)
    path = tmp_path / "picture"
    path.write_bytes(data)
    opened = open_image(path)
    assert opened.shape == upright.shape
    assert np.abs(opened.astype(int) - upright).mean() <= (8 if kind == "JPEG" else 0)
    again = [open_image(data), open_image(str(path))]
    with Image.open(path) as lazy, Image.open(path) as loaded:
        again.append(open_image(lazy))
        loaded.load()
        again.append(open_image(loaded))
        again.append(np.asarray(ImageOps.exif_transpose(loaded)))
    for other in again:
        np.testing.assert_array_equal(opened, other)


def test_orientation_in_xmp_counts_as_pillow_reads_it():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    data = saved(Image.fromarray(photo()), "JPEG", xmp=xmp)
    with Image.open(io.BytesIO(data)) as plain:
        expected = np.asarray(ImageOps.exif_transpose(plain))
        heard = plain.getexif().get(0x0112) == 6  # newer releases of Pillow hear it
    np.testing.assert_array_equal(open_image(data), expected)
    assert (expected.shape == (53, 37, 3)) == heard


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_means_nothing_is_none(orientation):
    data = saved(Image.fromarray(photo()), "JPEG", exif=exif(orientation))
    assert open_image(data).shape == (37, 53, 3)


def test_a_broken_exif_block_does_not_cost_the_picture():
    data = saved(Image.fromarray(photo()), "JPEG", exif=exif(6))
    start = data.index(b"Exif\0\0") + 6
    broken = data[:start] + b"\xff" * 8 + data[start + 8 :]
    assert open_image(broken).shape == (37, 53, 3)


# --- modes ------------------------------------------------------------------------


def test_a_jpeg_has_the_pixels_that_pillow_gives():
    for picture in (photo(), photo(64, 64, 3)[:, :, :1].repeat(3, axis=2)):
        for options in ({"subsampling": 0}, {"subsampling": 2}, {"progressive": True}):
            data = saved(Image.fromarray(picture), "JPEG", quality=80, **options)
            expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            np.testing.assert_array_equal(open_image(data), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_gives_three_equal_channels(kind):
    data = saved(Image.fromarray(photo()).convert("L"), kind)
    opened = open_image(data)
    np.testing.assert_array_equal(opened[:, :, 0], np.asarray(Image.open(io.BytesIO(data))))
    assert (opened == opened[:, :, :1]).all()


def test_one_bit_is_black_and_white():
    bits = Image.fromarray(photo()).convert("1")
    np.testing.assert_array_equal(np.unique(open_image(saved(bits))), [0, 255])


def test_a_palette_gives_its_colours():
    picture = Image.fromarray(photo()).quantize(16)
    np.testing.assert_array_equal(open_image(saved(picture)), np.asarray(picture.convert("RGB")))


def test_a_palette_with_transparency_matches_its_rgba_version():
    picture = Image.fromarray(photo()).quantize(8)
    for alpha in (bytes([0, 128, 255, 255, 40, 0, 255, 255]), 3):
        data = saved(picture, transparency=alpha)
        rgba = Image.open(io.BytesIO(data)).convert("RGBA")
        np.testing.assert_array_equal(open_image(data), open_image(saved(rgba)))
        assert (open_image(data) != np.asarray(picture.convert("RGB"))).any()


def test_alpha_is_laid_over_white():
    rgba = np.dstack([photo(), np.linspace(0, 255, 37 * 53).reshape(37, 53).astype(np.uint8)])
    share = rgba[:, :, 3:] / 255
    expected = rgba[:, :, :3] * share + 255 * (1 - share)
    for picture in (rgba, saved(Image.fromarray(rgba)), Image.fromarray(rgba)):
        assert np.abs(open_image(picture) - expected).max() <= 0.51


def test_colours_hidden_under_transparency_do_not_count():
    black, magenta = np.zeros((2, 9, 9, 4), np.uint8)
    magenta[:, :, :3] = (255, 0, 255)
    black[4, 4], magenta[4, 4] = (10, 200, 30, 255), (10, 200, 30, 255)
    first, second = (open_image(saved(Image.fromarray(each))) for each in (black, magenta))
    np.testing.assert_array_equal(first, second)
    assert tuple(first[0, 0]) == (255, 255, 255)


def test_grey_with_alpha_and_transparent_colours():
    grey = Image.fromarray(photo()[:, :, 0])
    half = Image.merge("LA", (grey, Image.new("L", grey.size, 127)))
    expected = np.asarray(grey, float) * 127 / 255 + 128
    assert np.abs(open_image(saved(half))[:, :, 1] - expected).max() <= 0.51
    flat = Image.new("RGB", (6, 6), (1, 2, 3))
    flat.putpixel((2, 2), (9, 9, 9))
    clear = open_image(saved(flat, transparency=(1, 2, 3)))
    assert tuple(clear[0, 0]) == (255, 255, 255)
    assert tuple(clear[2, 2]) == (9, 9, 9)
    clear = open_image(saved(flat.convert("L"), transparency=9))
    assert clear[2, 2, 0] == 255
    assert clear[0, 0, 0] < 10


@pytest.mark.parametrize("premultiplied", ["La", "RGBa"])
def test_alpha_that_is_multiplied_in(premultiplied):
    mode = {"La": "LA", "RGBa": "RGBA"}[premultiplied]
    picture = Image.fromarray(np.dstack([photo(), np.full((37, 53), 200, np.uint8)])).convert(mode)
    difference = open_image(picture.convert(premultiplied)).astype(int) - open_image(picture)
    assert np.abs(difference).max() <= 2


def ramp():
    return np.arange(0, 65536, 64, dtype=np.uint16).reshape(16, 64)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_16_bit_grey_ramp_keeps_its_levels(mode, kind):
    picture = Image.fromarray(ramp().astype(">u2" if mode == "I;16B" else "<u2"))
    for form in (picture, saved(picture, kind), picture.convert("I")):
        opened = open_image(form)
        assert len(np.unique(opened)) > 200
        np.testing.assert_array_equal(opened[:, :, 2], ramp() >> 8)


def test_16_bits_a_channel_keep_the_high_byte():
    rows = ramp()[:, :, None].repeat(3, axis=2)
    assert len(np.unique(open_image(png16(rows, colour_type=2)))) > 200
    rgba = np.concatenate([rows, np.full((16, 64, 1), 65535)], axis=2)
    assert len(np.unique(open_image(png16(rgba, colour_type=6)))) > 200


def test_a_16_bit_grey_that_is_declared_transparent_is_white():
    clear = int(ramp()[3, 5])
    opened = open_image(png16(ramp()[:, :, None], 0, clear=struct.pack(">H", clear)))
    assert opened[3, 5, 0] == 255
    assert opened[3, 4, 0] == ramp()[3, 4] >> 8


def png16(values, colour_type, clear=b""):
    """A PNG of 16 bits a channel, which Pillow cannot write in colour."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tRNS", clear), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, data) for name, data in parts if data or name == b"IEND"
    )


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_floating_point_and_32_bit_pixels():
    unit = Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))
    np.testing.assert_array_equal(open_image(unit)[:, :, 0].ravel(), range(256))
    bytes_ = Image.fromarray(np.arange(256, dtype=np.float32).reshape(16, 16))
    np.testing.assert_array_equal(open_image(bytes_)[:, :, 0].ravel(), range(256))
    wide = Image.fromarray(np.linspace(-500, 900, 256, dtype=np.float32).reshape(16, 16))
    np.testing.assert_array_equal(open_image(wide)[:, :, 0].ravel(), range(256))
    large = Image.fromarray((np.arange(256, dtype=np.int32) * 100_000).reshape(16, 16))
    assert len(np.unique(open_image(large))) == 256
    odd = Image.fromarray(np.array([[np.nan, np.inf, 0.5, 1.0]], np.float32))
    np.testing.assert_array_equal(open_image(odd)[0, :, 0], [0, 0, 128, 255])
    flat = Image.fromarray(np.full((3, 3), 70_000, np.int32))
    np.testing.assert_array_equal(open_image(flat), 0)


def test_cmyk_opens_as_pillow_converts_it():
    picture = Image.fromarray(photo()).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        data = saved(picture, kind)
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(open_image(data), expected)
        assert np.abs(open_image(data).astype(int) - photo()).mean() < 10


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (12, 8), colour) for colour in ("red", "lime", "blue")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(open_image(data), open_image(frames[0]))


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("TIFF", "ICO")])
def test_every_format_opens_alike_from_path_bytes_and_pillow(tmp_path, kind):
    if kind == "AVIF" and "AVIF" not in Image.registered_extensions().values():
        pytest.skip("this Pillow has no AVIF")
    data = saved(Image.fromarray(photo(48, 64)), kind)
    path = tmp_path / "without-ending"
    path.write_bytes(data)
    opened = open_image(path)
    assert opened.shape == (48, 64, 3)
    assert opened.dtype == np.uint8
    assert opened.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(opened, open_image(data))
    with Image.open(path) as lazy:
        np.testing.assert_array_equal(opened, open_image(lazy))
    assert np.abs(opened.astype(int) - photo(48, 64)).mean() < 12


def test_an_icon_opens():
    assert open_image(saved(Image.new("RGBA", (32, 32), (9, 9, 9, 255)), "ICO"))[5, 5, 0] == 9


@pytest.mark.parametrize("size", [(1, 1), (10_000, 10), (10, 10_000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_odd_sizes_open(size, kind):
    assert open_image(saved(Image.new("RGB", size, "teal"), kind)).shape == (size[1], size[0], 3)


# --- arrays -----------------------------------------------------------------------


def test_arrays_are_taken_as_they_are_and_not_changed():
    given_ = photo()
    before = given_.copy()
    np.testing.assert_array_equal(open_image(given_), given_)
    np.testing.assert_array_equal(open_image(given_[:, :, 0])[:, :, 1], given_[:, :, 0])
    np.testing.assert_array_equal(open_image(given_[:, :, :1])[:, :, 2], given_[:, :, 0])
    turned = open_image(given_[::-1])
    assert turned.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(given_, before)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4, 3)),
        np.zeros((3, 40, 40), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(7, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), bool),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(wrong):
    with pytest.raises(BadImage, match=r"is not an image|no pixels"):
        open_image(wrong)


def test_other_things_are_refused():
    with pytest.raises(BadImage, match="int is not an image"):
        open_image(5)


# --- what cannot be read ----------------------------------------------------------


def bomb(side=20_000):
    """The header of a PNG of 400 million pixels, and next to nothing after it."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def jpeg_bomb():
    data = bytearray(saved(Image.new("RGB", (64, 64)), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


BROKEN = {
    "cut.jpg": (saved(Image.fromarray(photo(300, 300)), "JPEG")[:2000], "damaged or cut short"),
    "cut.png": (saved(Image.fromarray(photo(300, 300)))[:2000], "damaged or cut short"),
    "header.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "damaged or cut short"),
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"This is a list of shoes, not a picture of them.\n", "no image"),
    "page.png": (b"<!doctype html><title>404 Not Found</title>", "no image"),
    "drawing.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image"),
    "bomb.png": (bomb(), "400,000,000|20,000 x 20,000 pixels are more"),
    "bomb.jpg": (jpeg_bomb(), "60,000 x 60,000 pixels are more"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused_with_its_reason(tmp_path, name):
    data, reason = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadImage, match=reason) as caught:
        open_image(path)
    assert caught.value.where == str(path)
    assert "\n" not in caught.value.what
    with pytest.raises(BadImage, match=reason) as caught:
        open_image(data, where="item 5")
    assert caught.value.where == "item 5"


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    def never(*_args, **_options):
        raise AssertionError("decoded")

    bombs = (bomb(), jpeg_bomb())
    monkeypatch.setattr(images.simplejpeg, "decode_jpeg", never)
    monkeypatch.setattr(Image.Image, "load", never)
    for data in bombs:
        with pytest.raises(BadImage, match="pixels are more"):
            open_image(data)


def test_bounds_hold_for_opened_pictures_and_arrays(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    for large in (photo(10, 10), Image.fromarray(photo(10, 10)), saved(Image.new("L", (10, 10)))):
        with pytest.raises(BadImage, match="10 x 10 pixels are more than the 99 allowed"):
            open_image(large)
    assert open_image(photo(9, 11)).shape == (9, 11, 3)


def test_files_that_are_none(tmp_path, monkeypatch):
    with pytest.raises(BadImage, match="no such file"):
        open_image(tmp_path / "nothing.jpg")
    with pytest.raises(BadImage, match="a folder, not an image"):
        open_image(tmp_path)
    with pytest.raises(BadImage, match="no ordinary file"):
        open_image("/dev/null")
    with pytest.raises(BadImage, match="cannot be read"):
        open_image("a\0b" if os.name == "nt" else "x" * 300)
    path = tmp_path / "large.png"
    path.write_bytes(saved(Image.new("L", (9, 9))))
    monkeypatch.setattr(images, "MAX_BYTES", 20)
    for large in (path, path.read_bytes()):
        with pytest.raises(BadImage, match="more than the 20 allowed"):
            open_image(large)


def test_a_path_with_a_null_byte_is_refused():
    with pytest.raises(BadImage, match="cannot be read"):
        open_image("a\0b.jpg")


def test_an_opened_picture_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "cut.png"
    path.write_bytes(BROKEN["cut.png"][0])
    with Image.open(path) as lazy, pytest.raises(BadImage, match="cut short") as caught:
        open_image(lazy)
    assert caught.value.where == str(path)


def test_read_bytes_gives_the_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(Image.fromarray(photo())))
    np.testing.assert_array_equal(open_image(read_bytes(path)), photo())


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "ICO"]))
def test_damage_gives_pixels_or_a_reason_and_nothing_else(data, kind):
    bytes_ = bytearray(saved(Image.fromarray(photo(24, 24)), kind))
    for place in data.draw(st.lists(st.integers(0, len(bytes_) - 1), min_size=1, max_size=6)):
        bytes_[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(bytes_)))
    with suppress(BadImage):
        assert open_image(bytes(bytes_[:cut])).dtype == np.uint8


def test_odd_metadata_does_not_warn():
    data = bytearray(saved(Image.fromarray(photo()), "TIFF", software="x" * 40))
    count = struct.unpack("<I", data[4:8])[0]
    entries = struct.unpack("<H", data[count : count + 2])[0]
    for entry in range(entries):  # a text that lies behind the end of the file
        place = count + 2 + entry * 12
        if data[place : place + 2] == struct.pack("<H", 305):
            data[place + 8 : place + 12] = struct.pack("<I", len(data) + 1000)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        open_image(bytes(data))
    assert not told
    with pytest.warns(
        UserWarning, match="Truncated"
    ):  # the file is odd enough to make Pillow speak
        Image.open(io.BytesIO(bytes(data))).load()


def test_threads_read_the_same():
    data = [
        saved(Image.fromarray(photo(seed=seed)), kind) for seed in range(4) for kind in FORMATS[:6]
    ]
    alone = [open_image(each) for each in data]
    with ThreadPoolExecutor(4) as pool:
        for first, second in zip(alone * 3, pool.map(open_image, data * 3), strict=True):
            np.testing.assert_array_equal(first, second)


def test_real_photos_have_the_pixels_that_pillow_gives(real_data):
    files = sorted((real_data / "data" / "caltech101").glob("*/image_0007.jpg"))[::4]
    files += sorted((real_data / "data" / "fashion-products" / "images").glob("*7.jpg"))[:40]
    assert len(files) > 50
    for path in files:
        with Image.open(path) as plain:
            np.testing.assert_array_equal(open_image(path), np.asarray(plain.convert("RGB")))
