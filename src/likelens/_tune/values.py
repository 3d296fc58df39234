"""What tuning found: settings, the one to take, and how their cost grows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..values.views import VIEWS
from .growth import Law, fit_law
from .setting import Setting

AS_QUICK = 1.1
"""An index that is quicker than exact search by less than this factor is not worth having."""

COSTS = ("p50_seconds", "size_bytes", "build_seconds")
"""Costs whose growth is told."""

FAR = (1_000_000, 10_000_000, 100_000_000)
"""Numbers of vectors that costs are extrapolated to."""

LEAST_ITEMS = 2_000
"""With fewer vectors nothing is extrapolated."""


@dataclass(frozen=True)
class Growth:
    """How the costs of one setting grow with the number of vectors.

    Attributes:
        setting: at the largest size measured.
        recalls: recall at each size, (items, recall), which falls as vectors are added.
        laws: the power law of each of ``COSTS``.
    """

    setting: Setting
    recalls: tuple[tuple[int, float], ...]
    laws: dict[str, Law]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; whatever is extrapolated stands under that name."""
        far = {
            f"{items}": {cost: self._at(law, items) for cost, law in self.laws.items()}
            for items in FAR
            if items > self.setting.items
        }
        exponents = {
            cost: {"exponent": law.exponent, "low": law.low, "high": law.high}
            for cost, law in self.laws.items()
        }
        recalls = [{"items": items, "recall": recall} for items, recall in self.recalls]
        return {
            "index": self.setting.spec,
            "recalls": recalls,
            "exponents": exponents,
            "extrapolated": far,
        }

    @staticmethod
    def _at(law: Law, items: int) -> dict[str, float]:
        return dict(zip(("value", "low", "high"), law.at(items), strict=True))


@dataclass(frozen=True)
class Tuning:
    """What ``tune`` found.

    Attributes:
        items: vectors.
        dim: their length.
        k: how many others were asked for.
        target_recall: what the recommended setting reaches.
        queries: items that were asked with.
        seed: that drew them.
        measured: every setting at every size, in the order measured.
        notes: what was left out, and why.
        stopped: whether the user stopped it.
        seconds: how long it took.
        tried: the kinds that were built of all vectors, and at least one setting measured.
        not_tried: those that there was no time for.
        encoder: whose vectors they are, if that is known.
    """

    items: int
    dim: int
    k: int
    target_recall: float
    queries: int
    seed: int
    measured: tuple[Setting, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    stopped: bool = False
    seconds: float = 0.0
    tried: tuple[str, ...] = ()
    not_tried: tuple[str, ...] = ()
    encoder: str = ""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Those of all vectors."""
        return tuple(one for one in self.measured if one.items == self.items)

    @property
    def lines(self) -> tuple[str, ...]:
        """What was built of all vectors, in order."""
        return tuple(dict.fromkeys(one.line for one in self.settings))

    @property
    def recommended(self) -> Setting | None:
        """The quickest that reaches the target; exact search, if that is about as quick."""
        good = [one for one in self.settings if one.recall >= self.target_recall]
        if not good:
            return None
        best = min(good, key=lambda one: one.p50_seconds)
        exact = [one for one in good if one.line == "exact"]
        worth = not exact or exact[0].p50_seconds > AS_QUICK * best.p50_seconds
        return best if worth else exact[0]

    def best_of(self, line: str) -> Setting:
        """The quickest of a line that reaches the target, else the one with the best recall."""
        own = [one for one in self.settings if one.line == line]
        good = [one for one in own if one.recall >= self.target_recall]
        if good:
            return min(good, key=lambda one: one.p50_seconds)
        return max(own, key=lambda one: (one.recall, -one.p50_seconds))

    @property
    def growth(self) -> tuple[Growth, ...]:
        """How the best setting of each line grows, if it was measured at three sizes or more."""
        found = [_growth(self.measured, self.best_of(line)) for line in self.lines]
        return tuple(one for one in found if one is not None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        best = self.recommended
        return {
            "encoder": self.encoder,
            **{name: getattr(self, name) for name in ("items", "dim", "k", "target_recall")},
            **{name: getattr(self, name) for name in ("queries", "seed", "stopped")},
            "seconds": self.seconds,
            "tried": list(self.tried),
            "not_tried": list(self.not_tried),
            "recommended": None if best is None else best.spec,
            "settings": [asdict(one) for one in self.settings],
            "growth": [one.to_dict() for one in self.growth],
            "notes": list(self.notes),
        }

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a page with the curve, in one file; returns its path.

        Raises:
            BadTable: the file cannot be written.
        """
        VIEWS.load("page of tuning")(self, self.encoder, Path(path))
        return Path(path)


def _growth(measured: Sequence[Setting], setting: Setting) -> Growth | None:
    own = sorted((one for one in measured if one.spec == setting.spec), key=lambda one: one.items)
    sizes = [one.items for one in own]
    laws = {cost: fit_law(sizes, [getattr(one, cost) for one in own]) for cost in COSTS}
    memory = [one.size_bytes for one in own]
    laws["size_bytes"] = fit_law(sizes, [size - _fixed(sizes, memory) for size in memory])
    known = {cost: law for cost, law in laws.items() if law is not None}
    if not known:
        return None
    return Growth(setting, tuple((one.items, one.recall) for one in own), known)


def _fixed(sizes: Sequence[int], memory: Sequence[int]) -> float:
    """Bytes that no vector adds to, such as planes: where the straight line meets zero vectors.

    A power law would take them for slow growth, and foretell less than the vectors need.
    """
    if len(sizes) < 3:
        return 0.0
    start = float(np.polyfit(sizes, memory, 1)[1])
    return start if 0 < start < min(memory) else 0.0
