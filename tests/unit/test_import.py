import subprocess
import sys

import likelens

HEAVY = ("torch", "onnxruntime", "faiss", "sklearn", "lance", "cv2", "scipy", "matplotlib", "numpy")


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_brings_in_nothing_heavy():
    assert not loaded_by("import likelens").intersection(HEAVY)


def test_help_brings_in_nothing_heavy():
    code = "import likelens.cli\ntry: likelens.cli.main(['--help'])\nexcept SystemExit: pass"
    assert not loaded_by(code).intersection(HEAVY)


def test_every_public_name_is_there():
    assert sorted(likelens.__all__) == likelens.__all__
    for name in likelens.__all__:
        assert getattr(likelens, name) is not None
    assert set(likelens.__all__) <= set(dir(likelens))
