"""The result section of the CorrEmbed paper (arXiv 2308.16126), measured on a catalogue."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Literal, TypeGuard

import numpy as np

from .._compare import compare
from .._embed import Progress
from .._leaderboard import Entry, Leaderboard
from ..encoders.base import Encoder, FittedEncoder, VectorSource, cores, shaped
from ..encoders.onnx import OUTPUT as OUTPUT_NAMES
from ..encoders.running import Running
from ..images import open_image
from ..presets import Row, find
from ..store.base import Store
from ..values.arrays import Array
from ..values.catalogue import Catalogue
from ..values.spec import Spec
from ._lineup import Missing, controls, open_rows, rows_of, short_name

BATCH = 90
"""Pictures in the batch of Table 3: the authors cut 18,060 into 200 parts."""

ROUNDS = 3
"""So many times a batch is timed, after one time that is not counted; the median counts."""

OUTPUT, PENULTIMATE, ONLY = "output", "penultimate", "only"
"""Layers of a network; an encoder that is no network has an only one."""


@dataclass(frozen=True)
class Network:
    """One row of the tables: a network with all of its layers, another encoder, or a control.

    Attributes:
        spec: its name without a layer.
        label: its name, short.
        entries: what was measured, by layer: ``output``, ``penultimate`` or ``only``.
        seconds: median time of a forward pass of ``BATCH`` prepared pictures; NaN if it
            has none.
        row: its row of a preset, with the published figures, or None.
    """

    spec: str
    label: str
    entries: Mapping[str, Entry] = field(repr=False)
    seconds: float
    row: Row | None = field(repr=False)

    @property
    def control(self) -> bool:
        """Whether it stands for chance."""
        return self.spec.startswith("control:")

    def entry(self, layer: str) -> Entry | None:
        """What was measured of a layer; an only layer stands for each of them."""
        return self.entries.get(layer, self.entries.get(ONLY))

    @property
    def top(self) -> Entry:
        """The entry of Table 2: the output where it was measured."""
        return self.entry(OUTPUT) or next(iter(self.entries.values()))


@dataclass(frozen=True)
class Reproduction:
    """All that the tables and figures are made of.

    Attributes:
        board: the comparison.
        networks: best output first, controls last.
        missing: rows that could not be measured, and why.
        items: how many items the catalogue has, of which ``board`` may have a sample.
    """

    board: Leaderboard
    networks: tuple[Network, ...]
    missing: Missing
    items: int


def corrembed(
    catalogue: Catalogue,
    encoders: Sequence[str | Row],
    store: Store | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    items: int | None = None,
    recipe: Literal["released"] | None = None,
    self_pairs: Literal["include", "exclude"] = "include",
    seed: int = 0,
    running: Running | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Measures what the paper's Tables 1 to 3 and Figures 2 to 7 show.

    Both controls are added whether they are named or not. A network with an output and
    a layer before it is measured at both, unless its spec names a layer.

    Args:
        catalogue: with tags, and with purchases for the weighted scores.
        encoders: their specs, or rows of a preset.
        store: where vectors are kept; None keeps them in memory only.
        out: folder for the tables, charts and the report; None writes nothing.
        items: measure a sample of so many items, drawn with the seed.
        recipe: ``released`` weighs purchases as the authors' released code did.
        self_pairs: whether an item's likeness to itself counts, as in the paper's equations.
        seed: of the sample, the controls and the resampling.
        running: the device of networks; by default a GPU if there is one.
        progress: told of every step.

    Returns:
        The measurement. Rows whose weights, file or library are not here are in ``missing``.

    Raises:
        BadSpec: an encoder is named wrongly, or none is named.
        BadTable: no tags, or too few items.
        NoWeights, MissingExtra: not one of the encoders can be had.
    """
    say = progress or (lambda _label, _done, _total: None)
    networks, missing = open_rows(rows_of(encoders), running)
    opened = [layer for one in networks for layer in _at_layers(one, running)]
    chosen = sample(catalogue, items, seed)
    board = compare(
        chosen,
        [*opened, *controls(opened)],
        store,
        recipe=recipe,
        self_pairs=self_pairs,
        seed=seed,
        running=running,
        progress=progress,
    )
    failed = [(Row(spec, short_name(spec), ""), why) for spec, why in board.missing.items()]
    missing = (*missing, *failed)
    board = replace(_renamed(board, opened), missing={row.spec: why for row, why in missing})
    found = Reproduction(board, _networks(board, opened, say), missing, len(catalogue))
    if out is not None:
        from ._write import write

        write(found, Path(out))
    return found


