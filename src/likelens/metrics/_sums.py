"""The sums that CorrEmbed needs of a gallery, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..values.arrays import Floats, Positions, check_vectors
from ..values.errors import BadShape, BadSpec
from ..values.scores import QueryScores
from ._images import CorrEmbedImages, joined, parts
from ._moments import Form, ImageMoments, Selves, lengths, spacing
from ._tag_rows import TagMoments, TagRows, tag_moments, tag_rows

if TYPE_CHECKING:
    from ._tag_rows import TagMatrix

BOUNDS = (-1.0, 1.0)
"""Of a correlation."""

SelfPairs = Literal["include", "exclude"]


@dataclass(frozen=True)
class Sums:
    """All sums over one gallery of images and tags.

    Attributes:
        images: sums over the images.
        tags: sums over the tags.
        cross: (m, d) sum of (t - mean(t)) (y - mean(y))'.
        cross_along: (m,) cross times the images' centre, taken from the rows.
    """

    images: ImageMoments
    tags: TagMoments
    cross: Floats
    cross_along: Floats

    def __add__(self, other: Sums) -> Sums:
        """Both galleries as one."""
        images, tags = self.images + other.images, self.tags + other.tags
        image_gap = other.images.mean - self.images.mean
        tag_gap = other.tags.mean - self.tags.mean
        factor = self.images.count * other.images.count / images.count
        along = self._along(images.centre) + other._along(images.centre)
        along += factor * float(image_gap @ images.mean) * tag_gap
        cross = self.cross + other.cross + factor * np.outer(tag_gap, image_gap)
        return Sums(images, tags, cross, along)

    def _along(self, centre: Floats) -> Floats:
        return self.cross_along + self.cross @ (centre - self.images.centre)


@dataclass(frozen=True)
class Correlations:
    """CorrEmbed of some queries, and what it was made from.

    Attributes:
        score: (k,) r_i; NaN where there is none.
        tag_spread, image_spread: (k,) sums of squared deviations of the
            similarities of tags and of images.
        shares: (k, groups) each tag group's part of r_i, or None where not asked for.
    """

    score: Floats
    tag_spread: Floats
    image_spread: Floats
    shares: Floats | None = None


def check_self_pairs(self_pairs: str) -> bool:
    """Whether to leave (i, i) out.

    Raises:
        BadSpec: neither ``include`` nor ``exclude``.
    """
    if self_pairs not in ("include", "exclude"):
        raise BadSpec(
            f"self_pairs={self_pairs!r} is neither include nor exclude",
            where="corrembed",
            hint="give self_pairs='include' (as printed) or 'exclude'",
        )
    return self_pairs == "exclude"


def check_same_items(images: int, tags: int) -> None:
    """Images and tags must have one row per item each.

    Raises:
        BadShape: they differ.
    """
    if images != tags:
        raise BadShape(
            f"{images:,} images and {tags:,} rows of tags",
            where="corrembed",
            hint="give one row of tags per image, in the same order",
        )


def sums_of(images: CorrEmbedImages, tags: TagRows) -> Sums:
    """The sums of one gallery."""
    count, width = images.vectors.shape
    check_same_items(count, tags.shape[0])
    cross, along = np.zeros((tags.shape[1], width)), np.zeros(tags.shape[1])
    for part in parts(count, max(width, tags.shape[1])):
        rows, reach = images.rows(part)
        tagged: Any = tags.rows(part)
        cross += tags.cross(tagged, rows)
        along += tagged.T @ reach
    moments, worn = images.moments, tag_moments(tags)
    step = moments.mean - moments.centre
    cross -= count * np.outer(worn.mean, step)
    along -= count * float(step @ moments.centre) * worn.mean
    return Sums(moments, worn, cross, along)


def correlate(
    sums: Sums,
    images: tuple[Floats, Selves],
    tags: TagRows,
    tagged: Any,
    *,
    exclude: bool,
    groups: Positions | None = None,
) -> Correlations:
    """The scores of some queries against the gallery that was summed.

    r_i = t' S_TY y / sqrt((t' S_TT t) (y' S_YY y)), all sums over centred rows. To
    leave (i, i) out, with c = n / (n - 1), a = t . (t - mean(t)) and
    b = y . (y - mean(y)), the three lose c a b, c a^2 and c b^2.

    Args:
        sums: of the gallery.
        images: (k, d) centred image rows of the queries, and their ``Selves``.
        tags: whose rules of products apply to ``tagged``.
        tagged: (k, m) unit tag rows of the queries.
        exclude: leave (i, i) out.
        groups: (m,) group of each tag column, to split the scores by.
    """
    rows, selves = images
    count = sums.images.count
    weight = count / (count - 1) if exclude and count > 1 else 0.0
    reach = rows @ sums.cross.T.astype(rows.dtype) + sums.cross_along
    overlap = np.asarray(tagged @ sums.tags.mean)
    spread = tags.times(tagged, tagged @ sums.tags.scatter)
    own = tags.own(tagged, sums.tags.mean)
    tag_lost, image_lost = weight * own**2, weight * selves.own**2
    tag_size = np.abs(spread) + count * overlap**2 + tag_lost
    tag_floor = count * sums.tags.noise**2 + rounding(np.float64) * tag_size
    image_size = selves.size + image_lost
    image_floor = count * sums.images.noise**2 + rounding(rows.dtype) * image_size
    tag_spread, image_spread = spread - tag_lost, selves.spread - image_lost
    scored = (tag_spread > tag_floor) & (image_spread > image_floor)
    scored &= ~selves.empty
    scale = np.full(len(rows), np.nan)
    scale[scored] = 1.0 / np.sqrt(tag_spread[scored] * image_spread[scored])
    score = scale * (tags.times(tagged, reach) - weight * own * selves.own)
    shares = None
    if groups is not None:
        split = tags.times(tagged, reach, groups)
        split -= weight * tags.own(tagged, sums.tags.mean, groups) * selves.own[:, None]
        shares = split * scale[:, None]
    return Correlations(np.clip(score, -1.0, 1.0), tag_spread, image_spread, shares)


def rounding(dtype: npt.DTypeLike) -> float:
    """Relative rounding that a spread may carry after its terms cancelled."""
    return 64.0 * spacing(dtype)


def gathered(pieces: Sequence[Correlations]) -> Correlations:
    """The pieces as one."""
    shares = [piece.shares for piece in pieces if piece.shares is not None]
    return Correlations(
        joined([piece.score for piece in pieces]),
        joined([piece.tag_spread for piece in pieces]),
        joined([piece.image_spread for piece in pieces]),
        np.concatenate(shares) if shares else None,
    )


class CorrEmbedSums:
    """CorrEmbed of a catalogue that arrives in pieces, or lies on several machines.

    Add pieces in any order, on any number of workers; add the sums of the workers
    together; then score the pieces. Memory is that of the sums, O(d^2 + m^2 + m d),
    and of one piece. All products are taken in float64. The scores equal ``corrembed``
    on the whole, to rounding: means of the pieces may differ, sums are moved to the
    common mean exactly.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).random((6, 4))
        >>> tags = np.eye(3)[[0, 0, 1, 1, 2, 2]]
        >>> first, second = CorrEmbedSums(), CorrEmbedSums()
        >>> first.add(images[:4], tags[:4])
        >>> second.add(images[4:], tags[4:])
        >>> both = first + second
        >>> both.count, both.scores(images, tags).per_query.shape
        (6, (6,))
    """

    def __init__(self) -> None:
        self._sums: Sums | None = None

    @property
    def count(self) -> int:
        """How many items were added."""
        return 0 if self._sums is None else self._sums.images.count

    def add(self, images: npt.ArrayLike, tags: TagMatrix) -> None:
        """Add some items: (k, d) vectors and (k, m) tags, as in ``corrembed``.

        Raises:
            BadShape: not finite matrices of as many rows, or another width than before.
        """
        more = sums_of(CorrEmbedImages(images, double=True), tag_rows(tags))
        if more.images.count:
            self._sums = self._with(more)

    def __add__(self, other: CorrEmbedSums) -> CorrEmbedSums:
        """The sums of both galleries."""
        both = CorrEmbedSums()
        both._sums = self._sums if other._sums is None else self._with(other._sums)
        return both

    def scores(
        self, images: npt.ArrayLike, tags: TagMatrix, *, self_pairs: SelfPairs = "include"
    ) -> QueryScores:
        """The scores of some queries against all items that were added.

        Args:
            images: (k, d) vectors of the queries.
            tags: (k, m) their tags.
            self_pairs: ``"exclude"`` leaves the pair of a query with itself out: for
                queries that were added themselves.

        Raises:
            BadShape: nothing was added, or the widths differ from what was.
            BadSpec: self_pairs is neither ``"include"`` nor ``"exclude"``.
        """
        exclude = check_self_pairs(self_pairs)
        vectors, tagged = check_vectors(images, where="images"), tag_rows(tags)
        check_same_items(len(vectors), tagged.shape[0])
        sums = self._sums
        if sums is None:
            raise BadShape(
                "there are no items to score against",
                where="CorrEmbedSums",
                hint="add the items of the gallery first",
            )
        check_widths(sums.cross.shape, (tagged.shape[1], vectors.shape[1]))
        pieces, form = [], Form(sums.images.scatter, np.float64)
        for part in parts(len(vectors), max(sums.cross.shape)):
            rows = vectors[part].astype(np.float64)
            scale = lengths(rows)
            rows /= np.where(scale > 0, scale, 1.0)[:, None]
            rows -= sums.images.centre
            selves = sums.images.selves(rows, rows @ sums.images.centre, scale == 0, form)
            pieces.append(
                correlate(sums, (rows, selves), tagged, tagged.rows(part), exclude=exclude)
            )
        return QueryScores(gathered(pieces).score, bounds=BOUNDS)

    def _with(self, more: Sums) -> Sums:
        if self._sums is None:
            return more
        check_widths(self._sums.cross.shape, more.cross.shape)
        return self._sums + more


def check_widths(wanted: tuple[int, ...], given: tuple[int, ...]) -> None:
    """Pieces of one gallery have as many tags and dimensions.

    Raises:
        BadShape: they differ.
    """
    if wanted != given:
        raise BadShape(
            f"{given[0]} tags and {given[1]} dimensions after {wanted[0]} and {wanted[1]}",
            where="CorrEmbedSums",
            hint="give every piece the same tag columns and vectors of the same encoder",
        )
