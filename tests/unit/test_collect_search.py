"""Addresses from a search service: pages, quotas, keys, and the command line."""

import json
from dataclasses import replace

import pytest

from likelens.collect import Engine, Manners, collect
from likelens.collect.engine import KEY, Searches
from likelens.values.errors import BadTable, NotFetched
from likelens.values.web.fetch import Fetcher
from misbehaving import Server

SECRET = "AIza-very+secret"
QUICK = Manners(
    delay_seconds=0.0, timeout_seconds=120.0, retries=1, backoff_seconds=0.001, allow_private=True
)
QUOTA = (
    429,
    json.dumps({"error": {"code": 429, "message": f"Quota exceeded for {SECRET}"}}).encode(),
)


@pytest.fixture
def server():
    one = Server()
    one.pages = {
        "cat": [one.url(f"good/{n}") for n in range(25)],
        "a dog": [one.url(f"good/{100 + n}") for n in range(3)],
    }
    yield one
    one.close()


@pytest.fixture
def classes(tmp_path):
    (tmp_path / "classes.csv").write_text("class,query\ncat,\ndog,a dog\nyeti,\n")
    return tmp_path / "classes.csv"


def engine(server, per_class=15, **given):
    return Engine("cx1", per_class, endpoint=server.url("search"), key=SECRET, **given)


def everything_written(folder):
    return "".join(
        path.read_text() for path in folder.rglob("*") if path.suffix in (".jsonl", ".part")
    )


def starts(server):
    return [path.partition("start=")[2] for path, _ in server.seen if path.startswith("/search")]


def test_pages_are_followed_as_far_as_needed(tmp_path, server, classes):
    found = collect(
        classes, tmp_path / "set", engine=engine(server, rights="cc_publicdomain"), manners=QUICK
    )
    assert found.classes == {"cat": 15, "dog": 3, "yeti": 0}
    assert server.asked["search"] == 4
    first = server.seen[0][0]
    assert "searchType=image" in first
    assert "cx=cx1" in first
    assert "rights=cc_publicdomain" in first
    rows = [json.loads(line) for line in found.manifest.read_text().splitlines()]
    assert {row["licence"] for row in rows} == {"rights: cc_publicdomain"}
    assert rows[0]["page"] == "http://page.example/1"
    assert SECRET not in everything_written(tmp_path / "set")


def test_a_further_run_searches_only_for_more(tmp_path, server, classes):
    collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)
    before = server.asked["search"]
    again = collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)
    assert server.asked["search"] == before
    assert again.kept == 18
    more = collect(classes, tmp_path / "set", engine=engine(server, 100), manners=QUICK)
    assert server.asked["search"] == before + 1
    assert more.classes == {"cat": 25, "dog": 3, "yeti": 0}
    fewer = collect(classes, tmp_path / "set", engine=engine(server, 2), manners=QUICK)
    assert server.asked["search"] == before + 1
    assert fewer.kept == 4
    other = Searches(tmp_path / "set", replace(engine(server), id="cx2"), Fetcher(QUICK))
    assert other.kept("cat", "cat") == ([], 1)


def test_a_quota_that_ends_leaves_what_was_found(tmp_path, server, classes):
    server.refusal, server.refuse_after = QUOTA, 1
    found = collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)
    assert found.stopped == (
        "the search ended at cat: the server says 429 Too Many Requests: Quota exceeded for ***"
    )
    assert found.classes == {"cat": 10, "dog": 0, "yeti": 0}
    server.refusal = None
    again = collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)
    assert (again.stopped, again.kept, again.fetched) == ("", 10, 8)


def test_no_answer_at_all_is_an_error(tmp_path, server, classes):
    server.refusal = QUOTA
    with pytest.raises(
        NotFetched, match=r"429 Too Many Requests: Quota exceeded for \*\*\*"
    ) as told:
        collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)
    assert SECRET not in str(told.value)
    assert server.asked["search"] == 2


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (
            400,
            b'{"error": {"message": "API key not valid."}}',
            "400 Bad Request: API key not valid",
        ),
        (403, b"<html>", "403 Forbidden"),
        (403, b"[" * 100_000, "403 Forbidden"),
        (200, b"<html>", "not that of a custom search"),
        (200, b"[]", "not that of a custom search"),
        (200, b'{"items": [{"title": "no link"}]}', "not that of a custom search"),
        (200, b'{"items": 3}', "not that of a custom search"),
        (200, b"[" * 100_000, "not that of a custom search"),
        (200, bytes(6_000_000), "more than the 5,000,000 bytes"),
    ],
)
def test_answers_that_are_none(tmp_path, server, classes, status, body, what):
    server.refusal = (status, body)
    with pytest.raises(NotFetched, match=what) as told:
        collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)
    assert SECRET not in str(told.value)


