"""Checkpoints: all that a run needs to go on, as one safetensors file.

Random draws are functions of seed, epoch and row, and criteria and schedules are
functions of the history. So a run between two mini-batches is its blocks of parameters,
some counts, the history, and the losses of the epoch so far. A run that continues from
there has the bits of one that was never stopped.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..callbacks import EpochRecord
from ..data.fingerprint import quick_fingerprint
from ..errors import ConfigError, one_line, printable
from ..files import naming, replace_file, tensors_file
from ..network import FloatArray
from ..recipe.settings import Settings
from .history import History

__all__ = ["CHECKPOINT", "Checkpoint", "Snapshot", "State", "read_checkpoint", "write_checkpoint"]

CHECKPOINT = "checkpoint.safetensors"
FORMAT = "fastbp-checkpoint-1"
MOST_UPDATES = 2**62
_EMPTY: NDArray[Any] = np.zeros(0, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """What updates change.

    Attributes
    ----------
    parameters : block of the network
    first, second, mean : state of the update rule, blocks like ``parameters``; empty
        for rules without
    unit_means, unit_variances : statistics of batch normalisation; empty without
    sample_losses : of hard example mining; empty without
    updates, normalized_updates : how many each has counted
    """

    parameters: FloatArray
    first: FloatArray = field(default_factory=_EMPTY.copy)
    second: FloatArray = field(default_factory=_EMPTY.copy)
    mean: FloatArray = field(default_factory=_EMPTY.copy)
    unit_means: FloatArray = field(default_factory=_EMPTY.copy)
    unit_variances: FloatArray = field(default_factory=_EMPTY.copy)
    sample_losses: FloatArray = field(default_factory=_EMPTY.copy)
    updates: int = 0
    normalized_updates: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """A run between two mini-batches.

    Attributes
    ----------
    now : what updates have changed so far
    start : the same at the beginning of the epoch; None between two epochs
    best : weights of the best epoch; None if they are not kept
    losses, correct : (steps,), of the mini-batches of the epoch so far
    history : the complete epochs
    seconds, epoch_seconds, validation_seconds : of training passes, of the epoch so
        far, and of validation
    setbacks : a line for each time that the run diverged and went back
    """

    now: Snapshot
    start: Snapshot | None
    best: FloatArray | None
    losses: NDArray[np.float64]
    correct: NDArray[np.int64]
    history: History
    seconds: float
    epoch_seconds: float
    validation_seconds: float
    setbacks: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Mini-batches of the epoch that are done."""
        return len(self.losses)

    @property
    def place(self) -> str:
        """Where the run is, in words."""
        done = len(self.history)
        steps = f" and {self.steps} mini-batches" if self.steps else ""
        return f"after {done} epoch{'' if done == 1 else 's'}{steps}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A state, and what it belongs to.

    Attributes
    ----------
    state : of the run
    settings : of the run
    data : fingerprint of the data
    made_by : versions and processor that results may depend on
    """

    state: State
    settings: Settings
    data: str
    made_by: Mapping[str, str]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> int:
    """Write a checkpoint, whole or not at all, and return its size in bytes.

    Raises
    ------
    FastbpError : it cannot be written; an older one is unchanged
    """
    state = checkpoint.state
    arrays: dict[str, NDArray[Any]] = {
        "losses": state.losses,
        "correct": state.correct,
        "history": _table(state.history),
    }
    arrays |= _blocks("now", state.now)
    if state.start is not None:
        arrays |= _blocks("start", state.start)
    if state.best is not None:
        arrays["best"] = state.best
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items() if array.size}
    about = {
        "settings": asdict(checkpoint.settings),
        "data": checkpoint.data,
        "made_by": dict(checkpoint.made_by),
        "setbacks": list(state.setbacks),
        "seconds": [state.seconds, state.epoch_seconds, state.validation_seconds],
        "counts": {"now": _counts(state.now), "start": state.start and _counts(state.start)},
        "digest": _digest(arrays),
    }
    content = tensors_file(arrays, {"format": FORMAT, "run": json.dumps(about)})
    replace_file(path, content)
    return len(content)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, and check that it is whole.

    That its blocks fit a network is for the trainer to check, which has one.

    Raises
    ------
    ConfigError : there is none, or it is damaged or of another version
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            _refuse(path, "not a file")
        content = path.read_bytes()
        about = _about(path, content)
        with naming(path):
            return _checkpoint(about, load(content))
    except OSError as error:
        _refuse(path, error.strerror or str(error))
    except (
        SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError
    ) as error:  # fmt: skip
        _refuse(path, f"damaged: {str(error)[:200]}")


def _about(path: Path, content: bytes) -> dict[str, Any]:
    """Return what the header says of the run."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= len(content) - 8:
        raise ValueError("cut short")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    found = metadata.get("format")
    if found != FORMAT:
        _refuse(path, f"its format is {found!r}, and this version of fastbp reads {FORMAT}")
    about = json.loads(metadata["run"])
    if not isinstance(about, dict):
        raise ValueError("no record of a run")
    return about


