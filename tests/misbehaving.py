"""A server on loopback that does what servers of pictures do, the wrong things above all."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from PIL import Image


def picture(seed, kind="PNG", size=(20, 16)):
    """The bytes of a small random picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


class Server(ThreadingHTTPServer):
    """Answers by the path of a request; counts them, and keeps their headers.

    Attributes:
        asked: how often each path was asked for.
        seen: path and headers of every request, in order.
        pages: of the search service: query -> list of addresses.
        refusal: status and body with which the search service answers, if it is set.
        refuse_after: answers it gives before that.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.seen, self.pages = Counter(), [], {}
        self.refusal, self.refuse_after = None, 0
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def root(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def url(self, path):
        return f"{self.root}/{path}"

    def handle_error(self, request, client_address):
        """Clients hang up on purpose here."""

    def close(self):
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.close_connection = True
        server, path = self.server, urlsplit(self.path).path.strip("/")
        server.asked[path] += 1
        server.seen.append((self.path, dict(self.headers)))
        name, _, rest = path.partition("/")
        getattr(self, f"on_{name.replace('-', '_')}", self.on_nothing)(rest)

    def send(self, body, status=200, kind="image/png", **headers):
        self.send_response(status)
        given = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
        for key, value in {**given, **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def on_nothing(self, _):
        self.send(b"there is nothing here", 404, "text/plain")

    def on_good(self, seed):
        """Another picture for each number: /good/7.png."""
        self.send(picture(int(seed.partition(".")[0])))

    def on_jpeg(self, seed):
        self.send(picture(int(seed), "JPEG"), kind="application/octet-stream")

    def on_untyped(self, seed):
        self.send(picture(int(seed)), kind=None)

    def on_closing(self, seed):
        """Without a length: the end of the connection is the end of the picture."""
        self.send(picture(int(seed)), Content_Length=None)

    def on_chunked(self, seed):
        body = picture(int(seed))
        self.send(b"", Content_Length=None, Transfer_Encoding="chunked")
        for piece in (body[:100], body[100:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def on_half_chunked(self, _):
        self.send(b"", Content_Length=None, Transfer_Encoding="chunked")
        self.wfile.write(b"ffff\r\nonly so much")

    def on_truncated(self, _):
        self.send(picture(1)[:200], Content_Length=str(len(picture(1))))

    def on_truncated_once(self, _):
        body = picture(31)
        whole = self.server.asked["truncated-once"] > 1
        self.send(body if whole else body[:200], Content_Length=str(len(body)))

    def on_broken(self, _):
        """A picture that stops in the middle, sent as if it were whole."""
        self.send(picture(2)[:200])

    def on_text(self, _):
        self.send(b"I am no picture", kind="image/jpeg")

    def on_page(self, _):
        self.send(b"<html>a picture, one click away</html>", kind="text/html; charset=utf-8")

    def on_empty(self, _):
        self.send(b"")

    def on_large(self, _):
        self.send(bytes(200_000))

    def on_endless(self, _):
        """Without a length, and without an end."""
        self.send(b"", Content_Length=None)
        while not self.server.closing.is_set():
            self.wfile.write(bytes(10_000))

    def on_slow(self, _):
        """One byte after the other, each well within any single wait."""
        self.send(b"", Content_Length="40000")
        self._drip()

    def on_slow_head(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip()

    def _drip(self):
        while not self.server.closing.wait(0.01):
            self.wfile.write(b"x")

    def on_silent(self, _):
        self.server.closing.wait()

    def on_gibberish(self, _):
        self.wfile.write(b"220 mail.example ESMTP\r\n")

    def on_gone_again(self, _):
        """Hangs up without a word."""

    def on_bomb(self, _):
        """A picture's worth of a gigabyte of zeros, packed."""
        self.send(gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")

    def on_pixels(self, _):
        """A PNG of 400 million pixels in few bytes."""
        out = io.BytesIO()
        Image.new("1", (20_000, 20_000)).save(out, "PNG")
        self.send(out.getvalue())

    def on_noai(self, seed):
        self.send(picture(int(seed)), X_Robots_Tag="noarchive, NoAI")

    def on_robots_none(self, seed):
        self.send(picture(int(seed)), X_Robots_Tag="none")

    def on_astray(self, _):
        """Redirects to what is no address at all."""
        self.send(b"", 302, Location="http://[bad/x.jpg")

    def on_loop(self, _):
        self.send(b"", 302, Location="/loop")

    def on_back_and_forth(self, _):
        self.send(b"", 301, Location="/forth")

    def on_forth(self, _):
        self.send(b"", 307, Location="/back-and-forth")

    def on_to(self, place):
        """Redirects to whatever the query says: /to/x?http://..."""
        self.send(b"", 302, Location=unquote(urlsplit(self.path).query))

    def on_moved(self, seed):
        self.send(b"", 308, Location=f"../good/{seed}#part")

    def on_nowhere(self, _):
        self.send(b"", 302)

    def on_busy(self, rest):
        """429 with Retry-After so often, then a picture: /busy/TIMES/SECONDS."""
        times, wait = rest.split("/")
        if self.server.asked[f"busy/{rest}"] <= int(times):
            self.send(b"", 429, Retry_After=wait)
        else:
            self.send(picture(77))

    def on_ill(self, times):
        if self.server.asked[f"ill/{times}"] <= int(times):
            self.send(b"", 500)
        else:
            self.send(picture(78))

    def on_forbidden(self, _):
        self.send(b"", 403)

    def on_search(self, _):
        """Google's Custom Search JSON API, as far as it is used."""
        server, asked = (
            self.server,
            {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()},
        )
        if server.refusal and server.asked["search"] > server.refuse_after:
            status, body = server.refusal
            self.send(body, status, "application/json")
            return
        found, start = server.pages.get(asked["q"], []), int(asked["start"])
        page = found[start - 1 : start - 1 + int(asked["num"])]
        body = {"queries": {"request": [{"startIndex": start}]}}
        if page:
            body["items"] = [
                {"link": link, "image": {"contextLink": f"http://page.example/{start}"}}
                for link in page
            ]
        if start - 1 + int(asked["num"]) < len(found):
            body["queries"]["nextPage"] = [{"startIndex": start + int(asked["num"])}]
        self.send(json.dumps(body).encode(), kind="application/json; charset=UTF-8")


def wait_until(ready, seconds=120.0):
    """Wait for an event in another thread or process, and fail if it never happens."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "the event did not happen"
        time.sleep(0.005)
