"""A shop whose true similarity is known, experts who judge it, and encoders to rank."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from likelens.encoders.base import FittedEncoder, cores
from likelens.encoders.fused import join, seeing
from likelens.encoders.opening import open_encoder
from likelens.garments import TAGS, Garment, draw, products
from likelens.garments.experts import experts
from likelens.garments.likeness import ALIKE, likeness, values
from likelens.garments.tastes import CARE
from likelens.garments.vocabulary import NONE
from likelens.values.arrays import Floats, Positions, unit_rows

SIZE = 128
"""Side of the drawn images in pixels."""

SHAPE = ("sleeve", "neckline", "length", "fit")

PIXELS = {
    "colour": "opencv:colour?bins=6",
    "HOG": "opencv:hog?size=64",
    "SIFT": "opencv:sift?sample=150&size=128&words=128",
    "ORB": "opencv:orb?sample=150&size=128&words=128",
}
"""Encoders of the light install, which see the drawn images."""

FUSED: dict[str, dict[str, float]] = {
    "colour + HOG": {"colour": 1.0, "HOG": 1.0},
    "colour + SIFT": {"colour": 1.0, "SIFT": 1.0},
    "colour + 3 HOG + SIFT": {"colour": 1.0, "HOG": 3.0, "SIFT": 1.0},
    "HOG + ORB": {"HOG": 1.0, "ORB": 1.0},
}
"""Fused ones: the weight of each part."""

KIND_CARE, NOISE_DIM = 4.0, 32
"""How much a made-up encoder cares for the kind, and dimensions of its noise."""


@dataclass(frozen=True)
class Eye:
    """A made-up encoder, whose vectors come from the tags and not from an image.

    Attributes:
        blind: categories that it does not see.
        noise: length of the noise that each garment's vector gets, the signal having 1.
    """

    blind: tuple[str, ...] = ()
    noise: float = 0.8

    def vectors(self, garments: Sequence[Garment], rng: np.random.Generator) -> Floats:
        """(n, d) of length 1."""
        seen = [
            np.sqrt(CARE[category]) * values(garments, category)
            for category in TAGS
            if category not in ("kind", *self.blind)
        ]
        places = [TAGS["kind"].index(garment.tag("kind")) for garment in garments]
        kinds = np.sqrt(KIND_CARE) * np.eye(len(TAGS["kind"]))[places]
        signal = unit_rows(np.hstack([kinds, *seen]))
        noise = rng.standard_normal((len(garments), NOISE_DIM)) * self.noise / np.sqrt(NOISE_DIM)
        return unit_rows(np.hstack([signal, noise]))


EYES = {
    "eye, keen": Eye(noise=0.5),
    "eye, fair": Eye(noise=0.8),
    "eye, dull": Eye(noise=1.2),
    "eye, no colour": Eye(("colour",)),
    "eye, no pattern": Eye(("pattern",)),
    "eye, no shape": Eye(SHAPE),
    "eye, colour only": Eye(("pattern", *SHAPE, "material")),
}
"""Made-up encoders: part of what makes garments similar, and noise."""

ENCODERS = (*PIXELS, *FUSED, *EYES)
"""The candidates, in the order of all arrays."""


@dataclass(frozen=True)
class Shop:
    """All that is drawn of one seed; pairs are directed, and (i, i) is none.

    Attributes:
        seed: of everything.
        garments: (n,) one image each.
        alike: (n, n) whether two are truly similar; False on the diagonal.
        votes: (n, n, e) what each expert would say of every pair.
        vectors: (n, d) by each of ``ENCODERS``.
        scores: (m, n, n) cosine of every pair by each of them.
        chance: (n, n) that of random vectors.
    """

    seed: int
    garments: list[Garment]
    alike: npt.NDArray[np.bool_]
    votes: npt.NDArray[np.int8]
    vectors: list[Floats]
    scores: Floats
    chance: Floats

    def __len__(self) -> int:
        return len(self.garments)

    @cached_property
    def positions(self) -> Positions:
        """(m, n, n - 1) what each encoder finds for each item, best first, without itself."""
        return np.stack([rankings(scores) for scores in self.scores])

    @cached_property
    def ranks(self) -> Positions:
        """(m, n, n) at which rank each encoder finds an item, from 1; 0 on the diagonal."""
        ranks = np.zeros(self.scores.shape, np.int64)
        places = np.broadcast_to(np.arange(1, len(self)), self.positions.shape)
        np.put_along_axis(ranks, self.positions, places, axis=2)
        return ranks


def draw_shop(items: int, seed: int, judges: int) -> Shop:
    """A new catalogue, new experts, and the vectors of every encoder.

    Args:
        items: n, images of as many products.
        seed: >= 0.
        judges: how many experts.
    """
    garments = products(items, seed)
    known = likeness(garments)
    alike = known > ALIKE
    np.fill_diagonal(alike, val=False)
    votes = np.stack([expert.votes(known) for expert in experts(judges, seed)], axis=2)
    vectors = _seen(garments)
    for number, (name, eye) in enumerate(EYES.items()):
        vectors[name] = eye.vectors(garments, np.random.default_rng([seed, 40, number]))
    chance = np.random.default_rng([seed, 41]).standard_normal((items, NOISE_DIM))
    chosen = [vectors[name] for name in ENCODERS]
    scores = np.stack([cosines(each) for each in chosen])
    return Shop(seed, garments, alike, votes, chosen, scores, cosines(chance))


def cosines(vectors: Floats) -> Floats:
    """(n, n) cosine of every pair."""
    unit = unit_rows(vectors, np.float64)
    return np.asarray(unit @ unit.T)


def rankings(scores: Floats) -> Positions:
    """(n, n - 1) items by score, highest first, without the one asked with; ties by position."""
    others = np.array(scores)
    np.fill_diagonal(others, -np.inf)
    return np.argsort(-others, axis=1, kind="stable")[:, :-1]


def tag_rows(
    garments: Sequence[Garment], categories: Sequence[str], errors: float, seed: int
) -> Floats:
    """Tags as people would type them in: now and then another value of the category.

    Args:
        garments: n of them.
        categories: those that are asked for.
        errors: how often a value is wrong.
        seed: of the errors; the same ones whichever categories are asked for.

    Returns:
        (n, tags) of 0 and 1; no 1 where a category makes no sense.
    """
    return np.hstack(
        [
            _typed(garments, category, errors, np.random.default_rng([seed, 42, number]))
            for number, category in enumerate(TAGS)
            if category in categories
        ]
    )


def _typed(
    garments: Sequence[Garment], category: str, errors: float, rng: np.random.Generator
) -> Floats:
    known = TAGS[category]
    rows = np.zeros((len(garments), len(known)))
    for row, garment in enumerate(garments):
        for value in garment.tags[category]:
            slip, other = rng.random() < errors, int(rng.integers(1, len(known)))
            if value != NONE:
                rows[row, (known.index(value) + slip * other) % len(known)] = 1.0
    return rows


def _seen(garments: Sequence[Garment]) -> dict[str, Floats]:
    """The vectors of all encoders that see the images."""
    with ThreadPoolExecutor(cores()) as threads:
        images = list(threads.map(lambda garment: draw(garment, size=SIZE), garments))
    vectors = {}
    for name, spec in PIXELS.items():
        encoder = seeing(open_encoder(spec))
        if isinstance(encoder, FittedEncoder):
            encoder.fit(images[: encoder.sample_size])
        vectors[name] = encoder.encode(images)
    for name, parts in FUSED.items():
        vectors[name] = join([vectors[part] for part in parts], list(parts.values()))
    return vectors
