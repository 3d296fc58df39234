import cv2
import numpy as np
import pytest

from likelens import open_encoder
from likelens.encoders.classical import bounded, shrunk
from likelens.values.errors import BadSpec


def stripes(angle, height=128, width=128, wavelength=9.0):
    """A grating whose gradients point in one direction, in degrees."""
    rows, columns = np.mgrid[0:height, 0:width]
    turn = np.deg2rad(angle)
    wave = np.sin((columns * np.cos(turn) + rows * np.sin(turn)) * 2 * np.pi / wavelength)
    return np.repeat((wave * 100 + 128).astype(np.uint8)[:, :, None], 3, axis=2)


# --- colour -----------------------------------------------------------------------


def slow_histogram(pixels, bins):
    """Share of the pixels in each cell, one pixel at a time."""
    low, high = np.array([0, 40, 18]), np.array([256, 228, 226])
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    counts = np.zeros((bins, bins, bins))
    for value in lab:
        counts[tuple((value - low) * bins // (high - low))] += 1
    return counts.ravel() / len(lab)


def test_colour_is_the_root_of_the_share_of_pixels_in_each_cell():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    made = open_encoder("opencv:colour?bins=5").encode([pixels])[0]
    assert made.shape == (125,)
    np.testing.assert_allclose(made**2, slow_histogram(pixels, 5), atol=1e-6)


def test_colour_has_length_one_and_no_colour_falls_outside():
    corners = np.array(np.meshgrid(*[[0, 85, 170, 255]] * 3)).T.reshape(1, -1, 3).astype(np.uint8)
    for bins in (2, 8, 24):
        encoder = open_encoder(f"opencv:colour?bins={bins}")
        one = np.concatenate([encoder.encode([corners[:, at : at + 1]]) for at in range(64)])
        assert (one.max(axis=1) == 1).all()
        np.testing.assert_allclose(np.linalg.norm(encoder.encode([corners])), 1, atol=1e-6)


def test_colour_sees_colour_and_not_shape():
    red, blue = np.full((2, 64, 64, 3), 255, np.uint8)
    red[10:40, 10:40] = (200, 20, 30)
    blue[10:40, 10:40] = (20, 30, 200)
    moved = np.full((64, 64, 3), 255, np.uint8)
    moved[20:60, 5:28] = (205, 18, 35)
    a, b, c = open_encoder("opencv:colour").encode([red, blue, moved])
    assert a @ c > 0.99 > a @ b + 0.1


# --- HOG --------------------------------------------------------------------------


def slow_hog(pixels, size, cell):
    """Dalal & Triggs 2005, pixel by pixel: cells of 9 orientations, blocks by L2-Hys."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float)
    padded = np.pad(grey, 1, mode="edge")
    count = size // cell
    cells = np.zeros((count, count, 9))
    for row in range(size):
        for column in range(size):
            across = padded[row + 1, column + 2] - padded[row + 1, column]
            down = padded[row + 2, column + 1] - padded[row, column + 1]
            place = np.degrees(np.arctan2(down, across)) % 180 / 20 - 0.5
            low = int(np.floor(place))
            share = place - low
            home = cells[row // cell, column // cell]
            home[low % 9] += np.hypot(across, down) * (1 - share)
            home[(low + 1) % 9] += np.hypot(across, down) * share
    blocks = []
    for row in range(count - 1):
        for column in range(count - 1):
            block = np.concatenate(
                [cells[row + i, column + j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))]
            )
            block = np.minimum(block / max(np.linalg.norm(block), 1e-12), 0.2)
            blocks.append(block / max(np.linalg.norm(block), 1e-12))
    return np.concatenate(blocks)


def test_hog_equals_the_definition():
    draw = np.random.default_rng(1)
    small = draw.integers(0, 256, (9, 9, 3), np.uint8)
    pixels = cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC)
    made = open_encoder("opencv:hog?size=48&cell=8").encode([pixels])[0]
    assert made.shape == (5 * 5 * 36,)
    np.testing.assert_allclose(made, slow_hog(pixels, 48, 8), atol=2e-4)


@pytest.mark.parametrize("angle", [10, 50, 90, 130, 170])
def test_hog_finds_the_direction_of_stripes(angle):
    vector = open_encoder("opencv:hog").encode([stripes(angle)])[0]
    assert vector.reshape(-1, 9).sum(axis=0).argmax() == angle // 20


def test_hog_of_one_grey_is_zero():
    assert not open_encoder("opencv:hog").encode([np.full((50, 70, 3), 90, np.uint8)]).any()


# --- sizes ------------------------------------------------------------------------


def test_pictures_are_bounded_and_never_enlarged():
    assert bounded(np.zeros((100, 50, 3), np.uint8), 256).shape == (100, 50, 3)
    assert bounded(np.zeros((10_000, 10, 3), np.uint8), 256).shape == (256, 1, 3)
    assert bounded(np.zeros((300, 600, 3), np.uint8), 256).shape == (128, 256, 3)


def test_shrinking_takes_means():
    noise = np.random.default_rng(0).integers(0, 256, (80, 60), np.uint8)
    means = noise.reshape(16, 5, 12, 5).mean(axis=(1, 3))
    assert np.abs(shrunk(noise, 16, 12) - means).max() <= 1
    assert shrunk(noise, 128, 96).shape == (128, 96)


@pytest.mark.parametrize("spec", ["opencv:colour", "opencv:hog"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (10_000, 10), (3, 7)])
def test_any_size_is_taken(spec, size):
    encoder = open_encoder(spec)
    vector = encoder.encode([np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)])
    assert vector.shape == (1, encoder.dim)


# --- wrong use --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("opencv:surf", "no encoder opencv:surf"),
        ("opencv:colour@output", "no layers"),
        ("opencv:colour?bin=3", "no option 'bin'"),
        ("opencv:colour?bins=1", "bins=1 is not a whole number from 2 to 24"),
        ("opencv:hog?size=100", "not made of whole cells of 16"),
        ("opencv:hog?size=16", "two a side at least"),
        ("opencv:hog?cell=big", "cell=big is not a whole number"),
    ],
)
def test_wrong_specs_are_refused(spec, reason):
    with pytest.raises(BadSpec, match=reason):
        open_encoder(spec)