def test_halves_of_characters_do_no_harm(tmp_path, server, classes):
    server.refusal = (200, b'{"items": [{"link": "http://a.example/\\ud800", "image": {}}]}')
    found = collect(classes, tmp_path / "set", engine=engine(server), manners=replace(QUICK, retries=0, allow_private=True))  # fmt: skip
    assert len(found.failures) == 3


def test_a_search_is_not_redirected(tmp_path, server, classes):
    asked = replace(engine(server), endpoint=server.url("loop"))
    with pytest.raises(NotFetched, match="redirects more than 0 times") as told:
        collect(classes, tmp_path / "set", engine=asked, manners=QUICK)
    assert SECRET not in str(told.value)


def test_a_key_goes_only_by_https(server):
    with pytest.raises(BadTable, match="the key would be sent for all to read"):
        engine(server).check_endpoint(allow_private=False)
    replace(engine(server), endpoint="https://search.example/v1").check_endpoint(
        allow_private=False
    )
    with pytest.raises(BadTable, match="a query of its own"):
        replace(engine(server), endpoint="https://a.example/?a=b").check_endpoint(
            allow_private=True
        )
    assert SECRET not in repr(engine(server))


def test_a_damaged_record_is_named(tmp_path, server, classes):
    (tmp_path / "set").mkdir()
    for line in ("no json", "{}", '{"next": 1, "found": [{}]}', "3"):
        (tmp_path / "set" / "searches.jsonl").write_text(f"{line}\n")
        with pytest.raises(BadTable, match="record of searches cannot be read"):
            collect(classes, tmp_path / "set", engine=engine(server), manners=QUICK)


# --- the command line -------------------------------------------------------------


def test_collect_by_the_command_line(tmp_path, server, likelens):
    (tmp_path / "l.csv").write_text(
        f"class,url\ncat,{server.url('good/1')}\ncat,{server.url('good/2')}\ndog,{server.url('text')}\n"
    )
    asked = ("collect", tmp_path / "l.csv", "--out", tmp_path / "set", "--allow-private", "--delay", "0")  # fmt: skip
    code, out, err = likelens(*asked)
    assert code == 0, err
    assert "2 fetched, 0 copies, 0 settled before, 1 without a picture; 2 pictures in 1 of 2" in out
    assert f"no picture: {server.url('text')}: the bytes are no image that can be read" in err
    code, out, err = likelens(*asked, "--json")
    said = json.loads(out)
    assert (code, said["kept"], said["fetched"]) == (0, 3, 0)
    assert said["refused_before"] == 1
    assert "3 settled before (1 of them refused), 0 without" in likelens(*asked)[1]
    assert said["classes"] == {"cat": 2, "dog": 0}
    code, out, _ = likelens("embed", tmp_path / "set", "-e", "opencv:colour", "--store", tmp_path / "s")  # fmt: skip
    assert code == 0
    assert "2 embedded" in out


