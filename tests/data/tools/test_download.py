"""Downloads from a server of our own: mirrors, resuming, checksums, and files that are whole or not there."""

import hashlib
import re
import threading
import urllib.request

import numpy as np
import pytest
from typer.testing import CliRunner

from download_server import Server
from fastbp import cli
from fastbp.data.tools import catalog, download
from fastbp.data.tools.catalog import Source
from fastbp.data.tools.emnist import SPLITS
from fastbp.errors import ConfigError, DataError

DATA = np.random.default_rng(9).bytes(200_003)
NAME = "images.gz"


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = Server(DATA)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    source = Source(
        "made up", {NAME: hashlib.sha256(DATA).hexdigest()}, (f"{server.url}/first/", f"{server.url}/second/")
    )
    monkeypatch.setitem(catalog.CATALOG, "ours", source)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "folder"


def get(folder, **more):
    lines = []
    paths = download("ours", folder, announce=lines.append, **more)
    return paths, lines


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole(server, folder):
    paths, lines = get(folder)
    assert paths == [folder / NAME]
    assert paths[0].read_bytes() == DATA
    assert names(folder) == [NAME]
    assert server.requests == [(f"/first/{NAME}", None)]
    assert lines == [f"{folder / NAME}: downloading {server.url}/first/{NAME}"]


def test_what_is_there_is_not_fetched_again(server, folder):
    get(folder)
    server.requests.clear()
    assert get(folder) == ([folder / NAME], [])
    assert server.requests == []


@pytest.mark.parametrize("fault", ["missing", "wrong"])
def test_the_next_mirror(server, folder, fault):
    server.behaviour["first"] = fault
    get(folder)
    assert (folder / NAME).read_bytes() == DATA
    assert [path for path, _ in server.requests] == [f"/first/{NAME}", f"/second/{NAME}"]
    assert server.requests[1][1] is None


def test_the_next_mirror_goes_on_where_the_first_broke_off(server, folder):
    server.behaviour["first"] = "breaks off"
    get(folder)
    assert (folder / NAME).read_bytes() == DATA
    assert server.requests == [(f"/first/{NAME}", None), (f"/second/{NAME}", "bytes=70000-")]


def test_the_next_call_goes_on_too(server, folder):
    server.behaviour = {"first": "breaks off", "second": "missing"}
    with pytest.raises(DataError) as caught:
        get(folder)
    assert "broke off after 70000 of 200003 bytes" in str(caught.value)
    assert "answers 404" in str(caught.value)
    assert names(folder) == [f".{NAME}.part"]
    server.behaviour, server.requests = {}, []
    get(folder)
    assert server.requests == [(f"/first/{NAME}", "bytes=70000-")]
    assert (folder / NAME).read_bytes() == DATA
    assert names(folder) == [NAME]


def test_a_server_without_ranges(server, folder):
    folder.mkdir(parents=True)
    (folder / f".{NAME}.part").write_bytes(DATA[:1000])
    server.behaviour["first"] = "no ranges"
    get(folder)
    assert (folder / NAME).read_bytes() == DATA
    assert len(server.requests) == 1


@pytest.mark.parametrize("part", [b"nonsense", DATA[:50] + b"x", DATA + b"too long", DATA])
def test_a_partial_file_of_any_kind(server, folder, part):
    folder.mkdir(parents=True)
    (folder / f".{NAME}.part").write_bytes(part)
    get(folder)
    assert (folder / NAME).read_bytes() == DATA
    assert names(folder) == [NAME]
    assert {path for path, _ in server.requests} == {f"/first/{NAME}"}


def test_wrong_data_everywhere(server, folder):
    server.behaviour = {"first": "wrong", "second": "wrong"}
    with pytest.raises(DataError, match="the SHA-256 is not the published one"):
        get(folder)
    assert not folder.exists()


def test_no_server(monkeypatch, server, folder):
    source = Source("made up", catalog.CATALOG["ours"].files, ("http://127.0.0.1:9/",))
    monkeypatch.setitem(catalog.CATALOG, "ours", source)
    with pytest.raises(DataError, match="cannot be reached"):
        get(folder)
    assert server.requests == []


@pytest.mark.usefixtures("server")
def test_too_much(folder, monkeypatch):
    monkeypatch.setattr("fastbp.data.tools.fetch.LARGEST", 100_000)
    with pytest.raises(DataError, match="sends more than 100000 bytes"):
        get(folder)


def test_other_files_are_not_replaced_unasked(server, folder):
    folder.mkdir(parents=True)
    (folder / NAME).write_text("mine")
    with pytest.raises(ConfigError, match="already exists and is not a file of ours"):
        get(folder)
    assert (folder / NAME).read_text() == "mine"
    assert server.requests == []
    get(folder, force=True)
    assert (folder / NAME).read_bytes() == DATA


def run(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["data", "download", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def test_command(server, tmp_path):
    result = run("ours")
    assert result.stdout == "made up: in ours\n"
    assert result.stderr == f"ours/{NAME}: downloading {server.url}/first/{NAME}\n"
    assert (tmp_path / "ours" / NAME).read_bytes() == DATA
    (tmp_path / "file").write_text("x")
    assert "cannot be written" in run("ours", "--out", "file", code=2).stderr


def test_an_unknown_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("imagenet", code=2)
    assert "imagenet: unknown data set; expected one of: mnist, fashion-mnist, kmnist" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_catalogue():
    for name, source in catalog.CATALOG.items():
        assert len(source.files) == (1 if source.split else 4), name
        assert all(re.fullmatch(r"[0-9a-f]{64}", checksum) for checksum in source.files.values())
        assert len(source.mirrors) >= 2
        assert all(
            re.fullmatch(r"https?://[a-z0-9.-]+/[a-zA-Z/_-]+/|http://[a-z0-9.-]+/", x) for x in source.mirrors
        )
    checksums = [checksum for source in catalog.CATALOG.values() for checksum in source.files.values()]
    assert len(set(checksums)) == 4 * 4 + 1  # EMNIST's splits are of one archive
    assert {f"emnist-{split}" for split in SPLITS} == {n for n in catalog.CATALOG if n.startswith("emnist")}


def test_nothing_is_fetched_unasked(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    for arguments in (["info", "kmnist"], ["convert", "fashion-mnist", "x.npz"], ["info", "mnist"]):
        result = CliRunner().invoke(cli.app, ["data", *arguments])
        assert not isinstance(result.exception, AssertionError)
