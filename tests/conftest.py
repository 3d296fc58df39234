"""What tests share: small pictures, catalogues, and where real data may be found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

ROOT = Path(__file__).parent.parent

# No test fails because the machine is slow.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fixtures of modules and sessions do not write to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKELENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of one test, which starts empty."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LIKELENS_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds data/ and weights/ (see docs/data.md); skips where there is none."""
    root = Path(os.environ.get("LIKELENS_DATA", ROOT.parent / "shared"))
    if not (root / "data").is_dir() or not (root / "weights").is_dir():
        pytest.skip(f"no real data in {root}: set LIKELENS_DATA (docs/data.md)")
    return root


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, without a database; skips where none can be had."""
    from servers import NoServer, postgres

    with ExitStack() as running:
        try:
            url = running.enter_context(postgres())
        except NoServer as error:
            pytest.skip(str(error))
        yield url


def paint(path: Path, seed: int, size: tuple[int, int] = (24, 20)) -> Path:
    """A small picture of random coloured stripes, as PNG or JPEG by its name."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, 256, (size[1], 1, 3), np.uint8)
    pixels = np.broadcast_to(rows, (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A table of eight items with tags, and their pictures; returns the table."""
    lines = ["id,colour,kind,price"]
    for number in range(8):
        paint(tmp_path / "images" / f"{number}.png", number)
        colour = ("red", "blue|red", "NA", "green")[number % 4]
        lines.append(f"{number},{colour},{'shirt' if number < 4 else 'shoe'},{number}.5")
    table = tmp_path / "shop.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


@pytest.fixture
def likelens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; returns its exit code, stdout and stderr, without lines of progress.

    Those depend on how fast the machine is.
    """
    for name in ("FIRST_SECONDS", "EVERY_SECONDS"):
        monkeypatch.setattr(f"likelens.cli.progress.{name}", float("inf"))

    from likelens.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    return run
