"""Bags of visual words over SIFT and ORB (Sivic & Zisserman 2003).

Keypoints of a sample of pictures are clustered into a vocabulary; a picture is then the
histogram of the words nearest to its keypoints. The histogram's square root is taken and
it has length one, so the dot product of two is the Bhattacharyya coefficient of their word
distributions, and a pattern that repeats does not drown the rest (Jégou et al. 2009). There
is no idf.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np

from ..images import Picture, open_image
from ..values.arrays import Array, Floats
from ..values.embeddings import EncoderCard
from ..values.errors import BadImage, BadShape, BadSpec
from ..values.spec import Spec, fingerprint
from .base import FittedEncoder, cores
from .classical import CV_VERSION, bounded

VERSION = 1
"""Raised when the same vocabulary gives other vectors than before."""

_PER_WORD = 100  # descriptors that a word is learnt from
_ROUNDS = 20  # of k-means
_SMALLEST = 8  # pixels; OpenCV's pyramids fail on thinner pictures, which have no keypoints


class WordsEncoder(FittedEncoder):
    """A histogram of visual words; a picture without keypoints gets a vector of zeros.

    Options: ``words`` in the vocabulary (512), learnt from ``sample`` pictures (1000) with
    the random ``seed`` (0), on pictures of at most ``size`` pixels a side (256).
    """

    batch_size = 16
    binary: ClassVar[bool]
    """Whether words are binary, as the descriptors they stand for."""

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("words", "sample", "seed", "size"))
        self.spec = spec
        self._count = spec.option("words", int, 512, low=2, high=65_536)
        self._sample = spec.option("sample", int, 1000, low=1)
        self._seed = spec.option("seed", int, 0, low=0)
        self._longest = spec.option("size", int, 256, low=32, high=4096)
        self._words: Floats | None = None
        self.card = EncoderCard(
            name=str(spec),
            fingerprint="",
            dim=self._count,
            preprocessing=f"grey, longer side at most {self._longest} pixels",
            details={"opencv": cv2.__version__},
        )

    @abstractmethod
    def describe(self, grey: Array) -> Floats:
        """The (keypoints, d) float32 descriptors of a grey picture, comparable by dot product."""

    @property
    def fitted(self) -> bool:
        """Whether there is a vocabulary."""
        return self._words is not None

    @property
    def sample_size(self) -> int:
        """How many pictures it wants to see."""
        return self._sample

    def prepare(self, image: Array) -> Array:
        """The descriptors of one picture."""
        grey = cv2.cvtColor(bounded(image, self._longest), cv2.COLOR_RGB2GRAY)
        if min(grey.shape) < _SMALLEST:
            return np.zeros((0, 1), np.float32)
        return self.describe(grey)

    def forward(self, prepared: Sequence[Array]) -> Array:
        """The histograms of some pictures' descriptors.

        Raises:
            BadSpec: there is no vocabulary yet.
        """
        if self._words is None:
            raise BadSpec(
                f"{self.spec} has not learnt its words yet",
                where=str(self.spec),
                mend="call fit(pictures) first, or embed a catalogue, which does",
            )
        return np.stack([self._histogram(descriptors, self._words) for descriptors in prepared])

    def _histogram(self, descriptors: Floats, words: Floats) -> Floats:
        if not len(descriptors):
            return np.zeros(len(words), np.float32)
        counts = np.bincount(nearest(descriptors, words), minlength=len(words))
        roots: Floats = np.sqrt(counts / counts.sum()).astype(np.float32)
        return roots

    def fit(self, images: Iterable[Picture]) -> None:
        """Learn the vocabulary from a sample of pictures; those that cannot be read teach nothing.

        Raises:
            BadSpec: the sample has fewer keypoints than words are asked for.
        """
        pictures = list(images)
        share = -(-self._count * _PER_WORD // max(1, len(pictures)))
        with ThreadPoolExecutor(cores()) as pool:
            found = list(
                pool.map(lambda at: self._some(pictures[at], at, share), range(len(pictures)))
            )
        descriptors = np.concatenate([part for part in found if len(part)] or [np.zeros((0, 1))])
        if len(descriptors) < self._count:
            raise BadSpec(
                f"{len(pictures):,} pictures have {len(descriptors):,} keypoints, too few for "
                f"{self._count:,} words",
                where=str(self.spec),
                mend=f"ask for fewer, such as ?words={max(2, len(descriptors) // 4)}, "
                "or give more pictures",
            )
        self._take(learn_words(descriptors, self._count, self._seed, binary=self.binary))

    def _some(self, picture: Picture, position: int, share: int) -> Floats:
        """At most ``share`` descriptors of a picture, drawn by the seed and its position."""
        try:
            descriptors = self.prepare(open_image(picture))
        except BadImage:
            return np.zeros((0, 1), np.float32)
        if len(descriptors) <= share:
            return descriptors
        chance = np.random.default_rng([self._seed, position])
        return descriptors[chance.choice(len(descriptors), share, replace=False)]

    def state(self) -> dict[str, Array]:
        """The vocabulary: ``words``, (words, d) float32."""
        return {} if self._words is None else {"words": self._words}

    def load_state(self, state: dict[str, Array]) -> None:
        """Take over a vocabulary.

        Raises:
            BadShape: it is of another size.
        """
        words = np.ascontiguousarray(state.get("words", np.zeros((0, 0))), np.float32)
        if words.shape != (self._count, self._width):
            raise BadShape(
                f"a vocabulary of shape {words.shape} is not one of {self._count:,} words",
                where=str(self.spec),
                mend="fit the encoder again",
            )
        self._take(words)

    @property
    @abstractmethod
    def _width(self) -> int: ...

    def _take(self, words: Floats) -> None:
        self._words = words
        made = fingerprint(
            encoder=self.spec.identifier,
            words=hashlib.blake2b(words.tobytes(), digest_size=16).hexdigest(),
            size=self._longest,
            opencv=CV_VERSION,
            version=VERSION,
        )
        self.card = replace(self.card, fingerprint=made, parameters=words.size)


class SiftWords(WordsEncoder):
    """SIFT (Lowe 2004), compared as RootSIFT (Arandjelović & Zisserman 2012).

    RootSIFT is the square root of a descriptor of sum one: its dot product is the
    Bhattacharyya coefficient of two gradient histograms, and retrieves better at no cost.
    """

    binary = False
    _width = 128

    def describe(self, grey: Array) -> Floats:
        """The (keypoints, 128) descriptors."""
        found: Array | None = cv2.SIFT.create().detectAndCompute(grey, None)[1]
        if found is None:
            return np.zeros((0, 128), np.float32)
        roots: Floats = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-9))
        return roots


class OrbWords(WordsEncoder):
    """ORB (Rublee et al. 2011), whose bits are compared by Hamming distance.

    Bits are written as +1 and -1, so 256 - 2 * (Hamming distance) is the dot product, and
    the words are majorities of bits (k-majority, Grana et al. 2013).
    """

    binary = True
    _width = 256

    def describe(self, grey: Array) -> Floats:
        """The (keypoints, 256) descriptors, of +1 and -1."""
        found: Array | None = cv2.ORB.create(nfeatures=500).detectAndCompute(grey, None)[1]
        if found is None:
            return np.zeros((0, 256), np.float32)
        return np.unpackbits(found, axis=1).astype(np.float32) * 2 - 1


def nearest(descriptors: Floats, words: Floats, chunk: int = 8192) -> Array:
    """The position of the word nearest to each descriptor, the first of equals."""
    half = 0.5 * np.einsum("ij,ij->i", words, words)
    parts = [
        np.argmax(descriptors[start : start + chunk] @ words.T - half, axis=1)
        for start in range(0, len(descriptors), chunk)
    ]
    return np.concatenate(parts)


def learn_words(descriptors: Floats, count: int, seed: int, *, binary: bool) -> Floats:
    """Words by Lloyd's k-means, or k-majority for descriptors of +1 and -1.

    Begins with descriptors drawn by the seed; a word that loses all its descriptors takes
    up another one. Stops when nothing moves, or after 20 rounds.

    Returns:
        (count, d) float32.
    """
    chance = np.random.default_rng(seed)
    words = descriptors[chance.choice(len(descriptors), count, replace=False)]
    before = np.zeros(0, np.int64)
    for _ in range(_ROUNDS):
        members = nearest(descriptors, words)
        if np.array_equal(members, before):
            break
        before = members
        words = _means(descriptors, members, count, chance)
        if binary:
            words = np.where(words < 0, -1.0, 1.0).astype(np.float32)
    return np.ascontiguousarray(words, np.float32)


def _means(descriptors: Floats, members: Array, count: int, chance: np.random.Generator) -> Floats:
    order = np.argsort(members, kind="stable")
    sizes = np.bincount(members, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    empty = np.flatnonzero(sizes == 0)
    full = np.flatnonzero(sizes)
    means = np.empty((count, descriptors.shape[1]), np.float32)
    sums = np.add.reduceat(descriptors[order], starts[full], axis=0, dtype=np.float64)
    means[full] = sums / sizes[full, None]
    means[empty] = descriptors[chance.choice(len(descriptors), len(empty), replace=False)]
    return means
