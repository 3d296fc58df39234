"""How far each item moves CorrEmbed's mean, as a query and as a part of the gallery."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats
from ._images import CorrEmbedImages, joined, parts
from ._moments import Form, Part
from ._sums import Correlations
from ._tag_rows import TagRows

FEW = 2_000
TINY = 1e-9


def influence(images: CorrEmbedImages, tags: TagRows, found: Correlations, exclude: bool) -> Floats:
    """How far each item moves the mean score, all items being queries; (n,), averaging to 0.

    Up to 2,000 items by leaving each item out in turn, beyond that by the influence
    function, which is its limit. On 100 items the influence function understates the
    standard error by about a tenth; from some 1,000 on the two agree.

    Without a single score, NaN throughout.
    """
    scored = ~np.isnan(found.score)
    if not scored.any():
        return np.full(len(images), np.nan)
    few = len(images) <= FEW
    moved = leave_out(images, tags, scored, exclude) if few else derive(images, tags, found)
    return np.asarray(moved - moved.mean())


def leave_out(
    images: CorrEmbedImages, tags: TagRows, scored: npt.NDArray[np.bool_], exclude: bool
) -> Floats:
    """(n - 1) (theta - theta without item k), the jackknife's influence; O(n^2).

    Leaving item k out takes one pair from each correlation: with m pairs and
    e = s - mean(s), each of the three sums of products loses m / (m - 1) times the
    product of that pair (Welford 1962, backwards). NaN where no score is left.
    """
    everything = slice(0, len(images))
    rows, along = images.rows(everything)
    tagged: Any = tags.rows(everything)
    tagged = tagged.toarray() if hasattr(tagged, "toarray") else tagged
    pairs = ~np.eye(len(images), dtype=bool) if exclude else np.ones((len(images),) * 2, bool)
    seen = _deviations(rows.astype(np.float64) @ rows.T + along, pairs)
    worn = _deviations(tagged @ (tagged - tagged.mean(axis=0)).T, pairs)
    count = len(images) - exclude
    products = [seen * worn, worn * worn, seen * seen]
    whole = [product.sum(axis=1) for product in products]
    cross, tag, image = (
        total[:, None] - count / (count - 1) * product
        for total, product in zip(whole, products, strict=True)
    )
    left = scored[:, None] & (tag > TINY * whole[1][:, None]) & (image > TINY * whole[2][:, None])
    np.fill_diagonal(left, False)
    score = np.divide(cross, np.sqrt(tag * image, where=left, out=tag), where=left, out=cross)
    queries = left.sum(axis=0)
    without = np.full(len(images), np.nan)
    np.divide(score.sum(axis=0, where=left), queries, where=queries > 0, out=without)
    here = whole[0][scored] / np.sqrt(whole[1][scored] * whole[2][scored])
    return np.asarray((len(images) - 1) * (here.mean() - without))


def _deviations(similarity: Floats, pairs: npt.NDArray[np.bool_]) -> Floats:
    """Similarities less the mean of their row over the pairs that count; 0 elsewhere."""
    mean = similarity.mean(axis=1, keepdims=True, where=pairs)
    return np.where(pairs, similarity - mean, 0.0)


def derive(images: CorrEmbedImages, tags: TagRows, found: Correlations) -> Floats:
    """Influence function of the mean of r at each item, all items being queries; (n,).

    The mean is a function of the distribution of items: theta = sum of p_j r_j over
    the items with a score, divided by their share p. Raising the weight of item i
    moves it through the item's own score and through the three centred sums behind
    every other score:

        IF_i = (n / scored) (r_i - theta) [i scored]
             + (t - mean)' M_TY z - 1/2 (t - mean)' M_TT (t - mean) - 1/2 z' M_YY z

    with z = y - mean(y) and, averaged over the scored j, A = t' S_TT t / n and
    B = y' S_YY y / n: M_TY = t y' / sqrt(A B), M_TT = (r / A) t t',
    M_YY = (r / B) y y'.
    """
    count, width = images.vectors.shape
    scored = ~np.isnan(found.score)
    each = 1.0 / scored.sum()
    score = np.where(scored, found.score, 0.0)
    tag_spread = np.where(scored, found.tag_spread, 1.0) / count
    image_spread = np.where(scored, found.image_spread, 1.0) / count
    pull = Pull(
        images,
        tags,
        cross=np.where(scored, each / np.sqrt(tag_spread * image_spread), 0.0),
        tag=each * score / tag_spread,
        image=each * score / image_spread,
    )
    moved = joined([pull.of(part) for part in parts(count, max(width, tags.shape[1]))])
    moved[scored] += (score[scored] - score[scored].mean()) * (count * each)
    return moved


class Pull:
    """The three means M, and what each item does through them.

    Args:
        images: the gallery's images.
        tags: the gallery's tags.
        cross: (n,) weights of the items in M_TY.
        tag: (n,) weights of the items in M_TT.
        image: (n,) weights of the items in M_YY.
    """

    def __init__(
        self, images: CorrEmbedImages, tags: TagRows, *, cross: Floats, tag: Floats, image: Floats
    ) -> None:
        self._images, self._tags = images, tags
        width, columns = images.vectors.shape[1], tags.shape[1]
        self._cross, self._mean = np.zeros((columns, width)), np.zeros(columns)
        within, self._within = np.zeros((width, width)), np.zeros((columns, columns))
        for part in parts(len(images), max(width, columns)):
            rows, _ = images.rows(part)
            rows = rows + images.moments.centre.astype(rows.dtype)
            tagged: Any = tags.rows(part)
            self._cross += tags.cross(tagged, rows * cross[part, None].astype(rows.dtype))
            self._within += tags.gram(tagged, tag[part])
            within += (rows * image[part, None].astype(rows.dtype)).T @ rows
            self._mean += tagged.T @ np.full(len(rows), 1.0 / len(images))
        self._form = Form(within, rows.dtype)

    def of(self, part: Part) -> Floats:
        """What each item of a part does."""
        rows, _ = self._images.rows(part)
        moments = self._images.moments
        rows = rows - (moments.mean - moments.centre).astype(rows.dtype)
        tagged: Any = self._tags.rows(part)
        reach = rows @ self._cross.T.astype(rows.dtype)
        seen = tagged @ self._within
        cross = self._tags.times(tagged, reach) - reach @ self._mean
        within = self._tags.times(tagged, seen) - 2 * (seen @ self._mean)
        within += self._mean @ self._within @ self._mean
        return np.asarray(cross - 0.5 * within - 0.5 * self._form.of(rows))
