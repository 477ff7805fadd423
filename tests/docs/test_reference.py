"""Docstrings of the public names, as the site's Python reference shows them."""

import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

import fastbp

ROOT = Path(__file__).resolve().parents[2]
LINE = 88
NAMES = [name for name in fastbp.__all__ if not name.startswith("__")]


def members(name):
    """A public name with its public methods and properties, by dotted name."""
    value = getattr(fastbp, name)
    yield name, value
    if inspect.isclass(value):
        for key, member in vars(value).items():
            function = getattr(getattr(member, "__func__", member), "fget", None) or member
            if not key.startswith("_") and (callable(function) or isinstance(member, property)):
                yield f"{name}.{key}", function


def sections(text):
    """Headings and bodies of numpydoc's sections."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def faults(text):
    """What numpydoc would not read, or a reader would have to scroll for."""
    found = [line for line in text.splitlines() if len(line) > LINE]
    for heading, body in sections(text):
        entries = [line for line in body.splitlines() if line and not line.startswith(" ")]
        if heading == "Raises":
            found += [line for line in entries if not re.fullmatch(r"\w+", line)]
        elif heading in ("Parameters", "Attributes"):
            found += [line for line in entries if not re.fullmatch(r"\**\w+(, \w+)*( : .{1,70})?", line)]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_read_as_numpydoc(name):
    for path, value in members(name):
        text = inspect.getdoc(value)
        assert text, path
        assert not faults(text), path


def test_the_reference_has_every_public_name():
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: fastbp\.[\w.]*?(\w+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(NAMES)


def test_faults_are_found():
    assert faults("x" * 89)
    assert faults("Do it.\n\nRaises\n------\nConfigError : a value is out of its range\n")
    assert faults("Do it.\n\nParameters\n----------\nsizes : " + "x" * 71 + "\n")
    assert not faults(
        "Do it.\n\nParameters\n----------\na, b : int\n    Two.\n\nRaises\n------\nConfigError\n    No.\n"
    )
