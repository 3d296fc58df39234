"""Addresses, the machines behind them, and when they may be asked."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelens.values.errors import BadTable, NotFetched
from likelens.values.web.addresses import Address, is_public, parse_address, resolve
from likelens.values.web.manners import MAX_PAUSE_SECONDS, Manners, Pace, Refused, Stopped, TryAgain

GOOD = {
    "http://shop.example/a.jpg": ("http", "shop.example", 80, "/a.jpg"),
    "  HTTPS://Shop.Example:8443  ": ("https", "shop.example", 8443, "/"),
    "http://shop.example/red shoe/ä.jpg?q=é&w=%20#top": (
        "http", "shop.example", 80, "/red%20shoe/%C3%A4.jpg?q=%C3%A9&w=%20",
    ),
    "https://bücher.example/x": ("https", "xn--bcher-kva.example", 443, "/x"),
    "http://[2001:DB8::1]:81/x": ("http", "2001:db8::1", 81, "/x"),
    "http://shop.example./x": ("http", "shop.example", 80, "/x"),
}  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_addresses_are_taken_apart(text):
    made = parse_address(text)
    assert (made.scheme, made.host, made.port, made.target) == GOOD[text]
    assert parse_address(made.text) == made
    assert made.text.isascii()


def test_the_header_host_has_the_port_only_if_it_is_another():
    assert parse_address("https://a.example:443/").authority == "a.example"
    assert parse_address("http://a.example:443/").authority == "a.example:443"
    assert parse_address("http://[::1]:8080/").authority == "[::1]:8080"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("shoe.jpg", "only http and https"),
        ("", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("ftp://shop.example/a.jpg", "only http and https"),
        ("data:image/png;base64,AAAA", "only http and https"),
        ("http:///a.jpg", "is no host"),
        ("http://a b/x", "is no host"),
        ("http://a%00b/x", "is no host"),
        ("http://-a/x", "is no host"),
        ("http://[::1/x", "no address"),
        ("http://a.example:port/x", "no address"),
        ("http://a.example:70000/x", "no address"),
        (f"http://{'a' * 70}.example/", "no address"),
        ("http://a.example/x\r\nHost: b.example", "control characters"),
        ("http://me:secret@shop.example/a.jpg", "a user's name"),
        ("http://a.example/\ud800", "no address"),
    ],
)
def test_what_is_no_address_is_refused(text, what):
    with pytest.raises(Refused, match=what) as told:
        parse_address(text)
    assert "secret" not in str(told.value)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text):
    try:
        made = parse_address(f"http://a.example/{text}")
    except Refused:
        return
    assert made.text.isascii()
    assert not any(character.isspace() for character in made.target)


PRIVATE = (
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "0.0.0.0", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%1", "fc00::1", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
    "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
)  # fmt: skip


@pytest.mark.parametrize("number", PRIVATE)
def test_numbers_that_are_not_public(number):
    assert not is_public(number)


@pytest.mark.parametrize(
    "number", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::808:808"]
)
def test_numbers_that_are_public(number):
    assert is_public(number)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_private(address):
    inside = int(address) in range(int(ipaddress.ip_address("64:ff9b::")), 1 << 127)
    if not address.is_global and not inside:
        assert not is_public(str(address))


@pytest.mark.parametrize(
    "url",
    ["http://localhost/", "http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/"],
)
def test_however_loopback_is_written_it_is_refused(url):
    with pytest.raises(NotFetched, match=r"is no public address \(--allow-private asks it"):
        resolve(parse_address(url), allow_private=False)
    assert resolve(parse_address(url), allow_private=True)


def known(monkeypatch, *numbers):
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 80)) for number in numbers]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)


def test_one_private_number_among_public_ones_is_enough(monkeypatch):
    known(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(NotFetched, match=r"leads to 10\.0\.0\.1"):
        resolve(parse_address("http://a.example/"), allow_private=False)
    known(monkeypatch, "8.8.8.8", "8.8.8.8", "8.8.4.4")
    assert resolve(parse_address("http://a.example/"), allow_private=False) == [
        "8.8.8.8",
        "8.8.4.4",
    ]


@pytest.mark.parametrize(
    ("number", "kind"), [(socket.EAI_AGAIN, TryAgain), (socket.EAI_NONAME, NotFetched)]
)
def test_names_that_are_not_known(monkeypatch, number, kind):
    def ask(*_, **__):
        raise socket.gaierror(number, "who knows")

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    with pytest.raises(NotFetched, match=r"host a\.example cannot be found: who knows") as told:
        resolve(parse_address("http://a.example/"), allow_private=True)
    assert type(told.value) is kind


# --- pace -------------------------------------------------------------------------


class Clock:
    """A clock that only moves while one waits."""

    def __init__(self):
        self.now, self.waits = 0.0, []

    def pause(self, seconds):
        self.waits.append(seconds)
        self.now += seconds
        return False


def test_each_host_is_asked_at_its_own_pace():
    clock = Clock()
    pace = Pace(2.0, clock.pause, lambda: clock.now)
    for host in ("a", "a", "b", "a", "b"):
        pace.wait(host)
    assert clock.waits == [0, 2, 0, 2, 0]
    clock.now += 100
    pace.wait("a")
    assert clock.waits[-1] == 0


def test_a_host_rests_as_long_as_it_asks():
    clock = Clock()
    pace = Pace(1.0, clock.pause, lambda: clock.now)
    pace.wait("a")
    pace.hold("a", 30)
    pace.hold("a", 5)
    pace.wait("a")
    pace.wait("b")
    assert clock.waits == [0, 30, 0]
    pace.hold("b", MAX_PAUSE_SECONDS + 10)
    with pytest.raises(NotFetched, match="not to be asked for another 130 seconds"):
        pace.wait("b")
    pace.wait("a")


def test_a_stopped_run_asks_nobody_any_more():
    pace = Pace(0.0, lambda _: True)
    with pytest.raises(Stopped):
        pace.wait("a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"delay_seconds": -1.0},
        {"delay_seconds": float("nan")},
        {"timeout_seconds": 0.0},
        {"whole_seconds": float("inf")},
        {"max_bytes": 0},
        {"retries": -1},
        {"backoff_seconds": -0.1},
        {"contact": "me@example.org\r\nX: y"},
        {"contact": "(me)"},
        {"contact": "mé"},
    ],
)
def test_manners_that_are_none(wrong):
    with pytest.raises(BadTable):
        Manners(**wrong)


def test_the_user_agent_says_whom_to_write_to():
    assert Manners(contact="me@example.org").user_agent.endswith(" (+me@example.org)")
    assert "(" not in Manners().user_agent


def test_an_address_may_be_called_something_else():
    secret = "https://search.example/v1?key=SECRET"
    made = parse_address(secret, "the search service")
    assert made.shown == "the search service"
    assert made.text == secret
    with pytest.raises(Refused) as told:
        parse_address("gopher://x?key=SECRET", "the search service")
    assert "SECRET" not in str(told.value)
    assert isinstance(made, Address)
