"""The server of `--watch`: who knows the address gets an answer, others nothing; nobody holds it up."""

import http.client
import json
import socket
import threading
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from fastbp.pages.watch import feed as feed_module
from fastbp.pages.watch import server as module
from fastbp.pages.watch.feed import Feed
from fastbp.pages.watch.server import WatchServer

SINCE = "news?client=1&since=0&hidden=0"


class Served:
    def __init__(self):
        self.feed = Feed()
        self.feed.tell("status", {"state": "training"})
        self.server = WatchServer("<!doctype html>page", self.feed)
        address = urlsplit(self.server.address)
        self.host, self.port, self.path = address.hostname, address.port, address.path
        self.ticket = urlsplit(self.server.ticket).path

    def ask(self, path, method="GET", **headers):
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=30)) as connection:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                for one in value if isinstance(value, list) else [value]:
                    connection.putheader(name, one)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def raw(self, text):
        """All bytes of the answer to some bytes."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            found = b""
            while part := connection.recv(1 << 16):
                found += part
            return found


@pytest.fixture
def served():
    served = Served()
    yield served
    served.feed.end()
    served.server.close()


def test_page_and_news(served):
    status, headers, body = served.ask(served.path)
    assert (status, body) == (200, b"<!doctype html>page")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'; base-uri 'none'"
    status, news_headers, body = served.ask(served.path + SINCE)
    assert status == 200
    assert json.loads(body)["facts"] == {"status": {"state": "training"}}
    assert news_headers["Content-Security-Policy"].startswith("default-src 'none'")
    for found in (headers, news_headers):
        assert found["Cache-Control"] == "no-store"
        assert found["Referrer-Policy"] == "no-referrer"
        assert found["X-Content-Type-Options"] == "nosniff"
        assert found["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not {"Server", "Set-Cookie", "Access-Control-Allow-Origin"} & set(found)


def is_nothing(answer):
    status, headers, body = answer
    return (status, body) == (404, b"") and not {"Server", "Date", "Location", "Content-Type"} & set(headers)


def test_without_the_token_there_is_nothing(served):
    token = served.path.strip("/")
    paths = ["/", "//", "/news", f"/{SINCE}", "/favicon.ico", f"/{token}", f"/x{token}/", f"/{token[:-1]}/"]
    paths += [
        f"/{token}x/",
        f"/./{token}/",
        f"/{token.swapcase()}/",
        "/%2e/",
        f"/{SINCE}#{token}",
    ]
    assert all(is_nothing(served.ask(path)) for path in paths)
    with_token = ["x", "news", "../", "news/", "page.js", "?x=1", "news?since=0", "%00"]
    assert all(is_nothing(served.ask(served.path + path)) for path in with_token)


def test_tokens_are_random_and_long():
    servers = [Served() for _ in range(3)]
    tokens = {served.path for served in servers} | {served.ticket for served in servers}
    for served in servers:
        served.feed.end()
        served.server.close()
    assert len(tokens) == 6
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize(
    "question",
    [
        "client=1&since=-1&hidden=0",
        "client=1&since=1e3&hidden=0",
        "client=1&since=&hidden=0",
        "client=<b>&since=0&hidden=0",
        "client=1&since=0",
        "client=1&since=0&hidden=0&more=1",
        "client=1&client=2&since=0",
        "client=1&since=0&hidden=0;",
        f"client=1&since={'9' * 16}&hidden=0",
        "client=1&since=%D9%A1&hidden=0",
        "client=1&since=%B2&hidden=0",
        "%",
        "client=1&&since=0&hidden=0",
    ],
)
def test_other_questions_get_nothing(served, question):
    assert is_nothing(served.ask(f"{served.path}news?{question}"))


@pytest.mark.parametrize(
    "method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "X" * 99]
)
def test_other_methods_get_nothing(served, method):
    assert is_nothing(served.ask(served.path, method))


def test_another_host_gets_nothing(served):
    """A page elsewhere whose name is made to point here (DNS rebinding) sends its own name as host."""
    port = served.port
    right = f"127.0.0.1:{port}"
    assert served.ask(served.path, Host=right)[0] == 200
    assert served.ask(served.path, Host=f"localhost:{port}")[0] == 200
    wrong = [
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port + 1}",
        f"{right}.evil.example",
    ]
    wrong += [
        "",
        f"[::1]:{port}",
        f"0.0.0.0:{port}",
        f"{right}@evil.example",
        [right, "evil.example"],
        [right] * 2,
    ]
    assert all(is_nothing(served.ask(served.path, Host=host)) for host in wrong)
    no_host = served.raw(f"GET {served.path} HTTP/1.0\r\n\r\n".encode())
    assert no_host.startswith(b"HTTP/1.0 404")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\r\n\r\n",
        b"\0\1\2\3" * 1000,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1 more\r\n\r\n",
        b"GET / FTP\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /\xff\xfe/ HTTP/1.1\r\n\r\n",
        b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_a_request_gets_nothing(served, text, capfd):
    found = served.raw(text)
    head, _, body = found.partition(b"\r\n\r\n")
    assert body == b""
    assert not found or head.startswith(b"HTTP/1.0 404 ")
    assert b"Python" not in found
    assert served.ask(served.path)[0] == 200
    assert capfd.readouterr() == ("", "")  # the terminal is the run's


def test_it_listens_on_this_machine_only(served):
    assert served.server._server.socket.getsockname()[0] == "127.0.0.1"
    assert served.server.address.startswith("http://127.0.0.1:")


def test_a_ticket_leads_to_the_page_once(served):
    status, headers, body = served.ask(served.ticket)
    assert (status, headers["Location"], body) == (303, served.path, b"")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert is_nothing(served.ask(served.ticket))
    assert served.ask(served.path)[0] == 200


def test_a_ticket_is_no_token(served):
    assert is_nothing(served.ask(served.ticket + SINCE))
    assert served.ask(served.ticket)[0] == 303  # that did not use it


def test_clients_that_stall_hold_up_nobody(served):
    """Neither one that never finishes its question, nor one that never reads its answer."""
    served.feed.tell("weights", "x" * 20_000_000)  # more than the buffers of a socket
    slow = []
    for _ in range(5):
        slow.append(socket.create_connection((served.host, served.port), timeout=30))
        slow[-1].sendall(b"GET / HT")
        slow.append(socket.create_connection((served.host, served.port), timeout=30))
        question = f"GET {served.path}{SINCE} HTTP/1.1\r\nHost: {served.host}:{served.port}\r\n\r\n"
        slow[-1].sendall(question.encode())
    assert served.ask(served.path)[0] == 200
    told = threading.Event()

    def tell():
        for number in range(100):
            served.feed.tell("status", number)
            served.feed.add("training", number, 1.0)
            served.feed.publish()
        told.set()

    threading.Thread(target=tell).start()
    assert told.wait(20)
    assert json.loads(served.ask(served.path + SINCE)[2])["facts"]["status"] == 99
    for connection in slow:
        connection.close()


def test_too_many_connections_are_closed_and_room_comes_back(served, monkeypatch):
    monkeypatch.setattr(feed_module, "HOLD", 60)
    served.ask(served.path + SINCE)
    version = json.loads(served.ask(served.path + SINCE)[2])["version"]
    path, host = f"{served.path}news?client=1&since={version}&hidden=0", f"{served.host}:{served.port}"
    question = f"GET {path} HTTP/1.1\r\nHost: {host}"
    waiting = []
    for _ in range(module.MOST_CONNECTIONS):
        waiting.append(socket.create_connection((served.host, served.port), timeout=30))
        waiting[-1].sendall(f"{question}\r\n\r\n".encode())
    known = served.server._server._open
    for _ in range(200):
        if sum(known.values()) == module.MOST_CONNECTIONS:
            break
        threading.Event().wait(0.05)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        served.ask(served.path)
    served.feed.tell("status", 2)
    served.feed.publish()
    for connection in waiting:
        assert connection.recv(12) == b"HTTP/1.0 200"
        connection.close()
    for _ in range(200):
        try:
            assert served.ask(served.path)[0] == 200
            break
        except (http.client.RemoteDisconnected, ConnectionError):
            threading.Event().wait(0.05)
    else:
        pytest.fail("there is never room again")


def test_strangers_who_never_end_their_questions_make_room(served):
    """Anyone on the machine may open connections; only the owner's page is to be kept."""
    strangers = []
    for _ in range(2 * module.MOST_CONNECTIONS):
        strangers.append(socket.create_connection((served.host, served.port), timeout=30))
        strangers[-1].sendall(b"GET /")
    assert served.ask(served.path)[0] == 200
    assert served.ask(served.path + SINCE)[0] == 200
    assert strangers[0].recv(1) == b""  # the oldest was closed
    strangers[-1].sendall(b" HTTP/1.1\r\n\r\n")
    assert strangers[-1].recv(12) == b"HTTP/1.0 404"  # the newest was not
    for connection in strangers:
        connection.close()


