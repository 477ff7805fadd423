"""The key of a run: a hash of everything that decides its weights and its test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ..data.builtin import NAMES
from ..recipe.settings import Settings, declarations

__all__ = ["fingerprint", "key_of", "settings_text"]

_PLAIN = Settings()
_DECISIVE = tuple(
    (name, declared.keyed_at_default, getattr(_PLAIN, name))
    for name, declared in declarations().items()
    if declared.changes_weights
)


def key_of(settings: Settings, hash_of: Callable[[Path], str] | None = None) -> str:
    """Return the key of a run: a hash of everything that decides its weights, and of
    what it is tested on.

    The number of threads does not change the weights and is not part of the key.
    Settings that are newer than stored results are part of it only if they differ from
    their default. ``hash_of`` stands for `fingerprint` where many keys are asked for.
    """
    files = _contents(settings, hash_of or fingerprint)
    text = settings_text(settings) + (json.dumps(files, sort_keys=True) if files else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_text(settings: Settings) -> str:
    """Return the settings that decide the weights, as one line of JSON."""
    decisive = {}
    for name, is_always_kept, default in _DECISIVE:
        value = getattr(settings, name)
        if is_always_kept or value != default:
            decisive[name] = value
    return json.dumps(decisive, sort_keys=True)


def fingerprint(path: Path) -> str:
    """Return a hash of the contents of a file, or of a folder with all folders in it;
    empty if it does not exist.
    """
    if path.is_dir():
        files = (entry for entry in sorted(path.rglob("*")) if entry.is_file())
        parts = [f"{entry.relative_to(path).as_posix()} {fingerprint(entry)}" for entry in files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    try:
        state = path.stat()
    except OSError:
        return ""
    return _hash_of(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1 << 17)  # images of a folder are a file each
def _hash_of(path: Path, _changed: int, _size: int) -> str:
    """Hash a file; the cache avoids reading it for every run."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return ""


def _contents(settings: Settings, hash_of: Callable[[Path], str]) -> dict[str, str]:
    """Return hashes of the files in the settings: paths do not tell contents."""
    named = {}
    if settings.data not in NAMES:
        named["data_sha256"] = hash_of(Path(settings.data))
    if settings.test:
        named["test_sha256"] = hash_of(Path(settings.test))
    if settings.augment.endswith(".toml"):
        named["augment_sha256"] = hash_of(Path(settings.augment))
    return named
