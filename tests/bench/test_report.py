"""bench/report.py: tables and figures from made-up measurements."""

import json

import pytest

MARKERS = "{name} begins\n<!-- {name}:begin -->\nof the last time\n<!-- {name}:end -->\n{name} ends\n"
MACHINE = {
    "cpu": "Made-up CPU",
    "cores": 3,
    "vector_bits": 256,
    "system": "Linux x86_64",
    "versions": {"python": "3.99", "numpy": "9.8.7"},
    "blas": "openblas 0.1 (Made-up)",
    "peak": {"q1": 90e9, "median": 100e9, "q3": 110e9},
    "bandwidths": [
        {"name": "L2", "bytes": 1 << 19, "bytes_per_second": 50e9},
        {"name": "memory", "bytes": 1 << 27, "bytes_per_second": 10e9},
    ],
}


@pytest.fixture(name="report")
def _report(script):
    return script("report")


@pytest.fixture(name="root")
def _root(tmp_path):
    (tmp_path / "docs").mkdir()
    for path, names in (("README.md", ("headline", "peers")), ("docs/benchmarks.md", ("benchmark", "peers"))):
        text = "".join(MARKERS.format(name=name) for name in names)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def around(value):
    return {"q1": value * 0.9, "median": value, "q3": value * 1.2}


def benchmark(part, path, network, batch, seconds, units):
    stats = {name: value * units for name, value in around(seconds).items()}
    info = {"part": part, "path": path, "network": network, "batch": batch, "units": units}
    flop = 0.0 if part in ("gather", "loss") else 5e6
    return {"stats": stats, "extra_info": {**info, "flop": flop, "bytes": 2e6}}


@pytest.fixture(name="benchmark_file")
def _benchmark_file(tmp_path):
    rows = []
    for network, batch in (("784-100-100-10", 8), ("784-800-800-10", 64)):
        for part in ("step", "gather", "forward", "loss", "backward and update", "evaluation"):
            rows.append(benchmark(part, "numpy", network, batch, 123e-6, 7))
            rows.append(benchmark(part, "numba", network, batch, 41e-6, 7))
    info = {"node": "a-secret-host", "fastbp": MACHINE}
    file = tmp_path / "benchmark.json"
    file.write_text(
        json.dumps({"benchmarks": rows, "machine_info": info, "datetime": "2031-02-03T04:05:06"}),
        encoding="utf-8",
    )
    return file


def training(name, threads, batch, seconds, ratio, **more):
    return {
        "name": name,
        "network": "784-100-100-10",
        "inputs": "MNIST",
        "batch": batch,
        "threads": threads,
        "seconds": around(seconds),
        "samples_per_second": batch / seconds,
        "gflops": 77.0,
        "share": around(0.77),
        "ratio": around(ratio),
        "cores_used": 1.0,
        "loss": 1.25,
        **more,
    }


@pytest.fixture(name="peers_file")
def _peers_file(tmp_path):
    shared = {"peak": MACHINE["peak"], "machine": MACHINE, "forms": {"fastbp": "compiled"}}
    one = {
        **shared,
        "threads": 1,
        "skipped": {"jax": "jax is not installed"},
        "training": [
            training("fastbp", 1, 8, 12e-6, 1.0),
            training("numpy", 1, 8, 60e-6, 5.0),
            training("pytorch", 1, 8, 120e-6, 10.2),
            training("fastbp", 1, 16, 20e-6, 1.0),
            training("pytorch", 1, 16, 60e-6, 2.96),
        ],
        "inference": [
            {
                "name": "fastbp",
                "network": "784-800-800-10",
                "rows": 10_000,
                "seconds": around(0.1),
                "gflops": 90.0,
                "share": around(0.9),
                "ratio": around(1.0),
            }
        ],
        "singles": [
            {
                "name": "fastbp",
                "network": "784-100-100-10",
                "kind": "compiled",
                "seconds": around(4.5e-6),
                "ratio": around(1.0),
            }
        ],
        "sweep": [
            training(name, 1, batch, batch * seconds, 1.0)
            for name, seconds in (("fastbp", 2e-6), ("numpy", 8e-6))
            for batch in (1, 2, 4)
        ],
    }
    own = {"threads_used": 3, "over_one_thread": around(1.8)}
    three = {
        **shared,
        "threads": 3,
        "skipped": {},
        "training": [
            training("fastbp", 3, 8, 7e-6, 1.0, **own),
            training("fastbp, 3 threads", 3, 8, 7e-6, 1.0, **own),
            training("numpy", 3, 8, 50e-6, 7.0),
        ],
        "inference": [],
        "singles": [],
    }
    record = {
        "kind": "fastbp peers",
        "date": "2031-02-04",
        "command": "python bench/peers.py --json FILE",
        "quick": False,
        "runs": [one, three],
    }
    file = tmp_path / "peers.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    return file


