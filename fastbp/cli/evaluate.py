"""``fastbp test``: evaluate saved networks on data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from . import options
from .application import app
from .common import console, print_json, reporting

if TYPE_CHECKING:
    from ..data.samples import Dataset
    from ..evaluation.evaluate import Evaluation
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


@app.command("test")
def evaluate(
    weights: options.Weights,
    data: options.TestData = None,
    ensemble: Ensemble = False,
    as_json: options.Json = False,
    predictions: Predictions = None,
) -> None:
    """Test networks: accuracy, loss, calibration and confusion matrix.

    Several networks are compared, with a row for each.
    """
    with reporting():
        from ..data.source import printable
        from ..evaluation.evaluate import test, test_ensemble
        from ..evaluation.prediction import load
        from ..files import replace_file
        from ..terminal.tables import predictions_csv

        if ensemble and len(weights) == 1:
            raise ConfigError("--ensemble needs several networks; expected more than one WEIGHTS")
        if predictions is not None and len(weights) > 1 and not ensemble:
            raise ConfigError(
                "--predictions writes those of one network; expected one WEIGHTS, or --ensemble"
            )
        networks = [load(path) for path in weights]
        testing = _read_data(weights, data, networks[0].schema)
        evaluations = [test(network, testing) for network in networks]
        names = [printable(path) for path in weights]
        if ensemble:
            evaluations.append(test_ensemble(networks, testing))
            names.append("ensemble")
        if predictions is not None:
            replace_file(predictions, predictions_csv(evaluations[-1]))
        _print(dict(zip(_distinct(names), evaluations, strict=True)), as_json=as_json)


def _read_data(weights: list[Path], data: str | None, schema: Schema | None) -> Dataset:
    """Return the test data; say on standard error if they are the training data."""
    from ..data.arrays import test_data
    from ..data.dataset import has_test_part
    from ..runs.folder import data_of_runs, has_own_test

    source = data_of_runs(weights, data)
    testing = test_data(source, schema)
    if data is None and not has_own_test(weights) and not has_test_part(source):
        typer.echo(
            f"fastbp: {testing.name} has no test part: testing on the training data; "
            "choose other data with --data",
            err=True,
        )
    return testing


def _print(found: dict[str, Evaluation], *, as_json: bool) -> None:
    from ..terminal.tables import print_evaluation, print_evaluations

    evaluations = list(found.values())
    if as_json and len(found) == 1:
        print_json(evaluations[0].to_dict())
    elif as_json:
        print_json({name: evaluation.to_dict() for name, evaluation in found.items()})
    elif len(found) == 1:
        print_evaluation(console(), evaluations[0])
    else:
        print_evaluations(console(), found)


def _distinct(names: list[str]) -> list[str]:
    """Number repeated names: a run folder may be called ensemble, or be given twice."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
