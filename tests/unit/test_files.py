"""Files that are whole or not there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from likelens.values.errors import BadTable
from likelens.values.files import write_aside


def test_threads_that_write_one_file_do_not_share_what_is_not_yet_whole(tmp_path):
    path, both, seen = tmp_path / "one.txt", threading.Barrier(2), set()

    def write(text: str) -> None:
        def fill(aside):
            aside.write_text(text[:3])
            seen.add(aside)
            both.wait(10)
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


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("old")

    def fail(aside):
        aside.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(BadTable, match="No space left"):
        write_aside(path, fail)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["one.txt"]
