"""``fastbp test``: evaluate saved networks on data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, WeightsError
from . import options
from .application import app
from .common import console, print_json, reporting

if TYPE_CHECKING:
    from ..data.samples import Dataset
    from ..evaluation.evaluate import AnyEvaluation
    from ..evaluation.importance import Importance
    from ..network import Network
    from ..schema import Schema

__all__ = ["evaluate"]

Ensemble = Annotated[
    bool, typer.Option("--ensemble", help="Also test the ensemble: the mean of the predicted probabilities.")
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        metavar="FILE.csv",
        help="Write the predicted class of each sample and its probability; with --ensemble, those of the "
        "ensemble.",
    ),
]

Importances = Annotated[
    bool,
    typer.Option(
        "--importance",
        help="Also shuffle each column of a table in turn: how much worse are the predictions?",
    ),
]


@app.command("test")
def evaluate(
    weights: options.Weights,
    data: options.TestData = None,
    ensemble: Ensemble = False,
    as_json: options.Json = False,
    predictions: Predictions = None,
    importance: Importances = False,
) -> None:
    """Test networks: accuracy, loss, calibration, confusion matrix; R2 and RMSE.

    Several networks are compared, with a row for each.
    """
    with reporting():
        from ..data.source import printable
        from ..evaluation.evaluate import test, test_ensemble
        from ..evaluation.prediction import load
        from ..files import replace_file
        from ..terminal.score_tables import evaluation_csv

        _check_request(weights, ensemble=ensemble, writes=predictions is not None, importance=importance)
        networks = [load(path) for path in weights]
        _check_alike(networks)
        testing = _read_data(weights, data, networks[0].schema)
        # First, as it refuses images: a mistake should not wait for the rest.
        columns = _importance(networks[0], testing) if importance else None
        evaluations = [test(network, testing) for network in networks]
        names = [printable(path) for path in weights]
        if ensemble:
            evaluations.append(test_ensemble(networks, testing))
            names.append("ensemble")
        if predictions is not None:
            replace_file(predictions, evaluation_csv(evaluations[-1]))
        _print(dict(zip(_distinct(names), evaluations, strict=True)), columns, as_json=as_json)


def _check_request(weights: list[Path], *, ensemble: bool, writes: bool, importance: bool) -> None:
    """Raise ConfigError for options that do not suit the number of networks."""
    if ensemble and len(weights) == 1:
        raise ConfigError("--ensemble needs several networks; expected more than one WEIGHTS")
    if writes and len(weights) > 1 and not ensemble:
        raise ConfigError("--predictions writes those of one network; expected one WEIGHTS, or --ensemble")
    if importance and len(weights) > 1:
        raise ConfigError("--importance is that of one network; expected one WEIGHTS")


def _check_alike(networks: list[Network]) -> None:
    """Raise WeightsError for networks that cannot be compared."""
    outputs = sorted({network.output for network in networks})
    if len(outputs) > 1:
        raise WeightsError(
            f"the networks have {' and '.join(outputs)} outputs; expected networks for the same task"
        )


def _read_data(weights: list[Path], data: str | None, schema: Schema | None) -> Dataset:
    """Return the test data; say on standard error if they are the training data."""
    from ..data.arrays import test_data
    from ..evaluation.default_data import default_data

    if data is not None:
        return test_data(data, schema)
    testing, is_trained_on = default_data(weights)
    if is_trained_on:
        typer.echo(
            f"fastbp: {testing.name} has no test part: testing on the training data; "
            "choose other data with --data",
            err=True,
        )
    return testing


def _importance(network: Network, testing: Dataset) -> tuple[Importance, ...]:
    from ..evaluation.importance import permutation_importance

    return permutation_importance(network, testing)


def _print(found: dict[str, AnyEvaluation], columns: tuple[Importance, ...] | None, *, as_json: bool) -> None:
    from ..terminal.score_tables import print_any, print_importance

    if as_json:
        values: dict[str, Any] = {name: evaluation.to_dict() for name, evaluation in found.items()}
        if len(found) == 1:
            [values] = values.values()
        if columns is not None:
            values["importance"] = [asdict(column) for column in columns]
        print_json(values)
        return
    print_any(console(), found)
    if columns is not None:
        print_importance(console(), columns, next(iter(found.values())))


def _distinct(names: list[str]) -> list[str]:
    """Number repeated names: a run folder may be called ensemble, or be given twice."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
