"""What a sweep keeps: one JSON file a run, named by its key, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w

from ..data.source import printable
from ..errors import ConfigError, one_line
from ..files import read_text, read_toml, replace_file

__all__ = ["FAILED", "Store"]

RUNS, SWEEP, PLANNED = "runs", "sweep.toml", "planned.json"
FAILED = "failed"
STATUSES = ("completed", "diverged", FAILED)


class Store:
    """The folder of a sweep.

    Parameters
    ----------
    path : the folder; it is created by `make`

    Attributes
    ----------
    runs : folder of the runs' files
    """

    def __init__(self, path: Path) -> None:
        self.path, self.runs = path, path / RUNS

    def make(self) -> None:
        """Create the folder; ConfigError if that fails."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{printable(self.path)}: cannot be created ({error.strerror or error})"
            ) from error

    def write(self, key: str, run: Mapping[str, Any]) -> None:
        """Write the file of a run, whole or not at all.

        Parameters
        ----------
        key : of the run
        run : plain values: what `fastbp.sweeps.task.figures` returns, ``seed``,
            ``varied`` and ``settings``
        """
        text = json.dumps({"key": key, **run}, indent=1, allow_nan=False)
        replace_file(self.runs / f"{key}.json", text + "\n")

    def keep(self, sweep: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Keep what was asked: the sweep as TOML, and the keys of its runs."""
        replace_file(self.path / SWEEP, tomli_w.dumps(sweep))
        replace_file(self.path / PLANNED, json.dumps(sorted(keys)) + "\n")

    def asked(self) -> dict[str, Any]:
        """Return the sweep as it was last started; empty if that is not known."""
        with suppress(ConfigError):
            return read_toml(self.path / SWEEP)
        return {}

    def planned(self) -> set[str] | None:
        """Return the keys of the sweep's runs; None if they are not known."""
        with suppress(OSError, ValueError, TypeError, RecursionError):
            return {str(key) for key in json.loads(read_text(self.path / PLANNED))}
        return None

    def done(self) -> set[str]:
        """Return the keys of the runs that need not be made again."""
        return {run["key"] for run in self.read() if run["status"] != FAILED}

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the runs, by key.

        Raises
        ------
        ConfigError : a file is not that of a run
        """
        for path in sorted(self.runs.glob("*.json")):
            try:
                run = json.loads(read_text(path))
                if run["key"] != path.stem or run["status"] not in STATUSES:
                    raise ValueError("not the file of a run")
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                raise ConfigError(
                    f"{printable(path)}: cannot be read ({one_line(error)}); delete it to repeat its run"
                ) from error
            yield run
