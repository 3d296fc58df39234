"""Weights of tag categories, from what customers hold on to when they buy."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..values.arrays import Array, Floats, Positions, as_array
from ..values.errors import BadSpec, BadTable, first_few, plural
from ..values.tags import Tags

Normalise = Literal["range", "log"]
Purchases = tuple[Positions, Positions]
"""Customer (0, 1, ...) and item position of each purchase."""


def category_weights(
    customers: npt.ArrayLike,
    items: npt.ArrayLike,
    tags: Tags,
    *,
    min_orders: int = 1,
    none_tag: bool = False,
    normalise: Normalise = "range",
    unique_pairs: bool = False,
    recipe: Literal["released"] | None = None,
) -> dict[str, float]:
    """How much customers hold on to each tag category: CorrEmbed's weights (Eq. 5 and 6).

    A customer who always buys the same colour cares about colour. For customer u and
    category c, with p_ut the share of tag t among the tags of c that u bought,

        H_uc = - sum over t in c of p_ut ln(p_ut)             entropy (Eq. 5)
        H_c  = mean over u of H_uc
        w_c  = 1 - (H_c - min H) / (max H - min H)            over all categories (Eq. 6)

    so that the category that customers vary least weighs 1, and the one they vary most
    weighs 0 (Borgersen et al. 2023, arXiv 2308.16126).

    The options are what the authors' released code does instead:
    ``recipe="released"`` sets min_orders=11, unique_pairs, none_tag and
    normalise="log" together. What was assumed, where sources leave it open, is in
    ``docs/metrics.md``.

    Args:
        customers: (p,) ids of the customers, numbers or text, one per purchase.
        items: (p,) what was bought: whole numbers are rows of ``tags``, text is looked
            up in ``tags.ids``.
        tags: tags of the items. Weights in the matrix do not matter, only which tags
            are there.
        min_orders: customers with fewer purchases are left out; repeated purchases of
            one item count here.
        none_tag: a purchase without a tag of a category counts as a purchase of the tag
            "none", and p_ut is the share among u's purchases. By default such
            purchases say nothing about the category.
        normalise: ``"range"`` as above, or ``"log"``: w_c = 1 - H_c / ln(m_c + 1), with
            m_c the number of tags of c; at least 0.
        unique_pairs: what a customer bought several times counts once.
        recipe: ``"released"``: the four options above together, whatever they are.

    Returns:
        A weight from 0 to 1 for each category, for ``Tags.weighted``. A single
        category, or categories of equal entropy, weigh 1 under ``"range"``.

    Raises:
        BadTable: customers and items differ in number, an item is unknown, there are no
            purchases, no customer has enough of them, or (without none_tag) nobody
            bought any tag of some category.
        BadSpec: min_orders below 1, or an unknown ``normalise`` or ``recipe``.

    Example:
        >>> tags = Tags.from_columns({"colour": ["red", "red", "blue"],
        ...                           "kind": ["shoe", "bag", "hat"]})
        >>> category_weights(["ann", "ann", "bob"], [0, 1, 2], tags)
        {'colour': 1.0, 'kind': 0.0}
    """
    if recipe == "released":
        min_orders, none_tag, normalise, unique_pairs = 11, True, "log", True
    _check_options(min_orders, normalise, recipe)
    bought = _purchases(customers, items, tags, min_orders)
    if unique_pairs:
        pairs = np.unique(np.column_stack(bought), axis=0)
        bought = pairs[:, 0], pairs[:, 1]
    entropy = {
        category: _mean_entropy(bought, tags, category, none_tag)
        for category in tags.category_names
    }
    unknown = [category for category, value in entropy.items() if np.isnan(value)]
    if unknown:
        raise BadTable(
            f"nobody bought an item with a tag of {first_few(repr(name) for name in unknown)}",
            where="purchases",
            hint="drop these categories, or count items without a tag with none_tag=True",
        )
    if normalise == "range":
        low, high = min(entropy.values()), max(entropy.values())
        wide = high - low > 1e-12
        return {c: (high - h) / (high - low) if wide else 1.0 for c, h in entropy.items()}
    sizes = {category: len(tags.columns(category)) for category in entropy}
    return {c: max(0.0, 1.0 - h / float(np.log(sizes[c] + 1))) for c, h in entropy.items()}


def _mean_entropy(bought: Purchases, tags: Tags, category: str, none_tag: bool) -> float:
    """Mean over customers of the entropy of a category; NaN if it says nothing of any."""
    who, what = bought
    has: Any = tags.matrix[:, tags.columns(category)]
    has = (has != 0).astype(np.float64)
    counts = _counts(who, has[what])
    if none_tag:
        bare = np.asarray(has.sum(axis=1)).ravel()[what] == 0
        counts = np.column_stack([counts, np.bincount(who, bare, len(counts))])
        total = np.bincount(who, minlength=len(counts)).astype(np.float64)
    else:
        total = counts.sum(axis=1)
    share = counts[total > 0] / total[total > 0, None]
    logs = np.log(share, where=share > 0, out=np.zeros_like(share))
    entropies = -(share * logs).sum(axis=1)
    return float(entropies.mean()) if len(entropies) else float("nan")


def _counts(who: Positions, has: Any) -> Floats:
    """How often each customer bought each tag: (customers, tags)."""
    from scipy.sparse import csr_array

    rows = np.arange(len(who))
    by_customer = csr_array((np.ones(len(who)), (who, rows)), shape=(who.max() + 1, len(who)))
    return np.asarray((by_customer @ has).toarray())


def _purchases(
    customers: npt.ArrayLike, items: npt.ArrayLike, tags: Tags, min_orders: int
) -> Purchases:
    """The purchases of the customers with enough of them, customers numbered anew."""
    buyers = as_array(customers, where="customers")
    what = as_array(items, where="items")
    if buyers.ndim != 1 or buyers.shape != what.shape or not len(buyers):
        raise BadTable(
            f"purchases of {buyers.shape} customers and {what.shape} items",
            where="purchases",
            hint="give one customer and one item per purchase, and at least one purchase",
        )
    positions = _positions(what, tags)
    _, who, orders = np.unique(buyers, return_inverse=True, return_counts=True)
    enough = orders[who] >= min_orders
    if not enough.any():
        raise BadTable(
            f"no customer has {min_orders} purchases; the most is {orders.max()}",
            where="purchases",
            hint="give a lower min_orders",
        )
    return np.unique(who[enough], return_inverse=True)[1], positions[enough]


def _positions(items: Array, tags: Tags) -> Positions:
    if items.dtype.kind in "iu":
        known = (items >= 0) & (items < len(tags))
        positions = items.astype(np.int64)
    else:
        place = {item: row for row, item in enumerate(tags.ids or ())}
        positions = np.array([place.get(str(item), -1) for item in items], np.int64)
        known = positions >= 0
    if not known.all():
        lost = np.unique(items[~known])
        raise BadTable(
            f"{plural(len(lost), 'item that was bought is', 'items that were bought are')} "
            f"unknown: {first_few(lost)}",
            where="purchases",
            hint="give rows of the tags, or ids among tags.ids",
        )
    return positions


def _check_options(min_orders: int, normalise: str, recipe: str | None) -> None:
    if min_orders < 1 or normalise not in ("range", "log") or recipe not in (None, "released"):
        raise BadSpec(
            f"no weights with min_orders={min_orders!r}, normalise={normalise!r} and "
            f"recipe={recipe!r}",
            where="category_weights",
            hint="give min_orders from 1, normalise 'range' or 'log', recipe 'released' or None",
        )