def _checkpoint(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Checkpoint:
    if about["digest"] != _digest(arrays):
        raise ValueError("its checksum differs from its content")
    values = about["settings"].items()
    settings = Settings.from_mapping({name: _as_kept(value) for name, value in values})
    seconds, epoch_seconds, validation_seconds = map(_seconds, about["seconds"])
    losses = _vector(arrays, "losses", np.float64)
    counts = about["counts"]
    state = State(
        now=_snapshot("now", arrays, counts["now"]),
        start=None if counts["start"] is None else _snapshot("start", arrays, counts["start"]),
        best=arrays.get("best"),
        losses=losses,
        correct=_vector(arrays, "correct", np.int64),
        history=_history(arrays),
        seconds=seconds,
        epoch_seconds=epoch_seconds,
        validation_seconds=validation_seconds,
        setbacks=tuple(map(str, about["setbacks"])),
    )
    if len(state.correct) != len(losses) or (state.start is None) != (len(losses) == 0):
        raise ValueError("its epoch in progress is not whole")
    made_by = {str(name): str(value) for name, value in about["made_by"].items()}
    return Checkpoint(state=state, settings=settings, data=str(about["data"]), made_by=made_by)


def _as_kept(value: Any) -> Any:
    """Return a list of JSON as the tuple that it was."""
    return tuple(value) if isinstance(value, list) else value


_COUNTS = ("updates", "normalized_updates")
_BLOCKS = tuple(entry.name for entry in fields(Snapshot) if entry.name not in _COUNTS)


def _blocks(prefix: str, snapshot: Snapshot) -> dict[str, NDArray[Any]]:
    return {f"{prefix}.{name}": getattr(snapshot, name) for name in _BLOCKS}


def _counts(snapshot: Snapshot) -> list[int]:
    return [getattr(snapshot, name) for name in _COUNTS]


def _snapshot(prefix: str, arrays: dict[str, NDArray[Any]], counts: list[Any]) -> Snapshot:
    parameters = arrays[f"{prefix}.parameters"]
    nothing = np.zeros(0, parameters.dtype)
    blocks = {name: arrays.get(f"{prefix}.{name}", nothing) for name in _BLOCKS}
    updates, normalized = (_count(value) for value in counts)
    return Snapshot(**blocks, updates=updates, normalized_updates=normalized)


def _table(history: History) -> NDArray[np.float64]:
    return np.array([astuple(record) for record in history], np.float64)


def _history(arrays: dict[str, NDArray[Any]]) -> History:
    columns = len(fields(EpochRecord))
    table = arrays.get("history", np.zeros((0, columns)))
    if table.dtype != np.float64 or table.ndim != 2 or table.shape[1] != columns:
        raise ValueError("its history is not a table")
    rows: list[list[float]] = table.tolist()
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        raise ValueError("its history is not one of epochs from 1")
    return History([EpochRecord(int(epoch), *figures) for epoch, *figures in rows])


def _vector(arrays: dict[str, NDArray[Any]], name: str, dtype: type[Any]) -> NDArray[Any]:
    found = arrays.get(name, np.zeros(0, dtype))
    if found.dtype != dtype or found.ndim != 1:
        raise ValueError(f"its {name} are not a row of {np.dtype(dtype).name}")
    return found


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST_UPDATES:
        raise ValueError(f"{value!r} is not a number of updates")
    return value


def _seconds(value: Any) -> float:
    if not isinstance(value, float | int) or not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{value!r} is not a time")
    return float(value)


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a hash of names, types, shapes and values, at the speed of memory."""
    names = sorted(arrays)
    return quick_fingerprint([arrays[name] for name in names], " ".join(names))


def _refuse(path: Path, found: str) -> NoReturn:
    raise ConfigError(
        f"{printable(path)}: {one_line(found)}; expected the checkpoint of a run that fastbp train has begun"
    )
