"""``fastbp train --watch``: a run, followed from beginning to end by a real client."""

import json
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.cli import train as command
from fastbp.pages import watch as module
from fastbp.pages.watch import follower as following
from fastbp.pages.watch import watched
from fastbp.recipe.settings import Settings
from fastbp.training.experiment import run as run_training
from hostile import HOSTILE
from watching import Client, WatchedRun, get

SMALL = ["--data", "data.npz", "--backend", "numpy", "--hidden", "8", "--batch-size", "16"]
LONG = [*SMALL, "--epochs", "1000000"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def start(here):
    runs = []

    def start(*arguments):
        runs.append(WatchedRun(here, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def without_numbers(text):
    return re.sub(r"\d[\d,.]*", "#", text)


def test_a_client_follows_a_run_to_its_result(start):
    run = start(*SMALL, "--epochs", "400", "--out", "run", "--quiet")
    status, page = get(run.address)
    assert status == 200
    assert b"run in training" in page
    client = Client(run.address).follow()
    code, out, err = run.end()
    assert (code, err) == (0, "")
    assert set(client.states) <= {"starting", "compiling", "training", "completed"}
    state = client.facts["status"]
    assert (state["state"], state["keptIn"]) == ("completed", "run")
    assert out == f"{state['message']}; kept in run\n"
    assert [point[0] for point in client.series["validation"]] == list(range(1, 401))
    assert client.facts["warnings"] == []


def test_what_is_printed_is_the_same(start, here):
    arguments = [*SMALL, "--epochs", "3"]
    code, out, err = start(*arguments, "--out", "watched").end()
    alone = subprocess.run(
        [sys.executable, "-m", "fastbp", "train", *arguments, "--out", "alone"],
        cwd=here,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (code, err) == (alone.returncode, alone.stderr) == (0, "")
    assert without_numbers(out).replace("watched", "alone") == without_numbers(alone.stdout)
    for name in ("weights.safetensors", "config.toml"):
        assert (here / "watched" / name).read_bytes() == (here / "alone" / name).read_bytes()


def test_two_runs_at_once(start):
    runs = [start(*LONG, "--out", name, "--seed", str(seed)) for seed, name in enumerate(("one", "two"))]
    clients = [Client(run.address).until(lambda client: client.series) for run in runs]
    (first, second) = (run.address.rstrip("/") for run in runs)
    assert first.rpartition("/")[0] != second.rpartition("/")[0]  # ports
    assert first.rpartition("/")[2] != second.rpartition("/")[2]  # tokens
    assert get(f"{first.rpartition('/')[0]}/{second.rpartition('/')[2]}/") == (404, b"")
    for run in runs:
        run.process.send_signal(signal.SIGINT)
    for run, client, name in zip(runs, clients, ("one", "two"), strict=True):
        client.follow()
        assert client.facts["status"]["keptIn"] == name
        assert run.end()[0] == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_run_and_page(start, number, code):
    run = start(*LONG, "--out", "run")
    client = Client(run.address).until(lambda client: client.series)
    run.process.send_signal(number)
    client.follow()
    assert client.facts["status"]["state"] == "interrupted"
    assert re.match(r"(interrupted|ended by SIGTERM) in epoch", client.facts["status"]["message"])
    found, out, _ = run.end()
    assert found == code
    assert "fastbp train --resume run goes on with it" in out


def test_a_run_goes_on_with_its_curves(start):
    run = start(*LONG, "--out", "run")
    Client(run.address).until(lambda client: len(client.series.get("training", ())) > 3)
    run.process.send_signal(signal.SIGINT)
    run.end()
    again = start("--resume", "run")
    client = Client(again.address).until(lambda client: "training" in client.states)
    client.until(lambda client: client.series["training"][0][0] == 1)
    assert [point[0] for point in client.series["training"][:3]] == [1, 2, 3]
    again.process.send_signal(signal.SIGINT)
    client.follow()
    assert again.end()[0] == 130


def test_a_run_that_diverges(start):
    run = start(*SMALL, "--learning-rate", "1e30", "--out", "run")
    client = Client(run.address).follow()
    code, _, err = run.end()
    assert code == 3
    state = client.facts["status"]
    assert state["state"] == "diverged"
    assert state["message"].startswith("training diverged in epoch 1")
    assert state["message"] in err


def test_what_was_not_kept_is_not_said_to_be(start):
    assert start(*SMALL, "--epochs", "2", "--out", "run").end()[0] == 0
    run = start(*SMALL, "--learning-rate", "1e30", "--out", "run", "--force")
    client = Client(run.address).follow()
    code, _, err = run.end()
    assert code == 3
    assert "the run before is still in run" in err
    assert client.facts["status"]["keptIn"] == ""


def test_marks_of_direction_in_a_folder_are_escaped(start):
    """They would turn round what the page says beside it."""
    run = start(*SMALL, "--epochs", "2", "--out", "run\u202ex")
    page = get(run.address)[1].decode()
    client = Client(run.address).follow()
    assert run.end()[0] == 0
    assert '"name": "run\\\\u202ex"' in page
    assert client.facts["status"]["keptIn"] == r"run\u202ex"


def test_a_mean_loss_that_overflows_ends_no_run(monkeypatch):
    """Each loss may be finite, and their sum not."""

    class Overflown(following.Follower):
        def on_chunk(self, chunk):
            super().on_chunk(replace(chunk, loss=float("inf")))

    monkeypatch.setattr(following, "PERIOD", 0.0)
    feed = module.Feed()
    feed.has_viewer = lambda: True
    settings = Settings(hidden=(8,), batch_size=16, epochs=2, backend="numpy")
    result = run_training(settings, clusters.dataset(), callbacks=[Overflown(feed, clusters.dataset())])
    assert result.status == "completed"
    assert json.loads(feed.answer("1", 0, is_hidden=False)[0])["facts"]["progress"]["loss"] is None


def test_a_page_that_does_not_answer_delays_the_end_by_the_grace_only(start):
    run = start(*SMALL, "--epochs", "3", "--out", "run")
    Client(run.address).ask()  # and never again
    assert run.end()[0] == 0


def test_without_a_page_nothing_is_waited_for(here, monkeypatch):
    waited = []
    monkeypatch.setattr(module.Feed, "wait_delivered", lambda feed, _seconds: waited.append(feed._present()))
    result = CliRunner().invoke(cli.app, ["train", *SMALL, "--epochs", "2", "--watch", "--quiet"])
    assert result.exit_code == 0, result.output
    assert waited == [[]]
    assert re.fullmatch(r"fastbp: watch this run at http://127\.0\.0\.1:\d+/[\w-]{32}/\n", result.stderr)
    assert result.stdout.startswith("test accuracy")
    assert (here / "runs").is_dir()


def test_mistakes_are_reported_before_anything_is_served(here):  # noqa: ARG001
    for wrong in (["--data", "nothing.npz"], [*SMALL, "--hidden", "x"], [*SMALL, "--resume", "nothing"]):
        result = CliRunner().invoke(cli.app, ["train", *wrong, "--watch"])
        assert result.exit_code == 2
        assert "watch this run" not in result.stderr


@pytest.mark.usefixtures("here")
def test_a_desktop_opens_the_ticket(monkeypatch):
    import webbrowser

    opened, called = [], threading.Event()
    monkeypatch.setattr(command, "has_desktop", lambda: True)
    monkeypatch.setattr(webbrowser, "open", lambda address: (opened.append(address), called.set()))
    result = CliRunner().invoke(cli.app, ["train", *SMALL, "--epochs", "2", "--watch"])
    assert result.exit_code == 0, result.output
    assert called.wait(20)
    printed = re.search(r"http://\S+", result.stderr)[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", opened[0])
    assert opened[0] != printed  # other users of the machine may see what a browser is started with
    assert opened[0].rpartition("/")[0].rpartition("/")[0] == printed.rpartition("/")[0].rpartition("/")[0]


def test_no_window_no_browser(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not command.has_desktop()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert command.has_desktop()


def test_an_error_in_the_run_is_said_and_stops_the_server():
    data, address = clusters.dataset(), None
    with pytest.raises(ZeroDivisionError), watched("run", Settings(), data) as watch:  # noqa: PT012
        address = watch.address
        feed = watch.follower._feed
        raise ZeroDivisionError
    assert json.loads(feed.answer("1", 0, is_hidden=False)[0])["facts"]["status"]["state"] == "failed"
    with pytest.raises(ConnectionRefusedError):
        get(address)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_data(name):
    data = clusters.dataset()
    object.__setattr__(data, "name", name)
    with watched(name, Settings(), data) as watch:
        page = get(watch.address)[1].decode()
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    found = json.loads(text)
    assert (found["name"], found["data"]) == (name, name)
    assert "<" not in text
    assert page.count("<script") == 2
