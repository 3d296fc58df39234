"""Collecting pictures from a server on loopback that misbehaves."""

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelens import Catalogue
from likelens.collect import Manners, collect
from likelens.collect._collect import _ending
from likelens.collect.engine import Engine
from likelens.collect.lists import LONGEST_NAME, Wanted, folder_names, read_classes, read_list
from likelens.images import FORMATS, open_image
from likelens.values.errors import BadTable, CannotWrite, InUse, NotFetched, OutOfMemory
from likelens.values.web.fetch import Fetcher
from likelens.values.web.manners import Pace, Refused, Stopped, TryAgain
from misbehaving import Server, picture, wait_until

QUICK = Manners(
    delay_seconds=0.0,
    timeout_seconds=120.0,
    whole_seconds=120.0,
    max_bytes=50_000,
    retries=2,
    backoff_seconds=0.001,
    allow_private=True,
)


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


def fetch(url, manners=QUICK, **given):
    return Fetcher(replace(manners, **given)).picture(url)


# --- one picture ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["good/5", "untyped/5", "closing/5", "chunked/5", "moved/5"])
def test_a_picture_comes_as_it_is(server, path):
    found = fetch(server.url(path))
    assert found.body == picture(5)
    assert found.url == server.url(path if path != "moved/5" else "good/5")


def test_servers_are_told_who_asks(server):
    fetch(server.url("good/1"), contact="me@example.org")
    _, headers = server.seen[0]
    assert headers["User-Agent"] == Manners(contact="me@example.org").user_agent
    assert headers["Host"] == f"127.0.0.1:{server.server_address[1]}"
    assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "kind", "what", "asked"),
    [
        ("nothing", Refused, "the server says 404 Not Found", 1),
        ("forbidden", Refused, "the server says 403", 1),
        ("page", Refused, "the answer is text/html, not image", 1),
        ("bomb", Refused, r"the answer is compressed \(gzip\)", 1),
        ("noai/1", Refused, "noai in X-Robots-Tag", 1),
        ("robots-none/1", Refused, "none in X-Robots-Tag", 1),
        ("astray", Refused, r"redirects to http://\[bad/x.jpg, which is none", 1),
        ("large", NotFetched, "more than the 50,000 bytes allowed", 1),
        ("endless", NotFetched, "more than the 50,000 bytes allowed", 1),
        ("loop", NotFetched, "redirects more than 5 times", 6),
        ("back-and-forth", NotFetched, "redirects more than 5 times", 3),
        ("nowhere", Refused, "the server says 302", 1),
        ("gibberish", NotFetched, "the answer is no HTTP", 1),
        ("ill/9", TryAgain, "the server says 500", 3),
        ("busy/9/0", TryAgain, "the server says 429", 3),
        ("truncated", TryAgain, "cut short after 200 bytes", 3),
        ("half-chunked", TryAgain, "cut short", 3),
        ("gone-again", TryAgain, "the connection failed", 3),
    ],
)
def test_what_servers_do_wrong_is_told_and_repeated_only_if_that_helps(
    server, path, kind, what, asked
):
    with pytest.raises(NotFetched, match=what) as told:
        fetch(server.url(path))
    assert type(told.value) is kind
    assert server.asked[path] == asked


@pytest.mark.parametrize("path", ["slow", "slow-head", "silent"])
def test_no_server_can_keep_us_waiting(server, path):
    with pytest.raises(TryAgain, match="no answer, or no whole one, in time"):
        fetch(server.url(path), whole_seconds=0.2, retries=0)


def test_a_silent_server_is_left_after_a_single_wait(server):
    with pytest.raises(TryAgain, match="in time"):
        fetch(server.url("silent"), timeout_seconds=0.1, retries=0)


@pytest.mark.parametrize(
    ("path", "asked"), [("ill/2", 3), ("busy/1/0", 2), ("truncated-once", 2), ("busy/1/soon", 2)]
)
def test_what_passes_is_asked_for_again(server, path, asked):
    assert open_image(fetch(server.url(path)).body).shape == (16, 20, 3)
    assert server.asked[path] == asked


