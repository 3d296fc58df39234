"""A search from Python: the same arguments as the command, results, and what a notebook shows."""

import inspect
import json
import shutil
from contextlib import suppress
from dataclasses import fields

import numpy as np
import pytest

import likelens
from conftest import paint
from likelens import (
    Catalogue,
    Hit,
    Hits,
    Searcher,
    embed,
    index_info,
    save_index,
    search,
    tune_index,
)
from likelens.cli import index as index_commands
from likelens.cli.search import search as command
from likelens.values.errors import BadQuery

OUTPUT = {"html", "as_json"}
"""Options of the command that are methods of its result: ``write`` and ``to_dict``."""


@pytest.fixture
def store(shop, tmp_path):
    embed(Catalogue.open(shop, tags=["kind", "colour"], split="|"), "opencv:colour", tmp_path / "s")
    return tmp_path / "s"


def names(function):
    return set(inspect.signature(function).parameters) - {"self", "quiet", "verbose"}


def test_python_takes_what_the_command_takes():
    asked = names(Searcher.search) | names(Searcher.__init__)
    assert names(command) - OUTPUT == asked == names(search)
    defaults = {
        name: inspect.signature(search).parameters[name].default
        for name in names(Searcher.search) - {"query"}
    }
    for name, default in defaults.items():
        assert default == inspect.signature(Searcher.search).parameters[name].default


@pytest.mark.parametrize(
    ("of_command", "function", "method"),
    [
        (index_commands.build_saved, likelens.save_index, None),
        (index_commands.show_indexes, likelens.index_info, None),
        (index_commands.tune_index, likelens.tune_index, "out"),
    ],
)
def test_python_takes_what_index_commands_take(of_command, function, method):
    assert names(of_command) - {"as_json", method} == names(function) - {"progress"}


def test_indexes_are_saved_listed_and_tuned_as_by_the_commands(store, tmp_path, likelens):
    saved = save_index(store, kind="hnsw(m=8)")
    assert (saved["built"], saved["vectors"], saved["index"]) == (True, 8, "hnsw(m=8)")
    assert save_index(store, kind="hnsw(m=8)")["built"] is False
    code, out, err = likelens("index", "info", "--store", store, "--json")
    assert code == 0, err
    assert json.loads(out) == index_info(store)
    assert [one["index"] for one in index_info(store, k=3)["encoders"][0]["indexes"]] == [
        "hnsw(m=8)"
    ]
    tuned = tune_index(store, k=2)
    assert (tuned.encoder, tuned.recommended.spec) == ("opencv:colour", "exact")
    assert tuned.write(tmp_path / "tune.html").read_text().startswith("<!doctype html>")


def test_a_threshold_is_calibrated_as_by_the_command(store, likelens):
    searcher = Searcher(store)
    asked = {"threshold": "auto", "labels": "kind", "false_alarm": 0.2}
    hits = searcher.search("3", **asked)
    assert hits.calibrated == searcher.calibrate("kind", false_alarm=0.2)
    assert hits.ids == search(store, "3", **asked).ids
    options = ("--threshold", "auto", "--labels", "kind", "--false-alarm", "0.2", "--json")
    code, out, err = likelens("search", "3", "--store", store, *options)
    assert code == 0, err
    assert json.loads(out) == json.loads(json.dumps(hits.to_dict()))
    assert searcher.search("3", threshold="0.5").order.threshold == 0.5
    assert searcher.search("3", threshold="auto", false_alarm=0.3).calibrated.by != "kind"
    for wrong in ({"threshold": "high"}, {"threshold": 0.5, "labels": "kind"}, {"labels": "kind"}):
        with pytest.raises(BadQuery, match="threshold"):
            searcher.search("3", **wrong)


def test_results_are_a_sequence_and_a_table(store, tmp_path):
    hits = search(store, "3", k=5, group_by="price", minus="4")
    assert len(hits) == len(list(hits)) == 5
    first = hits[0]
    assert first == next(iter(hits)) == hits[-5] == hits[:1][0]
    assert (first.id, first.rank, first.path) == (hits.ids[0], 1, hits.paths[0])
    assert first.score == pytest.approx(float(hits.scores[0]))
    assert first.attributes["kind"] in ("shirt", "shoe")
    assert [hit.rank for hit in hits[1:4]] == [2, 3, 4]
    with pytest.raises(IndexError):
        hits[5]
    table = hits.table
    assert table.column_names[:4] == ["rank", "id", "score", "path"]
    assert table["id"].to_pylist() == list(hits.ids)
    assert table["kind"].to_pylist() == [hit.attributes["kind"] for hit in hits]
    assert list(hits.to_pandas()["rank"]) == [1, 2, 3, 4, 5]
    assert repr(hits).splitlines()[1].split() == ["1", f"{first.score:.4f}", repr(first.id)]
    assert repr(hits).startswith("Hits(5 of 6 candidates by opencv:colour)")
    page = hits.write(tmp_path / "deep" / "hits.html")
    assert page.read_text().startswith("<!doctype html>")
    nothing = search(store, "3", threshold=1.0)
    assert list(nothing) == []
    assert nothing.table.num_rows == 0


