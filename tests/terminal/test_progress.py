"""What is shown while a network learns: in a terminal of any width, and elsewhere."""

import io
import re
import time

import pytest
from rich.console import Console

from fastbp.callbacks import ChunkRecord, EpochRecord
from fastbp.terminal import progress
from fastbp.terminal.numbers import duration
from fastbp.terminal.progress import BarProgress, LineProgress, show_progress

NAN = float("nan")


def console(width=80, terminal=True):
    return Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, legacy_windows=False
    )


def record(epoch, validation=0.95):
    loss = 0.1 if validation == validation else validation  # NaN too
    return EpochRecord(epoch, 0.2514, 0.9241, loss, validation, 0.2, 0.5, 0.01)


def chunk(epoch, samples, epochs=12):
    return ChunkRecord(epoch, epochs, samples, 54_000, 0.2514, 0.9241, 0.25)


def play(callback, compile_seconds=0.0, wait=0.0, validation=0.95, epochs=12):
    callback.on_compile_start()
    time.sleep(wait)
    callback.on_compile_end(compile_seconds)
    for epoch in (1, 2):
        callback.on_chunk(chunk(epoch, 27_000, epochs))
        callback.on_chunk(chunk(epoch, 54_000, epochs))
        callback.on_epoch_end(record(epoch, validation))


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def shown_in_terminal(width, **how):
    screen = console(width)
    with show_progress(screen, 12) as bar:
        assert isinstance(bar, BarProgress)
        play(bar, **how)
        bar.live.refresh()
    return plain(screen.file.getvalue())


def test_pipe_gets_one_whole_line_an_epoch():
    screen = console(width=20, terminal=False)
    with show_progress(screen, 12) as lines:
        assert isinstance(lines, LineProgress)
        play(lines)
    assert screen.file.getvalue().splitlines() == [
        f"epoch {epoch:2}/12  loss 0.2514  training 92.41 %  validation 95.00 %  108,000 samples/s  0.50 s"
        for epoch in (1, 2)
    ]


def test_without_validation_nothing_is_said_of_it():
    screen = console(terminal=False)
    with show_progress(screen, 12) as lines:
        play(lines, validation=NAN)
    assert "valid" not in screen.file.getvalue()
    assert "nan" not in screen.file.getvalue() + shown_in_terminal(120, validation=NAN)


def test_quiet_says_nothing():
    screen = console()
    with show_progress(screen, 12, quiet=True) as nothing:
        play(nothing, compile_seconds=9.0)
    assert screen.file.getvalue() == ""


def test_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with show_progress(console(), 12) as callback:
        assert isinstance(callback, LineProgress)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_terminal_shows_rows_and_a_bar_that_fit(width):
    lines = re.split(r"[\r\n]+", shown_in_terminal(width))
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    assert re.search(r"epoch +loss +train +valid", text)
    assert re.search(r"1/12 +0\.2514 +92\.41 % +95\.00 %", text)
    assert re.search(r"epoch 2/12 .* 17 % .*loss 0\.2514 .*\d:\d\d left", text)
    assert ("108,000" in text) == (width >= 60)
    assert bool(re.search(r"epoch 2/12.*train 92\.41 %", text)) == (width >= 80)
    assert bool(re.search(r"epoch 2/12.*valid 95\.00 %", text)) == (width >= 100)
    assert bool(re.search(r"epoch 2/12.*216,000/s", text)) == (width >= 80)


@pytest.mark.parametrize("terminal", [True, False])
def test_compiling_is_announced_when_it_takes_long(monkeypatch, terminal):
    monkeypatch.setattr(progress, "COMPILING_AFTER", 0.02)
    screen = console(terminal=terminal)
    with show_progress(screen, 12) as callback:
        play(callback, compile_seconds=0.3, wait=0.3)
    text = plain(screen.file.getvalue())
    assert (
        text.index("compiling kernels (once)") < text.index("kernels ready after 0.3 s") < text.index("1/12")
    )


def test_a_terminal_shows_how_long_compiling_has_taken(monkeypatch):
    monkeypatch.setattr(progress, "COMPILING_AFTER", 0.02)
    monkeypatch.setattr(progress, "TICK", 0.02)
    monkeypatch.setattr(progress, "perf_counter", iter(range(0, 1000, 7)).__next__)
    shown = []
    stopwatch = progress.Stopwatch(shown.append)
    while len(shown) < 3:
        time.sleep(0.01)
    stopwatch.stop()
    assert shown[:3] == [f"compiling kernels (once), {seconds} s" for seconds in (7, 14, 21)]
    count = len(shown)
    time.sleep(0.1)
    assert len(shown) == count


@pytest.mark.parametrize("terminal", [True, False])
def test_compiling_is_not_announced_when_it_is_quick(monkeypatch, terminal):
    monkeypatch.setattr(progress, "COMPILING_AFTER", 0.1)
    screen = console(terminal=terminal)
    with show_progress(screen, 12) as callback:
        play(callback, compile_seconds=0.05)
        time.sleep(0.3)  # not later either
    assert "kernels" not in plain(screen.file.getvalue())


def fail_while_compiling(screen):
    with show_progress(screen, 12) as callback:
        callback.on_compile_start()
        raise ZeroDivisionError


def test_nothing_is_said_after_a_failure(monkeypatch):
    monkeypatch.setattr(progress, "COMPILING_AFTER", 0.05)
    screen = console(terminal=False)
    with pytest.raises(ZeroDivisionError):
        fail_while_compiling(screen)
    time.sleep(0.15)
    assert screen.file.getvalue() == ""


def test_no_epochs_show_no_table():
    screen = console()
    with show_progress(screen, 0) as callback:
        callback.on_compile_start()
        callback.on_compile_end(0.0)
    assert "epoch" not in plain(screen.file.getvalue())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599, "59:59"), (3725, "1:02:05")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