def test_repetitions_wait_longer_each_time_or_as_long_as_they_are_asked_to(server):
    waits, clock = [], [0.0]

    def pause(seconds):
        waits.append(seconds)
        clock[0] += seconds
        return False

    pace = Pace(0.0, pause, lambda: clock[0])
    polite = replace(QUICK, backoff_seconds=3.0)
    Fetcher(polite, pace).picture(server.url("ill/2"))
    Fetcher(polite, pace).picture(server.url("busy/2/17"))
    assert waits == [0, 3, 6, 0, 17, 17]
    with pytest.raises(NotFetched, match="not to be asked for another 86,400 seconds"):
        Fetcher(polite, pace).picture(server.url("busy/1/86400"))
    assert server.asked["busy/1/86400"] == 1
    with pytest.raises(NotFetched, match="not to be asked"):
        Fetcher(polite, pace).picture(server.url("good/1"))
    assert server.asked["good/1"] == 0


# --- where connections go -----------------------------------------------------------


def test_loopback_is_not_asked_unless_that_is_allowed(server):
    with pytest.raises(NotFetched, match=r"^127\.0\.0\.1 is no public address \(--allow-private"):
        fetch(server.url("good/1"), allow_private=False)
    assert not server.asked


def leading(monkeypatch, names):
    """Has names lead to the next of their numbers, each time they are asked for."""
    real = socket.getaddrinfo
    asked = []

    def ask(host, port, *given, **more):
        if host not in names:
            return real(host, port, *given, **more)
        asked.append(host)
        number = names[host][min(asked.count(host), len(names[host])) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    return asked


def connecting(monkeypatch, server):
    """Has connections to one public number reach the server; notes where all of them go."""
    places, real = [], socket.create_connection

    def connect(place, **given):
        places.append(place[0])
        assert place[0] == "8.8.8.8", "a connection to elsewhere"
        return real(server.server_address, **given)

    monkeypatch.setattr(socket, "create_connection", connect)
    return places


def test_the_connection_goes_to_the_number_that_was_checked(server, monkeypatch):
    """A name that leads elsewhere the second time (DNS rebinding) gains nothing."""
    asked = leading(monkeypatch, {"pictures.example": ["8.8.8.8", "127.0.0.1"]})
    places = connecting(monkeypatch, server)
    found = fetch("http://pictures.example/good/3", allow_private=False)
    assert found.body == picture(3)
    assert (asked, places) == (["pictures.example"], ["8.8.8.8"])
    assert server.seen[0][1]["Host"] == "pictures.example"


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://inner.example/x",
        "//localhost/x",
        "http://[::1]/x",
    ],
)
def test_every_step_of_a_redirect_is_checked(server, monkeypatch, target):
    leading(monkeypatch, {"pictures.example": ["8.8.8.8"], "inner.example": ["10.0.0.7"]})
    places = connecting(monkeypatch, server)
    with pytest.raises(NotFetched, match="is no public address"):
        fetch(f"http://pictures.example/to/x?{target}", allow_private=False)
    assert places == ["8.8.8.8"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://a.example/x", "http://me@a/"])
def test_redirects_lead_only_to_http(server, target):
    with pytest.raises(Refused):
        fetch(server.url(f"to/x?{target}"))


def test_the_certificate_must_be_for_the_name(tmp_path, monkeypatch):
    """The connection goes to a number, but name (SNI) and certificate are the host's."""
    maker = shutil.which("openssl")
    if maker is None:
        pytest.skip("no openssl here to make a certificate with")
    subprocess.run(
        [
            maker, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=pictures.example", "-addext",
            "subjectAltName=DNS:pictures.example", "-keyout", tmp_path / "key.pem", "-out",
            tmp_path / "certificate.pem",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    named = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    context.sni_callback = lambda _, name, __: named.append(name)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    try:
        leading(monkeypatch, {"pictures.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
        with pytest.raises(NotFetched, match=r"certificate of pictures\.example is not good"):
            fetch(f"https://pictures.example:{port}/good/1")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert fetch(f"https://pictures.example:{port}/good/1").body == picture(1)
        assert named[-1] == "pictures.example"
        with pytest.raises(NotFetched, match=r"certificate of other\.example is not good"):
            fetch(f"https://other.example:{port}/good/1")
        with pytest.raises(TryAgain, match=r"connection failed|in time"):
            fetch(f"http://pictures.example:{port}/good/1", retries=0, whole_seconds=1.0)
    finally:
        server.close()


# --- lists ------------------------------------------------------------------------


def test_lists_of_every_kind_say_the_same(tmp_path):
    rows = [("cat", "http://a/1"), ("cat", "http://a/2"), ("dog", "http://a/1")]
    (tmp_path / "l.csv").write_text(
        "class,url\n" + "".join(f"{c},{u}\n" for c, u in [*rows, rows[0]])
    )
    (tmp_path / "l.jsonl").write_text(
        "".join(json.dumps({"class": c, "url": u}) + "\n" for c, u in rows)
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "cat.txt").write_text("# cats\nhttp://a/1\n\n  http://a/2  \n")
    (tmp_path / "folder" / "dog.txt").write_text("\ufeffhttp://a/1")
    expected = [Wanted(*row) for row in rows]
    for name in ("l.csv", "l.jsonl", "folder"):
        assert read_list(tmp_path / name) == expected
    assert read_list(tmp_path / "folder" / "cat.txt") == expected[:2]


def test_licences_and_pages_are_kept(tmp_path):
    (tmp_path / "l.csv").write_text("class,url,license,page\n7,http://a/1,CC0,http://p\n8,u,,\n")
    assert read_list(tmp_path / "l.csv") == [
        Wanted("7", "http://a/1", "CC0", "http://p"),
        Wanted("8", "u"),
    ]


def test_classes_to_search_for(tmp_path):
    (tmp_path / "c.txt").write_text("cat\n# no\ndog\ncat\n")
    (tmp_path / "c.csv").write_text("class,query\ncat,a cat's face\ndog,\n")
    assert read_classes(tmp_path / "c.txt") == [("cat", "cat"), ("dog", "dog")]
    assert read_classes(tmp_path / "c.csv") == [("cat", "a cat's face"), ("dog", "dog")]
    (tmp_path / "c.csv").write_text("class,query\ncat,a\ncat,b\n")
    with pytest.raises(BadTable, match="several queries: cat"):
        read_classes(tmp_path / "c.csv")


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=8, unique=True))
def test_no_class_leads_out_of_the_root(labels):
    try:
        names = folder_names(labels)
    except BadTable:  # two classes that differ only in case
        return
    assert len({name.casefold() for name in names.values()}) == len(labels)
    for name in names.values():
        assert name
        assert name not in (".", "..")
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert not name.startswith(".")
        assert len(name.encode()) <= LONGEST_NAME + 7
        assert name == name.strip()


def test_names_that_file_systems_do_not_take():
    labels = [
        "../../etc",
        "..",
        "/",
        "con",
        "Aux.txt",
        "manifest.jsonl",
        "x" * 900,
        "हिन्दी",
        "T-shirt",
    ]
    names = folder_names(labels)
    assert [names[label] for label in labels[-2:]] == labels[-2:]
    assert all(names[label] != label for label in labels[:-2])
    with pytest.raises(BadTable, match="'Cat' and 'cat' would share a folder"):
        folder_names(["Cat", "dog", "cat"])


@pytest.mark.parametrize("kind", FORMATS)
def test_files_end_as_their_bytes_begin(kind, tmp_path):
    data = picture(1, kind)
    ending = _ending(data)
    assert open_image(data).shape[2] == 3
    assert bool(ending) == (kind != "DIB"), "which begins as anything may"
    if ending:
        (tmp_path / f"1{ending}").write_bytes(data)
        assert len(Catalogue.open(tmp_path)) == 1


# --- whole runs -------------------------------------------------------------------


def listed(tmp_path, server, paths):
    lines = [f"{label},{server.url(path)}" for label, path in paths]
    (tmp_path / "list.csv").write_text("\n".join(["class,url", *lines]) + "\n")
    return tmp_path / "list.csv"


def rows_of(found):
    return [json.loads(line) for line in found.manifest.read_text().splitlines()]


MIXED = [
    ("cat", "good/1.png"), ("cat", "jpeg/2"), ("cat", "moved/1"), ("cat", "text"),
    ("dog", "good/3"), ("dog", "good/1"), ("dog", "broken"), ("dog", "empty"), ("dog", "pixels"),
    ("bird/of prey", "good/4"), ("bird/of prey", "nothing"), ("bird/of prey", "ill/9"),
]  # fmt: skip


def test_a_data_set_with_its_manifest(tmp_path, server):
    steps = []
    found = collect(
        listed(tmp_path, server, MIXED), tmp_path / "set", manners=QUICK,
        progress=lambda *step: steps.append(step),
    )  # fmt: skip
    assert (found.fetched, found.copies, found.kept) == (4, 2, 0)
    assert found.classes == {"cat": 2, "dog": 1, "bird/of prey": 1}
    assert found.notes == ("1 picture was there in another class already, and stays there only",)
    assert steps[-1] == ("fetching", 12, 12)
    rows = {(row["class"], row["url"].removeprefix(server.root)[1:]): row for row in rows_of(found)}
    assert set(rows) == set(MIXED)
    states = {path: row["status"] for (_, path), row in rows.items()}
    assert states == {
        "good/1.png": "fetched", "jpeg/2": "fetched", "moved/1": "copy", "text": "refused",
        "good/3": "fetched", "good/1": "copy", "broken": "refused", "empty": "refused",
        "pixels": "refused", "good/4": "fetched", "nothing": "refused", "ill/9": "failed",
    }  # fmt: skip
    reasons = {path: row["reason"] for (_, path), row in rows.items()}
    assert reasons["text"] == "the bytes are no image that can be read"
    assert "damaged or cut short" in reasons["broken"]
    assert "400,000,000 pixels" in reasons["pixels"].replace("20,000 x 20,000", "400,000,000")
    assert rows["cat", "moved/1"]["final_url"] == server.url("good/1")
    for row in rows.values():
        if row["status"] != "fetched":
            continue
        data = (found.root / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["digest"]
        assert len(data) == row["size_bytes"]
        assert row["date"].endswith("+00:00")
    made = Catalogue.open(found.root)
    assert len(made) == 4
    assert {path.suffix for path in made.paths} == {".png", ".jpg"}
    assert set(rows_of(found)[0]) == {
        "class", "status", "file", "url", "final_url", "date", "licence", "page", "digest",
        "size_bytes", "reason",
    }  # fmt: skip


def test_a_further_run_asks_only_for_what_may_still_come(tmp_path, server):
    source = listed(tmp_path, server, MIXED)
    first = collect(source, tmp_path / "set", manners=QUICK)
    before = server.asked.copy()
    second = collect(source, tmp_path / "set", manners=QUICK)
    assert server.asked - before == {"ill/9": 3}
    assert (second.fetched, second.kept, len(second.failures)) == (0, 11, 1)
    assert second.classes == first.classes
    assert len(rows_of(second)) == 12
    next((tmp_path / "set" / "dog").iterdir()).unlink()
    before = server.asked.copy()
    third = collect(source, tmp_path / "set", manners=QUICK)
    assert server.asked - before == {"ill/9": 3, "good/3": 1}
    assert third.fetched == 1


def test_a_manifest_is_a_list_and_other_lists_add_to_it(tmp_path, server):
    one = collect(listed(tmp_path, server, MIXED[:2]), tmp_path / "set", manners=QUICK)
    again = collect(one.manifest, tmp_path / "other", manners=QUICK)
    assert again.classes == {"cat": 2}
    two = collect(listed(tmp_path, server, MIXED[4:5]), tmp_path / "set", manners=QUICK)
    assert len(rows_of(two)) == 3


def test_a_run_that_was_killed_goes_on(tmp_path, server):
    source = listed(tmp_path, server, [("cat", f"good/{n}") for n in range(6)])
    found = collect(source, tmp_path / "set", manners=QUICK)
    lines = found.manifest.read_text().splitlines(keepends=True)
    found.manifest.write_text("".join(lines[:3]) + lines[3][:40])
    (tmp_path / "set" / "cat" / ".half.part").write_bytes(b"half")
    before = server.asked.copy()
    again = collect(source, tmp_path / "set", manners=QUICK)
    assert sum((server.asked - before).values()) == 3
    assert (again.fetched, again.kept, again.classes) == (3, 3, {"cat": 6})
    assert len(Catalogue.open(tmp_path / "set")) == 6


def test_a_run_that_was_killed_twice_goes_on(tmp_path, server):
    source = listed(tmp_path, server, [("cat", f"good/{n}") for n in range(6)])
    found = collect(source, tmp_path / "set", manners=QUICK)
    lines = found.manifest.read_text().splitlines(keepends=True)
    found.manifest.write_text("".join(lines[:3]) + lines[3][:40])

    def stop(_label, done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(source, tmp_path / "set", manners=QUICK, progress=stop)
    again = collect(source, tmp_path / "set", manners=QUICK)
    assert (again.fetched, again.kept) == (2, 4)


def test_a_damaged_manifest_is_named(tmp_path, server):
    source = listed(tmp_path, server, MIXED[:1])
    found = collect(source, tmp_path / "set", manners=QUICK)
    whole = found.manifest.read_text()
    for line in ("no json", "[]", "{}", '{"class": 3}', whole.strip().replace('"cat"', "5")):
        found.manifest.write_text(f"{whole}{line}\n")
        with pytest.raises(BadTable, match="line 2 of the manifest cannot be read"):
            collect(source, tmp_path / "set", manners=QUICK)


def test_each_host_is_asked_one_request_at_a_time(tmp_path, server, monkeypatch):
    """While one host takes its time, another one is asked 20 times, and it only once."""
    busy, most, lock = [0], [0], threading.Lock()
    handler = server.RequestHandlerClass
    leading(monkeypatch, {"other.example": ["127.0.0.1"]})
    other = [f"http://other.example:{server.server_address[1]}/jpeg/{n}" for n in range(20)]

    class Counting(handler):
        def on_good(self, seed):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            wait_until(lambda: sum(server.asked[f"jpeg/{n}"] for n in range(20)) == 20)
            with lock:
                busy[0] -= 1  # before the answer, after which the next may come at once
            super().on_good(seed)

    server.RequestHandlerClass = Counting
    source = listed(tmp_path, server, [("cat", f"good/{n}") for n in range(20)])
    with source.open("a") as file:
        file.writelines(f"cat,{url}\n" for url in other)
    assert collect(source, tmp_path / "set", manners=QUICK).fetched == 40
    assert most[0] == 1


def test_a_stopped_run_keeps_what_it_has(tmp_path, server, monkeypatch):
    source = listed(tmp_path, server, [("cat", f"good/{n}") for n in range(50)])

    def stop(label, done, _):
        if label == "fetching" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(source, tmp_path / "set", manners=QUICK, progress=stop)
    asked = sum(server.asked.values())
    assert 5 <= asked < 50
    assert len(list((tmp_path / "set" / "cat").iterdir())) == 5
    again = collect(source, tmp_path / "set", manners=QUICK)
    assert (again.fetched, again.kept) == (45, 5)


def test_a_stop_ends_long_pauses(server):
    fetcher = Fetcher(replace(QUICK, delay_seconds=60.0))
    fetcher.picture(server.url("good/1"))
    ended = []

    def ask():
        with pytest.raises(Stopped):
            fetcher.picture(server.url("good/2"))
        ended.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    fetcher.stop.set()
    wait_until(lambda: ended)
    thread.join()
    assert server.asked["good/2"] == 0


def test_a_full_disk_ends_the_run(tmp_path, server, monkeypatch):
    source = listed(tmp_path, server, [("cat", f"good/{n}") for n in range(9)])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CannotWrite, match="No space left") as told:
        collect(source, tmp_path / "set", manners=QUICK)
    assert not told.value.wrong_use
    assert sum(server.asked.values()) == 1
    monkeypatch.undo()
    assert collect(source, tmp_path / "set", manners=QUICK).fetched == 9


def test_a_file_where_a_folder_should_be_is_wrong_use(tmp_path, server):
    source = listed(tmp_path, server, [("cat", "good/1")])
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cat").write_text("a file where the folder should be")
    with pytest.raises(BadTable, match="cannot be written") as told:
        collect(source, tmp_path / "set", manners=QUICK)
    assert told.value.wrong_use


COLLECTING = """
import sys
from likelens.collect import Manners, collect
manners = Manners(delay_seconds=0.0, allow_private=True, retries=0)
collect(sys.argv[1], sys.argv[2], manners=manners)
"""


def test_two_runs_into_one_folder_do_not_lose_rows(tmp_path, server):
    """While one process collects, another one is refused; once that is killed, it goes on."""
    first = listed(tmp_path, server, [("cat", f"good/{n}") for n in range(3)] + [("cat", "silent")])
    first = first.rename(tmp_path / "first.csv")
    second = listed(tmp_path, server, [("dog", f"jpeg/{n}") for n in range(3)])
    command = [sys.executable, "-c", COLLECTING, first, tmp_path / "set"]
    with subprocess.Popen(command) as other:
        wait_until(lambda: server.asked["silent"])
        with pytest.raises(InUse, match="another run is collecting into this folder") as told:
            collect(second, tmp_path / "set", manners=QUICK)
        assert not told.value.wrong_use
        other.kill()
    (tmp_path / "set" / "dog").mkdir()
    left = tmp_path / "set" / "dog" / f".x.jpg.{other.pid}-0011aabb.part"
    left.write_bytes(b"half")
    found = collect(second, tmp_path / "set", manners=QUICK)
    assert found.fetched == 3
    assert not left.exists()
    assert {row["class"] for row in rows_of(found)} == {"cat", "dog"}
    assert len(rows_of(found)) == 6
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "cat", "dog", "manifest.jsonl",
    ]  # fmt: skip


def test_too_little_memory_is_tried_again(tmp_path, server, monkeypatch):
    def full(*_args, **_options):
        raise OutOfMemory("there is too little memory", where="x", hint="y")

    source = listed(tmp_path, server, [("cat", "good/1")])
    monkeypatch.setattr("likelens.collect._collect.open_image", full)
    found = collect(source, tmp_path / "set", manners=QUICK)
    assert [row.status for row in found.failures] == ["failed"]
    monkeypatch.undo()
    assert collect(source, tmp_path / "set", manners=QUICK).fetched == 1


@pytest.mark.parametrize("name", ["manifest.jsonl", "searches.jsonl"])
def test_records_that_cannot_be_read_are_named(tmp_path, server, monkeypatch, name):
    (tmp_path / "c.txt").write_text("cat\n")
    (tmp_path / "set").mkdir()
    engine = Engine("me", key="k", endpoint=server.url("search"))
    server.pages["cat"] = [server.url("good/1")]
    path = tmp_path / "set" / name
    for text in ("[" * 100_000, '{"found": [], "next": Infinity}', "nothing", '"text"', "\0"):
        path.write_text(f"{text}\n")
        with pytest.raises(BadTable, match="cannot be read") as told:
            collect(tmp_path / "c.txt", tmp_path / "set", engine=engine, manners=QUICK)
        assert told.value.where == str(path)
        assert "delete that line" in told.value.hint
    path.unlink()
    path.mkdir()
    with pytest.raises(BadTable, match="cannot be read: Is a directory"):
        collect(tmp_path / "c.txt", tmp_path / "set", engine=engine, manners=QUICK)


def test_halves_of_characters_do_not_end_a_run(tmp_path, server):
    (tmp_path / "l.jsonl").write_text(
        json.dumps({"class": "cat", "url": server.url("good/1"), "licence": "\ud800", "page": "p"})
    )
    with suppress(BadTable):  # the list may refuse it first
        assert collect(tmp_path / "l.jsonl", tmp_path / "set", manners=QUICK).fetched == 1
