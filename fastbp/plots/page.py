"""The page of a run: settings, results and figures in one HTML file."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data.arrays import test_data
from ..data.samples import Dataset
from ..errors import FastbpError
from ..evaluation.default_data import default_data
from ..evaluation.evaluate import Evaluation, test
from ..network import Network
from ..recipe.checks import format_hidden
from ..recipe.defaults import Kind, settings_for
from ..recipe.initializers import initialize
from ..recipe.settings import Settings
from ..runs.folder import data_of_runs, load_classifier, read_result
from ..terminal.names import short_names
from ..terminal.numbers import format_loss, format_value, percent
from .confusion import confusion_figure
from .curves import CURVE_STYLE, Curve, curves_svg, series_of, swatch_svg
from .document import document, escape
from .history import LoggedRun, read_run
from .matrix import MATRIX_STYLE, MOST_CLASSES, matrix_svg
from .mistakes import mistakes_figure
from .reliability import reliability_figure
from .samples import as_trained, is_of_table, labelled_samples
from .signals import signals_figure
from .style import render
from .weights import weights_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["before_and_after", "initial_network", "page_html"]

STYLE = (
    CURVE_STYLE
    + MATRIX_STYLE
    + """
.pairs td { overflow-wrap: anywhere; } .numbers td, .numbers th { padding-right: .7rem; }
.legend { display: flex; gap: 1.5rem; } .legend > span { display: flex; gap: .5rem; align-items: center; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; } .tables > section { min-width: 0; max-width: 100%; }
img { border-radius: 6px; background: #ffffff; }
img.wide { min-width: 44rem; max-width: none; width: 100%; }
@media (max-width: 30rem) {
  .numbers { font-size: .88rem; } .numbers td, .numbers th { padding-right: .4rem; }
}
@media (min-width: 50rem) { img.wide { min-width: 0; max-width: 100%; width: auto; } }
/* Figures are drawn on white. Turned around in hue, red stays red. */
@media (prefers-color-scheme: dark) { img { filter: invert(.92) hue-rotate(180deg); } }
"""
)
MISTAKES = "The most confident mistakes, with the probabilities of the true and the predicted class."
LONGEST = 40  # characters of the name of a class in a table
WIDE = 6.0  # inches
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
    spec = data_of_runs([folder], data)
    testing = default_data([folder])[0] if data is None else test_data(spec, network.schema)
    evaluation = test(network, testing)
    entries = [*_evaluation(evaluation, testing)]
    if not is_of_table(network):
        entries += _images(evaluation, testing, network)
    entries += _signals(network, run.settings, spec)
    title = f"Run {run.name}: {'-'.join(map(str, network.sizes))} network on {testing.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        *_summary(evaluation, read_result(folder)),
        *_history(run),
        *_matrix(evaluation),
        *(_mistakes(evaluation) if is_of_table(network) else ()),
        *map(_figure, entries),
        *_tables(run.settings, read_result(folder), "table" if is_of_table(network) else "images"),
    ]
    return document(title, parts, STYLE)


class _Entry(NamedTuple):
    """A figure of the page."""

    title: str
    caption: str
    figure: Figure
    kind: str  # "svg" or "png"


def _summary(evaluation: Evaluation, result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sentences of what came out."""
    if evaluation.report is not None and evaluation.loss is not None:
        yield (
            f'<p class="lead">Accuracy {percent(evaluation.report.accuracy)} on '
            f"{evaluation.report.samples:,} samples of {escape(evaluation.data)}, loss "
            f"{format_loss(evaluation.loss)}.</p>"
        )
    if result:
        epochs, seconds = result.get("epochs_completed"), result.get("training_seconds")
        message = result.get("message") or ""
        yield (
            f"<p>{escape(str(result.get('status', '')).capitalize())} after "
            f"{escape(format_value('epochs', epochs))} epochs, "
            f"{escape(format_value('training_seconds', seconds))} s of training. {escape(message)}</p>"
        )


def _history(run: LoggedRun) -> Iterator[str]:
    """Yield the curves of training and validation."""
    names = {"train": "training", "validation": "validation"}
    panels, shown = [], []
    for figure, title, scale in (("loss", "Loss, nats per sample", 1.0), ("accuracy", "Accuracy, %", 100.0)):
        curves = [
            Curve(name, values, look)
            for look, (part, name) in enumerate(names.items())
            if (values := series_of(run.history, f"{part}_{figure}", scale))
        ]
        if curves:
            panels.append(curves_svg(title, curves, log=figure == "loss"))
            shown = curves
    if panels:
        legend = "".join(f"<span>{swatch_svg(c.look)} {escape(c.name)}</span>" for c in shown)
        yield f'<h2>Training</h2>\n<div class="curves">{"".join(panels)}</div>'
        yield f'<p class="legend">{legend}</p>'
        yield "<p>Training figures are means over the epoch, so they lag behind validation at first.</p>"


def _matrix(evaluation: Evaluation) -> Iterator[str]:
    """Yield the confusion matrix, and scores of each class."""
    if evaluation.matrix is None or evaluation.report is None:
        return
    if len(evaluation.matrix) <= MOST_CLASSES:
        picture = matrix_svg(evaluation.matrix, evaluation.names)
        yield f"<h2>Confusion matrix</h2><p>Orange: mistakes. Grey: correct predictions.</p>{picture}"
    else:
        caption = "Rows are true classes, columns are predicted classes."
        figure = confusion_figure(evaluation.matrix, classes=evaluation.names)
        yield _figure(_Entry("Confusion matrix", caption, figure, "svg"))
    names = short_names(evaluation.names, LONGEST)
    rows = [
        (names[c.label], percent(c.precision), percent(c.recall), percent(c.f1), f"{c.support:,}")
        for c in evaluation.report.classes
    ]
    head = ("class", "precision", "recall", "F1", "samples")
    yield f'<h2>Classes</h2><div class="scroll">{_table(rows, head)}</div>'


def _evaluation(evaluation: Evaluation, testing: Dataset) -> Iterator[_Entry]:
    """Yield the figures of labelled test data."""
    if evaluation.matrix is None or evaluation.calibration is None or testing.labels is None:
        return
    yield _Entry(
        "Calibration",
        "Accuracy of the predictions by their confidence.",
        reliability_figure(evaluation.calibration),
        "svg",
    )


def _images(evaluation: Evaluation, testing: Dataset, network: Network) -> Iterator[_Entry]:
    """Yield what only images show."""
    if testing.labels is not None:
        figure = mistakes_figure(
            testing.images,
            testing.shape,
            testing.labels,
            evaluation.probabilities,
            classes=evaluation.names,
        )
        yield _Entry("Mistakes", MISTAKES, figure, "png")
    yield _Entry(
        "First layer",
        "Weights of its units: red is positive, blue is negative.",
        weights_figure(network, testing.shape),
        "png",
    )


def _mistakes(evaluation: Evaluation) -> Iterator[str]:
    """Yield the most confident mistakes as a table of rows."""
    names = short_names(evaluation.names, LONGEST)
    rows = [
        (f"{m.row:,}", names[m.label], names[m.predicted], percent(m.confidence), percent(m.probability))
        for m in evaluation.mistakes()
    ]
    if rows:
        head = ("row, from 0", "true", "predicted", "probability", "of the true class")
        yield f'<h2>Mistakes</h2><p>{MISTAKES}</p><div class="scroll">{_table(rows, head)}</div>'


def _signals(network: Network, settings: Settings | None, spec: str) -> Iterator[_Entry]:
    try:
        training = labelled_samples([network], spec, "signals")
    except FastbpError:  # without labels, or of other classes
        return
    [shown], training = as_trained([network], training)
    networks = before_and_after(shown, settings)
    figure = signals_figure(networks, training.images, training.labels_for("signals"))
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


def _tables(settings: Settings | None, result: Mapping[str, Any], kind: Kind) -> Iterator[str]:
    """Yield results and settings; those at their defaults are collapsed."""
    yield '<div class="tables">'
    if result:
        yield _section("Result", _pairs(result))
    if settings is not None:
        usual = asdict(settings_for(kind, {}))
        values = asdict(settings)
        changed = {name: value for name, value in values.items() if value != usual[name]}
        same = {name: value for name, value in values.items() if name not in changed}
        own = _pairs(changed) if changed else "<p>All settings have their defaults.</p>"
        summary = f"{len(same)} settings at their defaults"
        yield _section("Settings", f"{own}<details><summary>{summary}</summary>{_pairs(same)}</details>")
    yield "</div>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>"


def _pairs(values: Mapping[str, Any]) -> str:
    """Return a table of names and values, without empty values."""
    texts = {
        name: format_hidden(value) if name == "hidden" else format_value(name, value)
        for name, value in values.items()
    }
    rows = [(name.replace("_", " "), text) for name, text in texts.items() if text]
    body = "".join(f"<tr><th>{escape(n)}</th><td>{escape(t)}</td></tr>\n" for n, t in rows)
    return f'<table class="pairs">\n{body}</table>\n'


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"

    return f'<table class="numbers">\n{line(head, "th")}{"".join(line(row, "td") for row in rows)}</table>\n'


def _figure(entry: _Entry) -> str:
    title, caption, figure, kind = entry
    # SVGs as image data, not as elements of the page: their ids would clash.
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    content = base64.b64encode(render(figure, kind, PNG_DPI)).decode()
    # Of a figure with small text, a narrow screen shows a part, to be moved.
    wide = ' class="wide"' if figure.get_figwidth() > WIDE else ""
    image = f'<img{wide} alt="{escape(title)}" src="data:{mime};base64,{content}">'
    return (
        f"<figure><h2>{escape(title)}</h2><figcaption><p>{escape(caption)}</p></figcaption>\n"
        f'<div class="scroll">{image}</div></figure>'
    )
