"""Where an address leads: its parts, and the machines behind its name."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ..errors import NotFetched
from .manners import Refused, TryAgain

PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")
_UNQUOTED = "%/:@!$&'()*+,;=~?"
_WORLD = ipaddress.ip_network("2000::/3")
_TUNNELS = tuple(map(ipaddress.ip_network, ("2002::/16", "2001::/32")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HTTP_ONLY = "give an address that starts with http:// or https://"


@dataclass(frozen=True)
class Address:
    """An http or https address, as it is asked for.

    Attributes:
        text: the whole, in ASCII, without its fragment.
        scheme: http or https.
        host: name or number, in lower case, without brackets.
        port: as given, or the scheme's.
        target: path and query.
        shown: what to call it in messages.
    """

    text: str
    scheme: str
    host: str
    port: int
    target: str
    shown: str

    @property
    def authority(self) -> str:
        """Host and port as the header ``Host`` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_address(text: str, shown: str | None = None) -> Address:
    """The parts of an address.

    Args:
        text: as it stands in a list or in a redirect; other characters than ASCII are quoted.
        shown: what to call it in messages, if not by its own text.

    Raises:
        Refused: it is none, neither http nor https, or has a user's name in it.

    Example:
        >>> parse_address("HTTPS://Shop.Example/red shoe.jpg?w=9#top").text
        'https://shop.example/red%20shoe.jpg?w=9'
    """
    text = text.strip()
    name = text if shown is None else shown
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Refused("the address has control characters", where=repr(name), hint=_HTTP_ONLY)
    try:
        parts = urlsplit(text)
        if parts.scheme not in PORTS:
            raise Refused("only http and https are fetched", where=name, hint=_HTTP_ONLY)
        host, port = _plain_host(parts.hostname or ""), parts.port
        path, query = (quote(part, safe=_UNQUOTED) for part in (parts.path or "/", parts.query))
    except ValueError as error:  # UnicodeError is one, too
        reason = " ".join(str(error).split())[:100]
        raise Refused(f"this is no address: {reason}", where=name, hint=_HTTP_ONLY) from error
    if parts.username is not None or parts.password is not None:
        raise Refused(
            "the address has a user's name in it", where=parts.hostname or "", hint="leave it out"
        )
    target = f"{path}?{query}" if query else path
    address = Address("", parts.scheme, host, port or PORTS[parts.scheme], target, name)
    whole = f"{parts.scheme}://{address.authority}{target}"
    return Address(whole, parts.scheme, host, address.port, target, shown or whole)


def _plain_host(host: str) -> str:
    """A host's name in ASCII, or its number.

    Raises:
        ValueError: it is neither.
    """
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    plain = host.encode("idna").decode("ascii").lower().removesuffix(".")
    if not _HOST.fullmatch(plain):
        raise ValueError(f"{host!r} is no host")
    return plain


def resolve(address: Address, *, allow_private: bool) -> list[str]:
    """The numbers of the machines behind a host's name, all of them checked.

    A connection must be made to one of these numbers, not to the name, which might lead
    elsewhere when it is asked for again.

    Raises:
        NotFetched: the name is not known, or one of the numbers is not public.
        TryAgain: nobody could say.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        kind = TryAgain if error.errno == socket.EAI_AGAIN else NotFetched
        raise kind(
            f"the host {address.host} cannot be found: {error.strerror or error}",
            where=address.shown,
            hint="check the address, and the connection to the network",
        ) from error
    numbers = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    closed = [number for number in numbers if not is_public(number)]
    if closed and not allow_private:
        leads = "" if address.host == closed[0] else f" leads to {closed[0]}, which"
        raise NotFetched(
            f"{address.host}{leads} is no public address (--allow-private asks it nevertheless)",
            where=address.shown,
            hint="leave it out, or give --allow-private if the server is your own",
        )
    return numbers


def is_public(number: str) -> bool:
    """Whether an IP address is one of the internet's: not private, loopback, link-local ...

    Stricter than ``ipaddress.is_global``: of IPv6, only global unicast without the tunnels
    6to4 and Teredo; an address of NAT64 counts as the IPv4 address within.

    Example:
        >>> [is_public(number) for number in ("8.8.8.8", "127.0.0.1", "64:ff9b::a00:1")]
        [True, False, False]
    """
    address = ipaddress.ip_address(number)
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address not in _WORLD or any(address in tunnel for tunnel in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
