"""What is relevant to whom: labels, tags, judgements; and the files they come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import reference.retrieval as slow
from likelens import Catalogue, Tags, find_copies, relevance_of
from likelens.values.errors import BadShape, BadTable
from likelens.values.qrels import JudgedRelevance, Judgements
from likelens.values.relevance import LabelRelevance, TagRelevance


def check(relevance, truth):
    """Every answer of a relevance against a whole matrix of gains, itself already 0."""
    count, items = truth.shape
    assert (relevance.n_queries, relevance.n_items) == (count, items)
    random = np.random.default_rng(0)
    queries = random.permutation(count)[: max(1, count - 1)] if count else np.zeros(0, np.int64)
    rows = truth[queries]
    everything = np.broadcast_to(np.arange(-1, items), (len(queries), items + 1))
    found = relevance.gains(queries, everything)
    np.testing.assert_allclose(found[:, 0], 0)
    np.testing.assert_allclose(found[:, 1:], rows, atol=1e-12)
    good = (rows > 0) & (rows >= relevance.least - 1e-9)
    np.testing.assert_array_equal(relevance.is_relevant(rows), good)
    np.testing.assert_array_equal(relevance.relevant(queries), good.sum(axis=1))
    best = -np.sort(-rows, axis=1)
    for k in (1, items + 2):
        padded = np.pad(best, ((0, 0), (0, 3)))[:, :k]
        np.testing.assert_allclose(relevance.ideal(queries, k), padded, atol=1e-12)
    for members, row in zip(relevance.members(queries), good, strict=True):
        assert members.tolist() == np.flatnonzero(row).tolist()


labels = st.lists(st.sampled_from(["a", "b", "c", None, float("nan")]), max_size=9)


def same(one, other):
    return one is not None and one == one and one == other


@settings(max_examples=80, deadline=None)
@given(labels)
def test_labels(items):
    truth = [[i != j and same(a, b) for j, b in enumerate(items)] for i, a in enumerate(items)]
    check(LabelRelevance(items), np.array(truth, float).reshape(len(items), len(items)))


@settings(max_examples=80, deadline=None)
@given(labels, labels, st.randoms(use_true_random=False))
def test_labels_of_other_queries_some_of_which_are_items(items, asked, random):
    own = [random.randrange(-1, len(items)) for _ in asked]
    truth = [[j != own[q] and same(a, b) for j, b in enumerate(items)] for q, a in enumerate(asked)]
    truth = np.array(truth, float).reshape(len(asked), len(items))
    check(LabelRelevance(items, queries=asked, own=own), truth)


def some_tags(random, count, width):
    rows = (random.random((count, width)) < 0.4) * random.choice([1.0, 0.5, 2.0], width)
    names = tuple(f"t{j}" for j in range(width))
    return Tags(csr_array(rows.astype(np.float32)), names, ("kind",) * width)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 1.0]))
def test_tags(seed, least):
    random = np.random.default_rng(seed)
    tags = some_tags(random, random.integers(1, 9), random.integers(1, 5))
    rows, count = tags.matrix.toarray(), len(tags)
    truth = [[(i != j) * slow.tag_cosine(rows, i, j) for j in range(count)] for i in range(count)]
    check(TagRelevance(tags, least=least), np.array(truth))


def test_tags_of_other_queries_are_matched_by_category_and_name():
    items = Tags.from_columns({"kind": ["shirt", "shoe"], "colour": ["red", "blue"]})
    asked = Tags.from_columns({"colour": ["red", "green"], "kind": ["shoe", "shoe"]})
    relevance = TagRelevance(items, queries=asked)
    positions = np.array([[0, 1], [0, 1]])
    found = relevance.gains(np.arange(2), positions)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.0, 0.5]])
    assert relevance.own.tolist() == [-1, -1]
    nothing = TagRelevance(items, queries=Tags.from_columns({"size": ["L"]}))
    assert nothing.relevant(np.array([0])).tolist() == [0]


def test_tags_without_tags():
    relevance = TagRelevance(Tags.from_columns({}, ["a", "b"]))
    assert relevance.relevant(np.arange(2)).tolist() == [0, 0]
    with pytest.raises(BadShape, match="no similarity is 2"):
        TagRelevance(Tags.from_columns({"a": ["x"]}), least=2)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.0, 2.0]))
def test_judgements(seed, separate, least):
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 7))
    ids = [f"i{j}" for j in range(count)]
    asked = ["i1", "other", "i0"] if separate else ids
    own = [1, -1, 0] if separate else list(range(count))
    pairs = {
        (str(q), str(c)): float(random.integers(-1, 4))
        for q, c in zip(random.choice(asked, 12), random.choice([*ids, "gone"], 12), strict=True)
    }
    pairs[asked[0], "i1"] = 1.0
    judged = Judgements(*zip(*pairs, strict=True), list(pairs.values()))
    truth = np.zeros((len(asked), count))
    known = np.zeros(truth.shape, bool)
    for (q, c), grade in pairs.items():
        if c in ids and ids.index(c) != own[asked.index(q)]:
            truth[asked.index(q), ids.index(c)] = max(grade, 0.0)
            known[asked.index(q), ids.index(c)] = True
    relevance = JudgedRelevance(
        judged, ids, queries=asked if separate else None, own=own if separate else None, least=least
    )
    check(relevance, truth)
    assert relevance.left_out == sum(c == "gone" for _, c in pairs)
    everything = np.tile(np.arange(-1, count), (len(asked), 1))
    found = relevance.is_judged(np.arange(len(asked)), everything)
    np.testing.assert_array_equal(found[:, 1:], known)
    assert not found[:, 0].any()


def test_judgements_of_other_things():
    judged = Judgements(("q",), ("d",), np.array([1.0]), "file.qrels")
    assert repr(judged) == "Judgements(pairs=1, queries=1, path='file.qrels')"
    with pytest.raises(BadTable, match="none of the 1 judgements is of these queries and items"):
        JudgedRelevance(judged, ["a", "b"])
    only_itself = JudgedRelevance(Judgements(("a",), ("a",), np.array([1.0])), ["a", "b"])
    check(only_itself, np.zeros((2, 2)))


def test_own_that_does_not_fit():
    for own in ([0], [0, 2], [0, -2], [0.0, 1.0]):
        with pytest.raises(BadShape, match="for 2 queries and 2 items"):
            LabelRelevance(["a", "a"], own=own)


class TestFiles:
    def read(self, folder, name, text):
        (folder / name).write_text(text)
        return Judgements.read(folder / name)

    def test_trec(self, tmp_path):
        found = self.read(tmp_path, "file.qrels", "q1 0 d1 2\n\nq1\t0\td2  -1\nq1 0 d1 2\n")
        assert found.queries == ("q1", "q1", "q1")
        assert found.candidates == ("d1", "d2", "d1")
        assert found.grades.tolist() == [2.0, -1.0, 2.0]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
    def test_csv(self, tmp_path, order):
        cells = [("query", "candidate", "grade"), ("007", "my shirt", "0.5"), ("8", "9", "1")]
        text = "\n".join(",".join(row[j] for j in order) for row in cells)
        found = self.read(tmp_path, "file.csv", text)
        assert found.queries == ("007", "8")
        assert found.candidates == ("my shirt", "9")
        assert found.grades.tolist() == [0.5, 1.0]

    def test_json_lines(self, tmp_path):
        line = '{"query": 1, "candidate": "b", "grade": 3}\n'
        found = self.read(tmp_path, "file.jsonl", line)
        assert (found.queries, found.grades.tolist()) == (("1",), [3.0])

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("a.qrels", "q 0 d\n", "line 1 has 3 parts"),
            ("a.qrels", "q 0 d 1\nq 0 d e f 1\n", "line 2 has 6 parts"),
            ("a.qrels", "q 0 d good\n", "line 1 has the grade 'good'"),
            ("a.qrels", "q 0 d nan\n", "line 1 has the grade 'nan'"),
            ("a.qrels", "q 0 d 1\nq 0 d 0\n", "1 pair has two grades: q with d"),
            ("a.qrels", "\n", "no judgements in this file"),
            ("a.csv", "query,candidate\nq,d\n", "no column 'grade' for judgements"),
            ("a.csv", "query,candidate,grade\n", "no judgements in this file"),
            ("a.csv", "query,candidate,grade\nq,d,yes\n", "row 1 has the grade 'yes'"),
            ("a.csv", "query,candidate,grade\nq,d,1\nq,,1\n", "row 2 lacks a candidate"),
            ("a.csv", "query,candidate,grade\nq,d\n", "cannot be read"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path, name, text, message):
        with pytest.raises(BadTable, match=message):
            self.read(tmp_path, name, text)

    def test_no_file_and_no_text(self, tmp_path):
        for name in ("none.qrels", "none.csv"):
            with pytest.raises(BadTable, match="there is no such"):
                Judgements.read(tmp_path / name)
        (tmp_path / "picture.qrels").write_bytes(b"\xff\xd8\xff\xe0")
        with pytest.raises(BadTable, match="line 1 is not UTF-8"):
            Judgements.read(tmp_path / "picture.qrels")

    def test_given_in_memory(self):
        with pytest.raises(BadTable, match="2 queries, 1 candidates and 1 grades"):
            Judgements(("a", "b"), ("c",), [1.0])
        with pytest.raises(BadTable, match="1 grades are no finite numbers: judgements 0"):
            Judgements(("a",), ("c",), [np.inf])


class TestOfACatalogue:
    def test_tags_classes_products(self, shop):
        catalogue = Catalogue.open(
            shop, tags=["colour", "kind"], split="|", category="kind", product="colour"
        )
        rows = np.arange(8)
        assert relevance_of(catalogue, "classes").relevant(rows).tolist() == [3] * 8
        assert relevance_of(catalogue, "products").relevant(rows).tolist() == [1, 1, 0, 1] * 2
        assert (
            relevance_of(catalogue, "tags", least=1.0).relevant(rows).tolist() == [0, 0, 0, 0] * 2
        )
        judged = Judgements(("0", "1"), ("3", "2"), [1.0, 2.0])
        assert relevance_of(catalogue, judged).relevant(rows).tolist() == [1, 1] + [0] * 6

    def test_a_query_that_is_the_same_file_is_that_item(self, shop):
        catalogue = Catalogue.open(shop, category="kind", tags=["colour", "kind"])
        asked = catalogue.take(["5", "2"])
        for by in ("classes", "tags"):
            relevance = relevance_of(catalogue, by, queries=asked)
            assert relevance.own.tolist() == [5, 2]
            assert relevance.gains(np.arange(2), np.array([[5, 4], [2, 4]]))[:, 0].tolist() == [
                0,
                0,
            ]
        judged = Judgements(("5",), ("1",), [1.0])
        assert relevance_of(catalogue, judged, queries=asked).relevant(np.arange(2)).tolist() == [
            1,
            0,
        ]

    def test_what_a_catalogue_lacks_is_said(self, shop):
        catalogue = Catalogue.open(shop)
        for by, option in (
            ("classes", "--category"),
            ("products", "--product"),
            ("tags", "--tags"),
        ):
            with pytest.raises(BadTable, match=f"(?s)the catalogue has no {by}.*{option}"):
                relevance_of(catalogue, by)
        with pytest.raises(BadTable, match="no colour"):
            relevance_of(catalogue, "colour")


def test_copies():
    copies = find_copies(["a", None, "b", "a", None, "c", "b", "a"])
    assert [group.tolist() for group in copies.groups] == [[0, 3, 7], [2, 6]]
    assert copies.pictures == 5
    assert copies.first.tolist() == [0, 1, 2, 4, 5]
    assert str(copies) == "5 pictures are identical byte for byte to another one, in 2 groups"
    assert "no two pictures" in str(find_copies(["a", "b"]))
    assert str(find_copies(["a", "a"])).endswith("in 1 group")
    assert find_copies([]).first.tolist() == []
