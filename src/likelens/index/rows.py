"""The vectors of an index by position, and which entry of its structure stands for which."""

from __future__ import annotations

import numpy as np

from ..values.arrays import Array, Floats, Positions


class Rows:
    """Vectors by position. A position is given out once and never means another item.

    A structure (a graph, lists, codes) numbers what it was given from 0 on: its labels.
    A vector that changes gets a new label; the old one stays, and is passed over.

    Attributes:
        live: (n,) bool: not removed.
        gone: how many were removed.
        live_rows: ascending positions that are live, or None for all.
        labels: how many labels the structure has given out.
        kept: (labels,) bool: those to be found, or None for all.
    """

    def __init__(self, vectors: Floats) -> None:
        self._buffer, self._count = vectors, len(vectors)
        self.live = np.ones(len(vectors), bool)
        self.gone, self.labels = 0, 0
        self.live_rows: Positions | None = None
        self.kept: Array | None = None
        self._label_of: Positions | None = None  # None: label and position are the same
        self._position_of: Positions | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def vectors(self) -> Floats:
        """The vectors (n, d); the removed ones too."""
        return self._buffer[: self._count]

    @property
    def count(self) -> int:
        """How many are live."""
        return self._count - self.gone

    @property
    def stale(self) -> int:
        """How many labels stand for nothing any more; every live vector has one that does."""
        return self.labels - self.count if self.labels else 0

    @property
    def plain(self) -> bool:
        """Whether label and position are the same."""
        return self._label_of is None

    def positions(self, labels: Positions) -> Positions:
        """The positions that labels stand for; -1 stays -1."""
        if self._position_of is None:
            return labels
        return np.where(labels < 0, -1, self._position_of[labels])

    def keep(self, rows: Positions) -> Array:
        """Mask over the labels: those that stand for these positions."""
        mask = np.zeros(self.labels, bool)
        mask[rows if self._label_of is None else self._label_of[rows]] = True
        return mask

    def reserve(self, count: int) -> None:
        """Makes room for so many vectors, and for half as many again."""
        if count > len(self._buffer):
            larger = np.empty((max(count, len(self) * 3 // 2), self._buffer.shape[1]), np.float32)
            larger[: len(self)] = self.vectors
            self._buffer = larger

    def append(self, vectors: Floats, *, labelled: bool) -> None:
        """Adds vectors, for which there is room, at the end."""
        first, self._count = self._count, self._count + len(vectors)
        self._buffer[first : self._count] = vectors
        self.live = np.append(self.live, np.ones(len(vectors), bool))
        if self._label_of is not None and self._position_of is not None:
            labels = np.arange(self.labels, self.labels + len(vectors))
            self._label_of = np.append(self._label_of, labels)
            self._position_of = np.append(self._position_of, np.arange(first, self._count))
        self.labels += len(vectors) * labelled
        self.refresh()

    def replace(self, rows: Positions, vectors: Floats, *, labelled: bool) -> None:
        """Changes vectors; in a structure they come under new labels."""
        self._buffer[rows] = vectors
        if labelled:
            if self._label_of is None or self._position_of is None:
                self._label_of = np.arange(self._count)
                self._position_of = np.arange(self.labels)
            self._label_of[rows] = np.arange(self.labels, self.labels + len(rows))
            self._position_of = np.append(self._position_of, rows)
            self.labels += len(rows)
        self.refresh()

    def remove(self, rows: Positions) -> None:
        """Takes vectors out of the search."""
        self.live[rows] = False
        self.gone += len(rows)
        self.refresh()

    def relabel(self, rows: Positions | None) -> None:
        """For a new structure, made of these positions in this order, or of all."""
        self._label_of = self._position_of = None
        self.labels = self._count if rows is None else len(rows)
        if rows is not None:
            self._position_of = rows
            self._label_of = np.full(self._count, -1)
            self._label_of[rows] = np.arange(len(rows))
        self.refresh()

    def unlabel(self) -> None:
        """For no structure at all."""
        self._label_of = self._position_of = None
        self.labels = 0
        self.refresh()

    def refresh(self) -> None:
        """What searches need to know, worked out once after each change."""
        self.live_rows = np.flatnonzero(self.live) if self.gone else None
        self.kept = None
        if self.stale:
            rows = np.arange(self._count) if self.live_rows is None else self.live_rows
            self.kept = self.keep(rows)

    def pack(self) -> dict[str, Array]:
        """Arrays from which ``unpack`` makes the same again."""
        arrays: dict[str, Array] = {"rows": self.vectors, "live": self.live}
        if self._label_of is not None and self._position_of is not None:
            arrays |= {"label_of": self._label_of, "position_of": self._position_of}
        return arrays

    @classmethod
    def unpack(cls, arrays: dict[str, Array], labels: int) -> Rows:
        """The rows that ``pack`` took apart.

        Raises:
            ValueError: the arrays do not fit each other.
        """
        rows = cls(arrays["rows"])
        count = len(rows)
        rows.live, rows.labels = arrays["live"], labels
        rows.gone = count - int(rows.live.sum())
        if rows.live.shape != (count,):
            raise ValueError("live")
        if "label_of" in arrays:
            label_of, position_of = arrays["label_of"], arrays["position_of"]
            if label_of.shape != (count,) or position_of.shape != (labels,):
                raise ValueError("labels")
            if not (_within(label_of, -1, labels) and _within(position_of, 0, count)):
                raise ValueError("labels")
            rows._label_of, rows._position_of = label_of, position_of
        elif labels not in (0, count):
            raise ValueError("labels")
        rows.refresh()
        return rows


def _within(numbers: Array, low: int, end: int) -> bool:
    return bool(((numbers >= low) & (numbers < end)).all())
