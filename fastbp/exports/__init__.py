"""Networks for other programs: a module a format, all of them in `FORMATS`; see
``fastbp export``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ..errors import ConfigError, did_you_mean
from ..files import replace_file
from . import c_header, npz_archive, numpy_script, onnx_graph, torch_module
from .format import Format

__all__ = ["FORMATS", "export"]

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "onnx": onnx_graph.FORMAT,
        "npz": npz_archive.FORMAT,
        "torch": torch_module.FORMAT,
        "c": c_header.FORMAT,
        "numpy": numpy_script.FORMAT,
    }
)

ALIASES = {"pytorch": "torch", "np": "numpy"}
"""Other names of formats."""


def export(
    weights: str | os.PathLike[str], to: str, out: str | os.PathLike[str] | None = None
) -> tuple[Path, ...]:
    """Write a network for other programs; files of these names are replaced.

    Parameters
    ----------
    weights : a run folder or a safetensors file
    to : a name in `FORMATS`
    out : file to write, with a suffix of the format; a format of several files writes
        the others beside it. None for ``network`` with the format's suffix in the run's
        folder, or the weights file's name with it.

    Returns
    -------
    the files that were written, the one to open first before the others

    Raises
    ------
    WeightsError : the weights are missing or damaged
    ConfigError : the format is not known, ``out`` does not fit it, or is the weights
        file itself
    FastbpError : a file cannot be written, or an extra that the format needs is missing
    """
    from ..runs.folder import WEIGHTS, load_network

    to = ALIASES.get(to, to)
    if to not in FORMATS:
        raise ConfigError(f"--to is {to!r}; expected one of: {', '.join(FORMATS)}{did_you_mean(to, FORMATS)}")
    source, form = Path(weights), FORMATS[to]
    target = _default(source, form) if out is None else _checked(Path(out), to)
    targets = {suffix: target.with_suffix(suffix) for suffix in form.suffixes}
    network = load_network(source)
    own = os.path.realpath(source / WEIGHTS if source.is_dir() else source)
    if any(os.path.realpath(path) == own for path in targets.values()):
        raise ConfigError(f"{target}: would replace the weights themselves; expected another --out")
    for suffix, content in form.build(network, target.stem).items():
        replace_file(targets[suffix], content)
    return tuple(targets.values())


def _default(source: Path, form: Format) -> Path:
    """Return where to write: a name that Python can import, too."""
    folder, name = (source, "network") if source.is_dir() else (source.parent, source.stem)
    stem = re.sub(r"\W+", "_", name) + form.ending
    return folder / f"{stem}{form.suffixes[0]}"


def _checked(out: Path, to: str) -> Path:
    suffixes = FORMATS[to].suffixes
    if out.suffix not in suffixes:
        found = f"ends in {out.suffix}" if out.suffix else "has no suffix"
        raise ConfigError(f"{out}: {found}; expected {' or '.join(suffixes)} for --to {to}")
    return out
