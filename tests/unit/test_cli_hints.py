"""Every option and command that a message, a help text or a page of the docs names exists."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

import likelens as package
from conftest import ROOT
from likelens.cli.app import app
from likelens.cli.command import walk
from likelens.values.errors import LikelensError

SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {"--force-reinstall", "--k0", "--k9"}
"""Options of pip, and names in style sheets."""

SCRIPTS = {"--pair-seconds", "--tag-seconds", "--tag-errors"} | {
    option
    for folder in ("bench", "studies", ".ci")
    for path in (ROOT / folder).rglob("*.py")
    for option in re.findall("[\"'](--[a-z-]+)[\"']", path.read_text("utf-8"))
}
"""Options of benchmarks and studies."""

OPTION = re.compile(r"(?<![\w/-])--[a-z][a-z0-9-]*")
CALL = re.compile(r"(?:^|[:;,`(] ?)likelens ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)")


COMMANDS = dict(walk(typer.main.get_command(app)))
OPTIONS = {
    name: {"--help", *(text for each in one.params for text in (*each.opts, *each.secondary_opts))}
    for name, one in COMMANDS.items()
}
KNOWN = set().union(*OPTIONS.values()) | OTHERS


def command_of(words):
    """The longest name of a command that words begin with."""
    for length in (2, 1, 0):
        if " ".join(words[:length]) in COMMANDS:
            return " ".join(words[:length])
    raise AssertionError(words)


def messages(path):
    """The texts of a module that are no docstrings."""
    module = ast.parse(path.read_text("utf-8"))
    told = {id(one.value) for one in ast.walk(module) if isinstance(one, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_messages_name_what_there_is(path):
    for text in messages(path):
        assert set(OPTION.findall(text)) <= KNOWN
        for call in CALL.findall(text):
            assert command_of(call.split()), text


def calls(text):
    """The commands that a page shows: lines that begin with likelens, and code within lines."""
    text = re.sub(r"\\\n\s*", " ", text)
    fenced = "\n".join(re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE))
    indented = "\n".join(re.findall(r"^    .*", text, re.MULTILINE))
    shown = [line.strip().removeprefix("$ ") for line in f"{fenced}\n{indented}".splitlines()]
    yield from (line for line in shown if line.startswith("likelens "))
    yield from re.findall(r"`(likelens [^`\n]+)`", text)


def words_of(call):
    """The words of a command up to a pipe, a redirection or a comment."""
    parsed = shlex.shlex(call, posix=True, punctuation_chars="|>;&")
    parsed.whitespace_split, parsed.commenters = True, "#"
    for word in parsed:
        if set(word) <= set("|>;&"):
            return
        yield word


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_show_commands_that_work(path):
    text = path.read_text("utf-8")
    assert set(OPTION.findall(text)) <= KNOWN | SCRIPTS
    for call in calls(text):
        words = list(words_of(call))[1:]
        while words and words[0] in OPTIONS[""]:
            words = words[1:]
        name = command_of(words)
        given = {word.split("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
        assert given <= OPTIONS[name] | OPTIONS[""], call
        if name in {group.rpartition(" ")[0] for group in COMMANDS} and name:
            assert name == " ".join(words[:2]) or len(words) < 2 or words[1].startswith("-"), call


def test_a_hint_says_whose_option_it_names(likelens, monkeypatch):
    def fail():
        raise LikelensError("it failed", where="here", hint="give --overwrite, or --json")

    monkeypatch.setattr("likelens.cli.doctor.examine", fail)
    err = likelens("doctor")[2]
    assert "hint:  give --overwrite, or --json (--overwrite is an option of likelens embed)" in err
