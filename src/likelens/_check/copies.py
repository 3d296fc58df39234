"""Copies: identical files, and images that show the same photograph, confirmed by their pixels.

Two images are a near-copy when their thumbnails agree everywhere: the largest difference of
two blurred 16 x 16 thumbnails is at most ``MAX_DIFFERENCE`` of 255, and the patterns of the
32 x 32 ones correlate by at least 1 - ``MAX_DISAGREEMENT``. Saving an image again, or in
another size, stays far below both. The same photograph in another colour, and another
product in the same pose, stay above (docs/check.md has the measurements).

An image that is a part of another one is found by placing it there, and compared with what it
covers in the same way, at twice that size. It is placed by template matching over a few scales,
then by the affine transform with the largest enhanced correlation coefficient (Evangelidis &
Psarakis 2008, doi:10.1109/TPAMI.2008.113).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from .._embed import Progress
from ..encoders.base import cores
from ..images import open_image
from ..index.base import build_index
from ..values.arrays import Array, Floats, Positions
from ..values.catalogue import Catalogue
from ..values.errors import LikelensError
from .looks import Looks

MAX_DIFFERENCE = 8.0
"""Largest difference of a near-copy's blurred 16 x 16 thumbnails, in grey levels of 255."""

MAX_DISAGREEMENT = 0.012
"""1 less the correlation of a near-copy's 32 x 32 thumbnails, at most."""

NEIGHBOURS = 5
"""Most similar images that each image is compared with, by vector and by thumbnail."""

EXACT_UP_TO = 50_000
"""Images from which on the most similar ones are found with an approximate index."""

FIT_SIDE = 64
"""Width and height at which the place of a part is found, in pixels."""

MIN_FIT = 0.9
"""Correlation that a part must reach at its best place, before that is refined."""

MIN_GAIN = 0.4
"""A part must fit at its place so much better: what is left of 1 less the correlation."""

SLIGHT = 0.03
"""1 less the correlation up to which two images may differ by a slight crop."""

_SCALES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
_FIRST_SCALES = (0.97, 0.91, 0.84, 0.78, 0.72)
_STOP: tuple[int, int, float] = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)

SAME_FILE, IDENTICAL, SAME_PIXELS, NEAR, CROP = (
    "same file",
    "identical file",
    "identical pixels",
    "near-copy",
    "crop",
)


class Link(NamedTuple):
    """How an image is a copy of another.

    Attributes:
        relation: identical file, identical pixels, near-copy or crop.
        difference: largest difference of the blurred thumbnails, in grey levels of 255.
    """

    relation: str
    difference: float


@dataclass(frozen=True)
class Group:
    """Images that are copies of one of them.

    Attributes:
        reference: the row that the others were compared with.
        links: how each other row is a copy of it, in order of the rows.
    """

    reference: int
    links: dict[int, Link]

    @property
    def rows(self) -> list[int]:
        """All rows of the group, the reference first."""
        return [self.reference, *self.links]


def find_groups(
    catalogue: Catalogue, looks: Looks, vectors: Floats, has_vector: Array, say: Progress
) -> list[Group]:
    """The groups of copies of a catalogue, largest first.

    Args:
        catalogue: whose images.
        looks: what the images are.
        vectors: (n, d) vector of each item.
        has_vector: (n,) bool, which of them count.
        say: told of every step.
    """
    same = _same_pixels(looks)
    firsts = np.array(sorted(set(looks.comparable.tolist()) & set(same)), np.int64)
    candidates = _candidates(looks, vectors, has_vector, firsts, say)
    links = _confirmed(catalogue, looks, candidates, say)
    groups = [
        Group(star[0], dict(sorted(_expanded(star, same, looks, catalogue).items())))
        for star in _stars(links, looks)
    ]
    grouped = {row for group in groups for row in group.rows}
    for first, rows in same.items():
        if len(rows) > 1 and first not in grouped:
            groups.append(Group(first, _identical(first, rows, looks, catalogue)))
    return sorted(groups, key=lambda group: (-len(group.rows), group.reference))


def _same_pixels(looks: Looks) -> dict[int, list[int]]:
    """Rows with the same pixels (or the same undecodable file), by the first of them."""
    rows: dict[str, list[int]] = {}
    for row, look in enumerate(looks.rows):
        mark = look.pixels or look.content
        if mark:
            rows.setdefault(mark, []).append(row)
    return {same[0]: same for same in rows.values()}


