"""What ``fastbp plot`` does: read runs, draw a kind of figure, write the file or open a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.arrays import test_data
from ..data.dataset import load_training
from ..errors import ConfigError, DataError, FastbpError, WeightsError
from ..evaluation.evaluate import test
from ..files import replace_file
from ..network import Network
from ..recipe.settings import Settings
from ..runs.folder import load_classifier, read_run_settings
from .confusion import confusion_figure
from .history import history_figure, read_run
from .labels import labels_of
from .mistakes import mistakes_figure
from .page import fresh, page_html, start_and_end
from .reliability import reliability_figure
from .signals import signals_figure
from .style import FORMATS, render, styled
from .weights import weights_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KINDS", "draw", "figure_format", "plot"]

KINDS = ("history", "confusion", "weights", "mistakes", "reliability", "signals", "page")
OF_MANY = ("history", "signals")  # kinds that show runs side by side


def plot(
    runs: Sequence[Path],
    kind: str = "history",
    out: Path | None = None,
    *,
    data: str | None = None,
    dpi: float = 150,
    show: bool = False,
) -> Path | None:
    """Draw runs, and write the figure or open a window.

    Parameters
    ----------
    runs : run folders; a weights file will do where the kind asks for the weights alone
    kind : a name in `KINDS`
    out : file to write, whose suffix decides its format; None for ``<kind>.png`` (``page.html``) in the run's
        folder, or in the current one for several runs
    data : to test on, or to measure signals on; the runs' own if None
    dpi : of a PNG
    show : open a window; then a file is written only if ``out`` is given

    Returns
    -------
    the file that was written, if one was

    Raises
    ------
    FastbpError : a file is missing, damaged or cannot be written, there is no matplotlib, or no screen
    """
    if kind not in KINDS:
        raise ConfigError(f"kind is {kind!r}; expected one of: {', '.join(KINDS)}")
    if not runs:
        raise ConfigError("no run is given; expected a run folder")
    if len(runs) > 1 and kind not in OF_MANY:
        raise ConfigError(
            f"{kind} shows one run, {len(runs)} are given; expected one, or --kind {' or '.join(OF_MANY)}"
        )
    if len({run.resolve() for run in runs}) < len(runs):
        raise ConfigError("a run is given twice; expected each once")
    target = None if show and out is None else _target(runs, kind, out)
    with styled():  # is there a matplotlib, before work is put in?
        pass
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


def draw(runs: Sequence[Path], kind: str, data: str | None = None) -> Figure:
    """Draw a kind of figure, any but ``page``; the parameters are those of `plot`."""
    if kind == "history":
        return history_figure([read_run(run) for run in runs])
    if kind == "signals":
        return _signals(runs, data)
    network = load_classifier(runs[0])
    dataset = test_data(data or _spec(runs[0]))
    if kind == "weights":
        return weights_figure(network, dataset.shape)
    evaluation = test(network, dataset)
    if evaluation.matrix is None or evaluation.calibration is None or dataset.labels is None:
        raise DataError(f"{dataset.name}: has no labels, which {kind} needs")
    if kind == "confusion":
        return confusion_figure(evaluation.matrix, dataset.name)
    if kind == "reliability":
        return reliability_figure(evaluation.calibration, dataset.name)
    return mistakes_figure(dataset.images, dataset.shape, dataset.labels, evaluation.probabilities)


def _target(runs: Sequence[Path], kind: str, out: Path | None) -> Path:
    """Return the file to write, after a look at its suffix."""
    allowed = ("html",) if kind == "page" else tuple(FORMATS)
    if out is None:
        name = f"{kind}.{allowed[0]}"
        if len(runs) > 1:
            return Path(name)
        return (runs[0] if runs[0].is_dir() else runs[0].parent) / name
    figure_format(out, kind, allowed)
    return out


def figure_format(path: Path, what: str, allowed: Sequence[str] = tuple(FORMATS)) -> str:
    """Return the format that a file's suffix asks for; ConfigError unless it is allowed."""
    suffix = path.suffix[1:].lower()
    if suffix not in allowed:
        found = f"ends in {path.suffix}" if path.suffix else "has no suffix"
        raise ConfigError(f"{path}: {found}; expected {', '.join(f'.{name}' for name in allowed)} for {what}")
    return suffix


def _settings(run: Path) -> Settings | None:
    values = read_run_settings(run)
    return Settings.from_mapping(values) if values else None


def _spec(run: Path) -> str:
    return (_settings(run) or Settings()).data


def _signals(runs: Sequence[Path], data: str | None) -> Figure:
    specs = {data or _spec(run) for run in runs}
    if len(specs) > 1:
        raise ConfigError(
            f"the runs were trained on {' and '.join(sorted(specs))}; expected one data set, or --data"
        )
    training, _ = load_training(specs.pop())
    if training.labels is None:
        raise DataError(f"{training.name}: has no labels, which signals needs")
    networks = [load_classifier(run) for run in runs]
    for run, network in zip(runs, networks, strict=True):
        if (network.inputs, network.classes) < (training.images.shape[1], training.classes) or (
            network.inputs != training.images.shape[1]
        ):
            raise WeightsError(
                f"{run}: takes {network.inputs} pixels, knows {network.classes} classes; {training.name} "
                f"has {training.images.shape[1]} and {training.classes}; expected weights from such data"
            )
    return signals_figure(_named(runs, networks), training.images, training.labels)


def _named(runs: Sequence[Path], networks: Sequence[Network]) -> Mapping[str, Network]:
    """Name each network before and after its training; two runs that started alike share their start."""
    settings = [_settings(run) for run in runs]
    if len(runs) == 1:
        return start_and_end(networks[0], settings[0])
    known = [entry for entry in settings if entry is not None]
    labels = labels_of(known) if len(known) == len(runs) else []
    if len(set(labels)) < len(runs):
        labels = [str(run) for run in runs]
    named: dict[str, Network] = {}
    for label, network, entry in zip(labels, networks, settings, strict=True):
        if entry is not None:
            named[f"{label}: at the start"] = fresh(network, entry)
        named[f"{label}: as trained"] = network
    return named


def _check_screen(kind: str) -> None:
    """Raise FastbpError unless a window can be opened."""
    if kind == "page":
        raise ConfigError("--show opens figures; expected another kind, or a browser for the page")
    from matplotlib import pyplot

    try:
        canvas = pyplot.figure().canvas
    except Exception as error:  # each toolkit has its own for a screen that it cannot reach
        raise FastbpError(
            f"no window can be opened ({' '.join(str(error).split())}); use --out instead of --show"
        ) from error
    finally:
        pyplot.close("all")
    if canvas.required_interactive_framework is None:
        raise FastbpError(
            "no window can be opened: there is no screen or no GUI toolkit; use --out, not --show"
        )


def _open_window(figure: Figure) -> None:
    from matplotlib import pyplot

    # pyplot makes the window; the figure that goes in is the one that was drawn.
    pyplot.figure(FigureClass=lambda *_args, **_options: figure)  # type: ignore[arg-type, call-overload, unused-ignore]
    pyplot.show()
