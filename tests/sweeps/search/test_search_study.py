"""The trials of a study: who makes the next one, which have died, how many count."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import clusters
from fastbp.errors import ConfigError
from fastbp.sweeps.search import read_search
from fastbp.sweeps.search import study as module
from fastbp.sweeps.search.study import ERROR, PROCESS, SEEN, OpenStudy, state_of, varied_of
from searching import SPACE, write

optuna = pytest.importorskip("optuna")
TrialState = optuna.trial.TrialState
PATH = Path("study.journal")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clusters.write_npz(tmp_path / "clusters.npz")


def opened(text=SPACE):
    return OpenStudy(PATH, read_search(write(text)), maximizes=True)


def test_a_trial_is_claimed_ended_and_counted():
    study = opened()
    trial = study.claim(1)
    assert study.counts().running == 1
    assert study.claim(1) is None, "the last one is being made"
    assert study.end(trial.number, TrialState.COMPLETE, 0.5)
    assert not study.end(trial.number, TrialState.COMPLETE, 0.6), "it has ended"
    assert (study.counts().finished, study.best().value) == (1, 0.5)
    assert study.claim(1) is None
    assert study.claim(2) is not None


def test_what_counts():
    study = opened()
    for state, attribute in [
        (TrialState.COMPLETE, None),
        (TrialState.PRUNED, None),
        (TrialState.PRUNED, "diverged"),
        (TrialState.FAIL, ERROR),
        (TrialState.FAIL, None),
    ]:
        trial = study.claim(99)
        if attribute:
            trial.set_user_attr(attribute, "why")
        study.end(trial.number, state, 0.5 if state == TrialState.COMPLETE else None)
    states = [state_of(trial) for trial in study.trials()]
    assert states == ["completed", "pruned", "diverged", "failed", "unfinished"]
    assert study.counts().finished == 4, "one whose process died does not count"


def test_the_better_of_equals_has_the_lower_loss():
    study = opened()
    for loss in (0.5, 0.3, 0.4):
        trial = study.claim(9)
        trial.set_user_attr("figures", {"loss": loss})
        study.end(trial.number, TrialState.COMPLETE, 0.9)
    assert study.best().number == 1


def test_a_trial_whose_process_has_died_is_made_up_for():
    script = (
        "import os, signal; from pathlib import Path; from fastbp.sweeps.search import read_search; "
        "from fastbp.sweeps.search.study import OpenStudy; "
        "search = read_search(Path('space.toml')); "
        "OpenStudy(Path('study.journal'), search, maximizes=True).claim(1); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    study = opened()
    subprocess.run([sys.executable, "-c", script])
    assert study.counts().running == 1
    assert study.claim(1).number == 1
    assert [state_of(trial) for trial in study.trials()] == ["unfinished", "running"]


def test_a_process_that_dies_before_it_says_who_it_is_is_dead():
    study = opened()
    study.study.ask()
    assert study.claim(1).number == 1


def test_the_number_of_a_dead_process_may_be_another_ones():
    study = opened()
    trial = study.claim(1)
    trial.set_user_attr(PROCESS, {**trial.user_attrs[PROCESS], "start": 1})
    assert study.claim(1).number == 1


@pytest.mark.parametrize("seen", [None, "began", "beat"])
def test_a_process_elsewhere_lives_as_long_as_it_gives_signs(seen):
    study = opened()
    trial = study.claim(1)
    now = time.time()
    old = now - module.SILENCE - 1
    trial.set_user_attr(
        PROCESS,
        {"pid": os.getpid(), "host": "elsewhere", "start": 1, "began": now if seen == "began" else old},
    )
    if seen == "beat":
        trial.set_user_attr(SEEN, now)
    assert (study.claim(1) is None) == (seen is not None)


def test_no_two_trials_have_the_same_draws():
    """Not even those that are drawn before any has ended, by whichever process."""
    first = opened()
    second = OpenStudy(PATH, first.search, maximizes=True)
    rates = [study.claim(9).params["learning_rate"] for study in (first, second, first, second)]
    assert len(set(rates)) == 4
    PATH.unlink()
    again = opened()
    assert [again.claim(9).params["learning_rate"] for _ in range(4)] == rates, "a draw repeats itself"


def test_settings_come_back_as_they_were_written():
    text = SPACE + "hidden = [[8], [16, 16], []]\noptimizer = ['sgd', 'adam']\nbatch_norm = [true, false]\n"
    study = opened(text + "batch_size = { low = 4, high = 64, log = true }\n")
    found = [varied_of(study.search, study.claim(40).params) for _ in range(40)]
    assert {str(varied["hidden"]) for varied in found} == {"[8]", "[16, 16]", "[]"}
    assert {varied["batch_norm"] for varied in found} == {True, False}
    for varied in found:
        assert type(varied["batch_size"]) is int
        assert 4 <= varied["batch_size"] <= 64
        assert varied["learning_rate"] == float(f"{varied['learning_rate']:.6g}")
        study.search.settings(varied, "images")


def test_a_study_of_another_search_is_refused():
    opened().sign()
    opened().sign()
    other = opened(SPACE.replace("1e-6", "1e-5"))
    with pytest.raises(
        ConfigError, match=r"study.journal: study of another search \(other space\); expected"
    ):
        other.sign()
    with pytest.raises(ConfigError, match="other settings, space"):
        opened("[space]\nl2 = [0.1, 0.2]\n[settings]\ndata = 'clusters.npz'\n").sign()


def test_a_study_of_somebody_else_is_refused():
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(PATH)))
    study = optuna.create_study(storage=storage, study_name="fastbp", direction="maximize")
    study.tell(study.ask(), 1.0)
    with pytest.raises(ConfigError, match="study of another search"):
        opened().sign()


def test_optuna_is_quiet(capfd):
    study = opened()
    trial = study.claim(1)
    trial.report(0.5, 1)
    trial.should_prune()
    study.end(trial.number, TrialState.COMPLETE, 0.5)
    assert capfd.readouterr() == ("", "")


RACER = """
import sys
from pathlib import Path
from optuna.trial import TrialState
from fastbp.sweeps.search import read_search
from fastbp.sweeps.search.study import OpenStudy
study = OpenStudy(Path("study.journal"), read_search(Path("space.toml")), maximizes=True)
study.sign()
print("ready", flush=True)
sys.stdin.readline()
while study.counts().finished < 60:
    trial = study.claim(60)
    if trial is not None:
        trial.report(0.5, 1)
        study.end(trial.number, TrialState.COMPLETE, trial.params["learning_rate"])
        print(trial.number)
"""


def test_four_processes_race_for_the_trials_of_a_study():
    write()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=120)[0] for racer in racers]
    assert not any(racer.returncode for racer in racers)
    made = [int(line) for text in said for line in text.split()]
    assert sorted(made) == list(range(60)), "each trial was made once"
    assert sum(bool(text) for text in said) > 1, "one process made them all"
    trials = opened().trials()
    assert Counter(state_of(trial) for trial in trials) == {"completed": 60}
    assert len({trial.params["learning_rate"] for trial in trials}) == 60
    assert all(trial.value == trial.params["learning_rate"] for trial in trials)
