"""Backpropagation for multilayer perceptrons on a CPU, at the speed of the machine.

>>> import fastbp
>>> result = fastbp.train("mnist", hidden=(100, 100), epochs=5)  # doctest: +SKIP
>>> result.test_accuracy  # doctest: +SKIP
>>> probabilities = fastbp.predict(result.network, images)  # doctest: +SKIP

Names are imported when they are first used: ``import fastbp`` by itself loads neither
NumPy nor Numba, nor scikit-learn, which only `MLPClassifier` and `MLPRegressor` need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .callbacks import Callback, ChunkRecord, EpochRecord
    from .data.samples import Dataset
    from .errors import ConfigError, DataError, DivergenceError, FastbpError, WeightsError
    from .estimators import MLPClassifier, MLPRegressor
    from .evaluation.evaluate import Evaluation, test, test_ensemble
    from .evaluation.labels import LabelsEvaluation
    from .evaluation.prediction import load, predict
    from .evaluation.regression import RegressionEvaluation
    from .network import Network
    from .recipe.settings import Settings
    from .runs.history import History
    from .runs.result import Result
    from .training.experiment import TrainingDivergedError, TrainingInterruptedError, train
    from .training.resume import resume

    __version__: str

__all__ = [
    "Callback",
    "ChunkRecord",
    "ConfigError",
    "DataError",
    "Dataset",
    "DivergenceError",
    "EpochRecord",
    "Evaluation",
    "FastbpError",
    "History",
    "LabelsEvaluation",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "RegressionEvaluation",
    "Result",
    "Settings",
    "TrainingDivergedError",
    "TrainingInterruptedError",
    "WeightsError",
    "__version__",
    "load",
    "predict",
    "resume",
    "test",
    "test_ensemble",
    "train",
]

_HOME = {
    **dict.fromkeys(("Callback", "ChunkRecord", "EpochRecord"), "callbacks"),
    **dict.fromkeys(("ConfigError", "DataError", "DivergenceError", "FastbpError", "WeightsError"), "errors"),
    **dict.fromkeys(("Evaluation", "test", "test_ensemble"), "evaluation.evaluate"),
    **dict.fromkeys(("load", "predict"), "evaluation.prediction"),
    **dict.fromkeys(("TrainingDivergedError", "TrainingInterruptedError", "train"), "training.experiment"),
    "Dataset": "data.samples",
    "History": "runs.history",
    "LabelsEvaluation": "evaluation.labels",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "Network": "network",
    "RegressionEvaluation": "evaluation.regression",
    "Result": "runs.result",
    "Settings": "recipe.settings",
    "resume": "training.resume",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .runs.machine import versions

        return versions()["fastbp"]
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = found  # so that Python finds it by itself the next time
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
