"""The leaderboard, against the definitions written out slowly."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from conftest import paint
from likelens import Catalogue, compare, embed, garments, metrics
from likelens._scoring import _ideal_gains, _neighbours, _tag_similarity
from likelens.encoders.vectors import write_vectors
from likelens.values.errors import BadTable, MissingExtra
from likelens.values.tags import Tags


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return Catalogue.open(garments.create(tmp_path_factory.mktemp("g"), items=60, size=64))


@pytest.fixture(scope="module")
def board(catalogue):
    return compare(catalogue, ["opencv:colour", "control:random?dim=32", "opencv:hog?size=64"])


def unit(matrix):
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)


def test_scores_are_those_of_the_metrics(board, catalogue):
    for entry in board.entries:
        vectors = embed(catalogue, entry.card.name).vectors
        weighted = catalogue.tags.weighted(board.weights)
        assert entry.unweighted.mean == pytest.approx(
            metrics.corrembed_naive(vectors, catalogue.tags.matrix).mean, abs=1e-6
        )
        assert entry.weighted.mean == pytest.approx(
            metrics.corrembed_naive(vectors, weighted.matrix).mean, abs=1e-6
        )


def test_ndcg_is_scikit_learns(board, catalogue):
    tags = unit(catalogue.tags.matrix.toarray().astype(float))
    gains = tags @ tags.T
    entry = board.entries[0]
    vectors = unit(embed(catalogue, entry.card.name).vectors.astype(float))
    similar = vectors @ vectors.T
    for query in range(len(catalogue)):
        others = np.arange(len(catalogue)) != query
        expected = ndcg_score([gains[query, others]], [similar[query, others]], k=10)
        assert entry.ndcg.per_query[query] == pytest.approx(expected, abs=1e-6)


def test_neighbours_leave_the_query_out_by_position_not_by_rank():
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    scores, positions = _neighbours(vectors, np.arange(4))
    assert positions.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert scores[2].tolist() == [1, 1, 0]


def test_many_copies_do_not_hide_the_query():
    vectors = np.tile(np.array([[1.0, 2.0]], np.float32), (40, 1))
    _, positions = _neighbours(vectors, np.arange(40))
    assert positions.shape == (40, 10)
    assert not (positions == np.arange(40)[:, None]).any()


@pytest.mark.parametrize("seed", range(8))
def test_gains_never_beat_the_ideal(seed):
    draw = np.random.default_rng(seed)
    cells = {f"c{n}": [f"t{draw.integers(4)}" for _ in range(150)] for n in range(12)}
    cells["several"] = [tuple(f"s{n}" for n in draw.integers(0, 9, 3)) for _ in range(150)]
    tags = Tags.from_columns(cells)
    queries = np.arange(150)
    ideal = _ideal_gains(tags, queries)
    order = unit(tags.matrix.toarray().astype(float))
    similar = order @ order.T
    np.fill_diagonal(similar, -1)
    best = np.argsort(-similar, axis=1, kind="stable")[:, :10]
    gains = _tag_similarity(tags, queries, best)
    np.testing.assert_allclose(gains, ideal, atol=1e-12)
    assert metrics.ndcg(gains, 10, ideal).mean == pytest.approx(1.0)


def test_controls_are_chance_and_the_rest_is_not(board):
    real = {entry.card.name: entry for entry in board.entries}["opencv:hog?size=64"]
    for controls in (real.controls, real.weighted_controls):
        assert list(controls) == [
            "random embeddings", "shuffled embeddings", "random tags", "shuffled tags",
        ]  # fmt: skip
    excluded = compare(board.catalogue, ["opencv:hog?size=64"], self_pairs="exclude").entries[0]
    assert max(abs(value) for value in excluded.controls.values()) < 0.05
    assert excluded.unweighted.mean > 0.15


def test_small_catalogues_are_told_of_self_pairs(board):
    assert any("--self-pairs exclude" in note for note in board.notes)
    excluded = compare(board.catalogue, ["opencv:colour"], self_pairs="exclude")
    assert not any("--self-pairs" in note for note in excluded.notes)


def test_places_follow_the_score(board):
    means = [entry.main.mean for entry in board.entries]
    assert means == sorted(means, reverse=True)
    assert board.entries[0].rank == 1
    assert board.table["encoder"].to_pylist() == [entry.card.name for entry in board.entries]


def test_fewer_queries_are_drawn_and_said(catalogue):
    few = compare(catalogue, ["opencv:colour"], max_queries=20)
    assert len(few.queries) == 20
    assert len(few.entries[0].ndcg.per_query) == 20
    assert len(few.entries[0].unweighted.per_query) == 60
    assert any("20 of 60 items" in note for note in few.notes)
    again = compare(catalogue, ["opencv:colour"], max_queries=20)
    np.testing.assert_array_equal(few.queries, again.queries)


def test_all_encoders_are_scored_on_the_same_items(shop, tmp_path):
    catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
    vectors = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    write_vectors(tmp_path / "v.npz", list("654321"), vectors)
    board = compare(catalogue, ["opencv:colour", f"vectors:{tmp_path / 'v.npz'}"])
    assert board.catalogue.ids == tuple("123456")
    assert {len(entry.unweighted.per_query) for entry in board.entries} == {6}
    assert any("the same 6 items" in note for note in board.notes)


def test_one_encoder_twice_is_refused_before_any_work(catalogue):
    steps = []
    with pytest.raises(BadTable, match="named twice"):
        compare(
            catalogue,
            ["opencv:hog", "opencv:hog?size=128"],
            progress=lambda *step: steps.append(step),
        )
    assert steps == []


def test_purchases_of_other_items_are_refused_before_any_work(shop, tmp_path):
    (tmp_path / "bought.csv").write_text("customer,item\nann,x1\nann,x2\n")
    catalogue = Catalogue.open(shop, tags=["kind"], purchases=tmp_path / "bought.csv")
    with pytest.raises(BadTable, match="none of the 2 purchases is of an item"):
        compare(catalogue, ["opencv:colour"])


def test_weights_may_be_given(shop):
    catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
    board = compare(catalogue, ["opencv:colour"], weights={"kind": 0.0, "colour": 1.0})
    alone = board.entries[0].categories["colour"].alone.mean
    assert board.entries[0].weighted.mean == pytest.approx(alone)
    with pytest.raises(BadTable, match="no tag category 'size'"):
        compare(catalogue, ["opencv:colour"], weights={"size": 1.0})


def test_fashion_on_a_sample(real_data, tmp_path):
    """The way of the real thing: a model, a learner, a histogram and controls."""
    folder = real_data / "data" / "fashion-products"
    whole = Catalogue.open(folder / "styles.csv", tags=["gender", "articleType", "baseColour"])
    catalogue = whole.take(whole.ids[::64])
    model = f"onnx:{real_data / 'weights' / 'mobilenet_v1_0.25_128_quant.onnx'}"
    names = [model, "opencv:sift?words=64&sample=60", "opencv:colour", "control:random"]
    board = compare(catalogue, names, tmp_path / "store", self_pairs="exclude")
    score = {entry.card.name: entry.unweighted.mean for entry in board.entries}
    assert board.entries[0].card.name == model
    assert score[model] > 0.1
    assert abs(score["control:random"]) < 0.03
    sees = {entry.card.name: entry.categories for entry in board.entries}
    assert sees["opencv:colour"]["baseColour"].alone.mean > sees[model]["baseColour"].alone.mean
    assert board.write(tmp_path / "report").stat().st_size > 100_000


def test_a_picture_that_breaks_later_is_left_out_everywhere(shop):
    catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
    catalogue.paths[2].write_bytes(b"")
    board = compare(catalogue, ["opencv:colour", "opencv:hog?size=64"])
    assert "2" not in board.catalogue.ids
    assert all(entry.failed == 1 for entry in board.entries)
    paint(catalogue.paths[2], 2)


def test_an_encoder_without_a_score_comes_last_and_is_named(shop, tmp_path):
    catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
    write_vectors(tmp_path / "zero.npz", list("01234567"), np.zeros((8, 4), np.float32))
    board = compare(catalogue, [f"vectors:{tmp_path / 'zero.npz'}", "opencv:colour"])
    assert [entry.rank for entry in board.entries] == [1, 2]
    assert board.entries[1].card.name.startswith("vectors:")
    assert any("no item has a score" in note for note in board.notes)


def test_several_pictures_of_a_product_are_told(board):
    assert any("60 pictures show 30 products" in note for note in board.notes)


def test_wrong_arguments_are_told_plainly(catalogue):
    with pytest.raises(BadTable, match="a list of specs"):
        compare(catalogue, "opencv:colour")
    with pytest.raises(BadTable, match="is no catalogue"):
        compare("styles.csv", ["opencv:colour"])
    unsold = Catalogue.open(catalogue.layout.table, tags=["kind"])
    with pytest.raises(BadTable, match="weighs purchases, and there are none"):
        compare(unsold, ["opencv:colour"], recipe="released")


def test_a_few_more_pictures_do_not_change_the_speed(shop, tmp_path):
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store")
    before = embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store").images_per_second
    paint(tmp_path / "images" / "8.png", 8)
    shop.write_text(shop.read_text() + "8,red,shoe,1\n")
    after = embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store")
    assert len(after) == 9
    assert after.images_per_second == before


def test_values_say_what_they_are_in_a_line(board):
    assert repr(board.catalogue).startswith("Catalogue(60 items; tags: kind, colour")
    assert repr(board).startswith("Leaderboard(1 ")
    assert len(repr(board)) < 300


def test_an_encoder_that_cannot_be_had_is_a_row_that_says_so(catalogue, monkeypatch, tmp_path):
    import likelens.values.extras as extras

    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "mahotas" else real(name))
    board = compare(catalogue, ["mahotas:surf", "opencv:colour?bins=4"])
    assert [entry.card.name for entry in board.entries] == ["opencv:colour?bins=4"]
    assert "mahotas is not installed" in board.missing["mahotas:surf"]
    last = board.to_dict()["leaderboard"][-1]
    assert last == {"encoder": "mahotas:surf", "missing": board.missing["mahotas:surf"]}
    assert board.table["missing"].to_pylist()[0] is None
    assert "mahotas is not installed" in board.write(tmp_path).read_text()
    with pytest.raises(MissingExtra, match="mahotas is not installed"):
        compare(catalogue, ["mahotas:surf"])


def test_a_control_of_an_encoder_that_cannot_be_had_is_missing_too(catalogue, monkeypatch):
    import likelens.values.extras as extras

    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "mahotas" else real(name))
    shuffled = "control:shuffled?of=mahotas:surf"
    board = compare(catalogue, ["opencv:colour?bins=4", "mahotas:surf", shuffled])
    assert list(board.missing) == ["mahotas:surf", shuffled]
    with pytest.raises(MissingExtra):
        compare(catalogue, [shuffled])
