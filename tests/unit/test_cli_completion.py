"""What shells are offered, and that their scripts ask for it rightly."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import likelens as package

CASES = {
    "likelens ev": {"evaluate"},
    "likelens index ": {"build", "info", "tune"},
    "likelens evaluate --tag": {"--tags"},
    "likelens evaluate x -e open": {"opencv:", "open_clip:"},
    "likelens search --store s -e opencv:h": {"opencv:hog"},
    "likelens embed x --preset sm": {"small"},
    "likelens evaluate x --self-pairs ": {"include", "exclude"},
    "likelens embed x --store ": set(),
}


@pytest.mark.parametrize("line", CASES)
def test_shells_are_offered_what_may_follow(line, likelens, monkeypatch):
    monkeypatch.setenv("_LIKELENS_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    code, out, err = likelens()
    assert (code, err) == (0, "")
    offered = {found.split("\t")[0] for found in out.splitlines() if found}
    assert offered == CASES[line]


def test_files_are_offered_behind_a_source_that_reads_them(tmp_path, monkeypatch):
    from likelens.cli.completion import encoder_names

    monkeypatch.chdir(tmp_path)
    for name in ("model.onnx", "m$(touch x).onnx", "other.txt"):
        Path(name).touch()
    Path("more").mkdir()
    assert encoder_names("onnx:m") == ["onnx:model.onnx", "onnx:more/"]
    assert encoder_names(f"vectors:{tmp_path}/o") == [f"vectors:{tmp_path}/other.txt"]
    assert encoder_names("onnx:gone/x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_every_shell_has_a_script(shell, likelens):
    code, out, _ = likelens("completion", shell)
    assert code == 0
    assert "_LIKELENS_COMPLETE" in out.upper()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_behind_a_colon(tmp_path, likelens):
    program = tmp_path / "likelens"
    source = Path(package.__file__).parents[1]
    program.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m likelens "$@"\n')
    program.chmod(0o755)
    script = likelens("completion", "bash")[1]
    ask = 'COMP_LINE="likelens search -e opencv:h" COMP_POINT=27; compopt() { :; }'
    test = f'{script}\n{ask}\n_likelens_completion {program}\necho "[${{COMPREPLY[*]}}]"'
    done = subprocess.run(["bash", "-c", test], capture_output=True, text=True, check=True)
    assert done.stdout == "[hog]\n"
