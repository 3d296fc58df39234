"""Votes and judgements in files: what is read, what is refused, and the way there and back."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens import Judgements
from likelens.eds import VoteBook
from likelens.values.errors import BadTable

VOTES = "expert,query,candidate,vote\nAnn,a,x,1\nAnn,a,y,0\nBo,a,x,1\nBo,a,y,1\nCy,b,x,0\n"
LINES = """{"query": "a", "candidate": 7, "vote": 1}

{"candidate": "y", "query": "a", "vote": 0.0}
"""
MAJORITY = {("a", "x"): 1, ("a", "y"): 0, ("b", "x"): 0}  # a with y is a tie


@pytest.fixture
def book(tmp_path):
    with VoteBook.open(tmp_path / "votes.db") as opened:
        yield opened


@pytest.fixture
def load(book, tmp_path):
    """Imports a text as a file of that name."""

    def run(name, text, **more):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return book.import_file(tmp_path / name, **more)

    return run


def judged(path):
    found = Judgements.read(path)
    return dict(zip(zip(found.queries, found.candidates, strict=True), found.grades, strict=True))


class TestImport:
    def test_a_table(self, book, load):
        done = load("votes.csv", VOTES)
        assert (done.votes, done.changed, done.there, done.pairs) == (5, 0, 0, 3)
        pairs, experts, votes = book.matrix()
        assert pairs == (("a", "x"), ("a", "y"), ("b", "x"))
        assert experts == ("Ann", "Bo", "Cy")
        assert votes.tolist() == [[1, 1, -1], [0, 1, -1], [-1, -1, 0]]
        assert book.next_pair("Ann") is None  # votes alone ask nobody

    def test_once_more_changes_nothing_and_another_vote_is_a_changed_mind(self, book, load):
        load("votes.csv", VOTES)
        assert load("votes.csv", VOTES).there == 5
        assert book.sizes()["answers"] == 5
        done = load("more.csv", VOTES.replace("Ann,a,x,1", "Ann,a,x,0"))
        assert (done.votes, done.changed, done.there) == (1, 1, 4)
        assert [one.vote for one in book.history("a", "x") if one.expert == "Ann"] == [1, 0]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("v.jsonl", LINES),
            ("v.json", '[{"key": ["a", "7"], "value": 1}, {"key": ["a", "y"], "value": 0}]'),
            ("v.json", '{"key": ["a", "7"], "value": 1}\n{"key": ["a", "y"], "value": 0}\n'),
            ("v.qrels", "a 0 7 1\na\t0\ty\t0\n"),
            ("v.tsv", "query\tcandidate\tgrade\na\t7\t1\na\ty\t0\n"),
        ],
    )  # fmt: skip
    def test_files_without_an_expert(self, book, load, tmp_path, name, text):
        with pytest.raises(BadTable, match="does not say whose votes"):
            load(name, text)
        load(name, text, expert=" Ann ")
        assert book.matrix().pairs == (("a", "7"), ("a", "y"))
        assert book.matrix().votes.tolist() == [[1], [0]]
        if "vote" not in text:
            assert judged(tmp_path / name) == {("a", "7"): 1, ("a", "y"): 0}

    def test_a_pool_is_to_be_judged_with_its_best_ranks(self, book, load, tmp_path):
        (tmp_path / "known.csv").write_text("query,candidate,grade\na,x,1\nq,q,0\n")
        pool = "query,candidate,opencv:hog,opencv:orb,price\na,x,3,,1\na,y,0,2,1\nb,x,1,4,1\n"
        done = load("pool.csv", pool, known=tmp_path / "known.csv", repeats=0)
        assert (done.pairs, done.known, done.experts) == (4, 2, ())
        assert book.judged().pairs == (("a", "x"), ("a", "y"), ("b", "x"))
        assert book.judged().ranks.tolist() == [3, 2, 1]
        assert book.progress() == ()
        assert book.next_pair("Ann") is not None
        assert book.progress()[0].asked == 4

    def test_a_pool_says_what_was_drawn_at_random_and_of_how_many(self, book, load):
        head = "query,candidate,opencv:hog,random,possible\n"
        load("pool.csv", f"{head}a,x,1,0,9\na,y,2,1,9\na,z,,1,9\nb,x,,1,8\n")
        judged = book.judged()
        assert judged.random.tolist() == [False, True, True, True]
        assert judged.only_random.tolist() == [False, False, True, True]
        assert judged.all_pairs == 9 + 8
        assert book.sizes()["random"] == 3
        load("more.csv", f"{head}a,x,3,1,10\na,z,2,0,10\nc,x,1,0,7\n")  # with what was there
        judged = book.judged()
        assert judged.ranks.tolist() == [1, 2, 2, 0, 1]
        assert judged.random.tolist() == [True, True, True, True, False]
        assert judged.all_pairs == 10 + 8 + 7
        load("plain.csv", "query,candidate,rank\nd,x,1\n")
        assert book.judged().all_pairs is None
        load("plain.csv", "query,candidate,rank,possible\nd,x,1,5\n")
        assert book.judged().all_pairs == 30

    def test_the_same_by_python(self, book):
        book.add_pool(
            ["a", "a", "b"], ["x", "y", "x"], ranks=[1, 0, 2], random=[True, True, False],
            possible=[4, 4, 5], known=[("k", "k", 1)],
        )  # fmt: skip
        judged = book.judged()
        assert (judged.random.tolist(), judged.all_pairs) == ([True, True, False], 9)
        with pytest.raises(BadTable, match="1 queries and 2 marks of random pairs"):
            book.add_pool(["a"], ["x"], random=[True, False])

    def test_votes_answer_questions_that_were_asked(self, book, load):
        load("pool.csv", "query,candidate\na,x\na,y\nb,x\n", repeats=0)
        assert book.next_pair("Ann") is not None
        load("votes.csv", VOTES)
        assert book.next_pair("Ann") == ("b", "x")
        assert book.progress("Ann")[0].answered == 2
        assert book.progress("Bo")[0].asked == 1  # what is known of Bo is not asked
        assert book.judged().pairs == (("a", "x"), ("a", "y"), ("b", "x"))

    def test_a_repeated_answer_alone_leaves_the_first_question_open(self, book, load):
        load("pool.csv", "query,candidate\na,x\n", repeats=0)
        assert book.next_pair("Ann") == ("a", "x")
        load("again.csv", "expert,query,candidate,vote,again\nAnn,a,x,1,1\n")
        assert book.next_pair("Ann") == ("a", "x")
        book.put("Ann", "a", "x", 1)
        assert book.next_pair("Ann") is None
        assert book.sizes()["votes"] == 1


HEAD = "expert,query,candidate,vote\n"


class TestWrongUse:
    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("v.csv", VOTES + "Ann,a,x,0\nAnn,a,y,1\nBo,b,x,1\n",
             r"2 votes stand twice .*: Ann on a with x \(row 1 and row 6\), Ann on a with y"),
            ("v.csv", "query,candidate,rank,random\na,x,1,some\n",
             "1 cell of random is neither 0 nor 1: row 1 has 'some'"),
            ("v.csv", "query,candidate,rank\na,x,1\na,y,2\na,x,3\n",
             "1 pair to judge stands more than once: a with x"),
            ("v.csv", "query,candidate,rank,possible\na,x,1,3\na,y,2,597\na,z,3,\nb,x,1,9\n",
             r"1 query has several numbers of possible candidates: a \(3, 597\)"),
            ("v.csv", "query,candidate,rank,possible\na,x,1,-4\n", "possible candidates '-4'"),
            ("v.csv", HEAD + "Ann,a,x,2\nAnn,a,y,yes\nAnn,b,y,1\n",
             "2 of 3 labels are neither 0 nor 1: row 1 has '2', row 2 has 'yes'"),
            ("v.csv", HEAD + "Ann,a,x,1\nAnn,a,y,\nAnn,b,y,\n", "row 2 lacks a vote, .* 1 more"),
            ("v.csv", HEAD + ",a,x,1\n", "row 1 lacks an expert"),
            ("v.csv", HEAD + "Ann,,x,1\n", "row 1 lacks a query"),
            ("v.csv", HEAD, "there are no pairs in this file"),
            ("v.csv", "expert,query,vote\nAnn,a,1\n", "no column 'candidate'"),
            ("v.csv", "expert,query,candidate,label\nAnn,a,x,1\n", "no column vote or grade"),
            ("v.csv", "query,candidate,Grade\na,x,1\n", "no column vote or grade"),
            ("v.csv", HEAD + "Ann,a,x\n", "cannot be read"),
            ("v.csv", "expert,query,candidate,vote,again\nAnn,a,x,1,perhaps\n",
             "1 cell of again is neither 0 nor 1: row 1 has 'perhaps'"),
            ("v.csv", "expert,query,candidate,vote,seconds\nAnn,a,x,1,long\n", "not hold numbers"),
            ("v.csv", "expert,query,candidate,vote,seconds\nAnn,a,x,1,2\nAnn,a,y,1,-1\nAnn,a,z,1,inf\n",
             "2 cells of seconds are no time .*: row 2, row 3"),
            ("v.jsonl", '{"query": "a\\ud800", "candidate": "x", "vote": 1}', "no whole text"),
            ("v.jsonl", f'{{"query": {"1" * 5000}, "candidate": "x", "vote": 1}}', "line 1 is not JSON"),
            ("v.jsonl", '{"query": "a", "candidate": "x", "vote": 1, "expert": "Ann"}\n{"query',
             "line 2 is not JSON"),
            ("v.jsonl", '{"query": "a", "candidate": "x", "vote": 1}\n[1, 2]\n', "line 2 is not an object"),
            ("v.jsonl", '{"query": "a", "candidate": ["x"], "vote": 1}\n',
             "1 row has a list or an object as a cell: line 1"),
            ("v.json", '[{"key": ["a"], "value": 1}]', "entry 1 is neither an object of columns"),
            ("v.json", '[{"key": ["a", "x"], "value": 1},', "the JSON file cannot be read"),
            ("v.json", '[{"key": ["a", "x"]}]', "entry 1 lacks a grade"),
            ("v.json", "[" * 100_000, "the JSON file cannot be read"),
            ("v.csv", "query,candidate,rank\na,x,1\na,y,first\n", "row 2 has the rank 'first'"),
            ("v.qrels", "a 0 x 1\na 0 x\n", "line 2 has 3 parts"),
            ("v.qrels", "a 0 x 1\na 0 y 3\n", "1 of 2 labels .*: line 2 has '3'"),
            ("v.qrels", "a 0 x 1\na 0 x 0\n", r"1 vote stands twice.*line 1 and line 2"),
            ("v.parquet", "no parquet", "cannot be read"),
        ],
    )  # fmt: skip
    def test_nothing_of_a_wrong_file_is_taken(self, book, load, name, text, message):
        names_experts = "expert" in text or "rank" in text
        with pytest.raises(BadTable, match=message):
            load(name, text, **({} if names_experts else {"expert": "Ann"}))
        assert set(book.sizes().values()) == {0}

    def test_an_item_with_itself_in_one_catalogue(self, book, load):
        pool = "query,candidate,rank\na,a,1\na,b,2\nb,b,1\n"
        with pytest.raises(
            BadTable, match="2 of 3 pairs to judge are of an item with itself: a, b"
        ):
            load("pool.csv", pool, queries={"a", "b"}, candidates={"a", "b"}, closed=True)
        assert set(book.sizes().values()) == {0}
        done = load("pool.csv", pool, queries={"a", "b"}, candidates={"a", "b"})
        assert (done.pairs, done.itself) == (3, 2)  # of two catalogues, as far as is known

    def test_unknown_items(self, book, load):
        with pytest.raises(BadTable, match=r"1 of 5 rows have queries .* catalogue: b"):
            load("v.csv", VOTES, queries={"a"}, candidates={"x", "y"})
        with pytest.raises(BadTable, match=r"2 of 5 rows have candidates .* catalogue: y"):
            load("v.csv", VOTES, queries={"a", "b"}, candidates={"x"})
        assert set(book.sizes().values()) == {0}
        assert load("v.csv", VOTES, queries={"a", "b"}, candidates={"x", "y"}).votes == 5

    def test_options_that_do_not_fit(self, book, load, tmp_path):
        with pytest.raises(BadTable, match="'Ann' is named as well"):
            load("v.csv", VOTES, expert="Ann")
        with pytest.raises(BadTable, match="known and repeated pairs are mixed into pairs"):
            load("v.csv", VOTES, repeats=0.1)
        with pytest.raises(BadTable, match="there is no such file"):
            load("pool.jsonl", '{"query": "a", "candidate": "x"}', known=tmp_path / "none.qrels")
        (tmp_path / "known.qrels").write_text("a 0 x 1\na 0 x 0\n")
        with pytest.raises(BadTable, match=r"1 vote stands twice .*: a with x"):
            load("pool.jsonl", '{"query": "a", "candidate": "x"}', known=tmp_path / "known.qrels")
        assert set(book.sizes().values()) == {0}

    def test_exports(self, book, load, tmp_path):
        with pytest.raises(BadTable, match="there are no votes to export"):
            book.export_file(tmp_path / "out.csv")
        load("v.csv", VOTES.replace("a,x", "a b,x"))
        for name, rule, message in (
            ("out.csv", "most", "there is no rule 'most'"),
            ("out.doc", "any", "'.doc' is not|.doc is not a kind of file"),
            ("out.qrels", "all", "no place for the names of experts"),
            ("out.json", "all", "no place for the names of experts"),
            ("out.qrels", "any", "1 id has blanks.*'a b'"),
            ("votes.db/out.csv", "any", "cannot be written"),
        ):
            with pytest.raises(BadTable, match=message):
                book.export_file(tmp_path / name, rule=rule)
            assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.parquet", "o.jsonl", "o.json", "o.qrels"])
def test_judgements_there_and_back(book, load, tmp_path, name):
    load("v.csv", VOTES)
    book.add_pool(["a", "c"], ["x", "z"], known=[("k", "k", 1)])
    book.put("Ann", "k", "k", 1)  # only checks Ann: no judgement
    done = book.export_file(tmp_path / name)
    assert (done.rows, done.left_out) == (3, 1)
    assert judged(tmp_path / name) == MAJORITY
    book.export_file(tmp_path / name, rule="any")
    assert judged(tmp_path / name) == MAJORITY | {("a", "y"): 1}
    book.export_file(tmp_path / name, rule="unanimous")
    assert judged(tmp_path / name) == MAJORITY
    book.export_file(tmp_path / name, rule="dawid-skene")
    assert judged(tmp_path / name).keys() == MAJORITY.keys()


def test_what_was_drawn_at_random_can_stay_out(book, load, tmp_path):
    load("pool.csv", "query,candidate,opencv:hog,random\na,x,1,1\na,y,,1\nb,x,,1\nb,y,,1\n")
    load("v.csv", VOTES)
    done = book.export_file(tmp_path / "o.csv")
    assert (done.rows, done.left_out, done.random) == (3, 1, 2)
    assert "query,candidate,grade,positive,votes,random\n" in (tmp_path / "o.csv").read_text()
    done = book.export_file(tmp_path / "o.csv", random=False)
    assert (done.rows, done.left_out, done.random) == (1, 0, 0)
    assert judged(tmp_path / "o.csv") == {("a", "x"): 1}
    assert book.export_file(tmp_path / "o.csv", rule="all").random == 3
    assert book.export_file(tmp_path / "o.csv", rule="all", random=False).rows == 2


def test_the_release_s_json_is_as_released(book, load, tmp_path):
    load("v.csv", VOTES)
    book.export_file(tmp_path / "tags.json")
    assert json.loads((tmp_path / "tags.json").read_text()) == [
        {"key": list(pair), "value": grade} for pair, grade in MAJORITY.items()
    ]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1
).filter(lambda text: text == text.strip() == unicodedata.normalize("NFC", text))
"""Ids as files give them: text is brought to the form NFC."""


class TestRoundTrip:
    @given(
        st.dictionaries(
            st.tuples(st.sampled_from(["Ann", "Bo", 'C "y"']), NAMES, NAMES),
            st.integers(0, 1),
            min_size=1,
            max_size=12,
        ),
        st.sampled_from(["o.csv", "o.tsv", "o.parquet", "o.jsonl"]),
    )
    @settings(max_examples=40, deadline=None)
    def test_every_vote(self, tmp_path_factory, votes, name):
        folder = tmp_path_factory.mktemp("trip")
        with VoteBook.open(folder / "one.db") as book, VoteBook.open(folder / "two.db") as other:
            asked = dict.fromkeys((query, candidate) for _, query, candidate in votes)
            book.add_pool(*zip(*asked, strict=True))
            for key, vote in votes.items():
                book.put(*key, vote)
            book.export_file(folder / name, rule="all")
            other.import_file(folder / name)
            told = [
                {
                    (expert, *pair): found.votes[row, column]
                    for row, pair in enumerate(found.pairs)
                    for column, expert in enumerate(found.experts)
                    if found.votes[row, column] >= 0
                }
                for found in (book.matrix(), other.matrix())
            ]
            assert told == [votes, votes]

    def test_repeated_answers_and_which_of_them_counts(self, book, tmp_path):
        number = 40
        book.add_pool(["q"] * number, [f"c{n}" for n in range(number)], repeats=0.5)
        draw = np.random.default_rng(0)
        while pair := book.next_pair("Ann"):
            book.put("Ann", *pair, int(draw.integers(2)), 1.5)
        pair = next(one for one in book.matrix().pairs if len(book.history(*one)) == 2)
        book.put("Ann", *pair, 1 - book.history(*pair)[1].vote)  # a changed mind after both
        book.export_file(tmp_path / "all.csv", rule="all")
        with VoteBook.open(tmp_path / "two.db") as other:
            other.import_file(tmp_path / "all.csv")
            assert sorted(zip(*other.matrix()[::2], strict=True)) == sorted(
                zip(*book.matrix()[::2], strict=True)
            )
            assert book.checks()[0].repeated == 20
            assert other.checks()[0].repeated == 19  # the first answer of that one is history
            other.export_file(tmp_path / "again.csv", rule="all")
        assert (tmp_path / "again.csv").read_text() == (tmp_path / "all.csv").read_text()
