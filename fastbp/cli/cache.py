"""``fastbp cache``: the compiled kernels that are kept on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import ConfigError
from . import options
from .application import app
from .common import console, print_json, reporting

if TYPE_CHECKING:
    from fastbp_kernels.cache import Version

__all__ = ["cache"]

cache = typer.Typer(
    help="Show or clear the compiled kernels that are kept on the disk.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cache, name="cache")


@cache.command("info")
def info(as_json: options.Json = False) -> None:
    """Show where compiled kernels are kept, for which versions, and how large they are.

    A version is one of fastbp, Numba and Python, for one kind of CPU. The eight
    versions used last are kept, up to 256 MB in all. FASTBP_CACHE_DIR names another
    folder.
    """
    with reporting(), _folder() as folder:
        from fastbp_kernels import cache_folder
        from fastbp_kernels.cache import versions

        used_now, found = cache_folder(), versions(folder)
        current = used_now.name if used_now else ""
        if as_json:
            rows = [{**_row(version), "current": version.folder.name == current} for version in found]
            print_json({"folder": str(folder), "bytes": _size(found), "versions": rows})
        else:
            _print(folder, found, current)


@cache.command("clear")
def clear() -> None:
    """Remove all compiled kernels. The next run compiles again what it needs."""
    with reporting(), _folder() as folder:
        from fastbp_kernels.cache import clear as clear_folder

        from ..data.source import printable

        gone = clear_folder(folder)
        typer.echo(f"{printable(folder)}: removed {_amount(gone)}")


@contextmanager
def _folder() -> Iterator[Path]:
    """Import the kernels, and yield the folder that they are kept in."""
    from ..backends.base import importing_kernels

    with importing_kernels():
        from fastbp_kernels.cache import user_folder

        folder = user_folder()
        if folder is None:
            raise ConfigError(
                "compiled kernels are not kept, because you have no home folder; set FASTBP_CACHE_DIR to a "
                "folder of your own"
            )
        yield folder


def _size(found: Sequence[Version]) -> int:
    return sum(version.size for version in found)


def _amount(found: Sequence[Version]) -> str:
    """Return how much there is in some versions."""
    entries = sum(version.entries for version in found)
    counts = ((len(found), "version", "versions"), (entries, "entry", "entries"))
    texts = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts]
    return f"{texts[0]}, {texts[1]}, {_size(found) / 1e6:.1f} MB"


def _row(version: Version) -> dict[str, Any]:
    used = datetime.fromtimestamp(version.used).astimezone().isoformat(timespec="seconds")
    return {"name": version.folder.name, "entries": version.entries, "bytes": version.size, "last_used": used}


def _print(folder: Path, found: Sequence[Version], current: str) -> None:
    from ..data.source import printable
    from ..terminal.lines import print_line, print_table

    screen = console()
    print_line(screen, f"{printable(folder)}: {_amount(found)}")
    if found:
        rows = [
            (
                row["name"],
                "yes" if row["name"] == current else "",
                f"{row['entries']:,}",
                f"{row['bytes'] / 1e6:.1f}",
                row["last_used"].replace("T", " ")[:16],
            )
            for row in map(_row, found)
        ]
        print_table(screen, ("version", "current", "entries", "MB", "last used"), rows)
