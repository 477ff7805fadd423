"""The server behind a page that watches a run: loopback only, with a secret address.

It has two answers, the page and its news, for those who know the token, and one for
everybody else: 404 without a word.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import socketserver
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from .feed import HOLD, Feed

__all__ = ["WatchServer"]

HOST = "127.0.0.1"
MOST_CONNECTIONS = 64  # at a time
PATIENCE = HOLD + 5.0  # seconds that a client may leave a read or a write waiting
POLL = 0.1  # seconds after which the server notices that it is to stop
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The page has a policy of its own within it, which names its script.
PAGE_HEADERS = HEADERS | {"Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'"}


class WatchServer:
    """Serves a page and what a feed tells, from threads of its own, until `close`.

    Parameters
    ----------
    page : HTML
    feed : asked for news

    Attributes
    ----------
    address : of the page, with the token
    ticket : an address that leads to the page once. What starts a browser may show its
        arguments to other users of the machine; they find it used.
    """

    def __init__(self, page: str, feed: Feed) -> None:
        self._server = _Server(page.encode(), feed)
        port = self._server.server_address[1]
        self.address = f"http://{HOST}:{port}/{self._server.token}/"
        self.ticket = f"http://{HOST}:{port}/{self._server.ticket}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="fastbp watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop; connections that are open end with the process."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = False
    request_queue_size = 16

    def __init__(self, page: bytes, feed: Feed) -> None:
        self.page, self.feed = page, feed
        self.token, self.ticket = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        # Connections, the oldest first: whether each has shown the token.
        self._open: dict[socket.socket, bool] = {}
        self._opening = threading.Lock()
        self._tickets = threading.BoundedSemaphore(1)
        super().__init__((HOST, 0), _Handler)
        self.hosts = {f"{name}:{self.server_address[1]}" for name in (HOST, "localhost")}

    def server_bind(self) -> None:
        """Bind, without asking for the name of the machine, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def redeem(self) -> bool:
        """Return whether the ticket was still good; it is good once."""
        return self._tickets.acquire(blocking=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the request. If there are too many, strangers make room: a
        few who never end their questions would keep the page from its owner.
        """
        with self._opening:
            has_room = len(self._open) < MOST_CONNECTIONS or self._close_stranger()
            if has_room:
                self._open[request] = False
        if has_room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _close_stranger(self) -> bool:
        """Close the oldest connection without the token; False if there is none."""
        oldest = next((request for request, is_known in self._open.items() if not is_known), None)
        if oldest is None:
            return False
        del self._open[oldest]
        with suppress(OSError):  # it is gone already
            oldest.shutdown(socket.SHUT_RDWR)
        return True

    def note_token(self, request: socket.socket) -> None:
        """Note that a connection has shown the token."""
        with self._opening:
            if request in self._open:
                self._open[request] = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request, and make room for another one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._opening:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer with the page, with news, or not at all."""
        path, _, query = self.path.partition("?")
        token, slash, what = path.removeprefix("/").partition("/")
        if not slash or self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self._refuse()
        elif what == "" and _same(token, self.server.ticket) and self.server.redeem():
            self._send(303, b"", HEADERS | {"Location": f"/{self.server.token}/"})
        elif not _same(token, self.server.token):
            self._refuse()
        elif what == "" and not query:
            self.server.note_token(self.connection)
            self._send(200, self.server.page, PAGE_HEADERS | {"Content-Type": "text/html; charset=utf-8"})
        elif what == "news" and (question := _question(query)) is not None:
            self.server.note_token(self.connection)
            client, since, is_hidden = question
            news, knows_end = self.server.feed.answer(client, since, is_hidden=is_hidden)
            self._send(200, news, HEADERS | {"Content-Type": "application/json"})
            if knows_end:
                self.server.feed.note_end(client)
        else:
            self._refuse()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer to what is not HTTP, or another method, as to everything wrong."""
        self.request_version = "HTTP/1.0"
        self._refuse()

    def log_message(self, *_: Any) -> None:
        """Log nothing: the terminal is the run's."""

    def _refuse(self) -> None:
        self._send(404, b"", HEADERS)

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.close_connection = True
        self.send_response_only(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _same(given: str, secret: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _question(query: str) -> tuple[str, int, bool] | None:
    """Return client, version and whether it is hidden of ``client=1&since=0&hidden=0``;
    None unless it is one.
    """
    try:
        values = parse_qs(query, strict_parsing=True, max_num_fields=3)
    except ValueError:
        return None
    given = [values.get(name, []) for name in ("client", "since", "hidden")]
    texts = [found[0] for found in given if len(found) == 1]
    if len(texts) != 3 or not all(len(text) <= 15 and text.isascii() and text.isdigit() for text in texts):
        return None
    return texts[0], int(texts[1]), texts[2] != "0"
