"""A Dask cluster as an engine: tasks go to its workers, one for each of their threads.

A task carries settings and paths, no arrays. Where all workers see the folder of the
work, they share data and checkpoints there, as processes of one machine do, and a run
whose worker dies goes on at another. Otherwise each host keeps both in the scratch
folder of its workers, and files of data are sent once to each worker, also to those
that come later. The scheduler gives a task whose worker died to another worker.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..data.builtin import NAMES
from ..errors import ConfigError, one_line
from ..files import locked, replace_file
from ..runs.machine import versions
from .keys import fingerprint
from .plan import Sweep
from .task import STATUS, STOP, Task

try:
    from distributed import Client, KilledWorker, Security, Worker, WorkerPlugin, get_worker
    from distributed.core import rpc
except ImportError as error:
    raise ConfigError("--scheduler needs distributed: pip install 'fastbp[dask]'") from error

__all__ = ["Cluster", "files_of"]

PATIENCE = 8.0  # seconds for a scheduler to answer
COUNT = 2.0  # seconds between two looks at how many threads there are
EXCHANGE = 2.0  # and at workers that do not see the folder of the work
FILES = "files"  # in the folder of the work: data that were sent
PATHS = ("data", "test", "augment")  # settings that may name files

Outcome = TypeVar("Outcome")


def files_of(sweep: Sweep) -> list[Path]:
    """Return the files and folders that the settings of a sweep name, each once."""
    named = [str(variant.given.get(name, "")) for variant in sweep.variants for name in PATHS]
    return [Path(path) for path in dict.fromkeys(named) if path not in NAMES and Path(path).exists() and path]


@dataclass(frozen=True)
class _Site:
    """What a task is told of the place where it runs.

    Attributes
    ----------
    name : of this sweep's folders on workers
    token : file in the folder of the work
    is_shared : whether the workers see that folder
    moved : where files are that workers do not see, in the folder of the work
    version : of fastbp
    """

    name: str
    token: Path
    is_shared: bool
    moved: Mapping[str, str]
    version: str

    def here(self, task: Task) -> Task:
        """Return the task as this worker can do it."""
        host = socket.gethostname()
        if (found := versions()["fastbp"]) != self.version:
            raise ConfigError(f"worker on {host}: has fastbp {found}, the sweep {self.version}")
        if self.is_shared and not self.token.exists():
            raise ConfigError(f"worker on {host}: does not see {self.token.parent}, as the first workers did")
        work = task.work if self.is_shared else _scratch(get_worker(), self.name)
        paths = {name: str(getattr(task.settings, name)) for name in PATHS}
        moved: dict[str, Any] = {
            name: str(work / self.moved[path]) for name, path in paths.items() if path in self.moved
        }
        return replace(task, work=work, settings=replace(task.settings, **moved))


def _scratch(worker: Worker, name: str) -> Path:
    """Return a folder that the workers of a host share, and that outlives each."""
    path = Path(worker.local_directory).parent / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _run(function: Callable[[Task], Outcome], task: Task, site: _Site) -> Outcome:
    task = site.here(task)
    with suppress(OSError), locked(task.work / task.key, waits=True):
        pass  # a worker that the scheduler gave up may still hold the folder for a moment
    return function(task)


class _Files(WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """Writes data on a worker before its first task.

    Parameters
    ----------
    name : of the sweep's folder there
    contents : bytes by path in it
    """

    def __init__(self, name: str, contents: Mapping[str, bytes]) -> None:
        self._folder, self._contents = name, contents

    def setup(self, worker: Worker) -> None:
        """Write what is missing; workers of one host share it."""
        place = _scratch(worker, self._folder)
        with locked(place, waits=True):
            (place / STOP).unlink(missing_ok=True)
            for name, content in self._contents.items():
                if not (place / name).exists():
                    (place / name).parent.mkdir(parents=True, exist_ok=True)
                    replace_file(place / name, content)


def _exchange(name: str, stops: bool, dask_worker: Worker) -> dict[str, str]:
    """Let the runs of a host know whether to end; return their states by key."""
    place, found = _scratch(dask_worker, name), {}
    if stops:
        (place / STOP).touch()
    for path in place.glob(f"*/{STATUS}"):
        with suppress(OSError):
            found[path.parent.name] = path.read_text(encoding="utf-8")
    return found


def _look(token: Path, files: Iterable[Path]) -> tuple[bool, list[str]]:
    """Return whether a worker sees a file, and the fingerprints of others there."""
    return token.exists(), [fingerprint(path) for path in files]


def _remove(name: str, dask_worker: Worker) -> None:
    shutil.rmtree(_scratch(dask_worker, name), ignore_errors=True)


class Cluster:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    address : of the scheduler
    work : folder of the work, see `fastbp.sweeps.runner.run_sweep`
    files : that settings name, see `files_of`
    say : told a line if there is something to wait for

    Attributes
    ----------
    room, deaths, breaks : see `fastbp.sweeps.pool.Engine`

    Raises
    ------
    ConfigError : no scheduler answers, or its workers lack this version of fastbp
    """

    deaths: tuple[type[BaseException], ...] = (KilledWorker, CancelledError)
    breaks = False

    def __init__(
        self,
        address: str,
        work: Path,
        files: Iterable[Path] = (),
        say: Callable[[str], object] = lambda _line: None,
    ) -> None:
        self._address, self._work = address, work
        self._client: Any = _connected(address)
        self._closed = threading.Event()
        self._room, self._counted = 0, 0.0
        try:
            if not self.room:
                say(f"{address}: has no workers yet; waiting for the first")
            while not self.room:
                time.sleep(0.2)
            self._version = self._checked_version()
            self._site = self._prepared(list(files))
        except BaseException:
            self._client.close()
            raise
        self._mirror = threading.Thread(target=self._exchange, daemon=True)
        if not self._site.is_shared:
            self._mirror.start()

    @property
    def room(self) -> int:
        """Threads of all workers; zero while there are none."""
        if time.monotonic() > self._counted + (COUNT if self._room else 0.0):
            with suppress(OSError):  # the connection is lost: tasks say so
                self._room = sum(self._client.nthreads().values())
            self._counted = time.monotonic()
        return self._room

    def start(self) -> Executor:
        """Return an executor; ConfigError if the scheduler is gone."""
        if self._client.status != "running":
            raise ConfigError(
                f"{self._address}: the connection to the scheduler is lost; start it, and the same command "
                "continues"
            )
        return _Executor(self._client, self._site)

    def close(self, *, now: bool) -> None:  # noqa: ARG002
        """Leave the cluster as it was; tasks that still run are cancelled."""
        self._closed.set()
        if self._client.status != "running" and self._work.is_dir():
            # Runs whose scheduler is gone would train on, and keep their folders from
            # the same command.
            (self._work / STOP).touch()
        if self._mirror.is_alive():
            self._mirror.join()
        with suppress(OSError, ValueError, RuntimeError):
            if self._client.status == "running" and not self._site.is_shared:
                self._client.unregister_worker_plugin(self._site.name)
                if not (self._work / STOP).exists():
                    self._client.run(_remove, self._site.name, on_error="ignore")
        self._site.token.unlink(missing_ok=True)
        self._client.close(timeout=PATIENCE)

    def _checked_version(self) -> str:
        """Return the version of fastbp; ConfigError if a worker has another one."""

        def look() -> str:  # goes to workers by value: they may lack this package
            from importlib.metadata import PackageNotFoundError, version

            try:
                return version("fastbp")
            except PackageNotFoundError:
                return ""

        own = str(versions()["fastbp"])
        for worker, found in self._client.run(look, on_error="return").items():
            if isinstance(found, BaseException):
                raise ConfigError(f"worker {worker}: cannot run a function ({one_line(found)})")
            if found != own:
                has = f"has fastbp {found}" if found else "has no fastbp"
                raise ConfigError(f"worker {worker}: {has}; expected fastbp {own}, as here")
        return own

    def _prepared(self, files: list[Path]) -> _Site:
        """See what workers see, and send them what they do not."""
        self._work.mkdir(parents=True, exist_ok=True)
        name = "fastbp-" + hashlib.sha256(f"{socket.gethostname()} {self._work}".encode()).hexdigest()[:16]
        token = self._work / f"{name}.token"
        token.touch()
        found = self._client.run(_look, token, files).values()
        is_shared = all(sees for sees, _ in found)
        unseen = [
            path
            for number, path in enumerate(files)
            if any(prints[number] != fingerprint(path) for _, prints in found)
        ]
        moved = {str(path): f"{FILES}/{fingerprint(path)}/{path.name}" for path in unseen}
        if is_shared:
            for path in unseen:
                for inner, content in _contents(path, moved[str(path)]).items():
                    (self._work / inner).parent.mkdir(parents=True, exist_ok=True)
                    replace_file(self._work / inner, content)
        else:
            contents: dict[str, bytes] = {}
            for path in unseen:
                contents |= _contents(path, moved[str(path)])
            self._client.register_plugin(_Files(name, contents), name)
        return _Site(name, token, is_shared, moved, self._version)

    def _exchange(self) -> None:
        """Bring what runs say of themselves here, and word of the end to them."""
        while not self._closed.wait(EXCHANGE):
            stops = (self._work / STOP).exists()
            states: dict[str, str] = {}
            with suppress(OSError):
                for found in self._client.run(_exchange, self._site.name, stops, on_error="ignore").values():
                    states |= found or {}
            with suppress(OSError):
                for path in self._work.glob(f"*/{STATUS}"):
                    if path.parent.name not in states:
                        path.unlink()
                for key, text in states.items():
                    (self._work / key).mkdir(exist_ok=True)
                    (self._work / key / STATUS).write_text(text, encoding="utf-8")


