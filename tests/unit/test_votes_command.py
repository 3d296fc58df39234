"""``likelens annotate``: import, export, status, agree, resolve."""

from __future__ import annotations

import json
import sqlite3

import pytest

from likelens import Catalogue, Judgements
from likelens.eds import prevalence
from likelens.eds._votes import database

POOL = "query,candidate,opencv:hog,opencv:orb\na,x,1,0\na,y,0,2\nb,x,3,1\nb,z,3,0\n"
VOTES = """expert,query,candidate,vote
Ann,a,x,1
Ann,a,y,1
Ann,b,x,0
Bo,a,x,1
Bo,a,y,0
Bo,b,x,0
Cy,b,x,0
"""


@pytest.fixture
def run(likelens, tmp_path):
    """Runs an annotate command on a book in a folder of its own."""

    def annotate(*arguments):
        return likelens("annotate", *arguments, "--votes", tmp_path / "votes.db")

    return annotate


@pytest.fixture
def told(run):
    """What a command prints as JSON."""

    def annotate(*arguments):
        code, out, err = run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return annotate


@pytest.fixture
def filled(run, tmp_path):
    """A book with a pool of four pairs, and votes on three of them."""
    for name, text in (("pool.csv", POOL), ("votes.csv", VOTES)):
        (tmp_path / name).write_text(text)
        assert run("import", tmp_path / name)[0] == 0
    return tmp_path


def test_import_and_status(run, told, tmp_path):
    (tmp_path / "pool.csv").write_text(POOL)
    (tmp_path / "known.csv").write_text("query,candidate,grade\na,x,1\n")
    done = told("import", tmp_path / "pool.csv", "--known", tmp_path / "known.csv")
    assert (done["pairs"], done["known"], done["votes"]) == (4, 1, 0)
    assert "no expert has begun" in run("status")[1]
    (tmp_path / "votes.csv").write_text(VOTES)
    code, out, _ = run("import", tmp_path / "votes.csv")
    assert (code, out.split(";")[0]) == (0, "7 votes of 3 experts added, 0 of them a changed mind")
    found = told("status")
    assert (found["pairs"], found["known"], found["votes"], found["answers"]) == (4, 1, 7, 7)
    assert found["experts"][0] == {"expert": "Ann", "asked": 1, "answered": 0, "votes": 3}
    assert "7 votes count, of 7 answers" in run("status")[1]


def test_one_of_each_is_said_so(run, tmp_path):
    (tmp_path / "pool.csv").write_text("query,candidate,rank\na,x,1\n")
    assert run("import", tmp_path / "pool.csv")[1].startswith("1 pair to judge added, 0 were there")
    (tmp_path / "votes.csv").write_text("expert,query,candidate,vote\nAnn,a,x,1\n")
    assert run("import", tmp_path / "votes.csv")[1].startswith("1 vote of 1 expert added, 0 of")
    out = run("status")[1]
    assert out.startswith("1 pair, 1 of them to judge in 1 round, 0 with a known answer")
    assert "1 vote counts, of 1 answer ever given" in out


def test_a_pair_of_an_item_with_itself(run, shop, tmp_path):
    (tmp_path / "pool.csv").write_text("query,candidate,rank\n0,0,1\n0,1,2\n")
    code, _, said = run("import", tmp_path / "pool.csv", "--catalogue", shop)
    assert code == 2
    assert "1 of 2 pairs to judge are of an item with itself: 0" in said
    known = ("--catalogue", shop, "--queries", shop)
    assert run("import", tmp_path / "pool.csv", *known)[::2] == (0, "")
    code, _, said = run("import", tmp_path / "pool.csv")
    assert code == 0
    assert said.startswith("note: 1 pair of an item with itself: right only where")


