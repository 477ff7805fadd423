"""What a terminal shows of a search."""

import io

import pytest
from rich.console import Console

import clusters
from fastbp.sweeps.search import read_search
from fastbp.sweeps.search.report import trials_csv
from fastbp.sweeps.search.study import ERROR, OpenStudy
from fastbp.sweeps.search.view import Lines, Screen, view_for
from searching import SPACE, write

optuna = pytest.importorskip("optuna")
TrialState = optuna.trial.TrialState


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of one trial of each kind: two completed, the others as their state says; one in training."""
    monkeypatch.chdir(tmp_path)
    clusters.write_npz(tmp_path / "clusters.npz")
    search = read_search(write(SPACE + "hidden = [[4], [8, 8]]\n"))
    study = OpenStudy(tmp_path / "study.journal", search, maximizes=True)
    for value in (0.5, 0.75):
        study.end(study.claim(9).number, TrialState.COMPLETE, value)
    study.end(study.claim(9).number, TrialState.PRUNED)
    study.end(study.claim(9).number, TrialState.FAIL)
    failed = study.claim(9)
    failed.set_user_attr(ERROR, "no \x1b[2J good")
    study.end(failed.number, TrialState.FAIL)
    study.claim(9).report(0.625, 3)
    return study


def console(*, is_terminal, width=120):
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=width, height=30, color_system=None)


def test_the_screen_shows_the_best_trial_what_runs_and_the_time_left(study):
    screen = console(is_terminal=True)
    with view_for(screen) as view:
        assert isinstance(view, Screen)
        view.begin(study, 9)
        view.look(study.trials())
    shown = screen.file.getvalue()
    assert "4 of 9 trials finished, of them 1 pruned, 1 failed; time left is not known yet" in shown
    assert "best: trial 1, learning_rate" in shown
    assert "validation accuracy 75.00 %" in shown
    assert "5: learning_rate" in shown
    assert "62.50 %" in shown


def test_a_narrow_terminal_cuts_settings_short_and_no_figure(study):
    screen = console(is_terminal=True, width=36)
    with view_for(screen) as view:
        view.begin(study, 9)
        view.look(study.trials())
    lines = screen.file.getvalue().splitlines()
    assert any(line.split()[-2:] == ["epoch", "accuracy"] for line in lines)
    assert any("5: learn" in line and "…" in line and line.split()[-2:] == ["62.50", "%"] for line in lines)


def test_a_trial_that_is_being_proposed_is_shown_with_what_it_has(study):
    trial = study.study.ask()  # Optuna stores the settings one by one
    trial.suggest_float("learning_rate", 0.25, 0.5, log=True)
    screen = console(is_terminal=True)
    with view_for(screen) as view:
        view.begin(study, 9)
        view.look(study.trials())
    assert f"{trial.number}: learning_rate 0." in screen.file.getvalue()
    study.bury()  # nobody has said that the trial is theirs
    line = trials_csv(study).splitlines()[-1].split(",")
    assert line[:2] == [str(trial.number), "unfinished"]
    assert line[-2:] == ["", ""], "hidden, and no error"


def test_lines_tell_each_trial_once(study):
    out = console(is_terminal=False)
    with view_for(out) as view:
        assert type(view) is Lines
        view.begin(study, 9)
        view.look(study.trials())
        study.end(5, TrialState.COMPLETE, 0.875)
        view.look(study.trials())
        view.look(study.trials())
    first, last = out.file.getvalue().splitlines()
    assert first == "9 trials, 4 of them finished before"
    assert last.startswith("[5/9] trial 5, learning_rate")
    assert "validation accuracy 87.50 %, the best so far; 0:0" in last


def test_how_trials_end_is_said_and_nothing_a_terminal_obeys(study):
    out = console(is_terminal=False)
    view = Lines(out)
    trials = study.trials()
    view.begin(study, 9)
    view._told = set()
    view.look(trials)
    text = out.file.getvalue()
    assert "trial 3: its process ended; another takes its place" in text
    assert "pruned after epoch 0, no figure" in text
    assert "failed, no \\x1b[2J good" in text
    assert "\x1b" not in text
