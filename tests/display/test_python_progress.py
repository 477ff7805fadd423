"""Progress of ``fastbp.train``: one line, and none where nobody looks."""

import io
import re
import sys
import types

import pytest
from rich.console import Console

import clusters
import fastbp
from fastbp.callbacks import Callback, ChunkRecord, EpochRecord
from fastbp.display import progress
from fastbp.display.progress import TerminalLine
from fastbp.errors import ConfigError
from fastbp.training.screen import find_screen

FAST = {"hidden": (4,), "epochs": 3, "backend": "numpy"}
NAN = float("nan")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Handle:
    """What IPython's ``display`` returns: one output, which is replaced."""

    def __init__(self, shown):
        self.shown = [shown]

    def update(self, shown):
        self.shown.append(shown)


@pytest.fixture
def notebook(monkeypatch):
    """A kernel of IPython; returns the outputs that were displayed."""
    outputs = []

    def display(shown, *, display_id):
        assert display_id is True
        outputs.append(Handle(shown))
        return outputs[-1]

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return outputs


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def record(epoch, validation=0.95, accuracy=0.9241):
    return EpochRecord(epoch, 0.2514, accuracy, 0.1, validation, 0.2, 0.5, 0.01)


def chunk(epoch, samples):
    return ChunkRecord(epoch, 12, samples, 1000, 0.2514, 0.9241, 0.25)


def test_a_pipe_shows_nothing_unless_asked(capsys):
    data = clusters.arrays(60)
    fastbp.train(data, **FAST)
    fastbp.train(data, **FAST, progress=False)
    assert capsys.readouterr() == ("", "")
    fastbp.train(data, **FAST, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_a_terminal_shows_one_line_that_stays(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert find_screen() == "terminal"
    result = fastbp.train(clusters.arrays(60), **FAST)
    last = plain(screen.getvalue()).replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("epoch 3/3")
    assert f"validation {100 * result.history[-1].validation_accuracy:.2f} %" in last
    before = screen.getvalue()
    fastbp.train(clusters.arrays(60), **FAST, progress=False)
    assert screen.getvalue() == before


def test_a_notebook_shows_one_output_that_is_replaced(notebook, capsys):
    assert find_screen() == "notebook"
    result = fastbp.train(clusters.arrays(60), **FAST)
    assert capsys.readouterr() == ("", "")
    [output] = notebook
    assert len(output.shown) < 10
    last = output.shown[-1]
    assert repr(last).startswith("epoch 3/3  loss ")
    assert f"validation {100 * result.history[-1].validation_accuracy:.2f} %" in repr(last)
    assert '<progress max="3" value="3.000"' in last._repr_html_()
    fastbp.train(clusters.arrays(60), **FAST, progress=False)
    assert len(notebook) == 1


def test_many_short_epochs_do_not_flood(notebook, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
    line = progress.NotebookLine(1000)
    line.on_compile_start()
    line.on_compile_end(0.0)
    for epoch in range(1, 1001):
        now[0] += 0.001
        line.on_chunk(chunk(epoch, 1000))
        line.on_epoch_end(record(epoch))
    line.close()
    [output] = notebook
    assert 8 <= len(output.shown) <= 14
    assert repr(output.shown[-1]).startswith("epoch 1000/1000")


def test_short_epochs_may_be_trained_together():
    line = progress.NotebookLine(1000)
    assert line.epochs_ahead() == 1
    line.on_epoch_end(record(1))
    assert line.epochs_ahead() == 1
    line.on_epoch_end(EpochRecord(2, 1.0, 1.0, 1.0, 1.0, 0.1, 0.001, 0.0))
    assert line.epochs_ahead() == pytest.approx(100)


@pytest.mark.parametrize(("width", "parts"), [(110, 3), (80, 2), (60, 1), (40, 1)])
def test_a_narrow_terminal_shows_less_in_one_row(width, parts, monkeypatch):
    monkeypatch.setattr(progress, "BETWEEN", -1.0)
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, legacy_windows=False)
    line = TerminalLine(screen, 12)
    line.on_compile_start()
    line.on_compile_end(0.0)
    line.on_epoch_end(record(11))
    line.on_chunk(chunk(12, 500))
    line.close()
    rows = plain(screen.file.getvalue()).replace("\r", "\n").split("\n")
    shown = next(row for row in rows if " left" in row)
    assert len(shown.rstrip()) <= width
    found = [name for name in ("loss 0.2514", "training 92.41 %", "validation 95.00 %") if name in shown]
    assert len(found) == parts
    assert shown.startswith("epoch 12/12")
    assert ("━" in shown) == (width >= 58)


def test_figures_that_do_not_exist_are_left_out(notebook):
    line = progress.NotebookLine(12)
    line.on_compile_start()
    line.on_epoch_end(record(12, validation=NAN, accuracy=NAN))
    line.close()
    assert re.fullmatch(r"epoch 12/12  loss 0\.2514  \d+\.\d s", repr(notebook[0].shown[-1]))


def test_a_run_that_fails_leaves_the_terminal_in_order(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")

    class Broken(Callback):
        def on_epoch_end(self, _record):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fastbp.train(clusters.arrays(60), **FAST, callbacks=[Broken()])
    assert sys.stdout is screen  # rich gave it back
    hidden, visible = screen.getvalue().rfind("\x1b[?25l"), screen.getvalue().rfind("\x1b[?25h")
    assert 0 <= hidden < visible


def test_progress_is_a_switch():
    with pytest.raises(ConfigError, match="progress is 'bar'; expected True, False or None"):
        fastbp.train(clusters.arrays(60), **FAST, progress="bar")
    assert "progress" in str(fastbp.train.__signature__)