def _candidates(
    looks: Looks, vectors: Floats, has_vector: Array, rows: Positions, say: Progress
) -> dict[tuple[int, int], bool]:
    """Pairs of rows worth comparing, and whether one may be a part of the other.

    They are the most similar ones by thumbnail, and by vector: an image that was cropped is
    not found by its thumbnail.
    """
    if len(rows) < 2:
        return {}
    seen = rows[has_vector[rows]]
    small = _halves(looks.thumbnails[rows]).reshape(len(rows), -1)
    spaces = ((rows, small - small.mean(axis=1, keepdims=True)), (seen, vectors[seen]))
    pairs: dict[tuple[int, int], bool] = {}
    for by_vector, (places, points) in enumerate(spaces):
        say("finding similar images", by_vector, len(spaces))
        if len(places) < 2:
            continue
        _, found = nearest(points, np.arange(len(places)), NEIGHBOURS + 1)
        for row, others in zip(places.tolist(), places[found].tolist(), strict=True):
            for other in others:
                if other != row:
                    pairs[min(row, other), max(row, other)] = bool(by_vector)
    say("finding similar images", len(spaces), len(spaces))
    return pairs


def nearest(vectors: Floats, queries: Positions, depth: int) -> tuple[Floats, Positions]:
    """Cosines and positions of the vectors most similar to some of them, themselves included."""
    kind = "exact" if len(vectors) <= EXACT_UP_TO else "hnsw"
    return build_index(vectors, kind).search(vectors[queries], min(depth, len(vectors)))


def _halves(images: Array) -> Floats:
    """Square uint8 images at half their width and height, float32."""
    count, side, parts = len(images), images.shape[1] // 2, 2
    blocks = images.reshape(count, side, parts, side, parts, 3)
    means: Floats = blocks.mean(axis=(2, 4), dtype=np.float32)
    return means


def differences(first: Array, second: Array) -> tuple[Floats, Floats]:
    """How much pairs of images differ: their largest difference, and 1 less the correlation.

    Both are 0 for equal images; see the start of this module.

    Args:
        first: (n, side, side, 3) uint8, of an even side.
        second: likewise.
    """
    apart = _blurred(_halves(first)) - _blurred(_halves(second))
    one, other = (side.astype(np.float32).reshape(len(side), -1, 3) for side in (first, second))
    one, other = (side - side.mean(axis=1, keepdims=True) for side in (one, other))
    product = np.einsum("npc,npc->n", one, other)
    lengths = np.linalg.norm(one, axis=(1, 2)) * np.linalg.norm(other, axis=(1, 2))
    correlation = np.where(lengths > 0, product / np.maximum(lengths, 1e-9), 1.0)
    return np.abs(apart).max(axis=(1, 2, 3)), 1.0 - correlation


def _blurred(images: Floats) -> Floats:
    """(n, h, w, 3) images after a Gaussian of 0.8 pixels, cut off after one pixel."""
    for axis in (1, 2):
        width = [(0, 0)] * 4
        width[axis] = (1, 1)
        wide = np.moveaxis(np.pad(images, width, mode="reflect"), axis, 0)
        images = np.moveaxis(0.2388 * (wide[:-2] + wide[2:]) + 0.5224 * wide[1:-1], 0, axis)
    return images


def _link(first: Array, second: Array, relation: str) -> Link | None:
    largest, disagreement = (float(one[0]) for one in differences(first[None], second[None]))
    return Link(relation, largest) if _is_copy(largest, disagreement) else None


def _is_copy(largest: float, disagreement: float) -> bool:
    return largest <= MAX_DIFFERENCE and disagreement <= MAX_DISAGREEMENT


def _confirmed(
    catalogue: Catalogue, looks: Looks, candidates: dict[tuple[int, int], bool], say: Progress
) -> dict[tuple[int, int], Link]:
    """The pairs that are copies by their pixels."""
    links: dict[tuple[int, int], Link] = {}
    read = lru_cache(maxsize=64)(lambda row: _read(catalogue, row))

    def look(pair: tuple[int, int], disagreement: float) -> Link | None:
        for whole, part in (pair, pair[::-1]):
            if not _may_hold(looks.thumbnails[whole], looks.thumbnails[part], disagreement):
                continue
            images = read(whole), read(part)
            if images[0] is not None and images[1] is not None:
                link = find_part(images[0], images[1])
                if link is not None:
                    return link
        return None

    pairs, piece = sorted(candidates), 1024
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(pairs), piece):
            say("comparing images", start, len(pairs))
            some = pairs[start : start + piece]
            firsts, seconds = np.array(some).T
            largest, disagreement = differences(looks.thumbnails[firsts], looks.thumbnails[seconds])
            near = [_is_copy(*found) for found in zip(largest, disagreement, strict=True)]
            links |= {
                pair: Link(NEAR, float(largest[place]))
                for place, pair in enumerate(some)
                if near[place]
            }
            parts = [
                place for place, pair in enumerate(some) if candidates[pair] and not near[place]
            ]
            found = pool.map(look, [some[p] for p in parts], disagreement[parts].tolist())
            links |= {
                some[place]: link
                for place, link in zip(parts, found, strict=True)
                if link is not None
            }
    say("comparing images", len(pairs), len(pairs))
    return links


