"""No public name is lost: what users may have written goes on working."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
PINNED = json.loads((GOLDEN / "public_names.json").read_text())
OLD_SPELLINGS = [("likelens.values.errors", "LikelensError.mend")]


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in PINNED["modules"].items() for name in names],
)
def test_every_public_name_can_be_imported(module, name):
    imported = importlib.import_module(module)
    assert name in imported.__all__
    assert getattr(imported, name) is not None


@pytest.mark.parametrize(("module", "path"), OLD_SPELLINGS)
def test_old_spellings_work(module, path):
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    assert found is not None


def test_every_command_keeps_its_options():
    script = "import json, make_public_names as m; print(json.dumps(m.options_by_command()))"
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=GOLDEN, check=True, capture_output=True, text=True
    )
    now = json.loads(shown.stdout)
    lost = {
        command: sorted(set(options) - set(now.get(command, ())))
        for command, options in PINNED["commands"].items()
        if command not in now or set(options) - set(now[command])
    }
    assert lost == {}


@pytest.mark.parametrize("command", PINNED["commands"])
def test_every_command_has_help_and_refuses_unknown_options(command, capsys):
    from likelens.cli import main

    words = command.split()[1:]
    with pytest.raises(SystemExit) as helped:
        main([*words, "--help"])
    assert helped.value.code == 0
    with pytest.raises(SystemExit) as refused:
        main([*words, "--no-such-option"])
    assert refused.value.code == 2
    capsys.readouterr()


def test_errors_take_the_old_name_of_the_hint_and_need_one():
    from likelens import LikelensError

    assert LikelensError("a", where="b", mend="c").hint == "c"
    assert LikelensError("a", where="b", hint="c").mend == "c"
    with pytest.raises(TypeError, match="hint"):
        LikelensError("a", where="b")
