"""One request and its answer, by a connection to a machine that was checked."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, cast

from ..errors import NotFetched
from .addresses import Address, resolve
from .manners import Manners, TryAgain

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 65_536
_LATER = "run the same command again later"


@contextmanager
def exchange(
    address: Address, manners: Manners, headers: Mapping[str, str], context: ssl.SSLContext
) -> Iterator[HTTPResponse]:
    """The head of the answer to one GET request; its body is still to be read.

    The host's name is asked for once, every number behind it is checked, and the connection
    is made to one of them. The name stands in the header Host and is what the certificate
    must be for. Proxies are not used: they would ask for the name again.

    Raises:
        TryAgain: no connection, no answer in time, or one that was cut short.
        NotFetched: a wrong certificate, an address that is not public, or no HTTP.
    """
    deadline = time.monotonic() + manners.whole_seconds
    numbers = resolve(address, allow_private=manners.allow_private)
    with _said_plainly(address), _connect(address, numbers, manners, deadline) as plain:
        secure = address.scheme == "https"
        with context.wrap_socket(plain, server_hostname=address.host) if secure else plain as line:
            wire = _Wire(line, manners.timeout_seconds, deadline)
            wire.sendall(_request(address, headers))
            response = HTTPResponse(cast("socket.socket", wire), method="GET")
            with response:
                response.begin()
                yield response


def read_body(response: HTTPResponse, limit: int, where: str) -> bytes:
    """The body of an answer, of at most so many bytes.

    Raises:
        NotFetched: it is, or says that it is, longer.
        TryAgain: it is shorter than its head said.
    """
    announced = response.length
    body = bytearray()
    while len(body) <= limit and (announced is None or announced <= limit):
        piece = response.read(_PIECE)
        if not piece:
            break
        body += piece
    else:
        raise NotFetched(
            f"the answer has more than the {limit:,} bytes allowed",
            where=where,
            hint="leave it out, or raise --max-bytes",
        )
    if response.length:  # what http.client still expected
        raise TryAgain(
            f"the answer was cut short after {len(body):,} bytes", where=where, hint=_LATER
        )
    return bytes(body)


def _request(address: Address, headers: Mapping[str, str]) -> bytes:
    lines = [f"GET {address.target} HTTP/1.1", f"Host: {address.authority}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _connect(
    address: Address, numbers: Sequence[str], manners: Manners, deadline: float
) -> socket.socket:
    """A connection to the first of these machines that accepts one."""
    refused: OSError | None = None
    for number in numbers:
        seconds = min(manners.timeout_seconds, max(deadline - time.monotonic(), 0.001))
        try:
            return socket.create_connection((number, address.port), timeout=seconds)
        except OSError as error:
            refused = error
    raise refused or OSError("no machine has that name")


class _Wire:
    """A socket as http.client reads it, each wait bounded by what is left of the whole."""

    def __init__(self, line: socket.socket, wait_seconds: float, deadline: float) -> None:
        self._line, self._wait_seconds, self._deadline = line, wait_seconds, deadline

    def ready(self) -> socket.socket:
        """The socket, told how long it may wait.

        Raises:
            TimeoutError: the whole time is over.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(min(self._wait_seconds, left))
        return self._line

    def sendall(self, data: bytes) -> None:
        self.ready().sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))


class _Reader(io.RawIOBase):
    """The bytes that come in on a wire."""

    def __init__(self, wire: _Wire) -> None:
        super().__init__()
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._wire.ready().recv_into(buffer)


@contextmanager
def _said_plainly(address: Address) -> Iterator[None]:
    """Turns what sockets, TLS and http.client raise into one sentence."""

    def said(kind: type[NotFetched], what: str, hint: str = _LATER) -> NotFetched:
        return kind(what, where=address.shown, hint=hint)

    try:
        yield
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message or str(error)
        what = f"the certificate of {address.host} is not good: {reason}"
        raise said(NotFetched, what, "leave the address out") from error
    except TimeoutError as error:
        raise said(TryAgain, "no answer, or no whole one, in time") from error
    except IncompleteRead as error:
        raise said(TryAgain, "the answer was cut short") from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise said(TryAgain, f"the connection failed: {reason}") from error
    except (HTTPException, ValueError) as error:
        what = f"the answer is no HTTP: {type(error).__name__}"
        raise said(NotFetched, what, "check the address") from error
