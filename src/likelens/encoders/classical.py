"""Encoders without a network: ``opencv:`` with ``sift``, ``orb``, ``fast``, ``colour``, ``hog``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import cv2
import numpy as np

from ..values.arrays import Array
from ..values.embeddings import EncoderCard
from ..values.errors import BadSpec
from ..values.spec import Spec, fingerprint
from .base import Encoder

E = TypeVar("E", bound=Encoder)

EXAMPLES = (
    "opencv:colour?bins=4",
    "opencv:fast?sample=40&words=16",
    "opencv:hog?size=64",
    "opencv:orb?aggregate=vlad&sample=40&words=4",
    "opencv:orb?sample=40&words=16",
    "opencv:sift?sample=40&weight=tfidf&words=32",
    "opencv:sift?sample=40&words=16",
)


def release(version: str) -> str:
    """The first two numbers of a library's version, as fingerprints note it."""
    return ".".join(version.split(".")[:2])


CV_VERSION = release(cv2.__version__)
"""Part of the fingerprints: keypoints and colours may differ between releases of OpenCV."""

ORIENTATIONS = 9
"""Directions of gradients that HOG tells apart, over half a turn."""

_LAB = (0, 256, 40, 228, 18, 226)  # what sRGB reaches in OpenCV's 8-bit L, a and b


def open_classical(spec: Spec) -> Encoder:
    """Encoders without a network: opencv:sift, opencv:orb, opencv:fast, opencv:colour, opencv:hog.

    Raises:
        BadSpec: no such encoder, or it has no such option or layer.
    """
    from .visual_words import FastWords, OrbWords, SiftWords

    kinds: dict[str, type[ColourEncoder | HogEncoder | SiftWords | OrbWords | FastWords]] = {
        "sift": SiftWords,
        "orb": OrbWords,
        "fast": FastWords,
        "colour": ColourEncoder,
        "hog": HogEncoder,
    }
    return chosen(spec, kinds)(spec)


def chosen(spec: Spec, kinds: Mapping[str, type[E]]) -> type[E]:
    """The kind of encoder that a spec without layers names.

    Raises:
        BadSpec: none of these kinds, or a layer is asked for.
    """
    kind = kinds.get(spec.identifier)
    if kind is None:
        raise BadSpec(
            f"there is no encoder {spec.source}:{spec.identifier}",
            where=str(spec),
            hint=f"choose one of: {', '.join(f'{spec.source}:{name}' for name in kinds)}",
        )
    if spec.layer:
        raise BadSpec(
            f"{spec.source}:{spec.identifier} has no layers",
            where=str(spec),
            hint=f"leave @{spec.layer} out",
        )
    return kind


class ColourEncoder(Encoder):
    """Share of the pixels in each cell of CIE Lab space, as its square root: sees colour only.

    The dot product of two such vectors, which have length one, is the Bhattacharyya
    coefficient of the two colour distributions. After Swain & Ballard 1991
    (doi:10.1007/BF00130487), who compare histograms by their intersection. A background
    counts like everything else; the square root keeps it from drowning the rest.

    Options: ``bins`` cells an axis (8), so ``bins`` cubed dimensions.
    """

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("bins",))
        self.spec = spec
        self._bins = spec.option("bins", int, 8, low=2, high=24)
        self.card = EncoderCard(
            name=str(spec),
            fingerprint=fingerprint(encoder="colour", bins=self._bins, opencv=CV_VERSION),
            dim=self._bins**3,
            preprocessing="longer side at most 256 pixels; CIE Lab",
            details={"opencv": cv2.__version__},
        )

    def prepare(self, image: Array) -> Array:
        """The histogram of one picture."""
        lab = cv2.cvtColor(bounded(image, 256), cv2.COLOR_RGB2LAB)
        counts = cv2.calcHist([lab], [0, 1, 2], None, [self._bins] * 3, _LAB).ravel()
        roots: Array = np.sqrt(counts / counts.sum())
        return roots

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The histograms as a matrix."""
        return np.stack(prepared)


class HogEncoder(Encoder):
    """Histograms of oriented gradients (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177).

    The grey picture, squashed to a square, is cut into cells. Blocks of 2 x 2 cells, one
    cell apart, are normalised by L2-Hys. Votes are shared between neighbouring
    orientations, but not between neighbouring cells, and have no Gaussian weight. A
    picture of one grey gets a vector of zeros. Sees shape only.

    Options: ``size`` of the square (128) and of a ``cell`` (16), both in pixels.
    """

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("size", "cell"))
        self.spec = spec
        self._size = spec.option("size", int, 128, low=8, high=1024)
        self._cell = spec.option("cell", int, 16, low=4, high=256)
        cells = self._size // self._cell
        if self._size % self._cell or cells < 2:
            raise BadSpec(
                f"a square of {self._size} pixels is not made of whole cells of {self._cell}, "
                "two a side at least",
                where=str(spec),
                hint=f"give a multiple of the cell: size={self._cell * max(2, cells)}",
            )
        self.card = EncoderCard(
            name=str(spec),
            fingerprint=fingerprint(
                encoder="hog", size=self._size, cell=self._cell, opencv=CV_VERSION
            ),
            dim=(cells - 1) ** 2 * 4 * ORIENTATIONS,
            preprocessing=f"grey, squashed to {self._size} x {self._size} pixels",
            details={"opencv": cv2.__version__},
        )

    def prepare(self, image: Array) -> Array:
        """The descriptor of one picture."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return _blocks(_cells(shrunk(grey, self._size, self._size), self._cell))

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The descriptors as a matrix."""
        return np.stack(prepared)


def _cells(grey: Array, cell: int) -> Array:
    """(rows, columns, orientations): the gradients' lengths, summed by direction."""
    across, down = (
        cv2.Sobel(grey, cv2.CV_32F, *axis, ksize=1, borderType=cv2.BORDER_REPLICATE)
        for axis in ((1, 0), (0, 1))
    )
    length, angle = cv2.cartToPolar(across, down)
    place = angle * (ORIENTATIONS / np.pi) - 0.5  # bin b has its middle at b
    low = np.floor(place)
    share = place - low
    rows, columns = grey.shape[0] // cell, grey.shape[1] // cell
    home = np.arange(rows * columns).reshape(rows, columns).repeat(cell, 0).repeat(cell, 1)
    votes = np.zeros(rows * columns * ORIENTATIONS)
    for bins, weight in ((low, 1 - share), (low + 1, share)):
        target = home * ORIENTATIONS + bins.astype(np.int64) % ORIENTATIONS
        votes += np.bincount(target.ravel(), (length * weight).ravel(), votes.size)
    return votes.reshape(rows, columns, ORIENTATIONS)


def _blocks(cells: Array) -> Array:
    """All blocks of 2 x 2 cells, each of length one, cut off at 0.2, of length one again."""
    corners = (cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:])
    blocks = np.concatenate(corners, axis=2)
    for limit in (0.2, 1.0):
        norms = np.linalg.norm(blocks, axis=2, keepdims=True)
        blocks = np.minimum(blocks / np.where(norms > 0, norms, 1.0), limit)
    return blocks.ravel().astype(np.float32)


def bounded(image: Array, longest: int) -> Array:
    """The picture with its longer side at most so many pixels; never enlarged."""
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    return shrunk(image, max(1, round(height * factor)), max(1, round(width * factor)))


def shrunk(image: Array, height: int, width: int) -> Array:
    """The picture in that size: means of the pixels it covers, or linear where it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)
