"""``fastbp verify``: both paths side by side."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..recipe.defaults import IMAGES, settings_for
from ..recipe.settings import Settings, declarations
from . import options
from .application import app
from .common import EXCEEDED, console, print_json, reporting
from .setting_options import values_of, with_settings

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["verify"]

All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Verify a fixed list of configurations on made-up data, each option alone and all "
        "together, and print one table. Other options do not count.",
    ),
]


@app.command()
@with_settings([name for name in declarations() if name != "backend"], {"epochs": 1}, recipe=IMAGES)
def verify(
    *,
    given: dict[str, Any],
    everything: All = False,
    samples: options.Samples = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Check that the compiled kernels and the NumPy reference train alike.

    Both train with the same settings, for one epoch unless --epochs is given, also with
    --config. Weights, losses and predictions must agree within bounds: a fixed one in
    float64, and in float32 one from rounding or from the run's own sensitivity. The
    exit code is 1 if one is exceeded.
    """
    with reporting():
        screen = console()
        if everything:
            passed = _verify_all(screen, as_json=as_json)
        else:
            settings = settings_for("images", values_of(given, config))
            passed = _verify_settings(screen, settings, samples, as_json=as_json)
        if not passed:
            raise typer.Exit(EXCEEDED)


def _verify_settings(screen: Console, settings: Settings, samples: int | None, *, as_json: bool) -> bool:
    from ..terminal.verification import print_verification
    from ..verify.paths import verify_paths

    if as_json or not screen.is_terminal:
        report = verify_paths(settings, samples)
    else:
        with screen.status("loading the data") as status:
            report = verify_paths(settings, samples, announce=status.update)
    if as_json:
        print_json(report.to_dict())
    else:
        print_verification(screen, report)
    return report.passed


def _verify_all(screen: Console, *, as_json: bool) -> bool:
    from ..terminal.verification import print_configurations
    from ..verify.paths import verify_all

    began = perf_counter()
    if as_json or not screen.is_terminal:
        reports = verify_all()
    else:
        with screen.status("compiling kernels (once)") as status:
            reports = verify_all(announce=status.update)
    if as_json:
        print_json([report.to_dict() for report in reports])
    else:
        print_configurations(screen, reports, perf_counter() - began)
    return all(report.passed for report in reports)
