"""The vote book against a dictionary, killed writers, and several of them at once."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens import eds
from likelens.eds import VoteBook
from likelens.eds._votes import database
from likelens.eds._votes.turns import GAP, shuffled
from likelens.values.errors import BadTable, MissingExtra, StoreBroken

QUERIES, CANDIDATES = ("a", "a", "b", "b", "c"), ("x", "y", "x", "z", "x")
PAIRS = list(zip(QUERIES, CANDIDATES, strict=True))
NUMBERS = count()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where a new vote book may be made: a file, and a database of a real server."""
    if request.param == "sqlite":
        return str(tmp_path / "votes.db")
    psycopg = pytest.importorskip("psycopg")
    server = request.getfixturevalue("postgres_server")
    name = f"book_{next(NUMBERS)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def book(place):
    with VoteBook.open(place) as opened:
        yield opened


def counts(book):
    """Every vote that counts, as a dictionary."""
    pairs, experts, votes = book.matrix()
    return {
        (expert, *pair): int(votes[row, column])
        for row, pair in enumerate(pairs)
        for column, expert in enumerate(experts)
        if votes[row, column] >= 0
    }


def answer_all(book, expert, say=lambda query, candidate: 1):
    """Lets an expert answer everything; returns the questions in order."""
    asked = []
    while pair := book.next_pair(expert):
        book.put(expert, *pair, say(*pair))
        asked.append(tuple(pair))
    return asked


class Model:
    """What a vote book should say, in plain lists."""

    def __init__(self):
        self.said = {}  # (expert, pair) -> list of votes, the last one counts
        self.order = {}  # expert -> pairs in order of their votes

    def put(self, expert, pair, vote):
        before = self.said.setdefault((expert, pair), [])
        if not before or before[-1] != vote:
            before.append(vote)
            self.order.setdefault(expert, []).append(pair)

    def undo(self, expert):
        if not self.order.get(expert):
            return None
        pair = self.order[expert].pop()
        self.said[expert, pair].pop()
        return pair

    def counts(self):
        return {(expert, *pair): votes[-1] for (expert, pair), votes in self.said.items() if votes}


STEPS = st.lists(
    st.tuples(st.sampled_from(["Ann", "Bo"]), st.sampled_from([*PAIRS, None]), st.integers(0, 1)),
    max_size=25,
)


def check_against_model(book, steps):
    model = Model()
    book.add_pool(QUERIES, CANDIDATES, repeats=0)
    book.next_pair("Ann")  # has turns from the beginning, Bo only later
    for expert, pair, vote in steps:
        if pair is None:
            assert book.undo(expert) == model.undo(expert)
        else:
            book.put(expert, *pair, vote)
            model.put(expert, pair, vote)
    expected = model.counts()
    assert counts(book) == expected
    for expert in ("Ann", "Bo"):
        unsaid = [pair for pair in PAIRS if (expert, *pair) not in expected]
        assert sorted(answer_all(book, expert)) == sorted(unsaid)
        (line,) = book.progress(expert) or [None]
        assert (line.answered, line.votes) == (line.asked, len(PAIRS))


class TestAgainstADictionary:
    @given(steps=STEPS)
    @settings(max_examples=40, deadline=None)
    def test_after_any_steps_the_matrix_is_the_dictionary(self, tmp_path_factory, steps):
        with VoteBook.open(tmp_path_factory.mktemp("book") / "v.db") as book:
            check_against_model(book, steps)

    def test_the_same_on_either_database(self, book):
        draw = random.Random(3)
        steps = [
            (draw.choice(["Ann", "Bo"]), draw.choice([*PAIRS, None]), draw.randrange(2))
            for _ in range(60)
        ]
        check_against_model(book, steps)

    def test_nothing_in_it(self, book):
        assert book.matrix().votes.shape == (0, 0)
        assert book.next_pair("Ann") is None
        assert book.undo("Ann") is None
        assert book.progress() == book.progress("Ann")
        assert book.progress("Bo") == ()
        assert book.judged().ranks.shape == (0,)
        assert [one.consistency for one in book.checks()] == [pytest.approx(np.nan, nan_ok=True)]


