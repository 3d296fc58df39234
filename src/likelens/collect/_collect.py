"""Fetches what a list or a search names into class folders, and notes what became of each."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..images import open_image
from ..values.errors import BadImage, NotFetched, OutOfMemory, plural
from ..values.files import LOCK, locked, make_folder, write_aside
from ..values.web.fetch import Answer, Fetcher
from ..values.web.manners import Manners, Refused, Stopped
from .engine import Engine, Progress, Searches, search_all
from .lists import Wanted, folder_names, read_classes, read_list
from .manifest import COPY, FAILED, FETCHED, REFUSED, Manifest, Row

WORKERS = 8
"""Hosts that are asked at one time; each of them one request after the other."""

_SIGNATURES = (
    (0, b"\xff\xd8", ".jpg"),
    (0, b"\x89PNG", ".png"),
    (8, b"WEBP", ".webp"),
    (0, b"GIF8", ".gif"),
    (0, b"BM", ".bmp"),
    (0, b"II", ".tif"),
    (0, b"MM", ".tif"),
    (4, b"ftyp", ".avif"),
    (4, b"jP  ", ".jp2"),
    (0, b"\xff\x4f\xff\x51", ".j2k"),
    (0, b"\x00\x00\x01\x00", ".ico"),
    *((0, f"P{kind}".encode(), ".ppm") for kind in range(1, 7)),
)
"""Place and bytes that tell the formats that a folder of pictures has, and the file's ending."""


@dataclass(frozen=True)
class Collected:
    """What a run did, and what the data set holds now.

    Attributes:
        root: the folder of the class folders, with the manifest.
        fetched: pictures that came new.
        copies: addresses that gave a picture which is there already.
        kept: addresses settled by an earlier run.
        refused: how many of these it refused for good.
        failures: rows of the addresses that gave none in this run.
        classes: how many pictures each class has, in the order of the list.
        notes: what is worth knowing.
        stopped: why the search ended early, or "".
    """

    root: Path
    fetched: int
    copies: int
    kept: int
    refused: int
    failures: tuple[Row, ...] = field(repr=False)
    classes: dict[str, int]
    notes: tuple[str, ...] = ()
    stopped: str = ""

    @property
    def manifest(self) -> Path:
        """The file that says what became of each address."""
        return self.root / "manifest.jsonl"


def collect(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    manners: Manners | None = None,
    progress: Progress | None = None,
) -> Collected:
    """Build a class-per-folder data set; a further run fetches what is still missing.

    A picture is kept under the digest of its bytes, once, however many addresses give it.

    Args:
        source: a list of addresses per class (``lists.read_list``); with an engine, a list of
            classes to search for (``lists.read_classes``).
        out: the folder of the data set; made if it is not there.
        engine: the search engine to ask for addresses.
        manners: limits and pauses.
        progress: told of every step.

    Raises:
        BadTable: the list or the manifest cannot be read, or nothing can be written.
        InUse: another run is collecting into this folder.
        NotFetched: the search engine gave no answer at all.
    """
    say = progress or (lambda _label, _done, _total: None)
    root, place = Path(out), Path(source)
    fetcher = Fetcher(manners or Manners())
    wanted: list[Wanted] = []
    classes: list[tuple[str, str]] = []
    if engine is None:
        wanted = read_list(place)
        folders = folder_names(one.label for one in wanted)
    else:
        engine.check_endpoint(allow_private=fetcher.manners.allow_private)
        classes = read_classes(place)
        folders = folder_names(label for label, _ in classes)
    make_folder(root)
    with locked(root / LOCK, what="another run is collecting into this folder"):
        stopped = ""
        if engine is not None:
            wanted, stopped = search_all(Searches(root, engine, fetcher), classes, say)
        run = _Run(Manifest(root), folders, fetcher, say)
        run.fetch(wanted)
        return run.collected(wanted, stopped)


