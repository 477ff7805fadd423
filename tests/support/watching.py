"""Runs of ``fastbp train --watch`` in processes of their own, and somebody who watches."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from urllib.parse import urlsplit

SAID = "fastbp: watch this run at "


class WatchedRun:
    """A run in a process of its own: what it says first is the address."""

    def __init__(self, folder, *arguments):
        environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        # A pipe that nobody reads would fill, and hold the run.
        self._out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed in `close`)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastbp", "train", "--watch", *arguments],
            cwd=folder,
            env=environment,
            text=True,
            stdout=self._out,
            stderr=subprocess.PIPE,
        )
        line = self.process.stderr.readline()
        if not line.startswith(SAID):
            self.process.kill()
            raise AssertionError(line + self.process.communicate()[1])
        self.address = line.removeprefix(SAID).strip()

    def end(self):
        """Exit code, and all that it has printed except the address."""
        _, err = self.process.communicate(timeout=120)
        self._out.seek(0)
        return self.process.returncode, self._out.read(), err

    def close(self):
        self.process.kill()
        self.process.communicate()
        self._out.close()


def get(address, path=""):
    """Status and body of a path below an address."""
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)) as connection:
        connection.request("GET", parts.path + path)
        answer = connection.getresponse()
        return answer.status, answer.read()


class Client:
    """Asks for news as the page does."""

    def __init__(self, address, name="7"):
        self.address, self.name = address, name
        self.version, self.facts, self.series, self.states, self.ended = 0, {}, {}, [], False

    def ask(self):
        status, body = get(self.address, f"news?client={self.name}&since={self.version}&hidden=0")
        assert status == 200
        news = json.loads(body)
        self.version, self.ended = news["version"], news["end"]
        self.facts |= news["facts"]
        self.states.append(self.facts["status"]["state"])
        for name, found in news["series"].items():
            old = [] if found["whole"] else self.series.get(name, [])
            self.series[name] = old + found["points"]
        return self

    def until(self, condition):
        while not condition(self):
            assert not self.ended, (self.facts.get("status"), "came before what was waited for")
            self.ask()
        return self

    def follow(self):
        """To the end, and say that it was heard."""
        self.until(lambda client: client.ended)
        with suppress(ConnectionError):  # on a busy machine the run may have waited long enough
            self.ask()
        return self
