"""Every block of docs/guide is run, in order, in a folder of its own for each page.

``console`` holds commands after ``$`` and what they print, ``...`` standing for anything; ``python`` is
followed by ``output`` where it prints; ``toml`` is written to the file that its first line names.
"""

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastbp import cli

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXTRAS = {
    "draw": ("PIL",),
    "estimators": ("sklearn",),
    "export": ("onnx", "onnxruntime"),
}  # beside matplotlib

pytestmark = pytest.mark.skipif(not GUIDE.is_dir(), reason="the guide is not beside the tests")


def lines(text):
    """Without what is only there for the eye: rules, blank lines, spaces at the end."""
    kept = (line.rstrip() for line in text.splitlines())
    return "\n".join(line for line in kept if line.strip(" ─")) + "\n"


def compare(what, found, expected):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    agree = doctest.OutputChecker().check_output(lines(expected), lines(found), flags)
    assert agree, f"{what}\nprinted:\n{found}\nbut the page says:\n{expected}"


def run_console(text):
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "fastbp", command
        result = CliRunner().invoke(cli.app, arguments)
        assert result.exit_code == 0, (command, result.output, result.exception)
        compare(command, result.stdout, expected)


def run_python(text, names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "block", "exec"), names)
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, tmp_path, monkeypatch):
    for module in ("matplotlib", *EXTRAS.get(page.stem, ())):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    names = {"__name__": "guide"}
    for i, (kind, text) in enumerate(blocks):
        if kind == "console":
            run_console(text)
        elif kind == "python":
            shown = blocks[i + 1][1] if i + 1 < len(blocks) and blocks[i + 1][0] == "output" else ""
            compare(text, run_python(text, names), shown)
        elif kind == "toml":
            name = re.match(r"# ([\w-]+\.toml)\n", text)[1]
            Path(name).write_text(text, encoding="utf-8")
        else:
            assert kind == "output", f"{page.name}: a block of kind {kind!r}, which nothing runs"


def test_pages_and_links():
    index = (GUIDE / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.stem != "README" and f"({page.name})" not in index] == []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_page_that_is_wrong_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="but the page says"):
        compare("print(1)", run_python("print(1)", {}), "2\n")
    with pytest.raises(AssertionError):
        run_console("$ fastbp data info no-such-file\n")
