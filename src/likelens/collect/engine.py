"""Addresses of pictures from a custom search engine's JSON API, page by page.

The interface is that of Google's Programmable Search (Custom Search JSON API, ``cse.list``
with ``searchType=image``); an endpoint of another service that speaks it may be named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

from ..values.errors import BadTable, NotFetched
from ..values.files import write_aside
from ..values.web.addresses import parse_address
from ..values.web.fetch import Fetcher
from ..values.web.manners import Refused
from .lists import Wanted
from .manifest import read_lines

KEY = "LIKELENS_SEARCH_KEY"
"""The variable that holds the user's key; it is neither printed nor written anywhere."""

ENDPOINT = "https://customsearch.googleapis.com/customsearch/v1"
NAME = "searches.jsonl"
PAGE_SIZE = 10
MOST = 100
"""As many as the service gives for one query."""


Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""


@dataclass(frozen=True)
class Engine:
    """A search engine and how it is asked.

    Attributes:
        id: the engine's identifier (``cx``).
        per_class: pictures wanted of each class, 1 to 100.
        rights: only pictures that the engine believes to have such rights, such as
            ``cc_publicdomain``; noted as their licence.
        endpoint: the address of the service.
        key: the user's key; of the variable LIKELENS_SEARCH_KEY if not given.

    Raises:
        BadTable: no key, or a value out of its range.
    """

    id: str
    per_class: int = 30
    rights: str = ""
    endpoint: str = ENDPOINT
    key: str = field(default_factory=lambda: os.environ.get(KEY, "").strip(), repr=False)

    def __post_init__(self) -> None:
        if not self.id.strip():
            raise BadTable("no search engine is named", where="--engine", hint="give its id (cx)")
        if not 1 <= self.per_class <= MOST:
            raise BadTable(
                f"a search gives 1 to {MOST} pictures, not {self.per_class}",
                where="--per-class",
                hint="give such a number, or several classes with other queries",
            )
        if not self.key:
            raise BadTable(
                "a search engine needs your key", where=KEY, hint=f"set the variable {KEY}"
            )

    def check_endpoint(self, *, allow_private: bool) -> None:
        """Refuse an endpoint to which a key should not be sent.

        Raises:
            BadTable: it is no address, or neither https nor one's own server.
        """
        try:
            address = parse_address(self.endpoint)
        except Refused as error:
            raise BadTable(error.what, where="--endpoint", hint=error.hint) from error
        if address.scheme != "https" and not allow_private:
            raise BadTable(
                "the key would be sent for all to read",
                where=f"--endpoint {address.scheme}://{address.authority}",
                hint="give an https address, or --allow-private if the server is your own",
            )
        if "?" in address.target:
            raise BadTable(
                "the endpoint has a query of its own",
                where="--endpoint",
                hint="give the address up to the ?",
            )

    def address(self, query: str, start: int) -> str:
        """What to ask for one page; the key is in it."""
        asked = {
            "key": self.key, "cx": self.id, "q": query, "searchType": "image",
            "num": PAGE_SIZE, "start": start, **({"rights": self.rights} if self.rights else {}),
        }  # fmt: skip
        return f"{self.endpoint}?{urlencode(asked)}"

    def explain(self, body: bytes) -> str:
        """What the service says in a refusal, without the key."""
        try:
            said = json.loads(body)["error"]["message"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return str(said).replace(self.key, "***")


class Searches:
    """The pages that an engine has given, kept in a data set's folder.

    So a further run asks only for what is missing: queries are counted, and answers change.

    Raises:
        BadTable: the record cannot be read.
    """

    def __init__(self, root: Path, engine: Engine, fetcher: Fetcher) -> None:
        self.path, self.engine, self.fetcher = root / NAME, engine, fetcher
        try:
            self._pages = [_page(line) for line in read_lines(self.path)[1]]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise BadTable(
                f"the record of searches cannot be read: {type(error).__name__}: {error}",
                where=str(self.path),
                hint="delete that line, or the file; its queries are then asked again",
            ) from error

    def find(self, label: str, query: str) -> list[Wanted]:
        """The addresses for a class; pages that are not kept yet are asked for.

        Raises:
            NotFetched: the service gives no answer; pages before that are kept.
            Stopped: the run was stopped.
        """
        found, start = self.kept(label, query)
        while start and start <= MOST and len(found) < self.engine.per_class:
            page, following = self._ask(query, start)
            self._keep(label, query, page, following if following > start else 0)
            found, start = self.kept(label, query)
        return found[: self.engine.per_class]

    def kept(self, label: str, query: str) -> tuple[list[Wanted], int]:
        """The addresses that are kept for a class, and where to go on; 0 at the end."""
        about = self._about(label, query)
        pages = [page for page in self._pages if about.items() <= page.items()]
        start = pages[-1]["next"] if pages else 1
        licence = f"rights: {self.engine.rights}" if self.engine.rights else ""
        places: dict[str, str] = {}
        for page in pages:
            for one in page["found"]:
                places.setdefault(one["url"], one["page"])
        return [Wanted(label, url, licence, page) for url, page in places.items()], start

    def _ask(self, query: str, start: int) -> tuple[list[dict[str, str]], int]:
        engine = self.engine
        body = self.fetcher.json(engine.address(query, start), engine.endpoint, engine.explain)
        try:
            answer = json.loads(body)
            items = answer.get("items", [])
            found = [
                {"url": _text(one["link"]), "page": _text(one.get("image", {}).get("contextLink"))}
                for one in items
            ]
            following = answer.get("queries", {}).get("nextPage", [{"startIndex": 0}])
            return found, int(following[0]["startIndex"]) if found else 0
        except (
            ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
            RecursionError,
        ) as e:  # fmt: skip
            raise NotFetched(
                "the answer is not that of a custom search",
                where=engine.endpoint,
                hint="check --endpoint",
            ) from e

    def _keep(self, label: str, query: str, found: list[dict[str, str]], following: int) -> None:
        self._pages.append({**self._about(label, query), "next": following, "found": found})
        text = "".join(f"{json.dumps(page, ensure_ascii=False)}\n" for page in self._pages)
        write_aside(self.path, lambda aside: aside.write_text(text, encoding="utf-8", newline="\n"))

    def _about(self, label: str, query: str) -> dict[str, str]:
        engine = self.engine
        return {"class": label, "query": query, "engine": engine.id, "rights": engine.rights}


def _page(line: str) -> dict[str, Any]:
    """A line of the record.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    page: dict[str, Any] = json.loads(line)
    places = [(str(one["url"]), str(one["page"])) for one in page["found"]]
    return {**page, "next": int(page["next"]), "found": [{"url": u, "page": p} for u, p in places]}


def _text(value: object) -> str:
    """A value as text that a file can hold: JSON may have halves of characters in it."""
    return str(value or "").encode("utf-8", "replace").decode("utf-8")


def search_all(
    searches: Searches, classes: Sequence[tuple[str, str]], progress: Progress
) -> tuple[list[Wanted], str]:
    """The addresses for all classes, and why the search ended early; "" if it did not.

    Raises:
        NotFetched: the service gave nothing at all.
    """
    wanted: list[Wanted] = []
    for done, (label, query) in enumerate(classes):
        progress("searching", done, len(classes))
        try:
            wanted += searches.find(label, query)
        except NotFetched as error:
            for one, words in classes[done:]:
                wanted += searches.kept(one, words)[0][: searches.engine.per_class]
            if not wanted:
                raise
            return wanted, f"the search ended at {label}: {error.what}"
    progress("searching", len(classes), len(classes))
    return wanted, ""
