"""Visual words over SIFT, ORB and FAST keypoints, counted (bag of words) or as VLAD.

Keypoints of a sample of pictures are clustered into a vocabulary (Sivic & Zisserman 2003,
doi:10.1109/ICCV.2003.1238663). A picture is then what its keypoints say about their nearest
words: how many there are of each, or how they differ from them. The equations are in
``aggregation.py``.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
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
from .aggregation import inverse_document_frequency, root_of_shares, tf_idf, vlad
from .base import FittedEncoder, cores
from .classical import bounded, release

VERSION = 1
"""Raised when the same vocabulary gives other vectors than before."""

_PER_WORD = 100  # descriptors that a word is learnt from
_ROUNDS = 20  # of k-means
_KEYPOINTS = 500  # at most, the strongest: those of ORB and FAST
_MARGIN = 32  # pixels; ORB drops keypoints within 31 of the border
_SMALLEST = 8  # pixels; OpenCV's pyramids fail on thinner pictures, which have no keypoints


class WordsEncoder(FittedEncoder):
    """Visual words of a picture; one without keypoints gets a vector of zeros.

    Options: ``aggregate`` is ``words``, one dimension a word, or ``vlad``, one for every word
    and dimension of a descriptor. ``weight`` of counted words is ``sqrt`` or ``tfidf``. There
    are ``words`` in the vocabulary (512, or 64 for VLAD), learnt from ``sample`` pictures
    (1000) with the random ``seed`` (0), on pictures of at most ``size`` pixels a side (256).
    """

    batch_size = 16
    binary: ClassVar[bool]
    """Whether words are binary, as the descriptors they stand for."""
    libraries: Mapping[str, str] = {"opencv": cv2.__version__}
    """Versions of what finds keypoints; the fingerprint holds their releases."""

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("words", "sample", "seed", "size", "aggregate", "weight"))
        self.spec = spec
        self._vlad = spec.option("aggregate", str, "words", choices=("words", "vlad")) == "vlad"
        self._tfidf = spec.option("weight", str, "sqrt", choices=("sqrt", "tfidf")) == "tfidf"
        if self._vlad and "weight" in spec.options:
            raise BadSpec(
                "weight is for words that are counted, and VLAD counts none",
                where=str(spec),
                hint="leave out weight, or aggregate=vlad",
            )
        default, most = (64, 1024) if self._vlad else (512, 65_536)
        self._count = spec.option("words", int, default, low=2, high=most)
        self._sample = spec.option("sample", int, 1000, low=1)
        self._seed = spec.option("seed", int, 0, low=0)
        self._longest = spec.option("size", int, 256, low=32, high=4096)
        self._words: Floats | None = None
        self._idf: Floats | None = None
        self.card = EncoderCard(
            name=str(spec),
            fingerprint="",
            dim=self._count * (self._width if self._vlad else 1),
            preprocessing=f"grey, longer side at most {self._longest} pixels",
            details=dict(self.libraries),
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
        """The vectors of some pictures' descriptors.

        Raises:
            BadSpec: there is no vocabulary yet.
        """
        if self._words is None:
            raise BadSpec(
                f"{self.spec} has not learnt its words yet",
                where=str(self.spec),
                hint="call fit(pictures) first, or embed a catalogue, which does",
            )
        return np.stack([self._vector(descriptors, self._words) for descriptors in prepared])

    def _vector(self, descriptors: Floats, words: Floats) -> Floats:
        if not len(descriptors):
            return np.zeros(self.dim, np.float32)
        members = nearest(descriptors, words)
        if self._vlad:
            return vlad(descriptors, members, words)
        if self._idf is None:
            return root_of_shares(members, len(words))
        return tf_idf(members, self._idf)

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
                hint=f"ask for fewer, such as ?words={max(2, len(descriptors) // 4)}, "
                "or give more pictures",
            )
        words = learn_words(descriptors, self._count, self._seed, binary=self.binary)
        self._take(words, self._learn_idf(pictures, words) if self._tfidf else None)

    def _some(self, picture: Picture, position: int, share: int) -> Floats:
        """At most ``share`` descriptors of a picture, drawn by the seed and its position."""
        descriptors = self._all(picture)
        if len(descriptors) <= share:
            return descriptors
        chance = np.random.default_rng([self._seed, position])
        return descriptors[chance.choice(len(descriptors), share, replace=False)]

    def _all(self, picture: Picture) -> Floats:
        """The descriptors of a picture of the sample; none if it cannot be read."""
        try:
            return self.prepare(open_image(picture))
        except BadImage:
            return np.zeros((0, 1), np.float32)

    def _learn_idf(self, pictures: Sequence[Picture], words: Floats) -> Floats:
        """The words' idf in the pictures that have keypoints, all of which count."""
        with_word, total = np.zeros(len(words), np.int64), 0
        with ThreadPoolExecutor(cores()) as pool:
            for descriptors in pool.map(self._all, pictures):
                if len(descriptors):
                    with_word[np.unique(nearest(descriptors, words))] += 1
                    total += 1
        return inverse_document_frequency(with_word, total)

    def state(self) -> dict[str, Array]:
        """The vocabulary: ``words``, (words, d) float32, and ``idf``, (words,), where it weighs."""
        learnt = {"words": self._words, "idf": self._idf}
        return {name: array for name, array in learnt.items() if array is not None}

    def load_state(self, state: dict[str, Array]) -> None:
        """Take over a vocabulary.

        Raises:
            BadShape: it is of another size, or has no idf where one is needed.
        """
        words = np.ascontiguousarray(state.get("words", np.zeros((0, 0))), np.float32)
        if words.shape != (self._count, self._width):
            raise self._misfit(f"a vocabulary of shape {words.shape}")
        if not self._tfidf:
            self._take(words, None)
            return
        idf = np.ascontiguousarray(state.get("idf", np.zeros(0)), np.float32)
        if idf.shape != (self._count,):
            raise self._misfit(f"an idf of shape {idf.shape}")
        self._take(words, idf)

    def _misfit(self, what: str) -> BadShape:
        return BadShape(
            f"{what} is not one of {self._count:,} words",
            where=str(self.spec),
            hint="fit the encoder again",
        )

    @property
    @abstractmethod
    def _width(self) -> int: ...

    def _take(self, words: Floats, idf: Floats | None) -> None:
        self._words, self._idf = words, idf
        parts: dict[str, object] = {name: release(made) for name, made in self.libraries.items()}
        if self._vlad:  # words with sqrt add nothing: their fingerprints are older than the rest
            parts["aggregate"] = "vlad"
        if idf is not None:
            parts["idf"] = _digest(idf)
        made = fingerprint(
            encoder=self.spec.identifier,
            words=_digest(words),
            size=self._longest,
            version=VERSION,
            **parts,
        )
        learnt = words.size + (0 if idf is None else idf.size)
        self.card = replace(self.card, fingerprint=made, parameters=learnt)


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
        return _signs(cv2.ORB.create(nfeatures=_KEYPOINTS).detectAndCompute(grey, None)[1])


