"""Every block of docs/guide is run, in order, in a folder of its own for each page.

``console`` holds commands after ``$`` and what they print, ``...`` standing for anything; ``python`` is
followed by ``output`` where it prints; ``toml`` is written to the file that its first line names.

Pages of ``MEASURED`` show real runs, filled in by a script. Their numbers differ from one machine to another,
so only the words around them are compared, and one random seed is enough.
"""

import contextlib
import doctest
import io
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.terminal import progress

ROOT = Path(__file__).resolve().parents[2]
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MEASURED = ("assignment",)
NUMBER = re.compile(r"\d[\d,./x-]*|(?<= )\.(?= |$)", re.MULTILINE)  # a dot is a 0 of a confusion matrix
EXTRAS = {
    "estimators": ("sklearn",),
    "export": ("onnx", "onnxruntime"),
    "search": ("optuna",),
}

pytestmark = pytest.mark.skipif(not GUIDE.is_dir(), reason="the guide is not beside the tests")


def lines(text):
    """Without what is only there for the eye: rules, blank lines, spaces at the end."""
    kept = (line.rstrip() for line in text.splitlines())
    return "\n".join(line for line in kept if line.strip(" ─")) + "\n"


def compare(what, found, expected):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    agree = doctest.OutputChecker().check_output(lines(expected), lines(found), flags)
    assert agree, f"{what}\nprinted:\n{found}\nbut the page says:\n{expected}"


def without_numbers(text):
    return NUMBER.sub("#", text)


def run_console(text, shown=str):
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "fastbp", command
        result = CliRunner().invoke(cli.app, arguments)
        assert result.exit_code == 0, (command, result.output, result.exception)
        compare(command, shown(result.stdout), shown(expected))


def run_python(text, names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "block", "exec"), names)
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, tmp_path, monkeypatch):
    for module in EXTRAS.get(page.stem, ()):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    # Pages show runs whose kernels are there. Here they may be compiled first, or loaded on a busy machine.
    monkeypatch.setattr(progress, "COMPILING_AFTER", 3600.0)
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    names = {"__name__": "guide"}
    for i, (kind, text) in enumerate(blocks):
        if kind == "console":
            run_console(text, without_numbers if page.stem in MEASURED else str)
        elif kind == "python":
            shown = blocks[i + 1][1] if i + 1 < len(blocks) and blocks[i + 1][0] == "output" else ""
            compare(text, run_python(text, names), shown)
        elif kind == "toml":
            name = re.match(r"# ([\w-]+\.toml)\n", text)[1]
            if page.stem in MEASURED:
                text = re.sub(r"^seeds = \d+", "seeds = 1", text, flags=re.MULTILINE)
            Path(name).write_text(text, encoding="utf-8")
        else:
            assert kind == "output", f"{page.name}: a block of kind {kind!r}, which nothing runs"


def test_the_readme_runs(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    blocks = [text for kind, text in BLOCK.findall(README.read_text(encoding="utf-8")) if kind == "python"]
    assert len(blocks) == 2
    names = {}
    printed = run_python("".join(blocks), names)
    assert [line[:3] for line in printed.splitlines()] == ["0.9", "0.9"]
    assert names["MLPClassifier"].__module__.startswith("fastbp.")


def test_the_readme_shows_what_training_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, ["train", "--hidden", "8", "--epochs", "1"])
    shape = [re.sub(r"\d[\d,./x-]*", "#", line) for line in result.stdout.splitlines()[-2:]]
    readme = README.read_text(encoding="utf-8")
    [shown] = re.findall(r"^    (epoch .*)\n    (test accuracy .*)$", readme, re.MULTILINE)
    assert [re.sub(r"\d[\d,./x-]*", "#", line) for line in shown] == shape


def test_the_index_lists_every_page():
    index = (GUIDE / "README.md").read_text(encoding="utf-8")
    assert not [page.name for page in PAGES if page.stem != "README" and f"({page.name})" not in index]


def test_a_page_that_is_wrong_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="but the page says"):
        compare("print(1)", run_python("print(1)", {}), "2\n")
    with pytest.raises(AssertionError):
        run_console("$ fastbp data info no-such-file\n")
    train = "$ fastbp train --hidden 8 --epochs 1 --quiet\ntest accuracy 1.5 %, loss 12; "
    run_console(f"{train}trained in 1.2 s; kept in runs/mnist-8-1\n", without_numbers)
    with pytest.raises(AssertionError, match="but the page says"):
        run_console(f"{train}kept in runs/mnist-8-2\n", without_numbers)


@pytest.mark.parametrize("study", ["batches", "starts", "shapes", "criteria"])
def test_the_assignments_tables_are_those_of_its_studies(study):
    """After a change of a study on the page: python docs/assignment.py."""
    page = (GUIDE / "assignment.md").read_text(encoding="utf-8")
    [plan] = re.findall(rf"^```toml\n(# {study}\.toml\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names = [cell["name"] for table in tomllib.loads(plan)["tables"] for cell in table["cells"]]
    written = page.partition(f"<!-- {study}:begin -->")[2].partition(f"<!-- {study}:end -->")[0]
    rows = re.findall(r"^\| (\S.*?) \|", written, re.MULTILINE)
    assert [row for row in rows if row != "---"] == names
