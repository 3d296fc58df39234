"""Every command prints one JSON value with --json, and its wrong uses are one JSON line."""

import json
from itertools import combinations

import pytest
import typer

from conftest import paint
from likelens.cli.app import app
from likelens.cli.command import walk

COLOUR, HOG = "opencv:colour", "opencv:hog?size=32"
NET = "timm:test_vit?weights=none"
COMMANDS = {
    path
    for path, command in walk(typer.main.get_command(app))
    if not getattr(command, "commands", None)
}

RUNS = {
    "completion": "bash",
    "check": "{shop} --tags kind --out {out}",
    "collect": "{out}/list.csv --out {out}/c --contact me@example.org --retries 0",
    "evaluate": f"{{shop}} --tags kind -e {COLOUR} --out {{out}}/r",
    "search": "0 --store {store} -k 2",
    "demo": f"--items 20 --out {{out}}/d -e {COLOUR}",
    "embed": f"{{shop}} --store {{store}} -e {COLOUR}",
    "doctor": "",
    "annotate pool": f"{{shop}} -e {COLOUR} {HOG} --out {{out}}/p.csv -k 2",
    "annotate plan": "--encoders 3",
    "annotate import": "{out}/votes.csv --votes {out}/new.db",
    "annotate export": "{out}/e.csv --votes {votes}",
    "annotate status": "--votes {votes}",
    "annotate agree": "--votes {votes}",
    "annotate resolve": "--votes {votes}",
    "encoders list": "",
    "encoders show": COLOUR,
    "encoders check": COLOUR,
    "encoders fuse": f"{{shop}} --tags kind -e {COLOUR} {HOG} --store {{out}}/f",
    "encoders pack": f"{NET} {{out}}/net.safetensors",
    "index build": "--store {store} --kind exact",
    "index info": "--store {store}",
    "index tune": "--store {store} --queries 4 -k 2 --budget-seconds 2",
    "store info": "--store {store}",
    "store verify": "--store {store}",
    "store upsert": "--store {store} --id 0 --set kind=shirt",
    "store remove": "--store {store} --id 7",
    "reproduce corrembed": f"{{shop}} --tags kind -e {COLOUR} {HOG} --out {{out}}/rc",
    "reproduce engine": f"{{classes}} -e {COLOUR} --index exact --per-class 1 -k 2 --out {{out}}/re",
    "reproduce discovery": f"{{shop}} --judgements {{out}}/votes.csv -e {COLOUR} {HOG} --out {{out}}/rd",
}  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A small shop, its store, votes, and a folder of classes."""
    from likelens.cli import main

    root = tmp_path_factory.mktemp("every")
    rows = ["id,kind"]
    for number in range(8):
        kind = "shirt" if number < 4 else "shoe"
        paint(root / "images" / f"{number}.png", number)
        paint(root / "classes" / kind / f"{number}.png", number)
        rows.append(f"{number},{kind}")
    (root / "shop.csv").write_text("\n".join(rows))
    (root / "list.csv").write_text("class,url\nred,http://127.0.0.1:9/a.png\n")
    votes = ["query,candidate,expert,grade"]
    for one, other in combinations(range(8), 2):
        for expert in ("Ann", "Bo"):
            votes += [f"{one},{other},{expert},{int((one < 4) == (other < 4))}"]
    (root / "votes.csv").write_text("\n".join(votes))
    found = {
        "shop": root / "shop.csv", "store": root / "stored", "votes": root / "votes.db",
        "classes": root / "classes", "out": root,
    }  # fmt: skip
    for command in (
        ["embed", "{shop}", "--store", "{store}", "-e", COLOUR, "-q"],
        ["annotate", "import", "{out}/votes.csv", "--votes", "{votes}", "-q"],
    ):
        with pytest.raises(SystemExit) as done:
            main([word.format(**found) for word in command])
        assert not done.value.code
    return found


def test_every_command_is_tried():
    assert set(RUNS) == COMMANDS


@pytest.mark.parametrize("command", RUNS)
def test_a_command_prints_one_json_value(command, places, likelens):
    arguments = (word.format(**places) for word in RUNS[command].split())
    code, out, err = likelens(*command.split(), *arguments, "--json")
    assert code == (1 if command == "collect" else 0), err
    assert json.loads(out) is not None
    assert all(isinstance(json.loads(line), dict) for line in err.splitlines())


@pytest.mark.parametrize("command", RUNS)
@pytest.mark.parametrize("wrong", ["--no-such-option", "no such\x1b argument ["])
def test_a_wrong_use_is_one_json_line(command, wrong, places, likelens):
    arguments = (word.format(**places) for word in RUNS[command].split())
    more = [wrong, wrong, wrong] if command != "search" else [wrong]
    code, out, err = likelens(*command.split(), *arguments, *more, "--json")
    assert (code, out) == (2, ""), err
    error = json.loads(err)["error"]
    assert all(error[part] for part in ("what", "where", "hint"))
    assert "\x1b" not in err
