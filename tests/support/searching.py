"""Searches in this process, on small data or on a made-up objective."""

from concurrent.futures import Executor, Future
from pathlib import Path

from fastbp.callbacks import EpochRecord
from fastbp.sweeps.search import read_search, run_search
from fastbp.sweeps.search.view import Quiet

SPACE = """
title = "Clusters"

[settings]
data = "clusters.npz"
backend = "numpy"
hidden = [6]
epochs = 4
batch_size = 16
validation = 0.3
schedule = "constant"

[space]
learning_rate = { low = 1e-6, high = 100.0, log = true }
"""


class Here(Executor):
    """Runs each task at once."""

    room = 0  # tasks beside the one that runs
    deaths = ()
    breaks = True

    def start(self):
        return self

    def close(self, *, now):
        pass

    def submit(self, function, /, *given, **options):
        future = Future()
        try:
            future.set_result(function(*given, **options))
        except BaseException as error:
            future.set_exception(error)
        return future


def write(text=SPACE, name="space.toml"):
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)


def searched(text=SPACE, trials=10, out="out", study="study.journal", name="space.toml"):
    """Search in this process; return what is found."""
    search = read_search(write(text, name), trials=trials)
    return run_search(search, Path(study), Path(out), Here(), Quiet())


def made_up(objective):
    """Return a function in the place of `fastbp.sweeps.task.train`.

    ``objective`` is given the settings and the number of an epoch, and returns a validation accuracy.
    """

    def train(task, callbacks):
        history, settings = [], task.settings
        for epoch in range(1, settings.epochs + 1):
            accuracy = objective(settings, epoch)
            record = EpochRecord(epoch, 1.0, 0.5, 1 - accuracy, accuracy, settings.learning_rate, 0.0, 0.0)
            history.append({"validation_accuracy": accuracy, "validation_loss": 1 - accuracy})
            for callback in callbacks:
                callback.on_epoch_end(record)
            if any(callback.wants_end() for callback in callbacks):
                break
        status = "completed" if len(history) == settings.epochs else "interrupted"
        epochs = len(history)
        return {
            "status": status,
            "history": history,
            "best_epoch": None,
            "epochs": epochs,
            "wall_seconds": 0.1 * epochs,
        }

    return train
