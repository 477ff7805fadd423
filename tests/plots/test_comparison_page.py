"""The page that compares runs: its content, and that nothing in it can act or load."""

import base64
import hashlib
import html.parser
import math
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli, train
from fastbp.plots import comparison_html
from fastbp.plots.curves import Curve, curves_svg, swatch_svg
from fastbp.runs.history import history_csv, read_history
from fastbp.terminal.axis import fit_axis

HOSTILE = "<script>alert(1)</script>\x1b[2J&\"'"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clusters.write_npz(tmp_path / "data.npz")
    for name, settings in {"a": {"seed": 1}, "b": {"seed": 2}, "c": {"hidden": (3,)}}.items():
        train("data.npz", epochs=3, backend="numpy", **{"hidden": (5,), **settings}).save(f"runs/{name}")
    return tmp_path


class Parsed(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.policy = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]

    def handle_data(self, data):
        self.text.append(data)


def lines_of(page):
    return [attrs for tag, attrs in Parsed(page).tags if tag == "path" and "line" in attrs.get("class", "")]


def test_the_page_has_curves_settings_and_results():
    result = CliRunner().invoke(cli.app, ["compare", "runs", "--html", "page.html"])
    assert (result.exit_code, result.stdout) == (0, "page.html\n")
    with open("page.html", encoding="utf-8") as file:
        page = file.read()
    text = " ".join(Parsed(page).text)
    assert "3 runs compared" in text
    assert "Highest validation accuracy" in text
    for name in "abc":
        assert f"runs/{name}" in text
        last = read_history(f"runs/{name}")[-1]
        assert f"{100 * last.validation_accuracy:.2f} %" in text
    looks = {}
    for attrs in lines_of(page):
        looks.setdefault(attrs["class"], []).append(attrs["d"])
    # Two panels and a swatch: a curve and a swatch for each run, in two looks.
    assert sorted(map(len, looks.values())) == [3, 6]
    assert page.index("<svg") < page.index("<table")


def test_nothing_in_the_page_can_act_or_load(here):
    (here / "runs/a").rename(here / HOSTILE.replace("/", "|"))
    page = comparison_html([HOSTILE.replace("/", "|"), "runs/b"])
    parsed = Parsed(page)
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert not [
        name for _, attrs in parsed.tags for name in attrs if name.startswith("on") or name == "style"
    ]
    assert "\x1b" not in page
    assert "<script>alert(1)<|script>" in " ".join(parsed.text)
    [sheet] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in parsed.policy
    assert parsed.policy.startswith("default-src 'none';")
    assert "http" not in page.replace("http-equiv", "")


def test_a_damaged_history_only_costs_its_curve(here):
    (here / "runs/a/history.csv").write_text("nonsense")
    page = comparison_html(["runs/a", "runs/b"])
    assert "history.csv: line 1" in page
    assert len(lines_of(page)) == 2 + 2


def test_runs_without_validation_are_named_or_drawn_by_training(here):
    for name in ("a", "b"):
        history = read_history(f"runs/{name}")
        without = tuple(replace(r, validation_loss=math.nan, validation_accuracy=math.nan) for r in history)
        (here / f"runs/{name}/history.csv").write_text(history_csv(without))
    assert "Without validation data: runs/a, runs/b." in comparison_html(["runs/a", "runs/b", "runs/c"])
    page = comparison_html(["runs/a", "runs/b"])
    assert "Training loss" in page
    assert "Without" not in page


def test_mistakes(here):
    for arguments, expected in (
        (["--html", "page.pdf"], "expected .html"),
        (["--html", "page.html", "--csv"], "expected one of them"),
    ):
        result = CliRunner().invoke(cli.app, ["compare", "runs", *arguments])
        assert (result.exit_code, result.stdout) == (2, "")
        assert expected in result.stderr
    assert not (here / "page.html").exists()


def points(svg):
    [path] = re.findall(r'class="line[^"]*" d="([^"]*)"', svg)
    return [(pen, float(x), float(y)) for pen, x, y in re.findall(r"([ML])([-\d.]+) ([-\d.]+)", path)]


def test_a_curve_goes_from_corner_to_corner_and_has_gaps():
    svg = curves_svg("loss", [Curve("a", [2.0, math.nan, 1.0, 1.6], 0)])
    assert points(svg) == [("M", 46, 10), ("M", 248.7, 194), ("L", 350, 83.6)]


@pytest.mark.parametrize("values", [[1.0], [math.nan, 3.0], [0.0, 0.0], [1e-30, 1e30], [-5.0, 7.0] * 300])
def test_odd_curves_are_drawn_inside(values):
    svg = curves_svg("loss", [Curve("a", values, 31)], log=True)
    assert all(46 <= x <= 350 and 10 <= y <= 194 for _, x, y in points(svg))
    assert 1 <= svg.count('class="grid"') <= 12
    assert svg.count('class="middle"') <= 12


def test_looks_repeat_late():
    assert len({swatch_svg(look) for look in range(140)}) == 140
    grey = {re.sub(r"\bc\d", "", swatch_svg(look)) for look in range(20)}
    assert len(grey) == 20


def test_the_first_epochs_do_not_squeeze_the_rest():
    accuracies = [10.0, 96.0, 97.0, 98.0, 98.5]
    axis = fit_axis([accuracies])
    assert axis.is_clipped
    assert (axis.low, axis.high) == (94.75, 98.5)
    assert axis.share(10.0) == 0
    assert axis.share(98.5) == 1
    assert fit_axis([accuracies[:3]]).low == 10.0  # too few epochs to tell
    assert not fit_axis([[1.0, 2.0, 3.0, 4.0, 5.0]]).is_clipped
    losses = fit_axis([[50.0, 1.0, 0.5, 0.1]], log=True)
    assert losses.is_logarithmic
    assert losses.share(math.sqrt(50.0 * 0.1)) == pytest.approx(0.5)