def test_many_clients_hear_the_end_before_it_stops(served):
    served.ask(served.path + SINCE)
    heard = []

    def follow(number):
        version = 0
        while True:
            question = f"news?client={number}&since={version}&hidden={number % 2}"
            news = json.loads(served.ask(served.path + question)[2])
            version = news["version"]
            if news["end"]:
                heard.append(news["facts"]["status"])
                return

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(2, 22)]
    for thread in threads:
        thread.start()
    served.feed.tell("status", "over")
    served.feed.end()
    for thread in threads:
        thread.join(20)
    assert heard == ["over"] * 20


def test_the_end_is_known_when_a_page_says_so(served):
    """An answer may have been sent to a page that asks anew just then, and does not hear it."""
    served.ask(served.path + SINCE)
    served.feed.end()
    news = json.loads(served.ask(served.path + SINCE)[2])
    assert news["end"]
    assert not served.feed._clients["1"].knows_end
    assert json.loads(served.ask(f"{served.path}news?client=1&since={news['version']}&hidden=0")[2])["end"]
    for _ in range(200):
        if served.feed._clients["1"].knows_end:
            break
        threading.Event().wait(0.05)
    assert served.feed._clients["1"].knows_end


def test_nothing_listens_after_close():
    served = Served()
    served.server.close()
    with pytest.raises(ConnectionRefusedError):
        served.ask(served.path)
