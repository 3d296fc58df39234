import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likelens.encoders.preprocessing import Preprocessing, read_size, split_keys
from likelens.encoders.resizing import FILTERS
from likelens.values.errors import BadShape, BadSpec

FULL = (
    "resize=shorter:256;crop=center:224;interpolation=bicubic;scale=1/255;"
    "mean=0.485 0.456 0.406;std=0.229 0.224 0.225;channels=BGR;layout=NHWC"
)
GEOMETRIES = (
    "resize=shorter:64;crop=center:56",
    "resize=shorter:40;crop=center:50x30",
    "resize=squash:33",
    "resize=squash:61x37",
    "resize=none;crop=center:48",
    "resize=squash:50;crop=center:41",
    "resize=shorter:64;crop=floor:56x51",
    "resize=none;crop=floor:48",
)


def photo(height, width, seed=0):
    """Waves of random length and colour: smooth as a photo, with detail."""
    draw = np.random.default_rng([seed, height, width])
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows * a + columns * b + c) for a, b, c in draw.uniform(0.05, 0.9, (3, 3))]
    return np.rint(np.stack(waves, axis=2) * 100 + 128).astype(np.uint8)


def plainly(rgb, how):
    """Resize and crop as torchvision does with Pillow: Resize, then CenterCrop.

    The start of a crop is rounded as by torchvision, or down as by transformers.
    """
    start = {"center": round, "floor": int}[how.cut]
    picture, method = Image.fromarray(rgb), FILTERS[how.interpolation]
    width, height = picture.size
    if how.shorter and width <= height:
        picture = picture.resize((how.shorter, int(how.shorter * height / width)), method)
    elif how.shorter:
        picture = picture.resize((int(how.shorter * width / height), how.shorter), method)
    elif how.squash:
        picture = picture.resize(how.squash[::-1], method)
    pixels = np.asarray(picture)
    if how.crop is None:
        return pixels
    wide, high = max(0, how.crop[1] - pixels.shape[1]), max(0, how.crop[0] - pixels.shape[0])
    pixels = np.pad(pixels, ((high // 2, (high + 1) // 2), (wide // 2, (wide + 1) // 2), (0, 0)))
    top = start((pixels.shape[0] - how.crop[0]) / 2.0)
    left = start((pixels.shape[1] - how.crop[1]) / 2.0)
    return pixels[top : top + how.crop[0], left : left + how.crop[1]]


def cosine(a, b):
    a, b = a.ravel().astype(float), b.ravel().astype(float)
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_resize_and_crop_equal_pillow(geometry, interpolation):
    how = Preprocessing.parse(f"{geometry};interpolation={interpolation};mean=0.5;std=0.5")
    for height, width in ((31, 47), (47, 31), (101, 64), (211, 333), (56, 56), (64, 91), (32, 24)):
        picture = photo(height, width)
        made, expected = how.resized(picture), plainly(picture, how)
        np.testing.assert_array_equal(made, expected)
        wanted = (expected / 127.5 - 1).transpose(2, 0, 1)
        assert cosine(how.apply(picture), wanted) > 0.9999


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(GEOMETRIES))
def test_any_size_equals_pillow(height, width, geometry):
    how = Preprocessing.parse(geometry)
    picture = photo(height, width)
    strip = 9 * min(height, width) < max(height, width)  # rounded twice, in another order
    difference = how.resized(picture).astype(int) - plainly(picture, how)
    assert np.abs(difference).max() <= (2 if strip else 0)


def test_enlarging_to_256_equals_pillow_to_the_bit():
    how = Preprocessing.parse("resize=shorter:256;crop=center:224")
    for height, width in ((224, 224), (200, 300), (192, 128), (137, 137), (256, 300)):
        picture = photo(height, width)
        np.testing.assert_array_equal(how.resized(picture), plainly(picture, how))


def grown(phases, step, blocks):
    """A side, and what it grows to by a ratio whose denominator is a power of two."""
    return min(step, phases) * blocks, phases * blocks


SIDES = st.builds(
    grown, st.sampled_from([1, 2, 4, 8, 16, 32, 64]), st.integers(1, 64), st.integers(1, 6)
)


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, st.integers(1, 400), st.integers(1, 400), st.booleans())
def test_sides_that_grow_by_eighths_and_the_like_equal_pillow(rows, columns, tall, wide, noise):
    how = Preprocessing.parse(f"resize=squash:{rows[1]}x{columns[1]};crop=center:{tall}x{wide}")
    picture = photo(rows[0], columns[0])
    if noise:  # whatever can be rounded, and both ends of the range
        picture = np.random.default_rng(tall).integers(0, 256, picture.shape, np.uint8)
    difference = how.resized(picture).astype(int) - plainly(picture, how)
    strip = rows[1] * columns[1] > 16 * min(rows[1], tall) * min(columns[1], wide)
    assert np.abs(difference).max() <= (2 if strip else 0)


def test_shrinking_is_antialiased():
    stripes = np.tile(np.array([0, 255], np.uint8)[None, :, None], (200, 100, 3))
    small = Preprocessing.parse("resize=shorter:50;crop=center:50").resized(stripes)
    assert np.abs(small.astype(int) - 128).max() < 20


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("shape", [(10, 10_000), (10_000, 10), (1, 1)])
def test_odd_shapes_cost_little_and_equal_pillow(shape, interpolation, monkeypatch):
    how = Preprocessing.parse(f"resize=shorter:32;crop=center:24;interpolation={interpolation}")
    picture = photo(*shape)
    expected = plainly(picture, how)
    real, pixels = Image.Image.resize, []

    def measured(self, size, *args):
        pixels.append(size[0] * size[1])
        return real(self, size, *args)

    monkeypatch.setattr(Image.Image, "resize", measured)
    made = how.resized(picture)
    assert max(pixels, default=0) <= 16 * 24 * 24
    if interpolation not in ("nearest", "area"):  # which neighbour wins a tie is open
        assert np.abs(made.astype(int) - expected).max() <= 2


def test_values_channels_and_layout():
    picture = photo(5, 7)
    how = Preprocessing.parse("scale=1/255;mean=0.1 0.2 0.3;std=0.5 0.25 2")
    made = how.apply(picture)
    expected = (picture / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2]
    assert made.dtype == np.float32
    assert made.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(made, expected.transpose(2, 0, 1), atol=1e-6)
    last = Preprocessing.parse("mean=0.1 0.2 0.3;std=0.5 0.25 2;layout=NHWC").apply(picture)
    np.testing.assert_allclose(last, expected, atol=1e-6)
    turned = Preprocessing.parse("mean=0.1 0.2 0.3;std=0.5 0.25 2;channels=BGR;layout=NHWC")
    expected = (picture[:, :, ::-1] / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2]
    np.testing.assert_allclose(turned.apply(picture), expected, atol=1e-6)
    raw = Preprocessing.parse("scale=1").apply(picture)
    np.testing.assert_array_equal(raw, picture.transpose(2, 0, 1))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_only_an_array_that_fits_is_filled(layout):
    how = Preprocessing.parse(f"mean=0.5;layout={layout}")
    pixels = photo(5, 7)
    shape = (3, 5, 7) if layout == "NCHW" else (5, 7, 3)
    wrong = (
        np.zeros((3, 4, 7) if layout == "NCHW" else (4, 7, 3), np.float32),
        np.zeros(shape, np.float64),
        np.zeros((*shape, 2), np.float32)[..., 0],
    )
    for out in wrong:
        with pytest.raises(BadShape, match="contiguous float32"):
            how.normalise(pixels, out)
    out = np.zeros(shape, np.float32)
    how.normalise(np.repeat(pixels, 2, axis=1)[:, ::2], out)  # pixels may be any view
    np.testing.assert_array_equal(out, how.apply(pixels))


def test_a_picture_is_not_changed():
    picture = photo(20, 20)
    before = picture.copy()
    for geometry in ("resize=none", *GEOMETRIES):
        Preprocessing.parse(f"{geometry};mean=0.5").apply(picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize(
    ("cut", "expected"), [("center", [0, 0, 1, 2, 2]), ("floor", [0, 0, 1, 1, 2])]
)
def test_the_middle_of_every_remainder(cut, expected):
    rows = np.arange(12, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 3), np.uint8)
    how = Preprocessing.parse(f"resize=none;crop={cut}:8")
    starts = [how.resized(rows[: 8 + spare])[0, 0, 0] for spare in range(5)]
    assert starts == expected


def test_a_small_picture_is_padded_with_black():
    how = Preprocessing.parse("resize=none;crop=center:9")
    made = how.resized(np.full((4, 20, 3), 255, np.uint8))
    assert made[:, :, 0].sum(axis=1).tolist() == [0, 0, 9 * 255, 9 * 255, 9 * 255, 9 * 255, 0, 0, 0]


def test_the_notation_reads_back():
    how = Preprocessing.parse(FULL)
    assert str(how) == FULL
    assert Preprocessing.parse(str(how)) == how
    assert how == Preprocessing(
        256, None, (224, 224), "bicubic", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225),
        "BGR", "NHWC",
    )  # fmt: skip
    odd = Preprocessing.parse("resize=squash:256x128;scale=0.017;mean=0.48145466;std=1/3")
    assert odd.size == (256, 128)
    assert Preprocessing.parse(str(odd)) == odd
    assert "resize=squash:256x128;crop=none" in str(odd)
    down = Preprocessing.parse("resize=shorter:37;crop=floor:32x30")
    assert (down.crop, down.cut) == ((32, 30), "floor")
    assert "crop=floor:32x30;" in str(down)
    assert Preprocessing.parse(str(down)) == down
    assert down.to_size((64, 64)).cut == "floor"
    assert Preprocessing.parse("crop=32").cut == "center"


