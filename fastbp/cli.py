"""The commands: ``fastbp train``, ``test``, ``study``, ``plot`` and ``verify``; nothing else.

Exit codes: 0 done; 1 a bound of ``verify`` was exceeded; 2 a mistake in the command or the data; 3 training
diverged; 130 Ctrl-C. Heavy modules are imported by the command that needs them, so that ``--help`` answers
at once.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from . import options
from .errors import ConfigError, FastbpError
from .settings import Settings, format_hidden, read_settings

if TYPE_CHECKING:
    from rich.console import Console

    from .runs import Result

__all__ = ["main"]

EXCEEDED, MISTAKE, DIVERGED, INTERRUPTED = 1, 2, 3, 130

app = typer.Typer(
    name="fastbp",
    help="Train multilayer perceptrons on a CPU, and check the fast path against the textbook.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_RECIPE = Settings()
_HIDDEN = format_hidden(_RECIPE.hidden)


def main() -> None:
    """Run the command line."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"fastbp {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def train(
    ctx: typer.Context,
    data: options.Data = _RECIPE.data,
    validation: options.Validation = _RECIPE.validation,
    hidden: options.Hidden = _HIDDEN,
    init: options.Init = _RECIPE.init,
    epochs: options.Epochs = _RECIPE.epochs,
    batch_size: options.BatchSize = _RECIPE.batch_size,
    learning_rate: options.LearningRate = _RECIPE.learning_rate,
    schedule: options.Schedule = _RECIPE.schedule,
    stop: options.Stop = None,
    restore_best: options.RestoreBest = _RECIPE.restore_best,
    seed: options.Seed = _RECIPE.seed,
    backend: options.Backend = _RECIPE.backend,
    threads: options.Threads = str(_RECIPE.threads),
    dtype: options.Dtype = _RECIPE.dtype,
    config: options.Config = None,
    out: options.Out = None,
    force: options.Force = False,
    live: options.Live = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a network, and keep it in a run folder."""
    with _reporting():
        from .datasets import load_training
        from .experiment import run
        from .progress import show_progress
        from .runs import RunFolder
        from .tables import describe_training

        settings = _settings(
            ctx,
            config,
            {
                "data": data,
                "validation": validation,
                "hidden": hidden,
                "init": init,
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "schedule": schedule,
                "stop": stop or (),
                "restore_best": restore_best,
                "seed": seed,
                "backend": backend,
                "threads": threads,
                "dtype": dtype,
            },
        )
        training, testing = load_training(settings.data)
        folder = RunFolder(out, force=force) if out else RunFolder.fresh(settings)
        try:
            console = _console()
            if not quiet:
                describe_training(console, settings, training, testing)
            with show_progress(console, settings.epochs, quiet=quiet, live=live) as progress:
                result = run(settings, training, testing, [progress])
            folder.write(result)
        finally:
            folder.release()
        _close_run(result, folder.path)


@app.command("test")
def evaluate(
    weights: options.Weights,
    data: options.TestData = None,
    ensemble: options.Ensemble = False,
    as_json: options.Json = False,
    predictions: options.Predictions = None,
) -> None:
    """Test a network: accuracy, loss, calibration, what it confuses. Of several, a line each."""
    with _reporting():
        from .datasets.source import printable
        from .evaluation import load, test, test_ensemble
        from .files import replace_file
        from .inputs import test_data
        from .runs import read_run_settings
        from .tables import predictions_csv, print_comparison, print_evaluation

        if ensemble and len(weights) == 1:
            raise ConfigError("--ensemble takes the mean of several networks; expected more WEIGHTS than one")
        if predictions is not None and len(weights) > 1 and not ensemble:
            raise ConfigError("--predictions writes one network's; expected one WEIGHTS, or --ensemble")
        networks = [load(path) for path in weights]
        sources = {data or read_run_settings(path).get("data", _RECIPE.data) for path in weights}
        if len(sources) > 1:
            raise ConfigError(
                f"the runs were trained on {' and '.join(sorted(sources))}; expected --data with one of them"
            )
        testing = test_data(sources.pop())
        found = {
            printable(path): test(network, testing) for path, network in zip(weights, networks, strict=True)
        }
        if ensemble:
            found["ensemble"] = test_ensemble(networks, testing)
        last = list(found.values())[-1]
        if predictions is not None:
            replace_file(predictions, predictions_csv(last))
        if as_json and len(found) == 1:
            _print_json(last.to_dict())
        elif as_json:
            _print_json({name: evaluation.to_dict() for name, evaluation in found.items()})
        elif len(found) == 1:
            print_evaluation(_console(), last)
        else:
            print_comparison(_console(), found)


@app.command()
def verify(
    data: options.Data = _RECIPE.data,
    samples: options.Samples = None,
    hidden: options.Hidden = _HIDDEN,
    epochs: options.Epochs = 1,
    batch_size: options.BatchSize = _RECIPE.batch_size,
    learning_rate: options.LearningRate = _RECIPE.learning_rate,
    seed: options.Seed = _RECIPE.seed,
    threads: options.Threads = str(_RECIPE.threads),
    dtype: options.Dtype = _RECIPE.dtype,
    as_json: options.Json = False,
) -> None:
    """Train both paths on the same batches, and hold their differences against bounds from rounding."""
    with _reporting():
        from .tables import print_verification
        from .verify import verify_paths

        settings = Settings.from_mapping(
            {
                "data": data,
                "hidden": hidden,
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "seed": seed,
                "threads": threads,
                "dtype": dtype,
            }
        )
        console = _console()
        if as_json or not console.is_terminal:
            report = verify_paths(settings, samples)
        else:
            with console.status("loading the data") as status:
                report = verify_paths(settings, samples, announce=status.update)
        if as_json:
            _print_json(report.to_dict())
        else:
            print_verification(console, report)
        if not report.passed:
            raise typer.Exit(EXCEEDED)


@app.command()
def study(
    name: options.StudyName,
    seeds: options.StudySeeds = None,
    epochs: options.StudyEpochs = None,
    quick: options.StudyQuick = False,
    out: options.StudyOut = None,
) -> None:
    """Run a study: a grid of runs over seeds, with a table and figures. What is done is not done again."""
    with _reporting():
        from .studies import available, read_study
        from .studies.screen import show_study

        if quick and epochs is not None:
            raise ConfigError("--quick and --epochs both decide the epochs; expected one of them")
        names = list(available()) if name == "all" else [name]
        studies = [read_study(entry) for entry in names]
        parent = out or Path("studies")
        console = _console()
        for entry in studies:
            suffix = "-quick" if quick and out is None else ""
            folder = parent if out is not None and name != "all" else parent / f"{entry.name}{suffix}"
            show_study(console, entry, folder, seeds=seeds, epochs=epochs, quick=quick)


@app.command("plot")
def draw_runs(
    runs: options.PlotRuns,
    kind: options.PlotKind = "history",
    out: options.PlotOut = None,
    data: options.PlotData = None,
    dpi: options.PlotDpi = 150,
    show: options.PlotShow = False,
) -> None:
    """Draw runs: their history side by side, or a run's confusions, weights, mistakes, signals, or page."""
    with _reporting():
        from .datasets.source import printable
        from .plots import plot

        written = plot(runs, kind, out, data=data, dpi=dpi, show=show)
        if written is not None:
            typer.echo(printable(written))


def _settings(ctx: typer.Context, config: Path | None, values: dict[str, Any]) -> Settings:
    """Take settings from the options that were given, else from the config file, else from the defaults."""
    from .datasets.mnist import NAMES

    if config is not None:
        given = {name: value for name, value in values.items() if _is_given(ctx, name)}
        values = {**read_settings(config), **given}
    settings = Settings.from_mapping(values)
    if settings.data in NAMES:
        return settings
    # So that the run can be repeated from another folder.
    return replace(settings, data=os.path.abspath(settings.data))


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _close_run(result: Result, folder: Path) -> None:
    """Print the last line, and exit with the code of how the run ended."""
    from .datasets.source import printable
    from .tables import summary_line

    kept = f"kept in {printable(folder)}"
    if result.status == "diverged":
        _fail(f"{result.training.message}; the weights from before that epoch are {kept}", DIVERGED)
    if result.status == "interrupted":
        typer.echo(f"{result.training.message}; what was learnt is {kept}")
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"{summary_line(result)}; {kept}")


@contextmanager
def _reporting() -> Iterator[None]:
    """Turn a person's mistake into one line, without a traceback."""
    try:
        yield
    except FastbpError as error:
        _fail(str(error), MISTAKE)
    except MemoryError:
        _fail("not enough memory; use fewer samples, a smaller batch or a smaller network", MISTAKE)
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has left: Typer ends quietly
            raise
        _fail(f"output cannot be written ({error.strerror or error})", MISTAKE)
    except KeyboardInterrupt:
        typer.echo("fastbp: interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"fastbp: error: {message}", err=True)
    raise typer.Exit(code)


def _console() -> Console:
    """Return where output goes. A pipe has no width, so nothing is cut off there."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def _print_json(values: dict[str, Any]) -> None:
    typer.echo(json.dumps(values, indent=2, allow_nan=False))
