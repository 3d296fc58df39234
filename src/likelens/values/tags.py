"""Tags of items as a sparse one-hot matrix whose columns know their category."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .arrays import Positions
from .errors import BadTable, first_few, plural

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Tags:
    """Which item bears which tag.

    Attributes:
        matrix: (n, m) CSR, float32; 1 where item i bears tag j, or the tag's weight.
        names: (m,) name of each tag; a name may stand in two categories.
        categories: (m,) category of each tag.
        ids: (n,) item ids, or None where rows are known by position only.
    """

    matrix: csr_array
    names: tuple[str, ...]
    categories: tuple[str, ...]
    ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        columns = self.matrix.shape[1]
        if not columns == len(self.names) == len(self.categories):
            raise BadTable(
                f"{columns} tag columns with {len(self.names)} names and "
                f"{len(self.categories)} categories",
                where="Tags",
                hint="give one name and one category a column",
            )
        if self.ids is not None and len(self.ids) != self.matrix.shape[0]:
            raise BadTable(
                f"{len(self.ids):,} ids for {self.matrix.shape[0]:,} rows of tags",
                where="Tags",
                hint="give one id a row",
            )

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[Iterable[str] | str | None]],
        ids: Sequence[str] | None = None,
    ) -> Tags:
        """Tags from one column of cells per category.

        Args:
            columns: for each category, one cell per item: a tag, several tags, or
                None for none. A tag twice in a cell counts once.
            ids: item ids.

        Example:
            >>> tags = Tags.from_columns({"colour": ["red", ("red", "blue"), None]})
            >>> tags.names, tags.matrix.toarray().tolist()
            (('blue', 'red'), [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
        """
        from scipy.sparse import csr_array

        counts = {len(cells) for cells in columns.values()}
        if len(counts) > 1:
            raise BadTable(
                f"tag categories have different numbers of items: {sorted(counts)}",
                where=", ".join(columns),
                hint="give one cell per item in each category",
            )
        items = counts.pop() if counts else len(ids or ())
        names: list[str] = []
        categories: list[str] = []
        rows: list[int] = []
        places: list[int] = []
        for category, cells in columns.items():
            values: list[str] = []
            for row, cell in enumerate(cells):
                tags = (cell,) if isinstance(cell, str) else tuple(dict.fromkeys(cell or ()))
                rows += [row] * len(tags)
                values += tags
            found = sorted(set(values))
            place = {name: column for column, name in enumerate(found, len(names))}
            places += [place[value] for value in values]
            names += found
            categories += [category] * len(found)
        ones = np.ones(len(rows), np.float32)
        where = (np.array(rows, np.int64), np.array(places, np.int64))
        return cls(
            csr_array((ones, where), shape=(items, len(names))),
            tuple(names),
            tuple(categories),
            tuple(ids) if ids is not None else None,
        )

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @cached_property
    def category_names(self) -> tuple[str, ...]:
        """The categories, each once, in the order of their columns."""
        return tuple(dict.fromkeys(self.categories))

    @cached_property
    def _positions(self) -> dict[str, Positions]:
        """Positions of the columns of each category."""
        found: dict[str, list[int]] = {name: [] for name in self.category_names}
        for column, category in enumerate(self.categories):
            found[category].append(column)
        return {name: np.array(columns, np.int64) for name, columns in found.items()}

    def columns(self, category: str) -> Positions:
        """Positions of a category's columns.

        Raises:
            BadTable: no such category.
        """
        self._known([category])
        return self._positions[category]

    def drop(self, *categories: str) -> Tags:
        """Without some categories, such as sizes, which no picture shows.

        Raises:
            BadTable: no such category.
        """
        self._known(categories)
        return self._pick(np.flatnonzero(~np.isin(self.categories, categories)))

    def keep(self, *categories: str) -> Tags:
        """Only some categories.

        Raises:
            BadTable: no such category.
        """
        self._known(categories)
        return self._pick(np.flatnonzero(np.isin(self.categories, categories)))

    def weighted(self, weights: Mapping[str, float]) -> Tags:
        """Every column times the weight of its category; a category not named keeps weight 1.

        Raises:
            BadTable: no such category, or a weight that is negative or not finite.
        """
        from scipy.sparse import csr_array

        self._known(weights)
        bad = {name: value for name, value in weights.items() if not 0 <= value < np.inf}
        if bad:
            raise BadTable(
                f"weights must be finite and not negative: {bad}",
                where="Tags.weighted",
                hint="give 0 to leave a category out",
            )
        scale = np.array([weights.get(name, 1.0) for name in self.categories], np.float64)
        matrix = csr_array(self.matrix.astype(np.float64).multiply(scale))
        matrix.eliminate_zeros()
        return replace(self, matrix=matrix)

    def take(self, ids: Sequence[str]) -> Tags:
        """The rows of those items, in that order.

        Raises:
            BadTable: the tags have no ids, or an item is unknown.
        """
        if self.ids is not None and tuple(ids) == self.ids:
            return self
        place = {item: row for row, item in enumerate(self.ids or ())}
        lost = [item for item in ids if item not in place]
        if lost:
            raise BadTable(
                f"{plural(len(lost), 'item has', 'items have')} no row of tags: {first_few(lost)}",
                where="Tags.take",
                hint="take the tags of the catalogue that has these items",
            )
        rows = [place[item] for item in ids]
        return replace(self, matrix=self.matrix[rows], ids=tuple(ids))

    def _pick(self, columns: Positions) -> Tags:
        return replace(
            self,
            matrix=self.matrix[:, columns],
            names=tuple(self.names[column] for column in columns),
            categories=tuple(self.categories[column] for column in columns),
        )

    def _known(self, categories: Iterable[str]) -> None:
        unknown = [name for name in categories if name not in self._positions]
        if unknown:
            raise BadTable(
                f"no tag category {first_few(repr(name) for name in unknown)}",
                where="tags",
                hint=f"the categories are: {first_few(self.category_names, 30) or 'none'}",
            )