def test_a_changed_mind_keeps_its_history(book):
    book.add_pool(["a"], ["x"])
    book.put("Ann", "a", "x", 0)
    book.put("Ann", "a", "x", 1)
    book.put("Ann", "a", "x", 1)  # once more is the same vote
    book.put("Bo", "a", "x", 1)
    assert counts(book) == {("Ann", "a", "x"): 1, ("Bo", "a", "x"): 1}
    assert book.undo("Ann") == ("a", "x")
    assert counts(book) == {("Ann", "a", "x"): 0, ("Bo", "a", "x"): 1}
    told = [(one.expert, one.vote, one.withdrawn) for one in book.history("a", "x")]
    assert told == [("Ann", 0, False), ("Ann", 1, True), ("Bo", 1, False)]
    assert book.sizes() == {
        "pairs": 1, "to_judge": 1, "known": 0, "random": 0, "rounds": 1, "votes": 2, "answers": 3,
    }  # fmt: skip


class TestOrder:
    def test_every_pair_to_every_expert_query_by_query(self, book):
        queries = [f"q{number % 9}" for number in range(63)]
        candidates = [f"c{number}" for number in range(63)]
        book.add_pool(queries, candidates, repeats=0)
        orders = [answer_all(book, name) for name in ("Ann", "Bo")]
        for order in orders:
            assert sorted(order) == sorted(zip(queries, candidates, strict=True))
            seen = [query for query, _ in order]
            changes = sum(one != other for one, other in pairwise(seen))
            assert changes == 8
        assert orders[0] != orders[1]
        assert list(dict.fromkeys(q for q, _ in orders[0])) != list(
            dict.fromkeys(q for q, _ in orders[1])
        )

    def test_asking_again_without_an_answer_gives_the_same(self, book):
        book.add_pool(QUERIES, CANDIDATES)
        first = book.next_pair("Ann")
        assert book.next_pair("Ann") == first
        book.put("Ann", *first, 1)
        assert book.next_pair("Ann") != first
        assert book.undo("Ann") == first
        assert book.next_pair("Ann") == first

    def test_more_pairs_come_after_those_there(self, book):
        book.add_pool(["a"], ["x"], ranks=[4], repeats=0)
        answer_all(book, "Ann")
        added = book.add_pool(["a", "a", "b"], ["x", "y", "y"], ranks=[2, 1, 3], repeats=0)
        assert (added.pairs, added.there) == (2, 1)
        assert book.progress("Ann")[0].asked == 3
        assert sorted(answer_all(book, "Ann")) == [("a", "y"), ("b", "y")]
        assert book.judged().ranks.tolist() == [2, 1, 3]
        assert book.add_pool(["a"], ["x"]).pairs == 0

    def test_some_come_back_and_tell_how_consistent_an_expert_is(self, book):
        pairs = [(f"q{number // 4}", f"c{number}") for number in range(100)]
        book.add_pool(*zip(*pairs, strict=True), repeats=0.1)
        asked = answer_all(book, "Ann")
        times = Counter(asked)
        twice = [pair for pair, number in times.items() if number == 2]
        assert len(asked) == 110
        assert len(twice) == 10
        for pair in twice:
            first, again = (place for place, one in enumerate(asked) if one == pair)
            assert again - first > GAP
        answers = iter(range(200))
        asked = answer_all(book, "Bo", lambda *_: next(answers) % 2)
        told = [(one.repeated, one.consistency) for one in book.checks()]
        twice = {pair for pair, number in Counter(asked).items() if number == 2}
        places = [[i for i, one in enumerate(asked) if one == pair] for pair in twice]
        same = sum(first % 2 == again % 2 for first, again in places)
        assert told == [(10, 1.0), (10, same / 10)]
        for pair in twice:  # the newest answer counts
            last = max(place for place, one in enumerate(asked) if one == pair)
            assert counts(book)["Bo", *pair] == last % 2

    def test_a_repeated_answer_is_taken_back_alone(self, book):
        book.add_pool([f"q{number}" for number in range(8)], ["c"] * 8, repeats=0.25)
        asked = []
        while len(asked) == len(set(asked)):
            asked.append(tuple(book.next_pair("Ann")))
            book.put("Ann", *asked[-1], 1)
        assert book.checks()[0].repeated == 1
        before = book.progress("Ann")[0]
        assert book.undo("Ann") == asked[-1]
        assert book.checks()[0].repeated == 0
        assert counts(book)["Ann", *asked[-1]] == 1
        assert book.progress("Ann")[0].answered == before.answered - 1
        assert book.next_pair("Ann") == asked[-1]

    def test_what_was_answered_before_it_was_dealt_can_be_taken_back(self, book):
        book.add_pool(QUERIES, CANDIDATES, repeats=0)
        book.put("Ann", "b", "z", 1)
        assert book.next_pair("Ann") != ("b", "z")
        assert book.undo("Ann") == ("b", "z")
        assert book.next_pair("Ann") == ("b", "z")
        assert book.progress("Ann")[0].asked == 5
        assert sorted(answer_all(book, "Ann")) == sorted(PAIRS)
        assert book.undo("Ann") is not None

    def test_ranks_and_answers_of_arrays(self, book):
        book.add_pool(
            np.array(["a", "a"]),
            np.array(["x", "y"]),
            ranks=np.array([2, 1], np.int32),
            known=[("a", "x", np.int64(1))],
        )
        answer_all(book, "Ann")
        assert book.judged().ranks.tolist() == [2, 1]
        assert book.checks()[0].accuracy == 1

    def test_known_pairs_are_mixed_in_and_only_check(self, book):
        known = [("a", "x", 1), ("a", "w", 0), ("z", "z", 0)]
        added = book.add_pool(QUERIES, CANDIDATES, known=known, repeats=0)
        assert (added.pairs, added.known) == (7, 3)
        asked = answer_all(book, "Ann")
        assert sorted(asked) == sorted([*PAIRS, ("a", "w"), ("z", "z")])
        (told,) = book.checks()
        assert (told.known, told.right, told.accuracy) == (3, 1, 1 / 3)
        assert len(book.matrix().pairs) == 7
        assert sorted(book.judged().pairs) == sorted(PAIRS)
        book.add_pool(["z"], ["z"])  # now it is one to judge
        assert ("z", "z") in book.judged().pairs

    @given(st.lists(st.integers(0, 5), max_size=120), st.floats(0, 1), st.integers(0, 1000))
    @settings(deadline=None)
    def test_what_an_order_keeps_to(self, queries, repeats, seed):
        rows, again = shuffled(np.array(queries, np.int64), repeats, np.random.default_rng(seed))
        assert sorted(rows[~again].tolist()) == list(range(len(queries)))
        back = rows[again].tolist()
        assert len(set(back)) == len(back) <= round(repeats * len(queries))
        gap = max(min(GAP, len(queries) // 2), 1)
        assert len(back) == min(round(repeats * len(queries)), max(len(queries) - gap, 0))
        firsts = {row: place for place, row in enumerate(rows.tolist()) if not again[place]}
        for place in np.flatnonzero(again):
            assert place - firsts[rows[place]] > gap
        asked = [queries[row] for row, later in zip(rows, again, strict=True) if not later]
        starts = sum(one != other for one, other in pairwise(asked))
        assert starts == max(len(set(queries)) - 1, 0)
        for place in range(1, len(rows) - 1):  # nothing comes between the candidates of a query
            if again[place] and not again[place - 1]:
                later = next((p for p in range(place, len(rows)) if not again[p]), None)
                if later is not None:
                    assert queries[rows[place - 1]] != queries[rows[later]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a book of 60 pairs with the votes of two experts."""
    place = tmp_path_factory.mktemp("book") / "votes.db"
    with VoteBook.open(place) as book:
        book.add_pool([f"q{n // 5}" for n in range(60)], [f"c{n}" for n in range(60)], repeats=0.1)
        for expert in ("Ann", "Bo"):
            for _ in range(30):
                book.put(expert, *book.next_pair(expert), 1)
    with sqlite3.connect(place) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return place.read_bytes()


def read_all(place):
    with VoteBook.open(place, create=False) as book:
        book.matrix(), book.progress(), book.sizes(), book.checks(), book.judged()
        if pair := book.next_pair("Ann"):
            book.put("Ann", *pair, 1)
        book.next_pair("Cy")
        book.undo("Ann")


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_book_gives_one_sentence(seed, whole, tmp_path):
    draw, data = np.random.default_rng(seed), bytearray(whole)
    start, length = int(draw.integers(16, len(data))), int(draw.choice([1, 16, 512, 4096]))
    if seed % 4 == 0:
        del data[start:]
    else:
        data[start : start + length] = draw.bytes(length) if seed % 4 < 3 else bytes(length)
    (tmp_path / "votes.db").write_bytes(data)
    with suppress(StoreBroken, BadTable):
        read_all(tmp_path / "votes.db")


def test_a_book_in_a_folder_that_is_read_only_can_be_read(whole, tmp_path, monkeypatch):
    place = tmp_path / "a folder?" / "votes.db"
    place.parent.mkdir()
    place.write_bytes(whole)
    monkeypatch.setattr(database.os, "access", lambda *_: False)
    with VoteBook.open(place, create=False) as book:
        assert book.matrix().votes.shape == (60, 2)
        with pytest.raises(StoreBroken, match="readonly") as told:
            book.put("Ann", "q0", "c0", 0)  # all votes so far are 1
        assert "may write" in told.value.hint
    assert [path.name for path in place.parent.iterdir()] == ["votes.db"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM likelens_pairs WHERE id = 7", "refers to none of likelens_pairs"),
        ("DELETE FROM likelens_book", "its version is missing"),
        ("schema", "malformed database schema"),
    ],
)
def test_damage_is_found_when_a_book_is_opened(change, said, whole, tmp_path):
    place = tmp_path / "votes.db"
    if change == "schema":
        place.write_bytes(whole.replace(b"REFERENCES", b"REFERENCE\xed", 1))
    else:
        place.write_bytes(whole)
        with sqlite3.connect(place) as connection:
            connection.execute(change)
        connection.close()
    with pytest.raises(StoreBroken, match=f"the vote book is damaged: .*{said}") as told:
        read_all(place)
    assert ".recover" in told.value.hint


VOTER = """
import sys
from likelens.eds import VoteBook
book = VoteBook.open(sys.argv[1])
print("ready", flush=True)
while pair := book.next_pair(sys.argv[2]):
    if len(sys.argv) > 3 and not sys.stdin.readline():  # a vote for each line, if so asked
        break
    book.put(sys.argv[2], *pair, int(pair.candidate[1:]) % 2)
    print(*pair, flush=True)
"""


def voter(place, name, *more, **streams):
    command = [sys.executable, "-c", VOTER, place, name, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **streams)


class TestAtOnce:
    pairs = tuple((f"q{number // 5}", f"c{number}") for number in range(300))

    def test_no_acknowledged_vote_is_lost_when_killed(self, tmp_path):
        place = str(tmp_path / "votes.db")
        acknowledged = set()
        with VoteBook.open(place) as book:
            book.add_pool(*zip(*self.pairs, strict=True), repeats=0)
            for kill in range(6):
                with voter(place, "Ann", "on demand", stdin=subprocess.PIPE) as process:
                    wanted = 1 + 7 * kill
                    process.stdin.write("\n" * wanted)
                    process.stdin.flush()
                    lines = [process.stdout.readline() for _ in range(wanted)]  # first: ready
                    process.kill()  # within the last of these votes, or just before or after it
                    lines += process.stdout.readlines()
                acknowledged |= {tuple(line.split()) for line in lines[1:] if line.endswith("\n")}
                votes = counts(book)
                assert {("Ann", *pair) for pair in acknowledged} <= set(votes)
                assert len(votes) - len(acknowledged) <= kill + 1  # written, not yet told
                assert all(vote == int(key[2][1:]) % 2 for key, vote in votes.items())
            assert acknowledged
            with sqlite3.connect(place) as check:
                assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            check.close()

    def test_two_processes_and_the_same_expert(self, place):
        with VoteBook.open(place) as book:
            book.add_pool(*zip(*self.pairs[:60], strict=True), repeats=0)
            voters = [voter(place, name) for name in ("Ann", "Ann", "Bo")]
            assert [one.communicate()[0][:5] for one in voters] == ["ready"] * 3
            assert [one.returncode for one in voters] == [0, 0, 0]
            assert len(counts(book)) == 120
            assert book.sizes()["answers"] == 120
            assert book.next_pair("Ann") is None

    def test_threads(self, book):
        book.add_pool(*zip(*self.pairs[:40], strict=True), repeats=0)
        broken = []

        def vote(number):
            try:
                for query, candidate in self.pairs[:40]:
                    book.put(f"expert {number % 3}", query, candidate, number % 2)
            except Exception as error:  # noqa: BLE001 - told by the test
                broken.append(error)

        threads = [threading.Thread(target=vote, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not broken
        assert (book.matrix().votes >= 0).all()
        assert book.matrix().votes.shape == (40, 3)
        for name, *pair in counts(book):
            told = [one for one in book.history(*pair) if one.expert == name]
            assert told[-1].vote == counts(book)[name, *pair]
            assert all(a.vote != b.vote for a, b in pairwise(told))

    def test_two_make_the_same_book(self, place):
        threads = [threading.Thread(target=lambda: VoteBook.open(place).close()) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with VoteBook.open(place, create=False) as book:
            assert book.sizes()["pairs"] == 0


class TestWrongUse:
    def test_votes_and_names(self, book):
        book.add_pool(["a"], ["x"])
        for vote in (2, -1, None, "1", 0.5):
            with pytest.raises(BadTable, match="is neither 0 nor 1"):
                book.put("Ann", "a", "x", vote)
        with pytest.raises(BadTable, match=r"no whole text: 'Ann\\udcff'"):
            book.put("Ann\udcff", "a", "x", 1)
        for name in ("", "  ", None, 7):
            with pytest.raises(BadTable, match="the expert has no name"):
                book.put(name, "a", "x", 1)
        for seconds in (-3, float("inf"), float("nan"), "2"):
            with pytest.raises(BadTable, match="seconds are no time that an answer takes"):
                book.put("Ann", "a", "x", 1, seconds=seconds)
        with pytest.raises(BadTable, match="pair a with y is not in the vote book"):
            book.put("Ann", "a", "y", 1)
        assert book.sizes()["answers"] == 0
        assert book.progress() == ()

    @pytest.mark.parametrize(
        ("queries", "candidates", "more", "message"),
        [
            ([], [], {}, "there are no pairs to judge"),
            (["a"], [], {}, "1 queries and 0 candidates"),
            (["a"], ["x"], {"ranks": [1, 2]}, "1 queries and 2 ranks"),
            (["a"], ["x"], {"repeats": 1.5}, "1.5 is no share"),
            (["a", "a"], ["x", "x"], {}, "1 pair to judge stands more than once: a with x"),
            (["a", "a"], ["x", "y"], {"possible": [3, 597]}, r"candidates: a \(3, 597\)"),
            (["a"], ["x"], {"repeats": float("nan")}, "nan is no share"),
            (["a"], ["x"], {"known": [("a", "x", 2)]}, "has no one answer of 0 or 1"),
            (["a"], ["x"], {"known": [("a", "x", 0), ("a", "x", 1)]}, "no one answer"),
        ],
    )
    def test_pools(self, tmp_path, queries, candidates, more, message):
        with VoteBook.open(tmp_path / "v.db") as book:
            with pytest.raises(BadTable, match=message):
                book.add_pool(queries, candidates, **more)
            assert book.sizes()["pairs"] == 0

    def test_whoever_takes_back_nothing_is_no_expert(self, book):
        book.add_pool(["a"], ["x"])
        assert book.undo("Zed") is None
        assert book.progress() == ()

    def test_an_item_with_itself_is_counted(self, book):
        assert book.add_pool(["a", "b"], ["a", "x"]).itself == 1

    def test_a_book_that_another_program_writes_to(self, tmp_path, monkeypatch):
        told = threading.Event()
        monkeypatch.setattr(database, "TELL_AFTER_SECONDS", 0.01)
        monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.5)
        with VoteBook.open(tmp_path / "v.db", waiting=told.set) as book:
            other = sqlite3.connect(tmp_path / "v.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBroken, match="another program is writing to") as caught:
                book.add_pool(["a"], ["x"])
            assert told.is_set()
            assert caught.value.hint == "try again when it has ended"
            other.execute("ROLLBACK")
            other.close()
            assert book.add_pool(["a"], ["x"]).pairs == 1

    def test_a_known_pair_with_the_other_answer(self, book):
        book.add_pool(["a"], ["x"], known=[("a", "x", 1)])
        with pytest.raises(BadTable, match="1 known pairs have the other answer"):
            book.add_pool(["b"], ["x"], known=[("a", "x", 0)])
        assert book.sizes()["pairs"] == 1

    def test_no_book(self, tmp_path):
        with pytest.raises(BadTable, match="there is no vote book"):
            VoteBook.open(tmp_path / "none.db", create=False)
        with pytest.raises(BadTable, match="there is no such folder"):
            VoteBook.open(tmp_path / "none" / "votes.db")
        with pytest.raises(BadTable, match="no vote book: it is a folder"):
            VoteBook.open(tmp_path)
        (tmp_path / "text.csv").write_text("a,b,c\n" * 20)
        with pytest.raises(BadTable, match="no vote book: it is another kind of file"):
            VoteBook.open(tmp_path / "text.csv")
        other = sqlite3.connect(tmp_path / "other.db")
        other.execute("CREATE TABLE songs (title TEXT)")
        other.close()
        before = (tmp_path / "other.db").read_bytes()
        with pytest.raises(BadTable, match="a database of 1 other tables"):
            VoteBook.open(tmp_path / "other.db")
        assert (tmp_path / "other.db").read_bytes()[100:] == before[100:]

    def test_a_book_is_always_kept(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with VoteBook.open(":memory:") as book:
            book.add_pool(["a"], ["x"])
        with VoteBook.open(":memory:", create=False) as book:
            assert book.sizes()["pairs"] == 1

    def test_a_book_of_another_version(self, place):
        import sqlalchemy as sa

        VoteBook.open(place).close()
        url = place.replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(url if "://" in place else f"sqlite:///{place}")
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE likelens_book SET version = 99"))
        engine.dispose()
        with pytest.raises(BadTable, match="version 99 of the tables, and this likelens knows 2"):
            VoteBook.open(place)

    def test_a_damaged_book(self, tmp_path):
        place = tmp_path / "votes.db"
        with VoteBook.open(place) as book:
            book.add_pool(["a"] * 500, [f"c{number}" for number in range(500)])
        whole = place.read_bytes()
        place.write_bytes(whole[:3000] + b"\xff" * (len(whole) - 3000))
        with (
            pytest.raises(StoreBroken, match="the vote book is damaged"),
            VoteBook.open(place) as book,
        ):
            book.matrix()

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("mysql://me:secret@host/name", "votes are not kept in mysql"),
            ("://", "no URL of a database"),
            ("postgresql://me:secret@host:port/name", "no URL of a database"),
            ("postgresql://me:my@secret@host:port/name", "no URL of a database"),
        ],
    )
    def test_other_addresses(self, url, message):
        with pytest.raises(BadTable, match=message) as caught:
            VoteBook.open(url)
        assert "secret" not in str(caught.value)

    def test_no_server(self):
        pytest.importorskip("psycopg")
        with pytest.raises(StoreBroken, match="the database refuses") as caught:
            VoteBook.open("postgresql://me:secret@127.0.0.1:1/name")
        assert "secret" not in str(caught.value)

    def test_no_library(self, monkeypatch):
        monkeypatch.setattr("likelens.values.extras.find_spec", lambda _: None)
        with pytest.raises(MissingExtra, match="psycopg is not installed"):
            VoteBook.open("postgresql://host/name")
        code = (
            "import likelens.values.extras as extras\n"
            "extras.find_spec = lambda _: None\n"
            "import likelens.eds._votes.book"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "MissingExtra: " in run.stderr
        assert "sqlalchemy is not installed" in run.stderr


def test_the_names_are_public():
    assert eds.VoteBook is VoteBook
    assert eds.resolve(np.array([[1, 0]], np.int8), "any").tolist() == [1]
