"""``fastbp compare``: settings and results of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from . import options
from .application import app
from .common import check_one_format, console, print_json, reporting

__all__ = ["compare"]

Page = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write an HTML page instead: curves of validation, settings that differ, results.",
    ),
]


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, or folders of runs.")],
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    page: Page = None,
) -> None:
    """Compare runs: settings that differ, accuracy, loss, epochs and training time."""
    with reporting():
        from ..data.source import printable
        from ..runs.comparison import compare_runs
        from ..runs.listing import complete_runs
        from ..terminal.run_tables import print_runs

        check_one_format(as_json=as_json, as_csv=as_csv)
        _check_page(page, as_text=as_json or as_csv)
        paths, left_out = complete_runs(runs)
        for run in left_out:
            typer.echo(f"fastbp: left out {printable(run.folder)} ({run.status}: {run.message})", err=True)
        if page is not None:
            _write_page(page, paths)
            return
        table = compare_runs(paths)
        if as_json:
            print_json(table.to_dict())
        elif as_csv:
            typer.echo(table.to_csv(), nl=False)
        else:
            print_runs(console(), table)


def _check_page(page: Path | None, *, as_text: bool) -> None:
    """Raise ConfigError for a file that is not HTML, or a second format."""
    if page is not None:
        from ..plots import figure_format

        figure_format(page, "--html", ("html",))
        if as_text:
            raise ConfigError("--html excludes --json and --csv; expected one of them")


def _write_page(page: Path, runs: list[Path]) -> None:
    from ..data.source import printable
    from ..files import replace_file
    from ..plots import comparison_html

    replace_file(page, comparison_html(runs))
    typer.echo(printable(page))
