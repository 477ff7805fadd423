"""``fastbp test``: what saved networks make of data."""

from __future__ import annotations

from collections import Counter

import typer

from ..errors import ConfigError
from . import options
from .app import app
from .common import console, print_json, reporting
from .recipe import RECIPE

__all__ = ["evaluate"]


@app.command("test")
def evaluate(
    weights: options.Weights,
    data: options.TestData = None,
    ensemble: options.Ensemble = False,
    as_json: options.Json = False,
    predictions: options.Predictions = None,
) -> None:
    """Test a network: accuracy, loss, calibration, what it confuses. Of several, a line each."""
    with reporting():
        from ..data.arrays import test_data
        from ..data.dataset import has_test_part
        from ..data.source import printable
        from ..evaluation.evaluate import load, test, test_ensemble
        from ..files import replace_file
        from ..runs.folder import read_run_settings
        from ..terminal.tables import predictions_csv, print_evaluation, print_evaluations

        if ensemble and len(weights) == 1:
            raise ConfigError("--ensemble takes the mean of several networks; expected more WEIGHTS than one")
        if predictions is not None and len(weights) > 1 and not ensemble:
            raise ConfigError("--predictions writes one network's; expected one WEIGHTS, or --ensemble")
        networks = [load(path) for path in weights]
        sources = {data or read_run_settings(path).get("data", RECIPE.data) for path in weights}
        if len(sources) > 1:
            raise ConfigError(
                f"the runs were trained on {' and '.join(sorted(sources))}; expected --data with one of them"
            )
        source = sources.pop()
        testing = test_data(source)
        if data is None and not has_test_part(source):
            note = "has no test part: these are the data that it was trained on; --data names others"
            typer.echo(f"fastbp: {testing.name} {note}", err=True)
        evaluations = [test(network, testing) for network in networks]
        names = [printable(path) for path in weights]
        if ensemble:
            evaluations.append(test_ensemble(networks, testing))
            names.append("ensemble")
        found = dict(zip(_distinct(names), evaluations, strict=True))
        last = evaluations[-1]
        if predictions is not None:
            replace_file(predictions, predictions_csv(last))
        if as_json and len(found) == 1:
            print_json(last.to_dict())
        elif as_json:
            print_json({name: evaluation.to_dict() for name, evaluation in found.items()})
        elif len(found) == 1:
            print_evaluation(console(), last)
        else:
            print_evaluations(console(), found)


def _distinct(names: list[str]) -> list[str]:
    """Number those that come again: a run folder may be called ensemble, or be given twice."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
