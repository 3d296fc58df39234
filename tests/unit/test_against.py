"""What changed between two reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import likelens
from boards import Outline, make_board, make_catalogue, three_encoders
from likelens._leaderboard import Leaderboard
from likelens.metrics import compare_pairs
from likelens.report.page import write_report
from likelens.values.errors import BadTable
from likelens.values.scores import QueryScores
from likelens.values.tags import Tags


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    return three_encoders(tmp_path)


def shifted(board: Leaderboard, by: float) -> Leaderboard:
    """The same comparison with the first encoder's scores moved."""
    first, *others = board.entries
    noise = np.random.default_rng(9).normal(0, 0.01, len(board.catalogue))
    moved = QueryScores(first.main.per_query + by + noise)
    return make_board(board.catalogue, [replace(first, weighted=moved), *others])


def test_differences_are_paired(board, tmp_path):
    board.write(tmp_path / "old")
    later = shifted(board, 0.05)
    found = later.against(tmp_path / "old")
    change = found.changes[0]
    before, after = (one.entries[0].main for one in (board, later))
    apart = QueryScores(after.per_query - before.per_query)
    assert found.metric == "corrembed_weighted"
    assert found.score_name == "weighted CorrEmbed"
    assert (change.before, change.after) == pytest.approx((before.mean, after.mean))
    assert change.difference == pytest.approx(apart.mean)
    assert (change.low, change.high) == pytest.approx(apart.interval())
    assert change.p == pytest.approx(compare_pairs({"a": after, "b": before}).p[0, 1])
    assert change.queries == 24
    same = found.changes[1]
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert likelens.compare_reports(tmp_path / "old", later) == found


def test_folders_and_boards_say_the_same_and_nothing_changed(board, tmp_path):
    board.write(tmp_path / "a")
    board.write(tmp_path / "b")
    found = likelens.compare_reports(tmp_path / "a", tmp_path / "b" / "report.html")
    assert [one.difference for one in found.changes] == [0.0] * 4
    names = ("new", "gone", "added", "removed", "retagged", "settings", "libraries", "notes")
    assert [name for name in names if getattr(found, name)] == []
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.table.num_rows == 4


def test_items_tags_encoders_settings_and_libraries(board, tmp_path):
    board = replace(board, run={**board.run, "libraries": {"numpy": "1.0", "x": "1"}})
    board.write(tmp_path / "old")
    catalogue = board.catalogue.take(board.catalogue.ids[2:])
    tags = [{"kind": "hat"} if row == 3 else {} for row in range(len(catalogue))]
    columns = {
        name: [
            tags[row].get(name, cell)
            for row, cell in enumerate(catalogue.attributes[name].to_pylist())
        ]
        for name in ("kind", "colour")
    }
    catalogue = replace(catalogue, tags=Tags.from_columns(columns, catalogue.ids))
    cut = [
        replace(
            one,
            unweighted=QueryScores(one.unweighted.per_query[2:]),
            weighted=QueryScores(one.main.per_query[2:]),
        )
        for one in board.entries[:2]
    ]
    other = replace(cut[1], card=replace(cut[1].card, fingerprint="other"))
    new = replace(cut[1], card=replace(cut[1].card, name="a:new"))
    later = make_board(catalogue, [cut[0], other, new])
    later = replace(
        later,
        run={
            **later.run,
            "seed": 8,
            "self_pairs": "include",
            "libraries": {"numpy": "2.0", "x": "1"},
        },
    )
    found = later.against(tmp_path / "old")
    assert found.new == ("a:new",)
    assert found.gone == ("opencv:colour", "control:random?dim=8")
    assert found.removed == ("item 0", "item 1")
    assert found.retagged == ("item 5",)
    assert found.items == (24, 22)
    assert found.settings == {"seed": (7, 8), "self_pairs": ("exclude", "include")}
    assert found.libraries == {"numpy": ("1.0", "2.0")}
    assert [one.other_weights for one in found.changes] == [False, True]
    assert [one.queries for one in found.changes] == [22, 22]
    notes = " ".join(found.notes)
    assert "another fingerprint" in notes
    assert "what is measured differs: self_pairs" in notes
    page = write_report(board, tmp_path / "new", against=found)
    text = Outline(page.read_text(encoding="utf-8")).text
    assert "What changed" in text
    assert "Items removed" in text
    assert "1.0 → 2.0" in text
    content = json.loads((tmp_path / "new" / "leaderboard.json").read_text(encoding="utf-8"))
    assert content["against"]["retagged"] == ["item 5"]


def test_a_report_without_scores_of_every_query_is_compared_by_means(board, tmp_path):
    board.write(tmp_path / "old")
    (tmp_path / "old" / "per-query.parquet").unlink()
    found = shifted(board, 0.05).against(tmp_path / "old")
    change = found.changes[0]
    assert change.difference == pytest.approx(change.after - change.before)
    assert np.isnan([change.low, change.high, change.p]).all()
    assert not found.added
    assert "no per-query.parquet" in found.notes[0]


def test_weighted_and_unweighted_reports_are_compared_by_what_both_have(board, tmp_path):
    board.write(tmp_path / "old")
    plain = [replace(one, weighted=None, weighted_controls={}) for one in board.entries]
    later = replace(make_board(board.catalogue, plain), weights=None)
    found = later.against(tmp_path / "old")
    assert found.metric == "corrembed"
    assert found.changes[0].difference == 0
    assert "weights" in found.settings


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no report"),
        ("{", "cannot be read"),
        ("[" * 5_000, "cannot be read"),
        ('{"leaderboard": 3}', "cannot be read"),
        ('{"leaderboard": [{"rank": 1}]}', "cannot be read"),
    ],
)
def test_what_is_no_report_is_refused(board, tmp_path, content, message):
    if content is not None:
        (tmp_path / "leaderboard.json").write_text(content)
    with pytest.raises(BadTable, match=message):
        board.against(tmp_path)


def test_damaged_scores_and_other_kinds_are_refused(board, tmp_path):
    board.write(tmp_path / "old")
    (tmp_path / "old" / "per-query.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(BadTable, match="scores of every query cannot be read"):
        board.against(tmp_path / "old")
    (tmp_path / "old" / "leaderboard.json").rename(tmp_path / "old" / "retrieval.json")
    (tmp_path / "old" / "per-query.parquet").unlink()
    with pytest.raises(BadTable, match="by retrieval cannot be compared with one by leaderboard"):
        board.against(tmp_path / "old")


def test_the_tags_of_every_item_are_kept(tmp_path):
    from likelens._against import per_query_table

    catalogue = make_catalogue(tmp_path, items=5)
    table = per_query_table(catalogue, {"s: a": np.full(5, np.nan)})
    assert table["tags"].to_pylist()[4] == ["kind=shoe"]
    assert table["s: a"].null_count == 0
