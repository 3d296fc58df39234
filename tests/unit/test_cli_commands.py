"""What holds for every command and every option: read from the tree of commands itself."""

import json

import pytest
import typer

from likelens import Catalogue, embed
from likelens.cli import repeat_flag
from likelens.cli.app import app
from likelens.cli.command import MAY_BE_EMPTY, Command, Group, walk
from likelens.values.errors import BadSpec

ROOT = typer.main.get_command(app)


COMMANDS = dict(walk(ROOT))
OPTIONS = [
    pytest.param(path.split(), option, id=f"{path} {max(option.opts, key=len)}")
    for path, command in COMMANDS.items()
    for option in command.params
    if option.param_type_name == "option" and option.name != "version"
]


@pytest.fixture
def stored(shop, tmp_path):
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store")
    return tmp_path / "store"


def run(arguments):
    ROOT.main(arguments, prog_name="likelens", standalone_mode=False)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_checks_its_options_and_can_print_json(path):
    command = COMMANDS[path]
    names = {option.name for option in command.params}
    if getattr(command, "commands", None):
        assert isinstance(command, Group)
    else:
        assert isinstance(command, Command)
        assert {"as_json", "quiet", "verbose"} <= names


@pytest.mark.parametrize(("path", "option"), OPTIONS)
def test_an_option_takes_all_its_values_or_refuses_the_second(path, option):
    if option.is_flag and not option.secondary_opts:
        return  # twice is once
    flag = max(option.opts, key=len)
    texts = [option.opts[0], option.secondary_opts[0]] if option.is_flag else None
    texts = texts or [*repeat_flag([f"{flag}=3"]), flag, "4"]
    if option.multiple:
        command = COMMANDS[" ".join(path)]
        collected = command.make_parser(typer.Context(command)).parse_args(texts)[0]
        assert collected[option.name] == ["3", "4"]
        return
    with pytest.raises(BadSpec, match="takes one value"):
        run([*path, *texts])


@pytest.mark.parametrize(("path", "option"), OPTIONS)
def test_an_option_without_a_text_is_refused(path, option):
    if option.is_flag or option.name in MAY_BE_EMPTY:
        return
    flag = max(option.opts, key=len)
    with pytest.raises(BadSpec, match=f"^{flag} is empty"):
        run([*path, flag, ""])


def test_wrong_values_are_refused_in_a_sentence(likelens):
    code, out, err = likelens("evaluate", "shop.csv", "--out", "a", "--out=b", "--json")
    assert (code, out) == (2, "")
    assert (
        json.loads(err)["error"]["what"] == "--out is given as 'a' and as 'b', but takes one value"
    )
    assert likelens("embed", "", "--store", "s")[0] == 2
    assert (
        "--random is given beside --no-random"
        in likelens("annotate", "export", "x.csv", "--random", "--no-random")[2]
    )
    assert likelens("doctor", "--quiet", "--quiet")[0] == 0


def test_one_attribute_is_set_once(stored, likelens):
    ask = ("store", "upsert", "--store", stored, "--id", "1", "--set", "kind=hat")
    code, _, err = likelens(*ask, "--set", "kind = cap")
    assert code == 2
    assert "'kind' is set to 'hat' and to ' cap'" in err
    assert likelens(*ask, "--set", "kind=hat")[0] == 0


def test_texts_between_commas_are_joined(shop, tmp_path, likelens):
    ask = (
        "evaluate",
        shop,
        "-e",
        "opencv:colour",
        "--split",
        "|",
        "--out",
        tmp_path / "r",
        "--json",
    )
    code, out, err = likelens(*ask, "--tags", "colour", "--tags", " kind,kind")
    assert code == 0, err
    joined = json.loads(out)["leaderboard"]
    assert joined == json.loads(likelens(*ask, "--tags", "colour,kind")[1])["leaderboard"]
    both = ("--missing", "red", "--missing", "NA,")
    assert json.loads(likelens(*ask, "--tags", "colour,kind", *both)[1])["leaderboard"] != joined
    for empty in ("--tags", "--drop", "--layers", "--preset", "--part"):
        code, _, err = likelens(*ask, empty, " , ")
        assert code == 2
        assert f"{empty} is given without a name" in err