def _read(catalogue: Catalogue, row: int) -> Array | None:
    try:
        pixels = open_image(catalogue.picture(row))
    except LikelensError:  # it was there a moment ago
        return None
    height, width = pixels.shape[:2]
    shrink = min(1.0, 4 * FIT_SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _may_hold(whole: Array, part: Array, disagreement: float) -> bool:
    """Whether a thumbnail fits into another one at some scale, and much better than on it."""
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32) for one in (whole, part)]
    best = max(_place(grey[0], grey[1], scale)[0] for scale in _FIRST_SCALES)
    gained = 1.0 - best <= MIN_GAIN * disagreement or disagreement <= SLIGHT
    return best >= MIN_FIT and gained


def _place(whole: Array, part: Array, scale: float) -> tuple[float, float, float]:
    """Best correlation of a part of that scale in a square image, and its x and y from 0 to 1."""
    side = len(whole)
    template = cv2.resize(part, [round(scale * side)] * 2, interpolation=cv2.INTER_AREA)
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(whole, template, cv2.TM_CCOEFF_NORMED))
    return best, x / side, y / side


def find_part(whole: Array, part: Array) -> Link | None:
    """Whether an image is a part of another one, as far as pixels can tell.

    The part may have at least 0.7 of the width and height of the whole.

    Args:
        whole: (height, width, 3) uint8.
        part: likewise; any size.
    """
    squares = [
        cv2.resize(one, (FIT_SIDE, FIT_SIDE), interpolation=cv2.INTER_AREA) for one in (whole, part)
    ]
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32) for one in squares]
    best, x, y, scale = max((*_place(grey[0], grey[1], one), one) for one in _SCALES)
    if best < MIN_FIT:
        return None
    smooth = cv2.GaussianBlur(whole, (0, 0), max(0.5, 0.4 * scale * max(whole.shape) / FIT_SIDE))
    height, width = whole.shape[:2]
    across, down = scale * width / FIT_SIDE, scale * height / FIT_SIDE
    start = [
        [across, 0, x * width + (across - 1) / 2],
        [0, down, y * height + (down - 1) / 2],
    ]
    seen = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY).astype(np.float32)
    everywhere = np.ones(seen.shape, np.uint8)
    try:
        _, place = cv2.findTransformECC(
            grey[1], seen, np.array(start, np.float32), cv2.MOTION_AFFINE, _STOP, everywhere, 3
        )
    except cv2.error:  # it found no place at all
        return None
    cut = cv2.warpAffine(
        smooth,
        place,
        (FIT_SIDE, FIT_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _link(cut, squares[1], CROP)


def _stars(links: dict[tuple[int, int], Link], looks: Looks) -> list[tuple[int, dict[int, Link]]]:
    """Groups in which every row is a confirmed copy of one reference.

    Chains (a is a copy of b, b of c, but a not of c) are cut: the row with the most copies
    takes those that are copies of itself, then the next one of those that are left.
    """
    near: dict[int, dict[int, Link]] = {}
    for (first, second), link in links.items():
        near.setdefault(first, {})[second] = link
        near.setdefault(second, {})[first] = link
    left, stars = set(near), []

    def order(row: int) -> tuple[int, bool, int, int]:
        look = looks.rows[row]
        return -len(near[row]), bool(look.problem), -look.width * look.height, row

    for centre in sorted(near, key=order):
        if centre not in left:
            continue
        left.remove(centre)
        members = {row: link for row, link in near[centre].items() if row in left}
        ahead, compared = list(members), {*members}
        while ahead:  # rows that were no candidates of the reference itself
            for row in sorted(set(near[ahead.pop()]) & left - compared):
                compared.add(row)
                direct = _link(looks.thumbnails[centre], looks.thumbnails[row], NEAR)
                if direct is not None:
                    members[row] = direct
                    ahead.append(row)
        left -= set(members)
        if members:
            stars.append((centre, members))
    return stars


def _expanded(
    star: tuple[int, dict[int, Link]],
    same: dict[int, list[int]],
    looks: Looks,
    catalogue: Catalogue,
) -> dict[int, Link]:
    """The links of a group with every row of the same pixels."""
    centre, members = star
    links = _identical(centre, same[centre], looks, catalogue)
    for first, link in members.items():
        links |= dict.fromkeys(same[first], link)
    return links


def _identical(
    first: int, rows: Sequence[int], looks: Looks, catalogue: Catalogue
) -> dict[int, Link]:
    links = {}
    for row in rows:
        if row == first:
            continue
        if looks.rows[row].content != looks.rows[first].content:
            relation = SAME_PIXELS
        elif catalogue.paths[row] == catalogue.paths[first]:
            relation = SAME_FILE
        else:
            relation = IDENTICAL
        links[row] = Link(relation, 0.0)
    return links