def sample(catalogue: Catalogue, items: int | None, seed: int) -> Catalogue:
    """So many items drawn with the seed, in catalogue order; all if there are no more."""
    if items is None or items >= len(catalogue):
        return catalogue
    drawn = np.random.default_rng(seed).choice(len(catalogue), items, replace=False)
    return catalogue.take([catalogue.ids[place] for place in np.sort(drawn)])


def _at_layers(
    one: Encoder | VectorSource, running: Running | None
) -> list[Encoder | VectorSource]:
    """An encoder at both layers, if it has both and its spec names none."""
    has_both = isinstance(one, Encoder) and {OUTPUT, PENULTIMATE} <= set(one.layers)
    if one.spec.layer is not None or not isinstance(one, Encoder) or not has_both:
        return [one]
    both = [one.at(one.spec.with_layer(layer)) for layer in (OUTPUT, PENULTIMATE)]
    for each in both:
        each.run_on(running or Running())
    return list(both)


def _renamed(board: Leaderboard, opened: Sequence[Encoder | VectorSource]) -> Leaderboard:
    """The comparison with encoders called as they are here, not as when first embedded.

    A store keeps vectors by their fingerprint, under the name they were first made by.
    """
    asked = {one.fingerprint: str(one.spec) for one in opened if _has_learnt(one)}
    names = {
        entry.card.name: asked.get(entry.card.fingerprint, entry.card.name)
        for entry in board.entries
    }
    entries = tuple(
        replace(entry, card=replace(entry.card, name=names[entry.card.name]))
        for entry in board.entries
    )
    pairs = replace(board.pairs, names=tuple(names[name] for name in board.pairs.names))
    encoders = {names[name]: about for name, about in board.run["encoders"].items()}
    return replace(board, entries=entries, pairs=pairs, run={**board.run, "encoders": encoders})


def _has_learnt(one: Encoder | VectorSource) -> TypeGuard[Encoder]:
    """Whether it is an encoder with a fingerprint."""
    return isinstance(one, Encoder) and (not isinstance(one, FittedEncoder) or one.fitted)


def layer_of(spec: Spec, layers: Sequence[str]) -> str:
    """What the layer of an encoder is called in the tables."""
    if not layers:
        return ONLY
    return OUTPUT if spec.layer in (OUTPUT, *OUTPUT_NAMES) else PENULTIMATE


def _networks(
    board: Leaderboard, opened: Sequence[Encoder | VectorSource], say: Progress
) -> tuple[Network, ...]:
    """Entries put together by network, each network timed."""
    by_name = {str(one.spec): one for one in opened}
    layers: dict[str, dict[str, Entry]] = {}
    timed: dict[str, Encoder] = {}
    for entry in board.entries:
        one = by_name.get(entry.card.name)
        spec = Spec.parse(entry.card.name)
        network = str(spec.with_layer(None))
        layer = layer_of(spec, one.layers if isinstance(one, Encoder) else ())
        layers.setdefault(network, {})[layer] = entry
        if isinstance(one, Encoder):
            timed.setdefault(network, one)
    pictures = _pictures(board.catalogue) if timed else []
    made = []
    for number, (network, entries) in enumerate(layers.items()):
        say("timing batches", number, len(layers))
        seconds = batch_seconds(timed[network], pictures) if network in timed else math.nan
        made.append(Network(network, short_name(network), entries, seconds, find(network)))
    say("timing batches", len(layers), len(layers))
    return tuple(sorted(made, key=_order))


def _order(network: Network) -> tuple[bool, float]:
    return network.control, -float(np.nan_to_num(network.top.main.mean, nan=-2.0))


def _pictures(catalogue: Catalogue) -> list[Array]:
    """The first pictures of a catalogue, opened; again from the start if they are too few."""
    rows = islice(cycle(range(min(BATCH, len(catalogue)))), BATCH)
    return [open_image(catalogue.picture(row)) for row in rows]


def batch_seconds(encoder: Encoder, pictures: Sequence[Array]) -> float:
    """Median time of the vectors of prepared pictures; NaN for one that has learnt nothing.

    Opening and resizing pictures does not count, as in the authors' code.
    """
    if not _has_learnt(encoder):
        return math.nan
    prepared = [encoder.prepare(picture) for picture in pictures]
    seconds = []
    for turn in range(ROUNDS + 1):
        started = time.perf_counter()
        _forward(encoder, prepared)
        if turn:
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _forward(encoder: Encoder, prepared: Sequence[Array]) -> None:
    """The vectors, in as many threads as embedding takes."""
    if not encoder.parallel or len(prepared) <= encoder.batch_size:
        shaped(encoder.forward(prepared), len(prepared), encoder)
        return
    size = max(1, math.ceil(len(prepared) / cores()))
    parts = [prepared[start : start + size] for start in range(0, len(prepared), size)]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(encoder.forward, parts))
