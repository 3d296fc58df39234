"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from likelens.values import files
from likelens.values.errors import BadTable, CannotWrite, InUse
from likelens.values.files import LOCK, locked, write_aside, write_together


def test_threads_that_write_one_file_do_not_share_what_is_not_yet_whole(tmp_path):
    path, both, seen = tmp_path / "one.txt", threading.Barrier(2), set()

    def write(text: str) -> None:
        def fill(aside):
            aside.write_text(text[:3])
            seen.add(aside)
            both.wait(120)
            with aside.open("a") as file:
                file.write(text[3:])

        write_aside(path, fill)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ["a" * 9, "b" * 9]))
    assert len(seen) == 2
    assert all(aside.parent == tmp_path and aside.name.startswith(".") for aside in seen)
    assert path.read_text() in ("a" * 9, "b" * 9)
    assert [one.name for one in tmp_path.iterdir()] == ["one.txt"]


def test_the_file_may_be_read_by_whom_any_other_new_one_may(tmp_path):
    (tmp_path / "plain").write_text("")
    write_aside(tmp_path / "aside", lambda path: path.write_text(""))
    assert (tmp_path / "aside").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "one.txt"
    path.write_text("old")
    path.chmod(mode)
    write_aside(path, lambda part: part.write_text("new"))
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), CannotWrite, "free some space"),
        (OSError("LanceError(IO): No space left on device (os error 28)"), CannotWrite, "free"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), CannotWrite, "quota"),
        (OSError(errno.EROFS, "Read-only file system"), CannotWrite, "read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), CannotWrite, "permissions"),
        (OSError(errno.EMFILE, "Too many open files"), CannotWrite, "ulimit -n"),
        (OSError(errno.EIO, "Input/output error"), CannotWrite, "check the disk"),
        (OSError("something else"), CannotWrite, "a folder that you may write to"),
        (IsADirectoryError(errno.EISDIR, "Is a directory"), BadTable, "a folder where a file"),
    ],
)
def test_a_write_that_fails_leaves_what_was_there(tmp_path, error, kind, hint):
    path = tmp_path / "one.txt"
    path.write_text("old")

    def fail(aside):
        aside.write_text("half")
        raise error

    with pytest.raises(BadTable, match=hint) as told:
        write_aside(path, fail)
    assert type(told.value) is kind
    assert told.value.wrong_use == (kind is BadTable)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["one.txt"]


@pytest.mark.parametrize("name", ["folder", "x" * 300, "file/one.txt"])
def test_a_place_for_no_file_is_wrong_use(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadTable, match="cannot be written") as told:
        write_aside(tmp_path / name, lambda part: part.write_text(""))
    assert told.value.wrong_use


def test_a_long_name_is_written(tmp_path):
    write_aside(tmp_path / ("ü" * 120), lambda part: part.write_text("all"))
    assert (tmp_path / ("ü" * 120)).read_text() == "all"


LIMITED = """
import resource, sys
from likelens.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
main(sys.argv[1:])
"""


def test_a_file_that_the_system_cuts_short_is_no_wrong_use(shop, tmp_path):
    """As on a full disk, a write fails in the middle."""
    command = ["embed", shop, "-e", "opencv:colour", "--store", tmp_path / "store"]
    assert subprocess.run([sys.executable, "-m", "likelens", *command]).returncode == 0
    command += ["--export", tmp_path / "vectors.npz"]
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, command)], capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert "this cannot be written: " in ran.stderr
    assert "File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "vectors.npz").exists()
    assert not list(tmp_path.glob(".*"))


def test_temporary_names_cannot_be_guessed_and_follow_no_link(tmp_path, monkeypatch):
    """A link under the very name that is drawn is not written through."""
    drawn = iter(["0" * 24, "0" * 24])
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: next(drawn)[: 2 * count])
    (tmp_path / "victim").write_text("mine")
    (tmp_path / f".one.txt.{os.getpid()}-{'0' * 24}.part").symlink_to(tmp_path / "victim")
    with pytest.raises(BadTable, match="File exists"):
        write_aside(tmp_path / "one.txt", lambda part: part.write_text("yours"), sweep=False)
    assert (tmp_path / "victim").read_text() == "mine"
    monkeypatch.undo()
    seen = []
    for _ in range(3):
        write_aside(tmp_path / "one.txt", seen.append)
    assert len({part.name for part in seen}) == 3
    assert all(len(part.name.split("-")[-1]) == 24 + len(".part") for part in seen)


KILLED = """
import sys
from pathlib import Path
from likelens.values.files import write_aside

def fill(part):
    part.write_text("half")
    print(part, flush=True)
    sys.stdin.read()

write_aside(Path(sys.argv[1]), fill)
"""


def test_what_a_killed_run_leaves_goes_with_the_next_write_and_nothing_else(tmp_path):
    kept = {".hidden", ".one.txt.part", "one.txt.1-00000000.part", ".a.x-00000000.part"}
    for name in kept:
        (tmp_path / name).write_text("")
    old = tmp_path / f".one.txt.{2**22 + 1}-0011aabb.part"  # no process has such a number
    mine = tmp_path / f".one.txt.{os.getpid()}-0011aabb.part"  # a container's first run had it too
    link = tmp_path / f".one.txt.{2**22 + 1}-0011aabc.part"
    old.write_text("half")
    mine.write_text("half")
    link.symlink_to(tmp_path / ".hidden")
    command = [sys.executable, "-c", KILLED, tmp_path / "one.txt"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as child:
        part = child.stdout.readline().strip()
        assert not old.exists()
        write_aside(tmp_path / "two.txt", lambda part: part.write_text(""))
        assert not mine.exists()
        assert Path(part).exists()  # the other process is still writing it
        child.kill()
    assert Path(part).exists()
    write_aside(tmp_path / "two.txt", lambda part: part.write_text(""))
    assert {one.name for one in tmp_path.iterdir()} == kept | {"two.txt", link.name}


def test_files_that_belong_together_come_from_one_writer(tmp_path):
    """Two threads write the same two files many times; no mixture stays."""

    def write(text):
        for _ in range(30):
            write_together(
                {tmp_path / name: lambda part: part.write_text(text) for name in ("a", "b")}
            )
            with locked(tmp_path / LOCK, wait=True):
                seen.add((tmp_path / "a").read_text() + (tmp_path / "b").read_text())

    seen = set()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "xy"))
    assert seen <= {"xx", "yy"}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]


def test_none_of_several_files_is_replaced_if_one_cannot_be_written(tmp_path):
    (tmp_path / "a").write_text("old")

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CannotWrite, match="b\n"):
        write_together({tmp_path / "a": lambda part: part.write_text("new"), tmp_path / "b": fail})
    assert (tmp_path / "a").read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_lock_is_held_by_one_and_gone_afterwards(tmp_path):
    with locked(tmp_path / LOCK):
        with (
            pytest.raises(InUse, match="somebody is here") as told,
            locked(tmp_path / LOCK, what="somebody is here"),
        ):
            pass
        assert not told.value.wrong_use
    assert not list(tmp_path.iterdir())
    (tmp_path / LOCK).write_text("")  # left by a killed run
    with locked(tmp_path / LOCK):
        pass
    (tmp_path / "victim").write_text("mine")
    (tmp_path / LOCK).symlink_to(tmp_path / "victim")
    with pytest.raises(CannotWrite, match="cannot be written"), locked(tmp_path / LOCK):
        pass
    assert (tmp_path / "victim").read_text() == "mine"