class _Executor(Executor):
    """Submits functions of a task."""

    def __init__(self, client: Any, site: _Site) -> None:
        self._executor, self._site = client.get_executor(pure=False), site

    def submit(self, function: Any, /, *items: Any, **_: Any) -> Any:
        """Return the future of a function of one task."""
        return self._executor.submit(_run, function, *items, self._site)


def _connected(address: str) -> Any:
    """Return a client; ConfigError if no scheduler answers."""
    make: Any = Client
    try:
        asyncio.run(_greet(address))
        return make(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError, ImportError, MemoryError) as error:
        raise ConfigError(
            f"{address or 'no address'}: no Dask scheduler answers; expected the address that "
            "`dask scheduler` prints, like tcp://host:8786"
        ) from error


async def _greet(address: str) -> None:
    """Ask a scheduler who it is; a client that cannot connect takes long to give up."""
    call: Any = rpc
    security: Any = Security
    own = security().get_connection_args("client")
    async with call(address, timeout=PATIENCE, connection_args=own) as server:
        about = await asyncio.wait_for(server.identity(), PATIENCE)
    if about["type"] != "Scheduler":
        raise ValueError("not a scheduler")


def _contents(path: Path, name: str) -> dict[str, bytes]:
    """Return the bytes of a file, or of all files in a folder, by name."""
    if path.is_dir():
        files = (inner for inner in path.rglob("*") if inner.is_file())
        return {f"{name}/{inner.relative_to(path).as_posix()}": inner.read_bytes() for inner in files}
    return {name: path.read_bytes()}