class FastWords(WordsEncoder):
    """FAST corners (Rosten & Drummond 2006) of one scale, described as ORB does, upright.

    Quicker than ORB, which looks for corners at eight scales and turns each descriptor to the
    corner's direction: pictures here are upright, but a turned or resized one is not known
    again. The 500 strongest corners count, also those near the border, where the picture is
    mirrored outwards. Bits are compared as ORB's are.
    """

    binary = True
    _width = 256

    def describe(self, grey: Array) -> Floats:
        """The (keypoints, 256) descriptors, of +1 and -1."""
        corners = cv2.FastFeatureDetector.create().detect(grey)
        strongest = sorted(corners, key=lambda corner: -corner.response)[:_KEYPOINTS]
        for corner in strongest:
            corner.angle, corner.pt = 0.0, (corner.pt[0] + _MARGIN, corner.pt[1] + _MARGIN)
        sides = (_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        wide = cv2.copyMakeBorder(grey, *sides, borderType=cv2.BORDER_REFLECT_101)
        return _signs(cv2.ORB.create(nlevels=1).compute(wide, strongest)[1])


def _signs(found: Array | None) -> Floats:
    """Descriptors of 32 bytes as 256 of +1 and -1."""
    if found is None:
        return np.zeros((0, 256), np.float32)
    return np.unpackbits(found, axis=1).astype(np.float32) * 2 - 1


def _digest(array: Array) -> str:
    return hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()


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
