"""A child process that trains one recipe by one library, as its parent sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from environment import cores, with_threads

from .protocol import MissingPeerError

__all__ = ["Child"]

SCRIPT = Path(__file__).resolve().parent.parent / "record_worker.py"


class Child:
    """Starts the process, which reads and compiles; it sleeps whenever it is not asked to train.

    Raises
    ------
    MissingPeerError : the library cannot take part
    SystemExit : the process failed; it has said why on standard error
    """

    def __init__(self, peer: str, recipe: str, epochs: int | None = None) -> None:
        self._what = f"{recipe} by {peer}"
        command = [sys.executable, str(SCRIPT), peer, recipe, "--threads", str(cores())]
        command += [] if epochs is None else ["--epochs", str(epochs)]
        self._process = subprocess.Popen(
            command, env=with_threads(cores()), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = self._read()
        if "missing" in self.about:
            self.close()
            raise MissingPeerError(self.about["missing"])

    def train(self, seed: int) -> tuple[float, float]:
        """Train from a random seed; return test accuracy and seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seed}\n")
        self._process.stdin.flush()
        found = self._read()
        return found["accuracy"], found["seconds"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._what} failed")
        found: dict[str, Any] = json.loads(line)
        return found
