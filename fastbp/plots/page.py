"""The page of a run: settings, results and figures in one HTML file."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data.arrays import test_data
from ..data.dataset import Dataset, load_training
from ..evaluation.evaluate import Evaluation, test
from ..network import Network
from ..recipe.checks import format_hidden
from ..recipe.initializers import initialize
from ..recipe.settings import Settings
from ..runs.folder import load_classifier, read_result
from ..terminal.numbers import format_loss, format_value, percent
from .confusion import confusion_figure
from .history import LoggedRun, history_figure, read_run
from .mistakes import mistakes_figure
from .reliability import reliability_figure
from .signals import signals_figure
from .style import render
from .weights import weights_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["before_and_after", "initial_network", "page_html"]

_STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --quiet: #595959; --back: #ffffff; --line: #d5d5d5; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ededed; --quiet: #b0b0b0; --back: #161616; --line: #444444; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 66rem; margin: 0 auto; padding: 1.5rem; }
h1 { overflow-wrap: anywhere; } h2 { margin-top: 2.5rem; }
p { color: var(--quiet); margin: .3rem 0 .8rem; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; } .tables > section { min-width: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; } .numbers td, .numbers th { text-align: right; }
figure { margin: 0; } img { max-width: 100%; height: auto; background: #ffffff; border-radius: 6px; }
@media print { h2, figure { break-inside: avoid; } }
"""
PNG_DPI = 110  # of figures with many images; the others are SVG


def page_html(folder: str | os.PathLike[str], data: str | None = None) -> str:
    """Return the page of a run.

    Parameters
    ----------
    folder
        Folder of the run.
    data
        Data to test on, as for `fastbp.evaluation.evaluate.test`. By default the data
        of the run.

    Raises
    ------
    FastbpError
        A file of the run or the data is missing or damaged.
    """
    folder = Path(folder)
    run = read_run(folder)
    network = load_classifier(folder)
    spec = data or (run.settings or Settings()).data
    testing = test_data(spec)
    evaluation = test(network, testing)
    training, _ = load_training(spec)
    entries = [
        *_history(run),
        *_evaluation(evaluation, testing),
        _Entry(
            "First layer",
            "Weights of its units: red is positive, blue is negative.",
            weights_figure(network, testing.shape),
            "png",
        ),
        *_signals(network, run.settings, training),
    ]
    return _document(
        run.name, [*_tables(run.settings, read_result(folder), evaluation), *map(_figure, entries)]
    )


class _Entry(NamedTuple):
    """A figure of the page."""

    title: str
    caption: str
    figure: Figure
    kind: str  # "svg" or "png"


def _history(run: LoggedRun) -> Iterator[_Entry]:
    if run.history:
        caption = "Training figures are means over the epoch, so they lag behind validation at first."
        yield _Entry("Training", caption, history_figure([run]), "svg")


def _evaluation(evaluation: Evaluation, testing: Dataset) -> Iterator[_Entry]:
    """Yield the figures of labelled test data."""
    if evaluation.matrix is None or evaluation.calibration is None or testing.labels is None:
        return
    yield _Entry(
        "Confusion matrix",
        "Rows are true classes, columns are predicted classes.",
        confusion_figure(evaluation.matrix),
        "svg",
    )
    yield _Entry(
        "Calibration",
        "Accuracy of the predictions by their confidence.",
        reliability_figure(evaluation.calibration),
        "svg",
    )
    yield _Entry(
        "Mistakes",
        "The most confident mistakes, with the probabilities of the true and the predicted class.",
        mistakes_figure(testing.images, testing.shape, testing.labels, evaluation.probabilities),
        "png",
    )


def _signals(network: Network, settings: Settings | None, training: Dataset) -> Iterator[_Entry]:
    if training.labels is not None and training.classes <= network.classes:
        networks = before_and_after(network, settings)
        figure = signals_figure(networks, training.images, training.labels)
        yield _Entry("Signals", "Size of activations and gradients in each layer.", figure, "svg")


def before_and_after(network: Network, settings: Settings | None) -> dict[str, Network]:
    """Return the network before training, if settings are known, and after."""
    if settings is None:
        return {"after training": network}
    return {"before training": initial_network(network, settings), "after training": network}


def initial_network(network: Network, settings: Settings) -> Network:
    """Return the network with the weights from before training."""
    start = network.copy()
    initialize(start, settings.init, settings.seed)
    return start


def _document(title: str, parts: Iterable[str]) -> str:
    name = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name} - fastbp</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _tables(settings: Settings | None, result: Mapping[str, Any], evaluation: Evaluation) -> Iterable[str]:
    if evaluation.report is not None and evaluation.loss is not None:
        yield f"<p>{html.escape(evaluation.data)}: accuracy {percent(evaluation.report.accuracy)} of "
        yield f"{evaluation.report.samples:,} samples, loss {format_loss(evaluation.loss)}</p>"
    yield '<div class="tables">'
    if result:
        yield _section("Result", _pairs(result))
    if settings is not None:
        yield _section("Settings", _pairs({**asdict(settings), "hidden": format_hidden(settings.hidden)}))
    if evaluation.report is not None:
        rows = [
            (str(c.label), f"{c.precision:.4f}", f"{c.recall:.4f}", f"{c.f1:.4f}", f"{c.support:,}")
            for c in evaluation.report.classes
        ]
        head = ("class", "precision", "recall", "F1", "samples")
        yield _section("Classes", _table(rows, head))
    yield "</div>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>\n{content}</section>"


def _pairs(values: Mapping[str, Any]) -> str:
    """Return a table of names and values, without empty values."""
    texts = {name: format_value(name, value) for name, value in values.items()}
    rows = [(name.replace("_", " "), text) for name, text in texts.items() if text]
    body = "".join(f"<tr><th>{html.escape(n)}</th><td>{html.escape(t)}</td></tr>\n" for n, t in rows)
    return f"<table>\n{body}</table>\n"


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"

    return f'<table class="numbers">\n{line(head, "th")}{"".join(line(row, "td") for row in rows)}</table>\n'


def _figure(entry: _Entry) -> str:
    title, caption, figure, kind = entry
    # SVGs as image data, not as elements of the page: their ids would clash.
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    content = base64.b64encode(render(figure, kind, PNG_DPI)).decode()
    return (
        f"<figure><h2>{html.escape(title)}</h2><figcaption><p>{html.escape(caption)}</p></figcaption>\n"
        f'<img alt="{html.escape(title)}" src="data:{mime};base64,{content}"></figure>'
    )
