"""JSON lines: ``log.jsonl`` in the run folder, with lines for start, epochs and end.

Each line is written immediately: ``tail -f`` follows a run, and a run that was killed
keeps its epochs.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import IO, Any

from ..callbacks import EpochRecord
from ..errors import FastbpError
from ..runs.result import Result
from .base import RunLog, epoch_figures

__all__ = ["FILE", "Log"]

FILE = "log.jsonl"


class Log(RunLog):
    """Writes ``log.jsonl``, a new file for each run. Times are UTC, ISO 8601."""

    _file: IO[str] | None = None

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        """Write the first line, with the settings."""
        self._write("start", {"settings": asdict(self.settings) if self.settings else None})

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Write the line of an epoch."""
        self._write("epoch", {"epoch": record.epoch, **epoch_figures(record)})

    def finish(self, result: Result) -> None:
        """Write the last line, with the contents of ``result.json``."""
        self._write("end", result.summary())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, event: str, values: dict[str, Any]) -> None:
        try:
            if self._file is None:
                # Only when training begins: a run that fails before leaves no folder.
                self._file = (self.folder / FILE).open("w", encoding="utf-8")
            line = {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **values}
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise FastbpError(
                f"{self.folder / FILE}: cannot be written ({error.strerror or error})"
            ) from error
