"""The pages: their parts, that they stand alone, and that no data can break them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from boards import Outline, make_board, make_catalogue, make_entry, page_of, three_encoders
from likelens._leaderboard import Leaderboard
from likelens._search import Hits
from likelens.report.hits import write_hits
from likelens.report.lines import best_line, read_lines, worst_line
from likelens.report.markdown import markdown_leaderboard, svg_bars
from likelens.report.page import write_report
from likelens.values.catalogue import Catalogue
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadTable
from likelens.values.scores import QueryScores

HOSTILE = '<script>alert("x")</script>'
SECTIONS = [
    "leaderboard",
    "scores",
    "controls",
    "sees",
    "map",
    "side-by-side",
    "wrong",
    "tests",
    "run",
]


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    """Three encoders that differ and a control, best first."""
    return three_encoders(tmp_path)


def refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is no JSON")


class TestFiles:
    def test_five_files_are_written_and_none_is_left_aside(self, board, tmp_path):
        report = write_report(board, tmp_path / "new" / "report")
        assert report == tmp_path / "new" / "report" / "report.html"
        names = sorted(path.name for path in report.parent.iterdir())
        assert names == [
            "leaderboard.csv", "leaderboard.json", "leaderboard.parquet", "per-query.parquet",
            "report.html",
        ]  # fmt: skip
        table = pyarrow.parquet.read_table(report.with_name("leaderboard.parquet"))
        assert table["encoder"].to_pylist() == [entry.card.name for entry in board.entries]
        assert pyarrow.csv.read_csv(report.with_name("leaderboard.csv")).num_rows == 4

    def test_json_of_scores_that_are_none_is_valid(self, board, tmp_path):
        blind = QueryScores(np.full(24, np.nan))
        last = replace(board.entries[-1], unweighted=blind, weighted=blind, ndcg=blind)
        board = replace(board, entries=(*board.entries[:-1], last))
        report = write_report(board, tmp_path)
        text = report.with_name("leaderboard.json").read_text()
        rows = json.loads(text, parse_constant=refuse)["leaderboard"]
        assert rows[-1]["corrembed"] is None
        assert rows[0]["corrembed"] == pytest.approx(0.6, abs=0.05)
        assert ">nan<" not in report.read_text().lower()

    def test_a_place_that_cannot_be_written_is_one_sentence(self, board, tmp_path):
        (tmp_path / "taken").write_text("a file")
        with pytest.raises(BadTable, match="cannot be written"):
            write_report(board, tmp_path / "taken" / "report")

    def test_an_older_report_is_replaced(self, board, tmp_path):
        (tmp_path / "report.html").write_text("old")
        assert "old" not in page_of(board, tmp_path)[:3]


class TestPage:
    def test_every_section_is_there_in_order(self, board, tmp_path):
        outline = Outline(page_of(board, tmp_path))
        assert [one["id"] for one in outline.all("section")] == SECTIONS
        linked = [one["href"] for one in outline.all("a")]
        assert linked == [f"#{name}" for name in SECTIONS]

    def test_it_can_be_read_without_eyes(self, board, tmp_path):
        outline = Outline(page_of(board, tmp_path))
        assert outline.levels[0] == 1
        assert outline.levels.count(1) == 1
        steps = [after - before for before, after in pairwise(outline.levels)]
        assert max(steps) == 1
        assert all(one.get("alt") for one in outline.all("img"))
        assert all(one.get("scope") for one in outline.all("th"))
        drawn = [one for one in outline.all("svg") if one.get("aria-hidden") != "true"]
        assert len(drawn) == 3  # a scatter and two maps
        names = {one.get("id") for _, one in outline.elements}
        for one in drawn:
            assert set((one["aria-labelledby"] or "").split()) <= names

    def test_it_loads_nothing(self, board, tmp_path):
        page = page_of(board, tmp_path)
        outline = Outline(page)
        places = [
            one[name] for _, one in outline.elements for name in ("src", "href") if name in one
        ]
        assert len(places) > 20
        assert all(str(place).startswith(("data:", "#")) for place in places)
        assert not re.search(r"url\(|@import|https?:", page)
        assert not outline.all("script")
        assert not outline.all("link")[1:]

    def test_what_users_write_is_shown_and_never_run(self, board, tmp_path):
        catalogue = board.catalogue
        tags = replace(
            catalogue.tags,
            names=tuple(name + HOSTILE for name in catalogue.tags.names),
            categories=tuple(name + HOSTILE for name in catalogue.tags.categories),
        )
        catalogue = replace(catalogue, ids=tuple(i + HOSTILE for i in catalogue.ids), tags=tags)
        entries = tuple(
            replace(
                entry,
                card=replace(
                    entry.card,
                    name=entry.card.name + HOSTILE,
                    preprocessing=HOSTILE,
                    details={HOSTILE: HOSTILE},
                ),
                categories={name + HOSTILE: one for name, one in entry.categories.items()},
            )
            for entry in board.entries
        )
        pairs = replace(board.pairs, names=tuple(entry.card.name for entry in entries))
        board = replace(
            board,
            catalogue=catalogue,
            entries=entries,
            pairs=pairs,
            weights=None,
            notes=(HOSTILE,),
            run={HOSTILE: HOSTILE, "source": HOSTILE, "date": HOSTILE},
        )
        page = page_of(board, tmp_path)
        assert "<script" not in page.lower()
        assert Outline(page).text.count('alert("x")') > 50
        assert "<script" not in svg_bars(board)
        assert "<script" not in markdown_leaderboard(board)

    def test_controls_are_set_apart_and_never_best_or_worst(self, board):
        lines = read_lines(board)
        assert [line.control for line in lines] == [False, False, False, True]
        best, worst = best_line(lines), worst_line(lines)
        assert best is not None
        assert worst is not None
        assert (best.label, worst.label) == ("good", "opencv:colour")

    def test_the_controls_table_shows_weighted_and_unweighted(self, board, tmp_path):
        text = Outline(page_of(board, tmp_path)).text
        section = text.split("Controls", 2)[2].split("What each encoder sees")[0]
        assert section.count("Random") == 4  # embeddings and tags, twice
        assert "0.020" in section
        assert "0.030" in section

    def test_troubles_have_a_column_only_where_there_are_some(self, board, tmp_path):
        assert "Troubles" not in Outline(page_of(board, tmp_path)).text
        first = replace(board.entries[0], failed=12, zeros=3)
        text = Outline(page_of(replace(board, entries=(first, *board.entries[1:])), tmp_path)).text
        assert "12 failed" in text
        assert "3 zero" in text
        assert "unscored" not in text

    def test_pictures_that_are_gone_leave_a_place_and_their_name(self, board, tmp_path):
        for path in board.catalogue.paths[::2]:
            path.unlink()
        board.catalogue.paths[1].write_text("no picture")
        outline = Outline(page_of(board, tmp_path))
        lost = [one for _, one in outline.elements if one.get("class") == "lost"]
        assert lost
        assert all("cannot be opened" in str(one["aria-label"]) for one in lost)
        assert outline.all("img")

    def test_one_encoder_alone(self, board, tmp_path):
        alone = make_board(board.catalogue, [board.entries[0]])
        outline = Outline(page_of(alone, tmp_path))
        assert "How good sees these images" in outline.text
        assert "none to set beside it" in outline.text
        assert "no difference to test" in outline.text
        assert [one["id"] for one in outline.all("section")] == SECTIONS

    def test_three_items(self, tmp_path):
        catalogue = make_catalogue(tmp_path, items=3)
        entries = [make_entry(catalogue, name, 0.3, 1, weighted=False) for name in ("a:b", "c:d")]
        board = make_board(catalogue, entries)
        text = Outline(page_of(board, tmp_path)).text
        assert "a:b has no map: fewer than 10 of its vectors differ." in text
        assert "nDCG@2" in text

    def test_nothing_but_controls(self, board, tmp_path):
        alone = make_board(board.catalogue, [board.entries[-1]])
        outline = Outline(page_of(alone, tmp_path))
        assert "No encoder could be scored" in outline.text
        assert [one["id"] for one in outline.all("section")] == SECTIONS


class TestHits:
    def hits(self, catalogue: Catalogue, **changes) -> Hits:
        rows = [3, 1]
        return Hits(
            **{
                "ids": ("b", HOSTILE),
                "scores": np.array([0.91234, 0.5]),
                "paths": tuple(catalogue.paths[row] for row in rows),
                "attributes": catalogue.attributes.take(rows),
                "encoder": EncoderCard("onnx:nets/good.onnx", "00ff", 8),
                "queries": ("pictures/query.jpg",),
                "pictures": (catalogue.paths[0],),
                "candidates": 23,
                **changes,
            }
        )

    def test_each_hit_has_rank_score_id_and_attributes(self, tmp_path):
        catalogue = make_catalogue(tmp_path)
        page = tmp_path / "new" / "hits.html"
        write_hits(self.hits(catalogue), page)
        outline = Outline(page.read_text())
        assert len(outline.all("img")) == 3
        for text in ("2 images of 23 compared", "1 0.912", "2 0.500", "query.jpg", "kind shoe"):
            assert text in outline.text.replace("kindshoe", "kind shoe")
        assert "<script" not in page.read_text()
        places = [one["src"] for one in outline.all("img")]
        assert all(str(place).startswith("data:") for place in places)

    def test_all_that_was_asked_is_shown(self, tmp_path):
        catalogue = make_catalogue(tmp_path)
        page = tmp_path / "hits.html"
        asked = {
            "minus": ("shop/other.jpg",),
            "minus_pictures": (catalogue.paths[1],),
            "where": "price < 10 and kind = '<b>'",
            "region": "0,0,50%,50%",
        }
        write_hits(self.hits(catalogue, **asked), page)
        outline = Outline(page.read_text())
        assert len(outline.all("img")) == 4
        for text in ("Less like other.jpg", "price < 10 and kind = '<b>'", "part 0,0,50%,50% of"):
            assert text in outline.text

    def test_missing_pictures_and_no_hits(self, tmp_path):
        catalogue = make_catalogue(tmp_path)
        page = tmp_path / "hits.html"
        lost = tuple(tmp_path / name for name in ("x.png", "y.png", "z.png"))
        write_hits(self.hits(catalogue, paths=lost[:2], pictures=lost[2:]), page)
        assert page.read_text().count('class="lost"') == 3
        none = self.hits(
            catalogue,
            ids=(),
            scores=np.zeros(0),
            paths=(),
            attributes=catalogue.attributes.slice(0, 0),
        )
        write_hits(none, page)
        assert "Nothing was found" in page.read_text()
