"""MLflow: a run with parameters and metrics in the configured tracking store.

The environment variables ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME`` apply.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..callbacks import EpochRecord
from ..errors import FastbpError
from ..recipe.settings import Settings
from ..runs.result import Result
from .base import RunLog, epoch_figures

__all__ = ["EXPERIMENT", "Log"]

EXPERIMENT = "fastbp"
STATUS = {"completed": "FINISHED", "interrupted": "KILLED", "diverged": "FAILED"}


class Log(RunLog):
    """Logs settings as parameters and figures as metrics; the folder names the run."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        super().__init__(folder, settings)
        self._status = "FAILED"
        # A store that cannot be reached is an error before training, not after an
        # epoch.
        with _mlflow_errors():
            self._client = MlflowClient()
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
            experiment = self._client.get_experiment_by_name(name)
            identity = experiment.experiment_id if experiment else self._client.create_experiment(name)
            self._run: str = self._client.create_run(identity, run_name=folder.name).info.run_id
            values = asdict(settings) if settings else {}
            parameters = [Param(key, str(value)) for key, value in values.items()]
            self._client.log_batch(self._run, params=parameters)

    def on_resume(self, history: Sequence[EpochRecord]) -> None:
        """Log the epochs before, too: a run that goes on is a new run of MLflow."""
        for record in history:
            self.on_epoch_end(record)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Log the metrics of an epoch; the epoch is the step."""
        self._log(epoch_figures(record), record.epoch)

    def finish(self, result: Result) -> None:
        """Log the test metrics, if there are any, and the status of the run."""
        self._status = STATUS[result.status]
        if result.test_loss is not None and result.test_accuracy is not None:
            figures = {"test_loss": result.test_loss, "test_accuracy": result.test_accuracy}
            self._log(figures, len(result.history))

    def close(self) -> None:
        """End the run of MLflow."""
        with _mlflow_errors():
            self._client.set_terminated(self._run, self._status)

    def _log(self, figures: dict[str, float], step: int) -> None:
        with _mlflow_errors():
            self._client.log_batch(
                self._run, metrics=[Metric(key, value, 0, step) for key, value in figures.items()]
            )


@contextmanager
def _mlflow_errors() -> Iterator[None]:
    try:
        yield
    except (MlflowException, OSError) as error:
        raise FastbpError(f"mlflow: {' '.join(str(error).split())[:300]}") from error