def test_an_attribute_may_be_called_as_a_column_of_results(shop, tmp_path):
    shop.write_text(shop.read_text().replace("price", "score", 1))
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "s")
    hits = search(tmp_path / "s", "3", k=2)
    assert {"score", "attribute_score"} < set(hits.table.column_names)
    assert hits[0].attributes["score"] == hits.table["attribute_score"][0].as_py()


@pytest.mark.parametrize("value", [Hit, Hits])
def test_every_field_of_a_result_is_documented(value):
    for field in fields(value):
        assert f"{field.name}:" in value.__doc__


def test_a_notebook_shows_images_and_escapes_every_text(shop, tmp_path):
    evil = "<script>alert(1)</script>"
    shop.write_text(shop.read_text().replace("shirt", evil).replace("\n3,", "\n<b>3</b>,"))
    (tmp_path / "images" / "3.png").rename(tmp_path / "images" / "x.png")
    lines = shop.read_text().splitlines()
    rows = [lines[0] + ",image", *(f"{line},{n}.png" for n, line in enumerate(lines[1:]))]
    shop.write_text("\n".join(rows).replace("3.png", "x.png") + "\n")
    catalogue = Catalogue.open(shop, image="image")
    embed(catalogue, "opencv:colour", tmp_path / "s")
    hits = search(tmp_path / "s", "1", k=7, where="price > -1")
    for shown in (hits, catalogue):
        html = shown._repr_html_()
        assert html.count('src="data:image/jpeg;base64,') in (7, 8)
        assert "&lt;script&gt;" in html
        assert "&lt;b&gt;3&lt;/b&gt;" in html
        assert "<script" not in html
        assert "<b>3</b>" not in html
    (tmp_path / "images" / "0.png").unlink()
    assert "image cannot be opened" in hits._repr_html_()


@pytest.mark.parametrize("relevance", [None, "tags"])
def test_boards_show_a_table_and_what_the_first_encoder_finds(shop, relevance):
    board = likelens.compare(
        Catalogue.open(shop, tags=["kind"]),
        ["opencv:colour", "opencv:hog?size=32"],
        relevance=relevance,
    )
    html = board._repr_html_()
    assert html.count("<tr>") == 1 + len(board.entries)
    assert "opencv:hog?size=32" in html
    assert html.count("<b>query</b>") == 3
    assert html.count('src="data:image/jpeg;base64,') == 3 * 6


# --- a query image that is an item -------------------------------------------------


def test_an_item_is_known_by_its_content_wherever_its_file_is(store, tmp_path):
    searcher = Searcher(store)
    expected = searcher.search("3").ids
    image = tmp_path / "images" / "3.png"
    copied = shutil.copy(image, tmp_path / "elsewhere.png")
    for query in (image, copied, str(copied), image.read_bytes()):
        hits = searcher.search(query)
        assert "3" not in hits.ids
        assert hits.ids == expected
        assert "3" not in searcher.search("1", minus=query).ids
        assert searcher.search(query, include_self=True).ids[0] == "3"
    (tmp_path / "images").rename(tmp_path / "moved")
    assert search(store, tmp_path / "moved" / "3.png").ids == expected
    assert search(store, tmp_path / "moved" / "3.png", region="0,0,9,9").ids


def test_of_equal_images_the_one_of_that_name_is_the_query(shop, tmp_path):
    shutil.copy(tmp_path / "images" / "3.png", tmp_path / "images" / "5.png")
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "s")
    searcher = Searcher(tmp_path / "s")
    for name, item, other in (("5.png", "5", "3"), ("3.png", "3", "5"), ("new.png", "3", "5")):
        (tmp_path / "copies").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "images" / "3.png", tmp_path / "copies" / name)
        ids = searcher.search(tmp_path / "copies" / name).ids
        assert item not in ids
        assert ids[0] == other


def test_an_image_that_has_changed_is_searched_with_as_it_is_now(store, tmp_path):
    image = tmp_path / "images" / "3.png"
    paint(image, 6)
    hits = Searcher(store).search(image)
    assert hits.ids[0] == "6"
    assert hits.scores[0] == pytest.approx(1.0, abs=1e-6)
    assert "3" not in hits.ids


def test_k_of_any_integer_type(store):
    for k in (np.uint8(200), np.int64(2), 10**30):
        assert len(search(store, "3", k=k, diversity=0.5)) == min(int(k), 7)


@pytest.mark.parametrize(
    "value", [5, True, b"x", [], {"a": 1}, object(), np.array([1.0]), "\ud800"]
)
def test_arguments_of_other_types_are_one_sentence_each(store, value):
    searcher, taken = Searcher(store), names(Searcher.search) - {"include_self", "k"}
    five = 5
    for name in sorted(taken):
        asked = {"query": "3", name: value}
        if name in ("false_alarm", "labels"):
            asked["threshold"] = "auto"
        if name == "minus_weight":
            asked["minus"] = "4"
        with suppress(likelens.LikelensError):  # any other exception is a failure
            searcher.search(**asked)
    for wrong in (
        lambda: searcher.search("3", k=0 if value is five else value),
        lambda: searcher.hubs(0 if value is five else value),
        lambda: searcher.calibrate(false_alarm=value),
        lambda: Searcher(store, value),
        lambda: Searcher(store, index=value),
        lambda: save_index(store, kind=value),
        lambda: tune_index(store, target_recall=value),
    ):
        with pytest.raises(likelens.LikelensError):
            wrong()