def test_import_says_that_it_waits(run, filled, monkeypatch):
    monkeypatch.setattr(database, "TELL_AFTER_SECONDS", 0.01)
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.5)
    other = sqlite3.connect(filled / "votes.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    code, _, said = run("import", filled / "pool.csv")
    other.close()
    assert code == 1
    assert said.startswith("note: another program is writing to the vote book; waiting for it")
    assert "likelens: another program is writing to the vote book\n" in said
    assert "try again when it has ended" in said


def test_agree(run, told, filled):
    found = told("agree")
    assert [one["votes"] for one in found["experts"]] == [3, 3, 1]
    assert found["cohen"][0][1] == pytest.approx(0.4)  # 2 of 3 alike, 4/9 by chance
    assert found["cohen"][0][2] is None
    assert found["argued"] == [{"query": "a", "candidate": "y", "positive": 1, "votes": 2}]
    assert found["experts"][0]["consistency"] is None
    code, out, _ = run("agree")
    assert code == 0
    for part in ("Cohen's kappa", "Fleiss' kappa", "Krippendorff's alpha", "1 of 2"):
        assert part in out
    assert "1 of 2" not in run("agree", "--top", 0)[1]


def test_an_expert_who_comes_meanwhile(told, filled, monkeypatch):
    from likelens.eds import VoteBook

    checks = VoteBook.checks

    def late(book):
        book.put("Di", "a", "x", 1)
        return checks(book)

    monkeypatch.setattr(VoteBook, "checks", late)
    assert [one["expert"] for one in told("agree")["experts"]] == ["Ann", "Bo", "Cy"]


def test_every_command_stands_once():
    from likelens.cli.annotate import app

    names = [command.name for command in app.registered_commands]
    assert sorted(names) == ["agree", "export", "import", "plan", "pool", "resolve", "status"]


def test_no_common_pair_and_one_expert(run, told, tmp_path):
    (tmp_path / "v.csv").write_text("expert,query,candidate,vote\nAnn,a,x,1\n")
    run("import", tmp_path / "v.csv")
    assert "there is nobody to agree with" in run("agree")[2]
    (tmp_path / "v.csv").write_text("expert,query,candidate,vote\nBo,a,y,1\n")
    run("import", tmp_path / "v.csv")
    assert "no pair in common, and so no kappa: Ann and Bo" in run("agree")[2]
    assert told("agree")["fleiss"] is None


def test_resolve(run, told, filled):
    found = told("resolve")
    assert [found[name] for name in ("positive", "negative", "ties", "without_votes")] == [
        1, 2, 1, 1,
    ]  # fmt: skip
    assert found["rules"]["any"] == {"positive": 2, "negative": 1, "differ": 1}
    assert found["rules"]["majority"]["differ"] == 0
    assert [(one["k"], one["judged"], one["positive"]) for one in found["p_k"]] == [
        (1, 2, 1), (2, 3, 1), (3, 3, 1),
    ]  # fmt: skip
    assert told("resolve", "--rule", "any")["positive"] == 2
    code, out, _ = run("resolve", "--rule", "unanimous")
    assert code == 0
    assert "by the rule unanimous: 1 positive, 2 negative; 1 ties, 1 pairs without votes" in out
    assert "p_k" in out


def test_two_experts_are_too_few_for_dawid_and_skene(run, told, tmp_path):
    (tmp_path / "v.csv").write_text("\n".join(VOTES.splitlines()[:-1]))
    run("import", tmp_path / "v.csv")
    assert "2 experts voted" in told("resolve")["rules"]["dawid-skene"]["problem"]
    assert "note: dawid-skene: 2 experts voted" in run("resolve")[2]
    code, _, err = run("resolve", "--rule", "dawid-skene")
    assert (code, "2 experts voted" in err) == (1, True)


def test_export(run, told, filled):
    done = told("export", filled / "out.qrels", "--rule", "any")
    assert (done["rows"], done["left_out"]) == (3, 1)
    assert (filled / "out.qrels").read_text() == "a 0 x 1\na 0 y 1\nb 0 x 0\n"
    code, out, _ = run("export", filled / "all.csv", "--rule", "all")
    assert (code, out.endswith("7 rows by the rule all\n")) == (0, True)


def test_the_items_of_a_catalogue(run, shop, tmp_path):
    (tmp_path / "catalogue.toml").write_text('table = "shop.csv"\nimages = "images"\n')
    (tmp_path / "v.csv").write_text("expert,query,candidate,vote\nAnn,0,1,1\nAnn,0,x,1\n")
    code, _, err = run("import", tmp_path / "v.csv", "--catalogue", tmp_path)
    assert code == 2
    assert "1 of 2 rows have candidates that are not in the catalogue: x" in err
    (tmp_path / "v.csv").write_text("expert,query,candidate,vote\nAnn,wild,1,1\n")
    code, _, err = run("import", tmp_path / "v.csv", "--catalogue", tmp_path)
    assert "1 of 1 rows have queries" in err
    code, _, err = run("import", tmp_path / "v.csv", "--catalogue", tmp_path, "--queries", tmp_path)
    assert code == 2


DRAWN = """query,candidate,opencv:hog,random,possible
a,x,1,0,50
a,y,2,1,50
a,z,,1,50
b,x,1,0,50
b,y,,1,50
b,z,,1,50
"""
ANSWERS = "query,candidate,vote\na,x,1\na,y,1\na,z,0\nb,x,0\nb,y,0\n"


@pytest.fixture
def drawn(run, tmp_path):
    """A pool of three pairs, and three more drawn at random, of 100 that there are; no votes."""
    (tmp_path / "pool.csv").write_text(DRAWN)
    (tmp_path / "answers.csv").write_text(ANSWERS)
    run("import", tmp_path / "pool.csv")
    return tmp_path


def test_how_rare_positives_are(run, told, drawn):
    assert told("status")["random"] == 4
    run("import", drawn / "answers.csv", "--expert", "Ann")
    found = told("resolve")
    assert [found[name] for name in ("random_pairs", "all_pairs", "p_lb")] == [4, 100, 0.02]
    rare = found["prevalence"]
    expected = vars(prevalence(1, 3, 0.02))
    assert rare == {
        name: list(one) if isinstance(one, tuple) else one for name, one in expected.items()
    }
    assert [(one["k"], one["p_k"], one["times_chance"]) for one in found["p_k"]] == [
        (1, 1 / 2, 1.5), (2, 2 / 3, 2.0),
    ]  # fmt: skip
    code, out, _ = run("resolve")
    assert code == 0
    for part in (
        "p_LB: 2.000%, the pool's positives by all 100 pairs", "random pairs: 1 of 3 positive",
        "prevalence: 33.333%, the larger of the two", "interval exact: 0.840% to 90.570% (95%)",
        "interval by Chebyshev", "times chance",
    ):  # fmt: skip
        assert part in out


def test_what_it_takes_to_know_how_rare_positives_are(run, told, drawn):
    (drawn / "some.csv").write_text("query,candidate,vote\na,x,1\n")
    run("import", drawn / "some.csv", "--expert", "Ann")
    assert told("resolve")["prevalence"] is None
    code, out, err = run("resolve")
    assert (code, "p_LB: 1.000%" in out) == (0, True)
    assert "none of the 4 random pairs has a vote" in err


def test_a_pool_that_draws_nothing_and_does_not_say_of_how_many(run, told, filled):
    found = told("resolve")
    assert [found[name] for name in ("p_lb", "all_pairs", "prevalence", "random_pairs")] == [
        None, None, None, 0,
    ]  # fmt: skip
    assert found["p_k"][0]["times_chance"] is None
    code, out, err = run("resolve")
    assert (code, "times chance" in out) == (0, False)
    assert "annotate pool SOURCE --random 500" in err
    assert "give its table a column possible" in err


def test_export_without_random_pairs(run, told, drawn):
    run("import", drawn / "answers.csv", "--expert", "Ann")
    code, out, err = run("export", drawn / "all.qrels")
    assert (code, "5 rows" in out) == (0, True)
    assert "2 rows are of random pairs" in err
    assert "--no-random" in err
    found = told("export", drawn / "some.qrels", "--no-random")
    assert (found["rows"], found["left_out"], found["random"]) == (3, 0, 0)
    assert (drawn / "some.qrels").read_text() == "a 0 x 1\na 0 y 1\nb 0 x 0\n"


def test_export_with_the_metadata_of_a_catalogue(run, told, shop, tmp_path):
    pictures = (tmp_path / "images").rename(tmp_path / "pictures")
    (tmp_path / "v.csv").write_text("expert,query,candidate,vote\nAnn,0,1,1\nAnn,1,0,1\n")
    run("import", tmp_path / "v.csv")
    more = (
        "--rule", "majority", "--metadata", tmp_path / "images.json",
        "--catalogue", shop, "--images", pictures, "--tags", "kind",
    )  # fmt: skip
    found = told("export", tmp_path / "tags.json", *more)
    assert found["metadata"]["both"] == 2
    assert found["metadata"]["root"] == str(pictures)
    read = Catalogue.open(tmp_path / "images.json", images=pictures)
    assert len(read) == found["metadata"]["images"]
    pairs = Judgements.read(tmp_path / "tags.json")
    assert {*pairs.queries, *pairs.candidates} == {read.ids[0], read.ids[1]}
    code, out, err = run("export", tmp_path / "tags.json", *more)
    assert (code, "images below" in out, "2 images ask and can be found" in err) == (0, True, True)


def test_a_refused_file_makes_no_book(run, tmp_path):
    (tmp_path / "v.csv").write_text("expert,query,candidate,vote\nAnn,a,x,2\n")
    (tmp_path / "v.jsonl").write_text('{"query": "a\\ud800", "candidate": "x", "vote": 1}\n')
    (tmp_path / "p.csv").write_text(POOL)
    (tmp_path / "k.csv").write_text("query,candidate,grade\na,x,1\na,x,0\n")
    for arguments in (
        ("v.csv",), ("none.csv",), ("v.csv", "--catalogue", "nowhere"), ("p.csv", "--repeats", 2),
        ("v.jsonl", "--expert", "Ann"), ("p.csv", "--known", tmp_path / "k.csv"),
        ("p.csv", "--expert", " "),
    ):  # fmt: skip
        name, *more = arguments
        assert run("import", tmp_path / name, *more)[0] == 2
        assert not (tmp_path / "votes.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("export", "o.csv", "--images", "x", "--bbox"), 2, "--images, --bbox"),
        (
            ("import", "v.csv", "--part", "query"),
            2,
            "no catalogue that this would tell how to read",
        ),
        (("import", "v.csv", "--catalogue", "nowhere"), 2, "nowhere"),
        (("status",), 2, "there is no vote book"),
        (("agree",), 2, "there is no vote book"),
        (("resolve",), 2, "there is no vote book"),
        (("export", "out.csv"), 2, "there is no vote book"),
        (("import", "none.csv"), 2, "there is no such table"),
        (("import", "none.json"), 2, "there is no such file"),
        (("import", "none.csv", "--catalogue", "nowhere"), 2, "nowhere"),
    ],
)
def test_wrong_use_is_one_sentence(run, arguments, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_book_without_votes(run, tmp_path):
    (tmp_path / "pool.csv").write_text(POOL)
    run("import", tmp_path / "pool.csv")
    for arguments in (("agree",), ("resolve",), ("export", tmp_path / "out.csv")):
        code, _, err = run(*arguments)
        assert (code, "there are no votes" in err) == (2, True)
    code, _, err = run("resolve", "--rule", "most", "--json")
    assert (code, json.loads(err)["error"]["what"]) == (2, "there are no votes yet")
