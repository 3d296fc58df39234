"""The protocol of a measurement: who asks, what is relevant, which pictures are copies."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .values.arrays import Positions
from .values.boxes import box_text
from .values.catalogue import Catalogue
from .values.copurchases import PurchaseRelevance
from .values.errors import BadShape, BadTable
from .values.qrels import JudgedRelevance, Judgements
from .values.relevance import NONE, LabelRelevance, Relevance, TagRelevance
from .values.tags import Tags


def choose_queries(
    labels: Sequence[Hashable | None], per_class: int | None = None, *, seed: int = 0
) -> Positions:
    """The rows to ask with: some at random of each class, or every row that has a class.

    Args:
        labels: class of every row of the query table; rows of None are never chosen.
        per_class: how many of each class, without repeats; all of a class that has
            fewer. None for all.
        seed: of the draw. Equal seeds draw the same rows; a class's draw does not depend
            on the other classes.

    Returns:
        Positions, ascending.

    Raises:
        BadShape: per_class is below 1.

    Example:
        >>> choose_queries(["cat", "dog", "cat", None, "cat"], 2)
        array([0, 1, 2])
    """
    if per_class is not None and per_class < 1:
        raise BadShape(
            f"{per_class} queries of each class are none",
            where="choose_queries",
            hint="give at least 1, or None for all",
        )
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        if label is not None:
            rows.setdefault(str(label), []).append(row)
    chosen: list[int] = []
    for name, places in rows.items():
        if per_class is None or len(places) <= per_class:
            chosen += places
            continue
        draw = np.random.default_rng([seed, *name.encode()])
        chosen += draw.choice(places, per_class, replace=False).tolist()
    return np.array(sorted(chosen), np.int64)


@dataclass(frozen=True)
class Copies:
    """Pictures that are the same byte for byte under several ids.

    Attributes:
        groups: the positions of each group of copies, ascending.
        first: positions of all items but the second and further copies.
    """

    groups: tuple[Positions, ...]
    first: Positions = field(repr=False)

    @property
    def pictures(self) -> int:
        """How many items have a copy."""
        return sum(len(group) for group in self.groups)

    def __str__(self) -> str:
        if not self.groups:
            return "no two pictures are identical byte for byte"
        return (
            f"{self.pictures:,} pictures are identical byte for byte to another one, "
            f"in {len(self.groups):,} group{'' if len(self.groups) == 1 else 's'}"
        )


def find_copies(digests: Sequence[Hashable | None]) -> Copies:
    """Which pictures are copies, by the digests of their files.

    Copies make a search look better than it is: a query's copy is found at rank 1 by any
    encoder. ``catalogue.take`` of the ids at ``first`` counts each picture once.

    Args:
        digests: of each item's file, as the store keeps them; None where not known.

    Example:
        >>> copies = find_copies(["a", "b", "a", "c"])
        >>> copies.pictures, copies.first
        (2, array([0, 1, 3]))
    """
    groups: dict[Hashable, list[int]] = {}
    for row, digest in enumerate(digests):
        groups.setdefault((row,) if digest is None else digest, []).append(row)
    return Copies(
        tuple(np.array(rows, np.int64) for rows in groups.values() if len(rows) > 1),
        np.array([rows[0] for rows in groups.values()], np.int64),
    )


def relevance_of(
    catalogue: Catalogue,
    by: Literal["classes", "products", "tags", "purchases"] | Judgements,
    *,
    queries: Catalogue | None = None,
    least: float | None = None,
) -> Relevance:
    """Relevance by what a catalogue knows of its items.

    Args:
        catalogue: the gallery.
        by: its classes, products, tags or purchases; or judgements of its ids. By purchases,
            items of one basket (without baskets: of one customer) are relevant to each other.
        queries: a separate query table; None where the items are the queries. A query
            whose picture is the same file as an item's is that item, and never finds it.
        least: see ``TagRelevance`` and ``JudgedRelevance``; None for theirs.

    Raises:
        BadTable: the catalogue, or that of the queries, has no classes, products or tags;
            no two of its items were bought together; purchases with another catalogue of
            queries; or none of the judgements is of these items.
    """
    own = None if queries is None else same_files(queries, catalogue)
    level = {} if least is None else {"least": least}
    if isinstance(by, Judgements):
        asked = None if queries is None else queries.ids
        return JudgedRelevance(by, catalogue.ids, queries=asked, own=own, **level)
    if by == "tags":
        theirs = None if queries is None else _tags(queries)
        return TagRelevance(_tags(catalogue), queries=theirs, own=own, **level)
    if by == "purchases":
        return purchase_relevance(catalogue, queries=queries)
    labels = None if queries is None else _labels(queries, by)
    return LabelRelevance(_labels(catalogue, by), queries=labels, own=own)


def purchase_relevance(
    catalogue: Catalogue,
    *,
    queries: Catalogue | None = None,
    copies: Sequence[Hashable | None] | None = None,
) -> PurchaseRelevance:
    """Relevance by what was bought together; see ``relevance_of``.

    Args:
        catalogue: with purchases.
        queries: must be None: only items that are sold have purchases.
        copies: digest of each item's image: items of one digest are copies.

    Raises:
        BadTable: as ``relevance_of``.
    """
    where = str(catalogue.layout.source)
    bought = catalogue.purchases
    if bought is None or queries is not None:
        raise BadTable(
            "there are no purchases"
            if bought is None
            else "queries of another catalogue were not bought with these items",
            where=where,
            hint="name the table of purchases (--purchases)"
            if bought is None
            else "leave the other queries out, or give judgements of them",
        )
    places = np.array([catalogue.position.get(item, NONE) for item in bought.items], np.int64)
    known = places != NONE
    kin = [one for one in (catalogue.products, copies) if one is not None]
    together = bought.customers if bought.baskets is None else bought.baskets
    baskets = [name or None for name in together[known].tolist()]
    found = PurchaseRelevance(baskets, places[known], len(catalogue), kin=kin)
    if not found.baskets:
        raise BadTable(
            f"no two items were bought together in {len(bought):,} purchases, "
            f"{int(known.sum()):,} of them of items of the catalogue",
            where=str(bought.path),
            hint="check the columns of customers and items (--customer, --item)",
        )
    return found


def _labels(catalogue: Catalogue, by: str) -> tuple[str | None, ...]:
    kinds = {
        "classes": (catalogue.labels, "name their column with --category"),
        "products": (catalogue.products, "name their column with --product"),
    }
    labels, hint = kinds.get(by, (None, "give classes, products, tags, purchases, or judgements"))
    if labels is None:
        raise BadTable(f"the catalogue has no {by}", where=str(catalogue.layout.source), hint=hint)
    return labels


def _tags(catalogue: Catalogue) -> Tags:
    if not catalogue.tags.names:
        raise BadTable(
            "the catalogue has no tags",
            where=str(catalogue.layout.source),
            hint="name their columns with --tags",
        )
    return catalogue.tags


def same_files(queries: Catalogue, catalogue: Catalogue) -> Positions:
    """(q,) position of the item whose picture is the query's file; -1 where there is none.

    Where both have boxes, it must also be the same box of the file.
    """
    boxed = queries.boxes is not None and catalogue.boxes is not None
    theirs, ours = (_shown(one, boxed=boxed) for one in (queries, catalogue))
    place = {shown: row for row, shown in enumerate(ours)}
    return np.array([place.get(shown, NONE) for shown in theirs], np.int64)


def _shown(catalogue: Catalogue, *, boxed: bool) -> Iterator[Hashable]:
    """What tells the picture of each item from others: its file and, if asked for, its box."""
    boxes = catalogue.boxes if boxed else None
    for row, path in enumerate(catalogue.paths):
        yield path.resolve(), None if boxes is None else box_text(boxes[row])
