"""Pictures and JSON by their addresses: redirects, repetitions, and what is not taken."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from urllib.parse import quote, urljoin

from ..errors import NotFetched
from .addresses import Address, parse_address
from .exchange import exchange, read_body
from .manners import Manners, Pace, Refused, TryAgain, printable

MAX_REDIRECTS = 5
MAX_JSON_BYTES = 5_000_000

_MOVED = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_NOT_FOR_US = {"noai", "noimageai", "noindex", "noimageindex", "none"}


@dataclass(frozen=True)
class Wish:
    """What kind of answer is asked for.

    Attributes:
        accept: the header Accept.
        kinds: beginnings of the content types that are taken.
        max_bytes: the longest body that is taken.
        redirects: how many are followed.
        heed_robots: whether X-Robots-Tag may say no.
        explain: what the body of a refusal says, in words; None to leave it unread.
    """

    accept: str
    kinds: tuple[str, ...]
    max_bytes: int
    redirects: int = MAX_REDIRECTS
    heed_robots: bool = False
    explain: Callable[[bytes], str] | None = None


@dataclass(frozen=True)
class Answer:
    """A body, and the address that gave it in the end."""

    url: str
    body: bytes


class Fetcher:
    """Asks servers politely; for many threads.

    Args:
        manners: limits and pauses.
        pace: when a host may be asked; made of the manners if not given.
    """

    def __init__(self, manners: Manners, pace: Pace | None = None) -> None:
        self.manners = manners
        self.stop = threading.Event()
        self.pace = pace or Pace(manners.delay_seconds, self.stop.wait)
        self._context = ssl.create_default_context()

    def picture(self, url: str, *, heed_robots: bool = True) -> Answer:
        """The bytes at an address, said to be a picture by the server; not yet decoded.

        Args:
            url: the address.
            heed_robots: whether the header X-Robots-Tag may refuse.

        Raises:
            NotFetched: there is none to be had; TryAgain and Refused say for how long.
            Stopped: the run was stopped.
        """
        kinds = ("image/", "application/octet-stream", "binary/octet-stream")
        return self._get(
            parse_address(url),
            Wish("image/*", kinds, self.manners.max_bytes, heed_robots=heed_robots),
        )

    def json(self, url: str, shown: str, explain: Callable[[bytes], str]) -> bytes:
        """The bytes of a service's answer in JSON; no redirect is followed.

        Args:
            url: the whole address, secrets included.
            shown: what to call it in messages.
            explain: what the body of a refusal says.

        Raises:
            NotFetched: the service gives no answer.
            Stopped: the run was stopped.
        """
        wish = Wish(
            "application/json", ("application/json",), MAX_JSON_BYTES, redirects=0, explain=explain
        )
        return self._get(parse_address(url, shown), wish).body

    def _get(self, first: Address, wish: Wish) -> Answer:
        address, left = first, wish.redirects
        while isinstance(found := self._patiently(address, wish), str):
            if not left:
                raise NotFetched(
                    f"the address redirects more than {wish.redirects} times",
                    where=first.shown,
                    hint="give the address where the redirects end",
                )
            left -= 1
            address = _led_to(found, address)
        return found

    def _patiently(self, address: Address, wish: Wish) -> Answer | str:
        """The answer, or where it redirects to; asked for again if that may help."""
        for attempt in range(self.manners.retries + 1):
            self.pace.wait(address.host)
            try:
                return self._once(address, wish)
            except TryAgain as error:
                asked = error.wait_seconds
                pause = self.manners.backoff_seconds * 2**attempt if asked is None else asked
                self.pace.hold(address.host, pause)
                if attempt == self.manners.retries:
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _once(self, address: Address, wish: Wish) -> Answer | str:
        headers = {
            "User-Agent": self.manners.user_agent,
            "Accept": wish.accept,
            "Accept-Encoding": "identity",
        }
        with exchange(address, self.manners, headers, self._context) as response:
            location = response.headers.get("Location")
            if response.status in _MOVED and location:
                return location
            if response.status != 200:
                raise _refusal(response, address, wish)
            _check_head(response, address, wish)
            return Answer(address.text, read_body(response, wish.max_bytes, address.shown))


def _led_to(location: str, address: Address) -> Address:
    """Where a redirect from an address leads.

    Raises:
        Refused: to no address, or to one that is not fetched.
    """
    try:
        # http.client reads what servers send as Latin-1; its bytes are quoted as they are
        place = quote(location.encode("latin-1"), safe="%/:@!$&'()*+,;=~?#[]")
        return parse_address(urljoin(address.text, place))
    except ValueError as error:
        raise Refused(
            f"the address redirects to {printable(location, 60)}, which is none",
            where=address.shown,
            hint="leave the address out",
        ) from error


def _refusal(response: HTTPResponse, address: Address, wish: Wish) -> NotFetched:
    """What a status other than 200 means."""
    what = f"the server says {response.status} {printable(response.reason, 60)}".rstrip()
    if wish.explain is not None:
        said = _explained(response, wish.explain)
        what += f": {said}" if said else ""
    if response.status not in _BUSY:
        return Refused(what, where=address.shown, hint="check the address, or leave it out")
    busy = TryAgain(what, where=address.shown, hint="run the same command again later")
    busy.wait_seconds = _wait_seconds(response.headers.get("Retry-After", ""))
    return busy


def _explained(response: HTTPResponse, explain: Callable[[bytes], str]) -> str:
    try:
        return printable(explain(response.read(MAX_JSON_BYTES)), 200)
    except (OSError, HTTPException):
        return ""


def _wait_seconds(text: str) -> float | None:
    """Seconds of a header Retry-After, which may be a date; None if it says nothing.

    Example:
        >>> _wait_seconds("7"), _wait_seconds("soon")
        (7.0, None)
        >>> _wait_seconds("Thu, 01 Jan 1970 00:00:00 GMT")
        0.0
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), 1e9)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _check_head(response: HTTPResponse, address: Address, wish: Wish) -> None:
    """Refuse an answer whose head says that it is not what was asked for.

    Raises:
        Refused: another content type, compressed, or not to be used by machines.
    """
    headers = response.headers
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    packing = headers.get("Content-Encoding", "identity").strip().lower()
    tags = ",".join(headers.get_all("X-Robots-Tag", []))
    robots = {part.strip().lower() for part in tags.split(",")}
    if kind and not kind.startswith(wish.kinds):
        what = f"the answer is {printable(kind, 60)}, not {wish.accept}"
    elif packing not in ("", "identity"):
        what = f"the answer is compressed ({printable(packing, 20)}), though that was not asked for"
    elif wish.heed_robots and robots & _NOT_FOR_US:
        what = f"the server says {min(robots & _NOT_FOR_US)} in X-Robots-Tag"
    else:
        return
    raise Refused(what, where=address.shown, hint="leave the address out")
