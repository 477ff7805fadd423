"""A run on one page: settings, results and figures in one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.arrays import test_data
from ..data.dataset import load_training
from ..evaluation.evaluate import Evaluation, test
from ..network import Network
from ..recipe.checks import format_hidden
from ..recipe.initializers import initialize
from ..recipe.settings import Settings
from ..runs.folder import load_classifier, read_result
from ..terminal.numbers import percent
from .confusion import confusion_figure
from .history import history_figure, read_run
from .mistakes import mistakes_figure
from .reliability import reliability_figure
from .signals import signals_figure
from .style import render
from .weights import weights_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["fresh", "page_html", "start_and_end"]

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
PICTURE_DPI = 110  # of figures made of pixels; the others are drawn with lines and keep sharp


def page_html(folder: str | os.PathLike[str], data: str | None = None) -> str:
    """Return a run's page.

    Parameters
    ----------
    folder : of the run
    data : to test on, as for `fastbp.evaluation.evaluate.test`; the run's own if None

    Raises
    ------
    FastbpError : a file of the run or the data is missing or damaged, or there is no matplotlib
    """
    folder = Path(folder)
    run = read_run(folder)
    network = load_classifier(folder)
    spec = data or (run.settings or Settings()).data
    testing = test_data(spec)
    evaluation = test(network, testing)
    figures: list[tuple[str, str, Figure, str]] = []
    if run.history:
        caption = "Training figures are means over the epoch, so they lag behind validation at first."
        figures.append(("Training", caption, history_figure([run]), "svg"))
    if evaluation.matrix is not None and evaluation.calibration and testing.labels is not None:
        figures += [
            ("What is confused", "A row for each true class.", confusion_figure(evaluation.matrix), "svg"),
            (
                "Calibration",
                "Whether it is right as often as it says.",
                reliability_figure(evaluation.calibration),
                "svg",
            ),
            (
                "Mistakes",
                "Probabilities of the true and of the predicted class.",
                mistakes_figure(testing.images, testing.shape, testing.labels, evaluation.probabilities),
                "png",
            ),
        ]
    figures.append(
        (
            "First layer",
            "What its units look for: red weights ask for a bright pixel, blue for a dark one.",
            weights_figure(network, testing.shape),
            "png",
        )
    )
    training, _ = load_training(spec)
    if training.labels is not None and training.classes <= network.classes:
        networks = start_and_end(network, run.settings)
        figures.append(
            (
                "Signals",
                "How large activations and gradients are, layer by layer.",
                signals_figure(networks, training.images, training.labels),
                "svg",
            )
        )
    return _document(
        run.name, [*_tables(run.settings, read_result(folder), evaluation), *map(_figure, figures)]
    )


def start_and_end(network: Network, settings: Settings | None) -> dict[str, Network]:
    """Return the network as it was before training, where settings tell, and as it is."""
    if settings is None:
        return {"as trained": network}
    return {"at the start": fresh(network, settings), "as trained": network}


def fresh(network: Network, settings: Settings) -> Network:
    """Return the network as it was before training."""
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
        yield f"{evaluation.report.samples:,} samples, loss {evaluation.loss:.4f}</p>"
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
    """Return a table of names and values; what there is not is left out."""
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            text = ", ".join(f"{key} {entry}" for key, entry in value.items())
        elif isinstance(value, list | tuple):
            text = ", ".join(map(str, value))
        elif isinstance(value, bool) or value is None:
            text = {True: "yes", False: "no", None: ""}[value]
        elif isinstance(value, float):
            text = f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.5g}"
        elif isinstance(value, int) and name != "seed":
            text = f"{value:,}"
        else:
            text = str(value)
        if text:
            rows.append((name.replace("_", " "), text))
    body = "".join(f"<tr><th>{html.escape(n)}</th><td>{html.escape(t)}</td></tr>\n" for n, t in rows)
    return f"<table>\n{body}</table>\n"


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"

    return f'<table class="numbers">\n{line(head, "th")}{"".join(line(row, "td") for row in rows)}</table>\n'


def _figure(entry: tuple[str, str, Figure, str]) -> str:
    title, caption, figure, kind = entry
    # As data of an image, not as elements of the page: the ids inside of two SVGs would clash.
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    content = base64.b64encode(render(figure, kind, PICTURE_DPI)).decode()
    return (
        f"<figure><h2>{html.escape(title)}</h2><figcaption><p>{html.escape(caption)}</p></figcaption>\n"
        f'<img alt="{html.escape(title)}" src="data:{mime};base64,{content}"></figure>'
    )
