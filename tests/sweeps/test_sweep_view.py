"""What a terminal shows of a sweep."""

import io

from rich.console import Console

from fastbp.sweeps.runner import Running
from fastbp.sweeps.view import Screen, view_for

LABEL = "learning_rate 0.2, optimizer momentum:0.8, hidden 200,100, batch_size 16"


def test_a_narrow_terminal_cuts_settings_short_and_no_figure():
    console = Console(file=io.StringIO(), force_terminal=True, width=60, height=30, color_system=None)
    with view_for(console) as view:
        assert isinstance(view, Screen)
        view.begin(12, 3)
        view.look([Running(LABEL, 4, 3.5, 12, 62.0, "here")])
    lines = console.file.getvalue().splitlines()
    (head,) = {line.strip() for line in lines if "in training" in line}
    (row,) = {line.strip() for line in lines if "learning_rate 0.2" in line}
    assert head.split() == ["in", "training", "seed", "epoch", "time"]
    assert row.startswith("learning_rate 0.2, optimizer momentum")
    assert row.split()[-3:] == ["4", "3.5/12", "1:02"]
    assert "…" in row
