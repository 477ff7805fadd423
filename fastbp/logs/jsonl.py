"""JSON lines: ``log.jsonl`` in the run folder, with lines for start, epochs and end.

Each line is written immediately: ``tail -f`` follows a run, and a run that was killed
keeps its epochs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ..callbacks import EpochRecord
from ..errors import FastbpError
from ..files import read_text, replace_file
from ..runs.result import Result
from .base import RunLog, epoch_figures

__all__ = ["FILE", "Log"]

FILE = "log.jsonl"


class Log(RunLog):
    """Writes ``log.jsonl``, a new file for each run. Times are UTC, ISO 8601.

    A run that goes on keeps the lines of the epochs that count, and begins again with a
    line ``resume``.
    """

    _file: IO[str] | None = None
    _mode, _event = "w", "start"

    def on_resume(self, history: Sequence[EpochRecord]) -> None:
        """Take over the epochs before; those after the checkpoint are trained again."""
        found = _lines_of(self.folder / FILE)
        lines = [found.get("start") or _line("start", self._settings())]
        for record in history:
            line, values = found.get(record.epoch), _epoch_values(record)
            # An older file may be that of another run.
            is_its = line is not None and json.loads(line).get("train_loss") == values.get("train_loss")
            lines.append(line if line is not None and is_its else _line("epoch", values))
        replace_file(self.folder / FILE, "".join(line + "\n" for line in lines))
        self._mode, self._event = "a", "resume"

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        """Write the first line, with the settings."""
        self._write(self._event, self._settings())

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Write the line of an epoch."""
        self._write("epoch", _epoch_values(record))

    def finish(self, result: Result) -> None:
        """Write the last line, with the contents of ``result.json``."""
        self._write("end", result.summary())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _settings(self) -> dict[str, Any]:
        return {"settings": asdict(self.settings) if self.settings else None}

    def _write(self, event: str, values: dict[str, Any]) -> None:
        try:
            if self._file is None:
                # Only when training begins: a run that fails before leaves no folder.
                self._file = (self.folder / FILE).open(self._mode, encoding="utf-8")
            self._file.write(_line(event, values) + "\n")
            self._file.flush()
        except OSError as error:
            raise FastbpError(
                f"{self.folder / FILE}: cannot be written ({error.strerror or error})"
            ) from error


def _epoch_values(record: EpochRecord) -> dict[str, Any]:
    return {"epoch": record.epoch, **epoch_figures(record)}


def _line(event: str, values: dict[str, Any]) -> str:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"event": event, "time": time, **values}, allow_nan=False)


def _lines_of(path: Path) -> dict[int | str, str]:
    """Return the lines of a log by epoch, or event; a killed process may cut one."""
    found: dict[int | str, str] = {}
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError):
        return found
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            values = json.loads(line)
            if isinstance(values, dict) and isinstance(values.get("epoch", ""), int | str):
                found[values.get("epoch", str(values.get("event")))] = line
    return found
