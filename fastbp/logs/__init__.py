"""Logs of a run: JSON lines, TensorBoard, MLflow. Each is a callback in its own module.

To add a log, add a module with a subclass of `RunLog` named ``Log``, and its name to
``LOGS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ..errors import ConfigError, did_you_mean
from ..recipe.settings import Settings
from .base import RunLog

__all__ = ["LOGS", "RunLog", "find_log", "open_logs"]

# The extra that each log needs; None for the base install.
LOGS = {"jsonl": None, "tensorboard": "tensorboard", "mlflow": "mlflow"}


def find_log(name: str) -> type[RunLog]:
    """Return the class of a log.

    Raises
    ------
    ConfigError
        There is no such log, or its library is not installed.
    """
    if name not in LOGS:
        raise ConfigError(f"--log is {name!r}; expected one of: {', '.join(LOGS)}{did_you_mean(name, LOGS)}")
    try:
        module = importlib.import_module(f".{name}", __package__)
    except ImportError as error:
        raise ConfigError(f"log {name} needs a library: pip install 'fastbp[{LOGS[name]}]'") from error
    kind: type[RunLog] = module.Log
    return kind


@contextmanager
def open_logs(
    kinds: Sequence[type[RunLog]], folder: Path, settings: Settings | None = None
) -> Iterator[list[RunLog]]:
    """Open the logs of a run, and close them at the end.

    Parameters
    ----------
    kinds
        Classes of logs, from `find_log`.
    folder
        Folder of the run.
    settings
        Settings of the run, which are logged.

    Yields
    ------
    list of RunLog
        The logs: callbacks for the run.

    Raises
    ------
    FastbpError
        A log cannot be written.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(closing(kind(folder, settings))) for kind in kinds]
