"""``fastbp recipes``: settings by name, and what they reached."""

from __future__ import annotations

from statistics import fmean

from . import options
from .application import app
from .common import console, print_json, reporting

__all__ = ["recipes"]


@app.command()
def recipes(as_json: options.Json = False) -> None:
    """List recipes for fastbp train --recipe, and the accuracies they reached."""
    with reporting():
        from dataclasses import asdict

        from ..recipe.named import available, figures
        from ..terminal.lines import print_line, print_table

        known = figures()
        if as_json:
            print_json({name: asdict(known[name]) if name in known else None for name in available()})
            return
        rows = []
        for name in available():
            if (found := known.get(name)) is None:
                rows.append([name, *["–"] * 6])
                continue
            rows.append(
                [
                    name,
                    f"{100 * found.accuracy:.2f}",
                    f"{100 * found.deviation:.2f}",
                    f"{100 * min(found.accuracies):.2f}",
                    str(len(found.accuracies)),
                    f"{fmean(found.seconds):.3g}",
                    f"{found.cpu}, {found.threads} threads",
                ]
            )
        screen = console()
        heads = ["recipe", "test accuracy, %", "±", "least", "seeds", "seconds", "machine"]
        print_table(screen, heads, rows, drop=(6, 3, 4))
        print_line(screen, "fastbp train --recipe NAME trains one; other options come before its settings")
