"""The live view: dots where the values are, axes, narrow screens, and how often it is drawn."""

import io
import math

import pytest
from rich.console import Console

from fastbp.callbacks import ChunkRecord, EpochRecord
from fastbp.terminal import live
from fastbp.terminal.live import BRAILLE, DOTS, LABEL, Curve, LiveCurves, draw_curves
from fastbp.terminal.progress import show_progress


def dots_of(lines):
    """Where dots are, in dots from the left and from the top, read off the characters."""
    found = set()
    for row, line in enumerate(lines[:-1]):
        for column, character in enumerate(line.plain[LABEL + 1 :]):
            code = ord(character) - BRAILLE
            if 0 < code < 256:
                found |= {
                    (2 * column + x, 4 * row + y) for y in range(4) for x in range(2) if code & DOTS[y][x]
                }
    return found


def test_a_straight_line_goes_from_corner_to_corner():
    lines = draw_curves([Curve("", [1.0, 2.0])], 2, LABEL + 1 + 10, 5, log=False)
    assert len(lines) == 6
    assert dots_of(lines) == {(x, 19 - x) for x in range(20)}
    assert [lines[0].plain[:LABEL].strip(), lines[4].plain[:LABEL].strip()] == ["2", "1"]
    assert lines[5].plain.split() == ["1", "epoch", "2"]


def test_a_logarithmic_axis_where_losses_span_much():
    curve = [Curve("", [100.0, 10.0, 1.0])]
    straight = {(x, x) for x in range(16)}
    assert dots_of(draw_curves(curve, 3, LABEL + 1 + 8, 4, log=True)) == straight
    assert dots_of(draw_curves(curve, 3, LABEL + 1 + 8, 4, log=False)) != straight
    nearby = [Curve("", [19.0, 1.0])]
    assert dots_of(draw_curves(nearby, 2, 30, 4, log=True)) == dots_of(
        draw_curves(nearby, 2, 30, 4, log=False)
    )


@pytest.mark.parametrize(
    "series", [[], [math.nan], [1.0], [0.0, 0.0], [1.0, math.nan, 2.0], [1.0, math.inf], [-1.0, 50.0]]
)
@pytest.mark.parametrize("width", [1, 20, 81])
@pytest.mark.parametrize("epochs", [3, 500])
def test_odd_curves_are_drawn(series, width, epochs):
    lines = draw_curves([Curve("", series)], epochs, width, 3, log=True)
    finite = sum(map(math.isfinite, series))
    assert bool(dots_of(lines)) == bool(finite)


def test_curves_differ_without_colour():
    values = [3.0, 1.0, 2.0]
    full, dotted = (draw_curves([Curve("", values, dotted)], 3, 60, 8, log=False) for dotted in (False, True))
    assert dots_of(dotted) < dots_of(full)
    assert len(dots_of(dotted)) == pytest.approx(len(dots_of(full)) / 3, abs=2)


def test_the_first_epoch_is_cut_off_where_it_would_squeeze_the_rest():
    lines = draw_curves([Curve("", [10.0, 96.0, 97.0, 98.0, 98.5])], 5, LABEL + 1 + 10, 6, log=False)
    assert [lines[0].plain[:LABEL].strip(), lines[5].plain[:LABEL].strip()] == ["98.5", "<94.75"]
    assert (0, 23) in dots_of(lines)
    assert (19, 0) in dots_of(lines)


def test_the_status_line(monkeypatch):
    now = 100.0
    monkeypatch.setattr(live, "perf_counter", lambda: now)
    curves = LiveCurves(Console(file=io.StringIO(), force_terminal=True, width=100, height=50), 4)
    curves.on_compile_end(0.1)
    now += 10
    curves.on_chunk(ChunkRecord(1, 4, 10, 20, 0.5, 0.5, 0.05))
    assert curves._state == "epoch 1/4, 12%; loss 0.5000; 1:10 left; 200 samples/s"
    curves.on_epoch_end(record(1))
    now += 1
    curves.on_chunk(ChunkRecord(2, 4, 20, 20, 0.5, 0.5, 0.05))
    assert curves._state.startswith("epoch 2/4, 50%; loss 0.5000; validation 60.00 %; 0:11 left")


def record(epoch, **changes):
    values = {"train_loss": 1 / epoch, "validation_loss": 1.5 / epoch, **changes}
    return EpochRecord(epoch, values["train_loss"], 0.5, values["validation_loss"], 0.6, 0.1, 1.0, 0.1)


@pytest.mark.parametrize("width", [40, 80, 99, 100, 160])
def test_no_line_is_wider_than_the_screen(width):
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=50)
    curves = LiveCurves(console, 5)
    for epoch in range(1, 4):
        curves._records.append(record(epoch))
    with console.capture() as capture:
        console.print(curves._draw(), no_wrap=True)
    lines = Console(width=width).render_str(capture.get()).plain
    from rich.text import Text

    rows = [Text.from_ansi(line).plain for line in capture.get().splitlines()]
    assert lines
    assert max(map(len, rows)) <= width
    both = [row for row in rows if "loss, nats" in row and "accuracy, %" in row]
    assert bool(both) == (width >= live.SIDE_BY_SIDE)


def test_it_draws_twice_a_second_at_most_and_at_the_end(monkeypatch):
    now = 100.0
    monkeypatch.setattr(live, "perf_counter", lambda: now)
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=50)
    curves = LiveCurves(console, 50)
    drawn = []
    monkeypatch.setattr(curves.live, "refresh", lambda: drawn.append(now))
    curves.on_compile_start()
    curves.on_compile_end(0.1)
    drawn.clear()
    for epoch in range(1, 50):
        now += 0.1
        curves.on_chunk(ChunkRecord(epoch, 50, 10, 20, 0.5, 0.5, 0.05))
        curves.on_epoch_end(record(epoch))
    assert len(drawn) <= 4.9 / 0.5
    before = len(drawn)
    curves.on_epoch_end(record(50))
    assert len(drawn) == before + 1


def test_the_last_drawing_has_every_epoch():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=50)
    with show_progress(console, 2, live=True) as progress:
        assert isinstance(progress, LiveCurves)
        progress.on_epoch_end(record(1))
        progress.on_epoch_end(record(2))
    assert "epoch 2/2; loss 0.5000; validation 60.00 %" in stream.getvalue()


def test_without_a_terminal_there_are_lines():
    stream = io.StringIO()
    with show_progress(Console(file=stream, width=80), 1, live=True) as progress:
        progress.on_epoch_end(record(1))
    assert stream.getvalue().startswith("epoch 1/1  loss 1.0000")
