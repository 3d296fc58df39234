"""CorrEmbed: how well image similarity agrees with tag similarity (arXiv 2308.16126)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..values.arrays import Positions
from ..values.errors import BadShape
from ..values.scores import QueryScores
from ._images import CorrEmbedImages, parts
from ._influence import influence
from ._sums import (
    BOUNDS,
    Correlations,
    SelfPairs,
    check_self_pairs,
    correlate,
    gathered,
    sums_of,
)
from ._tag_rows import TagRows, tag_rows
from .base import Laws, check_queries

if TYPE_CHECKING:
    from ._tag_rows import TagMatrix

LAWS = Laws(low=-1.0, high=1.0)


def corrembed(
    images: npt.ArrayLike | CorrEmbedImages,
    tags: TagMatrix,
    *,
    queries: npt.ArrayLike | None = None,
    self_pairs: SelfPairs = "include",
) -> QueryScores:
    """CorrEmbed of each query: does what looks alike bear like tags?

    For query i, the Pearson correlation over all items j of the cosine similarity of
    images i and j with the cosine similarity of their tags (Borgersen et al. 2023,
    arXiv 2308.16126); the paper reports the mean over queries. Computed in linear
    time from centred sums, equal to ``corrembed_naive`` to 1e-9 for float64 vectors
    and to 1e-6 for float32 and float16:

        r_i = t_i' S_TY y_i / sqrt((t_i' S_TT t_i) (y_i' S_YY y_i))

    with t and y the rows of tags and images scaled to length one, and
    S_TY = sum over j of (t_j - mean(t)) (y_j - mean(y))', S_TT and S_YY alike.

    Args:
        images: (n, d) float16, float32 or float64, one row per item; or
            ``CorrEmbedImages`` of them, which saves most of the work when several tag
            matrices are scored against the same vectors.
        tags: (n, m) 0 and 1, or weights: dense, or SciPy sparse. Multiply a column by
            its weight beforehand (``Tags.weighted``); rows are scaled afterwards.
        queries: positions or a mask of the items to be scored; None for all. The
            gallery is always all items.
        self_pairs: ``"include"``, as printed, counts the pair of a query with itself,
            which always agrees: it raises the score, much when n is small.
            ``"exclude"`` leaves it out.

    Returns:
        Values in [-1, 1], one per query. NaN, counted and left out of the mean, where
        the query's image or tag row is zero, or its similarities to the gallery are
        constant: their standard deviation lies below 1.5e-8, or below what rounding
        the input could make of constant ones. Fewer than two items leave none a score.
        A row of zeros has similarity 0 with every item and takes part so in the gallery.

        ``interval`` covers the sampling of items, as queries and as gallery, where
        queries is None (its first call costs about one more score), and otherwise the
        sampling of queries from the given gallery.

    Raises:
        BadShape: no finite matrices of as many rows (the message names the rows that
            are not finite), or queries outside the items.
        BadSpec: self_pairs is neither ``"include"`` nor ``"exclude"``.

    Example:
        >>> import numpy as np
        >>> images = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])
        >>> tags = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
        >>> corrembed(images, tags).per_query.round(3)
        array([0.997, 0.996, 0.996, 0.997])
    """
    exclude = check_self_pairs(self_pairs)
    ready = images if isinstance(images, CorrEmbedImages) else CorrEmbedImages(images)
    return _score(ready, tag_rows(tags), check_queries(queries, len(ready)), exclude)[0]


@dataclass(frozen=True)
class CategoryScores:
    """CorrEmbed by tag category: what an encoder sees.

    Attributes:
        whole: the scores with all tags.
        alone: for each category, the scores with its tags only. An item without any
            of them has no score there.
        share: for each category, its part of ``whole.mean``: the parts of the
            numerator add up, so the shares do. A share can be negative.
    """

    whole: QueryScores
    alone: dict[str, QueryScores]
    share: dict[str, float]


def corrembed_by_category(
    images: npt.ArrayLike | CorrEmbedImages,
    tags: TagMatrix,
    categories: Sequence[str],
    *,
    queries: npt.ArrayLike | None = None,
    self_pairs: SelfPairs = "include",
) -> CategoryScores:
    """CorrEmbed of all tags, of each tag category alone, and each one's share of the whole.

    The sums over the images are taken once. A category alone is
    ``corrembed(images, tags[:, columns])``: rows are scaled anew. Its share is the mean
    over the queries that the whole scores of
    t_ic' S_cY y_i / sqrt((t_i' S_TT t_i) (y_i' S_YY y_i)), where t_ic holds the
    category's entries of t_i and S_cY the category's rows of S_TY.

    Args:
        images: as in ``corrembed``.
        tags: as in ``corrembed``.
        categories: (m,) category of each tag column.
        queries: as in ``corrembed``.
        self_pairs: as in ``corrembed``.

    Returns:
        Scores and shares, categories in the order of their first column. Without any
        score the shares are NaN.

    Raises:
        BadShape: as ``corrembed``, or not one category per column.
        BadSpec: as ``corrembed``.

    Example:
        >>> import numpy as np
        >>> images = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])
        >>> tags = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
        >>> found = corrembed_by_category(images, tags, ["kind", "kind", "season", "season"])
        >>> {name: round(share, 2) for name, share in found.share.items()}
        {'kind': 0.7, 'season': 0.0}
    """
    exclude = check_self_pairs(self_pairs)
    ready = images if isinstance(images, CorrEmbedImages) else CorrEmbedImages(images)
    chosen, whole = check_queries(queries, len(ready)), tag_rows(tags)
    if len(categories) != whole.shape[1]:
        raise BadShape(
            f"{len(categories)} categories for {whole.shape[1]} tag columns",
            where="corrembed_by_category",
            hint="give one category per column",
        )
    names = list(dict.fromkeys(categories))
    groups = np.array([names.index(name) for name in categories], np.int64)
    scores, found = _score(ready, whole, chosen, exclude, groups)
    shares = np.empty((0, len(names))) if found.shares is None else found.shares
    shares = shares[~np.isnan(found.score)]
    return CategoryScores(
        scores,
        {
            name: _score(ready, whole.keep(groups == place), chosen, exclude)[0]
            for place, name in enumerate(names)
        },
        {
            name: float(shares[:, place].mean()) if len(shares) else float("nan")
            for place, name in enumerate(names)
        },
    )


def _score(
    images: CorrEmbedImages,
    tags: TagRows,
    queries: Positions | None,
    exclude: bool,
    groups: Positions | None = None,
) -> tuple[QueryScores, Correlations]:
    sums = sums_of(images, tags)
    found = gathered(
        [
            correlate(
                sums,
                (images.rows(part)[0], images.selves[part]),
                tags,
                tags.rows(part),
                exclude=exclude,
                groups=groups,
            )
            for part in parts(len(images), max(sums.cross.shape), queries)
        ]
    )
    if queries is not None:
        return QueryScores(found.score, bounds=BOUNDS), found
    moved = partial(influence, images, tags, found, exclude)
    return QueryScores(found.score, moved, bounds=BOUNDS), found
