"""Writes docs/guide/settings.md from the declarations of settings: ``python docs/settings_table.py``."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from fastbp.recipe.checks import format_hidden
from fastbp.recipe.defaults import IMAGES
from fastbp.recipe.setting import GROUPS
from fastbp.recipe.settings import Settings, declarations

PAGE = Path(__file__).resolve().parent / "guide" / "settings.md"

HEAD = """# All settings

Every setting of a training run. On the command line a setting is an option with dashes
(`--batch-size 64`), in a TOML file and in `fastbp.train` a name with underscores
(`batch_size = 64`). `fastbp train --config FILE` reads such a file, and a run folder's
`config.toml` is one. Defaults are those for images;
[tables](tables.md) have others.

This page is written by `python docs/settings_table.py` from the declarations in
`fastbp/recipe/settings.py`.
"""


def text() -> str:
    """Return the page: a table for each group of settings."""
    defaults = {field.name: field.default for field in fields(Settings)} | dict(IMAGES)
    lines = [HEAD]
    for group in GROUPS:
        lines += [f"## {group}", "", "| setting | default | accepts | what it does | since |"]
        lines.append("|---|---|---|---|---|")
        for name, declared in declarations().items():
            if declared.group == group:
                cells = [f"`{name}`", f"`{_shown(defaults[name])}`", _cell(declared.check.expected)]
                cells += [_cell(declared.help), declared.since]
                lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    fixed = [f"`{name}`" for name, declared in declarations().items() if not declared.changes_weights]
    lines.append(f"These settings never change the weights: {', '.join(fixed)}.")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return format_hidden(default) if isinstance(default, tuple) else str(default)


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")