class _Run:
    """The threads of one run, and what they share."""

    def __init__(
        self, manifest: Manifest, folders: dict[str, str], fetcher: Fetcher, say: Progress
    ) -> None:
        self.manifest, self.folders, self.fetcher, self.say = manifest, folders, fetcher, say
        self.new: list[Row] = []
        self.swept: set[Path] = set()  # folders without what killed runs have left
        self._noting, self._decoding = threading.Lock(), threading.Lock()

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """Fetch what is not settled yet; hosts side by side, each one address at a time."""
        hosts: dict[str, list[Wanted]] = {}
        for one in wanted:
            if not self.manifest.settled(one):
                hosts.setdefault(_host(one.url), []).append(one)
        total = sum(map(len, hosts.values()))
        self.say("fetching", 0, total)
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for done in as_completed(
                    [pool.submit(self._host, own, total) for own in hosts.values()]
                ):
                    done.result()
            except BaseException:
                self.fetcher.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self.manifest.compact()

    def collected(self, wanted: Sequence[Wanted], stopped: str) -> Collected:
        """What this run did."""
        states = Counter(row.status for row in self.new)
        files = (row for row in self.manifest.rows.values() if row.status == FETCHED)
        held = Counter(row.label for row in files if self.manifest.has(row))
        new = {row.key for row in self.new}
        known = (self.manifest.rows.get((one.label, one.url)) for one in wanted)
        refused = {row.key for row in known if row is not None and row.status == REFUSED}
        return Collected(
            root=self.manifest.root,
            fetched=states[FETCHED],
            copies=states[COPY],
            kept=len(wanted) - len(self.new),
            refused=len(refused - new),
            failures=tuple(row for row in self.new if row.status in (FAILED, REFUSED)),
            classes={label: held[label] for label in self.folders},
            notes=self._notes(),
            stopped=stopped,
        )

    def _host(self, wanted: Sequence[Wanted], total: int) -> None:
        """Fetch from one host."""
        try:
            for one in wanted:
                self._take(one, total)
        except Stopped:
            return

    def _take(self, one: Wanted, total: int) -> None:
        """Fetch one picture, keep it, and note what became of it."""
        try:
            answer = self.fetcher.picture(one.url)
            self._check(answer)
        except NotFetched as error:
            status = REFUSED if isinstance(error, Refused) else FAILED
            with self._noting:
                self._note(_row(one, status, reason=error.what), total)
            return
        with self._noting:
            self._note(self._keep(one, answer), total)

    def _check(self, answer: Answer) -> None:
        """Refuse what cannot be decoded; one at a time, for that may take much memory.

        Raises:
            Refused: the bytes are no picture, or one that no catalogue of a folder would find.
        """
        try:
            with self._decoding:
                open_image(answer.body, where=answer.url)
        except OutOfMemory as error:
            raise NotFetched(error.what, where=answer.url, hint=error.hint) from error
        except BadImage as error:
            raise Refused(error.what, where=answer.url, hint="leave the address out") from error
        if not _ending(answer.body):
            what = "an image of this kind has no ending that is looked for in folders"
            raise Refused(what, where=answer.url, hint="leave the address out")

    def _keep(self, one: Wanted, answer: Answer) -> Row:
        """Write a picture, unless the same bytes are there already."""
        digest = hashlib.sha256(answer.body).hexdigest()
        size_bytes = len(answer.body)
        known = self.manifest.digests.get(digest)
        if known is not None:
            return _row(one, COPY, known, answer.url, digest, size_bytes, f"same bytes as {known}")
        file = f"{self.folders[one.label]}/{digest[:32]}{_ending(answer.body)}"
        path = self.manifest.root / file
        sweep = path.parent not in self.swept
        self.swept.add(path.parent)
        write_aside(path, lambda aside: aside.write_bytes(answer.body), sweep=sweep)
        self.manifest.digests[digest] = file
        return _row(one, FETCHED, file, answer.url, digest, size_bytes)

    def _note(self, row: Row, total: int) -> None:
        self.manifest.add(row)
        self.new.append(row)
        self.say("fetching", len(self.new), total)

    def _notes(self) -> tuple[str, ...]:
        across = sum(
            row.status == COPY and row.file.partition("/")[0] != self.folders.get(row.label)
            for row in self.new
        )
        if not across:
            return ()
        there = "there in another class already, and"
        which = plural(across, f"picture was {there} stays", f"pictures were {there} stay")
        return (f"{which} there only",)


def _row(
    one: Wanted,
    status: str,
    file: str = "",
    final_url: str = "",
    digest: str = "",
    size_bytes: int = 0,
    reason: str = "",
) -> Row:
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Row(
        one.label, status, file, one.url, final_url, date, one.licence, one.page, digest,
        size_bytes, " ".join(reason.split()),
    )  # fmt: skip


def _host(url: str) -> str:
    """The host of an address, or "" where it cannot be told; such addresses fail later."""
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _ending(data: bytes) -> str:
    """The usual ending of a picture's file, by its first bytes; "" if it is of another kind."""
    for place, mark, ending in _SIGNATURES:
        if data.startswith(mark, place):
            return ending
    return ""
