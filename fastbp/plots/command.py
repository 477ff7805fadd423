"""``fastbp plot``: read runs, draw a figure, write the file or open a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.arrays import test_data
from ..data.samples import Dataset
from ..data.source import printable
from ..errors import ConfigError, FastbpError, WeightsError, did_you_mean
from ..evaluation.default_data import default_data
from ..evaluation.evaluate import test
from ..evaluation.regression import evaluate_regression
from ..files import replace_file
from ..network import Network
from ..recipe.settings import Settings
from ..runs.folder import data_of_runs, load_classifier, load_network, read_run_settings
from .confusion import confusion_panels
from .history import history_figure, read_run
from .labels import labels_of
from .mistakes import mistakes_figure
from .page import before_and_after, initial_network, page_html
from .reliability import reliability_figure
from .residuals import residuals_figure
from .samples import as_trained, check_shows_images, labelled_samples
from .signals import signals_figure
from .style import FORMATS, render
from .weights import weights_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KINDS", "draw", "figure_format", "plot"]

KINDS = ("history", "confusion", "weights", "mistakes", "reliability", "signals", "residuals", "page")
INSTEAD = {"weights": "--kind signals", "mistakes": "fastbp test, which lists them"}
OF_MANY = ("history", "confusion", "signals")  # kinds that show several runs


def plot(
    runs: Sequence[Path],
    kind: str = "history",
    out: Path | None = None,
    *,
    data: str | None = None,
    dpi: float = 150,
    show: bool = False,
) -> Path | None:
    """Draw a figure of runs, and write it or open a window.

    Parameters
    ----------
    runs
        Run folders. A weights file is enough for kinds that only use the weights.
    kind
        A name in `KINDS`.
    out
        File to write; the suffix decides the format. By default ``<kind>.png``
        (``page.html``) in the run folder, or in the current folder for several runs.
    data
        Data to test on or to measure signals on. By default the data of the runs.
    dpi
        Resolution of a PNG, in dots per inch.
    show
        Open a window; a file is only written if ``out`` is given.

    Returns
    -------
    Path or None
        The file that was written.

    Raises
    ------
    FastbpError
        A file is missing, damaged or cannot be written, or there is no screen.
    """
    _check_request(runs, kind)
    target = None if show and out is None else _target(runs, kind, out)
    if show:
        _check_screen(kind)
    if kind == "page":
        content: str | bytes = page_html(runs[0], data)
    else:
        figure = draw(runs, kind, data)
        content = render(figure, target.suffix[1:].lower(), dpi) if target else b""
    if target is not None:
        replace_file(target, content)
    if show:
        _open_window(figure)
    return target


def _check_request(runs: Sequence[Path], kind: str) -> None:
    """Raise ConfigError for an unknown kind, or for runs that it does not take."""
    if kind not in KINDS:
        raise ConfigError(
            f"--kind is {kind!r}; expected one of: {', '.join(KINDS)}{did_you_mean(kind, KINDS)}"
        )
    if not runs:
        raise ConfigError("no runs are given; expected a run folder")
    if len(runs) > 1 and kind not in OF_MANY:
        raise ConfigError(
            f"--kind {kind} shows one run, but {len(runs)} are given; expected one run, or --kind "
            f"{', '.join(OF_MANY[:-1])} or {OF_MANY[-1]}"
        )
    if len({run.resolve() for run in runs}) < len(runs):
        raise ConfigError("a run is given twice; expected each run once")


def draw(runs: Sequence[Path], kind: str, data: str | None = None) -> Figure:
    """Draw a figure of any kind except ``page``; the parameters are those of `plot`."""
    if kind == "history":
        return history_figure([read_run(run) for run in runs])
    if kind == "signals":
        return _signals(runs, data)
    if kind == "confusion":
        return _confusion(runs, data)
    if kind == "residuals":
        return _residuals(runs[0], data)
    network = load_classifier(runs[0])
    if kind in ("weights", "mistakes"):
        check_shows_images(network, kind, INSTEAD[kind])
    dataset = _testing(runs[:1], network, data)
    if kind == "weights":
        return weights_figure(network, dataset.shape)
    labels = dataset.labels_for(f"--kind {kind}")
    evaluation = test(network, dataset)
    if kind == "reliability" and evaluation.calibration is not None:
        return reliability_figure(evaluation.calibration, dataset.name)
    return mistakes_figure(
        dataset.images, dataset.shape, labels, evaluation.probabilities, classes=network.output_names
    )


def _testing(runs: Sequence[Path], network: Network, data: str | None) -> Dataset:
    """Return data to test on: of one run as ``fastbp test`` chooses them.

    Several runs may have held out other rows, and are tested on all of them.
    """
    if data is None and len(runs) == 1:
        return default_data(runs)[0]
    return test_data(data_of_runs(runs, data), network.schema)


def _residuals(run: Path, data: str | None) -> Figure:
    """Draw what a network that predicts quantities gets wrong."""
    network = load_network(run)
    if network.output != "identity":
        raise WeightsError(
            f"{run}: has {network.output} outputs; expected a network that predicts quantities for --kind "
            "residuals"
        )
    return residuals_figure(evaluate_regression(network, _testing([run], network, data), "numpy"))


def _confusion(runs: Sequence[Path], data: str | None) -> Figure:
    """Draw the confusion matrix of each run on the same data."""
    found = []
    networks = [load_classifier(run) for run in runs]
    names = networks[0].output_names
    for run, network in zip(runs, networks, strict=True):
        if (network.schema or networks[0].schema) and network.output_names != names:
            raise WeightsError(
                f"{run}: has other classes than {runs[0]}; expected runs with the same classes"
            )
        # Tables are read for each: runs may use other columns.
        dataset = _testing(runs, network, data)
        dataset.labels_for("--kind confusion")
        title = dataset.name if len(runs) == 1 else printable(run)
        found.append((title, test(network, dataset).matrix))
    return confusion_panels([(title, matrix) for title, matrix in found if matrix is not None], names)


def _target(runs: Sequence[Path], kind: str, out: Path | None) -> Path:
    """Return the file to write; ConfigError if its suffix does not suit the kind."""
    allowed = ("html",) if kind == "page" else tuple(FORMATS)
    if out is None:
        name = f"{kind}.{allowed[0]}"
        if len(runs) > 1:
            return Path(name)
        return (runs[0] if runs[0].is_dir() else runs[0].parent) / name
    figure_format(out, kind, allowed)
    return out


def figure_format(path: Path, what: str, allowed: Sequence[str] = tuple(FORMATS)) -> str:
    """Return the format given by the suffix of a file; ConfigError unless allowed."""
    suffix = path.suffix[1:].lower()
    if suffix not in allowed:
        found = f"ends in {path.suffix}" if path.suffix else "has no suffix"
        raise ConfigError(f"{path}: {found}; expected {', '.join(f'.{name}' for name in allowed)} for {what}")
    return suffix


def _settings(run: Path) -> Settings | None:
    values = read_run_settings(run)
    return Settings.from_mapping(values) if values else None


def _signals(runs: Sequence[Path], data: str | None) -> Figure:
    networks = [load_classifier(run) for run in runs]
    training = labelled_samples(networks, data_of_runs(runs, data), "--kind signals")
    networks, training = as_trained(networks, training)
    return signals_figure(_named(runs, networks), training.images, training.labels_for("--kind signals"))


def _named(runs: Sequence[Path], networks: Sequence[Network]) -> Mapping[str, Network]:
    """Name networks before and after training; equal initial ones appear once."""
    settings = [_settings(run) for run in runs]
    if len(runs) == 1:
        return before_and_after(networks[0], settings[0])
    known = [entry for entry in settings if entry is not None]
    labels = labels_of(known) if len(known) == len(runs) else []
    if len(set(labels)) < len(runs):
        labels = [printable(run) for run in runs]
    named: dict[str, Network] = {}
    for label, network, entry in zip(labels, networks, settings, strict=True):
        if entry is not None:
            named[f"{label}: before training"] = initial_network(network, entry)
        named[f"{label}: after training"] = network
    return named


def _check_screen(kind: str) -> None:
    """Raise FastbpError unless a window can be opened."""
    if kind == "page":
        raise ConfigError("--show cannot open --kind page; write the page and open it in a browser")
    from matplotlib import pyplot

    try:
        canvas = pyplot.figure().canvas
    except Exception as error:  # every GUI toolkit raises its own exception
        raise FastbpError(
            f"cannot open a window ({' '.join(str(error).split())}); use --out instead of --show"
        ) from error
    finally:
        pyplot.close("all")
    if canvas.required_interactive_framework is None:
        raise FastbpError(
            "cannot open a window: there is no screen or no GUI toolkit; use --out instead of --show"
        )


def _open_window(figure: Figure) -> None:
    from matplotlib import pyplot

    # pyplot creates the window, with the figure that was drawn.
    pyplot.figure(FigureClass=lambda *_args, **_options: figure)  # type: ignore[arg-type, call-overload, unused-ignore]
    pyplot.show()