def contents(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def cells(text, *wanted):
    """Cells of the table row that begins with these."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return next(row for row in rows if row[: len(wanted)] == list(wanted))


def test_page_shows_the_medians_of_a_step(report, root, benchmark_file):
    before = (root / "README.md").read_text(encoding="utf-8")
    report.main(["--benchmark", str(benchmark_file), "--root", str(root)])
    page = (root / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert cells(page, "784-100-100-10", "8")[:5] == ["784-100-100-10", "8", "123", "41.0", "3.0"]
    for said in ("Made-up CPU", "3 cores", "256-bit", "numpy 9.8.7", "2031-02-03", "pytest --benchmark-only"):
        assert said in page
    assert "Evaluating 10,000 images with 784-800-800-10: NumPy 0.12 ms, compiled 0.04 ms." in page
    assert "of the last time" not in page.split("benchmark ends")[0]
    assert "a-secret-host" not in page
    assert (root / "README.md").read_text(encoding="utf-8") == before


def test_page_shows_the_parts_and_their_share(report, root, benchmark_file):
    report.main(["--benchmark", str(benchmark_file), "--root", str(root)])
    page = (root / "docs/benchmarks.md").read_text(encoding="utf-8")
    forward = page.split("### Forward")[1]
    # 5 MFLOP in 41 us are 122 GFLOP/s, of a peak of 100.
    assert cells(forward, "784-800-800-10", "64")[-2:] == ["122", "1.22"]
    assert cells(page.split("### Loss")[1], "784-100-100-10")[-2:] == ["–", "–"]


def test_peers_tables(report, root, peers_file):
    report.main(["--peers", str(peers_file), "--root", str(root)])
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert cells(readme, "784-100-100-10") == ["784-100-100-10", "8", "12.0", "5.0", "10.2"]
    assert "takes 3.0 to 10 times as long in PyTorch (1 thread each)." in readme
    for said in ("Made-up CPU", "numpy 9.8.7", "2031-02-04"):
        assert said in readme
    page = (root / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert cells(page, "784-100-100-10", "8") == [
        "784-100-100-10",
        "8",
        "12.0",
        "0.77",
        "5.0",
        "10.2",
        "1.80",
    ]
    assert "3 threads over 1" in page
    assert "jax is not installed" in page
    assert cells(page, "numpy")[1] == "60.0"
    assert cells(page.partition("### Training, 3 threads")[2], "numpy")[1] == "50.0"
    assert cells(page.partition("one compiled loop")[2], "fastbp")[1] == "4.50"


def test_a_busy_machine_is_named(report, root, peers_file):
    record = json.loads(peers_file.read_text(encoding="utf-8"))
    report.main(["--peers", str(peers_file), "--root", str(root)])
    assert "busy" not in (root / "README.md").read_text(encoding="utf-8")
    record["runs"][0]["training"][1]["cores_used"] = 0.61
    peers_file.write_text(json.dumps(record), encoding="utf-8")
    report.main(["--peers", str(peers_file), "--root", str(root)])
    assert "a thread got 61% of its core" in (root / "README.md").read_text(encoding="utf-8")


def test_contestants_take_turns_in_both_orders(report):  # noqa: ARG001 (makes bench importable)
    from interleave import interleave, ratios, spread

    turns = []
    clock = iter(range(1, 9))
    calls = {name: lambda name=name: turns.append(name) or next(clock) for name in "AB"}
    found = interleave(calls, 4)
    assert "".join(turns) == "ABBAABBA"
    assert found == {"A": [1, 4, 5, 8], "B": [2, 3, 6, 7]}
    assert ratios(found["B"], found["A"]) == [2, 0.75, 1.2, 0.875]
    middle = spread([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (middle.q1, middle.median, middle.q3) == (2, 3, 4)
    with pytest.raises(ValueError, match="expected an even number"):
        interleave(calls, 3)


def test_same_measurements_give_the_same_bytes(report, root, benchmark_file, peers_file):
    command = ["--benchmark", str(benchmark_file), "--peers", str(peers_file), "--root", str(root)]
    report.main(command)
    first = contents(root)
    report.main(command)
    assert contents(root) == first
    images = {path.name for path in first if path.suffix == ".svg"}
    assert images == {"steps.svg", "roofline.svg", "batch-size.svg"}


def test_other_measurements_change_the_figures(report, root, benchmark_file):
    command = ["--benchmark", str(benchmark_file), "--root", str(root)]
    report.main(command)
    before = contents(root)
    record = json.loads(benchmark_file.read_text(encoding="utf-8"))
    record["benchmarks"][1]["stats"]["median"] *= 2
    benchmark_file.write_text(json.dumps(record), encoding="utf-8")
    report.main(command)
    after = contents(root)
    for name in ("docs/benchmarks.md", "docs/images/steps.svg", "docs/images/roofline.svg"):
        assert before[root / name] != after[root / name]


def test_text_outside_of_the_markers_stays(report, root, benchmark_file):
    report.main(["--benchmark", str(benchmark_file), "--root", str(root)])
    page = (root / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert page.startswith("benchmark begins\n<!-- benchmark:begin -->\n")
    assert page.endswith("<!-- benchmark:end -->\nbenchmark ends\n" + MARKERS.format(name="peers"))


@pytest.mark.parametrize(
    "text", ["", "<!-- peers:end --><!-- peers:begin -->", 2 * MARKERS.format(name="peers")]
)
def test_missing_markers_change_nothing(report, root, peers_file, text):
    (root / "docs/benchmarks.md").write_text(text, encoding="utf-8")
    before = contents(root)
    with pytest.raises(SystemExit, match=r"benchmarks\.md: expected <!-- peers:begin -->"):
        report.main(["--peers", str(peers_file), "--root", str(root)])
    assert contents(root) == before


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--peers", "{}", r"expected a file that bench/peers\.py"),
        ("--peers", "[", "cannot be read"),
        ("--peers", "[]", "expected a JSON object"),
        ("--benchmark", "{}", "'benchmarks' is missing"),
    ],
)
def test_foreign_files_are_refused(report, root, tmp_path, option, text, said):
    file = tmp_path / "foreign.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=said):
        report.main([option, str(file), "--root", str(root)])
