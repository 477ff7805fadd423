"""EMNIST from a server of our own: a zip like the real one, and what may be wrong with it."""

import gzip
import hashlib
import io
import struct
import threading
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from download_server import Server
from fastbp import cli
from fastbp.data.dataset import load_training
from fastbp.data.tools import catalog, download, emnist
from fastbp.data.tools.catalog import Source
from fastbp.errors import ConfigError, DataError

REAL_COUNTS = dict(emnist.SPLITS)
COUNTS = {"train": 61, "test": 7}
NAMES = [
    f"emnist-letters-{part}-{kind}-ubyte.gz"
    for part in ("train", "test")
    for kind in ("images-idx3", "labels-idx1")
]


def idx(values):
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def made_up():
    """Images upright, and labels, by part."""
    rng = np.random.default_rng(4)
    return {
        part: (
            rng.integers(0, 256, (count, 28, 28), np.uint8),
            np.append(26, rng.integers(1, 27, count - 1)).astype(np.uint8),
        )
        for part, count in COUNTS.items()
    }


def archive(change=lambda _: None):
    """EMNIST's zip: all images transposed; with another split in it, and whatever ``change`` does."""
    members = {}
    for split in ("digits", "letters"):
        for part, (images, labels) in made_up().items():
            name = f"gzip/emnist-{split}-{part}"
            images = images if split == "letters" else 255 - images
            members[f"{name}-images-idx3-ubyte.gz"] = gzip.compress(
                idx(np.ascontiguousarray(images.transpose(0, 2, 1)))
            )
            members[f"{name}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels))
    members["gzip/emnist-letters-mapping.txt"] = b"1 65 97\n"
    change(members)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(emnist, "AT_ONCE", 13)
    monkeypatch.setattr(emnist, "SPLITS", dict.fromkeys(emnist.SPLITS, tuple(COUNTS.values())))


@pytest.fixture
def serve(monkeypatch):
    """Start a server of an archive, and put it in EMNIST's place in the catalogue."""
    servers = []

    def start(data):
        server = Server(data)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        for split in ("letters", "digits"):
            source = catalog.CATALOG[f"emnist-{split}"]
            files = {"gzip.zip": hashlib.sha256(data).hexdigest()}
            ours = Source(source.about, files, (f"{server.url}/first/",), source.folder, source.split)
            monkeypatch.setitem(catalog.CATALOG, f"emnist-{split}", ours)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def get(name="emnist-letters", folder=None, **more):
    lines = []
    return download(name, folder, announce=lines.append, **more), lines


def test_a_split_comes_upright_and_can_be_trained_on(serve, tmp_path):
    server = serve(archive())
    paths, lines = get()
    assert [path.relative_to("emnist/letters").name for path in paths] == NAMES
    assert lines == [
        f"emnist/gzip.zip: downloading {server.url}/first/gzip.zip",
        "emnist/letters: unpacking letters",
    ]
    training, testing = load_training(tmp_path / "emnist" / "letters")
    for data, part in ((training, "train"), (testing, "test")):
        images, labels = made_up()[part]
        np.testing.assert_array_equal(data.images.reshape(-1, 28, 28), images)
        np.testing.assert_array_equal(data.labels, labels)
    assert training.classes == 27
    assert sorted(path.name for path in (tmp_path / "emnist").iterdir()) == ["gzip.zip", "letters"]
    assert sorted(path.name for path in (tmp_path / "emnist/letters").iterdir()) == sorted(NAMES)


def test_the_archive_serves_every_split_and_may_then_go(serve, tmp_path):
    server = serve(archive())
    get()
    server.requests.clear()
    paths, _ = get("emnist-digits")
    assert server.requests == []
    assert {path.parent.name for path in paths} == {"digits"}
    digits, _ = load_training(tmp_path / "emnist" / "digits")
    np.testing.assert_array_equal(digits.images.reshape(-1, 28, 28), 255 - made_up()["train"][0])
    (tmp_path / "emnist/gzip.zip").unlink()
    assert get("emnist-digits") == (paths, [])
    assert server.requests == []


def test_the_same_bytes_whenever_it_is_done(serve):
    serve(archive())
    for path in get()[0]:
        assert path.read_bytes()[3:8] == bytes(5)  # of gzip: no name, and no time


def test_force_unpacks_again_what_only_has_the_right_headers(serve):
    serve(archive())
    paths, _ = get()
    before = paths[0].read_bytes()
    other = gzip.compress(idx(np.zeros((61, 28, 28), np.uint8)))
    paths[0].write_bytes(other)
    get()
    assert paths[0].read_bytes() == other  # headers are all that is looked at
    get(force=True)
    assert paths[0].read_bytes() == before


def test_a_split_that_lacks_a_file_is_unpacked_again(serve):
    serve(archive())
    paths, _ = get()
    paths[2].unlink()
    assert get()[0] == paths
    assert paths[2].exists()


@pytest.mark.parametrize(
    "content", [b"mine", gzip.compress(idx(np.zeros((5, 28, 28), np.uint8)))], ids=["mine", "another"]
)
def test_other_files_are_not_replaced_unasked(serve, tmp_path, content):
    serve(archive())
    mine = tmp_path / "emnist/letters" / NAMES[1]
    mine.parent.mkdir(parents=True)
    mine.write_bytes(content)
    with pytest.raises(ConfigError, match="already exists and is not a file of EMNIST; choose another --out"):
        get()
    assert mine.read_bytes() == content
    assert len(list(mine.parent.iterdir())) == 1
    get(force=True)
    assert load_training(mine.parent)[0].classes == 27


def cut(content):
    """A gzip file whose end is missing."""
    return content[: len(content) // 2]


def wrong_checksum(content):
    """A gzip file whose CRC is that of other data."""
    return content[:-8] + bytes(4) + content[-4:]


CHANGES = {
    "no file": (lambda members: members.pop("gzip/" + NAMES[3]), f"found no {NAMES[3]}"),
    "another count": (
        lambda members: members.update({"gzip/" + NAMES[0]: gzip.compress(idx(np.zeros((9, 28, 28), "u1")))}),
        "found the header 00 00 08 03 00 00 00 09",
    ),
    "fewer": (
        lambda members: members.update(
            {"gzip/" + NAMES[0]: gzip.compress(gzip.decompress(members["gzip/" + NAMES[0]])[:-1])}
        ),
        f"{NAMES[0]}: found the end after {61 * 784 - 1} values",
    ),
    "more": (
        lambda members: members.update(
            {"gzip/" + NAMES[1]: gzip.compress(gzip.decompress(members["gzip/" + NAMES[1]]) + b"x")}
        ),
        f"{NAMES[1]}: found more values than 61",
    ),
    "cut": (lambda m: m.update({"gzip/" + NAMES[2]: cut(m["gzip/" + NAMES[2]])}), "damaged"),
    "checksum": (lambda m: m.update({"gzip/" + NAMES[2]: wrong_checksum(m["gzip/" + NAMES[2]])}), "damaged"),
    "no gzip": (lambda m: m.update({"gzip/" + NAMES[0]: b"nothing packed"}), "damaged"),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_an_archive_with_something_else_in_it(serve, tmp_path, fault):
    change, says = CHANGES[fault]
    serve(archive(change))
    with pytest.raises(DataError) as caught:
        get()
    assert says in str(caught.value)
    assert str(caught.value).startswith("emnist/gzip.zip: ")
    assert str(caught.value).isprintable()
    assert list((tmp_path / "emnist/letters").iterdir()) == []  # all of them, or none


def test_no_zip(serve):
    serve(b"not a zip at all")
    with pytest.raises(DataError, match=r"emnist/gzip.zip: damaged \(File is not a zip file\)"):
        get()


def test_command(serve, tmp_path):
    serve(archive())
    result = CliRunner().invoke(cli.app, ["data", "download", "emnist-letters", "--out", "mine"])
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("in mine/letters\n")
    assert "mine/letters: unpacking letters" in result.stderr
    assert (tmp_path / "mine/gzip.zip").exists()


def test_counts_are_those_of_the_paper_and_of_torchvision():
    counts = REAL_COUNTS
    assert set(counts) == {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}
    assert sum(counts["byclass"]) == 814_255
    assert sum(counts["balanced"]) == 47 * 2800
    assert counts["mnist"] == (60_000, 10_000)
