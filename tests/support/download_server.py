"""A server of our own for tests of downloads, which misbehaves as it is told."""

import http.server
import re


class Server(http.server.ThreadingHTTPServer):
    """Serves ``data`` under every name, as ``behaviour`` says; ``requests`` are (path, Range)."""

    daemon_threads = True

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = data
        self.requests = []
        self.behaviour = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers["Range"]
        server.requests.append((self.path, wanted))
        behaviour = server.behaviour.get(self.path.split("/")[1], "good")
        if behaviour == "missing":
            self.send_error(404)
            return
        data = server.data[::-1] if behaviour == "wrong" else server.data
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if behaviour == "no ranges":
            start = 0
        if start and start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        # A server that breaks off sends 70,000 bytes and closes the connection.
        self.wfile.write(data[start : start + 70_000] if behaviour == "breaks off" else data[start:])

    def log_message(self, *_):
        pass
