"""``fastbp verify``: both paths side by side."""

from __future__ import annotations

from typing import Any

import typer

from ..recipe.settings import Settings
from . import options
from .app import app
from .common import EXCEEDED, console, print_json, reporting
from .setting_options import with_settings

__all__ = ["verify"]


CHECKED = ("data", "hidden", "epochs", "batch_size", "learning_rate", "seed", "threads", "dtype")


@app.command()
@with_settings(CHECKED, {"epochs": 1})
def verify(*, given: dict[str, Any], samples: options.Samples = None, as_json: options.Json = False) -> None:
    """Train both paths on the same batches and hold their differences against bounds from rounding."""
    with reporting():
        from ..terminal.tables import print_verification
        from ..verify.paths import verify_paths

        settings = Settings.from_mapping(given)
        screen = console()
        if as_json or not screen.is_terminal:
            report = verify_paths(settings, samples)
        else:
            with screen.status("loading the data") as status:
                report = verify_paths(settings, samples, announce=status.update)
        if as_json:
            print_json(report.to_dict())
        else:
            print_verification(screen, report)
        if not report.passed:
            raise typer.Exit(EXCEEDED)
