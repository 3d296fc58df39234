"""How to behave towards other people's servers: limits, pauses, and what a failure means."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadTable, NotFetched
from ..files import installed

MAX_PAUSE_SECONDS = 120.0
"""A server that asks for a longer rest is left alone until the next run."""


class TryAgain(NotFetched):
    """May go well in a moment: no answer in time, a broken connection, a busy server."""

    wait_seconds: float | None = None
    """How long the server asked to wait, if it did."""


class Refused(NotFetched):
    """Will not go well another time either: nothing there, no picture, or not to be used."""


class Stopped(Exception):
    """The user stopped the run; nothing is to be recorded."""


@dataclass(frozen=True)
class Manners:
    """What is asked of a server, and how much of its answer is taken.

    Attributes:
        contact: a mail or web address in the user agent, for whoever runs the server.
        delay_seconds: from one request to the next to the same host, at least.
        timeout_seconds: the longest wait for a connection, and for more of an answer.
        whole_seconds: the longest that one answer may take altogether.
        max_bytes: the largest picture that is taken.
        retries: how often a request is repeated that may go well in a moment.
        backoff_seconds: pause before the first repetition, doubled before each further one.
        allow_private: also ask private and loopback addresses: one's own servers.

    Raises:
        BadTable: a value is out of its range.
    """

    contact: str = ""
    delay_seconds: float = 1.0
    timeout_seconds: float = 10.0
    whole_seconds: float = 60.0
    max_bytes: int = 20_000_000
    retries: int = 3
    backoff_seconds: float = 2.0
    allow_private: bool = False

    def __post_init__(self) -> None:
        if not (self.contact.isascii() and self.contact.isprintable()) or "(" in self.contact:
            raise BadTable(
                "the contact has characters that no user agent may have",
                where=f"--contact {self.contact!r}",
                hint="give a mail or web address, such as --contact me@example.org",
            )
        for option, value, low in (
            ("--delay", self.delay_seconds, 0.0),
            ("--timeout", self.timeout_seconds, 0.001),
            ("--whole-timeout", self.whole_seconds, 0.001),
            ("--max-bytes", self.max_bytes, 1),
            ("--retries", self.retries, 0),
            ("the back-off", self.backoff_seconds, 0.0),
        ):
            if not low <= value < math.inf:
                raise BadTable(
                    f"{value} is not a number of at least {low}",
                    where=option,
                    hint="give such a number, or leave the option out",
                )

    @property
    def user_agent(self) -> str:
        """Who asks, and whom to write to: ``likelens/0.2.0 (+me@example.org)``."""
        contact = f" (+{self.contact})" if self.contact else ""
        return f"likelens/{installed('likelens') or '0'}{contact}"


def printable(text: str, longest: int) -> str:
    """What a server said, fit for a terminal: in one line, without control characters."""
    words = " ".join(text.split())[:longest]
    return "".join(one for one in words if one.isprintable())


class Pace:
    """When a host may be asked next; for many threads.

    Args:
        delay_seconds: from one request to the next to the same host.
        pause: waits so many seconds, and says whether the run was stopped meanwhile.
        clock: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        delay_seconds: float,
        pause: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delay, self._pause, self._clock = delay_seconds, pause, clock
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Return when the host may be asked, and count it as asked then.

        Raises:
            NotFetched: it wants to rest longer than MAX_PAUSE_SECONDS.
            Stopped: the run was stopped while waiting.
        """
        with self._lock:
            now = self._clock()
            start = max(now, self._next.get(host, now))
            if start - now > MAX_PAUSE_SECONDS:
                raise NotFetched(
                    f"the server asks not to be asked for another {start - now:,.0f} seconds",
                    where=host,
                    hint="run the same command again later",
                )
            self._next[host] = start + self._delay
        if self._pause(start - now):
            raise Stopped

    def hold(self, host: str, seconds: float) -> None:
        """Let a host rest for so long."""
        with self._lock:
            self._next[host] = max(self._next.get(host, 0.0), self._clock() + seconds)