def test_search_by_the_command_line(tmp_path, server, classes, likelens, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    asked = (
        "collect", classes, "--out", tmp_path / "set", "--allow-private", "--delay", "0",
        "--engine", "cx1", "--endpoint", server.url("search"), "--per-class", "2",
    )  # fmt: skip
    code, out, err = likelens(*asked)
    assert code == 0, err
    assert "4 fetched" in out
    assert SECRET not in out + err + everything_written(tmp_path / "set")
    server.refusal = QUOTA
    more = (*asked[:-1], "20", "--retries", "0")
    code, out, err = likelens(*more, "--json")
    assert code == 1
    assert "Quota exceeded for ***" in json.loads(out)["stopped"]
    assert SECRET not in out + err


def test_a_run_without_any_picture_fails(tmp_path, server, likelens):
    (tmp_path / "cat.txt").write_text(server.url("nothing"))
    code, _, err = likelens(
        "collect", tmp_path / "cat.txt", "--out", tmp_path / "set", "--allow-private"
    )
    assert code == 1
    assert "404" in err


OUT = ["--out", "set"]
WRONG = {
    "no list": (["collect", *OUT], 2, "Missing argument"),
    "no folder": (["collect", "l.csv"], 2, "Missing option '--out'"),
    "a list that is not there": (["collect", "gone.csv", *OUT], 2, "no such table"),
    "a text that is not there": (["collect", "gone.txt", *OUT], 2, "no such list"),
    "a list of another kind": (["collect", "l.xlsx", *OUT], 2, "no such table"),
    "a picture for a list": (["collect", "p.png", *OUT], 2, "not a kind of table"),
    "an empty folder": (["collect", "empty", *OUT], 2, "the list names no address"),
    "an empty text": (["collect", "none.txt", *OUT], 2, "the list names no address"),
    "a text that is none": (["collect", "binary.txt", *OUT], 2, "is not UTF-8"),
    "no column of addresses": (["collect", "noun.csv", *OUT], 2, "no column 'url'"),
    "no column of classes": (["collect", "nocl.csv", *OUT], 2, "no column 'class'"),
    "a class without a name": (["collect", "gap.csv", *OUT], 2, "column class is empty in row 2"),
    "two classes in one folder": (["collect", "case.csv", *OUT], 2, "would share a folder"),
    "a folder that is a file": (["collect", "l.csv", "--out", "l.csv"], 2, "cannot be written"),
    "half a pause": (["collect", "l.csv", *OUT, "--delay", "-1"], 2, "--delay"),
    "a pause that is no number": (["collect", "l.csv", *OUT, "--delay", "nan"], 2, "--delay"),
    "no time": (["collect", "l.csv", *OUT, "--timeout", "0"], 2, "--timeout"),
    "no whole time": (["collect", "l.csv", *OUT, "--whole-timeout", "0"], 2, "--whole-timeout"),
    "no bytes": (["collect", "l.csv", *OUT, "--max-bytes", "0"], 2, "--max-bytes"),
    "fewer than no repetitions": (["collect", "l.csv", *OUT, "--retries", "-1"], 2, "--retries"),
    "a contact of two lines": (["collect", "l.csv", *OUT, "--contact", "a\nb"], 2, "contact"),
    "no key": (["collect", "c.txt", *OUT, "--engine", "cx"], 2, "set the variable LIKELENS_SEARCH_KEY"),
    "no engine": (["collect", "c.txt", *OUT, "--engine", " "], 2, "no search engine is named"),
    "too many of a class": (["collect", "c.txt", *OUT, "--engine", "cx", "--per-class", "500"], 2, "1 to 100 pictures"),
    "rights without a search": (["collect", "l.csv", *OUT, "--rights", "cc0"], 2, "--rights is for a search"),
    "an endpoint without a search": (["collect", "l.csv", *OUT, "--endpoint", "https://a"], 2, "--endpoint is for a search"),
    "no classes": (["collect", "none.txt", *OUT, "--engine", "KEY"], 2, "the list names no class"),
    "an endpoint that is none": (["collect", "c.txt", *OUT, "--engine", "KEY", "--endpoint", "search"], 2, "only http and https"),
    "a key for all to read": (["collect", "c.txt", *OUT, "--engine", "KEY", "--endpoint", "http://a.example"], 2, "for all to read"),
    "loopback": (["collect", "local.csv", *OUT], 1, "no public address"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses_get_one_clear_answer(name, tmp_path, likelens, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(KEY, raising=False)
    (tmp_path / "empty").mkdir()
    for file, text in {
        "l.csv": "class,url\ncat,http://a.invalid/x\n", "c.txt": "cat\n", "none.txt": "# nothing\n",
        "noun.csv": "class,address\na,b\n", "nocl.csv": "label,url\na,b\n",
        "gap.csv": "class,url\na,http://a\n,http://b\n", "case.csv": "class,url\nA,u\na,u\n",
        "local.csv": "class,url\ncat,http://localhost:9/x.png\n",
    }.items():  # fmt: skip
        (tmp_path / file).write_text(text)
    (tmp_path / "p.png").write_bytes(b"\x89PNG")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    arguments, code, message = WRONG[name]
    if "KEY" in arguments:
        monkeypatch.setenv(KEY, SECRET)
    got, out, err = likelens(*arguments)
    text = " ".join(err.replace("│", " ").split())
    assert got == code, text
    assert message in text
    assert "Traceback" not in err
    assert SECRET not in out + err
    if code == 2 and "Usage:" not in err:
        assert out == ""
        assert [line.split(":")[0].strip() for line in err.strip().splitlines()[-3:]] == [
            "likelens",
            "where",
            "hint",
        ]
