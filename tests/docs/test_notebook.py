"""The notebook of the guide runs, cell by cell; the site shows what it prints."""

import contextlib
import io
import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastbp import cli

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "guide" / "notebook.ipynb"

pytestmark = pytest.mark.skipif(not NOTEBOOK.exists(), reason="docs/ is not beside the tests")


def cells():
    return [
        cell
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]


def test_it_is_kept_without_outputs():
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells())


def test_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells():
            lines = "".join(cell["source"]).splitlines()
            exec("\n".join(line for line in lines if not line.startswith("!")), names)
            for line in lines:
                if line.startswith("!"):
                    program, *arguments = shlex.split(line[1:])
                    assert program == "fastbp"
                    result = CliRunner().invoke(cli.app, arguments)
                    assert result.exit_code == 0, result.output
    assert names["result"].test_accuracy > 0.9
    assert names["of_flowers"].history[-1].validation_accuracy > 0.9
    assert [names["of_flowers"].network.output_names[row.argmax()] for row in names["chances"]] == [
        "iris",
        "tulip",
    ]
    assert {"page.html", "runs"} <= {path.name for path in tmp_path.iterdir()}
