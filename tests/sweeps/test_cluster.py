"""Sweeps on a Dask cluster of processes of this machine: the same bits, whatever dies."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.errors import ConfigError
from fastbp.files import is_held
from fastbp.sweeps import Store, run_sweep
from fastbp.sweeps.local import Processes
from fastbp.sweeps.task import STATUS, WORK
from kept_runs import results
from kept_runs import written as sweep

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals"),
    # Distributed and its event loop warn as they please.
    pytest.mark.filterwarnings("ignore"),
]


class Told:
    """Notes what a view is told; ``acts`` is called at each look."""

    def __init__(self, acts=lambda _running: None):
        self.acts, self.runs, self.hosts = acts, [], set()

    def begin(self, total, done):
        pass

    def finished(self, label, seed, run):
        self.runs.append((label, seed, run["status"]))

    def look(self, running):
        self.hosts |= {one.host for one in running}
        self.acts(running)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two worker processes of one thread, which a nanny starts again when they die."""
    from distributed import LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    scratch = tmp_path_factory.mktemp("scratch")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(scratch)
    ) as found:
        yield found


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def engine_for(cluster, plan, out):
    from fastbp.sweeps.cluster import Cluster, files_of

    return Cluster(cluster.scheduler_address, out / WORK, files_of(plan))


def test_the_same_bits_as_on_this_machine(here, cluster):
    plan = sweep(here)
    engine = engine_for(cluster, plan, here / "there")
    assert engine.room == 2
    assert run_sweep(plan, here / "there", engine, Told()) == 0
    assert run_sweep(plan, here / "alone", Processes(2), Told()) == 0
    assert len(results(here / "there")) == 4
    assert results(here / "there") == results(here / "alone")
    assert not (here / "there" / WORK).exists()


class Killer:
    """Kills the process of a run that has a checkpoint, once."""

    def __init__(self, out):
        self.out, self.killed = out, []

    def __call__(self, _running):
        for path in self.out.glob(f"{WORK}/*/checkpoint.safetensors"):
            state = path.parent / STATUS
            if not self.killed and state.exists():
                self.killed.append(json.loads(state.read_text())["pid"])
                os.kill(self.killed[0], signal.SIGKILL)


def test_a_worker_that_is_killed_in_mid_task_costs_nothing(here, cluster):
    plan, out = sweep(here, 400), here / "there"
    kill = Killer(out)
    told = Told(kill)
    assert run_sweep(plan, out, engine_for(cluster, plan, out), told, checkpoint=0.1) == 0
    assert len(kill.killed) == 1
    assert kill.killed[0] != os.getpid()
    assert len(told.runs) == 4
    assert told.hosts == {made["host"] for made in Store(out).read()}
    run_sweep(plan, here / "alone", Processes(2), Told())
    assert results(out) == results(here / "alone")


def test_workers_that_share_no_folder_are_sent_the_data(here, cluster, monkeypatch):
    from fastbp.sweeps import cluster as module

    monkeypatch.setattr(module, "_look", lambda _token, files: (False, ["" for _ in files]))
    monkeypatch.setattr(module, "EXCHANGE", 0.1)
    plan, out = sweep(here, 300), here / "there"
    engine = engine_for(cluster, plan, out)
    seen, sent = [], set()

    def look(running):
        seen.extend(running)
        for worker in cluster.scheduler_info["workers"].values():
            scratch = module.Path(worker["local_directory"]).parent
            sent.update(scratch.glob("fastbp-*/files/*/data.npz"))

    assert run_sweep(plan, out, engine, Told(look)) == 0
    assert seen  # what runs say of themselves came here
    assert sent
    assert not any(path.exists() for path in sent)
    run_sweep(plan, here / "alone", Processes(2), Told())
    assert results(out) == results(here / "alone")


def command(*more):
    call = [sys.executable, "-m", "fastbp", "sweep", "own.toml", "--out", "out", *more]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_interrupted_it_keeps_checkpoints_and_leaves_the_cluster_free(here, cluster):
    sweep(here, 10**6)
    process = command("--scheduler", cluster.scheduler_address)
    for _ in range(6000):
        if len(list(here.glob(f"out/{WORK}/*/{STATUS}"))) >= 2:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert err.splitlines() == [
        "completed runs are kept in out: the same command continues",
        "fastbp: interrupted",
    ]
    assert len(list(here.glob(f"out/{WORK}/*/checkpoint.safetensors"))) >= 2
    assert run_sweep(sweep(here), here / "out", engine_for(cluster, sweep(here), here / "out"), Told()) == 0


def test_no_scheduler_is_one_line(here):
    sweep(here)
    found = CliRunner().invoke(cli.app, ["sweep", "own.toml", "--scheduler", "tcp://127.0.0.1:abc"])
    assert found.exit_code == 2
    assert found.stderr.count("\n") == 1
    assert "tcp://127.0.0.1:abc: no Dask scheduler answers" in found.stderr


def test_jobs_are_those_of_the_cluster(here):
    sweep(here)
    found = CliRunner().invoke(cli.app, ["sweep", "own.toml", "--scheduler", "tcp://a:1", "--jobs", "2"])
    assert found.exit_code == 2
    assert "--jobs and --scheduler exclude each other" in found.stderr


def test_without_the_extra_it_says_which(here):
    sweep(here)
    code = (
        "import sys; sys.modules['distributed'] = None; sys.argv = ['fastbp', 'sweep', 'own.toml', "
        "'--scheduler', 'tcp://a:1']; from fastbp.cli import main; main()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 2
    line = "fastbp: error: --scheduler needs distributed: pip install 'fastbp[dask]'\n"
    assert found.stderr == line


@pytest.mark.parametrize(
    ("version", "said"), [("", "has no fastbp"), ("0.0.1", "has fastbp 0.0.1; expected")]
)
def test_workers_with_another_fastbp_get_nothing(version, said):
    from fastbp.sweeps.cluster import Cluster

    engine = Cluster.__new__(Cluster)
    engine._client = SimpleNamespace(run=lambda *_, **__: {"tcp://a:1": version})
    with pytest.raises(ConfigError, match=said):
        engine._checked_version()


def test_a_scheduler_that_is_gone_ends_the_sweep_and_frees_the_folders_of_its_runs(here, cluster):
    plan, out = sweep(here, 10**6), here / "out"
    engine = engine_for(cluster, plan, out)
    folders = set()

    def cut(running):
        if len(running) == 2:
            folders.update(path.parent for path in out.glob(f"{WORK}/*/{STATUS}"))
            engine._client.loop.add_callback(engine._client.scheduler_comm.comm.abort)

    with pytest.raises(ConfigError, match="the connection to the scheduler is lost"):
        run_sweep(plan, out, engine, Told(cut))
    assert len(folders) == 2
    for _ in range(2000):
        if not any(is_held(folder) for folder in folders):
            break
        time.sleep(0.01)
    assert not any(is_held(folder) for folder in folders), "the runs train on, and nobody waits for them"


def test_a_folder_is_sent_with_the_folders_in_it(tmp_path):
    from fastbp.sweeps.cluster import _contents

    (tmp_path / "digits" / "train" / "7").mkdir(parents=True)
    (tmp_path / "digits" / "train" / "7" / "a.png").write_bytes(b"image")
    (tmp_path / "digits" / "labels.csv").write_bytes(b"labels")
    assert _contents(tmp_path / "digits", "files/x/digits") == {
        "files/x/digits/labels.csv": b"labels",
        "files/x/digits/train/7/a.png": b"image",
    }
