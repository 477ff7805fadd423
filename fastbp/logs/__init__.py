"""Where a run's figures go beside its folder: a module for each kind of log, behind the callback interface.

A new kind is a module with a class ``Log`` that derives from `RunLog`, named in ``LOGS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ..errors import ConfigError
from ..recipe.settings import Settings
from .base import RunLog

__all__ = ["LOGS", "RunLog", "find_log", "open_logs"]

# Name -> the extra it needs, None for nothing beyond the base install.
LOGS = {"jsonl": None, "tensorboard": "tensorboard", "mlflow": "mlflow"}


def find_log(name: str) -> type[RunLog]:
    """Return a kind of log; its library is there.

    Raises
    ------
    ConfigError : there is no such kind, or its library is not installed
    """
    if name not in LOGS:
        raise ConfigError(f"log is {name!r}; expected one of: {', '.join(LOGS)}")
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
    """Give logs of one run, to be passed to it as callbacks; they are closed however it ends.

    Parameters
    ----------
    kinds : as `find_log` returns them
    folder : the run's
    settings : the run's, as a record of what was trained

    Raises
    ------
    FastbpError : a log cannot be written
    """
    with ExitStack() as stack:
        yield [stack.enter_context(closing(kind(folder, settings))) for kind in kinds]
