"""What reaches the terminal: every text as it is, no control character, no traceback."""

import errno
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import likelens as package
from conftest import paint
from likelens.cli import progress, terminal

NAMES = [
    "Shirt [red]", "Boot [/2 pack]", "esc\x1b[31mRED\x07", "turned\u202eback", "Hëllo ☃",
    ":smile: *x*", "\x9b31m", "https://a.b 10.5",
]  # fmt: skip
SHOWN = [
    "Shirt [red]", "Boot [/2 pack]", r"esc\x1b[31mRED\x07", r"turned\u202eback", "Hëllo ☃",
    ":smile: *x*", r"\x9b31m", "https://a.b 10.5",
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of items with names that a terminal could take for something else."""
    root = tmp_path_factory.mktemp("names")
    rows = ["id,name"]
    for place, name in enumerate(NAMES):
        paint(root / "images" / f"{place}.png", place)
        rows.append(f"{place},{name}")
    (root / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    catalogue = package.Catalogue.open(root / "t.csv", images=root / "images")
    package.embed(catalogue, "opencv:colour", root / "store")
    return root / "store"


def run(*arguments, redirect="", **environment):
    """A command in a shell of its own: its exit code, stdout and stderr."""
    source = str(Path(package.__file__).parents[1])
    words = " ".join(f"'{word}'" for word in (sys.executable, "-m", "likelens", *arguments))
    done = subprocess.run(
        ["bash", "-c", f"{words} {redirect}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": source, **environment},
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode()


def test_texts_are_shown_as_they_are_and_controls_as_escapes(store, likelens):
    code, out, _ = likelens("search", "0", "--store", store, "--include-self")
    assert code == 0
    assert all(any(name in line for line in out.splitlines()) for name in SHOWN)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)


def test_names_in_errors_notes_and_progress_are_safe(capsys, likelens):
    code, _, err = likelens("search", "x\x1b[2J[/b]", "--store", "no\x1b]0;title\x07 [red]")
    assert code == 1
    assert r"no\x1b]0;title\x07 [red]" in err
    code, _, err = likelens("no-such\x1b[31m[red]")
    assert code == 2
    assert r"no-such\x1b[31m[red]" in err.replace("\\\\", "\\")
    terminal.note("a \x1b[1m[bold]")
    warnings.showwarning(UserWarning("\x1b[5mblink"), UserWarning, "file\x07.py", 3)
    seen = capsys.readouterr().err
    assert "\x1b" not in seen
    assert "\x07" not in seen
    assert "[bold]" in seen


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8"])
def test_any_encoding_of_the_output_will_do(store, encoding):
    code, out, err = run("search", "0", "--store", store, PYTHONIOENCODING=encoding)
    assert (code, err) == (0, "")
    assert "Boot [/2 pack]" in out
    assert "\u2603".encode(encoding, "replace").decode(encoding) in out or encoding != "utf-8"


SEARCH = ("search", "0", "--store")
STREAMS = {
    "a reader that leaves": ("--help", "| true", (0, 141), ""),
    "a closed stdout": ("search", ">&-", (1,), "the result cannot be printed"),
    "a closed stdout, JSON": ("json", ">&-", (1,), "the result cannot be printed"),
    "a closed stderr": ("wrong", "2>&-", (2,), ""),
    "both closed": ("search", ">&- 2>&-", (1,), ""),
    "all closed": ("search", "<&- >&- 2>&-", (1,), ""),
    "help to a full disk": ("--help", "> /dev/full", (1,), "no space left on device"),
    "a full disk": ("search", "> /dev/full", (1,), "the result cannot be printed: no space left"),
    "a full disk, JSON": ("json", "> /dev/full", (1,), "no space left on device"),
    "errors to a full disk": ("wrong", "2> /dev/full", (2,), ""),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams_that_cannot_be_written_to(name, store):
    if "full" in name and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    what, redirect, codes, said = STREAMS[name]
    arguments = {
        "search": (*SEARCH, store),
        "json": (*SEARCH, store, "--json"),
        "wrong": ("search", "gone", "--store", store),
    }.get(what, (what,))
    code, _, err = run(*arguments, redirect=redirect)
    assert code in codes, err
    assert said in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def fail(error):
    def examine():
        raise error

    return examine


class PanicException(BaseException):
    """As libraries written in Rust raise it."""


FAILURES = {
    "unknown": (ZeroDivisionError("by\x1b[1m zero"), 1, r"unexpected ZeroDivisionError: by\x1b[1m zero", "this is a bug"),
    "key": (KeyError("x"), 1, "unexpected KeyError: 'x'", "--verbose"),
    "panic": (PanicException("slice index"), 1, "unexpected PanicException: slice index", "this is a bug"),
    "memory": (MemoryError("Unable to allocate 9 GiB"), 1, "not enough memory: Unable to allocate 9 GiB", "take fewer items"),
    "recursion": (RecursionError("maximum recursion depth exceeded"), 1, "nested too deeply", "flatter"),
    "disk": (OSError(errno.ENOSPC, "No space left on device", "store"), 1, "no space left on device", "free some space"),
    "files": (OSError(errno.EMFILE, "Too many open files"), 1, "too many open files", "ulimit -n"),
    "permission": (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "permission denied", "permissions"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_any_failure_is_a_sentence(name, likelens, monkeypatch):
    error, expected, what, hint = FAILURES[name]
    monkeypatch.setattr("likelens.cli.doctor.examine", fail(error))
    code, out, err = likelens("doctor")
    assert (code, out) == (expected, "")
    assert what in err
    assert hint in err
    assert "Traceback" not in err
    code, _, err = likelens("doctor", "--json")
    assert json.loads(err)["error"]["what"]
    assert "Traceback (most recent call last)" in likelens("doctor", "--verbose")[2]


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)])
def test_stopped_runs_end_quietly(error, code, likelens, monkeypatch):
    monkeypatch.setattr("likelens.cli.doctor.examine", fail(error))
    assert likelens("doctor") == (code, "", "")


def test_quiet_prints_results_only_and_verbose_says_more(shop, tmp_path, likelens):
    ask = ("evaluate", shop, "--tags", "kind", "-e", "opencv:colour", "--out", tmp_path / "r")
    code, out, err = likelens(*ask)
    assert code == 0
    assert "note: " in err
    for quiet in ((*ask, "--quiet"), ("-q", *ask)):
        code, silent, nothing = likelens(*quiet)
        assert (code, nothing) == (0, "")
        assert re.sub(r"\d+\b", "", silent) == re.sub(r"\d+\b", "", out)
    assert likelens("-q", "evaluate", shop, "-e", "x:y")[2].startswith("likelens: ")
    said = likelens(*ask, "--verbose")[2]
    for text in ("opened opencv:colour", "shop.csv: 8 items", "opened the store", "measuring: "):
        assert text in said
    assert likelens("-q", "doctor", "-v")[0] == 2


def test_stderr_is_json_beside_json(shop, tmp_path, likelens):
    ask = ("evaluate", shop, "--tags", "kind", "-e", "opencv:colour", "--out", tmp_path / "r")
    code, out, err = likelens(*ask, "--json", "-v")
    assert code == 0
    assert json.loads(out)["leaderboard"]
    kinds = {kind for line in err.splitlines() for kind in json.loads(line)}
    assert kinds == {"debug"}, "notes of a report are part of its JSON"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_lines_of_progress_without_a_terminal(capsys):
    clock = Clock()
    stages = progress.Stages(clock)

    def after(seconds):
        clock.now += seconds
        stages.tick()
        return capsys.readouterr().err

    assert after(5) == "", "there is no work yet"
    stages.step("embedding \x1b[1m", 100, 1_000)
    assert after(1) == "progress: embedding \\x1b[1m: 100 of 1,000 (10%)\n"
    stages.step("embedding \x1b[1m", 190, 1_000)
    assert after(8) == ""
    assert after(2) == "progress: embedding \\x1b[1m: 190 of 1,000 (19%), 8.2/s, 1:39 left\n"
    stages.step("measuring", 0, 0)
    assert after(20) == "progress: measuring\n"
    terminal.choose(as_json=True)
    stages.step("measuring", 7_300, 14_600)
    said = json.loads(after(3_600))["progress"]
    terminal.choose()
    assert said == {
        "stage": "measuring", "done": 7_300, "total": 14_600, "per_second": 2.017, "seconds_left": 3620,
    }  # fmt: skip


def test_a_long_command_shows_that_it_lives(monkeypatch, capsys):
    clock = Clock()
    with progress.progress_bar(clock) as step:
        step("reading", 0, 1)
        clock.now = 60.0
        said = ""
        while "progress: reading\n" not in said:  # the line comes from another thread, in parts
            said += capsys.readouterr().err
    terminal.choose(quiet=True)
    with progress.progress_bar(clock) as step:
        step("reading", 0, 1)
        clock.now = 120.0
    terminal.choose()
    assert capsys.readouterr().err == ""


def test_the_bar_of_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_has_bar", lambda: True)
    with progress.progress_bar() as step:
        for done in range(3):
            step("reading [/b] \x1b[1m", done, 2)
        step("measuring", 1, 1)
    said = capsys.readouterr().err
    assert r"reading [/b] \x1b[1m" in said
    assert "2/2" in said
    assert "measuring" in said
    assert "loading" not in said


def test_narrow_terminals_cut_no_id(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "PIPE_WIDTH", 20)
    terminal.table(("#", "id", "name"), [["1", "i" * 30, "n" * 90]], words=(1,), cut=(2,))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["1", "i" * 24, "nnnnn…"]
    assert lines[2].split() == ["i" * 6]


def test_only_one_module_writes_to_the_terminal():
    folder = Path(terminal.__file__).parent
    doors = {"terminal.py", "progress.py"}
    writes = re.compile(
        r"\bprint\(|typer\.echo|Console\(|from rich|import rich|sys\.std(out|err)\.w"
    )
    other = [path for path in folder.rglob("*.py") if path.name not in doors]
    found = {path.name for path in other if writes.search(path.read_text("utf-8"))}
    assert found == set()