@given(st.floats(1e-6, 300), st.floats(-5, 300), st.integers(1, 500))
def test_numbers_read_back_to_the_last_digit(scale, mean, size):
    how = Preprocessing(crop=(size, 3), scale=scale, mean=(mean, 1 / 3, 0.0), std=(scale, 1.0, 0.1))
    assert Preprocessing.parse(str(how)) == how


def test_the_table_of_weights_reads_back(real_data):
    with (real_data / "weights" / "models.csv").open() as lines:
        texts = [row["preprocessing"] for row in csv.DictReader(lines)]
    assert len(texts) >= 7
    for text in texts:
        assert str(Preprocessing.parse(text)) == text


def test_another_size_keeps_the_proportions():
    how = Preprocessing.parse("resize=shorter:256;crop=center:224")
    for size, shorter in ((128, 146), (160, 183), (192, 219), (224, 256)):
        assert how.to_size((size, size)).shorter == shorter
    assert Preprocessing.parse("resize=squash:224").to_size((96, 48)).squash == (96, 48)
    both = Preprocessing.parse("resize=squash:256;crop=center:224").to_size((112, 112))
    assert (both.squash, both.crop) == ((128, 128), (112, 112))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("resize=longer:3", "resize=longer:3 is not shorter:256, squash:224 or none"),
        ("resize=shorter", "resize=shorter is not"),
        ("resize=none:3", "resize=none:3 is not"),
        ("resize=shorter:0", "number of pixels from 1 to 16384"),
        ("crop=center:-4", "number of pixels"),
        ("crop=3x4x5", "number of pixels"),
        ("crop=middle:3", "crop=middle:3 is not center:224, floor:224 or none"),
        ("interpolation=sinc", "one of nearest, bilinear"),
        ("scale=1/0", "scale=1/0 is not a number"),
        ("scale=nan", "not a number"),
        ("mean=1 2", "one number, or three"),
        ("std=0", "other than zero"),
        ("channels=rgb", "one of RGB, BGR"),
        ("layout=CHW", "one of NCHW, NHWC"),
        ("gamma=2", "no key 'gamma'"),
        ("resize", "'resize' has no value"),
    ],
)
def test_what_is_wrong_is_said(text, reason):
    with pytest.raises(BadSpec, match=reason.replace("(", r"\(")):
        Preprocessing.parse(text)


def test_sizes_and_keys():
    assert read_size("size", "224", "here") == (224, 224)
    assert read_size("size", "24x8", "here") == (24, 8)
    assert split_keys(" a = 1 ;; b=x=y;") == {"a": "1", "b": "x=y"}
