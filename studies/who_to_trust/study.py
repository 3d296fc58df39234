"""Discovery on shops whose true similarity is known, over many seeds."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from likelens._embed import Progress
from likelens.encoders.base import cores
from likelens.report.lines import Estimate
from likelens.values.arrays import Floats, Positions
from likelens.values.errors import BadSpec
from likelens.values.files import plain, write_aside

from .budget import HOURS
from .draw import ENCODERS
from .score import Settings, places
from .seed import measure_shop

VERSION = 1
"""Raised when the same seed gives other figures than before."""

FEWEST = 5
"""Shops that an interval needs: with fewer, equal values by chance are too likely."""

Ends = tuple[float, float]
"""The least and the most that a figure can be."""

ANY: Ends = (-math.inf, math.inf)
SHARE: Ends = (0.0, 1.0)
CORRELATION: Ends = (-1.0, 1.0)
PLACES: Ends = (1.0 - len(ENCODERS), len(ENCODERS) - 1.0)

Shop = Mapping[str, Any]
"""What ``measure_shop`` gives of one seed."""


@dataclass(frozen=True)
class Trust:
    """The figures of all shops.

    Attributes:
        settings: what was taken as given.
        shops: the figures of each seed.
    """

    settings: Settings
    shops: tuple[Shop, ...] = field(repr=False)

    def over(self, value: Callable[[Shop], float], ends: Ends = ANY) -> Estimate:
        """The mean of a figure over the shops, with its 95 % interval; see ``estimate``."""
        return estimate([value(shop) for shop in self.shops], ends)

    def fact(self, name: str) -> Estimate:
        """A figure of the shops as such, such as the prevalence."""
        ends = {"kappa": CORRELATION, "pairs": (0.0, math.inf)}.get(name, SHARE)
        return self.over(lambda shop: shop["facts"][name], ends)

    def found(self, size: int, k: int, what: str = "recall") -> Estimate:
        """What pools of so many encoders find at a depth: ``recall``, or ``share`` judged."""
        return self.over(lambda shop: _row(shop["found"], size=size, k=k)[what], SHARE)

    def twice(self, metric: str, value: Callable[[Twice], float], ends: Ends = PLACES) -> Estimate:
        """A figure of the two judgements of each encoder, see ``Twice``; in places, as a rule."""
        return self.over(lambda shop: value(Twice.of(shop, metric)), ends)

    def share_lost(self, metric: str) -> Estimate:
        """Share of the mean score that is lost by staying out."""
        return self.twice(metric, Twice.share_lost, (-math.inf, 1.0))

    def by_hours(self, metric: str) -> list[tuple[float, Estimate]]:
        """Agreement with the true order for each budget."""
        return [(hours, self.at_hours(hours, metric)) for hours in HOURS]

    def at_hours(self, hours: float, metric: str) -> Estimate:
        """Agreement with the true order for a budget."""
        return self.over(
            lambda shop: _row(shop["hours"], hours=hours)["order"][metric], CORRELATION
        )

    def bought(self, hours: float, what: str) -> Estimate:
        """How many ``pairs`` of how many ``queries`` are judged, or items are ``tagged``."""
        return self.over(lambda shop: _row(shop["hours"], hours=hours)[what], (0.0, math.inf))

    def by_depth(self, k: int, metric: str) -> Estimate:
        """Agreement with the true order, the same budget spent at a depth."""
        return self.over(lambda shop: _row(shop["depths"], k=k)["order"][metric], CORRELATION)

    def at_depth(self, k: int) -> float:
        """How many queries the same budget reaches at a depth."""
        return self.over(lambda shop: _row(shop["depths"], k=k)["queries"]).mean

    @cached_property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """All tables as rows of plain values."""
        from .tables import everything

        return everything(self)


@dataclass(frozen=True)
class Twice:
    """Each encoder judged by a pool that it took part in, and by the same without it.

    Attributes:
        inside, outside: (m,) the scores.
        inside_place, outside_place: (m,) the places among all encoders.
        place: (m,) the true place.
    """

    inside: Floats
    outside: Floats
    inside_place: Floats
    outside_place: Floats
    place: Positions

    @classmethod
    def of(cls, shop: Shop, metric: str) -> Twice:
        """Those of a shop by a metric."""
        row = shop["twice"][metric]
        inside, outside, first, second = (
            np.array(row[side], np.float64) for side in ("in", "out", "in_place", "out_place")
        )
        return cls(inside, outside, first, second, places(shop["truth"]))

    def flattered(self) -> float:
        """Places that an encoder is ranked too low when inside; below 0: too high."""
        return float((self.inside_place - self.place).mean())

    def wronged(self) -> float:
        """Places that an encoder is ranked too low when outside."""
        return float((self.outside_place - self.place).mean())

    def lost(self) -> float:
        """Places that an encoder loses by staying out."""
        return float(self.losses().mean())

    def losses(self) -> Floats:
        """(m,) places that each encoder loses by staying out."""
        return self.outside_place - self.inside_place

    def share_lost(self) -> float:
        """Share of the mean score that is lost by staying out."""
        return float(1 - self.outside.mean() / self.inside.mean())


def trust(
    work: str | os.PathLike[str],
    *,
    seeds: int = 20,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Trust:
    """Simulates shops, experts and encoders, and asks whom to trust.

    Args:
        work: folder where the figures of each seed are kept; an interrupted run continues
            there. Figures of other settings are measured again.
        seeds: how many shops; 2 at least, and ``FEWEST`` for intervals.
        settings: what is taken as given.
        progress: called after every shop.

    Returns:
        The figures of all shops.

    Raises:
        BadSpec: fewer than two seeds.
        BadTable: the folder cannot be written to.
    """
    settings = settings or Settings()
    if seeds < 2:
        raise BadSpec(
            f"seeds is {seeds}, too few to compare shops",
            where="who-to-trust, seeds",
            hint=f"give 2 at least, {FEWEST} for intervals; 20 are usual",
        )
    places_of = {seed: Path(work) / f"seed-{seed:03d}.json" for seed in range(seeds)}
    shops = {seed: _kept(path, seed, settings) for seed, path in places_of.items()}
    missing = [seed for seed, shop in shops.items() if shop is None]
    report = progress or (lambda *_: None)
    report("shops", seeds - len(missing), seeds)
    for done, (seed, shop) in enumerate(_measured(missing, settings), 1):
        shops[seed] = _keep(places_of[seed], seed, settings, shop)
        report("shops", seeds - len(missing) + done, seeds)
    return Trust(settings, tuple(shop for shop in shops.values() if shop is not None))


def _measured(seeds: Sequence[int], settings: Settings) -> Iterator[tuple[int, Shop]]:
    """The figures of each seed as they become ready, a thread for each core."""
    workers = ThreadPoolExecutor(cores())
    try:
        waiting = {workers.submit(measure_shop, seed, settings): seed for seed in seeds}
        for one in as_completed(waiting):
            yield waiting[one], one.result()
    finally:
        workers.shutdown(cancel_futures=True)


def estimate(values: Iterable[float | None], ends: Ends = ANY) -> Estimate:
    """A mean over seeds and its 95 % interval by Student's t.

    Args:
        values: a figure of each seed; those without one are left out.
        ends: what the figure can be at least and at most, where the interval is cut.

    Returns:
        No mean without a figure, and no interval of fewer than ``FEWEST``.
    """
    from scipy.special import stdtrit

    known = [value for value in values if value is not None and math.isfinite(value)]
    mean = float(np.mean(known)) if known else math.nan
    if len(known) < FEWEST:
        return Estimate(mean, math.nan, math.nan)
    reach = float(stdtrit(len(known) - 1, 0.975) * np.std(known, ddof=1) / math.sqrt(len(known)))
    return Estimate(mean, max(mean - reach, ends[0]), min(mean + reach, ends[1]))


def _kept(path: Path, seed: int, settings: Settings) -> Shop | None:
    """The figures of a seed, if they were kept."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return dict(kept["shop"]) if kept["key"] == _key(seed, settings) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, incomplete, or another file


def _keep(path: Path, seed: int, settings: Settings, shop: Shop) -> Shop:
    """The figures as they are read again."""
    values: Shop = plain(shop)
    text = json.dumps({"key": _key(seed, settings), "shop": values}, allow_nan=False)
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))
    return values


def _key(seed: int, settings: Settings) -> Any:
    return plain({"version": VERSION, "seed": seed, **asdict(settings)})


def _row(rows: Sequence[Mapping[str, Any]], **key: float) -> Mapping[str, Any]:
    """The row with these values."""
    return next(row for row in rows if all(row[name] == value for name, value in key.items()))
