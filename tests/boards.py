"""Leaderboards made of plain arrays, for the tests of what is shown."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa

from conftest import paint
from likelens import metrics
from likelens._leaderboard import CONTROLS, CategoryScore, Entry, Leaderboard
from likelens.report.page import write_report
from likelens.values.catalogue import Catalogue
from likelens.values.embeddings import EncoderCard
from likelens.values.layout import Layout
from likelens.values.paths import Paths
from likelens.values.scores import QueryScores
from likelens.values.tags import Tags

KINDS = ("shirt", "shoe", "bag")
COLOURS = ("red", "blue")


def make_catalogue(folder: Path, items: int = 24) -> Catalogue:
    ids = tuple(f"item {number}" for number in range(items))
    columns = {
        "kind": [KINDS[number % 3] for number in range(items)],
        "colour": [None if number % 5 == 4 else COLOURS[number % 2] for number in range(items)],
    }
    return Catalogue(
        ids=ids,
        paths=Paths(str(paint(folder / f"{number}.png", number)) for number in range(items)),
        attributes=pa.table(columns),
        tags=Tags.from_columns(columns, ids),
        layout=Layout(
            table=folder / "my shop.csv",
            source=Path("my shop.csv"),
            given={"tags": ("kind", "colour"), "split": "|", "skip_missing": True},
        ),
    )


def make_entry(
    catalogue: Catalogue, name: str, level: float, seed: int, *, weighted: bool = True, **card
) -> Entry:
    """An encoder whose scores lie around a level and whose vectors are random."""
    draw = np.random.default_rng(seed)
    count = len(catalogue)
    vectors = draw.standard_normal((count, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -2)
    neighbours = np.argsort(-similar, axis=1)[:, : min(10, count - 1)]
    scores = QueryScores(level + draw.normal(0, 0.05, count))
    return Entry(
        card=EncoderCard(name, f"{seed:016x}", 8, "as it is", **card),
        rank=0,
        unweighted=scores,
        weighted=QueryScores(scores.per_query + 0.02) if weighted else None,
        controls={control: 0.01 * place for place, control in enumerate(CONTROLS)},
        weighted_controls=dict.fromkeys(CONTROLS, 0.02) if weighted else {},
        categories={
            category: CategoryScore(QueryScores(scores.per_query / (2 + place)), level / 2)
            for place, category in enumerate(catalogue.tags.category_names)
        },
        ndcg=QueryScores(np.clip(level + draw.normal(0, 0.1, count), 0, 1)),
        hubness=metrics.hubness(neighbours, count),
        neighbours=neighbours,
        neighbour_scores=np.take_along_axis(similar, neighbours, axis=1),
        map_vectors=vectors,
        zeros=0,
        failed=0,
        images_per_second=float("nan"),
    )


def make_board(catalogue: Catalogue, entries: list[Entry]) -> Leaderboard:
    scores = {entry.card.name: entry.main for entry in entries}
    pairs = metrics.compare_pairs(scores)
    ranks = metrics.shared_ranks(pairs)
    everything = np.arange(len(catalogue))
    return Leaderboard(
        entries=tuple(replace(entry, rank=ranks[entry.card.name]) for entry in entries),
        catalogue=catalogue,
        weights={"kind": 1.0, "colour": 0.4},
        pairs=pairs,
        queries=everything,
        map_items=everything,
        notes=("a note",),
        run={
            "date": "2025-03-09T10:00:00+00:00",
            "source": "my shop.csv",
            "seed": 7,
            "self_pairs": "exclude",
        },
    )


def three_encoders(folder: Path) -> Leaderboard:
    """Three encoders that differ and a control, best first."""
    catalogue = make_catalogue(folder)
    return make_board(
        catalogue,
        [
            make_entry(catalogue, "onnx:nets/good.onnx@f", 0.6, 1, accuracy=70.5, size_bytes=14_0),
            make_entry(catalogue, "onnx:nets/fair.onnx@f", 0.4, 2, accuracy=60.1),
            make_entry(catalogue, "opencv:colour", 0.2, 3, accuracy=50.0),
            make_entry(catalogue, "control:random?dim=8", 0.0, 4),
        ],
    )


def page_of(board: Leaderboard, folder: Path) -> str:
    return write_report(board, folder).read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Headings, elements and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))
