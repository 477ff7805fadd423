"""Mistakes in names get a suggestion; what is not a file is refused instead of waited for."""

import os
import re
import threading

import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.network import Network


def mistake(*arguments):
    result = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert result.exit_code == 2, (result.stdout, result.stderr)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("arguments", "suggested"),
    [
        (["export", "a.safetensors", "--to", "torchh"], "torch"),
        (["plot", "run", "--kind", "confusions"], "confusion"),
        (["study", "initialisation"], "initialization"),
        (["data", "download", "fashion_mnist"], "fashion-mnist"),
        (["train", "--log", "tensorbord"], "tensorboard"),
    ],
)
def test_a_name_that_is_nearly_right_gets_a_suggestion(tmp_path, monkeypatch, arguments, suggested):
    monkeypatch.chdir(tmp_path)
    Network((4, 2)).save(tmp_path / "a.safetensors")
    assert mistake(*arguments).endswith(f"; did you mean {suggested}?\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--epochs", 0, "--config", "pipe.toml"],
        ["train", "--epochs", 0, "--augment", "pipe.toml"],
        ["study", "pipe.toml"],
    ],
    ids=["config", "augment", "study"],
)
def test_a_pipe_is_refused(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.toml")
    # Whoever opens the pipe all the same finds it empty, instead of waiting for ever.
    threading.Thread(target=lambda: open("pipe.toml", "w").close(), daemon=True).start()
    assert "pipe.toml: cannot be read (not a regular file)" in mistake(*arguments)


def test_errors_name_a_path_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["train", "--data"], ["data", "info"], ["augment", "--data"]):
        assert mistake(*command, "nope.csv").startswith("fastbp: error: nope.csv: found no such file")


def test_a_column_of_one_letter_is_not_what_a_word_that_begins_with_it_means(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("c,colour\n1,red\n2,blue\n3,red\n")
    assert mistake("train", "--data", "table.csv", "--target", "color").endswith("; did you mean colour?\n")
